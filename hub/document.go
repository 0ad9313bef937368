package hub

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/asff"
)

// occurrencesField is the key of ProductFields in which the hub keeps Finding.Occurrences.
const occurrencesField = "eyrie/occurrences"

// investigation are the members that belong to the customer from the finding's creation on (AWS: BatchImportFindings,
// "cannot be used to update").
var investigation = []string{"Note", "UserDefinedFields", "VerificationState", "Workflow"}

// overridable are the members that belong to the customer once BatchUpdateFindings has set them, and to the producer's
// FindingProviderFields before.
var overridable = []string{"Confidence", "Criticality", "RelatedFindings", "Severity", "Types"}

// providerFields makes FindingProviderFields and the members at the top agree, as AWS does: what the producer gave only at
// the top is copied to FindingProviderFields, and what FindingProviderFields has is copied to the top.
func providerFields(d *asff.Document) error {
	given, err := object(d.Get("FindingProviderFields"))
	if err != nil {
		return err
	}
	changed := false
	for _, name := range overridable {
		top, own := d.Get(name), given.Get(name)
		switch {
		case own != nil && name == "Severity":
			merged, err := topSeverity(top, own)
			if err != nil {
				return err
			}
			d.Set(name, merged)
		case own != nil:
			d.Set(name, own)
		case top != nil && name == "Severity":
			if top, err = topSeverity(top, nil); err != nil {
				return err
			}
			d.Set(name, top)
			s, err := object(top)
			if err != nil {
				return err
			}
			var provider asff.Document // FindingProviderSeverity has these two members only
			for _, member := range []string{"Label", "Original"} {
				if v := s.Get(member); v != nil {
					provider.Set(member, v)
				}
			}
			given.Set(name, provider.Append(nil))
			changed = true
		case top != nil:
			given.Set(name, top)
			changed = true
		}
	}
	if changed {
		d.Set("FindingProviderFields", given.Append(nil))
	}
	return nil
}

// topSeverity is a finding's Severity, made of the one at the top and of FindingProviderFields' (nil if absent), which
// wins. Label and Normalized are derived from each other when one is missing.
func topSeverity(top, own []byte) ([]byte, error) {
	s, err := object(top)
	if err != nil {
		return nil, err
	}
	provider, err := object(own)
	if err != nil {
		return nil, err
	}
	if label := provider.Text("Label"); label != "" && label != s.Text("Label") {
		s.SetText("Label", label)
		s.Delete("Normalized")
	}
	if original := provider.Get("Original"); original != nil {
		s.Set("Original", original)
	}
	label := s.Text("Label")
	if normalized, err := strconv.Atoi(string(s.Get("Normalized"))); err == nil && label == "" {
		s.SetText("Label", asff.SeverityLabel(normalized))
	} else if n, ok := asff.SeverityNormalized(label); ok && s.Get("Normalized") == nil {
		s.Set("Normalized", strconv.AppendInt(nil, int64(n), 10))
	}
	return s.Append(nil), nil
}

// object is asff.ParseDocument that takes an absent or null member for an empty object.
func object(raw []byte) (asff.Document, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return asff.Document{}, nil
	}
	return asff.ParseDocument(raw)
}

// textIn is the string member name of the object member outer, "" if there is none.
func textIn(d *asff.Document, outer, name string) string {
	o, err := object(d.Get(outer))
	if err != nil {
		return ""
	}
	return o.Text(name)
}

// setIn sets the string member name of the object member outer.
func setIn(d *asff.Document, outer, name, value string) error {
	o, err := object(d.Get(outer))
	if err != nil {
		return err
	}
	if o.Text(name) == value && o.Get(name) != nil {
		return nil
	}
	o.SetText(name, value)
	d.Set(outer, o.Append(nil))
	return nil
}

// defaults fills in what AWS fills in when a producer leaves it out.
func (h *Hub) defaults(d *asff.Document) error {
	company, product := productOf(d.Text("ProductArn"))
	for _, m := range []struct{ name, value string }{
		{"ProductName", product}, {"CompanyName", company}, {"Region", h.c.Region}, {"RecordState", "ACTIVE"},
	} {
		if d.Text(m.name) == "" {
			d.SetText(m.name, m.value)
		}
	}
	if textIn(d, "Workflow", "Status") == "" {
		return setIn(d, "Workflow", "Status", "NEW")
	}
	return nil
}

// productOf tells company and product of a product ARN, arn:…:product/company/product. AWS calls what uses an account's
// default product "Personal" and "Default".
func productOf(arn string) (company, product string) {
	_, rest, _ := strings.Cut(arn, ":product/")
	company, product, _ = strings.Cut(rest, "/")
	if company == "" || product == "" || product == "default" {
		return "Personal", "Default"
	}
	return company, product
}

// preserve puts the customer's members of the old document, and those of customer, over the new document's.
func preserve(d, old *asff.Document, customer []byte) error {
	for _, name := range investigation {
		if v := old.Get(name); v != nil {
			d.Set(name, v)
		} else {
			d.Delete(name)
		}
	}
	own, err := object(customer)
	if err != nil {
		return err
	}
	for _, name := range own.Names() {
		d.Set(name, own.Get(name))
	}
	return nil
}

// describe reads into f what the document says of it.
func describe(f *Stored, d *asff.Document) {
	f.FirstObserved, f.LastObserved = timeIn(d, "FirstObservedAt"), timeIn(d, "LastObservedAt")
	f.UpdatedAt = timeIn(d, "UpdatedAt")
	f.Workflow, f.Severity = textIn(d, "Workflow", "Status"), textIn(d, "Severity", "Label")
	f.RecordState = d.Text("RecordState")
}

// timeIn is the timestamp member name, zero if there is none that can be read.
func timeIn(d *asff.Document, name string) time.Time {
	return timeOf(d.Text(name))
}

func timeOf(s string) time.Time {
	t, err := asff.ParseTime(s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// untracked are the members whose changes the history leaves out: the timestamps at the top (AWS: GetFindingHistory,
// "except top-level timestamp fields").
func untracked(name string) bool {
	switch name {
	case "CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt", "ProcessedAt":
		return true
	}
	return false
}

// observed are the members whose changes a new occurrence of an alert records. What differs in every occurrence (process
// ids, the fields of the event) is kept with the raw alerts.
func observed(name string) bool {
	switch name {
	case "Title", "Severity", "Types", "RecordState", "Workflow", "Confidence", "Criticality":
		return true
	}
	return false
}

// diff lists the members that differ and that track allows, in the order of the old document, then of the new.
func diff(old, d *asff.Document, track func(string) bool) []HistoryUpdate {
	var updates []HistoryUpdate
	for _, name := range old.Names() {
		if track(name) && !sameJSON(old.Get(name), d.Get(name)) {
			updates = append(updates, HistoryUpdate{name, historyValue(old.Get(name)), historyValue(d.Get(name))})
		}
	}
	for _, name := range d.Names() {
		if track(name) && old.Get(name) == nil {
			updates = append(updates, HistoryUpdate{name, "", historyValue(d.Get(name))})
		}
	}
	return updates
}

// sameJSON compares two values without white space. A value written otherwise (an escape, a number) counts as changed.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	if a == nil || b == nil {
		return false
	}
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// historyValue is a member's value as the history shows it.
func historyValue(raw []byte) string {
	if raw == nil {
		return ""
	}
	s := string(raw)
	if s[0] == '"' && json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	if len(s) <= MaxHistoryValue {
		return s
	}
	end := MaxHistoryValue - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

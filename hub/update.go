package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/asff"
)

// The codes of UpdateFailure (AWS: BatchUpdateFindingsUnprocessedFinding.ErrorCode).
const (
	CodeDuplicate = "DuplicatedFindingIdentifier"
	CodeNotFound  = "FindingNotFound"
	CodeTooLarge  = "FindingSizeExceeded"
)

// Limits of Update, from the documentation of BatchUpdateFindings' members.
const (
	maxNoteText      = 512
	maxUpdatedBy     = 512
	maxUserFields    = 50
	maxUserKey       = 128
	maxUserValue     = 1024
	maxTypes         = 50
	maxRelated       = 10
	maxUpdateIDChars = 512
)

// Update is AWS's BatchUpdateFindings: it changes what belongs to the customer, in each finding that keys name, and
// leaves UpdatedAt as it is. What it sets, imports do not overwrite. The error is an *InvalidInput if u is not valid, else
// one of the store; then nothing changed.
func (h *Hub) Update(ctx context.Context, by Identity, keys []Key, u Update) (processed []Key, unprocessed []UpdateFailure, err error) {
	members, err := u.members(h)
	if err != nil {
		return nil, nil, err
	}
	ch, err := h.begin(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	defer ch.end()
	seen := make(map[Key]bool, len(keys))
	for _, key := range keys {
		d := ch.touched[key]
		failure := UpdateFailure{Key: key}
		switch {
		case seen[key]:
			failure.Code, failure.Message = CodeDuplicate, "the finding is named more than once"
		case d == nil:
			failure.Code, failure.Message = CodeNotFound, "there is no finding with this Id and ProductArn"
		default:
			if failure, err = ch.update(by, d, members); err != nil {
				return nil, nil, err
			}
		}
		seen[key] = true
		if failure.Code != "" {
			unprocessed = append(unprocessed, failure)
		} else {
			processed = append(processed, key)
		}
	}
	if err := ch.commit(ctx); err != nil {
		return nil, nil, err
	}
	return processed, unprocessed, nil
}

// update changes one finding. An update that changes nothing leaves no trace.
func (ch *change) update(by Identity, d *draft, members []asff.Member) (UpdateFailure, error) {
	old, err := asff.ParseDocument(d.Doc)
	if err != nil {
		return UpdateFailure{}, fmt.Errorf("hub: finding %q: %w", d.ID, err)
	}
	own, err := object(d.Customer)
	if err != nil {
		return UpdateFailure{}, fmt.Errorf("hub: finding %q: %w", d.ID, err)
	}
	doc := old.Clone()
	for _, m := range members {
		value := []byte(m.Value)
		if m.Name == "Severity" {
			if value, err = customerSeverity(old.Get("Severity"), value); err != nil {
				return UpdateFailure{}, fmt.Errorf("hub: finding %q: %w", d.ID, err)
			}
		}
		if value == nil {
			doc.Delete(m.Name)
			continue
		}
		doc.Set(m.Name, value)
		if !isInvestigation(m.Name) {
			own.Set(m.Name, value)
		}
	}
	updates := diff(&old, &doc, func(name string) bool { return !untracked(name) })
	var customer []byte
	if own.Len() > 0 {
		customer = own.Append(nil)
	}
	if len(updates) == 0 && bytes.Equal(customer, d.Customer) {
		return UpdateFailure{}, nil
	}
	raw := doc.Append(nil)
	if len(raw) > asff.MaxFindingBytes {
		return UpdateFailure{d.Key, CodeTooLarge, fmt.Sprintf("the finding would have %d bytes; at most %d are allowed",
			len(raw), asff.MaxFindingBytes)}, nil
	}
	d.Customer = customer
	if len(updates) > 0 {
		ch.record(d, HistoryRecord{Source: SourceUpdate, Identity: by, Updates: updates})
	}
	describe(d.Stored, &doc)
	return UpdateFailure{}, ch.put(d, raw, Triaged)
}

func isInvestigation(name string) bool {
	for _, n := range investigation {
		if n == name {
			return true
		}
	}
	return false
}

// customerSeverity is the severity that a finding gets from an update: the producer's own word stays.
func customerSeverity(old, update []byte) ([]byte, error) {
	s, err := object(update)
	if err != nil {
		return nil, err
	}
	before, err := object(old)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Original", "Product"} {
		if v := before.Get(name); v != nil && s.Get(name) == nil {
			s.Set(name, v)
		}
	}
	return s.Append(nil), nil
}

// members checks u and turns it into members of a finding. A nil value means that the member goes.
func (u *Update) members(h *Hub) ([]asff.Member, error) {
	var m memberList
	if u.Note != nil {
		if err := checkText("Note.Text", u.Note.Text, maxNoteText); err != nil {
			return nil, err
		}
		if err := checkText("Note.UpdatedBy", u.Note.UpdatedBy, maxUpdatedBy); err != nil {
			return nil, err
		}
		m.add("Note", asff.Note{Text: u.Note.Text, UpdatedBy: u.Note.UpdatedBy, UpdatedAt: asff.FormatTime(h.now())})
	}
	if u.Severity != nil {
		severity, err := u.Severity.member()
		if err != nil {
			return nil, err
		}
		m.list = append(m.list, asff.Member{Name: "Severity", Value: severity})
	}
	if u.Workflow != nil {
		if err := checkEnum("Workflow.Status", *u.Workflow, "NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"); err != nil {
			return nil, err
		}
		m.add("Workflow", asff.Workflow{Status: *u.Workflow})
	}
	if u.VerificationState != nil {
		err := checkEnum("VerificationState", *u.VerificationState, "UNKNOWN", "TRUE_POSITIVE", "FALSE_POSITIVE", "BENIGN_POSITIVE")
		if err != nil {
			return nil, err
		}
		m.add("VerificationState", *u.VerificationState)
	}
	for name, n := range map[string]*int{"Confidence": u.Confidence, "Criticality": u.Criticality} {
		if n == nil {
			continue
		}
		if *n < 0 || *n > 100 {
			return nil, &InvalidInput{name + " should be between 0 and 100, not " + strconv.Itoa(*n)}
		}
		m.add(name, *n)
	}
	if err := u.collections(&m); err != nil {
		return nil, err
	}
	return m.list, nil
}

// collections checks and adds the lists and the map.
func (u *Update) collections(m *memberList) error {
	if u.Types != nil {
		if len(u.Types) > maxTypes {
			return &InvalidInput{fmt.Sprintf("Types has %d items; at most %d are allowed", len(u.Types), maxTypes)}
		}
		for _, t := range u.Types {
			if err := checkText("Types", t, maxUpdateIDChars); err != nil {
				return err
			}
		}
		m.add("Types", u.Types)
	}
	if u.UserDefinedFields != nil {
		if len(u.UserDefinedFields) > maxUserFields {
			return &InvalidInput{fmt.Sprintf("UserDefinedFields has %d pairs; at most %d are allowed", len(u.UserDefinedFields), maxUserFields)}
		}
		for k, v := range u.UserDefinedFields {
			if err := checkText("a key of UserDefinedFields", k, maxUserKey); err != nil {
				return err
			}
			if err := checkText("UserDefinedFields."+k, v, maxUserValue); err != nil {
				return err
			}
		}
		m.add("UserDefinedFields", u.UserDefinedFields)
		if len(u.UserDefinedFields) == 0 {
			m.list[len(m.list)-1].Value = nil
		}
	}
	if u.RelatedFindings == nil {
		return nil
	}
	if len(u.RelatedFindings) > maxRelated {
		return &InvalidInput{fmt.Sprintf("RelatedFindings has %d items; at most %d are allowed", len(u.RelatedFindings), maxRelated)}
	}
	related := make([]asff.RelatedFinding, len(u.RelatedFindings))
	for i, key := range u.RelatedFindings {
		if err := checkText("RelatedFindings.Id", key.ID, maxUpdateIDChars); err != nil {
			return err
		}
		if err := checkText("RelatedFindings.ProductArn", key.ProductArn, 2048); err != nil {
			return err
		}
		related[i] = asff.RelatedFinding{ProductArn: key.ProductArn, ID: key.ID}
	}
	m.add("RelatedFindings", related)
	return nil
}

// member is the severity as a JSON object, with Label and Normalized.
func (s *SeverityUpdate) member() ([]byte, error) {
	var label string
	var normalized int
	switch {
	case s.Label != nil:
		label = *s.Label
		if err := checkEnum("Severity.Label", label, "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"); err != nil {
			return nil, err
		}
		normalized, _ = asff.SeverityNormalized(label)
	case s.Normalized == nil:
		return nil, &InvalidInput{"Severity should have a Label or a Normalized value"}
	}
	if s.Normalized != nil {
		normalized = *s.Normalized
		if normalized < 0 || normalized > 100 {
			return nil, &InvalidInput{"Severity.Normalized should be between 0 and 100, not " + strconv.Itoa(normalized)}
		}
		switch derived := asff.SeverityLabel(normalized); {
		case s.Label == nil:
			label = derived
		case label != derived: // AWS: Label wins
			normalized, _ = asff.SeverityNormalized(label)
		}
	}
	return json.Marshal(struct {
		Label      string
		Normalized int
		Product    *float64 `json:",omitempty"`
	}{label, normalized, s.Product})
}

// memberList collects members with their JSON.
type memberList struct{ list []asff.Member }

func (m *memberList) add(name string, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings, numbers and structs of them
	}
	m.list = append(m.list, asff.Member{Name: name, Value: raw})
}

func checkText(name, s string, chars int) error {
	switch {
	case strings.TrimSpace(s) == "":
		return &InvalidInput{name + " should not be empty"}
	case !utf8.ValidString(s):
		return &InvalidInput{name + " is not valid UTF-8"}
	case utf8.RuneCountInString(s) > chars:
		return &InvalidInput{fmt.Sprintf("%s has %d characters; at most %d are allowed", name, utf8.RuneCountInString(s), chars)}
	}
	return nil
}

func checkEnum(name, s string, allowed ...string) error {
	for _, a := range allowed {
		if s == a {
			return nil
		}
	}
	return &InvalidInput{fmt.Sprintf("%s should be one of %s, not %q", name, strings.Join(allowed, ", "), s)}
}

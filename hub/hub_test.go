package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/hubtest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// open opens a hub on a store in memory, at hubtest.Epoch plus a day.
func open(t testing.TB, c hub.Config, store hub.Store) (*hub.Hub, *clock) {
	t.Helper()
	now := &clock{hubtest.Epoch.Add(24 * time.Hour)}
	c.Account, c.Region = "111122223333", "us-west-2"
	if c.Now == nil {
		c.Now = now.Now
	}
	h, err := hub.Open(t.Context(), c, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, now
}

const arn = hubtest.ProductArn

// document makes a finding of another product: valid, and changed by set (nil deletes).
func document(id string, set map[string]any) []byte {
	d := map[string]any{
		"SchemaVersion": "2018-10-08", "Id": id, "ProductArn": arn, "GeneratorId": "scanner/1", "AwsAccountId": "111122223333",
		"Types": []string{"Software and Configuration Checks/Vulnerabilities/CVE"}, "CreatedAt": "2026-11-01T00:00:00Z", "UpdatedAt": "2026-11-01T00:00:00Z",
		"Severity": map[string]any{"Label": "HIGH"}, "Title": "title", "Description": "description",
		"Resources": []any{map[string]any{"Type": "Other", "Id": "r"}},
	}
	maps.Copy(d, set)
	maps.DeleteFunc(d, func(_ string, v any) bool { return v == nil })
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return raw
}

func mustImport(t *testing.T, h *hub.Hub, docs ...[]byte) {
	t.Helper()
	r, err := h.Import(t.Context(), "importer", docs)
	if err != nil || len(r.Failed) > 0 {
		t.Fatalf("Import: %+v, %v", r, err)
	}
}

func mustUpdate(t *testing.T, h *hub.Hub, id string, u hub.Update) {
	t.Helper()
	done, not, err := h.Update(t.Context(), "analyst", []hub.Key{{ID: id, ProductArn: arn}}, u)
	if err != nil || len(done) != 1 {
		t.Fatalf("Update: done %v, not %v, %v", done, not, err)
	}
}

func get(t *testing.T, h *hub.Hub, id string) hub.Finding {
	t.Helper()
	f, err := h.Get(t.Context(), hub.Key{ID: id, ProductArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// members picks members out of a document, as compact JSON.
func members(t *testing.T, doc []byte, names ...string) map[string]string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(doc, &all); err != nil {
		t.Fatal(err)
	}
	picked := map[string]string{}
	for _, name := range names {
		if v, ok := all[name]; ok {
			picked[name] = string(v)
		}
	}
	return picked
}

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(got, want, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s: got (-) want (+)\n%s", what, d)
	}
}

func ptr[T any](v T) *T { return &v }

// TestImportSemantics is the table of what an import does to what is there: rows are imports and updates in turn.
func TestImportSemantics(t *testing.T) {
	type step struct {
		doc    map[string]any
		update *hub.Update
	}
	at := func(hour int) string { return asff.FormatTime(hubtest.Epoch.Add(time.Duration(hour) * time.Hour)) }
	newer := func(set map[string]any) map[string]any {
		all := map[string]any{"UpdatedAt": at(5)}
		maps.Copy(all, set)
		return all
	}
	severity := func(label string) *hub.Update { return &hub.Update{Severity: &hub.SeverityUpdate{Label: &label}} }
	workflow := func(status string) *hub.Update { return &hub.Update{Workflow: &status} }
	for _, c := range []struct {
		name  string
		steps []step
		want  map[string]string // "" means absent
	}{
		{"defaults of the default product", []step{{doc: nil}}, map[string]string{
			"ProductName": `"Default"`, "CompanyName": `"Personal"`, "Region": `"us-west-2"`, "RecordState": `"ACTIVE"`, "Workflow": `{"Status":"NEW"}`,
			"ProcessedAt": `"2026-11-02T00:00:00Z"`}},
		{"defaults of a product with a name", []step{{doc: map[string]any{"Id": "x", "ProductArn": "arn:aws:securityhub:us-west-2::product/acme/scanner"}}}, map[string]string{
			"ProductName": `"scanner"`, "CompanyName": `"acme"`}},
		{"what is there is not a default", []step{{doc: map[string]any{"ProductName": "P", "CompanyName": "C", "Region": "eu-west-1", "RecordState": "ARCHIVED"}}}, map[string]string{
			"ProductName": `"P"`, "CompanyName": `"C"`, "Region": `"eu-west-1"`, "RecordState": `"ARCHIVED"`}},
		{"top-level values become the provider's", []step{{doc: map[string]any{"Severity": map[string]any{"Normalized": 75, "Original": "8.1"}, "Confidence": 9}}}, map[string]string{
			"Severity":              `{"Normalized":75,"Original":"8.1","Label":"HIGH"}`,
			"FindingProviderFields": `{"Confidence":9,"Severity":{"Label":"HIGH","Original":"8.1"},"Types":["Software and Configuration Checks/Vulnerabilities/CVE"]}`}},
		{"the provider's values become top-level", []step{{doc: map[string]any{"Severity": nil, "Types": nil, "FindingProviderFields": map[string]any{
			"Severity": map[string]any{"Label": "LOW", "Original": "o"}, "Types": []string{"Effects"}, "Criticality": 4}}}}, map[string]string{
			"Severity": `{"Label":"LOW","Original":"o","Normalized":1}`, "Types": `["Effects"]`, "Criticality": `4`}},
		{"of both the provider's wins", []step{{doc: map[string]any{"FindingProviderFields": map[string]any{"Severity": map[string]any{"Label": "CRITICAL"}}}}}, map[string]string{
			"Severity": `{"Label":"CRITICAL","Normalized":90}`}},
		{"unknown members are kept", []step{{doc: map[string]any{"Later": map[string]any{"a": []int{1}}}}}, map[string]string{"Later": `{"a":[1]}`}},
		{"the same UpdatedAt changes nothing", []step{{}, {doc: map[string]any{"Title": "other"}}}, map[string]string{"Title": `"title"`}},
		{"an older UpdatedAt changes nothing", []step{{doc: newer(nil)}, {doc: map[string]any{"Title": "other", "UpdatedAt": at(4)}}}, map[string]string{"Title": `"title"`}},
		{"a newer UpdatedAt counts, a fraction of a second will do", []step{{}, {doc: map[string]any{"Title": "other", "UpdatedAt": "2026-11-01T00:00:00.001Z"}}}, map[string]string{
			"Title": `"other"`}},
		{"other zones are compared as moments", []step{{doc: newer(nil)}, {doc: map[string]any{"Title": "other", "UpdatedAt": "2026-11-01T06:00:00+02:00"}}}, map[string]string{
			"Title": `"title"`}},
		{"a producer's update drops what it no longer says", []step{{doc: map[string]any{"SourceUrl": "https://example.com"}}, {doc: newer(nil)}}, map[string]string{"SourceUrl": ""}},
		{"investigation members come with the creation only", []step{
			{doc: map[string]any{"Note": map[string]any{"Text": "first", "UpdatedBy": "p", "UpdatedAt": at(0)}}},
			{doc: newer(map[string]any{"Note": map[string]any{"Text": "second", "UpdatedBy": "p", "UpdatedAt": at(0)}, "VerificationState": "TRUE_POSITIVE",
				"UserDefinedFields": map[string]string{"a": "b"}, "Workflow": map[string]any{"Status": "RESOLVED"}})}}, map[string]string{
			"Note": `{"Text":"first","UpdatedAt":"2026-11-01T00:00:00Z","UpdatedBy":"p"}`, "VerificationState": "", "UserDefinedFields": "", "Workflow": `{"Status":"NEW"}`}},
		{"a customer's severity stays, the provider's is kept beside", []step{{}, {update: severity("LOW")},
			{doc: newer(map[string]any{"FindingProviderFields": map[string]any{"Severity": map[string]any{"Label": "CRITICAL"}}})}}, map[string]string{
			"Severity":              `{"Label":"LOW","Normalized":1}`,
			"FindingProviderFields": `{"Severity":{"Label":"CRITICAL"},"Types":["Software and Configuration Checks/Vulnerabilities/CVE"]}`}},
		{"a customer's types, confidence, criticality and relations stay", []step{{}, {update: &hub.Update{Types: []string{"Effects"}, Confidence: ptr(1), Criticality: ptr(2),
			RelatedFindings: []hub.Key{{ID: "x", ProductArn: arn}}}}, {doc: newer(map[string]any{"Confidence": 50, "Criticality": 60})}}, map[string]string{
			"Types": `["Effects"]`, "Confidence": "1", "Criticality": "2", "RelatedFindings": `[{"ProductArn":"` + arn + `","Id":"x"}]`}},
		{"an update leaves UpdatedAt", []step{{}, {update: severity("LOW")}}, map[string]string{"UpdatedAt": `"2026-11-01T00:00:00Z"`}},
		{"archived to active reopens what was resolved", []step{{}, {update: workflow("RESOLVED")}, {doc: newer(map[string]any{"RecordState": "ARCHIVED"})},
			{doc: map[string]any{"UpdatedAt": at(6), "RecordState": "ACTIVE"}}}, map[string]string{"Workflow": `{"Status":"NEW"}`}},
		{"archived to active reopens what was notified", []step{{doc: map[string]any{"RecordState": "ARCHIVED"}}, {update: workflow("NOTIFIED")}, {doc: newer(nil)}}, map[string]string{
			"Workflow": `{"Status":"NEW"}`}},
		{"archived to active leaves what is suppressed", []step{{doc: map[string]any{"RecordState": "ARCHIVED"}}, {update: workflow("SUPPRESSED")}, {doc: newer(nil)}}, map[string]string{
			"Workflow": `{"Status":"SUPPRESSED"}`}},
		{"active to active leaves what was resolved, also with a new observation", []step{{}, {update: workflow("RESOLVED")}, {doc: newer(map[string]any{"LastObservedAt": at(9)})}},
			map[string]string{"Workflow": `{"Status":"RESOLVED"}`}},
		{"a new occurrence of a Falco finding reopens what was resolved", []step{{doc: map[string]any{"GeneratorId": "falco/r", "LastObservedAt": at(1)}}, {update: workflow("RESOLVED")},
			{doc: newer(map[string]any{"GeneratorId": "falco/r", "LastObservedAt": at(2)})}}, map[string]string{
			"Workflow": `{"Status":"NEW"}`, "ProductFields": `{"eyrie/occurrences":"2"}`, "FirstObservedAt": ""}},
		{"a Falco finding says how often it occurred", []step{{doc: map[string]any{"GeneratorId": "falco/r", "LastObservedAt": at(1), "ProductFields": map[string]string{"eyrie/occurrences": "3"}}},
			{doc: newer(map[string]any{"GeneratorId": "falco/r", "LastObservedAt": at(2), "ProductFields": map[string]string{"eyrie/occurrences": "4"}})}}, map[string]string{
			"ProductFields": `{"eyrie/occurrences":"7"}`}},
		{"a late Falco finding does not reopen and keeps the newest time", []step{{doc: map[string]any{"GeneratorId": "falco/r", "FirstObservedAt": at(2), "LastObservedAt": at(4)}}, {update: workflow("RESOLVED")},
			{doc: newer(map[string]any{"GeneratorId": "falco/r", "FirstObservedAt": at(1), "LastObservedAt": at(3)})}}, map[string]string{
			"Workflow": `{"Status":"RESOLVED"}`, "FirstObservedAt": `"2026-11-01T01:00:00Z"`, "LastObservedAt": `"2026-11-01T04:00:00Z"`, "ProductFields": `{"eyrie/occurrences":"1"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, _ := open(t, hub.Config{}, hubtest.NewMemory())
			key := hub.Key{ID: "x", ProductArn: arn}
			for _, s := range c.steps {
				if s.update != nil {
					mustUpdate(t, h, "x", *s.update)
					continue
				}
				doc := document("x", s.doc)
				key.ProductArn = strings.Trim(members(t, doc, "ProductArn")["ProductArn"], `"`)
				mustImport(t, h, doc)
			}
			f, err := h.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			got := members(t, f.Doc, slices.Collect(maps.Keys(c.want))...)
			maps.DeleteFunc(c.want, func(_, v string) bool { return v == "" })
			diff(t, "members", got, c.want)
		})
	}
}

func TestImportFailures(t *testing.T) {
	h, _ := open(t, hub.Config{}, hubtest.NewMemory())
	r, err := h.Import(t.Context(), "importer", [][]byte{
		document("a", nil), []byte(`{"Id":"cut`), document("b", map[string]any{"Title": nil}), document("c", map[string]any{"Description": strings.Repeat("x", 250_000)}), document("d", nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, f := range r.Failed {
		failed = append(failed, fmt.Sprintf("%d %s %t %t", f.Index, f.ID, f.Code != "", f.Message != ""))
	}
	diff(t, "failures", failed, []string{"1  true true", "2 b true true", "3 c true true"})
	if n := h.Stats().Findings; r.Imported != 2 || n != 2 {
		t.Errorf("%d imported, %d findings; want 2", r.Imported, n)
	}
	raw := document("a", map[string]any{"UpdatedAt": "2026-11-01T00:00:01Z"})
	mustImport(t, h, raw)
	for i := range raw { // the caller may reuse its buffer
		raw[i] = 'x'
	}
	if !json.Valid(get(t, h, "a").Doc) {
		t.Error("the hub keeps the caller's bytes")
	}
}

func TestUpdateFailures(t *testing.T) {
	h, _ := open(t, hub.Config{}, hubtest.NewMemory())
	mustImport(t, h, document("a", nil))
	key, absent := hub.Key{ID: "a", ProductArn: arn}, hub.Key{ID: "a", ProductArn: "other"}
	done, not, err := h.Update(t.Context(), "me", []hub.Key{key, absent, key}, hub.Update{Workflow: ptr("NOTIFIED")})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "processed", done, []hub.Key{key})
	if len(not) != 2 || not[0].Key != absent || not[0].Code != hub.CodeNotFound || not[1].Key != key || not[1].Code != hub.CodeDuplicate {
		t.Errorf("unprocessed: %+v", not)
	}
	mustImport(t, h, document("big", map[string]any{"Extra": strings.Repeat("x", 244_500)}))
	_, not, err = h.Update(t.Context(), "me", []hub.Key{{ID: "big", ProductArn: arn}}, hub.Update{UserDefinedFields: map[string]string{"k": strings.Repeat("v", 1024)}})
	if err != nil || len(not) != 1 || not[0].Code != hub.CodeTooLarge {
		t.Errorf("a finding that becomes too large: %+v, %v", not, err)
	}
	for name, u := range map[string]hub.Update{
		"workflow":     {Workflow: ptr("DONE")},
		"verification": {VerificationState: ptr("MAYBE")},
		"confidence":   {Confidence: ptr(101)},
		"criticality":  {Criticality: ptr(-1)},
		"no severity":  {Severity: &hub.SeverityUpdate{}},
		"severity":     {Severity: &hub.SeverityUpdate{Label: ptr("BAD")}},
		"normalized":   {Severity: &hub.SeverityUpdate{Normalized: ptr(101)}},
		"note":         {Note: &hub.NoteUpdate{Text: " ", UpdatedBy: "me"}},
		"note by":      {Note: &hub.NoteUpdate{Text: "x"}},
		"long note":    {Note: &hub.NoteUpdate{Text: strings.Repeat("é", 513), UpdatedBy: "me"}},
		"bad UTF-8":    {Note: &hub.NoteUpdate{Text: "\xff", UpdatedBy: "me"}},
		"field":        {UserDefinedFields: map[string]string{"k": strings.Repeat("v", 1025)}},
		"field key":    {UserDefinedFields: map[string]string{"": "v"}},
		"related":      {RelatedFindings: []hub.Key{{ID: "x"}}},
		"many related": {RelatedFindings: slices.Repeat([]hub.Key{key}, 11)},
		"types":        {Types: slices.Repeat([]string{"Effects"}, 51)},
	} {
		var bad *hub.InvalidInput
		if _, _, err := h.Update(t.Context(), "me", []hub.Key{key}, u); !errors.As(err, &bad) || bad.Message == "" {
			t.Errorf("%s: got %v, want an InvalidInput", name, err)
		}
	}
}

func TestUpdateSeverityAndFields(t *testing.T) {
	h, _ := open(t, hub.Config{}, hubtest.NewMemory())
	mustImport(t, h, document("a", map[string]any{"Severity": map[string]any{"Label": "HIGH", "Original": "7", "Product": 3.5}}))
	mustUpdate(t, h, "a", hub.Update{Severity: &hub.SeverityUpdate{Normalized: ptr(95)}, UserDefinedFields: map[string]string{"k": "v"}})
	diff(t, "severity", members(t, get(t, h, "a").Doc, "Severity", "UserDefinedFields"), map[string]string{
		"Severity": `{"Label":"CRITICAL","Normalized":95,"Original":"7","Product":3.5}`, "UserDefinedFields": `{"k":"v"}`})
	mustUpdate(t, h, "a", hub.Update{Severity: &hub.SeverityUpdate{Label: ptr("LOW"), Normalized: ptr(95)}, UserDefinedFields: map[string]string{}})
	f := get(t, h, "a")
	diff(t, "label wins", members(t, f.Doc, "Severity", "UserDefinedFields"), map[string]string{"Severity": `{"Label":"LOW","Normalized":1,"Original":"7","Product":3.5}`})
	if f.Severity != "LOW" {
		t.Errorf("Finding.Severity = %q", f.Severity)
	}
}

// TestObserve is about what only an observation does; the rest is in the model test.
func TestObserve(t *testing.T) {
	ctx := t.Context()
	at := func(hours int) time.Time { return hubtest.Epoch.Add(time.Duration(hours) * time.Hour) }
	key := hub.Key{ID: hubtest.Finding(1).ID, ProductArn: arn}
	workflow := func(h *hub.Hub) string {
		f, err := h.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		return f.Workflow
	}
	observe := func(h *hub.Hub, seq int64, at time.Time) {
		t.Helper()
		if err := h.Observe(ctx, "journal", seq, []hub.Observation{hubtest.Observation(seq, 1, at)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		first  time.Time
		status string
		then   time.Time
		want   string
	}{
		{"newer reopens what is resolved", at(1), "RESOLVED", at(2), "NEW"},
		{"newer reopens what is notified", at(1), "NOTIFIED", at(2), "NEW"},
		{"newer leaves what is suppressed", at(1), "SUPPRESSED", at(2), "SUPPRESSED"},
		{"late leaves what is resolved", at(2), "RESOLVED", at(1), "RESOLVED"},
		{"the same moment leaves what is resolved", at(2), "RESOLVED", at(2), "RESOLVED"},
		{"a clock that was years ahead hides nothing", at(100_000), "RESOLVED", at(2), "NEW"},
		{"a clock that is minutes ahead is believed", at(24).Add(10 * time.Minute), "RESOLVED", at(24), "RESOLVED"},
	} {
		h, _ := open(t, hub.Config{}, hubtest.NewMemory())
		observe(h, 1, c.first)
		if _, _, err := h.Update(ctx, "me", []hub.Key{key}, hub.Update{Workflow: &c.status}); err != nil {
			t.Fatal(err)
		}
		observe(h, 2, c.then)
		if got := workflow(h); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}

	store := hubtest.NewMemory()
	h, _ := open(t, hub.Config{KeepAlerts: 2}, store)
	if err := h.Observe(ctx, "journal", 9, nil); err != nil {
		t.Fatal(err)
	}
	if seq, err := h.Observed(ctx, "journal"); err != nil || seq != 9 {
		t.Errorf("a cursor without alerts: %d, %v", seq, err)
	}
	for seq := int64(10); seq <= 15; seq++ {
		observe(h, seq, at(int(seq)))
	}
	observe(h, 12, at(12)) // repeated
	alerts, err := h.Alerts(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range alerts {
		got = append(got, fmt.Sprint(a.Seq, " ", a.At.Equal(at(int(a.Seq))), " ", string(a.Body) == string(hubtest.Alert(a.Seq, 1, at(int(a.Seq))))))
	}
	diff(t, "alerts", got, []string{"10 true true", "14 true true", "15 true true"})

	store.FailAt(1, fmt.Errorf("disk: %w", hub.ErrFull), false)
	if err := h.Observe(ctx, "journal", 16, []hub.Observation{hubtest.Observation(16, 1, at(16))}); !errors.Is(err, hub.ErrFull) {
		t.Errorf("a full store: %v", err)
	}
	if err := h.Stats().LastError; !errors.Is(err, hub.ErrFull) {
		t.Errorf("Stats after it: %v", err)
	}
	observe(h, 16, at(16))
	if s := h.Stats(); s.LastError != nil || s.Findings != 1 {
		t.Errorf("Stats once there is room: %+v", s)
	}
	if f, err := h.Get(ctx, key); err != nil || f.Occurrences != 7 {
		t.Errorf("%d occurrences, %v; want 7", f.Occurrences, err)
	}
}

func TestHistory(t *testing.T) {
	h, now := open(t, hub.Config{}, hubtest.NewMemory())
	ctx, key := t.Context(), hub.Key{ID: "a", ProductArn: arn}
	created := now.now
	mustImport(t, h, document("a", nil))
	now.now = now.now.Add(time.Minute)
	mustUpdate(t, h, "a", hub.Update{Workflow: ptr("RESOLVED"), Confidence: ptr(5)})
	mustUpdate(t, h, "a", hub.Update{Workflow: ptr("RESOLVED"), Confidence: ptr(5)}) // changes nothing
	now.now = now.now.Add(time.Minute)
	mustImport(t, h, document("a", map[string]any{"UpdatedAt": "2026-11-01T01:00:00Z", "Title": "new \"title\"", "Description": strings.Repeat("é", 1000), "SourceUrl": "u"}))
	want := []hub.HistoryRecord{
		{At: now.now, Source: hub.SourceImport, Identity: "importer", Updates: []hub.HistoryUpdate{
			{Field: "Description", Old: "description", New: strings.Repeat("é", 1000)}, {Field: "Title", Old: "title", New: `new "title"`}, {Field: "SourceUrl", New: "u"}}},
		{At: created.Add(time.Minute), Source: hub.SourceUpdate, Identity: "analyst", Updates: []hub.HistoryUpdate{
			{Field: "Workflow", Old: `{"Status":"NEW"}`, New: `{"Status":"RESOLVED"}`}, {Field: "Confidence", New: "5"}}},
		{At: created, Created: true, Source: hub.SourceImport, Identity: "importer"},
	}
	got, next, err := h.History(ctx, key, hub.HistoryQuery{})
	if err != nil || next != "" {
		t.Fatalf("next %q, %v", next, err)
	}
	diff(t, "history", got, want)

	var paged []hub.HistoryRecord
	for q := (hub.HistoryQuery{Limit: 1}); ; {
		page, next, err := h.History(ctx, key, q)
		if err != nil || len(page) != 1 {
			t.Fatalf("a page of %d, %v", len(page), err)
		}
		paged = append(paged, page...)
		if q.Token = next; next == "" {
			break
		}
	}
	diff(t, "pages", paged, want)
	ranged, _, err := h.History(ctx, key, hub.HistoryQuery{Start: created.Add(time.Second), End: created.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "range", ranged, want[1:2])
	if _, _, err := h.History(ctx, key, hub.HistoryQuery{Token: "%"}); !errors.Is(err, hub.ErrBadToken) {
		t.Errorf("a bad token: %v", err)
	}
	if _, _, err := h.History(ctx, hub.Key{ID: "none", ProductArn: arn}, hub.HistoryQuery{}); !errors.Is(err, hub.ErrNotFound) {
		t.Errorf("no finding: %v", err)
	}
}

func TestChangesAndWatch(t *testing.T) {
	h, now := open(t, hub.Config{}, hubtest.NewMemory())
	woken, stop := h.Watch()
	defer stop()
	mustImport(t, h, document("a", nil), document("b", nil))
	<-woken
	mustUpdate(t, h, "a", hub.Update{Workflow: ptr("RESOLVED")})
	mustImport(t, h, document("a", map[string]any{"UpdatedAt": "2026-11-01T01:00:00Z", "RecordState": "ARCHIVED"}))
	mustImport(t, h, document("a", map[string]any{"UpdatedAt": "2026-11-01T02:00:00Z"}))
	mustImport(t, h, document("a", map[string]any{"UpdatedAt": "2026-11-01T03:00:00Z"}))
	<-woken
	select {
	case <-woken:
		t.Error("notifications do not coalesce")
	default:
	}
	kinds := func(after int64) (kinds []string) {
		changes, err := h.Changes(t.Context(), after, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			kinds = append(kinds, c.Key.ID+" "+c.Kind.String())
		}
		return kinds
	}
	diff(t, "changes", kinds(0), []string{"a created", "b created", "a triaged", "a archived", "a reopened", "a updated"})
	diff(t, "changes after 4", kinds(4), []string{"a reopened", "a updated"})
	now.now = now.now.Add(91 * 24 * time.Hour)
	if err := h.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	diff(t, "changes after the sweep", kinds(0), []string{"a deleted", "b deleted"})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	<-woken // the sweep
	if _, ok := <-woken; ok {
		t.Error("closing the hub does not close the channel")
	}
}

func TestRetention(t *testing.T) {
	h, now := open(t, hub.Config{Retention: 10 * 24 * time.Hour, KeepChanges: 3}, hubtest.NewMemory())
	ctx, day := t.Context(), 24*time.Hour
	mustImport(t, h, document("old", nil), document("triaged", nil), document("updated", nil))
	now.now = now.now.Add(9 * day)
	mustUpdate(t, h, "triaged", hub.Update{Workflow: ptr("NOTIFIED")})
	mustImport(t, h, document("updated", map[string]any{"UpdatedAt": "2026-11-02T00:00:00Z"}))
	now.now = now.now.Add(2 * day)
	if err := h.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	page, err := h.Find(ctx, hub.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range page.Findings {
		ids = append(ids, f.ID)
	}
	diff(t, "findings", ids, []string{"updated", "triaged"})
	if _, err := h.Get(ctx, hub.Key{ID: "old", ProductArn: arn}); !errors.Is(err, hub.ErrNotFound) {
		t.Errorf("what expired: %v", err)
	}
	records, _, err := h.History(ctx, hub.Key{ID: "triaged", ProductArn: arn}, hub.HistoryQuery{})
	if err != nil || len(records) != 1 || records[0].Created {
		t.Errorf("history of what stays: %+v, %v; want the newest record only", records, err)
	}
	oldest, err := h.OldestChange(ctx)
	if err != nil || oldest != h.Stats().LastChange-2 {
		t.Errorf("the feed begins at %d of %d, want three entries; %v", oldest, h.Stats().LastChange, err)
	}
	mustImport(t, h, document("old", nil))
	if f := get(t, h, "old"); f.Seq != 4 {
		t.Errorf("what comes again has Seq %d, want a new one", f.Seq)
	}
}

// TestRun checks that housekeeping happens by itself.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := open(t, hub.Config{Now: time.Now, Retention: 24 * time.Hour}, hubtest.NewMemory())
		mustImport(t, h, document("a", nil))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		time.Sleep(26 * time.Hour) // of the bubble's own time
		synctest.Wait()
		if n := h.Stats().Findings; n != 0 {
			t.Errorf("%d findings are left", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestInsights(t *testing.T) {
	h, _ := open(t, hub.Config{}, hubtest.NewMemory())
	ctx := t.Context()
	mustImport(t, h, document("a", nil), document("b", nil), document("c", map[string]any{"Severity": map[string]any{"Label": "LOW"}, "ProductFields": map[string]string{"eyrie/workload": "w"}}))
	filters := asff.Filters{asff.AttrTitle: {{Comparison: asff.Equals, Value: "title"}}}
	id, err := h.CreateInsight(ctx, hub.Insight{Name: "by severity", Filters: filters, GroupByAttribute: "SeverityLabel"})
	if err != nil || !strings.HasPrefix(id, "arn:aws:securityhub:us-west-2:111122223333:insight/111122223333/custom/") {
		t.Fatalf("CreateInsight = %q, %v", id, err)
	}
	result, err := h.InsightResults(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "results", result, hub.InsightResult{Arn: id, GroupByAttribute: "SeverityLabel", Values: []hub.Bucket{
		{Value: "HIGH", Count: 2, New: 2, BySeverity: [5]int{3: 2}}, {Value: "LOW", Count: 1, New: 1, BySeverity: [5]int{1: 1}}}})
	if err := h.UpdateInsight(ctx, id, hub.InsightUpdate{GroupByAttribute: ptr("ProductFields.eyrie/workload"), Filters: &asff.Filters{}}); err != nil {
		t.Fatal(err)
	}
	if result, err = h.InsightResults(ctx, id); err != nil || len(result.Values) != 1 || result.Values[0].Value != "w" {
		t.Errorf("results after the update: %+v, %v", result, err)
	}
	for i := range hub.MaxInsights - 1 {
		if _, err := h.CreateInsight(ctx, hub.Insight{Name: fmt.Sprint(i), GroupByAttribute: "Id"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.CreateInsight(ctx, hub.Insight{Name: "too many", GroupByAttribute: "Id"}); !errors.Is(err, hub.ErrLimit) {
		t.Errorf("the insight after the last: %v", err)
	}
	names := map[string]bool{}
	for token, first := "", true; first || token != ""; first = false {
		var page []hub.Insight
		if page, token, err = h.Insights(ctx, nil, 7, token); err != nil {
			t.Fatal(err)
		}
		for _, in := range page {
			names[in.Name] = true
		}
	}
	if len(names) != hub.MaxInsights {
		t.Errorf("pages have %d insights", len(names))
	}
	if err := h.DeleteInsight(ctx, id); err != nil {
		t.Fatal(err)
	}
	_, err = h.InsightResults(ctx, id)
	for what, err := range map[string]error{"results": err, "delete": h.DeleteInsight(ctx, id), "update": h.UpdateInsight(ctx, id, hub.InsightUpdate{})} {
		if !errors.Is(err, hub.ErrNotFound) {
			t.Errorf("%s of a deleted insight: %v", what, err)
		}
	}
	for _, in := range []hub.Insight{{GroupByAttribute: "Id"}, {Name: "n", GroupByAttribute: "Nothing"}, {Name: "n", GroupByAttribute: "ProductFields"}, {Name: "n", GroupByAttribute: "Title.x"}} {
		var bad *hub.InvalidInput
		if _, err := h.CreateInsight(ctx, in); !errors.As(err, &bad) {
			t.Errorf("%+v: got %v, want an InvalidInput", in, err)
		}
	}
}

func TestHubAndTags(t *testing.T) {
	store := hubtest.NewMemory()
	h, now := open(t, hub.Config{}, store)
	ctx := t.Context()
	d, err := h.Describe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := hub.Description{HubArn: "arn:aws:securityhub:us-west-2:111122223333:hub/default", SubscribedAt: now.now, AutoEnableControls: true, ControlFindingGenerator: "SECURITY_CONTROL"}
	diff(t, "a new hub", d, want)
	if err := h.Enable(ctx, hub.EnableOptions{}); !errors.Is(err, hub.ErrEnabled) {
		t.Errorf("enabling twice: %v", err)
	}
	if err := h.Disable(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Disable(ctx); !errors.Is(err, hub.ErrDisabled) {
		t.Errorf("disabling twice: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h, now = open(t, hub.Config{}, store.Reopen())
	if _, err := h.Describe(ctx); !errors.Is(err, hub.ErrDisabled) || h.Enabled() {
		t.Errorf("disabled, after a restart: %v", err)
	}
	now.now = now.now.Add(time.Hour)
	if err := h.Enable(ctx, hub.EnableOptions{Tags: map[string]string{"a": "1"}, ControlFindingGenerator: "STANDARD_CONTROL"}); err != nil {
		t.Fatal(err)
	}
	want.SubscribedAt, want.ControlFindingGenerator = now.now, "STANDARD_CONTROL"
	if d, err = h.Describe(ctx); err != nil {
		t.Fatal(err)
	}
	diff(t, "enabled again", d, want)

	if err := errors.Join(h.Tag(ctx, d.HubArn, map[string]string{"b": "2", "c": ""}), h.Untag(ctx, d.HubArn, []string{"a", "none"})); err != nil {
		t.Fatal(err)
	}
	tags, err := h.Tags(ctx, d.HubArn)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "tags", tags, map[string]string{"b": "2", "c": ""})
	if _, err := h.Tags(ctx, "arn:of:nothing"); !errors.Is(err, hub.ErrNotFound) {
		t.Errorf("tags of nothing: %v", err)
	}
	var bad *hub.InvalidInput
	if err := h.Tag(ctx, d.HubArn, map[string]string{strings.Repeat("k", 129): ""}); !errors.As(err, &bad) {
		t.Errorf("a long key: %v", err)
	}
}

func TestStatsAndSnapshot(t *testing.T) {
	store, path := hubtest.NewMemory(), filepath.Join(t.TempDir(), "index")
	h, _ := open(t, hub.Config{SnapshotPath: path}, store)
	mustImport(t, h, document("a", nil), document("b", nil), document("c", map[string]any{"RecordState": "ARCHIVED"}))
	mustUpdate(t, h, "b", hub.Update{Workflow: ptr("SUPPRESSED")})
	check := func(when string, h *hub.Hub) {
		t.Helper()
		s := h.Stats()
		if s.IndexBytes <= 0 || s.LastError != nil {
			t.Errorf("%s: %+v", when, s)
		}
		s.IndexBytes, s.LastCommit = 0, time.Time{}
		diff(t, when, s, hub.Stats{Findings: 3, ByWorkflow: map[string]int{"NEW": 1, "NOTIFIED": 0, "RESOLVED": 0, "SUPPRESSED": 1}, BySeverityNew: [5]int{3: 1}, Archived: 1, LastChange: 4})
	}
	check("before", h)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	rebuilt := 0
	c := hub.Config{SnapshotPath: path, Progress: func(done, total int) { rebuilt = done }}
	h, _ = open(t, c, store.Reopen())
	check("from the snapshot", h)
	if rebuilt != 0 {
		t.Error("the snapshot was not used")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	other := hubtest.NewMemory()
	h, _ = open(t, hub.Config{}, other)
	mustImport(t, h, document("z", nil))
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h, _ = open(t, c, other.Reopen())
	if n := h.Stats().Findings; n != 1 || rebuilt != 1 {
		t.Errorf("with the snapshot of another store: %d findings, %d rebuilt; want 1", n, rebuilt)
	}
}

// TestOccurrencesHaveRoom: a finding with as many product fields as there may be has the count among them.
func TestOccurrencesHaveRoom(t *testing.T) {
	h, _ := open(t, hub.Config{}, hubtest.NewMemory())
	o := hubtest.Observation(1, 1, hubtest.Epoch)
	delete(o.Finding.ProductFields, "eyrie/occurrences")
	for i := 0; len(o.Finding.ProductFields) < 50; i++ {
		o.Finding.ProductFields[fmt.Sprintf("falco/field-%d", i)] = "v"
	}
	key := hub.Key{ID: o.Finding.ID, ProductArn: o.Finding.ProductArn}
	if err := h.Observe(t.Context(), "journal", 1, []hub.Observation{o}); err != nil {
		t.Fatal(err)
	}
	f, err := h.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ ProductFields map[string]string }
	if err := json.Unmarshal(f.Doc, &doc); err != nil {
		t.Fatal(err)
	}
	if n := len(doc.ProductFields); n != 50 || doc.ProductFields["eyrie/occurrences"] != "1" {
		t.Errorf("%d product fields, occurrences %q; want 50 and 1", n, doc.ProductFields["eyrie/occurrences"])
	}
}

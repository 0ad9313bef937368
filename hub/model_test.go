package hub_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/hubtest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// reference does what the hub does, plainly: one alert at a time, on decoded JSON.
type reference struct {
	findings map[hub.Key]*refFinding
	nextSeq  int64
	now      time.Time
	activity [5]int64
}

type refFinding struct {
	seq      int64
	doc      map[string]any
	n        int64
	customer map[string]any
	alerts   []int64 // Seqs, all of them
	timeline map[int64]int64
	reopened int
}

func (f *refFinding) text(path ...string) string {
	var at any = f.doc
	for _, name := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return ""
		}
		at = m[name]
	}
	s, _ := at.(string)
	return s
}

func (f *refFinding) time(name string) time.Time {
	t, err := asff.ParseTime(f.text(name))
	if err != nil {
		return time.Time{}
	}
	return t
}

func decode(raw []byte) map[string]any {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		panic(err)
	}
	return m
}

func (r *reference) observe(o hub.Observation) {
	key := hub.Key{ID: o.Finding.ID, ProductArn: o.Finding.ProductArn}
	doc := decode(o.Finding.AppendJSON(nil))
	severity := hub.SeverityIndex(o.Finding.Severity.Label)
	f := r.findings[key]
	if f == nil {
		r.nextSeq++
		f = &refFinding{seq: r.nextSeq, doc: doc, timeline: map[int64]int64{}, customer: map[string]any{}}
		r.findings[key] = f
	} else {
		old := *f
		newer := o.At.After(old.time("LastObservedAt"))
		if o.At.Before(old.time("LastObservedAt")) {
			doc = maps.Clone(old.doc)
		}
		f.doc = doc
		f.keep(old.doc)
		f.extremes(&old, o.At)
		if newer {
			f.reopen(&old)
		}
	}
	f.n++
	f.alerts = append(f.alerts, o.Seq)
	f.timeline[o.At.Unix()/3600]++
	r.activity[severity]++
	r.finish(f, true)
}

// keep puts back what belongs to the customer.
func (f *refFinding) keep(old map[string]any) {
	for _, name := range []string{"Note", "UserDefinedFields", "VerificationState", "Workflow"} {
		delete(f.doc, name)
		if v, ok := old[name]; ok {
			f.doc[name] = v
		}
	}
	maps.Copy(f.doc, f.customer)
}

// extremes keeps the oldest and newest times.
func (f *refFinding) extremes(old *refFinding, first time.Time) {
	for _, name := range []string{"FirstObservedAt", "CreatedAt"} {
		if old.time(name).Before(f.time(name)) {
			f.doc[name] = old.doc[name]
		}
		if first.Before(f.time(name)) {
			f.doc[name] = asff.FormatTime(first)
		}
	}
	for _, name := range []string{"LastObservedAt", "UpdatedAt"} {
		if old.time(name).After(f.time(name)) {
			f.doc[name] = old.doc[name]
		}
	}
}

func (f *refFinding) reopen(old *refFinding) {
	if s := old.text("Workflow", "Status"); s == "NOTIFIED" || s == "RESOLVED" {
		f.doc["Workflow"] = map[string]any{"Status": "NEW"}
		f.reopened++
	}
}

func (r *reference) finish(f *refFinding, falco bool) {
	f.doc["ProcessedAt"] = asff.FormatTime(r.now)
	if !falco {
		return
	}
	fields, _ := f.doc["ProductFields"].(map[string]any)
	fields = maps.Clone(fields)
	if fields == nil {
		fields = map[string]any{}
	}
	fields["eyrie/occurrences"] = strconv.FormatInt(f.n, 10)
	f.doc["ProductFields"] = fields
}

func (r *reference) importOne(raw []byte, falco bool) {
	doc := decode(raw)
	// The documents of this test have what AWS would fill in, but for these.
	severity := doc["FindingProviderFields"].(map[string]any)["Severity"].(map[string]any)
	n, _ := asff.SeverityNormalized(severity["Label"].(string))
	doc["Severity"] = map[string]any{"Label": severity["Label"], "Normalized": json.Number(strconv.Itoa(n))}
	doc["ProductName"], doc["CompanyName"] = "Default", "Personal"
	if doc["RecordState"] == nil {
		doc["RecordState"] = "ACTIVE"
	}
	if doc["Workflow"] == nil {
		doc["Workflow"] = map[string]any{"Status": "NEW"}
	}
	key := hub.Key{ID: doc["Id"].(string), ProductArn: doc["ProductArn"].(string)}
	more := int64(1)
	if fields, ok := doc["ProductFields"].(map[string]any); ok && falco {
		more, _ = strconv.ParseInt(fields["eyrie/occurrences"].(string), 10, 64)
	}
	f := r.findings[key]
	if f == nil {
		r.nextSeq++
		f = &refFinding{seq: r.nextSeq, doc: doc, n: more, timeline: map[int64]int64{}, customer: map[string]any{}}
		r.findings[key] = f
		r.countImport(f, falco, more)
		r.finish(f, falco)
		return
	}
	old := *f
	f.doc = doc
	if !f.time("UpdatedAt").After(old.time("UpdatedAt")) {
		f.doc = old.doc
		return
	}
	f.keep(old.doc)
	returned := old.text("RecordState") == "ARCHIVED" && f.text("RecordState") == "ACTIVE"
	if falco {
		if f.time("LastObservedAt").After(old.time("LastObservedAt")) {
			f.n += more
			returned = true
			r.countImport(f, falco, more)
		}
		f.extremes(&old, f.time("FirstObservedAt"))
	}
	if returned {
		f.reopen(&old)
	}
	r.finish(f, falco)
}

func (r *reference) countImport(f *refFinding, falco bool, n int64) {
	if falco {
		f.timeline[f.time("LastObservedAt").Unix()/3600] += n
		r.activity[hub.SeverityIndex(f.text("Severity", "Label"))] += n
	}
}

func (r *reference) update(f *refFinding, u hub.Update) {
	f.doc = maps.Clone(f.doc)
	if u.Workflow != nil {
		f.doc["Workflow"] = map[string]any{"Status": *u.Workflow}
	}
	if u.Note != nil {
		f.doc["Note"] = map[string]any{"Text": u.Note.Text, "UpdatedBy": u.Note.UpdatedBy, "UpdatedAt": asff.FormatTime(r.now)}
	}
	if u.Severity != nil {
		n, _ := asff.SeverityNormalized(*u.Severity.Label)
		s := map[string]any{"Label": *u.Severity.Label, "Normalized": json.Number(strconv.Itoa(n))}
		if original := f.text("Severity", "Original"); original != "" {
			s["Original"] = original
		}
		f.doc["Severity"], f.customer["Severity"] = s, s
	}
	if u.Confidence != nil {
		f.doc["Confidence"] = json.Number(strconv.Itoa(*u.Confidence))
		f.customer["Confidence"] = f.doc["Confidence"]
	}
	if u.UserDefinedFields != nil {
		fields := map[string]any{}
		for k, v := range u.UserDefinedFields {
			fields[k] = v
		}
		f.doc["UserDefinedFields"] = fields
	}
}

// system is a hub on a store in memory beside the reference.
type system struct {
	t        *rapid.T
	store    *hubtest.Memory
	snapshot string
	h        *hub.Hub
	ref      *reference
	seq      int64 // of the last alert
	keep     int
}

var errDisk = fmt.Errorf("disk: %w", hub.ErrFull)

func (s *system) open() {
	var err error
	s.h, err = hub.Open(s.t.Context(), hub.Config{Account: "111122223333", Region: "us-west-2", KeepAlerts: s.keep, SnapshotPath: s.snapshot,
		CacheBytes: 6000, Now: func() time.Time { return s.ref.now }}, s.store)
	if err != nil {
		s.t.Fatal(err)
	}
}

// try runs a change, sometimes on a store that fails at some call. It reports whether the change was made.
func (s *system) try(change func() error) {
	if rapid.IntRange(0, 3).Draw(s.t, "failing store") > 0 {
		if err := change(); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	after := rapid.Bool().Draw(s.t, "commits and fails")
	for n := 1; ; n++ {
		s.store.FailAt(n, errDisk, after)
		err := change()
		s.store.FailAt(0, nil, false)
		if err == nil {
			return
		}
		if !errors.Is(err, hub.ErrFull) {
			s.t.Fatalf("got %v, want the error of the store", err)
		}
	}
}

var falcoIDs = []string{"falco-a", "falco-b", "falco-c", "falco-d"}

const otherArn = "arn:aws:securityhub:us-west-2:111122223333:product/111122223333/default"

func (s *system) observe() {
	var obs []hub.Observation
	for range rapid.IntRange(1, 12).Draw(s.t, "alerts") {
		s.seq++
		at := hubtest.Epoch.Add(time.Duration(rapid.IntRange(0, 40).Draw(s.t, "at")) * 10 * time.Minute)
		shape := rapid.IntRange(0, len(falcoIDs)-1).Draw(s.t, "finding")
		id := falcoIDs[shape]
		if rapid.IntRange(0, 9).Draw(s.t, "changed") == 0 { // title, severity and types are not what they were
			shape++
		}
		o := hubtest.Observation(s.seq, shape, at)
		o.Finding.ID = id
		o.Finding.ProductFields = map[string]string{"eyrie/rule": o.Finding.Title} // small documents keep the test quick
		o.Finding.Resources = o.Finding.Resources[:1]
		obs = append(obs, o)
	}
	clone := func() []hub.Observation { // the hub owns what it is given
		list := slices.Clone(obs)
		for i := range list {
			f := *list[i].Finding
			f.ProductFields = maps.Clone(f.ProductFields)
			list[i].Finding = &f
		}
		return list
	}
	s.try(func() error { return s.h.Observe(s.t.Context(), "journal", s.seq, clone()) })
	for _, o := range obs {
		s.ref.observe(o)
	}
	at, err := s.h.Observed(s.t.Context(), "journal")
	if err != nil || at != s.seq {
		s.t.Fatalf("Observed = %d, %v; want %d", at, err, s.seq)
	}
}

func (s *system) importSome() {
	var docs [][]byte
	var falco []bool
	for range rapid.IntRange(1, 4).Draw(s.t, "docs") {
		isFalco := rapid.Bool().Draw(s.t, "falco")
		id, generator := rapid.SampledFrom([]string{"other-a", "other-b"}).Draw(s.t, "id"), "scanner"
		if isFalco {
			id, generator = rapid.SampledFrom(falcoIDs).Draw(s.t, "falco id"), "falco/rule"
		}
		hour := func(label string) string {
			return asff.FormatTime(hubtest.Epoch.Add(time.Duration(rapid.IntRange(0, 9).Draw(s.t, label)) * time.Hour))
		}
		d := map[string]any{
			"SchemaVersion": "2018-10-08", "Id": id, "ProductArn": otherArn, "GeneratorId": generator, "AwsAccountId": "111122223333", "Region": "us-west-2",
			"CreatedAt": hour("created"), "UpdatedAt": hour("updated"), "FirstObservedAt": hour("first"), "LastObservedAt": hour("last"),
			"Title": rapid.SampledFrom([]string{"t1", "t2"}).Draw(s.t, "title"), "Description": "text", "Unknown": map[string]any{"kept": true},
			"Resources":             []any{map[string]any{"Type": "Other", "Id": "r"}},
			"FindingProviderFields": map[string]any{"Severity": map[string]any{"Label": rapid.SampledFrom([]string{"LOW", "HIGH"}).Draw(s.t, "label")}},
		}
		if rapid.Bool().Draw(s.t, "has state") {
			d["RecordState"] = rapid.SampledFrom([]string{"ACTIVE", "ARCHIVED"}).Draw(s.t, "state")
		}
		if rapid.Bool().Draw(s.t, "has note") {
			d["Note"] = map[string]any{"Text": "producer's", "UpdatedBy": "p", "UpdatedAt": hour("noted")}
		}
		if rapid.Bool().Draw(s.t, "has count") {
			d["ProductFields"] = map[string]any{"eyrie/occurrences": strconv.Itoa(rapid.IntRange(1, 5).Draw(s.t, "count"))}
		}
		raw, err := json.Marshal(d)
		if err != nil {
			s.t.Fatal(err)
		}
		docs, falco = append(docs, raw), append(falco, isFalco)
	}
	// An import whose answer is lost may be repeated: its documents are no newer then.
	s.try(func() error {
		r, err := s.h.Import(s.t.Context(), "importer", docs)
		if err == nil && (r.Imported != len(docs) || len(r.Failed) > 0) {
			s.t.Fatalf("Import: %+v", r)
		}
		return err
	})
	for i, raw := range docs {
		s.ref.importOne(raw, falco[i])
	}
}

func (s *system) update() {
	keys := []hub.Key{{ID: "absent", ProductArn: otherArn}}
	var known []hub.Key
	for _, key := range sortedKeys(s.ref.findings) {
		if rapid.Bool().Draw(s.t, "update "+key.ID) {
			known = append(known, key)
		}
	}
	var u hub.Update
	sometimes := func(label string) bool { return rapid.IntRange(0, 3).Draw(s.t, label) == 0 }
	if !sometimes("no workflow") {
		w := rapid.SampledFrom([]string{"NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"}).Draw(s.t, "status")
		u.Workflow = &w
	}
	if sometimes("severity") {
		l := rapid.SampledFrom([]string{"MEDIUM", "CRITICAL"}).Draw(s.t, "label")
		u.Severity = &hub.SeverityUpdate{Label: &l}
	}
	if sometimes("note") {
		u.Note = &hub.NoteUpdate{Text: "looked at it", UpdatedBy: "me"}
	}
	if sometimes("confidence") {
		n := rapid.IntRange(0, 100).Draw(s.t, "n")
		u.Confidence = &n
	}
	if sometimes("fields") {
		u.UserDefinedFields = map[string]string{"k": rapid.SampledFrom([]string{"v", "w"}).Draw(s.t, "v")}
	}
	s.try(func() error {
		done, not, err := s.h.Update(s.t.Context(), "me", append(keys, known...), u)
		if err == nil && (len(not) != 1 || not[0].Code != hub.CodeNotFound || !cmp.Equal(done, known, cmpopts.EquateEmpty())) {
			s.t.Fatalf("Update: processed %v of %v, unprocessed %v", done, known, not)
		}
		return err
	})
	for _, key := range known {
		s.ref.update(s.ref.findings[key], u)
	}
}

// restart opens the store again, as a new process would, with the snapshot of some time ago, or none.
func (s *system) restart() {
	if rapid.Bool().Draw(s.t, "closed") {
		if err := s.h.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.store.Reopen()
	s.open()
}

func (s *system) expire() {
	s.ref.now = s.ref.now.Add(30 * 24 * time.Hour)
	if err := s.h.Sweep(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	for key, f := range s.ref.findings {
		if _, err := s.h.Get(s.t.Context(), key); errors.Is(err, hub.ErrNotFound) {
			processed, err := asff.ParseTime(f.text("ProcessedAt"))
			if err != nil || s.ref.now.Sub(processed) < hub.DefaultRetention {
				s.t.Fatalf("%v was deleted %v after its last import", key, s.ref.now.Sub(processed))
			}
			delete(s.ref.findings, key)
		}
	}
}

func sortedKeys(m map[hub.Key]*refFinding) []hub.Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b hub.Key) int { return int(m[a].seq - m[b].seq) })
}

func TestModel(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		s := &system{t: t, store: hubtest.NewMemory(), keep: 3, snapshot: filepath.Join(dir, strconv.Itoa(runs)),
			ref: &reference{findings: map[hub.Key]*refFinding{}, now: hubtest.Epoch.Add(24 * time.Hour)}}
		s.open()
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			s.ref.now = s.ref.now.Add(time.Minute)
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3:
				s.observe()
			case 4, 5:
				s.importSome()
			case 6, 7:
				s.update()
			case 8:
				s.restart()
			case 9:
				s.expire()
			}
			s.check()
		}
		if err := s.h.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// check compares all that the hub says with the reference.
func (s *system) check() {
	ctx := s.t.Context()
	keys := sortedKeys(s.ref.findings)
	slices.Reverse(keys)
	var got []hub.Key
	page := hub.Page{}
	for first := true; first || page.Next != ""; first = false {
		var err error
		page, err = s.h.Find(ctx, hub.Query{Limit: 2, Token: page.Next})
		if err != nil {
			s.t.Fatal(err)
		}
		if page.Total != len(keys) {
			s.t.Fatalf("Total = %d, want %d", page.Total, len(keys))
		}
		for _, f := range page.Findings {
			got = append(got, f.Key)
			s.checkFinding(&f)
		}
	}
	same(s.t, "Find", got, keys)
	if n := s.h.Stats().Findings; n != len(keys) {
		s.t.Fatalf("Stats say %d findings, want %d", n, len(keys))
	}
	f := asff.Filters{asff.AttrWorkflowStatus: {{Comparison: asff.Equals, Value: "NEW"}}, asff.AttrTitle: {{Comparison: asff.Prefix, Value: "t"}}}
	var want []hub.Key
	for _, key := range keys {
		raw, err := json.Marshal(s.ref.findings[key].doc)
		if err != nil {
			s.t.Fatal(err)
		}
		if ok, err := f.Match(raw, s.ref.now); err == nil && ok {
			want = append(want, key)
		}
	}
	page, err := s.h.Find(ctx, hub.Query{Filters: f, NoToken: true})
	if err != nil {
		s.t.Fatal(err)
	}
	got = nil
	for _, x := range page.Findings {
		got = append(got, x.Key)
	}
	same(s.t, "Find with filters", got, want)
	bins, err := s.h.Activity(ctx, hubtest.Epoch, hubtest.Epoch.Add(24*time.Hour), 24*time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, n := range bins[0].BySeverity {
		if s.ref.now.Sub(hubtest.Epoch) < hub.DefaultRetention && int64(n) != s.ref.activity[i] {
			s.t.Fatalf("activity %v, want %v", bins[0].BySeverity, s.ref.activity)
		}
	}
}

func (s *system) checkFinding(f *hub.Finding) {
	ctx := s.t.Context()
	want := s.ref.findings[f.Key]
	if want == nil {
		s.t.Fatalf("%v should not be there", f.Key)
	}
	same(s.t, "document of "+f.ID, decode(f.Doc), want.doc)
	rest := *f
	rest.Doc = nil // compared above; byte by byte it takes long
	same(s.t, "finding "+f.ID, rest, hub.Finding{
		Key: f.Key, Seq: want.seq, Occurrences: want.n, ImportedAt: f.ImportedAt, UpdatedAt: want.time("UpdatedAt"),
		FirstObserved: want.time("FirstObservedAt"), LastObserved: want.time("LastObservedAt"),
		Workflow: want.text("Workflow", "Status"), Severity: want.text("Severity", "Label"), RecordState: want.text("RecordState"),
	})
	alerts, err := s.h.Alerts(ctx, f.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	var seqs []int64
	for _, a := range alerts {
		seqs = append(seqs, a.Seq)
	}
	kept := want.alerts
	if len(kept) > s.keep+1 {
		kept = append(slices.Clone(kept[:1]), kept[len(kept)-s.keep:]...)
	}
	same(s.t, "alerts of "+f.ID, seqs, kept)
	points, err := s.h.Timeline(ctx, f.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	timeline := map[int64]int64{}
	for _, p := range points {
		timeline[p.At.Unix()/3600] = p.Count
	}
	if s.ref.now.Sub(hubtest.Epoch) < hub.DefaultRetention {
		same(s.t, "timeline of "+f.ID, timeline, want.timeline)
	}
	s.checkHistory(f, want)
}

func (s *system) checkHistory(f *hub.Finding, want *refFinding) {
	records, _, err := s.h.History(s.t.Context(), f.Key, hub.HistoryQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	status := ""
	reopened, created := 0, 0
	for _, r := range slices.Backward(records) {
		if r.Created {
			created++
		}
		for _, u := range r.Updates {
			if u.Field != "Workflow" {
				continue
			}
			if status != "" && u.Old != status {
				s.t.Fatalf("history of %s goes from %s to %s: %+v", f.ID, status, u.Old, records)
			}
			if status = u.New; r.Source == hub.SourceImport {
				reopened++
			}
		}
	}
	if status != "" && status != `{"Status":"`+f.Workflow+`"}` {
		s.t.Fatalf("history of %s ends with %s, the finding is %s", f.ID, status, f.Workflow)
	}
	if s.ref.now.Sub(hubtest.Epoch) < hub.DefaultRetention && (created != 1 || reopened != want.reopened) {
		s.t.Fatalf("history of %s: created %d times, reopened %d times, want 1 and %d: %+v", f.ID, created, reopened, want.reopened, records)
	}
}

func same[T any](t *rapid.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(got, want, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s: got (-) want (+)\n%s", what, diff)
	}
}

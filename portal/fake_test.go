package portal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/access"
	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// fakeHub is a Findings made of slices. It answers by asff.Filters.Match, the naive reference.
type fakeHub struct {
	mu       sync.Mutex
	findings []hub.Finding // by Seq, from 1
	alerts   map[int64][]hub.RawAlert
	history  map[int64][]hub.HistoryRecord
	changes  []hub.Change
	watchers map[chan struct{}]bool
	now      func() time.Time
	err      error // what every call answers, if set
}

func newFakeHub(now func() time.Time) *fakeHub {
	return &fakeHub{alerts: map[int64][]hub.RawAlert{}, history: map[int64][]hub.HistoryRecord{}, watchers: map[chan struct{}]bool{}, now: now}
}

// add folds an alert into the finding with the same id, or makes one. edit may change a new finding.
func (h *fakeHub) add(a *falco.Alert, at time.Time, body []byte, o falco.Origin, edit func(*asff.Finding)) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	workload := "host/" + a.Hostname
	if name := a.Get("container.name"); name != "" && name != "host" {
		workload = "container/" + name
	}
	if ns := a.Get("k8s.ns.name"); ns != "" {
		workload = "deployment/" + a.Get("container.name")
	}
	target := cmp.Or(a.Get("fd.name"), a.Get("evt.arg.path"))
	if strings.HasPrefix(a.Get("evt.type"), "exec") {
		target = ""
	}
	id := strings.Join([]string{o.Account, o.Region, o.Cluster, a.Rule, workload, a.Get("proc.exepath"), target}, "/")
	i := slices.IndexFunc(h.findings, func(f hub.Finding) bool { return f.ID == id })
	if i >= 0 {
		h.repeat(i, at, body)
		return h.findings[i].Seq
	}
	label := [...]string{"CRITICAL", "CRITICAL", "CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "INFORMATIONAL"}[a.Priority]
	stamp := asff.FormatTime(at)
	f := asff.Finding{
		SchemaVersion: asff.SchemaVersion, ID: id, ProductArn: "arn:aws:securityhub:" + o.Region + ":" + o.Account + ":product/" + o.Account + "/default",
		ProductName: "Eyrie", CompanyName: "Eyrie", Region: o.Region, GeneratorID: "falco/" + a.Rule, AwsAccountID: o.Account,
		Types: []string{"TTPs/Persistence"}, FirstObservedAt: stamp, LastObservedAt: stamp, CreatedAt: stamp, UpdatedAt: stamp,
		Severity: asff.Severity{Label: label}, Title: a.Rule, Description: a.Message(),
		Remediation: asff.Remediation{Recommendation: asff.Recommendation{Text: "Find out who started it. If nobody did, isolate the workload and keep its file system.", Url: "https://example.com/runbook"}},
		ProductFields: map[string]string{
			"eyrie/rule": a.Rule, "eyrie/cluster": o.Cluster, "eyrie/namespace": a.Get("k8s.ns.name"), "eyrie/pod": a.Get("k8s.pod.name"), "eyrie/workload": workload,
			"eyrie/host": a.Hostname, "eyrie/process": a.Get("proc.name"), "eyrie/target": target, "eyrie/priority": a.Priority.String(),
			"eyrie/source": a.Source, "eyrie/tags": strings.Join(a.Tags, ","), "falco/proc.cmdline": a.Get("proc.cmdline"), "falco/proc.pname": a.Get("proc.pname"), "falco/evt.type": a.Get("evt.type"),
		},
		Process:   &asff.Process{Name: a.Get("proc.name"), Path: a.Get("proc.exepath")},
		Resources: []asff.Resource{{Type: "Container", ID: workload, Partition: o.Partition(), Region: o.Region, Details: &asff.ResourceDetails{Container: &asff.Container{Name: a.Get("container.name"), ContainerRuntime: "containerd", ImageName: a.Get("container.image.repository")}}}},
		Workflow:  asff.Workflow{Status: "NEW"}, RecordState: "ACTIVE",
	}
	if image := a.Get("container.image.repository"); image != "" {
		f.ProductFields["eyrie/image"] = image[strings.LastIndexByte(image, '/')+1:] + ":" + a.Get("container.image.tag")
	}
	for name, v := range f.ProductFields {
		if v == "" {
			delete(f.ProductFields, name)
		}
	}
	if edit != nil {
		edit(&f)
	}
	seq := int64(len(h.findings) + 1)
	h.findings = append(h.findings, hub.Finding{
		Key: hub.Key{ID: f.ID, ProductArn: f.ProductArn}, Doc: f.AppendJSON(nil), Seq: seq, Occurrences: 1, FirstObserved: at, LastObserved: at, UpdatedAt: at, ImportedAt: at,
		Workflow: f.Workflow.Status, Severity: f.Severity.Label, RecordState: f.RecordState,
	})
	h.alerts[seq] = []hub.RawAlert{{Seq: seq * 1000, At: at, Body: body}}
	h.history[seq] = []hub.HistoryRecord{{At: at, Created: true, Source: hub.SourceImport, Identity: "eyrie"}}
	h.change(hub.Created, seq, at)
	return seq
}

func (h *fakeHub) repeat(i int, at time.Time, body []byte) {
	f := &h.findings[i]
	f.Occurrences++
	if at.After(f.LastObserved) {
		f.LastObserved = at
		h.edit(i, func(d *asff.Finding) { d.LastObservedAt = asff.FormatTime(at) })
	}
	if at.Before(f.FirstObserved) {
		f.FirstObserved = at
		h.edit(i, func(d *asff.Finding) { d.FirstObservedAt = asff.FormatTime(at) })
	}
	h.alerts[f.Seq] = append(h.alerts[f.Seq], hub.RawAlert{Seq: f.Seq*1000 + f.Occurrences, At: at, Body: body})
	kind := hub.Updated
	if f.Workflow == "RESOLVED" || f.Workflow == "NOTIFIED" {
		h.history[f.Seq] = append(h.history[f.Seq], hub.HistoryRecord{At: at, Source: hub.SourceImport, Identity: "eyrie", Updates: []hub.HistoryUpdate{{Field: "Workflow", Old: f.Workflow, New: "NEW"}}})
		f.Workflow, kind = "NEW", hub.Reopened
		h.edit(i, func(d *asff.Finding) { d.Workflow.Status = "NEW" })
	}
	h.change(kind, f.Seq, at)
}

func (h *fakeHub) edit(i int, change func(*asff.Finding)) {
	var d asff.Finding
	if err := d.UnmarshalJSON(h.findings[i].Doc); err != nil {
		panic(err)
	}
	change(&d)
	h.findings[i].Doc = d.AppendJSON(nil)
}

func (h *fakeHub) change(kind hub.ChangeKind, seq int64, at time.Time) {
	h.changes = append(h.changes, hub.Change{Seq: int64(len(h.changes) + 1), At: at, Kind: kind, Key: h.findings[seq-1].Key, FindingSeq: seq})
	for ch := range h.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (h *fakeHub) match(q hub.Query) ([]hub.Finding, error) {
	if h.err != nil {
		return nil, h.err
	}
	var all []hub.Finding
	for _, f := range slices.Backward(h.findings) {
		ok, err := q.Filters.Match(f.Doc, h.now())
		if err != nil {
			return nil, err
		}
		if !ok || q.Text != "" && !strings.Contains(strings.ToLower(string(f.Doc)), strings.ToLower(q.Text)) {
			continue
		}
		all = append(all, f)
	}
	for _, s := range slices.Backward(q.Sort) {
		slices.SortStableFunc(all, func(a, b hub.Finding) int {
			var c int
			switch s.Attribute {
			case asff.AttrLastObservedAt:
				c = a.LastObserved.Compare(b.LastObserved)
			case asff.AttrFirstObservedAt:
				c = a.FirstObserved.Compare(b.FirstObserved)
			case asff.AttrSeverityLabel:
				c = hub.SeverityIndex(a.Severity) - hub.SeverityIndex(b.Severity)
			default:
				c = strings.Compare(firstValue(a.Doc, s.Attribute, s.Key), firstValue(b.Doc, s.Attribute, s.Key))
			}
			if s.Desc {
				return -c
			}
			return c
		})
	}
	return all, nil
}

func firstValue(doc []byte, attr asff.Attribute, key string) string {
	out := ""
	_ = asff.Extract(doc, func(a asff.Attribute, k, value []byte) {
		if a == attr && (key == "" || string(k) == key) && out == "" {
			out = string(value)
		}
	})
	return out
}

func (h *fakeHub) Find(_ context.Context, q hub.Query) (hub.Page, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all, err := h.match(q)
	if err != nil {
		return hub.Page{}, err
	}
	from := q.Offset
	if q.Token != "" {
		rest, ok := strings.CutPrefix(q.Token, "token-")
		if from, err = strconv.Atoi(rest); !ok || err != nil {
			return hub.Page{}, hub.ErrBadToken
		}
	}
	limit := cmp.Or(q.Limit, hub.DefaultLimit)
	page := hub.Page{Total: len(all)}
	if from < len(all) {
		page.Findings = all[from:min(len(all), from+limit)]
	}
	if from+limit < len(all) && !q.NoToken {
		page.Next = "token-" + strconv.Itoa(from+limit)
	}
	return page, nil
}

func (h *fakeHub) GetSeq(_ context.Context, seq int64) (hub.Finding, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return hub.Finding{}, h.err
	}
	if seq < 1 || seq > int64(len(h.findings)) {
		return hub.Finding{}, fmt.Errorf("finding %d: %w", seq, hub.ErrNotFound)
	}
	return h.findings[seq-1], nil
}

func (h *fakeHub) Facet(_ context.Context, q hub.Query, attr asff.Attribute, key string, limit int) ([]hub.Bucket, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all, err := h.match(q)
	if err != nil {
		return nil, err
	}
	byValue := map[string]*hub.Bucket{}
	for _, f := range all {
		v := firstValue(f.Doc, attr, key)
		if v == "" {
			continue
		}
		b := byValue[v]
		if b == nil {
			b = &hub.Bucket{Value: v}
			byValue[v] = b
		}
		b.Count++
		b.BySeverity[hub.SeverityIndex(f.Severity)]++
		if f.Workflow == "NEW" && f.RecordState == "ACTIVE" {
			b.New++
		}
	}
	var out []hub.Bucket
	for _, b := range byValue {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b hub.Bucket) int { return cmp.Or(b.Count-a.Count, strings.Compare(a.Value, b.Value)) })
	return out[:min(limit, len(out))], nil
}

func (h *fakeHub) Histogram(_ context.Context, q hub.Query, from, to time.Time, bins int) ([]hub.Bin, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all, err := h.match(q)
	out := make([]hub.Bin, bins)
	step := to.Sub(from) / time.Duration(bins)
	for i := range out {
		out[i].At = from.Add(time.Duration(i) * step)
	}
	for _, f := range all {
		if i := int(f.LastObserved.Sub(from) / step); !f.LastObserved.Before(from) && i < bins {
			out[i].BySeverity[hub.SeverityIndex(f.Severity)]++
		}
	}
	return out, err
}

func (h *fakeHub) Activity(_ context.Context, from, to time.Time, step time.Duration) ([]hub.Bin, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return nil, h.err
	}
	byStep := map[time.Time]*hub.Bin{}
	for _, f := range h.findings {
		for _, a := range h.alerts[f.Seq] {
			if at := a.At.Truncate(step); !a.At.Before(from) && a.At.Before(to) {
				if byStep[at] == nil {
					byStep[at] = &hub.Bin{At: at}
				}
				byStep[at].BySeverity[hub.SeverityIndex(f.Severity)]++
			}
		}
	}
	var out []hub.Bin
	for _, b := range byStep {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b hub.Bin) int { return a.At.Compare(b.At) })
	return out, nil
}

func (h *fakeHub) index(key hub.Key) int {
	return slices.IndexFunc(h.findings, func(f hub.Finding) bool { return f.Key == key })
}

func (h *fakeHub) History(_ context.Context, key hub.Key, q hub.HistoryQuery) ([]hub.HistoryRecord, string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.history[int64(h.index(key)+1)])
	slices.Reverse(all)
	if len(all) > q.Limit {
		return all[:q.Limit], "more", nil
	}
	return all, "", nil
}

func (h *fakeHub) Alerts(_ context.Context, key hub.Key) ([]hub.RawAlert, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.alerts[int64(h.index(key)+1)])
	slices.SortFunc(all, func(a, b hub.RawAlert) int { return a.At.Compare(b.At) })
	if len(all) > 21 {
		all = append(all[:1], all[len(all)-20:]...)
	}
	return all, nil
}

func (h *fakeHub) Timeline(_ context.Context, key hub.Key) ([]hub.TimelinePoint, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	byHour := map[time.Time]int64{}
	for _, a := range h.alerts[int64(h.index(key)+1)] {
		byHour[a.At.Truncate(time.Hour)]++
	}
	var out []hub.TimelinePoint
	for at, n := range byHour {
		out = append(out, hub.TimelinePoint{At: at, Count: n})
	}
	slices.SortFunc(out, func(a, b hub.TimelinePoint) int { return a.At.Compare(b.At) })
	return out, nil
}

func (h *fakeHub) Changes(_ context.Context, after int64, limit int) ([]hub.Change, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if after >= int64(len(h.changes)) {
		return nil, nil
	}
	return slices.Clone(h.changes[after:min(int64(len(h.changes)), after+int64(limit))]), nil
}

func (h *fakeHub) Update(_ context.Context, by hub.Identity, keys []hub.Key, u hub.Update) (processed []hub.Key, unprocessed []hub.UpdateFailure, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return nil, nil, h.err
	}
	for _, key := range keys {
		i := h.index(key)
		if i < 0 {
			unprocessed = append(unprocessed, hub.UpdateFailure{Key: key, Code: "FindingNotFound", Message: "not found"})
			continue
		}
		rec := hub.HistoryRecord{At: h.now(), Source: hub.SourceUpdate, Identity: by}
		if u.Workflow != nil && *u.Workflow != h.findings[i].Workflow {
			rec.Updates = append(rec.Updates, hub.HistoryUpdate{Field: "Workflow", Old: h.findings[i].Workflow, New: *u.Workflow})
			h.findings[i].Workflow = *u.Workflow
			h.edit(i, func(d *asff.Finding) { d.Workflow.Status = *u.Workflow })
		}
		if u.Note != nil {
			rec.Updates = append(rec.Updates, hub.HistoryUpdate{Field: "Note", New: u.Note.Text})
			h.edit(i, func(d *asff.Finding) {
				d.Note = &asff.Note{Text: u.Note.Text, UpdatedBy: u.Note.UpdatedBy, UpdatedAt: asff.FormatTime(h.now())}
			})
		}
		seq := h.findings[i].Seq
		h.history[seq] = append(h.history[seq], rec)
		h.change(hub.Triaged, seq, h.now())
		processed = append(processed, key)
	}
	return processed, unprocessed, nil
}

func (h *fakeHub) Watch() (<-chan struct{}, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ch := make(chan struct{}, 1)
	h.watchers[ch] = true
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, ch)
	}
}

func (h *fakeHub) Stats() hub.Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := hub.Stats{Findings: len(h.findings), ByWorkflow: map[string]int{}, IndexBytes: int64(len(h.findings)) * 210, LastChange: int64(len(h.changes))}
	for _, f := range h.findings {
		if f.RecordState == "ARCHIVED" {
			s.Archived++
			continue
		}
		s.ByWorkflow[f.Workflow]++
		if f.Workflow == "NEW" {
			s.BySeverityNew[hub.SeverityIndex(f.Severity)]++
		}
	}
	return s
}

func (h *fakeHub) workflow(seq int64) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.findings[seq-1].Workflow
}

// fakeJournal holds what it is told.
type fakeJournal struct {
	mu     sync.Mutex
	ingest Ingest
	held   []Rejected
	err    error
}

func (j *fakeJournal) Ingest(context.Context) (Ingest, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	in := j.ingest
	in.Held = int64(len(j.held))
	return in, j.err
}

func (j *fakeJournal) Quarantine(_ context.Context, after int64, limit int) ([]Rejected, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Rejected
	for _, r := range j.held {
		if r.ID > after && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, j.err
}

func (j *fakeJournal) Discard(_ context.Context, ids []int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = slices.DeleteFunc(j.held, func(r Rejected) bool { return slices.Contains(ids, r.ID) })
	return j.err
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a portal over fakes, with real access.
type world struct {
	clock   *clock
	hub     *fakeHub
	journal *fakeJournal
	access  *access.Access
	portal  *Portal
}

var someday = time.Date(2026, 11, 21, 14, 30, 0, 0, time.UTC)

const testPassword = "correct horse battery"

func newWorld(t testing.TB, c *clock) *world {
	t.Helper()
	a, err := access.Open(t.TempDir(), access.Config{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{clock: c, hub: newFakeHub(c.now), journal: &fakeJournal{}, access: a}
	w.portal, err = New(Config{BaseURL: "http://127.0.0.1:8080", IngestKey: func() string { return "test-key" }, Version: "0.1.0", Now: c.now}, w.hub, w.journal, a)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var origins = []falco.Origin{
	{Account: "111122223333", Region: "us-west-2", Cluster: "eks-prod"}, {Account: "111122223333", Region: "us-west-2", Cluster: "eks-prod"},
	{Account: "111122223333", Region: "eu-central-1", Cluster: "eks-eu"}, {Account: "444455556666", Region: "us-west-2", Cluster: "eks-stage"},
}

// fill gives the hub findings made of the recorded alerts, spread over the days before now, repeats and decisions.
func (w *world) fill(t testing.TB) {
	t.Helper()
	now := w.clock.now()
	n := 0
	for _, name := range []string{"host-seed", "docker-seed", "docker-event-generator"} {
		for line := range bytes.Lines(testshared.Read(t, "falco/alerts/"+name+".jsonl")) {
			a, err := falco.Parse(bytes.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			n++
			a = elsewhere(t, a, n)
			body := falco.AppendJSON(nil, a)
			back := time.Duration(n*n*37%(6*24*60)) * time.Minute
			if n%3 == 0 {
				back %= 24 * time.Hour
			}
			times := 1 + n*n*7%23
			if n%4 != 0 {
				times = 1
			}
			for i := range times {
				at := now.Add(-back + time.Duration(i)*back/time.Duration(times+1)).Add(-4 * time.Second).Truncate(time.Millisecond)
				w.hub.add(a, at, body, origins[n%len(origins)], nil)
			}
		}
	}
	for seq := int64(3); seq <= int64(len(w.hub.findings)); seq += 4 {
		status := workflows[1+seq/4%3]
		if _, _, err := w.hub.Update(context.Background(), "ana", []hub.Key{w.hub.findings[seq-1].Key}, hub.Update{Workflow: &status}); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortStableFunc(w.hub.changes, func(a, b hub.Change) int { return a.At.Compare(b.At) })
	for i := range w.hub.changes {
		w.hub.changes[i].Seq = int64(i + 1)
	}
	w.journal.ingest = Ingest{
		PerSecond: 12.4, Lag: 3, LagAge: 180 * time.Millisecond, Accepted: 1_204_331, Duplicates: 412, LastAlert: now.Add(-4 * time.Second),
		Sources: []Source{
			{"webhook", "ip-10-0-4-17", "eks-prod", now.Add(-4 * time.Second), 801_422}, {"agent", "ip-10-0-9-80", "eks-eu", now.Add(-31 * time.Second), 311_020},
			{"webhook", "vm", "", now.Add(-5 * time.Hour), 91_889},
		},
		Rejected: []Count{{"not_json", 41}, {"missing_rule", 3}}, Bytes: 348_127_232, MaxBytes: 1 << 30, Oldest: now.Add(-41 * 24 * time.Hour),
		Keep: 90 * 24 * time.Hour, KeepFindings: 90 * 24 * time.Hour,
	}
	w.journal.held = []Rejected{
		{7, now.Add(-3 * time.Hour), "webhook", "eks-prod, us-west-2", "not_json", "unexpected end of input at byte 31", []byte(`{"rule":"Terminal shell in cont`)},
		{9, now.Add(-2 * time.Hour), "agent", "", "missing_rule", "the record has no rule", []byte(`{"output":"<script>alert(1)</script>\u202e","time":"2026-11-21T12:00:00Z"}`)},
		{12, now.Add(-time.Hour), "webhook", "", "not_json", "not UTF-8", []byte("\xff\xfe\x00\x1b[31mred\x1b[0m<b>")},
	}
}

// workloads are where the recorded alerts are said to come from, so that lists look as they do in a cluster.
var workloads = []struct{ namespace, name, image string }{
	{"payments", "payments-api", "registry.example.com/shop/payments-api:1.4.2"}, {"payments", "ledger", "registry.example.com/shop/ledger:2.0.1"},
	{"shop", "storefront", "registry.example.com/shop/storefront:9f31c2a"}, {"", "", ""}, {"shop", "cart", "registry.example.com/shop/cart:4.1"},
	{"ml", "notebook-7", "docker.io/jupyter/base-notebook:latest"}, {"payments", "payments-api", "registry.example.com/shop/payments-api:1.4.2"},
}

// elsewhere moves an alert of a container to the n-th workload.
func elsewhere(t testing.TB, a *falco.Alert, n int) *falco.Alert {
	t.Helper()
	to := workloads[n%len(workloads)]
	if to.name == "" || a.Get("container.id") == "host" {
		return a
	}
	c := *a
	c.Fields = slices.Clone(a.Fields)
	c.Hostname = "ip-10-0-" + strconv.Itoa(n%7) + "-17"
	repository, tag, _ := strings.Cut(to.image, ":")
	for i, f := range c.Fields {
		v, ok := map[string]string{"k8s.ns.name": to.namespace, "k8s.pod.name": to.name + "-7c9d8f5b6-x2x9z", "container.name": to.name, "container.image.repository": repository, "container.image.tag": tag}[f.Name]
		if ok {
			c.Fields[i].Value = falco.Value{Kind: falco.String, Text: v}
		}
	}
	return &c
}

// mustUser makes a user with testPassword.
func (w *world) mustUser(t testing.TB, name string) {
	t.Helper()
	if err := w.access.AddUser(name, testPassword); err != nil && !errors.Is(err, access.ErrUserExists) {
		t.Fatal(err)
	}
}

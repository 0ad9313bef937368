package portal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/hub"
)

var (
	rowSeqs  = regexp.MustCompile(`<tr role="row" data-seq="(\d+)"`)
	nextLink = regexp.MustCompile(`rel="next" href="([^"]+)"`)
	prevLink = regexp.MustCompile(`rel="prev" href="([^"]+)"`)
	undoForm = regexp.MustCompile(`name="undo" value="([^"]+)"`)
)

func link(form *regexp.Regexp, body string) string {
	m := form.FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// fillMore adds 80 findings that differ in every column.
func (w *world) fillMore(t testing.TB) {
	t.Helper()
	from := len(w.hub.findings)
	for i := range 80 {
		n := from + i
		a := &falco.Alert{Rule: fmt.Sprintf("Rule %d", n%7), Priority: falco.Priority(n % 8), Source: "syscall", Hostname: fmt.Sprintf("host-%d", n%5), Fields: []falco.Field{
			{Name: "proc.exepath", Value: falco.Value{Kind: falco.String, Text: fmt.Sprintf("/bin/p%d", n)}}, {Name: "container.name", Value: falco.Value{Kind: falco.String, Text: fmt.Sprintf("c%d", n%11)}},
		}}
		w.hub.add(a, w.clock.now().Add(-time.Duration(n*n%997)*time.Minute), falco.AppendJSON(nil, a), origins[n%len(origins)], nil)
	}
}

// TestTriageWithoutScript: select rows, set the workflow with a note, see it confirmed, undo it.
func TestTriageWithoutScript(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	const list = "/findings?severity=CRITICAL"
	seqs := seqsOf(ana.page(list))
	if len(seqs) < 3 {
		t.Fatalf("only %v", seqs)
	}
	before := map[string]string{}
	for _, s := range seqs[:2] {
		before[s] = w.hub.workflow(seqNumber(t, s))
	}
	r := ana.send(list, "/portal/triage", url.Values{"workflow": {"SUPPRESSED"}, "seq": seqs[:2], "note": {"the nightly job"}, "back": {list}})
	if got := r.Header().Get("Location"); r.Code != http.StatusSeeOther || got != list {
		t.Fatalf("got %d to %s", r.Code, got)
	}
	body := ana.page(list)
	checkPage(t, list, body)
	if !strings.Contains(body, "2 findings are Suppressed now.") || slices.Contains(seqsOf(body), seqs[0]) {
		t.Error("the decision is not shown")
	}
	page := ana.page("/findings/" + seqs[0])
	for _, want := range []string{"the nightly job", "<bdi>ana</bdi> changed", "SUPPRESSED"} {
		if !strings.Contains(page, want) {
			t.Errorf("the finding does not show %q", want)
		}
	}
	id := link(undoForm, body)
	if id == "" {
		t.Fatal("nothing to undo with")
	}
	if strings.Contains(ana.page(list), "Suppressed now") {
		t.Error("the message is shown twice")
	}
	// One of the two is decided again by somebody else: undoing leaves that alone.
	other := seqNumber(t, seqs[1])
	status := "RESOLVED"
	if _, _, err := w.hub.Update(context.Background(), "bob", []hub.Key{w.hub.findings[other-1].Key}, hub.Update{Workflow: &status}); err != nil {
		t.Fatal(err)
	}
	ana.send(list, "/portal/undo", url.Values{"undo": {id}, "back": {list}})
	if got := w.hub.workflow(seqNumber(t, seqs[0])); got != before[seqs[0]] {
		t.Errorf("after undo: %s, want %s", got, before[seqs[0]])
	}
	if got := w.hub.workflow(other); got != "RESOLVED" {
		t.Errorf("undo took back what somebody else decided: %s", got)
	}
	if !strings.Contains(ana.page(list), "Undone: 1 finding is as before. 1 was left alone") {
		t.Error("undoing is not confirmed")
	}
	if r := ana.send(list, "/portal/undo", url.Values{"undo": {id}}); r.Code != http.StatusBadRequest {
		t.Errorf("undone twice: %d", r.Code)
	}
}

func seqNumber(t *testing.T, s string) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUndoIsOnesOwnAndEnds(t *testing.T) {
	c := &clock{t: someday}
	w := newWorld(t, c)
	w.fill(t)
	ana := w.ana(t)
	w.mustUser(t, "bob")
	bob := w.visitor(t)
	bob.post("/portal/signin", url.Values{"name": {"bob"}, "password": {testPassword}})
	ana.send("/", "/portal/triage", url.Values{"workflow": {"RESOLVED"}, "seq": {"1"}})
	id := link(undoForm, ana.page("/findings"))
	if r := bob.send("/", "/portal/undo", url.Values{"undo": {id}}); r.Code != http.StatusBadRequest {
		t.Errorf("bob undid what ana did: %d", r.Code)
	}
	c.add(undoFor + time.Second)
	if r := ana.send("/", "/portal/undo", url.Values{"undo": {id}}); r.Code != http.StatusBadRequest {
		t.Errorf("undone after %s: %d", undoFor, r.Code)
	}
	l := newUndoList()
	for range 2 * maxUndo {
		l.put(undoRecord{})
	}
	if len(l.byID) != maxUndo || len(l.order) != maxUndo {
		t.Errorf("%d and %d decisions are kept, want %d", len(l.byID), len(l.order), maxUndo)
	}
}

func TestTriageAllThatMatch(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	for range 3 {
		w.fillMore(t)
	}
	ana := w.ana(t)
	want := 0
	for _, f := range w.hub.findings {
		if f.Severity == "HIGH" {
			want++
		}
	}
	ana.send("/", "/portal/triage", url.Values{"workflow": {"NOTIFIED"}, "all": {"1"}, "view": {"severity=HIGH"}})
	got := 0
	for _, f := range w.hub.findings {
		if f.Workflow == "NOTIFIED" {
			got++
			if f.Severity != "HIGH" {
				t.Errorf("finding %d is %s", f.Seq, f.Severity)
			}
		}
	}
	if got != want || want == 0 {
		t.Errorf("%d findings were set, want %d", got, want)
	}
}

func TestTriageRefuses(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	for name, form := range map[string]url.Values{
		"no status": {"seq": {"1"}}, "bad status": {"workflow": {"DONE"}, "seq": {"1"}}, "nothing selected": {"workflow": {"RESOLVED"}}, "no number": {"workflow": {"RESOLVED"}, "seq": {"x"}},
		"too many": {"workflow": {"RESOLVED"}, "seq": slices.Repeat([]string{"1"}, maxTriage+1)}, "long note": {"workflow": {"RESOLVED"}, "seq": {"1"}, "note": {strings.Repeat("é", 513)}},
		"bad view": {"workflow": {"RESOLVED"}, "all": {"1"}, "view": {"severity=BAD"}},
	} {
		if r := ana.send("/", "/portal/triage", form); r.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, r.Code)
		}
	}
	if got := w.hub.workflow(1); got != "NEW" {
		t.Errorf("finding 1 is %s", got)
	}
	if r := ana.send("/", "/portal/note", url.Values{"seq": {"1"}, "note": {" "}}); r.Code != http.StatusBadRequest {
		t.Errorf("an empty note: %d", r.Code)
	}
	if r := ana.send("/", "/portal/note", url.Values{"seq": {"999"}, "note": {"x"}}); r.Code != http.StatusNotFound {
		t.Errorf("a note on nothing: %d", r.Code)
	}
}

// TestTriageByScript: the same form answered in JSON.
func TestTriageByScript(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	token := csrfField.FindStringSubmatch(ana.page("/"))[1]
	send := func(target string, form url.Values, want int) map[string]any {
		t.Helper()
		form.Set("csrf", token)
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		rec := ana.do(r)
		var answer map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || rec.Code != want {
			t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
		}
		return answer
	}
	answer := send("/portal/triage", url.Values{"workflow": {"RESOLVED"}, "seq": {"1", "2"}}, http.StatusOK)
	rows, ok := answer["rows"].(map[string]any)
	if !ok || rows["1"] != "RESOLVED" || rows["2"] != "RESOLVED" {
		t.Errorf("got %v", answer)
	}
	id, _ := answer["undo"].(string)
	answer = send("/portal/undo", url.Values{"undo": {id}}, http.StatusOK)
	if rows, ok := answer["rows"].(map[string]any); !ok || rows["1"] != "NEW" || w.hub.workflow(2) != "NEW" {
		t.Errorf("got %v", answer)
	}
	if answer := send("/portal/triage", url.Values{"workflow": {"RESOLVED"}}, http.StatusBadRequest); answer["error"] == "" {
		t.Errorf("got %v", answer)
	}
}

// TestNeighbours: previous and next follow the list the finding was opened from, also when it has left that list.
func TestNeighbours(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	const list = "/findings?severity=HIGH"
	seqs := seqsOf(ana.page(list))
	var hrefs []string
	for _, m := range regexp.MustCompile(`class="title" href="([^"]+)"`).FindAllStringSubmatch(ana.page(list), -1) {
		hrefs = append(hrefs, html.UnescapeString(m[1]))
	}
	body := ana.page(hrefs[3])
	for form, want := range map[*regexp.Regexp]string{prevLink: seqs[2], nextLink: seqs[4]} {
		if got := link(form, body); !strings.HasPrefix(got, "/findings/"+want+"?") {
			t.Errorf("%s: got %s, want finding %s", form, got, want)
		}
	}
	if !strings.Contains(body, fmt.Sprintf("4 of %d", len(seqs))) || !strings.Contains(body, `href="/findings?severity=HIGH" data-back`) {
		t.Error("the place in the list, or the way back to it, is missing")
	}
	ana.send("/", "/portal/triage", url.Values{"workflow": {"RESOLVED"}, "seq": {seqs[3]}})
	body = ana.page(hrefs[3])
	for form, want := range map[*regexp.Regexp]string{prevLink: seqs[2], nextLink: seqs[4]} {
		if got := link(form, body); !strings.HasPrefix(got, "/findings/"+want+"?") {
			t.Errorf("after resolving: got %s, want finding %s", got, want)
		}
	}
	if body := ana.page("/findings/" + seqs[0] + "?view=%25zz&i=-1"); !strings.Contains(body, `href="/findings" data-back`) {
		t.Error("a view that is not valid breaks the page")
	}
}

// TestEvents: a stream tells how many findings of the view are new since the page, and ends with the portal.
func TestEvents(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	srv := httptest.NewServer(w.portal)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/events?severity=CRITICAL&since=%d", srv.URL, w.hub.Stats().LastChange), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ana.cookies {
		req.AddCookie(c)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("got %s", got)
	}
	lines := bufio.NewScanner(resp.Body)
	alert := func(priority falco.Priority, process string) {
		a := &falco.Alert{Rule: "R", Priority: priority, Hostname: "h", Fields: []falco.Field{{Name: "proc.exepath", Value: falco.Value{Kind: falco.String, Text: process}}}}
		w.hub.add(a, someday, falco.AppendJSON(nil, a), origins[0], nil)
	}
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		return "closed"
	}
	alert(6, "/bin/other") // not in the view: no event
	alert(2, "/bin/a")
	if got := next(); !strings.HasPrefix(got, `{"change":`) || !strings.Contains(got, `"count":1,"more":false`) {
		t.Errorf("got %s", got)
	}
	alert(2, "/bin/b")
	alert(2, "/bin/a")
	if got := next(); !strings.Contains(got, `"count":2`) {
		t.Errorf("got %s", got)
	}
	w.portal.Close()
	if got := next(); got != "closed" {
		t.Errorf("got %s, want the end", got)
	}
}

func TestEventsRefuse(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	ana := w.ana(t)
	for _, target := range []string{"/events", "/events?since=x", "/events?since=1&severity=BAD"} {
		if r := ana.get(target); r.Code != http.StatusBadRequest {
			t.Errorf("GET %s: %d", target, r.Code)
		}
	}
}

func TestDigest(t *testing.T) {
	c := &clock{t: someday}
	w := newWorld(t, c)
	w.fill(t)
	ctx := context.Background()
	d := newDigest()
	day, err := d.read(ctx, w.hub, c.now())
	if err != nil {
		t.Fatal(err)
	}
	created, triaged := len(day.Created), len(day.Triaged)
	if created == 0 || triaged == 0 || len(day.Latest) != latestKept || !day.From.IsZero() {
		t.Errorf("got %d created, %d triaged, %d latest, from %v", created, triaged, len(day.Latest), day.From)
	}
	a := &falco.Alert{Rule: "R", Hostname: "h"}
	w.hub.add(a, c.now(), nil, origins[0], nil)
	w.hub.add(a, c.now(), nil, origins[0], nil)
	if day, err = d.read(ctx, w.hub, c.now()); err != nil || len(day.Created) != created+1 {
		t.Errorf("got %d created, want %d (%v)", len(day.Created), created+1, err)
	}
	c.add(25 * time.Hour)
	if day, err = d.read(ctx, w.hub, c.now()); err != nil || len(day.Created)+len(day.Triaged) != 0 {
		t.Errorf("a day later: %d created (%v)", len(day.Created), err)
	}
}

func TestTechniques(t *testing.T) {
	techs, other := techniques([]string{"TTPs/Persistence", "TTPs/Credential Access/x", "Effects/Data Exposure"}, "container,T1098.004, T1059,Tabcd,mitre_persistence")
	if len(techs) != 2 || techs[0].ID != "T1098.004" || techs[0].Href != "https://attack.mitre.org/techniques/T1098/004/" || techs[1].Tactic != "Persistence, Credential Access" || len(other) != 1 {
		t.Errorf("got %v, %v", techs, other)
	}
	var f asff.Finding
	b := findingBody{Doc: f}
	b.network()
	b.resources()
	if len(b.Network)+len(b.Resources) != 0 {
		t.Errorf("got %v", b)
	}
}

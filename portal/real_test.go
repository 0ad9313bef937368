package portal

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/access"
	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/hub"
	hubsqlite "github.com/eyrie-sec/eyrie/hub/sqlite"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// realHub is a portal over the real hub.
type realHub struct {
	*world
	real *hub.Hub
	seq  int64
	conv *convert.Converter
}

func newRealHub(t testing.TB, c *clock) *realHub {
	t.Helper()
	store, err := hubsqlite.Open(t.Context(), hubsqlite.Config{Path: filepath.Join(t.TempDir(), "findings.db")})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.Open(t.Context(), hub.Config{Account: "111122223333", Region: "us-west-2", Now: c.now}, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	conv, err := convert.New(convert.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.Open(t.TempDir(), access.Config{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{clock: c, journal: &fakeJournal{}, access: a}
	w.portal, err = New(Config{BaseURL: "http://127.0.0.1:8080", Now: c.now}, h, w.journal, a)
	if err != nil {
		t.Fatal(err)
	}
	return &realHub{world: w, real: h, conv: conv}
}

func (r *realHub) observe(t testing.TB, alerts []*falco.Alert) {
	t.Helper()
	var obs []hub.Observation
	for i, a := range alerts {
		r.seq++
		f := r.conv.Convert(a, origins[i%len(origins)])
		obs = append(obs, hub.Observation{Finding: f, Seq: r.seq, At: a.Time, Alert: falco.AppendJSON(nil, a)})
	}
	if err := r.real.Observe(context.Background(), "journal", r.seq, obs); err != nil {
		t.Fatal(err)
	}
}

// recorded are the recorded alerts, moved to end shortly before now.
func recorded(t testing.TB, now time.Time) []*falco.Alert {
	t.Helper()
	var all []*falco.Alert
	for _, name := range []string{"host-seed", "docker-seed", "docker-event-generator"} {
		for line := range bytes.Lines(testshared.Read(t, "falco/alerts/"+name+".jsonl")) {
			a, err := falco.Parse(bytes.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			a.Time = now.Add(-time.Duration(len(all)*11) * time.Minute)
			all = append(all, a)
		}
	}
	return all
}

// TestOverTheRealHub reads and decides over the hub, its store and the converter that are shipped.
func TestOverTheRealHub(t *testing.T) {
	r := newRealHub(t, &clock{t: someday})
	r.observe(t, recorded(t, someday))
	ana := r.ana(t)
	for _, target := range []string{"/", "/?range=30d", "/findings", "/findings?workflow=ALL&record=ALL", "/health", "/findings?q=shadow"} {
		body := ana.page(target)
		checkPage(t, target, body)
		if strings.HasPrefix(target, "/findings") && len(seqsOf(body)) == 0 {
			t.Errorf("GET %s lists nothing", target)
		}
	}
	for _, pk := range picks {
		if pk.name == "namespace" {
			continue // the recorded alerts are of Docker
		}
		options, err := r.portal.optionsOf(t.Context(), view{Picked: map[string][]string{}}, pk, "", hub.Query{})
		if err != nil || len(options) == 0 {
			t.Errorf("%s has no values: %v", pk.name, err)
			continue
		}
		body := ana.page("/findings?" + url.Values{pk.name: {options[0].Value}}.Encode())
		if got, want := len(seqsOf(body)), min(options[0].Count, pageSize); got != want {
			t.Errorf("%s=%s: %d rows, want %d", pk.name, options[0].Value, got, want)
		}
	}
	seqs := seqsOf(ana.page("/findings?severity=CRITICAL"))
	ana.send("/", "/portal/triage", url.Values{"workflow": {"RESOLVED"}, "seq": seqs[:2], "note": {"known"}, "back": {"/findings"}})
	body := ana.page("/findings")
	if !strings.Contains(body, "2 findings are Resolved now.") {
		t.Fatal("not confirmed")
	}
	for _, want := range []string{"RESOLVED", "known", "<bdi>ana</bdi> changed"} {
		if !strings.Contains(ana.page("/findings/"+seqs[0]), want) {
			t.Errorf("the finding does not show %q", want)
		}
	}
	if body := ana.page("/"); !strings.Contains(body, "<b>2</b> resolved") {
		t.Error("the overview does not count what was resolved")
	}
	ana.send("/", "/portal/undo", url.Values{"undo": {link(undoForm, body)}})
	if !strings.Contains(ana.page("/findings"), "Undone: 2 findings are as before.") {
		t.Error("not undone")
	}
	for _, seq := range seqsOf(ana.page("/findings?sort=severity")) {
		page := ana.page("/findings/" + seq)
		checkPage(t, "/findings/"+seq, page)
		if !strings.Contains(page, "What happened") || strings.Contains(page, "Something happened") {
			t.Errorf("finding %s has no story", seq)
		}
	}
}

// TestPagingIsTheRealHubsOrder: pages behind an anchor join without a gap or a repeat, in every order.
func TestPagingIsTheRealHubsOrder(t *testing.T) {
	r := newRealHub(t, &clock{t: someday})
	var alerts []*falco.Alert
	for n := range 230 {
		fields := []falco.Field{{Name: "proc.exepath", Value: falco.Value{Kind: falco.String, Text: fmt.Sprintf("/bin/p%d", n)}}, {Name: "proc.name", Value: falco.Value{Kind: falco.String, Text: "p"}}}
		if n%4 > 0 {
			fields = append(fields, falco.Field{Name: "container.id", Value: falco.Value{Kind: falco.String, Text: "c"}}, falco.Field{Name: "container.name", Value: falco.Value{Kind: falco.String, Text: fmt.Sprintf("Web-%d", n%9)}})
		}
		alerts = append(alerts, &falco.Alert{Rule: fmt.Sprintf("Rule %d", n%6), Priority: falco.Priority(n % 8), Source: "syscall", Hostname: "h", Time: someday.Add(-time.Duration(n*n%83) * time.Minute), Fields: fields})
	}
	r.observe(t, alerts)
	ana := r.ana(t)
	for _, o := range orderings {
		for _, sort := range []string{o.name, "-" + o.name} {
			seen := map[string]bool{}
			target := "/findings?sort=" + sort
			for target != "" {
				body := ana.page(target)
				for _, seq := range seqsOf(body) {
					if seen[seq] {
						t.Errorf("sort=%s: finding %s twice", sort, seq)
					}
					seen[seq] = true
				}
				target = link(nextLink, body)
			}
			if len(seen) != len(alerts) {
				t.Errorf("sort=%s: %d findings, want %d", sort, len(seen), len(alerts))
			}
		}
	}
}

// BenchmarkListPage is the list over many findings.
func BenchmarkListPage(b *testing.B) {
	r := newRealHub(b, &clock{t: someday})
	const size = 20_000
	var alerts []*falco.Alert
	for n := range size {
		alerts = append(alerts, &falco.Alert{Rule: fmt.Sprintf("Rule %d", n%80), Priority: falco.Priority(n % 8), Source: "syscall", Hostname: fmt.Sprintf("h%d", n%50), Time: someday.Add(-time.Duration(n) * time.Second),
			Fields: []falco.Field{{Name: "proc.exepath", Value: falco.Value{Kind: falco.String, Text: fmt.Sprintf("/bin/p%d", n)}}}})
		if len(alerts) == 2000 {
			r.observe(b, alerts)
			alerts = alerts[:0]
		}
	}
	ana := r.ana(b)
	for _, target := range []string{"/", "/findings", "/findings?severity=HIGH&last=24h&region=us-west-2", "/findings?page=200", "/findings/500?i=300"} {
		b.Run(fmt.Sprintf("size=%d/page=%s", size, target), func(b *testing.B) {
			for b.Loop() {
				ana.page(target)
			}
		})
	}
}

package detect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
)

const rules = `
- rule: Read shadow
  desc: d
  condition: evt.type = openat and fd.name = /etc/shadow
  output: "%proc.name read %fd.name"
  priority: WARNING
  tags: [secrets]
- rule: Any open by cat
  desc: d
  condition: evt.type = openat and proc.name = cat
  output: "%proc.name opened %fd.name"
  priority: DEBUG
`

const catShadow = `openat evt.time=1000000000 fd.name=/etc/shadow proc.name=cat`

func parse(t testing.TB, text string) *event.Event {
	t.Helper()
	var e event.Event
	if err := event.Parse(text, &e); err != nil {
		t.Fatal(err)
	}
	return &e
}

func shipped(text string) Rules {
	return Rules{Default: []rule.File{{Name: "rules.yaml", Content: []byte(text)}}}
}

// fire evaluates events and returns the rules of the alerts.
func fire(t testing.TB, d *Detector, events ...string) []string {
	t.Helper()
	var got []string
	s := d.Session(func(a *falco.Alert) { got = append(got, a.Rule) })
	for _, text := range events {
		s.Event(parse(t, text))
	}
	return got
}

func TestMatching(t *testing.T) {
	warning := falco.Warning
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"first", Config{}, []string{"Read shadow"}},
		{"all", Config{AllMatches: true}, []string{"Read shadow", "Any open by cat"}},
		{"priority", Config{AllMatches: true, MinPriority: &warning}, []string{"Read shadow"}},
		{"disabled by name", Config{Rules: Rules{Disable: []string{"Read*"}}}, []string{"Any open by cat"}},
		{"disabled by tag", Config{Rules: Rules{Disable: []string{"tag:secrets"}}}, []string{"Any open by cat"}},
		{"only one enabled", Config{AllMatches: true, Rules: Rules{Disable: []string{"*"}, Enable: []string{"Read shadow"}}}, []string{"Read shadow"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Rules.Default = shipped(rules).Default
			d, err := New(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, fire(t, d, catShadow, `openat fd.name=/etc/passwd proc.name=vi`)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			s := d.Stats()
			if s.Events != 2 || s.Matched != 1 || s.Alerts != uint64(len(c.want)) || s.Reloads != 1 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestAlert(t *testing.T) {
	d, err := New(Config{Rules: shipped(rules), Hostname: "node-1", AppendOutput: "-"})
	if err != nil {
		t.Fatal(err)
	}
	var got string
	d.Session(func(a *falco.Alert) { got = string(falco.AppendJSON(nil, a)) }).Event(parse(t, catShadow))
	want := `{"hostname":"node-1","output":"00:00:01.000000000: Warning cat read /etc/shadow","output_fields":{"evt.time":1000000000,"fd.name":"/etc/shadow","proc.name":"cat"},"priority":"Warning","rule":"Read shadow","source":"syscall","tags":["secrets"],"time":"1970-01-01T00:00:01.000000000Z"}`
	if got != want {
		t.Errorf("alert\n%s\nwant\n%s", got, want)
	}
}

func TestRateIsByRuleAndCounted(t *testing.T) {
	d, err := New(Config{Rules: shipped(rules), Rate: 1, Burst: 2})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for i := range 5 { // five in one second, then one three seconds later
		events = append(events, fmt.Sprintf(`openat evt.time=%d fd.name=/etc/shadow proc.name=cat`, 1_000_000_000+i))
	}
	events = append(events, `openat evt.time=4000000000 fd.name=/etc/shadow proc.name=cat`, `openat evt.time=4000000000 fd.name=/x proc.name=cat`)
	got := fire(t, d, events...)
	want := []string{"Read shadow", "Read shadow", "Read shadow", "Any open by cat"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if s := d.Stats(); s.Held != 3 || s.HeldBy["Read shadow"] != 3 || s.Alerts != 4 {
		t.Errorf("stats %+v, want 3 held and 4 alerts", s)
	}
}

func TestUnusableRules(t *testing.T) {
	_, err := New(Config{Rules: shipped("- rule: x\n  desc: d\n  condition: evt.type = open and fd.nam = 1\n  output: o\n  priority: NOTICE\n")})
	var re *RulesError
	if !errors.As(err, &re) || !strings.Contains(err.Error(), "rules.yaml:3:") || !strings.Contains(err.Error(), "fd.nam") {
		t.Errorf("error %v: want a RulesError with place and field", err)
	}
	if _, err := New(Config{Rules: Rules{Paths: []string{"/does/not/exist.yaml"}}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that the file does not exist", err)
	}
	cfg := Config{Rules: shipped(rules)}
	cfg.Rules.Disable = []string{"Raed*"}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), `"Raed*"`) {
		t.Errorf("error %v: want that the pattern means no rule", err)
	}
}

// TestChangedFiles changes a rule file between events: by a good state, by a bad one, and by none.
func TestChangedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write(rules)
	var engines int
	d, err := New(Config{Rules: Rules{Paths: []string{path}}, Changed: func(*rule.Engine) { engines++ }})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	s := d.Session(func(a *falco.Alert) { got = append(got, a.Rule) })
	e := parse(t, catShadow)
	last := d.cfg.Rules.signature()
	last = d.look(last)
	s.Event(e)
	write(strings.Replace(rules, "Read shadow", "Renamed", 1))
	last = d.look(last) // seen, but it may still be written to
	s.Event(e)
	last = d.look(last) // unchanged since: taken
	s.Event(e)
	write("- rule: broken\n")
	last = d.look(d.look(last))
	s.Event(e)
	write(rules)
	d.look(d.look(last))
	s.Event(e)
	want := []string{"Read shadow", "Read shadow", "Renamed", "Renamed", "Read shadow"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if st := d.Stats(); st.Reloads != 3 || st.Failed != 1 || engines != 3 {
		t.Errorf("%d reloads, %d refused, %d engines; want 3, 1, 3", st.Reloads, st.Failed, engines)
	}
}

func BenchmarkEvent(b *testing.B) {
	d, err := New(Config{Rules: shipped(rules)})
	if err != nil {
		b.Fatal(err)
	}
	s := d.Session(func(*falco.Alert) { b.Fatal("an alert") })
	e := parse(b, `openat fd.name=/etc/passwd proc.name=vi`)
	b.ReportAllocs()
	for b.Loop() {
		s.Event(e)
	}
}

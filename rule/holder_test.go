package rule

import (
	"sync"
	"testing"

	"github.com/eyrie-sec/eyrie/rule/event"
)

const openRule = "- rule: Open\n  desc: d\n  condition: evt.type = openat\n  output: o\n  priority: INFO\n"

func ruleFile(text string) []File { return []File{{Name: "r.yaml", Content: []byte(text)}} }

func TestHolder(t *testing.T) {
	h := NewHolder(Config{}, LoadOptions{})
	s := h.Session()
	e := &event.Event{}
	if err := event.Parse("openat fd.name=/x", e); err != nil {
		t.Fatal(err)
	}
	if got := s.Match(e); len(got) != 0 {
		t.Fatalf("an empty holder matches %s", got[0].Name)
	}
	if report := h.Reload(ruleFile(openRule)); !report.OK() {
		t.Fatal(report.Err())
	}
	if got := s.Match(e); len(got) != 1 || got[0].Name != "Open" {
		t.Fatalf("got %v", got)
	}
	running := h.Engine()
	report := h.Reload(ruleFile("- rule: Broken\n  desc: d\n  condition: evt.type =\n  output: o\n  priority: INFO\n"))
	if report.OK() || h.Engine() != running {
		t.Error("broken rules were taken into use")
	}
	if got := s.Match(e); len(got) != 1 {
		t.Error("the running set is lost")
	}
}

// TestHolderWhileUsed reloads while sessions run; the race detector watches.
func TestHolderWhileUsed(t *testing.T) {
	h := NewHolder(Config{}, LoadOptions{})
	h.Reload(ruleFile(openRule))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := h.Session()
			e := &event.Event{}
			if err := event.Parse("openat fd.name=/x", e); err != nil {
				t.Error(err)
			}
			for range 2000 {
				if got := s.Match(e); len(got) != 1 {
					t.Errorf("got %d matches", len(got))
					return
				}
				s.Alert(e, s.Match(e)[0])
			}
		})
	}
	for range 20 {
		h.Reload(ruleFile(openRule))
	}
	wg.Wait()
}

func TestMatching(t *testing.T) {
	two := openRule + "- rule: Also\n  desc: d\n  condition: evt.type = openat and fd.name = /x\n  output: '%fd.name'\n  priority: ERROR\n"
	set, report := Load(ruleFile(two), LoadOptions{AppendOutput: "-"})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	e := &event.Event{}
	if err := event.Parse("openat fd.name=/x", e); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		all  bool
		want int
	}{{false, 1}, {true, 2}} {
		if got := NewEngine(set, Config{AllMatches: tc.all}).Session().Match(e); len(got) != tc.want || got[0].Name != "Open" {
			t.Errorf("all %t: got %d matches", tc.all, len(got))
		}
	}
	level := set.Rules[1].Priority
	g := NewEngine(set, Config{MinPriority: &level})
	if got := g.Session().Match(e); len(got) != 1 || got[0].Name != "Also" {
		t.Errorf("the least priority is not kept: %v", got)
	}
	if !g.Watches(e.Type) || len(g.EventTypes().Types()) != 1 {
		t.Errorf("watched event types: %v", g.EventTypes().Names())
	}
}

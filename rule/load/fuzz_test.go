package load

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/match"
	"github.com/eyrie-sec/eyrie/rule/program"
)

// FuzzLoad: no rule file makes the loader panic or hang, every diagnostic can be printed, and what loads evaluates any
// event.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("- rule: R\n  desc: d\n  condition: evt.type = open and proc.name in (a, b)\n  output: '%proc.name'\n  priority: INFO\n"))
	f.Add([]byte("- list: l\n  items: [a, l]\n- macro: m\n  condition: m or proc.name in (l)\n"))
	f.Add([]byte("- &a [*a]\n"))
	if path, ok := testCases(f); ok {
		names, _ := filepath.Glob(filepath.Join(path, "*.yaml"))
		for _, n := range names {
			if b, err := os.ReadFile(n); err == nil && len(b) < 4096 {
				f.Add(b)
			}
		}
	}
	var events []*event.Event
	for _, text := range []string{"open proc.name=a fd.name=/a/b", "connect fd.sip=1.2.3.4 fd.sport=4", "execve proc.aname=[a b c]"} {
		e := &event.Event{}
		if err := event.Parse(text, e); err != nil {
			f.Fatal(err)
		}
		events = append(events, e)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 1<<16 {
			return
		}
		set, report := Load([]File{{Name: "f", Content: content}}, Options{})
		for _, r := range report.Files {
			for _, d := range append(r.Errors, r.Warnings...) {
				_ = d.String()
			}
		}
		if !report.OK() {
			return
		}
		var conds []program.Condition
		for i := range set.Rules {
			conds = append(conds, program.Condition{Node: set.Rules[i].Node, Events: set.Rules[i].Events})
		}
		v := program.NewEvaluator(program.Compile(conds))
		var s match.Scratch
		for _, e := range events {
			for _, i := range v.Eval(e) {
				set.Rules[i].Template.AppendText(nil, e, &s)
			}
		}
	})
}

// testCases finds the recorded corpus, which is not always there.
func testCases(f *testing.F) (string, bool) {
	f.Helper()
	dir := os.Getenv("EYRIE_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	path := filepath.Join(dir, "falco/verdicts/cases")
	_, err := os.Stat(path)
	return path, err == nil
}

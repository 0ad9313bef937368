package rulecmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/script"
)

// Progress is told of long work: done of total pieces. It may be nil.
type Progress func(done, total int)

func (p Progress) tell(done, total int) {
	if p != nil {
		p(done, total)
	}
}

type testReport struct {
	Scripts    []*script.Result `json:"scripts"`
	OK         bool             `json:"ok"`
	Rules      int              `json:"rules"`
	NeverFired []string         `json:"never_fired"`
}

// Test runs rule tests: files, or the .test files of folders. It prints what failed and which rules never fired; ok is
// false where anything failed.
func Test(o Output, paths []string, progress Progress) (ok bool, err error) {
	var names []string
	for _, p := range paths {
		more, err := expand(p, ".test")
		if err != nil {
			return false, err
		}
		names = append(names, more...)
	}
	rep := &testReport{OK: true, NeverFired: []string{}}
	for i, n := range names {
		res, err := runScript(n)
		if err != nil {
			return false, err
		}
		rep.add(res)
		progress.tell(i+1, len(names))
	}
	if o.JSON {
		return rep.OK, o.json(rep)
	}
	return rep.OK, rep.print(o)
}

func runScript(name string) (*script.Result, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return script.Run(name, string(text), func(path string) ([]byte, error) {
		return os.ReadFile(filepath.Join(filepath.Dir(name), path))
	}), nil
}

func (r *testReport) add(res *script.Result) {
	r.Scripts = append(r.Scripts, res)
	r.OK = r.OK && len(res.Failures) == 0
	fired := map[string]bool{}
	all := []string{}
	for _, s := range r.Scripts {
		for _, n := range s.Rules {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
		for n := range s.Fired {
			fired[n] = true
		}
	}
	r.Rules, r.NeverFired = len(all), []string{}
	for _, n := range all {
		if !fired[n] {
			r.NeverFired = append(r.NeverFired, n)
		}
	}
}

func (r *testReport) print(o Output) error {
	events, checks, failures := 0, 0, 0
	for _, s := range r.Scripts {
		events, checks, failures = events+s.Events, checks+s.Checks, failures+len(s.Failures)
		for i := range s.Failures {
			if _, err := fmt.Fprintln(o.W, safe(s.Failures[i].String())); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(o.W, "%d scripts, %d events, %d checks, %d failures; %d of %d rules fired", len(r.Scripts), events, checks, failures, r.Rules-len(r.NeverFired), r.Rules)
	if err == nil && len(r.NeverFired) > 0 {
		_, err = fmt.Fprintf(o.W, ", never: %s", safe(strings.Join(r.NeverFired, ", ")))
	}
	if err == nil {
		_, err = fmt.Fprintln(o.W)
	}
	return err
}

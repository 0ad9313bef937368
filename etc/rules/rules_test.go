// Package rules_test holds the rules that ship to their tests: every file loads without a warning that Falco knows, and
// every rule is fired and left alone as its test says.
package rules_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/rulecmd"
)

func TestRulesLoad(t *testing.T) {
	paths, err := filepath.Glob("*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, p := range paths {
		files, err := rulecmd.ReadFiles([]string{p})
		if err != nil {
			t.Fatal(err)
		}
		set, report := rule.Load(files, rule.LoadOptions{})
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		for _, w := range report.Warnings() {
			if !w.Code.IsOurs() {
				t.Error(w.String())
			}
		}
		for i := range set.Rules {
			if r := &set.Rules[i]; r.Desc == "" || len(r.Tags) == 0 {
				t.Errorf("rule %q has no description or no tags", r.Name)
			}
		}
	}
}

func TestRules(t *testing.T) {
	var out bytes.Buffer
	ok, err := rulecmd.Test(rulecmd.Output{W: &out}, []string{"."}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !ok || bytes.Contains(out.Bytes(), []byte("never:")) {
		t.Error(out.String())
	}
	t.Log(out.String())
}

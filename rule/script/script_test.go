package script

import (
	"errors"
	"strings"
	"testing"
)

func noFiles(string) ([]byte, error) { return nil, errors.New("no such file") }

const ruleText = `rules
    - rule: Shadow read
      desc: d
      condition: evt.type = openat and fd.name = /etc/shadow and not proc.name in (login, sshd)
      output: "%proc.name read %fd.name"
      priority: WARNING
    - rule: Any open
      desc: d
      condition: evt.type = openat
      output: x
      priority: INFO
      enabled: false
`

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		fails      []string // text of each failure, in order
	}{
		{"passes", ruleText + "event openat fd.name=/etc/shadow proc.name=cat\nalert Shadow read\noutput cat read /etc/shadow\nfield proc.name=cat\nevent openat fd.name=/etc/shadow proc.name=login\nnone\n", nil},
		{"first only", ruleText + "enable all\nevent openat fd.name=/etc/shadow\nalert Shadow read\n", nil},
		{"all", ruleText + "enable all\nmatch all\nevent openat fd.name=/etc/shadow\nalert Shadow read\nalert Any open\nfires Any open\nevent close\nmisses Any open\n", nil},
		{"base", ruleText + "base fd.name=/etc/shadow\n  proc.name=cat\nevent openat\nalert Shadow read\nevent openat proc.name=sshd\nnone\n", nil},
		{"missing alert", ruleText + "event openat fd.name=/x\nalert Shadow read\n", []string{`got alerts [], want ["Shadow read"]`}},
		{"unwanted alert", ruleText + "event openat fd.name=/etc/shadow\nnone\nevent close\nnone\n", []string{`got alerts ["Shadow read"], want []`}},
		{"wrong output", ruleText + "event openat fd.name=/etc/shadow\nalert Shadow read\noutput nope\n", []string{"does not hold"}},
		{"wrong field", ruleText + "event openat fd.name=/etc/shadow\nfield fd.name=/x\n", []string{`got "/etc/shadow"`}},
		{"unknown rule", ruleText + "event openat\nfires Nope\n", []string{`no rule "Nope"`}},
		{"unknown field", ruleText + "event openat fd.nam=/x\n", []string{"did you mean fd.name?"}},
		{"unknown type", ruleText + "event openatt\n", []string{"did you mean openat?"}},
		{"unknown command", ruleText + "event openat\nexplode\n", []string{`unknown command "explode"`}},
		{"no event", ruleText + "alert x\n", []string{"without an event"}},
		{"no file", "load x.yaml\n", []string{"no such file"}},
		{"refused", "rules\n  - rule: x\n    desc: d\n    condition: proc.nmae = a\n    output: o\n    priority: INFO\nrefused did you mean proc.name?\n", nil},
		{"not refused", ruleText + "refused x\n", []string{"were accepted"}},
		{"bad rules", "rules\n  - rule: x\nevent openat\n", []string{"Item has no mapping"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := Run("s", tc.text, noFiles)
			if len(res.Failures) != len(tc.fails) {
				t.Fatalf("got failures %v, want %q", res.Failures, tc.fails)
			}
			for i, f := range res.Failures {
				if !strings.Contains(f.Msg, tc.fails[i]) {
					t.Errorf("got failure %q, want %q in it", f.String(), tc.fails[i])
				}
			}
		})
	}
}

func TestCoverage(t *testing.T) {
	res := Run("s", ruleText+"enable all\nevent openat fd.name=/etc/shadow\n", noFiles)
	if len(res.Rules) != 2 || res.Fired["Shadow read"] != 1 || res.Fired["Any open"] != 0 {
		t.Errorf("got rules %q, fired %v", res.Rules, res.Fired)
	}
}

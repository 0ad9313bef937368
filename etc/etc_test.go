package etc

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

func remediationConfig(t *testing.T) convert.Remediation {
	t.Helper()
	var r convert.Remediation
	decoder := yaml.NewDecoder(bytes.NewReader(Remediation()))
	decoder.KnownFields(true)
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRemediation(t *testing.T) {
	r := remediationConfig(t)
	const maxText = 512 // Recommendation.Text of ASFF
	texts := map[string]string{}
	check := func(rule string, a convert.Advice) {
		if n := utf8.RuneCountInString(a.Text); n < 80 || n > maxText {
			t.Errorf("%s: text has %d characters, want 80 to %d", rule, n, maxText)
		}
		if strings.ContainsAny(a.Text, "\n\t") || strings.TrimSpace(a.Text) != a.Text || !strings.HasSuffix(a.Text, ".") {
			t.Errorf("%s: text is not one paragraph of sentences: %q", rule, a.Text)
		}
		if other, ok := texts[a.Text]; ok {
			t.Errorf("%s and %s have the same text", rule, other)
		}
		texts[a.Text] = rule
	}
	check("default", r.Default)
	for rule, a := range r.Rules {
		check(rule, a)
		if u, err := url.Parse(a.URL); err != nil || u.Scheme != "https" || u.Host == "" {
			t.Errorf("%s: bad URL %q", rule, a.URL)
		}
	}
}

// TestRemediationCoversOfficialRules: every rule of Falco's three files has advice, and no advice is for a rule that
// does not exist.
func TestRemediationCoversOfficialRules(t *testing.T) {
	rules := map[string]bool{}
	for _, name := range []string{"falco_rules", "falco-incubating_rules", "falco-sandbox_rules"} {
		var items []struct {
			Rule string `yaml:"rule"`
		}
		if err := yaml.Unmarshal(testshared.Read(t, "falco/rules/"+name+".yaml"), &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if item.Rule != "" {
				rules[item.Rule] = true
			}
		}
	}
	if len(rules) != 93 {
		t.Errorf("%d official rules, want 93", len(rules))
	}
	r := remediationConfig(t)
	for rule := range rules {
		if _, ok := r.Rules[rule]; !ok {
			t.Errorf("no advice for rule %q", rule)
		}
	}
	for rule := range r.Rules {
		if !rules[rule] {
			t.Errorf("advice for a rule that does not exist: %q", rule)
		}
	}
}

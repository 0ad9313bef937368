package convert

import (
	"strings"

	"github.com/eyrie-sec/eyrie/asff"
)

// Remediation says what to do about findings. etc/remediation.yaml, which ships with Eyrie, has this form.
type Remediation struct {
	Default Advice            `yaml:"default" json:"default"` // for rules that Rules does not list
	Rules   map[string]Advice `yaml:"rules" json:"rules"`     // by the rule's name
}

// Advice is what to do, in at most 512 characters, and where to read more. Either may be empty.
type Advice struct {
	Text string `yaml:"text" json:"text"`
	URL  string `yaml:"url" json:"url"`
}

// recommend returns the advice for an alert of that rule with those tags. Where the advice has no URL, the page of the
// first technique in ATT&CK is it.
func (r *Remediation) recommend(rule string, tags []string) asff.Recommendation {
	advice, ok := r.Rules[rule]
	if !ok {
		advice = r.Default
	}
	if advice.URL == "" && advice.Text != "" {
		for _, tag := range tags {
			if isTechnique(tag) {
				advice.URL = "https://attack.mitre.org/techniques/" + strings.Replace(tag, ".", "/", 1) + "/"
				break
			}
		}
	}
	return asff.Recommendation{Text: advice.Text, Url: advice.URL}
}

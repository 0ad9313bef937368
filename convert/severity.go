package convert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
)

// SeverityMap gives Falco's priorities ASFF's severity labels. The zero value is the map "conservative".
type SeverityMap struct {
	labels   *[falco.Priorities]string
	rules    map[string]string // by exact name
	patterns []severityPattern // the most specific first
}

type severityPattern struct{ pattern, label string }

// SeverityConfig is a severity map of one's own.
type SeverityConfig struct {
	// Base is the map that the others change: "conservative" (also if empty) or "guidance".
	Base string `yaml:"base" json:"base"`
	// Priorities gives labels by priority ("Warning": "HIGH"), in any case.
	Priorities map[string]string `yaml:"priorities" json:"priorities"`
	// Rules gives labels by rule, whatever the priority. A name may have "*" for any text and "?" for any one
	// character. The exact name counts first, then the pattern with the most other characters.
	Rules map[string]string `yaml:"rules" json:"rules"`
}

// Label is the label of an alert of that rule and priority.
func (m *SeverityMap) Label(rule string, p falco.Priority) string {
	if label, ok := m.rules[rule]; ok {
		return label
	}
	for _, r := range m.patterns {
		if matchGlob(r.pattern, rule) {
			return r.label
		}
	}
	labels := m.labels
	if labels == nil {
		c := conservative()
		labels = &c
	}
	return labels[min(int(p), falco.Priorities-1)]
}

func conservative() [falco.Priorities]string {
	return [...]string{
		falco.Emergency: "CRITICAL", falco.AlertPriority: "CRITICAL", falco.Critical: "CRITICAL",
		falco.Error: "HIGH", falco.Warning: "MEDIUM", falco.Notice: "LOW",
		falco.Informational: "INFORMATIONAL", falco.Debug: "INFORMATIONAL",
	}
}

// guidance is the map of the AWS Guidance for container runtime security monitoring.
func guidance() [falco.Priorities]string {
	labels := conservative()
	labels[falco.Warning], labels[falco.Notice] = "HIGH", "MEDIUM"
	return labels
}

// ParseSeverityMap returns the map of that name: "conservative" (also for "") or "guidance".
func ParseSeverityMap(name string) (SeverityMap, error) {
	var labels [falco.Priorities]string
	switch strings.ToLower(name) {
	case "", "conservative":
		labels = conservative()
	case "guidance":
		labels = guidance()
	default:
		return SeverityMap{}, fmt.Errorf("severity map %q: there are conservative and guidance", name)
	}
	return SeverityMap{labels: &labels}, nil
}

// NewSeverityMap checks and makes a map of one's own.
func NewSeverityMap(cfg SeverityConfig) (SeverityMap, error) {
	m, err := ParseSeverityMap(cfg.Base)
	if err != nil {
		return SeverityMap{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Priorities)) {
		p, ok := falco.ParsePriority(name)
		if !ok {
			return SeverityMap{}, fmt.Errorf("severity map: no priority %q", name)
		}
		if m.labels[p], err = parseLabel(cfg.Priorities[name]); err != nil {
			return SeverityMap{}, fmt.Errorf("severity map: priority %s: %w", name, err)
		}
	}
	m.rules = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Rules)) {
		label, err := parseLabel(cfg.Rules[name])
		if err != nil {
			return SeverityMap{}, fmt.Errorf("severity map: rule %q: %w", name, err)
		}
		if strings.ContainsAny(name, "*?") {
			m.patterns = append(m.patterns, severityPattern{name, label})
		} else {
			m.rules[name] = label
		}
	}
	slices.SortStableFunc(m.patterns, func(a, b severityPattern) int {
		return cmp.Compare(literals(b.pattern), literals(a.pattern))
	})
	return m, nil
}

func literals(pattern string) int {
	return len(pattern) - strings.Count(pattern, "*") - strings.Count(pattern, "?")
}

func parseLabel(s string) (string, error) {
	label := strings.ToUpper(s)
	if _, ok := asff.SeverityNormalized(label); !ok {
		return "", fmt.Errorf("severity %q is none of INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL", s)
	}
	return label, nil
}

// matchGlob matches all of s; "*" is any text, "?" any one byte. Its time is bounded by the product of the lengths.
func matchGlob(pattern, s string) bool {
	star, retry := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			retry++
			p, i = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

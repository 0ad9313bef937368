// Package script runs rule tests: texts that load rules, feed events and say what they expect, readable by whoever
// writes the rules. A script comes in with a way to read the rule files it names; out goes what failed, with the line,
// and which rules fired. README.md describes the format. It never touches the network, the clock or the disk itself,
// and a broken script is a failure in the result, never a panic.
package script

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
)

// Failure is one expectation that was not met, or a line that cannot be read.
type Failure struct {
	Script string `json:"script"`
	Line   int    `json:"line"` // from 1
	Msg    string `json:"message"`
}

func (f *Failure) String() string { return fmt.Sprintf("%s:%d: %s", f.Script, f.Line, f.Msg) }

// Result is what a script gave.
type Result struct {
	Script   string         `json:"script"`
	Events   int            `json:"events"`
	Checks   int            `json:"checks"` // expectations
	Failures []Failure      `json:"failures"`
	Rules    []string       `json:"rules"` // enabled ones of the sets that were loaded, in order
	Fired    map[string]int `json:"fired"` // events by rule
}

// ReadFile reads a rule file that a script names.
type ReadFile func(path string) ([]byte, error)

// Run runs the script.
func Run(name, text string, read ReadFile) *Result {
	r := &runner{res: &Result{Script: name, Failures: []Failure{}, Fired: map[string]int{}}, read: read}
	for _, c := range split(text) {
		r.line = c.line
		if err := r.command(c); err != nil {
			r.fail("%s", err)
		}
	}
	r.finish()
	return r.res
}

// command is a word with what follows it, on its line and on the indented lines after it.
type command struct {
	line int
	word string
	rest string
	body []string // the indented lines, as they are
}

func split(text string) []command {
	var out []command
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		trimmed := strings.TrimSpace(line)
		indented := line != "" && (line[0] == ' ' || line[0] == '\t')
		switch {
		case indented && len(out) > 0:
			out[len(out)-1].body = append(out[len(out)-1].body, line)
		case trimmed == "" && len(out) > 0 && out[len(out)-1].word == "rules":
			out[len(out)-1].body = append(out[len(out)-1].body, "")
		case trimmed == "" || trimmed[0] == '#':
		default:
			word, rest, _ := strings.Cut(trimmed, " ")
			out = append(out, command{line: i + 1, word: word, rest: strings.TrimSpace(rest)})
		}
	}
	return out
}

// text is what follows the word, with the indented lines joined and their comments left out.
func (c *command) text() string {
	words := []string{c.rest}
	for _, l := range c.body {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			words = append(words, l)
		}
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

type runner struct {
	res  *Result
	read ReadFile
	line int

	files   []rule.File
	all     bool // every match counts
	enable  bool // disabled rules are enabled
	base    string
	engine  *rule.Engine
	session *rule.Session

	ev       event.Event
	have     bool // an event was fed
	evLine   int
	fired    []*rule.Rule
	expected []string // by alert lines
	exact    bool     // the expectations name everything that fires
}

func (r *runner) fail(format string, args ...any) {
	r.res.Failures = append(r.res.Failures, Failure{r.res.Script, r.line, fmt.Sprintf(format, args...)})
}

func (r *runner) command(c command) error {
	switch c.word {
	case "load", "rules", "match", "enable", "event", "base":
		r.finish()
	}
	switch c.word {
	case "load":
		return r.load(strings.Fields(c.text()))
	case "rules":
		r.add(rule.File{Name: fmt.Sprintf("%s:%d", r.res.Script, c.line), Content: []byte(dedent(c.body))})
		return nil
	case "refused":
		return r.refused(c.text())
	case "match":
		r.all = c.rest == "all"
		r.engine = nil
		return wordOf(c.rest, "all", "first")
	case "enable":
		r.enable, r.engine = c.rest == "all", nil
		return wordOf(c.rest, "all", "written")
	case "base":
		r.base = c.text()
		return nil
	case "event":
		return r.event(c.text())
	}
	return r.expectation(c)
}

func wordOf(s string, words ...string) error {
	if !slices.Contains(words, s) {
		return fmt.Errorf("expected %s, not %q", strings.Join(words, " or "), s)
	}
	return nil
}

func (r *runner) load(names []string) error {
	for _, n := range names {
		b, err := r.read(n)
		if err != nil {
			return err
		}
		r.add(rule.File{Name: n, Content: b})
	}
	return nil
}

func (r *runner) add(f rule.File) {
	r.files = append(r.files, f)
	r.engine = nil
}

// dedent takes the blanks that all lines start with away.
func dedent(lines []string) string {
	indent := -1
	for _, l := range lines {
		if t := strings.TrimLeft(l, " "); t != "" && (indent < 0 || len(l)-len(t) < indent) {
			indent = len(l) - len(t)
		}
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l[min(max(indent, 0), len(l)):] + "\n")
	}
	return b.String()
}

// refused expects that the rules given so far do not load, with text in the message, and forgets them.
func (r *runner) refused(text string) error {
	r.res.Checks++
	_, report := rule.Load(r.files, rule.LoadOptions{})
	r.files, r.engine = nil, nil
	err := report.Err()
	if err == nil {
		return fmt.Errorf("the rules were accepted, want %q", text)
	}
	if d, ok := err.(*rule.Diagnostic); !ok || !strings.Contains(string(d.Code)+" "+err.Error(), text) {
		return fmt.Errorf("the rules were refused with\n\t%s\nwant %q", err, text)
	}
	return nil
}

// prepare compiles the rules, unless that was done already.
func (r *runner) prepare() error {
	if r.engine != nil {
		return nil
	}
	set, report := rule.Load(r.files, rule.LoadOptions{})
	if err := report.Err(); err != nil {
		r.files = nil
		return err
	}
	for i := range set.Rules {
		set.Rules[i].Enabled = set.Rules[i].Enabled || r.enable
	}
	r.engine = rule.NewEngine(set, rule.Config{AllMatches: r.all})
	r.session = r.engine.Session()
	for _, ru := range r.engine.Rules() {
		if !slices.Contains(r.res.Rules, ru.Name) {
			r.res.Rules = append(r.res.Rules, ru.Name)
		}
	}
	return nil
}

func (r *runner) event(text string) error {
	if err := r.prepare(); err != nil {
		return err
	}
	typ, rest, _ := strings.Cut(text, " ")
	if err := event.Parse(typ+" "+r.base+" "+rest, &r.ev); err != nil {
		return err
	}
	r.have, r.evLine, r.exact = true, r.line, false
	r.res.Events++
	r.fired = append(r.fired[:0], r.session.Match(&r.ev)...)
	for _, f := range r.fired {
		r.res.Fired[f.Name]++
	}
	return nil
}

func (r *runner) expectation(c command) error {
	text := c.text()
	if !r.have {
		return fmt.Errorf("%s without an event before it", c.word)
	}
	r.res.Checks++
	switch c.word {
	case "alert":
		r.exact = true
		r.expected = append(r.expected, text)
		return nil
	case "none":
		r.exact = true
		return nil
	case "fires", "misses":
		if !slices.ContainsFunc(r.engine.Rules(), func(f *rule.Rule) bool { return f.Name == text }) {
			return fmt.Errorf("there is no rule %q", text)
		}
		if hit := r.find(text) != nil; hit != (c.word == "fires") {
			return fmt.Errorf("rule %q: got %s, want %s (fired: %s)", text, word(hit), word(!hit), r.names())
		}
		return nil
	case "output", "field":
		return r.content(c.word, text)
	}
	return fmt.Errorf("unknown command %q", c.word)
}

func word(hit bool) string {
	if hit {
		return "a match"
	}
	return "no match"
}

func (r *runner) find(name string) *rule.Rule {
	for _, f := range r.fired {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func (r *runner) names() string {
	if len(r.fired) == 0 {
		return "none"
	}
	var names []string
	for _, f := range r.fired {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// content checks the alert of the rule that the last alert line names, or of the first that fired.
func (r *runner) content(what, want string) error {
	var f *rule.Rule
	if n := len(r.expected); n > 0 {
		f = r.find(r.expected[n-1])
	} else if len(r.fired) > 0 {
		f = r.fired[0]
	}
	if f == nil {
		return fmt.Errorf("%s: no rule fired", what)
	}
	a := r.session.Alert(&r.ev, f)
	if what == "output" {
		if !strings.Contains(a.Output, want) {
			return fmt.Errorf("output\n\t%s\ndoes not hold\n\t%s", a.Output, want)
		}
		return nil
	}
	name, value, _ := strings.Cut(want, "=")
	v, ok := a.Field(name)
	if got := v.Text; !ok || got != value {
		return fmt.Errorf("field %s: got %q (there: %t), want %q", name, got, ok, value)
	}
	return nil
}

// finish compares what the last event fired with what alert lines named.
func (r *runner) finish() {
	if !r.have || !r.exact {
		r.have, r.expected = false, nil
		return
	}
	var got []string
	for _, f := range r.fired {
		got = append(got, f.Name)
	}
	if !slices.Equal(got, r.expected) {
		line := r.line
		r.line = r.evLine
		r.fail("got alerts %q, want %q", got, r.expected)
		r.line = line
	}
	r.have, r.expected = false, nil
}

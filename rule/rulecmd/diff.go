package rulecmd

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/filter"
)

type diffReport struct {
	Added   []string     `json:"added"`
	Removed []string     `json:"removed"`
	Changed []ruleChange `json:"changed"`
	Events  int          `json:"events"`
	Fires   []fireChange `json:"fires_differently"`
}

type ruleChange struct {
	Rule string   `json:"rule"`
	What []string `json:"what"`
}

type fireChange struct {
	Line  int      `json:"line"` // of the events
	Event string   `json:"event"`
	Old   []string `json:"old_only"`
	New   []string `json:"new_only"`
}

// maxEventLine is the longest event that Diff reads, in bytes.
const maxEventLine = 1 << 20

// Diff compares two states of a rule set: which rules differ, and on events, one a line in the text format, which rules
// fire in one state alone. events may be nil. same is false where anything differs.
func Diff(o Output, before, after []rule.File, events io.Reader, progress Progress) (same bool, err error) {
	oldSet, err := loaded(before)
	if err != nil {
		return false, fmt.Errorf("old rules: %w", err)
	}
	newSet, err := loaded(after)
	if err != nil {
		return false, fmt.Errorf("new rules: %w", err)
	}
	d := &diffReport{Added: []string{}, Removed: []string{}, Changed: []ruleChange{}, Fires: []fireChange{}}
	d.sets(oldSet, newSet)
	if events != nil {
		if err := d.replay(oldSet, newSet, events, progress); err != nil {
			return false, err
		}
	}
	same = len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Fires) == 0
	if o.JSON {
		return same, o.json(d)
	}
	return same, d.print(o)
}

func (d *diffReport) sets(before, after *rule.Set) {
	for i := range after.Rules {
		n := &after.Rules[i]
		o := before.Rule(n.Name)
		if o == nil {
			d.Added = append(d.Added, n.Name)
			continue
		}
		var what []string
		for _, f := range []struct{ name, old, new string }{
			{"condition", filter.Print(o.Expr), filter.Print(n.Expr)}, {"output", o.Output, n.Output},
			{"priority", o.Priority.String(), n.Priority.String()}, {"tags", strings.Join(o.Tags, " "), strings.Join(n.Tags, " ")},
			{"enabled", fmt.Sprint(o.Enabled), fmt.Sprint(n.Enabled)}, {"desc", o.Desc, n.Desc},
		} {
			if f.old != f.new {
				what = append(what, f.name)
			}
		}
		if len(what) > 0 {
			d.Changed = append(d.Changed, ruleChange{n.Name, what})
		}
	}
	for i := range before.Rules {
		if after.Rule(before.Rules[i].Name) == nil {
			d.Removed = append(d.Removed, before.Rules[i].Name)
		}
	}
}

func (d *diffReport) replay(before, after *rule.Set, events io.Reader, progress Progress) error {
	oldSession := rule.NewEngine(before, rule.Config{AllMatches: true}).Session()
	newSession := rule.NewEngine(after, rule.Config{AllMatches: true}).Session()
	in := bufio.NewScanner(events)
	in.Buffer(nil, maxEventLine)
	var e event.Event
	for line := 1; in.Scan(); line++ {
		text := strings.TrimSpace(in.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if err := event.Parse(text, &e); err != nil {
			return fmt.Errorf("event in line %d: %w", line, err)
		}
		d.Events++
		was, is := ruleNames(oldSession.Match(&e)), ruleNames(newSession.Match(&e))
		if lost, won := without(was, is), without(is, was); len(lost)+len(won) > 0 {
			d.Fires = append(d.Fires, fireChange{line, text, lost, won})
		}
		progress.tell(line, 0)
	}
	return in.Err()
}

func ruleNames(rules []*rule.Rule) []string {
	out := make([]string, 0, len(rules))
	for _, r := range rules {
		out = append(out, r.Name)
	}
	return out
}

func without(list, other []string) []string {
	out := []string{}
	for _, s := range list {
		if !slices.Contains(other, s) {
			out = append(out, s)
		}
	}
	return out
}

func (d *diffReport) print(o Output) error {
	var b strings.Builder
	for _, n := range d.Removed {
		fmt.Fprintf(&b, "- rule %s\n", n)
	}
	for _, n := range d.Added {
		fmt.Fprintf(&b, "+ rule %s\n", n)
	}
	for _, c := range d.Changed {
		fmt.Fprintf(&b, "~ rule %s: %s\n", c.Rule, strings.Join(c.What, ", "))
	}
	for _, f := range d.Fires {
		fmt.Fprintf(&b, "event in line %d: %s\n", f.Line, f.Event)
		for _, n := range f.Old {
			fmt.Fprintf(&b, "    - %s\n", n)
		}
		for _, n := range f.New {
			fmt.Fprintf(&b, "    + %s\n", n)
		}
	}
	fmt.Fprintf(&b, "%d rules added, %d removed, %d changed; %d of %d events fire differently\n", len(d.Added), len(d.Removed), len(d.Changed), len(d.Fires), d.Events)
	_, err := io.WriteString(o.W, safe(b.String()))
	return err
}

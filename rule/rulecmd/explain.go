package rulecmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/match"
	"github.com/eyrie-sec/eyrie/rule/program"
)

type explanation struct {
	Rule       string   `json:"rule"`
	Desc       string   `json:"desc"`
	File       string   `json:"file"`
	Line       int      `json:"line"`
	Priority   string   `json:"priority"`
	Enabled    bool     `json:"enabled"`
	Tags       []string `json:"tags"`
	Exceptions []string `json:"exceptions"`
	Macros     []string `json:"macros"`
	Condition  string   `json:"condition"` // macros, lists and exceptions replaced
	AllEvents  bool     `json:"all_events"`
	Events     []string `json:"events"`
	Fields     []string `json:"fields"`
	Output     string   `json:"output"`
	Checks     int      `json:"checks"`
	Cost       float32  `json:"cost_ns"` // expected nanoseconds for an event of its types
}

// Explain shows one rule: its condition with everything replaced, the event types and fields it looks at, what it costs.
func Explain(o Output, files []rule.File, name string) error {
	set, err := loaded(files)
	if err != nil {
		return err
	}
	r := set.Rule(name)
	if r == nil {
		return unknownRule(set, name)
	}
	x := explain(r)
	if o.JSON {
		return o.json(x)
	}
	state := "enabled"
	if !x.Enabled {
		state = "disabled"
	}
	events := strings.Join(x.Events, ", ")
	if x.AllEvents {
		events = "every event type"
	}
	_, err = fmt.Fprintf(o.W, "%s\n%s:%d, %s, %s\n\n%s\n\nfires when\n%s\n\nevent types: %s\nfields: %s\nmacros: %s\nexceptions: %s\ntags: %s\noutput: %s\ncost: %d checks, about %.0f ns for an event of its types\n",
		safe(x.Rule), safe(x.File), x.Line, x.Priority, state, safe(strings.TrimSpace(x.Desc)), safe(indent(r.Expr)), events,
		strings.Join(x.Fields, ", "), strings.Join(x.Macros, ", "), safe(strings.Join(x.Exceptions, ", ")), safe(strings.Join(x.Tags, ", ")), safe(x.Output), x.Checks, x.Cost)
	return err
}

func unknownRule(set *rule.Set, name string) error {
	var names []string
	for i := range set.Rules {
		names = append(names, set.Rules[i].Name)
	}
	if near := field.NearestOf(name, names); near != "" {
		return fmt.Errorf("no rule %q: did you mean %q?", name, near)
	}
	return fmt.Errorf("no rule %q", name)
}

func explain(r *rule.Rule) *explanation {
	x := &explanation{
		Rule: r.Name, Desc: r.Desc, File: r.File, Line: r.Line, Priority: r.Priority.String(), Enabled: r.Enabled, Tags: r.Tags,
		Exceptions: r.Exceptions, Macros: r.Macros, Condition: filter.Print(r.Expr), Output: r.Output,
		AllEvents: match.TooMany(r.Events) && r.Events != field.EventSet{}, Events: r.Events.Names(),
	}
	filter.Walk(r.Expr, func(e filter.Expr) bool {
		switch e := e.(type) {
		case *filter.Field:
			if !slices.Contains(x.Fields, e.String()) {
				x.Fields = append(x.Fields, e.String())
			}
		case *filter.Check:
			x.Checks++
		}
		return true
	})
	slices.Sort(x.Fields)
	prog := program.Compile([]program.Condition{{Node: r.Node, Events: r.Events}})
	for _, t := range r.Events.Types() {
		x.Cost = max(x.Cost, prog.Expect(t))
	}
	return x
}

// indent writes a condition over several lines, two blanks deeper for each level.
func indent(e filter.Expr) string {
	var b strings.Builder
	indentTo(&b, e, "  ")
	return strings.TrimRight(b.String(), "\n")
}

func indentTo(b *strings.Builder, e filter.Expr, pad string) {
	join := func(word string, args []filter.Expr) {
		b.WriteString(pad + word + "\n")
		for _, a := range args {
			indentTo(b, a, pad+"  ")
		}
	}
	switch e := e.(type) {
	case *filter.And:
		join("all of", e.Args)
	case *filter.Or:
		join("any of", e.Args)
	case *filter.Not:
		if _, ok := e.Arg.(*filter.Check); ok {
			b.WriteString(pad + "not " + filter.Print(e.Arg) + "\n")
			return
		}
		join("not", []filter.Expr{e.Arg})
	default:
		b.WriteString(pad + filter.Print(e) + "\n")
	}
}

type listedField struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Class    string `json:"class"`
	Argument string `json:"argument"`
	List     bool   `json:"list"`
	Desc     string `json:"desc"`
}

var argumentForms = map[field.Arg]string{
	field.ArgNone: "", field.ArgIndex: "[N], optional", field.ArgKey: "[NAME] or [N], optional",
	field.ArgRequired: "[NAME] or [N]", field.ArgEvent: ".NAME or [N]", field.ArgPath: ".src or .dst, optional",
	field.ArgSubsystem: ".NAME", field.ArgNumber: "[N]",
}

// Fields lists the fields that rules can use, those of one class where class is not empty.
func Fields(o Output, class string) error {
	var out []listedField
	for id := field.ID(0); int(id) < field.Count; id++ {
		f := id.Info()
		if f.Flags&field.Hidden != 0 || class != "" && f.Class != class {
			continue
		}
		out = append(out, listedField{f.Name, f.Type.String(), f.Class, argumentForms[f.Arg], f.Flags&field.List != 0, f.Desc})
	}
	if len(out) == 0 {
		return fmt.Errorf("no class %q: there are %s", class, strings.Join(field.Classes(), ", "))
	}
	if o.JSON {
		return o.json(out)
	}
	last := ""
	for _, f := range out {
		if f.Class != last {
			if _, err := fmt.Fprintf(o.W, "\n%s\n", f.Class); err != nil {
				return err
			}
			last = f.Class
		}
		name := f.Name
		if f.Argument != "" {
			name += " " + f.Argument
		}
		if _, err := fmt.Fprintf(o.W, "  %-44s %-9s %s\n", name, f.Type, f.Desc); err != nil {
			return err
		}
	}
	return nil
}

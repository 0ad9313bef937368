// Package rule is Falco's rule language complete: rule files and events come in, alerts go out. It is the face of the
// packages below it: load reads files, filter reads conditions, field is the table of fields and event types, event is
// one event, match binds conditions and says what is right, program evaluates them fast. An Engine is a loaded set compiled for speed; a Holder swaps engines while they are used.
//
// The package reads no files, no clock and no kernel. Files that cannot be used give a report and never an engine;
// evaluating an event cannot fail and does not allocate unless a rule matches, uses an operator that has to (regex), or
// the event is the first that asks for a part of the engine that is not compiled yet.
package rule

import (
	"slices"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/load"
	"github.com/eyrie-sec/eyrie/rule/match"
	"github.com/eyrie-sec/eyrie/rule/program"
)

// The types of the packages below that callers of this one need.
type (
	// Event is one event, filled by whoever has seen it.
	Event = event.Event
	// File is one rule file.
	File = load.File
	// LoadOptions say what rules may rely on.
	LoadOptions = load.Options
	// Report says what is wrong with rule files.
	Report = load.Report
	// Diagnostic is one error or warning of a report.
	Diagnostic = load.Diagnostic
	// Set is what rule files define together.
	Set = load.Set
	// Rule is one rule of a set.
	Rule = load.Rule
)

// Load reads rule files in their order, each on top of those before. The set may be used where the report is OK.
func Load(files []File, opts LoadOptions) (*Set, *Report) { return load.Load(files, opts) }

// Config says how an engine reports matches. The zero value is Falco's stock configuration.
type Config struct {
	AllMatches  bool            // rule_matching: all; else only the first matching rule of the set counts
	Hostname    string          // of alerts
	MinPriority *falco.Priority // rules below it are left out; nil leaves out none
}

// Engine is a set of rules, compiled as far as events have asked for it. Its answers never change, and it may be used by
// any number of goroutines, each with a Session.
type Engine struct {
	cfg   Config
	rules []*Rule // enabled ones
	prog  *program.Program
}

// NewEngine compiles the enabled rules of a set, which must come from a report that is OK.
func NewEngine(set *Set, cfg Config) *Engine {
	g := &Engine{cfg: cfg}
	var conds []program.Condition
	for i := range set.Rules {
		r := &set.Rules[i]
		if !r.Enabled || cfg.MinPriority != nil && r.Priority > *cfg.MinPriority {
			continue
		}
		g.rules = append(g.rules, r)
		conds = append(conds, program.Condition{Node: r.Node, Events: r.Events})
	}
	g.prog = program.Compile(conds)
	return g
}

// Rules are the rules that the engine evaluates, in the order of the set.
func (g *Engine) Rules() []*Rule { return slices.Clone(g.rules) }

// Watches says whether any rule can match events of type t. A sensor need not deliver others.
func (g *Engine) Watches(t field.EventType) bool { return g.prog.Watches(t) }

// EventTypes is the set of event types that any rule can match.
func (g *Engine) EventTypes() field.EventSet {
	var s field.EventSet
	for t := 1; t < field.EventCount(); t++ {
		if g.prog.Watches(field.EventType(t)) {
			s.Add(field.EventType(t))
		}
	}
	return s
}

// Prepare compiles at once what sessions otherwise compile when the first event of a type and shape asks for it. It may
// run beside sessions, and is for callers who would rather wait before an engine is put to use.
func (g *Engine) Prepare() { g.prog.Prepare() }

// Session evaluates events with an engine. It is for one goroutine.
type Session struct {
	g    *Engine
	eval *program.Evaluator
	out  []*Rule
	text []byte
}

// Session makes a session.
func (g *Engine) Session() *Session {
	return &Session{g: g, eval: program.NewEvaluator(g.prog)}
}

// Match lists the rules that match e: all of them, or the first, as the engine is configured. The list is valid until
// the next call.
func (s *Session) Match(e *Event) []*Rule {
	hits := s.eval.Eval(e)
	if len(hits) == 0 {
		return nil
	}
	if !s.g.cfg.AllMatches {
		hits = hits[:1]
	}
	s.out = s.out[:0]
	for _, i := range hits {
		s.out = append(s.out, s.g.rules[i])
	}
	return s.out
}

// Alert makes the alert that r, which has matched e, gives. The alert keeps nothing of e.
func (s *Session) Alert(e *Event, r *Rule) *falco.Alert {
	t := time.Unix(0, e.Time).UTC()
	s.text = t.AppendFormat(s.text[:0], "15:04:05.000000000: ")
	s.text = append(append(s.text, r.Priority.String()...), ' ')
	scratch := s.eval.Scratch()
	scratch.Reset()
	s.text = r.Template.AppendText(s.text, e, scratch)
	a := &falco.Alert{
		Time: t, Rule: r.Name, Priority: r.Priority, Source: r.Source, Hostname: s.g.cfg.Hostname,
		Output: strings.ToValidUTF8(string(s.text), "\uFFFD"), Tags: slices.Clone(r.Tags),
	}
	if a.Tags == nil {
		a.Tags = []string{}
	}
	a.Fields = outputFields(e, r, scratch)
	return a
}

// outputFields are the fields of the output and the time, sorted by name, each once.
func outputFields(e *Event, r *Rule, scratch *match.Scratch) []falco.Field {
	fields := []falco.Field{{Name: "evt.time", Value: timeOperand.Value(e, scratch)}}
	r.Template.Operands(func(name string, o *match.Operand) {
		fields = append(fields, falco.Field{Name: name, Value: o.Value(e, scratch)})
	})
	slices.SortStableFunc(fields, func(a, b falco.Field) int { return strings.Compare(a.Name, b.Name) })
	fields = slices.CompactFunc(fields, func(a, b falco.Field) bool { return a.Name == b.Name })
	for i := range fields {
		fields[i].Value.Text = strings.Clone(fields[i].Value.Text)
	}
	return fields
}

// timeOperand is evt.time, which every alert has among its fields.
var timeOperand = func() *match.Operand {
	o, err := match.ResolveField("evt.time", "")
	if err != nil {
		panic(err) // the table has the field
	}
	return o
}()

package match

import (
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
)

// EventTypes finds the event types that a condition, with its macros replaced, can hold for. It looks at comparisons of
// evt.type and syscall.type with literals; everything else can hold for any type. Negations are pushed down to the checks.
func EventTypes(e filter.Expr) (field.EventSet, error) {
	return eventTypes(e, false)
}

func eventTypes(e filter.Expr, negated bool) (field.EventSet, error) {
	switch e := e.(type) {
	case *filter.And:
		return combine(e.Args, negated, !negated)
	case *filter.Or:
		return combine(e.Args, negated, negated)
	case *filter.Not:
		return eventTypes(e.Arg, !negated)
	case *filter.Check:
		return checkTypes(e, negated)
	}
	return field.AllEvents(), nil
}

func combine(args []filter.Expr, negated, all bool) (field.EventSet, error) {
	var out field.EventSet
	if all {
		out = field.AllEvents()
	}
	for _, a := range args {
		s, err := eventTypes(a, negated)
		if err != nil {
			return out, err
		}
		if all {
			out = out.Intersect(s)
		} else {
			out = out.Union(s)
		}
	}
	return out, nil
}

func checkTypes(c *filter.Check, negated bool) (field.EventSet, error) {
	everything := field.AllEvents()
	decides := c.Mod == "" && (c.Op == "=" || c.Op == "==" || c.Op == "!=" || c.Op == "in")
	if !decides && c.Op != "exists" {
		return everything, nil
	}
	about, err := isTypeField(c.Left)
	if err != nil {
		return everything, err
	}
	if c.Op == "exists" && about && negated {
		return field.EventSet{}, nil
	}
	if !decides || !about {
		return everything, nil
	}
	var names []string
	switch right := c.Right.(type) {
	case *filter.Value:
		names = []string{right.Text}
	case *filter.List:
		names = right.Values
	default:
		return everything, at(errorf("right-hand field comparisons on `evt.type`/`syscall.type` checks are not supported by event code search"), c.At)
	}
	var s field.EventSet
	for _, n := range names {
		if t, ok := field.EventByName(n); ok {
			s.Add(t)
		}
	}
	if negated != (c.Op == "!=") {
		s = s.Invert()
	}
	return s, nil
}

// isTypeField says whether e is evt.type or syscall.type itself; within a transformer they cannot be followed.
func isTypeField(e filter.Expr) (bool, error) {
	switch e := e.(type) {
	case *filter.Field:
		return e.Arg == "" && (e.Name == "evt.type" || e.Name == "syscall.type"), nil
	case *filter.Call:
		for _, a := range e.Args {
			if about, err := isTypeField(a); about || err != nil {
				return false, at(errorf("event code search does not support `evt.type` checks with transformers"), e.At)
			}
		}
	}
	return false, nil
}

// TooMany says whether a rule that can hold for these types is evaluated so often, or so never, that it deserves a
// warning. Falco counts entry and exit apart and all generic calls as one, and warns above 100 or at none.
func TooMany(s field.EventSet) bool {
	codes, generic := 0, false
	for _, t := range s.Types() {
		switch t.Info().Kind {
		case field.KindGeneric:
			generic = true
		case field.KindSyscall:
			codes += 2
		default:
			codes++
		}
	}
	return codes > 100 || codes == 0 && !generic
}

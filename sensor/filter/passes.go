package filter

import (
	"slices"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// Call is what the kernel knows of a call when it decides. The zero value of a member stands for what is not known
// except where it says otherwise.
type Call struct {
	Failed  bool
	Classes []Class  // that it is of; nil: of any
	Paths   []string // in normal form; where the call has none in that form, it passes
	Process string   // name of the process when it started, of which 15 bytes count; "": not known
}

// Passes says what the kernel answers for a call: the reference that its programs are tested against.
func (f *Filter) Passes(t field.EventType, c Call) bool {
	if !f.Types.Has(t) {
		return false
	}
	g, ok := f.Gates[t]
	if !ok {
		return true
	}
	byClass := g.Wanted[0]
	if c.Failed {
		byClass = g.Wanted[1]
	}
	wanted := byClass[AnyClass]
	for class := AnyClass + 1; class < Classes; class++ {
		if c.Classes == nil || slices.Contains(c.Classes, class) {
			wanted |= byClass[class]
		}
	}
	if wanted>>Anything&1 != 0 {
		return true
	}
	for i := range f.Sets {
		if wanted>>i&1 != 0 && f.Sets[i].has(c) {
			return true
		}
	}
	return false
}

func (s *Set) has(c Call) bool {
	if s.Paths == nil {
		return c.Process == "" || slices.Contains(s.Names, commOf(c.Process))
	}
	return len(c.Paths) == 0 || slices.ContainsFunc(c.Paths, s.Paths.Has)
}

// Package program compiles many conditions into one graph and evaluates them together: bound conditions come in, and for
// every event the indexes of those that hold go out. Its results are those of match.Node.Eval, which a test compares it
// with; it only gets there faster. It knows nothing of rules, files or alerts and cannot fail. It allocates nothing for an
// event unless a condition uses patterns or lists that have to be built, or the event is the first to need a part of the
// program that is not compiled yet.
package program

import (
	"slices"
	"sync"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// Program is many conditions compiled together. It may be used by any number of Evaluators at the same time.
//
// Conditions are split by event type: for each type the comparisons of the type itself are worked out beforehand, and
// what cannot hold any more is dropped. Types for which the same is left share a plan. The rest is compiled when the
// first event asks for it, and kept: see plan.
type Program struct {
	conds  []Condition
	plans  []*plan
	byType []int16 // the plan of a type, noPlan where no condition can hold
	live   []bool  // by condition: whether it can hold for any type
	nodes  int

	mu     sync.Mutex // guards checks, and the building of plans and units
	checks *checkShop
}

// Condition is one condition given to Compile.
type Condition struct {
	Node   *match.Node
	Events field.EventSet // types that it can hold for; others are not looked at
}

const noPlan = -1

// Compile makes a program of conditions. Evaluators answer with indexes into them. The conditions must not change.
func Compile(conds []Condition) *Program {
	p := &Program{conds: slices.Clone(conds), live: make([]bool, len(conds)), byType: make([]int16, field.EventCount()),
		checks: newCheckShop()}
	c := newCompiler(p.checks, nil)
	byKey := map[string]int16{}
	var key []byte
	for t := range p.byType {
		p.byType[t] = noPlan
		rules := c.specialise(field.EventType(t), conds)
		if len(rules) == 0 {
			continue
		}
		key = appendKey(key[:0], rules)
		at, ok := byKey[string(key)]
		if !ok {
			at = int16(len(p.plans))
			byKey[string(key)] = at
			p.plans = append(p.plans, &plan{typ: field.EventType(t)})
		}
		p.byType[t] = at
		for _, r := range rules {
			p.live[r.index] = true
		}
	}
	p.nodes = len(c.nodes)
	return p
}

// appendKey writes what is left of the conditions for a type, in numbers of the compiler's nodes.
func appendKey(b []byte, rules []planned) []byte {
	for _, r := range rules {
		b = appendNumber(b, -3-r.index)
		for _, id := range r.conj {
			b = appendNumber(b, id)
		}
	}
	return b
}

func appendNumber(b []byte, n int32) []byte {
	return append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

// Watches says whether any condition can hold for events of type t.
func (p *Program) Watches(t field.EventType) bool {
	return int(t) < len(p.byType) && p.byType[t] != noPlan
}

// CanHold says whether the i-th condition can hold for any event at all.
func (p *Program) CanHold(i int) bool { return p.live[i] }

// Nodes is the number of different parts of all conditions.
func (p *Program) Nodes() int { return p.nodes }

// Prepare compiles what the first events would otherwise wait for. Evaluators do it on their own, piece by piece, and
// only for what events really ask for.
func (p *Program) Prepare() {
	for _, pl := range p.plans {
		p.prepare(pl)
		for i := range pl.units {
			p.unit(pl, i)
		}
	}
}

// Expect is what evaluating all conditions on an event of type t costs, in nanoseconds, by the same guesses that the
// program is arranged by. It is good for comparing conditions, not for capacity planning.
func (p *Program) Expect(t field.EventType) float32 {
	if !p.Watches(t) {
		return 0
	}
	pl := p.plans[p.byType[t]]
	p.prepare(pl)
	var sum float32
	for i := range pl.units {
		share := float32(1)
		for k, f := range pl.first {
			if i&(1<<k) != 0 {
				share *= f.chance
			} else {
				share *= 1 - f.chance
			}
		}
		sum += share * p.unit(pl, i).expect
	}
	for _, f := range pl.first {
		sum += f.cost
	}
	return sum
}

package program

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// plan is the conditions that can hold for some event types. The few cheap checks that most of them depend on are done
// first, and for each combination of their results there is a unit: the conditions with those results put in, what
// cannot hold dropped, and the rest arranged and compiled on its own. Units are made when the first event needs them, so
// that loading rules does not pay for combinations that never occur.
type plan struct {
	typ field.EventType // one of the types

	ready atomic.Bool // first, steps and units are set, and do not change any more
	first []firstCheck
	steps []step                 // of first
	units []atomic.Pointer[unit] // by the results of first, the i-th as bit i
}

type firstCheck struct {
	key          string // of the check
	cost, chance float32
}

// unit is conditions arranged for evaluation. It never changes.
type unit struct {
	root    *group // nil where no condition can hold
	steps   []step
	args    []int32 // of the steps
	classes []class
	expect  float32 // what evaluating it costs, in nanoseconds
}

const (
	minVariantRules = 8 // conditions of a plan that make variants worth having
	maxFirst        = 5 // checks done first, at most: there are 1<<maxFirst units
	minFirstUses    = 3 // conditions that depend on a check done first
)

// prepare chooses what is checked first.
func (p *Program) prepare(pl *plan) {
	if pl.ready.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.ready.Load() {
		return
	}
	c := newCompiler(p.checks, nil)
	if rules := c.specialise(pl.typ, p.conds); len(rules) >= minVariantRules {
		for _, id := range c.chooseFirst(rules) {
			n := &c.nodes[id]
			pl.first = append(pl.first, firstCheck{n.check.key, n.cost, n.chance})
			pl.steps = append(pl.steps, c.leaf(n))
		}
	}
	pl.units = make([]atomic.Pointer[unit], 1<<len(pl.first))
	pl.ready.Store(true)
}

// unit finds or makes a unit of a plan that is prepared.
func (p *Program) unit(pl *plan, variant int) *unit {
	if u := pl.units[variant].Load(); u != nil {
		return u
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := pl.units[variant].Load(); u != nil {
		return u
	}
	known := map[string]bool{}
	for k, f := range pl.first {
		known[f.key] = variant&(1<<k) != 0
	}
	c := newCompiler(p.checks, known)
	u := c.unit(c.specialise(pl.typ, p.conds))
	pl.units[variant].Store(u)
	return u
}

// chooseFirst finds the cheap checks that most rules depend on, wherever in their conditions, and whose outcome is open.
func (c *compiler) chooseFirst(rules []planned) []int32 {
	uses := make([]int, len(c.nodes))
	for _, r := range rules {
		for id, used := range c.reachable(r.conj) {
			n := &c.nodes[id]
			if used && n.op == opCheck && n.cost <= costEqual && n.chance >= 0.3 {
				uses[id]++
			}
		}
	}
	var out []int32
	for id, n := range uses {
		if n >= minFirstUses {
			out = append(out, int32(id))
		}
	}
	slices.SortStableFunc(out, func(a, b int32) int { return cmp.Compare(uses[b], uses[a]) })
	return out[:min(len(out), maxFirst)]
}

// reachable says which nodes the given ones need, themselves included.
func (c *compiler) reachable(ids []int32) []bool {
	seen := make([]bool, len(c.nodes))
	c.mark(ids, seen)
	return seen
}

func (c *compiler) mark(ids []int32, seen []bool) {
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			c.mark(c.nodes[id].args, seen)
		}
	}
}

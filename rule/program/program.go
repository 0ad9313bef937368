// Package program compiles many conditions into one graph and evaluates them together: bound conditions come in, and for
// every event the indexes of those that hold go out. Its results are those of match.Node.Eval, which a test compares it
// with; it only gets there faster. It knows nothing of rules, files or alerts, allocates nothing for an event unless a
// condition uses patterns or lists that have to be built, and cannot fail.
package program

import (
	"slices"
	"sort"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// Program is many conditions compiled together. It is made once, never changes, and may be used by any number of
// Evaluators at the same time.
//
// Conditions are split by event type: for each type the comparisons of the type itself are worked out beforehand, what
// cannot hold any more is dropped, and what is left is a graph in which equal parts of different conditions are one
// node, evaluated at most once an event. The conditions of a type are arranged by the parts that many of them ask for,
// so that one check can rule all of them out.
type Program struct {
	nodes   []pnode
	classes []*class
	plans   []*plan // by event type, nil where no condition can hold
	live    []bool  // by condition: whether it can hold for any type
}

// Condition is one condition given to Compile.
type Condition struct {
	Node   *match.Node
	Events field.EventSet // types that it can hold for; others are not looked at
}

type nodeOp uint8

const (
	opCheck nodeOp = iota
	opAnd
	opOr
	opNot
	opWord   // bit of a class's row
	opPrefix // bit of a class's prefixes
)

// pnode is a node of the graph.
type pnode struct {
	op     nodeOp
	shared bool  // more than one node or plan asks for it: its result is kept
	class  int16 // of opWord and opPrefix
	bit    int32
	args   []int32
	check  checker
	cost   float32 // expected nanoseconds
	chance float32 // guess of how often it holds, 0 to 1
}

// plan is how events of one type are evaluated: a few checks that most conditions depend on are done first, and for each
// combination of their results there is a group of its own in which they do not occur any more.
type plan struct {
	first    []int32
	variants []*group // by the results of first, the i-th as bit i; nil where no condition can hold
}

// group is a part of a plan: where guard holds, its rules and groups are looked at.
type group struct {
	guard   int32 // -1 for none
	groups  []*group
	indexed []planned // rules that need one of their bits
	union   []mask    // all those bits
	rules   []planned // the other rules
}

// planned is what is left of one condition after the guards above it.
type planned struct {
	index int32
	needs []mask // bits of which one has to be there, none for no such need
	conj  []int32
}

// Watches says whether any condition can hold for events of type t.
func (p *Program) Watches(t field.EventType) bool { return int(t) < len(p.plans) && p.plans[t] != nil }

// CanHold says whether the i-th condition can hold for any event at all.
func (p *Program) CanHold(i int) bool { return p.live[i] }

// Nodes is the number of different parts of all conditions.
func (p *Program) Nodes() int { return len(p.nodes) }

// Evaluator evaluates a program on one event after the other. It is for one goroutine.
type Evaluator struct {
	p       *Program
	nodes   []pnode
	memo    []uint32 // per node: epoch<<1 | result, from when it was last worked out
	classes []classState
	epoch   uint32
	hits    []int
	scratch match.Scratch
}

// NewEvaluator makes an evaluator of p.
func NewEvaluator(p *Program) *Evaluator {
	return &Evaluator{p: p, nodes: p.nodes, memo: make([]uint32, len(p.nodes)), classes: make([]classState, len(p.classes))}
}

// Eval lists the conditions that hold for e, by index in ascending order. The list is valid until the next call.
func (v *Evaluator) Eval(e *event.Event) []int {
	plan := v.p.plans[e.Type]
	if plan == nil {
		return nil
	}
	if v.epoch++; v.epoch == 1<<31 {
		clear(v.memo)
		clear(v.classes)
		v.epoch = 1
	}
	v.scratch.Reset()
	v.hits = v.hits[:0]
	variant := 0
	for i, id := range plan.first {
		if v.node(id, e) {
			variant |= 1 << i
		}
	}
	if g := plan.variants[variant]; g != nil {
		v.group(g, e)
	}
	if len(v.hits) > 1 {
		sort.Ints(v.hits)
	}
	return v.hits
}

// Scratch is the evaluator's memory for transformers, for use between two calls of Eval.
func (v *Evaluator) Scratch() *match.Scratch { return &v.scratch }

func (v *Evaluator) group(g *group, e *event.Event) {
	for _, sub := range g.groups {
		if v.node(sub.guard, e) {
			v.group(sub, e)
		}
	}
	for i := range g.rules {
		v.rule(&g.rules[i], e)
	}
	if len(g.indexed) == 0 || !v.any(g.union, e) {
		return
	}
	for i := range g.indexed {
		if r := &g.indexed[i]; v.any(r.needs, e) {
			v.rule(r, e)
		}
	}
}

func (v *Evaluator) rule(r *planned, e *event.Event) {
	for _, id := range r.conj {
		if !v.node(id, e) {
			return
		}
	}
	v.hits = append(v.hits, int(r.index))
}

func (v *Evaluator) node(id int32, e *event.Event) bool {
	n := &v.nodes[id]
	if !n.shared {
		return v.work(n, e)
	}
	if m := v.memo[id]; m>>1 == v.epoch {
		return m&1 != 0
	}
	res := v.work(n, e)
	m := v.epoch << 1
	if res {
		m |= 1
	}
	v.memo[id] = m
	return res
}

func (v *Evaluator) work(n *pnode, e *event.Event) bool {
	switch n.op {
	case opCheck:
		return n.check.check(e, &v.scratch)
	case opWord:
		row := v.class(int32(n.class), e).row
		return row != nil && row[n.bit>>6]&(1<<(n.bit&63)) != 0
	case opPrefix:
		return v.class(int32(n.class), e).prefixes[n.bit>>6]&(1<<(n.bit&63)) != 0
	case opNot:
		return !v.node(n.args[0], e)
	case opAnd:
		for _, a := range n.args {
			if !v.node(a, e) {
				return false
			}
		}
		return true
	}
	for _, a := range n.args {
		if v.node(a, e) {
			return true
		}
	}
	return false
}

// Expect is what evaluating all conditions on an event of type t costs, in nanoseconds, by the same guesses that the
// program is arranged by. It is good for comparing conditions, not for capacity planning.
func (p *Program) Expect(t field.EventType) float32 {
	if !p.Watches(t) {
		return 0
	}
	var sum float32
	for i, g := range p.plans[t].variants {
		share := float32(1)
		for k, id := range p.plans[t].first {
			if chance := p.nodes[id].chance; i&(1<<k) != 0 {
				share *= chance
			} else {
				share *= 1 - chance
			}
		}
		if g != nil {
			sum += share * p.expectGroup(g)
		}
	}
	for _, id := range p.plans[t].first {
		sum += p.nodes[id].cost
	}
	return sum
}

func (p *Program) expectGroup(g *group) float32 {
	sum := float32(len(g.union)) * costBit
	for _, r := range slices.Concat(g.rules, g.indexed) {
		reached := float32(1)
		for _, id := range r.conj {
			sum += reached * p.nodes[id].cost
			reached *= p.nodes[id].chance
		}
	}
	for _, sub := range g.groups {
		sum += p.nodes[sub.guard].cost + p.nodes[sub.guard].chance*p.expectGroup(sub)
	}
	return sum
}

package program

import (
	"math"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/match"
)

type stepOp uint8

const (
	stepBit stepOp = iota // of class a: bits of word b
	stepNot               // args[a]
	stepAnd               // args[a:b]
	stepOr
	stepCheck    // and what follows: checks, which depend on no other step
	stepRange    // lo <= number <= hi
	stepUnsigned // the same without the number's first a bits
	stepEqual    // text of the field, and word
	stepDiffers
	stepPrefix
	stepSuffix
	stepContains
)

// step is a node of a unit as it is evaluated: the common checks of plain fields without a call through an interface.
// It is as large as a cache line.
type step struct {
	op     stepOp
	keep   bool
	field  field.ID
	a, b   int32
	lo, hi int64
	word   string
	check  checker
}

// emit writes the nodes that a unit's groups name as steps, and renumbers the groups.
func (c *compiler) emit(u *unit) {
	at := make([]int32, len(c.nodes)) // one more than the step of a node
	var put func(id int32) int32
	put = func(id int32) int32 {
		if at[id] > 0 {
			return at[id] - 1
		}
		n := &c.nodes[id]
		args := make([]int32, len(n.args))
		for i, a := range n.args {
			args[i] = put(a)
		}
		s := c.leaf(n)
		s.keep = n.keep
		if len(args) > 0 {
			s.op = map[nodeOp]stepOp{opAnd: stepAnd, opOr: stepOr, opNot: stepNot}[n.op]
			s.a = int32(len(u.args))
			u.args = append(u.args, args...)
			s.b = int32(len(u.args))
		}
		u.steps = append(u.steps, s)
		at[id] = int32(len(u.steps))
		return at[id] - 1
	}
	u.root.renumber(put)
}

// renumber puts f of a node in the node's place.
func (g *group) renumber(f func(id int32) int32) {
	if g.guard >= 0 {
		g.guard = f(g.guard)
	}
	for _, rules := range [][]planned{g.rules, g.indexed} {
		for _, r := range rules {
			for i := range r.conj {
				r.conj[i] = f(r.conj[i])
			}
			for i := range r.needs.checks {
				r.needs.checks[i] = f(r.needs.checks[i])
			}
		}
	}
	for i := range g.union.checks {
		g.union.checks[i] = f(g.union.checks[i])
	}
	for _, sub := range g.groups {
		sub.renumber(f)
	}
}

// leaf is the step of a check or a bit.
func (c *compiler) leaf(n *node) step {
	switch n.op {
	case opBit:
		return step{op: stepBit, a: int32(n.class), b: n.bit >> 6, lo: 1 << (n.bit & 63)}
	case opCheck:
		return n.check.step()
	}
	return step{}
}

func (k *check) step() step {
	if k.test != nil {
		if s, ok := textStep(k); ok {
			return s
		}
		if s, ok := numberStep(k.test); ok {
			return s
		}
	} else if len(k.words) == 1 {
		if s, ok := wordStep(k.src, map[mergeKind]stepOp{mergeEqual: stepEqual, mergePrefix: stepPrefix, mergeSuffix: stepSuffix}[k.kind], k.words[0]); ok {
			return s
		}
	}
	return step{op: stepCheck, check: k.checker()}
}

var textSteps = map[match.Op]stepOp{match.Eq: stepEqual, match.Ne: stepDiffers, match.In: stepEqual,
	match.Intersects: stepEqual, match.StartsWith: stepPrefix, match.BStartsWith: stepPrefix, match.EndsWith: stepSuffix,
	match.Contains: stepContains, match.BContains: stepContains}

func textStep(k *check) (step, bool) {
	op, ok := textSteps[k.test.Op]
	if !ok {
		return step{}, false
	}
	text, ok := k.test.Text()
	if !ok || len(text.Words) != 1 {
		return step{}, false
	}
	return wordStep(source(text.Source), op, text.Words[0])
}

func wordStep(src source, op stepOp, word string) (step, bool) {
	if src.Kind != match.FromField {
		return step{}, false
	}
	return step{op: op, field: src.Field, word: word}, true
}

// numberStep writes comparisons of numbers as ranges.
func numberStep(t *match.Test) (step, bool) {
	n, ok := t.Number()
	if !ok {
		return step{}, false
	}
	s := step{op: stepRange, field: n.Field, lo: math.MinInt64, hi: math.MaxInt64}
	if !n.Type.Signed() {
		bits := n.Type.Bits()
		if s.op, s.a, s.lo = stepUnsigned, int32(64-bits), 0; bits == 64 || n.Value < 0 || n.Value>>bits != 0 {
			return s, false
		}
	}
	switch t.Op {
	case match.Eq:
		s.lo, s.hi = n.Value, n.Value
	case match.Lt:
		s.hi = n.Value - 1
		ok = n.Value > math.MinInt64
	case match.Le:
		s.hi = n.Value
	case match.Gt:
		s.lo = n.Value + 1
		ok = n.Value < math.MaxInt64
	case match.Ge:
		s.lo = n.Value
	default:
		return step{}, false
	}
	return s, ok
}

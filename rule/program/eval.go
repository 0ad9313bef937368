package program

import (
	"sort"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// Evaluator evaluates a program on one event after the other. It is for one goroutine.
type Evaluator struct {
	p       *Program
	plans   []openPlan
	hits    []int
	scratch match.Scratch
}

// openPlan is a plan as an Evaluator uses it.
type openPlan struct {
	first []step
	runs  []*run // by the results of first; nil for units that were not needed yet
}

// run is a unit with the results for the event that is evaluated.
type run struct {
	*unit
	v     *Evaluator
	epoch uint32
	memo  []uint32 // per step: epoch<<1 | result, from when it was last worked out
	found []classState
}

// NewEvaluator makes an evaluator of p.
func NewEvaluator(p *Program) *Evaluator {
	return &Evaluator{p: p, plans: make([]openPlan, len(p.plans))}
}

// Eval lists the conditions that hold for e, by index in ascending order. The list is valid until the next call. The
// first events of a type wait for what they need to be compiled.
func (v *Evaluator) Eval(e *event.Event) []int {
	at := v.p.byType[e.Type]
	if at == noPlan {
		return nil
	}
	pl := &v.plans[at]
	if pl.runs == nil {
		v.open(at)
	}
	v.scratch.Reset()
	variant := 0
	for i := range pl.first {
		if pl.first[i].holds(e, &v.scratch) {
			variant |= 1 << i
		}
	}
	r := pl.runs[variant]
	if r == nil {
		r = v.run(at, variant)
	}
	if r.root == nil {
		return nil
	}
	if r.epoch++; r.epoch == 1<<31 {
		clear(r.memo)
		clear(r.found)
		r.epoch = 1
	}
	v.hits = v.hits[:0]
	r.group(r.root, e)
	if len(v.hits) > 1 {
		sort.Ints(v.hits)
	}
	return v.hits
}

func (v *Evaluator) open(at int16) {
	pl := v.p.plans[at]
	v.p.prepare(pl)
	v.plans[at] = openPlan{pl.steps, make([]*run, len(pl.units))}
}

func (v *Evaluator) run(at int16, variant int) *run {
	u := v.p.unit(v.p.plans[at], variant)
	r := &run{unit: u, v: v, memo: make([]uint32, len(u.steps)), found: make([]classState, len(u.classes))}
	v.plans[at].runs[variant] = r
	return r
}

// Scratch is the evaluator's memory for transformers, for use between two calls of Eval.
func (v *Evaluator) Scratch() *match.Scratch { return &v.scratch }

func (r *run) group(g *group, e *event.Event) {
	for _, sub := range g.groups {
		if r.holds(sub.guard, e) {
			r.group(sub, e)
		}
	}
	for i := range g.rules {
		if p := &g.rules[i]; r.all(p.conj, e) {
			r.v.hits = append(r.v.hits, int(p.index))
		}
	}
	if len(g.indexed) == 0 || !r.any(&g.union, e) {
		return
	}
	for i := range g.indexed {
		if p := &g.indexed[i]; r.any(&p.needs, e) && r.all(p.conj, e) {
			r.v.hits = append(r.v.hits, int(p.index))
		}
	}
}

// any says whether any of the needs holds.
func (r *run) any(n *needs, e *event.Event) bool {
	for i := range n.masks {
		m := &n.masks[i]
		if r.class(m.class, e).bits[m.word&1]&m.bits != 0 {
			return true
		}
	}
	for _, id := range n.checks {
		if r.holds(id, e) {
			return true
		}
	}
	return false
}

// class is what a class says of e, worked out on the first question.
func (r *run) class(id int32, e *event.Event) *classState {
	st := &r.found[id]
	if st.epoch != r.epoch {
		r.lookUp(id, st, e)
	}
	return st
}

//go:noinline // so that class is small enough to be inlined
func (r *run) lookUp(id int32, st *classState, e *event.Event) {
	st.epoch = r.epoch
	r.classes[id].lookUp(st, e)
}

func (r *run) holds(id int32, e *event.Event) bool {
	s := &r.steps[id]
	if s.op >= stepCheck && !s.keep {
		return s.holds(e, &r.v.scratch)
	}
	if s.op == stepBit {
		return r.class(s.a, e).bits[s.b&1]&uint64(s.lo) != 0
	}
	return r.worked(id, s, e)
}

// worked is the result of a step that depends on others, or is kept.
func (r *run) worked(id int32, s *step, e *event.Event) (res bool) {
	if s.keep && r.memo[id]>>1 == r.epoch {
		return r.memo[id]&1 != 0
	}
	switch s.op {
	case stepNot:
		res = !r.holds(r.args[s.a], e)
	case stepAnd:
		res = r.all(r.args[s.a:s.b], e)
	case stepOr:
		for _, a := range r.args[s.a:s.b] {
			if r.holds(a, e) {
				res = true
				break
			}
		}
	default:
		res = s.holds(e, &r.v.scratch)
	}
	if s.keep {
		m := r.epoch << 1
		if res {
			m |= 1
		}
		r.memo[id] = m
	}
	return res
}

func (r *run) all(ids []int32, e *event.Event) bool {
	for _, id := range ids {
		if !r.holds(id, e) {
			return false
		}
	}
	return true
}

// holds evaluates a step that is a check.
func (s *step) holds(e *event.Event, scratch *match.Scratch) bool {
	switch s.op {
	case stepRange, stepUnsigned:
		n, ok := e.KnownNumber(s.field)
		if !ok {
			if n, ok = match.FieldNumber(e, s.field); !ok {
				return false
			}
		}
		if s.op == stepUnsigned {
			n = int64(uint64(n) << s.a >> s.a)
		}
		return n >= s.lo && n <= s.hi
	case stepCheck:
		return s.check.check(e, scratch)
	}
	t, ok := e.Known(s.field)
	if !ok {
		if t, ok = e.Text(s.field); !ok {
			return false
		}
	}
	switch s.op {
	case stepEqual:
		return t == s.word
	case stepDiffers:
		return t != s.word
	case stepPrefix:
		return strings.HasPrefix(t, s.word)
	case stepSuffix:
		return strings.HasSuffix(t, s.word)
	}
	return strings.Contains(t, s.word)
}

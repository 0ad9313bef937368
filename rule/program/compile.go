package program

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// Compile makes a program of conditions. Evaluators answer with indexes into them.
func Compile(conds []Condition) *Program {
	c := &compiler{p: &Program{plans: make([]*plan, field.EventCount()), live: make([]bool, len(conds))}, byKey: map[string]int32{}, fixed: map[string]map[*match.Node]int32{}, names: map[int32]string{}}
	drafts := make([]draft, len(c.p.plans))
	for t := range drafts {
		drafts[t] = c.draft(field.EventType(t), conds)
	}
	c.classify(c.reachable(drafts))
	for t := range drafts {
		c.p.plans[t] = c.finish(&drafts[t])
	}
	c.countUses()
	return c.p
}

func (c *compiler) finish(d *draft) *plan {
	p := &plan{first: d.first, variants: make([]*group, len(d.variants))}
	any := false
	for i, rules := range d.variants {
		if len(rules) > 0 {
			any = true
			p.variants[i] = c.arrange(-1, rules, 0)
		}
	}
	if !any {
		return nil
	}
	return p
}

// reachable says which nodes the conditions of any type need.
func (c *compiler) reachable(drafts []draft) []bool {
	seen := make([]bool, len(c.p.nodes))
	var mark func(ids []int32)
	mark = func(ids []int32) {
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				mark(c.p.nodes[id].args)
			}
		}
	}
	for _, d := range drafts {
		mark(d.first)
		for _, rules := range d.variants {
			for _, r := range rules {
				mark(r.conj)
			}
		}
	}
	return seen
}

type compiler struct {
	p     *Program
	byKey map[string]int32
	cache map[*match.Node]int32            // nodes already specialised for the current type
	fixed map[string]map[*match.Node]int32 // nodes that do not look at the type, by what is assumed
	typ   field.EventType
	probe event.Event // of the current type, without values

	names  map[int32]string // of checks: what Test.Key is
	assume map[string]bool  // checks whose result is known, by name

	untyped map[*match.Node]int32 // the one of fixed for what is assumed now
}

// suppose sets what is known of checks from here on.
func (c *compiler) suppose(known map[string]bool) {
	c.assume = known
	var key strings.Builder
	for _, name := range slices.Sorted(maps.Keys(known)) {
		fmt.Fprintf(&key, "%s\x00%t\x00", name, known[name])
	}
	c.untyped = c.fixed[key.String()]
	if c.untyped == nil {
		c.untyped = map[*match.Node]int32{}
		c.fixed[key.String()] = c.untyped
	}
}

// Results of specialising that are no nodes.
const (
	never  int32 = -1
	always int32 = -2
)

// specialise lists the conditions that can hold for events of type t, with what is left of them.
func (c *compiler) specialise(t field.EventType, conds []Condition) []planned {
	if t == field.NoEvent {
		return nil
	}
	c.probe.Type = t
	c.typ, c.cache = t, map[*match.Node]int32{}
	var rules []planned
	for i := range conds {
		if !conds[i].Events.Has(t) {
			continue
		}
		id := c.node(conds[i].Node)
		switch id {
		case never:
		case always:
			rules = append(rules, planned{index: int32(i)})
		default:
			if conj := c.conjuncts(id, nil); !c.contradicts(conj) {
				rules = append(rules, planned{index: int32(i), conj: conj})
			}
		}
	}
	for _, r := range rules {
		c.p.live[r.index] = true
	}
	return rules
}

// node specialises n for the current event type and finds or makes its node of the graph.
func (c *compiler) node(n *match.Node) int32 {
	cache := c.cache
	if !n.Typed() {
		cache = c.untyped
	}
	if id, ok := cache[n]; ok {
		return id
	}
	var id int32
	switch n.Kind {
	case match.TestNode:
		id = c.test(n.Test)
	case match.NotNode:
		id = c.negate(c.node(n.Args[0]))
	default:
		id = c.join(n)
	}
	cache[n] = id
	return id
}

func (c *compiler) negate(id int32) int32 {
	switch {
	case id == never:
		return always
	case id == always:
		return never
	case c.p.nodes[id].op == opNot:
		return c.p.nodes[id].args[0]
	}
	n := &c.p.nodes[id]
	return c.add(pnode{op: opNot, args: []int32{id}, cost: n.cost, chance: 1 - n.chance}, "!"+strconv.Itoa(int(id)))
}

func (c *compiler) join(n *match.Node) int32 {
	op, neutral, absorbing := opAnd, always, never
	if n.Kind == match.OrNode {
		op, neutral, absorbing = opOr, never, always
	}
	var args []int32
	for _, a := range n.Args {
		id := c.node(a)
		if id == absorbing {
			return absorbing
		}
		if id != neutral && !slices.Contains(args, id) {
			args = append(args, id)
		}
	}
	switch len(args) {
	case 0:
		return neutral
	case 1:
		return args[0]
	}
	if op == opOr {
		if args = c.merge(args); len(args) == 1 {
			return args[0]
		}
	}
	c.order(args, op)
	var key strings.Builder
	key.WriteByte("&|"[op-opAnd])
	for _, a := range args {
		key.WriteString(strconv.Itoa(int(a)))
		key.WriteByte(',')
	}
	cost, chance := c.expect(args, op)
	return c.add(pnode{op: op, args: args, cost: cost, chance: chance}, key.String())
}

// expect is what evaluating args in their order costs, as far as it goes, and how often the whole holds.
func (c *compiler) expect(args []int32, op nodeOp) (cost, chance float32) {
	reached := float32(1)
	for _, a := range args {
		n := &c.p.nodes[a]
		cost += reached * n.cost
		if op == opAnd {
			reached *= n.chance
		} else {
			reached *= 1 - n.chance
		}
	}
	if op == opAnd {
		return cost, reached
	}
	return cost, 1 - reached
}

// order puts first what decides most for its cost: in a conjunction what fails often, in alternatives what holds often.
func (c *compiler) order(args []int32, op nodeOp) {
	rank := func(id int32) float32 {
		n := &c.p.nodes[id]
		if op == opAnd {
			return n.cost / (1.001 - n.chance)
		}
		return n.cost / (0.001 + n.chance)
	}
	sort.SliceStable(args, func(i, j int) bool { return rank(args[i]) < rank(args[j]) })
}

func (c *compiler) add(n pnode, key string) int32 {
	if id, ok := c.byKey[key]; ok {
		return id
	}
	id := int32(len(c.p.nodes))
	c.p.nodes = append(c.p.nodes, n)
	c.byKey[key] = id
	return id
}

// test works out comparisons of the event's type, and compiles the others.
func (c *compiler) test(t *match.Test) int32 {
	if t.Typed() {
		if t.Eval(&c.probe, &match.Scratch{}) {
			return always
		}
		return never
	}
	if impossible(t) {
		return never
	}
	if holds, known := c.assume[t.Key()]; known {
		if holds {
			return always
		}
		return never
	}
	if id, ok := c.byKey["="+t.Key()]; ok {
		return id
	}
	check, cost := newChecker(t)
	id := c.add(pnode{op: opCheck, check: check, cost: cost, chance: guess(t)}, "="+t.Key())
	c.names[id] = t.Key()
	return id
}

// impossible says whether no event can pass the check: numbers of events start at 1.
func impossible(t *match.Test) bool {
	n, ok := t.Number()
	return ok && n.Field == field.EvtNum && t.Op == match.Eq && n.Value == 0
}

// merge joins alternatives that compare one field: equal to any of a set, starting with any of a set of prefixes.
func (c *compiler) merge(args []int32) []int32 {
	var out []int32
	sets := map[string]*mergeable{}
	for _, id := range args {
		m := mergeableOf(c.p.nodes[id].check)
		if m == nil {
			out = append(out, id)
			continue
		}
		if sets[m.key] == nil {
			sets[m.key] = m
		} else {
			sets[m.key].words = append(sets[m.key].words, m.words...)
		}
		sets[m.key].from = append(sets[m.key].from, id)
	}
	for _, key := range slices.Sorted(maps.Keys(sets)) {
		m := sets[key]
		if len(m.from) == 1 {
			out = append(out, m.from[0])
			continue
		}
		slices.Sort(m.words)
		m.words = slices.Compact(m.words)
		key := "+" + m.key + "\x00" + strings.Join(m.words, "\x00")
		if id, ok := c.byKey[key]; ok {
			out = append(out, id)
			continue
		}
		check, cost := m.build()
		_, chance := c.expect(m.from, opOr)
		out = append(out, c.add(pnode{op: opCheck, check: check, cost: cost, chance: chance}, key))
	}
	return out
}

// conjuncts lists the parts that all have to hold.
func (c *compiler) conjuncts(id int32, out []int32) []int32 {
	if n := &c.p.nodes[id]; n.op == opAnd {
		for _, a := range n.args {
			out = c.conjuncts(a, out)
		}
		return out
	}
	if slices.Contains(out, id) {
		return out
	}
	return append(out, id)
}

// contradicts says whether parts that all have to hold ask for different values of one field.
func (c *compiler) contradicts(conj []int32) bool {
	var seen []*mergeable
	for _, id := range conj {
		m := mergeableOf(c.p.nodes[id].check)
		if m == nil || m.kind != mergeEqual {
			continue
		}
		for _, o := range seen {
			if o.key == m.key && !slices.ContainsFunc(m.words, func(w string) bool { return slices.Contains(o.words, w) }) {
				return true
			}
		}
		seen = append(seen, m)
	}
	return false
}

// maxDepth bounds how deep guards are nested.
const maxDepth = 8

// arrange makes a group of rules behind a guard. It takes the part that saves most as the next guard, as long as two
// rules share one.
func (c *compiler) arrange(guard int32, rules []planned, depth int) *group {
	g := &group{guard: guard}
	for depth < maxDepth && len(rules) > 1 {
		best := c.bestGuard(rules)
		if best < 0 {
			break
		}
		var with, without []planned
		for _, r := range rules {
			if i := slices.Index(r.conj, best); i >= 0 {
				with = append(with, planned{index: r.index, conj: slices.Delete(slices.Clone(r.conj), i, i+1)})
			} else {
				without = append(without, r)
			}
		}
		g.groups = append(g.groups, c.arrange(best, with, depth+1))
		rules = without
	}
	for _, r := range rules {
		r.conj = slices.Clone(r.conj)
		c.order(r.conj, opAnd)
		if c.index(&r); len(r.needs) > 0 {
			g.indexed = append(g.indexed, r)
			g.union = addMasks(g.union, r.needs)
		} else {
			g.rules = append(g.rules, r)
		}
	}
	return g
}

// bestGuard is the part that two rules or more ask for and that, when it fails, saves most of them; -1 for none. Parts
// that nearly always hold, such as lists of exceptions, are no guards.
func (c *compiler) bestGuard(rules []planned) int32 {
	counts := map[int32]int{}
	for _, r := range rules {
		for _, id := range r.conj {
			counts[id]++
		}
	}
	best, bestSaving := int32(-1), float32(0)
	for _, r := range rules { // in the order of the rules, so that equal input gives an equal plan
		for _, id := range r.conj {
			n := &c.p.nodes[id]
			saving := float32(counts[id]) * (1 - n.chance)
			if counts[id] > 1 && n.chance < 0.75 && (saving > bestSaving || saving == bestSaving && n.cost < c.p.nodes[best].cost) {
				best, bestSaving = id, saving
			}
		}
	}
	return best
}

// countUses marks the nodes whose result is worth keeping.
func (c *compiler) countUses() {
	uses := make([]int, len(c.p.nodes))
	for i := range c.p.nodes {
		for _, a := range c.p.nodes[i].args {
			uses[a]++
		}
	}
	var walk func(g *group)
	walk = func(g *group) {
		if g == nil {
			return
		}
		if g.guard >= 0 {
			uses[g.guard]++
		}
		for _, r := range g.rules {
			for _, id := range r.conj {
				uses[id]++
			}
		}
		for _, r := range g.indexed {
			for _, id := range r.conj {
				uses[id]++
			}
		}
		for _, sub := range g.groups {
			walk(sub)
		}
	}
	for _, p := range c.p.plans {
		if p == nil {
			continue
		}
		for _, id := range p.first {
			uses[id]++
		}
		for _, g := range p.variants {
			walk(g)
		}
	}
	for i := range c.p.nodes {
		n := &c.p.nodes[i]
		n.shared = uses[i] > 1 && n.op <= opOr
	}
}

package program

import (
	"slices"
	"sort"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// compiler turns conditions into a graph in which equal parts are one node, with what is known put in.
type compiler struct {
	checks *checkShop
	nodes  []node
	byKey  map[string]int32 // and, or, not and joined checks, by what they are made of
	byTest map[*check]int32
	assume map[string]bool // checks whose result is known, by key
	key    []byte

	typ     field.EventType
	probe   event.Event           // of the current type, without values
	typed   map[*match.Node]int32 // nodes specialised for the current type
	untyped map[*match.Node]int32 // nodes that do not look at the type

	classes []class
}

type nodeOp uint8

const (
	opCheck nodeOp = iota
	opAnd
	opOr
	opNot
	opBit // of a class
)

// node is a node of the graph.
type node struct {
	op     nodeOp
	keep   bool    // used more than once and worth remembering
	class  int16   // of opBit
	bit    int32   // of opBit
	args   []int32 // of and, or, not
	check  *check  // of a check, and of a bit that was one
	cost   float32 // in nanoseconds, for the first time in an event
	chance float32 // that it holds
}

// Results of specialising that are no nodes.
const (
	never  int32 = -1
	always int32 = -2
)

func newCompiler(shop *checkShop, known map[string]bool) *compiler {
	return &compiler{checks: shop, byKey: map[string]int32{}, byTest: map[*check]int32{}, assume: known,
		typed: map[*match.Node]int32{}, untyped: map[*match.Node]int32{}}
}

// specialise lists the conditions that can hold for events of type t, with what is left of them.
func (c *compiler) specialise(t field.EventType, conds []Condition) []planned {
	if t == field.NoEvent {
		return nil
	}
	c.probe.Type, c.typ = t, t
	clear(c.typed)
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
	return rules
}

// node specialises n for the current event type and finds or makes its node of the graph.
func (c *compiler) node(n *match.Node) int32 {
	cache := c.typed
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
	case c.nodes[id].op == opNot:
		return c.nodes[id].args[0]
	}
	n := &c.nodes[id]
	return c.add(node{op: opNot, args: []int32{id}, cost: n.cost, chance: 1 - n.chance})
}

func (c *compiler) join(n *match.Node) int32 {
	op, neutral, absorbing := opAnd, always, never
	if n.Kind == match.OrNode {
		op, neutral, absorbing = opOr, never, always
	}
	args := make([]int32, 0, len(n.Args))
	for _, a := range n.Args {
		id := c.node(a)
		if id == absorbing {
			return absorbing
		}
		if id != neutral && !slices.Contains(args, id) {
			args = append(args, id)
		}
	}
	if op == opOr && len(args) > 1 {
		args = c.merge(args)
	}
	switch len(args) {
	case 0:
		return neutral
	case 1:
		return args[0]
	}
	return c.combine(op, args)
}

// add finds or makes the node that combines its arguments.
func (c *compiler) add(n node) int32 {
	c.key = append(c.key[:0], byte(n.op))
	for _, a := range n.args {
		c.key = appendNumber(c.key, a)
	}
	if id, ok := c.byKey[string(c.key)]; ok {
		return id
	}
	id := int32(len(c.nodes))
	c.byKey[string(c.key)] = id
	c.nodes = append(c.nodes, n)
	return id
}

// checkNode finds or makes the node of a check.
func (c *compiler) checkNode(k *check) int32 {
	if id, ok := c.byTest[k]; ok {
		return id
	}
	id := int32(len(c.nodes))
	c.byTest[k] = id
	c.nodes = append(c.nodes, node{op: opCheck, check: k, cost: k.cost, chance: k.chance})
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
	k := c.checks.of(t)
	if k.impossible || !t.HasParam(c.typ) {
		return never
	}
	if holds, known := c.assume[k.key]; known {
		if holds {
			return always
		}
		return never
	}
	if len(k.ends) == 0 {
		return c.checkNode(k)
	}
	args := make([]int32, 0, 3)
	for _, end := range k.ends {
		args = append(args, c.checkNode(end))
	}
	return c.combine(opAnd, append(args, c.checkNode(k)))
}

// combine finds or makes the node that joins its arguments.
func (c *compiler) combine(op nodeOp, args []int32) int32 {
	c.order(args, op)
	cost, chance := c.expect(args, op)
	return c.add(node{op: op, args: args, cost: cost, chance: chance})
}

// expect is what evaluating args in their order costs, as far as it goes, and how often the whole holds.
func (c *compiler) expect(args []int32, op nodeOp) (cost, chance float32) {
	reached := float32(1)
	for _, a := range args {
		n := &c.nodes[a]
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
		n := &c.nodes[id]
		if op == opAnd {
			return n.cost / (1.001 - n.chance)
		}
		return n.cost / (0.001 + n.chance)
	}
	sort.SliceStable(args, func(i, j int) bool { return rank(args[i]) < rank(args[j]) })
}

// merge joins alternatives that compare one field: equal to any of a set, starting with any of a set of prefixes.
func (c *compiler) merge(args []int32) []int32 {
	var out []int32
	for i, id := range args {
		k := c.nodes[id].check
		if k == nil || !k.joins {
			out = append(out, id)
			continue
		}
		same := func(id int32) bool { o := c.nodes[id].check; return o != nil && o.joins && o.group == k.group }
		if slices.ContainsFunc(args[:i], same) {
			continue
		}
		from := []*check{k}
		for _, o := range args[i+1:] {
			if same(o) {
				from = append(from, c.nodes[o].check)
			}
		}
		if len(from) > 1 {
			id = c.checkNode(c.checks.joined(from))
		}
		out = append(out, id)
	}
	return out
}

// conjuncts lists the parts that all have to hold.
func (c *compiler) conjuncts(id int32, out []int32) []int32 {
	if n := &c.nodes[id]; n.op == opAnd {
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
	for i, id := range conj {
		k := c.nodes[id].check
		if k == nil || !k.joins || k.kind != mergeEqual {
			continue
		}
		for _, other := range conj[:i] {
			o := c.nodes[other].check
			if o != nil && o.joins && o.group == k.group && !overlap(o.words, k.words) {
				return true
			}
		}
	}
	return false
}

// overlap says whether two sorted lists have a word in common.
func overlap(a, b []string) bool {
	for len(a) > 0 && len(b) > 0 {
		switch d := strings.Compare(a[0], b[0]); {
		case d == 0:
			return true
		case d < 0:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return false
}

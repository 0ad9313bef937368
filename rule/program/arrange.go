package program

import "slices"

// group is a part of a unit: where guard holds, its rules and groups are looked at.
type group struct {
	guard   int32 // -1 for none
	groups  []*group
	indexed []planned // rules that need one of theirs
	union   needs     // all of those
	rules   []planned // the other rules
}

// planned is what is left of one condition after the guards above it.
type planned struct {
	index int32
	needs needs
	conj  []int32
}

// needs are bits and cheap checks of which one has to hold.
type needs struct {
	masks  []mask
	checks []int32
}

func (n needs) none() bool { return len(n.masks) == 0 }

// add joins two needs.
func (n needs) add(more needs) needs {
	for _, id := range more.checks {
		if !slices.Contains(n.checks, id) {
			n.checks = append(n.checks, id)
		}
	}
	n.masks = addMasks(n.masks, more.masks)
	return n
}

// mask is up to 64 checks of a class.
type mask struct {
	class int32
	word  int32 // which 64
	bits  uint64
}

// addMasks joins two sets of checks.
func addMasks(to, more []mask) []mask {
next:
	for _, m := range more {
		for i := range to {
			if to[i].class == m.class && to[i].word == m.word {
				to[i].bits |= m.bits
				continue next
			}
		}
		to = append(to, m)
	}
	return to
}

// unit arranges conditions and compiles them.
func (c *compiler) unit(rules []planned) *unit {
	if len(rules) == 0 {
		return &unit{}
	}
	var ids []int32
	for _, r := range rules {
		ids = append(ids, r.conj...)
	}
	used := c.reachable(ids)
	c.classify(used)
	c.reprice(used)
	u := &unit{root: c.arrange(-1, rules, 0)}
	c.keepShared(u.root)
	u.expect = c.expectGroup(u.root)
	c.emit(u)
	u.classes = c.classes
	return u
}

// reprice works out the costs and the order of arguments again, now that some checks are bits. Arguments come before
// what is made of them.
func (c *compiler) reprice(used []bool) {
	for i := range c.nodes {
		n := &c.nodes[i]
		switch {
		case !used[i]:
		case n.op == opAnd || n.op == opOr:
			c.order(n.args, n.op)
			n.cost, n.chance = c.expect(n.args, n.op)
		case n.op == opNot:
			n.cost = c.nodes[n.args[0]].cost
		}
	}
}

// maxDepth bounds how deep guards are nested.
const maxDepth = 8

// arrange makes a group of rules behind a guard. Cheap parts that several rules share are guards; then rules are indexed
// by bits, which rules nearly all of them out at once; what cannot be indexed is arranged behind dearer guards.
func (c *compiler) arrange(guard int32, rules []planned, depth int) *group {
	g := &group{guard: guard}
	rules = c.behindGuards(g, rules, depth, costEqual)
	rules = c.indexRules(g, rules)
	rules = c.behindGuards(g, rules, depth, costRegex)
	for _, r := range rules {
		r.conj = slices.Clone(r.conj)
		c.order(r.conj, opAnd)
		g.rules = append(g.rules, r)
	}
	return g
}

// behindGuards takes the part that saves most as the next guard, as long as two rules share one that costs at most limit,
// and gives back the rules that are left.
func (c *compiler) behindGuards(g *group, rules []planned, depth int, limit float32) []planned {
	for depth < maxDepth && len(rules) > 1 {
		best := c.bestGuard(rules, limit)
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
	return rules
}

// bestGuard is the part that two rules or more ask for and that, when it fails, saves most of them; -1 for none. Parts
// that nearly always hold, such as lists of exceptions, are no guards, nor are bits, which index rules.
func (c *compiler) bestGuard(rules []planned, limit float32) int32 {
	counts := map[int32]int{}
	for _, r := range rules {
		for _, id := range r.conj {
			counts[id]++
		}
	}
	best, bestSaving := int32(-1), float32(0)
	for _, r := range rules { // in the order of the rules, so that equal input gives an equal plan
		for _, id := range r.conj {
			n := &c.nodes[id]
			if n.cost > limit || counts[id] < 2 || n.chance >= 0.75 || n.op == opBit {
				continue
			}
			saving := float32(counts[id]) * (1 - n.chance)
			if saving > bestSaving || saving == bestSaving && n.cost < c.nodes[best].cost {
				best, bestSaving = id, saving
			}
		}
	}
	return best
}

// way is a way to index a rule.
type way struct {
	at    int // in conj
	needs needs
	exact bool // the part of the rule says no more than that
}

// indexRules indexes what can be, so that few classes are looked at: rules with the fewest ways first, and of several
// ways the one that adds fewest classes to those in use.
func (c *compiler) indexRules(g *group, rules []planned) []planned {
	ways := make([][]way, len(rules))
	order := make([]int, 0, len(rules))
	var rest []planned
	for i, r := range rules {
		for at, id := range r.conj {
			if n, exact := c.needs(id); !n.none() {
				ways[i] = append(ways[i], way{at, n, exact})
			}
		}
		if ways[i] == nil {
			rest = append(rest, r)
		} else {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(ways[a]) - len(ways[b]) })
	for _, i := range order {
		best := slices.MinFunc(ways[i], func(a, b way) int { return g.union.price(a.needs) - g.union.price(b.needs) })
		r := planned{index: rules[i].index, needs: best.needs, conj: slices.Clone(rules[i].conj)}
		if best.exact {
			r.conj = slices.Delete(r.conj, best.at, best.at+1)
		}
		c.order(r.conj, opAnd)
		g.indexed = append(g.indexed, r)
		g.union = g.union.add(best.needs)
	}
	return rest
}

// price says how much more there is to look at for an event when more is added.
func (n needs) price(more needs) int {
	const freshClass, check = 8, 3
	sum := len(more.masks)
	for i, m := range more.masks {
		same := func(o mask) bool { return o.class == m.class }
		if !slices.ContainsFunc(n.masks, same) && !slices.ContainsFunc(more.masks[:i], same) {
			sum += freshClass
		}
	}
	for _, id := range more.checks {
		if !slices.Contains(n.checks, id) {
			sum += check
		}
	}
	return sum
}

// maxNeedChecks is the number of checks that are worth trying besides bits.
const maxNeedChecks = 2

// needs lists bits and cheap checks of which one has to hold where the node does; exact says that one is also enough.
// There are none without a bit among them.
func (c *compiler) needs(id int32) (n needs, exact bool) {
	if n, exact = c.anyOf(id); len(n.checks) > maxNeedChecks {
		return needs{}, false
	}
	return n, exact
}

func (c *compiler) anyOf(id int32) (out needs, exact bool) {
	n := &c.nodes[id]
	switch n.op {
	case opBit:
		return needs{masks: []mask{{int32(n.class), n.bit >> 6, 1 << (n.bit & 63)}}}, true
	case opCheck:
		if n.cost <= costSet && n.chance <= 0.5 {
			return needs{checks: []int32{id}}, true
		}
	case opOr:
		exact = true
		for _, a := range n.args {
			more, e := c.anyOf(a)
			if len(more.masks)+len(more.checks) == 0 {
				return needs{}, false
			}
			out, exact = out.add(more), exact && e
		}
		return out, exact
	case opAnd:
		for _, a := range n.args {
			more, _ := c.anyOf(a)
			if len(more.masks)+len(more.checks) == 0 {
				continue
			}
			if len(out.masks)+len(out.checks) == 0 || (needs{}).price(more) < (needs{}).price(out) {
				out = more
			}
		}
	}
	return out, false
}

// costKeep is the cost from which on a result that is asked for again is remembered rather than worked out.
const costKeep = 8

// keepShared marks the nodes whose result is worth keeping for the event.
func (c *compiler) keepShared(root *group) {
	uses := make([]int, len(c.nodes))
	var use func(id int32)
	use = func(id int32) {
		if uses[id]++; uses[id] == 1 {
			for _, a := range c.nodes[id].args {
				use(a)
			}
		}
	}
	root.walk(use)
	for i := range c.nodes {
		c.nodes[i].keep = uses[i] > 1 && c.nodes[i].cost > costKeep
	}
}

// walk calls f for every node that the group names.
func (g *group) walk(f func(id int32)) {
	if g.guard >= 0 {
		f(g.guard)
	}
	for _, rules := range [][]planned{g.rules, g.indexed} {
		for _, r := range rules {
			for _, id := range slices.Concat(r.conj, r.needs.checks) {
				f(id)
			}
		}
	}
	for _, sub := range g.groups {
		sub.walk(f)
	}
}

func (c *compiler) expectGroup(g *group) float32 {
	sum := float32(len(g.union.masks)) * costBit
	for _, id := range g.union.checks {
		sum += c.nodes[id].cost
	}
	for _, r := range slices.Concat(g.rules, g.indexed) {
		cost, _ := c.expect(r.conj, opAnd)
		sum += cost
	}
	for _, sub := range g.groups {
		guard := &c.nodes[sub.guard]
		sum += guard.cost + guard.chance*c.expectGroup(sub)
	}
	return sum
}

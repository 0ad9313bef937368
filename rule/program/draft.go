package program

import (
	"cmp"
	"slices"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// draft is a plan before it is arranged.
type draft struct {
	first    []int32
	variants [][]planned
}

const (
	minVariantRules = 8 // conditions of a type that make variants worth having
	maxFirst        = 4 // checks done first, at most: there are 1<<maxFirst variants
	minFirstUses    = 3 // conditions that depend on a check done first
)

// draft specialises the conditions for events of type t, and for every outcome of the checks that most of them depend
// on.
func (c *compiler) draft(t field.EventType, conds []Condition) draft {
	c.suppose(nil)
	rules := c.specialise(t, conds)
	if len(rules) < minVariantRules {
		return draft{variants: [][]planned{rules}}
	}
	d := draft{first: c.chooseFirst(rules)}
	d.variants = make([][]planned, 1<<len(d.first))
	for i := range d.variants {
		known := map[string]bool{}
		for k, id := range d.first {
			known[c.names[id]] = i&(1<<k) != 0
		}
		c.suppose(known)
		d.variants[i] = c.specialise(t, conds)
	}
	return d
}

// chooseFirst finds the cheap checks that most rules depend on, wherever in their conditions, and whose outcome is open.
func (c *compiler) chooseFirst(rules []planned) []int32 {
	uses := map[int32]int{}
	for _, r := range rules {
		seen := map[int32]bool{}
		var walk func(ids []int32)
		walk = func(ids []int32) {
			for _, id := range ids {
				if !seen[id] {
					seen[id] = true
					walk(c.p.nodes[id].args)
				}
			}
		}
		walk(r.conj)
		for id := range seen {
			if n := &c.p.nodes[id]; n.op == opCheck && n.cost <= costEqual && n.chance >= 0.3 && c.names[id] != "" {
				uses[id]++
			}
		}
	}
	var out []int32
	for id, n := range uses {
		if n >= minFirstUses {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b int32) int {
		return cmp.Or(cmp.Compare(uses[b], uses[a]), cmp.Compare(a, b))
	})
	return out[:min(len(out), maxFirst)]
}

package program

import (
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/event"
)

// class answers all checks for equality, sets and prefixes of one source at once: the text is looked up once an event,
// and every check is then one bit.
type class struct {
	src   source
	rows  wordTable // by word: the checks that it passes
	trie  bitTrie
	words int // checks that have a bit in rows
	pres  int // checks that have a bit in the trie
}

// classState is what a class found for the event of an epoch.
type classState struct {
	epoch    uint32
	row      []uint64
	prefixes [maxPrefixes / 64]uint64
}

const (
	maxPrefixes = 192 // prefix checks per class; more than that are evaluated one by one
	minClass    = 3   // checks that make a class worth having
)

// classify finds the sources that many checks ask for and turns those checks into bits.
func (c *compiler) classify(used []bool) {
	type found struct {
		src   source
		nodes []int32
	}
	bySource := map[string]*found{}
	var order []string
	for i := range c.p.nodes {
		if !used[i] || c.p.nodes[i].op != opCheck {
			continue
		}
		m := mergeableOf(c.p.nodes[i].check)
		if m == nil || m.kind == mergeSuffix {
			continue
		}
		key := m.src.key()
		if bySource[key] == nil {
			bySource[key] = &found{src: m.src}
			order = append(order, key)
		}
		bySource[key].nodes = append(bySource[key].nodes, int32(i))
	}
	for _, key := range order {
		if f := bySource[key]; len(f.nodes) >= minClass {
			c.class(f.src, f.nodes)
		}
	}
}

func (c *compiler) class(src source, nodes []int32) {
	cl := &class{src: src}
	rows := map[string][]uint64{}
	id := int32(len(c.p.classes))
	c.p.classes = append(c.p.classes, cl)
	width := (len(nodes) + 63) / 64
	for _, i := range nodes {
		n := &c.p.nodes[i]
		m := mergeableOf(n.check)
		if m.kind == mergePrefix {
			if cl.pres == maxPrefixes {
				continue
			}
			for _, w := range m.words {
				cl.trie.add(w, int32(cl.pres))
			}
			n.op, n.class, n.bit, n.cost = opPrefix, int16(id), int32(cl.pres), costBit
			cl.pres++
			continue
		}
		for _, w := range m.words {
			if rows[w] == nil {
				rows[w] = make([]uint64, width)
			}
			rows[w][cl.words/64] |= 1 << (cl.words % 64)
		}
		n.op, n.class, n.bit, n.cost = opWord, int16(id), int32(cl.words), costBit
		cl.words++
	}
	cl.rows = newWordTable(rows)
	cl.trie.finish()
}

// mask is up to 64 checks of a class.
type mask struct {
	class  int32
	prefix bool
	word   int32 // which 64
	bits   uint64
}

// addMasks joins two sets of checks.
func addMasks(to, more []mask) []mask {
next:
	for _, m := range more {
		for i := range to {
			if to[i].class == m.class && to[i].prefix == m.prefix && to[i].word == m.word {
				to[i].bits |= m.bits
				continue next
			}
		}
		to = append(to, m)
	}
	return to
}

// any says whether any of the checks holds.
func (v *Evaluator) any(masks []mask, e *event.Event) bool {
	for i := range masks {
		m := &masks[i]
		st := &v.classes[m.class]
		if st.epoch != v.epoch {
			v.classifyEvent(m.class, st, e)
		}
		if m.prefix {
			if st.prefixes[m.word]&m.bits != 0 {
				return true
			}
		} else if st.row != nil && st.row[m.word]&m.bits != 0 {
			return true
		}
	}
	return false
}

// index finds checks of which one has to hold for the rule, the fewest that there are, and takes the part of the rule
// away that asks for just that.
func (c *compiler) index(r *planned) {
	best, exact := -1, false
	for i, id := range r.conj {
		needs, all, ok := c.needs(id)
		if ok && (best < 0 || len(needs) < len(r.needs)) {
			best, exact, r.needs = i, all, needs
		}
	}
	if best >= 0 && exact {
		r.conj = slices.Delete(r.conj, best, best+1)
	}
}

// needs lists checks of which one has to hold where the node does; exact says that one is also enough.
func (c *compiler) needs(id int32) (masks []mask, exact, ok bool) {
	n := &c.p.nodes[id]
	switch n.op {
	case opWord, opPrefix:
		return []mask{{int32(n.class), n.op == opPrefix, n.bit >> 6, 1 << (n.bit & 63)}}, true, true
	case opOr:
		exact = true
		for _, a := range n.args {
			m, e, found := c.needs(a)
			if !found {
				return nil, false, false
			}
			masks, exact = addMasks(masks, m), exact && e
		}
		return masks, exact, true
	case opAnd:
		for _, a := range n.args {
			if m, _, found := c.needs(a); found && (masks == nil || len(m) < len(masks)) {
				masks = m
			}
		}
		return masks, false, masks != nil
	}
	return nil, false, false
}

// class is what the class says of e, worked out on the first question.
func (v *Evaluator) class(id int32, e *event.Event) *classState {
	st := &v.classes[id]
	if st.epoch == v.epoch {
		return st
	}
	v.classifyEvent(id, st, e)
	return st
}

func (v *Evaluator) classifyEvent(id int32, st *classState, e *event.Event) {
	cl := v.p.classes[id]
	st.epoch, st.row = v.epoch, nil
	if cl.pres > 0 {
		st.prefixes = [maxPrefixes / 64]uint64{}
	}
	s, ok := cl.src.text(e)
	if !ok {
		return
	}
	if cl.words > 0 {
		st.row = cl.rows.find(s)
	}
	if cl.pres > 0 {
		cl.trie.collect(s, &st.prefixes)
	}
}

// bitTrie holds prefixes, each with the checks it belongs to.
type bitTrie struct {
	bits  []int32
	bytes string
	next  []*bitTrie
	edge  *[256]uint8 // by byte: one more than the index into next; only where there are many
}

func (t *bitTrie) add(word string, bit int32) {
	node := t
	for i := 0; i < len(word); i++ {
		node = node.child(word[i])
	}
	if !slices.Contains(node.bits, bit) {
		node.bits = append(node.bits, bit)
	}
}

func (t *bitTrie) child(b byte) *bitTrie {
	if i := strings.IndexByte(t.bytes, b); i >= 0 {
		return t.next[i]
	}
	next := &bitTrie{}
	t.bytes += string([]byte{b})
	t.next = append(t.next, next)
	return next
}

// finish builds the tables of nodes with many edges, once no more prefixes are added.
func (t *bitTrie) finish() {
	if len(t.next) > 3 {
		t.edge = new([256]uint8)
		for i := 0; i < len(t.bytes); i++ {
			t.edge[t.bytes[i]] = uint8(min(i+1, 255))
		}
	}
	for _, n := range t.next {
		n.finish()
	}
}

func (t *bitTrie) collect(s string, out *[maxPrefixes / 64]uint64) {
	for i := 0; ; i++ {
		for _, b := range t.bits {
			out[b>>6] |= 1 << (b & 63)
		}
		if i == len(s) {
			return
		}
		if t = t.step(s[i]); t == nil {
			return
		}
	}
}

func (t *bitTrie) step(b byte) *bitTrie {
	if t.edge != nil {
		if i := t.edge[b]; i > 0 {
			return t.next[i-1]
		}
		return nil
	}
	for k := 0; k < len(t.bytes); k++ {
		if t.bytes[k] == b {
			return t.next[k]
		}
	}
	return nil
}

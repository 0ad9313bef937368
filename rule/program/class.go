package program

import "github.com/eyrie-sec/eyrie/rule/event"

// class answers all checks for equality, sets and prefixes of one source at once: the text is looked up once an event,
// and every check is then one bit.
type class struct {
	src   source
	words wordTable
	heads *bitTrie // nil where no check asks for a prefix
	tails *bitTrie // nil where no check asks for a suffix
	size  int32    // checks
}

// classState is what a class found for the event of an epoch.
type classState struct {
	epoch uint32
	bits  bitRow
}

// minClass is the number of checks that make a class worth having.
const minClass = 3

// classify finds the sources that many checks ask for and turns those checks into bits.
func (c *compiler) classify(used []bool) {
	type found struct {
		src   source
		nodes []int32
	}
	bySource := map[sourceKey]*found{}
	var order []*found
	for i := range c.nodes {
		n := &c.nodes[i]
		if !used[i] || n.op != opCheck || !n.check.joins {
			continue
		}
		key := n.check.src.key()
		f := bySource[key]
		if f == nil {
			f = &found{src: n.check.src}
			bySource[key] = f
			order = append(order, f)
		}
		f.nodes = append(f.nodes, int32(i))
	}
	for _, f := range order {
		for len(f.nodes) >= minClass {
			n := min(len(f.nodes), maxBits)
			c.class(f.src, f.nodes[:n])
			f.nodes = f.nodes[n:]
		}
	}
}

func (c *compiler) class(src source, nodes []int32) {
	cl := class{src: src}
	for _, i := range nodes {
		n := &c.nodes[i]
		n.op, n.class, n.bit, n.cost = opBit, int16(len(c.classes)), cl.size, costBit
		cl.add(n.check, cl.size)
		cl.size++
	}
	for _, t := range []*bitTrie{cl.heads, cl.tails} {
		if t != nil {
			t.finish()
		}
	}
	c.classes = append(c.classes, cl)
}

func (cl *class) add(k *check, bit int32) {
	for _, w := range k.words {
		switch k.kind {
		case mergeEqual:
			cl.words.add(w, bit)
		case mergePrefix:
			cl.heads = cl.heads.with(w, bit)
		case mergeSuffix:
			cl.tails = cl.tails.with(reversed(w), bit)
		}
	}
}

// with adds a word to a trie, which is made where there is none.
func (t *bitTrie) with(word string, bit int32) *bitTrie {
	if t == nil {
		t = &bitTrie{}
	}
	t.add(word, bit)
	return t
}

// lookUp works out what the class says of e.
func (cl *class) lookUp(st *classState, e *event.Event) {
	var s string
	var ok bool
	if cl.src.Kind == 0 {
		if s, ok = e.Known(cl.src.Field); !ok {
			s, ok = e.Text(cl.src.Field)
		}
	} else {
		s, ok = cl.src.text(e)
	}
	if !ok {
		st.bits = bitRow{}
		return
	}
	if len(cl.words.rows) > 0 {
		st.bits = cl.words.rows[cl.words.find(s)]
	} else {
		st.bits = bitRow{}
	}
	if cl.heads != nil {
		cl.heads.collect(s, &st.bits)
	}
	if cl.tails != nil {
		cl.tails.collectEnd(s, &st.bits)
	}
}

package program

import "slices"

// maxBits is the number of checks that a class holds.
const maxBits = 128

// bitRow has a bit for each check of a class.
type bitRow [maxBits / 64]uint64

func (r *bitRow) set(bit int32) { r[bit>>6] |= 1 << (bit & 63) }

// bitTrie holds prefixes, or suffixes from their ends, each with the checks it belongs to. Its edges are words, none of which has a first byte in
// common with another at the same node.
type bitTrie struct {
	bits bitRow // of the prefix that ends here
	next []trieEdge
	edge *[256]uint8 // by first byte: one more than the index into next; only where there are many
}

type trieEdge struct {
	word string
	to   *bitTrie
}

func (t *bitTrie) add(word string, bit int32) {
	for word != "" {
		e := t.step(word[0])
		if e == nil {
			to := &bitTrie{}
			t.next = append(t.next, trieEdge{word, to})
			t = to
			break
		}
		n := 1
		for n < len(word) && n < len(e.word) && word[n] == e.word[n] {
			n++
		}
		if n < len(e.word) { // the edge is split where the words part
			mid := &bitTrie{next: []trieEdge{{e.word[n:], e.to}}}
			e.word, e.to = e.word[:n], mid
		}
		t, word = e.to, word[n:]
	}
	t.bits.set(bit)
}

func (t *bitTrie) step(b byte) *trieEdge {
	if t.edge != nil {
		if i := t.edge[b]; i > 0 {
			return &t.next[i-1]
		}
		return nil
	}
	for i := range t.next {
		if t.next[i].word[0] == b {
			return &t.next[i]
		}
	}
	return nil
}

// finish builds the tables of nodes with many edges, once no more prefixes are added.
func (t *bitTrie) finish() {
	if len(t.next) > 3 && len(t.next) < 256 {
		t.edge = new([256]uint8)
		for i := range t.next {
			t.edge[t.next[i].word[0]] = uint8(i + 1)
		}
	}
	for _, e := range t.next {
		e.to.finish()
	}
}

// collect sets the bits of all prefixes that s starts with.
func (t *bitTrie) collect(s string, out *bitRow) {
	for {
		for i := range out {
			out[i] |= t.bits[i]
		}
		if s == "" {
			return
		}
		e := t.step(s[0])
		if e == nil || len(s) < len(e.word) {
			return
		}
		for i := 1; i < len(e.word); i++ {
			if s[i] != e.word[i] {
				return
			}
		}
		s, t = s[len(e.word):], e.to
	}
}

// collectEnd sets the bits of all words that s ends with, in a trie of words that were added from their ends.
func (t *bitTrie) collectEnd(s string, out *bitRow) {
	for {
		for i := range out {
			out[i] |= t.bits[i]
		}
		if s == "" {
			return
		}
		e := t.step(s[len(s)-1])
		if e == nil || len(s) < len(e.word) {
			return
		}
		for i := 1; i < len(e.word); i++ {
			if s[len(s)-1-i] != e.word[i] {
				return
			}
		}
		s, t = s[:len(s)-len(e.word)], e.to
	}
}

func reversed(word string) string {
	b := []byte(word)
	slices.Reverse(b)
	return string(b)
}

package program

import "math/bits"

// wordTable finds the row of a word. It is an open hash table whose hash looks at the length, the first and the last
// eight bytes: words of rules are short, most lookups find nothing, and the words are ours, not an attacker's. A long row
// of collisions among them would only cost time when the rules are written so.
type wordTable struct {
	slots []wordSlot // a power of two; an empty slot has no row
	shift uint8
}

type wordSlot struct {
	hash uint32
	word string
	row  []uint64
}

func newWordTable(rows map[string][]uint64) wordTable {
	size := 4
	for size < 3*len(rows) {
		size *= 2
	}
	t := wordTable{slots: make([]wordSlot, size), shift: uint8(64 - bits.TrailingZeros(uint(size)))}
	for word, row := range rows {
		h := hashWord(word)
		i := h >> t.shift
		for t.slots[i].row != nil {
			i = (i + 1) & uint64(size-1)
		}
		t.slots[i] = wordSlot{uint32(h), word, row}
	}
	return t
}

func (t *wordTable) find(word string) []uint64 {
	h := hashWord(word)
	for i := h >> t.shift; ; i = (i + 1) & uint64(len(t.slots)-1) {
		s := &t.slots[i]
		if s.row == nil {
			return nil
		}
		if s.hash == uint32(h) && s.word == word {
			return s.row
		}
	}
}

func hashWord(s string) uint64 {
	n := len(s)
	var a, b uint64
	switch {
	case n >= 8:
		a, b = load64(s), load64(s[n-8:])
	case n >= 4:
		a, b = uint64(load32(s)), uint64(load32(s[n-4:]))
	case n > 0:
		a = uint64(s[0]) | uint64(s[n/2])<<8 | uint64(s[n-1])<<16
	}
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^uint64(n)*0xc2b2ae3d27d4eb4f^0x165667b19e3779f9)
	return (hi ^ lo) * 0x9e3779b97f4a7c15
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

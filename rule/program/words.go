package program

import "math/bits"

// wordTable finds the checks that a word passes. It is an open hash table whose hash looks at the length, the first and
// the last eight bytes: words of rules are short, most lookups find nothing, and the words are ours, not an attacker's. A
// long row of collisions among them would only cost time when the rules are written so.
type wordTable struct {
	lengths uint64 // bit n for words of n bytes, bit 63 for longer ones too
	slots   []wordSlot
	shift   uint8
	words   []string
	rows    []bitRow // by number of a word; number 0 is no word
}

type wordSlot struct {
	hash uint32
	word uint32 // its number, 0 for an empty slot
}

// add lets a word pass a check, which has that bit.
func (t *wordTable) add(word string, bit int32) {
	n := t.find(word)
	if n == 0 {
		if len(t.words) == 0 {
			t.words, t.rows = make([]string, 1), make([]bitRow, 1)
		}
		n = uint32(len(t.words))
		t.words, t.rows = append(t.words, word), append(t.rows, bitRow{})
		if 2*len(t.words) > len(t.slots) {
			t.build(max(8, 4*len(t.words)))
		} else {
			t.put(n)
		}
	}
	t.rows[n].set(bit)
}

func (t *wordTable) build(size int) {
	size = 1 << bits.Len(uint(size-1))
	t.slots = make([]wordSlot, size)
	t.shift = uint8(64 - bits.TrailingZeros(uint(size)))
	for n := 1; n < len(t.words); n++ {
		t.put(uint32(n))
	}
}

func (t *wordTable) put(n uint32) {
	word := t.words[n]
	t.lengths |= 1 << min(len(word), 63)
	h := hashWord(word)
	i := h >> t.shift
	for t.slots[i].word != 0 {
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	t.slots[i] = wordSlot{uint32(h), n}
}

// find is the number of the word, 0 for none.
func (t *wordTable) find(word string) uint32 {
	if t.lengths&(1<<min(len(word), 63)) == 0 {
		return 0
	}
	h := hashWord(word)
	for i := h >> t.shift; ; i++ {
		s := t.slots[i&uint64(len(t.slots)-1)]
		if s.word == 0 {
			return 0
		}
		if s.hash == uint32(h) && t.words[s.word] == word {
			return s.word
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

package index

import (
	"slices"
	"sort"
)

// hashed finds rows by a 32-bit hash of a value. Pairs of a value that a row no longer has stay until the index is
// compacted: what it finds must be verified.
type hashed struct {
	base  []uint64            // hash<<32 | row, ascending
	fresh map[uint32][]uint32 // hash -> rows, what is not in base yet
	added int                 // pairs in fresh
}

func newHashed() *hashed { return &hashed{fresh: map[uint32][]uint32{}} }

// hashValue is FNV-1a with a final mix (https://www.isthe.com/chongo/tech/comp/fnv/). It need not withstand an attacker:
// a collision costs a document read.
func hashValue[T string | []byte](value T) uint32 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(value); i++ {
		h = (h ^ uint64(value[i])) * 1099511628211
	}
	return uint32(h ^ h>>32)
}

func (h *hashed) add(hash, row uint32) {
	pair := uint64(hash)<<32 | uint64(row)
	if _, found := slices.BinarySearch(h.base, pair); found || slices.Contains(h.fresh[hash], row) {
		return
	}
	h.fresh[hash] = append(h.fresh[hash], row)
	h.added++
	if h.added > 4096+len(h.base)/8 {
		h.merge()
	}
}

// merge moves what is fresh into base.
func (h *hashed) merge() {
	pairs := make([]uint64, 0, h.added)
	for hash, rows := range h.fresh {
		for _, row := range rows {
			pairs = append(pairs, uint64(hash)<<32|uint64(row))
		}
	}
	slices.Sort(pairs)
	merged := make([]uint64, 0, len(h.base)+len(pairs))
	base := h.base
	for _, p := range pairs {
		i, _ := slices.BinarySearch(base, p)
		merged = append(append(merged, base[:i]...), p)
		base = base[i:]
	}
	h.base = append(merged, base...)
	h.fresh, h.added = map[uint32][]uint32{}, 0
}

// rows calls f with each row that may have a value with this hash.
func (h *hashed) rows(hash uint32, f func(row int)) {
	first := uint64(hash) << 32
	i := sort.Search(len(h.base), func(i int) bool { return h.base[i] >= first })
	for ; i < len(h.base) && uint32(h.base[i]>>32) == hash; i++ {
		f(int(uint32(h.base[i])))
	}
	for _, row := range h.fresh[hash] {
		f(int(row))
	}
}

// renumber gives rows the numbers moved has for them, -1 meaning gone.
func (h *hashed) renumber(moved []int32) {
	h.merge()
	kept := h.base[:0]
	for _, p := range h.base {
		if to := moved[uint32(p)]; to >= 0 {
			kept = append(kept, p&^0xffffffff|uint64(to))
		}
	}
	h.base = kept // renumbering keeps the order of rows, and so of pairs
}

// bytes estimates the memory; a fresh pair is a map entry and a slice of one.
func (h *hashed) bytes() int { return 8*cap(h.base) + 80*h.added }

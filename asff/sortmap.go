package asff

import (
	"math/bits"
	"slices"
	"strings"
)

// sortedPair is one pair of a map on its way into order. hi and lo are the first 16 bytes of the key as big-endian
// numbers, padded with zeros, so that most comparisons are one of numbers.
type sortedPair struct {
	hi, lo     uint64
	key, value string
}

func (p *sortedPair) less(q *sortedPair) bool {
	switch {
	case p.hi != q.hi:
		return p.hi < q.hi
	case p.lo != q.lo:
		return p.lo < q.lo
	}
	return p.key < q.key
}

// pairs writes a map with its keys in order. A map within ASFF's limit of pairs costs no allocation.
func (w *writer) pairs(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	var room [maxFields]sortedPair
	var orderRoom [maxFields]uint8
	all := room[:0]
	for k, v := range m {
		all = append(all, sortedPair{bigEndian(k), bigEndian(k[min(8, len(k)):]), k, v})
	}
	w.object(name)
	if len(all) <= len(room) {
		for _, i := range insertionOrder(all, orderRoom[:0]) {
			w.pair(&all[i])
		}
	} else {
		slices.SortFunc(all, func(a, b sortedPair) int { return strings.Compare(a.key, b.key) })
		for i := range all {
			w.pair(&all[i])
		}
	}
	w.close('}')
}

func (w *writer) pair(p *sortedPair) {
	if plainText(p.key) && plainText(p.value) {
		w.plainMember(p.key, p.value)
		return
	}
	w.element()
	w.dst = appendString(w.dst, p.key)
	w.dst = append(w.dst, ':')
	w.dst = appendString(w.dst, p.value)
}

// insertionOrder appends to order the indexes of all, at most 256, in the order of the keys. For so few it beats a
// sort that calls a function for each comparison.
func insertionOrder(all []sortedPair, order []uint8) []uint8 {
	for i := range all {
		order = append(order, uint8(i))
		j := i
		for ; j > 0 && all[i].less(&all[order[j-1]]); j-- {
			order[j] = order[j-1]
		}
		order[j] = uint8(i)
	}
	return order
}

// bigEndian is the first eight bytes of s as a number that orders as they do.
func bigEndian(s string) uint64 {
	if len(s) >= 8 {
		return bits.ReverseBytes64(load64(s[:8]))
	}
	var x uint64
	for i := range len(s) {
		x |= uint64(s[i]) << (56 - 8*i)
	}
	return x
}

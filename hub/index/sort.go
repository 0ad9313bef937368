package index

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"sync"

	"github.com/eyrie-sec/eyrie/asff"
)

// MaxOrders is how many criteria one can sort by.
const MaxOrders = 4

// Order is one criterion: an attribute, for a map attribute with a key. Findings without it come last in either
// direction; of several values the least counts ascending, the greatest descending.
type Order struct {
	Attribute asff.Attribute
	Key       string
	Desc      bool
}

// last is the sort key of a finding without the attribute. All others are less.
const last = math.MaxUint64

// keyer turns the values of rows into numbers that sort as the order says.
type keyer struct {
	c      *column // nil: no finding has the attribute
	desc   bool
	byCode []uint64 // of a dictionary
}

// Sortable reports whether memory can sort by o. If not, Key of the documents must be used.
func (v View) Sortable(o Order) bool {
	c := v.x.find(o.Attribute, o.Key)
	if c == nil {
		return !v.x.hidden(o.Attribute, o.Key)
	}
	return c.hash == nil
}

func (v View) keyers(orders []Order) []keyer {
	ks := make([]keyer, len(orders))
	for i, o := range orders {
		ks[i] = keyer{c: v.x.find(o.Attribute, o.Key), desc: o.Desc}
		if c := ks[i].c; c != nil && c.dict != nil {
			ks[i].byCode = c.ranked(o.Desc)
		}
	}
	return ks
}

// ranked returns the sort keys of the dictionary's codes, keeping them until there are more codes.
func (c *column) ranked(desc bool) []uint64 {
	side := 0
	if desc {
		side = 1
	}
	r := &c.ranks
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[side] != c.dict || len(r.by[side]) != len(c.dict.tuples) {
		keys := make([]uint64, len(c.dict.tuples))
		for code, rank := range c.dict.ranks(c.attr, desc) {
			if keys[code] = uint64(rank); desc {
				keys[code] = last - 1 - keys[code]
			}
		}
		keys[0] = last
		r.of[side], r.by[side] = c.dict, keys
	}
	return r.by[side]
}

// rankCache keeps what ranked computed.
type rankCache struct {
	mu sync.Mutex // guards the rest; readers of the index fill it
	of [2]*dict   // ascending, descending
	by [2][]uint64
}

// block computes the keys of the 64 rows from row on: all of them, since that is quicker than asking which are wanted.
func (k *keyer) block(row int, keys *[64]uint64) {
	switch {
	case k.c == nil:
		for j := range keys {
			keys[j] = last
		}
	case k.byCode != nil && row+64 <= len(k.c.codes.narrow):
		for j, code := range k.c.codes.narrow[row : row+64] {
			keys[j] = k.byCode[code]
		}
	case k.byCode != nil && row+64 <= len(k.c.codes.middle):
		for j, code := range k.c.codes.middle[row : row+64] {
			keys[j] = k.byCode[code]
		}
	case k.c.timed && row+64 <= len(k.c.times) && len(k.c.odd) == 0:
		flip := uint64(0)
		if k.desc {
			flip = math.MaxUint64
		}
		for j, n := range k.c.times[row : row+64] {
			// Descending, last-1-key is the complement of key less one.
			if keys[j] = (timeKey(n) ^ flip) - flip&1; n == absentTime {
				keys[j] = last
			}
		}
	default:
		for j := range keys {
			keys[j] = k.at(row + j)
		}
	}
}

func (k *keyer) at(row int) uint64 {
	if k.c == nil {
		return last
	}
	var key uint64
	switch {
	case k.byCode != nil:
		return k.byCode[k.c.codes.get(row)]
	case k.c.timed:
		n := int64(absentTime)
		if row < len(k.c.times) {
			n = k.c.times[row]
		}
		if n == absentTime {
			return k.odd(row)
		}
		key = timeKey(n)
	case k.c.numeric:
		n := float32(math.NaN())
		if row < len(k.c.numbers) {
			n = k.c.numbers[row]
		}
		if n != n {
			return k.odd(row)
		}
		key = numberKey(float64(n))
	default:
		return last
	}
	if k.desc {
		return last - 1 - key
	}
	return key
}

// timeKey and numberKey keep the order of their arguments and are less than last. The argument of timeKey is not
// absentTime.
func timeKey(n int64) uint64 { return (uint64(n) ^ 1<<63) - 1 }

func numberKey(n float64) uint64 {
	b := math.Float64bits(n + 0) // -0 becomes 0
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

// odd is the key of a row whose value is in column.odd, or absent.
func (k *keyer) odd(row int) uint64 {
	tuple, ok := k.c.odd[uint32(row)]
	if !ok {
		return last
	}
	best := uint64(last)
	for tuple != "" {
		var value string
		value, tuple = nextValue(tuple)
		key := uint64(0)
		if k.c.timed {
			t, err := asff.ParseTime(value)
			if err != nil {
				continue
			}
			n := t.UnixNano()
			switch {
			case t.Year() < 1678:
				n = math.MinInt64 + 1
			case t.Year() > 2261:
				n = math.MaxInt64
			}
			key = timeKey(n)
		} else {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil || n != n {
				continue
			}
			key = numberKey(n)
		}
		if k.desc {
			key = last - 1 - key
		}
		best = min(best, key)
	}
	return best
}

// entry is a finding and its sort keys. Of equal keys the greater Seq comes first.
type entry struct {
	keys [MaxOrders]uint64
	seq  int64
}

func before(a, b *entry) int {
	for i := range a.keys {
		if c := cmp.Compare(a.keys[i], b.keys[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(b.seq, a.seq)
}

// best collects the first n entries of all that are offered.
type best struct {
	n    int
	heap []entry // once full: the last of them on top
}

// wants reports whether an entry with this first key could be among the first.
func (b *best) wants(first uint64) bool { return len(b.heap) < b.n || first <= b.heap[0].keys[0] }

func (b *best) offer(e entry) {
	if len(b.heap) < b.n {
		b.heap = append(b.heap, e)
		if len(b.heap) == b.n {
			for i := b.n/2 - 1; i >= 0; i-- {
				b.down(i)
			}
		}
		return
	}
	if before(&e, &b.heap[0]) < 0 {
		b.heap[0] = e
		b.down(0)
	}
}

func (b *best) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(b.heap) {
			return
		}
		if child+1 < len(b.heap) && before(&b.heap[child+1], &b.heap[child]) > 0 {
			child++
		}
		if before(&b.heap[child], &b.heap[i]) <= 0 {
			return
		}
		b.heap[i], b.heap[child] = b.heap[child], b.heap[i]
		i = child
	}
}

// sorted returns the Seqs in order, after passing over skip.
func (b *best) sorted(skip int) []int64 {
	slices.SortFunc(b.heap, func(x, y entry) int { return before(&x, &y) })
	seqs := make([]int64, 0, max(len(b.heap)-skip, 0))
	for i := skip; i < len(b.heap); i++ {
		seqs = append(seqs, b.heap[i].seq)
	}
	return seqs
}

// Sorted returns the Seqs of s in the given order: at most limit, after passing over skip. Every order must be Sortable.
func (v View) Sorted(s *Set, orders []Order, skip, limit int) []int64 {
	if n := s.Len(); skip >= n || limit <= 0 {
		return nil
	}
	ks := v.keyers(orders)
	b := best{n: skip + limit}
	var first [64]uint64
	// What is newer mostly has the greater times and counts: begin where the best are expected, and little is moved.
	for i := range s.bits {
		if orders[0].Desc {
			i = len(s.bits) - 1 - i
		}
		w := s.bits[i]
		if w == 0 {
			continue
		}
		ks[0].block(i*64, &first)
		for w != 0 {
			j := bits.TrailingZeros64(w)
			if orders[0].Desc {
				j = 63 - bits.LeadingZeros64(w)
			}
			w &^= 1 << j
			if !b.wants(first[j]) {
				continue
			}
			row := i*64 + j
			e := entry{seq: v.x.seqs[row]}
			e.keys[0] = first[j]
			for n := 1; n < len(ks); n++ {
				e.keys[n] = ks[n].at(row)
			}
			b.offer(e)
		}
	}
	return b.sorted(skip)
}

// Frozen is a set and its sort keys as they were. It serves pages that neither skip nor repeat while findings change, and
// does not keep the index from changing. Not changed once made.
type Frozen struct {
	seqs []int64
	keys [][]uint64 // by order, then as seqs
	desc bool       // the best are expected at the end
}

// Freeze copies the sort keys of s.
func (v View) Freeze(s *Set, orders []Order) *Frozen {
	n := s.Len()
	f := &Frozen{seqs: make([]int64, 0, n), keys: make([][]uint64, len(orders)), desc: orders[0].Desc}
	ks := v.keyers(orders)
	for i := range ks {
		f.keys[i] = make([]uint64, 0, n)
	}
	var keys [64]uint64
	for i, w := range s.bits {
		if w == 0 {
			continue
		}
		for rest := w; rest != 0; rest &= rest - 1 {
			f.seqs = append(f.seqs, v.x.seqs[i*64+bits.TrailingZeros64(rest)])
		}
		for n := range ks {
			ks[n].block(i*64, &keys)
			for rest := w; rest != 0; rest &= rest - 1 {
				f.keys[n] = append(f.keys[n], keys[bits.TrailingZeros64(rest)])
			}
		}
	}
	return f
}

// NewFrozen returns a Frozen of findings in this order.
func NewFrozen(ordered []int64) *Frozen {
	rank := make(map[int64]uint64, len(ordered))
	for i, seq := range ordered {
		rank[seq] = uint64(i)
	}
	f := &Frozen{seqs: slices.Clone(ordered), keys: [][]uint64{make([]uint64, len(ordered))}}
	slices.Sort(f.seqs)
	for i, seq := range f.seqs {
		f.keys[0][i] = rank[seq]
	}
	return f
}

// Bytes is the memory that f takes.
func (f *Frozen) Bytes() int { return 8 * len(f.seqs) * (1 + len(f.keys)) }

// Len is the number of findings in f.
func (f *Frozen) Len() int { return len(f.seqs) }

// After returns the Seqs that follow seq in the order (0: the first ones), at most limit. ok is false if seq is not in f.
func (f *Frozen) After(seq int64, limit int) (seqs []int64, ok bool) {
	var from entry
	if seq != 0 {
		at, found := slices.BinarySearch(f.seqs, seq)
		if !found {
			return nil, false
		}
		from = f.entry(at)
	}
	b := best{n: limit}
	for i := range f.seqs {
		if f.desc {
			i = len(f.seqs) - 1 - i
		}
		if !b.wants(f.keys[0][i]) || seq != 0 && f.keys[0][i] < from.keys[0] {
			continue
		}
		e := f.entry(i)
		if seq == 0 || before(&from, &e) < 0 {
			b.offer(e)
		}
	}
	return b.sorted(0), true
}

func (f *Frozen) entry(i int) entry {
	e := entry{seq: f.seqs[i]}
	for j := range f.keys {
		e.keys[j] = f.keys[j][i]
	}
	return e
}

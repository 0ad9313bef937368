package index

import (
	"math/bits"
	"slices"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// View is the index at one moment. It is valid only during the call of Index.View.
type View struct{ x *Index }

// View calls f while nothing changes. f must not call the Index and should be quick: it keeps changes waiting.
func (x *Index) View(f func(View)) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	f(View{x})
}

// Set is the findings that a selection left. It is valid with the View it came from.
type Set struct {
	bits []uint64
	// Residual are the filters that memory cannot decide: whoever uses the set tries them on the documents. Empty if the
	// set is exact.
	Residual asff.Filters
}

// Select returns the findings that match f, residual filters apart.
func (v View) Select(f asff.Filters, now time.Time) *Set {
	s := &Set{bits: slices.Clone(v.x.alive)}
	for _, a := range f.Attributes() {
		if v.narrow(s.bits, a, f[a], now) {
			if s.Residual == nil {
				s.Residual = asff.Filters{}
			}
			s.Residual[a] = f[a]
		}
	}
	return s
}

// narrow clears what does not match the conditions of one attribute. residual tells that what is left must be verified.
func (v View) narrow(set []uint64, a asff.Attribute, conds []asff.Condition, now time.Time) (residual bool) {
	if a.Kind() == asff.KindMap {
		return v.narrowMap(set, a, conds, now)
	}
	c := v.x.find(a, "")
	switch {
	case c != nil:
		return c.keep(set, newMatcher(conds, now))
	case v.x.hidden(a, ""):
		return true
	case !a.MatchValues(conds, now, nil):
		clear(set)
	}
	return false
}

// narrowMap does the same for a map attribute, condition by condition, since each may have another key: in a group the
// positive ones are joined by OR, the negative ones by AND.
func (v View) narrowMap(set []uint64, a asff.Attribute, conds []asff.Condition, now time.Time) (residual bool) {
	for group := range groupsOf(conds) {
		wanted, undecided := false, false
		union := make([]uint64, len(set))
		for i := range conds {
			if conds[i].Group != group {
				continue
			}
			c := v.x.find(a, conds[i].Key)
			hidden := c == nil && v.x.hidden(a, conds[i].Key)
			m := newMatcher(conds[i:i+1], now)
			if conds[i].Comparison.Negative() {
				residual = residual || hidden || c != nil && c.keep(set, m)
				continue
			}
			wanted = true
			undecided = undecided || hidden
			if c != nil {
				one := slices.Clone(set)
				residual = c.keep(one, m) || residual
				for j := range union {
					union[j] |= one[j]
				}
			}
		}
		if wanted && !undecided {
			for j := range set {
				set[j] &= union[j]
			}
		}
		residual = residual || undecided
	}
	return residual
}

func groupsOf(conds []asff.Condition) map[uint8]bool {
	groups := map[uint8]bool{}
	for i := range conds {
		groups[conds[i].Group] = true
	}
	return groups
}

// Restrict takes out of s what is not among seqs.
func (v View) Restrict(s *Set, seqs []int64) {
	only := make([]uint64, len(s.bits))
	for _, seq := range seqs {
		if row, known := slices.BinarySearch(v.x.seqs, seq); known {
			only[row/64] |= 1 << (row % 64)
		}
	}
	for i := range s.bits {
		s.bits[i] &= only[i]
	}
}

// Len is the number of findings in s.
func (s *Set) Len() int {
	n := 0
	for _, w := range s.bits {
		n += bits.OnesCount64(w)
	}
	return n
}

// Newest returns the Seqs of s in descending order: at most limit, all less than before (0: no bound), after passing
// over skip of them.
func (v View) Newest(s *Set, before int64, skip, limit int) []int64 {
	end := len(v.x.seqs)
	if before > 0 {
		end, _ = slices.BinarySearch(v.x.seqs, before)
	}
	seqs := make([]int64, 0, min(limit, 1024))
	for i := (end+63)/64 - 1; i >= 0 && len(seqs) < limit; i-- {
		w := s.bits[i]
		if end < i*64+64 {
			w &= 1<<(end%64) - 1
		}
		if n := bits.OnesCount64(w); n <= skip {
			skip -= n
			continue
		}
		for ; w != 0 && len(seqs) < limit; w &^= 1 << (63 - bits.LeadingZeros64(w)) {
			if skip > 0 {
				skip--
				continue
			}
			seqs = append(seqs, v.x.seqs[i*64+63-bits.LeadingZeros64(w)])
		}
	}
	return seqs
}

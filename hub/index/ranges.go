package index

import (
	"math"
	"math/bits"
	"slices"

	"github.com/eyrie-sec/eyrie/asff"
)

// interval is a closed interval; empty if from > to.
type interval[T int64 | float64] struct{ from, to T }

// timeRanges are the intervals of each group of date conditions. An absent time is less than all of them.
func timeRanges(m matcher) [][]interval[int64] {
	return grouped(m.conds, func(c *asff.Condition) interval[int64] {
		first, last := c.TimeBounds(m.now)
		return interval[int64]{max(first, absentTime+1), last}
	})
}

// numberRanges are the intervals of each group of number conditions. NaN is in none.
func numberRanges(m matcher) [][]interval[float64] {
	return grouped(m.conds, func(c *asff.Condition) interval[float64] {
		r := interval[float64]{math.Inf(-1), math.Inf(1)}
		if c.Eq != nil {
			r = interval[float64]{*c.Eq, *c.Eq}
		}
		if c.Gte != nil {
			r.from = max(r.from, *c.Gte)
		}
		if c.Lte != nil {
			r.to = min(r.to, *c.Lte)
		}
		if c.Gt != nil {
			r.from = max(r.from, math.Nextafter(*c.Gt, math.Inf(1)))
		}
		if c.Lt != nil {
			r.to = min(r.to, math.Nextafter(*c.Lt, math.Inf(-1)))
		}
		return r
	})
}

func grouped[T int64 | float64](conds []asff.Condition, bounds func(*asff.Condition) interval[T]) [][]interval[T] {
	var groups []uint8
	var ranges [][]interval[T]
	for i := range conds {
		at := slices.Index(groups, conds[i].Group)
		if at < 0 {
			at = len(groups)
			groups, ranges = append(groups, conds[i].Group), append(ranges, nil)
		}
		ranges[at] = append(ranges[at], bounds(&conds[i]))
	}
	return ranges
}

// keepRanges clears the bits of set whose row's value is not, for each group of ranges, in one of them. Rows in odd are
// judged by match.
func keepRanges[V int64 | float32, T int64 | float64](set []uint64, values []V, groups [][]interval[T], match func(row int) bool, odd map[uint32]string) {
	rescued := make([]int, 0, len(odd))
	for row := range odd {
		if i := int(row); i/64 < len(set) && set[i/64]>>(i%64)&1 == 1 && match(i) {
			rescued = append(rescued, i)
		}
	}
	for _, ranges := range groups {
		if len(ranges) == 1 {
			keepRange(set, values, ranges[0])
			continue
		}
		union := make([]uint64, len(set))
		for _, r := range ranges {
			one := slices.Clone(set)
			keepRange(one, values, r)
			for i := range union {
				union[i] |= one[i]
			}
		}
		copy(set, union)
	}
	for _, row := range rescued {
		set[row/64] |= 1 << (row % 64)
	}
}

func keepRange[V int64 | float32, T int64 | float64](set []uint64, values []V, r interval[T]) {
	for i := range set {
		w := set[i]
		if w == 0 {
			continue
		}
		if i*64+64 <= len(values) && bits.OnesCount64(w) > 12 {
			block := values[i*64 : i*64+64]
			var hit uint64
			for j, v := range block {
				if T(v) >= r.from && T(v) <= r.to {
					hit |= 1 << j
				}
			}
			set[i] = w & hit
			continue
		}
		for rest := w; rest != 0; rest &= rest - 1 {
			j := bits.TrailingZeros64(rest)
			row := i*64 + j
			if row >= len(values) || !(T(values[row]) >= r.from && T(values[row]) <= r.to) {
				w &^= 1 << j
			}
		}
		set[i] = w
	}
}

package index

import (
	"math"
	"strconv"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// limits are what an Index takes of memory before it does with less. Tests have lower ones.
type limits struct {
	tuples int // of a dictionary; more, and more than an eighth of the rows, make it a hashed column
	text   int // bytes of a dictionary's tuples; more make it a hashed column
	dead   int // codes or rows that are no longer used, and more than those that are, until they are cleared away
}

var defaultLimits = limits{tuples: 1 << 16, text: 64 << 20, dead: 4096}

// A column holds the values of one attribute, or of one key of a map attribute, of all rows. Exactly one of dict, hash,
// times and numbers is in use.
type column struct {
	attr asff.Attribute
	key  string

	dict  *dict
	codes codes // of dict

	hash *hashed

	times   []int64   // nanoseconds since 1970; absentTime
	numbers []float32 // NaN is absent
	numeric bool      // numbers is in use, even if still nil
	timed   bool      // times is in use, even if still nil
	// odd has the tuples that times and numbers cannot hold: several values, one out of range, inexact or malformed.
	// Their rows are absent in times and numbers.
	odd map[uint32]string

	ranks rankCache // of dict
}

const absentTime = math.MinInt64

func newColumn(a asff.Attribute, key string) *column {
	c := &column{attr: a, key: key}
	switch {
	case a.Kind() == asff.KindDate:
		c.timed, c.odd = true, map[uint32]string{}
	case a.Kind() == asff.KindNumber:
		c.numeric, c.odd = true, map[uint32]string{}
	case hashedFirst(a):
		c.hash = newHashed()
	default:
		c.dict = newDict()
	}
	return c
}

// set gives a row, old or the next, the values of its attribute that v has.
func (c *column) set(row int, v *Values, scratch []byte) []byte {
	tuple := v.tuple(scratch[:0], c.attr, c.key)
	switch {
	case c.hash != nil:
		for rest := tuple; len(rest) > 0; {
			value, after := nextValue(string(rest))
			c.hash.add(hashValue(value), uint32(row))
			rest = rest[len(rest)-len(after):]
		}
	case c.dict != nil:
		old := c.codes.get(row)
		code := c.dict.acquire(tuple)
		c.dict.release(old)
		if code != old {
			c.codes.set(row, code)
		}
	case c.timed:
		c.setTime(row, tuple)
	default:
		c.setNumber(row, tuple)
	}
	return tuple
}

func (c *column) setTime(row int, tuple []byte) {
	delete(c.odd, uint32(row))
	if len(tuple) == 0 {
		if row < len(c.times) {
			c.times[row] = absentTime
		}
		return
	}
	c.times = extendWith(c.times, row, absentTime)
	n, ok := parseTime(string(tuple))
	if !ok {
		n = absentTime
		c.odd[uint32(row)] = string(tuple)
	}
	c.times[row] = n
}

// extendWith is extend with a filler for the rows between.
func extendWith[T any](s []T, row int, filler T) []T {
	old := len(s)
	s = extend(s, row)
	for i := old; i < len(s); i++ {
		s[i] = filler
	}
	return s
}

// parseTime reads a tuple of one timestamp that fits in 64 bits of nanoseconds.
func parseTime(tuple string) (int64, bool) {
	value, rest := nextValue(tuple)
	t, err := asff.ParseTime(value)
	if err != nil || rest != "" || t.Year() < 1678 || t.Year() > 2261 {
		return 0, false
	}
	return t.UnixNano(), true
}

func (c *column) setNumber(row int, tuple []byte) {
	delete(c.odd, uint32(row))
	if len(tuple) == 0 {
		if row < len(c.numbers) {
			c.numbers[row] = float32(math.NaN())
		}
		return
	}
	c.numbers = extendWith(c.numbers, row, float32(math.NaN()))
	value, rest := nextValue(string(tuple))
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || rest != "" || math.IsInf(n, 0) || float64(float32(n)) != n { // NaN is unequal to itself
		c.odd[uint32(row)] = string(tuple)
		n = math.NaN()
	}
	c.numbers[row] = float32(n)
}

// release takes a row's value out when the row is deleted, so that dictionaries shrink.
func (c *column) release(row int) {
	switch {
	case c.dict != nil:
		c.dict.release(c.codes.get(row))
		c.codes.set(row, 0)
	case c.odd != nil:
		delete(c.odd, uint32(row))
	}
}

// tidy turns the column into another kind or recodes it, if it is time. rows is the number of rows.
func (c *column) tidy(rows int, max limits) {
	if c.dict == nil {
		return
	}
	live := c.dict.live()
	switch {
	case live > max.tuples && live > rows/8, c.dict.text > max.text && c.dict.dead < live:
		c.toHashed()
	case c.dict.dead > max.dead && c.dict.dead > live:
		fresh, moved := c.dict.compact()
		var recoded codes
		for row := range c.codes.len() {
			recoded.set(row, moved[c.codes.get(row)])
		}
		c.dict, c.codes = fresh, recoded
	}
}

func (c *column) toHashed() {
	hashes := make([][]uint32, len(c.dict.tuples))
	for code, tuple := range c.dict.tuples {
		for rest := tuple; rest != ""; {
			var value string
			value, rest = nextValue(rest)
			hashes[code] = append(hashes[code], hashValue(value))
		}
	}
	h := newHashed()
	for row := range c.codes.len() {
		for _, hash := range hashes[c.codes.get(row)] {
			h.add(hash, uint32(row))
		}
	}
	c.hash, c.dict, c.codes = h, nil, codes{}
}

// renumber moves the values of each row to the row that moved says, -1 meaning that the row is gone.
func (c *column) renumber(moved []int32) {
	switch {
	case c.hash != nil:
		c.hash.renumber(moved)
		return
	case c.dict != nil:
		var fresh codes
		for row := range c.codes.len() {
			if moved[row] >= 0 {
				fresh.set(int(moved[row]), c.codes.get(row))
			}
		}
		c.codes = fresh
		return
	}
	c.times = squeeze(c.times, moved)
	c.numbers = squeeze(c.numbers, moved)
	odd := make(map[uint32]string, len(c.odd))
	for row, tuple := range c.odd {
		if moved[row] >= 0 {
			odd[uint32(moved[row])] = tuple
		}
	}
	c.odd = odd
}

// squeeze keeps the elements whose rows stay, in a slice of their own so that memory shrinks.
func squeeze[T any](s []T, moved []int32) []T {
	if s == nil {
		return nil
	}
	n := 0
	for row := range s {
		if moved[row] >= 0 {
			n++
		}
	}
	kept := make([]T, 0, n+n/8)
	for row, v := range s {
		if moved[row] >= 0 {
			kept = append(kept, v)
		}
	}
	return kept
}

func (c *column) bytes() int {
	n := c.codes.bytes() + 8*cap(c.times) + 4*cap(c.numbers) + 64*len(c.odd)
	if c.dict != nil {
		n += c.dict.bytes()
	}
	if c.hash != nil {
		n += c.hash.bytes()
	}
	return n
}

// matcher is the conditions of one attribute (for a map attribute: of one key and one group) at one time.
type matcher struct {
	conds      []asff.Condition
	now        time.Time
	equalsOnly bool
}

func newMatcher(conds []asff.Condition, now time.Time) matcher {
	m := matcher{conds: conds, now: now, equalsOnly: true}
	for i := range conds {
		m.equalsOnly = m.equalsOnly && conds[i].Comparison == asff.Equals
	}
	return m
}

// keep clears the bits of set whose rows do not match. residual tells that the rows left have to be verified.
func (c *column) keep(set []uint64, m matcher) (residual bool) {
	switch {
	case c.hash != nil:
		c.keepHashed(set, m)
		return true
	case c.dict != nil:
		verdicts, hits := c.dict.verdicts(c.attr, c.key, m)
		switch hits {
		case 0:
			clear(set)
		case len(verdicts):
		default:
			c.codes.keep(set, verdicts)
		}
	case c.timed:
		keepRanges(set, c.times, timeRanges(m), func(row int) bool { return c.oddMatches(row, m) }, c.odd)
	default:
		keepRanges(set, c.numbers, numberRanges(m), func(row int) bool { return c.oddMatches(row, m) }, c.odd)
	}
	return false
}

func (c *column) oddMatches(row int, m matcher) bool {
	return c.attr.MatchValues(m.conds, m.now, appendValues(nil, c.key, c.odd[uint32(row)]))
}

func (c *column) keepHashed(set []uint64, m matcher) {
	if !m.equalsOnly {
		return
	}
	// Groups are joined by AND: the rows of any one group bound the result, so the first group is enough.
	hits := make([]uint64, len(set))
	for i := range m.conds {
		if m.conds[i].Group != m.conds[0].Group {
			continue
		}
		c.hash.rows(hashValue(m.conds[i].Value), func(row int) {
			if row/64 < len(hits) {
				hits[row/64] |= 1 << (row % 64)
			}
		})
	}
	for i := range set {
		set[i] &= hits[i]
	}
}

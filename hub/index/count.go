package index

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// Bucket is one value and how many findings have it.
type Bucket struct {
	Value      string
	Count      int
	New        int    // of them NEW and not archived
	BySeverity [5]int // in the order of Severities
}

// Tally counts values, each once a finding.
type Tally struct {
	buckets map[string]*Bucket
}

// NewTally returns an empty Tally.
func NewTally() *Tally { return &Tally{map[string]*Bucket{}} }

// Add counts a finding's document, for what has no column. The error is that of asff.Extract.
func (t *Tally) Add(doc []byte, a asff.Attribute, key string) error {
	v, err := extractOne(doc, a, key)
	if err != nil {
		return err
	}
	one := cell{count: 1}
	one.bySeverity[min(severityOf(v.summary), 4)] = 1
	if isNew(v.summary) {
		one.fresh = 1
	}
	t.add(string(v.tuple(nil, a, key)), one)
	return nil
}

// extractOne is Extract for one attribute of which no key is left out.
func extractOne(doc []byte, a asff.Attribute, key string) (*Values, error) {
	v, err := Extract(doc, time.Time{}, nil)
	if err != nil || a.Kind() != asff.KindMap {
		return v, err
	}
	v.first[a], v.last[a] = 0, 0
	err = asff.Extract(doc, func(b asff.Attribute, k, value []byte) {
		if b == a && string(k) == key {
			v.add(a, k, value)
		}
	})
	return v, err
}

// cell is the counts of one code.
type cell struct {
	count, fresh int
	bySeverity   [5]int
}

// add counts a tuple: every distinct value in it.
func (t *Tally) add(tuple string, c cell) {
	var seen []string
	for tuple != "" {
		var value string
		value, tuple = nextValue(tuple)
		if slices.Contains(seen, value) {
			continue
		}
		seen = append(seen, value)
		b := t.buckets[value]
		if b == nil {
			b = &Bucket{Value: value}
			t.buckets[value] = b
		}
		b.Count += c.count
		b.New += c.fresh
		for i, n := range c.bySeverity {
			b.BySeverity[i] += n
		}
	}
}

// Top returns at most limit buckets, the greatest counts first, then by value.
func (t *Tally) Top(limit int) []Bucket {
	buckets := make([]Bucket, 0, len(t.buckets))
	for _, b := range t.buckets {
		buckets = append(buckets, *b)
	}
	slices.SortFunc(buckets, func(x, y Bucket) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Value, y.Value))
	})
	return buckets[:min(limit, len(buckets))]
}

// Tally counts the values of an attribute among s. ok is false if memory does not have them: then the documents must be
// counted with Tally.Add.
func (v View) Tally(s *Set, a asff.Attribute, key string) (t *Tally, ok bool) {
	t = NewTally()
	c := v.x.find(a, key)
	switch {
	case c == nil:
		return t, !v.x.hidden(a, key)
	case c.hash != nil:
		return t, false
	case c.dict != nil:
		v.tallyDict(t, s, c)
	case c.timed:
		v.tallyValues(t, s, c, func(row int) (string, bool) {
			if row >= len(c.times) || c.times[row] == absentTime {
				return "", false
			}
			return asff.FormatTime(time.Unix(0, c.times[row])), true
		})
	default:
		v.tallyValues(t, s, c, func(row int) (string, bool) {
			if row >= len(c.numbers) || c.numbers[row] != c.numbers[row] {
				return "", false
			}
			return strconv.FormatFloat(float64(c.numbers[row]), 'f', -1, 32), true
		})
	}
	return t, true
}

// maxCells bounds the codes of which summaries are counted one by one: 2 MB of counts.
const maxCells = 1 << 12

func (v View) tallyDict(t *Tally, s *Set, c *column) {
	n := len(c.dict.tuples)
	if n > maxCells {
		byCode := make([]cell, n)
		for row := range v.rows(s) {
			byCode[c.codes.get(row)].addOne(v.x.summary[row])
		}
		for code := 1; code < n; code++ {
			if byCode[code].count > 0 {
				t.add(c.dict.tuples[code], byCode[code])
			}
		}
		return
	}
	cells := make([]uint32, n*summaries) // by code and summary, of which sense is made once a code
	switch {
	case c.codes.wide != nil:
		tallyCodes(cells, s.bits, c.codes.wide, v.x.summary)
	case c.codes.middle != nil:
		tallyCodes(cells, s.bits, c.codes.middle, v.x.summary)
	default:
		tallyCodes(cells, s.bits, c.codes.narrow, v.x.summary)
	}
	for code := 1; code < n; code++ {
		if one := cellOf(cells[code*summaries : (code+1)*summaries]); one.count > 0 {
			t.add(c.dict.tuples[code], one)
		}
	}
}

// tallyCodes counts the rows of set by code and summary. Rows past the end of codes have code 0, which is not asked for.
func tallyCodes[T uint8 | uint16 | uint32](cells []uint32, set []uint64, codes []T, summary []uint8) {
	for i, w := range set {
		if i*64 >= len(codes) {
			return
		}
		block := codes[i*64 : min(i*64+64, len(codes))]
		if w == math.MaxUint64 {
			for j, code := range block {
				cells[int(code)*summaries|int(summary[i*64+j]&(summaries-1))]++
			}
			continue
		}
		for ; w != 0; w &= w - 1 {
			if j := bits.TrailingZeros64(w); j < len(block) {
				cells[int(block[j])*summaries|int(summary[i*64+j]&(summaries-1))]++
			}
		}
	}
}

func cellOf(counts []uint32) cell {
	var c cell
	for summary, n := range counts {
		c.count += int(n)
		c.bySeverity[min(severityOf(uint8(summary)), 4)] += int(n)
		if isNew(uint8(summary)) {
			c.fresh += int(n)
		}
	}
	return c
}

func (c *cell) addOne(summary uint8) {
	c.count++
	c.bySeverity[min(severityOf(summary), 4)]++
	if isNew(summary) {
		c.fresh++
	}
}

func (v View) tallyValues(t *Tally, s *Set, c *column, value func(row int) (string, bool)) {
	for row := range v.rows(s) {
		var one cell
		one.addOne(v.x.summary[row])
		if text, ok := value(row); ok {
			t.add(string(appendTuple(nil, text)), one)
		} else if tuple, ok := c.odd[uint32(row)]; ok {
			t.add(tuple, one)
		}
	}
}

// rows yields the rows of s in ascending order.
func (v View) rows(s *Set) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i, w := range s.bits {
			for ; w != 0; w &= w - 1 {
				if !yield(i*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Histogram counts s by LastObservedAt and severity: bin i begins at from + i×step nanoseconds. Findings before from, from
// to on, and those without the time, are not counted.
func (v View) Histogram(s *Set, from, to, step int64, bins int) [][5]int {
	counts := make([][5]int, bins)
	c := v.x.find(asff.AttrLastObservedAt, "")
	if c == nil || step <= 0 {
		return counts
	}
	for row := range v.rows(s) {
		if row >= len(c.times) || c.times[row] < from || c.times[row] >= to || c.times[row] == absentTime {
			continue
		}
		if bin := uint64(c.times[row]-from) / uint64(step); bin < uint64(bins) {
			counts[bin][min(severityOf(v.x.summary[row]), 4)]++
		}
	}
	return counts
}

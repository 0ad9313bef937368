package index

import (
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/asff"
)

// dict numbers the distinct tuples of a column. Code 0 is the empty tuple. A tuple that no row has any more keeps its
// code until the column is recoded.
type dict struct {
	codes  map[string]uint32
	tuples []string // by code; tuples[0] is ""
	refs   []uint32 // rows that have the code; refs[0] is not kept
	multi  []uint32 // codes of tuples with several values
	text   int      // bytes in tuples
	dead   int      // codes but 0 that no row has
}

func newDict() *dict {
	return &dict{codes: map[string]uint32{}, tuples: []string{""}, refs: []uint32{0}}
}

// live is the number of distinct tuples that rows have.
func (d *dict) live() int { return len(d.tuples) - 1 - d.dead }

// acquire returns the code of tuple, for one more row.
func (d *dict) acquire(tuple []byte) uint32 {
	if len(tuple) == 0 {
		return 0
	}
	code, ok := d.codes[string(tuple)]
	if !ok {
		code = d.add(string(tuple))
	}
	if d.refs[code] == 0 {
		d.dead--
	}
	d.refs[code]++
	return code
}

// add gives a tuple that is not there the next code, with no row.
func (d *dict) add(tuple string) uint32 {
	code := uint32(len(d.tuples))
	d.codes[tuple] = code
	d.tuples = append(d.tuples, tuple)
	d.refs = append(d.refs, 0)
	d.text += len(tuple)
	d.dead++
	if _, rest := nextValue(tuple); rest != "" {
		d.multi = append(d.multi, code)
	}
	return code
}

// release takes back what acquire gave for one row.
func (d *dict) release(code uint32) {
	if code == 0 {
		return
	}
	d.refs[code]--
	if d.refs[code] == 0 {
		d.dead++
	}
}

// bytes estimates the memory: a tuple costs its text, two string headers, a count and a place in the map.
func (d *dict) bytes() int { return d.text + 72*len(d.tuples) }

// verdicts tries conditions once on each distinct tuple: a byte a code, 1 where it matches. hits is how many do, the
// empty tuple included.
func (d *dict) verdicts(a asff.Attribute, key string, m matcher) (verdicts []uint8, hits int) {
	verdicts = make([]uint8, len(d.tuples))
	try := func(code uint32, values []asff.KV) {
		if verdicts[code] == 0 && a.MatchValues(m.conds, m.now, values) {
			verdicts[code] = 1
			hits++
		}
	}
	var values []asff.KV
	if !m.equalsOnly {
		for code, tuple := range d.tuples {
			values = appendValues(values[:0], key, tuple)
			try(uint32(code), values)
		}
		return verdicts, hits
	}
	// Only a tuple that has one of the wanted values can match: look those up, and try all that have several values.
	for i := range m.conds {
		if code, ok := d.codes[string(appendTuple(nil, m.conds[i].Value))]; ok {
			try(code, appendValues(values[:0], key, d.tuples[code]))
		}
	}
	for _, code := range d.multi {
		values = appendValues(values[:0], key, d.tuples[code])
		try(code, values)
	}
	return verdicts, hits
}

// ranks gives every code its place in the order of the tuples' values: the least value of a tuple counts, or the
// greatest if desc. Equal places mean equal values. Code 0 has no place.
func (d *dict) ranks(a asff.Attribute, desc bool) []uint32 {
	value := make([]string, len(d.tuples))
	order := make([]uint32, 0, len(d.tuples)-1)
	for code := 1; code < len(d.tuples); code++ {
		rest := d.tuples[code]
		value[code], rest = nextValue(rest)
		for rest != "" {
			var v string
			v, rest = nextValue(rest)
			if less(a, v, value[code]) != desc && v != value[code] {
				value[code] = v
			}
		}
		order = append(order, uint32(code))
	}
	slices.SortFunc(order, func(x, y uint32) int { return compare(a, value[x], value[y]) })
	ranks := make([]uint32, len(d.tuples))
	for i, code := range order {
		ranks[code] = uint32(i)
		if i > 0 && compare(a, value[order[i-1]], value[code]) == 0 {
			ranks[code] = ranks[order[i-1]]
		}
	}
	return ranks
}

func less(a asff.Attribute, x, y string) bool { return compare(a, x, y) < 0 }

// compare orders two values: labels by severity, all else by bytes.
func compare(a asff.Attribute, x, y string) int {
	if a == asff.AttrSeverityLabel || a == asff.AttrFindingProviderFieldsSeverityLabel {
		xs, ys := slices.Index(Severities[:], x), slices.Index(Severities[:], y)
		if xs != ys {
			return xs - ys
		}
	}
	return strings.Compare(x, y)
}

// compact returns a dict of the live tuples and what becomes of each old code.
func (d *dict) compact() (*dict, []uint32) {
	fresh := newDict()
	fresh.codes = make(map[string]uint32, d.live())
	moved := make([]uint32, len(d.tuples))
	for code := 1; code < len(d.tuples); code++ {
		if d.refs[code] == 0 {
			continue
		}
		moved[code] = fresh.add(d.tuples[code])
		fresh.refs[moved[code]] = d.refs[code]
		fresh.dead--
	}
	return fresh, moved
}

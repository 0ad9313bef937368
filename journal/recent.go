package journal

import "sort"

// recent keeps the newest records in memory, parsed, for the consumer that is caught up. It is complete: it holds every
// stored record with Seq > after.
type recent struct {
	records []Record
	after   int64
	bytes   int
}

func (r *recent) reset(after int64) {
	*r = recent{after: after}
}

func (r *recent) add(records []Record, stored []bool) {
	for i := range records {
		if stored[i] {
			r.records = append(r.records, records[i])
			r.bytes += cost(&records[i])
		}
	}
	drop := 0
	for r.bytes > recentBytes && drop < len(r.records) {
		r.bytes -= cost(&r.records[drop])
		r.after = r.records[drop].Seq
		drop++
	}
	if drop > 0 {
		clear(r.records[:drop]) // what is sliced away must not keep its alerts alive
		r.records = r.records[drop:]
	}
}

// cost is roughly what a record takes in memory: its body, and its parsed alert, which is about twice that.
func cost(r *Record) int { return 3*len(r.Body) + 256 }

// from returns the records after seq, and whether recent knows all of them.
func (r *recent) from(seq int64, limit, maxBytes int) ([]Record, bool) {
	records, known := r.since(seq)
	n, size := 0, 0
	for n < min(limit, len(records)) && (n == 0 || size < maxBytes) {
		size += len(records[n].Body)
		n++
	}
	return append([]Record(nil), records[:n]...), known
}

// since is all of from, and not a copy: it is good until the next add.
func (r *recent) since(seq int64) ([]Record, bool) {
	if seq < r.after {
		return nil, false
	}
	i := sort.Search(len(r.records), func(i int) bool { return r.records[i].Seq > seq })
	return r.records[i:], true
}

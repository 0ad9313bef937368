package index

import (
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// Index is the columns of all findings. Safe for concurrent use.
type Index struct {
	max limits

	// writing is held while a snapshot is written: rows must not be renumbered meanwhile. Taken before mu.
	writing sync.Mutex

	mu      sync.RWMutex // guards all below
	seqs    []int64      // by row, ascending
	alive   []uint64     // bit a row: not deleted
	summary []uint8      // by row
	touched []uint32     // by row: hours since 1970
	columns []*column
	byAttr  [asff.NumAttributes][]*column // the same columns
	refused [asff.NumAttributes]bool      // map attributes of which a key got no column
	live    int
	counts  [summaries]int // of live rows
	scratch []byte
}

// New returns an empty Index.
func New() *Index { return &Index{max: defaultLimits} }

// Change is a new state of a finding. Values nil means that it is deleted.
type Change struct {
	Seq    int64
	Values *Values
}

// Apply brings findings up to date. A Seq that is not known must be greater than all before, or be a deletion; the error
// says that it is not, and that the index is no longer good.
func (x *Index) Apply(changes []Change) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, ch := range changes {
		row, known := slices.BinarySearch(x.seqs, ch.Seq)
		switch {
		case ch.Values == nil && known:
			x.remove(row)
		case ch.Values == nil:
		case !known && row < len(x.seqs):
			return fmt.Errorf("index: finding %d comes after %d", ch.Seq, x.seqs[len(x.seqs)-1])
		default:
			if !known {
				x.append(ch.Seq)
			}
			x.set(row, ch.Values)
		}
	}
	for _, c := range x.columns {
		c.tidy(len(x.seqs), x.max)
	}
	if dead := len(x.seqs) - x.live; dead > x.max.dead && dead > x.live && x.writing.TryLock() {
		x.compact()
		x.writing.Unlock()
	}
	return nil
}

// append makes a row that is not alive yet.
func (x *Index) append(seq int64) {
	row := len(x.seqs)
	x.seqs = append(x.seqs, seq)
	x.summary = append(x.summary, 0)
	x.touched = append(x.touched, 0)
	if row%64 == 0 {
		x.alive = append(x.alive, 0)
	}
}

func (x *Index) isAlive(row int) bool { return x.alive[row/64]>>(row%64)&1 == 1 }

func (x *Index) remove(row int) {
	if !x.isAlive(row) {
		return
	}
	x.alive[row/64] &^= 1 << (row % 64)
	x.live--
	x.counts[x.summary[row]]--
	for _, c := range x.columns {
		c.release(row)
	}
}

func (x *Index) set(row int, v *Values) {
	if x.isAlive(row) {
		x.counts[x.summary[row]]--
	} else {
		x.alive[row/64] |= 1 << (row % 64)
		x.live++
	}
	x.summary[row], x.touched[row] = v.summary, v.touched
	x.counts[v.summary]++
	x.addColumns(v)
	for _, c := range x.columns {
		x.scratch = c.set(row, v, x.scratch)
	}
}

// addColumns makes the columns that v is the first to have values for.
func (x *Index) addColumns(v *Values) {
	for i, at := range v.first {
		a := asff.Attribute(i)
		if at == 0 || a.Kind() != asff.KindMap {
			if at != 0 && x.byAttr[a] == nil {
				x.addColumn(newColumn(a, ""))
			}
			continue
		}
		for ; at != 0; at = v.items[at-1].next {
			key := v.bytes(v.items[at-1].key)
			switch {
			case x.find(a, string(key)) != nil:
			case len(x.byAttr[a]) >= mapColumns(a):
				x.refused[a] = true
			default:
				x.addColumn(newColumn(a, string(key)))
			}
		}
	}
}

func (x *Index) addColumn(c *column) {
	x.columns = append(x.columns, c)
	x.byAttr[c.attr] = append(x.byAttr[c.attr], c)
}

// find returns a column, or nil.
func (x *Index) find(a asff.Attribute, key string) *column {
	for _, c := range x.byAttr[a] {
		if c.key == key {
			return c
		}
	}
	return nil
}

// hidden reports whether findings may have values of a and key although there is no column for them.
func (x *Index) hidden(a asff.Attribute, key string) bool {
	return a == asff.AttrKeyword || a.Kind() == asff.KindMap && (!keyed(a, key) || x.refused[a])
}

// compact renumbers the rows so that those of deleted findings are gone.
func (x *Index) compact() {
	moved := make([]int32, len(x.seqs))
	next := int32(0)
	for row := range moved {
		moved[row] = -1
		if x.isAlive(row) {
			moved[row] = next
			next++
		}
	}
	x.seqs = squeeze(x.seqs, moved)
	x.summary = squeeze(x.summary, moved)
	x.touched = squeeze(x.touched, moved)
	for _, c := range x.columns {
		c.renumber(moved)
	}
	x.alive = make([]uint64, (len(x.seqs)+63)/64)
	for row := range x.seqs {
		x.alive[row/64] |= 1 << (row % 64)
	}
}

// Counts are what an Index knows without looking at rows.
type Counts struct {
	Findings      int
	ByWorkflow    [4]int // in the order of Workflows; not archived
	BySeverityNew [5]int // in the order of Severities; NEW and not archived
	Archived      int
	Bytes         int // of memory, an estimate
}

// Counts returns the counts.
func (x *Index) Counts() Counts {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := Counts{Findings: x.live, Bytes: 13*cap(x.seqs) + 8*cap(x.alive)}
	for s, n := range x.counts {
		if s&archivedBit != 0 {
			c.Archived += n
			continue
		}
		if w := workflowOf(uint8(s)); w < len(c.ByWorkflow) {
			c.ByWorkflow[w] += n
		}
		if s := uint8(s); isNew(s) && severityOf(s) < len(c.BySeverityNew) {
			c.BySeverityNew[severityOf(s)] += n
		}
	}
	for _, col := range x.columns {
		c.Bytes += col.bytes()
	}
	return c
}

// LastSeq is the greatest Seq ever applied that is still in memory, 0 if there is none.
func (x *Index) LastSeq() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.seqs) == 0 {
		return 0
	}
	return x.seqs[len(x.seqs)-1]
}

// Untouched returns the Seqs of at most limit findings last touched in an hour that ended before t, the least first.
func (x *Index) Untouched(t time.Time, limit int) []int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var seqs []int64
	hour := hours(t)
	for i, w := range x.alive {
		for ; w != 0; w &= w - 1 {
			row := i*64 + bits.TrailingZeros64(w)
			if x.touched[row] >= hour {
				continue
			}
			if len(seqs) == limit {
				return seqs
			}
			seqs = append(seqs, x.seqs[row])
		}
	}
	return seqs
}

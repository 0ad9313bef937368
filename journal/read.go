package journal

import (
	"context"
	"slices"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
)

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
	if seq < r.after {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(r.records, seq+1, func(rec Record, s int64) int { return int(min(max(rec.Seq-s, -1), 1)) })
	n, size := 0, 0
	for n < limit && i+n < len(r.records) && size < maxBytes {
		size += len(r.records[i+n].Body)
		n++
	}
	return slices.Clone(r.records[i : i+n]), true
}

// Read returns records with Seq > after, in order: at most limit, and no more once their bodies exceed maxBytes. None
// means that there are none yet. The records share memory with the journal: do not change them.
func (j *Journal) Read(ctx context.Context, after int64, limit, maxBytes int) ([]Record, error) {
	j.mu.Lock()
	records, known := j.recent.from(after, limit, maxBytes)
	store, failure := j.store, j.failure
	j.mu.Unlock()
	if known && len(records) > 0 {
		return records, nil
	}
	if store == nil {
		return nil, failure
	}
	if known && failure == nil {
		return nil, nil
	}
	records, err := store.Read(ctx, after, limit, maxBytes)
	return parsed(records), err
}

// Get returns the records with these Seqs that are still there, in ascending order.
func (j *Journal) Get(ctx context.Context, seqs []int64) ([]Record, error) {
	store, err := j.usable()
	if err != nil {
		return nil, err
	}
	records, err := store.Get(ctx, seqs)
	return parsed(records), err
}

func parsed(records []Record) []Record {
	for i := range records {
		// A body that no longer parses leaves Alert nil, which is what Record promises.
		if a, err := falco.Parse(records[i].Body); err == nil {
			records[i].Alert = a
		}
	}
	return records
}

// Wait returns nil when there may be a record with Seq > after, and otherwise when ctx ends or the journal is closed.
func (j *Journal) Wait(ctx context.Context, after int64) error {
	for {
		j.mu.Lock()
		last, changed := j.newest, j.changed
		j.mu.Unlock()
		if last > after {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-j.done:
			return ErrClosed
		}
	}
}

// Cursor returns how far the consumer name has come, as it last said by SetCursor; 0 if it never did.
func (j *Journal) Cursor(ctx context.Context, name string) (int64, error) {
	store, err := j.usable()
	if err != nil {
		return 0, err
	}
	return store.Cursor(ctx, name)
}

// SetCursor keeps how far the consumer name has come, durably.
func (j *Journal) SetCursor(ctx context.Context, name string, seq int64) error {
	store, err := j.usable()
	if err != nil {
		return err
	}
	return store.SetCursor(ctx, name, seq)
}

// Quarantine returns at most limit records with ID > after, in ascending order.
func (j *Journal) Quarantine(ctx context.Context, after int64, limit int) ([]Rejected, error) {
	store, err := j.usable()
	if err != nil {
		return nil, err
	}
	return store.Quarantine(ctx, after, limit)
}

// Discard removes records from quarantine; those that are not there are no error. Counts by reason stay.
func (j *Journal) Discard(ctx context.Context, ids []int64) error {
	store, err := j.usable()
	if err != nil {
		return err
	}
	return store.Discard(ctx, ids)
}

// Stats is what a person wants to know of a journal.
type Stats struct {
	First, Last     int64 // Seqs
	Oldest          time.Time
	Bytes           int64 // of alerts on disk, as stored
	FileBytes       int64
	Quarantined     int64 // records in quarantine now
	QuarantineBytes int64
	Evicted         int64 // records that left quarantine for want of room

	// Since the journal began, of which the last few seconds may be forgotten by a crash.
	Stored, Duplicates int64
	Rejected           map[string]int64 // by reason; a crash forgets none of these

	Sources []Source // the most recently seen first
	Failure error    // nil while alerts can be stored
}

// Stats describes the journal. While the store fails, what is known from memory is given with Failure and no error.
func (j *Journal) Stats(ctx context.Context) (Stats, error) {
	store, _ := j.usable()
	var head Head
	var err error
	if store != nil {
		head, err = store.Head(ctx)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{First: head.First, Last: head.Last, Oldest: head.Oldest, Bytes: head.Bytes, FileBytes: head.FileBytes,
		Quarantined: head.Quarantined, QuarantineBytes: head.QuarantineBytes, Failure: j.failure, Rejected: map[string]int64{}}
	for name, n := range j.tally.counters {
		switch name {
		case "stored":
			s.Stored = n
		case "duplicates":
			s.Duplicates = n
		default:
			if reason, ok := cutPrefix(name); ok {
				s.Rejected[reason] = n
			}
		}
	}
	s.Evicted = max(0, sum(s.Rejected)-s.Quarantined-head.Counters[discardedCounter])
	for _, source := range j.tally.sources {
		s.Sources = append(s.Sources, *source)
	}
	slices.SortFunc(s.Sources, func(a, b Source) int { return b.LastSeen.Compare(a.LastSeen) })
	if j.failure != nil {
		return s, nil
	}
	return s, err
}

// discardedCounter is kept by the store: how many records people have discarded from quarantine.
const discardedCounter = "discarded"

func sum(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func cutPrefix(name string) (string, bool) {
	if len(name) <= len(rejectedPrefix) || name[:len(rejectedPrefix)] != rejectedPrefix {
		return "", false
	}
	return name[len(rejectedPrefix):], true
}

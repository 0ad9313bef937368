package journal

import (
	"context"
	"slices"
	"time"
)

// Stats is what a person wants to know of a journal.
type Stats struct {
	First, Last     int64 // Seqs of the oldest and the newest record; 0 if there is none
	Oldest          time.Time
	Bytes           int64 // of alerts on disk, as stored
	FileBytes       int64
	Damaged         int64 // records that turned out unreadable since the file was opened
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
		err = j.noticed(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{First: head.First, Last: head.Last, Oldest: head.Oldest, Bytes: head.Bytes, FileBytes: head.FileBytes, Damaged: head.Damaged,
		Quarantined: head.Quarantined, QuarantineBytes: head.QuarantineBytes, Evicted: head.Counters[evictedCounter],
		Stored: j.tally.counters[storedCounter], Duplicates: j.tally.counters[duplicatesCounter], Failure: j.failure, Rejected: map[string]int64{}}
	if head.First == 0 {
		s.Last = 0
	}
	for name, n := range j.tally.counters {
		if reason, ok := cutPrefix(name); ok {
			s.Rejected[reason] = n
		}
	}
	for _, source := range j.tally.sources {
		s.Sources = append(s.Sources, *source)
	}
	slices.SortFunc(s.Sources, func(a, b Source) int { return b.LastSeen.Compare(a.LastSeen) })
	if j.failure != nil {
		return s, nil
	}
	return s, err
}

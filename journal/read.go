package journal

import (
	"context"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
)

// Read returns records with Seq > after, in order: at most limit, and no more once their bodies reach maxBytes, but at
// least one if limit allows. None means that there are none yet. The records share memory with the journal: do not
// change them. Records that the disk has damaged are left out; Stats counts them.
func (j *Journal) Read(ctx context.Context, after int64, limit, maxBytes int) ([]Record, error) {
	j.mu.Lock()
	records, known := j.recent.from(after, limit, maxBytes)
	store, failure, newest := j.store, j.failure, j.newest
	j.mu.Unlock()
	if known {
		return records, nil
	}
	if store == nil {
		return nil, failure
	}
	records, err := store.Read(ctx, after, limit, maxBytes)
	if err != nil {
		return parsed(records), j.noticed(err)
	}
	return j.merge(records, after, limit, maxBytes, newest), nil
}

// merge completes what the store has read with what is in memory. newest is Journal.newest from before that read.
func (j *Journal) merge(records []Record, after int64, limit, maxBytes int, newest int64) []Record {
	j.mu.Lock()
	// What recent holds is answered from there: after a file was replaced, the new one knows nothing of it.
	n := len(records)
	for n > 0 && records[n-1].Seq > j.recent.after {
		n--
	}
	if n > 0 {
		j.mu.Unlock()
		return parsed(records[:n])
	}
	defer j.mu.Unlock()
	records, _ = j.recent.from(max(after, j.recent.after), limit, maxBytes)
	if len(records) == 0 && limit > 0 && j.newest == newest {
		j.newest = min(newest, after) // the rest was deleted or is damaged: Wait must not promise it
	}
	return records
}

// Get returns the records with these Seqs that are still there, in ascending order.
func (j *Journal) Get(ctx context.Context, seqs []int64) ([]Record, error) {
	store, err := j.usable()
	if err != nil {
		return nil, err
	}
	records, err := store.Get(ctx, seqs)
	return parsed(records), j.noticed(err)
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

// Wait returns nil when there is a record with Seq > after, and otherwise when ctx ends or the journal is closed. It may
// return early, rarely: Read then returns none.
func (j *Journal) Wait(ctx context.Context, after int64) error {
	for {
		j.mu.Lock()
		newest, changed := j.newest, j.changed
		j.mu.Unlock()
		if newest > after {
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

// Waiting returns how many records have a Seq > after, and when the first of them arrived.
func (j *Journal) Waiting(ctx context.Context, after int64) (n int64, oldest time.Time, err error) {
	j.mu.Lock()
	records, known := j.recent.since(after)
	if known && len(records) > 0 {
		n, oldest = int64(len(records)), records[0].Arrived
	}
	store, failure := j.store, j.failure
	j.mu.Unlock()
	switch {
	case known:
		return n, oldest, nil
	case store == nil:
		return 0, time.Time{}, failure
	}
	n, oldest, err = store.Waiting(ctx, after)
	return n, oldest, j.noticed(err)
}

// Cursor returns how far the consumer name has come, as it last said by SetCursor; 0 if it never did.
func (j *Journal) Cursor(ctx context.Context, name string) (int64, error) {
	store, err := j.usable()
	if err != nil {
		return 0, err
	}
	seq, err := store.Cursor(ctx, name)
	return seq, j.noticed(err)
}

// SetCursor keeps how far the consumer name has come, durably.
func (j *Journal) SetCursor(ctx context.Context, name string, seq int64) error {
	store, err := j.usable()
	if err != nil {
		return err
	}
	return j.noticed(store.SetCursor(ctx, name, seq))
}

// Quarantine returns at most limit records with ID > after, in ascending order.
func (j *Journal) Quarantine(ctx context.Context, after int64, limit int) ([]Rejected, error) {
	store, err := j.usable()
	if err != nil {
		return nil, err
	}
	records, err := store.Quarantine(ctx, after, limit)
	return records, j.noticed(err)
}

// Discard removes records from quarantine; those that are not there are no error. Counts by reason stay.
func (j *Journal) Discard(ctx context.Context, ids []int64) error {
	store, err := j.usable()
	if err != nil {
		return err
	}
	return j.noticed(store.Discard(ctx, ids))
}

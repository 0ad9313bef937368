package ahead

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
)

// after returns the records in memory with a Seq > after, at most limit, in order. Asked before the store behind is, it has
// all that this one may not have yet.
func (s *Store) after(seq int64, limit int) []journal.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []journal.Record
	for _, list := range [...][]journal.Record{s.carried, s.pending} {
		for i := range list {
			if len(out) < limit && list[i].Seq > seq {
				out = append(out, list[i])
			}
		}
	}
	return out
}

// Read returns records in order. See journal.Store.
func (s *Store) Read(ctx context.Context, after int64, limit, maxBytes int) ([]journal.Record, error) {
	memory := s.after(after, limit)
	records, err := s.behind.Read(ctx, after, limit, maxBytes)
	if err != nil {
		return records, err
	}
	size, last := 0, after
	for i := range records {
		size += len(records[i].Body)
		last = records[i].Seq
	}
	for _, r := range memory {
		if r.Seq <= last {
			continue
		}
		if len(records) >= limit || len(records) > 0 && size >= maxBytes {
			break
		}
		r.Alert = nil
		records = append(records, r)
		size += len(r.Body)
	}
	return records, nil
}

// Get returns single records. See journal.Store.
func (s *Store) Get(ctx context.Context, seqs []int64) ([]journal.Record, error) {
	memory := s.after(0, math.MaxInt)
	records, err := s.behind.Get(ctx, seqs)
	if err != nil {
		return records, err
	}
	for _, r := range memory {
		if !slices.Contains(seqs, r.Seq) {
			continue
		}
		at, found := slices.BinarySearchFunc(records, r.Seq, func(r journal.Record, seq int64) int { return int(r.Seq - seq) })
		if !found {
			r.Alert = nil
			records = slices.Insert(records, at, r)
		}
	}
	return records, nil
}

// Waiting returns how many records have a Seq > after. See journal.Store.
func (s *Store) Waiting(ctx context.Context, after int64) (int64, time.Time, error) {
	s.draining.Lock() // nothing moves meanwhile: what is in memory is not behind
	defer s.draining.Unlock()
	n, oldest, err := s.behind.Waiting(ctx, after)
	if err != nil {
		return n, oldest, err
	}
	memory := s.after(after, math.MaxInt)
	if n == 0 && len(memory) > 0 {
		oldest = memory[0].Arrived
	}
	return n + int64(len(memory)), oldest, nil
}

// Head returns where the journal stands. See journal.Store. Bytes do not count what the store behind does not take.
func (s *Store) Head(ctx context.Context) (journal.Head, error) {
	s.draining.Lock()
	defer s.draining.Unlock()
	// A failure is told to who writes; here it only leaves more to look at in memory.
	_ = s.drainLocked(ctx)
	h, err := s.behind.Head(ctx)
	if err != nil {
		return h, err
	}
	if memory := s.after(0, math.MaxInt); len(memory) > 0 {
		if h.First == 0 {
			h.First, h.Oldest = memory[0].Seq, memory[0].Arrived
		}
		h.Last = max(h.Last, memory[len(memory)-1].Seq)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logs {
		if info, err := l.file.Stat(); err == nil {
			h.FileBytes += info.Size()
		}
	}
	return h, nil
}

// Cursor returns how far a consumer has come.
func (s *Store) Cursor(ctx context.Context, name string) (int64, error) {
	return s.behind.Cursor(ctx, name)
}

// SetCursor keeps how far a consumer has come.
func (s *Store) SetCursor(ctx context.Context, name string, seq int64) error {
	return s.behind.SetCursor(ctx, name, seq)
}

// Quarantine returns records that are no alerts.
func (s *Store) Quarantine(ctx context.Context, after int64, limit int) ([]journal.Rejected, error) {
	return s.behind.Quarantine(ctx, after, limit)
}

// Discard removes records from quarantine.
func (s *Store) Discard(ctx context.Context, ids []int64) error { return s.behind.Discard(ctx, ids) }

// Expire deletes the oldest alerts. See journal.Store.
func (s *Store) Expire(ctx context.Context, t time.Time, maxBytes, upTo int64, limit int) (int, error) {
	s.draining.Lock()
	defer s.draining.Unlock()
	if err := s.drainLocked(ctx); err != nil {
		return 0, err
	}
	n, err := s.behind.Expire(ctx, t, maxBytes, upTo, limit)
	if n == 0 {
		return n, err
	}
	// Nobody says which those were: the window begins anew.
	newest, any, unknown := s.behind.Newest(ctx)
	if unknown != nil {
		newest, any = math.MaxInt64, true // it can say of nothing that it is new
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.restart(newest, any)
	return n, errors.Join(err, unknown)
}

// Save keeps counters and sources.
func (s *Store) Save(ctx context.Context, counters map[string]int64, sources []journal.Source) error {
	return s.behind.Save(ctx, counters, sources)
}

// Replaced reports, after ErrCorrupt, whether the store behind was exchanged.
func (s *Store) Replaced() bool { return s.behind.Replaced() }

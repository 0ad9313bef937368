package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"os"
	"slices"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/block"
)

// Queries for blocks.
const (
	selectBlocks      = "SELECT first, last, arrived, body FROM block WHERE first >= ? ORDER BY first LIMIT ?"
	selectBlockOf     = "SELECT first, last, arrived, body FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1"
	selectBlockBounds = "SELECT first, last FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1"
	selectSumsFrom    = "SELECT first, last, arrived, records_sum, body FROM block WHERE first >= ? ORDER BY first LIMIT 1"
)

// blocksAtOnce is how many blocks one query of Read fetches: a block may hold one record or thousands.
const blocksAtOnce = 64

// reading runs f while the store is open.
func (s *Store) reading(op string, f func() error) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return s.fail(op, journal.ErrClosed)
	}
	return s.fail(op, f())
}

// Read returns records in order. See journal.Store.
func (s *Store) Read(ctx context.Context, after int64, limit, maxBytes int) ([]journal.Record, error) {
	var records []journal.Record
	if limit <= 0 {
		return nil, nil
	}
	size := 0
	err := s.reading("read", func() error {
		return s.walk(ctx, after, func(r []block.Record) bool {
			for i := range r {
				if r[i].Seq <= after {
					continue
				}
				if len(records) >= limit || len(records) > 0 && size >= maxBytes {
					return false
				}
				records = append(records, r[i].Record)
				size += len(r[i].Body)
			}
			return len(records) < limit && size < maxBytes
		})
	})
	return records, err
}

// walk calls f with the records of one block after another, beginning with the one that holds the first record after after,
// until f returns false.
func (s *Store) walk(ctx context.Context, after int64, f func([]block.Record) bool) error {
	from, err := s.blockAfter(ctx, after)
	if err != nil {
		return err
	}
	for more := true; more; {
		n := 0
		err := s.blocks(ctx, selectBlocks, func(first int64, r []block.Record) bool {
			n++
			from = first + 1
			more = f(r)
			return more
		}, from, blocksAtOnce)
		if err != nil {
			return err
		}
		more = more && n == blocksAtOnce
	}
	return nil
}

// blockAfter returns a number between that of the last block that ends at after or before, exclusive, and that of the
// next one, inclusive.
func (s *Store) blockAfter(ctx context.Context, after int64) (int64, error) {
	var first, last int64
	err := s.db.QueryRowContext(ctx, selectBlockBounds, after).Scan(&first, &last)
	switch {
	case err == nil && last > after:
		return first, nil
	case err == nil || errors.Is(err, sql.ErrNoRows):
		return after + 1, nil
	}
	return 0, err
}

// Get returns single records. See journal.Store.
func (s *Store) Get(ctx context.Context, seqs []int64) ([]journal.Record, error) {
	wanted := slices.Compact(slices.Sorted(slices.Values(seqs)))
	var records []journal.Record
	err := s.reading("read", func() error {
		for len(wanted) > 0 {
			next := wanted[0]
			err := s.blocks(ctx, selectBlockOf, func(_ int64, r []block.Record) bool {
				for i := range r {
					for len(wanted) > 0 && wanted[0] < r[i].Seq {
						wanted = wanted[1:]
					}
					if len(wanted) > 0 && wanted[0] == r[i].Seq {
						records = append(records, r[i].Record)
						wanted = wanted[1:]
					}
				}
				return true
			}, next)
			if err != nil {
				return err
			}
			for len(wanted) > 0 && wanted[0] <= next {
				wanted = wanted[1:]
			}
		}
		return nil
	})
	return records, err
}

// blocks runs a query for blocks and calls f with the number and the records of each until f returns false. A damaged
// block has no records.
func (s *Store) blocks(ctx context.Context, query string, f func(int64, []block.Record) bool, args ...any) error {
	return s.each(ctx, query, func(rows *sql.Rows) (bool, error) {
		var first, last, arrived int64
		var body sql.RawBytes
		if err := rows.Scan(&first, &last, &arrived, &body); err != nil {
			return false, err
		}
		records, err := block.Decode(body, first, arrived)
		if err != nil {
			s.damaged(first, last, err)
			records = nil
		}
		return f(first, records), nil
	}, args...)
}

// damaged remembers an unreadable block, and logs it the first time. One bad block says nothing of the others, which are
// still read; SQLite has no checksums of its own, so this is where a bad sector shows.
func (s *Store) damaged(first, last int64, err error) {
	s.damage.Lock()
	_, known := s.damage.blocks[first]
	s.damage.blocks[first] = last - first + 1
	s.damage.Unlock()
	if !known {
		s.c.Logger.Error("the disk has damaged stored alerts: they are left out", "file", s.c.Path, "first", first, "last", last, "error", err)
	}
}

// Waiting returns how many records have a Seq > after. See journal.Store.
func (s *Store) Waiting(ctx context.Context, after int64) (n int64, oldest time.Time, err error) {
	err = s.reading("count what waits", func() error {
		from, err := s.blockAfter(ctx, after)
		if err != nil {
			return err
		}
		var sum int64
		err = s.db.QueryRowContext(ctx, "SELECT records_sum FROM block ORDER BY first DESC LIMIT 1").Scan(&sum)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.each(ctx, selectSumsFrom, func(rows *sql.Rows) (bool, error) {
			var first, last, arrived, upTo int64
			var body sql.RawBytes
			if err := rows.Scan(&first, &last, &arrived, &upTo, &body); err != nil {
				return false, err
			}
			n, oldest = max(0, sum-upTo), time.Unix(0, arrived).UTC()
			records, err := block.Decode(body, first, arrived)
			if err != nil {
				s.damaged(first, last, err)
			}
			for i := range records {
				if records[i].Seq > after {
					n++
				}
			}
			return false, nil
		}, from)
	})
	return n, oldest, err
}

// Head returns where the journal stands. See journal.Store.
func (s *Store) Head(ctx context.Context) (journal.Head, error) {
	h := journal.Head{Counters: map[string]int64{}}
	err := s.reading("describe", func() error {
		return errors.Join(
			s.each(ctx, "SELECT name, value FROM counter", func(rows *sql.Rows) (bool, error) {
				var name string
				var n int64
				err := rows.Scan(&name, &n)
				h.Counters[name] = n
				return true, err
			}),
			s.each(ctx, "SELECT way, host, cluster, seen, count FROM source", func(rows *sql.Rows) (bool, error) {
				var src journal.Source
				var seen int64
				err := rows.Scan(&src.Way, &src.Host, &src.Cluster, &seen, &src.Count)
				src.LastSeen = time.Unix(0, seen).UTC()
				h.Sources = append(h.Sources, src)
				return true, err
			}))
	})
	if err != nil {
		return h, err
	}
	s.mu.Lock()
	h.First, h.Last, h.Bytes = s.sums.first.first, max(s.sums.last.last, h.Counters["passed"]), s.bytes()
	h.Quarantined, h.QuarantineBytes = s.sums.quarantined, s.sums.cost
	if h.First != 0 {
		h.Oldest = time.Unix(0, s.sums.first.arrived).UTC()
	}
	s.mu.Unlock()
	s.damage.Lock()
	for _, n := range s.damage.blocks {
		h.Damaged += n
	}
	s.damage.Unlock()
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.c.Path + suffix); err == nil {
			h.FileBytes += info.Size()
		}
	}
	return h, nil
}

// each calls f at each row until it returns false or an error.
func (s *Store) each(ctx context.Context, query string, f func(*sql.Rows) (more bool, err error), args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if more, err := f(rows); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// Cursor returns how far a consumer has come.
func (s *Store) Cursor(ctx context.Context, name string) (seq int64, err error) {
	err = s.reading("read a cursor", func() error {
		err := s.db.QueryRowContext(ctx, "SELECT seq FROM cursor WHERE name = ?", name).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return seq, err
}

// Quarantine returns records that are no alerts. See journal.Store.
func (s *Store) Quarantine(ctx context.Context, after int64, limit int) ([]journal.Rejected, error) {
	var all []journal.Rejected
	err := s.reading("read the quarantine", func() error {
		return s.each(ctx, "SELECT id, arrived, way, account, region, cluster, reason, detail, size, body FROM quarantine WHERE id > ? ORDER BY id LIMIT ?",
			func(rows *sql.Rows) (bool, error) {
				var r journal.Rejected
				var o falco.Origin
				var arrived int64
				err := rows.Scan(&r.ID, &arrived, &r.Way, &o.Account, &o.Region, &o.Cluster, &r.Reason, &r.Detail, &r.Size, &r.Body)
				r.Origin, r.Arrived = o, time.Unix(0, arrived).UTC()
				all = append(all, r)
				return true, err
			}, after, min(max(limit, 0), math.MaxInt32))
	})
	return all, err
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
)

// blocksAtOnce is how many blocks one query of Read fetches: a block may hold one record or thousands.
const blocksAtOnce = 64

// Read returns records in order. See journal.Store.
func (s *Store) Read(ctx context.Context, after int64, limit, maxBytes int) ([]journal.Record, error) {
	var records []journal.Record
	size := 0
	for {
		full := false
		n := 0
		err := s.blocks(ctx, "SELECT first, arrived, body FROM block WHERE first > ? OR first = (SELECT max(first) FROM block WHERE first <= ?) ORDER BY first LIMIT ?",
			func(r []blockRecord) bool {
				n++
				for i := range r {
					if r[i].Seq <= after {
						continue
					}
					if full = len(records) >= limit || len(records) > 0 && size >= maxBytes; full {
						return false
					}
					records = append(records, r[i].Record)
					size += len(r[i].Body)
					after = r[i].Seq
				}
				return true
			}, after, after, blocksAtOnce)
		if err != nil || full || n < blocksAtOnce {
			return records, err
		}
	}
}

// Get returns single records. See journal.Store.
func (s *Store) Get(ctx context.Context, seqs []int64) ([]journal.Record, error) {
	wanted := slices.Compact(slices.Sorted(slices.Values(seqs)))
	var records []journal.Record
	for len(wanted) > 0 {
		next := wanted[0]
		err := s.blocks(ctx, "SELECT first, arrived, body FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", func(r []blockRecord) bool {
			for i := range r {
				for len(wanted) > 0 && wanted[0] < r[i].Seq {
					wanted = wanted[1:]
				}
				if len(wanted) > 0 && wanted[0] == r[i].Seq {
					records = append(records, r[i].Record)
				}
			}
			return true
		}, next)
		if err != nil {
			return nil, err
		}
		for len(wanted) > 0 && wanted[0] <= next {
			wanted = wanted[1:]
		}
	}
	return records, nil
}

// blocks runs a query for blocks and calls f with the records of each until f returns false.
func (s *Store) blocks(ctx context.Context, query string, f func([]blockRecord) bool, args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return s.fail("read", err)
	}
	defer rows.Close()
	var body sql.RawBytes
	for rows.Next() {
		var first, arrived int64
		if err := rows.Scan(&first, &arrived, &body); err != nil {
			return s.fail("read", err)
		}
		records, err := decodeBlock(body, first, arrived)
		if err != nil {
			return s.fail("read", err)
		}
		if !f(records) {
			return nil
		}
	}
	return s.fail("read", rows.Err())
}

// Head returns where the journal stands. See journal.Store.
func (s *Store) Head(ctx context.Context) (journal.Head, error) {
	h := journal.Head{Counters: map[string]int64{}}
	var oldest int64
	err := s.db.QueryRowContext(ctx, `SELECT coalesce((SELECT first FROM block ORDER BY first LIMIT 1), 0),
		coalesce((SELECT arrived FROM block ORDER BY first LIMIT 1), 0),
		max(coalesce((SELECT last FROM block ORDER BY first DESC LIMIT 1), 0), coalesce((SELECT value FROM counter WHERE name = 'base'), 0)),
		(SELECT count(*) FROM quarantine)`).Scan(&h.First, &oldest, &h.Last, &h.Quarantined)
	if err != nil {
		return h, s.fail("read where the journal stands", err)
	}
	if oldest != 0 {
		h.Oldest = time.Unix(0, oldest).UTC()
	}
	s.mu.Lock()
	h.Bytes, h.QuarantineBytes = s.bytes, s.quarantined
	s.mu.Unlock()
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.path + suffix); err == nil {
			h.FileBytes += info.Size()
		}
	}
	err = errors.Join(
		s.each(ctx, "SELECT name, value FROM counter", func(rows *sql.Rows) error {
			var name string
			var n int64
			err := rows.Scan(&name, &n)
			h.Counters[name] = n
			return err
		}),
		s.each(ctx, "SELECT way, host, cluster, seen, count FROM source", func(rows *sql.Rows) error {
			var src journal.Source
			var seen int64
			err := rows.Scan(&src.Way, &src.Host, &src.Cluster, &seen, &src.Count)
			src.LastSeen = time.Unix(0, seen).UTC()
			h.Sources = append(h.Sources, src)
			return err
		}))
	return h, err
}

func (s *Store) each(ctx context.Context, query string, f func(*sql.Rows) error, args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return s.fail("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return s.fail("read", err)
		}
	}
	return s.fail("read", rows.Err())
}

// Cursor returns how far a consumer has come.
func (s *Store) Cursor(ctx context.Context, name string) (int64, error) {
	var seq int64
	err := s.db.QueryRowContext(ctx, "SELECT seq FROM cursor WHERE name = ?", name).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return seq, s.fail("read a cursor", err)
}

// Quarantine returns records that are no alerts. See journal.Store.
func (s *Store) Quarantine(ctx context.Context, after int64, limit int) ([]journal.Rejected, error) {
	var all []journal.Rejected
	err := s.each(ctx, "SELECT id, arrived, way, account, region, cluster, reason, detail, size, body FROM quarantine WHERE id > ? ORDER BY id LIMIT ?",
		func(rows *sql.Rows) error {
			var r journal.Rejected
			var o falco.Origin
			var arrived int64
			err := rows.Scan(&r.ID, &arrived, &r.Way, &o.Account, &o.Region, &o.Cluster, &r.Reason, &r.Detail, &r.Size, &r.Body)
			r.Origin, r.Arrived = o, time.Unix(0, arrived).UTC()
			all = append(all, r)
			return err
		}, after, limit)
	return all, err
}

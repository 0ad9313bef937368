package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
)

// seenRows is how many rows one INSERT INTO seen holds: a statement costs several times what a row does.
const seenRows = 16

var (
	insertSeen     = "INSERT OR IGNORE INTO seen VALUES (?, ?) RETURNING fingerprint"
	insertSeenMany = "INSERT OR IGNORE INTO seen VALUES (?, ?)" + strings.Repeat(", (?, ?)", seenRows-1) + " RETURNING fingerprint"
)

// Write stores a group in one transaction. See journal.Store.
func (s *Store) Write(ctx context.Context, g journal.Group) ([]bool, error) {
	var stored []bool
	err := s.transaction(ctx, "write", func() error {
		var err error
		if stored, err = s.markSeen(ctx, g.Records); err != nil {
			return err
		}
		if err := s.insertBlock(ctx, g.Records, stored); err != nil {
			return err
		}
		if err := s.saveCounters(ctx, g.Counters); err != nil {
			return err
		}
		if len(g.Records)+len(g.Rejected) == 0 {
			// A probe: something must reach the disk.
			return s.saveCounters(ctx, map[string]int64{"probe": time.Now().UnixNano()})
		}
		return s.reject(ctx, g.Rejected, g.MaxBytes)
	})
	return stored, err
}

// markSeen enters the records into the index of what is stored and tells which were not there.
func (s *Store) markSeen(ctx context.Context, records []journal.Record) ([]bool, error) {
	stored := make([]bool, len(records))
	args := make([]any, 0, 2*seenRows)
	for first := 0; first < len(records); {
		n := 1
		query := insertSeen
		if len(records)-first >= seenRows {
			n, query = seenRows, insertSeenMany
		}
		chunk := records[first : first+n]
		args = args[:0]
		for i := range chunk {
			args = append(args, alertTime(&chunk[i]), chunk[i].Fingerprint[:])
		}
		if err := s.insertSeen(ctx, query, args, chunk, stored[first:first+n]); err != nil {
			return nil, err
		}
		first += n
	}
	return stored, nil
}

// insertSeen runs one INSERT; the rows that it returns are the ones that were new.
func (s *Store) insertSeen(ctx context.Context, query string, args []any, chunk []journal.Record, stored []bool) error {
	st := s.stmts[query]
	if st == nil {
		var err error
		if st, err = s.conn.PrepareContext(ctx, query); err != nil {
			return err
		}
		s.stmts[query] = st
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var fingerprint sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&fingerprint); err != nil {
			return err
		}
		// The same alert twice in a chunk returns one row: it is the first's.
		for i := range chunk {
			if !stored[i] && string(chunk[i].Fingerprint[:]) == string(fingerprint) {
				stored[i] = true
				break
			}
		}
	}
	return rows.Err()
}

func (s *Store) insertBlock(ctx context.Context, records []journal.Record, stored []bool) error {
	fresh := make([]*journal.Record, 0, len(records))
	for i := range records {
		if stored[i] {
			fresh = append(fresh, &records[i])
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	s.block, s.scratch = appendBlock(s.block[:0], s.scratch, fresh)
	s.bytes += int64(len(s.block))
	_, err := s.exec(ctx, "INSERT INTO block VALUES (?, ?, ?, ?, ?)",
		fresh[0].Seq, fresh[len(fresh)-1].Seq, len(fresh), fresh[0].Arrived.UnixNano(), s.block)
	return err
}

// reject puts records into quarantine and evicts the oldest while it holds more than maxBytes.
func (s *Store) reject(ctx context.Context, rejected []journal.Rejected, maxBytes int64) error {
	for i := range rejected {
		r := &rejected[i]
		body := r.Body
		if body == nil {
			body = []byte{}
		}
		if _, err := s.exec(ctx, "INSERT INTO quarantine (arrived, way, account, region, cluster, reason, detail, size, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			r.Arrived.UnixNano(), r.Way, r.Origin.Account, r.Origin.Region, r.Origin.Cluster, r.Reason, r.Detail, r.Size, body); err != nil {
			return err
		}
		s.quarantined += int64(len(body))
	}
	for maxBytes > 0 && s.quarantined > maxBytes {
		var size int64
		err := s.conn.QueryRowContext(ctx, "DELETE FROM quarantine WHERE id = (SELECT min(id) FROM quarantine) RETURNING length(body)").Scan(&size)
		if err != nil {
			return fmt.Errorf("evict from quarantine: %w", err)
		}
		s.quarantined -= size
	}
	return nil
}

func (s *Store) saveCounters(ctx context.Context, counters map[string]int64) error {
	for name, n := range counters {
		if _, err := s.exec(ctx, "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name, n); err != nil {
			return err
		}
	}
	return nil
}

// Save keeps counters and sources.
func (s *Store) Save(ctx context.Context, counters map[string]int64, sources []journal.Source) error {
	return s.transaction(ctx, "keep counters", func() error {
		if err := s.saveCounters(ctx, counters); err != nil {
			return err
		}
		for _, src := range sources {
			if _, err := s.exec(ctx, "INSERT INTO source VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen, count = excluded.count",
				src.Way, src.Host, src.Cluster, src.LastSeen.UnixNano(), src.Count); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetCursor keeps how far a consumer has come.
func (s *Store) SetCursor(ctx context.Context, name string, seq int64) error {
	return s.transaction(ctx, "set cursor", func() error {
		_, err := s.exec(ctx, "INSERT INTO cursor VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq", name, seq)
		return err
	})
}

// Discard removes records from quarantine.
func (s *Store) Discard(ctx context.Context, ids []int64) error {
	return s.transaction(ctx, "discard", func() error {
		n := 0
		for _, id := range ids {
			var size int64
			switch err := s.conn.QueryRowContext(ctx, "DELETE FROM quarantine WHERE id = ? RETURNING length(body)", id).Scan(&size); err {
			case nil:
				s.quarantined -= size
				n++
			case sql.ErrNoRows:
			default:
				return err
			}
		}
		_, err := s.exec(ctx, "INSERT INTO counter VALUES ('discarded', ?) ON CONFLICT DO UPDATE SET value = value + excluded.value", n)
		return err
	})
}

// Expire deletes the oldest alerts. See journal.Store. Blocks go whole; one that holds a record beyond upTo stays.
func (s *Store) Expire(ctx context.Context, t time.Time, maxBytes, upTo int64, limit int) (int, error) {
	deleted := 0
	err := s.transaction(ctx, "expire", func() error {
		for deleted < limit {
			var first, last, arrived int64
			var body []byte
			err := s.conn.QueryRowContext(ctx, "SELECT first, last, arrived, body FROM block ORDER BY first LIMIT 1").Scan(&first, &last, &arrived, &body)
			if err == sql.ErrNoRows {
				break
			}
			if err != nil {
				return err
			}
			if last > upTo || arrived >= t.UnixNano() && (maxBytes == 0 || s.bytes <= maxBytes) {
				break
			}
			n, err := s.deleteBlock(ctx, first, last, arrived, body)
			if err != nil {
				return err
			}
			deleted += n
			s.bytes -= int64(len(body))
		}
		return nil
	})
	if err != nil || deleted == 0 {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.exec(ctx, "PRAGMA incremental_vacuum(2000)")
	return deleted, s.fail("give room back", err)
}

func (s *Store) deleteBlock(ctx context.Context, first, last, arrived int64, body []byte) (int, error) {
	records, err := decodeBlock(body, first, arrived)
	if err != nil {
		return 0, err
	}
	for i := range records {
		if _, err := s.exec(ctx, "DELETE FROM seen WHERE at = ? AND fingerprint = ?", records[i].alertTime, records[i].Fingerprint[:]); err != nil {
			return 0, err
		}
	}
	if _, err := s.exec(ctx, "DELETE FROM block WHERE first = ?", first); err != nil {
		return 0, err
	}
	_, err = s.exec(ctx, "INSERT INTO counter VALUES ('base', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)", last)
	return len(records), err
}

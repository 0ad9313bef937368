package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/eyrie-sec/eyrie/journal/block"
)

// Check compares the sums that are kept with those of the whole tables, and lets SQLite check the file.
func (s *Store) Check() error {
	ctx := context.Background()
	var text string
	if err := s.db.QueryRowContext(ctx, "PRAGMA integrity_check(3)").Scan(&text); err != nil || text != "ok" {
		return fmt.Errorf("integrity: %s %w", text, err)
	}
	var bytes, records, quarantined, cost, seen int64
	err := s.db.QueryRowContext(ctx, `SELECT coalesce(sum(length(body)), 0), (SELECT count(*) FROM quarantine), (SELECT coalesce(sum(cost), 0) FROM quarantine),
		(SELECT count(*) FROM seen) FROM block`).Scan(&bytes, &quarantined, &cost, &seen)
	if err != nil {
		return err
	}
	if err := s.walk(ctx, 0, func(r []block.Record) bool { records += int64(len(r)); return true }); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, c := range []struct {
		name      string
		kept, has int64
	}{{"bytes of blocks", s.bytes(), bytes}, {"records in quarantine", s.sums.quarantined, quarantined}, {"cost of the quarantine", s.sums.cost, cost}, {"seen alerts", records, seen}} {
		if c.kept != c.has {
			errs = append(errs, fmt.Errorf("%s: %d, counted %d", c.name, c.kept, c.has))
		}
	}
	return errors.Join(errs...)
}

// Pragma returns a setting of the writing connection.
func (s *Store) Pragma(name string) (value string) {
	if err := s.w.conn.QueryRowContext(context.Background(), "PRAGMA "+name).Scan(&value); err != nil {
		return err.Error()
	}
	return value
}

// Plans returns how SQLite runs the queries that blocks are found with.
func (s *Store) Plans() (map[string]string, error) {
	plans := map[string]string{}
	for _, q := range []string{selectBlocks, selectBlockOf, selectBlockBounds, selectSumsFrom} {
		rows, err := s.db.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+q, 1, 1)
		if err != nil {
			rows, err = s.db.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+q, 1)
		}
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var a, b, c int
			var detail string
			if err := rows.Scan(&a, &b, &c, &detail); err != nil {
				return nil, err
			}
			plans[q] += detail + "; "
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// NoSync spares a test of what is stored, rather than of how safely, the syncs of the disk.
func (s *Store) NoSync() {
	if _, err := s.w.conn.ExecContext(context.Background(), "PRAGMA synchronous = OFF"); err != nil {
		panic(err)
	}
}

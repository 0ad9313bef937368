package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/eyrie-sec/eyrie/journal/block"
)

// vacuumPages is how much one Expire gives back to the disk, in pages of 4 KiB; more than it can have freed, often.
const vacuumPages = 1000

// Expire deletes the oldest alerts. See journal.Store. Blocks go whole; one that holds a record beyond upTo stays.
func (s *Store) Expire(ctx context.Context, t time.Time, maxBytes, upTo int64, limit int) (int, error) {
	due := func() bool {
		b := s.sums.first
		return b.first != 0 && b.last <= upTo && (b.arrived < t.UnixNano() || maxBytes > 0 && s.bytes() > maxBytes)
	}
	s.mu.Lock()
	idle := !due()
	s.mu.Unlock()
	if idle {
		return 0, nil
	}
	deleted := 0
	err := s.transaction(ctx, "expire", func() error {
		passed := int64(0)
		for deleted < limit && due() {
			passed = s.sums.first.last
			n, err := s.deleteFirst()
			if err != nil {
				return err
			}
			deleted += n
		}
		if passed == 0 {
			return nil
		}
		return s.saveCounters(map[string]int64{"passed": passed})
	})
	if err != nil {
		return 0, err
	}
	s.life.RLock()
	defer s.life.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return deleted, nil
	}
	return deleted, s.fail("give room back", s.w.do(func() error {
		_, err := s.w.exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
		return err
	}))
}

// bytes is what the bodies of all blocks take; s.mu is held.
func (s *Store) bytes() int64 { return s.sums.last.bytes - s.sums.first.bytes + s.sums.first.size }

// deleteFirst deletes the oldest block and what the index knows of it, and returns how many records that were.
func (s *Store) deleteFirst() (int, error) {
	b := s.sums.first
	var dest [6]driver.Value
	found, err := s.w.row(dest[:1], "SELECT body FROM block WHERE first = ?", b.first)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, fmt.Errorf("block %d is gone", b.first)
	}
	body, _ := dest[0].([]byte)
	records, err := block.Decode(body, b.first, b.arrived)
	if err != nil {
		// Nobody can tell its fingerprints: those stay. An alert of it that is sent again counts as a duplicate.
		s.damaged(b.first, b.last, err)
	}
	for i := range records {
		high, low := halves(records[i].Fingerprint)
		if _, err := s.w.exec("DELETE FROM seen WHERE at = ? AND high = ? AND low = ?", records[i].AlertTime, high, low); err != nil {
			return 0, err
		}
	}
	if _, err := s.w.exec("DELETE FROM block WHERE first = ?", b.first); err != nil {
		return 0, err
	}
	found, err = s.w.row(dest[:], "SELECT first, last, arrived, records_sum, bytes_sum, length(body) FROM block ORDER BY first LIMIT 1")
	if err != nil {
		return 0, err
	}
	if !found {
		s.sums.first, s.sums.last = row{}, row{}
		return max(len(records), 1), nil
	}
	at := func(i int) int64 { n, _ := dest[i].(int64); return n }
	s.sums.first = row{first: at(0), last: at(1), arrived: at(2), records: at(3), bytes: at(4), size: at(5)}
	return max(len(records), 1), nil
}

package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/block"
)

// seenSizes are the numbers of rows that one INSERT INTO seen may hold, for any number to be made of a few of them: a
// statement costs several times what a row does.
var seenSizes = [...]int{64, 32, 16, 8, 4, 2, 1}

var insertSeen = func() (queries [len(seenSizes)]string) {
	for i, n := range seenSizes {
		queries[i] = "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)" + strings.Repeat(", (?, ?, ?)", n-1)
	}
	return queries
}()

// errSomeSeen says that not all records of a group are new.
var errSomeSeen = errors.New("some records are stored already")

// Write stores a group in one transaction. See journal.Store.
func (s *Store) Write(ctx context.Context, g journal.Group) ([]bool, error) {
	stored := make([]bool, len(g.Records))
	// Nearly always all are new, which takes a few statements. Else SQLite does not say which are: it is asked one by one.
	err := s.transaction(ctx, "write", func() error { return s.write(g, stored, s.markAll) })
	if errors.Is(err, errSomeSeen) {
		err = s.transaction(ctx, "write", func() error { return s.write(g, stored, s.markEach) })
	}
	if err == nil {
		err = s.fail("write", s.moved())
	}
	if err != nil {
		return nil, err
	}
	return stored, nil
}

func (s *Store) write(g journal.Group, stored []bool, mark func([]journal.Record, []bool) error) error {
	if len(g.Records)+len(g.Rejected) == 0 {
		return s.try()
	}
	if err := mark(g.Records, stored); err != nil {
		return err
	}
	if err := s.insertBlock(g.Records, stored); err != nil {
		return err
	}
	if err := s.saveCounters(g.Counters); err != nil {
		return err
	}
	return s.reject(g.Rejected, g.MaxBytes)
}

// try writes something that needs a few free pages, and gives those of the last time back.
func (s *Store) try() error {
	if _, err := s.w.exec("INSERT INTO trial (body) VALUES (zeroblob(8192))"); err != nil {
		return err
	}
	_, err := s.w.exec("DELETE FROM trial WHERE id < (SELECT max(id) FROM trial)")
	return err
}

// markAll enters records into the index of what is stored, or fails with errSomeSeen.
func (s *Store) markAll(records []journal.Record, stored []bool) error {
	for i, n := range seenSizes {
		for ; len(records) >= n; records, stored = records[n:], stored[n:] {
			w := s.w
			w.args = w.args[:0]
			for k := range records[:n] {
				at, high, low := identity(&records[k])
				o := len(w.args)
				w.args = append(w.args, driver.NamedValue{Ordinal: o + 1, Value: at}, driver.NamedValue{Ordinal: o + 2, Value: high}, driver.NamedValue{Ordinal: o + 3, Value: low})
				stored[k] = true
			}
			inserted, err := w.execNamed(insertSeen[i], w.args)
			if err != nil {
				return err
			}
			if inserted != int64(n) {
				return errSomeSeen
			}
		}
	}
	return nil
}

// markEach enters records into the index of what is stored and tells which were not there.
func (s *Store) markEach(records []journal.Record, stored []bool) error {
	for i := range records {
		at, high, low := identity(&records[i])
		inserted, err := s.w.exec(insertSeen[len(insertSeen)-1], at, high, low)
		if err != nil {
			return err
		}
		stored[i] = inserted == 1
	}
	return nil
}

// identity is what two records have in common exactly if they are the same alert.
func identity(r *journal.Record) (at, high, low int64) {
	high, low = halves(r.Fingerprint)
	return block.AlertTime(r), high, low
}

func halves(fingerprint [16]byte) (high, low int64) {
	return int64(binary.LittleEndian.Uint64(fingerprint[:])), int64(binary.LittleEndian.Uint64(fingerprint[8:]))
}

func (s *Store) insertBlock(records []journal.Record, stored []bool) error {
	fresh := make([]*journal.Record, 0, len(records))
	for i := range records {
		if stored[i] {
			fresh = append(fresh, &records[i])
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	s.block, s.scratch = block.Append(s.block[:0], s.scratch, fresh)
	b := row{
		first: fresh[0].Seq, last: fresh[len(fresh)-1].Seq, arrived: fresh[0].Arrived.UnixNano(),
		records: s.sums.last.records + int64(len(fresh)), bytes: s.sums.last.bytes + int64(len(s.block)), size: int64(len(s.block)),
	}
	s.sums.last = b
	if s.sums.first.first == 0 {
		s.sums.first = b
	}
	_, err := s.w.exec("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", b.first, b.last, b.arrived, b.records, b.bytes, s.block)
	if cap(s.scratch) > keepScratch {
		s.block, s.scratch = nil, nil
	}
	return err
}

// keepScratch is the size in bytes of the largest buffer that is kept for the next block.
const keepScratch = 4 << 20

// rowCost is what a record in quarantine counts besides its body and its detail, so that empty ones are bounded too.
const rowCost = 200 // bytes

// reject puts records into quarantine and evicts the oldest while it holds more than maxBytes.
func (s *Store) reject(rejected []journal.Rejected, maxBytes int64) error {
	for i := range rejected {
		r := &rejected[i]
		body := r.Body
		if body == nil {
			body = []byte{}
		}
		cost := int64(rowCost + len(body) + len(r.Detail))
		if _, err := s.w.exec("INSERT INTO quarantine (arrived, way, account, region, cluster, reason, detail, size, cost, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			r.Arrived.UnixNano(), r.Way, r.Origin.Account, r.Origin.Region, r.Origin.Cluster, r.Reason, r.Detail, r.Size, cost, body); err != nil {
			return err
		}
		s.sums.quarantined++
		s.sums.cost += cost
	}
	evicted := int64(0)
	for maxBytes > 0 && s.sums.cost > maxBytes {
		n, err := s.release("DELETE FROM quarantine WHERE id = (SELECT min(id) FROM quarantine) RETURNING cost")
		if err != nil || n == 0 {
			return err
		}
		evicted++
	}
	return s.count("evicted", evicted)
}

// release runs a query that deletes at most one record from quarantine and returns its cost.
func (s *Store) release(query string, args ...driver.Value) (int64, error) {
	var dest [1]driver.Value
	found, err := s.w.row(dest[:], query, args...)
	if err != nil || !found {
		return 0, err
	}
	s.sums.quarantined--
	s.sums.cost -= dest[0].(int64)
	return 1, nil
}

// count adds n to a counter.
func (s *Store) count(name string, n int64) error {
	if n == 0 {
		return nil
	}
	_, err := s.w.exec("INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value", name, n)
	return err
}

// saveCounters keeps counters, which never fall.
func (s *Store) saveCounters(counters map[string]int64) error {
	for name, n := range counters {
		if _, err := s.w.exec("INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)", name, n); err != nil {
			return err
		}
	}
	return nil
}

// Save keeps counters and sources.
func (s *Store) Save(ctx context.Context, counters map[string]int64, sources []journal.Source) error {
	return s.transaction(ctx, "keep counters", func() error {
		if err := s.saveCounters(counters); err != nil {
			return err
		}
		for _, src := range sources {
			if _, err := s.w.exec("INSERT INTO source VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen, count = excluded.count",
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
		_, err := s.w.exec("INSERT INTO cursor VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq", name, seq)
		return err
	})
}

// Discard removes records from quarantine.
func (s *Store) Discard(ctx context.Context, ids []int64) error {
	return s.transaction(ctx, "discard", func() error {
		discarded := int64(0)
		for _, id := range ids {
			n, err := s.release("DELETE FROM quarantine WHERE id = ? RETURNING cost", id)
			if err != nil {
				return err
			}
			discarded += n
		}
		return s.count("discarded", discarded)
	})
}

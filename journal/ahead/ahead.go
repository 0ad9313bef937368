// Package ahead is a journal.Store in front of another: it makes a group durable by one write and one sync of a log file,
// and carries the groups on to the store behind, many in one commit.
//
// In come groups; a call of Write returns when its records are in the log. What the log holds is always also in memory
// until the store behind has it, so that reading gives all that was acknowledged. After a crash the log is read again when
// the store is opened, and what the store behind lacks is carried on. Groups with records for the quarantine, and trials,
// go to the store behind directly. The package looks at nothing in an alert but its time and its fingerprint.
//
// A failure of the store behind shows with the next Write at the latest: nothing more is acknowledged until it takes
// what the log holds.
package ahead

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
)

// Behind is the store behind.
type Behind interface {
	journal.Store
	// Known says which of these records are stored, by the alert's time and its fingerprint.
	Known(ctx context.Context, records []journal.Record) ([]bool, error)
	// Newest returns the latest time of an alert that is stored, in nanoseconds since 1970; false if there is none.
	Newest(ctx context.Context) (at int64, any bool, err error)
}

const (
	// drainEvery is how long a record stays in the log alone. Shorter means more commits of the store behind.
	drainEvery = 250 * time.Millisecond
	// drainRecords and drainBytes (of bodies) make the carrying begin at once.
	drainRecords = 4096
	drainBytes   = 8 << 20
	// What one commit of the store behind takes.
	commitRecords = 1024
	commitBytes   = 4 << 20
	// maxBytes of bodies in the log, or maxRecords, make Write wait for the store behind.
	maxBytes   = 48 << 20
	maxRecords = windowSize / 2
)

// Store is a journal.Store. All methods are safe for concurrent use.
type Store struct {
	behind Behind

	writing  sync.Mutex // held by Write; locked before the others
	draining sync.Mutex // held while records are carried on; guards logs[1]; locked before mu
	mu       sync.Mutex // guards what follows; logs change places under both
	logs     [2]*log    // the first is written, the other is empty or being carried on
	pending  []journal.Record
	carried  []journal.Record // being carried on; all before those pending
	bytes    int              // of the bodies of both
	seen     window
	failure  error // of the last attempt to carry on; nil when it succeeded
	closed   bool

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
}

var _ journal.Store = (*Store)(nil)

// Open opens the log at path, which is two files path.0 and path.1, made if they are missing, and carries on what they
// hold. A store behind that has no room for it now is no error. The Store closes behind, also if Open fails.
func Open(ctx context.Context, path string, behind Behind) (_ *Store, err error) {
	s := &Store{behind: behind, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	defer func() {
		if err != nil {
			s.closeFiles()
			err = errors.Join(err, behind.Close())
		}
	}()
	head, err := behind.Head(ctx)
	if err != nil {
		return nil, err
	}
	for i := range s.logs {
		l, records, err := openLog(fmt.Sprintf("%s.%d", path, i))
		if err != nil {
			return nil, err
		}
		s.logs[i] = l
		for i := range records {
			if records[i].Seq > head.Last {
				s.carried = append(s.carried, records[i])
			}
		}
	}
	s.carried = inOrder(s.carried)
	for i := range s.carried {
		s.bytes += len(s.carried[i].Body)
	}
	newest, any, err := behind.Newest(ctx)
	if err != nil {
		return nil, err
	}
	s.seen.restart(newest, any)
	s.seen.add(s.carried)
	if err := s.drain(ctx); err != nil && !errors.Is(err, journal.ErrFull) {
		return nil, err
	}
	go s.drainLoop()
	return s, nil
}

// inOrder sorts records by Seq. One Seq can be in both logs: a group that was refused can be in the one all the same, and
// its numbers were given again. The later one counts.
func inOrder(records []journal.Record) []journal.Record {
	slices.SortStableFunc(records, func(a, b journal.Record) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), b.Arrived.Compare(a.Arrived))
	})
	return slices.CompactFunc(records, func(a, b journal.Record) bool { return a.Seq == b.Seq })
}

// Write stores a group. See journal.Store.
func (s *Store) Write(ctx context.Context, g journal.Group) ([]bool, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if len(g.Records) == 0 || len(g.Rejected) > 0 {
		return s.writeBehind(ctx, g)
	}
	if s.overfull() {
		if err := s.drain(ctx); err != nil {
			return nil, err
		}
	}
	stored, fresh, err := s.append(ctx, g)
	if err == nil && fresh {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return stored, err
}

// overfull reports whether the store behind must take something before the log does. One that failed must show that it
// works again.
func (s *Store) overfull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes >= maxBytes || len(s.carried)+len(s.pending) >= maxRecords || s.failure != nil
}

// append writes the records of g that are new to the log. fresh says that the log was empty, or has much.
func (s *Store) append(ctx context.Context, g journal.Group) (stored []bool, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, journal.ErrClosed
	}
	known, err := s.known(ctx, g.Records)
	if err != nil {
		return nil, false, err
	}
	stored = make([]bool, len(g.Records))
	news := make([]*journal.Record, 0, len(g.Records))
	for i := range g.Records {
		if !known[i] {
			stored[i] = true
			news = append(news, &g.Records[i])
		}
	}
	if len(news) == 0 {
		return stored, false, nil
	}
	if err := s.logs[0].append(news); err != nil {
		return nil, false, err
	}
	empty := len(s.pending) == 0
	for _, r := range news {
		s.pending = append(s.pending, *r)
		s.bytes += len(r.Body)
		s.seen.addOne(r)
	}
	return stored, empty || len(s.pending) >= drainRecords || s.bytes >= drainBytes, nil
}

// known says which records are stored, or are earlier in records; s.mu is held.
func (s *Store) known(ctx context.Context, records []journal.Record) ([]bool, error) {
	known := make([]bool, len(records))
	var old []journal.Record
	var places []int
	for i := range records {
		var sure bool
		if known[i], sure = s.seen.has(&records[i]); !known[i] && !sure {
			old, places = append(old, records[i]), append(places, i)
		}
	}
	if len(old) > 0 {
		behind, err := s.behind.Known(ctx, old)
		if err != nil {
			return nil, err
		}
		for i, is := range behind {
			known[places[i]] = is
		}
	}
	if len(records) > 1 {
		within := make(map[identity]bool, len(records))
		for i := range records {
			id := identityOf(&records[i])
			known[i] = known[i] || within[id]
			within[id] = true
		}
	}
	return known, nil
}

// writeBehind writes a group to the store behind, after all that came before it.
func (s *Store) writeBehind(ctx context.Context, g journal.Group) ([]bool, error) {
	s.draining.Lock()
	defer s.draining.Unlock()
	if err := s.drainLocked(ctx); err != nil {
		return nil, err
	}
	stored, err := s.behind.Write(ctx, g)
	if err == nil && len(g.Records)+len(g.Rejected) == 0 {
		err = s.logs[0].moved() // a trial is of the log, too
	}
	if err == nil {
		s.mu.Lock()
		s.seen.add(g.Records)
		if n := len(g.Records); n > 0 {
			s.seen.behind = g.Records[n-1].Seq
		}
		s.mu.Unlock()
	}
	return stored, err
}

func (s *Store) drainLoop() {
	defer close(s.done)
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
		}
		s.mu.Lock()
		much := len(s.pending) >= drainRecords || s.bytes >= drainBytes
		s.mu.Unlock()
		if !much {
			select {
			case <-s.stop:
				return
			case <-time.After(drainEvery):
			}
		}
		// What fails here stays in the log, and the next Write says so.
		_ = s.drain(context.Background())
	}
}

// drain carries all that is in the log to the store behind.
func (s *Store) drain(ctx context.Context) error {
	s.draining.Lock()
	defer s.draining.Unlock()
	return s.drainLocked(ctx)
}

func (s *Store) drainLocked(ctx context.Context) (err error) {
	defer func() {
		s.mu.Lock()
		s.failure = err
		s.mu.Unlock()
	}()
	// What is left of the last time first, then the logs change places.
	for {
		if err := s.carry(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		if len(s.pending) == 0 {
			err := s.logs[0].reset()
			s.mu.Unlock()
			return err
		}
		s.logs[0], s.logs[1] = s.logs[1], s.logs[0]
		s.carried, s.pending = s.pending, nil
		s.mu.Unlock()
	}
}

// carry commits what is being carried on, and empties its log; s.draining is held.
func (s *Store) carry(ctx context.Context) error {
	s.mu.Lock()
	left := s.carried
	s.mu.Unlock()
	for len(left) > 0 {
		n, size := 0, 0
		for n < min(len(left), commitRecords) && size < commitBytes {
			size += len(left[n].Body)
			n++
		}
		if _, err := s.behind.Write(ctx, journal.Group{Records: left[:n]}); err != nil {
			return err
		}
		s.mu.Lock()
		s.bytes -= size
		s.seen.behind = left[n-1].Seq
		s.carried = left[n:]
		s.mu.Unlock()
		left = left[n:]
	}
	s.mu.Lock()
	s.carried = nil
	s.mu.Unlock()
	return s.logs[1].reset()
}

// Close carries on what it can and closes the store behind. What is left is in the log for the next Open.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	close(s.stop)
	<-s.done
	s.writing.Lock()
	defer s.writing.Unlock()
	// Why it failed, if it did, was said to whoever wrote last, or is said to whoever opens next.
	_ = s.drain(context.Background())
	s.draining.Lock()
	defer s.draining.Unlock()
	s.closeFiles()
	return s.behind.Close()
}

func (s *Store) closeFiles() {
	for _, l := range s.logs {
		if l != nil {
			// All that matters in it was synced.
			_ = l.file.Close()
		}
	}
}

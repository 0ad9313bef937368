package journaltest

import (
	"context"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
)

// Disk is a store in memory, written to be plainly right, that fails when a test wants it to. What is in it outlives the
// stores that Open returns, as a file does. Safe for concurrent use.
type Disk struct {
	mu     sync.Mutex // guards what follows
	fail   func(op string) error
	after  func(op string) error
	opened int

	records     []journal.Record
	seen        map[identity]bool
	rejected    []journal.Rejected
	lastID      int64
	cursors     map[string]int64
	counters    map[string]int64
	sources     map[[3]string]journal.Source
	last        int64
	replacement bool
}

type identity struct {
	at          int64
	fingerprint [16]byte
}

// NewDisk returns an empty one.
func NewDisk() *Disk {
	return &Disk{seen: map[identity]bool{}, cursors: map[string]int64{}, counters: map[string]int64{}, sources: map[[3]string]journal.Source{}}
}

// FailBefore makes every operation ("open", "write", "read", ...) ask f first, and fail without effect if it says so; nil ends it.
func (d *Disk) FailBefore(f func(op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// FailAfter makes every Write ask f when it is done: it then fails although it is durable, as when the answer of a disk
// is lost.
func (d *Disk) FailAfter(f func(op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.after = f
}

// Opened is how often Open was called.
func (d *Disk) Opened() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened
}

// Replace exchanges what is stored for nothing, or for the content of other.
func (d *Disk) Replace(other *Disk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if other == nil {
		other = NewDisk()
	}
	d.records, d.seen, d.rejected, d.lastID = slices.Clone(other.records), maps.Clone(other.seen), slices.Clone(other.rejected), other.lastID
	d.cursors, d.counters, d.sources, d.last = maps.Clone(other.cursors), maps.Clone(other.counters), maps.Clone(other.sources), other.last
	d.replacement = true
}

// Copy returns a Disk with the same content: a backup.
func (d *Disk) Copy() *Disk {
	c := NewDisk()
	d.mu.Lock()
	defer d.mu.Unlock()
	c.records, c.seen, c.last = slices.Clone(d.records), maps.Clone(d.seen), d.last
	return c
}

// Open returns a store of what is on the disk.
func (d *Disk) Open(context.Context) (journal.Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	if d.fail != nil {
		if err := d.fail("open"); err != nil {
			return nil, err
		}
	}
	d.replacement = false
	return &store{d: d}, nil
}

// store is a Disk that is opened.
type store struct {
	d      *Disk
	closed bool // guarded by Disk.mu
}

// do runs one operation.
func (s *store) do(op string, f func(d *Disk)) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.closed {
		return journal.ErrClosed
	}
	if s.d.fail != nil {
		if err := s.d.fail(op); err != nil {
			return err
		}
	}
	f(s.d)
	return nil
}

// Write is journal.Store's.
func (s *store) Write(_ context.Context, g journal.Group) (stored []bool, err error) {
	if doErr := s.do("write", func(d *Disk) {
		if d.after != nil {
			err = d.after("write")
		}
		stored = d.write(g)
	}); doErr != nil {
		return nil, doErr
	}
	if err != nil {
		return nil, err
	}
	return stored, nil
}

func (d *Disk) write(g journal.Group) []bool {
	stored := make([]bool, len(g.Records))
	if len(g.Records)+len(g.Rejected) == 0 {
		return stored
	}
	for i, r := range g.Records {
		k := identityOf(r)
		if d.seen[k] {
			continue
		}
		d.seen[k], stored[i] = true, true
		r.Alert = nil
		d.records = append(d.records, r)
		d.last = r.Seq
	}
	for _, r := range g.Rejected {
		d.lastID++
		r.ID = d.lastID
		d.rejected = append(d.rejected, r)
	}
	for len(d.rejected) > 0 && g.MaxBytes > 0 && d.quarantineBytes() > g.MaxBytes {
		d.rejected = d.rejected[1:]
		d.counters["evicted"]++
	}
	maps.Copy(d.counters, g.Counters)
	return stored
}

// identityOf reads the alert's time from the alert, which records on the disk have no more: seen is kept by itself.
func identityOf(r journal.Record) identity {
	k := identity{fingerprint: r.Fingerprint}
	if r.Alert != nil {
		k.at = r.Alert.Time.UnixNano()
	}
	return k
}

func (d *Disk) quarantineBytes() (n int64) {
	for _, r := range d.rejected {
		n += int64(200 + len(r.Body) + len(r.Detail))
	}
	return n
}

// Read is journal.Store's.
func (s *store) Read(_ context.Context, after int64, limit, maxBytes int) (out []journal.Record, err error) {
	err = s.do("read", func(d *Disk) {
		size := 0
		for _, r := range d.records {
			if r.Seq > after && len(out) < limit && (len(out) == 0 || size < maxBytes) {
				out = append(out, r)
				size += len(r.Body)
			}
		}
	})
	return out, err
}

// Get is journal.Store's.
func (s *store) Get(_ context.Context, seqs []int64) (out []journal.Record, err error) {
	err = s.do("get", func(d *Disk) {
		for _, r := range d.records {
			if slices.Contains(seqs, r.Seq) {
				out = append(out, r)
			}
		}
	})
	return out, err
}

// Waiting is journal.Store's.
func (s *store) Waiting(_ context.Context, after int64) (n int64, oldest time.Time, err error) {
	err = s.do("waiting", func(d *Disk) {
		i := sort.Search(len(d.records), func(i int) bool { return d.records[i].Seq > after })
		if n = int64(len(d.records) - i); n > 0 {
			oldest = d.records[i].Arrived
		}
	})
	return n, oldest, err
}

// Head is journal.Store's.
func (s *store) Head(context.Context) (h journal.Head, err error) {
	err = s.do("head", func(d *Disk) {
		h.Last, h.Counters, h.Quarantined, h.QuarantineBytes = d.last, maps.Clone(d.counters), int64(len(d.rejected)), d.quarantineBytes()
		for _, r := range d.records {
			h.Bytes += int64(len(r.Body))
		}
		if len(d.records) > 0 {
			h.First, h.Oldest = d.records[0].Seq, d.records[0].Arrived
		}
		h.Sources = slices.Collect(maps.Values(d.sources))
	})
	return h, err
}

// Cursor is journal.Store's.
func (s *store) Cursor(_ context.Context, name string) (seq int64, err error) {
	err = s.do("cursor", func(d *Disk) { seq = d.cursors[name] })
	return seq, err
}

// SetCursor is journal.Store's.
func (s *store) SetCursor(_ context.Context, name string, seq int64) error {
	return s.do("set cursor", func(d *Disk) { d.cursors[name] = seq })
}

// Quarantine is journal.Store's.
func (s *store) Quarantine(_ context.Context, after int64, limit int) (out []journal.Rejected, err error) {
	err = s.do("quarantine", func(d *Disk) {
		for _, r := range d.rejected {
			if r.ID > after && len(out) < limit {
				out = append(out, r)
			}
		}
	})
	return out, err
}

// Discard is journal.Store's.
func (s *store) Discard(_ context.Context, ids []int64) error {
	return s.do("discard", func(d *Disk) {
		d.rejected = slices.DeleteFunc(d.rejected, func(r journal.Rejected) bool { return slices.Contains(ids, r.ID) })
	})
}

// Expire is journal.Store's.
func (s *store) Expire(_ context.Context, t time.Time, maxBytes, upTo int64, limit int) (n int, err error) {
	err = s.do("expire", func(d *Disk) {
		size := int64(0)
		for _, r := range d.records {
			size += int64(len(r.Body))
		}
		for n < limit && len(d.records) > 0 {
			r := d.records[0]
			if r.Seq > upTo || !r.Arrived.Before(t) && (maxBytes == 0 || size <= maxBytes) {
				return
			}
			size -= int64(len(r.Body))
			maps.DeleteFunc(d.seen, func(k identity, _ bool) bool { return k.fingerprint == r.Fingerprint })
			d.records = d.records[1:]
			n++
		}
	})
	return n, err
}

// Save is journal.Store's.
func (s *store) Save(_ context.Context, counters map[string]int64, sources []journal.Source) error {
	return s.do("save", func(d *Disk) {
		for name, n := range counters {
			d.counters[name] = max(d.counters[name], n)
		}
		for _, src := range sources {
			d.sources[[3]string{src.Way, src.Host, src.Cluster}] = src
		}
	})
}

// Replaced is journal.Store's.
func (s *store) Replaced() bool {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.d.replacement
}

// Close is journal.Store's.
func (s *store) Close() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.closed = true
	return nil
}

// Package journal keeps every alert as it was received: the place that an alert is durable in before its sender is told
// so, and from which everything behind it can be made again.
//
// In come alerts with their origin (Append) and records that could not be parsed (Reject); out come, in the order of
// arrival, the alerts for one consumer after another (Read, Wait) and the quarantine. An alert that is delivered again is
// stored once. The package never changes an alert and never looks at what it means.
//
// Callers of Append are grouped: one commit and one sync of the disk serve all that are waiting. A call that returns nil
// is durable. When the disk is full, read-only or broken, calls fail at once with an error that answers errors.Is for
// ErrFull, ErrReadOnly or ErrCorrupt; the journal tries the disk again now and then and recovers by itself once the cause
// is gone. Where things are kept is a Store, of which journal/sqlite is one.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eyrie-sec/eyrie/falco"
)

// Errors of a Store, and of what rests on it. They wrap the cause.
var (
	ErrFull     = errors.New("the disk is full: make room, alerts are accepted again by themselves")
	ErrReadOnly = errors.New("the journal cannot be written: make its file and directory writable for eyrie")
	ErrCorrupt  = errors.New("the journal's file is damaged: move it and its -wal and -shm files away; a new one is made at once")
	ErrLocked   = errors.New("another process holds the journal's file")
	ErrNewer    = errors.New("the journal was written by a newer eyrie: run that one, or another data directory")
	ErrMoved    = errors.New("the journal's file was moved, replaced or deleted while it was in use; the one in its place is taken")
	ErrSlow     = errors.New("the disk does not answer")
	ErrClosed   = errors.New("the journal is closed")
	ErrBusy     = errors.New("too many alerts are waiting to be stored: try again")
)

const (
	defaultMaxAge          = 90 * 24 * time.Hour
	defaultQuarantineBytes = 64 << 20
	defaultRetryEvery      = time.Second
	recentBytes            = 12 << 20 // alerts kept in memory for a consumer that is caught up
	groupEntries           = 4096     // of one commit
	groupBytes             = 16 << 20
	queueRequests          = 4096 // callers that wait in the queue; others wait to get into it
	queueWait              = 10 * time.Second
	probeWait              = 5 * time.Second
	houseworkEvery         = 5 * time.Second
	maxSources             = 10_000
)

// Entry is one alert on its way in. What it points to is the journal's from Append on.
type Entry struct {
	Way         string       // how it came: "webhook", "agent", ...
	Origin      falco.Origin // where it is from
	Body        []byte       // as received
	Fingerprint [16]byte     // falco.Fingerprint of Body and Origin: equal for the same alert
	Alert       *falco.Alert // Body, parsed
}

// Record is one alert in the journal.
type Record struct {
	// Seq is its place: ascending in the order of arrival, > 0, with gaps. A journal that is opened goes on with a number
	// that is at least the time in microseconds since 1970: neither a new file nor one from a backup gives a number again
	// that a consumer has passed, unless the clock was set back.
	Seq     int64
	Arrived time.Time // when it was appended, UTC
	Entry             // Alert is nil if Body no longer parses
}

// Rejected is a record that is no alert.
type Rejected struct {
	ID      int64 // given by the journal, ascending
	Arrived time.Time
	Way     string
	Origin  falco.Origin
	Reason  string // short and stable, for counting
	Detail  string // for people
	Body    []byte // as received, perhaps cut
	Size    int64  // bytes before it was cut; 0 means that it was not
}

// Appended says what became of the entries of one Append.
type Appended struct {
	Stored     int
	Duplicates int
	Last       int64 // Seq of the last one stored; 0 if none was
}

// Config is what a Journal needs to know; the zero value has a default for everything.
type Config struct {
	MaxAge          time.Duration // alerts older than this are deleted; 0 means 90 days
	MaxBytes        int64         // of alerts on disk, compressed; 0 means no bound
	QuarantineBytes int64         // 0 means 64 MiB; beyond it the oldest records are evicted and counted
	// RetryEvery is for how long a failure is answered from memory before the store is tried again, and how old a success
	// may be for Healthy to rely on it; 0 means 1 s.
	RetryEvery time.Duration
	// Consumed returns up to which Seq everything was taken over; only that may be deleted for age or size. nil: all.
	Consumed   func() int64
	Now        func() time.Time // for arrivals, ages and numbers
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Journal is safe for concurrent use.
type Journal struct {
	c       Config
	open    func(context.Context) (Store, error)
	queue   chan *request
	metrics *metrics
	done    chan struct{} // closed when the committer has ended

	closing   chan struct{}
	closeOnce sync.Once

	mu      sync.Mutex // guards what follows; never held while the disk is at work
	store   Store      // nil while there is none; set by the committer alone
	failure error      // of the newest attempt to write; nil when that succeeded
	tried   time.Time  // when that was, by the clock of the machine
	changed chan struct{}
	recent  recent
	tally   tally
	lastSeq int64 // given out last
	newest  int64 // no record that is stored has a greater Seq
}

// Open starts a journal on the store that open gives. A store that cannot be opened is not an error: the journal then
// refuses alerts and tries again, as it does when the disk fails later. The error is of the configuration alone.
func Open(ctx context.Context, c Config, open func(context.Context) (Store, error)) (*Journal, error) {
	if c.MaxAge < 0 || c.MaxBytes < 0 || c.QuarantineBytes < 0 || c.RetryEvery < 0 {
		return nil, fmt.Errorf("journal: negative limit: age %v, bytes %d, quarantine %d, retry %v", c.MaxAge, c.MaxBytes, c.QuarantineBytes, c.RetryEvery)
	}
	setDefault(&c.MaxAge, defaultMaxAge)
	setDefault(&c.QuarantineBytes, int64(defaultQuarantineBytes))
	setDefault(&c.RetryEvery, defaultRetryEvery)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	j := &Journal{c: c, open: open, queue: make(chan *request, queueRequests), done: make(chan struct{}), closing: make(chan struct{}),
		changed: make(chan struct{}), tally: newTally()}
	j.metrics = newMetrics(c.Registerer, j)
	if _, err := j.reopen(ctx); err != nil {
		j.fail(err)
	}
	go j.commitLoop()
	return j, nil
}

// Close finishes what was accepted and closes the store. Later calls fail with ErrClosed.
func (j *Journal) Close() error {
	j.closeOnce.Do(func() { close(j.closing) })
	<-j.done
	j.flush(context.Background())
	j.mu.Lock()
	store := j.store
	j.store, j.failure = nil, ErrClosed
	j.mu.Unlock()
	if store == nil {
		return nil
	}
	return store.Close()
}

// usable returns the store for reading.
func (j *Journal) usable() (Store, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.store == nil {
		return nil, j.failure
	}
	return j.store, nil
}

// Healthy returns nil only if a write would succeed: one has just succeeded, or is tried now, every Config.RetryEvery at
// most. A disk that hangs is ErrSlow after 5 s.
func (j *Journal) Healthy() error {
	select {
	case <-j.closing:
		return ErrClosed
	default:
	}
	if failure, fresh := j.outcome(); fresh {
		return failure
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeWait)
	defer cancel()
	err := j.submit(ctx, &request{}).err
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrSlow
	}
	return err
}

// outcome returns the failure of the newest attempt to write, and whether that is too fresh for another attempt.
func (j *Journal) outcome() (failure error, fresh bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure, time.Since(j.tried) < j.c.RetryEvery
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

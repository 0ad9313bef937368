package journal

import (
	"context"
	"time"
)

// Store keeps the journal durably. All methods are safe for concurrent use. Errors answer errors.Is for ErrFull,
// ErrReadOnly, ErrCorrupt, ErrLocked, ErrMoved and ErrClosed. After an error other than ErrFull and ErrCorrupt a Store is
// closed and opened anew before the next Write.
type Store interface {
	// Write stores all of g or nothing, and returns after it is durable. An entry whose alert time and fingerprint are
	// in the store already, or earlier in g, is not stored again: its place in the result is false. After an error it
	// may be durable all the same, which shows when the store is opened anew; not so after ErrFull. A Group without
	// records is a trial: something that needs room is written.
	Write(ctx context.Context, g Group) (stored []bool, err error)
	// Read returns records with Seq > after in ascending order: at most limit of them, and no more once bodies reach
	// maxBytes, but at least one. Alerts are not parsed. Damaged records are left out, unless the damage is such that the
	// rest cannot be found either: that is ErrCorrupt.
	Read(ctx context.Context, after int64, limit, maxBytes int) ([]Record, error)
	// Get returns the records with these Seqs that exist, in ascending order. Alerts are not parsed.
	Get(ctx context.Context, seqs []int64) ([]Record, error)
	// Waiting returns how many records have a Seq > after, and when the first of them arrived.
	Waiting(ctx context.Context, after int64) (int64, time.Time, error)
	// Head returns where the journal begins and ends and what Save last kept.
	Head(ctx context.Context) (Head, error)
	// Cursor returns what SetCursor stored, 0 if nothing.
	Cursor(ctx context.Context, name string) (int64, error)
	SetCursor(ctx context.Context, name string, seq int64) error
	// Quarantine returns at most limit records with ID > after, in ascending order.
	Quarantine(ctx context.Context, after int64, limit int) ([]Rejected, error)
	// Discard removes records from quarantine.
	Discard(ctx context.Context, ids []int64) error
	// Expire deletes the oldest alerts: those that arrived before t, and more while they take more than maxBytes (0: no
	// bound), but none with Seq > upTo; and stops at limit, or a few more. It returns how many it deleted.
	Expire(ctx context.Context, t time.Time, maxBytes, upTo int64, limit int) (int, error)
	// Save keeps counters, each unless a greater value is kept already, and sources.
	Save(ctx context.Context, counters map[string]int64, sources []Source) error
	// Replaced reports, after ErrCorrupt, whether what is stored was exchanged since, so that opening anew can help.
	Replaced() bool
	// Close waits for the calls that are under way.
	Close() error
}

// Group is what one commit stores.
type Group struct {
	Records  []Record
	Rejected []Rejected       // ID is given by the store
	Counters map[string]int64 // absolute values of counters that changed with Rejected
	MaxBytes int64            // of the quarantine; the oldest beyond it are evicted, and counted as "evicted"
}

// Head is where a journal stands.
type Head struct {
	First, Last     int64 // Seqs; First is 0 if there is no record; Last is also of what is deleted since
	Oldest          time.Time
	Bytes           int64 // of alerts, as stored
	FileBytes       int64
	Damaged         int64 // records that turned out unreadable since the store was opened
	Quarantined     int64
	QuarantineBytes int64
	Counters        map[string]int64
	Sources         []Source
}

// Source is something that alerts come from.
type Source struct {
	Way, Host, Cluster string
	LastSeen           time.Time
	Count              int64 // of alerts that were stored
}

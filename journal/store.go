package journal

import (
	"context"
	"time"
)

// Store keeps the journal durably. All methods are safe for concurrent use. Errors answer errors.Is for ErrFull,
// ErrReadOnly, ErrCorrupt, ErrLocked and ErrClosed.
type Store interface {
	// Write stores all of g or nothing, and returns after it is durable. An entry whose alert time and fingerprint are
	// in the store already, or earlier in g, is not stored again: its place in the result is false.
	Write(ctx context.Context, g Group) (stored []bool, err error)
	// Read returns records with Seq > after in ascending order: at most limit of them, and no more once bodies exceed
	// maxBytes. Alerts are not parsed.
	Read(ctx context.Context, after int64, limit, maxBytes int) ([]Record, error)
	// Get returns the records with these Seqs that exist, in ascending order. Alerts are not parsed.
	Get(ctx context.Context, seqs []int64) ([]Record, error)
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
	// bound), but none with Seq > upTo; and at most limit at a time. It returns how many it deleted.
	Expire(ctx context.Context, t time.Time, maxBytes, upTo int64, limit int) (int, error)
	// Save keeps counters and sources.
	Save(ctx context.Context, counters map[string]int64, sources []Source) error
	Close() error
}

// Group is what one commit stores.
type Group struct {
	Records  []Record
	Rejected []Rejected       // ID is given by the store
	Counters map[string]int64 // absolute values of counters that changed with Rejected
	MaxBytes int64            // of the quarantine; the oldest beyond it are evicted
}

// Head is where a journal stands.
type Head struct {
	First, Last     int64 // Seqs; Last is also of what is deleted since, and of a new journal the number before its first
	Oldest          time.Time
	Bytes           int64 // of alerts, as stored
	FileBytes       int64
	Quarantined     int64
	QuarantineBytes int64
	Counters        map[string]int64
	Sources         []Source
}

// Source is something that alerts come from.
type Source struct {
	Way, Host, Cluster string
	LastSeen           time.Time
	Count              int64
}

package hub

import (
	"context"
	"time"
)

// Store keeps findings and what belongs to them, durably. It knows nothing of what a finding means: Hub decides, a Store
// stores. All methods are safe for concurrent use; Commit and PutRecords are called by one goroutine at a time. Errors
// answer errors.Is for ErrFull, ErrReadOnly, ErrCorrupt, ErrLocked and ErrClosed. hubtest.Contract is what an
// implementation must pass.
type Store interface {
	// Load returns the findings with these keys, in any order; keys without a finding are left out.
	Load(ctx context.Context, keys []Key) ([]Stored, error)
	// LoadSeqs returns the findings with these Seqs, in any order; Seqs without a finding are left out.
	LoadSeqs(ctx context.Context, seqs []int64) ([]Stored, error)
	// Scan calls f with each finding whose Seq is greater than after, in ascending order of Seq, until f fails. What
	// f is given is valid only during the call.
	Scan(ctx context.Context, after int64, f func(*Stored) error) error
	// Commit stores all of b or nothing, and returns after it is durable.
	Commit(ctx context.Context, b *Batch) error
	// Cursor returns what a Batch last stored for source, 0 if nothing.
	Cursor(ctx context.Context, source string) (int64, error)
	// Heads returns the greatest Seqs ever committed (also of what is deleted since) and the number of findings.
	Heads(ctx context.Context) (Heads, error)

	// History returns at most limit records of a finding with N < before (0: no bound) and start <= At <= end (zero: no
	// bound), in descending order of N.
	History(ctx context.Context, finding, before int64, start, end time.Time, limit int) ([]HistoryEntry, error)
	// Changes returns at most limit entries with Seq > after in ascending order. Entries of findings that are deleted
	// are left out, but for that of the deletion.
	Changes(ctx context.Context, after int64, limit int) ([]Change, error)
	// OldestChange returns the least Seq of the entries that are kept, 0 if there are none.
	OldestChange(ctx context.Context) (int64, error)
	// AlertChunks returns the raw alerts of a finding, in any order.
	AlertChunks(ctx context.Context, finding int64) ([]AlertChunk, error)
	// Timeline returns the points of a finding in ascending order of time.
	Timeline(ctx context.Context, finding int64) ([]TimelinePoint, error)
	// Activity returns the counters of one step with from <= At < to in ascending order of At.
	Activity(ctx context.Context, step time.Duration, from, to time.Time) ([]ActivityCount, error)
	// Search returns the Seqs of the findings that have all words, in any order; if there are more than limit, any
	// limit of them. If prefix, a word that begins with the last one will do. Words are as Words makes them; never none.
	Search(ctx context.Context, words []string, prefix bool, limit int) ([]int64, error)

	// Trim deletes feed entries with Seq <= feed, activity counters of step short before shortBefore and all older than
	// before, and of the findings with first <= Seq <= last the history and timeline older than before.
	Trim(ctx context.Context, t Trim) error

	// Records returns the records of one kind in ascending order of Name.
	Records(ctx context.Context, kind string) ([]Record, error)
	// PutRecords stores all of these records or none; a nil Value deletes the record.
	PutRecords(ctx context.Context, records []Record) error

	Close() error
}

// Stored is a finding with what only the hub sees of it.
type Stored struct {
	Finding
	Customer []byte    // JSON object: the members that a customer set with BatchUpdateFindings; empty if none
	Chunks   int64     // number of alert chunks written so far, > 0 once there was an alert
	Records  int64     // number of history records written so far: N of the last one
	TextHash uint64    // of the words that the store has for Search
	Touched  time.Time // last change of any kind: what retention goes by
}

// Put stores a finding, new or not: Seq tells. Words replace those that the store has, if NewWords.
type Put struct {
	*Stored
	New      bool // there is no finding with this Seq or this Key
	NewWords bool
	Words    []string
}

// Batch is one transaction. Within it, Deletes come first.
type Batch struct {
	Deletes  []int64 // Seqs of findings that go, with all that belongs to them but their feed entries
	Puts     []Put
	Chunks   []AlertChunk
	Timeline []TimelineAdd
	History  []HistoryEntry
	Changes  []Change
	Activity []ActivityCount // added to what is there
	Source   string          // whose cursor is stored; "" for none
	UpTo     int64
}

// AlertChunk is some raw alerts of a finding, in the hub's own encoding. A chunk replaces the one in the same slot.
type AlertChunk struct {
	Finding int64
	Slot    int   // 0 to MaxKeepAlerts
	N       int64 // number of the chunk in the finding, ascending
	Body    []byte
}

// TimelineAdd adds Count to the hour of a finding.
type TimelineAdd struct {
	Finding int64
	Hour    time.Time // start of the hour
	Count   int64
}

// HistoryEntry is a history record in its place.
type HistoryEntry struct {
	Finding int64
	N       int64 // from 1, ascending within the finding
	HistoryRecord
}

// ActivityCount is how many occurrences there were in one step of time, by severity.
type ActivityCount struct {
	Step       time.Duration // ShortStep or LongStep
	At         time.Time     // start of the step
	BySeverity [5]int64      // indexed by SeverityIndex
}

// Steps of the activity counters.
const (
	ShortStep = 5 * time.Minute // kept for ShortKept
	LongStep  = time.Hour       // kept as long as findings
	ShortKept = 48 * time.Hour
)

// Heads are the greatest sequence numbers given so far.
type Heads struct {
	Finding  int64
	Change   int64
	Findings int // findings stored now
}

// Trim says what Store.Trim deletes.
type Trim struct {
	Feed        int64     // feed entries up to this one
	ShortBefore time.Time // ShortStep counters before this
	Before      time.Time // LongStep counters, history and timeline before this
	First, Last int64     // of these findings
}

// Record is a small thing that the hub keeps by name: an insight, the tags of a resource, the hub's own settings.
type Record struct {
	Kind, Name string
	Value      []byte
}

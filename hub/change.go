package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/eyrie-sec/eyrie/hub/index"
)

// change is one commit in the making. The holder of Hub.commit makes one, fills it and calls commit.
type change struct {
	h       *Hub
	now     time.Time
	heads   Heads
	batch   Batch
	touched map[Key]*draft
	order   []*draft // touched, in the order of their first change
	indexed []index.Change
	deleted []*Stored
}

// draft is a finding that changes.
type draft struct {
	*Stored      // the state so far; a copy that may be changed
	old     bool // the store has it
	dirty   bool
	kind    ChangeKind
	text    bool     // words are new
	words   []string // if text
	values  *index.Values
}

// begin takes the commit lock and loads the findings with these keys. On success the caller must call end.
func (h *Hub) begin(ctx context.Context, keys []Key) (*change, error) {
	h.commit.Lock()
	if h.closed {
		h.commit.Unlock()
		return nil, ErrClosed
	}
	if h.unsure {
		if err := h.recover(ctx); err != nil {
			h.commit.Unlock()
			return nil, fmt.Errorf("hub: %w", err)
		}
	}
	ch := &change{h: h, now: h.now(), heads: h.heads, touched: make(map[Key]*draft, len(keys))}
	var missing []Key
	asked := make(map[Key]bool, len(keys))
	for _, k := range keys {
		if asked[k] {
			continue
		}
		asked[k] = true
		if f := h.cache.get(k); f != nil {
			ch.load(f)
		} else {
			missing = append(missing, k)
		}
	}
	if len(missing) > 0 {
		found, err := h.store.Load(ctx, missing)
		if err != nil {
			h.commit.Unlock()
			return nil, fmt.Errorf("hub: %w", err)
		}
		for i := range found {
			ch.load(&found[i])
		}
	}
	return ch, nil
}

func (ch *change) end() { ch.h.commit.Unlock() }

func (ch *change) load(f *Stored) {
	own := *f
	ch.touched[f.Key] = &draft{Stored: &own, old: true}
}

// create makes a draft of a finding that does not exist.
func (ch *change) create(key Key) *draft {
	ch.heads.Finding++
	d := &draft{Stored: &Stored{Finding: Finding{Key: key, Seq: ch.heads.Finding}}}
	ch.touched[key] = d
	return d
}

// delete removes a finding that the store has.
func (ch *change) delete(f *Stored) {
	ch.batch.Deletes = append(ch.batch.Deletes, f.Seq)
	ch.deleted = append(ch.deleted, f)
	ch.indexed = append(ch.indexed, index.Change{Seq: f.Seq})
	ch.feed(Deleted, f)
}

// put replaces a draft's document, after everything else of it was set.
func (ch *change) put(d *draft, doc []byte, kind ChangeKind) error {
	words := &ch.h.words
	words.reset()
	d.Touched = ch.now
	if d.values == nil {
		d.values = ch.h.spareValues()
	}
	if err := d.values.Extract(doc, d.Touched, words.visit); err != nil {
		return fmt.Errorf("hub: finding %q: %w", d.ID, err)
	}
	d.Doc = doc
	if hash := words.hash(); hash != d.TextHash || !d.old {
		d.TextHash, d.words, d.text = hash, words.words(), true
	}
	if !d.dirty {
		ch.order = append(ch.order, d)
		d.dirty = true
	}
	if d.kind == 0 || kind != Updated && d.kind != Created {
		d.kind = kind
	}
	return nil
}

// maxSpare is how many Values are kept for the next change, of about 4 KB each.
const maxSpare = 1000

func (h *Hub) spareValues() *index.Values {
	n := len(h.spare)
	if n == 0 {
		return new(index.Values)
	}
	v := h.spare[n-1]
	h.spare = h.spare[:n-1]
	return v
}

// record adds a history record to a draft.
func (ch *change) record(d *draft, r HistoryRecord) {
	d.Records++
	r.At = ch.now
	ch.batch.History = append(ch.batch.History, HistoryEntry{Finding: d.Seq, N: d.Records, HistoryRecord: r})
}

// commit makes the change durable and then visible. If the store fails nothing has changed.
func (ch *change) commit(ctx context.Context) error {
	h, b := ch.h, &ch.batch
	for _, d := range ch.order {
		b.Puts = append(b.Puts, Put{Stored: d.Stored, New: !d.old, NewWords: d.text, Words: d.words})
		ch.feed(d.kind, d.Stored)
		ch.indexed = append(ch.indexed, index.Change{Seq: d.Seq, Values: d.values})
	}
	if len(b.Puts)+len(b.Deletes) == 0 && b.Source == "" {
		return nil
	}
	if err := h.store.Commit(ctx, b); err != nil {
		// Almost always nothing was stored. But a store may have committed and failed to say so.
		h.unsure = true
		h.status.Store(&status{last: h.status.Load().last, err: err})
		return fmt.Errorf("hub: %w", err)
	}
	for _, f := range ch.deleted {
		h.cache.drop(f.Key)
	}
	if b.Source != "" {
		h.cursors[b.Source] = b.UpTo
	}
	h.heads = ch.heads
	for _, d := range ch.order {
		h.cache.put(d.Stored)
	}
	h.status.Store(&status{last: ch.now})
	if len(ch.indexed) == 0 {
		return nil
	}
	if err := h.index.Apply(ch.indexed); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	for _, d := range ch.order {
		if len(h.spare) < maxSpare {
			h.spare = append(h.spare, d.values)
		}
		d.values = nil
	}
	mark := index.Mark{Store: h.id, Change: ch.heads.Change}
	if n := len(b.Changes); n > 0 {
		mark.ChangeAt = b.Changes[n-1].At.UnixNano()
	}
	h.mark.Store(&mark)
	h.wake()
	return nil
}

// recover finds out what a commit that failed has done after all, and brings the hub to it. The commit lock is held.
func (h *Hub) recover(ctx context.Context) error {
	heads, err := h.store.Heads(ctx)
	if err != nil {
		return err
	}
	h.cache.clear()
	clear(h.cursors)
	if heads.Change != h.heads.Change {
		if err := h.replay(ctx, heads.Change); err != nil {
			return err
		}
	}
	h.heads, h.unsure = heads, false
	return nil
}

// feed adds an entry to the change feed.
func (ch *change) feed(kind ChangeKind, f *Stored) {
	ch.heads.Change++
	ch.batch.Changes = append(ch.batch.Changes, Change{Seq: ch.heads.Change, At: ch.now, Kind: kind, Key: f.Key, FindingSeq: f.Seq})
}

// Watch returns a channel that has a value after something changed since the last value was taken. Changes coalesce. The
// channel is closed when the hub is; stop must be called once it is no longer read.
func (h *Hub) Watch() (ch <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	h.watching.Lock()
	defer h.watching.Unlock()
	if h.watchers == nil {
		close(c)
		return c, func() {}
	}
	h.watchers[c] = struct{}{}
	return c, func() {
		h.watching.Lock()
		defer h.watching.Unlock()
		delete(h.watchers, c)
	}
}

func (h *Hub) wake() {
	h.watching.Lock()
	defer h.watching.Unlock()
	for c := range h.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// MaxChanges is the most entries that Changes returns at a time.
const MaxChanges = 10_000

// Changes returns at most limit (0 or too many: MaxChanges) entries of the change feed after the entry with the given
// Seq, the oldest first. The feed is bounded: a consumer that finds that the first entry after its own is missing (see
// OldestChange) has to look at all findings.
func (h *Hub) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	if limit <= 0 || limit > MaxChanges {
		limit = MaxChanges
	}
	changes, err := h.store.Changes(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	return changes, nil
}

// OldestChange returns the least Seq that the feed still has, 0 if it is empty.
func (h *Hub) OldestChange(ctx context.Context) (int64, error) {
	seq, err := h.store.OldestChange(ctx)
	if err != nil {
		return 0, fmt.Errorf("hub: %w", err)
	}
	return seq, nil
}

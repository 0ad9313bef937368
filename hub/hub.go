package hub

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eyrie-sec/eyrie/hub/index"
)

// Hub is the stage. All its methods are safe for concurrent use.
type Hub struct {
	c     Config
	store Store
	index *index.Index
	id    [16]byte // of the store; set by Open

	commit  sync.Mutex // held for a whole change: read, decide, store, index. Guards what follows up to closed
	heads   Heads
	unsure  bool // the last commit failed
	cache   *cache
	cursors map[string]int64 // of the sources that were observed, as the store has them
	words   wordList         // used by each change in turn
	spare   []*index.Values  // likewise
	encoded []byte           // likewise
	chunks  chunkEncoder     // likewise
	closed  bool

	mark   atomic.Pointer[index.Mark] // the newest change that is in the index
	status atomic.Pointer[status]
	frozen frozenPages

	maxSearched int // the constant of that name; tests have less

	watching sync.Mutex // guards watchers
	watchers map[chan struct{}]struct{}

	settings sync.Mutex  // held while records are read and rewritten; taken before nothing
	enabled  atomic.Bool // what the settings record says

	swept  int64      // the last finding whose belongings a sweep trimmed; guarded by sweeps
	saved  index.Mark // of the snapshot on disk; guarded by sweeps
	sweeps sync.Mutex // held while housekeeping
}

// status is the outcome of the newest commits.
type status struct {
	last time.Time // of the last that succeeded
	err  error     // of the newest, if it failed
}

// Open makes a hub of what the store has. It loads the index from the snapshot file, or rebuilds it from the documents,
// which Config.Progress is told about. The store is the hub's from then on: Close closes it.
func Open(ctx context.Context, c Config, store Store) (*Hub, error) {
	c.setDefaults()
	h := &Hub{c: c, store: store, cache: newCache(c.CacheBytes), cursors: map[string]int64{},
		watchers: map[chan struct{}]struct{}{}, maxSearched: maxSearched}
	h.status.Store(&status{})
	var err error
	if h.heads, err = store.Heads(ctx); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	if err := h.loadSettings(ctx); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	if err := h.loadIndex(ctx); err != nil {
		return nil, fmt.Errorf("hub: build the index: %w", err)
	}
	return h, nil
}

func (c *Config) setDefaults() {
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	if c.KeepAlerts <= 0 {
		c.KeepAlerts = DefaultKeepAlerts
	}
	c.KeepAlerts = min(c.KeepAlerts, MaxKeepAlerts)
	if c.KeepChanges <= 0 {
		c.KeepChanges = DefaultKeepChanges
	}
	if c.SnapshotEvery <= 0 {
		c.SnapshotEvery = DefaultSnapshotEvery
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = DefaultCacheBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Progress == nil {
		c.Progress = func(int, int) {}
	}
}

// now is the hub's time in UTC, to the microsecond, which every store keeps.
func (h *Hub) now() time.Time { return h.c.Now().UTC().Truncate(time.Microsecond) }

// arn makes an ARN of the hub's account and Region. Partitions: AWS General Reference, "Amazon Resource Names".
func (h *Hub) arn(resource string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(h.c.Region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(h.c.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return "arn:" + partition + ":securityhub:" + h.c.Region + ":" + h.c.Account + ":" + resource
}

// newID returns a random (version 4) UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// Stats returns the counts.
func (h *Hub) Stats() Stats {
	c := h.index.Counts()
	st := h.status.Load()
	s := Stats{
		Findings: c.Findings, ByWorkflow: map[string]int{}, BySeverityNew: c.BySeverityNew, Archived: c.Archived,
		IndexBytes: int64(c.Bytes), LastChange: h.mark.Load().Change, LastCommit: st.last, LastError: st.err,
	}
	for i, w := range index.Workflows {
		s.ByWorkflow[w] = c.ByWorkflow[i]
	}
	return s
}

// Close waits for a change that is under way, writes the snapshot and closes the store. Run must have returned.
func (h *Hub) Close() error {
	h.commit.Lock()
	if h.closed {
		h.commit.Unlock()
		return nil
	}
	h.closed = true
	h.commit.Unlock()
	if err := h.saveSnapshot(); err != nil {
		h.c.Logger.Warn("index snapshot not written; the next start rebuilds the index", "err", err)
	}
	h.watching.Lock()
	for ch := range h.watchers {
		close(ch)
	}
	h.watchers = nil
	h.watching.Unlock()
	return h.store.Close()
}

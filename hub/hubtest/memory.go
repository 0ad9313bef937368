package hubtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
)

// Memory is a hub.Store that keeps everything in maps and can be made to fail. It is the plain reference of what a store
// does, and loses everything when it is garbage.
type Memory struct {
	mu       sync.Mutex // guards all below
	state    memoryState
	calls    int   // of methods that can fail
	failAt   int   // the call that fails, counted from 1; 0 for none
	failWith error // what it fails with
	after    bool  // a failing Commit commits all the same
	closed   bool
}

var _ hub.Store = (*Memory)(nil)

type memoryState struct {
	findings map[int64]hub.Stored
	words    map[int64][]string
	byKey    map[hub.Key]int64
	chunks   map[int64]map[int]hub.AlertChunk
	timeline map[int64]map[int64]int64
	history  map[int64][]hub.HistoryEntry
	changes  []hub.Change
	activity map[time.Duration]map[int64]*[5]int64
	cursors  map[string]int64
	records  map[[2]string][]byte
	heads    hub.Heads
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{state: memoryState{
		findings: map[int64]hub.Stored{}, words: map[int64][]string{}, byKey: map[hub.Key]int64{},
		chunks: map[int64]map[int]hub.AlertChunk{}, timeline: map[int64]map[int64]int64{}, history: map[int64][]hub.HistoryEntry{},
		activity: map[time.Duration]map[int64]*[5]int64{}, cursors: map[string]int64{}, records: map[[2]string][]byte{},
	}}
}

// FailAt makes the n-th call from now on fail with err. If after, a Commit that fails has committed all the same, as when
// a connection breaks before the answer.
func (m *Memory) FailAt(n int, err error, after bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls, m.failAt, m.failWith, m.after = 0, n, err, after
}

// Calls returns how many calls there were since FailAt.
func (m *Memory) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// enter begins a call: the lock is held unless there is an error.
func (m *Memory) enter() error {
	m.mu.Lock()
	m.calls++
	err := error(nil)
	switch {
	case m.closed:
		err = hub.ErrClosed
	case m.calls == m.failAt:
		err = m.failWith
	}
	if err != nil {
		m.mu.Unlock()
	}
	return err
}

// Load is hub.Store's.
func (m *Memory) Load(_ context.Context, keys []hub.Key) ([]hub.Stored, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var found []hub.Stored
	for _, k := range keys {
		if seq, ok := m.state.byKey[k]; ok {
			found = append(found, m.state.findings[seq])
		}
	}
	return found, nil
}

// LoadSeqs is hub.Store's.
func (m *Memory) LoadSeqs(_ context.Context, seqs []int64) ([]hub.Stored, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var found []hub.Stored
	for _, seq := range seqs {
		if f, ok := m.state.findings[seq]; ok {
			found = append(found, f)
		}
	}
	return found, nil
}

// Scan is hub.Store's.
func (m *Memory) Scan(_ context.Context, after int64, f func(*hub.Stored) error) error {
	if err := m.enter(); err != nil {
		return err
	}
	all := maps.Clone(m.state.findings)
	m.mu.Unlock()
	for _, seq := range slices.Sorted(maps.Keys(all)) {
		if one := all[seq]; seq > after {
			if err := f(&one); err != nil {
				return err
			}
		}
	}
	return nil
}

// Commit is hub.Store's.
func (m *Memory) Commit(_ context.Context, b *hub.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	failing := m.calls == m.failAt
	switch {
	case m.closed:
		return hub.ErrClosed
	case failing && !m.after:
		return m.failWith
	}
	m.commit(b)
	if failing {
		return m.failWith
	}
	return nil
}

func (m *Memory) commit(b *hub.Batch) {
	s := &m.state
	for _, seq := range b.Deletes {
		if f, ok := s.findings[seq]; ok {
			delete(s.byKey, f.Key)
			s.heads.Findings--
		}
		delete(s.findings, seq)
		delete(s.words, seq)
		delete(s.chunks, seq)
		delete(s.timeline, seq)
		delete(s.history, seq)
	}
	for _, p := range b.Puts {
		f := *p.Stored
		s.findings[f.Seq] = f
		s.byKey[f.Key] = f.Seq
		s.heads.Finding = max(s.heads.Finding, f.Seq)
		if p.New {
			s.heads.Findings++
		}
		if p.NewWords {
			s.words[f.Seq] = p.Words
		}
	}
	for _, c := range b.Chunks {
		inner(s.chunks, c.Finding)[c.Slot] = c
	}
	for _, t := range b.Timeline {
		inner(s.timeline, t.Finding)[t.Hour.Unix()] += t.Count
	}
	for _, e := range b.History {
		s.history[e.Finding] = append(s.history[e.Finding], e)
	}
	for _, c := range b.Changes {
		s.changes = append(s.changes, c)
		s.heads.Change = max(s.heads.Change, c.Seq)
	}
	for _, a := range b.Activity {
		counts := inner(s.activity, a.Step)
		if counts[a.At.Unix()] == nil {
			counts[a.At.Unix()] = new([5]int64)
		}
		for i, n := range a.BySeverity {
			counts[a.At.Unix()][i] += n
		}
	}
	if b.Source != "" {
		s.cursors[b.Source] = b.UpTo
	}
}

func inner[K1, K2 comparable, V any](m map[K1]map[K2]V, key K1) map[K2]V {
	if m[key] == nil {
		m[key] = map[K2]V{}
	}
	return m[key]
}

// Cursor is hub.Store's.
func (m *Memory) Cursor(_ context.Context, source string) (int64, error) {
	if err := m.enter(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return m.state.cursors[source], nil
}

// Heads is hub.Store's.
func (m *Memory) Heads(context.Context) (hub.Heads, error) {
	if err := m.enter(); err != nil {
		return hub.Heads{}, err
	}
	defer m.mu.Unlock()
	return m.state.heads, nil
}

// History is hub.Store's.
func (m *Memory) History(_ context.Context, finding, before int64, start, end time.Time, limit int) ([]hub.HistoryEntry, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var found []hub.HistoryEntry
	for _, e := range slices.Backward(m.state.history[finding]) {
		if (before <= 0 || e.N < before) && !e.At.Before(start) && (end.IsZero() || !e.At.After(end)) && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, nil
}

// Changes is hub.Store's.
func (m *Memory) Changes(_ context.Context, after int64, limit int) ([]hub.Change, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var found []hub.Change
	for _, c := range m.state.changes {
		_, there := m.state.findings[c.FindingSeq]
		if c.Seq > after && len(found) < limit && (there || c.Kind == hub.Deleted) {
			found = append(found, c)
		}
	}
	return found, nil
}

// OldestChange is hub.Store's.
func (m *Memory) OldestChange(context.Context) (int64, error) {
	if err := m.enter(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	if len(m.state.changes) == 0 {
		return 0, nil
	}
	return m.state.changes[0].Seq, nil
}

// AlertChunks is hub.Store's.
func (m *Memory) AlertChunks(_ context.Context, finding int64) ([]hub.AlertChunk, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.state.chunks[finding])), nil
}

// Timeline is hub.Store's.
func (m *Memory) Timeline(_ context.Context, finding int64) ([]hub.TimelinePoint, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var points []hub.TimelinePoint
	for _, hour := range slices.Sorted(maps.Keys(m.state.timeline[finding])) {
		points = append(points, hub.TimelinePoint{At: time.Unix(hour, 0).UTC(), Count: m.state.timeline[finding][hour]})
	}
	return points, nil
}

// Activity is hub.Store's.
func (m *Memory) Activity(_ context.Context, step time.Duration, from, to time.Time) ([]hub.ActivityCount, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var counts []hub.ActivityCount
	for at, n := range m.state.activity[step] {
		if t := time.Unix(at, 0).UTC(); !t.Before(from) && t.Before(to) {
			counts = append(counts, hub.ActivityCount{Step: step, At: t, BySeverity: *n})
		}
	}
	slices.SortFunc(counts, func(a, b hub.ActivityCount) int { return a.At.Compare(b.At) })
	return counts, nil
}

// Search is hub.Store's.
func (m *Memory) Search(_ context.Context, words []string, prefix bool, limit int) ([]int64, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var seqs []int64
	for seq, has := range m.state.words {
		all := true
		for i, w := range words {
			all = all && slices.ContainsFunc(has, func(h string) bool {
				return h == w || prefix && i == len(words)-1 && strings.HasPrefix(h, w)
			})
		}
		if all {
			seqs = append(seqs, seq)
		}
	}
	return seqs[:min(limit, len(seqs))], nil
}

// Trim is hub.Store's.
func (m *Memory) Trim(_ context.Context, t hub.Trim) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.mu.Unlock()
	s := &m.state
	s.changes = slices.DeleteFunc(s.changes, func(c hub.Change) bool { return c.Seq <= t.Feed })
	for step, counts := range s.activity {
		maps.DeleteFunc(counts, func(at int64, _ *[5]int64) bool {
			when := time.Unix(at, 0)
			return when.Before(t.Before) || step == hub.ShortStep && when.Before(t.ShortBefore)
		})
	}
	for seq := t.First; seq <= min(t.Last, s.heads.Finding) && !t.Before.IsZero(); seq++ {
		s.history[seq] = slices.DeleteFunc(s.history[seq], func(e hub.HistoryEntry) bool { return e.At.Before(t.Before) })
		maps.DeleteFunc(s.timeline[seq], func(hour int64, _ int64) bool { return hour < t.Before.Unix()/3600*3600 })
	}
	return nil
}

// Records is hub.Store's.
func (m *Memory) Records(_ context.Context, kind string) ([]hub.Record, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var records []hub.Record
	for id, value := range m.state.records {
		if id[0] == kind {
			records = append(records, hub.Record{Kind: kind, Name: id[1], Value: value})
		}
	}
	slices.SortFunc(records, func(a, b hub.Record) int { return cmp.Compare(a.Name, b.Name) })
	return records, nil
}

// PutRecords is hub.Store's.
func (m *Memory) PutRecords(_ context.Context, records []hub.Record) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, r := range records {
		m.state.records[[2]string{r.Kind, r.Name}] = r.Value
		if r.Value == nil {
			delete(m.state.records, [2]string{r.Kind, r.Name})
		}
	}
	return nil
}

// Close is hub.Store's. What is stored stays: Reopen makes it reachable again.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// Reopen undoes Close, as a new process would.
func (m *Memory) Reopen() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = false
	return m
}

package journal

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"
)

// request is what one caller wants stored.
type request struct {
	entries  []Entry
	rejected []Rejected
	probe    bool
	size     int
	answer   chan answer // one place, so that answering never waits
}

type answer struct {
	appended Appended
	err      error
}

// Append stores entries and returns after they are durable. Entries that are in the journal already count as Duplicates.
// When ctx ends while the call waits, the entries may be stored all the same; sending them again does no harm.
func (j *Journal) Append(ctx context.Context, entries []Entry) (Appended, error) {
	return j.AppendAndReject(ctx, entries, nil)
}

// Reject puts records that are no alerts into quarantine and returns after they are durable.
func (j *Journal) Reject(ctx context.Context, rejected []Rejected) error {
	_, err := j.AppendAndReject(ctx, nil, rejected)
	return err
}

// AppendAndReject is Append and Reject in one commit: all or nothing.
func (j *Journal) AppendAndReject(ctx context.Context, entries []Entry, rejected []Rejected) (Appended, error) {
	if len(entries) == 0 && len(rejected) == 0 {
		return Appended{}, nil
	}
	r := &request{entries: entries, rejected: rejected}
	for i := range entries {
		r.size += len(entries[i].Body)
	}
	for i := range rejected {
		r.size += len(rejected[i].Body)
		if rejected[i].Size == 0 {
			rejected[i].Size = int64(len(rejected[i].Body))
		}
	}
	if err := j.refusal(); err != nil {
		return Appended{}, err
	}
	a := j.submit(ctx, r)
	return a.appended, a.err
}

// refusal returns the failure that is too fresh to try again.
func (j *Journal) refusal() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failure != nil && j.c.Now().Sub(j.tried) < probeEvery {
		return j.failure
	}
	return nil
}

func (j *Journal) submit(ctx context.Context, r *request) answer {
	r.answer = make(chan answer, 1)
	select {
	case <-j.closing:
		return answer{err: ErrClosed}
	default:
	}
	select {
	case j.queue <- r:
	case <-j.closing:
		return answer{err: ErrClosed}
	default:
		return answer{err: ErrBusy}
	}
	select {
	case a := <-r.answer:
		return a
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	case <-j.done:
		// The committer answers everything it took before it ends.
		select {
		case a := <-r.answer:
			return a
		default:
			return answer{err: ErrClosed}
		}
	}
}

// commitLoop takes what has gathered, commits it, answers, and again, until the journal is closed and the queue empty.
func (j *Journal) commitLoop() {
	defer close(j.done)
	group := make([]*request, 0, 64)
	for {
		select {
		case r := <-j.queue:
			group = j.gather(append(group[:0], r))
		case <-j.closing:
			select {
			case r := <-j.queue:
				group = j.gather(append(group[:0], r))
			default:
				return
			}
		}
		j.commit(group)
		clear(group)
	}
}

// gather adds what is waiting to group, up to the bounds of a commit.
func (j *Journal) gather(group []*request) []*request {
	entries, size := len(group[0].entries), group[0].size
	for entries < groupEntries && size < groupBytes {
		select {
		case r := <-j.queue:
			group = append(group, r)
			entries += len(r.entries) + len(r.rejected)
			size += r.size
		default:
			return group
		}
	}
	return group
}

// commit stores the requests of a group and answers them.
func (j *Journal) commit(group []*request) {
	began := time.Now()
	now := j.c.Now().UTC()
	j.mu.Lock()
	if j.failure != nil && needsReopen(j.failure) {
		j.reopen(context.Background())
	}
	store, failure, seq := j.store, j.failure, j.lastSeq
	j.mu.Unlock()
	if store == nil {
		answerAll(group, failure)
		return
	}
	g := Group{MaxBytes: j.c.QuarantineBytes}
	for _, r := range group {
		for i := range r.entries {
			seq++
			g.Records = append(g.Records, Record{Seq: seq, Arrived: now, Entry: r.entries[i]})
		}
		for i := range r.rejected {
			r.rejected[i].Arrived = now
		}
		g.Rejected = append(g.Rejected, r.rejected...)
	}
	g.Counters = j.tally.rejecting(g.Rejected)
	stored, err := store.Write(context.Background(), g)
	j.finish(group, g, stored, seq, err)
	j.metrics.committed(began, len(g.Records), err)
}

// finish makes the outcome of a Write visible and answers.
func (j *Journal) finish(group []*request, g Group, stored []bool, seq int64, err error) {
	j.mu.Lock()
	recovered := j.failure != nil && err == nil
	failedNow := j.failure == nil && err != nil
	j.failure, j.tried = err, j.c.Now()
	// After a failure nobody knows whether the disk has the records: their numbers are not used again, and readers are
	// sent to the disk for them.
	j.lastSeq = seq
	if err != nil {
		j.recent.reset(seq)
		j.newest = seq
	} else {
		for i, ok := range stored {
			if ok {
				j.newest = g.Records[i].Seq
			}
		}
		j.recent.add(g.Records, stored)
		j.tally.count(g, stored)
	}
	changed := j.changed
	j.changed = make(chan struct{})
	j.mu.Unlock()
	close(changed)
	switch {
	case failedNow:
		j.c.Logger.Error("alerts are refused: the journal cannot store them", "error", err)
	case recovered:
		j.c.Logger.Info("the journal stores alerts again")
	}
	if err != nil {
		answerAll(group, err)
		return
	}
	for _, r := range group {
		var a Appended
		for range r.entries {
			if stored[0] {
				a.Stored++
				a.Last = g.Records[0].Seq
			} else {
				a.Duplicates++
			}
			stored, g.Records = stored[1:], g.Records[1:]
		}
		r.answer <- answer{appended: a}
	}
}

func answerAll(group []*request, err error) {
	for _, r := range group {
		r.answer <- answer{err: err}
	}
}

// needsReopen reports whether the store must be opened anew before it can work again. A full disk needs only room.
func needsReopen(err error) bool { return !errors.Is(err, ErrFull) }

// tally counts what came in. It is guarded by Journal.mu but for rejecting, which only the committer calls.
type tally struct {
	counters map[string]int64 // "stored", "duplicates", "rejected:REASON", "evicted"
	sources  map[sourceKey]*Source
	dirty    map[sourceKey]bool
}

type sourceKey struct{ way, host, cluster string }

const rejectedPrefix = "rejected:"

func newTally() tally {
	return tally{counters: map[string]int64{}, sources: map[sourceKey]*Source{}, dirty: map[sourceKey]bool{}}
}

func (t *tally) load(h Head) {
	// A journal that was replaced by an empty one has still stored what this process saw.
	for name, n := range h.Counters {
		t.counters[name] = max(t.counters[name], n)
	}
	for _, s := range h.Sources {
		k := sourceKey{s.Way, s.Host, s.Cluster}
		if t.sources[k] == nil {
			t.sources[k] = &s
		}
	}
}

// rejecting returns the counters as they are after rejected is stored.
func (t *tally) rejecting(rejected []Rejected) map[string]int64 {
	if len(rejected) == 0 {
		return nil
	}
	after := map[string]int64{}
	for i := range rejected {
		name := rejectedPrefix + rejected[i].Reason
		if _, ok := after[name]; !ok {
			after[name] = t.counters[name]
		}
		after[name]++
	}
	return after
}

func (t *tally) count(g Group, stored []bool) {
	maps.Copy(t.counters, g.Counters)
	for i := range g.Records {
		r := &g.Records[i]
		if !stored[i] {
			t.counters["duplicates"]++
			continue
		}
		t.counters["stored"]++
		host := ""
		if r.Alert != nil {
			host = r.Alert.Hostname
		}
		t.source(r.Way, host, r.Origin.Cluster, r.Arrived)
	}
}

func (t *tally) source(way, host, cluster string, at time.Time) {
	k := sourceKey{way, host, cluster}
	s := t.sources[k]
	if s == nil {
		if len(t.sources) >= maxSources {
			k = sourceKey{way: way, host: "(others)"}
			if s = t.sources[k]; s == nil {
				s = &Source{Way: k.way, Host: k.host}
				t.sources[k] = s
			}
		} else {
			// The key's strings may be parts of a whole alert: copies let that go.
			k = sourceKey{strings.Clone(way), strings.Clone(host), strings.Clone(cluster)}
			s = &Source{Way: k.way, Host: k.host, Cluster: k.cluster}
			t.sources[k] = s
		}
	}
	s.LastSeen = at
	s.Count++
	t.dirty[k] = true
}

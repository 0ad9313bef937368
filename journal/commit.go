package journal

import (
	"context"
	"runtime"
	"time"
)

// request is what one caller wants stored; with nothing in it, it only tries the disk.
type request struct {
	entries  []Entry
	rejected []Rejected
	size     int         // bytes of the bodies
	answer   chan answer // one place, so that answering never waits
}

type answer struct {
	appended Appended
	err      error
}

// Append stores entries and returns after they are durable. Entries that are in the journal already count as Duplicates.
// When ctx ends while the call waits, the entries may be stored all the same, and the slice must not be used again;
// sending them again does no harm.
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
	if failure, fresh := j.outcome(); fresh && failure != nil {
		return Appended{}, failure
	}
	r := &request{entries: entries, rejected: rejected}
	for i := range entries {
		r.size += len(entries[i].Body)
	}
	for i := range rejected {
		r.size += len(rejected[i].Body)
	}
	a := j.submit(ctx, r)
	return a.appended, a.err
}

// submit gives r to the committer and waits for its answer.
func (j *Journal) submit(ctx context.Context, r *request) answer {
	if err := ctx.Err(); err != nil {
		return answer{err: err}
	}
	r.answer = make(chan answer, 1)
	select {
	case <-j.closing:
		return answer{err: ErrClosed}
	default:
	}
	select {
	case j.queue <- r:
	default:
		if err := j.queueUp(ctx, r); err != nil {
			return answer{err: err}
		}
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

// queueUp waits for a place in the queue: many senders drop an alert that is refused.
func (j *Journal) queueUp(ctx context.Context, r *request) error {
	patience := time.NewTimer(queueWait)
	defer patience.Stop()
	select {
	case j.queue <- r:
		return nil
	case <-patience.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	case <-j.closing:
		return ErrClosed
	}
}

// commitLoop takes what has gathered, commits it, answers, and again, until the journal is closed and the queue empty.
func (j *Journal) commitLoop() {
	defer close(j.done)
	group := make([]*request, 0, 64)
	for {
		before := len(group)
		select {
		case r := <-j.queue:
			if before > 1 {
				// Those that were just answered are about to come again. They run first, so that one commit serves all.
				runtime.Gosched()
				runtime.Gosched()
			}
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
	entries, size := len(group[0].entries)+len(group[0].rejected), group[0].size
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
	store, err := j.ready()
	if err != nil {
		answerAll(group, err)
		return
	}
	began := time.Now()
	g, seq := j.group(group)
	stored, err := store.Write(context.Background(), g)
	j.metrics.committed(began, len(g.Records), err)
	if err != nil {
		// If the disk has them all the same, that shows when the store is opened anew: see reopen.
		j.fail(err)
		answerAll(group, err)
		return
	}
	j.succeed(g, stored, seq)
	for _, r := range group {
		var a Appended
		for i := range r.entries {
			if stored[i] {
				a.Stored++
				a.Last = g.Records[i].Seq
			} else {
				a.Duplicates++
			}
		}
		stored, g.Records = stored[len(r.entries):], g.Records[len(r.entries):]
		r.answer <- answer{appended: a}
	}
}

// group makes one Group of the requests; seq is the last number that it uses.
func (j *Journal) group(requests []*request) (g Group, seq int64) {
	j.mu.Lock()
	seq = j.lastSeq
	j.mu.Unlock()
	now := j.c.Now().UTC()
	g.MaxBytes = j.c.QuarantineBytes
	n := 0
	for _, r := range requests {
		n += len(r.entries)
	}
	g.Records = make([]Record, 0, n)
	for _, r := range requests {
		for i := range r.entries {
			seq++
			g.Records = append(g.Records, Record{Seq: seq, Arrived: now, Entry: r.entries[i]})
		}
		for i := range r.rejected {
			bad := r.rejected[i]
			bad.Arrived = now
			setDefault(&bad.Size, int64(len(bad.Body)))
			g.Rejected = append(g.Rejected, bad)
		}
	}
	g.Counters = j.tally.rejecting(g.Rejected)
	return g, seq
}

// succeed makes what was committed visible.
func (j *Journal) succeed(g Group, stored []bool, seq int64) {
	j.mu.Lock()
	recovered := j.failure != nil
	j.failure, j.tried = nil, time.Now()
	j.lastSeq = seq
	before := j.newest
	for i, ok := range stored {
		if ok {
			j.newest = g.Records[i].Seq
		}
	}
	j.recent.add(g.Records, stored)
	j.tally.count(g, stored)
	if j.newest != before {
		j.wake()
	}
	j.mu.Unlock()
	if recovered {
		j.c.Logger.Info("the journal stores alerts again")
	}
}

// wake lets all calls of Wait look again; j.mu is held.
func (j *Journal) wake() {
	close(j.changed)
	j.changed = make(chan struct{})
}

func answerAll(group []*request, err error) {
	for _, r := range group {
		r.answer <- answer{err: err}
	}
}

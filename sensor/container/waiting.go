package container

import "time"

// Waiting holds events of containers that are being looked up, so that they are not reported without what is known a
// moment later. Events of one container leave in the order in which they came; those of others pass. It is bounded in
// number and time, and counts what it gave up on. It is not safe for concurrent use: it belongs to the loop that reads
// events, which calls Add for each, and Release when Resolver.Changed has a value or Next has come.
type Waiting[E any] struct {
	max      int
	patience time.Duration
	release  func(E)

	queues map[*Ref]*queue[E]
	held   int
	stats  WaitingStats
}

// WaitingStats counts events.
type WaitingStats struct {
	Held     uint64 // waited
	Complete uint64 // of those: left with what a runtime told, or when it told that it knows nothing
	Late     uint64 // left because they had waited long enough
	Full     uint64 // left, or never waited, because too many were waiting
	Now      int    // waiting at this moment
}

type queue[E any] struct {
	until  time.Time
	events []E
}

// Defaults of NewWaiting.
const (
	DefaultWaiting  = 1024
	DefaultPatience = 500 * time.Millisecond
)

// NewWaiting holds at most max events, none longer than patience; zero means the default. release gets each event when
// it leaves; its container is what Ref.Container then says.
func NewWaiting[E any](max int, patience time.Duration, release func(E)) *Waiting[E] {
	if max <= 0 {
		max = DefaultWaiting
	}
	if patience <= 0 {
		patience = DefaultPatience
	}
	return &Waiting[E]{max: max, patience: patience, release: release, queues: map[*Ref]*queue[E]{}}
}

// Must says whether an event of this container has to be given to Add. It is false, and costs two loads, in nearly all
// cases: the caller need not make a copy of the event.
func (w *Waiting[E]) Must(ref *Ref) bool {
	return ref.Pending() || len(w.queues) > 0 && w.queues[ref] != nil
}

// Add takes an event for which Must is true. Where it may not wait it is released at once, after those of its container
// that came before it.
func (w *Waiting[E]) Add(ref *Ref, e E, now time.Time) {
	q := w.queues[ref]
	if q != nil && (!ref.Pending() || !now.Before(q.until)) {
		w.drain(ref, q, now)
		q = nil
	}
	if !ref.Pending() {
		w.release(e)
		return
	}
	if w.held >= w.max {
		if q != nil {
			w.stats.Full += uint64(len(q.events))
			w.empty(ref, q)
		}
		ref.pending.Store(false) // those that follow must not overtake this one's successors by waiting again
		w.stats.Full++
		w.release(e)
		return
	}
	if q == nil {
		q = &queue[E]{until: now.Add(w.patience)}
		w.queues[ref] = q
	}
	q.events = append(q.events, e)
	w.held++
	w.stats.Held++
}

// Release lets out the events whose container is known by now, or that have waited long enough.
func (w *Waiting[E]) Release(now time.Time) {
	for ref, q := range w.queues {
		if !ref.Pending() || !now.Before(q.until) {
			w.drain(ref, q, now)
		}
	}
}

// Close lets all events out.
func (w *Waiting[E]) Close() {
	for ref, q := range w.queues {
		w.stats.Late += uint64(len(q.events))
		w.empty(ref, q)
	}
}

func (w *Waiting[E]) drain(ref *Ref, q *queue[E], now time.Time) {
	if ref.Pending() {
		ref.pending.Store(false) // it has had its time: what follows does not wait again
		w.stats.Late += uint64(len(q.events))
	} else {
		w.stats.Complete += uint64(len(q.events))
	}
	w.empty(ref, q)
}

func (w *Waiting[E]) empty(ref *Ref, q *queue[E]) {
	delete(w.queues, ref)
	w.held -= len(q.events)
	for _, e := range q.events {
		w.release(e)
	}
}

// Next is when Release has something to do even if no container becomes known; false while nothing waits.
func (w *Waiting[E]) Next() (time.Time, bool) {
	var first time.Time
	for _, q := range w.queues {
		if first.IsZero() || q.until.Before(first) {
			first = q.until
		}
	}
	return first, !first.IsZero()
}

// Stats counts since NewWaiting.
func (w *Waiting[E]) Stats() WaitingStats {
	s := w.stats
	s.Now = w.held
	return s
}

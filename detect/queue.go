package detect

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
)

// Defaults of QueueConfig.
const (
	// DefaultQueueBytes bounds the alerts that wait: some thousands.
	DefaultQueueBytes = 8 << 20
	// DefaultPatience is how long an alert waits for room, as output_timeout of Falco is 2 s.
	DefaultPatience = 2 * time.Second
	// batchAlerts is how many alerts are delivered at once.
	batchAlerts = 512

	retryFirst = 100 * time.Millisecond
	retryLast  = 5 * time.Second
)

// QueueConfig says how alerts wait for whoever takes them.
type QueueConfig struct {
	MaxBytes int           // of alerts that wait, estimated; 0: DefaultQueueBytes
	Patience time.Duration // 0: DefaultPatience
	Logger   *slog.Logger
}

// Queue stands between a session, which must not be held up for long lest the kernel's buffer overflow, and a place that
// alerts are delivered to, which may be slow or fail. What is refused is delivered again until it is taken. Where the
// queue is full an alert waits for room; once one has waited in vain, and while deliveries fail, alerts are dropped at
// once, and counted, until there is room again. Put is for one goroutine, Run for another, the rest for all.
type Queue struct {
	cfg  QueueConfig
	room chan struct{} // holds one: there may be room again
	some chan struct{} // holds one: there are alerts

	mu      sync.Mutex // guards what follows
	waiting []*falco.Alert
	bytes   int
	stuck   bool // there is no point in waiting for room
	closed  bool
	stats   QueueStats
}

// QueueStats is how a queue is doing.
type QueueStats struct {
	Delivered uint64
	Dropped   uint64 // for want of room
	Waiting   int
	Bytes     int
	Err       error // why the last delivery failed; nil if it did not
}

// NewQueue makes an empty queue.
func NewQueue(cfg QueueConfig) *Queue {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultQueueBytes
	}
	if cfg.Patience <= 0 {
		cfg.Patience = DefaultPatience
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Queue{cfg: cfg, room: make(chan struct{}, 1), some: make(chan struct{}, 1)}
}

// Put adds an alert, which is the queue's from then on.
func (q *Queue) Put(a *falco.Alert) {
	if q.tryPut(a) {
		return
	}
	timer := time.NewTimer(q.cfg.Patience)
	defer timer.Stop()
	for {
		select {
		case <-q.room:
			if q.tryPut(a) {
				return
			}
		case <-timer.C:
			q.mu.Lock()
			q.stuck = true
			q.mu.Unlock()
			q.tryPut(a)
			return
		}
	}
}

// tryPut adds a if there is room, and drops it if there is not and waiting is pointless. It is false where a has to wait.
func (q *Queue) tryPut(a *falco.Alert) bool {
	size := sizeOf(a)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.bytes+size <= q.cfg.MaxBytes || q.bytes == 0:
		q.waiting = append(q.waiting, a)
		q.bytes += size
		q.stuck = false
	case q.stuck || q.closed || q.stats.Err != nil:
		if q.stats.Dropped == 0 {
			q.cfg.Logger.Error("alerts are dropped: they are not taken as fast as they come, or at all", "waiting", len(q.waiting), "error", q.stats.Err)
		}
		q.stats.Dropped++
		return true
	default:
		return false
	}
	poke(q.some)
	return true
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sizeOf estimates the memory of an alert in bytes.
func sizeOf(a *falco.Alert) int {
	n := 512 + len(a.Output)
	for i := range a.Fields {
		n += 64 + len(a.Fields[i].Value.Text)
	}
	return n
}

// Close lets Run return once the queue is empty.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	poke(q.some)
}

// Stats returns how the queue is doing.
func (q *Queue) Stats() QueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Waiting, s.Bytes = len(q.waiting), q.bytes
	return s
}

// Run delivers alerts, in order, until ctx ends or Close was called and none is left. A delivery that fails is tried
// again after a pause; deliver must take all of a batch or none of it. Alerts that are left when ctx ends are counted as
// dropped.
func (q *Queue) Run(ctx context.Context, deliver func(context.Context, []*falco.Alert) error) {
	for {
		batch := q.next()
		if batch == nil {
			select {
			case <-ctx.Done():
				return
			case <-q.some:
			}
			if q.done() {
				return
			}
			continue
		}
		if !q.push(ctx, batch, deliver) {
			q.mu.Lock()
			q.stats.Dropped += uint64(len(q.waiting))
			q.mu.Unlock()
			return
		}
	}
}

func (q *Queue) done() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && len(q.waiting) == 0
}

// next is the front of the queue, which stays there.
func (q *Queue) next() []*falco.Alert {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		if q.closed {
			poke(q.some)
		}
		return nil
	}
	return q.waiting[:min(len(q.waiting), batchAlerts)]
}

// push delivers one batch and takes it off the queue. It is false where ctx ended first.
func (q *Queue) push(ctx context.Context, batch []*falco.Alert, deliver func(context.Context, []*falco.Alert) error) bool {
	retry := retryFirst
	for {
		err := deliver(ctx, batch)
		q.settle(batch, err)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		q.cfg.Logger.Error("alerts wait: they are not taken", "error", err, "retry_in", retry)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retry):
		}
		retry = min(2*retry, retryLast)
	}
}

// settle notes how a delivery went.
func (q *Queue) settle(batch []*falco.Alert, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Err = err
	if err != nil {
		return
	}
	for _, a := range batch {
		q.bytes -= sizeOf(a)
	}
	clear(batch)
	q.waiting = q.waiting[len(batch):]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
	q.stats.Delivered += uint64(len(batch))
	poke(q.room)
}

// Package ship delivers queued alerts to a Destination: a hub's POST /falco, or what an adapter (package cloudwatch) speaks to.
//
// What comes in: a Queue of alerts as Falco wrote them. What goes out, to a hub: gzip-compressed NDJSON bodies of at most 1000
// alerts or 1 MiB, one at a time, in order. What it never does: take an alert out of the queue before the hub has said that it
// stored, knew or quarantined it; follow a redirect (the key would go along); write the key into a log or an error.
//
// # How it fails
//
//	answer              what is done
//	200, 400 with JSON  the batch is committed; what the hub refused is counted by reason (the hub keeps it in quarantine)
//	413                 the batch is halved; of a single alert too large for the hub only the head is sent on, and counted.
//	                    A batch of which the answer accounts for fewer alerts than were sent is halved, too
//	408, 429, 5xx       again after Retry-After, or after a random pause that grows up to 30 s
//	no answer           again after such a pause
//	anything else       a mistake in the set-up (401, 403, 404, a redirect, an answer that is not a hub's): logged once,
//	                    tried again every 30 s; nothing is dropped
//
// A batch of which the answer was lost is sent again. The hub knows alerts by their content and stores each once.
package ship

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of one request.
const (
	// MaxBatchBytes is how much is sent in one body, uncompressed. One alert may be larger.
	MaxBatchBytes = 1 << 20
	// MaxBatchAlerts is how many alerts are sent in one body.
	MaxBatchAlerts = 1000

	firstPause     = 100 * time.Millisecond // the random pause after the first failure is up to this
	longestPause   = 30 * time.Second       // and after many up to this
	refusedPause   = 30 * time.Second       // after an answer that only a person can change
	longestWait    = 15 * time.Minute       // the longest Retry-After that is believed
	requestTimeout = time.Minute
	smallestHead   = 1 << 10 // an alert cut to this and still too large is a mistake in the set-up
)

// ErrRefused: the destination (or what answers in its place) refuses all requests, and only a person can change that.
var ErrRefused = errors.New("what the agent sends is refused")

// A Queue holds what is to be sent.
type Queue interface {
	// Read returns the next alerts, and the number to Commit once they are delivered. Each alert is returned once.
	Read(max, maxBytes int) (alerts [][]byte, next uint64, err error)
	// Commit makes durable that all alerts before number next are delivered.
	Commit(next uint64) error
	// Wait returns when there may be something to Read.
	Wait(ctx context.Context) error
}

// Config says where to and how.
type Config struct {
	// URL of the hub, as a person writes it: scheme and host (the path /falco is added), or with a path.
	URL string
	// Key returns the ingest key, "" if there is none or it is in the URL. Asked before each request.
	Key func() (string, error)
	// Cluster, Region and Account go along as query parameters, if not empty.
	Cluster, Region, Account string
	Client                   *http.Client // nil: the default transport. Redirects are never followed
	Logger                   *slog.Logger
	Now                      func() time.Time
}

// Stats counts what a Sender did. Safe to read at any time.
type Stats struct {
	Sent, Accepted, Duplicates, Rejected atomic.Int64 // alerts; Sent counts each once
	HeadsOnly                            atomic.Int64 // alerts too large for the hub
	Requests, Failures, Bytes            atomic.Int64 // Bytes: compressed
}

// Sender sends. Make it with New; Run may be called once.
type Sender struct {
	// Stats may be read while Run runs.
	Stats Stats
	log   *slog.Logger
	to    Destination
	gone  chan struct{} // closed by Finish
	once  sync.Once

	mu       sync.Mutex
	state    string           // guarded by mu
	rejected map[string]int64 // by reason; guarded by mu
}

// New returns a Sender to a hub, or an error if cfg makes no sense. It does not connect.
func New(cfg Config) (*Sender, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p, err := newPoster(cfg)
	if err != nil {
		return nil, err
	}
	return NewTo(p, cfg.Logger), nil
}

// NewTo returns a Sender to any Destination. A nil logger discards.
func NewTo(to Destination, logger *slog.Logger) *Sender {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Sender{log: logger, to: to, gone: make(chan struct{}), state: "not contacted yet", rejected: map[string]int64{}}
}

// Target is the destination's address without secrets, for logs.
func (s *Sender) Target() string { return s.to.String() }

// Name is how logs call the destination: "the hub".
func (s *Sender) Name() string { return s.to.Name() }

// Finish lets Run return when the queue is empty, or with ErrRefused when the hub refuses. Safe to call more than once.
func (s *Sender) Finish() { s.once.Do(func() { close(s.gone) }) }

// State says in a few words how the hub answered last.
func (s *Sender) State() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Rejected returns how many alerts the hub put into quarantine, by its reasons.
func (s *Sender) Rejected() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int64, len(s.rejected))
	for reason, n := range s.rejected {
		out[reason] = n
	}
	return out
}

// Run sends until ctx ends (nil), or until the queue is empty after Finish (nil).
func (s *Sender) Run(ctx context.Context, q Queue) error {
	most, bytes := s.to.Limits()
	for {
		alerts, next, err := q.Read(most, bytes)
		if err != nil {
			s.log.Error("queued alerts cannot be read; trying again", "error", err)
			if !s.sleep(ctx, longestPause) {
				return nil
			}
			continue
		}
		if len(alerts) == 0 {
			if over := s.wait(ctx, q); over {
				return nil
			}
			continue
		}
		if err := s.deliver(ctx, alerts); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := q.Commit(next); err != nil {
			s.log.Error("what was delivered cannot be noted; it will be sent again after a restart", "error", err)
		}
	}
}

// wait waits for more; over means that nothing more will come. What was queued before Finish wakes it first.
func (s *Sender) wait(ctx context.Context, q Queue) (over bool) {
	select {
	case <-s.gone:
		now, cancel := context.WithCancel(ctx)
		cancel()
		return q.Wait(now) != nil // an alert queued since Read looked ends the wait without error
	default:
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.gone:
			cancel()
		case <-stop:
		}
	}()
	return q.Wait(waiting) != nil && ctx.Err() != nil
}

// deliver sends alerts until the destination has them all. It fails only if ctx ends, or everything is refused after Finish.
func (s *Sender) deliver(ctx context.Context, alerts [][]byte) error {
	for failures := 0; ; {
		out := s.to.Deliver(ctx, alerts)
		s.Stats.Requests.Add(out.Requests)
		s.Stats.Bytes.Add(out.Bytes)
		s.account(len(alerts), &out)
		if out.Left != nil {
			alerts = out.Left
		}
		if ctx.Err() != nil && out.Kind != Delivered {
			return ctx.Err()
		}
		var pause time.Duration
		switch out.Kind {
		case Delivered:
			return nil
		case TooLarge, Miscounted:
			done, err := s.divide(ctx, alerts, out)
			if done || err != nil {
				return err
			}
			out.Err = fmt.Errorf("%w, even for one alert of %d bytes", out.Err, len(alerts[0]))
			fallthrough
		case Refused:
			s.failed("refused: "+out.Err.Error(), slog.LevelError, "refuses what the agent sends; alerts wait, trying again every 30 s", out.Err)
			if s.finishing() {
				return fmt.Errorf("%w: %w", ErrRefused, out.Err)
			}
			pause = refusedPause
		case Later:
			s.failed("not reachable: "+out.Err.Error(), slog.LevelWarn, "does not take alerts; they wait", out.Err)
			pause = backoff(failures)
			if out.After > 0 {
				pause = min(out.After, longestWait)
			}
			failures++
		}
		if !s.sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// divide sends alerts that are too much for one body in parts, for the reason why. done is false if there is nothing left
// to divide.
func (s *Sender) divide(ctx context.Context, alerts [][]byte, why Outcome) (done bool, err error) {
	if n := len(alerts); n > 1 {
		if err := s.deliver(ctx, alerts[:n/2]); err != nil {
			return false, err
		}
		return true, s.deliver(ctx, alerts[n/2:])
	}
	alert := alerts[0]
	if len(alert) <= smallestHead || why.Kind == Miscounted {
		return false, nil
	}
	half := max(len(alert)/2, smallestHead)
	s.log.Error(s.to.Name()+" does not take an alert whole; its beginning is sent", "bytes", len(alert), "sent", half, "error", why.Err)
	before := s.Stats.HeadsOnly.Load()
	err = s.deliver(ctx, [][]byte{alert[:half]})
	s.Stats.HeadsOnly.Store(before + 1) // once, however often it was halved
	return true, err
}

// account counts what a Deliver of so many alerts delivered.
func (s *Sender) account(sent int, out *Outcome) {
	if out.Kind != Delivered && out.Left == nil {
		return
	}
	s.Stats.Sent.Add(int64(sent - len(out.Left)))
	s.Stats.Accepted.Add(out.Accepted)
	s.Stats.Duplicates.Add(out.Duplicates)
	s.Stats.Rejected.Add(out.refused())
	s.mu.Lock()
	was := s.state
	if out.Kind == Delivered {
		s.state = "ok"
	}
	for reason, n := range out.Rejected {
		if len(s.rejected) >= 50 && s.rejected[reason] == 0 {
			reason = "other" // the hub's reasons are few; a strange hub must not fill the memory
		}
		s.rejected[reason] += n
	}
	s.mu.Unlock()
	if out.Kind == Delivered && was != "ok" {
		s.log.Info(s.to.Name()+" takes alerts", "to", s.to.String())
	}
	if n := out.refused(); n > 0 && out.Detail != "" {
		s.log.Warn(s.to.Name()+" put alerts into quarantine", "alerts", n, "first", out.Detail)
	}
}

// failed notes a failure and logs it if it is another one than before.
func (s *Sender) failed(state string, level slog.Level, message string, err error) {
	s.Stats.Failures.Add(1)
	s.mu.Lock()
	was := s.state
	s.state = state
	s.mu.Unlock()
	if was != state {
		s.log.Log(context.Background(), level, s.to.Name()+" "+message, "to", s.to.String(), "error", err)
	}
}

func (s *Sender) finishing() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// sleep pauses, but not beyond the moment Finish is called; false: ctx ended.
func (s *Sender) sleep(ctx context.Context, d time.Duration) bool {
	gone := s.gone
	if s.finishing() {
		gone = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-gone:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff is a random pause ("full jitter": https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func backoff(failures int) time.Duration {
	most := longestPause
	if failures < 9 {
		most = min(most, firstPause<<failures)
	}
	return rand.N(most) + 1
}

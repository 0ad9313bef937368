// Package publish delivers findings to an endpoint that speaks Security Hub's BatchImportFindings: AWS, or an Eyrie hub.
//
// In comes a slice of findings; out goes, for every one of them, either the endpoint's acceptance, or a quarantine record
// with the reason, or an error of the whole call that names how many are left. It never reports success for what was not
// accepted, and never holds a good finding back for a bad one. Repeats of a finding in one call fold into one with a
// count. The same input gives the same requests, so a caller that was cut off may simply publish all of it again: what
// the endpoint has is not newer, and counts once.
//
// It fails when the context ends, when the endpoint refuses everything (credentials, Security Hub not enabled), or when
// the quarantine cannot take what the endpoint refused.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/eyrie-sec/eyrie/asff"
)

// Quotas of BatchImportFindings for each account and Region (AWS Security Hub User Guide, "Security Hub quotas": 10
// requests a second, burst 30; "Guidelines for using the BatchImportFindings API": 100 findings and 6 MB a request, 240 KB
// a finding).
const (
	CallsPerSecond = 10
	CallsBurst     = 30
)

const (
	defaultConcurrency = 8
	defaultTimeout     = 20 * time.Second
	retryFirst         = 200 * time.Millisecond
	retryLast          = 20 * time.Second
	itemAttempts       = 5 // of a finding that the endpoint refuses with a code that may pass
)

// ErrInvalid says that an endpoint refuses a whole request for what stands in one of its findings, without naming it.
// Endpoints wrap it; the Publisher then finds the finding by sending halves.
var ErrInvalid = errors.New("the endpoint calls the request invalid")

// Endpoint is one Security Hub. Import sends one request of at most 100 findings and 6 MB. The error is of the whole
// request, and retry says whether sending it again can help; failures are of single findings.
type Endpoint interface {
	Import(ctx context.Context, findings [][]byte) (failures []Failure, retry bool, err error)
}

// Failure is one finding that the endpoint refused. It is named by its Id alone, as AWS does.
type Failure struct{ ID, Code, Message string }

// Quarantine keeps what cannot be delivered, durably, so that a person can read and replay it.
type Quarantine interface {
	Put(ctx context.Context, refused []Refused) error
}

// Refused is a finding that goes to quarantine and why.
type Refused struct {
	Finding []byte // ASFF JSON
	Reason  string // short and stable, for counting: the endpoint's error code, or "too_large"
	Detail  string // the endpoint's words
}

// Config is what a Publisher needs. Endpoint and Quarantine are required.
type Config struct {
	Endpoint    Endpoint
	Quarantine  Quarantine
	Limit       rate.Limit    // requests a second; 0 means CallsPerSecond, rate.Inf none
	Burst       int           // 0 means CallsBurst
	Concurrency int           // requests under way at once; 0 means 8
	Timeout     time.Duration // of one request; 0 means 20 s
	Logger      *slog.Logger
}

// Publisher sends findings. It is safe for concurrent use; all users share its quota, so make one an account and Region.
type Publisher struct {
	c       Config
	limiter *rate.Limiter
}

// New returns a Publisher.
func New(c Config) *Publisher {
	if c.Limit == 0 {
		c.Limit = CallsPerSecond
	}
	if c.Burst == 0 {
		c.Burst = CallsBurst
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Publisher{c: c, limiter: rate.NewLimiter(c.Limit, c.Burst)}
}

// With returns a Publisher that shares p's endpoint and quota and has a quarantine of its own.
func (p *Publisher) With(q Quarantine) *Publisher {
	own := *p
	own.c.Quarantine = q
	return &own
}

// Result says what became of the findings of one Publish.
type Result struct {
	Findings    int // after folding
	Folded      int // repeats that became a count
	Accepted    int
	Quarantined int
	Requests    int // requests sent, retries included
	Retries     int // of them those that were sent again
}

func (r *Result) add(o Result) {
	r.Accepted += o.Accepted
	r.Quarantined += o.Quarantined
	r.Requests += o.Requests
	r.Retries += o.Retries
}

// Document is a finding as JSON, of an endpoint's own making or ours, and its Id.
type Document struct {
	ID   string
	JSON []byte
}

// Publish delivers findings and returns when each is accepted or in quarantine, or with an error that says how many are
// neither. It keeps nothing of findings after that, and changes them: repeats are folded into the newest.
func (p *Publisher) Publish(ctx context.Context, findings []*asff.Finding) (Result, error) {
	folded := Fold(findings)
	res := Result{Findings: len(folded), Folded: len(findings) - len(folded)}
	items, refused := encode(folded)
	if err := p.quarantine(ctx, refused, &res); err != nil {
		return res, err
	}
	return p.deliver(ctx, items, res)
}

// Import delivers findings that are JSON already, on the terms of Publish, without folding or shrinking them.
func (p *Publisher) Import(ctx context.Context, docs []Document) (Result, error) {
	items := make([]item, len(docs))
	for i, d := range docs {
		items[i] = item{id: d.ID, body: d.JSON}
	}
	return p.deliver(ctx, items, Result{Findings: len(docs)})
}

// deliver sends items and completes res, which is of the whole call.
func (p *Publisher) deliver(ctx context.Context, items []item, res Result) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu    sync.Mutex // guards res and errs
		errs  []error
		wg    sync.WaitGroup
		slots = make(chan struct{}, p.c.Concurrency)
	)
	for _, chunk := range chunks(items) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			r, err := p.send(ctx, chunk)
			mu.Lock()
			defer mu.Unlock()
			res.add(r)
			if err != nil {
				errs = append(errs, err)
				cancel(err) // what one chunk met that retrying cannot mend, the others will meet
			}
		})
	}
	wg.Wait()
	if left := res.Findings - res.Accepted - res.Quarantined; left > 0 {
		if len(errs) == 0 {
			errs = append(errs, context.Cause(ctx))
		}
		return res, fmt.Errorf("%d of %d findings were not delivered: %w", left, res.Findings, errors.Join(errs...))
	}
	return res, nil
}

// send delivers one chunk: it sends, retries what may pass, and quarantines what will not.
func (p *Publisher) send(ctx context.Context, chunk []item) (Result, error) {
	var res Result
	backoff := retryFirst
	for attempt := 0; len(chunk) > 0; attempt++ {
		if err := p.limiter.Wait(ctx); err != nil {
			return res, fmt.Errorf("wait for the quota of %v requests a second: %w", float64(p.c.Limit), err)
		}
		res.Requests++
		if attempt > 0 {
			res.Retries++
		}
		failures, retry, err := p.request(ctx, chunk)
		switch {
		case errors.Is(err, ErrInvalid):
			return p.divide(ctx, chunk, err, res)
		case err != nil && !retry:
			return res, err
		case err != nil:
			p.c.Logger.Warn("the endpoint did not take a request and is asked again", "error", err, "retry_in_at_most", backoff)
		default:
			again, refused := sortOut(chunk, failures)
			res.Accepted += len(chunk) - len(again) - len(refused)
			if err := p.quarantine(ctx, refused, &res); err != nil {
				return res, err
			}
			if chunk = again; len(chunk) == 0 {
				return res, nil
			}
		}
		if !pause(ctx, rand.N(backoff)+time.Millisecond) {
			return res, errors.Join(err, context.Cause(ctx))
		}
		backoff = min(2*backoff, retryLast)
	}
	return res, nil
}

// request sends one request. What does not answer in time is asked again: a finding that it took after all is not newer
// then, and counts once.
func (p *Publisher) request(ctx context.Context, chunk []item) ([]Failure, bool, error) {
	limited, cancel := context.WithTimeout(ctx, p.c.Timeout)
	defer cancel()
	failures, retry, err := p.c.Endpoint.Import(limited, bodies(chunk))
	return failures, retry || err != nil && limited.Err() != nil && ctx.Err() == nil, err
}

// divide delivers a chunk that the endpoint called invalid as a whole: each half on its own, a single finding to
// quarantine.
func (p *Publisher) divide(ctx context.Context, chunk []item, invalid error, res Result) (Result, error) {
	if len(chunk) == 1 {
		err := p.quarantine(ctx, []Refused{{Finding: chunk[0].body, Reason: "InvalidInput", Detail: invalid.Error()}}, &res)
		return res, err
	}
	for _, half := range [][]item{chunk[:len(chunk)/2], chunk[len(chunk)/2:]} {
		r, err := p.send(ctx, half)
		res.add(r)
		if err != nil {
			return res, err
		}
	}
	return res, nil
}

func (p *Publisher) quarantine(ctx context.Context, refused []Refused, res *Result) error {
	if len(refused) == 0 {
		return nil
	}
	if err := p.c.Quarantine.Put(ctx, refused); err != nil {
		return fmt.Errorf("quarantine %d findings that the endpoint refused (%s: %s): %w", len(refused), refused[0].Reason, refused[0].Detail, err)
	}
	res.Quarantined += len(refused)
	return nil
}

// sortOut divides what the endpoint refused into what may pass later and what goes to quarantine.
func sortOut(chunk []item, failures []Failure) (again []item, refused []Refused) {
	byID := make(map[string]Failure, len(failures))
	for _, f := range failures {
		byID[f.ID] = f
	}
	for _, it := range chunk {
		f, failed := byID[it.id]
		if !failed {
			continue
		}
		it.attempts++
		if passing(f.Code) && it.attempts < itemAttempts {
			again = append(again, it)
			continue
		}
		refused = append(refused, Refused{Finding: it.body, Reason: f.Code, Detail: f.Message})
	}
	return again, refused
}

// passing reports whether a finding refused with this code may be taken when it is sent again.
func passing(code string) bool {
	switch code {
	case "InternalError", "InternalException", "InternalFailure", "ConcurrentUpdateError", "LimitExceededException",
		"ThrottlingException", "ServiceUnavailable":
		return true
	}
	return false
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/portal"
)

// rateWindow is over how long the portal's rate of alerts is taken.
const rateWindow = time.Minute

// ingest shows the journal to the portal in the portal's own words.
type ingest struct {
	app      *App
	pipeline *pipeline

	mu      sync.Mutex // guards samples
	samples []sample   // at most a rateWindow old, but for the first
}

// sample is how many alerts had been stored at a time.
type sample struct {
	at     time.Time
	stored int64
}

// Ingest describes the way in. See portal.Journal.
func (i *ingest) Ingest(ctx context.Context) (portal.Ingest, error) {
	s, err := i.app.journal.Stats(ctx)
	if err != nil {
		return portal.Ingest{}, err
	}
	now := i.app.opts.Now()
	out := portal.Ingest{
		PerSecond: i.rate(now, s.Stored), Accepted: s.Stored, Duplicates: s.Duplicates, Held: s.Quarantined,
		Bytes: s.FileBytes, MaxBytes: i.app.opts.JournalSize, Oldest: s.Oldest, Keep: i.app.opts.JournalAge, KeepFindings: i.app.opts.Retention,
		Err: s.Failure, Sensor: i.app.sensorHealth(),
	}
	for reason, n := range s.Rejected {
		out.Rejected = append(out.Rejected, portal.Count{Reason: reason, N: n})
	}
	if s.Evicted > 0 {
		out.Dropped = append(out.Dropped, portal.Count{Reason: "evicted from quarantine", N: s.Evicted})
	}
	for _, src := range s.Sources {
		out.Sources = append(out.Sources, portal.Source(src))
		if src.LastSeen.After(out.LastAlert) {
			out.LastAlert = src.LastSeen
		}
	}
	out.Lag, out.LagAge = i.lag(ctx, now)
	return out, nil
}

// lag is how many alerts wait to become findings, and how long the first of them has waited.
func (i *ingest) lag(ctx context.Context, now time.Time) (int64, time.Duration) {
	n, oldest, err := i.app.journal.Waiting(ctx, i.pipeline.reached.Load())
	if err != nil || n == 0 {
		return 0, 0 // why the journal does not answer is shown as its failure
	}
	return n, max(0, now.Sub(oldest))
}

func (i *ingest) rate(now time.Time, stored int64) float64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.samples) > 1 && now.Sub(i.samples[1].at) > rateWindow {
		i.samples = i.samples[1:]
	}
	if n := len(i.samples); n == 0 || now.Sub(i.samples[n-1].at) >= time.Second {
		i.samples = append(i.samples, sample{now, stored})
	}
	first := i.samples[0]
	if since := now.Sub(first.at); since > 0 {
		return float64(max(0, stored-first.stored)) / since.Seconds()
	}
	return 0
}

// sampleRate keeps the samples of rate fresh while nobody looks.
func (i *ingest) sampleRate(ctx context.Context) error {
	tick := time.NewTicker(rateWindow / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if s, err := i.app.journal.Stats(ctx); err == nil {
				i.rate(i.app.opts.Now(), s.Stored)
			}
		}
	}
}

// Quarantine lists records that are no alerts. See portal.Journal.
func (i *ingest) Quarantine(ctx context.Context, after int64, limit int) ([]portal.Rejected, error) {
	records, err := i.app.journal.Quarantine(ctx, after, limit)
	out := make([]portal.Rejected, len(records))
	for n, r := range records {
		out[n] = portal.Rejected{ID: r.ID, Arrived: r.Arrived, Way: r.Way, Origin: originText(r), Reason: r.Reason, Detail: r.Detail, Body: r.Body}
		if r.Size > int64(len(r.Body)) {
			out[n].Detail += fmt.Sprintf(" (the first %d of %d bytes are kept)", len(r.Body), r.Size)
		}
	}
	return out, err
}

// Discard removes records from quarantine. See portal.Journal.
func (i *ingest) Discard(ctx context.Context, ids []int64) error {
	return i.app.journal.Discard(ctx, ids)
}

func originText(r journal.Rejected) string {
	parts := make([]string, 0, 3)
	for _, p := range []string{r.Origin.Cluster, r.Origin.Region, r.Origin.Account} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " ")
}

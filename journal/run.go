package journal

import (
	"context"
	"time"
)

// expireLimit bounds the alerts that one step of Expire deletes, so that writers never wait long for it.
const expireLimit = 5000

// Run does what a journal needs from time to time, until ctx ends: it deletes what is too old or too much, and keeps the
// counters. It returns nil.
func (j *Journal) Run(ctx context.Context) error {
	tick := time.NewTicker(houseworkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			j.flush(ctx)
			j.expire(ctx)
		}
	}
}

// flush keeps counters and the sources that changed. What fails is tried again the next time.
func (j *Journal) flush(ctx context.Context) {
	j.mu.Lock()
	store, failure := j.store, j.failure
	counters := map[string]int64{"stored": j.tally.counters["stored"], "duplicates": j.tally.counters["duplicates"]}
	sources := make([]Source, 0, len(j.tally.dirty))
	for k := range j.tally.dirty {
		sources = append(sources, *j.tally.sources[k])
	}
	clear(j.tally.dirty)
	j.mu.Unlock()
	if store == nil || failure != nil || len(sources) == 0 {
		return
	}
	if err := store.Save(ctx, counters, sources); err != nil {
		j.c.Logger.Warn("the journal's counters could not be kept", "error", err)
	}
}

// expire deletes in small steps until nothing is too old or too much.
func (j *Journal) expire(ctx context.Context) {
	for ctx.Err() == nil {
		store, err := j.usable()
		if err != nil {
			return
		}
		upTo := int64(1<<63 - 1)
		if j.c.Consumed != nil {
			upTo = j.c.Consumed()
		}
		n, err := store.Expire(ctx, j.c.Now().Add(-j.c.MaxAge), j.c.MaxBytes, upTo, expireLimit)
		if err != nil {
			j.c.Logger.Warn("old alerts could not be deleted", "error", err)
			return
		}
		if n == 0 {
			return
		}
		j.metrics.expired.Add(float64(n))
	}
}

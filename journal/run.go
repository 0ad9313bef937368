package journal

import (
	"context"
	"math"
	"time"
)

// expireLimit bounds the alerts that one step of Expire deletes, so that writers never wait long for it.
const expireLimit = 1000

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
	if store == nil || failure != nil {
		j.mu.Unlock()
		return
	}
	counters, sources := j.tally.unkept()
	j.mu.Unlock()
	if counters == nil {
		return
	}
	if err := j.noticed(store.Save(ctx, counters, sources)); err != nil {
		j.mu.Lock()
		j.tally.notKept(sources)
		j.mu.Unlock()
		if ctx.Err() == nil {
			j.c.Logger.Warn("the journal's counters could not be kept", "error", err)
		}
	}
}

// expire deletes in small steps until nothing is too old or too much. It goes on while the disk is full, to make room.
func (j *Journal) expire(ctx context.Context) {
	for ctx.Err() == nil {
		store, err := j.usable()
		if err != nil {
			return
		}
		upTo := int64(math.MaxInt64)
		if j.c.Consumed != nil {
			upTo = j.c.Consumed()
		}
		n, err := store.Expire(ctx, j.c.Now().Add(-j.c.MaxAge), j.c.MaxBytes, upTo, expireLimit)
		j.metrics.expired.Add(float64(n))
		if err := j.noticed(err); err != nil && ctx.Err() == nil {
			j.c.Logger.Warn("old alerts could not be deleted", "error", err)
		}
		if err != nil || n == 0 {
			return
		}
	}
}

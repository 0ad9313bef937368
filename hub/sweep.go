package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Steps of housekeeping.
const (
	sweepEvery   = 10 * time.Minute
	deleteStep   = 200    // findings deleted in one commit, so that others wait for milliseconds
	belongingsOf = 20_000 // findings whose history and timeline one sweep looks through
	feedStep     = 10_000 // feed entries deleted in one transaction
)

// Run does the housekeeping until ctx is done: it deletes what retention takes, trims the change feed and writes the
// index snapshot. What fails is logged and tried again later. It returns nil.
func (h *Hub) Run(ctx context.Context) error {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	save := time.NewTicker(h.c.SnapshotEvery)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			if err := h.Sweep(ctx); err != nil && ctx.Err() == nil {
				h.c.Logger.Error("housekeeping of the hub", "err", err)
			}
		case <-save.C:
			if err := h.saveSnapshot(); err != nil {
				h.c.Logger.Warn("index snapshot not written", "err", err)
			}
		}
	}
}

// Sweep does one round of what Run does but for the snapshot: it deletes the findings that nothing changed for
// Config.Retention, and trims the feed, the counters, and the history and timeline of some of the others.
func (h *Hub) Sweep(ctx context.Context) error {
	h.sweeps.Lock()
	defer h.sweeps.Unlock()
	now := h.now()
	if h.c.Retention > 0 {
		for {
			n, err := h.expire(ctx, now.Add(-h.c.Retention))
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
	}
	return h.trim(ctx, now)
}

// expire deletes some findings that were last touched before t, and returns how many candidates there were.
func (h *Hub) expire(ctx context.Context, t time.Time) (int, error) {
	// The index knows the hour; the document, the moment.
	seqs := h.index.Untouched(t, deleteStep)
	if len(seqs) == 0 {
		return 0, nil
	}
	ch, err := h.begin(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer ch.end()
	stored, err := h.store.LoadSeqs(ctx, seqs)
	if err != nil {
		return 0, fmt.Errorf("hub: %w", err)
	}
	sortBySeq(stored)
	deleted := 0
	for i := range stored {
		if stored[i].Touched.Before(t) {
			ch.delete(&stored[i])
			deleted++
		}
	}
	return deleted, ch.commit(ctx)
}

// trim deletes what is old of what stays.
func (h *Hub) trim(ctx context.Context, now time.Time) error {
	oldest, err := h.store.OldestChange(ctx)
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	head := h.mark.Load().Change
	for oldest > 0 && oldest <= head-h.c.KeepChanges {
		oldest = min(oldest+feedStep, head-h.c.KeepChanges+1)
		if err := h.storeTrim(ctx, Trim{Feed: oldest - 1}); err != nil {
			return err
		}
	}
	t := Trim{ShortBefore: now.Add(-ShortKept)}
	if h.c.Retention > 0 {
		t.Before = now.Add(-h.c.Retention)
		t.First, t.Last = h.swept+1, h.swept+belongingsOf
		if h.swept = t.Last; h.swept >= h.index.LastSeq() {
			h.swept = 0
		}
	}
	return h.storeTrim(ctx, t)
}

func (h *Hub) storeTrim(ctx context.Context, t Trim) error {
	h.commit.Lock()
	defer h.commit.Unlock()
	if h.closed {
		return ErrClosed
	}
	if err := h.store.Trim(ctx, t); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

func sortBySeq(stored []Stored) {
	slices.SortFunc(stored, func(a, b Stored) int { return cmp.Compare(a.Seq, b.Seq) })
}

// sortedUnique returns seqs in ascending order, each once, without those in not.
func sortedUnique(seqs []int64, not map[int64]bool) []int64 {
	slices.Sort(seqs)
	return slices.DeleteFunc(slices.Compact(seqs), func(seq int64) bool { return not[seq] })
}

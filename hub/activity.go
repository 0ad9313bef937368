package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// activityCounts counts occurrences by both steps of time and by severity. The zero value is ready.
type activityCounts struct {
	short, long   map[int64]*[5]int64 // by seconds since 1970
	lastShort     int64
	shortN, longN *[5]int64
}

func (c *activityCounts) add(at time.Time, severity int, n int64) {
	second := at.Unix()
	short := second - second%int64(ShortStep/time.Second)
	if c.shortN == nil || short != c.lastShort { // alerts come mostly in order
		c.lastShort = short
		c.shortN = slot(&c.short, short)
		c.longN = slot(&c.long, second-second%int64(LongStep/time.Second))
	}
	c.shortN[severity] += n
	c.longN[severity] += n
}

func slot(m *map[int64]*[5]int64, at int64) *[5]int64 {
	if *m == nil {
		*m = map[int64]*[5]int64{}
	}
	n := (*m)[at]
	if n == nil {
		n = new([5]int64)
		(*m)[at] = n
	}
	return n
}

func (c *activityCounts) list() []ActivityCount {
	var list []ActivityCount
	for at, n := range c.short {
		list = append(list, ActivityCount{ShortStep, time.Unix(at, 0).UTC(), *n})
	}
	for at, n := range c.long {
		list = append(list, ActivityCount{LongStep, time.Unix(at, 0).UTC(), *n})
	}
	slices.SortFunc(list, func(a, b ActivityCount) int {
		return cmp.Or(cmp.Compare(a.Step, b.Step), a.At.Compare(b.At))
	})
	return list
}

// MaxBins bounds what Activity and Histogram return.
const MaxBins = 10_000

// Activity returns the occurrences between from and to by severity, in bins of step that begin at from: all of them, also
// the empty ones. Occurrences count where their alert says it happened. The counters have steps of ShortStep, which are
// kept for ShortKept, and of LongStep: a bin has the counters that start in it, so step should be a multiple of the one
// that is used, ShortStep if step is less than LongStep and from is not longer ago than ShortKept.
func (h *Hub) Activity(ctx context.Context, from, to time.Time, step time.Duration) ([]Bin, error) {
	if step <= 0 || to.Before(from) || to.Sub(from)/step >= MaxBins {
		return nil, &InvalidInput{fmt.Sprintf("activity takes a positive step and at most %d steps", MaxBins)}
	}
	n := int((to.Sub(from) + step - 1) / step)
	bins := make([]Bin, n)
	for i := range bins {
		bins[i].At = from.Add(time.Duration(i) * step).UTC()
	}
	counter := LongStep
	if step < LongStep && !from.Before(h.now().Add(-ShortKept)) {
		counter = ShortStep
	}
	counts, err := h.store.Activity(ctx, counter, from, to)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	for _, c := range counts {
		for i, n := range c.BySeverity {
			bins[c.At.Sub(from)/step].BySeverity[i] += int(n)
		}
	}
	return bins, nil
}

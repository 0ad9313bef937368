package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub/index"
)

// maxTallied is how many documents, the newest, a count looks at that memory cannot make alone.
const maxTallied = 10_000

// selected calls f with the findings that match q. Where a residual filter has to be tried on more documents than
// maxTallied, only the newest that many candidates count.
func (h *Hub) selected(ctx context.Context, q Query, f func(index.View, *index.Set) error) error {
	q.Limit, q.Token, q.Offset, q.Sort = 0, "", 0, nil
	p, err := h.plan(ctx, q)
	if err != nil {
		return err
	}
	var candidates []int64
	var undecided residual
	h.index.View(func(v index.View) {
		set := p.selection(v)
		if undecided = p.rest(set); undecided.none() {
			err = f(v, set)
			return
		}
		candidates = v.Newest(set, 0, 0, maxTallied)
	})
	if undecided.none() || err != nil {
		return err
	}
	matching, err := h.verify(ctx, candidates, &undecided)
	if err != nil {
		return err
	}
	h.index.View(func(v index.View) {
		set := v.Select(nil, p.now)
		v.Restrict(set, matching)
		err = f(v, set)
	})
	return err
}

// Facet counts the values of an attribute (mapKey: of that key, for a map attribute) among the findings that match q, each
// value once a finding, and returns at most limit (0: 100), the most frequent first. Sort, Limit, Token and Offset of q
// do not count. An attribute whose values memory does not hold (Id, Description, or whatever differs in most findings) is
// counted over the newest 10,000 matching findings only.
func (h *Hub) Facet(ctx context.Context, q Query, attr asff.Attribute, mapKey string, limit int) ([]Bucket, error) {
	if (attr.Kind() == asff.KindMap) != (mapKey != "") || attr == asff.AttrKeyword {
		return nil, &InvalidInput{"findings cannot be counted by " + attr.Name()}
	}
	if limit <= 0 {
		limit = 100
	}
	var tally *index.Tally
	var seqs []int64
	err := h.selected(ctx, q, func(v index.View, set *index.Set) error {
		var ok bool
		if tally, ok = v.Tally(set, attr, mapKey); !ok {
			seqs = v.Newest(set, 0, 0, maxTallied)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for step := range slices.Chunk(seqs, loadStep) {
		found, err := h.load(ctx, step)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if err := tally.Add(f.Doc, attr, mapKey); err != nil {
				return nil, fmt.Errorf("hub: finding %d: %w", f.Seq, err)
			}
		}
	}
	top := tally.Top(limit)
	buckets := make([]Bucket, len(top))
	for i, b := range top {
		buckets[i] = Bucket(b)
	}
	return buckets, nil
}

// Histogram counts the findings that match q by LastObservedAt, in bins of equal length from from to to. Findings outside
// do not count.
func (h *Hub) Histogram(ctx context.Context, q Query, from, to time.Time, bins int) ([]Bin, error) {
	if bins <= 0 || bins > MaxBins || !to.After(from) {
		return nil, &InvalidInput{fmt.Sprintf("a histogram has 1 to %d bins of a span that is not empty", MaxBins)}
	}
	step := (to.Sub(from) + time.Duration(bins) - 1) / time.Duration(bins)
	result := make([]Bin, bins)
	err := h.selected(ctx, q, func(v index.View, set *index.Set) error {
		for i, n := range v.Histogram(set, from.UnixNano(), to.UnixNano(), int64(step), bins) {
			result[i] = Bin{At: from.Add(time.Duration(i) * step).UTC(), BySeverity: n}
		}
		return nil
	})
	return result, err
}

package hub

import (
	"context"
	"fmt"
	"strconv"
)

// History returns what happened to a finding, the newest first, and the token of the page that follows, "" if there is
// none. The error is ErrNotFound if there is no such finding.
func (h *Hub) History(ctx context.Context, key Key, q HistoryQuery) (records []HistoryRecord, next string, err error) {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	if q.Limit > MaxLimit {
		return nil, "", &InvalidInput{fmt.Sprintf("a page has at most %d records", MaxLimit)}
	}
	before := int64(0)
	if q.Token != "" {
		if before, err = strconv.ParseInt(q.Token, 36, 64); err != nil || before <= 0 {
			return nil, "", ErrBadToken
		}
	}
	f, err := h.Get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	entries, err := h.store.History(ctx, f.Seq, before, q.Start, q.End, q.Limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("hub: %w", err)
	}
	if len(entries) > q.Limit {
		entries = entries[:q.Limit]
		next = strconv.FormatInt(entries[q.Limit-1].N, 36)
	}
	for i := range entries {
		records = append(records, entries[i].HistoryRecord)
	}
	return records, next, nil
}

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
)

// History is hub.Store's.
func (s *Store) History(ctx context.Context, finding, before int64, start, end time.Time, limit int) ([]hub.HistoryEntry, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	last := int64(math.MaxInt64)
	if !end.IsZero() {
		last = nanos(end)
	}
	first := int64(math.MinInt64)
	if !start.IsZero() {
		first = nanos(start)
	}
	const q = `SELECT n, at, created, source, identity, updates FROM history
		WHERE finding = ? AND n < ? AND at >= ? AND at <= ? ORDER BY n DESC LIMIT ?`
	var entries []hub.HistoryEntry
	err := s.query(ctx, "read history", q, func(rows *sql.Rows) error {
		e := hub.HistoryEntry{Finding: finding}
		var at int64
		var updates sql.RawBytes
		if err := rows.Scan(&e.N, &at, &e.Created, &e.Source, &e.Identity, &updates); err != nil {
			return err
		}
		e.At = moment(at)
		var err error
		e.Updates, err = decodeUpdates(updates)
		entries = append(entries, e)
		return err
	}, finding, before, first, last, limit)
	return entries, err
}

// encodeUpdates and decodeUpdates turn the updates of a history record into a JSON list of [field, old, new].
func encodeUpdates(updates []hub.HistoryUpdate) ([]byte, error) {
	if len(updates) == 0 {
		return nil, nil
	}
	list := make([][3]string, len(updates))
	for i, u := range updates {
		list[i] = [3]string{u.Field, u.Old, u.New}
	}
	return json.Marshal(list)
}

func decodeUpdates(b []byte) ([]hub.HistoryUpdate, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var list [][3]string
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	updates := make([]hub.HistoryUpdate, len(list))
	for i, l := range list {
		updates[i] = hub.HistoryUpdate{Field: l[0], Old: l[1], New: l[2]}
	}
	return updates, nil
}

// Changes is hub.Store's.
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]hub.Change, error) {
	const q = `SELECT c.seq, c.at, c.kind, c.finding, coalesce(c.id, f.id), coalesce(c.product_arn, f.product_arn)
		FROM change c LEFT JOIN finding f ON f.seq = c.finding
		WHERE c.seq > ? AND (c.id IS NOT NULL OR f.seq IS NOT NULL) ORDER BY c.seq LIMIT ?`
	var changes []hub.Change
	err := s.query(ctx, "read changes", q, func(rows *sql.Rows) error {
		var c hub.Change
		var at int64
		err := rows.Scan(&c.Seq, &at, &c.Kind, &c.FindingSeq, &c.Key.ID, &c.Key.ProductArn)
		c.At = moment(at)
		changes = append(changes, c)
		return err
	}, after, limit)
	return changes, err
}

// AlertChunks is hub.Store's.
func (s *Store) AlertChunks(ctx context.Context, finding int64) ([]hub.AlertChunk, error) {
	var chunks []hub.AlertChunk
	const q = "SELECT id % 1024, n, body FROM alert_chunk WHERE id BETWEEN ?1 * 1024 AND ?1 * 1024 + 1023"
	err := s.query(ctx, "read alerts", q, func(rows *sql.Rows) error {
		c := hub.AlertChunk{Finding: finding}
		err := rows.Scan(&c.Slot, &c.N, &c.Body)
		chunks = append(chunks, c)
		return err
	}, finding)
	return chunks, err
}

// Timeline is hub.Store's.
func (s *Store) Timeline(ctx context.Context, finding int64) ([]hub.TimelinePoint, error) {
	var points []hub.TimelinePoint
	const q = "SELECT hour, count FROM timeline WHERE finding = ? ORDER BY hour"
	err := s.query(ctx, "read the timeline", q, func(rows *sql.Rows) error {
		var hour int64
		var p hub.TimelinePoint
		err := rows.Scan(&hour, &p.Count)
		p.At = time.Unix(hour*3600, 0).UTC()
		points = append(points, p)
		return err
	}, finding)
	return points, err
}

// Activity is hub.Store's.
func (s *Store) Activity(ctx context.Context, step time.Duration, from, to time.Time) ([]hub.ActivityCount, error) {
	var counts []hub.ActivityCount
	const q = "SELECT at, severity, count FROM activity WHERE step = ? AND at >= ? AND at < ? ORDER BY at, severity"
	err := s.query(ctx, "read activity", q, func(rows *sql.Rows) error {
		var at, count int64
		var severity int
		if err := rows.Scan(&at, &severity, &count); err != nil {
			return err
		}
		t := time.Unix(at, 0).UTC()
		if len(counts) == 0 || !counts[len(counts)-1].At.Equal(t) {
			counts = append(counts, hub.ActivityCount{Step: step, At: t})
		}
		if severity >= 0 && severity < len(counts[0].BySeverity) {
			counts[len(counts)-1].BySeverity[severity] += count
		}
		return nil
	}, int64(step/time.Second), ceilSecond(from), ceilSecond(to))
	return counts, err
}

// ceilSecond is the first whole second at or after t: steps start at whole seconds.
func ceilSecond(t time.Time) int64 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return s
}

// Records is hub.Store's.
func (s *Store) Records(ctx context.Context, kind string) ([]hub.Record, error) {
	var records []hub.Record
	const q = "SELECT name, value FROM record WHERE kind = ? ORDER BY name"
	err := s.query(ctx, "read records", q, func(rows *sql.Rows) error {
		r := hub.Record{Kind: kind}
		err := rows.Scan(&r.Name, &r.Value)
		records = append(records, r)
		return err
	}, kind)
	return records, err
}

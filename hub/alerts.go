package hub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"
)

// Raw alerts are kept in chunks: those that came in one call of Observe share one, compressed together, because they are
// much alike. Slot 0 has the first alert of a finding, slots 1 to KeepAlerts are a ring of the newest chunks, so that a
// chunk is written without reading. A chunk has at least one alert: the ring holds at least the newest KeepAlerts.
//
//	chunk: byte 1 (version), then an S2 block (https://github.com/klauspost/compress/tree/master/s2) of alerts, each
//	       uvarint Seq, varint nanoseconds since 1970, uvarint length, bytes
const chunkVersion = 1

var errChunk = errors.New("damaged chunk of alerts")

// addAlerts keeps the alerts of a group: the first of all, if opening, and the last.
func (ch *change) addAlerts(d *draft, g *group, opening bool) {
	keep := ch.h.c.KeepAlerts
	alerts := g.alerts[max(len(g.alerts)-keep, 0):]
	if opening {
		ch.batch.Chunks = append(ch.batch.Chunks, AlertChunk{Finding: d.Seq, Body: encodeAlerts([]RawAlert{g.opening})})
		if alerts[0].Seq == g.opening.Seq {
			alerts = alerts[1:]
		}
	}
	d.Chunks = max(d.Chunks, 1)
	if len(alerts) == 0 {
		return
	}
	d.Chunks++
	ch.batch.Chunks = append(ch.batch.Chunks, AlertChunk{
		Finding: d.Seq, Slot: 1 + int(d.Chunks%int64(keep)), N: d.Chunks, Body: encodeAlerts(alerts),
	})
}

func encodeAlerts(alerts []RawAlert) []byte {
	var b []byte
	for _, a := range alerts {
		b = binary.AppendUvarint(b, uint64(a.Seq))
		b = binary.AppendVarint(b, a.At.UnixNano())
		b = binary.AppendUvarint(b, uint64(len(a.Body)))
		b = append(b, a.Body...)
	}
	out := make([]byte, 1+s2.MaxEncodedLen(len(b)))
	out[0] = chunkVersion
	return slices.Clip(out[:1+len(s2.Encode(out[1:], b))])
}

func decodeAlerts(chunk []byte) ([]RawAlert, error) {
	if len(chunk) == 0 || chunk[0] != chunkVersion {
		return nil, errChunk
	}
	b, err := s2.Decode(nil, chunk[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errChunk, err)
	}
	var alerts []RawAlert
	for len(b) > 0 {
		seq, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errChunk
		}
		at, m := binary.Varint(b[n:])
		if m <= 0 {
			return nil, errChunk
		}
		size, k := binary.Uvarint(b[n+m:])
		b = b[n+m+max(k, 0):]
		if k <= 0 || size > uint64(len(b)) {
			return nil, errChunk
		}
		alerts = append(alerts, RawAlert{Seq: int64(seq), At: time.Unix(0, at).UTC(), Body: b[:size:size]})
		b = b[size:]
	}
	return alerts, nil
}

// Alerts returns the raw alerts that are kept of a finding, in the order in which they came: the first and the last
// KeepAlerts. None if it was imported. The error is ErrNotFound if there is no such finding.
func (h *Hub) Alerts(ctx context.Context, key Key) ([]RawAlert, error) {
	f, err := h.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	chunks, err := h.store.AlertChunks(ctx, f.Seq)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	slices.SortFunc(chunks, func(a, b AlertChunk) int { return int(a.N - b.N) })
	var first, alerts []RawAlert
	for _, c := range chunks {
		part, err := decodeAlerts(c.Body)
		if err != nil {
			return nil, fmt.Errorf("hub: alerts of finding %d: %w", f.Seq, err)
		}
		if c.Slot == 0 {
			first = part
		} else {
			alerts = append(alerts, part...)
		}
	}
	alerts = alerts[max(len(alerts)-h.c.KeepAlerts, 0):]
	return append(first, alerts...), nil
}

// Timeline returns how often a finding occurred in each hour in which it did, the oldest first.
func (h *Hub) Timeline(ctx context.Context, key Key) ([]TimelinePoint, error) {
	f, err := h.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	points, err := h.store.Timeline(ctx, f.Seq)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	return points, nil
}

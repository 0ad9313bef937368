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

// Bounds of a chunk before compression, in bytes. What is written stays below the one (but for a single alert of more);
// what is longer than the other when it is read is damaged.
const (
	maxChunkWritten = 16 << 20
	maxChunkRead    = 256 << 20
)

var errChunk = errors.New("damaged chunk of alerts")

// addAlerts keeps the alerts of a group: the first of all, if opening, and the last.
func (ch *change) addAlerts(d *draft, g *group, opening bool) {
	keep := ch.h.c.KeepAlerts
	alerts := g.alerts[max(len(g.alerts)-keep, 0):]
	if opening {
		ch.batch.Chunks = append(ch.batch.Chunks, AlertChunk{Finding: d.Seq, Body: ch.h.chunks.encode([]RawAlert{g.opening})})
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
		Finding: d.Seq, Slot: 1 + int(d.Chunks%int64(keep)), N: d.Chunks, Body: ch.h.chunks.encode(alerts),
	})
}

// chunkEncoder makes chunks, in memory that it uses again.
type chunkEncoder struct{ plain, packed []byte }

func (e *chunkEncoder) encode(alerts []RawAlert) []byte {
	for ; len(alerts) > 1; alerts = alerts[1:] { // the newest that fit
		size := 0
		for _, a := range alerts {
			size += len(a.Body)
		}
		if size <= maxChunkWritten {
			break
		}
	}
	b := e.plain[:0]
	for _, a := range alerts {
		b = binary.AppendUvarint(b, uint64(a.Seq))
		b = binary.AppendVarint(b, a.At.UnixNano())
		b = binary.AppendUvarint(b, uint64(len(a.Body)))
		b = append(b, a.Body...)
	}
	e.plain = b
	e.packed = slices.Grow(e.packed[:0], s2.MaxEncodedLen(len(b)))
	packed := s2.Encode(e.packed[:cap(e.packed)], b)
	return append([]byte{chunkVersion}, packed...)
}

func decodeAlerts(chunk []byte) ([]RawAlert, error) {
	if len(chunk) == 0 || chunk[0] != chunkVersion {
		return nil, errChunk
	}
	if n, err := s2.DecodedLen(chunk[1:]); err != nil || n > maxChunkRead {
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

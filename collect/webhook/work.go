package webhook

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
)

// Reasons of our own, beside those of package falco.
const (
	reasonTooLarge = string(falco.TooLarge)
	reasonBadGzip  = "bad_gzip"
)

// singleBytes is the size in bytes of the largest body that may well be one alert.
const singleBytes = 16 << 10

// work is one request on its way. It is reused; of what it holds, only the arena of the bodies is handed over.
type work struct {
	h      *Handler
	ctx    context.Context
	origin falco.Origin
	way    string
	body   []byte // decompressed
	packed []byte // as it came, if it was compressed

	entries  []journal.Entry // not committed yet
	rejected []journal.Rejected
	indexes  []int                         // of rejected, in the body
	each     func(int, []byte, error) bool // w.record, made once
	damaged  bool                          // packed cannot be decompressed
	kept     bool                          // entries or rejected still belong to the sink
	problem  *problem                      // why the work ended early

	records    int // of the body so far
	accepted   int
	duplicates int
	refused    int
	list       []refusal // the first of the refused
}

// refusal names a bad record in an answer.
type refusal struct {
	Index  int    `json:"index"` // counted from 0 in the order of the body
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

func newWork() *work {
	w := &work{}
	w.each = w.record
	return w
}

// reset prepares w for the next request and reports whether it may be used again.
func (w *work) reset() bool {
	if w.kept || max(cap(w.body), cap(w.packed)) > pooledBytes {
		return false
	}
	w.clear()
	w.h, w.ctx, w.problem, w.origin = nil, nil, nil, falco.Origin{}
	w.damaged, w.packed = false, w.packed[:0]
	w.body, w.records, w.accepted, w.duplicates, w.refused, w.list = w.body[:0], 0, 0, 0, 0, w.list[:0]
	return true
}

// clear forgets what was committed.
func (w *work) clear() {
	clear(w.entries)
	clear(w.rejected)
	w.entries, w.rejected, w.indexes = w.entries[:0], w.rejected[:0], w.indexes[:0]
}

// takeApart gives the sink every record of the body.
func (w *work) takeApart() {
	// Most bodies are one alert, and to try that first saves a pass over it. A body that parses is one record.
	if body := bytes.TrimSpace(w.body); len(body) > 0 && body[0] == '{' && len(body) <= min(singleBytes, w.h.c.MaxRecord) {
		if alert, err := falco.Parse(body); err == nil {
			w.records = 1
			w.add(0, body, alert)
			w.commit()
			return
		}
	}
	falco.Split(w.body, w.each)
	w.commit()
}

// record takes one record of Split's.
func (w *work) record(index int, record []byte, err error) bool {
	w.records++
	switch {
	case err != nil:
		w.reject(index, err, record)
	case len(record) > w.h.c.MaxRecord:
		w.rejectFor(index, reasonTooLarge, "the record is larger than a single alert may be", record)
	default:
		alert, err := falco.Parse(record)
		if err != nil {
			w.reject(index, err, record)
		} else {
			w.add(index, record, alert)
		}
	}
	if len(w.entries)+len(w.rejected) >= chunkRecords {
		w.commit()
	}
	return w.problem == nil
}

func (w *work) add(index int, record []byte, alert *falco.Alert) {
	fingerprint, err := falco.Fingerprint(record, w.origin)
	if err != nil {
		w.reject(index, err, record)
		return
	}
	w.entries = append(w.entries, journal.Entry{Way: w.way, Origin: w.origin, Body: record, Fingerprint: fingerprint, Alert: alert})
}

func (w *work) reject(index int, err error, record []byte) {
	reason, detail := string(falco.NotJSON), "the record cannot be read"
	var parse *falco.ParseError
	if errors.As(err, &parse) {
		reason, detail = string(parse.Reason), parse.Detail
	}
	w.rejectFor(index, reason, detail, record)
}

func (w *work) rejectFor(index int, reason, detail string, record []byte) {
	w.rejected = append(w.rejected, journal.Rejected{Way: w.way, Origin: w.origin, Reason: reason, Detail: detail,
		Body: record[:min(len(record), quarantinedBytes)], Size: int64(len(record))})
	w.indexes = append(w.indexes, index)
}

// rejectWhole puts a body that cannot be taken apart into quarantine, as one record.
func (w *work) rejectWhole(reason, detail string, body []byte) {
	w.records = 1
	w.rejectFor(0, reason, detail, body)
	w.commit()
}

// commit hands what has gathered to the sink and counts what became of it.
func (w *work) commit() {
	if w.problem != nil || len(w.entries)+len(w.rejected) == 0 {
		return
	}
	w.handOver()
	appended, err := w.h.sink.AppendAndReject(w.ctx, w.entries, w.rejected)
	if err != nil {
		// The sink may still be at work on a call whose sender has gone: what it was given stays as it is.
		w.kept = w.ctx.Err() != nil
		w.problem = unavailable(err)
		return
	}
	w.accepted += appended.Stored
	w.duplicates += appended.Duplicates
	w.refused += len(w.rejected)
	for i := range w.rejected {
		if len(w.list) < listedRecords {
			w.list = append(w.list, refusal{w.indexes[i], w.rejected[i].Reason, w.rejected[i].Detail})
		}
	}
	if n := len(w.rejected); n > 0 {
		w.h.notice.rejected(w.way, n, w.rejected[n-1].Reason)
	}
	w.clear()
}

// handOver copies the bodies out of the buffer, which is reused, into one allocation that is the sink's.
func (w *work) handOver() {
	size := 0
	for i := range w.entries {
		size += len(w.entries[i].Body)
	}
	for i := range w.rejected {
		size += len(w.rejected[i].Body)
	}
	arena := make([]byte, 0, size)
	move := func(body []byte) []byte {
		start := len(arena)
		arena = append(arena, body...)
		return arena[start:len(arena):len(arena)]
	}
	for i := range w.entries {
		w.entries[i].Body = move(w.entries[i].Body)
	}
	for i := range w.rejected {
		w.rejected[i].Body = move(w.rejected[i].Body)
	}
}

// unavailable is the answer when the journal does not take alerts: the sender keeps them and comes again.
func unavailable(err error) *problem {
	p := &problem{status: http.StatusServiceUnavailable, retry: retryLong, text: "alerts cannot be stored: " + PublicReason(err)}
	if errors.Is(err, journal.ErrClosed) || errors.Is(err, journal.ErrBusy) {
		p.retry = retryShort
	}
	return p
}

// PublicReason says in a few words why the journal takes no alerts. Unlike err itself it names no path, so it may be told
// to anybody.
func PublicReason(err error) string {
	for _, known := range [...]error{
		journal.ErrFull, journal.ErrReadOnly, journal.ErrCorrupt, journal.ErrLocked, journal.ErrNewer, journal.ErrBusy, journal.ErrClosed,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "the journal failed; the log says why"
}

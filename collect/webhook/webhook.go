// Package webhook is the way in for Falco's http_output, Falcosidekick, Fluent Bit and Eyrie's own agent: POST /falco.
//
// In comes a request body of alerts as JSON: one object, several after each other, NDJSON, arrays; gzip or plain. Out
// goes what the journal is given: entries with their origin and fingerprint, and, for quarantine, the records that are no
// alerts. A request is answered with success only after the journal has committed all of it.
//
// The package never drops a record that it could read, never changes one, and never writes a key, a path or a body to the
// log. A bad record does not hold up the good ones of its body: they are stored, it is quarantined, and the answer names
// it. What the journal cannot take is answered with 503 and Retry-After, and the sender keeps it; a record that is sent
// again after that is stored once, because the journal knows its fingerprint.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
)

const (
	// DefaultMaxBody is the size in bytes of the largest body that is read, after decompression.
	DefaultMaxBody = 16 << 20
	// DefaultMaxRecord is the size in bytes of the largest single record that is stored. The largest that Falco writes are
	// some hundred KiB: it cuts a buffer's content at snaplen and a path at 4 KiB.
	DefaultMaxRecord = 1 << 20

	// quarantinedBytes is how much of a bad record is kept for people to look at.
	quarantinedBytes = 64 << 10
	// chunkRecords bounds what one commit takes of a body. A body of 16 MiB can hold millions of bad records.
	chunkRecords = 1024
	// listedRecords is how many bad records an answer lists; it counts them all.
	listedRecords = 100

	wayWebhook = "webhook"
	wayAgent   = "agent"
)

// Sink stores what arrives; it is the journal.
type Sink interface {
	// AppendAndReject returns nil only after entries and rejected are durable. It owns both from the call on if it fails
	// with the error of ctx, and what the entries point to in any case.
	AppendAndReject(ctx context.Context, entries []journal.Entry, rejected []journal.Rejected) (journal.Appended, error)
}

// Config is what a Handler needs to know. Check is required; the zero value of the rest has a default.
type Config struct {
	Check      func(key string) bool // says whether key is the ingest key, in a time that tells nothing of the key
	Origin     falco.Origin          // of alerts whose request names none
	MaxBody    int64                 // bytes after decompression; 0 means DefaultMaxBody
	MaxRecord  int                   // bytes; 0 means DefaultMaxRecord
	Registerer prometheus.Registerer // nil: no metrics
	Logger     *slog.Logger          // nil: no log
	Now        func() time.Time      // nil means time.Now
}

// Handler answers POST /falco and POST /falco/KEY. It is safe for concurrent use. Slow senders are for the timeouts of the
// http.Server to end.
type Handler struct {
	c       Config
	sink    Sink
	metrics *metrics
	work    sync.Pool // of *work
	gzip    sync.Pool // of *gzip.Reader
	notice  notice
}

// New checks c and returns a Handler that stores into sink.
func New(c Config, sink Sink) (*Handler, error) {
	if c.Check == nil || sink == nil {
		return nil, errors.New("webhook: a check of the key and a sink are required")
	}
	if c.MaxBody < 0 || c.MaxRecord < 0 || c.MaxRecord > falco.MaxRecord {
		return nil, fmt.Errorf("webhook: body limit %d and record limit %d: want 0 or more, and records of at most %d bytes",
			c.MaxBody, c.MaxRecord, falco.MaxRecord)
	}
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.MaxRecord == 0 {
		c.MaxRecord = DefaultMaxRecord
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{c: c, sink: sink, metrics: newMetrics(c.Registerer), notice: notice{log: c.Logger, now: c.Now}}
	h.work.New = func() any { return newWork() }
	return h, nil
}

// ServeHTTP stores the alerts of one request. See answer.go for what it answers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := requestKey(r)
	switch {
	case !ok:
		h.fail(w, &problem{status: http.StatusNotFound, text: "alerts go to /falco or /falco/KEY"})
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		h.fail(w, &problem{status: http.StatusMethodNotAllowed, text: "alerts are sent with POST"})
		return
	case !h.c.Check(key):
		w.Header().Set("WWW-Authenticate", `Bearer realm="eyrie"`)
		h.fail(w, &problem{status: http.StatusUnauthorized, text: "the ingest key is missing or wrong: send it as Authorization: Bearer KEY, or POST to /falco/KEY"})
		return
	}
	wk := h.work.Get().(*work)
	p := h.serve(wk, r)
	if p != nil {
		h.fail(w, p)
	} else {
		h.succeed(w, wk)
	}
	if wk.reset() {
		h.work.Put(wk)
	}
}

// serve does the work of a request that may send alerts. What became of its records is in wk.
func (h *Handler) serve(wk *work, r *http.Request) *problem {
	origin, p := h.origin(r)
	if p != nil {
		return p
	}
	wk.h, wk.ctx, wk.origin, wk.way = h, r.Context(), origin, wayWebhook
	if r.Header.Get("X-Eyrie-Way") == wayAgent {
		wk.way = wayAgent
	}
	if p := h.readBody(wk, r); p != nil {
		return p
	}
	if wk.damaged {
		wk.rejectWhole(reasonBadGzip, "Content-Encoding says gzip, but the body is none, or is damaged", wk.packed)
	} else {
		h.metrics.bytes.Add(float64(len(wk.body)))
		wk.takeApart()
	}
	if wk.problem != nil {
		return wk.problem
	}
	if wk.records == 0 {
		return &problem{status: http.StatusBadRequest, text: "the body holds no record: send Falco's alerts as JSON", listed: true}
	}
	return nil
}

// requestKey returns the key of a request: the path's if it has one, else the Authorization header's. It is false for a path
// that is not one of ours.
func requestKey(r *http.Request) (string, bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/falco")
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	if len(rest) > 1 {
		return strings.TrimSuffix(rest[1:], "/"), true
	}
	const scheme = "Bearer "
	value := r.Header.Get("Authorization")
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", true
	}
	return strings.TrimSpace(value[len(scheme):]), true
}

// notice tells the log about bad records, at most once a minute: whoever sends them decides how many there are.
type notice struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex // guards what follows
	last  time.Time
	count int
}

const noticeEvery = time.Minute

func (n *notice) rejected(way string, count int, reason string) {
	n.mu.Lock()
	n.count += count
	now, total := n.now(), n.count
	due := now.Sub(n.last) >= noticeEvery
	if due {
		n.last, n.count = now, 0
	}
	n.mu.Unlock()
	if due {
		n.log.Warn("records that are no alerts went to quarantine", "count", total, "way", way, "reason_of_the_last", reason)
	}
}

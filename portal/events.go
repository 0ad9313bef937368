package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

const (
	// heartbeat keeps proxies from closing a stream that has nothing to say.
	heartbeat = 20 * time.Second
	// pace is the shortest time between two events of a stream.
	pace = time.Second
	// maxFresh is up to how many new findings a stream counts exactly.
	maxFresh   = 200
	maxChanges = 2000 // of the feed a stream reads at a time
	// streamLife is when a stream ends: the browser comes again, and its session is looked at again.
	streamLife = 10 * time.Minute
	sendWithin = 30 * time.Second // or the client is given up
)

// events is a stream (server-sent events) that says how much of a view is new since the page was made: "news" with
// {"count": 12, "more": false}. With no view it counts all changes. The page's change number comes as since, so that
// nothing falls between the page and the stream.
func (p *Portal) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	since, err := strconv.ParseInt(q.Get("since"), 10, 64)
	if err != nil || since < 0 {
		p.fail(w, r, invalid("since: want the number of a change."))
		return
	}
	s := stream{p: p, cursor: since, fresh: map[int64]bool{}, all: q.Get("all") == "1"}
	if s.view, err = parseView(q); err != nil {
		p.fail(w, r, err)
		return
	}
	if _, err := s.view.hubQuery(p.c.Now()); err != nil {
		p.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx
	s.out, s.control = w, http.NewResponseController(w)
	ctx, cancel := context.WithTimeout(r.Context(), streamLife)
	defer cancel()
	s.run(ctx)
}

type stream struct {
	p       *Portal
	view    view
	all     bool
	cursor  int64
	fresh   map[int64]bool // findings that changed since the page was made
	sent    int
	out     http.ResponseWriter
	control *http.ResponseController
}

func (s *stream) run(ctx context.Context) {
	changed, stop := s.p.findings.Watch()
	defer stop()
	if s.send(": connected\nretry: 3000\n\n") != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	// What happened between the page and now is looked at once before waiting.
	for {
		if err := s.tell(ctx); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-s.p.closed:
			return
		case <-changed:
		case <-beat.C:
			if s.send(": beat\n\n") != nil {
				return
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.p.closed:
			return
		case <-time.After(pace):
		}
	}
}

func (s *stream) send(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.out.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// tell reads the feed and sends an event when the count became another.
func (s *stream) tell(ctx context.Context) error {
	news := false
	for {
		changes, err := s.p.findings.Changes(ctx, s.cursor, maxChanges)
		if err != nil {
			return err
		}
		for _, c := range changes {
			s.cursor = c.Seq
			if c.Kind == hub.Created || c.Kind == hub.Updated || c.Kind == hub.Reopened {
				s.fresh[c.FindingSeq] = true
				news = true
			}
		}
		if len(changes) < maxChanges || len(s.fresh) > maxChanges {
			break
		}
	}
	if !news {
		return nil
	}
	n := len(s.fresh)
	if !s.all {
		var err error
		if n, err = s.listed(ctx); err != nil {
			return err
		}
	}
	if n == 0 || n == s.sent && n < maxFresh {
		return nil
	}
	s.sent = n
	data, err := json.Marshal(map[string]any{"count": min(n, maxFresh), "more": n > maxFresh, "change": s.cursor})
	if err != nil {
		return err
	}
	return s.send(fmt.Sprintf("event: news\nid: %d\ndata: %s\n\n", s.cursor, data))
}

// listed counts which of the fresh findings the view lists: they are among the last seen of it.
func (s *stream) listed(ctx context.Context) (int, error) {
	query, err := s.view.hubQuery(s.p.c.Now())
	if err != nil {
		return 0, err
	}
	query.Sort = []hub.Sort{{Attribute: asff.AttrLastObservedAt, Desc: true}}
	query.Limit, query.NoToken = maxFresh+1, true
	page, err := s.p.findings.Find(ctx, query)
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range page.Findings {
		if s.fresh[page.Findings[i].Seq] {
			n++
		}
	}
	return n, nil
}

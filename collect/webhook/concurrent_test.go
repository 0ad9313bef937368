package webhook

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/eyrie-sec/eyrie/journal"
)

// late is a journal whose callers give up: it answers with the error of their context, and reads what it was given after
// that, as a commit does that is under way. Every third call goes that way.
type late struct {
	memory
	reading sync.WaitGroup
	calls   int
}

type cancelKey struct{}

func (l *late) AppendAndReject(ctx context.Context, entries []journal.Entry, rejected []journal.Rejected) (journal.Appended, error) {
	l.mu.Lock()
	l.calls++
	giveUp := l.calls%3 == 0
	l.mu.Unlock()
	if !giveUp {
		return l.memory.AppendAndReject(ctx, entries, rejected)
	}
	ctx.Value(cancelKey{}).(context.CancelFunc)()
	l.reading.Go(func() {
		if _, err := l.memory.AppendAndReject(context.WithoutCancel(ctx), entries, rejected); err != nil {
			panic(err)
		}
	})
	return journal.Appended{}, ctx.Err()
}

// TestConcurrent sends from many connections at once, of which some go away during the commit. What the journal has in the
// end is what was sent, byte for byte: no buffer was used again too early (with -race, not even touched).
func TestConcurrent(t *testing.T) {
	const senders, each = 16, 60
	l := &late{}
	h := newHandler(t, l)
	var group sync.WaitGroup
	for s := range senders {
		group.Go(func() {
			for i := range each {
				n := s*each + i
				ctx, cancel := context.WithCancel(t.Context())
				ctx = context.WithValue(ctx, cancelKey{}, cancel)
				body := alert(n) + "\n" + fmt.Sprintf(`{"bad":%d}`, n)
				var header []string
				if n%2 == 1 {
					body, header = zipped(t, body), []string{"Content-Encoding", "gzip"}
				}
				r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/falco/"+key, strings.NewReader(body))
				if header != nil {
					r.Header.Set(header[0], header[1])
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if gone := ctx.Err() != nil; gone != (w.Code == 503) || !gone && w.Code != 400 {
					t.Errorf("request %d: got %d %s", n, w.Code, w.Body)
				}
				cancel()
			}
		})
	}
	group.Wait()
	l.reading.Wait()
	stored, bad := map[string]bool{}, map[string]bool{}
	for _, e := range l.entries {
		stored[string(e.Body)] = true
	}
	for _, r := range l.rejected {
		bad[string(r.Body)] = true
	}
	for n := range senders * each {
		if !stored[alert(n)] || !bad[fmt.Sprintf(`{"bad":%d}`, n)] {
			t.Fatalf("alert %d or its bad neighbour is not what was sent", n)
		}
	}
	if len(l.entries) != senders*each || len(l.rejected) != senders*each {
		t.Errorf("got %d alerts and %d in quarantine, want %d each", len(l.entries), len(l.rejected), senders*each)
	}
}

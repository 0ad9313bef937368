package ship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
)

// queue is a Queue in memory.
type queue struct {
	mu        sync.Mutex
	alerts    [][]byte
	read      int
	committed uint64
	more      chan struct{}
}

func newQueue(alerts ...string) *queue {
	q := &queue{more: make(chan struct{}, 1)}
	q.add(alerts...)
	return q
}

func (q *queue) add(alerts ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range alerts {
		q.alerts = append(q.alerts, []byte(a))
	}
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *queue) Read(most, maxBytes int) (out [][]byte, next uint64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for size := 0; q.read < len(q.alerts) && len(out) < most; q.read++ {
		if size += len(q.alerts[q.read]); size > maxBytes && len(out) > 0 {
			break
		}
		out = append(out, q.alerts[q.read])
	}
	return out, uint64(q.read), nil
}

func (q *queue) Commit(next uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.committed = next
	return nil
}

func (q *queue) Wait(ctx context.Context) error {
	select {
	case <-q.more:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reply is one answer of a scripted hub.
type reply struct {
	status int
	header string // Name: value
	body   string
	err    error
}

// script is a transport that gives the replies one after the other, then ok for ever, and notes what it was asked.
type script struct {
	t       *testing.T
	start   time.Time
	replies []reply
	asked   []string // "<time since start> <body>"
	last    *http.Request
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		s.t.Error(err)
		return nil, err
	}
	body, err := io.ReadAll(z)
	if err != nil {
		s.t.Error(err)
	}
	s.last = r
	text := strings.ReplaceAll(strings.TrimSuffix(string(body), "\n"), "\n", " ")
	if len(text) > 40 {
		text = fmt.Sprintf("%d bytes", len(text))
	}
	s.asked = append(s.asked, text)
	rep := reply{status: 200, body: fmt.Sprintf(`{"accepted":%d,"duplicates":0,"rejected":[]}`, bytes.Count(body, []byte("\n")))}
	if len(s.replies) > 0 {
		rep, s.replies = s.replies[0], s.replies[1:]
	}
	if rep.err != nil {
		return nil, rep.err
	}
	header := http.Header{}
	if name, value, ok := strings.Cut(rep.header, ": "); ok {
		header.Set(name, value)
	}
	return &http.Response{
		StatusCode: rep.status, Status: fmt.Sprint(rep.status, " ", http.StatusText(rep.status)), Header: header,
		Body: io.NopCloser(strings.NewReader(rep.body)), Request: r,
	}, nil
}

// ship runs a Sender over the alerts in synthetic time, and returns it, the script, the time taken and the log.
func ship(t *testing.T, url string, replies []reply, alerts ...string) (s *Sender, hub *script, took time.Duration, log string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hub = &script{t: t, start: time.Now(), replies: replies}
		var text bytes.Buffer
		var err error
		s, err = New(Config{
			URL: url, Key: func() (string, error) { return "the-secret", nil }, Client: &http.Client{Transport: hub},
			Logger: slog.New(slog.NewTextHandler(&text, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		q := newQueue(alerts...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx, q) }()
		for q.state() != uint64(len(alerts)) {
			time.Sleep(10 * time.Millisecond) // synthetic
		}
		took = time.Since(hub.start)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		log = text.String()
	})
	if strings.Contains(log, "the-secret") || strings.Contains(log, "path-secret") {
		t.Errorf("a key is in the log:\n%s", log)
	}
	return s, hub, took, log
}

func (q *queue) state() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.committed
}

func TestAnswers(t *testing.T) {
	const second = time.Second
	cases := []struct {
		name     string
		replies  []reply
		asked    []string
		min, max time.Duration
		log      string // must be in the log
	}{
		{"ok", nil, []string{"a b"}, 0, second / 10, "takes alerts"},
		{"400 with a list", []reply{{status: 400, body: `{"accepted":1,"duplicates":0,"rejected":[{"index":1,"reason":"not_json","detail":"d"}]}`}}, []string{"a b"}, 0, second / 10, "not_json"},
		{"400 of somebody else", []reply{{status: 400, body: "bad request"}}, []string{"a b", "a b"}, 30 * second, 31 * second, "not a hub's"},
		{"200 of somebody else", []reply{{status: 200, body: "<html>sign in"}, {status: 200, body: `{"ok":true}`}, {status: 204}}, []string{"a b", "a b", "a b", "a b"}, 90 * second, 91 * second, "not a hub's"},
		{"wrong key", []reply{{status: 401}, {status: 403}, {status: 404}}, []string{"a b", "a b", "a b", "a b"}, 90 * second, 91 * second, "level=ERROR"},
		{"redirect", []reply{{status: 307, header: "Location: http://elsewhere/"}}, []string{"a b", "a b"}, 30 * second, 31 * second, "redirects are not followed"},
		{"unavailable", []reply{{status: 503}, {status: 500}, {status: 502}}, []string{"a b", "a b", "a b", "a b"}, 0, second, "level=WARN"},
		{"Retry-After", []reply{{status: 503, header: "Retry-After: 7"}, {status: 429, header: "Retry-After: Sat, 01 Jan 2000 00:00:20 GMT"}}, []string{"a b", "a b", "a b"}, 20 * second, 21 * second, "503"},
		{"no answer", []reply{{err: errors.New("connection refused")}, {err: io.ErrUnexpectedEOF}}, []string{"a b", "a b", "a b"}, 0, second, "connection refused"},
		{"400 about nothing", []reply{{status: 400, body: `{"accepted":0,"duplicates":0,"error":"no record"}`}}, []string{"a b", "a", "b"}, 0, second / 10, ""},
		{"count is short", []reply{{status: 200, body: `{"accepted":1,"duplicates":0}`}}, []string{"a b", "a", "b"}, 0, second / 10, ""},
		{"count is short for one", []reply{{status: 413}, {status: 200, body: `{"accepted":0,"duplicates":0}`}}, []string{"a b", "a", "a", "b"}, 30 * second, 31 * second, "for 0 of 1 alerts"},
		{"rejected without a list", []reply{{status: 400, body: `{"accepted":0,"duplicates":0,"rejected":[{"reason":"x"}],"rejected_count":2}`}}, []string{"a b"}, 0, second / 10, "quarantine"},
		{"too large", []reply{{status: 413}}, []string{"a b", "a", "b"}, 0, second / 10, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s, hub, took, log := ship(t, "http://hub/falco/path-secret", tc.replies, "a", "b")
			if diff := cmp.Diff(hub.asked, tc.asked); diff != "" {
				t.Errorf("requests (-got +want):\n%s", diff)
			}
			if took < tc.min || took > tc.max {
				t.Errorf("took %v, want %v to %v", took, tc.min, tc.max)
			}
			if !strings.Contains(log, tc.log) {
				t.Errorf("log does not say %q:\n%s", tc.log, log)
			}
			if got := s.Stats.Sent.Load(); got != 2 || s.State() != "ok" {
				t.Errorf("%d alerts sent, state %q; want 2 and ok", got, s.State())
			}
		})
	}
}

func TestRejectedAreCounted(t *testing.T) {
	s, _, _, _ := ship(t, "http://hub", []reply{{status: 400, body: `{"accepted":0,"duplicates":1,"rejected":[{"index":1,"reason":"not_json"}]}`}}, "a", "b")
	if diff := cmp.Diff(s.Rejected(), map[string]int64{"not_json": 1}); diff != "" {
		t.Errorf("rejected (-got +want):\n%s", diff)
	}
	if a, d, r := s.Stats.Accepted.Load(), s.Stats.Duplicates.Load(), s.Stats.Rejected.Load(); a != 0 || d != 1 || r != 1 {
		t.Errorf("accepted %d, duplicates %d, rejected %d; want 0, 1, 1", a, d, r)
	}
}

// TestAlertTooLarge: a single alert is halved until the hub takes it; the others go out whole.
func TestAlertTooLarge(t *testing.T) {
	big := strings.Repeat("x", 5000)
	short := reply{status: 200, body: `{"accepted":0,"duplicates":0}`} // no reason to cut
	s, hub, _, log := ship(t, "http://hub", []reply{{status: 413}, {status: 413}, short, {status: 413}}, big, "b")
	if diff := cmp.Diff(hub.asked, []string{"5002 bytes", "5000 bytes", "2500 bytes", "2500 bytes", "1250 bytes", "b"}); diff != "" {
		t.Errorf("requests (-got +want):\n%s", diff)
	}
	if got := s.Stats.HeadsOnly.Load(); got != 1 || !strings.Contains(log, "does not take an alert whole") {
		t.Errorf("%d heads counted, want 1, and a line in the log:\n%s", got, log)
	}
}

func TestSameFailureIsLoggedOnce(t *testing.T) {
	var replies []reply
	for range 20 {
		replies = append(replies, reply{status: 401})
	}
	_, _, _, log := ship(t, "http://hub", replies, "a")
	if got := strings.Count(log, "level=ERROR"); got != 1 {
		t.Errorf("%d errors logged, want 1:\n%s", got, log)
	}
}

func TestBatchLimits(t *testing.T) {
	alerts := make([]string, 2500)
	for i := range alerts {
		alerts[i] = strings.Repeat("x", 600)
	}
	_, hub, _, _ := ship(t, "http://hub", nil, alerts...)
	if diff := cmp.Diff(hub.asked, []string{"600999 bytes", "600999 bytes", "300499 bytes"}); diff != "" {
		t.Errorf("requests (-got +want):\n%s", diff)
	}
}

func TestRequest(t *testing.T) {
	for url, want := range map[string]string{
		"https://hub:8443":             "https://hub:8443/falco?cluster=c",
		"https://hub/":                 "https://hub/falco?cluster=c",
		"https://hub/falco/KEY":        "https://hub/falco/KEY?cluster=c",
		"https://hub/a/falco?region=r": "https://hub/a/falco?cluster=c&region=r",
	} {
		hub := &script{t: t}
		s, err := New(Config{URL: url, Key: func() (string, error) { return "k", nil }, Cluster: "c", Client: &http.Client{Transport: hub}})
		if err != nil {
			t.Fatal(err)
		}
		s.Finish()
		if err := s.Run(context.Background(), newQueue("a")); err != nil {
			t.Fatal(err)
		}
		if got := hub.last.URL.String(); got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
		if strings.Contains(s.Target(), "KEY") {
			t.Errorf("the key is shown: %s", s.Target())
		}
		got := []string{hub.last.Method, hub.last.Header.Get("Authorization"), hub.last.Header.Get("X-Eyrie-Way"), hub.last.Header.Get("Content-Type"), hub.last.Header.Get("Content-Encoding")}
		if diff := cmp.Diff(got, []string{"POST", "Bearer k", "agent", "application/x-ndjson", "gzip"}); diff != "" {
			t.Errorf("request (-got +want):\n%s", diff)
		}
	}
}

func TestURLErrorsHideTheKey(t *testing.T) {
	for _, url := range []string{"", "hub:8080", "ftp://hub/secret", "http://u:secret@hub", "http:///secret", "http://hub/%zzsecret", "http://hub:port/secret"} {
		_, err := New(Config{URL: url})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want an error without the key", url, err)
		}
	}
}

func TestFinishSendsWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &script{t: t}
		s, err := New(Config{URL: "http://hub", Client: &http.Client{Transport: hub}})
		if err != nil {
			t.Fatal(err)
		}
		q := newQueue()
		done := make(chan error)
		go func() { done <- s.Run(t.Context(), q) }()
		synctest.Wait()
		q.add("a")
		s.Finish()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(hub.asked, []string{"a"}); diff != "" {
			t.Errorf("requests (-got +want):\n%s", diff)
		}
	})
}

// TestFinishCutsAPause: an agent that stops tries once more at once, and gives up if the hub refuses.
func TestFinishCutsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &script{t: t, replies: []reply{{status: 401}, {status: 401}}}
		s, err := New(Config{URL: "http://hub", Client: &http.Client{Transport: hub}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		done := make(chan error)
		go func() { done <- s.Run(t.Context(), newQueue("a")) }()
		synctest.Wait()
		s.Finish()
		if err := <-done; !errors.Is(err, ErrRefused) {
			t.Errorf("got %v, want ErrRefused", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v, want no pause", took)
		}
	})
}

func TestBackoffIsBounded(t *testing.T) {
	for failures := range 100 {
		most := longestPause
		if failures < 9 {
			most = min(most, firstPause<<failures)
		}
		for range 50 {
			if d := backoff(failures); d <= 0 || d > most+1 {
				t.Fatalf("pause %v after %d failures, want up to %v", d, failures, most)
			}
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"accepted":1,"duplicates":0,"rejected":[{"index":1,"reason":"r","detail":"d"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := parseAnswer(b)
		if ok && !bytes.Contains(bytes.ToLower(b), []byte("accepted")) && !bytes.Contains(b, []byte(`\u`)) {
			t.Fatalf("%q was taken for a hub's answer: %+v", b, a)
		}
	})
}

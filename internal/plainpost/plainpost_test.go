package plainpost

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// seen is what a handler saw of a request.
type seen struct {
	Method, Target, Path, Query, Host, Body string
	Header                                  http.Header
	Length                                  int64
	BodyOK                                  bool
}

// recorder is a handler that remembers what it saw and answers with it.
type recorder struct {
	mu   sync.Mutex
	seen []seen
	via  []string // "plain" or "net/http"
}

func (rec *recorder) as(via string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		rec.mu.Lock()
		rec.seen = append(rec.seen, seen{r.Method, r.RequestURI, r.URL.Path, r.URL.RawQuery, r.Host, string(body), r.Header.Clone(), r.ContentLength, err == nil})
		rec.via = append(rec.via, via)
		rec.mu.Unlock()
		w.Header().Set("Content-Type", "text/plain")
		if r.URL.Path == "/in/bad" {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprintf(w, "%d bytes", len(body))
	})
}

func (rec *recorder) ways() string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return strings.Join(rec.via, " ")
}

func wanted(path string) bool { return strings.HasPrefix(path, "/in") }

// serve starts a Listener with an http.Server behind it and returns the address.
func serve(t testing.TB, rec *recorder) (*Listener, string) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, Config{Handler: rec.as("plain"), Wanted: wanted, ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute, IdleTimeout: time.Minute})
	s := &http.Server{Handler: rec.as("net/http"), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		l.Abort()
	})
	return l, inner.Addr().String()
}

func dial(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc, bufio.NewReader(nc)
}

// answerOf reads one response.
func answerOf(t testing.TB, r *bufio.Reader) (status int, body string, closes bool) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Close
}

const post = "POST /in/key?cluster=a HTTP/1.1\r\nHost: hub:8080\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"

// TestOneConnection: plain requests, some of them in one packet, some in pieces, then others, then plain ones again.
func TestOneConnection(t *testing.T) {
	rec := &recorder{}
	_, addr := serve(t, rec)
	nc, r := dial(t, addr)
	for _, part := range []string{post + post, post[:7], post[7:40], post[40:], strings.Replace(post, "/in/key", "/in/bad", 1)} {
		if _, err := io.WriteString(nc, part); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{200, 200, 200, 400} {
		if status, body, closes := answerOf(t, r); status != want || body != "5 bytes" || closes {
			t.Errorf("answer %d: %d %q, closes %v; want %d", i, status, body, closes, want)
		}
	}
	for range 2 { // from the first other request on, all is net/http's
		if _, err := io.WriteString(nc, "GET /in/x HTTP/1.1\r\nHost: hub\r\n\r\n"+post); err != nil {
			t.Fatal(err)
		}
		answerOf(t, r)
		answerOf(t, r)
	}
	if got, want := rec.ways(), "plain plain plain plain net/http net/http net/http net/http"; got != want {
		t.Errorf("served by %s, want %s", got, want)
	}
	if first := rec.seen[0]; first.Query != "cluster=a" || first.Host != "hub:8080" || first.Body != "hello" || first.Header.Get("content-type") != "application/json" {
		t.Errorf("the handler saw %+v", first)
	}
}

// TestLargeBody: what does not fit into the buffer arrives whole.
func TestLargeBody(t *testing.T) {
	rec := &recorder{}
	_, addr := serve(t, rec)
	nc, r := dial(t, addr)
	large := strings.Repeat("x", 3<<20)
	go func() {
		fmt.Fprintf(nc, "POST /in HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n%s%s", len(large), large, post)
	}()
	if _, body, _ := answerOf(t, r); body != fmt.Sprintf("%d bytes", len(large)) {
		t.Errorf("answer %q", body)
	}
	if _, body, _ := answerOf(t, r); body != "5 bytes" {
		t.Errorf("the request after it: %q", body)
	}
}

// TestBodyLeft: what the handler does not read is passed over, unless it is much.
func TestBodyLeft(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(413) }), Wanted: wanted,
		ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute, IdleTimeout: time.Minute})
	defer l.Abort()
	nc, r := dial(t, inner.Addr().String())
	fmt.Fprint(nc, post+post)
	for range 2 {
		if status, _, closes := answerOf(t, r); status != 413 || closes {
			t.Errorf("status %d, closes %v", status, closes)
		}
	}
	fmt.Fprintf(nc, "POST /in HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n", drainBytes+1)
	if status, _, closes := answerOf(t, r); status != 413 || !closes {
		t.Errorf("status %d, closes %v; want the connection closed", status, closes)
	}
}

// TestShutdown: a request under way is finished, an idle connection is closed, a new one refused.
func TestShutdown(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		w.WriteHeader(200)
	}), Wanted: wanted, ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute, IdleTimeout: time.Minute})
	busy, busyAnswers := dial(t, inner.Addr().String())
	idle, _ := dial(t, inner.Addr().String())
	fmt.Fprint(busy, post)
	<-begun
	done := make(chan error, 1)
	go func() { done <- l.Shutdown(context.Background()) }()
	if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the idle connection gives %v, want its end", err)
	}
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	close(release)
	if status, _, closes := answerOf(t, busyAnswers); status != 200 || !closes {
		t.Errorf("status %d, closes %v", status, closes)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", inner.Addr().String()); err == nil {
		t.Error("still listening")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept gives %v", err)
	}
}

func TestShutdownTimesOut(t *testing.T) {
	begun := make(chan struct{})
	ended := make(chan struct{})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	}), Wanted: wanted, ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute, IdleTimeout: time.Minute})
	nc, _ := dial(t, inner.Addr().String())
	fmt.Fprint(nc, post)
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	<-ended
}

// TestPanic: a handler that panics costs its connection alone.
func TestPanic(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	l := Listen(inner, Config{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }), Wanted: wanted,
		Logger: slog.New(slog.NewTextHandler(&log, nil)), ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute, IdleTimeout: time.Minute})
	nc, r := dial(t, inner.Addr().String())
	fmt.Fprint(nc, post)
	if _, err := r.ReadByte(); err == nil {
		t.Error("an answer came")
	}
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "boom") {
		t.Errorf("the log says %q", log.String())
	}
}

// FuzzAgreesWithNetHTTP sends any bytes to a Listener with net/http behind it, and to net/http alone: the handlers see the
// same requests.
func FuzzAgreesWithNetHTTP(f *testing.F) {
	f.Add([]byte(post + post))
	f.Add([]byte(strings.Replace(post, "POST", "PUT", 1)))
	for _, old := range []string{"Host: hub:8080", "Content-Length: 5", "HTTP/1.1", "/in/key", "\r\n\r\n", "hello"} {
		for _, other := range []string{"", "Host: a b", "Content-Length: +5", "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked", "HTTP/1.0",
			"//in", "/in/%2e", "/in?a=%zz", "/in?a;b", "\n\n", "\r\n x\r\n\r\n", "Expect: 100-continue\r\n", "Content-Length: 5\r\nConnection: close", "Content-Length: 3"} {
			f.Add([]byte(strings.Replace(post, old, other, 1) + post))
		}
	}
	rec, plain := &recorder{}, &recorder{}
	_, addr := serve(f, rec)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	s := &http.Server{Handler: plain.as("net/http"), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	go func() { _ = s.Serve(inner) }()
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, stream []byte) {
		send := func(addr string, rec *recorder) ([]seen, []int) {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			go func() {
				_, _ = nc.Write(stream)
				_ = nc.(*net.TCPConn).CloseWrite()
			}()
			answers, _ := io.ReadAll(nc)
			rec.mu.Lock()
			defer rec.mu.Unlock()
			got := rec.seen
			rec.seen, rec.via = nil, nil
			return got, statuses(answers)
		}
		got, gotStatuses := send(addr, rec)
		want, wantStatuses := send(inner.Addr().String(), plain)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-net/http +here:\n%s", diff)
		}
		if !slices.Equal(gotStatuses, wantStatuses) {
			t.Errorf("answers %v, want %v", gotStatuses, wantStatuses)
		}
	})
}

// statuses lists the status of each response in a stream.
func statuses(stream []byte) (all []int) {
	r := bufio.NewReader(bytes.NewReader(stream))
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return all
		}
		_, err = io.Copy(io.Discard, res.Body)
		all = append(all, res.StatusCode)
		if err != nil {
			return all
		}
	}
}

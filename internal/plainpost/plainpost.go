// Package plainpost serves the plainest of HTTP requests at a third of net/http's cost: a POST with a Content-Length over
// HTTP/1.1 on a connection that stays open.
//
// In comes a listener's connections. As long as the requests of one are plain and their path is one of those wanted, they
// go to a handler; with the first that is not, the connection goes on to an http.Server as if it had just come, with
// every byte from that request on. So nothing is answered differently but for the time it takes, and there is one HTTP
// parser less to trust: what is unusual, ambiguous or wrong is net/http's to judge.
package plainpost

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// Config says what is served. Handler and Wanted are required.
type Config struct {
	// Handler must set a Content-Type, and must neither change the request nor keep any of it after it returns. The
	// request's context ends with Abort alone, not when the client goes.
	Handler http.Handler
	Wanted  func(path string) bool // whether requests of this path are the Handler's
	Logger  *slog.Logger           // told of panics; nil: nobody is
	// As of http.Server; none of them 0.
	ReadHeaderTimeout, ReadTimeout, IdleTimeout time.Duration
}

// Listener serves what is plain itself and returns the other connections from Accept. It is a net.Listener, for one
// http.Server.
type Listener struct {
	c       Config
	inner   net.Listener
	others  chan net.Conn
	failed  chan error    // from inner, once
	closing chan struct{} // closed by Close

	model  *http.Request // of all requests; it bears their context
	cancel context.CancelFunc

	mu    sync.Mutex // guards what follows
	conns map[*conn]bool
	done  bool
	all   sync.WaitGroup // of conns
}

// Listen begins to accept the connections of inner.
func Listen(inner net.Listener, c Config) *Listener {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Listener{c: c, inner: inner, others: make(chan net.Conn), failed: make(chan error, 1), closing: make(chan struct{}), conns: map[*conn]bool{}}
	var base context.Context
	base, l.cancel = context.WithCancel(context.Background())
	l.model = (&http.Request{Method: http.MethodPost, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(base)
	go l.accept()
	return l
}

func (l *Listener) accept() {
	for {
		nc, err := l.inner.Accept()
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				continue
			}
			l.failed <- err
			return
		}
		c := &conn{l: l, nc: nc, remote: nc.RemoteAddr().String()}
		l.mu.Lock()
		if l.done {
			l.mu.Unlock()
			_ = nc.Close()
			continue
		}
		l.conns[c] = true
		l.all.Add(1)
		l.mu.Unlock()
		go c.serve()
	}
}

// Accept returns the next connection that is not, or no longer, served here.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.others:
		return nc, nil
	case err := <-l.failed:
		l.failed <- err
		return nil, err
	case <-l.closing:
		return nil, net.ErrClosed
	}
}

// Addr is where it listens.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close ends accepting. Connections go on until Shutdown or Abort.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closing:
		return nil
	default:
		close(l.closing)
	}
	return l.inner.Close()
}

// Shutdown lets requests that have begun be finished and closes all connections. When ctx ends first it is like Abort and
// the error is ctx's.
func (l *Listener) Shutdown(ctx context.Context) error {
	err := l.Close()
	l.mu.Lock()
	l.done = true
	for c := range l.conns {
		// Whoever waits for a request wakes up; whoever has one finds the mark when it is answered.
		_ = c.nc.SetReadDeadline(time.Now())
	}
	l.mu.Unlock()
	finished := make(chan struct{})
	go func() { l.all.Wait(); close(finished) }()
	select {
	case <-finished:
		return err
	case <-ctx.Done():
		l.Abort()
		return ctx.Err()
	}
}

// Abort closes all connections, those with a request under way too.
func (l *Listener) Abort() {
	_ = l.Close()
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
	for c := range l.conns {
		_ = c.nc.Close()
	}
}

// conn is a connection while it is served here.
type conn struct {
	l       *Listener
	nc      net.Conn
	r       *bufio.Reader
	remote  string
	head    head
	request http.Request
	body    body
	answer  answer
	out     []byte
	until   time.Time // the read deadline that is set
}

const (
	headBytes = 16 << 10 // a longer head is net/http's
	// drainBytes is how much of a body that the handler has left is read, so that the connection can be used again.
	drainBytes = 256 << 10
	// deadlineStep is how exact a deadline is: to set one costs more than to look whether it is good enough.
	deadlineStep = time.Second
)

func (c *conn) serve() {
	l := c.l
	c.r = bufio.NewReaderSize(c.nc, headBytes)
	handedOver := false
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			l.c.Logger.Error("a request panicked", "panic", p, "stack", string(debug.Stack()))
		}
		l.mu.Lock()
		delete(l.conns, c)
		l.mu.Unlock()
		l.all.Done()
		if !handedOver {
			_ = c.nc.Close()
		}
	}()
	wait := l.c.ReadHeaderTimeout
	for again := false; ; again = true {
		size, plain := c.await(wait, again)
		wait = l.c.IdleTimeout
		switch {
		case size == 0 && c.r.Buffered() == 0:
			return // closed, or idle for too long
		case !plain:
			handedOver = c.handOver()
			return
		case !c.one(size):
			return
		}
	}
}

// skipLineEnds passes over line ends at the beginning of four bytes. Old clients send some after a POST, and net/http
// knows that too.
func (c *conn) skipLineEnds() {
	b, _ := c.r.Peek(4)
	n := 0
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	_, _ = c.r.Discard(n) // they are there
}

// await reads the head of the next request. It returns its size, and whether it is plain and wanted.
func (c *conn) await(wait time.Duration, again bool) (size int, plain bool) {
	c.deadline(wait)
	if again {
		c.skipLineEnds()
	}
	if _, err := c.r.Peek(1); err != nil {
		return 0, false
	}
	for first := true; ; first = false {
		b, _ := c.r.Peek(c.r.Buffered())
		size, verdict := c.head.parse(b)
		switch {
		case verdict == whole && c.l.c.Wanted(c.head.url.Path):
			return size, true
		case verdict != unfinished || len(b) == headBytes:
			return len(b), false
		}
		if first {
			c.until = time.Time{}
			c.deadline(c.l.c.ReadHeaderTimeout)
		}
		if _, err := c.r.Peek(len(b) + 1); err != nil {
			return len(b), false // net/http says what is to be said of half a head
		}
	}
}

// deadline sets the read deadline, or leaves one that is nearly the same.
func (c *conn) deadline(wait time.Duration) {
	until := time.Now().Add(wait)
	if d := until.Sub(c.until); d < deadlineStep && d > -deadlineStep {
		return
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.l.done {
		return // Shutdown has set it to now
	}
	c.until = until
	_ = c.nc.SetReadDeadline(until) // a closed connection shows when it is read
}

// handOver gives the connection to the http.Server, with all that was read and not answered.
func (c *conn) handOver() bool {
	c.l.mu.Lock()
	if !c.l.done {
		_ = c.nc.SetReadDeadline(time.Time{})
	}
	c.l.mu.Unlock()
	b, _ := c.r.Peek(c.r.Buffered())
	select {
	case c.l.others <- &resumed{c.nc, b}:
		return true
	case <-c.l.closing:
		return false
	}
}

// resumed is a connection of which some bytes were read already.
type resumed struct {
	net.Conn
	left []byte
}

func (r *resumed) Read(p []byte) (int, error) {
	if len(r.left) > 0 {
		n := copy(p, r.left)
		if r.left = r.left[n:]; len(r.left) == 0 {
			r.left = nil
		}
		return n, nil
	}
	return r.Conn.Read(p)
}

// one serves the request whose head of that size was parsed and reports whether the connection can be used again.
func (c *conn) one(size int) bool {
	if _, err := c.r.Discard(size); err != nil {
		return false
	}
	if c.head.length > int64(c.r.Buffered()) {
		c.until = time.Time{}
		c.deadline(c.l.c.ReadTimeout)
	}
	c.body = body{r: c.r, left: c.head.length}
	r := &c.request
	*r = *c.l.model
	r.URL, r.RequestURI, r.Header, r.Host, r.RemoteAddr = c.head.url, c.head.target, c.head.header, c.head.host, c.remote
	r.Body, r.ContentLength = &c.body, c.head.length
	c.answer.reset()
	c.l.c.Handler.ServeHTTP(&c.answer, r)
	keep := c.finish()
	if c.out = c.answer.append(c.out[:0], keep); len(c.out) > 0 {
		if _, err := c.nc.Write(c.out); err != nil {
			return false
		}
	}
	return keep
}

// finish reads what the handler left of the body and reports whether another request may follow.
func (c *conn) finish() bool {
	if c.answer.header.Get("Connection") != "" || c.body.failed {
		return false
	}
	if c.body.left > drainBytes {
		return false
	}
	if c.body.left > 0 {
		if _, err := io.CopyN(io.Discard, &c.body, c.body.left); err != nil {
			return false
		}
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	return !c.l.done
}

// body is a request's.
type body struct {
	r      *bufio.Reader
	left   int64
	failed bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if err != nil {
		b.failed = true
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Close does nothing: what is left is read when the request is answered.
func (b *body) Close() error { return nil }

// answer is what the handler says, kept until it returns.
type answer struct {
	header http.Header
	status int
	body   []byte
}

func (a *answer) reset() {
	if a.header == nil {
		a.header = http.Header{}
	}
	clear(a.header)
	a.status, a.body = 0, a.body[:0]
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}

// append writes the answer as HTTP.
func (a *answer) append(b []byte, keep bool) []byte {
	a.WriteHeader(http.StatusOK)
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(a.status)...)
	b = append(b, "\r\n"...)
	for name, values := range a.header {
		if name == "Content-Length" || name == "Connection" || name == "Date" {
			continue
		}
		for _, v := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = appendValue(b, v)
			b = append(b, "\r\n"...)
		}
	}
	if !keep {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "Date: "...)
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(a.body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, a.body...)
}

// appendValue appends a header's value without line ends, as net/http does.
func appendValue(b []byte, v string) []byte {
	for i := range len(v) {
		if c := v[i]; c == '\r' || c == '\n' {
			b = append(b, ' ')
		} else {
			b = append(b, c)
		}
	}
	return b
}

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
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"syscall"
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
	wait := time.Duration(0)
	for {
		nc, err := l.inner.Accept()
		if err != nil {
			if !passes(err) {
				l.failed <- err
				return
			}
			wait = min(max(2*wait, acceptFirst), acceptLast)
			l.c.Logger.Warn("a connection could not be accepted", "error", err, "retry_in", wait)
			select {
			case <-time.After(wait):
			case <-l.closing:
			}
			continue
		}
		wait = 0
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

// How long accept waits after an error that passes, the first time and at most.
const acceptFirst, acceptLast = 5 * time.Millisecond, time.Second

// passes reports whether an error of accept(2) is of the moment: there are too many open files, or too little memory.
func passes(err error) bool {
	for _, e := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
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
		// Whoever waits for a request wakes up; whoever has one, or reads its body, finds the mark when it is answered.
		if !c.reading {
			_ = c.nc.SetReadDeadline(time.Now())
		}
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
	reading bool      // a body is on its way; guarded by l.mu
}

const (
	headBytes = 16 << 10 // a longer head is net/http's
	// drainBytes is how much of a body that the handler has left is read, so that the connection can be used again.
	drainBytes = 256 << 10
	// deadlineStep is how exact a deadline is: to set one costs more than to look whether it is good enough.
	deadlineStep = time.Second
	// lingerFor is how long a sender that was answered early may go on sending. net/http takes as long.
	lingerFor = 500 * time.Millisecond
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
		case size == 0:
			return // closed, or idle for too long
		case !plain:
			handedOver = c.handOver()
			return
		case !c.one(size):
			return
		}
	}
}

// skipLineEnds waits for four bytes and passes over line ends at their beginning. Old clients send some after a POST. That
// is what net/http does between two requests, and for less it does not answer either.
func (c *conn) skipLineEnds() bool {
	b, err := c.r.Peek(4)
	if err != nil {
		return false
	}
	n := 0
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	_, _ = c.r.Discard(n) // they are there
	return true
}

// await reads the head of the next request. It returns its size, 0 if none comes, and whether it is plain and wanted.
func (c *conn) await(wait time.Duration, again bool) (size int, plain bool) {
	c.deadline(wait)
	if again && !c.skipLineEnds() {
		return 0, false
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

// CloseWrite is what net/http looks for to end a connection without resetting it.
func (r *resumed) CloseWrite() error {
	if half, ok := r.Conn.(closeWriter); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// one serves the request whose head of that size was parsed and reports whether the connection can be used again.
func (c *conn) one(size int) bool {
	if _, err := c.r.Discard(size); err != nil {
		return false
	}
	if c.head.length > int64(c.r.Buffered()) {
		c.readBody()
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
	if !keep && c.body.left > 0 && !c.body.failed {
		c.linger()
	}
	return keep
}

// readBody sets the deadline of a body that is not there yet. It holds even if Shutdown has begun.
func (c *conn) readBody() {
	c.until = time.Now().Add(c.l.c.ReadTimeout)
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.reading = true
	_ = c.nc.SetReadDeadline(c.until) // a closed connection shows when it is read
}

// linger ends a connection whose sender is still sending: closing it at once would reset it, and the answer with it.
func (c *conn) linger() {
	half, ok := c.nc.(closeWriter)
	if !ok || half.CloseWrite() != nil || c.nc.SetReadDeadline(time.Now().Add(lingerFor)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, &c.body, c.body.left) // what comes is of no interest
}

// closeWriter is a connection that can be closed in one direction.
type closeWriter interface{ CloseWrite() error }

// finish ends a request and reports whether another one may follow.
func (c *conn) finish() bool {
	keep := c.passBody()
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.reading = false
	return keep && !c.l.done
}

// passBody reads what the handler left of the body, and reports whether the connection can be used again after that.
func (c *conn) passBody() bool {
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
	return true
}

package plainpost

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func listen(t *testing.T, inner net.Listener, h http.HandlerFunc) *Listener {
	t.Helper()
	l := Listen(inner, Config{Handler: h, Wanted: wanted, ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute, IdleTimeout: time.Minute})
	t.Cleanup(l.Abort)
	return l
}

func tcp(t *testing.T) net.Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return inner
}

// exhausted is a listener that has no file descriptor for the first connections.
type exhausted struct {
	net.Listener
	failures int
}

func (e *exhausted) Accept() (net.Conn, error) {
	if e.failures > 0 {
		e.failures--
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return e.Listener.Accept()
}

// TestOutOfFiles: too many open files is a state that passes.
func TestOutOfFiles(t *testing.T) {
	inner := tcp(t)
	listen(t, &exhausted{inner, 2}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
	nc, r := dial(t, inner.Addr().String())
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(nc, post)
	if status, body, _ := answerOf(t, r); status != 200 || body != "ok" {
		t.Errorf("answer %d %q", status, body)
	}
}

// TestAnswerBeforeBody: a sender that is refused before its body was read gets the answer and an orderly end, not a reset,
// which would take the answer with it.
func TestAnswerBeforeBody(t *testing.T) {
	inner := tcp(t)
	listen(t, inner, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	nc, _ := dial(t, inner.Addr().String())
	head := strings.Replace(post, "Content-Length: 5", "Content-Length: 100000000", 1)
	if _, err := io.WriteString(nc, head+strings.Repeat("x", 200_000)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(nc)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 413 ") || err != nil {
		t.Errorf("answer %q, %v", answer, err)
	}
}

// TestShutdownBody: a request whose body is on its way when Shutdown begins is finished.
func TestShutdownBody(t *testing.T) {
	inner := tcp(t)
	begun, stopping := make(chan struct{}), make(chan struct{})
	l := listen(t, inner, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-stopping
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v", body, err)
	})
	nc, r := dial(t, inner.Addr().String())
	fmt.Fprint(nc, post[:len(post)-2])
	<-begun
	done := make(chan error, 1)
	go func() { done <- l.Shutdown(t.Context()) }()
	for marked := false; !marked; runtime.Gosched() {
		l.mu.Lock()
		marked = l.done
		l.mu.Unlock()
	}
	close(stopping)
	fmt.Fprint(nc, post[len(post)-2:])
	if status, body, closes := answerOf(t, r); status != 200 || body != "hello <nil>" || !closes {
		t.Errorf("answer %d %q, closes %v", status, body, closes)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestHandedOverCanHalfClose: net/http ends a connection in an orderly way only if it can close the one direction.
func TestHandedOverCanHalfClose(t *testing.T) {
	inner := tcp(t)
	l := listen(t, inner, func(http.ResponseWriter, *http.Request) {})
	nc, _ := dial(t, inner.Addr().String())
	fmt.Fprint(nc, "GET / HTTP/1.1\r\n\r\n")
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	half, ok := other.(interface{ CloseWrite() error })
	if !ok {
		t.Fatalf("%T has no CloseWrite", other)
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the other end reads %v, want the end", err)
	}
}

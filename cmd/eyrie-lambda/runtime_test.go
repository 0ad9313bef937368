package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testAccount = "111122223333"
	testRegion  = "eu-central-1"
	testARN     = "arn:aws:lambda:eu-central-1:111122223333:function:eyrie"
	testKey     = "AKIAEYRIETEST"
	testSecret  = "secret-of-the-test"
)

// bootstrap is the real binary, built once.
var bootstrap = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "eyrie-lambda-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := bootstrap(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// invocation is one event on its way to the function, and what became of it.
type invocation struct {
	id       string
	payload  []byte
	deadline time.Duration
	done     chan answer
}

type answer struct {
	body   []byte
	failed bool
	gone   bool // the process ended
}

// runtimeAPI is the Lambda Runtime API (version 2018-06-01) for one process at a time.
type runtimeAPI struct {
	server *httptest.Server
	queue  chan *invocation
	polled chan struct{} // gets one for each poll

	mu      sync.Mutex // guards current and count
	current *invocation
	count   int
}

func newRuntimeAPI(t testing.TB) *runtimeAPI {
	t.Helper()
	r := &runtimeAPI{queue: make(chan *invocation), polled: make(chan struct{}, 1000)}
	r.server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.server.CloseClientConnections()
		r.server.Close()
	})
	return r
}

func (r *runtimeAPI) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	path, ok := strings.CutPrefix(q.URL.Path, "/2018-06-01/runtime/invocation/")
	if !ok {
		http.NotFound(w, q)
		return
	}
	if path == "next" {
		r.polled <- struct{}{}
		select {
		case in := <-r.queue:
			r.mu.Lock()
			r.current = in
			r.mu.Unlock()
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", in.id)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(in.deadline).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", testARN)
			_, _ = w.Write(in.payload)
		case <-q.Context().Done():
		}
		return
	}
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	in := r.current
	r.current = nil
	r.mu.Unlock()
	if in != nil {
		in.done <- answer{body: body, failed: strings.HasSuffix(path, "/error")}
	}
	w.WriteHeader(http.StatusAccepted)
}

// function is a running bootstrap.
type function struct {
	t      testing.TB
	api    *runtimeAPI
	cmd    *exec.Cmd
	exited chan struct{}

	mu     sync.Mutex // guards stdout and stderr
	stdout bytes.Buffer
	stderr bytes.Buffer
}

type locked struct {
	f *function
	b *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	return l.b.Write(p)
}

// start starts the bootstrap with env besides what Lambda sets.
func start(t testing.TB, env ...string) *function {
	t.Helper()
	path, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	f := &function{t: t, api: newRuntimeAPI(t), exited: make(chan struct{})}
	f.cmd = exec.Command(path)
	f.cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + f.api.server.Listener.Addr().String(), "AWS_REGION=" + testRegion,
		"AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + testSecret, "AWS_LAMBDA_FUNCTION_NAME=eyrie", "HOME=" + t.TempDir(),
		"AWS_MAX_ATTEMPTS=2"}, env...)
	f.cmd.Stdout, f.cmd.Stderr = locked{f, &f.stdout}, locked{f, &f.stderr}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = f.cmd.Wait(); close(f.exited) }()
	t.Cleanup(func() {
		f.kill()
		if t.Failed() {
			t.Logf("the function's log:\n%s", f.log())
		}
	})
	return f
}

func (f *function) kill() {
	_ = f.cmd.Process.Kill()
	<-f.exited
}

func (f *function) log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stderr.String()
}

func (f *function) metrics() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stdout.String()
}

// invoke sends one event and waits for its answer, or for the end of the process.
func (f *function) invoke(payload []byte, deadline time.Duration) answer {
	f.t.Helper()
	f.api.count++
	in := &invocation{fmt.Sprintf("request-%d", f.api.count), payload, deadline, make(chan answer, 1)}
	select {
	case f.api.queue <- in:
	case <-f.exited:
		return answer{gone: true}
	}
	select {
	case a := <-in.done:
		return a
	case <-f.exited:
		return answer{gone: true}
	}
}

// must invokes and fails the test unless the function succeeds.
func (f *function) must(payload []byte) []byte {
	f.t.Helper()
	a := f.invoke(payload, time.Minute)
	if a.failed || a.gone {
		f.t.Fatalf("invocation failed (process gone: %v): %s", a.gone, a.body)
	}
	return a.body
}

// subscription is the event of a subscription filter with these log messages.
func subscription(stream string, messages ...string) []byte {
	type event struct {
		ID        string `json:"id"`
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
	}
	events := make([]event, len(messages))
	for i, m := range messages {
		events[i] = event{fmt.Sprintf("3830%052d", i), 1795227946697 + int64(i), m}
	}
	doc, _ := json.Marshal(map[string]any{"messageType": "DATA_MESSAGE", "owner": testAccount, "logGroup": "/eyrie/falco",
		"logStream": stream, "subscriptionFilters": []string{"eyrie"}, "logEvents": events})
	return wrapLogs(doc)
}

func wrapLogs(doc []byte) []byte {
	payload, _ := json.Marshal(map[string]any{"awslogs": map[string]any{"data": zipped(doc)}})
	return payload
}

func zipped(text []byte) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text)
	_ = z.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// freePort is an address on which nothing listens.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

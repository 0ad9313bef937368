package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// lambdaBench measures eyrie-lambda as Lambda runs it: the real bootstrap as a process of its own that polls the Runtime
// API, with AWS answered on loopback. CPU and memory are the function's alone.
func lambdaBench(s *settings) error {
	path := filepath.Join(s.dir, "bootstrap")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc", "-o", path, "./cmd/eyrie-lambda")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build cmd/eyrie-lambda: %w", err)
	}
	size, zipped, err := zipSize(path)
	if err != nil {
		return err
	}
	fmt.Printf("eyrie-lambda: binary %.1f MB, zip %.1f MB\n\n", float64(size)/1e6, float64(zipped)/1e6)
	if err := coldStarts(path, 21); err != nil {
		return err
	}
	fmt.Println("| eyrie-lambda | events/s | findings/s | requests/s | CPU-ms per 1,000 events | CPU-s | peak RSS |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, c := range []lambdaRun{
		{"100 a batch, 200 findings, calls take 0 ms, no quota", 100, 200, 400, 0, "0"},
		{"100 a batch, 200 findings, calls take 10 ms, no quota", 100, 200, 200, 10 * time.Millisecond, "0"},
		{"1,000 a batch, 200 findings, calls take 0 ms, no quota", 1_000, 200, 60, 0, "0"},
		{"10,000 a batch, 200 findings, calls take 0 ms, no quota", 10_000, 200, 8, 0, "0"},
		{"10,000 a batch, every event a finding, calls take 0 ms, no quota", 10_000, 1 << 30, 8, 0, "0"},
		{"1,000 a batch, every event a finding, calls take 10 ms, quota 10/s", 1_000, 1 << 30, 12, 10 * time.Millisecond, "10"},
	} {
		if err := c.run(path); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	fmt.Println()
	return nil
}

// zipSize is the size of the binary, and of the zip with it that Lambda is given.
func zipSize(path string) (binary, zipped int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	w, err := z.Create("bootstrap")
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	return len(text), b.Len(), err
}

// environment is everything around one function: the Runtime API and AWS.
type environment struct {
	server   *http.Server
	addr     string
	delay    time.Duration
	events   chan []byte
	done     chan bool // one an invocation: whether it succeeded
	polled   chan time.Time
	requests atomic.Int64
	findings atomic.Int64
}

func newEnvironment(delay time.Duration) (*environment, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &environment{addr: l.Addr().String(), delay: delay, events: make(chan []byte), done: make(chan bool, 1), polled: make(chan time.Time, 1)}
	e.server = &http.Server{Handler: e}
	go func() { _ = e.server.Serve(l) }()
	return e, nil
}

func (e *environment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/invocation/next"):
		select {
		case e.polled <- time.Now():
		default: // only the first counts
		}
		select {
		case event := <-e.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(15*time.Minute).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:111122223333:function:eyrie")
			_, _ = w.Write(event)
		case <-r.Context().Done():
		}
	case strings.HasPrefix(r.URL.Path, "/2018-06-01/"):
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		e.done <- strings.HasSuffix(r.URL.Path, "/response")
	case r.URL.Path == "/findings/import":
		// The cheapest count that is right for what eyrie-lambda sends: each finding has one SchemaVersion.
		body, _ := io.ReadAll(r.Body)
		n := bytes.Count(body, []byte(`"SchemaVersion"`))
		time.Sleep(e.delay)
		e.requests.Add(1)
		e.findings.Add(int64(n))
		fmt.Fprintf(w, `{"FailedCount":0,"SuccessCount":%d,"FailedFindings":[]}`, n)
	default: // DescribeInstances: none is known
		time.Sleep(e.delay)
		fmt.Fprint(w, `<DescribeInstancesResponse></DescribeInstancesResponse>`)
	}
}

// launch starts the function.
func (e *environment) launch(path, quota string) (*exec.Cmd, error) {
	cmd := exec.Command(path)
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + e.addr, "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_LAMBDA_FUNCTION_NAME=eyrie", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "HOME=/nonexistent", "EYRIE_CLUSTER=prod", "EYRIE_SECURITYHUB_ENDPOINT=http://" + e.addr,
		"AWS_ENDPOINT_URL_EC2=http://" + e.addr, "EYRIE_QUARANTINE_QUEUE_URL=http://" + e.addr + "/q", "EYRIE_CALLS_PER_SECOND=" + quota}
	cmd.Stderr = os.Stderr
	return cmd, cmd.Start()
}

// coldStarts measures from exec to the first poll.
func coldStarts(path string, n int) error {
	var times []time.Duration
	var cpu time.Duration
	var rss int64
	for range n {
		e, err := newEnvironment(0)
		if err != nil {
			return err
		}
		began := time.Now()
		cmd, err := e.launch(path, "10")
		if err != nil {
			return err
		}
		times = append(times, (<-e.polled).Sub(began))
		peak, err := (&server{cmd: cmd}).peakRSS()
		if err != nil {
			return err
		}
		rss = max(rss, int64(peak))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		_ = e.server.Close()
	}
	fmt.Printf("Cold start, exec to first poll: p50 %s, p95 %s, CPU %s, peak RSS %d MB (%d starts)\n\n", percentile(times, 50), percentile(times, 95),
		(cpu / time.Duration(n)).Round(100*time.Microsecond), rss>>20, n)
	return nil
}

// lambdaRun is one line of the table.
type lambdaRun struct {
	name     string
	batch    int // events an invocation
	distinct int // findings that they are of
	batches  int
	delay    time.Duration
	quota    string // calls a second, "0": none
}

func (c *lambdaRun) run(path string) error {
	e, err := newEnvironment(c.delay)
	if err != nil {
		return err
	}
	defer e.server.Close()
	payloads := make([][]byte, c.batches)
	for i := range payloads {
		payloads[i] = logEvents(i*c.batch, c.batch, c.distinct)
	}
	cmd, err := e.launch(path, c.quota)
	if err != nil {
		return err
	}
	<-e.polled
	began := time.Now()
	for _, payload := range payloads {
		e.events <- payload
		if !<-e.done {
			return fmt.Errorf("an invocation failed")
		}
	}
	took := time.Since(began).Seconds()
	peak, err := (&server{cmd: cmd}).peakRSS()
	if err != nil {
		return err
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	events := c.batch * c.batches
	want := int64(0)
	for range payloads {
		want += int64(min(c.batch, c.distinct))
	}
	if e.findings.Load() != want {
		return fmt.Errorf("%d findings arrived, want %d", e.findings.Load(), want)
	}
	fmt.Printf("| %s | %.0f | %.0f | %.1f | %.1f | %.2f | %d MB |\n", c.name, float64(events)/took, float64(e.findings.Load())/took,
		float64(e.requests.Load())/took, float64(cpu.Microseconds())/float64(events), cpu.Seconds(), peak>>20)
	return nil
}

// logEvents is the event of a subscription filter with n alerts in Fluent Bit's envelope.
func logEvents(first, n, distinct int) []byte {
	type event struct {
		ID        string `json:"id"`
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
	}
	events := make([]event, n)
	for i := range events {
		at := first + i
		log, _ := json.Marshal(map[string]any{"log": string(appendAlert(nil, at, at%distinct)) + "\n", "az": "eu-central-1a", "ec2_instance_id": "i-0123456789abcdef0",
			"kubernetes": map[string]string{"pod_name": "falco-x7k2p", "namespace_name": "falco", "host": "node-1", "container_name": "falco"}})
		events[i] = event{fmt.Sprintf("%056d", at), loadStart.UnixMilli(), string(log)}
	}
	doc, _ := json.Marshal(map[string]any{"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/eyrie/falco", "logStream": "node-1",
		"subscriptionFilters": []string{"eyrie"}, "logEvents": events})
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(doc)
	_ = z.Close()
	return slices.Concat([]byte(`{"awslogs":{"data":"`), []byte(base64.StdEncoding.EncodeToString(b.Bytes())), []byte(`"}}`))
}

package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eyrie-sec/eyrie/collect/ship/cloudwatch/logstest"
)

const logGroup = "/eyrie/falco"

// awsEnv is what makes the SDK and the aws CLI speak to s and to nobody else.
func awsEnv(t testing.TB, s *logstest.Server) []string {
	dir := t.TempDir()
	return []string{"AWS_ENDPOINT_URL=" + s.URL, "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret-of-the-test", "AWS_REGION=eu-central-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + filepath.Join(dir, "none"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(dir, "none")}
}

func newLogs(t testing.TB, groups ...string) *logstest.Server {
	s := logstest.New(groups...)
	t.Cleanup(s.Close)
	for _, v := range awsEnv(t, s) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return s
}

func logsOptions(t testing.TB, from ...string) Options {
	return Options{From: from, To: "cloudwatch:" + logGroup, Stream: "node-1", Cluster: "prod", SpoolDir: filepath.Join(t.TempDir(), "spool"),
		Poll: 2 * time.Millisecond, Linger: 50 * time.Millisecond}
}

// numbers counts the alerts of a crash test's writer in the log group.
func numbers(t testing.TB, s *logstest.Server) map[int]int {
	t.Helper()
	counts := map[int]int{}
	for _, e := range s.Events(logGroup) {
		var a struct{ N int }
		if err := json.Unmarshal([]byte(e.Message), &a); err != nil {
			t.Fatalf("an event that was never written: %.100q", e.Message)
		}
		counts[a.N]++
	}
	return counts
}

// TestKillCloudWatch kills the agent at random moments while its logs grow and rotate and CloudWatch Logs throttles, fails and
// cuts connections before and after it has stored events. In the end every alert is in the log group.
func TestKillCloudWatch(t *testing.T) {
	rounds := crashRounds(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd, faults := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
	s := newLogs(t, logGroup)
	s.Before = func(string, int) *logstest.Fault {
		return []*logstest.Fault{{Status: 400, Code: "ThrottlingException"}, {Status: 503, Code: "ServiceUnavailableException"}, {}, nil, nil, nil, nil, nil}[faults.IntN(8)]
	}
	s.After = func(string, int) *logstest.Fault {
		return []*logstest.Fault{{}, nil, nil, nil, nil, nil, nil, nil}[faults.IntN(8)]
	}
	w := &writer{t: t, dir: t.TempDir(), rnd: rnd, time: time.Now().UTC()}
	opt := logsOptions(t, filepath.Join(w.dir, "*.log*"))
	for round := range rounds {
		agent := startAgent(t, opt)
		if round == 0 { // what was rotated before the first start is not read
			poll(t, "the first start", func() bool { all := segments(t, opt); return len(all) > 0 && !strings.HasSuffix(all[0], ".seg 0") })
		}
		before := len(s.Events(logGroup))
		for range 1 + rnd.IntN(300) {
			w.step()
		}
		if rnd.IntN(3) > 0 {
			poll(t, "some alerts", func() bool { w.step(); return len(s.Events(logGroup)) > before })
		}
		if err := agent.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatalf("round %d: the agent had ended by itself: %v", round, err)
		}
		_ = agent.Wait() // it says that it was killed
	}
	agent := startAgent(t, opt)
	looked := 0
	poll(t, "every alert", func() bool {
		if n := len(s.Events(logGroup)); n > looked {
			looked = n
			return len(numbers(t, s)) == w.n
		}
		return false
	})
	if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := agent.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	again := 0
	for n, count := range numbers(t, s) {
		if n < 1 || n > w.n {
			t.Errorf("alert %d was never written", n)
		}
		again += count - 1
	}
	t.Logf("%d alerts, %d stored again because an answer was lost", w.n, again)
}

// TestOutageOfCloudWatch: while the service is away alerts wait; when it is back each is there once.
func TestOutageOfCloudWatch(t *testing.T) {
	s := newLogs(t, logGroup)
	down := make(chan struct{})
	s.Before = func(string, int) *logstest.Fault {
		select {
		case <-down:
			return nil
		default:
			return &logstest.Fault{Status: 503, Code: "ServiceUnavailableException"}
		}
	}
	dir := t.TempDir()
	w := &writer{t: t, dir: dir, rnd: rand.New(rand.NewPCG(1, 1)), time: time.Now().UTC()}
	opt := logsOptions(t, filepath.Join(dir, "*.log"))
	opt.FromStart = true
	registry := prometheus.NewPedanticRegistry()
	opt.Registerer = registry
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, opt) }()
	for range 2000 {
		w.append(filepath.Join(dir, "bare.log"), fmt.Sprintf("{\"n\":%d}\n", w.n+1))
		w.n++
	}
	poll(t, "requests in vain", func() bool { return s.Calls("PutLogEvents") > 2 })
	if n := len(s.Events(logGroup)); n != 0 {
		t.Fatalf("%d events during the outage", n)
	}
	close(down)
	poll(t, "every alert", func() bool { return len(s.Events(logGroup)) >= w.n })
	if got := numbers(t, s); len(got) != w.n || len(s.Events(logGroup)) != w.n {
		t.Errorf("%d alerts in %d events, want %d once each", len(got), len(s.Events(logGroup)), w.n)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	if !names["eyrie_agent_restamped_alerts_total"] || !names["eyrie_agent_kept_alerts_total"] {
		t.Error("the metrics of CloudWatch Logs are missing")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestMissingLogGroup: it is said, once, what is missing; the alerts wait and go out when it is there.
func TestMissingLogGroup(t *testing.T) {
	s := newLogs(t)
	opt := logsOptions(t, "-")
	var log bytes.Buffer
	opt.Logger = slog.New(slog.NewTextHandler(&log, nil))
	opt.Input = strings.NewReader(strings.Join(alertLines(t), "\n") + "\n")
	err := Run(t.Context(), opt)
	if !errors.Is(err, ErrUndelivered) || !strings.Contains(err.Error(), "log group does not exist") {
		t.Errorf("got %v, want ErrUndelivered and that the log group does not exist", err)
	}
	if strings.Contains(log.String()+err.Error(), "secret-of-the-test") {
		t.Error("the secret is in the log or the error")
	}
	runAWS(t, s, "logs", "create-log-group", "--log-group-name", logGroup)
	opt.Input = strings.NewReader("")
	if err := Run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	if got, want := len(s.Events(logGroup)), len(alertLines(t)); got != want {
		t.Errorf("%d events, want %d", got, want)
	}
}

// TestAWSCLIReads: what the agent has shipped is what the aws CLI shows.
func TestAWSCLIReads(t *testing.T) {
	s := newLogs(t)
	runAWS(t, s, "logs", "create-log-group", "--log-group-name", logGroup)
	opt := logsOptions(t, "-")
	opt.Input = strings.NewReader(strings.Join(alertLines(t), "\n") + "\n")
	if err := Run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	var streams struct {
		LogStreams []struct{ LogStreamName string }
	}
	decode(t, runAWS(t, s, "logs", "describe-log-streams", "--log-group-name", logGroup), &streams)
	if len(streams.LogStreams) != 1 || streams.LogStreams[0].LogStreamName != "node-1" {
		t.Errorf("streams %v, want node-1", streams.LogStreams)
	}
	var events struct{ Events []struct{ Message string } }
	decode(t, runAWS(t, s, "logs", "filter-log-events", "--log-group-name", logGroup, "--log-stream-names", "node-1"), &events)
	if got, want := len(events.Events), len(alertLines(t)); got != want {
		t.Fatalf("the CLI shows %d events, want %d", got, want)
	}
	for _, e := range events.Events {
		var a struct{ Rule, Cluster string }
		decode(t, e.Message, &a)
		if a.Rule == "" || a.Cluster != "prod" {
			t.Errorf("rule %q, cluster %q in %s", a.Rule, a.Cluster, e.Message)
		}
	}
}

func decode(t testing.TB, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}

// runAWS runs the aws CLI against s and returns what it prints; without it, the test is skipped.
func runAWS(t testing.TB, s *logstest.Server, args ...string) string {
	t.Helper()
	aws, err := exec.LookPath("aws")
	if err != nil {
		const hint = "no aws command on PATH: install the AWS CLI (Debian: awscli) to run this test"
		if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	cmd := exec.CommandContext(t.Context(), aws, append([]string{"--endpoint-url", s.URL, "--output", "json"}, args...)...)
	cmd.Env = append(os.Environ(), awsEnv(t, s)...)
	cmd.Env = append(cmd.Env, "AWS_DEFAULT_REGION=eu-central-1", "AWS_PAGER=")
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, errOut.String())
	}
	return out.String()
}

func TestCloudWatchOptions(t *testing.T) {
	newLogs(t)
	for name, change := range map[string]func(*Options){
		"no group": func(o *Options) { o.To = "cloudwatch:" },
		"key":      func(o *Options) { o.Key = "k" },
		"CA file":  func(o *Options) { o.CAFile = "f" },
		"account":  func(o *Options) { o.Account = "123456789012" },
		"stream":   func(o *Options) { o.Stream = "a*" },
		"hub":      func(o *Options) { o.To = "http://hub" }, // has no stream
	} {
		opt := logsOptions(t, "x")
		change(&opt)
		if err := Run(t.Context(), opt); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestKeptBesideSpool: what the service never takes is kept beside the spool, and the next run finds both as they were.
func TestKeptBesideSpool(t *testing.T) {
	s := newLogs(t, logGroup)
	s.Poison = "poison"
	opt := logsOptions(t, "-")
	for run := range 2 {
		opt.Input = strings.NewReader("{\"n\":1}\n{\"n\":2,\"text\":\"poison\"}\n{\"n\":3}\n")
		if err := Run(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(opt.SpoolDir, "kept.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bytes.Count(b, []byte("poison\\\"}")), run+1; got != want {
			t.Errorf("%d alerts are kept, want %d:\n%s", got, want, b)
		}
		if got, want := len(s.Events(logGroup)), 2*(run+1); got != want {
			t.Errorf("%d events, want %d", got, want)
		}
	}
}

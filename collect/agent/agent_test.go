package agent

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// hub is a fake hub: it stores each line once, and misbehaves before or after storing if told to.
type hub struct {
	*httptest.Server
	key    string
	before func(w http.ResponseWriter, lines int) bool // true: it has answered, and nothing is stored
	after  func(w http.ResponseWriter) bool            // true: it has answered, though all is stored

	mu     sync.Mutex
	lines  []string
	seen   map[string]bool
	dups   int
	querys []string
}

func newHub(t testing.TB) *hub {
	h := &hub{seen: map[string]bool{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Server.Close)
	return h
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.key != "" && r.Header.Get("Authorization") != "Bearer "+h.key {
		http.Error(w, `{"error":"no key"}`, http.StatusUnauthorized)
		return
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(z)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.querys = append(h.querys, r.URL.Path+"?"+r.URL.RawQuery+" "+r.Header.Get("X-Eyrie-Way"))
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if h.before != nil && h.before(w, len(lines)) {
		return
	}
	type rejected struct {
		Index  int    `json:"index"`
		Reason string `json:"reason"`
	}
	var answer struct {
		Accepted   int        `json:"accepted"`
		Duplicates int        `json:"duplicates"`
		Rejected   []rejected `json:"rejected"`
	}
	for i, line := range lines {
		switch {
		case h.seen[line]:
			answer.Duplicates++
			h.dups++
			continue
		case !json.Valid([]byte(line)):
			answer.Rejected = append(answer.Rejected, rejected{i, "not_json"})
		default:
			answer.Accepted++
		}
		h.seen[line] = true
		h.lines = append(h.lines, line)
	}
	if h.after != nil && h.after(w) {
		return
	}
	if len(answer.Rejected) > 0 {
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (h *hub) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

func poll(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func options(t testing.TB, h *hub, from ...string) Options {
	return Options{From: from, To: h.URL, SpoolDir: filepath.Join(t.TempDir(), "spool"), Poll: 2 * time.Millisecond, Linger: 50 * time.Millisecond}
}

func TestInputIsDeliveredAndEnds(t *testing.T) {
	h := newHub(t)
	h.key = "secret-key"
	opt := options(t, h, "-")
	opt.KeyFile = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(opt.KeyFile, []byte("secret-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opt.Cluster, opt.Region, opt.Account = "c 1", "eu-central-1", "123456789012"
	want := alertLines(t)
	opt.Input = strings.NewReader("Falco version: 0.44.0\n" + strings.Join(want, "\n") + "\n{\"broken\n")
	opt.Registerer = prometheus.NewPedanticRegistry()
	if err := Run(context.Background(), opt); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h.got(), append(want, `{"broken`)); diff != "" {
		t.Errorf("lines at the hub (-got +want):\n%s", diff)
	}
	if got, want := h.querys[0], "/falco?account=123456789012&cluster=c+1&region=eu-central-1 agent"; got != want {
		t.Errorf("request %q, want %q", got, want)
	}
}

// alertLines are recorded alerts of a real Falco, or made ones where the records are missing.
func alertLines(t testing.TB) []string {
	if os.Getenv("EYRIE_NO_SHARED") == "" {
		return strings.Split(strings.TrimSpace(string(testshared.Read(t, "falco/alerts/docker-event-generator.jsonl"))), "\n")
	}
	return []string{`{"a":1}`, `{"a":2}`}
}

func TestUndeliveredInputIsAnError(t *testing.T) {
	h := newHub(t)
	var log bytes.Buffer
	opt := options(t, h, "-")
	opt.Logger = slog.New(slog.NewTextHandler(&log, nil))
	opt.Input = strings.NewReader("{\"a\":1}\n{\"a\":2}\n")
	h.key, opt.Key = "the right key", "wrong-secret"
	err := Run(context.Background(), opt)
	if !errors.Is(err, ErrUndelivered) || !strings.Contains(err.Error(), "2 alerts were not delivered") || !strings.Contains(err.Error(), "401") {
		t.Errorf("got %v, want ErrUndelivered, how many, and why", err)
	}
	if strings.Contains(log.String()+err.Error(), "wrong-secret") {
		t.Errorf("the key is in the log or the error:\n%s%v", log.String(), err)
	}
	// The next run delivers them, before its own.
	h.key, opt.Key = "", ""
	opt.Input = strings.NewReader("{\"a\":3}\n")
	if err := Run(context.Background(), opt); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h.got(), []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}); diff != "" {
		t.Errorf("lines at the hub (-got +want):\n%s", diff)
	}
}

func TestAbsentHubKeepsAlerts(t *testing.T) {
	h := newHub(t)
	opt := options(t, h, "-")
	opt.InputTimeout = time.Millisecond
	opt.Input = strings.NewReader("{\"a\":1}\n")
	opt.To = "http://127.0.0.1:1/falco/secret-in-the-path"
	err := Run(context.Background(), opt)
	if !errors.Is(err, ErrUndelivered) || strings.Contains(err.Error(), "secret-in-the-path") {
		t.Errorf("got %v, want ErrUndelivered without the key of the path", err)
	}
	opt.To, opt.Input, opt.InputTimeout = h.URL, strings.NewReader(""), 0
	if err := Run(context.Background(), opt); err != nil || len(h.got()) != 1 {
		t.Errorf("got %v and %q at the hub, want the alert of the run before", err, h.got())
	}
}

func TestSecondAgentIsRefused(t *testing.T) {
	h := newHub(t)
	opt := options(t, h, filepath.Join(t.TempDir(), "x.log"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Run(ctx, opt) }()
	poll(t, "the first agent's lock", func() bool { _, err := os.Stat(filepath.Join(opt.SpoolDir, "mark")); return err == nil })
	err := Run(context.Background(), opt)
	if err == nil || !strings.Contains(err.Error(), opt.SpoolDir) || !strings.Contains(err.Error(), "--spool") {
		t.Errorf("got %v, want a message that names the directory and --spool", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestOptionErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, change := range map[string]func(*Options){
		"no path":         func(o *Options) { o.From = nil },
		"no URL":          func(o *Options) { o.To = "" },
		"not a URL":       func(o *Options) { o.To = "hub:8080" },
		"password in URL": func(o *Options) { o.To = "http://a:b@hub" },
		"account":         func(o *Options) { o.Account = "12" },
		"small spool":     func(o *Options) { o.SpoolMax = 1 << 20 },
		"long lines":      func(o *Options) { o.MaxLine = 16 << 20; o.SpoolMax = 64 << 20 },
		"two keys":        func(o *Options) { o.Key, o.KeyFile = "a", "b" },
		"no key file":     func(o *Options) { o.KeyFile = filepath.Join(dir, "none") },
		"empty key file":  func(o *Options) { o.KeyFile = file("empty", "\n") },
		"two keys, file":  func(o *Options) { o.KeyFile = file("two", "a\nb\n") },
		"no CA file":      func(o *Options) { o.CAFile = filepath.Join(dir, "none") },
		"CA not PEM":      func(o *Options) { o.CAFile = file("ca", "x") },
	} {
		opt := Options{From: []string{"x"}, To: "http://hub", SpoolDir: filepath.Join(dir, "spool")}
		change(&opt)
		if err := Run(context.Background(), opt); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTLSWithOwnCA(t *testing.T) {
	h := &hub{seen: map[string]bool{}}
	h.Server = httptest.NewUnstartedServer(h)
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the client that does not know it
	h.StartTLS()
	defer h.Server.Close()
	opt := options(t, h, "-")
	opt.Input = strings.NewReader("{\"a\":1}\n")
	opt.InputTimeout = time.Millisecond
	if err := Run(context.Background(), opt); !errors.Is(err, ErrUndelivered) {
		t.Errorf("got %v with an unknown CA, want ErrUndelivered", err)
	}
	opt.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	if err := os.WriteFile(opt.CAFile, block, 0o600); err != nil {
		t.Fatal(err)
	}
	opt.Input, opt.InputTimeout = strings.NewReader(""), 0
	if err := Run(context.Background(), opt); err != nil || len(h.got()) != 1 {
		t.Errorf("got %v and %q at the hub, want one alert", err, h.got())
	}
}

// TestFullSpool: reading stops, nothing is dropped, and it goes on when the hub is back.
func TestFullSpool(t *testing.T) {
	h := newHub(t)
	var down sync.Once
	back := make(chan struct{})
	h.before = func(w http.ResponseWriter, _ int) bool {
		select {
		case <-back:
			return false
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
	}
	full := make(chan struct{})
	opt := options(t, h, filepath.Join(t.TempDir(), "x.log"))
	opt.FromStart = true
	opt.SpoolMax = 8 << 20
	opt.Logger = slog.New(onMessage{slog.DiscardHandler, "the spool is full", func() { down.Do(func() { close(full) }) }})
	var want []string
	var text strings.Builder
	for i := range 24_000 { // about 24 MB
		line := fmt.Sprintf(`{"n":%d,"x":"%s"}`, i, strings.Repeat("x", 980))
		want = append(want, line)
		text.WriteString(line + "\n")
	}
	if err := os.WriteFile(opt.From[0], []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Run(ctx, opt) }()
	<-full
	close(back)
	poll(t, "everything", func() bool { return len(h.got()) == len(want) })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !slices.Equal(h.got(), want) || h.dups != 0 {
		t.Errorf("the hub's lines are not those of the file in order, each once; %d duplicates", h.dups)
	}
}

// onMessage calls f when a message begins with start.
type onMessage struct {
	slog.Handler
	start string
	f     func()
}

func (o onMessage) Enabled(context.Context, slog.Level) bool { return true }

func (o onMessage) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, o.start) {
		o.f()
	}
	return nil
}

func TestProgressAndMetrics(t *testing.T) {
	h := newHub(t)
	opt := options(t, h, "-")
	var log bytes.Buffer
	opt.Logger = slog.New(slog.NewTextHandler(&log, nil))
	registry := prometheus.NewPedanticRegistry()
	opt.Registerer = registry
	var values map[string]float64
	h.after = func(http.ResponseWriter) bool {
		families, err := registry.Gather()
		if err != nil {
			t.Error(err)
		}
		values = map[string]float64{}
		for _, f := range families {
			values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
		return false
	}
	opt.Input = strings.NewReader("hello\n{\"a\":1}\n")
	if err := Run(context.Background(), opt); err != nil {
		t.Fatal(err)
	}
	if values["eyrie_agent_spool_alerts"] != 1 || values["eyrie_agent_lines_total"] != 1 || len(values) < 15 {
		t.Errorf("metrics while one alert waits: %v", values)
	}
	if want := `msg=progress "alerts read"=1 "other lines"=1 shipped=1 waiting=0 hub=ok`; !strings.Contains(log.String(), want) {
		t.Errorf("log has no line %q:\n%s", want, log.String())
	}
	if families, err := registry.Gather(); err != nil || len(families) != 0 {
		t.Errorf("%d metrics are left after Run, %v", len(families), err)
	}
}

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/collect/spool"
)

// TestMain is the agent itself when TestKill starts it as a process of its own.
func TestMain(m *testing.M) {
	args := os.Getenv("EYRIE_CRASH_AGENT")
	if args == "" {
		os.Exit(m.Run())
	}
	var opt Options
	if err := json.Unmarshal([]byte(args), &opt); err != nil {
		panic(err)
	}
	opt.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, opt); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// writer writes alerts to four logs, in the runtimes' formats, and rotates them in their ways.
type writer struct {
	t    *testing.T
	dir  string
	rnd  *rand.Rand
	n    int
	gen  int
	time time.Time
	log  []string // what happened to each log, by alert
}

func (w *writer) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%d ", w.n)+fmt.Sprintf(format, args...))
}

// step writes one alert to one of the logs, or rotates one.
func (w *writer) step() {
	name := []string{"bare.log", "cri.log", "docker.log", "copied.log"}[w.rnd.IntN(4)]
	path := filepath.Join(w.dir, name)
	if w.rnd.IntN(60) == 0 {
		w.rotate(path)
	}
	if w.rnd.IntN(20) == 0 {
		w.append(path, "Sat Nov 21 02:07:42 2026: Falco says something\n")
	}
	w.n++
	w.note("%s", name)
	alert := fmt.Sprintf(`{"n":%d,"text":"%s"}`, w.n, strings.Repeat("x", w.rnd.IntN(300)))
	w.time = w.time.Add(time.Microsecond)
	now := w.time.Format("2006-01-02T15:04:05.000000000Z")
	switch name {
	case "cri.log":
		for len(alert) > 50 && w.rnd.IntN(3) > 0 {
			cut := 1 + w.rnd.IntN(40)
			w.append(path, now+" stdout P "+alert[:cut]+"\n")
			alert = alert[cut:]
			if w.rnd.IntN(10) == 0 {
				w.append(path, now+" stderr F an other stream\n")
			}
			if w.rnd.IntN(30) == 0 {
				w.rotate(path)
			}
		}
		w.append(path, now+" stdout F "+alert+"\n")
	case "docker.log":
		line := func(text string) {
			b, err := json.Marshal(text)
			if err != nil {
				w.t.Fatal(err)
			}
			w.append(path, `{"log":`+string(b)+`,"stream":"stdout","time":"`+now+"\"}\n")
		}
		if len(alert) > 200 {
			line(alert[:150])
			alert = alert[150:]
		}
		line(alert + "\n")
	default:
		half := w.rnd.IntN(len(alert)) // in two writes
		w.append(path, alert[:half])
		w.append(path, alert[half:]+"\n")
	}
}

func (w *writer) append(path, text string) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) rotate(path string) {
	w.gen++
	to := fmt.Sprintf("%s.%s-%06d", path, "20261121", w.gen)
	w.note("rotated to %s", filepath.Base(to))
	if filepath.Base(path) == "copied.log" {
		b, err := os.ReadFile(path)
		if err != nil {
			return // not there yet
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Truncate(path, 0); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	_ = os.Rename(path, to) // not there yet, perhaps
}

// wait waits until every alert is at the hub, and says which is not.
func (w *writer) wait(h *hub) {
	w.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for len(h.got()) < w.n {
		if time.Now().After(deadline) {
			checkHub(w.t, h, w)
			w.t.FailNow()
		}
		time.Sleep(time.Millisecond)
	}
}

// clean deletes old generations.
func (w *writer) clean() {
	old, err := filepath.Glob(filepath.Join(w.dir, "*.log.*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			w.t.Fatal(err)
		}
	}
}

// misbehave makes a hub that fails in half of the requests, in all the ways there are.
func misbehave(h *hub, rnd *rand.Rand) {
	broken := func(w http.ResponseWriter) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
	}
	h.before = func(w http.ResponseWriter, lines int) bool {
		switch n := rnd.IntN(8); {
		case n == 0:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		case n == 1 && lines > 1:
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case n == 2:
			broken(w)
		default:
			return false
		}
		return true
	}
	h.after = func(w http.ResponseWriter) bool {
		if rnd.IntN(8) > 0 {
			return false
		}
		broken(w)
		return true
	}
}

func crashRounds(t *testing.T) int {
	t.Helper()
	s := os.Getenv("EYRIE_CRASH_ROUNDS")
	if s == "" {
		return 5
	}
	rounds, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return rounds
}

// TestKill kills the agent at random moments while its logs grow and rotate and its hub fails. In the end every alert
// must have been spooled exactly once and be at the hub. EYRIE_CRASH_ROUNDS is the number of kills.
func TestKill(t *testing.T) {
	rounds := crashRounds(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	h := newHub(t)
	misbehave(h, rand.New(rand.NewPCG(seed, 1)))
	w := &writer{t: t, dir: t.TempDir(), rnd: rnd, time: time.Unix(1795226862, 0).UTC()}
	opt := options(t, h, filepath.Join(w.dir, "*.log*"))
	opt.FromStart = true
	for round := range rounds {
		agent := startAgent(t, opt)
		if round == 0 { // what was rotated before the first start is not read
			poll(t, "the first start", func() bool { all := segments(t, opt); return len(all) > 0 && !strings.HasSuffix(all[0], ".seg 0") })
		}
		before, steps := len(h.got()), 1+rnd.IntN(400)
		for range steps {
			w.step()
		}
		switch rnd.IntN(3) { // the moment: at once, when the spool grows, when some alerts have arrived
		case 0:
			was := segments(t, opt)
			poll(t, "the spool", func() bool { w.step(); return !slices.Equal(segments(t, opt), was) })
		case 1:
			some := before + 1 + rnd.IntN(steps)
			poll(t, "some alerts", func() bool { w.step(); return len(h.got()) >= some })
		}
		if round%20 == 19 { // as a rotation does, some time
			w.wait(h)
			w.note("old generations deleted")
			w.clean()
		}
		w.note("killed")
		if err := agent.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatalf("round %d: the agent had ended by itself: %v", round, err)
		}
		_ = agent.Wait() // it says that it was killed
		for range rnd.IntN(100) {
			w.step()
		}
	}
	agent := startAgent(t, opt)
	w.wait(h)
	if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := agent.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	checkAll(t, h, w, opt.SpoolDir)
}

// segments returns names and sizes of the spool's segments.
func segments(t *testing.T, opt Options) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(opt.SpoolDir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		if info, err := os.Stat(name); err == nil {
			names[i] = fmt.Sprintf("%s %d", filepath.Base(name), info.Size())
		}
	}
	return names
}

func checkAll(t *testing.T, h *hub, w *writer, dir string) {
	t.Helper()
	checkHub(t, h, w)
	s, err := spool.Open(spool.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Stats(); int(got.Next) != w.n || got.Lost != 0 {
		t.Errorf("%d alerts were spooled (%d lost), want %d: each line once", got.Next, got.Lost, w.n)
	}
	t.Logf("%d alerts, %d generations of logs, %d sent again", w.n, w.gen, h.dups)
}

// checkHub checks that each alert is at the hub once.
func checkHub(t *testing.T, h *hub, w *writer) {
	t.Helper()
	numbers := map[int]int{}
	for _, line := range h.got() {
		var a struct{ N int }
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Errorf("the hub has a line that was never written: %.100q", line)
		}
		numbers[a.N]++
	}
	for n, bad := 1, 0; n <= w.n && bad < 10; n++ {
		if numbers[n] != 1 {
			bad++
			t.Errorf("alert %d is %d times at the hub, want once", n, numbers[n])
			for i, line := range w.log {
				if strings.HasPrefix(line, fmt.Sprint(n, " ")) {
					t.Logf("what was written then: %q", w.log[max(0, i-5):min(len(w.log), i+20)])
					break
				}
			}
		}
	}
}

func startAgent(t *testing.T, opt Options) *exec.Cmd {
	t.Helper()
	args, err := json.Marshal(map[string]any{
		"From": opt.From, "To": opt.To, "Stream": opt.Stream, "SpoolDir": opt.SpoolDir, "FromStart": true, "Poll": 2 * time.Millisecond, "Linger": 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EYRIE_CRASH_AGENT="+string(args))
	log, err := os.Create(filepath.Join(t.TempDir(), "agent.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // ended already, if all went well
		if t.Failed() {
			if b, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("an agent's last words:\n%s", b[max(0, len(b)-30_000):])
			}
		}
	})
	return cmd
}

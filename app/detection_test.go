package app

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/sensortest"
)

// watching is a Detection that runs in this process.
type watching struct {
	*Detection
	rules string // path of the rule file

	mu     sync.Mutex
	alerts []*falco.Alert // guarded by mu
	stop   func()
}

func watch(t *testing.T, rules string) *watching {
	t.Helper()
	o := withRules(t, rules)
	d, err := OpenDetection(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{Detection: d, rules: o.Rules[0]}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- d.Run(ctx, func(_ context.Context, alerts []*falco.Alert) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.alerts = append(w.alerts, alerts...)
			return nil
		})
	}()
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	t.Cleanup(w.stop)
	return w
}

// of lists a field of the alerts of a rule.
func (w *watching) of(rule, field string) (values []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.alerts {
		if a.Rule == rule {
			values = append(values, a.Get(field))
		}
	}
	return values
}

func (w *watching) lost() (causes []string) {
	st := w.Stats()
	for cause, n := range st.Drops() {
		if n > 0 {
			causes = append(causes, fmt.Sprintf("%s: %d", cause, n))
		}
	}
	return causes
}

// TestSensorBurst: every one of many opens in a row is told, in order, by one rule that is changed meanwhile by another of
// the same condition: none is lost and none is told twice.
func TestSensorBurst(t *testing.T) {
	sensortest.Need(t)
	dir := t.TempDir()
	text := func(name string) string {
		return fmt.Sprintf("- rule: %s\n  desc: a test\n  condition: evt.type = openat and fd.name startswith %s/ and fd.num >= 0\n  output: \"%%fd.filename %%proc.pid\"\n  priority: NOTICE\n", name, dir)
	}
	w := watch(t, text("before"))
	const files = 4000
	go func() {
		for i := 0; len(w.of("before", "fd.filename")) < 500; i++ {
			time.Sleep(time.Millisecond)
		}
		if err := os.WriteFile(w.rules, []byte(text("after")), 0o600); err != nil {
			t.Error(err)
		}
		if err := w.Reload(); err != nil {
			t.Error(err)
		}
	}()
	// The sensor does not look at this process: a child opens the files.
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do : > %s/$i; i=$((i+1)); done", files, dir)
	if out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	waitFor(t, "all alerts", func() bool {
		return len(w.of("before", "fd.filename"))+len(w.of("after", "fd.filename")) >= files
	})
	w.stop()
	before, after := w.of("before", "fd.filename"), w.of("after", "fd.filename")
	for i, name := range append(before, after...) {
		if name != fmt.Sprint(i) {
			t.Fatalf("alert %d is of file %s: lost, twice, or out of order", i, name)
		}
	}
	if len(before) < 500 || len(after) == 0 {
		t.Errorf("%d alerts by the rules before, %d by those after: want both", len(before), len(after))
	}
	if lost := w.lost(); len(lost) > 0 {
		t.Errorf("drops: %v", lost)
	}
}

// TestSensorForkBomb lets a shell fork as fast as it can, in a shell that may have a few hundred processes; memory stays
// bounded, the process table forgets the dead, and what happens afterwards is seen with the right ancestors.
func TestSensorForkBomb(t *testing.T) {
	sensortest.Need(t)
	const rule = `
- rule: After the bomb
  desc: a test
  condition: evt.type = openat and fd.name = /etc/hostname and proc.cmdline contains eyrie-bomb
  output: "%proc.name %proc.pname %proc.aname[2] %proc.aname[3] %proc.pid"
  priority: NOTICE
- rule: Program
  desc: a test
  condition: evt.type = execve and proc.name = true and proc.pname = bomber
  output: "%proc.pid"
  priority: NOTICE
`
	w := watch(t, rule)
	bomber := filepath.Join(t.TempDir(), "bomber")
	const script = "#!/bin/sh\nbomb() { i=0; while [ $i -lt 40 ]; do /bin/true & ( ( : ) & ) ; i=$((i+1)); done; wait; }\nr=0; while [ $r -lt 15 ]; do bomb; r=$((r+1)); done\n"
	if err := os.WriteFile(bomber, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cmd := exec.Command(bomber)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := exec.Command("/bin/sh", "-c", "sh -c 'cat /etc/hostname /dev/null -- eyrie-bomb; true'; true").Run(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the alert after the bomb", func() bool { return len(w.of("After the bomb", "proc.name")) > 0 })
	w.stop()
	runtime.ReadMemStats(&after)
	if got := w.of("Program", "proc.pid"); len(got) != 600 {
		t.Errorf("%d programs were seen to start, want 600; drops: %v", len(got), w.lost())
	}
	if p, a := w.of("After the bomb", "proc.pname")[0], w.of("After the bomb", "proc.aname[2]")[0]; p != "sh" || a != "sh" {
		t.Errorf("parent %q and grandparent %q, want sh and sh", p, a)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	if st := w.Stats(); st.Sensor.Processes > 20_000 {
		t.Errorf("%d processes in the table", st.Sensor.Processes)
	}
}

// TestSensorDropsAreCounted fills a tiny buffer faster than it is read: what is lost is counted, and the sensor goes on.
func TestSensorDropsAreCounted(t *testing.T) {
	sensortest.Need(t)
	o := withRules(t, "- rule: Any open\n  desc: a test\n  condition: evt.type = openat and fd.name startswith /\n  output: \"%fd.name\"\n  priority: DEBUG\n")
	o.Sensor.BufferBytes = os.Getpagesize()
	d, err := OpenDetection(o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	// Nobody reads yet.
	if err := exec.Command("/bin/sh", "-c", strings.Repeat(": > /dev/null; ", 200)).Run(); err != nil {
		t.Fatal(err)
	}
	if st := d.Stats(); st.Drops()["kernel buffer full"] == 0 {
		t.Errorf("drops %v: want some for a full buffer", st.Drops())
	}
	got := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- d.Run(ctx, func(_ context.Context, alerts []*falco.Alert) error {
			for _, a := range alerts {
				if a.Get("fd.name") == "/etc/hostname" {
					select {
					case got <- a.Get("fd.name"):
					default:
					}
				}
			}
			return nil
		})
	}()
	waitFor(t, "an alert after the loss", func() bool {
		if err := exec.Command("/bin/sh", "-c", ": < /etc/hostname").Run(); err != nil {
			t.Fatal(err)
		}
		return len(got) > 0
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

package sensor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/container"
	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/kernel"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// script is a source that gives what a test puts in.
type script struct {
	events chan raw.Event
	woken  chan struct{}

	mu      sync.Mutex
	filters []filter.Filter // guarded by mu
	stats   kernel.Stats    // guarded by mu
	broken  error           // guarded by mu; of Next, once it is woken
	closed  chan struct{}
	once    sync.Once
}

func newScript() *script {
	return &script{events: make(chan raw.Event, 100), woken: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (s *script) Next(r *raw.Event) error {
	select {
	case *r = <-s.events:
		return nil
	case <-s.woken:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.broken != nil {
			return s.broken
		}
		return kernel.ErrWoken
	case <-s.closed:
		return os.ErrClosed
	}
}

func (s *script) Wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

func (s *script) SetFilter(f filter.Filter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filters = append(s.filters, f)
	return nil
}

func (s *script) Stats() (kernel.Stats, error) {
	select {
	case <-s.closed:
		return kernel.Stats{}, errors.New("closed")
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats, nil
}

func (s *script) Missing() []string { return []string{"signal_deliver: gone"} }

func (s *script) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func engine(t *testing.T, conditions ...string) *rule.Engine {
	t.Helper()
	var b strings.Builder
	for i, c := range conditions {
		fmt.Fprintf(&b, "- rule: r%d\n  desc: d\n  condition: %s\n  output: o\n  priority: NOTICE\n", i, c)
	}
	set, report := rule.Load([]rule.File{{Name: "r.yaml", Content: []byte(b.String())}}, rule.LoadOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return rule.NewEngine(set, rule.Config{})
}

// mkdir is a system call of a process in a control group.
func mkdir(t *testing.T, pid int32, path, cgroup string) raw.Event {
	t.Helper()
	nr, ok := raw.Number("mkdir")
	if !ok {
		t.Skip("this architecture has no mkdir")
	}
	r := raw.Event{Kind: raw.Syscall, Nr: nr, Time: 1_700_000_000_000_000_000 + int64(pid),
		Task:  raw.Task{TID: pid, PID: pid, VTID: pid, VPID: pid, Start: 1e12, Comm: "maker", MountNS: 4026532000},
		Parts: []raw.Part{{Kind: raw.Path, Arg: 0, Data: []byte(path)}}}
	if cgroup != "" {
		r.Parts = append(r.Parts, raw.Part{Kind: raw.Cgroup, Arg: raw.NoArg, Data: []byte(cgroup)})
	}
	return r
}

const (
	fullID  = "aaaaaaaaaaaa0123456789abcdef0123456789abcdef0123456789abcdef0123"
	inOrder = "/docker/" + fullID
)

// docker answers for one container once it is let.
func docker(t *testing.T) (sockets []container.Socket, let func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "d") // the path of a socket has a limit of 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	var once sync.Once
	let = func() { once.Do(func() { close(gate) }) }
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-gate
		if !strings.Contains(r.URL.Path, fullID) {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"Id":%q,"Name":"/shop","Image":"sha256:%s","Config":{"Image":"example.com/shop:1.4"}}`, fullID, fullID)
	})}
	go s.Serve(l)
	t.Cleanup(func() { let(); s.Close() })
	return []container.Socket{{Type: container.TypeDocker, Path: path}}, let
}

// run runs a sensor on a script and collects what it gives: the path of the event and the image of its container.
type run struct {
	*Sensor
	src  *script
	stop func() error

	mu  sync.Mutex
	got []string // guarded by mu
}

func start(t *testing.T, cfg Config, src *script) *run {
	t.Helper()
	r := &run{Sensor: join(cfg, src), src: src}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- r.Run(ctx, func(e *event.Event) {
			path, _ := e.Text(field.FsPathName)
			id, _ := e.Text(field.ContainerID)
			image, _ := e.Text(field.ContainerImageRepository)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.got = append(r.got, strings.TrimSpace(path+" "+id+" "+image))
		})
	}()
	r.stop = sync.OnceValue(func() error { cancel(); return errors.Join(<-done, r.Close()) })
	t.Cleanup(func() { _ = r.stop() })
	return r
}

func (r *run) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); {
		if time.Since(began) > time.Minute {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestEventsWaitForTheirContainer: events of a container that is being looked up come with its image, in their order;
// those of the host do not wait for them.
func TestEventsWaitForTheirContainer(t *testing.T) {
	sockets, let := docker(t)
	src := newScript()
	r := start(t, Config{Engine: engine(t, "evt.type = mkdir"), Wait: time.Minute, Containers: container.Config{Sockets: sockets, Deadline: time.Minute}}, src)
	src.events <- mkdir(t, 4_000_001, "/in1", inOrder)
	src.events <- mkdir(t, 4_000_002, "/host", "/user.slice")
	src.events <- mkdir(t, 4_000_001, "/in2", "")
	wait(t, "the host's event", func() bool { return len(r.seen()) == 1 })
	let()
	wait(t, "the container's events", func() bool { return len(r.seen()) == 3 })
	want := []string{"/host host", "/in1 aaaaaaaaaaaa example.com/shop", "/in2 aaaaaaaaaaaa example.com/shop"}
	if got := r.seen(); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	st := r.Stats()
	if st.Events != 3 || st.Drops[causeLate] != 0 || st.Containers != 1 || st.Processes < 2 {
		t.Errorf("stats %+v", st)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// TestEventsDoNotWaitForEver: a runtime that does not answer delays events by Wait, and that is counted.
func TestEventsDoNotWaitForEver(t *testing.T) {
	sockets, _ := docker(t)
	src := newScript()
	r := start(t, Config{Engine: engine(t, "evt.type = mkdir"), Wait: 20 * time.Millisecond, Containers: container.Config{Sockets: sockets, Deadline: time.Minute}}, src)
	src.events <- mkdir(t, 4_000_001, "/in1", inOrder)
	wait(t, "the event", func() bool { return len(r.seen()) == 1 })
	if got := r.seen()[0]; got != "/in1 aaaaaaaaaaaa" {
		t.Errorf("event %q", got)
	}
	wait(t, "the count", func() bool { return r.Stats().Drops[causeLate] == 1 })
}

// TestWaitingEventsSurviveTheEnd: events that wait when the sensor is stopped are given, not lost.
func TestWaitingEventsSurviveTheEnd(t *testing.T) {
	sockets, _ := docker(t)
	src := newScript()
	r := start(t, Config{Engine: engine(t, "evt.type = mkdir"), Wait: time.Minute, Containers: container.Config{Sockets: sockets, Deadline: time.Millisecond}}, src)
	src.events <- mkdir(t, 4_000_001, "/in1", inOrder)
	wait(t, "the event to wait", func() bool { return r.Stats().Events == 1 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if got := r.seen(); len(got) != 1 {
		t.Errorf("events %q, want the one", got)
	}
}

// TestUse: what the kernel is asked for follows the rules, and events that no rule can match are not given.
func TestUse(t *testing.T) {
	src := newScript()
	r := start(t, Config{Engine: engine(t, "evt.type = rmdir"), Containers: container.Config{Sockets: []container.Socket{}}}, src)
	src.events <- mkdir(t, 4_000_001, "/before", "")
	src.events <- mkdir(t, 4_000_001, "/before", "")
	wait(t, "the process", func() bool { return len(src.events) == 0 })
	if err := r.Use(engine(t, "evt.type = mkdir", "evt.type = rmdir")); err != nil {
		t.Fatal(err)
	}
	src.events <- mkdir(t, 4_000_001, "/after", "")
	wait(t, "the event", func() bool { return len(r.seen()) > 0 })
	if got := r.seen(); got[len(got)-1] != "/after host" {
		t.Errorf("events %q", got)
	}
	if got := strings.Join(src.filters[0].Types.Names(), " "); got != "mkdir rmdir" {
		t.Errorf("the kernel was asked for %q", got)
	}
	if got := r.Describe(); got != "2 event types; this kernel lacks signal_deliver: gone" {
		t.Errorf("described as %q", got)
	}
}

// TestLossIsCounted: what the kernel lost is a drop by its cause, and is known still after the end.
func TestLossIsCounted(t *testing.T) {
	src := newScript()
	src.stats = kernel.Stats{Sent: 10, Filtered: 5, Full: 3, Internal: 2, Cut: 1}
	r := start(t, Config{Engine: engine(t, "evt.type = mkdir"), Containers: container.Config{Sockets: []container.Socket{}}}, src)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	st := r.Stats()
	if st.Sent != 10 || st.Filtered != 5 || st.Drops[causeRing] != 3 || st.Drops[causeInternal] != 2 || st.Drops[causeCut] != 1 {
		t.Errorf("stats %+v", st)
	}
}

// TestUnreadableKernelEndsRun: it is the one thing that does.
func TestUnreadableKernelEndsRun(t *testing.T) {
	src := newScript()
	broken := errors.New("the buffer is gone")
	src.broken = broken
	s := join(Config{Engine: engine(t, "evt.type = mkdir"), Containers: container.Config{Sockets: []container.Socket{}}}, src)
	src.Wake()
	if err := s.Run(t.Context(), func(*event.Event) {}); !errors.Is(err, broken) {
		t.Errorf("error %v, want the source's", err)
	}
}

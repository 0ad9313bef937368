package tail

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// memory is a Sink that keeps everything, and refuses on demand.
type memory struct {
	mu      sync.Mutex
	records []string
	state   map[string][]byte
	refuse  bool
	refused int
}

func (m *memory) Append(records [][]byte, state map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse {
		m.refused++
		return errors.New("full")
	}
	for _, r := range records {
		m.records = append(m.records, string(r))
	}
	if m.state == nil {
		m.state = map[string][]byte{}
	}
	for key, value := range state {
		if value == nil {
			delete(m.state, key)
		} else {
			m.state[key] = bytes.Clone(value)
		}
	}
	return nil
}

func (m *memory) got() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records)
}

func (m *memory) saved() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.state)
}

// poll waits for a condition; the deadline only ends a test that fails.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// lab is one folder, one sink, and an agent's tail that is started and stopped.
type lab struct {
	*testing.T
	dir  string
	sink *memory
	cfg  Config
	next int
	want []string
	f    *Follower
	stop func()
}

func newLab(t *testing.T, from ...string) *lab {
	l := &lab{T: t, dir: t.TempDir(), sink: &memory{}}
	for _, p := range from {
		l.cfg.From = append(l.cfg.From, filepath.Join(l.dir, p))
	}
	l.cfg.Poll, l.cfg.Linger = 2*time.Millisecond, 50*time.Millisecond
	l.cfg.NoWatch = true
	l.cfg.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Cleanup(func() {
		if l.stop != nil {
			l.stop()
		}
	})
	return l
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) { w.t.Logf("%s", b); return len(b), nil }

func (l *lab) start() {
	l.Helper()
	cfg := l.cfg
	cfg.State = l.sink.saved()
	f, err := New(cfg)
	if err != nil {
		l.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.Run(ctx, l.sink) }()
	l.f = f
	l.stop = func() {
		cancel()
		if err := <-done; err != nil {
			l.Error(err)
		}
		l.stop = nil
	}
	poll(l.T, "the first state", func() bool { return len(l.sink.saved()) > 0 })
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) alert() string {
	l.next++
	return fmt.Sprintf(`{"rule":"r","time":"2026-11-21T02:07:42.%09dZ","output_fields":{"n":%d}}`, l.next, l.next)
}

// write appends n alerts to name, each wanted.
func (l *lab) write(name string, n int) {
	l.Helper()
	for range n {
		a := l.alert()
		l.want = append(l.want, a)
		l.append(name, a+"\n")
	}
}

// skip appends n alerts to name that must not be read.
func (l *lab) skip(name string, n int) {
	l.Helper()
	for range n {
		l.append(name, l.alert()+"\n")
	}
}

func (l *lab) append(name, text string) {
	l.Helper()
	f, err := os.OpenFile(l.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		l.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		l.Fatal(err)
	}
	if err := f.Close(); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) do(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) rename(from, to string) { l.Helper(); l.do(os.Rename(l.path(from), l.path(to))) }

func (l *lab) copytruncate(from, to string) {
	l.Helper()
	b, err := os.ReadFile(l.path(from))
	l.do(err)
	l.do(os.WriteFile(l.path(to), b, 0o644))
	l.do(os.Truncate(l.path(from), 0))
}

func (l *lab) compress(name string) {
	l.Helper()
	b, err := os.ReadFile(l.path(name))
	l.do(err)
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err = z.Write(b)
	l.do(err)
	l.do(z.Close())
	info, err := os.Stat(l.path(name))
	l.do(err)
	l.do(os.WriteFile(l.path(name+".gz.tmp"), out.Bytes(), 0o644))
	l.do(os.Chtimes(l.path(name+".gz.tmp"), info.ModTime(), info.ModTime()))
	l.rename(name+".gz.tmp", name+".gz")
	l.do(os.Remove(l.path(name)))
}

// check waits until exactly the wanted alerts have come. Order counts within a file's history.
func (l *lab) check() {
	l.Helper()
	poll(l.T, fmt.Sprintf("%d records", len(l.want)), func() bool { return len(l.sink.got()) >= len(l.want) })
	if diff := cmp.Diff(l.sink.got(), l.want); diff != "" {
		l.Fatalf("records (-got +want):\n%s", diff)
	}
}

// settle stops and starts the tail, so that what would come twice comes.
func (l *lab) settle() {
	l.Helper()
	l.check()
	if l.stop != nil {
		l.stop()
	}
	l.start()
	l.write("x.log", 1)
	l.check()
}

// TestRotations runs each way of rotation with the tail running, and with the tail down. The writes of one step are
// unread when the next step is done if the tail is down.
func TestRotations(t *testing.T) {
	big := 700 // alerts: more than the fingerprint, less than a chunk
	cases := []struct {
		name  string // "thrice": the order may be another one if the tail looks in between
		steps []func(l *lab)
	}{
		{"rename and create", []func(l *lab){
			func(l *lab) { l.rename("x.log", "x.log.1"); l.write("x.log", 3) },
		}},
		{"rename, the writer goes on in the old file", []func(l *lab){
			func(l *lab) { l.rename("x.log", "x.log.1"); l.write("x.log.1", 2); l.write("x.log", 3) },
		}},
		{"rename twice", []func(l *lab){
			func(l *lab) { l.rename("x.log", "x.log.1"); l.write("x.log", 3) },
			func(l *lab) { l.rename("x.log.1", "x.log.2"); l.rename("x.log", "x.log.1"); l.write("x.log", big) },
		}},
		{"rename at once thrice", []func(l *lab){
			func(l *lab) {
				for range 3 {
					_ = os.Rename(l.path("x.log.2"), l.path("x.log.3"))
					_ = os.Rename(l.path("x.log.1"), l.path("x.log.2"))
					l.rename("x.log", "x.log.1")
					l.write("x.log", 2)
				}
			},
		}},
		{"kubelet's names", []func(l *lab){
			func(l *lab) { l.rename("x.log", "x.log.20260101-022545"); l.write("x.log", 3) },
			func(l *lab) { l.rename("x.log", "x.log.20260101-032545"); l.write("x.log", 3) },
		}},
		{"date before the extension", []func(l *lab){
			func(l *lab) { l.rename("x.log", "x-2026-01-01T02-25-46.697.log"); l.write("x.log", 3) },
			func(l *lab) { l.rename("x.log", "x-2026-01-01T02-25-47.697.log"); l.write("x.log", 3) },
		}},
		{"compressed generations", []func(l *lab){
			func(l *lab) { l.rename("x.log", "x.log.1"); l.write("x.log", big) },
			func(l *lab) {
				l.compress("x.log.1")
				l.rename("x.log.1.gz", "x.log.2.gz")
				l.rename("x.log", "x.log.1")
				l.write("x.log", 3)
				l.compress("x.log.1")
			},
			func(l *lab) { l.rename("x.log", "x.log.1"); l.write("x.log", 3); l.compress("x.log.1") },
		}},
		{"copytruncate", []func(l *lab){
			func(l *lab) { l.copytruncate("x.log", "x.log.1"); l.write("x.log", 3) },
		}},
		{"copytruncate, grown beyond the old size", []func(l *lab){
			func(l *lab) { l.copytruncate("x.log", "x.log.1"); l.write("x.log", big) },
			func(l *lab) {
				l.rename("x.log.1", "x.log.2")
				l.copytruncate("x.log", "x.log.1")
				l.write("x.log", 2*big)
			},
		}},
		{"copytruncate with lines unread", []func(l *lab){
			func(l *lab) { l.write("x.log", 5); l.copytruncate("x.log", "x.log.1"); l.write("x.log", 2) },
		}},
		{"copytruncate thrice at once", []func(l *lab){
			func(l *lab) {
				for _, to := range []string{"x.log-20260101", "x.log-20260102", "x.log-20260103"} {
					l.copytruncate("x.log", to)
					l.write("x.log", 2)
				}
			},
		}},
		{"copy, not truncated", []func(l *lab){
			func(l *lab) {
				b, err := os.ReadFile(l.path("x.log"))
				l.do(err)
				l.do(os.WriteFile(l.path("x.log.1"), b[:len(b)/2], 0o644))
				l.write("x.log", 2)
			},
		}},
		{"restored with another inode", []func(l *lab){
			func(l *lab) {
				b, err := os.ReadFile(l.path("x.log"))
				l.do(err)
				l.do(os.WriteFile(l.path("new"), b, 0o644))
				l.rename("new", "x.log")
				l.write("x.log", 2)
			},
		}},
	}
	for _, glob := range []bool{false, true} {
		for _, running := range []bool{true, false} {
			for _, tc := range cases {
				t.Run(fmt.Sprintf("%s/glob=%v/running=%v", tc.name, glob, running), func(t *testing.T) {
					l := newLab(t, "x.log")
					if glob {
						l.cfg.From[0] = l.path("*.log*")
					}
					l.cfg.NoWatch = running // the other half with notification
					l.skip("x.log", 2)
					l.start()
					l.write("x.log", 30)
					l.check()
					for _, step := range tc.steps {
						if !running {
							l.stop()
						}
						step(l)
						if !running {
							l.start()
						}
						if strings.Contains(tc.name, "thrice") {
							poll(t, "all records", func() bool { return len(l.sink.got()) >= len(l.want) })
							l.sink.mu.Lock()
							slices.Sort(l.sink.records)
							l.sink.mu.Unlock()
						}
						l.check()
					}
					l.settle()
				})
			}
		}
	}
}

// TestGapOfARotation: while x.log is renamed and not created again, a glob must not take its generations for logs.
func TestGapOfARotation(t *testing.T) {
	cri := func(tag, text string) string { return criTime + " stdout " + tag + " " + text + "\n" }
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running=%v", running), func(t *testing.T) {
			l := newLab(t, "*.log*", "marker")
			l.cfg.Linger = time.Minute
			l.start()
			l.write("x.log", 2)
			a := l.alert()
			l.append("x.log", cri("P", a[:20]))
			l.check()
			if !running {
				l.stop()
			}
			l.rename("x.log", "x.log.1")
			if !running {
				l.start()
			}
			l.write("marker", 1) // it is looked at in the same scans
			l.check()
			l.append("x.log", cri("F", a[20:]))
			l.want = append(l.want, a)
			l.check()
			l.write("x.log", 1)
			l.settle()
		})
	}
}

func TestFirstStart(t *testing.T) {
	for _, fromStart := range []bool{false, true} {
		t.Run(fmt.Sprintf("fromStart=%v", fromStart), func(t *testing.T) {
			l := newLab(t, "x.log", "later.log")
			l.cfg.FromStart = fromStart
			l.skip("x.log.2", 3)
			l.compress("x.log.2")
			l.skip("x.log.1", 3)
			if fromStart {
				l.write("x.log", 3)
			} else {
				l.skip("x.log", 3)
			}
			half := l.alert() // its end is written later: the line is new
			l.append("x.log", half[:20])
			l.start()
			l.append("x.log", half[20:]+"\n")
			l.want = append(l.want, half)
			l.check()
			l.write("later.log", 2)
			l.check()
			l.settle()
			l.rename("x.log.1", "x.log.3")
			l.rename("x.log", "x.log.1")
			l.write("x.log", 3)
			l.settle()
		})
	}
}

func TestNewFilesOfAGlobAreReadFromTheirStart(t *testing.T) {
	l := newLab(t, "falco*.log")
	l.skip("falco-a.log", 2)
	l.start()
	l.write("falco-b.log", 2)
	l.check()
	l.stop()
	l.write("falco-c.log", 2) // while it is down
	l.start()
	l.check()
	l.write("falco-a.log", 1)
	l.check()
}

func TestTruncatedWithoutACopy(t *testing.T) {
	l := newLab(t, "x.log")
	l.start()
	l.write("x.log", 10)
	l.check()
	l.do(os.Truncate(l.path("x.log"), 0))
	l.write("x.log", 2)
	l.check()
	// A writer without O_APPEND leaves a hole.
	l.stop()
	f, err := os.OpenFile(l.path("x.log"), os.O_WRONLY, 0)
	l.do(err)
	defer f.Close()
	l.do(f.Truncate(0))
	a := l.alert()
	_, err = f.WriteAt([]byte(a+"\n"), 3<<20)
	l.do(err)
	l.want = append(l.want, a)
	l.start()
	l.settle()
	if got := l.f.Stats.Cut.Load(); got != 0 {
		t.Errorf("%d lines were cut, want none", got)
	}
}

func TestDeletedFileIsReadToItsEnd(t *testing.T) {
	l := newLab(t, "x.log")
	l.start()
	l.write("x.log", 3)
	l.check()
	f, err := os.OpenFile(l.path("x.log"), os.O_APPEND|os.O_WRONLY, 0)
	l.do(err)
	defer f.Close()
	l.sink.mu.Lock() // the tail must not be done before the file is gone
	a, b := l.alert(), l.alert()
	_, err = f.WriteString(a + "\n" + b) // the last line has no newline
	l.do(err)
	l.do(os.Remove(l.path("x.log")))
	l.sink.mu.Unlock()
	l.want = append(l.want, a, b)
	l.check()
	poll(t, "the file to be left", func() bool { return l.f.Stats.Open.Load() == 0 })
	l.write("x.log", 1) // its position is forgotten with the next file
	l.check()
	if got := len(l.sink.saved()); got != 2 {
		t.Errorf("%d members of the state, want the pattern and one position", got)
	}
}

func TestSymlinks(t *testing.T) {
	l := newLab(t, "containers/falco*.log")
	for _, d := range []string{"containers", "pods/a/falco"} {
		l.do(os.MkdirAll(l.path(d), 0o755))
	}
	link := func(to string) {
		l.do(os.Symlink(l.path(to), l.path("containers/new")))
		l.rename("containers/new", "containers/falco-1.log")
	}
	l.start()
	l.write("pods/a/falco/0.log", 3)
	link("pods/a/falco/0.log")
	l.check()
	// kubelet rotates
	l.rename("pods/a/falco/0.log", "pods/a/falco/0.log.20260101-022545")
	l.write("pods/a/falco/0.log", 3)
	l.check()
	// the container is started again, and its last words come late
	l.write("pods/a/falco/1.log", 2)
	link("pods/a/falco/1.log")
	l.check()
	l.write("pods/a/falco/0.log", 1)
	l.check()
	l.stop()
	l.rename("pods/a/falco/1.log", "pods/a/falco/1.log.20260101-022545")
	l.write("pods/a/falco/1.log", 3)
	l.rename("pods/a/falco/1.log", "pods/a/falco/1.log.20260101-032545")
	l.write("pods/a/falco/1.log", 3)
	l.start()
	l.check()
}

// TestPartialLinesGoOn: CRI's partial lines are joined across a restart, a rotation and both.
func TestPartialLinesGoOn(t *testing.T) {
	cri := func(tag, text string) string {
		return "2026-11-21T02:25:46.697293485Z stdout " + tag + " " + text + "\n"
	}
	for _, copied := range []bool{false, true} {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprintf("copytruncate=%v/running=%v", copied, running), func(t *testing.T) {
				l := newLab(t, "x.log")
				l.start()
				l.write("x.log", 1)
				a := l.alert()
				l.append("x.log", cri("P", a[:10]))
				l.append("x.log", cri("P", a[10:20])[:50]) // in the middle of a physical line, too
				l.check()
				l.stop()
				l.start()
				l.append("x.log", cri("P", a[10:20])[50:])
				poll(t, "the partial line", func() bool { return l.f.Stats.Bytes.Load() > 0 })
				if !running {
					l.stop()
				}
				if copied {
					l.copytruncate("x.log", "x.log.1")
				} else {
					l.rename("x.log", "x.log.1")
				}
				l.append("x.log", cri("F", a[20:]))
				l.want = append(l.want, a)
				if !running {
					l.start()
				}
				l.check()
				l.settle()
			})
		}
	}
}

func TestRefusedBatchesWait(t *testing.T) {
	l := newLab(t, "x.log")
	l.start()
	l.write("x.log", 2)
	l.check()
	l.sink.mu.Lock()
	l.sink.refuse = true
	l.sink.mu.Unlock()
	refused := func() bool { l.sink.mu.Lock(); defer l.sink.mu.Unlock(); return l.sink.refused > 3 }
	l.write("x.log", 2)
	poll(t, "a refusal", refused)
	// Rotated and deleted while nothing can be stored: the file is kept open.
	l.rename("x.log", "x.log.1")
	l.write("x.log", 2)
	poll(t, "the new file to be opened", func() bool { return l.f.Stats.Open.Load() == 2 })
	l.do(os.Remove(l.path("x.log.1")))
	l.do(os.Remove(l.path("x.log")))
	l.sink.mu.Lock()
	l.sink.refuse = false
	l.sink.mu.Unlock()
	l.check()
}

func TestInput(t *testing.T) {
	sink := &memory{}
	in := strings.NewReader("Falco starts\n\n{\"a\":1}\n" + `{"log":"{\"b\":2}\n","stream":"stdout","time":"t"}` + "\n{\"c\":3}")
	f, err := New(Config{From: []string{Stdin}, Input: io.MultiReader(in)})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(context.Background(), sink); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sink.got(), []string{`{"a":1}`, `{"b":2}`, `{"c":3}`}); diff != "" {
		t.Errorf("records (-got +want):\n%s", diff)
	}
	if got := [3]int64{f.Stats.Alerts.Load(), f.Stats.Texts.Load(), f.Stats.Empty.Load()}; got != [3]int64{3, 1, 1} {
		t.Errorf("alerts, texts, empty: %v, want [3 1 1]", got)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, cfg := range []Config{{}, {From: []string{"-", "-"}}, {From: []string{"[a"}}, {From: []string{""}}, {From: []string{"a"}, MaxLine: 17 << 20}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("New(%+v) gave no error", cfg)
		}
	}
}

func TestGenerationNames(t *testing.T) {
	for name, want := range map[string]bool{
		"x.log": false, "x.log.1": true, "x.log.12.gz": true, "x.log-20260101": true, "x.log.20260101-022545": true, "x.log.old": true,
		"x.log.1.tmp": false, "x.log.gz": false, "x-20260101.log": true, "x-2026-01-01T02-25-46.697.log.gz": true, "x-1.log": false,
		"x.logs": false, "y.log.1": false, "x.log.": false, "x-.log": false, "x-20.log": false, "": false, "x": false,
	} {
		if got := isGeneration("x.log", name); got != want {
			t.Errorf("isGeneration(x.log, %q) = %v, want %v", name, got, want)
		}
		if got := isGenerationOf("d/"+name, map[string]bool{"d/x.log": true, "e/x.log": true, "d/" + name: true}); got != want {
			t.Errorf("isGenerationOf(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestLongLines(t *testing.T) {
	l := newLab(t, "x.log")
	l.cfg.MaxLine = 4096
	l.start()
	long := `{"x":"` + strings.Repeat("y", 3<<20) // longer than several chunks
	l.append("x.log", long[:1<<20])
	poll(t, "the line's beginning", func() bool { return l.f.Stats.Bytes.Load() == 1<<20 })
	l.append("x.log", long[1<<20:]+"\n")
	l.want = append(l.want, long[:4096])
	l.write("x.log", 1)
	l.settle()
	l.append("x.log", long+"\n")
	l.want = append(l.want, long[:4096])
	l.check()
	if got := l.f.Stats.Cut.Load(); got != 1 {
		t.Errorf("%d lines were cut, want 1", got)
	}
}

func TestWhatCannotBeFollowedIsReportedOnce(t *testing.T) {
	l := newLab(t, "x.log", "folder")
	l.do(os.Mkdir(l.path("folder"), 0o755))
	l.start()
	l.write("x.log", 1)
	l.check()
	if got := l.f.Stats.Errors.Load(); got != 1 {
		t.Errorf("%d errors, want 1", got)
	}
	l.do(os.Remove(l.path("folder"))) // it becomes a file
	l.write("folder", 1)
	l.check()
}

func TestUnreadableState(t *testing.T) {
	l := newLab(t, "x.log")
	l.start()
	l.write("x.log", 2)
	l.check()
	l.stop()
	for key := range l.sink.state {
		if strings.HasPrefix(key, fileKey) {
			l.sink.state[key] = []byte(`{"offset":-1}`)
		}
	}
	l.want = append(l.want, l.want...) // read again: the hub knows them
	l.start()
	l.check()
}

// TestTruncationNoticedLate: the spool was full for long, so that the copy is old by the time the truncation is noticed.
func TestTruncationNoticedLate(t *testing.T) {
	l := newLab(t, "x.log")
	l.start()
	l.write("x.log", 30)
	l.check()
	set := func(refuse bool) { l.sink.mu.Lock(); l.sink.refuse = refuse; l.sink.mu.Unlock() }
	set(true)
	l.write("x.log", 1)
	poll(t, "a refusal", func() bool { l.sink.mu.Lock(); defer l.sink.mu.Unlock(); return l.sink.refused > 0 })
	l.copytruncate("x.log", "x.log.1")
	old := time.Now().Add(-time.Hour)
	l.do(os.Chtimes(l.path("x.log.1"), old, old))
	l.write("x.log", 3)
	set(false)
	l.check()
	if got := l.f.Stats.Lost.Load(); got != 0 {
		t.Errorf("%d truncations without a copy, want none", got)
	}
	l.settle()
}

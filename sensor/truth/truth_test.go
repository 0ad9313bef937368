package truth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/sensor"
	"github.com/eyrie-sec/eyrie/sensor/container"
)

// The document says what the table says.
func TestDocument(t *testing.T) {
	const name = "../../docs/sensor-differences.md"
	const from, to = "<!-- table: begin -->\n", "<!-- table: end -->"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), from)
	table, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks %q and %q", name, from, to)
	}
	if table == Markdown() {
		return
	}
	if os.Getenv("EYRIE_UPDATE") == "" {
		t.Fatalf("%s is not what differences_table.go says; run this test with EYRIE_UPDATE=1", name)
	}
	if err := os.WriteFile(name, []byte(before+from+Markdown()+to+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every difference on purpose says what and why, and names fields.
func TestDifferences(t *testing.T) {
	for i, d := range Differences {
		if d.Fields == "" || d.What == "" || d.Why == "" {
			t.Errorf("difference %d is not complete: %+v", i, d)
		}
	}
	d := Diff{Program: "tp_x", Type: "openat", Field: "fs.path.name", Falco: "<UNKNOWN>f", Ours: "/tmp/f"}
	if reason(&d, "host") == "" {
		t.Errorf("%+v has no reason", d)
	}
	d.Field = "fd.num"
	if r := reason(&d, "host"); r != "" {
		t.Errorf("%+v has the reason %q", d, r)
	}
}

// TestTruth runs the recorded programs under the sensor and compares what it reports with what Falco did.
//
// EYRIE_REQUIRE_ALL=1 switches it on. EYRIE_TRUTH_PROGRAMS names programs to run (globs, parted by blanks), EYRIE_TRUTH_REPORT a file to write every
// difference to, EYRIE_TRUTH_KEEP=1 keeps the built programs for the next run.
func TestTruth(t *testing.T) {
	if os.Getenv("EYRIE_REQUIRE_ALL") == "" {
		t.Skip("takes three minutes and writes to /opt/tp and /tmp/tp: set EYRIE_REQUIRE_ALL=1")
	}
	shared := testshared.Path(t, "falco/truth")
	l := newLab(t, shared)
	for env, run := range map[string]func(context.Context) []span{"host": l.host, "runc": l.runc, "docker": l.docker} {
		t.Run(env, func(t *testing.T) {
			l.t = t
			for try := 1; ; try++ {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				w := watch(ctx, t, shared)
				spans := run(ctx)
				share := compare(t, l, env, spans, w.stop())
				cancel()
				switch {
				case share >= floors[env]:
					return
				case !w.dropped || try == 3:
					t.Fatalf("%s: %.2f %% of the fields are equal, want %.2f %%", env, share, floors[env])
				}
				t.Logf("something else keeps the machine busy, so that events were dropped; once more")
			}
		})
	}
}

// watcher is a running sensor with the rules that report every field.
type watcher struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error
	s      *sensor.Sensor

	dropped bool // events were, once it has stopped

	mu  sync.Mutex
	got []seen
}

type seen struct {
	at int64 // ns since 1970
	Event
}

func watch(ctx context.Context, t *testing.T, shared string) *watcher {
	text, err := os.ReadFile(filepath.Join(shared, "truth_rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	set, report := rule.Load([]rule.File{{Name: "truth_rules.yaml", Content: text}}, rule.LoadOptions{})
	if !report.OK() {
		t.Fatalf("the rules of the recording: %v", report)
	}
	engine := rule.NewEngine(set, rule.Config{AllMatches: true})
	containers := container.Config{Sockets: []container.Socket{{Type: container.TypeDocker, Path: daemon(t)}}}
	s, err := sensor.Open(sensor.Config{Engine: engine, BufferBytes: 64 << 20, Containers: containers})
	if err != nil {
		need(t, false, "the sensor does not run here: "+err.Error())
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{t: t, cancel: cancel, done: make(chan error, 1), s: s}
	session := engine.Session()
	go func() {
		w.done <- s.Run(ctx, func(e *event.Event) {
			for _, r := range session.Match(e) {
				a := session.Alert(e, r)
				w.mu.Lock()
				w.got = append(w.got, seen{e.Time, FromAlert(a)})
				w.mu.Unlock()
			}
		})
	}()
	return w
}

// stop waits until nothing more comes, ends the sensor and gives what was seen, in the order of time.
func (w *watcher) stop() []seen {
	for quiet, last := 0, -1; quiet < 10; {
		w.mu.Lock()
		n := len(w.got)
		w.mu.Unlock()
		if quiet++; n != last {
			quiet, last = 0, n
		}
		<-time.After(50 * time.Millisecond)
	}
	w.cancel()
	if err := <-w.done; err != nil && !errors.Is(err, context.Canceled) {
		w.t.Errorf("the sensor ended: %v", err)
	}
	if err := w.s.Close(); err != nil {
		w.t.Errorf("close: %v", err)
	}
	for cause, n := range w.s.Stats().Drops {
		if n > 0 {
			w.dropped = true
			w.t.Logf("the sensor dropped %d: %s", n, cause) // of other processes too: a machine that is busy with something else
		}
	}
	sort.SliceStable(w.got, func(i, j int) bool { return w.got[i].at < w.got[j].at })
	return w.got
}

// floors is the least share of equal fields, in percent, by environment. Raise them, never lower them.
var floors = map[string]float64{"host": 99.9, "runc": 99.9, "docker": 99.8}

// compare says how much is equal, in percent.
func compare(t *testing.T, l *lab, env string, spans []span, got []seen) float64 {
	deterministic, err := ReadFields(filepath.Join(l.shared, "fields.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	c := &Comparer{Deterministic: deterministic, Env: env}
	var all []Result
	for i, s := range spans {
		until := int64(1<<63 - 1)
		if i+1 < len(spans) {
			until = spans[i+1].from
		}
		var ours []Event
		for _, e := range got {
			if e.at >= s.from && e.at < until && isOurs(&e.Event) {
				ours = append(ours, e.Event)
			}
		}
		rec, err := Read(filepath.Join(l.shared, "out", env, s.program+".jsonl"))
		if err != nil {
			t.Error(err)
			continue
		}
		all = append(all, c.Compare(rec, ours))
	}
	matched, total, text := summary(env, all)
	t.Logf("%s", text)
	if file := os.Getenv("EYRIE_TRUTH_REPORT"); file != "" {
		if err := os.WriteFile(file+"."+env, []byte(details(all)), 0o644); err != nil {
			t.Error(err)
		}
	}
	return 100 * float64(matched) / float64(max(total, 1))
}

// isOurs says whether the event is of a program below /opt/tp, or of one that such a program has started. Somebody else
// may be running programs with names like these.
func isOurs(e *Event) bool {
	for k, v := range e.Fields {
		if strings.HasSuffix(strings.SplitN(k, "[", 2)[0], "exepath") && strings.HasPrefix(v, home+"/") {
			return true
		}
	}
	return false
}

// summary is a line a program, and the fields that differ most.
func summary(env string, all []Result) (matched, total int, text string) {
	var b strings.Builder
	byField := map[string]int{}
	onPurpose, raced := 0, 0
	for _, r := range all {
		matched, total, onPurpose = matched+r.Matched, total+r.Total, onPurpose+r.OnPurpose
		raced += r.Raced
		for _, d := range r.Diffs {
			if d.Reason == "" {
				byField[d.Field]++
			}
		}
	}
	fmt.Fprintf(&b, "%s: %d of %d fields (%.2f %%), of them %d different on purpose; %d more raced\n",
		env, matched, total, 100*float64(matched)/float64(max(total, 1)), onPurpose, raced)
	for _, r := range all {
		if r.Matched != r.Total {
			fmt.Fprintf(&b, "  %-20s %6d/%d\n", r.Program, r.Matched, r.Total)
		}
	}
	names := slices.SortedFunc(maps.Keys(byField), func(a, b string) int { return byField[b] - byField[a] })
	for _, name := range names[:min(60, len(names))] {
		fmt.Fprintf(&b, "  %6d %s\n", byField[name], name)
	}
	return matched, total, b.String()
}

// details is every difference.
func details(all []Result) string {
	var b strings.Builder
	for _, r := range all {
		for _, d := range r.Diffs {
			mark := "!"
			if d.Reason != "" {
				mark = "~"
			}
			fmt.Fprintf(&b, "%s %s #%d %s %s\tFALCO %q\tOURS %q\n", mark, d.Program, d.Event, d.Type, d.Field, d.Falco, d.Ours)
		}
	}
	return b.String()
}

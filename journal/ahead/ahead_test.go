package ahead_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/ahead"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
	"github.com/eyrie-sec/eyrie/journal/sqlite"
)

var ctx = context.Background()

func open(dir string) (*ahead.Store, error) {
	behind, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "journal.db")})
	if err != nil {
		return nil, err
	}
	return ahead.Open(ctx, filepath.Join(dir, "journal.ahead"), behind)
}

func mustOpen(t testing.TB, dir string) *ahead.Store {
	t.Helper()
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestContract carries every group on by itself: alerts expire in the runs in which they were carried.
func TestContract(t *testing.T) {
	journaltest.Contract(t, func(t testing.TB) journaltest.Opener {
		dir := t.TempDir()
		return func(t testing.TB) journal.Store { return eager{mustOpen(t, dir)} }
	})
}

// eager carries on what it writes at once.
type eager struct{ *ahead.Store }

func (e eager) Write(ctx context.Context, g journal.Group) ([]bool, error) {
	stored, err := e.Store.Write(ctx, g)
	if err == nil {
		_, err = e.Head(ctx)
	}
	return stored, err
}

// broken is a store behind that fails while err is set.
type broken struct {
	*sqlite.Store
	err atomic.Pointer[error]
}

func (b *broken) Write(ctx context.Context, g journal.Group) ([]bool, error) {
	if err := b.err.Load(); err != nil {
		return nil, *err
	}
	return b.Store.Write(ctx, g)
}

func openBroken(t testing.TB, dir string) (*ahead.Store, *broken) {
	t.Helper()
	behind, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "journal.db")})
	if err != nil {
		t.Fatal(err)
	}
	b := &broken{Store: behind}
	s, err := ahead.Open(ctx, filepath.Join(dir, "journal.ahead"), b)
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func group(t testing.TB, seq int64, alerts ...int) journal.Group {
	t.Helper()
	var g journal.Group
	for i, n := range alerts {
		g.Records = append(g.Records, journal.Record{Seq: seq + int64(i), Arrived: time.Unix(seq, 0).UTC(), Entry: journaltest.Entry(t, n)})
	}
	return g
}

// bodies reads all, in order of Seq, and fails if that is not ascending.
func bodies(t interface {
	Fatal(...any)
	Helper()
}, s journal.Store) []string {
	t.Helper()
	var all []string
	for after := int64(0); ; {
		records, err := s.Read(ctx, after, 7, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			return all
		}
		for _, r := range records {
			if r.Seq <= after {
				t.Fatal(fmt.Sprintf("Seq %d after %d", r.Seq, after))
			}
			after = r.Seq
			all = append(all, string(r.Body))
		}
	}
}

// TestFailureBehind: what was acknowledged before the store behind failed is read, survives closing, and is carried on
// when the store works again; nothing more is acknowledged in between.
func TestFailureBehind(t *testing.T) {
	for _, kind := range []error{journal.ErrFull, journal.ErrReadOnly, errors.New("the disk is on fire")} {
		t.Run(kind.Error()[:16], func(t *testing.T) {
			dir := t.TempDir()
			s, b := openBroken(t, dir)
			b.err.Store(&kind)
			if _, err := s.Write(ctx, group(t, 1, 1, 2)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write(ctx, journal.Group{}); !errors.Is(err, kind) {
				t.Fatalf("a trial gives %v, want %v", err, kind)
			}
			if _, err := s.Write(ctx, group(t, 3, 3)); !errors.Is(err, kind) {
				t.Fatalf("the next group gives %v, want %v", err, kind)
			}
			want := []string{string(journaltest.Body(1)), string(journaltest.Body(2))}
			if got := bodies(t, s); !slices.Equal(got, want) {
				t.Errorf("read %q, want %q", got, want)
			}
			if n, _, err := s.Waiting(ctx, 1); err != nil || n != 1 {
				t.Errorf("%d wait after the first, %v; want 1", n, err)
			}
			if h, err := s.Head(ctx); err != nil || h.First != 1 || h.Last != 2 {
				t.Errorf("head %+v, %v; want 1 to 2", h, err)
			}
			if got, err := s.Get(ctx, []int64{2, 9}); err != nil || len(got) != 1 || got[0].Seq != 2 {
				t.Errorf("got %v, %v; want record 2", got, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir)
			defer s.Close()
			if got := bodies(t, s); !slices.Equal(got, want) {
				t.Errorf("after opening anew read %q, want %q", got, want)
			}
			// Alerts that are sent again are known, also those that only the log had.
			stored, err := s.Write(ctx, group(t, 10, 1, 2, 3))
			if err != nil || !slices.Equal(stored, []bool{false, false, true}) {
				t.Errorf("stored %v, %v; want the third alone", stored, err)
			}
		})
	}
}

// TestLogMoved: a log that is not where it was takes no more alerts.
func TestLogMoved(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer s.Close()
	for _, name := range []string{"journal.ahead.0", "journal.ahead.1"} {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+".away")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Write(ctx, group(t, 1, 1)); !errors.Is(err, journal.ErrMoved) {
		t.Errorf("got %v, want ErrMoved", err)
	}
}

// TestModel writes, drains and cuts off at random, and opens what a killed process leaves. All that was acknowledged is
// there once, in order.
func TestModel(t *testing.T) {
	entries := make([]journal.Entry, 60)
	for i := range entries {
		entries[i] = journaltest.Entry(t, i)
	}
	dirs := 0
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		newDir := func() string {
			dirs++
			dir := filepath.Join(root, fmt.Sprint(dirs))
			if err := os.Mkdir(dir, 0o700); err != nil {
				rt.Fatal(err)
			}
			return dir
		}
		dir := newDir()
		s, err := open(dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		var want []string
		seq := int64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				var g journal.Group
				for range rapid.IntRange(1, 6).Draw(rt, "records") {
					seq += rapid.Int64Range(1, 3).Draw(rt, "step")
					g.Records = append(g.Records, journal.Record{Seq: seq, Arrived: time.Unix(seq, 0).UTC(), Entry: entries[rapid.IntRange(0, len(entries)-1).Draw(rt, "alert")]})
				}
				if rapid.IntRange(0, 4).Draw(rt, "reject") == 0 {
					g.Rejected, g.MaxBytes = []journal.Rejected{{Reason: "r", Body: []byte("bad")}}, 1000
				}
				stored, err := s.Write(ctx, g)
				if err != nil {
					rt.Fatal(err)
				}
				for i := range g.Records {
					body := string(g.Records[i].Body)
					if isNew := !slices.Contains(want, body); isNew != stored[i] {
						rt.Fatalf("stored %v of an alert that is new: %v", stored[i], isNew)
					}
					if stored[i] {
						want = append(want, body)
					}
				}
			},
			"kill": func(rt *rapid.T) {
				next := newDir()
				copyFiles(rt, dir, next, rapid.Bool().Draw(rt, "torn"))
				_ = s.Close()
				dir = next
				if s, err = open(dir); err != nil {
					rt.Fatal(err)
				}
			},
			"drain": func(rt *rapid.T) {
				if _, err := s.Write(ctx, journal.Group{}); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				if got := bodies(rt, s); !slices.Equal(got, want) {
					rt.Fatalf("read %d alerts, want %d", len(got), len(want))
				}
			},
		})
	})
}

// copyFiles copies the files as a process that is killed now would leave them; torn adds the beginning of a frame.
func copyFiles(t *rapid.T, from, to string, torn bool) {
	names, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(from, name.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if torn && strings.Contains(name.Name(), "ahead") {
			content = append(content, "EyAh\x10\x00\x00\x00"...)
		}
		if err := os.WriteFile(filepath.Join(to, name.Name()), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

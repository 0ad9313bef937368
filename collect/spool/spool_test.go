package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func noSync(*os.File) error { return nil }

// opened opens a spool that does not wait for the disk: a test cannot cut the power.
func opened(t testing.TB, cfg Config) *Spool {
	t.Helper()
	s, err := open(cfg, noSync)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func appendTo(t testing.TB, s *Spool, state string, records ...string) {
	t.Helper()
	var raw [][]byte
	for _, r := range records {
		raw = append(raw, []byte(r))
	}
	if err := s.Append(raw, map[string][]byte{"at": []byte(state)}); err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, s *Spool) (records []string, next uint64) {
	t.Helper()
	for {
		got, n, err := s.Read(3, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		next = n
		if len(got) == 0 {
			return records, next
		}
		for _, r := range got {
			records = append(records, string(r))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir})
	appendTo(t, s, "1", "a", "b")
	appendTo(t, s, "2")
	appendTo(t, s, "3", "", "c\x00d")
	if err := s.Append(nil, map[string][]byte{"gone": []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(nil, map[string][]byte{"gone": nil}); err != nil {
		t.Fatal(err)
	}
	want := []string{"a", "b", "", "c\x00d"}
	got, next := readAll(t, s)
	if diff := cmp.Diff(got, want); diff != "" || next != 4 {
		t.Errorf("records (-got +want), next %d, want 4:\n%s", next, diff)
	}
	if err := s.Commit(1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = opened(t, Config{Dir: dir})
	got, _ = readAll(t, s)
	if diff := cmp.Diff(got, want[1:]); diff != "" {
		t.Errorf("after reopening (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(s.State(), map[string][]byte{"at": []byte("3")}); diff != "" {
		t.Errorf("state (-got +want):\n%s", diff)
	}
	if got := s.Stats(); got.Waiting != 3 || got.Next != 4 || got.Lost != 0 {
		t.Errorf("stats %+v, want 3 waiting, next 4, none lost", got)
	}
}

func TestReadLimits(t *testing.T) {
	s := opened(t, Config{Dir: t.TempDir()})
	appendTo(t, s, "1", "aaaa", "bb", "cc", "dddddddd")
	var got []string
	for range 4 {
		records, _, err := s.Read(2, 5)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(bytes.Join(records, []byte("+"))))
	}
	if diff := cmp.Diff(got, []string{"aaaa", "bb+cc", "dddddddd", ""}); diff != "" {
		t.Errorf("batches (-got +want):\n%s", diff)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	opened(t, Config{Dir: dir})
	_, err := Open(Config{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want ErrLocked naming the directory", err)
	}
}

func TestFullSpoolRefusesAndRecovers(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir, MaxBytes: MinMaxBytes})
	record := bytes.Repeat([]byte("x"), 300<<10)
	stored := 0
	var err error
	for err == nil {
		if err = s.Append([][]byte{record}, map[string][]byte{"at": fmt.Append(nil, stored)}); err == nil {
			stored++
		}
	}
	if !errors.Is(err, ErrFull) || stored < 20 {
		t.Fatalf("got %v after %d records, want ErrFull after about 27", err, stored)
	}
	if got := string(s.State()["at"]); got != fmt.Sprint(stored-1) {
		t.Errorf("state %s after a refusal, want %d", got, stored-1)
	}
	if got := s.Stats().Bytes; got > MinMaxBytes {
		t.Errorf("%d bytes on disk, want at most %d", got, MinMaxBytes)
	}
	for round := range 30 { // the space is used again and again
		_, next := readAll(t, s)
		if err := s.Commit(next); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := s.Append([][]byte{record}, nil); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
	}
	if err := s.Append([][]byte{bytes.Repeat([]byte("x"), MinMaxBytes)}, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestAllDeliveredMakesRoom(t *testing.T) {
	s := opened(t, Config{Dir: t.TempDir(), MaxBytes: MinMaxBytes, SegmentBytes: MinMaxBytes})
	record := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 30 { // one segment alone fills the spool
		if err := s.Append([][]byte{record}, map[string][]byte{"at": []byte("1")}); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		_, next := readAll(t, s)
		if err := s.Commit(next); err != nil {
			t.Fatal(err)
		}
	}
}

// fill makes a spool of several frames and segments, closed, and returns its segments' names, oldest first.
func fill(t testing.TB, dir string) []string {
	t.Helper()
	s := opened(t, Config{Dir: dir, SegmentBytes: 300})
	for i := range 9 {
		appendTo(t, s, fmt.Sprint(i), fmt.Sprintf("record-%d-a", 2*i), fmt.Sprintf("record-%d-b", 2*i+1))
	}
	s.Close()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(names) < 3 {
		t.Fatalf("segments %v, %v; want 3 at least", names, err)
	}
	slices.Sort(names)
	return names
}

// TestTornTail cuts the last segment at every byte: what is left must be a prefix of what was written, with the state of
// just that prefix, and writing must go on.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	names := fill(t, dir)
	last := names[len(names)-1]
	whole, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		for _, garbage := range []string{"", "\xE7\x79\xC6\x0Agarbage, and more of it than a header has bytes"} {
			torn := t.TempDir()
			if err := os.CopyFS(torn, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(torn, filepath.Base(last)), append(whole[:cut:cut], garbage...), 0o600); err != nil {
				t.Fatal(err)
			}
			s := opened(t, Config{Dir: torn, SegmentBytes: 1 << 20})
			got, next := readAll(t, s)
			state := string(s.State()["at"])
			if len(got)%2 != 0 || state != fmt.Sprint(len(got)/2-1) || int(next) != len(got) {
				t.Fatalf("cut at %d: %d records, state %q, next %d: do not agree", cut, len(got), state, next)
			}
			if cut == len(whole)-1 && len(got) != 16 {
				t.Fatalf("cut at the last byte: %d records, want 16", len(got))
			}
			appendTo(t, s, "new", "new")
			got, _ = readAll(t, s)
			if diff := cmp.Diff(got, []string{"new"}); diff != "" {
				t.Fatalf("cut at %d: after another append (-got +want):\n%s", cut, diff)
			}
			if lost := s.Stats().Lost; lost != 0 {
				t.Fatalf("cut at %d: %d records lost, want none: a torn write was never acknowledged", cut, lost)
			}
			s.Close()
		}
	}
}

// TestDamagedMiddle flips every byte of every segment but the last frame: all records that are not in the damaged frame must come,
// and those that do not must be counted.
func TestDamagedMiddle(t *testing.T) {
	dir := t.TempDir()
	names := fill(t, dir)
	for _, name := range names[:len(names)-1] {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			b := bytes.Clone(whole)
			b[i] ^= 0x55
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s := opened(t, Config{Dir: dir})
			got, next := readAll(t, s)
			lost := s.Stats().Lost
			if next != 18 || len(got)+int(lost) != 18 || len(got) == 18 || i >= segmentHeader && lost != 2 {
				t.Fatalf("%s, byte %d: %d records, %d lost, next %d; want 18 together", filepath.Base(name), i, len(got), lost, next)
			}
			for _, r := range got {
				if !strings.HasPrefix(r, "record-") {
					t.Fatalf("%s, byte %d: record %q was never written", filepath.Base(name), i, r)
				}
			}
			if got := string(s.State()["at"]); got != "8" {
				t.Fatalf("%s, byte %d: state %q, want 8", filepath.Base(name), i, got)
			}
			s.Close()
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForgedFrame: a record that holds a frame of another segment is not taken for one when its own frame is damaged.
func TestForgedFrame(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir})
	forged := appendFrame(nil, 12345, 1, [][]byte{[]byte("forged")}, map[string][]byte{"at": []byte("forged")}, true)
	appendTo(t, s, "1", "before "+string(forged)+" after")
	appendTo(t, s, "2", "b")
	path := s.segments[0].path
	s.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("before"))
	b[i] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = opened(t, Config{Dir: dir})
	got, _ := readAll(t, s)
	if diff := cmp.Diff(got, []string{"b"}); diff != "" || string(s.State()["at"]) != "2" {
		t.Errorf("state %q, records (-got +want):\n%s", s.State()["at"], diff)
	}
}

func TestMarkSurvivesATornSlot(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir})
	appendTo(t, s, "1", "a", "b", "c")
	readAll(t, s)
	for n := range 3 {
		if err := s.Commit(uint64(n)); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	path := filepath.Join(dir, "mark")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newest := 3 % 2 * markSpacing
	for i := range markSlot {
		b := bytes.Clone(whole)
		b[newest+i] ^= 0xFF
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := opened(t, Config{Dir: dir})
		got, _ := readAll(t, s)
		want := []string{"b", "c"} // the mark before
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("byte %d (-got +want):\n%s", i, diff)
		}
		s.Close()
	}
}

func TestWriteErrorsStoreNothing(t *testing.T) {
	s := opened(t, Config{Dir: t.TempDir()})
	appendTo(t, s, "1", "a")
	good := s.file
	bad, err := os.Open(s.segments[0].path)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	s.file = bad
	if err := s.Append([][]byte{[]byte("b")}, map[string][]byte{"at": []byte("2")}); err == nil {
		t.Error("a write to a read-only file gave no error")
	}
	if got := string(s.State()["at"]); got != "1" {
		t.Errorf("state %q, want 1", got)
	}
	s.file = good
	appendTo(t, s, "3", "c")
	got, _ := readAll(t, s)
	if diff := cmp.Diff(got, []string{"a", "c"}); diff != "" {
		t.Errorf("records (-got +want):\n%s", diff)
	}
}

func TestWait(t *testing.T) {
	s := opened(t, Config{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	appendTo(t, s, "1", "a")
	if err := s.Wait(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestModel runs random operations against a slice; fsync fails now and then, and the writer tries again, as it must.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spool")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cfg := Config{Dir: dir, SegmentBytes: int64(rapid.IntRange(64, 2000).Draw(t, "segment"))}
		failing := 0 // this many calls from now fsync fails
		sync := func(*os.File) error {
			failing--
			if failing == 0 {
				return errors.New("disk error")
			}
			return nil
		}
		s, err := open(cfg, sync)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close() }()
		var all []string
		state := map[string]string{}
		read, committed := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var raw [][]byte
				for range rapid.IntRange(0, 4).Draw(t, "n") {
					r := fmt.Sprintf("%d%s", len(all), strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "len")))
					all, raw = append(all, r), append(raw, []byte(r))
				}
				key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
				value := []byte(nil)
				delete(state, key)
				if rapid.Bool().Draw(t, "set") {
					value = fmt.Append([]byte{}, len(all))
					state[key] = string(value)
				}
				failing = rapid.IntRange(0, 8).Draw(t, "failing")
				for range 2 {
					if err = s.Append(raw, map[string][]byte{key: value}); err == nil {
						return
					}
				}
				t.Fatal(err)
			},
			"read": func(t *rapid.T) {
				got, next, err := s.Read(rapid.IntRange(1, 5).Draw(t, "max"), 400)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range got {
					if string(r) != all[read] {
						t.Fatalf("record %d is %q, want %q", read, r, all[read])
					}
					read++
				}
				if int(next) != read || len(got) == 0 && read != len(all) {
					t.Fatalf("next %d after %d of %d records", next, read, len(all))
				}
			},
			"commit": func(t *rapid.T) {
				failing = 0
				committed = rapid.IntRange(committed, read).Draw(t, "to")
				if err := s.Commit(uint64(committed)); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				s.Close()
				if s, err = open(cfg, sync); err != nil {
					t.Fatal(err)
				}
				read = committed
			},
			"": func(t *rapid.T) {
				got := map[string]string{}
				for key, value := range s.State() {
					got[key] = string(value)
				}
				if diff := cmp.Diff(got, state); diff != "" {
					t.Fatalf("state (-got +want):\n%s", diff)
				}
				if got := s.Stats(); got.Lost != 0 || int(got.Waiting) != len(all)-committed {
					t.Fatalf("%+v, want %d waiting", got, len(all)-committed)
				}
			},
		})
	})
}

// FuzzSegment searches frames in any bytes. Nothing may panic, frames must come in order and not overlap, and a frame
// that is accepted must survive being encoded again.
func FuzzSegment(f *testing.F) {
	good := appendSegmentHeader(nil, 0, 7)
	good = appendFrame(good, 7, 0, [][]byte{[]byte("a"), {}}, map[string][]byte{"k": []byte("v"), "d": nil}, true)
	good = appendFrame(good, 7, 2, [][]byte{[]byte("b")}, nil, false)
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(append(bytes.Clone(good[:40]), good...))
	f.Add(appendMark(appendMark(nil, 1, 2), 3, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		if turn, next := parseMark(b); turn == 0 && next != 0 {
			t.Fatalf("no turn, but next %d", next)
		}
		_, salt, ok := parseSegmentHeader(b)
		if !ok {
			salt = 7
		}
		r := bytes.NewReader(b)
		for off := int64(0); ; {
			fr, at, err := nextFrame(r, off, r.Size(), salt)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil || at < off || fr.size < frameHeader {
				t.Fatalf("frame of %d bytes at %d, searched from %d: %v", fr.size, at, off, err)
			}
			off = at + int64(fr.size)
			changes := map[string][]byte{}
			for _, c := range fr.changes {
				changes[c.key] = c.value
			}
			again, err := parseFrame(appendFrame(nil, salt, fr.first, fr.records, changes, fr.whole), salt)
			if err != nil || again.first != fr.first || len(again.records) != len(fr.records) || again.whole != fr.whole {
				t.Fatalf("frame at %d does not survive encoding: %v", at, err)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			s, err := Open(Config{Dir: b.TempDir(), MaxBytes: 8 << 30})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			records := slices.Repeat([][]byte{bytes.Repeat([]byte("x"), 930)}, n)
			b.SetBytes(int64(n * 930))
			for b.Loop() {
				if err := s.Append(records, map[string][]byte{"at": []byte("1")}); err != nil {
					b.Fatal(err)
				}
				if err := s.Commit(s.next); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "us/record")
		})
	}
}

package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
	"github.com/eyrie-sec/eyrie/journal/sqlite"
)

var ctx = context.Background()

// patient is how long a test polls for what should come within a second.
const patient = 30 * time.Second

// until polls f until it is true.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !f(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patient)
		}
		time.Sleep(time.Millisecond)
	}
}

// openQuick opens a journal that tries again soon after a failure.
func openQuick(t testing.TB, c sqlite.Config) *journal.Journal {
	t.Helper()
	j, err := journal.Open(ctx, journal.Config{RetryEvery: time.Millisecond}, func(ctx context.Context) (journal.Store, error) { return sqlite.Open(ctx, c) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // of a damaged file it may well fail
	return j
}

// keep appends alert n.
func keep(t testing.TB, j *journal.Journal, n int) error {
	t.Helper()
	_, err := j.Append(ctx, []journal.Entry{journaltest.Entry(t, n)})
	return err
}

func mustKeep(t testing.TB, j *journal.Journal, n int) {
	t.Helper()
	if err := keep(t, j, n); err != nil {
		t.Fatalf("alert %d: %v", n, err)
	}
}

// refused checks an error and that the journal says the same of itself.
func refused(t testing.TB, j *journal.Journal, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if err := j.Healthy(); !errors.Is(err, want) {
		t.Errorf("Healthy: got %v, want %v", err, want)
	}
}

// heals waits until the journal is healthy again, without anybody sending anything.
func heals(t testing.TB, j *journal.Journal) {
	t.Helper()
	until(t, "healthy again", func() bool { return j.Healthy() == nil })
}

// holds checks which alerts are in a journal's file, each once.
func holds(t testing.TB, path string, want func(n int) bool, upTo int) {
	t.Helper()
	s := open(t, path)
	defer s.Close()
	records, err := s.Read(ctx, 0, 1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, r := range records {
		found[string(r.Body)]++
	}
	for n := range upTo {
		switch got := found[string(journaltest.Body(n))]; {
		case want(n) && got != 1:
			t.Errorf("alert %d: found %d times, want once", n, got)
		case got > 1:
			t.Errorf("alert %d: found %d times", n, got)
		}
	}
}

func every(int) bool { return true }

// fillUp appends until the disk is full and returns how many were taken.
func fillUp(t testing.TB, j *journal.Journal) int {
	t.Helper()
	for n := range 100_000 {
		if err := keep(t, j, n); err != nil {
			refused(t, j, err, journal.ErrFull)
			return n
		}
	}
	t.Fatal("the disk is not full after 100,000 alerts")
	return 0
}

func TestFullByPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openQuick(t, sqlite.Config{Path: path, MaxPages: 100})
	n := fillUp(t, j)
	for range 5 {
		if err := keep(t, j, n); !errors.Is(err, journal.ErrFull) {
			t.Errorf("still full: got %v", err)
		}
		time.Sleep(2 * time.Millisecond) // beyond RetryEvery, so that the disk is tried
	}
	records, err := j.Read(ctx, 0, 1<<20, 1<<30)
	if err != nil || len(records) != n {
		t.Errorf("while it is full: got %d records, %v, want %d", len(records), err, n)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	// Retention makes room.
	s, err := sqlite.Open(ctx, sqlite.Config{Path: path, MaxPages: 100})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Expire(ctx, time.Now().Add(time.Hour), 0, records[n/2].Seq, 1000); err != nil || got == 0 {
		t.Errorf("Expire on a full disk: %d, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	j = openQuick(t, sqlite.Config{Path: path, MaxPages: 100})
	mustKeep(t, j, n)
}

// TestFullIsUndone: a group that does not fit leaves nothing behind, neither in the file nor in the sums.
func TestFullIsUndone(t *testing.T) {
	s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "journal.db"), MaxPages: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n := 0; err == nil; n++ {
		g := journal.Group{Rejected: []journal.Rejected{{Reason: "r", Body: make([]byte, 3000)}}, MaxBytes: 1 << 30}
		for k := range 20 {
			g.Records = append(g.Records, journal.Record{Seq: int64(20*n + k + 1), Arrived: time.Unix(1, 0), Entry: journaltest.Entry(t, 20*n+k)})
		}
		_, err = s.Write(ctx, g)
	}
	if !errors.Is(err, journal.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 1<<20)
	path := filepath.Join(dir, "journal.db")
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 300<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	j := openQuick(t, sqlite.Config{Path: path})
	n := fillUp(t, j)
	if n == 0 {
		t.Fatal("nothing was taken")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	heals(t, j)
	mustKeep(t, j, n)
	mustKeep(t, j, n+1)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	holds(t, path, every, n+2)
}

// TestFullAtStart: the disk has no room for a new file.
func TestFullAtStart(t *testing.T) {
	dir := smallDisk(t, 128<<10)
	filler := filepath.Join(dir, "filler")
	err := os.WriteFile(filler, make([]byte, 1<<20), 0o600)
	if err == nil {
		t.Fatal("the disk took 1 MiB")
	}
	j := openQuick(t, sqlite.Config{Path: filepath.Join(dir, "journal.db")})
	refused(t, j, keep(t, j, 1), journal.ErrFull)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	heals(t, j)
	mustKeep(t, j, 1)
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	j := openQuick(t, sqlite.Config{Path: path})
	mustKeep(t, j, 0)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	writable := makeReadOnly(t, dir)
	j = openQuick(t, sqlite.Config{Path: path})
	refused(t, j, keep(t, j, 1), journal.ErrReadOnly)
	writable()
	heals(t, j)
	mustKeep(t, j, 1)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	holds(t, path, every, 2)
}

// TestReadOnlyFile: only the file is read-only, which is no hindrance to root.
func TestReadOnlyFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write any file: run as another user")
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openQuick(t, sqlite.Config{Path: path})
	mustKeep(t, j, 0)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	j = openQuick(t, sqlite.Config{Path: path})
	refused(t, j, keep(t, j, 1), journal.ErrReadOnly)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	heals(t, j)
}

func TestNoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	j := openQuick(t, sqlite.Config{Path: filepath.Join(dir, "journal.db")})
	if err := keep(t, j, 0); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	heals(t, j)
	info, err := os.Stat(filepath.Join(dir, "journal.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file of mode 0600", info, err)
	}
}

// moveAway moves the file of a journal and what belongs to it to another directory.
func moveAway(t testing.TB, path string, suffixes ...string) (moved string) {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range suffixes {
		if err := os.Rename(path+suffix, filepath.Join(dir, "journal.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "journal.db")
}

// TestGarbage: the file is no database, or another program's, or a later version's. Once it is moved away all is well.
func TestGarbage(t *testing.T) {
	ddl := func(statements string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(statements); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"garbage", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
		}, journal.ErrCorrupt},
		{"another program's", ddl("CREATE TABLE customer (name TEXT)"), journal.ErrCorrupt},
		{"another program's mark", ddl("PRAGMA application_id = 7"), journal.ErrCorrupt},
		{"a later version's", func(t *testing.T, path string) {
			s := open(t, path)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			ddl("PRAGMA user_version = 1000")(t, path)
		}, journal.ErrNewer},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, journal.ErrReadOnly},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			j := openQuick(t, sqlite.Config{Path: path})
			refused(t, j, keep(t, j, 0), tt.want)
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			moveAway(t, path, "", "-wal", "-shm")
			heals(t, j)
			mustKeep(t, j, 0)
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			holds(t, path, every, 1)
		})
	}
}

// TestOverwritten: something writes into the file of a running journal.
func TestOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openQuick(t, sqlite.Config{Path: path})
	for n := range 200 {
		mustKeep(t, j, n)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openQuick(t, sqlite.Config{Path: path})
	mustKeep(t, j, 200)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// All but the first page, which SQLite would read from its cache anyway.
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())-8192), 8192); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	n := 201
	until(t, "the damage is found", func() bool {
		// Long ago: a part of the index that is not in the cache.
		if _, err := j.Get(ctx, []int64{1, 1 << 60}); errors.Is(err, journal.ErrCorrupt) {
			return true
		}
		n++
		return errors.Is(keep(t, j, n), journal.ErrCorrupt)
	})
	refused(t, j, keep(t, j, 0), journal.ErrCorrupt)
	moveAway(t, path, "", "-wal", "-shm")
	heals(t, j)
	mustKeep(t, j, n+1)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	holds(t, path, func(i int) bool { return i == n+1 }, n+2)
}

// TestReplaced: after damage, only another file, or other content, is worth another try.
func TestReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openQuick(t, sqlite.Config{Path: path})
	for n := range 200 {
		mustKeep(t, j, n)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	defer s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := append(bytes.Clone(whole[:8192]), bytes.Repeat([]byte{0xa5}, len(whole)-8192)...)
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(ctx, 0, 1000, 1<<30); !errors.Is(err, journal.ErrCorrupt) {
		t.Fatalf("got %v, want ErrCorrupt", err)
	}
	if s.Replaced() {
		t.Error("the same file: want it not worth a try")
	}
	if err := os.WriteFile(path+".whole", whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".whole", path); err != nil {
		t.Fatal(err)
	}
	if !s.Replaced() {
		t.Error("another file: want it worth a try")
	}
}

// TestDamagedBlock: one alert's bytes are damaged where SQLite does not see it. The others are read, the consumer goes on,
// retention passes it, and it is counted.
func TestDamagedBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openQuick(t, sqlite.Config{Path: path})
	for n := range 5 {
		mustKeep(t, j, n)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE block SET body = (SELECT body FROM block ORDER BY first DESC LIMIT 1) WHERE first = (SELECT first FROM block ORDER BY first LIMIT 1 OFFSET 2)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := sqlite.Open(ctx, sqlite.Config{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		records, err := s.Read(ctx, 0, 100, 1<<20)
		if err != nil || len(records) != 4 {
			t.Errorf("got %d records, %v, want 4", len(records), err)
		}
	}
	if h, err := s.Head(ctx); err != nil || h.Damaged != 1 {
		t.Errorf("got %d damaged, %v, want 1", h.Damaged, err)
	}
	if got := strings.Count(log.String(), "damaged stored alerts"); got != 1 {
		t.Errorf("log: got %d lines, want 1: %s", got, log.String())
	}
	if n, err := s.Expire(ctx, time.Now().Add(time.Hour), 0, 1<<62, 100); err != nil || n != 5 {
		t.Errorf("Expire: got %d, %v, want 5", n, err)
	}
}

// TestMoved: the file of a running journal is moved or deleted. Nothing is acknowledged that a restart would not find.
func TestMoved(t *testing.T) {
	tests := []struct {
		name     string
		suffixes []string
	}{{"with its log", []string{"", "-wal", "-shm"}}, {"alone", []string{""}}, {"only its log", []string{"-wal"}}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			j := openQuick(t, sqlite.Config{Path: path})
			for n := range 10 {
				mustKeep(t, j, n)
			}
			moved := moveAway(t, path, tt.suffixes...)
			taken := map[int]bool{}
			for n := 10; n < 20; n++ {
				switch err := keep(t, j, n); {
				case err == nil:
					taken[n] = true
				case !errors.Is(err, journal.ErrMoved):
					t.Errorf("got %v, want ErrMoved", err)
				}
			}
			if len(taken) < 5 {
				t.Errorf("only %v were taken: it does not go on by itself", taken)
			}
			var got []journal.Record
			for after := int64(0); ; after = got[len(got)-1].Seq {
				batch, err := j.Read(ctx, after, 100, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, batch...); len(batch) == 0 {
					break
				}
			}
			if len(got) < 10+len(taken) {
				t.Errorf("the consumer has %d records, want all %d", len(got), 10+len(taken))
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			holds(t, path, func(n int) bool { return taken[n] }, 20)
			if tt.name == "only its log" {
				return
			}
			// With the log that was set aside, if it was left behind, the moved file has all that was acknowledged before.
			aside, err := filepath.Glob(path + "-wal.without-file-*")
			if err != nil {
				t.Fatal(err)
			}
			if (len(aside) == 1) != (tt.name == "alone") {
				t.Fatalf("set aside: %v", aside)
			}
			for _, wal := range aside {
				if err := os.Rename(wal, moved+"-wal"); err != nil {
					t.Fatal(err)
				}
			}
			holds(t, moved, func(n int) bool { return n < 10 }, 10)
		})
	}
}

// TestRoomComesBack: what retention deletes makes the file smaller.
func TestRoomComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	s := open(t, path)
	defer s.Close()
	var last int64
	for i := range 40 {
		var g journal.Group
		for k := range 50 {
			last++
			g.Records = append(g.Records, journal.Record{Seq: last, Arrived: time.Unix(int64(i), 0), Entry: journaltest.Entry(t, i*50+k)})
		}
		if _, err := s.Write(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	pages := func() (n int) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow("PRAGMA page_count").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := pages()
	for {
		n, err := s.Expire(ctx, time.Unix(36, 0), 0, last, 200)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if after := pages(); after > before/3 {
		t.Errorf("a tenth is left and takes %d of %d pages", after, before)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestPragmas reads back what durability rests on: SQLite ignores a pragma that comes too late.
func TestPragmas(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "journal.db"))
	defer s.Close()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "auto_vacuum": "2", "page_size": "4096", "wal_autocheckpoint": "4000"} {
		if got := s.Pragma(pragma); got != want {
			t.Errorf("%s: got %s, want %s", pragma, got, want)
		}
	}
}

// TestQueryPlans: no query reads a whole table of blocks.
func TestQueryPlans(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "journal.db"))
	defer s.Close()
	plans, err := s.Plans()
	if err != nil {
		t.Fatal(err)
	}
	for query, plan := range plans {
		if strings.Contains(plan, "SCAN block") && !strings.Contains(query, "LIMIT 1") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s", query, plan)
		}
	}
	if len(plans) < 4 {
		t.Errorf("only %d plans", len(plans))
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("got %v, want SQLite's words and the path", fmt.Sprint(err))
	}
}

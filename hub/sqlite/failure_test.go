package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/hubtest"
)

// put makes a batch of one new finding.
func put(seq int64, size int) *hub.Batch {
	f := &hub.Stored{Finding: hub.Finding{Key: hub.Key{ID: fmt.Sprint(seq), ProductArn: "arn"}, Seq: seq, Doc: []byte(strings.Repeat("x", size))}}
	return &hub.Batch{Puts: []hub.Put{{Stored: f, New: true}}, Source: "journal", UpTo: seq}
}

func heads(t *testing.T, s *Store) hub.Heads {
	t.Helper()
	h, err := s.Heads(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestFull fills the file to its bound: the commit fails as a whole, says why, and works again once there is room.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path, Config{MaxPages: 60})
	ctx := t.Context()
	seq := int64(0)
	var err error
	for err == nil && seq < 1000 {
		seq++
		err = s.Commit(ctx, put(seq, 10_000))
	}
	if !errors.Is(err, hub.ErrFull) {
		t.Fatalf("a full file: got %v, want hub.ErrFull", err)
	}
	if got, want := heads(t, s), (hub.Heads{Finding: seq - 1, Findings: int(seq - 1)}); got != want {
		t.Errorf("after the failure: got %+v, want %+v", got, want)
	}
	if cursor, err := s.Cursor(ctx, "journal"); err != nil || cursor != seq-1 {
		t.Errorf("after the failure the cursor is %d, %v; want %d", cursor, err, seq-1)
	}
	if err := s.Commit(ctx, &hub.Batch{Deletes: []int64{1, 2, 3}}); err != nil {
		t.Fatalf("deleting from a full file: %v", err)
	}
	if err := s.Commit(ctx, put(seq, 10_000)); err != nil {
		t.Errorf("after room was made: %v", err)
	}
}

// TestReadOnly opens a file that cannot be written.
func TestReadOnly(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("the superuser may write a read-only file")
	}
	path := filepath.Join(t.TempDir(), "hub.db")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Path: path}); !errors.Is(err, hub.ErrReadOnly) {
		t.Errorf("got %v, want hub.ErrReadOnly", err)
	}
}

// TestQueryOnly makes writing fail as on a disk that became read-only.
func TestQueryOnly(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "hub.db"), Config{})
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA query_only = ON"); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), put(1, 10)); !errors.Is(err, hub.ErrReadOnly) {
		t.Errorf("got %v, want hub.ErrReadOnly", err)
	}
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA query_only = OFF"); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), put(1, 10)); err != nil {
		t.Errorf("once it can be written again: %v", err)
	}
}

func TestCorrupt(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Path: garbage}); !errors.Is(err, hub.ErrCorrupt) {
		t.Errorf("garbage: got %v, want hub.ErrCorrupt", err)
	}

	path := filepath.Join(dir, "hub.db")
	s, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for seq := int64(1); seq <= 200; seq++ {
		if err := s.Commit(t.Context(), put(seq, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 40 * 4096; i < len(b); i++ { // the schema stays readable
		b[i] = 0xa5
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged, err := Open(t.Context(), Config{Path: path})
	if err == nil {
		defer damaged.Close()
		err = damaged.Scan(t.Context(), 0, func(*hub.Stored) error { return nil })
	}
	if !errors.Is(err, hub.ErrCorrupt) {
		t.Errorf("overwritten pages: got %v, want hub.ErrCorrupt", err)
	}
}

// TestLocked holds the write lock from outside.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path, Config{})
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), put(1, 10)); !errors.Is(err, hub.ErrLocked) {
		t.Errorf("got %v, want hub.ErrLocked", err)
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), put(1, 10)); err != nil {
		t.Errorf("once the lock is gone: %v", err)
	}
}

func TestSchemaVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path, Config{})
	if err := s.Commit(t.Context(), put(1, 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := heads(t, open(t, path, Config{})); got.Findings != 1 {
		t.Errorf("opened again: %+v, want one finding", got)
	}
	for _, c := range []struct {
		pragma string
		want   error
	}{
		{"user_version = 99", hub.ErrNewSchema},
		{"application_id = 4711", hub.ErrCorrupt},
	} {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("PRAGMA " + c.pragma); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Config{Path: path}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.pragma, err, c.want)
		}
	}
}

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path, Config{})
	if err := s.Commit(t.Context(), put(1, 10)); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("hub.db%s has mode %o, want 600", suffix, mode)
		}
	}
}

// TestCanceled commits with a context that has ended: a commit is whole or not at all, and here it is whole.
func TestCanceled(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "hub.db"), Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(ctx, put(1, 10)); err != nil {
		t.Errorf("Commit with an ended context: %v", err)
	}
	if _, err := s.Load(ctx, []hub.Key{{ID: "1", ProductArn: "arn"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Load with an ended context: got %v, want context.Canceled", err)
	}
	if got := heads(t, s); got.Findings != 1 {
		t.Errorf("got %+v, want one finding", got)
	}
}

// BenchmarkCommit measures one new finding with all that belongs to it, by the size of the batch.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "hub.db"), Config{})
			doc := hubtest.Finding(7).AppendJSON(nil)
			words := hub.Words(string(doc))
			seq := int64(0)
			for done := 0; done < b.N; done += size {
				batch := &hub.Batch{Source: "journal"}
				for range size {
					seq++
					key := hub.Key{ID: fmt.Sprint("finding-", seq), ProductArn: hubtest.ProductArn}
					f := &hub.Stored{Finding: hub.Finding{Key: key, Seq: seq, Doc: doc}}
					batch.Puts = append(batch.Puts, hub.Put{Stored: f, New: true, NewWords: true, Words: words})
					batch.Chunks = append(batch.Chunks, hub.AlertChunk{Finding: seq, Body: doc[:700]})
					batch.Timeline = append(batch.Timeline, hub.TimelineAdd{Finding: seq, Hour: hubtest.Epoch, Count: 1})
					batch.History = append(batch.History, hub.HistoryEntry{Finding: seq, N: 1, HistoryRecord: hub.HistoryRecord{Created: true, Source: hub.SourceImport, Identity: "eyrie"}})
					batch.Changes = append(batch.Changes, hub.Change{Seq: seq, Kind: hub.Created, FindingSeq: seq})
				}
				if err := s.Commit(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

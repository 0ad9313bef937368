package ahead_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/ahead"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
	"github.com/eyrie-sec/eyrie/journal/sqlite"
)

// TestTrialLogMoved: a trial tells of a log that is not where it was, before an alert is refused for it.
func TestTrialLogMoved(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer s.Close()
	for _, name := range []string{"journal.ahead.0", "journal.ahead.1"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Write(ctx, journal.Group{}); !errors.Is(err, journal.ErrMoved) {
		t.Errorf("got %v, want ErrMoved", err)
	}
}

// halfExpiring is a store behind that deletes and then fails, as one does that cannot give the room back.
type halfExpiring struct {
	*sqlite.Store
	err error
}

func (h halfExpiring) Expire(ctx context.Context, t time.Time, maxBytes, upTo int64, limit int) (int, error) {
	n, err := h.Store.Expire(ctx, t, maxBytes, upTo, limit)
	return n, errors.Join(err, h.err)
}

// TestExpireFailsHalfway: what was deleted is not known any more, also if there was an error after that.
func TestExpireFailsHalfway(t *testing.T) {
	dir := t.TempDir()
	behind, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "journal.db")})
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no room given back")
	s, err := ahead.Open(ctx, filepath.Join(dir, "journal.ahead"), halfExpiring{behind, failure})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Write(ctx, group(t, 1, 1, 2)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Expire(ctx, time.Unix(1000, 0), 0, 1000, 1000); n != 2 || !errors.Is(err, failure) {
		t.Fatalf("%d expired, %v; want 2 and the failure", n, err)
	}
	stored, err := s.Write(ctx, group(t, 10, 1, 2))
	if err != nil || !slices.Equal(stored, []bool{true, true}) {
		t.Errorf("stored %v, %v; want both, which are not there any more", stored, err)
	}
}

// TestSameNumbers: a group that was refused is in the one log all the same, and the group that got its numbers then is in
// the other. The one that was acknowledged is there after opening, and can be read.
func TestSameNumbers(t *testing.T) {
	dir := t.TempDir()
	for i, n := range []int{1, 2} {
		frames := logOf(t, group(t, 7, n))
		if n == 2 {
			frames = logOf(t, later(group(t, 7, n), time.Second))
		}
		if err := os.WriteFile(filepath.Join(dir, []string{"journal.ahead.0", "journal.ahead.1"}[i]), frames, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, dir)
	defer s.Close()
	if got, want := bodies(t, s), []string{string(journaltest.Body(2))}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func later(g journal.Group, by time.Duration) journal.Group {
	for i := range g.Records {
		g.Records[i].Arrived = g.Records[i].Arrived.Add(by)
	}
	return g
}

// logOf returns the content of a log that holds g.
func logOf(t *testing.T, g journal.Group) []byte {
	t.Helper()
	dir := t.TempDir()
	s, b := openBroken(t, dir)
	defer s.Close()
	full := journal.ErrFull
	b.err.Store(&full)
	if _, err := s.Write(ctx, g); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "journal.ahead.0"))
	if err != nil {
		t.Fatal(err)
	}
	if len(content) == 0 {
		t.Fatal("the log is empty")
	}
	return content
}

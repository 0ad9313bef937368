package ahead_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
	"github.com/eyrie-sec/eyrie/journal/sqlite"
)

// Few records for the quarantine: a group that has one goes past the log.
var crash = journaltest.Crash{
	Open:        func(dir string) (journal.Store, error) { return open(dir) },
	RejectEvery: 700, Most: 4000,
}

func TestMain(m *testing.M) {
	crash.Main()
	os.Exit(m.Run())
}

// TestCrash kills a process while its log is written and carried on. What the store has is, once it is closed, in the
// store behind.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	crash.Run(t, dir, func(s journal.Store) {
		want, _, err := s.Waiting(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		behind, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "journal.db")})
		if err != nil {
			t.Fatal(err)
		}
		defer behind.Close()
		if got, _, err := behind.Waiting(ctx, 0); err != nil || got != want {
			t.Errorf("the store behind has %d alerts, %v; want %d", got, err, want)
		}
	})
}

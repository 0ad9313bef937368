package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
	"github.com/eyrie-sec/eyrie/journal/sqlite"
)

func TestContract(t *testing.T) {
	journaltest.Contract(t, func(t testing.TB) journaltest.Opener {
		path := filepath.Join(t.TempDir(), "journal.db")
		return func(t testing.TB) journal.Store { return open(t, path) }
	})
}

// open opens a store; the caller closes it.
func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
	"github.com/eyrie-sec/eyrie/journal/sqlite"
)

var crash = journaltest.Crash{
	Open: func(path string) (journal.Store, error) {
		return sqlite.Open(context.Background(), sqlite.Config{Path: path})
	},
	RejectEvery: 5, Most: 1500,
}

func TestMain(m *testing.M) {
	crash.Main()
	os.Exit(m.Run())
}

func TestCrash(t *testing.T) {
	crash.Run(t, filepath.Join(t.TempDir(), "journal.db"), func(s journal.Store) {
		if err := s.(*sqlite.Store).Check(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

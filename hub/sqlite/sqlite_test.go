package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/hubtest"
)

// open opens a store in a new directory, or in one that has a store.
func open(t testing.TB, path string, c Config) *Store {
	t.Helper()
	c.Path = path
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	hubtest.Contract(t, func(t testing.TB) hub.Store { return open(t, filepath.Join(t.TempDir(), "hub.db"), Config{}) })
}

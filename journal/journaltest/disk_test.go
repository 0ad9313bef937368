package journaltest_test

import (
	"context"
	"testing"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
)

func TestContract(t *testing.T) {
	journaltest.Contract(t, func(testing.TB) journaltest.Opener {
		d := journaltest.NewDisk()
		return func(t testing.TB) journal.Store {
			s, err := d.Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

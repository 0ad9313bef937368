package ahead

import (
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
)

// timed returns records of different alerts, of the times given in nanoseconds since 1970.
func timed(t testing.TB) func(at int64) *journal.Record {
	model := newRecords(t, 1, 1)[0]
	return func(at int64) *journal.Record {
		r := *model
		alert := *model.Alert
		alert.Time = time.Unix(0, at)
		r.Alert = &alert
		return &r
	}
}

// TestWindowOldAlerts: many alerts that are older than what the window knows all of do not make it believe that it knows
// all of their time and later.
func TestWindowOldAlerts(t *testing.T) {
	const opened = 1 << 40 // what the store behind had by then, the window has not seen
	w := window{since: opened, behind: 1 << 40}
	at := timed(t)
	for n := range int64(windowSize + 10) {
		w.addOne(at(1000 + 2*n))
	}
	if known, sure := w.has(at(opened - 1)); known || sure {
		t.Errorf("known %v, sure %v of an alert that only the store behind can know", known, sure)
	}
	if w.since < opened {
		t.Errorf("all since %d is known, it says; it was %d", w.since, opened)
	}
}

// TestWindowFull: records that the store behind may not have cannot be forgotten, however many they are. If each of them
// made the window look for something to forget, this would take hours.
func TestWindowFull(t *testing.T) {
	w := window{}
	at := timed(t)
	for n := range int64(2 * windowSize) {
		r := at(n)
		r.Seq = n + 1
		w.addOne(r)
	}
	if len(w.ids) != 2*windowSize {
		t.Fatalf("%d ids, want all %d", len(w.ids), 2*windowSize)
	}
	w.behind = 1 << 40
	for n := range int64(2 * windowSize) {
		w.addOne(at(1<<30 + n))
	}
	if len(w.ids) > 2*windowSize {
		t.Errorf("%d ids are kept though the store behind has all", len(w.ids))
	}
}

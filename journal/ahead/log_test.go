package ahead

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
)

func newRecords(t testing.TB, seq int64, n int) []*journal.Record {
	var all []*journal.Record
	for i := range n {
		all = append(all, &journal.Record{Seq: seq + int64(i), Arrived: time.Unix(seq, 0).UTC(), Entry: journaltest.Entry(t, int(seq)+i)})
	}
	return all
}

func content(t testing.TB, l *log) []byte {
	t.Helper()
	b := make([]byte, 1<<20)
	n, _ := l.file.ReadAt(b, 0)
	return b[:n]
}

// TestOldFilling: after a log is emptied and written from the beginning, the frames behind the new ones are not read.
func TestOldFilling(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, _, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	for seq := int64(1); seq < 10; seq += 3 {
		if err := l.append(newRecords(t, seq, 3)); err != nil {
			t.Fatal(err)
		}
	}
	if records, _, _ := decodeFrames(content(t, l)); len(records) != 9 {
		t.Fatalf("%d records, want 9", len(records))
	}
	if err := l.reset(); err != nil {
		t.Fatal(err)
	}
	if records, _, _ := decodeFrames(content(t, l)); len(records) != 0 {
		t.Fatalf("%d records in an empty log", len(records))
	}
	if err := l.append(newRecords(t, 1, 3)); err != nil {
		t.Fatal(err)
	}
	if records, _, _ := decodeFrames(content(t, l)); len(records) != 3 {
		t.Fatalf("%d records, want the 3 new ones", len(records))
	}
	again, records, err := openLog(path)
	if err != nil || len(records) != 3 {
		t.Fatalf("opened anew: %d records, %v", len(records), err)
	}
	defer again.file.Close()
	// Another process goes on where this one ended.
	if err := again.append(newRecords(t, 20, 2)); err != nil {
		t.Fatal(err)
	}
	if records, _, _ := decodeFrames(content(t, again)); len(records) != 5 || records[4].Alert == nil {
		t.Fatalf("%d records, want 5, parsed", len(records))
	}
}

// TestDamagedFrame: a frame in which a bit has changed costs its own records alone.
func TestDamagedFrame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, _, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	var ends []int64
	for seq := int64(1); seq < 10; seq += 3 {
		if err := l.append(newRecords(t, seq, 3)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, l.end)
	}
	for name, at := range map[string]int64{"header": ends[0] + 5, "block": ends[1] - 50} {
		b := content(t, l)
		b[at] ^= 0x10
		records, _, used := decodeFrames(b)
		if len(records) != 6 || records[3].Seq != 7 || int64(used) != l.end {
			t.Errorf("%s: %d records in %d bytes, want the 6 of the other frames in %d", name, len(records), used, l.end)
		}
	}
}

// TestLogCutOff: what is written behind the end of a log that somebody has cut off would not be found again.
func TestLogCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, _, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	if err := l.append(newRecords(t, 1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.append(newRecords(t, 2, 1)); !errors.Is(err, journal.ErrMoved) {
		t.Errorf("got %v, want ErrMoved", err)
	}
}

func TestWindow(t *testing.T) {
	w := window{since: 100, behind: 1 << 40}
	at := func(n int64) *journal.Record {
		r := newRecords(t, 1, 1)[0]
		alert := *r.Alert
		alert.Time = time.Unix(0, n)
		r.Alert = &alert
		return r
	}
	w.addOne(at(100))
	for _, c := range []struct {
		at          int64
		known, sure bool
	}{{99, false, false}, {100, true, true}, {101, false, true}} {
		if known, sure := w.has(at(c.at)); known != c.known || sure != c.sure {
			t.Errorf("at %d: known %v, sure %v; want %v, %v", c.at, known, sure, c.known, c.sure)
		}
	}
	// What the store behind may not have is not forgotten, however old.
	old := at(7)
	old.Seq = 1 << 41
	w.addOne(old)
	r := at(0)
	for n := range int64(windowSize + 10) {
		r.Alert.Time = time.Unix(0, 1000+n)
		w.addOne(r)
	}
	if len(w.ids) > windowSize || w.since <= 1000 {
		t.Errorf("%d ids since %d: nothing was forgotten", len(w.ids), w.since)
	}
	for n := range int64(windowSize + 10) {
		r.Alert.Time = time.Unix(0, 1000+n)
		if known, sure := w.has(r); !known && sure {
			t.Fatalf("record %d was added and is said to be new for sure", n)
		}
	}
	if known, _ := w.has(old); !known {
		t.Error("a record that only the log has was forgotten")
	}
}

// FuzzDecodeFrames reads any bytes as a log: no panic, ascending numbers, and never more than there are.
func FuzzDecodeFrames(f *testing.F) {
	path := filepath.Join(f.TempDir(), "log")
	l, _, err := openLog(path)
	if err != nil {
		f.Fatal(err)
	}
	for seq := int64(1); seq < 10; seq += 3 {
		if err := l.append(newRecords(f, seq, 3)); err != nil {
			f.Fatal(err)
		}
	}
	good := content(f, l)
	f.Add(good)
	f.Add(good[:len(good)-5])
	f.Add([]byte("EyAh"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, _, used := decodeFrames(b)
		if used > len(b) {
			t.Errorf("used %d of %d bytes", used, len(b))
		}
		last := int64(0)
		for _, r := range records {
			if r.Seq <= last {
				t.Errorf("Seq %d after %d", r.Seq, last)
			}
			last = r.Seq
		}
	})
}

package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
)

var ctx = context.Background()

// openOn opens a journal on d that tries again after every failure, unless c says otherwise.
func openOn(t testing.TB, d *journaltest.Disk, c journal.Config) *journal.Journal {
	t.Helper()
	if c.RetryEvery == 0 {
		c.RetryEvery = time.Nanosecond
	}
	j, err := journal.Open(ctx, c, d.Open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func entries(t testing.TB, numbers ...int) []journal.Entry {
	var all []journal.Entry
	for _, n := range numbers {
		all = append(all, journaltest.Entry(t, n))
	}
	return all
}

func appendTo(t testing.TB, j *journal.Journal, numbers ...int) journal.Appended {
	t.Helper()
	a, err := j.Append(ctx, entries(t, numbers...))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// follow reads from after on as a consumer does: in batches, until there is nothing more.
func follow(t testing.TB, j *journal.Journal, after int64) []journal.Record {
	t.Helper()
	var all []journal.Record
	for {
		batch, err := j.Read(ctx, after, 7, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			return all
		}
		for _, r := range batch {
			if r.Seq <= after || r.Alert == nil {
				t.Fatalf("after %d: got %d with alert %v", after, r.Seq, r.Alert)
			}
			after = r.Seq
		}
		all = append(all, batch...)
	}
}

// bodies are those of the records, sorted.
func bodies(records []journal.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, string(r.Body))
	}
	slices.Sort(all)
	return all
}

func wanted(numbers ...int) []string {
	var all []string
	for _, n := range numbers {
		all = append(all, string(journaltest.Body(n)))
	}
	slices.Sort(all)
	return all
}

func check(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, -want +got:\n%s", what, diff)
	}
}

func TestAppendAndRead(t *testing.T) {
	d := journaltest.NewDisk()
	at := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	j := openOn(t, d, journal.Config{Now: func() time.Time { return at }})
	if a := appendTo(t, j, 1, 2, 1); a.Stored != 2 || a.Duplicates != 1 || a.Last == 0 {
		t.Errorf("got %+v, want 2 stored and 1 duplicate", a)
	}
	if a := appendTo(t, j, 2); a != (journal.Appended{Duplicates: 1}) {
		t.Errorf("got %+v, want a duplicate and no Last", a)
	}
	last := appendTo(t, j, 3).Last
	// The same alert with its members in another order.
	turned := bytes.Replace(journaltest.Body(3), []byte(`{"hostname":"`), []byte(`{ "source":"syscall", "hostname":"`), 1)
	turned = bytes.Replace(turned, []byte(`,"source":"syscall","tags"`), []byte(`,"tags"`), 1)
	if bytes.Equal(turned, journaltest.Body(3)) || len(turned) != len(journaltest.Body(3))+2 {
		t.Fatalf("the members were not exchanged: %s", turned)
	}
	if a, err := j.Append(ctx, []journal.Entry{journaltest.EntryOf(t, turned)}); err != nil || a.Duplicates != 1 {
		t.Errorf("other order of members: got %+v, %v, want a duplicate", a, err)
	}
	records := follow(t, j, 0)
	check(t, "stored", bodies(records), wanted(1, 2, 3))
	if r := records[2]; r.Seq != last || !r.Arrived.Equal(at) || r.Way != "webhook" || r.Origin.Cluster != "payments" {
		t.Errorf("got %+v", r)
	}
	got, err := j.Get(ctx, []int64{last, 1})
	if err != nil || len(got) != 1 || got[0].Alert == nil {
		t.Errorf("Get: got %v, %v, want the last record, parsed", got, err)
	}
	if a, err := j.Append(ctx, nil); err != nil || a != (journal.Appended{}) {
		t.Errorf("nothing: got %+v, %v", a, err)
	}
	s, err := j.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.Stored != 3 || s.Duplicates != 3 || s.Last != last || s.First != records[0].Seq || !s.Oldest.Equal(at) || s.Failure != nil {
		t.Errorf("stats: got %+v", s)
	}
	var hosts []string
	for _, src := range s.Sources {
		hosts = append(hosts, src.Host)
		if src.Way != "webhook" || src.Cluster != "payments" || !src.LastSeen.Equal(at) {
			t.Errorf("source: got %+v", src)
		}
	}
	if len(hosts) == 0 || len(hosts) != len(slices.Compact(slices.Sorted(slices.Values(hosts)))) {
		t.Errorf("hosts: got %v, want each once", hosts)
	}
}

// TestFailures lets the disk fail in every way at every operation in turn. Whatever happens, what was acknowledged is there
// once, Healthy tells, and the journal goes on when the cause is gone.
func TestFailures(t *testing.T) {
	kinds := []error{journal.ErrFull, journal.ErrReadOnly, journal.ErrLocked, journal.ErrMoved, journal.ErrClosed, io.ErrUnexpectedEOF}
	for _, kind := range kinds {
		for _, durable := range []bool{false, true} {
			if durable && errors.Is(kind, journal.ErrFull) {
				continue // a Store promises that this one is not
			}
			for n := 1; n <= 5; n++ {
				t.Run(fmt.Sprintf("%v/durable=%v/n=%d", kind, durable, n), func(t *testing.T) { testFailure(t, kind, durable, n) })
			}
		}
	}
}

func testFailure(t *testing.T, kind error, durable bool, n int) {
	d := journaltest.NewDisk()
	j := openOn(t, d, journal.Config{})
	var mu sync.Mutex
	calls, failing := 0, true
	fail := func(op string) error {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if failing && calls >= n && (op == "write" || op == "open") {
			return fmt.Errorf("%s: %w", op, kind)
		}
		return nil
	}
	if durable {
		d.FailAfter(fail)
	} else {
		d.FailBefore(fail)
	}
	var acknowledged []int
	refused := 0
	for i := range 8 {
		switch a, err := j.Append(ctx, entries(t, i)); {
		case err == nil && a.Stored == 1:
			acknowledged = append(acknowledged, i)
		case errors.Is(err, kind):
			refused++
		default:
			t.Fatalf("alert %d: got %+v, %v, want it stored or %v", i, a, err, kind)
		}
	}
	if refused == 0 || len(acknowledged) != n-1 {
		t.Fatalf("%d refused and %d stored, want some and %d", refused, len(acknowledged), n-1)
	}
	if err := j.Healthy(); !errors.Is(err, kind) {
		t.Errorf("Healthy: got %v, want %v", err, kind)
	}
	if s, err := j.Stats(ctx); err != nil || !errors.Is(s.Failure, kind) {
		t.Errorf("Stats: got %v, %v, want %v", s.Failure, err, kind)
	}
	mu.Lock()
	failing = false
	mu.Unlock()
	if err := j.Healthy(); err != nil {
		t.Errorf("Healthy when the cause is gone: %v", err)
	}
	stored, duplicates := 0, 0
	for i := range 8 {
		a := appendTo(t, j, i)
		stored += a.Stored
		duplicates += a.Duplicates
	}
	if stored+duplicates != 8 || duplicates < len(acknowledged) || !durable && stored != refused {
		t.Errorf("sent again: %d stored, %d duplicates, want %d and %d", stored, duplicates, refused, len(acknowledged))
	}
	check(t, "in the journal", bodies(follow(t, j, 0)), wanted(0, 1, 2, 3, 4, 5, 6, 7))
}

// TestCorrupt: a damaged file takes nothing more, not even after it could be opened again, until another is in its place.
func TestCorrupt(t *testing.T) {
	for _, op := range []string{"write", "read", "head"} {
		t.Run(op, func(t *testing.T) {
			d := journaltest.NewDisk()
			j := openOn(t, d, journal.Config{})
			appendTo(t, j, 1)
			d.FailBefore(func(o string) error {
				if o == op {
					return journal.ErrCorrupt
				}
				return nil
			})
			switch op {
			case "write":
				if _, err := j.Append(ctx, entries(t, 2)); !errors.Is(err, journal.ErrCorrupt) {
					t.Errorf("got %v, want ErrCorrupt", err)
				}
			case "read":
				if _, err := j.Read(ctx, -1, 10, 1000); !errors.Is(err, journal.ErrCorrupt) {
					t.Errorf("got %v, want ErrCorrupt", err)
				}
			case "head":
				if s, err := j.Stats(ctx); err != nil || s.Stored != 1 {
					t.Errorf("got %+v, %v, want what is known", s, err)
				}
			}
			d.FailBefore(nil)
			for range 3 {
				if _, err := j.Append(ctx, entries(t, 2)); !errors.Is(err, journal.ErrCorrupt) {
					t.Errorf("the damage is out of sight: got %v, want ErrCorrupt still", err)
				}
				if err := j.Healthy(); !errors.Is(err, journal.ErrCorrupt) {
					t.Errorf("Healthy: got %v, want ErrCorrupt", err)
				}
			}
			if got := len(follow(t, j, 0)); got != 1 {
				t.Errorf("what can be read: got %d records, want 1", got)
			}
			d.Replace(nil)
			if a := appendTo(t, j, 2); a.Stored != 1 {
				t.Errorf("another file: got %+v, want 1 stored", a)
			}
			if err := j.Healthy(); err != nil {
				t.Error(err)
			}
			// The consumer that was behind misses nothing that this process has seen.
			check(t, "both files", bodies(follow(t, j, 0)), wanted(1, 2))
		})
	}
}

// TestReplaced: numbers go on although the new file, or the backup in its place, knows nothing of those given.
func TestReplaced(t *testing.T) {
	at := time.Now()
	now := func() time.Time { return at }
	d := journaltest.NewDisk()
	j, err := journal.Open(ctx, journal.Config{Now: now}, d.Open)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, j, 1, 2)
	backup := d.Copy()
	consumed := appendTo(t, j, 3, 4).Last
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]*journaltest.Disk{"a new file": nil, "a backup": backup} {
		t.Run(name, func(t *testing.T) {
			d.Replace(file)
			at = at.Add(time.Second)
			j := openOn(t, d, journal.Config{Now: now})
			if a := appendTo(t, j, 5); a.Last <= consumed {
				t.Errorf("number %d is given again: a consumer at %d never sees it", a.Last, consumed)
			}
			check(t, "seen", bodies(follow(t, j, consumed)), wanted(5))
		})
	}
}

// TestRefusedFast: while a failure is fresh the disk is left alone.
func TestRefusedFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := journaltest.NewDisk()
		d.FailBefore(func(string) error { return journal.ErrReadOnly })
		j := openOn(t, d, journal.Config{RetryEvery: time.Second})
		for range 100 {
			if _, err := j.Append(ctx, entries(t, 1)); !errors.Is(err, journal.ErrReadOnly) {
				t.Fatalf("got %v, want ErrReadOnly", err)
			}
			if err := j.Healthy(); !errors.Is(err, journal.ErrReadOnly) {
				t.Fatalf("Healthy: got %v, want ErrReadOnly", err)
			}
		}
		check(t, "opened", d.Opened(), 1)
		time.Sleep(time.Second)
		if err := j.Healthy(); !errors.Is(err, journal.ErrReadOnly) {
			t.Errorf("got %v, want ErrReadOnly", err)
		}
		check(t, "opened a second later", d.Opened(), 2)
		d.FailBefore(nil)
		time.Sleep(time.Second)
		if err := j.Healthy(); err != nil {
			t.Errorf("the cause is gone: got %v", err)
		}
		check(t, "opened at last", d.Opened(), 3)
	})
}

// TestSlowDisk: a disk that hangs makes Healthy say so, and a caller that gives up is let go.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := journaltest.NewDisk()
		j := openOn(t, d, journal.Config{})
		hang := make(chan struct{})
		d.FailBefore(func(op string) error {
			if op == "write" {
				<-hang
			}
			return nil
		})
		if err := j.Healthy(); !errors.Is(err, journal.ErrSlow) {
			t.Errorf("got %v, want ErrSlow", err)
		}
		impatient, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := j.Append(impatient, entries(t, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the error of the context", err)
		}
		close(hang)
		if a := appendTo(t, j, 1); a.Duplicates != 1 {
			t.Errorf("sent again: got %+v, want a duplicate", a)
		}
		gone, cancelGone := context.WithCancel(ctx)
		cancelGone()
		if _, err := j.Append(gone, entries(t, 2)); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: got %v", err)
		}
		check(t, "stored", bodies(follow(t, j, 0)), wanted(1))
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := journaltest.NewDisk()
		j := openOn(t, d, journal.Config{})
		waits := func(after int64) (done chan error) {
			done = make(chan error, 1)
			go func() { done <- j.Wait(ctx, after) }()
			synctest.Wait()
			return done
		}
		idle := func(what string, done chan error) {
			t.Helper()
			synctest.Wait()
			select {
			case err := <-done:
				t.Errorf("%s: Wait returned %v, want it to wait", what, err)
			default:
			}
		}
		first := waits(0)
		idle("an empty journal", first)
		last := appendTo(t, j, 1).Last
		if err := <-first; err != nil {
			t.Error(err)
		}
		second := waits(last)
		appendTo(t, j, 1)
		idle("only a duplicate", second)
		if err := j.Healthy(); err != nil {
			t.Error(err)
		}
		idle("only a trial", second)
		d.FailBefore(func(string) error { return journal.ErrReadOnly })
		if _, err := j.Append(ctx, entries(t, 2)); err == nil {
			t.Error("want an error")
		}
		idle("a failure", second)
		d.FailBefore(nil)
		time.Sleep(time.Second)
		appendTo(t, j, 2)
		if err := <-second; err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		if err := j.Wait(ctx, 1<<62); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("closed: got %v, want ErrClosed", err)
		}
		// A journal that holds only what the consumer has passed is idle after a start, too.
		j = openOn(t, d, journal.Config{})
		all := follow(t, j, 0)
		third := waits(all[len(all)-1].Seq)
		idle("everything is passed", third)
		over, cancel := context.WithCancel(ctx)
		cancel()
		if err := j.Wait(over, 1<<62); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the error of the context", err)
		}
		appendTo(t, j, 3)
		if err := <-third; err != nil {
			t.Error(err)
		}
	})
}

// TestAmbiguous: a write that failed and is durable all the same is seen by the consumer once the store is open again.
func TestAmbiguous(t *testing.T) {
	d := journaltest.NewDisk()
	j := openOn(t, d, journal.Config{})
	last := appendTo(t, j, 1).Last
	d.FailAfter(func(string) error { return io.ErrUnexpectedEOF })
	if _, err := j.Append(ctx, entries(t, 2)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
	d.FailAfter(nil)
	if a := appendTo(t, j, 2); a.Duplicates != 1 {
		t.Errorf("sent again: got %+v, want a duplicate", a)
	}
	if err := j.Wait(ctx, last); err != nil {
		t.Fatal(err)
	}
	check(t, "seen", bodies(follow(t, j, last)), wanted(2))
}

// TestConcurrent has many callers, readers that follow, and a disk that fails now and then.
func TestConcurrent(t *testing.T) {
	const callers, each = 16, 40
	d := journaltest.NewDisk()
	j := openOn(t, d, journal.Config{})
	r := rand.New(rand.NewPCG(1, 2))
	d.FailBefore(func(op string) error { // called under the lock of d
		if op == "write" && r.IntN(10) == 0 {
			return []error{journal.ErrFull, io.ErrUnexpectedEOF}[r.IntN(2)]
		}
		return nil
	})
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			for i := range each {
				e := entries(t, c*each+i, c*each) // the second is a duplicate, but for the first time
				for {
					a, err := j.AppendAndReject(ctx, slices.Clone(e), []journal.Rejected{{Reason: "not_json", Body: []byte("x")}})
					if err == nil {
						if a.Stored+a.Duplicates != 2 {
							t.Errorf("got %+v, want 2 in all", a)
						}
						break
					}
				}
				if i%10 == 0 {
					_, _ = j.Stats(ctx)
					_ = j.Healthy()
				}
			}
		})
	}
	var got []journal.Record
	group.Go(func() {
		after := int64(0)
		for len(got) < callers*each {
			if err := j.Wait(ctx, after); err != nil {
				t.Error(err)
				return
			}
			records, err := j.Read(ctx, after, 50, 1<<20)
			if err != nil {
				continue // it is being opened anew
			}
			for _, r := range records {
				if r.Seq <= after {
					t.Errorf("%d after %d", r.Seq, after)
				}
				after = r.Seq
			}
			got = append(got, records...)
		}
	})
	group.Wait()
	want := make([]int, callers*each)
	for i := range want {
		want[i] = i
	}
	check(t, "followed", bodies(got), wanted(want...))
	s, err := j.Stats(ctx)
	if err != nil || s.Rejected["not_json"] != callers*each || s.Stored != callers*each {
		t.Errorf("stats: got %d stored, rejected %v, %v, want %d each", s.Stored, s.Rejected, err, callers*each)
	}
}

// TestGroups: those who wait during a commit share the next one.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := journaltest.NewDisk()
		j := openOn(t, d, journal.Config{})
		hang, writes := make(chan struct{}), 0
		d.FailBefore(func(op string) error {
			if op == "write" {
				if writes++; writes == 1 {
					<-hang
				}
			}
			return nil
		})
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() { appendTo(t, j, i) })
		}
		synctest.Wait()
		close(hang)
		group.Wait()
		check(t, "commits", writes, 2)
		check(t, "stored", len(follow(t, j, 0)), 100)
	})
}

func TestClose(t *testing.T) {
	d := journaltest.NewDisk()
	j, err := journal.Open(ctx, journal.Config{}, d.Open)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var stored []int
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			switch _, err := j.Append(ctx, entries(t, i)); {
			case err == nil:
				mu.Lock()
				stored = append(stored, i)
				mu.Unlock()
			case !errors.Is(err, journal.ErrClosed):
				t.Errorf("got %v, want ErrClosed", err)
			}
		})
		if i == 100 {
			group.Go(func() {
				if err := j.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	_, readErr := j.Read(ctx, 0, 1, 1)
	for what, err := range map[string]error{"Healthy": j.Healthy(), "Reject": j.Reject(ctx, []journal.Rejected{{}}), "SetCursor": j.SetCursor(ctx, "a", 1)} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", what, err)
		}
	}
	_ = readErr // what is in memory may still be read
	check(t, "stored", bodies(follow(t, openOn(t, d, journal.Config{}), 0)), wanted(stored...))
}

// TestRecent fills more than the memory for recent records, and reads on from everywhere.
func TestRecent(t *testing.T) {
	d := journaltest.NewDisk()
	j := openOn(t, d, journal.Config{})
	big := strings.Repeat("x", 1<<19)
	var last []int64
	for i := range 12 {
		body := bytes.Replace(journaltest.Body(i), []byte("Sensitive"), []byte(big), 1)
		a, err := j.Append(ctx, []journal.Entry{journaltest.EntryOf(t, body)})
		if err != nil {
			t.Fatal(err)
		}
		last = append(last, a.Last)
	}
	reads := 0
	d.FailBefore(func(op string) error {
		if op == "read" {
			reads++
		}
		return nil
	})
	if got := follow(t, j, last[8]); len(got) != 3 || reads != 0 {
		t.Errorf("the newest: got %d records with %d reads of the disk, want 3 with none", len(got), reads)
	}
	if got := follow(t, j, 0); len(got) != 12 || reads == 0 {
		t.Errorf("all: got %d records with %d reads of the disk, want 12 with some", len(got), reads)
	}
	for i, seq := range last {
		n, oldest, err := j.Waiting(ctx, seq)
		if err != nil || n != int64(11-i) || oldest.IsZero() != (n == 0) {
			t.Errorf("waiting after %d: got %d, %v, %v, want %d", seq, n, oldest, err, 11-i)
		}
	}
	// The file is replaced while a consumer is behind: what is in memory is not skipped for what the new file has.
	kept := len(follow(t, j, last[8]-1))
	d.FailBefore(func(string) error { return journal.ErrMoved })
	if _, err := j.Append(ctx, entries(t, 50)); !errors.Is(err, journal.ErrMoved) {
		t.Fatalf("got %v, want ErrMoved", err)
	}
	d.FailBefore(nil)
	d.Replace(nil)
	newest := appendTo(t, j, 50).Last
	got := follow(t, j, 0)
	if len(got) < kept+1 || len(got) >= 13 || got[len(got)-1].Seq != newest || got[len(got)-2].Seq != last[11] {
		t.Errorf("after the file was replaced: got %d records, want at least the %d in memory and the new one", len(got), kept)
	}
}

// TestRun: what is old or too much is deleted, but nothing that was not consumed; the counters are kept.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := journaltest.NewDisk()
		var consumed atomic.Int64
		var log bytes.Buffer
		j := openOn(t, d, journal.Config{MaxAge: time.Hour, Consumed: consumed.Load, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		run, stop := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- j.Run(run) }()
		synctest.Wait()
		time.Sleep(time.Second) // from here on this test and Run are never awake at the same time
		appendTo(t, j, 1, 2)
		time.Sleep(2 * time.Hour)
		last := appendTo(t, j, 3).Last
		time.Sleep(time.Minute)
		check(t, "nothing is consumed", len(follow(t, j, 0)), 3)
		consumed.Store(last)
		time.Sleep(time.Minute)
		s, err := j.Stats(ctx)
		if err != nil || s.First != last || s.Last != last {
			t.Errorf("got %+v, %v, want only %d left", s, err, last)
		}
		appendTo(t, j, 4, 4)
		d.FailBefore(func(op string) error {
			if op == "save" || op == "expire" {
				return journal.ErrFull
			}
			return nil
		})
		time.Sleep(time.Minute)
		d.FailBefore(nil)
		time.Sleep(time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "counters could not be kept") {
			t.Errorf("log: got %q", log.String())
		}
		other, err := d.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		h, err := other.Head(ctx)
		if err != nil || h.Counters["stored"] != 4 || h.Counters["duplicates"] != 1 || len(h.Sources) == 0 {
			t.Errorf("kept: got %+v, %v, want 4 stored and 1 duplicate", h, err)
		}
	})
}

func TestQuarantine(t *testing.T) {
	d := journaltest.NewDisk()
	j := openOn(t, d, journal.Config{QuarantineBytes: 2000})
	for i := range 20 {
		if err := j.Reject(ctx, []journal.Rejected{{Reason: []string{"a", "b"}[i%2], Body: []byte(strings.Repeat("x", 100))}}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := j.Quarantine(ctx, 0, 100)
	if err != nil || len(all) != 6 || all[0].Size != 100 || all[0].Arrived.IsZero() {
		t.Fatalf("got %d records, %v, want 6 of 300 bytes each", len(all), err)
	}
	if err := j.Discard(ctx, []int64{all[0].ID}); err != nil {
		t.Fatal(err)
	}
	s, err := j.Stats(ctx)
	if err != nil || s.Evicted != 14 || s.Quarantined != 5 || s.Rejected["a"] != 10 || s.Rejected["b"] != 10 {
		t.Errorf("got %+v, %v, want 14 evicted, 5 left, 10 by each reason", s, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openOn(t, d, journal.Config{})
	if s, err := j.Stats(ctx); err != nil || s.Rejected["a"] != 10 || s.Evicted != 14 {
		t.Errorf("after a restart: got %+v, %v", s, err)
	}
}

func TestCursor(t *testing.T) {
	j := openOn(t, journaltest.NewDisk(), journal.Config{})
	if err := j.SetCursor(ctx, "hub", 7); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Cursor(ctx, "hub"); err != nil || got != 7 {
		t.Errorf("got %d, %v, want 7", got, err)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []journal.Config{{MaxAge: -1}, {MaxBytes: -1}, {QuarantineBytes: -1}, {RetryEvery: -1}} {
		if _, err := journal.Open(ctx, c, journaltest.NewDisk().Open); err == nil {
			t.Errorf("%+v: want an error", c)
		}
	}
}

// Package journaltest tests what journal.Store promises, over any store, and has a store in memory that fails on demand.
//
// In comes a way to open a store; out go failures of the test that is given. It is for tests alone: nothing that ships
// imports it, and it keeps nothing.
package journaltest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/journal"
)

// Opener opens one and the same store again and again; the caller closes it in between.
type Opener func(t testing.TB) journal.Store

// Contract runs the suite. fresh returns the opener of a new, empty store.
func Contract(t *testing.T, fresh func(t testing.TB) Opener) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Opener)
	}{
		{"order and bounds", testOrder},
		{"many groups", testMany},
		{"duplicates", testDuplicates},
		{"reopen", testReopen},
		{"expire by age", testExpireAge},
		{"expire by size", testExpireSize},
		{"waiting", testWaiting},
		{"cursors", testCursors},
		{"quarantine", testQuarantine},
		{"counters and sources", testSave},
		{"trial", testTrial},
		{"closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, fresh(t)) })
	}
}

// arrived is when a record with this Seq arrived.
func arrived(seq int64) time.Time { return began.Add(time.Duration(seq) * time.Second) }

// records makes one record for each number of an alert; their Seqs are seq, seq+1 and so on.
func records(t testing.TB, seq int64, alerts ...int) []journal.Record {
	t.Helper()
	var all []journal.Record
	for i, n := range alerts {
		all = append(all, journal.Record{Seq: seq + int64(i), Arrived: arrived(seq), Entry: Entry(t, n)})
	}
	return all
}

func write(t testing.TB, s journal.Store, g journal.Group) []bool {
	t.Helper()
	stored, err := s.Write(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func writeAlerts(t testing.TB, s journal.Store, seq int64, alerts ...int) {
	t.Helper()
	if stored := write(t, s, journal.Group{Records: records(t, seq, alerts...)}); slices.Contains(stored, false) {
		t.Fatalf("alerts %v: got %v, want all stored", alerts, stored)
	}
}

func readAll(t testing.TB, s journal.Store, after int64) []journal.Record {
	t.Helper()
	all, err := s.Read(context.Background(), after, 1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func seqs(records []journal.Record) []int64 {
	out := []int64{}
	for _, r := range records {
		out = append(out, r.Seq)
	}
	return out
}

func head(t testing.TB, s journal.Store) journal.Head {
	t.Helper()
	h, err := s.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func check(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, -want +got:\n%s", what, diff)
	}
}

func closeStore(t testing.TB, s journal.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func testOrder(t *testing.T, open Opener) {
	ctx := context.Background()
	s := open(t)
	defer closeStore(t, s)
	if h := head(t, s); h.First != 0 || h.Last != 0 || !h.Oldest.IsZero() {
		t.Errorf("empty: got %+v, want zero", h)
	}
	check(t, "nothing", seqs(readAll(t, s, 0)), []int64{})
	writeAlerts(t, s, 5, 1, 2, 3)
	writeAlerts(t, s, 100, 4)
	writeAlerts(t, s, 101, 5, 6)
	want := append(append(records(t, 5, 1, 2, 3), records(t, 100, 4)...), records(t, 101, 5, 6)...)
	for i := range want {
		want[i].Alert = nil
	}
	check(t, "all", readAll(t, s, 0), want)
	for after, first := range map[int64]int64{4: 5, 5: 6, 6: 7, 7: 100, 50: 100, 100: 101, 101: 102} {
		if got := readAll(t, s, after); len(got) == 0 || got[0].Seq != first {
			t.Errorf("after %d: got %v, want %d first", after, seqs(got), first)
		}
	}
	check(t, "after the last", seqs(readAll(t, s, 102)), []int64{})
	one := len(want[0].Body)
	for _, c := range []struct {
		limit, maxBytes int
		want            []int64
	}{{0, 1, []int64{}}, {2, 1 << 20, []int64{5, 6}}, {9, 1, []int64{5}}, {9, one, []int64{5}}, {9, one + 1, []int64{5, 6}}, {9, 1 << 20, []int64{5, 6, 7, 100, 101, 102}}} {
		got, err := s.Read(ctx, 0, c.limit, c.maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		check(t, "limit", seqs(got), c.want)
	}
	got, err := s.Get(ctx, []int64{102, 6, 8, 6, 99, 100, 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "Get", seqs(got), []int64{6, 100, 102})
	if h := head(t, s); h.First != 5 || h.Last != 102 || !h.Oldest.Equal(arrived(5)) || h.Bytes <= 0 {
		t.Errorf("head: got %+v, want 5 to 102", h)
	}
}

// testMany has more groups than a store may fetch at once.
func testMany(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	want := []int64{}
	for n := range 200 {
		writeAlerts(t, s, int64(1+2*n), n)
		want = append(want, int64(1+2*n))
	}
	check(t, "all at once", seqs(readAll(t, s, 0)), want)
	check(t, "from the middle", seqs(readAll(t, s, 150)), want[75:])
}

func testDuplicates(t *testing.T, open Opener) {
	s := open(t)
	writeAlerts(t, s, 1, 1, 2)
	check(t, "in another group", write(t, s, journal.Group{Records: records(t, 3, 2, 3, 1)}), []bool{false, true, false})
	check(t, "in the same group", write(t, s, journal.Group{Records: records(t, 6, 4, 4, 5, 4)}), []bool{true, false, true, false})
	check(t, "only duplicates", write(t, s, journal.Group{Records: records(t, 10, 1, 2)}), []bool{false, false})
	many := make([]int, 150)
	for i := range many {
		many[i] = 10 + i
	}
	writeAlerts(t, s, 100, many...)
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	stored := write(t, s, journal.Group{Records: records(t, 1000, append(many, 500)...)})
	if slices.Index(stored, true) != 150 {
		t.Errorf("after reopening: got %v, want only the last stored", stored)
	}
	// The same fingerprint at another time is another alert: an index that has lost the time would hide it.
	other := records(t, 2000, 1)
	alert := *other[0].Alert
	alert.Time = alert.Time.Add(time.Nanosecond)
	other[0].Alert = &alert
	check(t, "another time", write(t, s, journal.Group{Records: other}), []bool{true})
	got := seqs(readAll(t, s, 0))
	check(t, "stored", len(got), 2+1+2+150+1+1)
}

func testReopen(t *testing.T, open Opener) {
	s := open(t)
	writeAlerts(t, s, 1, 1, 2, 3)
	before := readAll(t, s, 0)
	h := head(t, s)
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	check(t, "records", readAll(t, s, 0), before)
	now := head(t, s)
	check(t, "head", []int64{now.First, now.Last, now.Bytes}, []int64{h.First, h.Last, h.Bytes})
}

func expire(t testing.TB, s journal.Store, before time.Time, maxBytes, upTo int64, limit int) int {
	t.Helper()
	n, err := s.Expire(context.Background(), before, maxBytes, upTo, limit)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func testExpireAge(t *testing.T, open Opener) {
	s := open(t)
	for i := range 6 {
		writeAlerts(t, s, int64(1+i), i)
	}
	check(t, "none is old", expire(t, s, arrived(1), 0, 100, 100), 0)
	check(t, "not consumed", expire(t, s, arrived(100), 0, 0, 100), 0)
	check(t, "two are old", expire(t, s, arrived(3), 0, 100, 100), 2)
	check(t, "one is consumed", expire(t, s, arrived(100), 0, 3, 100), 1)
	check(t, "step", expire(t, s, arrived(100), 0, 100, 1), 1)
	check(t, "left", seqs(readAll(t, s, 0)), []int64{5, 6})
	check(t, "an expired alert is new", write(t, s, journal.Group{Records: records(t, 7, 0, 5)}), []bool{true, false})
	check(t, "all", expire(t, s, arrived(100), 0, 100, 100), 3)
	check(t, "nothing", expire(t, s, arrived(100), 0, 100, 100), 0)
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	if h := head(t, s); h.First != 0 || h.Last != 7 || h.Bytes != 0 {
		t.Errorf("empty again: got %+v, want no first and 7 as the last", h)
	}
	writeAlerts(t, s, 8, 0, 1)
	check(t, "after all of it", seqs(readAll(t, s, 0)), []int64{8, 9})
}

func testExpireSize(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	for i := range 20 {
		writeAlerts(t, s, int64(1+i), i)
	}
	size := head(t, s).Bytes
	check(t, "it fits", expire(t, s, time.Time{}, size, 100, 100), 0)
	n := expire(t, s, time.Time{}, size/2, 100, 100)
	if n < 8 || n > 12 {
		t.Errorf("half the room: got %d of 20 deleted, want about 10", n)
	}
	if h := head(t, s); h.Bytes > size/2 || h.First != int64(n+1) {
		t.Errorf("half the room: got %d bytes from %d on, want at most %d from %d on", h.Bytes, h.First, size/2, n+1)
	}
	check(t, "not consumed", expire(t, s, time.Time{}, 1, 0, 100), 0)
}

func testWaiting(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	waiting := func(after, want int64, since int64) {
		t.Helper()
		n, oldest, err := s.Waiting(context.Background(), after)
		if err != nil {
			t.Fatal(err)
		}
		if n != want || n > 0 && !oldest.Equal(arrived(since)) {
			t.Errorf("after %d: got %d since %v, want %d since %v", after, n, oldest, want, arrived(since))
		}
	}
	waiting(0, 0, 0)
	writeAlerts(t, s, 10, 1, 2, 3)
	writeAlerts(t, s, 20, 4, 5)
	writeAlerts(t, s, 30, 6)
	waiting(0, 6, 10)
	waiting(10, 5, 10)
	waiting(12, 3, 20)
	waiting(20, 2, 20)
	waiting(29, 1, 30)
	waiting(30, 0, 0)
	expire(t, s, arrived(15), 0, 100, 100)
	waiting(0, 3, 20)
}

func testCursors(t *testing.T, open Opener) {
	ctx := context.Background()
	s := open(t)
	for _, c := range []struct {
		name string
		seq  int64
	}{{"a", 5}, {"b", 1}, {"a", 7}, {"a", 6}} {
		if err := s.SetCursor(ctx, c.name, c.seq); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	for name, want := range map[string]int64{"a": 6, "b": 1, "c": 0} {
		if got, err := s.Cursor(ctx, name); err != nil || got != want {
			t.Errorf("cursor %s: got %d, %v, want %d", name, got, err, want)
		}
	}
}

func testQuarantine(t *testing.T, open Opener) {
	ctx := context.Background()
	s := open(t)
	bad := func(body string) journal.Rejected {
		return journal.Rejected{Arrived: arrived(1), Way: "agent", Origin: origin, Reason: "not_json", Detail: "it ends early", Body: []byte(body), Size: 99}
	}
	list := func(after int64, limit int) []journal.Rejected {
		t.Helper()
		all, err := s.Quarantine(ctx, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	write(t, s, journal.Group{Rejected: []journal.Rejected{bad("one"), bad("two")}, Counters: map[string]int64{"rejected:not_json": 2}})
	write(t, s, journal.Group{Records: records(t, 1, 1), Rejected: []journal.Rejected{bad("three")}, Counters: map[string]int64{"rejected:not_json": 3}})
	all := list(0, 10)
	if len(all) != 3 || all[0].ID <= 0 || all[0].ID >= all[1].ID || all[1].ID >= all[2].ID {
		t.Fatalf("got %+v, want three with ascending IDs", all)
	}
	want := bad("one")
	want.ID = all[0].ID
	check(t, "record", all[0], want)
	check(t, "page", list(all[0].ID, 1), all[1:2])
	if h := head(t, s); h.Quarantined != 3 || h.QuarantineBytes < 11 || h.Counters["rejected:not_json"] != 3 || h.Counters["evicted"] != 0 {
		t.Errorf("head: got %+v, want 3 in quarantine and none evicted", h)
	}
	if err := s.Discard(ctx, []int64{all[1].ID, 12345}); err != nil {
		t.Fatal(err)
	}
	check(t, "discarded", len(list(0, 10)), 2)
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	check(t, "kept", len(list(0, 10)), 2)
	// Room for about two: the oldest go.
	room := head(t, s).QuarantineBytes
	write(t, s, journal.Group{Rejected: []journal.Rejected{bad("four"), bad("five")}, MaxBytes: room + 2})
	var left []string
	for _, r := range list(0, 10) {
		left = append(left, string(r.Body))
	}
	check(t, "left", left, []string{"four", "five"})
	if h := head(t, s); h.Counters["evicted"] != 2 || h.Quarantined != 2 || h.Counters["rejected:not_json"] != 3 || h.QuarantineBytes > room+2 {
		t.Errorf("head: got %+v, want 2 evicted and 2 left", h)
	}
	write(t, s, journal.Group{Rejected: []journal.Rejected{bad("a"), {Reason: "r", Body: nil}}, MaxBytes: 1})
	check(t, "no room at all", len(list(0, 10)), 0)
}

func testSave(t *testing.T, open Opener) {
	ctx := context.Background()
	s := open(t)
	a := journal.Source{Way: "webhook", Host: "node-1", Cluster: "c", LastSeen: arrived(1), Count: 4}
	for _, n := range []int64{3, 9, 5} {
		if err := s.Save(ctx, map[string]int64{"stored": n}, []journal.Source{a}); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	h := head(t, s)
	check(t, "counter", h.Counters["stored"], int64(9))
	check(t, "sources", h.Sources, []journal.Source{a})
}

func testTrial(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	writeAlerts(t, s, 1, 1)
	for range 3 {
		write(t, s, journal.Group{})
	}
	check(t, "a trial leaves nothing", seqs(readAll(t, s, 0)), []int64{1})
}

func testClosed(t *testing.T, open Opener) {
	ctx := context.Background()
	s := open(t)
	closeStore(t, s)
	closeStore(t, s)
	_, writeErr := s.Write(ctx, journal.Group{Records: records(t, 1, 1)})
	_, readErr := s.Read(ctx, 0, 1, 1)
	_, headErr := s.Head(ctx)
	for op, err := range map[string]error{"Write": writeErr, "Read": readErr, "Head": headErr, "SetCursor": s.SetCursor(ctx, "a", 1)} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", op, err)
		}
	}
}

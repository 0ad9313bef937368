package hubtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Contract checks that a store does what hub.Store says. open gives an empty store, and closes it when the test ends.
func Contract(t *testing.T, open func(testing.TB) hub.Store) {
	for _, c := range []struct {
		name string
		run  func(context.Context, *testing.T, hub.Store)
	}{
		{"empty", contractEmpty},
		{"findings", contractFindings},
		{"many findings", contractMany},
		{"deletes", contractDeletes},
		{"history", contractHistory},
		{"changes", contractChanges},
		{"belongings", contractBelongings},
		{"activity", contractActivity},
		{"search", contractSearch},
		{"trim", contractTrim},
		{"records", contractRecords},
		{"closed", contractClosed},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t.Context(), t, open(t)) })
	}
}

// stored makes a finding as the hub would store it. Times have microseconds, which every store keeps.
func stored(seq int64) *hub.Stored {
	at := Epoch.Add(time.Duration(seq)*time.Second + 123456*time.Microsecond)
	return &hub.Stored{
		Finding: hub.Finding{
			Key: hub.Key{ID: fmt.Sprintf("id-%d", seq), ProductArn: ProductArn}, Doc: fmt.Appendf(nil, `{"Id":"id-%d","text":"é\u0000"}`, seq), Seq: seq,
			Occurrences: seq * 3, FirstObserved: at, LastObserved: at.Add(time.Hour), UpdatedAt: at.Add(2 * time.Hour), ImportedAt: at.Add(3 * time.Hour),
			Workflow: "NEW", Severity: "HIGH", RecordState: "ACTIVE",
		},
		Customer: []byte(`{"Confidence":3}`), Chunks: 4, Records: 5, TextHash: 1<<63 + uint64(seq), Touched: at.Add(4 * time.Hour),
	}
}

func create(seqs ...int64) []hub.Put {
	var puts []hub.Put
	for _, seq := range seqs {
		puts = append(puts, hub.Put{Stored: stored(seq), New: true, NewWords: true, Words: []string{"word", fmt.Sprintf("n%d", seq)}})
	}
	return puts
}

func commit(ctx context.Context, t *testing.T, s hub.Store, b *hub.Batch) {
	t.Helper()
	if err := s.Commit(ctx, b); err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(got, want, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: got (-) want (+)\n%s", what, diff)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func contractEmpty(ctx context.Context, t *testing.T, s hub.Store) {
	equal(t, "Heads", must[hub.Heads](t)(s.Heads(ctx)), hub.Heads{})
	equal(t, "Cursor", must[int64](t)(s.Cursor(ctx, "journal")), 0)
	equal(t, "OldestChange", must[int64](t)(s.OldestChange(ctx)), 0)
	equal(t, "Load", must[[]hub.Stored](t)(s.Load(ctx, []hub.Key{{ID: "a", ProductArn: "b"}})), nil)
	equal(t, "Changes", must[[]hub.Change](t)(s.Changes(ctx, 0, 10)), nil)
	equal(t, "Search", must[[]int64](t)(s.Search(ctx, []string{"word"}, true, 10)), nil)
	commit(ctx, t, s, &hub.Batch{Source: "journal", UpTo: 7})
	commit(ctx, t, s, &hub.Batch{Source: "journal", UpTo: 9})
	equal(t, "Cursor", must[int64](t)(s.Cursor(ctx, "journal")), 9)
	equal(t, "Cursor of another", must[int64](t)(s.Cursor(ctx, "other")), 0)
}

func contractFindings(ctx context.Context, t *testing.T, s hub.Store) {
	plain := stored(2)
	plain.Customer, plain.FirstObserved, plain.Touched = nil, time.Time{}, time.Time{}
	commit(ctx, t, s, &hub.Batch{Puts: []hub.Put{{Stored: stored(1), New: true}, {Stored: plain, New: true}}})
	equal(t, "Heads", must[hub.Heads](t)(s.Heads(ctx)), hub.Heads{Finding: 2, Findings: 2})
	found := must[[]hub.Stored](t)(s.Load(ctx, []hub.Key{stored(2).Key, {ID: "id-1", ProductArn: "other"}, stored(1).Key}))
	slices.SortFunc(found, func(a, b hub.Stored) int { return int(a.Seq - b.Seq) })
	equal(t, "Load", found, []hub.Stored{*stored(1), *plain})

	changed := stored(1)
	changed.Doc, changed.Workflow, changed.Occurrences, changed.Customer = []byte(`{"new":1}`), "RESOLVED", 99, []byte(`{}`)
	commit(ctx, t, s, &hub.Batch{Puts: []hub.Put{{Stored: changed}}})
	equal(t, "LoadSeqs", must[[]hub.Stored](t)(s.LoadSeqs(ctx, []int64{1, 5})), []hub.Stored{*changed})
	equal(t, "Heads", must[hub.Heads](t)(s.Heads(ctx)), hub.Heads{Finding: 2, Findings: 2})
}

func contractMany(ctx context.Context, t *testing.T, s hub.Store) {
	const n = 1300 // more than any store reads or writes in one statement
	var b hub.Batch
	var keys []hub.Key
	var seqs []int64
	for seq := int64(1); seq <= n; seq++ {
		b.Puts = append(b.Puts, create(seq)...)
		b.Changes = append(b.Changes, hub.Change{Seq: seq, At: Epoch, Kind: hub.Created, Key: stored(seq).Key, FindingSeq: seq})
		keys = append(keys, stored(seq).Key)
		seqs = append(seqs, seq)
	}
	commit(ctx, t, s, &b)
	equal(t, "Load", len(must[[]hub.Stored](t)(s.Load(ctx, keys))), n)
	equal(t, "LoadSeqs", len(must[[]hub.Stored](t)(s.LoadSeqs(ctx, seqs))), n)
	equal(t, "Changes", len(must[[]hub.Change](t)(s.Changes(ctx, 0, 10*n))), n)
	var scanned []int64
	err := s.Scan(ctx, 3, func(f *hub.Stored) error {
		scanned = append(scanned, f.Seq)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Scan", scanned, seqs[3:])
	stop := errors.New("stop")
	if err := s.Scan(ctx, 0, func(*hub.Stored) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Scan returned %v, want the error of its function", err)
	}
}

func contractDeletes(ctx context.Context, t *testing.T, s hub.Store) {
	commit(ctx, t, s, &hub.Batch{
		Puts: create(1, 2, 3), Chunks: []hub.AlertChunk{{Finding: 3, Body: []byte("x")}},
		Timeline: []hub.TimelineAdd{{Finding: 3, Hour: Epoch, Count: 1}},
		History:  []hub.HistoryEntry{{Finding: 3, N: 1, HistoryRecord: hub.HistoryRecord{At: Epoch, Created: true, Source: hub.SourceImport, Identity: "me"}}},
		Changes:  []hub.Change{{Seq: 1, At: Epoch, Kind: hub.Created, Key: stored(3).Key, FindingSeq: 3}},
	})
	commit(ctx, t, s, &hub.Batch{
		Deletes: []int64{3, 99}, Changes: []hub.Change{{Seq: 2, At: Epoch, Kind: hub.Deleted, Key: stored(3).Key, FindingSeq: 3}},
	})
	equal(t, "Heads", must[hub.Heads](t)(s.Heads(ctx)), hub.Heads{Finding: 3, Change: 2, Findings: 2})
	equal(t, "Load", must[[]hub.Stored](t)(s.Load(ctx, []hub.Key{stored(3).Key})), nil)
	equal(t, "AlertChunks", must[[]hub.AlertChunk](t)(s.AlertChunks(ctx, 3)), nil)
	equal(t, "Timeline", must[[]hub.TimelinePoint](t)(s.Timeline(ctx, 3)), nil)
	equal(t, "History", must[[]hub.HistoryEntry](t)(s.History(ctx, 3, 0, time.Time{}, time.Time{}, 9)), nil)
	found := must[[]int64](t)(s.Search(ctx, []string{"word"}, false, 9))
	slices.Sort(found)
	equal(t, "Search", found, []int64{1, 2})
	equal(t, "Changes", must[[]hub.Change](t)(s.Changes(ctx, 0, 9)),
		[]hub.Change{{Seq: 2, At: Epoch, Kind: hub.Deleted, Key: stored(3).Key, FindingSeq: 3}})
	again := hub.Put{Stored: stored(3), New: true}
	again.Seq = 4
	commit(ctx, t, s, &hub.Batch{Puts: []hub.Put{again}})
	equal(t, "Heads", must[hub.Heads](t)(s.Heads(ctx)), hub.Heads{Finding: 4, Change: 2, Findings: 3})
}

func contractHistory(ctx context.Context, t *testing.T, s hub.Store) {
	var b hub.Batch
	var all []hub.HistoryEntry
	for n := int64(1); n <= 5; n++ {
		e := hub.HistoryEntry{Finding: 1, N: n, HistoryRecord: hub.HistoryRecord{
			At: Epoch.Add(time.Duration(n) * time.Minute), Created: n == 1, Source: hub.SourceUpdate, Identity: "someone",
			Updates: []hub.HistoryUpdate{{Field: "Workflow", Old: "é\x00", New: ""}},
		}}
		if n == 1 {
			e.Updates = nil
		}
		b.History = append(b.History, e)
		all = slices.Insert(all, 0, e)
	}
	b.Puts = create(1)
	b.History = append(b.History, hub.HistoryEntry{Finding: 2, N: 1, HistoryRecord: hub.HistoryRecord{At: Epoch, Source: hub.SourceImport, Identity: "x"}})
	commit(ctx, t, s, &b)
	history := func(before int64, start, end time.Time, limit int) []hub.HistoryEntry {
		t.Helper()
		return must[[]hub.HistoryEntry](t)(s.History(ctx, 1, before, start, end, limit))
	}
	none := time.Time{}
	equal(t, "all", history(0, none, none, 100), all)
	equal(t, "first two", history(0, none, none, 2), all[:2])
	equal(t, "before", history(3, none, none, 100), all[3:])
	equal(t, "from, inclusive", history(0, Epoch.Add(4*time.Minute), none, 100), all[:2])
	equal(t, "to, inclusive", history(0, none, Epoch.Add(2*time.Minute), 100), all[3:])
}

func contractChanges(ctx context.Context, t *testing.T, s hub.Store) {
	b := hub.Batch{Puts: create(1, 2)}
	var all []hub.Change
	for seq := int64(1); seq <= 6; seq++ {
		f := 1 + seq%2
		all = append(all, hub.Change{Seq: seq * 10, At: Epoch.Add(time.Duration(seq)), Kind: hub.ChangeKind(1 + seq%3), Key: stored(f).Key, FindingSeq: f})
		all[seq-1].At = Epoch.Add(time.Duration(seq) * time.Microsecond)
	}
	b.Changes = all
	commit(ctx, t, s, &b)
	equal(t, "all", must[[]hub.Change](t)(s.Changes(ctx, 0, 100)), all)
	equal(t, "after", must[[]hub.Change](t)(s.Changes(ctx, 30, 2)), all[3:5])
	equal(t, "between", must[[]hub.Change](t)(s.Changes(ctx, 35, 2)), all[3:5])
	equal(t, "oldest", must[int64](t)(s.OldestChange(ctx)), 10)
	equal(t, "Heads", must[hub.Heads](t)(s.Heads(ctx)), hub.Heads{Finding: 2, Change: 60, Findings: 2})
}

func contractBelongings(ctx context.Context, t *testing.T, s hub.Store) {
	chunk := func(slot int, n int64, body string) hub.AlertChunk {
		return hub.AlertChunk{Finding: 1, Slot: slot, N: n, Body: []byte(body)}
	}
	commit(ctx, t, s, &hub.Batch{
		Puts: create(1), Chunks: []hub.AlertChunk{chunk(0, 0, "first"), chunk(1, 1, "old"), chunk(2, 2, "two")},
		Timeline: []hub.TimelineAdd{{Finding: 1, Hour: Epoch.Add(time.Hour), Count: 2}, {Finding: 1, Hour: Epoch, Count: 1}},
	})
	commit(ctx, t, s, &hub.Batch{
		Chunks:   []hub.AlertChunk{chunk(1, 3, "new")},
		Timeline: []hub.TimelineAdd{{Finding: 1, Hour: Epoch.Add(time.Hour), Count: 40}, {Finding: 2, Hour: Epoch, Count: 7}},
	})
	chunks := must[[]hub.AlertChunk](t)(s.AlertChunks(ctx, 1))
	slices.SortFunc(chunks, func(a, b hub.AlertChunk) int { return a.Slot - b.Slot })
	equal(t, "AlertChunks", chunks, []hub.AlertChunk{chunk(0, 0, "first"), chunk(1, 3, "new"), chunk(2, 2, "two")})
	equal(t, "Timeline", must[[]hub.TimelinePoint](t)(s.Timeline(ctx, 1)), []hub.TimelinePoint{{At: Epoch, Count: 1}, {At: Epoch.Add(time.Hour), Count: 42}})
}

func contractActivity(ctx context.Context, t *testing.T, s hub.Store) {
	add := func(step time.Duration, at time.Time, severity int, n int64) {
		a := hub.ActivityCount{Step: step, At: at}
		a.BySeverity[severity] = n
		commit(ctx, t, s, &hub.Batch{Activity: []hub.ActivityCount{a}})
	}
	add(hub.ShortStep, Epoch, 0, 1)
	add(hub.ShortStep, Epoch, 4, 2)
	add(hub.ShortStep, Epoch, 4, 3)
	add(hub.ShortStep, Epoch.Add(hub.ShortStep), 1, 1)
	add(hub.LongStep, Epoch, 2, 9)
	equal(t, "one step", must[[]hub.ActivityCount](t)(s.Activity(ctx, hub.ShortStep, Epoch, Epoch.Add(time.Second))),
		[]hub.ActivityCount{{Step: hub.ShortStep, At: Epoch, BySeverity: [5]int64{1, 0, 0, 0, 5}}})
	equal(t, "from after the start", must[[]hub.ActivityCount](t)(s.Activity(ctx, hub.ShortStep, Epoch.Add(1), Epoch.Add(time.Hour))),
		[]hub.ActivityCount{{Step: hub.ShortStep, At: Epoch.Add(hub.ShortStep), BySeverity: [5]int64{1: 1}}})
	equal(t, "to, exclusive", must[[]hub.ActivityCount](t)(s.Activity(ctx, hub.ShortStep, Epoch, Epoch.Add(hub.ShortStep)))[0].At, Epoch)
	equal(t, "hours", must[[]hub.ActivityCount](t)(s.Activity(ctx, hub.LongStep, Epoch, Epoch.Add(time.Hour))),
		[]hub.ActivityCount{{Step: hub.LongStep, At: Epoch, BySeverity: [5]int64{2: 9}}})
}

func contractSearch(ctx context.Context, t *testing.T, s hub.Store) {
	put := func(seq int64, fresh bool, words ...string) {
		t.Helper()
		commit(ctx, t, s, &hub.Batch{Puts: []hub.Put{{Stored: stored(seq), New: fresh, NewWords: words != nil, Words: words}}})
	}
	put(1, true, "bash", "curl", "10")
	put(2, true, "bash", "größe", "near", "or", "and", "not")
	put(3, true, "bashful", "日本語", "10")
	put(1, false)
	for _, c := range []struct {
		words  string
		prefix bool
		limit  int
		want   []int64
	}{
		{"bash", false, 9, []int64{1, 2}},
		{"bash", true, 9, []int64{1, 2, 3}},
		{"bash", true, 3, []int64{1, 2, 3}},
		{"bash", true, 2, []int64{1, 2, 3}},
		{"bash 10", false, 9, []int64{1}},
		{"10 ba", true, 9, []int64{1, 3}},
		{"ba 10", true, 9, nil},
		{"größe", false, 9, []int64{2}},
		{"日本", true, 9, []int64{3}},
		{"and or not near", false, 9, []int64{2}},
		{"absent", true, 9, nil},
	} {
		got := must[[]int64](t)(s.Search(ctx, hub.Words(c.words), c.prefix, c.limit))
		slices.Sort(got)
		if c.limit < len(c.want) {
			if len(got) != c.limit {
				t.Errorf("Search(%q) with limit %d returns %d", c.words, c.limit, len(got))
			}
			continue
		}
		equal(t, fmt.Sprintf("Search(%q, %t, %d)", c.words, c.prefix, c.limit), got, c.want)
	}
	put(2, false, "other")
	equal(t, "after a change", must[[]int64](t)(s.Search(ctx, []string{"bash"}, false, 9)), []int64{1})
	equal(t, "after a change", must[[]int64](t)(s.Search(ctx, []string{"other"}, false, 9)), []int64{2})
}

func contractTrim(ctx context.Context, t *testing.T, s hub.Store) {
	hour := func(n int) time.Time { return Epoch.Add(time.Duration(n) * time.Hour) }
	b := hub.Batch{Puts: create(1, 2, 3)}
	for f := int64(1); f <= 3; f++ {
		for n := range 4 {
			b.History = append(b.History, hub.HistoryEntry{Finding: f, N: int64(n + 1), HistoryRecord: hub.HistoryRecord{At: hour(n), Source: "s", Identity: "i"}})
			b.Timeline = append(b.Timeline, hub.TimelineAdd{Finding: f, Hour: hour(n), Count: 1})
		}
		b.Changes = append(b.Changes, hub.Change{Seq: f, At: Epoch, Kind: hub.Created, Key: stored(f).Key, FindingSeq: f})
	}
	for n := range 4 {
		for _, step := range []time.Duration{hub.ShortStep, hub.LongStep} {
			b.Activity = append(b.Activity, hub.ActivityCount{Step: step, At: hour(n), BySeverity: [5]int64{1}})
		}
	}
	commit(ctx, t, s, &b)
	if err := s.Trim(ctx, hub.Trim{Feed: 2, ShortBefore: hour(3), Before: hour(1).Add(time.Minute), First: 2, Last: 3}); err != nil {
		t.Fatal(err)
	}
	equal(t, "oldest change", must[int64](t)(s.OldestChange(ctx)), 3)
	equal(t, "short counters", len(must[[]hub.ActivityCount](t)(s.Activity(ctx, hub.ShortStep, Epoch, hour(9)))), 1)
	equal(t, "long counters", len(must[[]hub.ActivityCount](t)(s.Activity(ctx, hub.LongStep, Epoch, hour(9)))), 2)
	for f, want := range map[int64]int{1: 4, 2: 2, 3: 2} {
		equal(t, "history", len(must[[]hub.HistoryEntry](t)(s.History(ctx, f, 0, time.Time{}, time.Time{}, 9))), want)
	}
	equal(t, "timeline outside", len(must[[]hub.TimelinePoint](t)(s.Timeline(ctx, 1))), 4)
	equal(t, "timeline; the hour of the bound stays", len(must[[]hub.TimelinePoint](t)(s.Timeline(ctx, 2))), 3)
	if err := s.Trim(ctx, hub.Trim{}); err != nil {
		t.Fatal(err)
	}
	equal(t, "after an empty trim", len(must[[]hub.TimelinePoint](t)(s.Timeline(ctx, 2))), 3)
}

func contractRecords(ctx context.Context, t *testing.T, s hub.Store) {
	put := func(records ...hub.Record) {
		t.Helper()
		if err := s.PutRecords(ctx, records); err != nil {
			t.Fatal(err)
		}
	}
	put(hub.Record{Kind: "a", Name: "2", Value: []byte("two")}, hub.Record{Kind: "a", Name: "1", Value: []byte{}}, hub.Record{Kind: "b", Name: "1", Value: []byte("other")})
	equal(t, "Records", must[[]hub.Record](t)(s.Records(ctx, "a")), []hub.Record{{Kind: "a", Name: "1"}, {Kind: "a", Name: "2", Value: []byte("two")}})
	put(hub.Record{Kind: "a", Name: "2"}, hub.Record{Kind: "a", Name: "1", Value: []byte("one")}, hub.Record{Kind: "a", Name: "none"})
	equal(t, "Records", must[[]hub.Record](t)(s.Records(ctx, "a")), []hub.Record{{Kind: "a", Name: "1", Value: []byte("one")}})
}

func contractClosed(ctx context.Context, t *testing.T, s hub.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := s.Commit(ctx, &hub.Batch{Source: "a"}); !errors.Is(err, hub.ErrClosed) {
		t.Errorf("Commit on a closed store: got %v, want hub.ErrClosed", err)
	}
	if _, err := s.Load(ctx, []hub.Key{{ID: "a", ProductArn: "b"}}); !errors.Is(err, hub.ErrClosed) {
		t.Errorf("Load on a closed store: got %v, want hub.ErrClosed", err)
	}
}

package sqlite_test

import (
	"flag"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
)

// TestModel does random things to a file and to the store in memory, which is written to be plainly right, and wants the
// same answers of both.
func TestModel(t *testing.T) {
	// Files are slow, and slower under the race detector: a quarter of the usual, unless the command line says a number.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		defer func(value string) { _ = checks.Value.Set(value) }(checks.DefValue)
		if err := checks.Value.Set("25"); err != nil {
			t.Fatal(err)
		}
	}
	entries := make([]journal.Entry, 40)
	for i := range entries {
		entries[i] = journaltest.Entry(t, i)
	}
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(t.TempDir(), "journal.db")
		file := open(t, path)
		file.NoSync()
		defer func() { _ = file.Close() }()
		model, err := journaltest.NewDisk().Open(ctx)
		if err != nil {
			rt.Fatal(err)
		}
		seq, steps := int64(0), int64(0)
		equal := func(what string, got, want any, gotErr, wantErr error) {
			rt.Helper()
			if diff := cmp.Diff(want, got); diff != "" || gotErr != nil || wantErr != nil {
				rt.Fatalf("%s: %v, %v, -model +file:\n%s", what, gotErr, wantErr, diff)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				steps++
				var g journal.Group
				for range rapid.IntRange(0, 20).Draw(rt, "records") {
					seq += rapid.Int64Range(1, 3).Draw(rt, "step")
					g.Records = append(g.Records, journal.Record{Seq: seq, Arrived: time.Unix(steps, 0).UTC(), Entry: rapid.SampledFrom(entries).Draw(rt, "alert")})
				}
				for range rapid.IntRange(0, 3).Draw(rt, "rejected") {
					g.Rejected = append(g.Rejected, journal.Rejected{Arrived: time.Unix(steps, 0).UTC(), Reason: "r", Body: make([]byte, rapid.IntRange(1, 500).Draw(rt, "size"))})
				}
				g.MaxBytes = rapid.Int64Range(300, 2000).Draw(rt, "room")
				got, err1 := file.Write(ctx, g)
				want, err2 := model.Write(ctx, g)
				equal("write", got, want, err1, err2)
			},
			"read": func(rt *rapid.T) {
				after, limit, room := rapid.Int64Range(-1, seq+1).Draw(rt, "after"), rapid.IntRange(0, 30).Draw(rt, "limit"), rapid.IntRange(0, 30000).Draw(rt, "bytes")
				got, err1 := file.Read(ctx, after, limit, room)
				want, err2 := model.Read(ctx, after, limit, room)
				equal("read", got, want, err1, err2)
				n, oldest, err1 := file.Waiting(ctx, after)
				wantN, wantOldest, err2 := model.Waiting(ctx, after)
				equal("waiting", []any{n, oldest.UTC()}, []any{wantN, wantOldest.UTC()}, err1, err2)
				seqs := rapid.SliceOfN(rapid.Int64Range(0, seq+1), 0, 5).Draw(rt, "seqs")
				got, err1 = file.Get(ctx, seqs)
				want, err2 = model.Get(ctx, slices.Clone(seqs))
				equal("get", got, want, err1, err2)
			},
			"expire": func(rt *rapid.T) {
				// Blocks go whole: the bounds are those of blocks.
				before := time.Unix(rapid.Int64Range(0, steps).Draw(rt, "before"), 0)
				got, err1 := file.Expire(ctx, before, 0, seq, 1<<30)
				want, err2 := model.Expire(ctx, before, 0, seq, 1<<30)
				equal("expire", got, want, err1, err2)
			},
			"reopen": func(rt *rapid.T) {
				if err := file.Check(); err != nil {
					rt.Fatal(err)
				}
				if err := file.Close(); err != nil {
					rt.Fatal(err)
				}
				file = open(t, path)
				file.NoSync()
			},
			"discard": func(rt *rapid.T) {
				ids := rapid.SliceOfN(rapid.Int64Range(1, 10), 0, 3).Draw(rt, "ids")
				equal("discard", nil, nil, file.Discard(ctx, ids), model.Discard(ctx, ids))
			},
			"": func(rt *rapid.T) {
				got, err1 := file.Quarantine(ctx, 0, 100)
				want, err2 := model.Quarantine(ctx, 0, 100)
				equal("quarantine", got, want, err1, err2)
				h, err1 := file.Head(ctx)
				w, err2 := model.Head(ctx)
				equal("head", []any{h.First, h.Oldest, h.Quarantined, h.QuarantineBytes, h.Counters["evicted"]},
					[]any{w.First, w.Oldest, w.Quarantined, w.QuarantineBytes, w.Counters["evicted"]}, err1, err2)
			},
		})
	})
}

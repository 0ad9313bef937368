package block

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
)

// realBlock is a block of n alerts.
func realBlock(t testing.TB, n int) (block []byte, records []*journal.Record) {
	for i := range n {
		records = append(records, &journal.Record{Seq: int64(100 + 2*i), Arrived: time.Unix(1_800_000_000, int64(i)).UTC(), Entry: journaltest.Entry(t, i)})
	}
	block, _ = Append(nil, nil, records)
	return block, records
}

// same compares what was decoded with what was encoded; the alert is not in a block, only its time.
func same(t interface {
	Errorf(string, ...any)
	Helper()
}, got []Record, want []*journal.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d records, want %d", len(got), len(want))
		return
	}
	for i, w := range want {
		plain := *w
		plain.Alert = nil
		at := AlertTime(w)
		if diff := cmp.Diff(Record{plain, at}, got[i]); diff != "" {
			t.Errorf("record %d, -want +got:\n%s", i, diff)
		}
	}
}

func TestBlockRoundTrip(t *testing.T) {
	text := rapid.StringN(0, 40, 80)
	when := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(0, rapid.Int64Range(-1<<62, 1<<62).Draw(t, "ns")).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		seq := rapid.Int64Range(1, 1<<53).Draw(t, "first")
		var records []*journal.Record
		for range rapid.IntRange(1, 20).Draw(t, "records") {
			r := &journal.Record{Seq: seq, Arrived: when.Draw(t, "arrived"), Entry: journal.Entry{
				Way: text.Draw(t, "way"), Origin: falco.Origin{Account: text.Draw(t, "account"), Region: text.Draw(t, "region"), Cluster: text.Draw(t, "cluster")},
				Body: append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")...), Fingerprint: [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "fingerprint")),
			}}
			if rapid.Bool().Draw(t, "parsed") {
				r.Alert = &falco.Alert{Time: when.Draw(t, "alert")}
			}
			records = append(records, r)
			seq += rapid.Int64Range(1, 1<<40).Draw(t, "step")
		}
		block, _ := Append(nil, bytes.Repeat([]byte{7}, 50), records)
		got, err := Decode(block, records[0].Seq, records[0].Arrived.UnixNano())
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		same(t, got, records)
		// A block in another row's place, or with any bit turned, is noticed.
		if _, err := Decode(block, records[0].Seq+1, records[0].Arrived.UnixNano()); !errors.Is(err, ErrDamaged) {
			t.Errorf("other number: got %v", err)
		}
		i := rapid.IntRange(0, 8*len(block)-1).Draw(t, "bit")
		block[i/8] ^= 1 << (i % 8)
		if _, err := Decode(block, records[0].Seq, records[0].Arrived.UnixNano()); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit %d turned: got %v", i, err)
		}
	})
}

// TestBlockFormat fails if the format changes without a new version: files of released versions must stay readable.
func TestBlockFormat(t *testing.T) {
	block, records := realBlock(t, 3)
	golden := []byte("\x01") // version
	if !bytes.HasPrefix(block, golden) {
		t.Errorf("got version %d, want 1", block[0])
	}
	got, err := Decode(block, 100, records[0].Arrived.UnixNano())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, records)
	payload := []byte{
		0, 0, 2, // Seq+0, arrival+0, alert time +1 ns
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
		1, 'w', 0, 2, 'e', 'u', 0, 4, 'b', 'o', 'd', 'y',
		130, 1, 1, 0, // Seq+130, arrival-1 ns, alert time as the block's arrival
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0,
	}
	decoded, err := decodePayload(payload, 7, 1000)
	if err != nil {
		t.Fatal(err)
	}
	same(t, decoded, []*journal.Record{
		{Seq: 7, Arrived: time.Unix(0, 1000).UTC(), Entry: journal.Entry{Way: "w", Origin: falco.Origin{Region: "eu"}, Body: []byte("body"),
			Fingerprint: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, Alert: &falco.Alert{Time: time.Unix(0, 1001)}}},
		{Seq: 137, Arrived: time.Unix(0, 999).UTC(), Entry: journal.Entry{Body: []byte{}, Alert: &falco.Alert{Time: time.Unix(0, 1000)}}},
	})
}

// FuzzDecodeBlock decodes anything: no panic, no memory without bound, and what decodes is what encoding makes.
func FuzzDecodeBlock(f *testing.F) {
	for _, n := range []int{1, 2, 4} {
		block, records := realBlock(f, n)
		f.Add(block, true, int64(100), records[0].Arrived.UnixNano())
		f.Add(block[:len(block)/2], true, int64(100), records[0].Arrived.UnixNano())
		_, payload := Append(nil, nil, records)
		f.Add(payload, false, int64(100), records[0].Arrived.UnixNano())
	}
	f.Fuzz(func(t *testing.T, data []byte, whole bool, first, arrived int64) {
		decode := decodePayload
		if whole {
			decode = Decode
		}
		got, err := decode(data, first, arrived)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
			return
		}
		if len(got) == 0 {
			return
		}
		var records []*journal.Record
		for i := range got {
			r := got[i].Record
			r.Alert = &falco.Alert{Time: time.Unix(0, got[i].AlertTime)}
			records = append(records, &r)
		}
		block, _ := Append(nil, nil, records)
		again, err := Decode(block, records[0].Seq, records[0].Arrived.UnixNano())
		if err != nil {
			t.Fatal(err)
		}
		same(t, again, records)
	})
}

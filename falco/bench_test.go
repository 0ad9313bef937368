package falco

import (
	"bytes"
	"testing"
)

func TestFingerprint(t *testing.T) {
	o := Origin{Account: "111122223333", Region: "eu-central-1", Cluster: "prod"}
	same := []string{
		`{"a":1,"b":{"x":"é/","y":[1,{"p":1,"q":2}]}}`,
		` { "b" : {"y":[1, {"q":2,"p":1}],"x":"\u00e9\/"}, "\u0061":1 } `,
		`{"a":2,"b":0,"b":{"x":0,"x":"é/","y":[1,{"p":1,"q":2}]},"a":1}`,
	}
	sums := map[[16]byte]string{}
	for _, record := range same {
		sum, err := Fingerprint([]byte(record), o)
		if err != nil {
			t.Fatal(err)
		}
		sums[sum] = record
	}
	if len(sums) != 1 {
		t.Errorf("records that say the same have %d fingerprints", len(sums))
	}
	others := []string{`{"a":1,"b":{"x":"é/","y":[{"p":1,"q":2},1]}}`, `{"a":"1","b":{"x":"é/","y":[1,{"p":1,"q":2}]}}`, `{}`, `[]`, `{"a":null}`, `{"a":{}}`, `{"a":[]}`, `[[],[]]`, `[[[]]]`}
	for _, record := range others {
		sum, err := Fingerprint([]byte(record), o)
		if err != nil {
			t.Fatal(err)
		}
		if earlier, ok := sums[sum]; ok {
			t.Errorf("%s and %s have the same fingerprint", record, earlier)
		}
		sums[sum] = record
	}
	if _, err := Fingerprint([]byte(`{"a":1}x`), o); err == nil {
		t.Error("no error for what is not JSON")
	}
}

// TestFingerprintIsStable pins the value: journals on disk hold it.
func TestFingerprintIsStable(t *testing.T) {
	sum, err := Fingerprint([]byte(sample), Origin{Account: "111122223333", Region: "eu-central-1", Cluster: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	want := [16]byte{0x6e, 0xf2, 0x99, 0xc4, 0x9c, 0xaa, 0x78, 0x5b, 0xd2, 0x9f, 0xef, 0xe2, 0xa3, 0x6c, 0x92, 0x8f}
	if sum != want {
		t.Errorf("fingerprint of the sample = %#v, want %#v", sum, want)
	}
}

// TestAllocations sets the ceilings: alert, text, fields, tags, and one for each string with escapes.
func TestAllocations(t *testing.T) {
	record := []byte(sample)
	if got := testing.AllocsPerRun(100, func() {
		if _, err := Parse(record); err != nil {
			t.Fatal(err)
		}
	}); got > 5 {
		t.Errorf("Parse allocates %v times, want at most 5", got)
	}
	c := new(canon) // the pool may be emptied at any time
	if got := testing.AllocsPerRun(100, func() {
		if _, err := c.fingerprint(record, Origin{}); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("Fingerprint allocates %v times, want none", got)
	}
	a := mustParse(t, sample)
	buf := make([]byte, 0, 4096)
	if got := testing.AllocsPerRun(100, func() { buf = AppendJSON(buf[:0], a) }); got > 0 {
		t.Errorf("AppendJSON allocates %v times, want none", got)
	}
}

func BenchmarkParse(b *testing.B) {
	record := []byte(sample)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFingerprint(b *testing.B) {
	record := []byte(sample)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Fingerprint(record, Origin{Account: "111122223333", Region: "eu-central-1", Cluster: "prod"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	a := mustParse(b, sample)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendJSON(buf[:0], a)
	}
}

func BenchmarkSplit(b *testing.B) {
	body := bytes.Repeat([]byte(sample+"\n"), 100)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		Split(body, func(int, []byte, error) bool { return true })
	}
}

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

// TestCanonical: what is hashed is compact JSON in the order of the names' bytes; what is that already is taken as it is.
func TestCanonical(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"as Falco prints it", sample, sample},
		{"space", " {\n\"a\" : [ 1 , { } , [ ] ] ,\t\"b\":\"x y\" } \n", `{"a":[1,{},[]],"b":"x y"}`},
		{"order and duplicates", `{"b":{"z":1,"y":[2,3],"z":{"k":0}},"a b":1,"a":2,"b.c":3}`, `{"a":2,"a b":1,"b":{"y":[2,3],"z":{"k":0}},"b.c":3}`},
		{"order and space", "{\"b\": 1,\"a\": {\"d\":1, \"c\":[{\"f\":1,\"e\":2} ]}}", `{"a":{"c":[{"e":2,"f":1}],"d":1},"b":1}`},
		{"escapes", `{"\u0062":"\u00e9\/\n\"","a\u0001":"\ud83d\ude00\\"}`, `{"a\u0001":"😀\\","b":"é/\n\""}`},
		{"equal names by escapes", `{"a":1,"\u0061":2}`, `{"a":2}`},
		{"empty names", `{"":1,"a":{"":2}}`, `{"":1,"a":{"":2}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := new(canon)
			if _, err := c.fingerprint([]byte(tt.in), Origin{}); err != nil {
				t.Fatal(err)
			}
			if got := string(c.dst[:len(c.dst)-len(`""""""`)]); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestFingerprintIsStable pins the value: journals on disk hold it.
func TestFingerprintIsStable(t *testing.T) {
	sum, err := Fingerprint([]byte(sample), Origin{Account: "111122223333", Region: "eu-central-1", Cluster: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	want := [16]byte{0x6b, 0xb8, 0x1f, 0x94, 0x95, 0x13, 0x6a, 0x2f, 0xc3, 0x7, 0x24, 0x8c, 0x6c, 0x31, 0xd8, 0xb8}
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

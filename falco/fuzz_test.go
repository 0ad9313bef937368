package falco

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func seeds(f *testing.F) {
	for _, s := range []string{sample, minimal(``), minimal(`,"output_fields":{"b":1,"a":[{"z":1,"y":"\u00e9"}],"b":2},"x":{"k":null}`),
		minimal(",\"output\":\"\xff\\ud800\\u0000\""), "[" + minimal(``) + ",\n" + minimal(``) + "]", "{\"a\":\"\n{}\r\n", "\xEF\xBB\xBF{}[1,{}]", strings.Repeat("[", 80)} {
		f.Add([]byte(s))
	}
}

// FuzzParse: never a panic; what is read is printed, and read again as the same alert; what is read, encoding/json
// takes for JSON too.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, record []byte) {
		before := bytes.Clone(record)
		a, err := Parse(record)
		if !bytes.Equal(before, record) {
			t.Fatal("the record was changed")
		}
		if err != nil {
			return
		}
		if !json.Valid(bytes.TrimPrefix(bytes.ToValidUTF8(record, nil), []byte("\xEF\xBB\xBF"))) {
			t.Fatalf("accepted what is not JSON: %q", record)
		}
		text := AppendJSON(nil, a)
		if !json.Valid(text) {
			t.Fatalf("printed what is not JSON: %q", text)
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		byName := cmpopts.SortSlices(func(a, b Field) bool { return a.Name < b.Name })
		if diff := cmp.Diff(a, again, byName, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("read again (-first +second):\n%s", diff)
		}
		if third := AppendJSON(nil, again); !bytes.Equal(text, third) {
			t.Fatalf("printed again:\n%s\n%s", text, third)
		}
		if message := a.Message(); a.Output != "" && !strings.HasSuffix(a.Output, message) {
			t.Fatalf("Message %q is no end of %q", message, a.Output)
		}
	})
}

// FuzzSplit: records are parts of the body, in order, that do not overlap; good ones are JSON; nothing but separators
// is left out.
func FuzzSplit(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		next, at := 0, 0
		Split(body, func(index int, record []byte, err error) bool {
			if index != next {
				t.Fatalf("index %d, want %d", index, next)
			}
			next++
			found := bytes.Index(body[at:], record)
			if found < 0 {
				t.Fatalf("record %d is not in the rest of the body: %q", index, record)
			}
			if gap := bytes.Trim(bytes.TrimPrefix(body[at:at+found], []byte("\xEF\xBB\xBF")), " \t\r\n,[]"); len(gap) > 0 && at+found > 0 && err == nil {
				t.Fatalf("left out %q before record %d", gap, index)
			}
			at += found + len(record)
			if err == nil && !json.Valid(bytes.ToValidUTF8(record, nil)) {
				t.Fatalf("record %d is not JSON: %q", index, record)
			}
			return true
		})
		if json.Valid(body) && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) && next != 1 && strings.Count(string(body), "{") < maxDepth {
			t.Fatalf("one object gave %d records: %q", next, body)
		}
	})
}

// FuzzFingerprint: the same for the record written by encoding/json, which sorts members, drops duplicates and
// escapes its own way, and for one with other space; another for another origin and for another value.
func FuzzFingerprint(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, record []byte) {
		o := Origin{Account: "111122223333", Region: "eu-central-1", Cluster: "prod"}
		sum, err := Fingerprint(record, o)
		if err != nil || !bytes.Equal(record, bytes.ToValidUTF8(record, nil)) {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(record, []byte("\xEF\xBB\xBF"))))
		decoder.UseNumber()
		var v any
		if err := decoder.Decode(&v); err != nil {
			t.Fatalf("%v in %q", err, record)
		}
		for _, indent := range []string{"", "  "} {
			other, err := json.MarshalIndent(v, "", indent)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Fingerprint(other, o); err != nil || got != sum {
				t.Fatalf("%q and %q differ (%v)", record, other, err)
			}
		}
		if got, _ := Fingerprint(record, Origin{Account: "11112222333", Region: "3eu-central-1", Cluster: "prod"}); got == sum {
			t.Fatalf("same fingerprint for another origin")
		}
		if got, _ := Fingerprint(slices.Concat([]byte("["), record, []byte("]")), o); got == sum && !bytes.HasPrefix(record, []byte("\xEF")) {
			t.Fatalf("same fingerprint for another record")
		}
	})
}

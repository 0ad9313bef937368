package quarantine

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// noise is n bytes that do not compress.
func noise(n int) []byte {
	var out []byte
	sum := sha256.Sum256(nil)
	for len(out) < n {
		sum = sha256.Sum256(sum[:])
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// TestRoundTrip: every original comes out as it went in, and no message is larger than SQS takes or holds a character that
// it refuses.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name     string
		original []byte
		messages int
	}{
		{"text", []byte("torn {"), 1},
		{"empty", []byte{}, 1},
		{"not UTF-8", []byte("\xff\xfe"), 1},
		{"what SQS refuses", []byte("\x00\x1b\uFFFE\uFFFF"), 1},
		{"escapes", bytes.Repeat([]byte{1}, 32<<10), 1},
		{"large text", bytes.Repeat([]byte("what stands in a log, again and again "), 100_000), 1},
		{"large noise", noise(1 << 20), 6},
		{"just over one message", noise(200 << 10), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := Record{Kind: KindLog, Reason: "not_json", Detail: "d\uFFFE", From: From{LogGroup: "g", EventID: "1", Timestamp: 5}, Original: c.original}
			texts, err := want.messages(MaxMessage)
			if err != nil || len(texts) != c.messages {
				t.Fatalf("%d messages, %v, want %d", len(texts), err, c.messages)
			}
			var parsed []Message
			for _, text := range texts {
				if len(text) > MaxMessage || !utf8.Valid(text) || bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0xFFFE || r == 0xFFFF }) {
					t.Errorf("a message of %d bytes, or with what SQS refuses", len(text))
				}
				m, ok := Parse(text)
				if !ok {
					t.Fatalf("cannot read %.200s", text)
				}
				parsed = append([]Message{m}, parsed...) // any order
			}
			got, err := Join(append(parsed, parsed[0]))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Original, want.Original) {
				t.Errorf("the original of %d bytes came back with %d, or changed", len(want.Original), len(got.Original))
			}
			want.Original, got.Original = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			want.Original = c.original
			if c.messages > 1 {
				if _, err := Join(parsed[1:]); !errors.Is(err, ErrIncomplete) {
					t.Errorf("without a part: %v", err)
				}
			}
		})
	}
}

func TestID(t *testing.T) {
	a := Record{Kind: KindLog, Reason: "r", Original: []byte("x")}
	b := a
	b.Detail = "words may change"
	if a.ID() != b.ID() {
		t.Error("the id depends on the detail")
	}
	b.Original = []byte("y")
	if a.ID() == b.ID() {
		t.Error("two originals have one id")
	}
}

func TestLongDetail(t *testing.T) {
	r := Record{Kind: KindLog, Reason: "r", Detail: strings.Repeat("é", 100_000), Original: noise(maxPlain)}
	texts, err := r.messages(MaxMessage)
	if err != nil || len(texts) != 1 || len(texts[0]) > MaxMessage {
		t.Errorf("%d messages, %v", len(texts), err)
	}
}

func FuzzParse(f *testing.F) {
	texts, err := (&Record{Kind: KindLog, Reason: "r", Original: noise(300 << 10)}).messages(MaxMessage)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(texts[0][:200])
	f.Add([]byte(`{"version":1,"id":"x","reason":"r","encoding":"gzip+base64","original":"H4sI"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, ok := Parse(text)
		if !ok {
			return
		}
		r, err := Join([]Message{m})
		if err == nil && m.Encoding == "" && m.Parts <= 1 && string(r.Original) != m.Original {
			t.Errorf("%q became %q", m.Original, r.Original)
		}
		if _, err := json.Marshal(m); err != nil {
			t.Error(err)
		}
	})
}

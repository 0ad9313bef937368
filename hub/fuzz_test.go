package hub

import (
	"bytes"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzDecodeAlerts(f *testing.F) {
	var e chunkEncoder
	f.Add(e.encode(nil))
	f.Add(e.encode([]RawAlert{{1, time.Unix(1, 2).UTC(), []byte(`{"rule":"a"}`)}, {1 << 60, time.Unix(-5, 0).UTC(), nil}}))
	f.Add([]byte{chunkVersion})
	f.Fuzz(func(t *testing.T, chunk []byte) {
		alerts, err := decodeAlerts(chunk)
		if err != nil {
			return
		}
		again, err := decodeAlerts(e.encode(alerts))
		if err != nil || len(again) != len(alerts) {
			t.Fatalf("encoded and decoded: %d alerts, %v; want %d", len(again), err, len(alerts))
		}
		for i := range alerts {
			if again[i].Seq != alerts[i].Seq || !again[i].At.Equal(alerts[i].At) || !bytes.Equal(again[i].Body, alerts[i].Body) {
				t.Fatalf("alert %d: got %+v, want %+v", i, again[i], alerts[i])
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add(token{5, 9}.String(7), uint64(7))
	f.Add("", uint64(0))
	f.Fuzz(func(t *testing.T, text string, query uint64) {
		if tok, ok := parseToken(text, query); ok {
			if again, ok := parseToken(tok.String(query), query); !ok || again != tok {
				t.Fatalf("%q: %+v becomes %+v", text, tok, again)
			}
			if _, ok := parseToken(text, query+1); ok {
				t.Fatalf("%q serves two queries", text)
			}
		}
	})
}

func FuzzWords(f *testing.F) {
	f.Add("Größe of /etc/shadow 10.0.0.1")
	f.Add("\xff\x80a\u0301 ǅ İ 日本語")
	f.Fuzz(func(t *testing.T, text string) {
		words := Words(text)
		if len(words) > maxWords {
			t.Fatalf("%d words", len(words))
		}
		seen := map[string]bool{}
		for _, w := range words {
			if w == "" || len(w) > maxWordBytes || seen[w] || bytes.ContainsAny([]byte(w), " \"*():^-+\x00") {
				t.Fatalf("%q gives the word %q", text, w)
			}
			seen[w] = true
			// A word is found again by itself.
			if utf8.ValidString(w) && !slices.Equal(Words(w), []string{w}) {
				t.Fatalf("%q gives the word %q, which gives %q", text, w, Words(w))
			}
		}
	})
}

package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/journal"
)

// sponge takes everything.
type sponge struct{ entries, rejected int }

func (s *sponge) AppendAndReject(_ context.Context, entries []journal.Entry, rejected []journal.Rejected) (journal.Appended, error) {
	s.entries += len(entries)
	s.rejected += len(rejected)
	return journal.Appended{Stored: len(entries)}, nil
}

// deaf is a ResponseWriter without memory.
type deaf struct {
	header http.Header
	status int
}

func (d *deaf) Header() http.Header         { return d.header }
func (d *deaf) WriteHeader(status int)      { d.status = status }
func (d *deaf) Write(p []byte) (int, error) { return len(p), nil }

// replay sends the same request again and again.
type replay struct {
	h    *Handler
	r    *http.Request
	body *bytes.Reader
	w    *deaf
}

func newReplay(t testing.TB, sink Sink, body string, header ...string) *replay {
	h := newHandler(t, sink, func(c *Config) { c.MaxBody = 4 << 20 })
	r := httptest.NewRequest(http.MethodPost, "/falco/"+key, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	p := &replay{h: h, r: r, body: bytes.NewReader([]byte(body)), w: &deaf{header: http.Header{}}}
	r.Body, r.ContentLength = io.NopCloser(p.body), int64(len(body))
	return p
}

func (p *replay) send() {
	if _, err := p.body.Seek(0, io.SeekStart); err != nil {
		panic(err)
	}
	p.w.status = 0
	p.h.ServeHTTP(p.w, p.r)
}

// recorded returns n recorded alerts of Falco's, about 1.5 KB each.
func recorded(t testing.TB, n int) []string {
	lines := strings.Split(strings.TrimSpace(string(testshared.Read(t, "falco/alerts/docker-event-generator.jsonl"))), "\n")
	for len(lines) < n {
		lines = append(lines, lines...)
	}
	return lines[:n]
}

func BenchmarkHandler(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		body := strings.Join(recorded(b, n), "\n")
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(fmt.Sprintf("records=%d/encoding=%s", n, encoding), func(b *testing.B) {
				sent := body
				if encoding == "gzip" {
					sent = zipped(b, body)
				}
				s := &sponge{}
				p := newReplay(b, s, sent, "Content-Encoding", encoding)
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					p.send()
				}
				if s.rejected > 0 || s.entries == 0 {
					b.Fatalf("%d records stored, %d rejected", s.entries, s.rejected)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(s.entries), "ns/alert")
			})
		}
	}
}

// TestAllocations holds the way of a single alert to what it must allocate: the bytes that the journal keeps, and what
// parsing makes.
func TestAllocations(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector makes sync.Pool forget on purpose: run without -race")
	}
	const ours = 2 // the body that is handed over; one to spare
	body := recorded(t, 1)[0]
	parse := testing.AllocsPerRun(200, func() {
		if _, err := falco.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
	})
	p := newReplay(t, &sponge{}, body)
	if got := testing.AllocsPerRun(200, p.send); got > parse+ours {
		t.Errorf("a request of one alert: got %v allocations, want at most %v of parsing and %d", got, parse, ours)
	}
}

// FuzzServe sends any body, plain or as gzip: every answer is one that the package promises, and every record is either
// in the journal or in quarantine.
func FuzzServe(f *testing.F) {
	f.Add([]byte(alert(1)), false)
	f.Add([]byte(alert(1)+"\n{\"rule\":\n"+alert(2)), false)
	f.Add([]byte("["+alert(1)+","+sidekick+"]"), false)
	f.Add([]byte(zipped(f, alert(1))), true)
	f.Add([]byte(zipped(f, alert(1))[:40]), true)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		m := &memory{}
		var header []string
		if zip {
			header = []string{"Content-Encoding", "gzip"}
		}
		w := post(newHandler(t, m), "/falco/"+key, string(body), header...)
		a := decode(t, w)
		switch w.Code {
		case http.StatusOK:
			if a.Accepted+a.Duplicates == 0 || len(m.rejected) > 0 {
				t.Errorf("200 %s with %d in quarantine", w.Body, len(m.rejected))
			}
		case http.StatusBadRequest:
			if (len(m.rejected) == 0) != strings.Contains(a.Error, "holds no record") {
				t.Errorf("400 %s with %d in quarantine", w.Body, len(m.rejected))
			}
		case http.StatusRequestEntityTooLarge:
			if m.calls > 0 {
				t.Error("413, and something is stored")
			}
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if a.Accepted != len(m.entries) {
			t.Errorf("%d accepted, %d stored", a.Accepted, len(m.entries))
		}
	})
}

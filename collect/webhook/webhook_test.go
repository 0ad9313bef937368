package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
)

const key = "k3y-of-the-tests"

// memory is a journal in memory: it knows what it has by fingerprint, and fails when it is told to.
type memory struct {
	mu       sync.Mutex
	entries  []journal.Entry
	known    map[[16]byte]bool // the fingerprints of entries
	rejected []journal.Rejected
	calls    int
	fail     func(call int) error
}

func (m *memory) AppendAndReject(ctx context.Context, entries []journal.Entry, rejected []journal.Rejected) (journal.Appended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.fail != nil {
		if err := m.fail(m.calls); err != nil {
			return journal.Appended{}, err
		}
	}
	if m.known == nil {
		m.known = map[[16]byte]bool{}
	}
	var a journal.Appended
	for _, e := range entries {
		if m.known[e.Fingerprint] {
			a.Duplicates++
			continue
		}
		m.known[e.Fingerprint] = true
		m.entries = append(m.entries, e)
		a.Stored++
	}
	m.rejected = append(m.rejected, rejected...)
	return a, nil
}

func (m *memory) bodies() []string {
	var all []string
	for _, e := range m.entries {
		all = append(all, string(e.Body))
	}
	return all
}

func (m *memory) reasons() []string {
	var all []string
	for _, r := range m.rejected {
		all = append(all, r.Reason)
	}
	return all
}

func newHandler(t testing.TB, sink Sink, change ...func(*Config)) *Handler {
	t.Helper()
	c := Config{Check: func(k string) bool { return k == key }, Origin: falco.Origin{Account: "000000000000", Region: "local-1"}, MaxBody: 64 << 10, MaxRecord: 8 << 10}
	for _, f := range change {
		f(&c)
	}
	h, err := New(c, sink)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// alert is a record as Falco prints it; n tells one from another.
func alert(n int) string {
	return fmt.Sprintf(`{"hostname":"node-1","output":"02:25:59.659331632: Warning test %d","output_fields":{"evt.time":1795227959659331632,"proc.name":"bash"},"priority":"Warning","rule":"Test rule","source":"syscall","tags":["T1610"],"time":"2026-11-21T02:25:59.659331632Z"}`, n)
}

func post(h http.Handler, url, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, url, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func decode(t testing.TB, w *httptest.ResponseRecorder) answer {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: got %q, want application/json", got)
	}
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	return a
}

// sidekick is what Falcosidekick sends: a UUID, custom and templated fields, null for what is not known.
const sidekick = `{"uuid":"5d1bf5a4-4f2b-4c5f-8f0b-1c2d3e4f5a6b","output":"02:25:59.659331632: Warning test","priority":"Warning","rule":"Test rule","time":"2026-11-21T02:25:59.659331632Z","source":"syscall","output_fields":{"proc.name":"bash","k8s.ns.name":null,"customer":"acme","link":"https://wiki/Test rule"},"hostname":"node-1","tags":["T1610"]}`

func TestBodies(t *testing.T) {
	one, two, three := alert(1), alert(2), alert(3)
	pretty := "{\n  \"rule\": \"r\",\n  \"priority\": \"info\",\n  \"time\": \"2026-11-21T02:25:59Z\"\n}"
	tests := []struct {
		name, body string
		zip        bool
		status     int
		stored     []string
		reasons    []string
		indexes    []int
		says       string // part of the error
	}{
		{name: "one object", body: one, status: 200, stored: []string{one}},
		{name: "space around it", body: " \r\n" + one + "\r\n\n", status: 200, stored: []string{one}},
		{name: "byte order mark", body: "\ufeff" + one, status: 200, stored: []string{one}},
		{name: "indented object", body: pretty, status: 200, stored: []string{pretty}},
		{name: "objects without space", body: one + two + three, status: 200, stored: []string{one, two, three}},
		{name: "NDJSON", body: one + "\n" + two + "\r\n" + three + "\n", status: 200, stored: []string{one, two, three}},
		{name: "array", body: "[" + one + ",\n" + two + "]", status: 200, stored: []string{one, two}},
		{name: "Falcosidekick", body: sidekick, status: 200, stored: []string{sidekick}},
		{name: "gzip", body: zipped(t, one+"\n"+two), zip: true, status: 200, stored: []string{one, two}},
		{name: "gzip of two members", body: zipped(t, one) + zipped(t, two), zip: true, status: 200, stored: []string{one, two}},

		{name: "bad line in the middle", body: one + "\n{\"rule\":\n" + three, status: 400, stored: []string{one, three}, reasons: []string{"not_json"}, indexes: []int{1}, says: "record 2"},
		{name: "no alert in the middle", body: one + "\n{\"a\":1}\n" + three, status: 400, stored: []string{one, three}, reasons: []string{"missing_rule"}, indexes: []int{1}, says: "record 2: missing_rule"},
		{name: "bad element of an array", body: "[" + one + ",7," + three + "]", status: 400, stored: []string{one, three}, reasons: []string{"not_object"}, indexes: []int{1}, says: "record 2"},
		{name: "cut off", body: one + "\n" + two[:100], status: 400, stored: []string{one}, reasons: []string{"not_json"}, indexes: []int{1}, says: "1 of 2"},
		{name: "text", body: "hello", status: 400, reasons: []string{"not_json"}, indexes: []int{0}, says: "record 1"},
		{name: "bad priority", body: strings.Replace(one, `"Warning","rule"`, `"Loud","rule"`, 1), status: 400, reasons: []string{"bad_priority"}, indexes: []int{0}, says: "record 1: bad_priority"},
		{name: "record over the limit", body: one + "\n" + strings.Replace(two, "bash", strings.Repeat("a", 9<<10), 1) + "\n" + three,
			status: 400, stored: []string{one, three}, reasons: []string{"too_large"}, indexes: []int{1}, says: "record 2: too_large"},
		{name: "no gzip", body: one, zip: true, status: 400, reasons: []string{"bad_gzip"}, indexes: []int{0}, says: "bad_gzip"},
		{name: "gzip cut off", body: zipped(t, one)[:60], zip: true, status: 400, reasons: []string{"bad_gzip"}, indexes: []int{0}, says: "bad_gzip"},

		{name: "empty", body: "", status: 400, says: "no record"},
		{name: "space only", body: " \n\t", status: 400, says: "no record"},
		{name: "empty array", body: "[]", status: 400, says: "no record"},
		{name: "empty gzip", body: zipped(t, ""), zip: true, status: 400, says: "no record"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &memory{}
			var header []string
			if tt.zip {
				header = []string{"Content-Encoding", "gzip"}
			}
			w := post(newHandler(t, m), "/falco/"+key, tt.body, header...)
			if w.Code != tt.status {
				t.Fatalf("status: got %d %s, want %d", w.Code, w.Body, tt.status)
			}
			a := decode(t, w)
			if diff := cmp.Diff(tt.stored, m.bodies()); diff != "" {
				t.Errorf("stored, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.reasons, m.reasons()); diff != "" {
				t.Errorf("quarantined, -want +got:\n%s", diff)
			}
			var indexes []int
			for i, r := range a.Rejected {
				indexes = append(indexes, r.Index)
				if r.Reason != tt.reasons[i] || r.Detail == "" {
					t.Errorf("answer names %+v, want reason %q and a detail", r, tt.reasons[i])
				}
			}
			if diff := cmp.Diff(tt.indexes, indexes); diff != "" {
				t.Errorf("indexes in the answer, -want +got:\n%s", diff)
			}
			if a.Accepted != len(tt.stored) || a.Duplicates != 0 {
				t.Errorf("answer: got %d accepted and %d duplicates, want %d and 0", a.Accepted, a.Duplicates, len(tt.stored))
			}
			if !strings.Contains(a.Error, tt.says) || (a.Error == "") != (tt.status == 200) {
				t.Errorf("error: got %q, want it to hold %q", a.Error, tt.says)
			}
		})
	}
}

// TestEntry checks everything that an entry carries besides its body.
func TestEntry(t *testing.T) {
	cn := falco.Origin{Account: "123456789012", Region: "cn-north-1", Cluster: "prod east"}
	tests := []struct {
		name, query string
		header      []string
		way         string
		origin      falco.Origin
	}{
		{name: "defaults", way: "webhook", origin: falco.Origin{Account: "000000000000", Region: "local-1"}},
		{name: "agent", header: []string{"X-Eyrie-Way", "agent"}, way: "agent", origin: falco.Origin{Account: "000000000000", Region: "local-1"}},
		{name: "unknown way", header: []string{"X-Eyrie-Way", "'; DROP"}, way: "webhook", origin: falco.Origin{Account: "000000000000", Region: "local-1"}},
		{name: "cluster alone", query: "?cluster=c", way: "webhook", origin: falco.Origin{Account: "000000000000", Region: "local-1", Cluster: "c"}},
		{name: "all", query: "?cluster=prod+east&account=123456789012&region=cn-north-1", way: "webhook", origin: cn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &memory{}
			if w := post(newHandler(t, m), "/falco/"+key+tt.query, alert(1)+"\nnonsense", tt.header...); w.Code != 400 {
				t.Fatalf("status: got %d %s, want 400", w.Code, w.Body)
			}
			fingerprint, err := falco.Fingerprint([]byte(alert(1)), tt.origin)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := falco.Parse([]byte(alert(1)))
			if err != nil {
				t.Fatal(err)
			}
			want := []journal.Entry{{Way: tt.way, Origin: tt.origin, Body: []byte(alert(1)), Fingerprint: fingerprint, Alert: parsed}}
			if diff := cmp.Diff(want, m.entries); diff != "" {
				t.Errorf("entries, -want +got:\n%s", diff)
			}
			if len(m.rejected) != 1 || m.rejected[0].Way != tt.way || m.rejected[0].Origin != tt.origin || string(m.rejected[0].Body) != "nonsense" || m.rejected[0].Size != 8 {
				t.Errorf("quarantine: got %+v, want the same way and origin, and the record", m.rejected)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	bomb := zipped(t, strings.Repeat(" ", 32<<20))
	bearer := []string{"Authorization", "Bearer " + key}
	tests := []struct {
		name, method, url, body string
		header                  []string
		status                  int
		says                    string
		want                    map[string]string // of the answer's header
	}{
		{name: "no key", url: "/falco", body: alert(1), status: 401, says: "ingest key", want: map[string]string{"WWW-Authenticate": `Bearer realm="eyrie"`}},
		{name: "wrong key in the path", url: "/falco/wrong", body: alert(1), status: 401},
		{name: "wrong key in the path, right one in the header", url: "/falco/wrong", body: alert(1), header: bearer, status: 401},
		{name: "wrong bearer", url: "/falco", body: alert(1), header: []string{"Authorization", "Bearer wrong"}, status: 401},
		{name: "empty bearer", url: "/falco", body: alert(1), header: []string{"Authorization", "Bearer "}, status: 401},
		{name: "basic", url: "/falco", body: alert(1), header: []string{"Authorization", "Basic " + key}, status: 401},
		{name: "bearer", url: "/falco", body: alert(1), header: bearer, status: 200},
		{name: "bearer in lower case", url: "/falco/", body: alert(1), header: []string{"Authorization", "bearer " + key}, status: 200},
		{name: "GET", method: "GET", url: "/falco/" + key, status: 405, says: "POST", want: map[string]string{"Allow": "POST"}},
		{name: "another path", url: "/falcon", body: alert(1), header: bearer, status: 404},
		{name: "length over the limit", url: "/falco/" + key, body: strings.Repeat(" ", 64<<10+1), status: 413, says: "65536 bytes", want: map[string]string{"Connection": "close"}},
		{name: "exactly the limit", url: "/falco/" + key, body: alert(1) + strings.Repeat(" ", 64<<10-len(alert(1))), status: 200},
		{name: "gzip bomb", url: "/falco/" + key, body: bomb, header: []string{"Content-Encoding", "gzip"}, status: 413, says: "65536 bytes"},
		{name: "brotli", url: "/falco/" + key, body: alert(1), header: []string{"Content-Encoding", "br"}, status: 415, says: "gzip", want: map[string]string{"Accept-Encoding": "gzip"}},
		{name: "Content-Type of a form", url: "/falco/" + key, body: alert(1), header: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 200},
		{name: "bad account", url: "/falco/" + key + "?account=12", body: alert(1), status: 400, says: "account"},
		{name: "bad region", url: "/falco/" + key + "?region=../x", body: alert(1), status: 400, says: "region"},
		{name: "control character in cluster", url: "/falco/" + key + "?cluster=a%0ab", body: alert(1), status: 400, says: "cluster"},
		{name: "long cluster", url: "/falco/" + key + "?cluster=" + strings.Repeat("c", 257), body: alert(1), status: 400, says: "cluster"},
		{name: "malformed query", url: "/falco/" + key + "?cluster=%zz", body: alert(1), status: 400, says: "query"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &memory{}
			r := httptest.NewRequest(cmpOr(tt.method, http.MethodPost), tt.url, strings.NewReader(tt.body))
			for i := 0; i+1 < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			w := httptest.NewRecorder()
			newHandler(t, m).ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Fatalf("status: got %d %s, want %d", w.Code, w.Body, tt.status)
			}
			if a := decode(t, w); !strings.Contains(a.Error, tt.says) {
				t.Errorf("error: got %q, want it to hold %q", a.Error, tt.says)
			}
			if stored := len(m.entries) + len(m.rejected); (stored > 0) != (tt.status == 200) {
				t.Errorf("status %d, and %d records in the journal", w.Code, stored)
			}
			if strings.Contains(w.Body.String(), key) || strings.Contains(w.Body.String(), "wrong") && tt.status != 401 {
				t.Errorf("the answer repeats the key: %s", w.Body)
			}
			for name, value := range tt.want {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s: got %q, want %q", name, got, value)
				}
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// TestChunked sends bodies whose length is not known beforehand: one of exactly the limit, and one of a byte more.
func TestChunked(t *testing.T) {
	for over, want := range []int{200, 413} {
		m := &memory{}
		r := httptest.NewRequest(http.MethodPost, "/falco/"+key, struct{ io.Reader }{strings.NewReader(alert(1) + strings.Repeat(" ", 64<<10+over-len(alert(1))))})
		if r.ContentLength != -1 {
			t.Fatalf("the test is of no use: length %d is known", r.ContentLength)
		}
		w := httptest.NewRecorder()
		newHandler(t, m).ServeHTTP(w, r)
		if w.Code != want || (m.calls > 0) != (want == 200) {
			t.Errorf("%d over the limit: got %d %s after %d calls of the journal, want %d", over, w.Code, w.Body, m.calls, want)
		}
	}
}

// TestNothingStays sends a good body after each kind of bad one to the same handler, which reuses what it worked with.
func TestNothingStays(t *testing.T) {
	m := &memory{}
	h := newHandler(t, m)
	bad := []func() *httptest.ResponseRecorder{
		func() *httptest.ResponseRecorder {
			return post(h, "/falco/"+key, "no gzip", "Content-Encoding", "gzip")
		},
		func() *httptest.ResponseRecorder {
			return post(h, "/falco/"+key, zipped(t, alert(0))[:50], "Content-Encoding", "gzip")
		},
		func() *httptest.ResponseRecorder {
			return post(h, "/falco/"+key+"?cluster=c", "{}", "X-Eyrie-Way", "agent")
		},
		func() *httptest.ResponseRecorder { return post(h, "/falco/"+key, strings.Repeat(" ", 64<<10+1)) },
		func() *httptest.ResponseRecorder {
			m.fail = func(int) error { return journal.ErrFull }
			defer func() { m.fail = nil }()
			return post(h, "/falco/"+key, alert(99)+"\n{}")
		},
	}
	for i, send := range bad {
		before := len(m.rejected)
		if w := send(); w.Code == 200 {
			t.Fatalf("bad body %d: got 200", i)
		}
		want := `{"accepted":1,"duplicates":0}` + "\n"
		quarantined := len(m.rejected) - before
		if w := post(h, "/falco/"+key, alert(i+1)); w.Code != 200 || w.Body.String() != want || len(m.rejected)-before != quarantined {
			t.Errorf("good body after bad body %d: got %d %s, want 200 %s", i, w.Code, w.Body, want)
		}
		if e := m.entries[len(m.entries)-1]; e.Way != "webhook" || e.Origin.Cluster != "" || string(e.Body) != alert(i+1) {
			t.Errorf("good body after bad body %d: stored %q of %+v by %q", i, e.Body, e.Origin, e.Way)
		}
	}
}

// TestBrokenConnection ends the body early: it is the sender's to send again, and no record in it is bad.
func TestBrokenConnection(t *testing.T) {
	for _, header := range [][]string{nil, {"Content-Encoding", "gzip"}} {
		m := &memory{}
		body := io.MultiReader(strings.NewReader(alert(1)), iotestErr{io.ErrUnexpectedEOF})
		r := httptest.NewRequest(http.MethodPost, "/falco/"+key, body)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		newHandler(t, m).ServeHTTP(w, r)
		if w.Code != 408 || m.calls != 0 || !strings.Contains(w.Body.String(), "ended early") {
			t.Errorf("header %v: got %d %s after %d calls of the journal, want 408 and none", header, w.Code, w.Body, m.calls)
		}
	}
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

// TestManyBadRecords checks that all are kept and counted although the answer lists only some, and that the log has one
// line with nothing of what was sent.
func TestManyBadRecords(t *testing.T) {
	var log bytes.Buffer
	m := &memory{}
	now := time.Unix(1_000_000, 0)
	h := newHandler(t, m, func(c *Config) {
		c.Logger, c.Now = slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now }
	})
	a := decode(t, post(h, "/falco/"+key, strings.Repeat("s3cret\n", 5000)))
	if len(m.rejected) != 5000 || a.RejectedCount != 5000 || len(a.Rejected) != listedRecords || !strings.Contains(a.Error, "5000 of 5000") {
		t.Errorf("%d in quarantine; answer: %d listed of %d, %q", len(m.rejected), len(a.Rejected), a.RejectedCount, a.Error)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || strings.Contains(log.String(), "s3cret") || strings.Contains(log.String(), key) {
		t.Errorf("log: want one line without the record and the key, got %q", log.String())
	}
	now = now.Add(noticeEvery)
	post(h, "/falco/"+key, "s3cret")
	if !strings.Contains(log.String(), "count=3977") { // 5000 + 1, less the 1024 of the first line
		t.Errorf("a minute later: want a line that counts what came since the first, got %q", log.String())
	}
}

func TestCutInQuarantine(t *testing.T) {
	m := &memory{}
	h := newHandler(t, m, func(c *Config) { c.MaxBody = 1 << 20 })
	post(h, "/falco/"+key, strings.Repeat("x", 100<<10))
	if len(m.rejected) != 1 || len(m.rejected[0].Body) != quarantinedBytes || m.rejected[0].Size != 100<<10 {
		t.Errorf("got %d records, want one cut to %d bytes that knows its size", len(m.rejected), quarantinedBytes)
	}
}

func TestNew(t *testing.T) {
	check := func(string) bool { return false }
	for _, c := range []Config{{}, {Check: check, MaxBody: -1}, {Check: check, MaxRecord: -1}, {Check: check, MaxRecord: falco.MaxRecord + 1}} {
		if _, err := New(c, &memory{}); err == nil {
			t.Errorf("New(%+v): want an error", c)
		}
	}
	if _, err := New(Config{Check: check}, nil); err == nil {
		t.Error("New without a sink: want an error")
	}
}

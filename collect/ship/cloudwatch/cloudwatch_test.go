package cloudwatch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/collect/ship"
	"github.com/eyrie-sec/eyrie/collect/ship/cloudwatch/logstest"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

const group = "/eyrie/falco"

var now = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// open returns a Destination that speaks to server by the real SDK, with cluster "prod".
func open(t testing.TB, server *logstest.Server) *Destination {
	t.Helper()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	clock := func() time.Time { return now }
	server.Now = clock
	d, err := Open(t.Context(), Settings{Group: group, Stream: "node-1", Cluster: "prod", Region: "eu-central-1", Dir: t.TempDir(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newServer(t testing.TB) *logstest.Server {
	s := logstest.New(group)
	t.Cleanup(s.Close)
	return s
}

func alert(n int, at time.Time, more string) []byte {
	return fmt.Appendf(nil, `{"n":%d,"output":"something%s","priority":"Critical","rule":"A rule","time":"%s"}`, n, more, at.UTC().Format(time.RFC3339Nano))
}

// deliver delivers all of it at once, and returns the Outcome if it went well.
func deliver(t testing.TB, d *Destination, alerts ...[]byte) ship.Outcome {
	t.Helper()
	out := d.Deliver(t.Context(), alerts)
	if out.Kind != ship.Delivered || out.Err != nil || out.Left != nil {
		t.Fatalf("got kind %d, %d alerts left, error %v; want all delivered", out.Kind, len(out.Left), out.Err)
	}
	return out
}

func number(t testing.TB, message string) int {
	t.Helper()
	var a struct{ N int }
	if err := json.Unmarshal([]byte(message), &a); err != nil {
		t.Fatalf("a message is no JSON: %v: %.200s", err, message)
	}
	return a.N
}

// kept returns the lines of the shelf.
func kept(t testing.TB, d *Destination) (lines []map[string]string) {
	t.Helper()
	b, err := os.ReadFile(d.cfg.Shelf.path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var l map[string]string
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// TestRecordedAlerts: what Falco wrote arrives with the cluster, and otherwise as it was.
func TestRecordedAlerts(t *testing.T) {
	s := newServer(t)
	d := open(t, s)
	var alerts [][]byte
	for _, name := range []string{"falco/alerts/docker-event-generator.jsonl", "falco/alerts/host-seed.jsonl"} {
		alerts = append(alerts, bytes.Split(bytes.TrimSpace(testshared.Read(t, name)), []byte("\n"))...)
	}
	out := deliver(t, d, alerts...)
	if out.Accepted != int64(len(alerts)) || out.Requests != 3 { // to a stream that is not there, to make it, and again
		t.Errorf("accepted %d with %d requests, want %d with 3", out.Accepted, out.Requests, len(alerts))
	}
	got := map[string]falco.Alert{}
	for _, e := range s.Events(group) {
		a, err := falco.Parse([]byte(e.Message))
		if err != nil {
			t.Fatal(err)
		}
		if e.Timestamp != a.Time.UnixMilli() {
			t.Errorf("timestamp %d of an alert of %s", e.Timestamp, a.Time)
		}
		if n := len(a.Extra) - 1; n < 0 || a.Extra[n].Name != "cluster" || a.Extra[n].Value.Text != "prod" {
			t.Errorf("no cluster in %s", e.Message)
		} else {
			a.Extra = a.Extra[:n:n]
		}
		got[string(falco.AppendJSON(nil, a))] = *a
	}
	for _, raw := range alerts {
		a, err := falco.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := got[string(falco.AppendJSON(nil, a))]; !ok {
			t.Errorf("lost or changed: %s", raw)
		}
	}
	if c := s.Credentials()[0]; !strings.HasPrefix(c, "AKIATEST/") || !strings.Contains(c, "/eu-central-1/logs/") {
		t.Errorf("signed as %s", c)
	}
}

// TestLimits: the service checks all its limits, and takes whatever is there to be delivered, each alert once.
func TestLimits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for name, make := range map[string]func(n int) []byte{
		"many":       func(n int) []byte { return alert(n, now, "") },
		"large":      func(n int) []byte { return alert(n, now, strings.Repeat("x", rnd.IntN(400_000))) },
		"long span":  func(n int) []byte { return alert(n, now.Add(-time.Duration(rnd.IntN(16*24))*time.Hour), "") },
		"future":     func(n int) []byte { return alert(n, now.Add(time.Duration(rnd.IntN(300))*time.Minute), "") },
		"not UTF-8":  func(n int) []byte { return alert(n, now, strings.Repeat("\xff", rnd.IntN(3000))) },
		"full event": func(n int) []byte { return alert(n, now, strings.Repeat("x", MaxMessage-240+rnd.IntN(100))) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			d := open(t, s)
			count := map[string]int{"many": 12_000, "large": 12, "full event": 4}[name]
			if count == 0 {
				count = 500
			}
			var alerts [][]byte
			for n := range count {
				alerts = append(alerts, make(n))
			}
			rnd.Shuffle(count, func(i, j int) { alerts[i], alerts[j] = alerts[j], alerts[i] })
			deliver(t, d, alerts...)
			var got []int
			for _, e := range s.Events(group) {
				got = append(got, number(t, e.Message))
			}
			slices.Sort(got)
			if len(got) != count || len(slices.Compact(got)) != count {
				t.Errorf("%d events of %d alerts", len(got), count)
			}
			if name == "many" && len(s.Requests()) > 3 {
				t.Errorf("requests of %v events: want few", s.Requests())
			}
			if lines := kept(t, d); lines != nil {
				t.Errorf("%d alerts are on the shelf, want none", len(lines))
			}
		})
	}
}

// TestTimestamps: an alert that is too old or too new is stored all the same, and keeps its time in its text.
func TestTimestamps(t *testing.T) {
	for _, c := range []struct {
		name      string
		at        time.Duration
		retention time.Duration
		restamped bool
	}{
		{"now", 0, 0, false},
		{"13 days", -13 * 24 * time.Hour, 0, false},
		{"15 days", -15 * 24 * time.Hour, 0, true},
		{"1970", -56 * 365 * 24 * time.Hour, 0, true},
		{"1 h ahead", time.Hour, 0, false},
		{"3 h ahead", 3 * time.Hour, 0, true},
		{"older than the retention", -5 * 24 * time.Hour, 3 * 24 * time.Hour, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			s.Retention = c.retention
			d := open(t, s)
			own := now.Add(c.at)
			deliver(t, d, alert(1, own, ""), alert(2, now, ""))
			events := s.Events(group)
			i := slices.IndexFunc(events, func(e logstest.Event) bool { return number(t, e.Message) == 1 })
			if len(events) != 2 || i < 0 {
				t.Fatalf("%d events, want 2", len(events))
			}
			want := own
			if c.restamped {
				want = now
			}
			if events[i].Timestamp != want.UnixMilli() || !strings.Contains(events[i].Message, own.Format(time.RFC3339Nano)) {
				t.Errorf("got %+v, want timestamp %d and the alert's own time in the text", events[i], want.UnixMilli())
			}
			if got := d.Stats.Restamped.Load() == 1; got != c.restamped {
				t.Errorf("%d restamped", d.Stats.Restamped.Load())
			}
		})
	}
}

// TestWrongClock: where the host's own time is refused, alerts are kept rather than sent for ever.
func TestWrongClock(t *testing.T) {
	s := newServer(t)
	d := open(t, s)
	s.Now = func() time.Time { return now.Add(-24 * time.Hour) }
	out := deliver(t, d, alert(1, now, ""), alert(2, now.Add(-23*time.Hour), ""))
	if diff := cmp.Diff(out.Rejected, map[string]int64{"timestamp": 1}); diff != "" || !strings.Contains(out.Detail, "clock") {
		t.Errorf("rejected (-got +want):\n%s%s", diff, out.Detail)
	}
	if lines := kept(t, d); len(lines) != 1 || lines[0]["alert"] != string(alert(1, now, "")) || lines[0]["reason"] != "timestamp" {
		t.Errorf("on the shelf: %v", lines)
	}
}

func TestTooLarge(t *testing.T) {
	big := strings.Repeat("ä", 2<<20)
	fields := make(map[string]string)
	for i := range 60_000 {
		fields[fmt.Sprintf("some.field[%d]", i)] = "a value of twenty byt"
	}
	many, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"output":      alert(1, now, big),
		"field":       []byte(`{"rule":"r","priority":"Error","time":"2026-11-21T02:59:00Z","output":"o","output_fields":{"proc.cmdline":"` + big + `","evt.num":7}}`),
		"array":       []byte(`{"rule":"r","priority":"Error","time":"2026-11-21T02:59:00Z","output":"o","output_fields":{"x":["` + big + `"],"evt.num":7}}`),
		"many fields": []byte(`{"rule":"r","priority":"Error","time":"2026-11-21T02:59:00Z","output":"o","output_fields":` + string(many) + `}`),
		"rule":        []byte(`{"rule":"` + big + `","priority":"Error","time":"2026-11-21T02:59:00Z"}`),
		"no alert":    []byte(`{"broken` + big),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			d := open(t, s)
			deliver(t, d, alert(1, now, ""), raw)
			events := s.Events(group)
			if len(events) != 2 {
				t.Fatalf("%d events, want 2", len(events))
			}
			message := slices.MaxFunc(events, func(a, b logstest.Event) int { return len(a.Message) - len(b.Message) }).Message
			if _, err := falco.Parse([]byte(message)); (err == nil) != (name != "no alert") {
				t.Errorf("the shortened alert: %v", err)
			}
			if lines := kept(t, d); len(lines) != 1 || lines[0]["alert"] != string(raw) || lines[0]["reason"] != "too_large" {
				t.Errorf("the whole is not on the shelf")
			}
			if d.Stats.Shortened.Load() != 1 || d.Stats.Kept.Load() != 1 {
				t.Errorf("%d shortened, %d kept", d.Stats.Shortened.Load(), d.Stats.Kept.Load())
			}
		})
	}
}

// TestPoison: an event that the service never takes is kept, and harms no other.
func TestPoison(t *testing.T) {
	for _, at := range []int{0, 1, 50, 99} {
		s := newServer(t)
		s.Poison = "poison"
		d := open(t, s)
		var alerts [][]byte
		for n := range 100 {
			alerts = append(alerts, alert(n, now, map[bool]string{true: "poison"}[n == at]))
		}
		var tries int
		for out := d.Deliver(t.Context(), alerts); out.Kind != ship.Delivered; out = d.Deliver(t.Context(), out.Left) {
			if tries++; tries > 2 || out.Kind != ship.Refused {
				t.Fatalf("try %d: kind %d: %v", tries, out.Kind, out.Err)
			}
		}
		if n := len(s.Events(group)); n != 99 {
			t.Errorf("poison at %d: %d events, want 99", at, n)
		}
		if lines := kept(t, d); len(lines) != 1 || lines[0]["alert"] != string(alerts[at]) {
			t.Errorf("poison at %d: on the shelf: %v", at, lines)
		}
	}
}

// TestAllInvalid: if nothing was ever accepted, the set-up is wrong and no alert is put aside for it.
func TestAllInvalid(t *testing.T) {
	s := newServer(t)
	s.Poison = "rule"
	d := open(t, s)
	alerts := [][]byte{alert(1, now, ""), alert(2, now, ""), alert(3, now, "")}
	out := d.Deliver(t.Context(), alerts)
	if out.Kind != ship.Refused || len(out.Left) != 3 || kept(t, d) != nil {
		t.Errorf("got kind %d, %d left, %d on the shelf; want refused, 3, 0", out.Kind, len(out.Left), len(kept(t, d)))
	}
}

// TestFaults: every way in which the service can fail, at every request of a delivery of three. Nothing is lost, and nothing
// is there twice unless an answer was lost.
func TestFaults(t *testing.T) {
	later, refused := ship.Later, ship.Refused
	for _, c := range []struct {
		name  string
		fault logstest.Fault
		after bool
		kind  ship.Kind
	}{
		{"throttled", logstest.Fault{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}, false, later},
		{"unavailable", logstest.Fault{Status: 500, Code: "ServiceUnavailableException"}, false, later},
		{"bad gateway", logstest.Fault{Status: 502, Code: "x"}, false, later},
		{"internal", logstest.Fault{Status: 500, Code: "InternalFailure"}, false, later},
		{"expired token", logstest.Fault{Status: 400, Code: "ExpiredTokenException"}, false, later},
		{"limit", logstest.Fault{Status: 400, Code: "LimitExceededException"}, false, later},
		{"cut before", logstest.Fault{}, false, later},
		{"cut after", logstest.Fault{}, true, later},
		{"unavailable after", logstest.Fault{Status: 503, Code: "ServiceUnavailableException"}, true, later},
		{"denied", logstest.Fault{Status: 400, Code: "AccessDeniedException", Message: "not authorized"}, false, refused},
		{"unknown key", logstest.Fault{Status: 400, Code: "UnrecognizedClientException"}, false, refused},
		{"bad signature", logstest.Fault{Status: 403, Code: "InvalidSignatureException"}, false, refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			for at := range 5 { // no stream, stream made, three requests
				s := newServer(t)
				hook := func(_ string, n int) *logstest.Fault {
					if n == at {
						return &c.fault
					}
					return nil
				}
				if c.after {
					s.After = hook
				} else {
					s.Before = hook
				}
				d := open(t, s)
				alerts := [][]byte{alert(1, now.Add(-60*time.Hour), ""), alert(2, now.Add(-30*time.Hour), ""), alert(3, now, "")}
				out := d.Deliver(t.Context(), alerts)
				if c.after && at == 0 { // nothing was done that could be cut off
					continue
				}
				if out.Kind != c.kind || out.Err == nil || len(out.Left) == 0 || int(out.Accepted)+len(out.Left) != 3 {
					t.Fatalf("request %d: kind %d, %d accepted, %d left, error %v", at, out.Kind, out.Accepted, len(out.Left), out.Err)
				}
				if strings.Contains(out.Err.Error(), "secret-of-the-test") {
					t.Errorf("the secret is in the error: %v", out.Err)
				}
				deliver(t, d, out.Left...)
				counts := map[int]int{}
				for _, e := range s.Events(group) {
					counts[number(t, e.Message)]++
				}
				for n := 1; n <= 3; n++ {
					if counts[n] < 1 || counts[n] > 1 && !c.after {
						t.Errorf("request %d: alert %d is there %d times", at, n, counts[n])
					}
				}
			}
		})
	}
}

// TestMissing: neither a group that is not there nor absent credentials make alerts go away, and the errors say what to do.
func TestMissing(t *testing.T) {
	s := logstest.New()
	t.Cleanup(s.Close)
	d := open(t, s)
	out := d.Deliver(t.Context(), [][]byte{alert(1, now, "")})
	if out.Kind != ship.Refused || len(out.Left) != 1 || !strings.Contains(out.Err.Error(), "log group does not exist") {
		t.Errorf("without a group: kind %d, %v", out.Kind, out.Err)
	}
	open(t, newServer(t)) // sets the environment
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	d, err := Open(t.Context(), Settings{Group: group, Stream: "n", Region: "eu-central-1", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	out = d.Deliver(t.Context(), [][]byte{alert(1, now, "")})
	if out.Kind != ship.Refused || !strings.Contains(out.Err.Error(), "no AWS credentials") {
		t.Errorf("without credentials: kind %d, %v", out.Kind, out.Err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if out := d.Deliver(ended, [][]byte{alert(1, now, "")}); out.Kind == ship.Delivered || len(out.Left) != 1 {
		t.Errorf("after the context's end: kind %d, %d left", out.Kind, len(out.Left))
	}
}

func TestSettings(t *testing.T) {
	s := newServer(t)
	open(t, s) // sets the environment
	t.Setenv("AWS_REGION", "")
	for name, set := range map[string]Settings{
		"no group":  {Stream: "n", Region: "eu-central-1"},
		"bad group": {Group: "a b", Stream: "n", Region: "eu-central-1"},
		"stream":    {Group: group, Stream: "a:b", Region: "eu-central-1"},
		"no stream": {Group: group, Region: "eu-central-1"},
		"no Region": {Group: group, Stream: "n"},
	} {
		if _, err := Open(t.Context(), set); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestInstance: the instance is asked by IMDSv2, until it answers; what an alert says itself is not overruled.
func TestInstance(t *testing.T) {
	answers := false
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !answers:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
			fmt.Fprint(w, "token")
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/latest/dynamic/instance-identity/document":
			fmt.Fprint(w, `{"instanceId":"i-0123","availabilityZone":"eu-central-1b","region":"eu-central-1"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(metadata.Close)
	s := newServer(t)
	open(t, s)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.URL)
	clock := now
	d, err := Open(t.Context(), Settings{Group: group, Stream: "n", Cluster: "prod", Region: "eu-central-1", Dir: t.TempDir(),
		Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, d, alert(1, now, ""))
	answers = true
	deliver(t, d, alert(2, now, "")) // it is not asked again at once
	clock = clock.Add(relearnPause)
	own := `{"rule":"r","priority":"Error","time":"2026-11-21T02:59:59Z","az":"mine"}`
	deliver(t, d, alert(3, now, ""), []byte(own))
	var got []string
	for _, e := range s.Events(group) {
		_, after, _ := strings.Cut(e.Message, `Z",`)
		got = append(got, after)
	}
	want := []string{`"cluster":"prod"}`, `"cluster":"prod"}`, `"az":"mine","cluster":"prod","ec2_instance_id":"i-0123"}`,
		`"cluster":"prod","ec2_instance_id":"i-0123","az":"eu-central-1b"}`}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("members added (-got +want):\n%s", diff)
	}
}

// TestShelfFull: what must be kept and cannot be stays in the queue.
func TestShelfFull(t *testing.T) {
	s := newServer(t)
	s.Poison = "poison"
	d := open(t, s)
	d.cfg.Shelf.max = 300
	alerts := [][]byte{alert(1, now, ""), alert(2, now, "poison"), alert(3, now, "poison"), alert(4, now, "")}
	out := d.Deliver(t.Context(), alerts)
	if out.Kind != ship.Refused || !strings.Contains(out.Err.Error(), "kept.jsonl") || len(out.Left) == 0 {
		t.Fatalf("kind %d, %d left, %v", out.Kind, len(out.Left), out.Err)
	}
	if err := os.Remove(d.cfg.Shelf.path); err != nil { // "move it away"
		t.Fatal(err)
	}
	deliver(t, d, out.Left...)
	if lines := kept(t, d); len(lines) != 1 || lines[0]["alert"] != string(alerts[2]) {
		t.Errorf("on the shelf: %v", lines)
	}
	if n := len(s.Events(group)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	if err := os.Mkdir(d.cfg.Shelf.path+"x", 0o700); err != nil {
		t.Fatal(err)
	}
	d.cfg.Shelf.path += "x" // cannot be written
	if out := d.Deliver(t.Context(), alerts[1:2]); out.Kind != ship.Later || len(out.Left) != 1 {
		t.Errorf("shelf that cannot be written: kind %d, %d left", out.Kind, len(out.Left))
	}
}

package cloudwatch

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/falco"
)

// FuzzEvent: whatever stands in a log makes a valid event, and an alert stays one.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"rule":"r","priority":"Error","time":"2026-11-21T02:59:00Z"}`))
	f.Add([]byte("\xef\xbb\xbf {\"rule\":\"r\\u0000\xff\",\"priority\":\"Error\",\"time\":\"9999-11-21T02:59:00Z\",\"cluster\":1 }\r\n"))
	f.Add([]byte(`{"rule":"r","priority":"Error","time":"1677-01-01T02:59:00Z","output_fields":{"a":1e99999}}`))
	f.Add([]byte(`{`))
	d, err := New(Config{Group: "g", Stream: "s", Cluster: "a \"cluster\"\n", Now: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := d.event(raw, now)
		if !utf8.ValidString(e.message) || len(e.message) > MaxMessage {
			t.Errorf("%d bytes, valid UTF-8: %t", len(e.message), utf8.ValidString(e.message))
		}
		if at := time.UnixMilli(e.at); now.Sub(at) > MaxAge+time.Second || at.Sub(now) > MaxFuture+time.Second {
			t.Errorf("timestamp %s", at)
		}
		a, err := falco.Parse(raw)
		if err != nil {
			return
		}
		b, err := falco.Parse([]byte(e.message))
		if err != nil || !json.Valid([]byte(e.message)) || a.Rule != b.Rule || len(a.Fields) != len(b.Fields) {
			t.Errorf("%q became %q: %v", raw, e.message, err)
		}
	})
}

func BenchmarkEvents(b *testing.B) {
	d, err := New(Config{Group: "g", Stream: "s", Cluster: "prod", Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	alerts := make([][]byte, 1000)
	for i := range alerts {
		alerts[i] = alert(i, now, "")
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(d.events(alerts)); n != len(alerts) {
			b.Fatal(n)
		}
	}
}

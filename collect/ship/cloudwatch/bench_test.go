package cloudwatch

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/collect/ship"
	"github.com/eyrie-sec/eyrie/collect/ship/cloudwatch/logstest"
)

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDeliver delivers alerts of about 930 bytes by the SDK to a server on loopback that reads and forgets; cpu-us/alert
// is of the whole process, the server's reading included.
func BenchmarkDeliver(b *testing.B) {
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			_, _ = io.WriteString(w, "{}")
		}
	}))
	b.Cleanup(sink.Close)
	d := open(b, &logstest.Server{Server: sink})
	alerts := make([][]byte, 1000)
	for i := range alerts {
		alerts[i] = alert(i, now, strings.Repeat("x", 830))
	}
	b.ReportAllocs()
	before, n := cpu(), 0
	for b.Loop() {
		if out := d.Deliver(b.Context(), alerts); out.Kind != ship.Delivered {
			b.Fatal(out.Err)
		}
		n += len(alerts)
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(n), "cpu-us/alert")
}

package agent

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkAgent reads a log of 930-byte alerts and delivers it, through a spool on disk and over HTTP, to a hub that answers at once. It
// reports lines a second, and the CPU time of the whole process (the hub's part, which throws bodies away unread, included).
func BenchmarkAgent(b *testing.B) {
	const lines = 100_000
	for _, format := range []string{"bare", "cri", "docker"} {
		b.Run("format="+format, func(b *testing.B) {
			hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, `{"accepted":1000,"duplicates":0}`)
			}))
			defer hub.Close()
			path := filepath.Join(b.TempDir(), "x.log")
			if err := os.WriteFile(path, []byte(benchLog(format, lines)), 0o644); err != nil {
				b.Fatal(err)
			}
			before := cpuTime(b)
			for b.Loop() {
				in, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				opt := Options{From: []string{"-"}, Input: in, To: hub.URL, SpoolDir: b.TempDir()}
				if err := Run(context.Background(), opt); err != nil {
					b.Fatal(err)
				}
				in.Close()
			}
			n := float64(b.N * lines)
			b.ReportMetric(n/b.Elapsed().Seconds(), "lines/s")
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/n, "cpu-us/line")
		})
	}
}

// benchLog makes alerts of 930 bytes that differ and do not compress better than real ones.
func benchLog(format string, lines int) string {
	const now = "2026-11-21T02:25:46.697293485Z"
	var b strings.Builder
	for i := range lines {
		alert := fmt.Sprintf(`{"hostname":"vm%d","output":"%x","priority":"Error","rule":"Write below etc","n":%d,"output_fields":{`, i%7, i*2654435761, i)
		for j := 0; len(alert) < 890; j++ {
			alert += fmt.Sprintf(`"field.%d":"%d/usr/bin/%x",`, j, i, i*j*40503)
		}
		alert += `"x":"` + strings.Repeat("x", max(0, 930-len(alert)-9)) + `"}}`
		switch format {
		case "cri":
			b.WriteString(now + " stdout F " + alert + "\n")
		case "docker":
			b.WriteString(`{"log":"` + strings.ReplaceAll(alert, `"`, `\"`) + `\n","stream":"stdout","time":"` + now + "\"}\n")
		default:
			b.WriteString(alert + "\n")
		}
	}
	return b.String()
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

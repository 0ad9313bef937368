package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/collect/agent"
)

// TestAgentDelivers follows a log in containerd's format while the hub goes away and comes back and the log is rotated:
// every alert is counted once.
func TestAgentDelivers(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "falco.log")
	addr := freeAddr(t)
	r := start(t, Options{Data: filepath.Join(dir, "data"), Listen: addr})
	n := 0
	write := func(count int) {
		t.Helper()
		var b strings.Builder
		for range count {
			alert := crashAlert(n)
			half := len(alert) / 2
			if n%5 == 0 {
				fmt.Fprintf(&b, "2026-11-21T02:00:00.000000001Z stdout P %s\n2026-11-21T02:00:00.000000002Z stdout F %s\n", alert[:half], alert[half:])
			} else {
				fmt.Fprintf(&b, "2026-11-21T02:00:00.000000001Z stdout F %s\n", alert)
			}
			n++
		}
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(b.String()); err != nil {
			t.Fatal(err)
		}
	}
	counted := func() {
		t.Helper()
		waitFor(t, fmt.Sprintf("%d alerts to be counted", n), func() bool {
			_, sum := countOccurrences(t, r.URL(), r.dir)
			if sum > n {
				t.Fatalf("%d occurrences of %d alerts", sum, n)
			}
			return sum == n
		})
	}
	write(100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- agent.Run(ctx, agent.Options{From: []string{log}, To: "http://" + addr, KeyFile: filepath.Join(r.dir, "ingest.key"),
			SpoolDir: filepath.Join(dir, "spool"), FromStart: true, Poll: 20 * time.Millisecond})
	}()
	counted()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	write(50)
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	write(50)
	r = start(t, Options{Data: r.dir, Listen: addr})
	counted()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// freeAddr is a loopback address that nobody listened on a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

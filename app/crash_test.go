package app

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// childData names the data directory for which the test binary is to be an eyrie, to be killed by its parent.
const childData = "EYRIE_APP_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childData); dir != "" {
		a, err := New(Options{Data: dir, Listen: "127.0.0.1:0", Out: os.Stdout})
		if err == nil {
			err = a.Run(context.Background())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child is an eyrie in a process of its own.
type child struct {
	cmd *exec.Cmd
	url string
	key string
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childData+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	c := &child{cmd: cmd}
	lines := bufio.NewScanner(out)
	for c.url == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "http://"); ok {
			host, _, _ := strings.Cut(rest, "/")
			c.url = "http://" + host
		}
	}
	if c.url == "" {
		t.Fatalf("the child did not say where it listens: %v", lines.Err())
	}
	go io.Copy(io.Discard, out)
	key, err := os.ReadFile(filepath.Join(dir, "ingest.key"))
	if err != nil {
		t.Fatal(err)
	}
	c.key = strings.TrimSpace(string(key))
	return c
}

// kill ends the child as a power cut would, as far as a process can be.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Its status is that it was killed.
	_ = c.cmd.Wait()
}

// crashAlert is alert n of a test, one of 37 troubles.
func crashAlert(n int) string {
	at := time.Date(2026, 11, 21, 2, 0, 0, n, time.UTC)
	return fmt.Sprintf(`{"hostname":"node","output":"x","output_fields":{"fd.name":"/etc/file%c%d","proc.name":"cat","proc.exepath":"/usr/bin/cat","n":%d},"priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["T1555"],"time":%q}`,
		'a'+rune(n%37/10), n%37%10, n, at.Format("2006-01-02T15:04:05.000000000Z"))
}

// TestCrashLosesAndDoublesNothing kills the server at random moments under load and starts it again. In the end each alert
// that was acknowledged must have been counted, and no alert twice: every alert is sent until it is acknowledged, so the
// occurrences of all findings add up to exactly the number of alerts.
func TestCrashLosesAndDoublesNothing(t *testing.T) {
	rounds := 5
	if v := os.Getenv("EYRIE_CRASH_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil {
			t.Fatalf("EYRIE_CRASH_ROUNDS: %v", err)
		}
	}
	if testing.Short() {
		rounds = 2
	}
	dir := t.TempDir()
	sent, acknowledged := 0, 0
	var unacknowledged []int
	for round := range rounds {
		c := startChild(t, dir)
		life := time.Duration(20+rand.IntN(400)) * time.Millisecond
		killed := time.AfterFunc(life, func() { c.cmd.Process.Kill() })
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					mu.Lock()
					var batch []int
					for range 1 + rand.IntN(20) {
						if len(unacknowledged) > 0 && rand.IntN(2) == 0 {
							batch = append(batch, unacknowledged[0])
							unacknowledged = unacknowledged[1:]
							continue
						}
						batch = append(batch, sent)
						sent++
					}
					mu.Unlock()
					ok := c.post(batch)
					mu.Lock()
					if ok {
						acknowledged += len(batch)
					} else {
						unacknowledged = append(unacknowledged, batch...)
					}
					mu.Unlock()
					if !ok {
						return
					}
				}
			})
		}
		wg.Wait()
		killed.Stop()
		c.kill(t)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	c := startChild(t, dir)
	for len(unacknowledged) > 0 {
		batch := unacknowledged[:min(500, len(unacknowledged))]
		if !c.post(batch) {
			t.Fatal("the last start does not take alerts")
		}
		acknowledged += len(batch)
		unacknowledged = unacknowledged[len(batch):]
	}
	if acknowledged != sent {
		t.Fatalf("the test itself is wrong: %d sent, %d acknowledged", sent, acknowledged)
	}
	var findings, occurrences int
	waitFor(t, "all alerts to be findings", func() bool {
		findings, occurrences = countOccurrences(t, c.url, dir)
		return occurrences >= sent
	})
	if occurrences != sent || findings != min(37, sent) {
		t.Fatalf("%d alerts were acknowledged in %d rounds; the hub counts %d occurrences of %d findings, want %d of %d",
			sent, rounds, occurrences, findings, sent, min(37, sent))
	}
	t.Logf("%d rounds, %d alerts acknowledged, %d occurrences", rounds, sent, occurrences)
	c.kill(t)
}

func (c *child) post(alerts []int) bool {
	var b bytes.Buffer
	for _, n := range alerts {
		b.WriteString(crashAlert(n))
		b.WriteByte('\n')
	}
	res, err := http.Post(c.url+"/falco/"+c.key, "application/json", &b)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode/100 == 2
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

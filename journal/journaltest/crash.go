package journaltest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
)

// Crash kills a process that appends to a store, at random moments, again and again on the same files. What was
// acknowledged is there exactly once, as it was sent, and known; nothing is there twice. The process is the test binary
// itself: its TestMain calls Main first.
type Crash struct {
	Open        func(path string) (journal.Store, error)
	RejectEvery int // one alert in so many comes with a record that belongs into quarantine
	Most        int // a process is killed after this many acknowledged alerts at the latest
}

const (
	crashPath       = "EYRIE_TEST_JOURNAL_CHILD" // makes the test binary the process that is killed
	crashFirst      = "EYRIE_TEST_FIRST"
	crashQuarantine = 4000 // bytes
)

// Main does not return in the process that is to be killed.
func (c Crash) Main() {
	path := os.Getenv(crashPath)
	if path == "" {
		return
	}
	fmt.Fprintln(os.Stderr, c.appendForever(path))
	os.Exit(1)
}

// appendForever appends from many goroutines, numbers counted up from crashFirst, and prints the number of each alert that
// is acknowledged. Every third alert is sent twice.
func (c Crash) appendForever(path string) error {
	first, err := strconv.Atoi(os.Getenv(crashFirst))
	if err != nil {
		return err
	}
	j, err := journal.Open(context.Background(), journal.Config{QuarantineBytes: crashQuarantine}, func(context.Context) (journal.Store, error) { return c.Open(path) })
	if err != nil {
		return err
	}
	var next atomic.Int64
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				n := first + int(next.Add(1)) - 1
				err := c.append(j, n)
				if err == nil {
					// One write(2) a line: what the parent reads was acknowledged.
					_, err = os.Stdout.WriteString(strconv.Itoa(n) + "\n")
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func (c Crash) append(j *journal.Journal, n int) error {
	e, err := MakeEntry(Body(n))
	if err != nil {
		return err
	}
	entries := []journal.Entry{e}
	if n%3 == 0 {
		entries = append(entries, e)
	}
	var bad []journal.Rejected
	if n%c.RejectEvery == 0 {
		bad = append(bad, journal.Rejected{Reason: "not_json", Body: make([]byte, n%700)})
	}
	a, err := j.AppendAndReject(context.Background(), entries, bad)
	if err != nil || a.Stored != 1 || a.Duplicates != len(entries)-1 {
		return fmt.Errorf("alert %d: %+v, %w", n, a, err)
	}
	return nil
}

// Run kills 5 processes, or EYRIE_CRASH_ROUNDS. check is called after each with the store opened, and closes it.
func (c Crash) Run(t *testing.T, path string, check func(journal.Store)) {
	t.Helper()
	rounds := 5
	if text := os.Getenv("EYRIE_CRASH_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	acknowledged := map[int]bool{}
	for round := range rounds {
		got := c.kill(t, path, round*1_000_000, 20+rand.IntN(c.Most-20))
		for _, n := range got {
			acknowledged[n] = true
		}
		s, err := c.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		checkAcknowledged(t, s, acknowledged)
		checkKnown(t, s, got[max(0, len(got)-100):])
		check(s)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d acknowledged alerts in %d rounds", len(acknowledged), rounds)
}

// kill runs a process until it has acknowledged least alerts, kills it some time after, and returns what it acknowledged.
func (c Crash) kill(t *testing.T, path string, first, least int) []int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashPath+"="+path, crashFirst+"="+strconv.Itoa(first))
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []int
	var once sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("child wrote %q", lines.Text())
		}
		acknowledged = append(acknowledged, n)
		if len(acknowledged) >= least {
			once.Do(func() {
				time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { _ = child.Process.Kill() })
			})
		}
	}
	err = child.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v %s", err, stderr.String())
	}
	return acknowledged
}

// checkAcknowledged reads all.
func checkAcknowledged(t *testing.T, s journal.Store, acknowledged map[int]bool) {
	t.Helper()
	found := map[string]int{}
	for after := int64(0); ; {
		records, err := s.Read(context.Background(), after, 1000, 1<<24)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			if r.Seq <= after {
				t.Fatalf("%d after %d", r.Seq, after)
			}
			after = r.Seq
			found[string(r.Body)]++
		}
	}
	for body, n := range found {
		if n > 1 {
			t.Errorf("stored %d times: %s", n, body)
		}
	}
	for n := range acknowledged {
		if found[string(Body(n))] != 1 {
			t.Errorf("alert %d was acknowledged and is gone", n)
		}
	}
	h := head(t, s)
	if h.QuarantineBytes > crashQuarantine || h.Damaged > 0 {
		t.Errorf("got %+v, want a bounded quarantine and no damage", h)
	}
}

// checkKnown sends alerts again that are stored.
func checkKnown(t *testing.T, s journal.Store, alerts []int) {
	t.Helper()
	stored, err := s.Write(context.Background(), journal.Group{Records: records(t, head(t, s).Last+1, alerts...)})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range alerts {
		if stored[i] {
			t.Errorf("alert %d was acknowledged and is stored again", n)
		}
	}
}

package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
	"github.com/eyrie-sec/eyrie/journal/sqlite"
)

// crashChild, set in the environment, makes the test binary the process that is killed: it names the journal's file.
const crashChild = "EYRIE_TEST_JOURNAL_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashChild); path != "" {
		if err := appendForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// appendForever appends from many goroutines, numbers counted up from EYRIE_TEST_FIRST, and prints the number of each alert
// that is acknowledged. Every third alert is sent twice, every fifth comes with a record that belongs into quarantine.
func appendForever(path string) error {
	first, err := strconv.Atoi(os.Getenv("EYRIE_TEST_FIRST"))
	if err != nil {
		return err
	}
	ctx := context.Background()
	j, err := journal.Open(ctx, journal.Config{QuarantineBytes: 4000}, func(ctx context.Context) (journal.Store, error) {
		return sqlite.Open(ctx, sqlite.Config{Path: path})
	})
	if err != nil {
		return err
	}
	var next atomic.Int64
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				n := first + int(next.Add(1)) - 1
				e, err := journaltest.MakeEntry(journaltest.Body(n))
				if err != nil {
					failed <- err
					return
				}
				entries := []journal.Entry{e}
				if n%3 == 0 {
					entries = append(entries, e)
				}
				var bad []journal.Rejected
				if n%5 == 0 {
					bad = append(bad, journal.Rejected{Reason: "not_json", Body: make([]byte, n%700)})
				}
				a, err := j.AppendAndReject(ctx, entries, bad)
				if err != nil || a.Stored != 1 || a.Duplicates != len(entries)-1 {
					failed <- fmt.Errorf("alert %d: %+v, %w", n, a, err)
					return
				}
				// One write(2) a line: what the parent reads was acknowledged.
				if _, err := os.Stdout.WriteString(strconv.Itoa(n) + "\n"); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// TestCrash kills a process that appends, at random moments, again and again on the same file. What was acknowledged is
// there exactly once, as it was sent; nothing is there twice.
func TestCrash(t *testing.T) {
	rounds := 5
	if text := os.Getenv("EYRIE_CRASH_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	acknowledged := map[int]bool{}
	for round := range rounds {
		got := crash(t, path, round*1_000_000, 20+rand.IntN(1500))
		for _, n := range got {
			acknowledged[n] = true
		}
		checkCrash(t, path, acknowledged)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d acknowledged alerts in %d rounds", len(acknowledged), rounds)
}

// crash runs the child until it has acknowledged least alerts, kills it some time after, and returns what it acknowledged.
func crash(t *testing.T, path string, first, least int) []int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashChild+"="+path, "EYRIE_TEST_FIRST="+strconv.Itoa(first))
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
	var kill sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("child wrote %q", lines.Text())
		}
		acknowledged = append(acknowledged, n)
		if len(acknowledged) >= least {
			kill.Do(func() {
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

func checkCrash(t *testing.T, path string, acknowledged map[int]bool) {
	t.Helper()
	s := open(t, path)
	defer s.Close()
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
		if found[string(journaltest.Body(n))] != 1 {
			t.Errorf("alert %d was acknowledged and is gone", n)
		}
	}
	h, err := s.Head(context.Background())
	if err != nil || h.QuarantineBytes > 4000 || h.Damaged > 0 {
		t.Errorf("got %+v, %v, want a bounded quarantine and no damage", h, err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

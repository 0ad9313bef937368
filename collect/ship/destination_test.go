package ship

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// part is a Destination that gives scripted outcomes, then takes everything. It notes what it was given.
type part struct {
	outcomes []func(alerts [][]byte) Outcome
	given    []string
}

func (p *part) Deliver(_ context.Context, alerts [][]byte) Outcome {
	p.given = append(p.given, fmt.Sprintf("%s", alerts))
	if len(p.outcomes) == 0 {
		return Outcome{Accepted: int64(len(alerts)), Requests: 1}
	}
	next := p.outcomes[0]
	p.outcomes = p.outcomes[1:]
	return next(alerts)
}

func (*part) Limits() (alerts, bytes int) { return 3, 1 << 20 }
func (*part) Name() string                { return "the part" }
func (*part) String() string              { return "part" }

// TestPartOfABatch: what a Destination has taken is counted once and not given to it again, whatever becomes of the rest.
func TestPartOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &part{outcomes: []func([][]byte) Outcome{
			func(a [][]byte) Outcome {
				return Outcome{Kind: Later, Left: a[1:], Accepted: 1, Err: errors.New("busy"), After: time.Second, Requests: 2}
			},
			func(a [][]byte) Outcome {
				return Outcome{Kind: Refused, Left: a[1:], Rejected: map[string]int64{"bad": 1}, Err: errors.New("no"), Requests: 1}
			},
			func([][]byte) Outcome { return Outcome{Kind: Later, Err: errors.New("gone"), Requests: 1} },
		}}
		q := newQueue("1", "2", "3", "4")
		s := NewTo(p, nil)
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context(), q) }()
		synctest.Wait()
		if got := s.State(); !strings.Contains(got, "busy") {
			t.Errorf("state %q, want what was answered last", got)
		}
		time.Sleep(2 * time.Minute)
		s.Finish()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(p.given, []string{"[1 2 3]", "[2 3]", "[3]", "[3]", "[4]"}); diff != "" {
			t.Errorf("given (-got +want):\n%s", diff)
		}
		got := fmt.Sprintln(s.Stats.Sent.Load(), s.Stats.Accepted.Load(), s.Stats.Rejected.Load(), s.Stats.Requests.Load(), s.Stats.Failures.Load(), s.Rejected(), q.committed, s.State())
		if want := "4 3 1 6 3 map[bad:1] 4 ok\n"; got != want {
			t.Errorf("sent, accepted, rejected, requests, failures, reasons, committed, state: %s, want %s", got, want)
		}
		if passed := time.Since(began); passed < 31*time.Second {
			t.Errorf("over after %s: it did not wait as it was told", passed)
		}
	})
}

package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/eyrie-sec/eyrie/asff"
)

func finding(id string, second int) *asff.Finding {
	at := time.Date(2026, 11, 21, 2, 0, second, 0, time.UTC).Format(time.RFC3339Nano)
	return &asff.Finding{SchemaVersion: asff.SchemaVersion, ID: id, ProductArn: "arn:aws:securityhub:us-west-2:111122223333:product/111122223333/default",
		GeneratorID: "falco/x", AwsAccountID: "111122223333", Title: "x", Description: "x",
		FirstObservedAt: at, LastObservedAt: at, CreatedAt: at, UpdatedAt: at}
}

// fakeHub is an Endpoint that accepts what answer does not refuse, and remembers.
type fakeHub struct {
	mu       sync.Mutex
	answer   func(call int, ids []string) ([]Failure, bool, error)
	calls    int
	times    []time.Time
	accepted map[string]string // Id -> UpdatedAt of the last accepted
	counts   map[string]string // Id -> occurrences
	bytes    int               // of the largest request
}

func (h *fakeHub) Import(ctx context.Context, findings [][]byte) ([]Failure, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	h.times = append(h.times, time.Now())
	if len(findings) > asff.MaxImportFindings {
		return nil, false, fmt.Errorf("%d findings in one request", len(findings))
	}
	size := 0
	ids := make([]string, len(findings))
	decoded := make([]asff.Finding, len(findings))
	for i, body := range findings {
		size += len(body) + 1
		if err := json.Unmarshal(body, &decoded[i]); err != nil {
			return nil, false, err
		}
		ids[i] = decoded[i].ID
	}
	h.bytes = max(h.bytes, size)
	var failures []Failure
	if h.answer != nil {
		var retry bool
		var err error
		if failures, retry, err = h.answer(h.calls, ids); err != nil {
			return nil, retry, err
		}
	}
	refused := map[string]bool{}
	for _, f := range failures {
		refused[f.ID] = true
	}
	for _, f := range decoded {
		if !refused[f.ID] {
			h.accepted[f.ID] = f.UpdatedAt
			h.counts[f.ID] = f.ProductFields[occurrencesField]
		}
	}
	return failures, false, nil
}

func newFakeHub(answer func(call int, ids []string) ([]Failure, bool, error)) *fakeHub {
	return &fakeHub{answer: answer, accepted: map[string]string{}, counts: map[string]string{}}
}

type fakeQuarantine struct {
	refused []Refused
	err     error
}

func (q *fakeQuarantine) Put(_ context.Context, refused []Refused) error {
	if q.err == nil {
		q.refused = append(q.refused, refused...)
	}
	return q.err
}

func TestRepeatsFold(t *testing.T) {
	h := newFakeHub(nil)
	p := New(Config{Endpoint: h, Quarantine: &fakeQuarantine{}})
	a := finding("a", 5)
	a.ProductFields = map[string]string{occurrencesField: "3"}
	res, err := p.Publish(context.Background(), []*asff.Finding{finding("a", 2), a, finding("b", 1), finding("a", 4)})
	if err != nil {
		t.Fatal(err)
	}
	if res.Accepted != 2 || res.Folded != 2 || h.calls != 1 {
		t.Errorf("got %+v in %d requests, want 2 accepted and 2 folded in 1", res, h.calls)
	}
	if h.counts["a"] != "5" || h.counts["b"] != "" {
		t.Errorf("occurrences: got %v, want 5 of a and none said of b", h.counts)
	}
	if want := finding("a", 5).UpdatedAt; h.accepted["a"] != want {
		t.Errorf("UpdatedAt of a: got %s, want the newest, %s", h.accepted["a"], want)
	}
}

// TestFaults is the table of what an endpoint can do. Whatever it is, each finding ends accepted, in quarantine, or in an
// error; the sums always hold.
func TestFaults(t *testing.T) {
	passing := errors.New("ThrottlingException: slow down")
	for _, c := range []struct {
		name        string
		answer      func(call int, ids []string) ([]Failure, bool, error)
		quarantine  error
		accepted    int
		quarantined int
		wantErr     string
	}{
		{name: "nothing wrong", accepted: 250},
		{name: "throttled for a minute", accepted: 250, answer: func() func(int, []string) ([]Failure, bool, error) {
			var from time.Time
			return func(int, []string) ([]Failure, bool, error) {
				if from.IsZero() {
					from = time.Now()
				}
				if time.Since(from) < time.Minute {
					return nil, true, passing
				}
				return nil, false, nil
			}
		}()},
		{name: "one finding is refused", accepted: 249, quarantined: 1, answer: func(_ int, ids []string) ([]Failure, bool, error) {
			return failAll(ids, "InvalidInput", "f007"), false, nil
		}},
		{name: "one finding fails twice and passes", accepted: 250, answer: func() func(int, []string) ([]Failure, bool, error) {
			failed := 0
			return func(_ int, ids []string) ([]Failure, bool, error) {
				f := failAll(ids, "InternalError", "f007")
				if failed += len(f); failed > 2 {
					f = nil
				}
				return f, false, nil
			}
		}()},
		{name: "one finding always fails inside", accepted: 249, quarantined: 1, answer: func(_ int, ids []string) ([]Failure, bool, error) {
			return failAll(ids, "InternalError", "f007"), false, nil
		}},
		{name: "not enabled", wantErr: "250 of 250 findings were not delivered", answer: func(int, []string) ([]Failure, bool, error) {
			return nil, false, errors.New("InvalidAccessException: not subscribed")
		}},
		{name: "quarantine is away", wantErr: "queue is gone", quarantine: errors.New("queue is gone"), accepted: -1, answer: func(_ int, ids []string) ([]Failure, bool, error) {
			return failAll(ids, "InvalidInput", "f007"), false, nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, q := newFakeHub(c.answer), &fakeQuarantine{err: c.quarantine}
				var findings []*asff.Finding
				for i := range 250 {
					findings = append(findings, finding(fmt.Sprintf("f%03d", i), i%60))
				}
				res, err := New(Config{Endpoint: h, Quarantine: q}).Publish(context.Background(), findings)
				if c.wantErr == "" && err != nil || c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)) {
					t.Fatalf("error %v, want %q", err, c.wantErr)
				}
				if c.accepted >= 0 && (res.Accepted != c.accepted || res.Quarantined != c.quarantined) {
					t.Errorf("got %+v, want %d accepted and %d in quarantine", res, c.accepted, c.quarantined)
				}
				if res.Quarantined != len(q.refused) {
					t.Errorf("%d said to be in quarantine, %d are", res.Quarantined, len(q.refused))
				}
				if err == nil && res.Accepted != len(h.accepted) {
					t.Errorf("%d said to be accepted, the hub has %d", res.Accepted, len(h.accepted))
				}
			})
		})
	}
}

func failAll(ids []string, code, wanted string) []Failure {
	for _, id := range ids {
		if id == wanted {
			return []Failure{{ID: id, Code: code, Message: "no"}}
		}
	}
	return nil
}

// TestQuota looks at every window of a second: no more requests than the burst and a second's worth.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHub(nil)
		var findings []*asff.Finding
		for i := range 10_000 {
			findings = append(findings, finding(fmt.Sprint(i), 0))
		}
		began := time.Now()
		res, err := New(Config{Endpoint: h, Quarantine: &fakeQuarantine{}}).Publish(context.Background(), findings)
		if err != nil || res.Accepted != len(findings) {
			t.Fatalf("got %+v, %v", res, err)
		}
		for i, at := range h.times {
			n := 0
			for _, other := range h.times[i:] {
				if other.Sub(at) < time.Second {
					n++
				}
			}
			if n > CallsBurst+CallsPerSecond {
				t.Fatalf("%d requests within a second", n)
			}
		}
		if took := time.Since(began); took < 6*time.Second || took > 8*time.Second {
			t.Errorf("100 requests took %s of the quota's time, want 7 s (30 at once, then 10 a second)", took)
		}
	})
}

func TestEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		h := newFakeHub(func(int, []string) ([]Failure, bool, error) { return nil, true, errors.New("busy") })
		res, err := New(Config{Endpoint: h, Quarantine: &fakeQuarantine{}}).Publish(ctx, []*asff.Finding{finding("a", 1)})
		if !errors.Is(err, context.DeadlineExceeded) || res.Accepted != 0 || !strings.Contains(err.Error(), "1 of 1 findings were not delivered") {
			t.Errorf("got %+v, %v", res, err)
		}
	})
}

// TestLargeFindings fills requests to the byte: no request is over 6 MB, no finding is lost for its size.
func TestLargeFindings(t *testing.T) {
	h := newFakeHub(nil)
	var findings []*asff.Finding
	for i := range 120 {
		f := finding(fmt.Sprint(i), 0)
		f.Resources = []asff.Resource{{Type: "Other", ID: "x", Extra: []asff.Member{{Name: "Big", Value: fmt.Appendf(nil, "%q", strings.Repeat("x", 200_000))}}}}
		findings = append(findings, f)
	}
	res, err := New(Config{Endpoint: h, Quarantine: &fakeQuarantine{}, Limit: rate.Inf}).Publish(context.Background(), findings)
	if err != nil || res.Accepted != 120 {
		t.Fatalf("got %+v, %v", res, err)
	}
	if h.bytes > asff.MaxImportBytes || h.calls < 4 {
		t.Errorf("largest request %d bytes in %d requests; 24 MB need at least 4 of at most %d", h.bytes, h.calls, asff.MaxImportBytes)
	}
}

// TestSameIDOfTwoProducts must not share a request: a refusal names only the Id.
func TestSameIDOfTwoProducts(t *testing.T) {
	a, b := finding("same", 1), finding("same", 1)
	b.ProductArn += "-other"
	items, _ := encode(Fold([]*asff.Finding{a, b}))
	if got := chunks(items); len(got) != 2 {
		t.Errorf("got %d requests, want 2", len(got))
	}
}

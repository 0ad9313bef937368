package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// TestInvalidRequests: a request that is refused for what stands in one finding does not keep the others from being
// delivered, wherever and however often such findings stand.
func TestInvalidRequests(t *testing.T) {
	for _, poison := range [][]string{{"f000"}, {"f099"}, {"f013", "f014", "f077"}} {
		synctest.Test(t, func(t *testing.T) {
			h, q := newFakeHub(func(_ int, ids []string) ([]Failure, bool, error) {
				for _, id := range ids {
					if slices.Contains(poison, id) {
						return nil, false, fmt.Errorf("%w: InvalidInputException", ErrInvalid)
					}
				}
				return nil, false, nil
			}), &fakeQuarantine{}
			var findings []*asff.Finding
			for i := range 100 {
				findings = append(findings, finding(fmt.Sprintf("f%03d", i), 0))
			}
			res, err := New(Config{Endpoint: h, Quarantine: q}).Publish(context.Background(), findings)
			if err != nil || res.Accepted != 100-len(poison) || res.Quarantined != len(poison) || len(h.accepted) != 100-len(poison) {
				t.Errorf("%v: %+v, %v", poison, res, err)
			}
			for _, r := range q.refused {
				if r.Reason != "InvalidInput" || !slices.ContainsFunc(poison, func(id string) bool { return strings.Contains(string(r.Finding), id) }) {
					t.Errorf("%v: in quarantine %s %s", poison, r.Reason, r.Finding)
				}
			}
		})
	}
}

// TestHangingRequest: a request that is not answered is sent again, and the whole does not end for it.
func TestHangingRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hanging{newFakeHub(nil), 2}
		began := time.Now()
		res, err := New(Config{Endpoint: &h, Quarantine: &fakeQuarantine{}, Timeout: 5 * time.Second}).Publish(context.Background(), []*asff.Finding{finding("a", 1)})
		if err != nil || res.Accepted != 1 || res.Requests != 3 || res.Retries != 2 {
			t.Errorf("got %+v, %v, want one accepted by the third request", res, err)
		}
		if took := time.Since(began); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("took %s, want two time-outs of 5 s and pauses", took)
		}
	})
}

// hanging is an endpoint that does not answer the first requests.
type hanging struct {
	*fakeHub
	left int
}

func (h *hanging) Import(ctx context.Context, findings [][]byte) ([]Failure, bool, error) {
	if h.left > 0 {
		h.left--
		<-ctx.Done()
		return nil, false, ctx.Err()
	}
	return h.fakeHub.Import(ctx, findings)
}

func TestImport(t *testing.T) {
	h, q := newFakeHub(func(_ int, ids []string) ([]Failure, bool, error) {
		return failAll(ids, "InvalidInput", "b"), false, nil
	}), &fakeQuarantine{}
	shared := New(Config{Endpoint: h, Quarantine: &fakeQuarantine{err: errors.New("not this one")}})
	res, err := shared.With(q).Import(t.Context(), []Document{{"a", []byte(`{"Id":"a","Extra":1}`)}, {"b", []byte(`{"Id":"b"}`)}})
	if err != nil || res.Accepted != 1 || res.Quarantined != 1 || len(q.refused) != 1 || string(q.refused[0].Finding) != `{"Id":"b"}` {
		t.Errorf("got %+v, %v, refused %v", res, err, q.refused)
	}
}

// TestFoldWithManyFields: there is room for the count.
func TestFoldWithManyFields(t *testing.T) {
	full := func() *asff.Finding {
		f := finding("a", 1)
		f.ProductFields = map[string]string{"eyrie/rule": "x"}
		for i := range 49 {
			f.ProductFields[fmt.Sprintf("falco/x%02d", i)] = "y"
		}
		return f
	}
	f := Fold([]*asff.Finding{full(), full()})[0]
	if len(f.ProductFields) != 50 || f.ProductFields[occurrencesField] != "2" || f.ProductFields["eyrie/rule"] != "x" {
		t.Errorf("got %v", f.ProductFields)
	}
}

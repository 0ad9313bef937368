package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/publish"
)

const product = "arn:aws:securityhub:eu-central-1:111122223333:product/111122223333/default"

func finding(id, state string) []byte {
	return fmt.Appendf(nil, `{"SchemaVersion":"2018-10-08","Id":%q,"ProductArn":%q,"GeneratorId":"falco/x","UpdatedAt":"2026-11-21T02:00:00.123456789Z",
"Severity":{"Label":"LOW"},"Types":["a"],"Workflow":{"Status":"RESOLVED"},"Note":{"Text":"n"},"UserDefinedFields":{"a":"b"},"RecordState":%q,
"FindingProviderFields":{"Severity":{"Label":"HIGH","Original":"Error"}},"OfAnotherTime":{"x":1}}`, id, product, state)
}

// fakeHub is a hub of findings that are archived one import later than they are shown, as Security Hub may do.
type fakeHub struct {
	all      map[string]string // Id -> RecordState
	lag      map[string]bool   // shown as ACTIVE although archived
	foreign  int               // findings that the filters should have kept out
	finds    int
	imported []publish.Document
	fail     []error // of the next Finds
	block    bool
}

func (h *fakeHub) Find(ctx context.Context, filters []byte, token string) ([][]byte, string, bool, error) {
	h.finds++
	if len(h.fail) > 0 {
		err := h.fail[0]
		h.fail = h.fail[1:]
		return nil, "", true, err
	}
	if h.block {
		<-ctx.Done()
		return nil, "", false, ctx.Err()
	}
	skip := 0
	fmt.Sscan(token, &skip)
	var page [][]byte
	shown := 0
	for i := range len(h.all) {
		id := fmt.Sprintf("f%03d", i)
		if h.all[id] != "ACTIVE" && !h.lag[id] {
			continue
		}
		if shown++; shown <= skip {
			continue
		}
		if len(page) == 100 {
			return page, fmt.Sprint(skip + 100), false, nil
		}
		page = append(page, finding(id, "ACTIVE"))
	}
	for range h.foreign {
		page = append(page, []byte(`{"Id":"other","ProductArn":"arn:aws:securityhub:eu-central-1::product/aws/guardduty","GeneratorId":"falco/x","RecordState":"ACTIVE","UpdatedAt":"2026-11-21T02:00:00Z"}`))
	}
	return page, "", false, nil
}

func (h *fakeHub) Import(_ context.Context, docs []publish.Document) (publish.Result, error) {
	h.imported = append(h.imported, docs...)
	clear(h.lag)
	for _, d := range docs {
		h.all[d.ID] = "ARCHIVED"
		h.lag[d.ID] = true
	}
	return publish.Result{Accepted: len(docs)}, nil
}

func hubOf(n int) *fakeHub {
	h := &fakeHub{all: map[string]string{}, lag: map[string]bool{}}
	for i := range n {
		h.all[fmt.Sprintf("f%03d", i)] = "ACTIVE"
	}
	return h
}

func TestArchivesAll(t *testing.T) {
	h := hubOf(350)
	h.foreign = 3
	res, err := Run(t.Context(), Config{Finder: h, Importer: h, ProductArn: product, After: time.Hour}, time.Unix(0, 0))
	if err != nil || res != (Result{Archived: 350}) || len(h.imported) != 350 {
		t.Errorf("got %+v, %v, %d imports, want 350 once each", res, err, len(h.imported))
	}
}

// TestDocument: nothing of a finding changes but its state and, by a millisecond, its UpdatedAt; what is the customer's is
// not sent.
func TestDocument(t *testing.T) {
	c := Config{ProductArn: product}
	doc, ok := c.archived(finding("f", "ACTIVE"))
	if !ok {
		t.Fatal("not archived")
	}
	var got, want map[string]any
	if err := json.Unmarshal(doc.JSON, &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(`{"SchemaVersion":"2018-10-08","Id":"f","ProductArn":"`+product+`","GeneratorId":"falco/x","UpdatedAt":"2026-11-21T02:00:00.124456789Z",
"Severity":{"Label":"HIGH","Original":"Error"},"RecordState":"ARCHIVED","FindingProviderFields":{"Severity":{"Label":"HIGH","Original":"Error"}},"OfAnotherTime":{"x":1}}`), &want)
	if diff := cmp.Diff(want, got); diff != "" || doc.ID != "f" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, raw := range map[string][]byte{"archived": finding("f", "ARCHIVED"), "no JSON": []byte("{"), "no time": []byte(strings.Replace(string(finding("f", "ACTIVE")), "2026", "x", 1)),
		"another generator": []byte(strings.Replace(string(finding("f", "ACTIVE")), "falco/x", "eyrie/heartbeat", 1))} {
		if _, ok := c.archived(raw); ok {
			t.Errorf("%s: archived", name)
		}
	}
}

func TestFilters(t *testing.T) {
	c := Config{ProductArn: product, After: 30 * 24 * time.Hour, Resolved: true}
	var got []string
	for _, f := range c.filters(time.Date(2026, 11, 21, 2, 0, 0, 5, time.UTC)) {
		got = append(got, string(f))
	}
	base := `"GeneratorId":[{"Comparison":"PREFIX","Value":"falco/"}],`
	want := []string{
		`{` + base + `"ProductArn":[{"Comparison":"EQUALS","Value":"` + product + `"}],"RecordState":[{"Comparison":"EQUALS","Value":"ACTIVE"}],"WorkflowStatus":[{"Comparison":"EQUALS","Value":"RESOLVED"}]}`,
		`{` + base + `"LastObservedAt":[{"End":"2026-10-22T02:00:00Z","Start":"1970-01-01T00:00:00Z"}],"ProductArn":[{"Comparison":"EQUALS","Value":"` + product + `"}],"RecordState":[{"Comparison":"EQUALS","Value":"ACTIVE"}]}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTrouble: throttling is waited out, other trouble is told, and when time is up the run says that there is more.
func TestTrouble(t *testing.T) {
	busy := errors.New("TooManyRequestsException")
	for _, c := range []struct {
		name    string
		hub     func(*fakeHub)
		pages   int
		want    Result
		wantErr bool
	}{
		{"throttled", func(h *fakeHub) { h.fail = []error{busy, busy, busy} }, 0, Result{Archived: 150}, false},
		{"throttled for good", func(h *fakeHub) { h.fail = []error{busy, busy, busy, busy, busy} }, 0, Result{}, true},
		{"time is up", func(h *fakeHub) { h.block = true }, 0, Result{More: true}, false},
		{"a page and no more", func(*fakeHub) {}, 1, Result{Archived: 100, More: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				h := hubOf(150)
				c.hub(h)
				res, err := Run(ctx, Config{Finder: h, Importer: h, ProductArn: product, After: time.Hour, MaxPages: c.pages}, time.Now())
				if res != c.want || (err != nil) != c.wantErr {
					t.Errorf("got %+v, %v, want %+v", res, err, c.want)
				}
			})
		})
	}
}

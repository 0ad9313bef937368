package hub_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/hubtest"
	"github.com/eyrie-sec/eyrie/hub/sqlite"
)

// many opens a hub with n made-up findings, one a second, on a SQLite file.
func many(t *testing.T, n int) *hub.Hub {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "hub.db")})
	if err != nil {
		t.Fatal(err)
	}
	h, _ := open(t, hub.Config{}, s)
	var obs []hub.Observation
	for i := range n {
		obs = append(obs, hubtest.Observation(int64(i+1), i, hubtest.Epoch.Add(time.Duration(i)*time.Second)))
	}
	if err := h.Observe(t.Context(), "journal", int64(n), obs); err != nil {
		t.Fatal(err)
	}
	return h
}

func find(t *testing.T, h *hub.Hub, q hub.Query) hub.Page {
	t.Helper()
	p, err := h.Find(t.Context(), q)
	if err != nil {
		t.Fatalf("Find(%+v): %v", q, err)
	}
	return p
}

// walk follows the pages of q and returns the Seqs.
func walk(t *testing.T, h *hub.Hub, q hub.Query, between func()) []int64 {
	t.Helper()
	var seqs []int64
	for {
		p := find(t, h, q)
		for _, f := range p.Findings {
			seqs = append(seqs, f.Seq)
		}
		if p.Next == "" {
			return seqs
		}
		q.Token = p.Next
		between()
	}
}

func contains(a asff.Attribute, value string) asff.Filters {
	return asff.Filters{a: {{Comparison: asff.Contains, Value: value}}}
}

// TestPagesWhileFindingsChange walks through all pages while findings are added and known ones occur again, which moves
// them in every order by time: no finding that was there at first may be missed or come twice.
func TestPagesWhileFindingsChange(t *testing.T) {
	const n = 400
	for _, c := range []struct {
		name  string
		query hub.Query
	}{
		{"default order", hub.Query{}},
		{"default order, residual filter", hub.Query{Filters: contains(asff.AttrDescription, "shell")}},
		{"by time", hub.Query{Sort: []hub.Sort{{Attribute: asff.AttrLastObservedAt, Desc: true}}}},
		{"by time, ascending", hub.Query{Sort: []hub.Sort{{Attribute: asff.AttrLastObservedAt}}}},
		{"by count", hub.Query{Sort: []hub.Sort{{Attribute: asff.AttrProductFields, Key: "eyrie/occurrences", Desc: true}, {Attribute: asff.AttrTitle}}}},
		{"by time, residual filter", hub.Query{Filters: contains(asff.AttrDescription, "shell"), Sort: []hub.Sort{{Attribute: asff.AttrUpdatedAt, Desc: true}}}},
		{"by what memory does not have", hub.Query{Sort: []hub.Sort{{Attribute: asff.AttrId}}}},
		{"text", hub.Query{Text: "shell conta"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := many(t, n)
			random := rand.New(rand.NewPCG(1, 2))
			seq := int64(n)
			c.query.Limit = 37
			got := walk(t, h, c.query, func() {
				var obs []hub.Observation
				for range 20 {
					seq++
					obs = append(obs, hubtest.Observation(seq, random.IntN(n+100), hubtest.Epoch.Add(time.Duration(seq)*time.Second)))
				}
				if err := h.Observe(t.Context(), "journal", seq, obs); err != nil {
					t.Fatal(err)
				}
			})
			slices.Sort(got)
			want := make([]int64, n)
			for i := range want {
				want[i] = int64(i + 1)
			}
			diff(t, "findings that were there at first", got, want)
		})
	}
}

func TestSortAndOffset(t *testing.T) {
	h := many(t, 300)
	want := func(q hub.Query) []int64 {
		q.Limit = 1000
		var seqs []int64
		for _, f := range find(t, h, q).Findings {
			seqs = append(seqs, f.Seq)
		}
		return seqs
	}
	for _, q := range []hub.Query{
		{}, {Sort: []hub.Sort{{Attribute: asff.AttrSeverityLabel, Desc: true}, {Attribute: asff.AttrTitle}}}, {Sort: []hub.Sort{{Attribute: asff.AttrDescription}}},
		{Filters: contains(asff.AttrDescription, "bash")}, {Filters: contains(asff.AttrDescription, "bash"), Sort: []hub.Sort{{Attribute: asff.AttrLastObservedAt}}},
	} {
		all := want(q)
		if total := find(t, h, q).Total; total != len(all) || total == 0 {
			t.Errorf("%+v: total %d, %d found", q, total, len(all))
		}
		for _, offset := range []int{0, 1, 17, 290, 300, 1000} {
			for _, noToken := range []bool{false, true} {
				q.Offset, q.Limit, q.NoToken = offset, 10, noToken
				p := find(t, h, q)
				var got []int64
				for _, f := range p.Findings {
					got = append(got, f.Seq)
				}
				rest := all[min(offset, len(all)):]
				diff(t, fmt.Sprintf("%+v", q), got, rest[:min(10, len(rest))])
				if more := p.Next != ""; more != (!noToken && len(rest) > 10) {
					t.Errorf("%+v: next %q, %d more", q, p.Next, len(rest)-10)
				}
			}
		}
		q.Offset, q.Limit, q.NoToken = 0, 7, false
		diff(t, "walk", walk(t, h, q, func() {}), all)
	}
	first := find(t, h, hub.Query{Sort: []hub.Sort{{Attribute: asff.AttrSeverityLabel, Desc: true}}, Limit: 1}).Findings[0]
	if first.Severity != "CRITICAL" {
		t.Errorf("the most severe finding is %s", first.Severity)
	}
}

func TestBadQueries(t *testing.T) {
	h := many(t, 30)
	sorted := hub.Query{Limit: 5, Sort: []hub.Sort{{Attribute: asff.AttrTitle}}}
	token, sortedToken := find(t, h, hub.Query{Limit: 5}).Next, find(t, h, sorted).Next
	for name, q := range map[string]hub.Query{
		"garbage":                  {Token: "garbage"},
		"token of another query":   {Token: token, Text: "shell"},
		"sorted token without":     {Token: sortedToken},
		"token with another order": {Token: sortedToken, Sort: []hub.Sort{{Attribute: asff.AttrTitle, Desc: true}}},
	} {
		if _, err := h.Find(t.Context(), q); !errors.Is(err, hub.ErrBadToken) {
			t.Errorf("%s: got %v, want ErrBadToken", name, err)
		}
	}
	for name, q := range map[string]hub.Query{
		"too many":           {Limit: hub.MaxLimit + 1},
		"negative offset":    {Offset: -1},
		"token and offset":   {Token: token, Offset: 1},
		"map without key":    {Sort: []hub.Sort{{Attribute: asff.AttrProductFields}}},
		"key without map":    {Sort: []hub.Sort{{Attribute: asff.AttrTitle, Key: "x"}}},
		"keyword":            {Sort: []hub.Sort{{Attribute: asff.AttrKeyword}}},
		"too many criteria":  {Sort: slices.Repeat([]hub.Sort{{Attribute: asff.AttrTitle}}, 5)},
		"keyword and a key ": {Sort: []hub.Sort{{Attribute: asff.AttrKeyword, Key: "k"}}},
	} {
		var bad *hub.InvalidInput
		if _, err := h.Find(t.Context(), q); !errors.As(err, &bad) {
			t.Errorf("%s: got %v, want an InvalidInput", name, err)
		}
	}
}

func TestText(t *testing.T) {
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "hub.db")})
	if err != nil {
		t.Fatal(err)
	}
	h, _ := open(t, hub.Config{}, s)
	mustImport(t, h,
		document("a", map[string]any{"Title": "Größe of /etc/shadow", "ProductFields": map[string]string{"x": "10.1.2.3:8443", "k": "4711 4242-ab"}}),
		document("b", map[string]any{"Description": "AND or NEAR(x) * \" ' -- ; DROP", "Resources": []any{map[string]any{"Type": "Other", "Id": "pod/payments-api-7d9f"}}}),
		document("c", map[string]any{"Title": "日本語のテキスト"}))
	mustUpdate(t, h, "c", hub.Update{Note: &hub.NoteUpdate{Text: "asked Zoë", UpdatedBy: "me"}})
	for text, want := range map[string][]string{
		"":                      {"c", "b", "a"},
		"  *** \" ":             {"c", "b", "a"},
		"shadow":                {"a"},
		"GRÖSSE":                nil,
		"größe etc":             {"a"},
		"shad":                  {"a"},
		"shad ":                 nil,
		"shad etc":              nil,
		"payments-ap":           {"b"},
		"api 7d9f payments":     {"b"},
		"10.1.2.3":              {"a"},
		"4711":                  nil, // numbers of four and more digits in products' fields are not words
		"ab":                    {"a"},
		"and OR near drop":      {"b"},
		"\" OR words:a":         nil,
		"x* AND NOT y":          nil,
		"zoë asked":             {"c"},
		"日本":                    {"c"},
		"software vulnerabilit": {"c", "b", "a"},
	} {
		var got []string
		for _, f := range find(t, h, hub.Query{Text: text}).Findings {
			got = append(got, f.ID)
		}
		diff(t, fmt.Sprintf("%q", text), got, want)
	}
	h.SetMaxSearched(2)
	for text, want := range map[string][]string{"software vulnerabilit": {"c", "b", "a"}, "title descripti ": nil, "description größe": {"a"}} {
		var got []string
		for _, f := range find(t, h, hub.Query{Text: text}).Findings {
			got = append(got, f.ID)
		}
		diff(t, fmt.Sprintf("%q, tried on documents", text), got, want)
	}
	p := find(t, h, hub.Query{Text: "description", Filters: asff.Filters{asff.AttrId: {{Comparison: asff.Equals, Value: "a"}}}})
	if p.Total != 1 || len(p.Findings) != 1 || p.AtMost {
		t.Errorf("text and filter: %d of %d", len(p.Findings), p.Total)
	}
	mustUpdate(t, h, "c", hub.Update{Note: &hub.NoteUpdate{Text: "done", UpdatedBy: "me"}})
	if n := find(t, h, hub.Query{Text: "zoë"}).Total; n != 0 {
		t.Errorf("a word that is gone finds %d", n)
	}
}

func TestFacetHistogramActivity(t *testing.T) {
	h := many(t, 500)
	ctx := t.Context()
	q := hub.Query{Filters: asff.Filters{asff.AttrSeverityLabel: {{Comparison: asff.Equals, Value: "HIGH"}}}}
	total := find(t, h, q).Total
	for _, c := range []struct {
		attribute asff.Attribute
		key       string
		filters   asff.Filters
	}{
		{asff.AttrTitle, "", q.Filters}, {asff.AttrId, "", q.Filters}, {asff.AttrProductFields, "eyrie/cluster", q.Filters}, {asff.AttrProductFields, "falco/field.1", q.Filters},
		{asff.AttrSeverityNormalized, "", q.Filters}, {asff.AttrTitle, "", asff.Filters{asff.AttrSeverityLabel: q.Filters[asff.AttrSeverityLabel], asff.AttrDescription: {{Comparison: asff.Prefix, Value: "A shell"}}}},
	} {
		buckets, err := h.Facet(ctx, hub.Query{Filters: c.filters}, c.attribute, c.key, 1000)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i, b := range buckets {
			n += b.Count
			if b.New != b.Count || b.BySeverity != [5]int{3: b.Count} || i > 0 && b.Count > buckets[i-1].Count {
				t.Errorf("bucket %+v", b)
			}
		}
		if n != total {
			t.Errorf("%s %s: the buckets have %d findings, want %d", c.attribute.Name(), c.key, n, total)
		}
	}
	bins, err := h.Histogram(ctx, q, hubtest.Epoch, hubtest.Epoch.Add(500*time.Second), 7)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, b := range bins {
		n += b.BySeverity[3]
	}
	if n != total || len(bins) != 7 || !bins[0].At.Equal(hubtest.Epoch) {
		t.Errorf("the histogram has %d findings in %d bins, want %d in 7", n, len(bins), total)
	}
	minutes, err := h.Activity(ctx, hubtest.Epoch, hubtest.Epoch.Add(10*time.Minute), hub.ShortStep)
	if err != nil {
		t.Fatal(err)
	}
	n = 0
	for _, b := range minutes {
		for _, k := range b.BySeverity {
			n += k
		}
	}
	if n != 500 || len(minutes) != 2 {
		t.Errorf("activity: %d occurrences in %d steps, want 500 in 2", n, len(minutes))
	}
	var bad *hub.InvalidInput
	if _, err := h.Facet(ctx, q, asff.AttrProductFields, "", 1); !errors.As(err, &bad) {
		t.Errorf("a map without key: %v", err)
	}
	if _, err := h.Histogram(ctx, q, hubtest.Epoch, hubtest.Epoch, 1); !errors.As(err, &bad) {
		t.Errorf("an empty span: %v", err)
	}
	if _, err := h.Activity(ctx, hubtest.Epoch, hubtest.Epoch.Add(time.Hour), 0); !errors.As(err, &bad) {
		t.Errorf("no step: %v", err)
	}
}

// TestConcurrent lets everything run at once; the race detector looks on.
func TestConcurrent(t *testing.T) {
	h := many(t, 200)
	ctx := t.Context()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 7))
			for i := range 15 {
				source, seq := fmt.Sprint("source ", worker), int64(i+1)
				if err := h.Observe(ctx, source, seq, []hub.Observation{hubtest.Observation(seq, random.IntN(300), hubtest.Epoch.Add(time.Duration(i)*time.Hour))}); err != nil {
					t.Error(err)
				}
				f := hubtest.Finding(random.IntN(200))
				if _, _, err := h.Update(ctx, "me", []hub.Key{{ID: f.ID, ProductArn: f.ProductArn}}, hub.Update{Workflow: ptr("NOTIFIED")}); err != nil {
					t.Error(err)
				}
				q := hub.Query{Filters: contains(asff.AttrTitle, "e"), Sort: []hub.Sort{{Attribute: asff.AttrTitle, Desc: worker%2 == 0}}, Limit: 20}
				for range 3 {
					p, err := h.Find(ctx, q)
					if err != nil {
						t.Error(err)
					}
					if q.Token = p.Next; q.Token == "" {
						break
					}
				}
				if _, err := h.Facet(ctx, hub.Query{}, asff.AttrProductFields, "eyrie/pod", 5); err != nil {
					t.Error(err)
				}
				h.Stats()
			}
		})
	}
	group.Wait()
	n := int64(0)
	for _, seq := range walk(t, h, hub.Query{Limit: 50}, func() {}) {
		f, err := h.GetSeq(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		n += f.Occurrences
	}
	if n != 260 {
		t.Errorf("%d occurrences, want 260", n)
	}
}

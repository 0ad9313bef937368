package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

// fakeHub is a hub of a few findings in a map, for answers and failures that the real one gives only with effort. It
// remembers what it was called with.
type fakeHub struct {
	mu       sync.Mutex
	off      bool
	err      error // what every call fails with, if not nil
	by       hub.Identity
	docs     [][]byte // of the last Import
	failed   []hub.ImportFailure
	keys     []hub.Key
	update   hub.Update
	query    hub.Query
	history  hub.HistoryQuery
	findings []hub.Finding
	insights map[string]hub.Insight
	insight  hub.InsightUpdate
	enabled  hub.EnableOptions
	tagged   map[string]map[string]string
}

func (f *fakeHub) Import(_ context.Context, by hub.Identity, docs [][]byte) (hub.ImportResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.by, f.docs = by, docs
	return hub.ImportResult{Imported: len(docs) - len(f.failed), Failed: f.failed}, f.err
}

func (f *fakeHub) Update(_ context.Context, by hub.Identity, keys []hub.Key, u hub.Update) (done []hub.Key, not []hub.UpdateFailure, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.by, f.keys, f.update = by, keys, u
	for _, k := range keys {
		if k.ID == "unknown" {
			not = append(not, hub.UpdateFailure{Key: k, Code: "FindingNotFound", Message: "Finding Not Found"})
		} else {
			done = append(done, k)
		}
	}
	return done, not, f.err
}

func (f *fakeHub) Find(_ context.Context, q hub.Query) (hub.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.query = q
	if f.err != nil {
		return hub.Page{}, f.err
	}
	first := 0
	if q.Token != "" {
		var err error
		if first, err = strconv.Atoi(q.Token); err != nil || first > len(f.findings) {
			return hub.Page{}, fmt.Errorf("find: %w", hub.ErrBadToken)
		}
	}
	last := min(first+q.Limit, len(f.findings))
	page := hub.Page{Findings: f.findings[first:last], Total: len(f.findings)}
	if last < len(f.findings) {
		page.Next = strconv.Itoa(last)
	}
	return page, nil
}

func (f *fakeHub) History(_ context.Context, k hub.Key, q hub.HistoryQuery) ([]hub.HistoryRecord, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history = q
	at := time.Date(2026, 11, 21, 8, 30, 0, 120_000_000, time.UTC)
	return []hub.HistoryRecord{
		{At: at, Source: hub.SourceUpdate, Identity: "arn:aws:iam::000000000000:user/ada",
			Updates: []hub.HistoryUpdate{{Field: "Workflow", Old: `{"Status":"NEW"}`, New: `{"Status":"RESOLVED"}`}, {Field: "Note", New: "x"}}},
		{At: at.Add(-time.Hour), Created: true, Source: hub.SourceImport, Identity: "eyrie"},
	}, "more", f.err
}

func (f *fakeHub) CreateInsight(_ context.Context, in hub.Insight) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	arn := "arn:aws:securityhub:local-1:000000000000:insight/000000000000/custom/" + strconv.Itoa(len(f.insights)+1)
	in.Arn = arn
	if f.insights == nil {
		f.insights = map[string]hub.Insight{}
	}
	f.insights[arn] = in
	return arn, f.err
}

func (f *fakeHub) known(arn string) error {
	if _, ok := f.insights[arn]; !ok {
		return fmt.Errorf("insight %s: %w", arn, hub.ErrNotFound)
	}
	return f.err
}

func (f *fakeHub) UpdateInsight(_ context.Context, arn string, u hub.InsightUpdate) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.insight = u
	return f.known(arn)
}

func (f *fakeHub) DeleteInsight(_ context.Context, arn string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known(arn)
}

func (f *fakeHub) Insights(_ context.Context, arns []string, limit int, token string) ([]hub.Insight, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if token != "" {
		return nil, "", hub.ErrBadToken
	}
	if len(arns) == 0 {
		arns = slices.Sorted(maps.Keys(f.insights))
	}
	var all []hub.Insight
	for _, arn := range arns {
		if err := f.known(arn); err != nil {
			return nil, "", err
		}
		all = append(all, f.insights[arn])
	}
	return all[:min(limit, len(all))], "", f.err
}

func (f *fakeHub) InsightResults(_ context.Context, arn string) (hub.InsightResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return hub.InsightResult{Arn: arn, GroupByAttribute: "ResourceType", Values: []hub.Bucket{{Value: "Container", Count: 2}}}, f.known(arn)
}

func (f *fakeHub) Enabled() bool { return !f.off }

func (f *fakeHub) Enable(_ context.Context, o hub.EnableOptions) error {
	if !f.off {
		return hub.ErrEnabled
	}
	f.enabled, f.off = o, false
	return f.err
}

func (f *fakeHub) Disable(context.Context) error {
	f.off = true
	return f.err
}

const hubArn = "arn:aws:securityhub:local-1:000000000000:hub/default"

func (f *fakeHub) Describe(context.Context) (hub.Description, error) {
	return hub.Description{HubArn: hubArn, SubscribedAt: time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC),
		ControlFindingGenerator: "SECURITY_CONTROL"}, f.err
}

func (f *fakeHub) Tag(_ context.Context, arn string, tags map[string]string) error {
	if arn != hubArn {
		return hub.ErrNotFound
	}
	f.tagged = map[string]map[string]string{arn: tags}
	return f.err
}

func (f *fakeHub) Untag(_ context.Context, arn string, keys []string) error {
	for _, k := range keys {
		delete(f.tagged[arn], k)
	}
	return f.err
}

func (f *fakeHub) Tags(_ context.Context, arn string) (map[string]string, error) {
	if arn != hubArn {
		return nil, hub.ErrNotFound
	}
	return f.tagged[arn], f.err
}

var _ Hub = (*hub.Hub)(nil)

// filterOf is a filter with one string condition.
func filterOf(name, value string) asff.Filters {
	a, _ := asff.AttributeByName(name)
	return asff.Filters{a: {{Comparison: asff.Equals, Value: value}}}
}

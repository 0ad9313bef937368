package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/asff"
)

// Insights are records of this kind; the name is the ARN.
const insightKind = "insight"

// insightRecord is the JSON of an insight's record.
type insightRecord struct {
	Name             string
	Filters          json.RawMessage
	GroupByAttribute string
}

// maxInsightName is our own limit; AWS states none.
const maxInsightName = 128

// maxInsightValues is how many values a result has: AWS's GetInsightResults returns up to 100.
const maxInsightValues = 100

// CreateInsight stores an insight and returns its ARN; in.Arn does not count. The error is an *InvalidInput, or ErrLimit
// if there are MaxInsights.
func (h *Hub) CreateInsight(ctx context.Context, in Insight) (arn string, err error) {
	h.settings.Lock()
	defer h.settings.Unlock()
	all, err := h.records(ctx, insightKind)
	if err != nil {
		return "", err
	}
	if len(all) >= MaxInsights {
		return "", fmt.Errorf("%w: a hub has at most %d insights", ErrLimit, MaxInsights)
	}
	// AWS: arn:<partition>:securityhub:<region>:<account>:insight/<account>/custom/<id>
	in.Arn = h.arn("insight/" + h.c.Account + "/custom/" + newID())
	return in.Arn, h.putInsight(ctx, in)
}

func (h *Hub) putInsight(ctx context.Context, in Insight) error {
	if err := checkText("Name", in.Name, maxInsightName); err != nil {
		return err
	}
	if _, _, err := groupBy(in.GroupByAttribute); err != nil {
		return err
	}
	if err := in.Filters.Check(); err != nil {
		return &InvalidInput{err.Error()}
	}
	value, err := json.Marshal(insightRecord{in.Name, in.Filters.JSON(), in.GroupByAttribute})
	if err != nil {
		return fmt.Errorf("hub: insight: %w", err)
	}
	return h.putRecords(ctx, Record{Kind: insightKind, Name: in.Arn, Value: value})
}

// groupBy reads the attribute to count by: a name of asff's, or, as AWS names them in its own insights, that of the member
// ("ResourceId"). A key of a map attribute stands behind a dot: "ProductFields.eyrie/workload".
func groupBy(name string) (a asff.Attribute, key string, err error) {
	a, ok := asff.AttributeByName(name)
	if !ok {
		var attribute string
		if attribute, key, ok = strings.Cut(name, "."); ok {
			a, ok = asff.AttributeByName(attribute)
		}
	}
	if !ok || a == asff.AttrKeyword || (a.Kind() == asff.KindMap) != (key != "") {
		return 0, "", &InvalidInput{"GroupByAttribute should be an attribute by which findings can be filtered, not " + strconv.Quote(clip(name))}
	}
	return a, key, nil
}

// clip shortens what a caller sent for an error message.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	end := 64
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// UpdateInsight changes an insight. The error is an *InvalidInput or ErrNotFound.
func (h *Hub) UpdateInsight(ctx context.Context, arn string, u InsightUpdate) error {
	h.settings.Lock()
	defer h.settings.Unlock()
	found, _, err := h.Insights(ctx, []string{arn}, 0, "")
	if err != nil {
		return err
	}
	in := found[0]
	if u.Name != nil {
		in.Name = *u.Name
	}
	if u.Filters != nil {
		in.Filters = *u.Filters
	}
	if u.GroupByAttribute != nil {
		in.GroupByAttribute = *u.GroupByAttribute
	}
	return h.putInsight(ctx, in)
}

// DeleteInsight deletes an insight, or returns ErrNotFound.
func (h *Hub) DeleteInsight(ctx context.Context, arn string) error {
	h.settings.Lock()
	defer h.settings.Unlock()
	if _, _, err := h.Insights(ctx, []string{arn}, 0, ""); err != nil {
		return err
	}
	return h.putRecords(ctx, Record{Kind: insightKind, Name: arn})
}

// Insights returns the insights with these ARNs, all if there are none, sorted by ARN: at most limit (0: all) of those
// after token, and the token of the rest. The error is ErrNotFound if one of arns is not there, or ErrBadToken.
func (h *Hub) Insights(ctx context.Context, arns []string, limit int, token string) (insights []Insight, next string, err error) {
	all, err := h.records(ctx, insightKind)
	if err != nil {
		return nil, "", err
	}
	for _, arn := range arns {
		if !slices.ContainsFunc(all, func(r Record) bool { return r.Name == arn }) {
			return nil, "", fmt.Errorf("%w: insight %s", ErrNotFound, arn)
		}
	}
	from := 0
	if token != "" {
		if from = sort.Search(len(all), func(i int) bool { return all[i].Name > token }); from == 0 {
			return nil, "", ErrBadToken
		}
	}
	for _, r := range all[from:] {
		if len(arns) > 0 && !slices.Contains(arns, r.Name) {
			continue
		}
		if limit > 0 && len(insights) == limit {
			return insights, insights[limit-1].Arn, nil
		}
		var stored insightRecord
		if err := json.Unmarshal(r.Value, &stored); err != nil {
			return nil, "", fmt.Errorf("hub: insight %s: %w", r.Name, err)
		}
		filters, err := asff.ParseFilters(stored.Filters)
		if err != nil {
			return nil, "", fmt.Errorf("hub: insight %s: %w", r.Name, err)
		}
		insights = append(insights, Insight{r.Name, stored.Name, filters, stored.GroupByAttribute})
	}
	return insights, "", nil
}

// InsightResults counts the findings of an insight by its attribute. The error is ErrNotFound if there is no such insight.
func (h *Hub) InsightResults(ctx context.Context, arn string) (InsightResult, error) {
	found, _, err := h.Insights(ctx, []string{arn}, 0, "")
	if err != nil {
		return InsightResult{}, err
	}
	a, key, err := groupBy(found[0].GroupByAttribute)
	if err != nil {
		return InsightResult{}, fmt.Errorf("hub: insight %s: %w", arn, err)
	}
	values, err := h.Facet(ctx, Query{Filters: found[0].Filters}, a, key, maxInsightValues)
	return InsightResult{arn, found[0].GroupByAttribute, values}, err
}

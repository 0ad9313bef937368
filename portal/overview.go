package portal

import (
	"context"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/portal/chart"
)

// overviewBody is what overview.html shows.
type overviewBody struct {
	Virgin   bool
	Setup    setup
	New      int
	Critical int
	NewHref  string
	CritHref string
	Today    int // findings first seen in the last 24 hours
	Before   int // and in the 24 hours before
	Trend    string

	Ranges   []rangeChoice
	Chart    template.HTML
	Series   []binRow
	Total    int
	Legend   []legend
	Rules    ranking
	Works    ranking
	Places   []ranking
	Day      daySummary
	Ingest   Ingest
	IngestOK bool
	Quiet    []Source
	Clusters int
	Rejected int64
	Dropped  int64
	Since    int64
}

type rangeChoice struct {
	Label, Href string
	Current     bool
}

// binRow is one bar of the chart in its table.
type binRow struct {
	At     time.Time
	Href   string
	Values [5]int // critical first
	Total  int
}

type legend struct {
	Severity string
	Count    int
	Href     string
}

// ranking is a list of values with their numbers.
type ranking struct {
	Title string
	All   string
	Max   int
	Rows  []ranked
}

type ranked struct {
	Value   string
	Href    string
	Count   int
	New     int
	Worst   string // severity
	Spark   template.HTML
	Trend   int // findings last seen in the second half of the range minus the first half
	Percent int
}

// ranges of the overview: how long, and how wide a bar is.
var ranges = []struct {
	name, label string
	span, step  time.Duration
}{{"24h", "24 h", 24 * time.Hour, time.Hour}, {"7d", "7 d", 7 * 24 * time.Hour, 6 * time.Hour}, {"30d", "30 d", 30 * 24 * time.Hour, 24 * time.Hour}}

func (p *Portal) overview(w http.ResponseWriter, r *http.Request) {
	pg := p.newPage(r, "Overview", "overview")
	body, err := p.overviewBody(r.Context(), r.URL.Query().Get("range"), pg.Now)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	pg.Body = body
	p.render(w, r, http.StatusOK, "overview", pg)
}

func (p *Portal) overviewBody(ctx context.Context, name string, now time.Time) (*overviewBody, error) {
	stats := p.findings.Stats()
	b := &overviewBody{Since: stats.LastChange}
	ingest, err := p.journal.Ingest(ctx)
	if err != nil {
		return nil, err
	}
	b.ingest(ingest, now)
	if stats.Findings == 0 {
		b.Virgin, b.Setup = true, p.setup()
		return b, nil
	}
	for _, n := range stats.BySeverityNew {
		b.New += n
	}
	b.Critical = stats.BySeverityNew[hub.SeverityIndex("CRITICAL")]
	fresh := view{Picked: map[string][]string{"workflow": {"NEW"}}}
	b.NewHref, b.CritHref = fresh.url(), fresh.with("severity", "CRITICAL").url()
	if err := p.trend(ctx, b, now); err != nil {
		return nil, err
	}
	chosen := ranges[0]
	for _, c := range ranges {
		if c.name == name {
			chosen = c
		}
	}
	for _, c := range ranges {
		href := "/"
		if c.name != ranges[0].name {
			href = "/?range=" + c.name
		}
		b.Ranges = append(b.Ranges, rangeChoice{c.label, href, c.name == chosen.name})
	}
	if err := p.series(ctx, b, now, chosen.span, chosen.step); err != nil {
		return nil, err
	}
	if err := p.rankings(ctx, b, now, chosen.span); err != nil {
		return nil, err
	}
	b.Day, err = p.today(ctx, now)
	return b, err
}

// trend compares how many findings were seen for the first time in the last 24 hours with the 24 hours before.
func (p *Portal) trend(ctx context.Context, b *overviewBody, now time.Time) error {
	for i, into := range []*int{&b.Today, &b.Before} {
		end := now.Add(-time.Duration(i) * 24 * time.Hour)
		page, err := p.findings.Find(ctx, hub.Query{NoToken: true, Limit: 1, Filters: asff.Filters{
			asff.AttrFirstObservedAt: {{Start: end.Add(-24 * time.Hour).Add(1), End: end}},
			asff.AttrRecordState:     {{Comparison: asff.Equals, Value: "ACTIVE"}},
		}})
		if err != nil {
			return err
		}
		*into = page.Total
	}
	switch {
	case b.Today > b.Before:
		b.Trend = "up"
	case b.Today < b.Before:
		b.Trend = "down"
	}
	return nil
}

// series draws the alerts of the range by severity. A bar leads to the findings that may have occurred in it: first seen
// before its end and last seen after its start.
func (p *Portal) series(ctx context.Context, b *overviewBody, now time.Time, span, step time.Duration) error {
	to := now.UTC().Truncate(step).Add(step)
	from := to.Add(-span)
	counts, err := p.findings.Activity(ctx, from, to, step)
	if err != nil {
		return err
	}
	bins := make([]hub.Bin, int(span/step))
	for i := range bins {
		bins[i].At = from.Add(time.Duration(i) * step)
	}
	var sum [5]int
	for _, c := range counts {
		i := int(c.At.Sub(from) / step)
		if c.At.Before(from) || i >= len(bins) {
			continue
		}
		for s, n := range c.BySeverity {
			bins[i].BySeverity[s] += n
			sum[s] += n
			b.Total += n
		}
	}
	any := view{Picked: map[string][]string{"workflow": {allValues}}}
	bars := make([]chart.Bar, len(bins))
	for i, bin := range bins {
		v := any
		v.During = interval{From: bin.At, To: bin.At.Add(step)}
		bars[i] = chart.Bar{At: bin.At, To: bin.At.Add(step), Values: bin.BySeverity, Title: barTitle(bin, step, "alert", "alerts")}
		row := binRow{At: bin.At, Href: v.url(), Total: bars[i].Total()}
		for s := range row.Values {
			row.Values[s] = bin.BySeverity[len(bin.BySeverity)-1-s]
		}
		if row.Total > 0 {
			bars[i].Href = v.url()
			b.Series = append(b.Series, row)
		}
	}
	b.Chart = chart.Bars(bars, chart.Options{Height: 148, Axis: true, Brush: withParam(any.url(), "during", "") + "{from}/{to}"})
	during := any
	during.During = interval{From: from, To: to}
	for i, s := range severities {
		b.Legend = append(b.Legend, legend{s, sum[len(sum)-1-i], during.with("severity", s).url()})
	}
	return nil
}

const rankedRows = 6

func (p *Portal) rankings(ctx context.Context, b *overviewBody, now time.Time, span time.Duration) error {
	open := view{Picked: map[string][]string{}, Last: interval{Ago: span}}
	for _, want := range []struct {
		name, title string
		spark       bool
		into        *ranking
	}{{"rule", "Top rules", true, &b.Rules}, {"workload", "Top workloads", true, &b.Works}, {"cluster", "Clusters", false, nil}, {"region", "Regions", false, nil}, {"account", "Accounts", false, nil}} {
		pk, _ := pickNamed(want.name)
		r, n, err := p.rank(ctx, open, pk, now, span, want.spark)
		if err != nil {
			return err
		}
		r.Title = want.title
		if want.into != nil {
			*want.into = r
			continue
		}
		if want.name == "cluster" {
			b.Clusters = n
		}
		b.Places = append(b.Places, r)
	}
	return nil
}

// rank counts the view's findings by the values of pk, the most frequent first, and returns how many values there are.
func (p *Portal) rank(ctx context.Context, v view, pk pick, now time.Time, span time.Duration, spark bool) (ranking, int, error) {
	query, err := v.hubQuery(now)
	if err != nil {
		return ranking{}, 0, err
	}
	buckets, err := p.findings.Facet(ctx, query, pk.attr, pk.key, hub.MaxLimit)
	if err != nil {
		return ranking{}, 0, err
	}
	buckets = slices.DeleteFunc(buckets, func(b hub.Bucket) bool { return b.Value == "" })
	r := ranking{All: withParam(v.url(), "pick", pk.name)}
	for _, bucket := range buckets[:min(rankedRows, len(buckets))] {
		one := v.with(pk.name, bucket.Value)
		row := ranked{Value: bucket.Value, Count: bucket.Count, New: bucket.New}
		if len(bucket.Value) <= maxValue {
			row.Href = one.url()
		}
		r.Max = max(r.Max, bucket.Count)
		for i, n := range bucket.BySeverity {
			if n > 0 {
				row.Worst = severities[len(severities)-1-i]
			}
		}
		if spark {
			if err := p.spark(ctx, &row, one, now, span); err != nil {
				return ranking{}, 0, err
			}
		}
		r.Rows = append(r.Rows, row)
	}
	return r, len(buckets), nil
}

const sparkBins = 16

func (p *Portal) spark(ctx context.Context, row *ranked, v view, now time.Time, span time.Duration) error {
	query, err := v.hubQuery(now)
	if err != nil {
		return err
	}
	bins, err := p.findings.Histogram(ctx, query, now.Add(-span), now, sparkBins)
	if err != nil {
		return err
	}
	values := make([]int, len(bins))
	for i, b := range bins {
		for _, n := range b.BySeverity {
			values[i] += n
		}
		if i >= len(bins)/2 {
			row.Trend += values[i]
		} else {
			row.Trend -= values[i]
		}
	}
	row.Spark = chart.Spark(values)
	return nil
}

// daySummary is "what changed today".
type daySummary struct {
	From    time.Time // the feed goes back to here only; zero: all of the day
	Counts  []dayCount
	Entries []dayEntry
}

type dayCount struct {
	Label, Class string
	N            int
}

type dayEntry struct {
	What  string
	Class string
	At    time.Time
	Row   row
}

const maxJudged = 400 // triaged findings that are looked at to tell resolved from suppressed

func (p *Portal) today(ctx context.Context, now time.Time) (daySummary, error) {
	d, err := p.digest.read(ctx, p.findings, now)
	if err != nil {
		return daySummary{}, err
	}
	s := daySummary{From: d.From}
	became := map[string]int{}
	judged := 0
	for seq := range d.Triaged {
		if judged++; judged > maxJudged {
			break
		}
		if f, err := p.findings.GetSeq(ctx, seq); err == nil {
			became[f.Workflow]++
		}
	}
	s.Counts = []dayCount{
		{"new", "new", len(d.Created)}, {"reopened", "new", len(d.Reopen)}, {"notified", "notified", became["NOTIFIED"]},
		{"resolved", "resolved", became["RESOLVED"]}, {"suppressed", "suppressed", became["SUPPRESSED"]},
	}
	for _, c := range d.Latest {
		f, err := p.findings.GetSeq(ctx, c.FindingSeq)
		if err != nil {
			continue // deleted since
		}
		e := dayEntry{At: c.At, Row: newRow(&f)}
		e.Row.Href = "/findings/" + strconv.FormatInt(f.Seq, 10)
		e.What, e.Class = map[hub.ChangeKind]string{hub.Created: "New", hub.Reopened: "Reopened", hub.Archived: "Archived"}[c.Kind], "new"
		if c.Kind == hub.Triaged {
			e.What, e.Class = word(f.Workflow), strings.ToLower(f.Workflow)
		}
		s.Entries = append(s.Entries, e)
	}
	return s, nil
}

// quietAfter is when a source that used to send is worth a look.
const quietAfter = time.Hour

func (b *overviewBody) ingest(in Ingest, now time.Time) {
	b.Ingest, b.IngestOK = in, in.Err == nil
	for _, c := range in.Rejected {
		b.Rejected += c.N
	}
	for _, c := range in.Dropped {
		b.Dropped += c.N
	}
	for _, s := range in.Sources {
		if now.Sub(s.LastSeen) > quietAfter {
			b.Quiet = append(b.Quiet, s)
		}
	}
	slices.SortFunc(b.Quiet, func(x, y Source) int { return y.LastSeen.Compare(x.LastSeen) })
	b.Quiet = b.Quiet[:min(rankedRows, len(b.Quiet))]
}

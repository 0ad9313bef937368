package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/portal/chart"
	"github.com/eyrie-sec/eyrie/portal/text"
)

const (
	pageSize = 50
	listBins = 48
)

// row is one finding of a list.
type row struct {
	Seq                    int64
	Href                   string
	Severity, Workflow     string
	Title                  string
	Process, Target        string
	Workload, Namespace    string // "deployment/payments-api"
	Name, Kind             string // "payments-api", "deployment"
	Cluster, Region, Where string
	Account                string
	Count                  int64
	First, Last            time.Time
	Archived               bool
}

func newRow(f *hub.Finding) row {
	var doc asff.Finding
	if err := json.Unmarshal(f.Doc, &doc); err != nil {
		doc = asff.Finding{Title: f.ID}
	}
	pf := doc.ProductFields
	r := row{
		Seq: f.Seq, Severity: f.Severity, Workflow: f.Workflow, Title: doc.Title,
		Process: path.Base(pf["eyrie/process"]), Target: pf["eyrie/target"], Workload: pf["eyrie/workload"], Namespace: pf["eyrie/namespace"],
		Cluster: pf["eyrie/cluster"], Region: doc.Region, Account: doc.AwsAccountID,
		Count: f.Occurrences, First: f.FirstObserved, Last: f.LastObserved, Archived: f.RecordState == "ARCHIVED",
	}
	if pf["eyrie/process"] == "" {
		r.Process = ""
		if doc.Process != nil {
			r.Process = doc.Process.Name
		}
	}
	r.Name = r.Workload
	if kind, name, ok := strings.Cut(r.Workload, "/"); ok && name != "" {
		r.Name, r.Kind = name, kind
	}
	if r.Workload == "" && len(doc.Resources) > 0 {
		r.Name = doc.Resources[0].ID
	}
	r.Where = r.Cluster
	if r.Where == "" {
		r.Where = pf["eyrie/host"]
	}
	return r
}

// listBody is what findings.html shows.
type listBody struct {
	View      view
	Query     string // of the view
	URL       string
	Rows      []row
	Total     int
	AtMost    bool
	From, To  int // numbers of the first and last row
	Prev      string
	Next      string
	Menus     []menu
	Times     []timeChoice
	Chips     []chip
	Heads     []head
	Histogram template.HTML
	Since     int64 // change the list is up to date with
	Error     string
	Virgin    bool // nothing ever arrived
	Setup     setup
	MaxTriage int
	Reloaded  bool
	Names     []string // of all attributes
	Compare   []comparison
	Narrowed  bool
	MaxAll    int
}

// head is a column's heading with the link that sorts by it.
type head struct {
	Label, Class, Href string
	Sorted             string // "", "ascending" or "descending"
}

func (p *Portal) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if target, ok := canonical(q); ok {
		http.Redirect(w, r, target, http.StatusSeeOther)
		return
	}
	pg := p.newPage(r, "Findings", "findings")
	body, status, err := p.listBody(r.Context(), q, pg.Now)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	pg.Body, pg.Search = body, body.View.Text
	p.render(w, r, status, "findings", pg)
}

// canonical turns the query that a form sent (empty fields, a new filter in its parts) into the view's own, so that the
// address a person sees and shares is the readable one.
func canonical(q url.Values) (string, bool) {
	changed := false
	for name, values := range q {
		for _, v := range values {
			changed = changed || v == "" && name != "q"
		}
	}
	if q.Has("fa") {
		changed = true
		if q.Get("fa") != "" && q.Get("fv") != "" {
			e, err := newExtra(q.Get("fa"), q.Get("fk"), q.Get("fc"), q.Get("fv"))
			if err != nil {
				return "", false // the list shows the error
			}
			q.Add("f", e.String())
		}
	}
	if from, to := q.Get("from"), q.Get("to"); from != "" || to != "" {
		changed = true
		if from == "" {
			from = "1970-01-01"
		}
		if to == "" {
			to = "2100-01-01"
		}
		q.Set("last", from+"/"+to)
	}
	if !changed {
		return "", false
	}
	v, err := parseView(q)
	if err != nil {
		return "", false
	}
	target := v.url()
	if pick := q.Get("pick"); pick != "" {
		target = withParam(target, "pick", pick)
	}
	return target, true
}

func withParam(target, name, value string) string {
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	return target + sep + name + "=" + url.QueryEscape(value)
}

func (p *Portal) listBody(ctx context.Context, q url.Values, now time.Time) (*listBody, int, error) {
	b := &listBody{MaxAll: maxTriage, Names: attributeNames(), Compare: allComparisons()}
	v, err := parseView(q)
	var query hub.Query
	if err == nil {
		query, err = v.hubQuery(now)
	}
	if err == nil && q.Get("fa") != "" { // a new filter that is not valid: canonical did not take it
		_, err = newExtra(q.Get("fa"), q.Get("fk"), q.Get("fc"), q.Get("fv"))
	}
	b.View, b.Query, b.URL = v, v.query(), v.url()
	b.Narrowed = b.Query != "" && b.Query != "sort="+v.Sort
	stats := p.findings.Stats()
	b.Since = stats.LastChange
	b.Menus, b.Times, b.Chips, b.Heads = p.menus(ctx, v, query, q.Get("pick")), timeChoices(v), chips(v), heads(v)
	if err != nil {
		return b, http.StatusBadRequest, b.refuse(err)
	}
	if stats.Findings == 0 {
		b.Virgin, b.Setup = true, p.setup()
		return b, http.StatusOK, nil
	}
	if err := p.fill(ctx, b, q, query, now); err != nil {
		return b, http.StatusBadRequest, b.refuse(err)
	}
	return b, http.StatusOK, nil
}

// refuse shows an error of the person's in the page; any other is returned.
func (b *listBody) refuse(err error) error {
	var bad *hub.InvalidInput
	if errors.As(err, &bad) {
		b.Error = bad.Message
		return nil
	}
	return err
}

// fill asks the hub for one page and the histogram.
func (p *Portal) fill(ctx context.Context, b *listBody, q url.Values, query hub.Query, now time.Time) error {
	found, err := p.page(ctx, b.View, query, q)
	if err != nil {
		return err
	}
	b.Rows, b.Total, b.AtMost, b.Reloaded = found.rows, found.total, found.atMost, found.lost
	for i := range b.Rows {
		b.Rows[i].Href = b.View.findingURL(b.Rows[i].Seq, found.from+i)
	}
	if len(b.Rows) > 0 {
		b.From, b.To = found.from+1, found.from+len(b.Rows)
	}
	b.Prev, b.Next = found.links(b.View)
	if b.Total > 0 {
		b.Histogram, err = p.histogram(ctx, b, query, now)
	}
	return err
}

// findingURL is the page of a finding that knows the list it was opened from and its place in it.
func (v view) findingURL(seq int64, index int) string {
	target := "/findings/" + strconv.FormatInt(seq, 10)
	if q := v.query(); q != "" {
		target = withParam(target, "view", q)
	}
	return withParam(target, "i", strconv.Itoa(index))
}

// histogram draws when the listed findings were last seen: over the view's own time if it has one, else from the oldest.
func (p *Portal) histogram(ctx context.Context, b *listBody, query hub.Query, now time.Time) (template.HTML, error) {
	from, to, ok := b.View.Last.bounds(now)
	if !ok {
		oldest := query
		oldest.Sort = []hub.Sort{{Attribute: asff.AttrLastObservedAt}}
		oldest.Limit, oldest.NoToken = 1, true
		page, err := p.findings.Find(ctx, oldest)
		if err != nil || len(page.Findings) == 0 {
			return "", err
		}
		from = page.Findings[0].LastObserved
	}
	if to.IsZero() || to.After(now) {
		to = now
	}
	from, step := steps(from, to, listBins)
	n := int(to.Sub(from)/step) + 1
	bins, err := p.findings.Histogram(ctx, query, from, from.Add(time.Duration(n)*step), n)
	if err != nil {
		return "", err
	}
	bars := make([]chart.Bar, len(bins))
	for i, bin := range bins {
		v := b.View
		v.Last = interval{From: bin.At, To: bin.At.Add(step)}
		bars[i] = chart.Bar{At: bin.At, To: bin.At.Add(step), Values: bin.BySeverity, Title: barTitle(bin, step, "finding", "findings")}
		if bars[i].Total() > 0 {
			bars[i].Href = v.url()
		}
	}
	v := b.View
	v.Last = interval{}
	return chart.Bars(bars, chart.Options{Height: 32, Axis: false, Brush: withParam(v.url(), "last", "") + "{from}/{to}"}), nil
}

// steps returns a round step that divides from..to into at most n, and from rounded down to it.
func steps(from, to time.Time, n int) (time.Time, time.Duration) {
	want := to.Sub(from) / time.Duration(n)
	for _, s := range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour} {
		if s >= want {
			return from.UTC().Truncate(s), s
		}
	}
	days := want/(24*time.Hour) + 1
	return from.UTC().Truncate(24 * time.Hour), days * 24 * time.Hour
}

func barTitle(bin hub.Bin, step time.Duration, one, many string) string {
	total := 0
	var parts []string
	for i := len(bin.BySeverity) - 1; i >= 0; i-- {
		if n := bin.BySeverity[i]; n > 0 {
			total += n
			parts = append(parts, text.Group(n)+" "+strings.ToLower(word(severities[len(severities)-1-i])))
		}
	}
	layout := "2 Jan 15:04"
	if step >= 24*time.Hour {
		layout = "2 Jan"
	}
	title := fmt.Sprintf("%s UTC: %s", bin.At.UTC().Format(layout), count(total, one, many))
	if len(parts) > 0 {
		title += " (" + strings.Join(parts, ", ") + ")"
	}
	return title
}

func heads(v view) []head {
	columns := []struct{ label, class, order string }{
		{"Severity", "c-sev", "severity"}, {"Finding", "c-title", "rule"}, {"Workload", "c-work", "workload"}, {"Where", "c-where", ""},
		{"Count", "c-count", ""}, {"Last seen", "c-last", "last"}, {"Workflow", "c-wf", "workflow"},
	}
	current, reversed := strings.CutPrefix(v.Sort, "-")
	if current == "" {
		current = orderings[0].name
	}
	var all []head
	for _, c := range columns {
		h := head{Label: c.label, Class: c.class}
		if c.order != "" {
			next := v
			next.Sort = c.order
			if c.order == current {
				desc := orderingNamed(c.order).sort[0].Desc != reversed
				h.Sorted = map[bool]string{true: "descending", false: "ascending"}[desc]
				if !reversed {
					next.Sort = "-" + c.order
				}
			}
			if next.Sort == orderings[0].name {
				next.Sort = ""
			}
			h.Href = next.url()
		}
		all = append(all, h)
	}
	return all
}

func attributeNames() []string {
	var names []string
	for _, a := range asff.Attributes() {
		names = append(names, a.Name())
	}
	return names
}

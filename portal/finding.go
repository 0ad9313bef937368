package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/portal/chart"
	"github.com/eyrie-sec/eyrie/portal/story"
	"github.com/eyrie-sec/eyrie/portal/text"
)

// findingBody is what finding.html shows.
type findingBody struct {
	Seq       int64
	Doc       asff.Finding
	F         hub.Finding
	Sentence  []story.Part
	Lineage   []story.Process
	Back      string // the list this was opened from
	Prev      string
	Next      string
	Position  string // "3 of 41"
	Steps     []workflowStep
	Facts     []fact
	Network   []fact
	Resources []resource
	Techs     []technique
	OtherType []string
	Advice    asff.Recommendation
	AdviceURL string // "" unless it is http or https
	Timeline  template.HTML
	Points    []hub.TimelinePoint
	Spanned   string
	Alerts    []rawAlert // the latest, and the first if that is another one
	Others    []rawAlert // those in between, the newest first
	Left      int64      // occurrences whose alerts are not kept
	History   []historyRow
	More      bool
	Fields    []fact // all other fields
	JSON      []byte
	JSONHref  string
	AlertHref string
	Here      string
	Since     int64
}

type workflowStep struct {
	Status, Label, Hint, Key string
	Current                  bool
}

// fact is a name and a value out of the finding.
type fact struct {
	Name, Value string
	Kind        string // "code" for monospace, "" for text
	Href        string // findings with the same
}

type resource struct {
	Type, ID string
	Facts    []fact
}

type technique struct{ ID, Tactic, Name, Href string }

type rawAlert struct {
	Seq   int64
	At    time.Time
	Body  []byte
	First bool
}

type historyRow struct {
	At      time.Time
	Who     string
	What    string
	Source  string
	Updates []hub.HistoryUpdate
}

const historyShown = 50

func (p *Portal) finding(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil || seq <= 0 {
		p.fail(w, r, errGone)
		return
	}
	f, err := p.findings.GetSeq(r.Context(), seq)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	switch r.URL.Query().Get("format") {
	case "json":
		p.download(w, fmt.Sprintf("finding-%d.json", seq), "application/json", append(slices.Clone(f.Doc), '\n'))
		return
	case "alerts":
		p.alertsDownload(w, r, f)
		return
	}
	b := &findingBody{Seq: seq, F: f, JSON: f.Doc, JSONHref: fmt.Sprintf("/findings/%d?format=json", seq), AlertHref: fmt.Sprintf("/findings/%d?format=alerts", seq), Since: p.findings.Stats().LastChange}
	if err := p.describe(r.Context(), b); err != nil {
		p.fail(w, r, err)
		return
	}
	p.neighbours(r.Context(), b, r.URL.Query())
	pg := p.newPage(r, b.Doc.Title, "findings")
	pg.Body = b
	p.render(w, r, http.StatusOK, "finding", pg)
}

func (p *Portal) download(w http.ResponseWriter, name, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client is gone: nobody to tell
}

// alertsDownload sends the kept raw alerts as they were received, one a line.
func (p *Portal) alertsDownload(w http.ResponseWriter, r *http.Request, f hub.Finding) {
	alerts, err := p.findings.Alerts(r.Context(), f.Key)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	var all []byte
	for _, a := range alerts {
		all = append(append(all, oneLine(a.Body)...), '\n')
	}
	p.download(w, fmt.Sprintf("finding-%d-alerts.jsonl", f.Seq), "application/x-ndjson", all)
}

// oneLine replaces the newlines between the members of a JSON text; inside of strings it has none.
func oneLine(body []byte) []byte {
	out := slices.Clone(body)
	for i, c := range out {
		if c == '\n' || c == '\r' {
			out[i] = ' '
		}
	}
	return out
}

// describe fills everything that is about the finding itself.
func (p *Portal) describe(ctx context.Context, b *findingBody) error {
	if err := json.Unmarshal(b.F.Doc, &b.Doc); err != nil {
		return fmt.Errorf("finding %d: %w", b.Seq, err)
	}
	alerts, err := p.findings.Alerts(ctx, b.F.Key)
	if err != nil {
		return err
	}
	facts := story.FromFinding(&b.Doc)
	for _, a := range slices.Backward(alerts) {
		if parsed, err := falco.Parse(a.Body); err == nil {
			facts = story.Or(story.FromAlert(parsed), facts)
			break
		}
	}
	for i, a := range slices.Backward(alerts) {
		raw := rawAlert{a.Seq, a.At, a.Body, i == 0}
		if i == 0 || i == len(alerts)-1 {
			b.Alerts = append(b.Alerts, raw)
		} else {
			b.Others = append(b.Others, raw)
		}
	}
	b.Left = max(0, b.F.Occurrences-int64(len(alerts)))
	b.Sentence, b.Lineage = story.Sentence(facts), story.Lineage(facts)
	b.steps()
	b.aside()
	b.network()
	b.resources()
	b.Techs, b.OtherType = techniques(b.Doc.Types, b.Doc.ProductFields["eyrie/tags"])
	b.Advice = b.Doc.Remediation.Recommendation
	if u, err := url.Parse(b.Advice.Url); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		b.AdviceURL = b.Advice.Url
	}
	if err := p.timeline(ctx, b); err != nil {
		return err
	}
	return p.history(ctx, b)
}

func (b *findingBody) steps() {
	for _, s := range []workflowStep{
		{Status: "NEW", Hint: "Nobody has looked yet"},
		{Status: "NOTIFIED", Label: "Notify", Hint: "Its owner knows", Key: "n"},
		{Status: "RESOLVED", Label: "Resolve", Hint: "Dealt with; comes back as new if it happens again", Key: "r"},
		{Status: "SUPPRESSED", Label: "Suppress", Hint: "Expected; stays away when it happens again", Key: "s"},
	} {
		s.Current = s.Status == b.F.Workflow
		if s.Current {
			s.Label = word(s.Status)
		} else if s.Status == "NEW" {
			s.Label = "Back to new"
		}
		b.Steps = append(b.Steps, s)
	}
}

// aside lists what one sorts and compares by, each with a way to the findings that have the same.
func (b *findingBody) aside() {
	pf := b.Doc.ProductFields
	add := func(label, value, kind, pickName string) {
		if value == "" {
			return
		}
		f := fact{Name: label, Value: value, Kind: kind}
		if pickName != "" && len(value) <= maxValue {
			f.Href = view{Picked: map[string][]string{pickName: {value}}}.url()
		}
		b.Facts = append(b.Facts, f)
	}
	add("Rule", b.Doc.Title, "", "rule")
	add("Workload", pf["eyrie/workload"], "code", "workload")
	add("Namespace", pf["eyrie/namespace"], "code", "namespace")
	add("Pod", pf["eyrie/pod"], "code", "")
	add("Image", pf["eyrie/image"], "code", "image")
	add("Host", pf["eyrie/host"], "code", "host")
	add("Cluster", pf["eyrie/cluster"], "", "cluster")
	add("Region", b.Doc.Region, "", "region")
	add("Account", b.Doc.AwsAccountID, "", "account")
	add("Priority", pf["eyrie/priority"], "", "")
	add("Source", pf["eyrie/source"], "", "")
	add("Product", b.Doc.ProductName, "", "")
	shown := map[string]bool{}
	for _, name := range []string{"workload", "namespace", "pod", "image", "host", "cluster", "priority", "source", "tags", "occurrences", "rule"} {
		shown["eyrie/"+name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(pf)) {
		if !shown[name] {
			b.Fields = append(b.Fields, fact{Name: name, Value: pf[name], Kind: "code"})
		}
	}
}

func (b *findingBody) network() {
	n := b.Doc.Network
	if n == nil {
		return
	}
	port := func(p *int) string {
		if p == nil {
			return ""
		}
		return ":" + strconv.Itoa(*p)
	}
	join := func(v4, v6, domain string, p *int) string {
		host := v4
		if v6 != "" {
			host = "[" + v6 + "]"
		}
		if domain != "" && host != "" {
			return domain + " (" + host + port(p) + ")"
		}
		return strings.TrimSuffix(host+domain+port(p), " ")
	}
	for _, f := range []fact{
		{Name: "Direction", Value: map[string]string{"IN": "inbound", "OUT": "outbound"}[n.Direction]},
		{Name: "Protocol", Value: n.Protocol},
		{Name: "From", Value: join(n.SourceIpV4, n.SourceIpV6, n.SourceDomain, n.SourcePort), Kind: "code"},
		{Name: "To", Value: join(n.DestinationIpV4, n.DestinationIpV6, n.DestinationDomain, n.DestinationPort), Kind: "code"},
	} {
		if f.Value != "" {
			b.Network = append(b.Network, f)
		}
	}
}

func (b *findingBody) resources() {
	for i := range b.Doc.Resources {
		r := &b.Doc.Resources[i]
		out := resource{Type: r.Type, ID: r.ID}
		add := func(name, value string) {
			if value != "" {
				out.Facts = append(out.Facts, fact{Name: name, Value: value, Kind: "code"})
			}
		}
		add("Region", r.Region)
		add("Partition", r.Partition)
		if d := r.Details; d != nil {
			containerFacts(d.Container, add)
			if e := d.AwsEc2Instance; e != nil {
				add("Instance type", e.Type)
				add("VPC", e.VpcID)
				add("Subnet", e.SubnetID)
				add("Addresses", strings.Join(append(slices.Clone(e.IpV4Addresses), e.IpV6Addresses...), ", "))
			}
			if c := d.AwsEksCluster; c != nil {
				add("EKS cluster", c.Name)
			}
			for _, name := range slices.Sorted(maps.Keys(d.Other)) {
				add(name, d.Other[name])
			}
		}
		for _, name := range slices.Sorted(maps.Keys(r.Tags)) {
			add("Tag "+name, r.Tags[name])
		}
		b.Resources = append(b.Resources, out)
	}
}

func containerFacts(c *asff.Container, add func(name, value string)) {
	if c == nil {
		return
	}
	add("Container", c.Name)
	add("Runtime", c.ContainerRuntime)
	add("Image", c.ImageName)
	add("Image ID", c.ImageID)
	add("Started", c.LaunchedAt)
	if c.Privileged != nil {
		add("Privileged", strconv.FormatBool(*c.Privileged))
	}
	for _, m := range c.VolumeMounts {
		add("Mount", strings.TrimPrefix(m.Name+" at "+m.MountPath, " at "))
	}
}

// techniques takes MITRE ATT&CK technique numbers from tags ("T1059", "T1098.004") and tactics from ASFF types
// ("TTPs/Execution/..."); types that are of no tactic are returned apart.
func techniques(types []string, tags string) (techs []technique, other []string) {
	var tactics []string
	for _, t := range types {
		if tactic, ok := strings.CutPrefix(t, "TTPs/"); ok {
			tactic, _, _ = strings.Cut(tactic, "/")
			if !slices.Contains(tactics, tactic) {
				tactics = append(tactics, tactic)
			}
			continue
		}
		other = append(other, t)
	}
	for tag := range strings.SplitSeq(tags, ",") {
		if id := strings.TrimSpace(tag); isTechnique(id) {
			techs = append(techs, technique{ID: id, Tactic: strings.Join(tactics, ", "), Href: "https://attack.mitre.org/techniques/" + strings.Replace(id, ".", "/", 1) + "/"})
		}
	}
	if len(techs) == 0 {
		for _, t := range tactics {
			techs = append(techs, technique{Tactic: t})
		}
	}
	return techs, other
}

// isTechnique reports whether s is written T1234 or T1234.567.
func isTechnique(s string) bool {
	if len(s) != 5 && len(s) != 9 || s[0] != 'T' || len(s) == 9 && s[5] != '.' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if i != 5 && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

const (
	timelineBars = 60 // at most
	minTimeline  = 24
)

// timeline draws when the finding occurred, from its first hour to now.
func (p *Portal) timeline(ctx context.Context, b *findingBody) error {
	points, err := p.findings.Timeline(ctx, b.F.Key)
	if err != nil || len(points) == 0 {
		return err
	}
	end := points[len(points)-1].At.Add(time.Hour)
	if now := p.c.Now(); now.After(end) {
		end = now
	}
	from, step := steps(points[0].At, end, timelineBars)
	if step < time.Hour {
		step = time.Hour
		from = points[0].At.UTC().Truncate(step)
	}
	n := int(end.Sub(from)/step) + 1
	if few := minTimeline - n; few > 0 { // a bar as wide as the page says nothing
		from, n = from.Add(-time.Duration(few)*step), minTimeline
	}
	bars := make([]chart.Bar, n)
	for i := range bars {
		bars[i].At = from.Add(time.Duration(i) * step)
		bars[i].To = bars[i].At.Add(step)
	}
	for _, pt := range points {
		if i := int(pt.At.Sub(from) / step); i >= 0 && i < len(bars) {
			bars[i].Values[0] += int(pt.Count)
		}
	}
	for i := range bars {
		bars[i].Title = bars[i].At.UTC().Format("2 Jan 15:04 UTC") + ": " + count(bars[i].Values[0], "occurrence", "occurrences")
	}
	b.Points = points
	b.Spanned = duration(step)
	b.Timeline = chart.Bars(bars, chart.Options{Height: 56, Axis: true, Single: true})
	return nil
}

func (p *Portal) history(ctx context.Context, b *findingBody) error {
	records, next, err := p.findings.History(ctx, b.F.Key, hub.HistoryQuery{Limit: historyShown})
	if err != nil {
		return err
	}
	b.More = next != ""
	for _, rec := range records {
		h := historyRow{At: rec.At, Who: string(rec.Identity), Source: rec.Source, Updates: rec.Updates}
		switch {
		case rec.Created:
			h.What = "created it"
		case rec.Source == hub.SourceUpdate:
			h.What = "changed"
		default:
			h.What = "updated"
		}
		b.History = append(b.History, h)
	}
	return nil
}

// neighbours finds the finding's place in the list it was opened from. The list goes on changing: what is looked for is
// the finding itself near the place it had; if it has left the list (it was just resolved, say), its neighbours are what
// stands there now.
func (p *Portal) neighbours(ctx context.Context, b *findingBody, q url.Values) {
	b.Back = "/findings"
	raw, err := url.ParseQuery(q.Get("view"))
	if err != nil {
		return
	}
	v, err := parseView(raw)
	if err != nil {
		return
	}
	b.Back = v.url()
	index, err := strconv.Atoi(q.Get("i"))
	if err != nil || index < 0 || index > 1_000_000 {
		return
	}
	if index >= pageSize {
		b.Back = withParam(b.Back, "page", strconv.Itoa(index/pageSize+1))
	}
	query, err := v.hubQuery(p.c.Now())
	if err != nil {
		return
	}
	const around = 10
	query.Offset, query.Limit, query.NoToken = max(0, index-around), 2*around+1, true
	page, err := p.findings.Find(ctx, query)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			p.c.Logger.Warn("neighbours of a finding", "finding", b.Seq, "error", err)
		}
		return
	}
	at := slices.IndexFunc(page.Findings, func(f hub.Finding) bool { return f.Seq == b.Seq })
	before, after := at-1, at+1
	if at < 0 {
		after = index - query.Offset
		before = after - 1
	} else {
		b.Position = text.Group(query.Offset+at+1) + " of " + text.Group(page.Total)
	}
	if before >= 0 && before < len(page.Findings) {
		b.Prev = v.findingURL(page.Findings[before].Seq, query.Offset+before)
	}
	if after >= 0 && after < len(page.Findings) {
		i := query.Offset + after
		b.Next = v.findingURL(page.Findings[after].Seq, i)
	}
}

package portal

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

// view is what a list shows, in what order. Its URL query says all of it and nothing else, so that a view can be shared,
// kept as a bookmark and gone back to. The zero view is the default one: ACTIVE findings that are NEW or NOTIFIED, the
// last seen first.
//
//	q=words  severity=CRITICAL  workflow=NEW (ALL: any)  record=ARCHIVED (ALL: any)  rule= cluster= namespace= workload=
//	image= host= region= account=  last=24h or FROM/TO: last seen then  during=FROM/TO: may have occurred then
//	f=Attribute:COMPARISON:value, f=MapAttribute[key]:COMPARISON:value  sort=severity (-severity: the other way round)
type view struct {
	Text   string
	Picked map[string][]string // by the name of a pick
	Record string              // "" is ACTIVE; ARCHIVED or ALL
	Last   interval
	During interval
	Extra  []extra
	Sort   string // name of an ordering, with "-" before it for the other way round; "" is orderings[0]
}

// pick is an attribute that has a menu of its own.
type pick struct {
	name, label string
	attr        asff.Attribute
	key         string // of a map attribute
	group       uint8  // asff.Condition.Group: picks of one map attribute are joined by AND
}

var picks = []pick{
	{"severity", "Severity", asff.AttrSeverityLabel, "", 0},
	{"workflow", "Workflow", asff.AttrWorkflowStatus, "", 0},
	{"rule", "Rule", asff.AttrTitle, "", 0},
	{"cluster", "Cluster", asff.AttrProductFields, "eyrie/cluster", 1},
	{"namespace", "Namespace", asff.AttrProductFields, "eyrie/namespace", 2},
	{"workload", "Workload", asff.AttrProductFields, "eyrie/workload", 3},
	{"image", "Image", asff.AttrProductFields, "eyrie/image", 4},
	{"host", "Host", asff.AttrProductFields, "eyrie/host", 5},
	{"region", "Region", asff.AttrRegion, "", 0},
	{"account", "Account", asff.AttrAwsAccountId, "", 0},
}

func pickNamed(name string) (pick, bool) {
	for _, p := range picks {
		if p.name == name {
			return p, true
		}
	}
	return pick{}, false
}

// ordering is a way to sort a list.
type ordering struct {
	name string
	sort []hub.Sort
}

var orderings = []ordering{
	{"last", []hub.Sort{{Attribute: asff.AttrLastObservedAt, Desc: true}}},
	{"first", []hub.Sort{{Attribute: asff.AttrFirstObservedAt, Desc: true}}},
	{"severity", []hub.Sort{{Attribute: asff.AttrSeverityLabel, Desc: true}, {Attribute: asff.AttrLastObservedAt, Desc: true}}},
	{"rule", []hub.Sort{{Attribute: asff.AttrTitle}, {Attribute: asff.AttrLastObservedAt, Desc: true}}},
	{"workload", []hub.Sort{{Attribute: asff.AttrProductFields, Key: "eyrie/workload"}, {Attribute: asff.AttrLastObservedAt, Desc: true}}},
	{"workflow", []hub.Sort{{Attribute: asff.AttrWorkflowStatus}, {Attribute: asff.AttrLastObservedAt, Desc: true}}},
}

// Bounds of a view, so that a URL cannot ask for more than a person would.
const (
	maxPicked = 20 // values of one attribute; AWS's limit (asff.MaxFilterValues)
	maxExtra  = 20
	maxValue  = 1024 // bytes of one value
	allValues = "ALL"
)

// parseView reads a view. Unknown parameters are left alone; what cannot be meant is an *hub.InvalidInput.
func parseView(q url.Values) (view, error) {
	v := view{Text: strings.TrimSpace(q.Get("q")), Picked: map[string][]string{}}
	if len(v.Text) > maxValue {
		return v, invalid("The search is longer than %d bytes.", maxValue)
	}
	for _, p := range picks {
		values, err := pickedValues(p, q[p.name])
		if err != nil {
			return v, err
		}
		if len(values) > 0 {
			v.Picked[p.name] = values
		}
	}
	switch r := q.Get("record"); r {
	case "", "ACTIVE":
	case "ARCHIVED", allValues:
		v.Record = r
	default:
		return v, invalid("record=%s: want ACTIVE, ARCHIVED or ALL.", r)
	}
	var err error
	if v.Last, err = parseInterval("last", q.Get("last")); err != nil {
		return v, err
	}
	if v.During, err = parseInterval("during", q.Get("during")); err != nil {
		return v, err
	}
	if v.Extra, err = parseExtras(q["f"]); err != nil {
		return v, err
	}
	if s := q.Get("sort"); s != "" && s != orderings[0].name {
		if orderingNamed(strings.TrimPrefix(s, "-")) == nil {
			return v, invalid("sort=%s: there is no such order.", s)
		}
		v.Sort = s
	}
	return v, nil
}

func pickedValues(p pick, raw []string) ([]string, error) {
	var values []string
	for _, s := range raw {
		s = strings.TrimSpace(s)
		if s == "" || slices.Contains(values, s) {
			continue
		}
		if len(s) > maxValue {
			return nil, invalid("%s: a value is longer than %d bytes.", p.label, maxValue)
		}
		values = append(values, s)
	}
	if len(values) > maxPicked {
		return nil, invalid("%s: at most %d values.", p.label, maxPicked)
	}
	switch p.name {
	case "severity":
		return ordered(p, values, severities)
	case "workflow":
		if slices.Contains(values, allValues) || len(values) == len(workflows) {
			return []string{allValues}, nil
		}
		if len(values) == 2 && slices.Contains(values, "NEW") && slices.Contains(values, "NOTIFIED") {
			return nil, nil
		}
		return ordered(p, values, workflows)
	}
	return values, nil
}

// ordered returns values in the order of known; one that is not there is an error.
func ordered(p pick, values, known []string) ([]string, error) {
	var out []string
	for _, k := range known {
		if slices.Contains(values, k) {
			out = append(out, k)
		}
	}
	if len(out) != len(values) {
		return nil, invalid("%s: want one of %s.", p.label, strings.Join(known, ", "))
	}
	return out, nil
}

// values is the query of v, without what is default.
func (v view) values() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("q", v.Text)
	for name, values := range v.Picked {
		q[name] = values
	}
	set("record", v.Record)
	set("last", v.Last.String())
	set("during", v.During.String())
	for _, e := range v.Extra {
		q.Add("f", e.String())
	}
	set("sort", v.Sort)
	return q
}

// order of parameters in a URL: what matters to a reader first.
var paramOrder = []string{"q", "severity", "workflow", "record", "rule", "cluster", "namespace", "workload", "image", "host", "region", "account", "last", "during", "f", "sort"}

// query is v as it stands in a URL, readable: blanks are +, and of the rest only what must be is escaped.
func (v view) query() string {
	q := v.values()
	var b strings.Builder
	for _, name := range paramOrder {
		for _, value := range q[name] {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(name + "=" + readable.Replace(url.QueryEscape(value)))
		}
	}
	return b.String()
}

// readable undoes escapes of characters that a query may hold as they are (RFC 3986, section 3.4).
var readable = strings.NewReplacer("%3A", ":", "%2F", "/", "%2C", ",", "%40", "@")

// url is the address of the list that shows v.
func (v view) url() string {
	if q := v.query(); q != "" {
		return "/findings?" + q
	}
	return "/findings"
}

// with returns a copy of v in which name has exactly values.
func (v view) with(name string, values ...string) view {
	c := v
	c.Picked = map[string][]string{}
	for n, vs := range v.Picked {
		if n != name {
			c.Picked[n] = vs
		}
	}
	if len(values) > 0 {
		c.Picked[name] = values
	}
	return c
}

// hubQuery is what v asks of a hub. now is what relative times refer to.
func (v view) hubQuery(now time.Time) (hub.Query, error) {
	f := asff.Filters{}
	for _, p := range picks {
		values := v.Picked[p.name]
		if p.name == "workflow" {
			switch {
			case len(values) == 0:
				values = []string{"NEW", "NOTIFIED"}
			case values[0] == allValues:
				continue
			}
		}
		for _, value := range values {
			f[p.attr] = append(f[p.attr], asff.Condition{Comparison: asff.Equals, Key: p.key, Value: value, Group: p.group})
		}
	}
	if v.Record != allValues {
		record := v.Record
		if record == "" {
			record = "ACTIVE"
		}
		f[asff.AttrRecordState] = []asff.Condition{{Comparison: asff.Equals, Value: record}}
	}
	v.times(f, now)
	if err := addExtras(f, v.Extra); err != nil {
		return hub.Query{}, err
	}
	if err := f.Check(); err != nil {
		return hub.Query{}, invalid("%s", err)
	}
	return hub.Query{Filters: f, Text: v.Text, Sort: v.sort()}, nil
}

// Conditions on times have groups of their own, so that they narrow what filters the person added ask.
const (
	groupLast   = 8
	groupDuring = 9
)

func (v view) times(f asff.Filters, now time.Time) {
	if from, to, ok := v.Last.bounds(now); ok {
		f[asff.AttrLastObservedAt] = append(f[asff.AttrLastObservedAt], asff.Condition{Start: from, End: to, Group: groupLast})
	}
	if from, to, ok := v.During.bounds(now); ok {
		f[asff.AttrFirstObservedAt] = append(f[asff.AttrFirstObservedAt], asff.Condition{End: to, Group: groupDuring})
		f[asff.AttrLastObservedAt] = append(f[asff.AttrLastObservedAt], asff.Condition{Start: from, Group: groupDuring})
	}
}

func orderingNamed(name string) *ordering {
	for i := range orderings {
		if orderings[i].name == name {
			return &orderings[i]
		}
	}
	return nil
}

func (v view) sort() []hub.Sort {
	name, reversed := strings.CutPrefix(v.Sort, "-")
	o := orderingNamed(name)
	if o == nil {
		o = &orderings[0]
	}
	sorts := slices.Clone(o.sort)
	if reversed {
		sorts[0].Desc = !sorts[0].Desc
	}
	return sorts
}

// interval is a stretch of time: the last so and so long, or from one moment to another. The zero interval is none.
type interval struct {
	Ago      time.Duration
	From, To time.Time
}

func (i interval) zero() bool { return i.Ago == 0 && i.From.IsZero() }

// String is the interval as it stands in a URL: "24h", "7d", or ISO 8601's FROM/TO.
func (i interval) String() string {
	switch {
	case i.zero():
		return ""
	case i.Ago > 0 && i.Ago%(24*time.Hour) == 0 && i.Ago > 24*time.Hour:
		return strconv.Itoa(int(i.Ago/(24*time.Hour))) + "d"
	case i.Ago > 0 && i.Ago%time.Hour == 0:
		return strconv.Itoa(int(i.Ago/time.Hour)) + "h"
	case i.Ago > 0:
		return strconv.Itoa(int(i.Ago/time.Minute)) + "m"
	}
	return shortStamp(i.From) + "/" + shortStamp(i.To)
}

// shortStamp leaves out seconds that are zero.
func shortStamp(t time.Time) string {
	t = t.UTC()
	if t.Truncate(time.Minute).Equal(t) {
		return t.Format("2006-01-02T15:04Z")
	}
	return t.Format("2006-01-02T15:04:05Z")
}

// bounds returns the two ends. The zero time as second end means that it is open.
func (i interval) bounds(now time.Time) (from, to time.Time, ok bool) {
	if i.zero() {
		return from, to, false
	}
	if i.Ago > 0 {
		return now.Add(-i.Ago).UTC(), time.Time{}, true
	}
	return i.From, i.To.Add(-time.Nanosecond), true
}

const maxAgo = 3650 * 24 * time.Hour

func parseInterval(name, s string) (interval, error) {
	bad := invalid("%s=%s: want a number of minutes, hours or days such as 30m, 24h or 7d, or FROM/TO such as 2026-11-21T00:00Z/2026-11-21T12:00Z.", name, s)
	if s == "" {
		return interval{}, nil
	}
	if from, to, ok := strings.Cut(s, "/"); ok {
		a, errA := parseStamp(from)
		b, errB := parseStamp(to)
		if errA != nil || errB != nil || !a.Before(b) {
			return interval{}, bad
		}
		return interval{From: a, To: b}, nil
	}
	unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if err != nil || unit == 0 || n <= 0 || n > int(maxAgo/unit) {
		return interval{}, bad
	}
	return interval{Ago: time.Duration(n) * unit}, nil
}

// parseStamp reads a timestamp of a URL or of a form's datetime-local field, which has no zone and is UTC here.
func parseStamp(s string) (time.Time, error) {
	var err error
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		var t time.Time
		if t, err = time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, err
}

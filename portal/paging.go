package portal

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
)

// A list goes on changing while it is read: what is resolved leaves it, what happens again moves to its top. So the next
// page does not begin at a number but behind the last row that was seen, which stands in the URL with the values it is
// sorted by (after=SEQ@WORD@TIME, and before= for the way back). The number of the page only says near which offset to
// look. Nothing is kept on the server: such an address can be shared and survives a restart.

// maxAnchor is how long a word may be that stands in such an address: titles have at most 256 characters (ASFF, Title).
// A page whose rows are sorted by longer ones is looked for by its number alone.
const maxAnchor = 1024

// anchor is a row's place in an ordering.
type anchor struct {
	Seq  int64
	Word string // severity, title, workload or workflow; "" for orderings by time
	Time time.Time
}

func (a anchor) String() string {
	return strconv.FormatInt(a.Seq, 10) + "@" + a.Word + "@" + a.Time.UTC().Format(time.RFC3339Nano)
}

func parseAnchor(s string) (anchor, bool) {
	first, last := strings.IndexByte(s, '@'), strings.LastIndexByte(s, '@')
	if first < 0 || first == last || len(s) > 2*maxAnchor {
		return anchor{}, false
	}
	seq, err := strconv.ParseInt(s[:first], 10, 64)
	if err != nil {
		return anchor{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s[last+1:])
	return anchor{seq, s[first+1 : last], t}, err == nil
}

// anchorOf returns the place of a row in the order of v.
func (v view) anchorOf(r *row) anchor {
	a := anchor{Seq: r.Seq, Time: r.Last}
	switch name := strings.TrimPrefix(v.Sort, "-"); name {
	case "first":
		a.Time = r.First
	case "severity":
		a.Word = r.Severity
	case "rule":
		a.Word = r.Title
	case "workload":
		a.Word = r.Workload
	case "workflow":
		a.Word = r.Workflow
	}
	return a
}

// compare orders two places as the hub orders the findings: descending by severity and time, ascending by words, without
// a word last, then the greater Seq first. "-" turns the first criterion round.
func (v view) compare(a, b anchor) int {
	name, reversed := strings.CutPrefix(v.Sort, "-")
	newest := func() int { return b.Time.Compare(a.Time) }
	c := 0
	switch name {
	case "", "last", "first":
		c = newest()
		if reversed {
			c = -c
		}
	case "severity":
		c = hub.SeverityIndex(b.Word) - hub.SeverityIndex(a.Word)
		if reversed {
			c = -c
		}
	default:
		switch {
		case a.Word == "" || b.Word == "":
			c = len(b.Word) - len(a.Word)
		case reversed:
			c = strings.Compare(b.Word, a.Word)
		default:
			c = strings.Compare(a.Word, b.Word)
		}
	}
	if c == 0 {
		c = newest()
	}
	if c == 0 {
		c = int(min(1, max(-1, b.Seq-a.Seq)))
	}
	return c
}

// listPage is one page of a list.
type listPage struct {
	rows   []row
	from   int // number of rows before it, as far as known
	total  int
	atMost bool
	lost   bool // the list has changed so much that the rows were counted anew
}

// span is how far around the expected offset a page is looked for.
const (
	nearBy = 150
	farOff = hub.MaxLimit / 2
)

// page returns the rows that the query's page, after and before ask for.
func (p *Portal) page(ctx context.Context, v view, query hub.Query, q url.Values) (listPage, error) {
	number, _ := strconv.Atoi(q.Get("page"))
	number = min(max(number, 1), 1_000_000)
	expected := (number - 1) * pageSize
	query.NoToken = true
	after, isAfter := parseAnchor(q.Get("after"))
	before, isBefore := parseAnchor(q.Get("before"))
	if !isAfter && !isBefore || number == 1 && isBefore {
		return p.window(ctx, v, query, expected, pageSize)
	}
	for _, reach := range []int{nearBy, farOff} {
		from := max(0, expected-reach)
		w, err := p.window(ctx, v, query, from, min(2*reach+pageSize, hub.MaxLimit))
		if err != nil {
			return w, err
		}
		if isAfter {
			i := slices.IndexFunc(w.rows, func(r row) bool { return v.compare(after, v.anchorOf(&r)) < 0 })
			ends := from+len(w.rows) >= w.total
			if i < 0 && ends { // the page is behind the end of what is left
				i = len(w.rows)
			}
			if i > 0 || i == 0 && from == 0 {
				if i+pageSize <= len(w.rows) || ends {
					return w.cut(i, i+pageSize), nil
				}
			}
			continue
		}
		i := slices.IndexFunc(w.rows, func(r row) bool { return v.compare(v.anchorOf(&r), before) >= 0 })
		if i < 0 && from+len(w.rows) >= w.total {
			i = len(w.rows)
		}
		if i >= pageSize || i >= 0 && from == 0 {
			return w.cut(max(0, i-pageSize), max(i, min(pageSize, len(w.rows)))), nil
		}
	}
	w, err := p.window(ctx, v, query, expected, pageSize)
	w.lost = true
	return w, err
}

func (w listPage) cut(from, to int) listPage {
	to = min(to, len(w.rows))
	w.rows = w.rows[from:to]
	w.from += from
	return w
}

func (p *Portal) window(ctx context.Context, v view, query hub.Query, offset, limit int) (listPage, error) {
	query.Offset, query.Limit = offset, limit
	found, err := p.findings.Find(ctx, query)
	if err != nil {
		return listPage{}, err
	}
	w := listPage{from: offset, total: found.Total, atMost: found.AtMost}
	for i := range found.Findings {
		w.rows = append(w.rows, newRow(&found.Findings[i]))
	}
	return w, nil
}

// links returns the addresses of the pages before and behind this one.
func (w listPage) links(v view) (prev, next string) {
	if len(w.rows) == 0 {
		if w.from > 0 {
			prev = v.url()
		}
		return prev, ""
	}
	number := w.from/pageSize + 1
	near := func(name string, r *row) string {
		a := v.anchorOf(r)
		if len(a.Word) > maxAnchor {
			return ""
		}
		return "&" + name + "=" + readable.Replace(url.QueryEscape(a.String()))
	}
	if w.from > 0 {
		if w.from <= pageSize {
			prev = v.url()
		} else {
			prev = withParam(v.url(), "page", strconv.Itoa(max(2, number-1))) + near("before", &w.rows[0])
		}
	}
	if w.from+len(w.rows) < w.total {
		next = withParam(v.url(), "page", strconv.Itoa(number+1)) + near("after", &w.rows[len(w.rows)-1])
	}
	return prev, next
}

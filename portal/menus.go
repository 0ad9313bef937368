package portal

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/portal/text"
)

// maxOptions is how many values a menu offers; a search field in it reaches the others.
const maxOptions = 50

// menu is the choice of values of one pick.
type menu struct {
	Name, Label string
	Summary     string // what is picked, for people; "" for nothing
	Options     []option
	Open        bool // the menu was asked for without script: show it open, with its values
	Fixed       bool // all its values are known: nothing to load
	Load        string
	Without     string // URL of the view without this pick
	Record      string // workflow only: the record state
}

// option is one value of a menu. Count is -1 where it is not known.
type option struct {
	Value, Label string
	Count        int
	Checked      bool
}

func (p *Portal) menus(ctx context.Context, v view, query hub.Query, open string) []menu {
	all := make([]menu, 0, len(picks))
	for _, pk := range picks {
		m := menu{Name: pk.name, Label: pk.label, Without: v.with(pk.name).url(), Open: open == pk.name}
		picked := v.Picked[pk.name]
		switch pk.name {
		case "severity":
			m.Fixed, m.Options = true, fixedOptions(severities, picked)
		case "workflow":
			m.Fixed, m.Record = true, v.Record
			checked := picked
			if len(picked) == 0 {
				checked = []string{"NEW", "NOTIFIED"}
			} else if picked[0] == allValues {
				checked = workflows
			}
			m.Options = fixedOptions(workflows, checked)
		default:
			for _, value := range picked {
				m.Options = append(m.Options, option{value, text.Plain(value, 60), -1, true})
			}
			m.Load = withParam(v.url(), "pick", pk.name)
			if m.Open {
				if options, err := p.optionsOf(ctx, v, pk, "", query); err == nil {
					m.Options = options
				}
			}
		}
		m.Summary = summaryOf(pk, picked, v)
		all = append(all, m)
	}
	return all
}

func fixedOptions(values, checked []string) []option {
	var all []option
	for _, value := range values {
		all = append(all, option{value, word(value), -1, slices.Contains(checked, value)})
	}
	return all
}

// summaryOf says what is picked: "Critical, High", "payments-api +2".
func summaryOf(pk pick, picked []string, v view) string {
	if pk.name == "workflow" {
		return workflowWords(picked, v.Record)
	}
	switch len(picked) {
	case 0:
		return ""
	case 1:
		return text.Plain(word(picked[0]), 28)
	case 2:
		if pk.name == "severity" {
			return word(picked[0]) + ", " + word(picked[1])
		}
	}
	return text.Plain(word(picked[0]), 22) + " +" + text.Group(len(picked)-1)
}

func workflowWords(picked []string, record string) string {
	s := ""
	switch {
	case len(picked) > 0 && picked[0] == allValues:
		s = "any"
	case len(picked) > 0:
		var words []string
		for _, value := range picked {
			words = append(words, word(value))
		}
		s = strings.Join(words, ", ")
	}
	switch record {
	case "ARCHIVED":
		s = strings.TrimPrefix(s+", archived", ", ")
	case allValues:
		s = strings.TrimPrefix(s+", also archived", ", ")
	}
	return s
}

// optionsOf asks the hub for the values that findings of the view have, as if nothing were picked of this attribute.
func (p *Portal) optionsOf(ctx context.Context, v view, pk pick, contains string, fallback hub.Query) ([]option, error) {
	query, err := v.with(pk.name).hubQuery(p.c.Now())
	if err != nil {
		query = fallback
	}
	limit := maxOptions
	if contains != "" {
		limit = hub.MaxLimit
	}
	buckets, err := p.findings.Facet(ctx, query, pk.attr, pk.key, limit)
	if err != nil {
		return nil, err
	}
	picked := v.Picked[pk.name]
	var all []option
	for _, value := range picked {
		o := option{value, text.Plain(value, 60), 0, true}
		for _, b := range buckets {
			if b.Value == value {
				o.Count = b.Count
			}
		}
		all = append(all, o)
	}
	for _, b := range buckets {
		if b.Value == "" || len(b.Value) > maxValue || slices.Contains(picked, b.Value) || !containsFold(b.Value, contains) {
			continue
		}
		if len(all) == maxOptions {
			break
		}
		all = append(all, option{b.Value, text.Plain(b.Value, 60), b.Count, false})
	}
	return all, nil
}

func containsFold(s, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// values answers the script: the options of a menu (?pick=rule, a fragment of HTML), or suggestions for a filter that is
// being made (?fa=ProcessName&fk=&fv=ba, JSON). The rest of the query is the view.
func (p *Portal) values(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v, err := parseView(q)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if name := q.Get("pick"); name != "" {
		pk, ok := pickNamed(name)
		if !ok {
			p.fail(w, r, invalid("pick=%s: there is no such menu.", name))
			return
		}
		options, err := p.optionsOf(r.Context(), v, pk, q.Get("contains"), hub.Query{})
		if err != nil {
			p.fail(w, r, err)
			return
		}
		p.write(w, r, http.StatusOK, "#values", "values", menu{Name: name, Label: pk.label, Options: options})
		return
	}
	p.suggest(w, r, v)
}

const maxSuggestions = 20

func (p *Portal) suggest(w http.ResponseWriter, r *http.Request, v view) {
	q := r.URL.Query()
	a, ok := asff.AttributeByName(q.Get("fa"))
	if !ok || a.Kind() == asff.KindDate || a.Kind() == asff.KindKeyword {
		writeJSON(w, http.StatusOK, map[string]any{"values": []string{}, "kind": "", "comparisons": []comparison{}})
		return
	}
	query, err := v.hubQuery(p.c.Now())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	values := []string{}
	if a.Kind() != asff.KindMap || q.Get("fk") != "" {
		buckets, err := p.findings.Facet(r.Context(), query, a, q.Get("fk"), hub.MaxLimit)
		if err != nil {
			p.fail(w, r, err)
			return
		}
		for _, b := range buckets {
			// What a browser's own list would show otherwise than it is, is not offered there.
			honest := b.Value != "" && text.Plain(b.Value, 200) == b.Value
			if honest && len(values) < maxSuggestions && containsFold(b.Value, q.Get("fv")) {
				values = append(values, b.Value)
			}
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"values": values, "map": a.Kind() == asff.KindMap, "comparisons": comparisons[a.Kind()]})
}

// timeChoice is one entry of the time menu.
type timeChoice struct {
	Label, Value string
	Checked      bool
}

func timeChoices(v view) []timeChoice {
	current := v.Last.String()
	all := []timeChoice{{"Any time", "", current == ""}}
	for _, d := range []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour} {
		i := interval{Ago: d}
		all = append(all, timeChoice{"Last " + duration(d), i.String(), current == i.String()})
	}
	if current != "" && !slices.ContainsFunc(all, func(c timeChoice) bool { return c.Checked }) {
		all = append(all, timeChoice{intervalWords(v.Last), current, true})
	}
	return all
}

// chip is one added condition with the link that takes it away.
type chip struct {
	Name, Words, Value string
	Param, Raw         string // how it stands in the form
	Without            string
}

func chips(v view) []chip {
	var all []chip
	if !v.During.zero() {
		without := v
		without.During = interval{}
		all = append(all, chip{"Occurred", "within", intervalWords(v.During), "during", v.During.String(), without.url()})
	}
	for i, e := range v.Extra {
		without := v
		without.Extra = slices.Delete(slices.Clone(v.Extra), i, i+1)
		name := e.Attribute.Name()
		if e.Key != "" {
			name += " " + e.Key
		}
		all = append(all, chip{name, e.words(), e.Value, "f", e.String(), without.url()})
	}
	return all
}

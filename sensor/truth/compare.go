package truth

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// Diff is one field that is not equal.
type Diff struct {
	Program, Type, Field string
	Falco, Ours          string // Missing for no value
	Event                int    // of the recording, from 0; -1 for an event that only we have
	Reason               string // why we differ on purpose; "" for an error of ours
}

// Missing stands for no value in a Diff.
const Missing = "(none)"

// Result is what comparing one program gave.
type Result struct {
	Program        string
	Matched, Total int // fields that both could have; differences on purpose count as matched
	OnPurpose      int
	Raced          int // not counted: what came first differs from run to run
	Diffs          []Diff
}

// Comparer compares programs of one run of each side, which it learns to translate: process ids and such.
type Comparer struct {
	Deterministic map[string]string // of fields.tsv
	Env           string
}

// Compare compares what Falco reported for a program with what we did.
func (c *Comparer) Compare(rec *Recording, ours []Event) Result {
	p := &pairing{c: c, rec: rec, ours: ours, ids: map[string]map[string]string{}}
	p.pair()
	res := Result{Program: rec.Program}
	for i := range rec.Events {
		e := &rec.Events[i]
		if p.of[i] < 0 && races[rec.Program] && !rec.SameOrder {
			res.Raced += len(e.Fields)
			continue
		}
		if p.of[i] < 0 {
			n := len(e.Fields)
			res.Total += n
			res.add(Diff{rec.Program, e.Type(), "the whole event", e.Fields["evt.args"], Missing, i, ""}, c)
			continue
		}
		p.fields(&res, i, e, &ours[p.of[i]])
	}
	for j, used := range p.used {
		if !used && races[rec.Program] && !rec.SameOrder {
			res.Raced++
		} else if !used {
			res.Total++
			res.add(Diff{rec.Program, ours[j].Type(), "the whole event", Missing, ours[j].Fields["evt.args"], -1, ""}, c)
		}
	}
	return res
}

func (r *Result) add(d Diff, c *Comparer) {
	if d.Reason = reason(&d, c.Env); d.Reason != "" {
		r.OnPurpose++
		r.Matched++
	}
	r.Diffs = append(r.Diffs, d)
}

// pairing finds which event of ours is which of Falco's.
type pairing struct {
	c    *Comparer
	rec  *Recording
	ours []Event
	of   []int
	used []bool
	ids  map[string]map[string]string // kind of id -> Falco's -> ours
}

// pair matches events of one type by how many fields are equal, the likest first, and among equals in order.
func (p *pairing) pair() {
	p.of, p.used = make([]int, len(p.rec.Events)), make([]bool, len(p.ours))
	type candidate struct{ i, j, score int }
	var all []candidate
	for i := range p.rec.Events {
		p.of[i] = -1
		for j := range p.ours {
			if p.rec.Events[i].Rule == p.ours[j].Rule {
				all = append(all, candidate{i, j, likeness(&p.rec.Events[i], &p.ours[j])})
			}
		}
	}
	order := func(c candidate) int { return max(c.i-c.j, c.j-c.i) }
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(order(a), order(b)))
	})
	for _, c := range all {
		if p.of[c.i] < 0 && !p.used[c.j] {
			p.of[c.i], p.used[c.j] = c.j, true
		}
	}
}

func likeness(a, b *Event) int {
	n := 0
	for k, v := range a.Fields {
		if b.Fields[k] == v && !volatile[k] {
			switch k {
			case "proc.name", "fd.num", "evt.res":
				n += 8
			}
			if strings.HasPrefix(k, "evt.arg.") || strings.HasPrefix(k, "fd.") {
				n++
			}
			n++
		}
	}
	if strings.HasPrefix(a.Fields["evt.rawres"], "0") == strings.HasPrefix(b.Fields["evt.rawres"], "0") {
		n += 20
	}
	return n
}

// fields compares the fields of a pair.
func (p *pairing) fields(res *Result, i int, falco, ours *Event) {
	names := map[string]bool{}
	for k := range falco.Fields {
		names[k] = true
	}
	for k := range ours.Fields {
		names[k] = true
	}
	top := topAncestor(falco, p.c.Env)
	for _, k := range slices.Sorted(mapKeys(names)) {
		if beyond(k, top) {
			continue
		}
		a, hasA := falco.Fields[k]
		b, hasB := ours.Fields[k]
		res.Total++
		switch {
		case hasA != hasB:
		case falco.Changed[k] || volatile[k] || p.c.Deterministic[k] == "no" && !idKinds[k].known:
			res.Matched++
			continue
		case p.equal(falco.Type(), k, a, b):
			res.Matched++
			continue
		}
		if class := p.c.Deterministic[k]; races[res.Program] && class != "yes" {
			res.Total--
			res.Raced++
			continue
		}
		d := Diff{res.Program, falco.Type(), k, a, b, i, ""}
		if !hasA {
			d.Falco = Missing
		}
		if !hasB {
			d.Ours = Missing
		}
		res.add(d, p.c)
	}
}

func mapKeys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// topAncestor is how far the recorded chain of ancestors is like ours: up to `base`, which was the oldest process that
// Falco could read, or in Docker up to the driver, whose parent was Docker's.
func topAncestor(e *Event, env string) int {
	top := "base"
	if env == "docker" {
		top = "drv"
	}
	for n := 0; n < 7; n++ {
		if e.Fields[fmt.Sprintf("proc.aname[%d]", n)] == top {
			return n
		}
	}
	return 100
}

// beyond says whether a field is about an ancestor above the oldest that was readable.
func beyond(name string, top int) bool {
	if top < 1 && strings.HasPrefix(name, "proc.p") && !strings.HasPrefix(name, "proc.pid") && !strings.HasPrefix(name, "proc.pgid") {
		return true // the parent's
	}
	if !strings.HasPrefix(name, "proc.a") || !strings.HasSuffix(name, "]") {
		return false
	}
	var n int
	if _, err := fmt.Sscanf(name[strings.IndexByte(name, '['):], "[%d]", &n); err != nil {
		return false
	}
	return n > top
}

// equal compares two values of a field.
func (p *pairing) equal(eventType, name, a, b string) bool {
	if k := idKinds[name]; k.known {
		return p.sameID(k.kind, a, b)
	}
	if name == "evt.args" || name == "evt.info" {
		return p.sameLine(eventType, a, b)
	}
	if short, ok := strings.CutPrefix(name, "evt.arg."); ok {
		return p.sameParam(eventType, short, a, b)
	}
	if name == "evt.rawres" && pidResults[eventType] {
		return p.sameID("pid", a, b)
	}
	if name == "fd.types" {
		return sameSet(a, b)
	}
	return mask(a) == mask(b)
}

// sameSet compares JSON lists of words whose order means nothing: Falco's is that of a hash table.
func sameSet(a, b string) bool {
	words := func(s string) []string {
		var all []string
		if json.Unmarshal([]byte(s), &all) != nil {
			return []string{s}
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(words(a), words(b))
}

// sameID says whether two ids can stand for one another: always the same one for the same. Ids of other processes than
// the program's may repeat by chance; 0 and 1 stand for themselves.
func (p *pairing) sameID(kind, a, b string) bool {
	if a == "0" || b == "0" || a == "1" || b == "1" {
		return a == b
	}
	known := p.ids[kind]
	if known == nil {
		known = map[string]string{}
		p.ids[kind] = known
	}
	if was, ok := known[a]; ok {
		return was == b
	}
	known[a] = b
	return true
}

// sameParam compares two values of a parameter.
func (p *pairing) sameParam(eventType, name, a, b string) bool {
	t, ok := field.EventByName(eventType)
	if !ok {
		return mask(a) == mask(b)
	}
	if volatileParams[eventType+" "+name] || volatileParams[name] {
		return true
	}
	if i := t.Info().Param(name); i >= 0 && t.Info().Params[i].Type == field.ProcessID && isNumber(a) && isNumber(b) {
		return (len(a) > 2) == (len(b) > 2) || p.sameID("pid", a, b)
	}
	return mask(a) == mask(b)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// sameLine compares evt.args: the same parameters in the same order, each with an equal meaning; of ids, and of
// what changes from run to run, the numbers may differ.
func (p *pairing) sameLine(eventType, a, b string) bool {
	t, ok := field.EventByName(eventType)
	if !ok {
		return mask(a) == mask(b)
	}
	params := t.Info().Params
	as, bs := split(a, params), split(b, params)
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if as[i].name != bs[i].name {
			return false
		}
		ra, ta := meaning(as[i].value)
		rb, tb := meaning(bs[i].value)
		if volatileParams[eventType+" "+as[i].name] || volatileParams[as[i].name] {
			continue
		}
		if mask(ta) != mask(tb) {
			return false
		}
		if j := t.Info().Param(as[i].name); j >= 0 && params[j].Type == field.ProcessID {
			continue
		}
		if mask(ra) != mask(rb) {
			return false
		}
	}
	return true
}

type named struct{ name, value string }

// split parts a line of NAME=VALUE at the names of the parameters, in their order.
func split(line string, params []field.Param) []named {
	var all []named
	for _, q := range params {
		at := -1
		if strings.HasPrefix(line, q.Name+"=") {
			at = 0
		}
		if at < 0 {
			continue
		}
		rest := line[len(q.Name)+1:]
		end := len(rest)
		for _, next := range params {
			if i := strings.Index(rest, " "+next.Name+"="); i >= 0 && next.Name != q.Name && i < end {
				end = i
			}
		}
		all = append(all, named{q.Name, rest[:end]})
		if end == len(rest) {
			return all
		}
		line = rest[end+1:]
	}
	return append(all, named{"", line})
}

// meaning parts RAW(TEXT).
func meaning(v string) (raw, text string) {
	if i := strings.IndexByte(v, '('); i > 0 && strings.HasSuffix(v, ")") {
		return v[:i], v[i+1 : len(v)-1]
	}
	return v, ""
}

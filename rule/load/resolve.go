package load

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// text is a condition as it was put together, with the way back to the files. Positions in trees name it by number.
type text struct {
	cond  string // before lists are replaced
	shift int    // bytes that were put before what stands in the files: the parenthesis around a rule with exceptions
	parts []part
	owner place
}

// resolver turns what was collected into a set. The first error ends it.
type resolver struct {
	c     *collector
	lists *substituter
	exprs map[string]filter.Expr // of macros, by name; nil while not resolved yet
	sizes map[string]int         // nodes of exprs, those of shared trees counted every time
	used  map[string]bool        // macros
	key   []byte
}

func (c *collector) resolve() (*Set, error) {
	lists := c.resolveLists()
	r := &resolver{c: c, lists: newSubstituter(lists), exprs: map[string]filter.Expr{},
		sizes: map[string]int{}, used: map[string]bool{}}
	set := &Set{Engine: c.engine.String()}
	if err := r.macros(set); err != nil {
		return set, err
	}
	for _, info := range c.rules {
		if info.unknownSource {
			continue
		}
		rule, err := r.rule(info)
		if err != nil {
			return set, err
		}
		if rule != nil {
			set.Rules = append(set.Rules, *rule)
		}
	}
	for i, m := range c.macros {
		set.Macros[i].Used = r.used[m.name]
		if !r.used[m.name] {
			c.warn(WarnUnusedMacro, m.at, "Macro not referred to by any other rule/macro", "")
		}
	}
	for _, l := range lists {
		set.Lists = append(set.Lists, List{Name: l.info.name, Items: l.info.items, Resolved: l.items, Used: l.used})
		if !l.used {
			c.warn(WarnUnusedList, l.info.at, "List not referred to by any other rule/macro", "")
		}
	}
	return set, nil
}

// parse replaces lists in a condition and reads it.
func (r *resolver) parse(t text) (filter.Expr, error) {
	cond, _ := r.lists.run(t.cond, false)
	r.key = t.appendID(append(append(r.key[:0], cond...), 0))
	if e, ok := r.c.parsed[string(r.key)]; ok {
		return e, nil
	}
	key := string(r.key)
	r.c.texts = append(r.c.texts, t)
	e, err := filter.ParseSource(cond, len(r.c.texts)-1)
	if s := (*filter.SyntaxError)(nil); errors.As(err, &s) {
		return nil, &loadError{code: ErrCompileCondition, msg: s.Msg, at: r.locate(s.Pos, t.owner)}
	}
	if err == nil {
		r.c.parsed[key] = e
	}
	return e, err
}

// appendID writes what tells texts apart that are equal and stand at different places.
func (t *text) appendID(b []byte) []byte {
	for _, p := range t.parts {
		line, col := p.at.position()
		b = append(b, p.at.doc.name...)
		for _, n := range [...]int{line, col, p.start} {
			b = strconv.AppendInt(append(b, ':'), int64(n), 10)
		}
	}
	return b
}

// locate finds the place in a file that a position in a tree stands for.
func (r *resolver) locate(p filter.Pos, owner place) place {
	if p.Source <= 0 || p.Source >= len(r.c.texts) {
		return owner
	}
	t := &r.c.texts[p.Source]
	_, sub := r.lists.run(t.cond, true)
	offset := sub.origin(p) - t.shift
	length := 0
	for _, pt := range t.parts {
		if offset >= pt.start {
			owner = pt.at.within(offset - pt.start)
			length = len(pt.at.node.Value)
		}
	}
	if offset-t.parts[len(t.parts)-1].start > length { // in what exceptions added
		return t.owner
	}
	return owner
}

// macros reads all macros, then replaces macros in them, in the order of definition.
func (r *resolver) macros(set *Set) error {
	for _, m := range r.c.macros {
		e, err := r.parse(text{cond: m.cond, parts: m.condParts, owner: m.condAt})
		if err != nil {
			return err
		}
		r.exprs[m.name] = e
	}
	for _, m := range r.c.macros {
		e, size, err := r.expand(r.exprs[m.name], m.visibility, m.at)
		if err != nil {
			return err
		}
		r.exprs[m.name], r.sizes[m.name] = e, size
		set.Macros = append(set.Macros, Macro{Name: m.name, Condition: m.cond, Expr: e})
	}
	return nil
}

// everything is the visibility of a rule: it sees all macros.
const everything = int(^uint(0) >> 1)

// maxNodes bounds how large a condition may grow by replacing macros, for macros that double at every step.
const maxNodes = 2_000_000

// expand replaces macros in e by their trees. A macro sees those whose first definition precedes its own last change.
func (r *resolver) expand(e filter.Expr, visibility int, owner place) (filter.Expr, int, error) {
	if known, ok := r.c.expanded[e]; ok && known.visibility == visibility && r.holds(&known) {
		for name := range known.macros {
			r.used[name] = true
		}
		return known.expr, known.nodes, nil
	}
	x := &expansion{r: r, visibility: visibility, owner: owner, seen: map[string]filter.Expr{}}
	out := x.expr(e, nil)
	if x.err != nil {
		return nil, 0, x.err
	}
	for name := range x.seen {
		r.used[name] = true
	}
	r.c.expanded[e] = expanded{out, x.nodes, visibility, x.seen}
	return out, x.nodes, nil
}

// expanded is what became of a tree when the macros in it were replaced, for as long as they stay what they were.
type expanded struct {
	expr       filter.Expr
	nodes      int
	visibility int
	macros     map[string]filter.Expr // the trees they stood for
}

// holds says whether the macros are still the same. Definitions never go away, so that they are still in sight.
func (r *resolver) holds(x *expanded) bool {
	for name, e := range x.macros {
		if r.exprs[name] != e {
			return false
		}
	}
	return true
}

type expansion struct {
	r          *resolver
	visibility int
	owner      place
	seen       map[string]filter.Expr
	nodes      int
	err        error // the first unknown macro or loop
}

func (x *expansion) expr(e filter.Expr, path []string) filter.Expr {
	if x.nodes++; x.nodes > maxNodes {
		if x.err == nil {
			x.err = inconsistent(x.owner, "the condition grows too large when its macros are replaced")
		}
		return e
	}
	switch e := e.(type) {
	case *filter.And:
		return &filter.And{At: e.At, Args: x.all(e.Args, path)}
	case *filter.Or:
		return &filter.Or{At: e.At, Args: x.all(e.Args, path)}
	case *filter.Not:
		return &filter.Not{At: e.At, Arg: x.expr(e.Arg, path)}
	case *filter.Macro:
		return x.macro(e, path)
	}
	return e
}

func (x *expansion) all(list []filter.Expr, path []string) []filter.Expr {
	out := make([]filter.Expr, len(list))
	for i, e := range list {
		out[i] = x.expr(e, path)
	}
	return out
}

func (x *expansion) macro(m *filter.Macro, path []string) filter.Expr {
	info := x.r.c.macroByName[m.Name]
	if info == nil || info.index >= x.visibility {
		x.fail(m, info)
		return m
	}
	if slices.Contains(path, m.Name) {
		if x.err == nil {
			x.err = inconsistent(x.r.locate(m.At, x.owner), "reference loop in macro '%s'", m.Name)
		}
		return m
	}
	body := x.r.exprs[m.Name]
	x.seen[m.Name] = body
	if !hasMacro(body) {
		x.nodes += x.r.sizes[m.Name]
		return body // trees are never changed, so they can be shared
	}
	return x.expr(body, append(slices.Clip(path), m.Name))
}

func (x *expansion) fail(m *filter.Macro, info *macroInfo) {
	if x.err != nil {
		return
	}
	hint := ""
	if info != nil {
		hint = "it is defined further down; a macro can only use macros that stand before it"
	} else if near := x.nearest(m.Name); near != "" {
		hint = "did you mean " + near + "?"
	} else if x.r.c.listByName[m.Name] != nil {
		hint = "it is a list"
	}
	x.err = &loadError{code: ErrValidate, msg: fmt.Sprintf("Undefined macro '%s' used in filter.", m.Name), hint: hint, at: x.r.locate(m.At, x.owner)}
}

func hasMacro(e filter.Expr) bool {
	found := false
	filter.Walk(e, func(e filter.Expr) bool {
		if _, ok := e.(*filter.Macro); ok {
			found = true
		}
		_, isCheck := e.(*filter.Check)
		return !found && !isCheck
	})
	return found
}

// rule makes a rule; it is nil where the rule is left out with a warning.
func (r *resolver) rule(info *ruleInfo) (*Rule, error) {
	cond, err := info.conditionWithExceptions()
	if err != nil {
		return nil, err
	}
	line, _ := info.at.position()
	rule := &Rule{
		Name: info.name, Desc: info.desc, Condition: info.cond, Output: info.output, Priority: info.priority,
		Source: info.source, Tags: info.tags, Enabled: info.enabled, Capture: info.capture,
		CaptureTime: info.captureDuration, File: info.at.doc.name, Line: line,
	}
	for _, ex := range info.exceptions {
		rule.Exceptions = append(rule.Exceptions, ex.name)
	}
	if ok, err := r.output(rule, info); !ok || err != nil {
		return nil, err
	}
	t := text{cond: cond, parts: info.condParts, owner: info.condAt}
	if cond != info.cond {
		t.shift = 1
	}
	parsed, err := r.parse(t)
	if err != nil {
		return nil, err
	}
	rule.Macros = macroNames(parsed)
	if rule.Expr, _, err = r.expand(parsed, everything, info.at); err != nil {
		return nil, err
	}
	if ok, err := r.bind(rule, info); !ok || err != nil {
		return nil, err
	}
	if rule.Events, err = r.c.eventTypes(rule.Expr); err != nil {
		return nil, r.conditionError(err, info)
	}
	if info.warnEvents && match.TooMany(rule.Events) {
		r.c.warn(WarnNoEventType, info.at, "Rule matches too many evt.type values. This has a significant performance penalty.", "")
	}
	return rule, nil
}

func (c *collector) eventTypes(e filter.Expr) (field.EventSet, error) {
	if s, ok := c.types[e]; ok {
		return s, nil
	}
	s, err := match.EventTypes(e)
	if err == nil {
		c.types[e] = s
	}
	return s, err
}

func (c *collector) template(out string) (*match.Template, error) {
	if t := c.templates[out]; t != nil {
		return t, nil
	}
	t, err := match.ParseTemplate(out)
	if err == nil {
		c.templates[out] = t
	}
	return t, err
}

func macroNames(e filter.Expr) []string {
	var out []string
	filter.Walk(e, func(e filter.Expr) bool {
		if m, ok := e.(*filter.Macro); ok && !slices.Contains(out, m.Name) {
			out = append(out, m.Name)
		}
		return true
	})
	return out
}

const containerInfo = "%container.info"

// deprecatedFields are looked for in outputs as text, and in conditions as fields.
var deprecatedFields = []string{"evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns", "evt.latency.human", "evt.wait_latency"}

// output reads the rule's output; false leaves the rule out.
func (r *resolver) output(rule *Rule, info *ruleInfo) (bool, error) {
	out := info.output + r.c.opts.appended()
	if strings.Contains(out, containerInfo) {
		r.c.warn(WarnDeprecated, info.at, "%container.info is deprecated and no more useful, and will be dropped by Falco 1.0.0. "+
			"The container plugin will automatically add required fields to the output message.", "")
		out = strings.ReplaceAll(out, containerInfo, "")
	}
	var err error
	rule.Template, err = r.c.template(out)
	if e := (*match.Error)(nil); errors.As(err, &e) {
		place := info.outputAt
		if e.Pos.Offset < len(info.output) {
			place = place.within(e.Pos.Offset)
		}
		if info.skipUnknown && e.Unknown() {
			r.c.warn(WarnUnknownFilter, place, e.Msg, e.Hint)
			return false, nil
		}
		return false, &loadError{code: ErrCompileOutput, msg: e.Msg, hint: e.Hint, at: place}
	}
	for _, f := range deprecatedFields {
		if strings.Contains(out, f) {
			r.c.warn(WarnDeprecated, info.outputAt, "usage of deprecated field '"+f+"' has been detected in the rule output", "")
		}
	}
	return true, nil
}

// bind binds the rule's condition; false leaves the rule out.
func (r *resolver) bind(rule *Rule, info *ruleInfo) (bool, error) {
	r.conditionWarnings(rule.Expr, info)
	node, warnings, err := r.c.binder.Bind(rule.Expr)
	if e := (*match.Error)(nil); errors.As(err, &e) {
		if info.skipUnknown && e.Unknown() {
			r.c.warn(WarnUnknownFilter, r.locate(e.Pos, info.condAt), e.Msg, e.Hint)
			return false, nil
		}
		return false, r.conditionError(err, info)
	}
	for _, w := range warnings {
		r.c.warn(WarnCondition, r.locate(w.Pos, info.condAt), w.Msg, "")
	}
	rule.Node = node
	return err == nil, err
}

func (r *resolver) conditionError(err error, info *ruleInfo) error {
	e := (*match.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	return &loadError{code: ErrCompileCondition, msg: e.Msg, hint: e.Hint, at: r.locate(e.Pos, info.condAt)}
}

// conditionWarnings warns of deprecated fields.
func (r *resolver) conditionWarnings(e filter.Expr, info *ruleInfo) {
	filter.Walk(e, func(e filter.Expr) bool {
		f, ok := e.(*filter.Field)
		if !ok || !slices.Contains(deprecatedFields, f.Name) {
			return true
		}
		msg := "usage of deprecated field '" + f.Name + "' has been detected in the rule condition"
		if f.Name == "evt.dir" {
			msg = "due to the drop of enter events, 'evt.dir = <' always evaluates to true, and 'evt.dir = >' always " +
				"evaluates to false. The rule expression can be simplified by removing the condition on 'evt.dir'"
		}
		r.c.warn(WarnDeprecated, r.locate(f.At, info.condAt), msg, "")
		return true
	})
}

func (x *expansion) nearest(name string) string {
	words := make([]string, 0, len(x.r.c.macros))
	for _, m := range x.r.c.macros {
		words = append(words, m.name)
	}
	return nearestWord(name, words)
}

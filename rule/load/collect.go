package load

import (
	"slices"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// listInfo is a list as the files define it so far.
type listInfo struct {
	name       string
	items      []string
	index      int // when it was first defined
	visibility int // when it was last changed
	at         place
}

type macroInfo struct {
	name       string
	cond       string
	index      int
	visibility int
	at, condAt place
	condParts  []part
}

type ruleInfo struct {
	name, cond, output, desc, source string
	priority                         falco.Priority
	tags                             []string // sorted, each once
	exceptions                       []exceptionInfo
	enabled, warnEvents, skipUnknown bool
	capture                          bool
	captureDuration                  uint32
	unknownSource                    bool
	at, condAt, outputAt             place
	condParts                        []part
}

// part says that a condition from byte start on was written at a place: appended conditions come from several.
type part struct {
	start int
	at    place
}

// ruleUpdate is what an item with override or append changes; nil members stay as they are.
type ruleUpdate struct {
	name, source                          string
	cond, output, desc                    *string
	condAt, outputAt                      place
	tags                                  *[]string
	exceptions                            *[]exceptionInfo
	priority                              *falco.Priority
	enabled, warnEvents, skipUnknown, cap *bool
	captureDuration                       *uint32
	at                                    place
}

func (u *ruleUpdate) empty() bool {
	return u.cond == nil && u.output == nil && u.desc == nil && u.tags == nil && u.exceptions == nil && u.priority == nil &&
		u.enabled == nil && u.warnEvents == nil && u.skipUnknown == nil && u.cap == nil && u.captureDuration == nil
}

// collector holds everything that was read so far, in the order of first definition.
type collector struct {
	opts   *Options
	lists  []*listInfo
	macros []*macroInfo
	rules  []*ruleInfo

	listByName  map[string]*listInfo
	macroByName map[string]*macroInfo
	ruleByName  map[string]*ruleInfo

	plugins [][]requirement
	engine  version
	count   int // definitions and changes so far
	warn    func(code Code, at place, msg, hint string)

	binder *match.Binder          // what was bound for earlier files holds for later ones
	texts  []text                 // all conditions that were read; positions in trees name them by number
	parsed map[string]filter.Expr // by the condition after lists were replaced, and its place

	expanded  map[filter.Expr]expanded // what replacing macros made of a tree
	templates map[string]*match.Template
	types     map[filter.Expr]field.EventSet
}

func newCollector(opts *Options) *collector {
	return &collector{opts: opts, listByName: map[string]*listInfo{}, macroByName: map[string]*macroInfo{}, ruleByName: map[string]*ruleInfo{},
		binder: match.NewBinder(), texts: make([]text, 1), parsed: map[string]filter.Expr{},
		expanded: map[filter.Expr]expanded{}, templates: map[string]*match.Template{}, types: map[filter.Expr]field.EventSet{}}
}

func (c *collector) next() int {
	c.count++
	return c.count - 1
}

func (c *collector) defineList(l *listInfo) {
	l.visibility = c.next()
	l.index = l.visibility
	if prev := c.listByName[l.name]; prev != nil {
		l.index = prev.index
		*prev = *l
		return
	}
	c.lists = append(c.lists, l)
	c.listByName[l.name] = l
}

func (c *collector) appendList(l *listInfo) error {
	prev := c.listByName[l.name]
	if prev == nil {
		return inconsistent(l.at, "List uses 'append' or 'override.items: append' but no list by that name already exists")
	}
	prev.items = append(slices.Clip(prev.items), l.items...)
	prev.visibility = c.next()
	return nil
}

func (c *collector) defineMacro(m *macroInfo) {
	m.visibility = c.next()
	m.index = m.visibility
	m.condParts = []part{{0, m.condAt}}
	if prev := c.macroByName[m.name]; prev != nil {
		m.index = prev.index
		*prev = *m
		return
	}
	c.macros = append(c.macros, m)
	c.macroByName[m.name] = m
}

func (c *collector) appendMacro(m *macroInfo) error {
	prev := c.macroByName[m.name]
	if prev == nil {
		return inconsistent(m.at, "Macro uses 'append' or 'override.condition: append' but no macro by that name already exists")
	}
	prev.cond += " "
	prev.condParts = append(slices.Clip(prev.condParts), part{len(prev.cond), m.condAt})
	prev.cond += m.cond
	prev.visibility = c.next()
	return nil
}

func (c *collector) hasSource(name string) bool {
	return name == "syscall" || slices.Contains(c.opts.Sources, name)
}

func (c *collector) defineRule(r *ruleInfo) error {
	prev := c.ruleByName[r.name]
	if prev != nil && prev.source != r.source {
		return inconsistent(r.at, "Rule has been re-defined with a different source")
	}
	if !c.hasSource(r.source) {
		r.unknownSource = true
		c.warn(WarnUnknownSource, r.at, "Unknown source "+r.source+", skipping", "")
	}
	for i := range r.exceptions {
		ex := &r.exceptions[i]
		if !ex.fields.valid() {
			return inconsistent(ex.at, "Rule exception item must have fields property with a list of fields")
		}
		if err := ex.validate(!r.unknownSource); err != nil {
			return err
		}
	}
	c.next()
	r.condParts = []part{{0, r.condAt}}
	if prev != nil {
		*prev = *r
		return nil
	}
	c.rules = append(c.rules, r)
	c.ruleByName[r.name] = r
	return nil
}

func (c *collector) appendRule(u *ruleUpdate) error {
	prev := c.ruleByName[u.name]
	if prev == nil {
		return inconsistent(u.at, "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists")
	}
	if u.empty() {
		return inconsistent(u.at, "Appended rule must have exceptions or condition property")
	}
	if u.source != "" && u.source != prev.source {
		return inconsistent(u.at, "Rule has been re-defined with a different source")
	}
	if u.cond != nil && *u.cond != "" {
		prev.cond += " "
		prev.condParts = append(slices.Clip(prev.condParts), part{len(prev.cond), u.condAt})
		prev.cond += *u.cond
	}
	if u.output != nil && *u.output != "" {
		prev.output += " " + *u.output
	}
	if u.desc != nil && *u.desc != "" {
		prev.desc += " " + *u.desc
	}
	if u.tags != nil {
		prev.tags = sortedSet(append(slices.Clip(prev.tags), *u.tags...))
	}
	if u.exceptions != nil {
		for _, ex := range *u.exceptions {
			if err := prev.appendException(ex); err != nil {
				return err
			}
		}
	}
	c.next()
	return nil
}

func (r *ruleInfo) appendException(ex exceptionInfo) error {
	i := slices.IndexFunc(r.exceptions, func(e exceptionInfo) bool { return e.name == ex.name })
	if i < 0 {
		if !ex.fields.valid() {
			return inconsistent(ex.at, "Rule exception must have fields property with a list of fields")
		}
		if len(ex.values) == 0 {
			return inconsistent(ex.at, "Rule exception must have values property with a list of values")
		}
		if err := ex.validate(!r.unknownSource); err != nil {
			return err
		}
		r.exceptions = append(slices.Clip(r.exceptions), ex)
		return nil
	}
	if ex.fields.valid() {
		return inconsistent(ex.at, "Can not append exception fields to existing exception, only values")
	}
	if ex.comps.valid() {
		return inconsistent(ex.at, "Can not append exception comps to existing exception, only values")
	}
	r.exceptions = slices.Clone(r.exceptions)
	r.exceptions[i].values = append(slices.Clip(r.exceptions[i].values), ex.values...)
	return nil
}

func (c *collector) replaceRule(u *ruleUpdate) error {
	prev := c.ruleByName[u.name]
	if prev == nil {
		return inconsistent(u.at, "An 'override.<key>: replace' to a rule was requested but no rule by that name already exists")
	}
	if u.empty() {
		return inconsistent(u.at, "The rule must have at least one field that can be replaced")
	}
	if u.cond != nil {
		prev.cond, prev.condAt, prev.condParts = *u.cond, u.condAt, []part{{0, u.condAt}}
	}
	if u.output != nil {
		prev.output, prev.outputAt = *u.output, u.outputAt
	}
	assign(&prev.desc, u.desc)
	assign(&prev.tags, u.tags)
	assign(&prev.exceptions, u.exceptions)
	assign(&prev.priority, u.priority)
	assign(&prev.enabled, u.enabled)
	assign(&prev.warnEvents, u.warnEvents)
	assign(&prev.skipUnknown, u.skipUnknown)
	assign(&prev.capture, u.cap)
	assign(&prev.captureDuration, u.captureDuration)
	c.next()
	return nil
}

func assign[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (c *collector) enableRule(name string, enabled bool, at place) error {
	prev := c.ruleByName[name]
	if prev == nil {
		return inconsistent(at, "Rule has 'enabled' key but no rule by that name already exists")
	}
	prev.enabled = enabled
	return nil
}

func sortedSet(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// isFieldDefined says whether an exception may name the field: a field, or a transformer of one.
func isFieldDefined(text string) (bool, error) {
	e, n, err := filter.ParseOperand(text)
	if err != nil || n != len(text) {
		return false, nil
	}
	_, err = match.ResolveOperand(e)
	return err == nil, nil
}

func nearestWord(name string, words []string) string { return field.NearestOf(name, words) }

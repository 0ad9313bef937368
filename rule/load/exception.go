package load

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/eyrie-sec/eyrie/rule/filter"
)

// entry is a value of an exception: text, or a list of entries.
type entry struct {
	isList bool
	item   string
	items  []entry
}

func (e *entry) valid() bool {
	if e.isList {
		return len(e.items) > 0
	}
	return e.item != ""
}

// exceptionInfo is one exception of a rule.
type exceptionInfo struct {
	name          string
	fields, comps entry
	values        []entry
	at            place
}

// maxEntryDepth bounds the nesting of an exception's values; two levels have a meaning.
const maxEntryDepth = 64

func decodeEntry(n *yaml.Node, at place, depth int) (entry, error) {
	n = deref(n)
	var e entry
	if depth > maxEntryDepth {
		return e, invalid(at.on(n), "exception values are nested too deeply")
	}
	switch {
	case isScalar(n):
		if n.Value == "" {
			return e, invalid(at.on(n), "Value must be non-empty")
		}
		e.item = restore(n.Value)
	case n.Kind == yaml.SequenceNode:
		e.isList = true
		for _, c := range n.Content {
			item, err := decodeEntry(c, at, depth+1)
			if err != nil {
				return e, err
			}
			e.items = append(e.items, item)
		}
	}
	return e, nil
}

// readExceptions reads the exceptions of a rule. With appending, fields may be missing.
func (r *reader) readExceptions(item *yaml.Node, at place, appending bool) ([]exceptionInfo, error) {
	exs := get(item, "exceptions")
	if exs == nil || isNull(exs) {
		return nil, nil
	}
	if exs.Kind != yaml.SequenceNode {
		return nil, invalid(at.on(exs), "Rule exceptions must be a sequence")
	}
	var out []exceptionInfo
	for _, n := range exs.Content {
		ex, err := r.readException(deref(n), at, appending)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(e exceptionInfo) bool { return e.name == ex.name }) {
			r.c.warn(WarnExceptionName, ex.at, "Multiple definitions of exception '"+ex.name+"' in the same rule", "")
		}
		out = append(out, ex)
	}
	return out, nil
}

func (r *reader) readException(n *yaml.Node, at place, appending bool) (ex exceptionInfo, err error) {
	ex.at = at.on(n)
	if n.Kind != yaml.MappingNode {
		return ex, invalid(ex.at, "Rule exception must be a mapping")
	}
	if ex.name, err = scalar(n, "name", ex.at); err != nil {
		return ex, err
	}
	ex.at = ex.at.named(", exception " + ex.name)
	if f := get(n, "fields"); f != nil {
		ex.fields, err = decodeEntry(f, ex.at, 0)
	} else if !appending {
		err = invalid(ex.at, "Item has no mapping for key 'fields'")
	}
	if err != nil {
		return ex, err
	}
	if c := get(n, "comps"); c != nil {
		if ex.comps, err = decodeEntry(c, ex.at, 0); err != nil {
			return ex, err
		}
	}
	values := get(n, "values")
	if values == nil {
		if appending {
			r.c.warn(WarnAppendNoValues, ex.at, "Overriding/appending exception with no values", "")
		}
		return ex, nil
	}
	if values.Kind != yaml.SequenceNode {
		return ex, invalid(ex.at.on(values), "Rule exception values must be a sequence")
	}
	for _, v := range values.Content {
		e, err := decodeEntry(v, ex.at, 0)
		if err != nil {
			return ex, err
		}
		ex.values = append(ex.values, e)
	}
	return ex, nil
}

// validate fills in the default comparisons and checks that fields and comparisons fit. Fields are checked only where
// the rule's source is known.
func (ex *exceptionInfo) validate(known bool) error {
	if !ex.fields.isList {
		return ex.validateSingle(known)
	}
	if !ex.comps.valid() {
		ex.comps = entry{isList: true}
		for range ex.fields.items {
			ex.comps.items = append(ex.comps.items, entry{item: "="})
		}
	}
	if len(ex.fields.items) != len(ex.comps.items) {
		return inconsistent(ex.at, "Fields and comps lists must have equal length")
	}
	for _, c := range ex.comps.items {
		if !slices.Contains(filter.Operators(), c.item) && !hasModifier(c.item) {
			return inconsistent(ex.at, "'%s' is not a supported comparison operator", c.item)
		}
	}
	for _, f := range ex.fields.items {
		if err := ex.checkField(f.item, known); err != nil {
			return err
		}
	}
	return nil
}

func (ex *exceptionInfo) validateSingle(known bool) error {
	if !ex.comps.valid() {
		ex.comps = entry{item: "in"}
	}
	if ex.comps.isList {
		return inconsistent(ex.at, "Fields and comps must both be strings")
	}
	if !filter.IsListOperator(ex.comps.item) && !hasModifier(ex.comps.item) {
		return inconsistent(ex.at, "When fields is a single value, comps must be one of (in, pmatch, intersects) or a modifier operator (e.g. startswith oneof)")
	}
	return ex.checkField(ex.fields.item, known)
}

func (ex *exceptionInfo) checkField(name string, known bool) error {
	if !known {
		return nil
	}
	ok, err := isFieldDefined(name)
	if err == nil && !ok {
		err = inconsistent(ex.at, "'%s' is not a supported filter field", name)
	}
	return err
}

// hasModifier says whether op is an operator with oneof, anyof or allof after it.
func hasModifier(op string) bool {
	base, mod, ok := strings.Cut(op, " ")
	mod = strings.TrimLeft(mod, " ")
	return ok && filter.IsModifiable(base) && slices.Contains(filter.Modifiers, mod)
}

// condition writes cond with the exceptions as Falco does: (cond) and not (...) and not (...).
func (r *ruleInfo) conditionWithExceptions() (string, error) {
	if len(r.exceptions) == 0 {
		return r.cond, nil
	}
	var b strings.Builder
	b.WriteString("(" + r.cond + ")")
	for i := range r.exceptions {
		ex := &r.exceptions[i]
		var text string
		var err error
		if ex.fields.isList {
			text, err = ex.tuples()
		} else {
			text, err = ex.single()
		}
		if err != nil {
			return "", err
		}
		if text != "" {
			b.WriteString(" and not " + text)
		}
	}
	return b.String(), nil
}

func (ex *exceptionInfo) single() (string, error) {
	var b strings.Builder
	for _, v := range ex.values {
		if v.isList {
			return "", inconsistent(ex.at, "Expected values array to contain a list of strings")
		}
		if b.Len() == 0 {
			b.WriteString("(" + ex.fields.item + " " + ex.comps.item + " (")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(quoteItem(v.item))
	}
	if b.Len() > 0 {
		b.WriteString("))")
	}
	return b.String(), nil
}

func (ex *exceptionInfo) tuples() (string, error) {
	var b strings.Builder
	for _, values := range ex.values {
		if len(ex.fields.items) != len(values.items) {
			return "", inconsistent(ex.at, "Fields and values lists must have equal length")
		}
		if len(ex.comps.items) < len(ex.fields.items) {
			// Falco reads past the end here and dies.
			return "", inconsistent(ex.at, "Fields and comps lists must have equal length")
		}
		if b.Len() > 0 {
			b.WriteString(" or ")
		}
		b.WriteString("(")
		for k, f := range ex.fields.items {
			if k > 0 {
				b.WriteString(" and ")
			}
			b.WriteString(" " + f.item + " " + ex.comps.items[k].item + " " + operand(values.items[k], ex.comps.items[k].item))
		}
		b.WriteString(")")
	}
	if b.Len() == 0 {
		return "", nil
	}
	return "(" + b.String() + ")", nil
}

func operand(v entry, comp string) string {
	switch {
	case v.isList:
		words := make([]string, len(v.items))
		for i := range v.items {
			words[i] = quoteItem(v.items[i].item)
		}
		return "(" + strings.Join(words, ", ") + ")"
	case filter.IsListOperator(comp) || hasModifier(comp):
		if strings.HasPrefix(v.item, "(") {
			return v.item
		}
		return "(" + v.item + ")"
	}
	return quoteItem(v.item)
}

// quoteItem quotes an item that holds a space, unless it looks quoted already. Backslashes in it stay as they are, so
// that they escape what follows; that is Falco's way.
func quoteItem(s string) string {
	if strings.Contains(s, " ") && s[0] != '"' && s[0] != '\'' {
		return `"` + s + `"`
	}
	return s
}

// Package match binds conditions to the field table. A syntax tree comes in; out go the event types that it can hold for,
// the warnings about it, and a bound condition that evaluates itself on an event by walking over the tree. That walk says
// what is right; package program does the same for many conditions at once, and fast. Output templates are bound here
// as well. Nothing is kept between events. Binding fails with an *Error in Falco's words; evaluation never fails: what has
// no value does not match.
package match

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/pattern"
)

// Op is an operator.
type Op uint8

// The operators.
const (
	Exists Op = iota
	Eq
	Ne
	Lt
	Le
	Gt
	Ge
	Contains
	IContains
	BContains
	StartsWith
	BStartsWith
	EndsWith
	Glob
	IGlob
	Regex
	In
	Intersects
	PMatch
)

var opNames = map[string]Op{
	"exists": Exists, "=": Eq, "==": Eq, "!=": Ne, "<": Lt, "<=": Le, ">": Gt, ">=": Ge, "contains": Contains,
	"icontains": IContains, "bcontains": BContains, "startswith": StartsWith, "bstartswith": BStartsWith,
	"endswith": EndsWith, "glob": Glob, "iglob": IGlob, "regex": Regex, "in": In, "intersects": Intersects,
	"pmatch": PMatch,
}

// Mod says how the values of a list count.
type Mod uint8

// The modifiers.
const (
	NoMod Mod = iota
	OneOf     // exactly one value matches
	AnyOf     // at least one value matches
	AllOf     // every value matches
)

var modNames = map[string]Mod{"": NoMod, "oneof": OneOf, "anyof": AnyOf, "allof": AllOf}

// NodeKind is the kind of a Node.
type NodeKind uint8

// The kinds of nodes.
const (
	AndNode NodeKind = iota
	OrNode
	NotNode
	TestNode
)

// Node is a bound condition.
type Node struct {
	Kind NodeKind
	Args []*Node // of and, or; one of not
	Test *Test   // of a test

	typed bool // whether it looks at the event's type
}

// Test is one bound check.
type Test struct {
	Op     Op
	Mod    Mod
	Left   *Operand
	Right  *Operand // nil where the right-hand side is literals
	consts []constant

	key   string              // text of the check, equal for equal checks
	set   map[string]struct{} // of in, intersects over text
	pairs *pattern.Paths      // of pmatch
	exprs []*regexp.Regexp    // of regex
}

// Bind resolves the names of a condition whose macros are replaced, and reads its literals.
func Bind(e filter.Expr) (*Node, []Warning, error) { return NewBinder().Bind(e) }

// Binder binds conditions that have parts in common, each part once. It is not safe for concurrent use.
type Binder struct {
	known    map[filter.Expr]bound
	fields   map[string]*Operand // fields without transformers, which never change
	warnings []Warning
}

type bound struct {
	node     *Node
	warnings []Warning
}

// NewBinder makes a binder.
func NewBinder() *Binder {
	return &Binder{known: map[filter.Expr]bound{}, fields: map[string]*Operand{}}
}

// Bind is the function Bind, with what the binder has seen before taken as it was. Trees must not change.
func (b *Binder) Bind(e filter.Expr) (*Node, []Warning, error) {
	b.warnings = nil
	n, err := b.node(e)
	return n, b.warnings, err
}

func (b *Binder) node(e filter.Expr) (*Node, error) {
	if k, ok := b.known[e]; ok {
		b.warnings = append(b.warnings, k.warnings...)
		return k.node, nil
	}
	before := len(b.warnings)
	n, err := b.make(e)
	if err == nil {
		b.known[e] = bound{n, slices.Clone(b.warnings[before:])}
	}
	return n, err
}

func (b *Binder) make(e filter.Expr) (*Node, error) {
	switch e := e.(type) {
	case *filter.And:
		return b.nodes(AndNode, e.Args)
	case *filter.Or:
		return b.nodes(OrNode, e.Args)
	case *filter.Not:
		return b.nodes(NotNode, []filter.Expr{e.Arg})
	case *filter.Check:
		t, err := b.test(e)
		return &Node{Kind: TestNode, Test: t, typed: t != nil && (t.typed() || t.Left.params != nil)}, at(err, e.At)
	case *filter.Macro:
		return nil, at(errorf("filter error: unexpected identifier '%s'", e.Name), e.At)
	}
	return nil, at(errorf("filter error: unexpected operand"), e.Position())
}

func (b *Binder) nodes(kind NodeKind, list []filter.Expr) (*Node, error) {
	n := &Node{Kind: kind, Args: make([]*Node, 0, len(list))}
	for _, e := range list {
		a, err := b.node(e)
		if err != nil {
			return nil, err
		}
		n.Args = append(n.Args, a)
		n.typed = n.typed || a.typed
	}
	return n, nil
}

func (b *Binder) test(c *filter.Check) (*Test, error) {
	left, err := b.left(c.Left)
	if err != nil {
		return nil, err
	}
	t := &Test{Op: opNames[c.Op], Mod: modNames[c.Mod], Left: left, key: filter.Print(c)}
	if err := comparable(t.Op, t.Mod, left.typ, left.list); err != nil {
		return nil, err
	}
	switch right := c.Right.(type) {
	case nil:
		return t, nil
	case *filter.Value:
		return t, b.constants(t, []string{right.Text}, right.At)
	case *filter.List:
		t.key += strconv.Itoa(len(right.Values)) // () and ("") print alike
		return t, b.constants(t, right.Values, right.At)
	case *filter.Call:
		return t, b.right(t, right)
	}
	return nil, errorf("filter error: unexpected operand")
}

// left binds the left-hand side. Equal fields are one operand.
func (b *Binder) left(e filter.Expr) (*Operand, error) {
	f, ok := e.(*filter.Field)
	if !ok {
		return resolve(e)
	}
	key := f.String()
	if o := b.fields[key]; o != nil {
		return o, nil
	}
	o, err := resolve(f)
	if err == nil {
		b.fields[key] = o
	}
	return o, err
}

// right binds a field or a transformer on the right-hand side.
func (b *Binder) right(t *Test, c *filter.Call) error {
	o, err := resolve(c)
	if err != nil {
		return err
	}
	l := t.Left
	switch {
	case t.Op == PMatch || t.Op == Regex:
		name := "PMATCH"
		if t.Op == Regex {
			name = "REGEX"
		}
		return errorf("operator '%s' doesn't support right-hand side fields", name)
	case l.typ == field.Net:
		return errorf("field type 'IPNET' doesn't support right-hand side fields")
	case l.flags()&field.NoRight != 0:
		return errorf("field '%s' doesn't support right-hand side fields", l.fieldLabel())
	case o.flags()&field.NoRight != 0:
		return errorf("field '%s' can't be used as a right-hand side field", o.fieldLabel())
	case l.typ != o.typ || l.list != o.list:
		return errorf("field '%s' has type '%s'%s while the right-hand side field '%s' has incompatible type '%s'%s",
			l.fieldLabel(), l.typ, listWord(l.list), o.fieldLabel(), o.typ, listWord(o.list))
	}
	t.Right = o
	return nil
}

func listWord(list bool) string {
	if list {
		return " (list)"
	}
	return ""
}

func (b *Binder) constants(t *Test, values []string, pos filter.Pos) error {
	t.consts = make([]constant, 0, len(values))
	for _, v := range values {
		b.warnings = append(b.warnings, valueWarnings(t.Op, v, pos)...)
		c, err := parseConstant(v, t.Left.typ, t.Op)
		if t.Left.kind == rawOperand && t.Left.typ == field.Bytes && err == nil {
			err = errorf("wrong parameter type %s", t.Left.typ)
		}
		if err == nil {
			err = t.validate(c.text)
		}
		if err != nil {
			return at(err, pos)
		}
		t.consts = append(t.consts, c)
		if t.Op == Regex {
			re, err := pattern.CompileRegex(c.text)
			if err != nil {
				return at(errorf("%s", err), pos)
			}
			t.exprs = append(t.exprs, re)
		}
	}
	t.prepare()
	return nil
}

// typed says whether the check is decided by the event's type alone.
func (t *Test) typed() bool {
	if t.Right != nil || t.Left == nil || t.Left.kind != fieldOperand || len(t.Left.steps) > 0 {
		return false
	}
	switch t.Left.field {
	case field.EvtType, field.SyscallType, field.EvtDir:
		return true
	}
	return false
}

// validate refuses event types that do not exist.
func (t *Test) validate(text string) error {
	if t.Left.kind != fieldOperand || len(t.Left.steps) > 0 {
		return nil
	}
	switch t.Left.field {
	case field.EvtType:
		if _, ok := field.EventByName(text); !ok {
			err := errorf("unknown event type %s", text)
			err.Hint = didYouMean(field.NearestOf(text, field.EventNames()))
			return err
		}
	case field.EvtAround:
		if t.Op != Eq {
			return errorf("evt.around supports only '=' comparison operator")
		}
	}
	return nil
}

// prepare builds the sets that the operator looks its values up in.
func (t *Test) prepare() {
	switch t.Op {
	case In, Intersects:
		if isText(t.Left.typ) || t.Left.list {
			t.set = make(map[string]struct{}, len(t.consts))
			for _, c := range t.consts {
				t.set[c.text] = struct{}{}
			}
		}
	case PMatch:
		t.pairs = pattern.NewPaths()
		for _, c := range t.consts {
			t.pairs.Add(c.text)
		}
	}
}

func isText(t field.Type) bool {
	switch t {
	case field.Text, field.Bytes, field.Path, field.RelPath, field.SockAddr:
		return true
	}
	return false
}

// comparable says whether op applies to a field of type t.
func comparable(op Op, mod Mod, t field.Type, list bool) error {
	if op == Exists {
		return nil
	}
	fail := func(of string) error {
		if mod != NoMod {
			return errorf("filter error: '%s' with modifier not supported for %s", opName(op), of)
		}
		return errorf("filter error: '%s' operator not supported for %s", opName(op), of)
	}
	if list {
		if op == In || op == Intersects {
			return nil
		}
		return errorf("filter error: '%s' operator not supported list filters", opName(op))
	}
	switch t {
	case field.Text, field.Path, field.RelPath:
		if op == BContains || op == BStartsWith {
			return fail("string filters")
		}
	case field.Bytes:
		switch op {
		case Lt, Le, Gt, Ge, IContains, Glob, IGlob, Regex, PMatch:
			return fail("buffer filters")
		}
	case field.Addr, field.Net:
		if op != Eq && op != Ne && op != In && op != Intersects {
			return fail("ip address and network filters")
		}
	case field.Bool:
		if op != Eq && op != Ne && op != In && op != Intersects {
			return fail("numeric filters")
		}
	case field.SockAddr, field.SockTuple, field.FDList, field.SigSet, field.Dynamic:
		return fail("type '" + t.String() + "'")
	default:
		if op > Ge && op != In && op != Intersects {
			return fail("numeric filters")
		}
	}
	return nil
}

func opName(op Op) string {
	for name, o := range opNames {
		if o == op && name != "==" {
			return name
		}
	}
	return ""
}

const blanks = " \t\n\v\f\r"

// valueWarnings finds literals that look like something else than text.
func valueWarnings(op Op, v string, pos filter.Pos) []Warning {
	var out []Warning
	if op == Regex && plainRegex(v) {
		out = append(out, Warning{pos, OddValue, "regex check with '" + v +
			"' may be optimized with simpler operators such as '=', 'contains', 'startswith', 'endswith'"})
	}
	if !strings.ContainsAny(v, ".(") {
		return out
	}
	bare := v
	if strings.ContainsAny(v, blanks) {
		bare = strings.Map(func(r rune) rune {
			if strings.ContainsRune(blanks, r) {
				return -1
			}
			return r
		}, v)
	}
	known, broken := looksLikeField(bare)
	if known {
		out = append(out, Warning{pos, OddValue, "'" + v + "' may be a valid field misused as a const string value"})
	}
	if broken || !strings.HasSuffix(bare, ")") {
		return out
	}
	for _, t := range append([]string{"val"}, filter.Transformers()...) {
		if strings.HasPrefix(bare, t+"(") {
			out = append(out, Warning{pos, OddValue, "'" + v + "' may be a valid field transformer misused as a const string value"})
		}
	}
	return out
}

// looksLikeField says whether s is the name of a field, and whether it starts like one and then goes wrong.
func looksLikeField(s string) (known, broken bool) {
	name, arg := s, ""
	if i := strings.IndexByte(s, '['); i > 0 && strings.HasSuffix(s, "]") {
		name, arg = s[:i], s[i+1:len(s)-1]
	}
	if _, ok := field.ByName(name); !ok && !strings.HasPrefix(name, "evt.") && !strings.HasPrefix(name, "thread.cgroup.") {
		return false, false
	}
	_, err := ResolveField(name, arg)
	if err == nil {
		return true, false
	}
	e, ok := err.(*Error)
	return false, ok && !e.unknown()
}

func (e *Error) unknown() bool {
	return strings.Contains(e.Msg, "nonexistent field") || strings.Contains(e.Msg, "unknown event type") ||
		strings.Contains(e.Msg, "unknown filter:")
}

// plainRegex says whether a pattern holds nothing special but anchors and leading or trailing wildcards.
func plainRegex(v string) bool {
	for i := 0; i < len(v); i++ {
		if i == 0 && v[i] == '^' || i == len(v)-1 && v[i] == '$' {
			continue
		}
		if (i == 0 && len(v) > 1 || i == len(v)-2) && v[i] == '.' && strings.IndexByte("+*?", v[i+1]) >= 0 {
			i++
			continue
		}
		if strings.IndexByte(`.+*?^$()[]{}|\`, v[i]) >= 0 {
			return false
		}
	}
	return true
}

package match

import (
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// Source says where the text of a simple check comes from.
type Source struct {
	Kind   SourceKind
	Field  field.ID // of FromField and FromList
	Index  int      // of FromList
	Param  string   // of FromParam
	Params []int8   // of FromParam: where it stands, by event type
}

// SourceKind is the kind of a Source.
type SourceKind uint8

// The kinds of sources.
const (
	FromField SourceKind = iota
	FromList             // an item of a list
	FromParam            // evt.arg.NAME
)

// SimpleText is a comparison of text of the event, as it is, with literals.
type SimpleText struct {
	Source Source
	Words  []string          // the literals
	Paths  func(string) bool // of PMatch
}

// SimpleNumber is a comparison of a number of the event with one literal.
type SimpleNumber struct {
	Field field.ID
	Type  field.Type
	Value int64
}

// Key is equal for equal checks.
func (t *Test) Key() string { return t.key }

// Typed says whether the check is decided by the event's type alone.
func (t *Test) Typed() bool { return t.typed() }

// Typed says whether the condition looks at the event's type, or at a parameter that only some types have.
func (n *Node) Typed() bool { return n.typed }

// HasParam says whether events of type t have the parameter that the check compares; true where it compares none.
func (t *Test) HasParam(typ field.EventType) bool {
	return t.Left.kind != paramOperand || t.Left.params == nil || t.Left.params[typ] >= 0
}

// Field is the field that the check compares, without a transformer; false where it is none.
func (t *Test) Field() (field.ID, bool) {
	return t.Left.field, t.Left.kind == fieldOperand && len(t.Left.steps) == 0
}

// Text is the check as a comparison of plain text; false where it is none.
func (t *Test) Text() (SimpleText, bool) {
	if t.Right != nil || t.Mod != NoMod {
		return SimpleText{}, false
	}
	src, ok := sourceOf(t.Left)
	if !ok {
		return SimpleText{}, false
	}
	s := SimpleText{Source: src, Words: make([]string, 0, len(t.consts))}
	for _, c := range t.consts {
		s.Words = append(s.Words, c.text)
	}
	if t.pairs != nil {
		s.Paths = t.pairs.Match
	}
	return s, true
}

// sourceOf finds the source of an operand that is plain text of the event, as it is.
func sourceOf(o *Operand) (Source, bool) {
	if len(o.steps) > 0 || o.list || !isText(o.typ) {
		return Source{}, false
	}
	switch {
	case o.kind == paramOperand && o.params != nil:
		return Source{Kind: FromParam, Param: o.param, Params: o.params}, true
	case o.kind != fieldOperand || o.key != "" || isTimeText(o.field):
		return Source{}, false
	case o.index >= 0:
		switch o.field {
		case field.ProcAname, field.ProcAexe, field.ProcAexepath, field.ProcAcmdline, field.ProcAargs, field.FDTypes, field.ProcArgs:
			return Source{Kind: FromList, Field: o.field, Index: o.index}, true
		}
		return Source{}, false
	}
	if event.IsList(o.field) { // ancestors, and text that may have to be put together from a list
		return Source{}, false
	}
	return Source{Field: o.field}, true
}

// Number is the check as a comparison of a plain number with one literal; false where it is none.
func (t *Test) Number() (SimpleNumber, bool) {
	o := t.Left
	if t.Right != nil || t.Mod != NoMod || o.kind != fieldOperand || o.index >= 0 || o.key != "" || len(o.steps) > 0 ||
		!o.typ.Numeric() || t.Op == Exists || t.Op > Ge || len(t.consts) != 1 {
		return SimpleNumber{}, false
	}
	switch o.field {
	case field.FDPort, field.FDProto, field.ProcAPID:
		return SimpleNumber{}, false
	}
	return SimpleNumber{o.field, o.typ, t.consts[0].num}, true
}

// Literals is the number of literals on the right-hand side.
func (t *Test) Literals() int { return len(t.consts) }

// CompareText applies an operator to a text and a literal; sets, paths and patterns are not for it.
func CompareText(op Op, s, literal string) bool { return compareText(op, s, literal) }

// CompareNumber applies an operator to two numbers of a type.
func CompareNumber(op Op, t field.Type, a, b int64) bool { return compareNumber(op, t, a, b) }

// FieldNumber is the value of a numeric field, with those that follow from others.
func FieldNumber(e *event.Event, id field.ID) (int64, bool) { return number(id, e) }

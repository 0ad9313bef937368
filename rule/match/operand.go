package match

import (
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
)

// Operand is what a check compares: a field of the event, a literal, or a transformer applied to operands.
type Operand struct {
	kind  operandKind
	field field.ID
	index int    // [N], -1 for none
	key   string // [NAME], "" for none
	param string // evt.arg.NAME, evt.rawarg.NAME
	lit   string
	args  []*Operand // of concat, join, getopt, and the items of a list
	steps []step     // transformers with one operand, innermost first
	opt   byte       // getopt(...)[c], 0 for none

	typ      field.Type // after the steps
	list     bool
	baseType field.Type // before the steps
	baseList bool
	params   []int8 // index of param by event type, -1 where the event has none such
}

type operandKind uint8

const (
	fieldOperand  operandKind = iota
	paramOperand              // evt.arg
	rawOperand                // evt.rawarg
	literal                   // a literal inside a transformer
	literalList               // (a, b) inside a transformer
	concatOperand             // concat(a, b, ...)
	joinOperand               // join(separator, list)
	getoptOperand             // getopt(list, options)
)

type step uint8

const (
	toLower step = iota
	toUpper
	base64Decode
	baseName
	length
)

var stepNames = map[string]step{"tolower": toLower, "toupper": toUpper, "b64": base64Decode, "basename": baseName, "len": length}

// Name is the field as it is written, with its argument, or the transformer's text.
func (o *Operand) Name() string {
	switch o.kind {
	case paramOperand, rawOperand:
		base := "evt.arg"
		if o.kind == rawOperand {
			base = "evt.rawarg"
		}
		if o.param != "" {
			return base + "." + o.param
		}
		return base + "[" + strconv.Itoa(o.index) + "]"
	case fieldOperand:
		name := o.field.Info().Name
		switch {
		case o.field == field.ThreadCgroup:
			return name + "." + o.key
		case o.key != "":
			return name + "[" + o.key + "]"
		case o.index >= 0:
			return name + "[" + strconv.Itoa(o.index) + "]"
		}
		return name
	}
	return "<transformer>"
}

// fieldLabel is the field's own name, as Falco's messages have it.
func (o *Operand) fieldLabel() string {
	switch o.kind {
	case fieldOperand:
		return o.field.Info().Name
	case paramOperand:
		return "evt.arg"
	case rawOperand:
		return "evt.rawarg"
	}
	return "transformer"
}

func (o *Operand) flags() field.Flag {
	switch o.kind {
	case fieldOperand:
		return o.field.Info().Flags
	case rawOperand:
		return field.NoRight | field.NoTransform
	}
	return 0
}

// Fields calls visit for every event field below the operand.
func (o *Operand) Fields(visit func(*Operand)) {
	switch o.kind {
	case fieldOperand, paramOperand, rawOperand:
		visit(o)
	}
	for _, a := range o.args {
		a.Fields(visit)
	}
}

// ResolveField finds the field that name and arg mean. hasArg is whether a non-empty argument stood in brackets.
func ResolveField(name, arg string) (*Operand, error) {
	id, ok := field.ByName(name)
	if !ok {
		return resolveDotted(name, arg)
	}
	info := id.Info()
	o := &Operand{kind: fieldOperand, field: id, index: -1, typ: info.Type, list: info.Flags&field.List != 0}
	var err error
	if arg == "" {
		err = o.withoutArg(info)
	} else {
		err = o.withArg(info, arg)
	}
	o.baseType, o.baseList = o.typ, o.list
	return o, err
}

func (o *Operand) withoutArg(info *field.Info) error {
	switch info.Arg {
	case field.ArgRequired:
		return errorf("filter '%s': %s requires an argument but none provided", info.Name, info.Name)
	case field.ArgEvent, field.ArgSubsystem, field.ArgNumber:
		return errorf("filter syntax error: %s", info.Name)
	}
	return nil
}

func (o *Operand) withArg(info *field.Info, arg string) error {
	full := info.Name + "[" + arg + "]"
	switch info.Arg {
	case field.ArgNone:
		if info.Flags&field.Plugin != 0 {
			return errorf("filter '%s': %s does not allow nor require an argument but one is provided: %s", full, info.Name, arg)
		}
		return unknownField(full)
	case field.ArgPath:
		return unknownField(full)
	case field.ArgSubsystem:
		return errorf("filter syntax error: %s", full)
	case field.ArgNumber:
		if o.field != field.EvtAround {
			return errorf("filter syntax error: %s", full)
		}
		if !isDigits(arg) {
			return errorf("%s is not a valid number", arg)
		}
		o.key = arg
	case field.ArgIndex:
		n, ok := parseIndex(arg)
		if !ok {
			return unknownField(full)
		}
		o.index = n
	case field.ArgKey, field.ArgRequired:
		if n, ok := parseIndex(arg); ok && isDigits(arg) {
			o.index = n
		} else {
			o.key = arg
		}
	case field.ArgEvent:
		return o.eventArg(info, arg)
	}
	return nil
}

// eventArg makes the operand evt.arg[N].
func (o *Operand) eventArg(info *field.Info, arg string) error {
	if o.field == field.EvtRawarg {
		return errorf("evt.arg fields must be expressed explicitly")
	}
	n, ok := parseIndex(arg)
	if !ok {
		return errorf("%s is not a valid number", arg)
	}
	o.kind, o.index, o.typ = paramOperand, n, field.Text
	return nil
}

// resolveDotted finds fields whose argument follows a dot.
func resolveDotted(name, arg string) (*Operand, error) {
	full := name
	if arg != "" {
		full += "[" + arg + "]"
	}
	if rest, ok := strings.CutPrefix(name, "evt.arg."); ok {
		return resolveParam(paramOperand, rest, arg, full)
	}
	if rest, ok := strings.CutPrefix(name, "evt.rawarg."); ok {
		return resolveParam(rawOperand, rest, arg, full)
	}
	if arg == "" {
		switch name {
		case "evt.abspath.src", "evt.abspath.dst":
			return &Operand{kind: fieldOperand, field: field.EvtAbspath, index: -1, key: name[len("evt.abspath."):], typ: field.Text, baseType: field.Text}, nil
		}
		if sub, ok := strings.CutPrefix(name, "thread.cgroup."); ok && strings.Trim(sub, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
			return &Operand{kind: fieldOperand, field: field.ThreadCgroup, index: -1, key: sub, typ: field.Text, baseType: field.Text}, nil
		}
		if strings.HasPrefix(name, "evt.type.is.") || strings.HasPrefix(name, "evt.around.") {
			return nil, errorf("filter syntax error: %s", full)
		}
	}
	return nil, unknownField(full)
}

func resolveParam(kind operandKind, name, arg, full string) (*Operand, error) {
	p, ok := field.ParamByPrefix(name)
	if !ok {
		err := errorf("unknown event argument %s", name)
		err.Hint = didYouMean(field.NearestOf(name, field.ParamNames()))
		return nil, err
	}
	if p.Name != name || arg != "" {
		return nil, unknownField(full)
	}
	return newParam(kind, p), nil
}

func newParam(kind operandKind, p field.Param) *Operand {
	o := &Operand{kind: kind, index: -1, param: p.Name, typ: field.Text}
	if kind == rawOperand {
		o.typ = p.Type
	}
	o.baseType = o.typ
	o.params = field.ParamIndexes(p.Name)
	return o
}

func unknownField(full string) *Error {
	err := errorf("filter_check called with nonexistent field %s", full)
	name, _, _ := strings.Cut(full, "[")
	if near := field.Nearest(name); near != name {
		err.Hint = didYouMean(near)
	} else {
		err.Hint = "the field takes no such argument"
	}
	return err
}

func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}

// parseIndex reads an index as Falco does: any number that fits, values too large are cut.
func parseIndex(s string) (int, bool) {
	n, ok := scanSigned(s)
	if !ok {
		return 0, false
	}
	return int(max(min(n, 1<<31-1), -1<<31)), true
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// resolve makes an operand of a field, a transformer or a literal inside one.
func resolve(e filter.Expr) (*Operand, error) {
	switch e := e.(type) {
	case *filter.Field:
		o, err := ResolveField(e.Name, e.Arg)
		return o, at(err, e.At)
	case *filter.Value:
		return &Operand{kind: literal, index: -1, lit: e.Text, typ: field.Text, baseType: field.Text}, nil
	case *filter.CallList:
		args, err := resolveAll(e.Args)
		return &Operand{kind: literalList, index: -1, args: args, typ: field.Text, list: true, baseType: field.Text, baseList: true}, err
	case *filter.Call:
		o, err := resolveCall(e)
		return o, at(err, e.At)
	}
	return nil, at(errorf("filter error: unexpected operand"), e.Position())
}

func resolveAll(list []filter.Expr) ([]*Operand, error) {
	out := make([]*Operand, 0, len(list))
	for _, e := range list {
		o, err := resolve(e)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

func resolveCall(c *filter.Call) (*Operand, error) {
	args, err := resolveAll(c.Args)
	if err != nil {
		return nil, err
	}
	if len(args) > 1 {
		return multi(c, args)
	}
	if c.HasArg {
		return nil, errorf("filter error: transformer '%s' does not support field arguments", c.Name)
	}
	if c.Name == "val" {
		return args[0], nil
	}
	s, ok := stepNames[c.Name]
	if !ok {
		return nil, errorf("unknown field transfomer '%s'", c.Name)
	}
	return args[0].apply(s, c.Name)
}

// apply adds a transformer, where the type allows it.
func (o *Operand) apply(s step, name string) (*Operand, error) {
	if o.flags()&field.NoTransform != 0 {
		return nil, errorf("field '%s' does not support transformers", o.fieldLabel())
	}
	text := o.typ == field.Text || o.typ == field.Path || o.typ == field.RelPath
	ok := text
	switch s {
	case base64Decode:
		ok = o.typ == field.Text || o.typ == field.Bytes
	case length:
		ok = o.list || text || o.typ == field.Bytes
	}
	if !ok {
		of := "field"
		if o.list {
			of = "list field"
		}
		return nil, errorf("can't add field transformer: type '%s' is not supported by '%s' transformer applied on %s '%s'",
			o.typ, name, of, o.fieldLabel())
	}
	if s == length {
		o.typ, o.list = field.Uint64, false
	}
	o.steps = append(o.steps, s)
	return o, nil
}

// multi makes concat, join or getopt of two or more operands.
func multi(c *filter.Call, args []*Operand) (*Operand, error) {
	o := &Operand{index: -1, args: args, typ: field.Text, baseType: field.Text}
	switch c.Name {
	case "concat":
		o.kind = concatOperand
		for _, a := range args {
			if a.baseType != field.Text || a.baseList {
				return nil, errorf("concat() arguments must be strings")
			}
		}
	case "join":
		o.kind = joinOperand
		if len(args) != 2 {
			return nil, errorf("join() requires exactly 2 arguments: separator and list")
		}
		if args[0].baseList {
			return nil, errorf("join() first argument (separator) must be a single value, not a list")
		}
		if !args[1].baseList {
			return nil, errorf("join() second argument must be a list")
		}
	case "getopt":
		o.kind = getoptOperand
		if err := o.checkGetopt(c); err != nil {
			return nil, err
		}
	default:
		return nil, errorf("the transformer '%s' takes one operand", c.Name)
	}
	if c.HasArg && o.kind != getoptOperand {
		return nil, errorf("transformer '%s' does not support field arguments", c.Name)
	}
	return o, nil
}

func (o *Operand) checkGetopt(c *filter.Call) error {
	a := o.args
	switch {
	case len(a) != 2:
		return errorf("getopt() requires exactly 2 arguments: args list and optstring")
	case !a[0].baseList:
		return errorf("getopt() first argument must be a list")
	case a[1].baseList:
		return errorf("getopt() second argument (optstring) must be a single value")
	case a[0].baseType != field.Text || a[1].baseType != field.Text:
		return errorf("getopt() arguments must be strings")
	case !c.HasArg:
		o.list = true
	case len(c.Arg) != 1:
		return errorf("getopt() field argument must be a single option character")
	default:
		o.opt = c.Arg[0]
	}
	return nil
}

// ResolveOperand finds the field, or the transformer of fields, that e means.
func ResolveOperand(e filter.Expr) (*Operand, error) { return resolve(e) }

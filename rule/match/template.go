package match

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
)

// Template is an output text with fields in it: "opened %fd.name by %toupper(proc.name)".
type Template struct {
	text  string
	parts []templatePart
}

type templatePart struct {
	lit   string   // text before the operand
	op    *Operand // nil at the end of the template
	name  string   // the operand as it is written
	width int      // pads with blanks or cuts to so many bytes; 0 leaves the value as it is
}

// ParseTemplate reads an output text. A percent sign starts a field, the longest one whose name fits; what follows the
// name and is no argument is text. There is no way to write a percent sign itself.
func ParseTemplate(text string) (*Template, error) {
	t := &Template{text: text}
	// A leading star means that fields without a value are shown as <NA>; without it they are shown so as well.
	rest := strings.TrimPrefix(text, "*")
	for {
		lit, after, found := strings.Cut(rest, "%")
		if !found {
			t.parts = append(t.parts, templatePart{lit: rest})
			return t, nil
		}
		p := templatePart{lit: lit}
		digits := after
		after = strings.TrimLeft(after, "0123456789")
		p.width, _ = strconv.Atoi(digits[:len(digits)-len(after)])
		p.width = min(p.width, maxWidth)
		n, err := p.read(after)
		if err != nil {
			return nil, at(err, filter.Pos{Offset: len(text) - len(after)})
		}
		p.name = after[:n]
		t.parts = append(t.parts, p)
		rest = after[n:]
	}
}

const maxWidth = 4096

// read reads the operand at the start of s, and says how long it is.
func (p *templatePart) read(s string) (int, error) {
	id, ok := field.LongestPrefix(s)
	if ok {
		name := id.Info().Name
		arg, n := templateArg(id, s[len(name):])
		o, err := resolveTemplate(name, s[len(name):], arg, &n)
		p.op = o
		return len(name) + n, outputError(err, s)
	}
	e, n, err := filter.ParseOperand(s)
	if err == nil {
		if _, isField := e.(*filter.Field); isField {
			_, err = resolve(e)
		} else {
			p.op, err = resolve(e)
		}
	}
	return n, outputError(err, s)
}

func outputError(err error, s string) error {
	if err == nil {
		return nil
	}
	e := errorf("unknown filter: unexpected token after '%s'", clip(s, 40))
	e.Hint = err.Error()
	if inner, ok := err.(*Error); ok && inner.Hint != "" {
		e.Hint = inner.Hint
	}
	return e
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}

// templateArg finds an argument in brackets after a field that may have one, and the bytes it takes. An argument that
// does not fit is no argument.
func templateArg(id field.ID, s string) (arg string, n int) {
	rule := id.Info().Arg
	if rule != field.ArgIndex && rule != field.ArgKey && rule != field.ArgRequired && rule != field.ArgEvent {
		return "", 0
	}
	inner, ok := strings.CutPrefix(s, "[")
	if !ok {
		return "", 0
	}
	arg, _, ok = strings.Cut(inner, "]")
	if !ok || arg == "" {
		return "", 0
	}
	if _, isIndex := parseIndex(arg); rule == field.ArgIndex && !isIndex {
		return "", 0
	}
	return arg, len(arg) + 2
}

// resolveTemplate resolves a field with what follows it; n grows by a dotted argument.
func resolveTemplate(name, rest, arg string, n *int) (*Operand, error) {
	after, dotted := strings.CutPrefix(rest, ".")
	switch {
	case !dotted:
	case name == "evt.arg" || name == "evt.rawarg":
		p, ok := field.ParamByPrefix(after)
		if !ok {
			return nil, errorf("unknown event argument %s", clip(after, 40))
		}
		*n = 1 + len(p.Name)
		return ResolveField(name+"."+p.Name, "")
	case name == "evt.abspath":
		for _, end := range []string{".src", ".dst"} {
			if strings.HasPrefix(rest, end) {
				*n = len(end)
				return ResolveField(name+end, "")
			}
		}
	case name == "thread.cgroup":
		k := 0
		for k < len(after) && (after[k]|0x20 >= 'a' && after[k]|0x20 <= 'z' || after[k] == '_') {
			k++
		}
		*n = 1 + k
		return ResolveField(name+"."+after[:k], "")
	}
	return ResolveField(name, arg)
}

// Operands lists the fields of the template in the order of the text, with how they are written.
func (t *Template) Operands(visit func(name string, o *Operand)) {
	for i := range t.parts {
		if t.parts[i].op != nil {
			visit(t.parts[i].name, t.parts[i].op)
		}
	}
}

// AppendText writes the output for e. A field without a value is <NA>.
func (t *Template) AppendText(dst []byte, e *event.Event, s *Scratch) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		dst = append(dst, p.lit...)
		if p.op == nil {
			continue
		}
		start := len(dst)
		v, ok := p.op.value(e, s)
		if ok {
			dst = p.op.appendValue(dst, &v)
		} else {
			dst = append(dst, "<NA>"...)
		}
		if p.width > 0 {
			for len(dst)-start < p.width {
				dst = append(dst, ' ')
			}
			dst = dst[:start+p.width]
		}
	}
	return dst
}

// appendValue writes a value as text.
func (o *Operand) appendValue(dst []byte, v *value) []byte {
	switch {
	case o.list:
		dst = append(dst, '(')
		dst = append(dst, strings.Join(v.list, ",")...)
		return append(dst, ')')
	case o.typ == field.Bytes:
		return appendDots(dst, v.text)
	case isText(o.typ):
		return appendPrintable(dst, v.text)
	case o.typ == field.Addr || o.typ == field.Net:
		return v.addr.AppendTo(dst)
	case o.typ == field.Bool:
		return strconv.AppendBool(dst, v.num != 0)
	case o.inHex():
		return append(dst, strings.ToUpper(strconv.FormatUint(uint64(truncate(v.num, o.typ)), 16))...)
	case o.typ == field.Mode:
		return strconv.AppendUint(append(dst, '0'), uint64(truncate(v.num, o.typ)), 8)
	case o.typ.Signed():
		return strconv.AppendInt(dst, v.num, 10)
	}
	return strconv.AppendUint(dst, uint64(truncate(v.num, o.typ)), 10)
}

// Value is the operand's value as a field of an alert: a number, true or false, text, or null where there is none. The
// event's time is a number there, whatever its form in the text.
func (o *Operand) Value(e *event.Event, s *Scratch) falco.Value {
	if o.kind == fieldOperand && len(o.steps) == 0 && (o.field == field.EvtTime || o.field == field.EvtTimeIso8601) && e.Time != 0 {
		return falco.Value{Kind: falco.Number, Text: strconv.FormatInt(e.Time, 10)}
	}
	v, ok := o.value(e, s)
	if !ok {
		if len(o.steps) == 0 && (o.field == field.ProcEnv && o.key != "" || o.field == field.ProcArgs && o.index >= 0) && e.HasList(o.field) {
			return falco.Value{Kind: falco.String} // Falco reports the variable or argument as empty, not as null
		}
		return falco.Value{}
	}
	if o.list {
		return falco.Value{Kind: falco.JSON, Text: jsonList(v.list)}
	}
	if raw, ok := o.rawValue(e); ok {
		return raw
	}
	text := string(o.appendValue(nil, &v))
	switch {
	case o.typ == field.Bool:
		return falco.Value{Kind: falco.Bool, Text: text}
	case o.inHex() || o.typ == field.Mode:
		return falco.Value{Kind: falco.String, Text: text}
	case o.typ.Numeric():
		return falco.Value{Kind: falco.Number, Text: text}
	}
	return falco.Value{Kind: falco.String, Text: text}
}

// hexParams are parameters of event types that are no flags and whose raw value Falco shows in hexadecimal all the same.
var hexParams = map[string]string{
	"request": "ioctl", "mask": "signalfd signalfd4", "flags": "accept4", "addr": "mmap munmap mprotect brk mlock munlock mlock2",
}

// rawValue is the raw value of a parameter as a field of an alert. A condition takes the parameter's type from the first
// event type that has it; what is reported has the type that it has in this one.
func (o *Operand) rawValue(e *event.Event) (falco.Value, bool) {
	if o.kind != rawOperand || len(o.steps) > 0 || o.params == nil {
		return falco.Value{}, false
	}
	i := int(o.params[e.Type])
	a := e.Arg(i)
	if !a.HasNum {
		return falco.Value{}, false
	}
	if slices.Contains(strings.Fields(hexParams[o.param]), e.Type.String()) {
		return falco.Value{Kind: falco.String, Text: strings.ToUpper(strconv.FormatUint(uint64(a.Num), 16))}, true
	}
	here := Operand{typ: e.Type.Info().Params[i].Type}
	kind := falco.Number
	if here.inHex() || here.typ == field.Mode {
		kind = falco.String
	}
	return falco.Value{Kind: kind, Text: string(here.appendValue(nil, &value{num: a.Num, text: a.Text}))}, true
}

func (o *Operand) inHex() bool {
	return o.typ == field.Flags8 || o.typ == field.Flags16 || o.typ == field.Flags32
}

// appendDots writes bytes as Falco shows them: a dot for each that is no ASCII letter, digit, sign or blank.
func appendDots(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			dst = append(dst, '.')
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// appendPrintable writes text as Falco shows it: each control character, and each byte that is not UTF-8, is U+FFFD.
func appendPrintable(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		n := 1
		if c := s[i]; c >= utf8.RuneSelf {
			var r rune
			if r, n = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		} else if c >= ' ' && c != 0x7f {
			i++
			continue
		}
		dst = append(append(dst, s[start:i]...), "\uFFFD"...)
		i += n
		start = i
	}
	return append(dst, s[start:]...)
}

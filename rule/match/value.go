package match

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/pattern"
)

// value is a field's or transformer's value; which member counts follows from the operand's type.
type value struct {
	text string
	num  int64
	addr netip.Addr
	list []string
}

// Scratch is memory for the results of transformers, so that evaluation allocates nothing once it has grown. It is for
// one goroutine; Reset it before each event.
type Scratch struct {
	buf  []byte
	list []string
}

// Reset forgets the results of the last event, whose strings must not be used any more.
func (s *Scratch) Reset() {
	s.buf = s.buf[:0]
	s.list = s.list[:0]
}

// hold is the text appended to buf from start on, without a copy: buf is only appended to until the next Reset, and a
// buf that grows leaves the old one to the strings in it.
func (s *Scratch) hold(start int) string {
	if start == len(s.buf) {
		return ""
	}
	return unsafe.String(&s.buf[start], len(s.buf)-start)
}

// value extracts the operand from e and applies its transformers.
func (o *Operand) value(e *event.Event, s *Scratch) (value, bool) {
	v, ok := o.base(e, s)
	for _, st := range o.steps {
		if !ok {
			return v, false
		}
		v, ok = applyStep(st, v, v.list != nil, s)
	}
	return v, ok
}

func (o *Operand) base(e *event.Event, s *Scratch) (v value, ok bool) {
	switch o.kind {
	case literal:
		return value{text: o.lit}, true
	case literalList:
		return o.items(e, s)
	case concatOperand:
		return o.concat(e, s)
	case joinOperand:
		return o.join(e, s)
	case getoptOperand:
		return o.getopt(e, s)
	case paramOperand:
		a := o.arg(e)
		return value{text: a.Text}, a.Set
	case rawOperand:
		a := o.arg(e)
		if isText(o.typ) {
			return value{text: a.Text}, a.Set
		}
		return value{num: a.Num}, a.HasNum
	}
	return o.fieldValue(e, s)
}

func (o *Operand) arg(e *event.Event) *event.Arg {
	if o.params == nil {
		return e.Arg(o.index)
	}
	return e.Arg(int(o.params[e.Type]))
}

func (o *Operand) fieldValue(e *event.Event, s *Scratch) (v value, ok bool) {
	switch o.baseType {
	case field.Text, field.Bytes:
		if o.index >= 0 || o.key != "" {
			v.text, ok = o.element(e)
			return v, ok
		}
		if o.baseList {
			v.list, ok = e.List(o.field)
			if v.list == nil {
				v.list = noItems
			}
			return v, ok
		}
		if isTimeText(o.field) {
			v.text = timeText(o.field, e, s)
			return v, e.Time != 0
		}
		v.text, ok = e.Text(o.field)
		if !ok {
			v.text, ok = o.joined(e, s)
		}
		return v, ok
	case field.Addr, field.Net:
		v.addr, ok = e.Addr(o.field)
		return v, ok
	}
	if o.index >= 0 { // proc.apid[N]
		text, found := o.element(e)
		if !found {
			return v, false
		}
		v.num, ok = scanSigned(text)
		return v, ok
	}
	v.num, ok = number(o.field, e)
	return v, ok
}

var noItems = []string{}

// number answers fields that the event holds outside of its numbers as well.
func number(id field.ID, e *event.Event) (int64, bool) {
	if n, ok := e.Number(id); ok {
		return n, true
	}
	switch id {
	case field.EvtNum:
		return int64(e.Num), e.Num != 0
	case field.EvtRawtime:
		return e.Time, e.Time != 0
	case field.EvtRawtimeS:
		return e.Time / 1e9, e.Time != 0
	case field.EvtRawtimeNS:
		return e.Time % 1e9, e.Time != 0
	case field.EvtCount:
		return 1, true
	case field.EvtIsAsync:
		return 0, true
	case field.EvtFailed:
		n, ok := e.Number(field.EvtRawres)
		return b2i(n < 0), ok
	}
	return 0, false
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// element is the item [N] or [NAME] of a field that has a list.
func (o *Operand) element(e *event.Event) (string, bool) {
	id := o.field
	switch id {
	case field.ContainerLabel:
		id = field.ContainerLabels
	case field.K8sPodLabel:
		id = field.K8sPodLabels
	case field.K8sNSLabel:
		id = field.K8sNSLabels
	case field.K8sRCLabel:
		id = field.K8sRCLabels
	case field.K8sSvcLabel:
		id = field.K8sSvcLabels
	case field.K8sRSLabel:
		id = field.K8sRSLabels
	case field.K8sDeploymentLabel:
		id = field.K8sDeploymentLabels
	case field.ThreadCgroup:
		id = field.ThreadCgroups
	case field.ContainerMount, field.ContainerMountSource, field.ContainerMountDest, field.ContainerMountMode,
		field.ContainerMountRdwr, field.ContainerMountPropagation:
		return o.mount(e)
	}
	items, ok := e.List(id)
	if !ok {
		return "", false
	}
	if o.index >= 0 {
		if o.index >= len(items) {
			return "", false
		}
		return items[o.index], true
	}
	if id == field.ProcAenv {
		return ancestorEnv(items, o.key)
	}
	return lookup(items, o.key)
}

func lookup(items []string, key string) (string, bool) {
	for _, s := range items {
		if len(s) > len(key) && s[len(key)] == '=' && s[:len(key)] == key {
			return s[len(key)+1:], true
		}
	}
	return "", false
}

// ancestorEnv finds a variable in the environments of the ancestors, nearest first.
func ancestorEnv(envs []string, key string) (string, bool) {
	for i := 1; i < len(envs); i++ {
		for env := envs[i]; env != ""; {
			word, rest, _ := strings.Cut(env, " ")
			if v, ok := strings.CutPrefix(word, key); ok && strings.HasPrefix(v, "=") {
				return v[1:], true
			}
			env = rest
		}
	}
	return "", false
}

// mount answers container.mount and its kin: the mount [N], or the first whose source (destination, for
// container.mount.source) the glob [NAME] matches.
func (o *Operand) mount(e *event.Event) (string, bool) {
	items, _ := e.List(field.ContainerMounts)
	for i, m := range items {
		if o.index >= 0 && i != o.index {
			continue
		}
		part, rest := [5]string{}, m
		for k := range part {
			part[k], rest, _ = strings.Cut(rest, ":")
		}
		by := part[0]
		if o.field == field.ContainerMountSource {
			by = part[1]
		}
		if o.index < 0 && !pattern.Glob(o.key, by, false) {
			continue
		}
		switch o.field {
		case field.ContainerMountSource:
			return part[0], true
		case field.ContainerMountDest:
			return part[1], true
		case field.ContainerMountMode:
			return part[2], true
		case field.ContainerMountRdwr:
			return part[3], true
		case field.ContainerMountPropagation:
			return part[4], true
		}
		return m, true
	}
	return "", false
}

// joined is the text of a field that only has its list.
func (o *Operand) joined(e *event.Event, s *Scratch) (string, bool) {
	items, ok := e.List(o.field)
	if !ok {
		return "", false
	}
	switch o.field {
	case field.ProcArgs, field.ProcEnv, field.ThreadCgroups:
		return s.joinText(items, " "), true
	case field.ContainerMounts:
		return s.joinText(items, ","), true
	case field.ContainerLabels, field.K8sPodLabels, field.K8sNSLabels, field.K8sRCLabels, field.K8sSvcLabels,
		field.K8sRSLabels, field.K8sDeploymentLabels:
		start := len(s.buf)
		for i, l := range items {
			if i > 0 {
				s.buf = append(s.buf, ", "...)
			}
			name, val, _ := strings.Cut(l, "=")
			s.buf = append(append(append(s.buf, name...), ':'), val...)
		}
		return s.hold(start), true
	}
	if len(items) == 0 {
		return "", false
	}
	return items[0], true // an ancestor field without index, in an output
}

func (s *Scratch) joinText(items []string, sep string) string {
	start := len(s.buf)
	for i, t := range items {
		if i > 0 {
			s.buf = append(s.buf, sep...)
		}
		s.buf = append(s.buf, t...)
	}
	return s.hold(start)
}

func applyStep(st step, v value, list bool, s *Scratch) (value, bool) {
	if st == length {
		if list {
			return value{num: int64(len(v.list))}, true
		}
		return value{num: int64(len(v.text))}, true
	}
	if !list {
		text, ok := transform(st, v.text, s)
		return value{text: text}, ok
	}
	start := len(s.list)
	for _, item := range v.list {
		text, ok := transform(st, item, s)
		if !ok {
			return v, false
		}
		s.list = append(s.list, text)
	}
	return value{list: s.list[start:len(s.list):len(s.list)]}, true
}

func transform(st step, text string, s *Scratch) (string, bool) {
	start := len(s.buf)
	switch st {
	case baseName:
		return text[strings.LastIndexByte(text, '/')+1:], true
	case toLower, toUpper:
		s.buf = append(s.buf, text...)
		for i, c := range s.buf[start:] {
			if st == toLower {
				s.buf[start+i] = lowerByte(c)
			} else if c >= 'a' && c <= 'z' {
				s.buf[start+i] = c - 'a' + 'A'
			}
		}
		return s.hold(start), true
	}
	need := base64.StdEncoding.DecodedLen(len(text))
	s.buf = append(s.buf, make([]byte, need)...)
	n, err := base64.StdEncoding.Decode(s.buf[start:], []byte(text))
	s.buf = s.buf[:start+max(n, 0)]
	return s.hold(start), err == nil
}

// asText is an operand's value as text, for concat and join.
func (o *Operand) asText(e *event.Event, s *Scratch) (string, bool) {
	v, ok := o.value(e, s)
	if !ok || isText(o.typ) {
		return v.text, ok
	}
	start := len(s.buf)
	if o.typ.Signed() || !o.typ.Numeric() {
		s.buf = strconv.AppendInt(s.buf, v.num, 10)
	} else {
		s.buf = strconv.AppendUint(s.buf, uint64(v.num), 10)
	}
	return s.hold(start), true
}

func (o *Operand) items(e *event.Event, s *Scratch) (value, bool) {
	list := make([]string, 0, len(o.args))
	for _, a := range o.args {
		t, ok := a.asText(e, s)
		if !ok {
			return value{}, false
		}
		list = append(list, t)
	}
	return value{list: list}, true
}

func (o *Operand) concat(e *event.Event, s *Scratch) (value, bool) {
	parts := make([]string, 0, 8)
	for _, a := range o.args {
		t, ok := a.asText(e, s)
		if !ok {
			return value{}, false
		}
		parts = append(parts, t)
	}
	return value{text: s.joinText(parts, "")}, true
}

func (o *Operand) join(e *event.Event, s *Scratch) (value, bool) {
	sep, ok := o.args[0].asText(e, s)
	if !ok {
		return value{}, false
	}
	v, ok := o.args[1].value(e, s)
	if !ok {
		return value{}, false
	}
	return value{text: s.joinText(v.list, sep)}, true
}

// getopt walks over a list of arguments as getopt(3) does. With a chosen option the value is the option's last argument,
// or its letter where it takes none; without, it is the list of all letters and arguments.
func (o *Operand) getopt(e *event.Event, s *Scratch) (value, bool) {
	opts, ok := o.args[1].asText(e, s)
	if !ok {
		return value{}, false
	}
	v, ok := o.args[0].value(e, s)
	if !ok {
		return value{}, false
	}
	g := getoptRun{opts: strings.TrimPrefix(opts, ":"), args: v.list, chosen: o.opt}
	g.run()
	if o.opt != 0 {
		return value{text: g.last}, g.found
	}
	if g.out == nil {
		g.out = noItems
	}
	return value{list: g.out}, true
}

type getoptRun struct {
	opts   string
	args   []string
	chosen byte
	out    []string
	last   string
	found  bool
}

func (g *getoptRun) run() {
	for i := 0; i < len(g.args); i++ {
		a := g.args[i]
		if a == "--" || len(a) < 2 || a[0] != '-' {
			return
		}
		if a[1] == '-' {
			continue
		}
		i += g.cluster(a, g.args[i+1:])
	}
}

// cluster reads the letters of one argument, and says how many following arguments it used.
func (g *getoptRun) cluster(a string, next []string) int {
	for i := 1; i < len(a); i++ {
		at := strings.IndexByte(g.opts, a[i])
		if a[i] == ':' || at < 0 {
			if g.chosen == 0 {
				g.out = append(g.out, "?")
			}
			continue
		}
		letter := a[i : i+1]
		if at+1 >= len(g.opts) || g.opts[at+1] != ':' {
			g.emit(a[i], letter, "", false)
			continue
		}
		switch {
		case i+1 < len(a):
			g.emit(a[i], letter, a[i+1:], true)
		case len(next) > 0:
			g.emit(a[i], letter, next[0], true)
			return 1
		default:
			g.emit(a[i], "", "", false)
		}
		return 0
	}
	return 0
}

func (g *getoptRun) emit(opt byte, name, arg string, hasArg bool) {
	if g.chosen != 0 {
		if opt == g.chosen {
			g.last, g.found = name, true
			if hasArg {
				g.last = arg
			}
		}
		return
	}
	g.out = append(g.out, name)
	if hasArg {
		g.out = append(g.out, arg)
	}
}

package event

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// Parse reads an event of the text format into e, which is reset:
//
//	openat fd.name=/etc/shadow proc.name=cat user.uid=0 evt.arg.flags=O_RDONLY proc.aname=[cat bash sshd]
//
// First the type, then NAME=VALUE in any order, parted by blanks. A value with blanks, quotes or brackets at its start
// stands in double quotes with Go's escapes; a list stands in brackets. A field without a value is left out. Parameters
// are evt.arg.NAME, and evt.rawarg.NAME for the number beside the text. evt.time is RFC 3339 or nanoseconds.
func Parse(text string, e *Event) error {
	s := scanner{rest: text}
	word, err := s.word("")
	if err != nil {
		return err
	}
	t, ok := field.EventByName(word)
	if !ok {
		if near := field.NearestOf(word, field.EventNames()); near != "" {
			return fmt.Errorf("unknown event type %q: did you mean %s?", word, near)
		}
		return fmt.Errorf("unknown event type %q", word)
	}
	e.Reset(t)
	for {
		s.space()
		if s.rest == "" {
			return nil
		}
		name, rest, ok := strings.Cut(s.rest, "=")
		if !ok || strings.ContainsAny(name, " \t\n") {
			return fmt.Errorf("expected NAME=VALUE at %q", clip(s.rest))
		}
		s.rest = rest
		if err := s.assign(name, e); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func clip(s string) string {
	if len(s) > 24 {
		return s[:24]
	}
	return s
}

type scanner struct{ rest string }

func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

// word reads a quoted string or a run of characters up to a blank or one of stop.
func (s *scanner) word(stop string) (string, error) {
	s.space()
	if strings.HasPrefix(s.rest, `"`) {
		q, err := strconv.QuotedPrefix(s.rest)
		if err != nil {
			return "", fmt.Errorf("a quoted value does not end at %q", clip(s.rest))
		}
		s.rest = s.rest[len(q):]
		return strconv.Unquote(q)
	}
	n := strings.IndexAny(s.rest, " \t\r\n"+stop)
	if n < 0 {
		n = len(s.rest)
	}
	w := s.rest[:n]
	s.rest = s.rest[n:]
	return w, nil
}

func (s *scanner) value() (string, error) {
	if s.rest == "" || strings.ContainsRune(" \t\r\n", rune(s.rest[0])) {
		return "", nil
	}
	return s.word("")
}

func (s *scanner) list() ([]string, error) {
	s.rest = s.rest[1:]
	var items []string
	for {
		s.space()
		if s.rest == "" {
			return nil, fmt.Errorf("the list does not end")
		}
		if s.rest[0] == ']' {
			s.rest = s.rest[1:]
			return items, nil
		}
		w, err := s.word("]")
		if err != nil {
			return nil, err
		}
		items = append(items, w)
	}
}

func (s *scanner) assign(name string, e *Event) error {
	if strings.HasPrefix(s.rest, "[") {
		items, err := s.list()
		if err != nil {
			return err
		}
		id, ok := field.ByName(name)
		if !ok || listSlot[id] < 0 {
			return fmt.Errorf("the field takes no list")
		}
		e.SetList(id, items)
		return nil
	}
	v, err := s.value()
	if err != nil {
		return err
	}
	if arg, ok := strings.CutPrefix(name, "evt.arg."); ok {
		return setArg(e, arg, func(a *Arg) error { a.Text = v; return nil })
	}
	if arg, ok := strings.CutPrefix(name, "evt.rawarg."); ok {
		return setArg(e, arg, func(a *Arg) (err error) {
			a.Num, err = parseInt(v)
			a.HasNum = err == nil
			return err
		})
	}
	return setField(e, name, v)
}

func setArg(e *Event, name string, set func(*Arg) error) error {
	i := e.Type.Info().Param(name)
	if i < 0 {
		return fmt.Errorf("%s has no such parameter", e.Type)
	}
	if i >= e.nargs {
		e.nargs = i + 1
	}
	e.args[i].Set = true
	return set(&e.args[i])
}

func setField(e *Event, name, v string) (err error) {
	id, ok := field.ByName(name)
	if !ok {
		if near := field.Nearest(name); near != "" {
			return fmt.Errorf("unknown field: did you mean %s?", near)
		}
		return fmt.Errorf("unknown field")
	}
	info := id.Info()
	switch {
	case id == field.EvtNum:
		e.Num, err = strconv.ParseUint(v, 10, 64)
	case id == field.EvtTime:
		e.Time, err = parseTime(v)
	case info.Type == field.Addr && id != field.FDIP:
		var a netip.Addr
		if a, err = netip.ParseAddr(v); err == nil {
			e.SetAddr(id, a)
		}
	case info.Type == field.Addr || info.Type == field.Net:
		return fmt.Errorf("set fd.cip, fd.sip, fd.lip and fd.rip instead")
	case id == field.FDPort || id == field.FDProto:
		return fmt.Errorf("set fd.cport, fd.sport, fd.lport and fd.rport instead")
	case info.Type == field.Bool:
		var b bool
		if b, err = strconv.ParseBool(v); err == nil {
			e.SetBool(id, b)
		}
	case info.Type.Numeric():
		var n int64
		if n, err = parseInt(v); err == nil {
			e.SetNum(id, n)
		}
	default:
		e.SetText(id, v)
	}
	return err
}

// parseInt reads a signed or an unsigned number of up to 64 bits.
func parseInt(v string) (int64, error) {
	n, err := strconv.ParseInt(v, 0, 64)
	if err == nil {
		return n, nil
	}
	u, uerr := strconv.ParseUint(v, 0, 64)
	if uerr != nil {
		return 0, err
	}
	return int64(u), nil
}

func parseTime(v string) (int64, error) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return n, nil
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	return t.UnixNano(), err
}

// Append writes e in the text format that Parse reads.
func Append(dst []byte, e *Event) []byte {
	dst = append(dst, e.Type.String()...)
	if e.Time != 0 {
		dst = append(dst, " evt.time="...)
		dst = strconv.AppendInt(dst, e.Time, 10)
	}
	if e.Num != 0 {
		dst = append(dst, " evt.num="...)
		dst = strconv.AppendUint(dst, e.Num, 10)
	}
	for i, p := range e.Type.Info().Params {
		a := e.Arg(i)
		if !a.Set {
			continue
		}
		dst = append(append(append(dst, " evt.arg."...), p.Name...), '=')
		dst = appendValue(dst, a.Text)
		if a.HasNum {
			dst = append(append(append(dst, " evt.rawarg."...), p.Name...), '=')
			dst = strconv.AppendInt(dst, a.Num, 10)
		}
	}
	for id := field.ID(0); int(id) < field.Count; id++ {
		if slot := listSlot[id]; slot >= 0 && e.lset&(1<<slot) != 0 {
			dst = appendList(dst, id, e.lists[slot])
		}
		if e.set[id/64]&(1<<(id%64)) != 0 {
			dst = appendField(dst, e, id)
		}
	}
	return dst
}

func appendField(dst []byte, e *Event, id field.ID) []byte {
	info := id.Info()
	dst = append(append(append(dst, ' '), info.Name...), '=')
	switch {
	case info.Type == field.Addr:
		return e.addrs[id-field.FDIP].AppendTo(dst)
	case info.Type == field.Bool:
		return strconv.AppendBool(dst, e.num[id] != 0)
	case info.Type.Numeric():
		return strconv.AppendInt(dst, e.num[id], 10)
	}
	return appendValue(dst, e.text[id])
}

func appendList(dst []byte, id field.ID, items []string) []byte {
	dst = append(append(append(dst, ' '), id.Info().Name...), "=["...)
	for i, s := range items {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = appendValue(dst, s)
	}
	return append(dst, ']')
}

func appendValue(dst []byte, s string) []byte {
	if s == "" || strings.ContainsAny(s, "\"[] \t\r\n\\") || !isPrintable(s) {
		return strconv.AppendQuote(dst, s)
	}
	return append(dst, s...)
}

func isPrintable(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return false
		}
	}
	return true
}

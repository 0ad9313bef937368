package falco

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the alert as Falco 0.44 prints it: one line without a line feed, member and field names in byte
// order, no insignificant space, times in UTC with nine fractional digits, only the necessary escapes, null for what is
// not known. UUID and Extra stand among the other members. What Parse made is given back byte for byte if Falco printed
// it. Text that is not UTF-8 gets U+FFFD; a Number, Bool or JSON value is written as it is and must be valid JSON.
func AppendJSON(dst []byte, a *Alert) []byte {
	p := printer{dst: append(dst, '{'), extra: sortedByName(a.Extra)}
	if a.Hostname != "" {
		p.text("hostname", a.Hostname)
	}
	p.text("output", a.Output)
	p.name("output_fields")
	p.dst = append(p.dst, '{')
	for i, f := range sortedByName(a.Fields) {
		if i > 0 {
			p.dst = append(p.dst, ',')
		}
		p.dst = appendString(p.dst, f.Name)
		p.dst = append(p.dst, ':')
		p.dst = appendValue(p.dst, f.Value)
	}
	p.dst = append(p.dst, '}')
	p.text("priority", a.Priority.String())
	p.text("rule", a.Rule)
	p.text("source", a.Source)
	p.name("tags")
	p.dst = append(p.dst, '[')
	for i, tag := range a.Tags {
		if i > 0 {
			p.dst = append(p.dst, ',')
		}
		p.dst = appendString(p.dst, tag)
	}
	p.dst = append(p.dst, ']')
	p.name("time")
	p.dst = append(p.dst, '"')
	p.dst = AppendTime(p.dst, a.Time)
	p.dst = append(p.dst, '"')
	if a.UUID != "" {
		p.text("uuid", a.UUID)
	}
	p.extrasBefore("")
	return append(p.dst, '}')
}

// printer writes members in order, those of extra in between.
type printer struct {
	dst   []byte
	extra []Field
	any   bool
}

func (p *printer) text(name, value string) {
	p.name(name)
	p.dst = appendString(p.dst, value)
}

func (p *printer) name(name string) {
	p.extrasBefore(name)
	p.rawName(name)
}

// extrasBefore writes the extra members that sort before name, all if name is "".
func (p *printer) extrasBefore(name string) {
	for len(p.extra) > 0 && (name == "" || p.extra[0].Name < name) {
		f := p.extra[0]
		p.extra = p.extra[1:]
		if knownMember(f.Name) != unknown {
			continue
		}
		p.rawName(f.Name)
		p.dst = appendValue(p.dst, f.Value)
	}
}

func (p *printer) rawName(name string) {
	if p.any {
		p.dst = append(p.dst, ',')
	}
	p.any = true
	p.dst = appendString(p.dst, name)
	p.dst = append(p.dst, ':')
}

func sortedByName(fields []Field) []Field {
	byName := func(a, b Field) int { return strings.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(fields, byName) {
		return fields
	}
	fields = slices.Clone(fields)
	slices.SortStableFunc(fields, byName)
	return fields
}

// AppendTime appends t as Falco prints it: "2026-11-21T02:25:46.697293485Z", always nine fractional digits.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
	}
	hour, minute, second := t.Clock()
	text := []byte("0000-00-00T00:00:00.000000000Z")
	put := func(end, value int) {
		for ; value > 0; value /= 10 {
			end--
			text[end] = byte('0' + value%10)
		}
	}
	put(4, year)
	put(7, int(month))
	put(10, day)
	put(13, hour)
	put(16, minute)
	put(19, second)
	put(29, t.Nanosecond())
	return append(dst, text...)
}

func appendValue(dst []byte, v Value) []byte {
	switch v.Kind {
	case Null:
		return append(dst, "null"...)
	case String:
		return appendString(dst, v.Text)
	}
	return append(dst, v.Text...)
}

// appendString appends s quoted, with no more escapes than JSON demands.
func appendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, s[start:]...)
}

package falco

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxRecord is the size in bytes of the largest record that Parse and Fingerprint take. Falco cuts single fields at 64
// KiB by default (snaplen and the event's own limits), so that its largest records are some hundred KiB.
const MaxRecord = 16 << 20

// Reason says in one word why a record is refused. It is stable, and safe as the label of a counter.
type Reason string

// The reasons.
const (
	NotJSON         Reason = "not_json"
	NotObject       Reason = "not_object"
	TooDeep         Reason = "too_deep"
	TooLarge        Reason = "too_large"
	WrongType       Reason = "wrong_type" // a member that must be a string, an object or a list of strings is not
	MissingRule     Reason = "missing_rule"
	MissingTime     Reason = "missing_time"
	BadTime         Reason = "bad_time"
	MissingPriority Reason = "missing_priority"
	BadPriority     Reason = "bad_priority"
)

// ParseError says why a record is refused.
type ParseError struct {
	Reason Reason
	Offset int    // where in the record, in bytes
	Detail string // for people; holds nothing of the record but member names
}

func (e *ParseError) Error() string {
	return string(e.Reason) + " at byte " + strconv.Itoa(e.Offset) + ": " + e.Detail
}

// Is reports whether target is a *ParseError with the same Reason.
func (e *ParseError) Is(target error) bool {
	t, ok := target.(*ParseError)
	return ok && t.Reason == e.Reason
}

func fail(reason Reason, offset int, detail string) *ParseError {
	return &ParseError{Reason: reason, Offset: offset, Detail: detail}
}

// Parse reads one record: one JSON object with at least rule, priority and time, as Falco prints it or as
// Falcosidekick passes it on. Of members that occur twice the last counts; null counts as absent. Bytes that are not
// UTF-8 become U+FFFD. Space and a byte order mark around the object are allowed. The record is not kept; the error is a
// *ParseError.
func Parse(record []byte) (*Alert, error) {
	if len(record) > MaxRecord {
		return nil, fail(TooLarge, MaxRecord, "record over 16 MiB")
	}
	if !utf8.Valid(record) {
		record = bytes.ToValidUTF8(record, []byte("\uFFFD"))
	}
	p := parser{b: record, s: string(record), alert: new(Alert)}
	if err := p.record(); err != nil {
		return nil, err
	}
	return p.alert, nil
}

// known numbers the members that have a place of their own in Alert.
type known uint8

const (
	unknown known = iota
	kHostname
	kOutput
	kOutputFields
	kPriority
	kRule
	kSource
	kTags
	kTime
	kUUID
)

func knownMember(name string) known {
	switch name {
	case "hostname":
		return kHostname
	case "output":
		return kOutput
	case "output_fields":
		return kOutputFields
	case "priority":
		return kPriority
	case "rule":
		return kRule
	case "source":
		return kSource
	case "tags":
		return kTags
	case "time":
		return kTime
	case "uuid":
		return kUUID
	}
	return unknown
}

// parser reads one record. s holds the same bytes as b and backs all strings of the alert that have no escapes.
type parser struct {
	b     []byte
	s     string
	alert *Alert

	haveTime, havePriority bool
}

func (p *parser) record() error {
	start := skipSpace(p.b, skipBOM(p.b))
	if start == len(p.b) {
		return fail(NotJSON, start, "empty record")
	}
	if p.b[start] != '{' {
		if _, err := skipValue(p.b, start, 0); err != nil {
			return err
		}
		return fail(NotObject, start, "not a JSON object")
	}
	end, err := eachMember(p.b, start, 0, p.member)
	if err != nil {
		return err
	}
	if end = skipSpace(p.b, end); end != len(p.b) {
		return fail(NotJSON, end, "data after the object")
	}
	a := p.alert
	a.Fields, a.Extra = lastOfEach(a.Fields), lastOfEach(a.Extra)
	switch {
	case strings.TrimSpace(a.Rule) == "":
		return fail(MissingRule, start, "no rule")
	case !p.havePriority:
		return fail(MissingPriority, start, "no priority")
	case !p.haveTime:
		return fail(MissingTime, start, "no time")
	}
	return nil
}

func (p *parser) member(m member) (int, *ParseError) {
	name := p.text(m.name, m.nameEnd, m.escaped)
	k := knownMember(name)
	switch k {
	case unknown:
		value, end, err := p.value(m.value, 1)
		if err == nil {
			p.alert.Extra = append(p.alert.Extra, Field{name, value})
		}
		return end, err
	case kOutputFields:
		return p.outputFields(m.value)
	case kTags:
		return p.tags(m.value)
	}
	value, end, err := p.value(m.value, 1)
	if err != nil {
		return end, err
	}
	if value.Kind != String && value.Kind != Null {
		return end, fail(WrongType, m.value, name+" is not a string")
	}
	return end, p.assign(k, value, m.value)
}

// assign sets a member whose value is text or null; null is as if it were not there.
func (p *parser) assign(k known, v Value, at int) *ParseError {
	a := p.alert
	switch k {
	case kHostname:
		a.Hostname = v.Text
	case kOutput:
		a.Output = v.Text
	case kRule:
		a.Rule = v.Text
	case kSource:
		a.Source = v.Text
	case kUUID:
		a.UUID = v.Text
	case kPriority:
		if p.havePriority = v.Kind == String; p.havePriority {
			var ok bool
			if a.Priority, ok = ParsePriority(v.Text); !ok {
				return fail(BadPriority, at, "no priority of Falco's")
			}
		}
	case kTime:
		if p.haveTime = v.Kind == String; p.haveTime {
			var ok bool
			if a.Time, ok = parseTime(v.Text); !ok {
				return fail(BadTime, at, "time is not as in 2026-11-21T02:25:46.697293485Z")
			}
		}
	}
	return nil
}

func (p *parser) outputFields(at int) (int, *ParseError) {
	p.alert.Fields = p.alert.Fields[:0]
	if at >= len(p.b) || p.b[at] != '{' {
		return p.nullOr(at, "output_fields is not an object")
	}
	var room [40]Field // Falco's records have 15 to 30 fields
	fields := room[:0]
	end, err := eachMember(p.b, at, 1, func(m member) (int, *ParseError) {
		name := p.text(m.name, m.nameEnd, m.escaped)
		value, end, err := p.value(m.value, 2)
		if err == nil {
			fields = append(fields, Field{name, value})
		}
		return end, err
	})
	p.alert.Fields = append(make([]Field, 0, len(fields)), fields...)
	return end, err
}

func (p *parser) tags(at int) (int, *ParseError) {
	p.alert.Tags = p.alert.Tags[:0]
	if at >= len(p.b) || p.b[at] != '[' {
		return p.nullOr(at, "tags is not a list")
	}
	if p.alert.Tags == nil {
		p.alert.Tags = make([]string, 0, 8)
	}
	return eachElement(p.b, at, 1, func(at int) (int, *ParseError) {
		value, end, err := p.value(at, 2)
		if err == nil && value.Kind != String {
			return at, fail(WrongType, at, "a tag is not a string")
		}
		if err == nil {
			p.alert.Tags = append(p.alert.Tags, value.Text)
		}
		return end, err
	})
}

// nullOr accepts null, and refuses every other value for the reason given.
func (p *parser) nullOr(at int, detail string) (int, *ParseError) {
	value, end, err := p.value(at, 1)
	if err == nil && value.Kind != Null {
		err = fail(WrongType, at, detail)
	}
	return end, err
}

// value reads the value at p.b[at].
func (p *parser) value(at, depth int) (Value, int, *ParseError) {
	if at < len(p.b) && p.b[at] == '"' {
		end, escaped, err := scanString(p.b, at+1)
		if err != nil {
			return Value{}, end, err
		}
		return Value{String, p.text(at+1, end, escaped)}, end + 1, nil
	}
	end, err := skipValue(p.b, at, depth)
	if err != nil {
		return Value{}, end, err
	}
	switch p.b[at] {
	case 'n':
		return Value{}, end, nil
	case 't', 'f':
		return Value{Bool, p.s[at:end]}, end, nil
	case '{', '[':
		return Value{JSON, p.s[at:end]}, end, nil
	}
	return Value{Number, p.s[at:end]}, end, nil
}

// text returns the decoded text of the string between the indices.
func (p *parser) text(start, end int, escaped bool) string {
	if !escaped {
		return p.s[start:end]
	}
	var stack [1024]byte // enough for nearly every output text, so that the string is the only allocation
	return string(appendDecoded(stack[:0], p.b[start:end]))
}

// lastOfEach removes all but the last of the fields that have the same name. Falco sorts its fields, and then there
// is nothing to do but look.
func lastOfEach(fields []Field) []Field {
	sorted := true
	for i := 1; i < len(fields) && sorted; i++ {
		sorted = fields[i-1].Name < fields[i].Name
	}
	if sorted {
		return fields
	}
	last := make(map[string]int, len(fields))
	for i := range fields {
		last[fields[i].Name] = i
	}
	if len(last) == len(fields) {
		return fields
	}
	kept := fields[:0]
	for i := range fields {
		if last[fields[i].Name] == i {
			kept = append(kept, fields[i])
		}
	}
	return slices.Clip(kept)
}

// parseTime reads an RFC 3339 time with any number of fractional digits, of which nine count, and a zone as "Z",
// "+01:00" or "+0100". The result is UTC and in the years 1970 to 9999.
func parseTime(s string) (time.Time, bool) {
	const layout = "0000-00-00T00:00:00"
	if len(s) <= len(layout) {
		return time.Time{}, false
	}
	for i := range len(layout) {
		if (layout[i] == '0') != isDigit(s[i]) || layout[i] != '0' && layout[i] != s[i] {
			return time.Time{}, false
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	nanos, zone := fraction(s[len(layout):])
	offset, ok := zoneOffset(zone)
	if !ok || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Day() != day {
		return time.Time{}, false // 30 February
	}
	t = t.Add(-offset)
	return t, t.Year() >= 1970 && t.Year() <= 9999
}

// fraction reads ".697293485" from the front of s as nanoseconds and returns what follows.
func fraction(s string) (nanos int, rest string) {
	if len(s) < 2 || s[0] != '.' || !isDigit(s[1]) {
		return 0, s
	}
	i, scale := 1, 100_000_000
	for ; i < len(s) && isDigit(s[i]); i++ {
		nanos += int(s[i]-'0') * scale
		scale /= 10
	}
	return nanos, s[i:]
}

func zoneOffset(s string) (time.Duration, bool) {
	if s == "Z" {
		return 0, true
	}
	if len(s) == 6 && s[3] == ':' {
		s = s[:3] + s[4:]
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	for i := 1; i < 5; i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
	}
	hours, minutes := int(s[1]-'0')*10+int(s[2]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

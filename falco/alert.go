// Package falco is the first of the two nouns that travel through Eyrie: an alert as Falco reports it.
//
// In comes JSON text, as Falco's outputs and Falcosidekick send it: Parse reads one record, Split takes a request body
// apart into records, Fingerprint tells whether two records say the same. Out goes an Alert, or JSON text again as
// Falco prints it (Alert.AppendJSON).
//
// The package does no input or output, reads no clock, keeps nothing between calls and changes nothing it is given. It
// does not judge an alert: which rule matters and what a field means is for others.
//
// It fails by returning a *ParseError with a short stable Reason, never by panicking: file names, command lines and
// log lines inside an alert are written by attackers, so every parser here bounds nesting and size and has a fuzz
// target.
package falco

import (
	"strings"
	"time"
)

// Kind is the JSON type of a Value.
type Kind uint8

// The kinds. The zero Value is Null.
const (
	Null   Kind = iota
	String      // Text is the decoded string
	Number      // Text is the literal as it stood in the record
	Bool        // Text is "true" or "false"
	JSON        // Text is an array or object, as it stood in the record
)

// Value is the value of one output field. Text is valid UTF-8 and may hold control characters.
type Value struct {
	Kind Kind
	Text string
}

// IsNA reports whether the value says that nothing is known: null, or "<NA>" as Falco prints null in text.
func (v Value) IsNA() bool { return v.Kind == Null || v.Kind == String && v.Text == "<NA>" }

// Field is a named value.
type Field struct {
	Name  string
	Value Value
}

// Alert is one alert of Falco's. Its strings are valid UTF-8, share one backing array and are never changed, so an
// Alert may be read by several goroutines and kept as long as one likes; it costs about twice its record in memory.
type Alert struct {
	Time     time.Time // the event's time, UTC, nanoseconds
	Rule     string    // never blank
	Priority Priority
	Source   string // "syscall", a plugin's source, or "" when the record has none
	Hostname string
	Output   string // the whole output text; Message is without its prefix
	UUID     string // Falcosidekick's; "" from Falco itself
	Tags     []string

	// Fields are the output_fields in the record's order, each name once (of duplicates the last counts).
	Fields []Field
	// Extra holds all other members of the record in its order, each name once. Names of the members above do not
	// stand in it.
	Extra []Field
}

// Field returns the output field name, and whether the record has it (it may still be null).
func (a *Alert) Field(name string) (Value, bool) { return find(a.Fields, name) }

// Get returns the text of the output field name: "" if it is absent, null or "<NA>".
func (a *Alert) Get(name string) string {
	if v, ok := find(a.Fields, name); ok && !v.IsNA() {
		return v.Text
	}
	return ""
}

func find(fields []Field, name string) (Value, bool) {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value, true
		}
	}
	return Value{}, false
}

// Message returns the output text without the time and priority that Falco puts before it
// ("02:25:46.697293485: Informational TEXT" gives TEXT). The time may have a date and a zone. If Falco sent the member
// "message" (json_include_message_property), that is it. Text without such a prefix is returned as it is.
func (a *Alert) Message() string {
	if v, ok := find(a.Extra, "message"); ok && v.Kind == String && v.Text != "" && (a.Output == "" || strings.HasSuffix(a.Output, v.Text)) {
		return v.Text
	}
	text := a.Output
	colon := strings.Index(text[:min(len(text), maxTimePrefix)], ": ")
	if colon < 0 || !isTimePrefix(text[:colon]) {
		return text
	}
	text = text[colon+2:]
	word, rest, _ := strings.Cut(text, " ")
	if p, ok := ParsePriority(word); ok && p == a.Priority {
		return rest
	}
	return text
}

// maxTimePrefix is the length in bytes of the longest time Falco prints ("2026-11-21T02:25:46.697293485+0000: "), and
// some room.
const maxTimePrefix = 48

// isTimePrefix reports whether s can be %evt.time, %evt.time.iso8601 or %evt.datetime. It needs a colon, so that a
// text that starts with a number is not mistaken for one.
func isTimePrefix(s string) bool {
	colons := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == ':':
			colons++
		case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c == 'T', c == 'Z', c == ' ':
		default:
			return false
		}
	}
	return colons >= 2
}

// Origin says where alerts come from, as far as the alerts themselves do not. Empty means unknown.
type Origin struct {
	Account string // 12 digits
	Region  string // "eu-central-1"
	Cluster string
}

// Partition is the AWS partition of the Region: "aws-cn", "aws-us-gov" or, for everything else, "aws".
func (o Origin) Partition() string {
	switch {
	case strings.HasPrefix(o.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(o.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

package asff

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Invalid says why a finding was refused, as an entry of BatchImportFindings' FailedFindings does.
type Invalid struct {
	Code    string // ErrorCode; always "InvalidInput"
	Message string // ErrorMessage
}

// Error returns the message with its code.
func (e *Invalid) Error() string { return e.Code + ": " + e.Message }

// maxProblems is how many problems one message tells.
const maxProblems = 5

// Validate checks one finding as BatchImportFindings does: JSON in UTF-8 of at most maxBytes bytes (0: no limit), all
// required members, types, enumerations, patterns, lengths, counts and timestamps of schemaText, no member twice,
// and a severity: Severity with Label or Normalized, or FindingProviderFields.Severity with Label. null counts as
// absent. Members that the format does not define are allowed.
//
// nil means that the finding is fine. The message names up to five problems by their JSON path, in document order,
// worded as AWS words them with the offending size or value added. Who may write for which account is not judged here.
func Validate(doc []byte, maxBytes int) *Invalid {
	if maxBytes > 0 && len(doc) > maxBytes {
		return &Invalid{"InvalidInput", fmt.Sprintf(
			"Finding exceeds the maximum size: it has %d bytes, %d are allowed.", len(doc), maxBytes)}
	}
	if !utf8.Valid(doc) {
		return &Invalid{"InvalidInput", "Finding is not valid UTF-8."}
	}
	v := validator{b: doc}
	i, err := v.value(findingRule, skipSpace(doc, 0), 0)
	if err == nil {
		err = atEnd(doc, i)
	}
	if err != nil {
		return &Invalid{"InvalidInput", fmt.Sprintf("Finding is not a JSON object: %v.", err)}
	}
	if v.object && !v.severity {
		v.problem("should have required property 'Severity' with 'Label' or 'Normalized'," +
			" or 'FindingProviderFields' with 'Severity.Label'")
	}
	if v.count == 0 {
		return nil
	}
	message := "Finding does not adhere to Amazon Finding Format. " + strings.Join(v.problems, ", ")
	if more := v.count - len(v.problems); more > 0 {
		message += fmt.Sprintf(", and %d more", more)
	}
	return &Invalid{"InvalidInput", message + "."}
}

// validator walks the document and the rules side by side. Syntax errors end the walk, problems are collected.
type validator struct {
	b        []byte
	path     []step // of the value in hand
	keyBuf   []byte
	valBuf   []byte
	problems []string
	count    int
	object   bool // the document is an object
	severity bool // a severity was seen
}

// step is one part of a path: a member, a key of a map, or an element's index.
type step struct {
	name  string
	key   []byte // of a map, if not nil
	index int
}

func (v *validator) problem(format string, args ...any) {
	v.count++
	if len(v.problems) == maxProblems {
		return
	}
	var at strings.Builder
	at.WriteString("data")
	for _, s := range v.path {
		switch {
		case s.key != nil:
			fmt.Fprintf(&at, "['%s']", clip(string(s.key), 128))
		case s.name != "":
			at.WriteString("." + s.name)
		default:
			fmt.Fprintf(&at, "[%d]", s.index)
		}
	}
	v.problems = append(v.problems, at.String()+" "+fmt.Sprintf(format, args...))
}

// value checks the value at i against r and returns the index after it.
func (v *validator) value(r *rule, i, depth int) (int, error) {
	if i >= len(v.b) {
		return skipScalar(v.b, i)
	}
	c := v.b[i]
	switch {
	case c == 'n', r.shape == shapeAny:
		end, err := skipValue(v.b, i, depth)
		if err == nil && len(v.path) == 0 {
			v.problem("should be object")
		}
		return end, err
	case r.shape == shapeObject && c == '{':
		return v.members(r, i, depth)
	case r.shape == shapeList && c == '[':
		return v.list(r, i, depth)
	case r.shape == shapeMap && c == '{':
		return v.pairs(r, i, depth)
	case (r.shape == shapeText || r.shape == shapeEnum || r.shape == shapeForm) && c == '"':
		value, buf, end, err := stringAt(v.b, i, v.valBuf)
		v.valBuf = buf
		if err == nil {
			v.text(r, value)
		}
		return end, err
	case (r.shape == shapeInt || r.shape == shapeNumber) && (c == '-' || '0' <= c && c <= '9'):
		end, err := skipNumber(v.b, i)
		if err == nil && r.shape == shapeInt {
			v.int(r, v.b[i:end])
		}
		return end, err
	case r.shape == shapeBool && (c == 't' || c == 'f'):
		return skipScalar(v.b, i)
	}
	end, err := skipValue(v.b, i, depth)
	if err == nil {
		v.problem("should be %s", r.shape)
	}
	return end, err
}

// String names the JSON type as AWS's messages do.
func (s shape) String() string {
	switch s {
	case shapeObject, shapeMap:
		return "object"
	case shapeList:
		return "array"
	case shapeInt:
		return "integer"
	case shapeNumber:
		return "number"
	case shapeBool:
		return "boolean"
	}
	return "string"
}

func (v *validator) members(r *rule, i, depth int) (int, error) {
	v.object = true
	i, more, err := enter(v.b, i, depth)
	var seen, present uint64 // by index in r.members; present excludes null
	for more && err == nil {
		var name []byte
		if name, v.keyBuf, i, err = nameAt(v.b, i, v.keyBuf); err != nil {
			return 0, err
		}
		n := memberIndex(r.members, name)
		if n < 0 {
			i, err = skipValue(v.b, i, depth+1)
		} else {
			m := &r.members[n]
			v.path = append(v.path, step{name: m.name})
			if seen&(1<<n) != 0 {
				v.problem("should NOT stand twice in its object")
			}
			seen |= 1 << n
			if i < len(v.b) && v.b[i] != 'n' {
				present |= 1 << n
				v.noteSeverity(m.name, depth)
			}
			i, err = v.value(m.rule, i, depth+1)
			v.path = v.path[:len(v.path)-1]
		}
		if err != nil {
			return 0, err
		}
		i, more, err = next(v.b, i, true)
	}
	for n := range r.members {
		if err == nil && r.members[n].required && present&(1<<n) == 0 {
			v.problem("should have required property '%s'", r.members[n].name)
		}
	}
	return i, err
}

func memberIndex(members []memberRule, name []byte) int {
	for n := range members {
		if members[n].name == string(name) {
			return n
		}
	}
	return -1
}

// noteSeverity records a severity that Security Hub can use. v.path ends in name.
func (v *validator) noteSeverity(name string, depth int) {
	switch {
	case depth == 1 && v.path[0].name == "Severity" && (name == "Label" || name == "Normalized"),
		depth == 2 && v.path[0].name == "FindingProviderFields" && v.path[1].name == "Severity" && name == "Label":
		v.severity = true
	}
}

func (v *validator) list(r *rule, i, depth int) (int, error) {
	i, more, err := enter(v.b, i, depth)
	n := 0
	for ; more && err == nil; n++ {
		v.path = append(v.path, step{index: n})
		if i < len(v.b) && v.b[i] == 'n' {
			v.problem("should NOT be null")
		}
		i, err = v.value(r.elem, i, depth+1)
		v.path = v.path[:len(v.path)-1]
		if err != nil {
			return 0, err
		}
		i, more, err = next(v.b, i, false)
	}
	switch {
	case err != nil:
	case n < r.min:
		v.problem("should NOT have fewer than %d items", r.min)
	case r.max > 0 && n > r.max:
		v.problem("should NOT have more than %d items (has %d)", r.max, n)
	}
	return i, err
}

func (v *validator) pairs(r *rule, i, depth int) (int, error) {
	i, more, err := enter(v.b, i, depth)
	var room [maxFields][]byte
	keys := room[:0]
	n := 0
	for ; more && err == nil; n++ {
		var key []byte
		start := i
		if key, v.keyBuf, i, err = nameAt(v.b, i, v.keyBuf); err != nil {
			return 0, err
		}
		if bytes.IndexByte(v.b[start:i], '\\') >= 0 {
			key = bytes.Clone(key) // it stands in keyBuf, which the next key overwrites
		}
		v.path = append(v.path, step{key: key})
		v.key(r, key, keys)
		if len(keys) < cap(keys) {
			keys = append(keys, key)
		}
		if i < len(v.b) && v.b[i] == '"' {
			var value []byte
			if value, v.valBuf, i, err = stringAt(v.b, i, v.valBuf); err == nil {
				v.length(value, r.val)
			}
		} else if i, err = skipValue(v.b, i, depth+1); err == nil {
			v.problem("should be string")
		}
		v.path = v.path[:len(v.path)-1]
		if err != nil {
			return 0, err
		}
		i, more, err = next(v.b, i, true)
	}
	if err == nil && r.max > 0 && n > r.max {
		v.problem("should NOT have more than %d properties (has %d)", r.max, n)
	}
	return i, err
}

func (v *validator) key(r *rule, key []byte, before [][]byte) {
	if blank(key) {
		v.problem("property name should NOT be blank")
	}
	if r.key > 0 && len(key) > r.key && utf8.RuneCount(key) > r.key {
		v.problem("property name should NOT be longer than %d characters (has %d)", r.key, utf8.RuneCount(key))
	}
	if slices.ContainsFunc(before, func(k []byte) bool { return bytes.Equal(k, key) }) {
		v.problem("should NOT stand twice in its object")
	}
}

// length checks a string's length, limit 0 meaning none, and that it is not blank.
func (v *validator) length(value []byte, limit int) {
	switch {
	case len(value) == 0:
		v.problem("should NOT be shorter than 1 characters")
	case blank(value):
		v.problem(`should match pattern ".*\S.*"`)
	case limit > 0 && len(value) > limit && utf8.RuneCount(value) > limit:
		v.problem("should NOT be longer than %d characters (has %d)", limit, utf8.RuneCount(value))
	}
}

func (v *validator) text(r *rule, value []byte) {
	switch {
	case r.shape == shapeText:
		v.length(value, r.max)
	case r.shape == shapeForm && !r.form.test(value):
		v.problem("%s, not %q", r.form.wants, clip(string(value), 64))
	case r.shape == shapeEnum && !slices.Contains(r.enum, string(value)):
		v.problem("should be equal to one of the allowed values (%s), not %q",
			strings.Join(r.enum, ", "), clip(string(value), 64))
	}
}

func (v *validator) int(r *rule, literal []byte) {
	n, err := strconv.Atoi(string(literal))
	switch {
	case err != nil:
		v.problem("should be integer, not %s", clip(string(literal), 64))
	case n < r.min:
		v.problem("should be >= %d, not %d", r.min, n)
	case n > r.max:
		v.problem("should be <= %d, not %d", r.max, n)
	}
}

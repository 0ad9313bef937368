package asff

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// SyntaxError says that bytes are not the JSON they should be.
type SyntaxError struct {
	Offset int // of the byte that is wrong, from the start of the text
	Detail string
}

// Error names the offset and the trouble.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at offset %d: %s", e.Offset, e.Detail)
}

func syntax(offset int, detail string) error { return &SyntaxError{offset, detail} }

// The scanner is a set of functions over b and an index into it. Each takes the index of the first byte of what it
// reads and returns the index after it. The grammar is RFC 8259's, exactly; invalid UTF-8 inside strings passes.

// stringStop marks the bytes that end the plain run of a string: quote, backslash and control characters.
var stringStop = stringStops()

func stringStops() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString reads a string whose opening quote is at i. plain means that it has no escapes, so that the bytes
// between the quotes are its value.
func skipString(b []byte, i int) (end int, plain bool, err error) {
	start := i
	plain = true
	for i += 1 + plainJSON(b[i+1:]); i < len(b); i++ {
		c := b[i]
		if !stringStop[c] {
			continue
		}
		switch {
		case c == '"':
			return i + 1, plain, nil
		case c == '\\':
			plain = false
			if i+1 >= len(b) {
				return 0, false, syntax(start, "string does not end")
			}
			i++
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if i+4 >= len(b) || hex4(b[i+1:]) < 0 {
					return 0, false, syntax(i-1, "bad \\u escape")
				}
				i += 4
			default:
				return 0, false, syntax(i-1, "bad escape")
			}
		default:
			return 0, false, syntax(i, "control character in a string")
		}
	}
	return 0, false, syntax(start, "string does not end")
}

// hex4 is the value of the four hexadecimal digits at the start of b, or -1.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unescape appends to dst the value of a string whose text between the quotes is s. s has been through skipString.
// A lone surrogate becomes U+FFFD.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		i++
		switch s[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(s[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				second := rune(-1)
				if i+2 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
					second = hex4(s[i+3:])
				}
				if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, s[i])
		}
	}
	return dst
}

// stringAt reads the string at i and returns its value: a part of b, or of buf if it had escapes. The returned buf
// replaces the caller's.
func stringAt(b []byte, i int, buf []byte) (value, newBuf []byte, end int, err error) {
	end, plain, err := skipString(b, i)
	if err != nil {
		return nil, buf, 0, err
	}
	if plain {
		return b[i+1 : end-1], buf, end, nil
	}
	buf = unescape(buf[:0], b[i+1:end-1])
	return buf, buf, end, nil
}

// skipNumber reads a number that starts at i with a digit or a minus sign.
func skipNumber(b []byte, i int) (int, error) {
	start := i
	if b[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(b) && '0' <= b[i] && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0, syntax(start, "bad number")
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return 0, syntax(start, "bad number")
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0, syntax(start, "bad number")
		}
	}
	return i, nil
}

// skipScalar reads a string, number, true, false or null.
func skipScalar(b []byte, i int) (int, error) {
	if i >= len(b) {
		return 0, syntax(i, "text ends where a value should stand")
	}
	switch c := b[i]; {
	case c == '"':
		end, _, err := skipString(b, i)
		return end, err
	case c == '-' || '0' <= c && c <= '9':
		return skipNumber(b, i)
	case c == 't' && hasWord(b, i, "true"), c == 'n' && hasWord(b, i, "null"):
		return i + 4, nil
	case c == 'f' && hasWord(b, i, "false"):
		return i + 5, nil
	}
	return 0, syntax(i, "not a value")
}

func hasWord(b []byte, i int, word string) bool {
	return len(b)-i >= len(word) && string(b[i:i+len(word)]) == word
}

// skipValue reads any value. depth is the nesting around it.
func skipValue(b []byte, i, depth int) (int, error) {
	if i >= len(b) || b[i] != '{' && b[i] != '[' {
		return skipScalar(b, i)
	}
	object := b[i] == '{'
	i, more, err := enter(b, i, depth)
	for more && err == nil {
		if object {
			if i, _, err = skipName(b, i); err != nil {
				return 0, err
			}
		}
		if i, err = skipValue(b, i, depth+1); err != nil {
			return 0, err
		}
		i, more, err = next(b, i, object)
	}
	return i, err
}

// enter steps into the object or array that opens at i. more says whether it has a first element, which then
// stands at the returned index; otherwise the index is after the closing bracket.
func enter(b []byte, i, depth int) (first int, more bool, err error) {
	if depth >= MaxDepth {
		return 0, false, syntax(i, fmt.Sprintf("nested deeper than %d levels", MaxDepth))
	}
	closing := b[i] + 2 // '{'+2 is '}', '['+2 is ']'
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == closing {
		return i + 1, false, nil
	}
	return i, true, nil
}

// next steps from the end of one element to the start of the following one, or out of the object or array.
func next(b []byte, i int, object bool) (start int, more bool, err error) {
	i = skipSpace(b, i)
	if i >= len(b) {
		return 0, false, syntax(i, "text ends inside an object or array")
	}
	switch {
	case b[i] == ',':
		return skipSpace(b, i+1), true, nil
	case object && b[i] == '}', !object && b[i] == ']':
		return i + 1, false, nil
	}
	return 0, false, syntax(i, "expected a comma or a closing bracket")
}

// skipName reads a member's name and its colon. It returns where the value starts and whether the name is plain.
// The name's text stands between the quotes that start at i.
func skipName(b []byte, i int) (value int, plain bool, err error) {
	if i >= len(b) || b[i] != '"' {
		return 0, false, syntax(i, "expected a member name")
	}
	end, plain, err := skipString(b, i)
	if err != nil {
		return 0, false, err
	}
	return skipColon(b, end, plain)
}

func skipColon(b []byte, i int, plain bool) (int, bool, error) {
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return 0, false, syntax(i, "expected a colon")
	}
	return skipSpace(b, i+1), plain, nil
}

// nameAt is skipName that also returns the name's value.
func nameAt(b []byte, i int, buf []byte) (name, newBuf []byte, value int, err error) {
	if i >= len(b) || b[i] != '"' {
		return nil, buf, 0, syntax(i, "expected a member name")
	}
	name, buf, end, err := stringAt(b, i, buf)
	if err != nil {
		return nil, buf, 0, err
	}
	value, _, err = skipColon(b, end, true)
	return name, buf, value, err
}

// atEnd reports an error if anything but space follows the value that ended at i.
func atEnd(b []byte, i int) error {
	if i = skipSpace(b, i); i < len(b) {
		return syntax(i, "something follows the value")
	}
	return nil
}

// members calls f with each member of the object in raw: its name and the raw text of its value. The name is
// valid until f returns.
func members(raw []byte, f func(name, value []byte) error) error {
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return syntax(i, "expected an object")
	}
	i, more, err := enter(raw, i, 0)
	var name, buf []byte
	for more && err == nil {
		if name, buf, i, err = nameAt(raw, i, buf); err != nil {
			return err
		}
		start := i
		if i, err = skipValue(raw, i, 1); err != nil {
			return err
		}
		if err = f(name, raw[start:i]); err != nil {
			return err
		}
		i, more, err = next(raw, i, true)
	}
	if err != nil {
		return err
	}
	return atEnd(raw, i)
}

// elements calls f with the raw text of each element of the array in raw.
func elements(raw []byte, f func(value []byte) error) error {
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != '[' {
		return syntax(i, "expected an array")
	}
	i, more, err := enter(raw, i, 0)
	for more && err == nil {
		start := i
		if i, err = skipValue(raw, i, 1); err != nil {
			return err
		}
		if err = f(raw[start:i]); err != nil {
			return err
		}
		i, more, err = next(raw, i, false)
	}
	if err != nil {
		return err
	}
	return atEnd(raw, i)
}

// decodeString returns the value of the JSON string in raw.
func decodeString(raw []byte) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	value, _, end, err := stringAt(raw, 0, nil)
	if err != nil || end != len(raw) {
		return "", false
	}
	return string(value), true
}

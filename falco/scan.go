package falco

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is the deepest nesting of a record. Falco's own records have 2 levels; a plugin's raw field may have a few
// more. It also bounds what Split spends on looking for the end of a broken record.
const maxDepth = 64

const (
	swarLow  = 0x0101010101010101
	swarHigh = 0x8080808080808080
)

// skipSpace returns the index of the first byte at or after i that is not JSON's insignificant space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scanString returns the index of the quote that ends the string whose first byte after the opening quote is b[i], and
// whether there are escapes in it. Raw control characters are an error, as in the standard; bytes that are not UTF-8
// are let through.
func scanString(b []byte, i int) (end int, escaped bool, err *ParseError) {
	for {
		for ; i+8 <= len(b); i += 8 {
			w := binary.LittleEndian.Uint64(b[i:])
			quote, slash := w^('"'*swarLow), w^('\\'*swarLow)
			hit := ((quote-swarLow)&^quote | (slash-swarLow)&^slash | (w-' '*swarLow)&^w) & swarHigh
			if hit != 0 {
				// A borrow can only mark bytes above a true hit, so that the lowest mark is exact.
				if i += bits.TrailingZeros64(hit) / 8; b[i] == '"' {
					return i, escaped, nil
				}
				break
			}
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
			i++
		}
		switch {
		case i >= len(b):
			return i, escaped, fail(NotJSON, i, "string without an end")
		case b[i] == '"':
			return i, escaped, nil
		case b[i] < ' ':
			return i, escaped, fail(NotJSON, i, "control character in a string")
		}
		escaped = true
		n := escapeLen(b[i:])
		if n == 0 {
			return i, escaped, fail(NotJSON, i, "bad escape in a string")
		}
		i += n
	}
}

// escapeLen returns the length of the escape that b starts with, 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && hex4(b[2:6]) >= 0 {
			return 6
		}
	}
	return 0
}

// hex4 reads four hexadecimal digits; -1 if they are not.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendDecoded appends the text of a string that scanString accepted. A lone surrogate becomes U+FFFD.
func appendDecoded(dst, raw []byte) []byte {
	for i := 0; ; {
		n := bytes.IndexByte(raw[i:], '\\')
		if n < 0 {
			return append(dst, raw[i:]...)
		}
		dst = append(dst, raw[i:i+n]...)
		i += n
		c := raw[i+1]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(raw[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
					low = hex4(raw[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
		i += 2
	}
}

// scanNumber returns the index after the number that starts at i.
func scanNumber(b []byte, i int) (end int, err *ParseError) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	case i < len(b) && isDigit(b[i]):
		i = skipDigits(b, i)
	default:
		return i, fail(NotJSON, i, "bad number")
	}
	if i < len(b) && b[i] == '.' {
		start := i + 1
		if i = skipDigits(b, start); i == start {
			return i, fail(NotJSON, i, "bad number")
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start := i
		if i = skipDigits(b, start); i == start {
			return i, fail(NotJSON, i, "bad number")
		}
	}
	return i, nil
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// scanLiteral returns the index after true, false or null at i.
func scanLiteral(b []byte, i int) (end int, err *ParseError) {
	for _, word := range [...]string{"null", "true", "false"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word), nil
		}
	}
	return i, fail(NotJSON, i, "no JSON value")
}

// skipValue returns the index after the JSON value that starts at i (no space before it).
func skipValue(b []byte, i, depth int) (end int, err *ParseError) {
	if i >= len(b) {
		return i, fail(NotJSON, i, "ends where a value should be")
	}
	switch c := b[i]; {
	case c == '"':
		if end, _, err = scanString(b, i+1); err != nil {
			return end, err
		}
		return end + 1, nil
	case c == '{':
		return eachMember(b, i, depth, func(m member) (int, *ParseError) { return skipValue(b, m.value, depth+1) })
	case c == '[':
		return eachElement(b, i, depth, func(at int) (int, *ParseError) { return skipValue(b, at, depth+1) })
	case c == '-' || isDigit(c):
		return scanNumber(b, i)
	}
	return scanLiteral(b, i)
}

// member is where one member of an object stands: the first byte of its name, the quote after the name, the first byte
// of its value, and whether the name has escapes.
type member struct {
	name, nameEnd, value int
	escaped              bool
}

// eachMember walks the object that starts at b[i]; value returns the index after the member's value.
func eachMember(b []byte, i, depth int, value func(m member) (int, *ParseError)) (int, *ParseError) {
	if depth >= maxDepth {
		return i, fail(TooDeep, i, "nested too deeply")
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return i, fail(NotJSON, i, "no member name where one should be")
		}
		key := i + 1
		end, escaped, err := scanString(b, key)
		if err != nil {
			return end, err
		}
		if i = skipSpace(b, end+1); i >= len(b) || b[i] != ':' {
			return i, fail(NotJSON, i, "no colon after a member name")
		}
		if i, err = value(member{key, end, skipSpace(b, i+1), escaped}); err != nil {
			return i, err
		}
		if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
			return i + 1, nil
		}
		if i >= len(b) || b[i] != ',' {
			return i, fail(NotJSON, i, "no comma or brace after a member")
		}
		i = skipSpace(b, i+1)
	}
}

// eachElement walks the array that starts at b[i]; value returns the index after the element at its argument.
func eachElement(b []byte, i, depth int, value func(at int) (int, *ParseError)) (int, *ParseError) {
	if depth >= maxDepth {
		return i, fail(TooDeep, i, "nested too deeply")
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		var err *ParseError
		if i, err = value(i); err != nil {
			return i, err
		}
		if i = skipSpace(b, i); i < len(b) && b[i] == ']' {
			return i + 1, nil
		}
		if i >= len(b) || b[i] != ',' {
			return i, fail(NotJSON, i, "no comma or bracket after an element")
		}
		i = skipSpace(b, i+1)
	}
}

// skipBOM returns the index after a leading UTF-8 byte order mark.
func skipBOM(b []byte) int {
	if len(b) >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF {
		return 3
	}
	return 0
}

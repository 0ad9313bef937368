package cwlogs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting bounds the nesting of JSON that is only skipped. falco.Parse has its own, narrower one.
const maxNesting = 128

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

var errEnd = errors.New("JSON ends early")

func unexpected(b []byte, i int) error {
	if i >= len(b) {
		return errEnd
	}
	return fmt.Errorf("unexpected byte %q at %d", b[i], i)
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// skipString returns the index after the string that begins at b[i]. It looks at eight bytes at once: nearly all of a
// payload is in strings.
func skipString(b []byte, i int) (int, error) {
	if i >= len(b) || b[i] != '"' {
		return i, unexpected(b, i)
	}
	for i++; i < len(b); {
		if i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			quote, slash := w^('"'*lows), w^('\\'*lows)
			// The lowest mark is exact: a borrow marks only bytes above a true hit.
			hit := ((quote-lows)&^quote | (slash-lows)&^slash) & highs
			if hit == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(hit) / 8
		}
		switch b[i] {
		case '"':
			return i + 1, nil
		case '\\':
			i++
		}
		i++
	}
	return i, errEnd
}

// skipValue returns the index after the JSON value that begins at b[i]. It finds where a value ends and judges no more of
// it than that takes.
func skipValue(b []byte, i int) (int, error) {
	if i >= len(b) {
		return i, errEnd
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	begin := i
	for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] >= 'a' && b[i] <= 'z' || b[i] == '-' || b[i] == '+' || b[i] == '.' || b[i] == 'E') {
		i++
	}
	if i == begin {
		return i, unexpected(b, i)
	}
	return i, nil
}

// skipNested returns the index after the object or array that begins at b[i].
func skipNested(b []byte, i int) (int, error) {
	var open [maxNesting]byte
	depth := 0
	for ; i < len(b); i++ {
		switch c := b[i]; c {
		case '"':
			end, err := skipString(b, i)
			if err != nil {
				return end, err
			}
			i = end - 1
		case '{', '[':
			if depth == maxNesting {
				return i, fmt.Errorf("nested deeper than %d", maxNesting)
			}
			open[depth] = c
			depth++
		case '}', ']':
			depth--
			if open[depth] != c-2 { // '{' and '}', '[' and ']' are two apart
				return i, unexpected(b, i)
			}
			if depth == 0 {
				return i + 1, nil
			}
		}
	}
	return i, errEnd
}

// members calls visit for each member of the object that b is, with its name as it is written and its value.
func members(b []byte, visit func(name, value []byte)) error {
	i := skipSpace(b, 0)
	end, err := object(b, i, visit)
	if err != nil {
		return err
	}
	if i = skipSpace(b, end); i != len(b) {
		return unexpected(b, i)
	}
	return nil
}

// object calls visit for each member of the object that begins at b[i] and returns the index after it.
func object(b []byte, i int, visit func(name, value []byte)) (int, error) {
	if i >= len(b) || b[i] != '{' {
		return i, unexpected(b, i)
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		nameEnd, err := skipString(b, i)
		if err != nil {
			return nameEnd, err
		}
		name := b[i+1 : nameEnd-1]
		if i = skipSpace(b, nameEnd); i >= len(b) || b[i] != ':' {
			return i, unexpected(b, i)
		}
		i = skipSpace(b, i+1)
		end, err := skipValue(b, i)
		if err != nil {
			return end, err
		}
		visit(name, b[i:end])
		i = skipSpace(b, end)
		switch {
		case i < len(b) && b[i] == '}':
			return i + 1, nil
		case i < len(b) && b[i] == ',':
			i = skipSpace(b, i+1)
		default:
			return i, unexpected(b, i)
		}
	}
}

// elements calls visit for each element of the array that b is, until it returns an error.
func elements(b []byte, visit func(element []byte) error) error {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '[' {
		return unexpected(b, i)
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
		return nil
	}
	for {
		end, err := skipValue(b, i)
		if err != nil {
			return err
		}
		if err := visit(b[i:end]); err != nil {
			return err
		}
		i = skipSpace(b, end)
		switch {
		case i < len(b) && b[i] == ']':
			return nil
		case i < len(b) && b[i] == ',':
			i = skipSpace(b, i+1)
		default:
			return unexpected(b, i)
		}
	}
}

// text is the string that value is, "" if it is none.
func text(value []byte) string { return string(unquote(value)) }

// unquote returns the text of the JSON string that value is, nil if it is none. It shares value's bytes where it can.
func unquote(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return nil
	}
	in := value[1 : len(value)-1]
	first := bytes.IndexByte(in, '\\')
	if first < 0 {
		return in
	}
	out := make([]byte, first, len(in))
	copy(out, in)
	for i := first; i < len(in); {
		if in[i] != '\\' {
			run := bytes.IndexByte(in[i:], '\\')
			if run += i; run < i {
				run = len(in)
			}
			out = append(out, in[i:run]...)
			i = run
			continue
		}
		out, i = unescape(out, in, i+1)
	}
	return out
}

// unescape appends what the escape at in[i], after the backslash, stands for. Half of a surrogate pair becomes U+FFFD, an
// escape that JSON does not have stays as it is written: falco.Parse is the one that judges.
func unescape(out, in []byte, i int) ([]byte, int) {
	if i >= len(in) {
		return append(out, '\\'), i
	}
	switch c := in[i]; c {
	case '"', '\\', '/':
		return append(out, c), i + 1
	case 'b':
		return append(out, '\b'), i + 1
	case 'f':
		return append(out, '\f'), i + 1
	case 'n':
		return append(out, '\n'), i + 1
	case 'r':
		return append(out, '\r'), i + 1
	case 't':
		return append(out, '\t'), i + 1
	case 'u':
		r, ok := hex4(in, i+1)
		if !ok {
			break
		}
		i += 5
		if utf16.IsSurrogate(r) {
			low, ok := rune(0), false
			if i+1 < len(in) && in[i] == '\\' && in[i+1] == 'u' {
				low, ok = hex4(in, i+2)
			}
			if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
				i += 6
			}
		}
		return utf8.AppendRune(out, r), i
	}
	return append(out, '\\', in[i]), i + 1
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

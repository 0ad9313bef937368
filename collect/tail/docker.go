package tail

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// parseDocker takes a line of Docker's json-file driver apart:
//
//	{"log":"text\n","stream":"stdout","attrs":{…},"time":"2026-11-21T02:25:46.697293485Z"}
//
// The driver always writes "log" first and no spaces between tokens; a Falco alert has no member of that name. The text
// returned is the decoder's, valid until the next call. Anything else, a line torn by a crash too, is not Docker's.
// (https://github.com/moby/moby/blob/master/daemon/logger/jsonfilelog/jsonlog/jsonlogbytes.go)
func (d *Decoder) parseDocker(line []byte) (stream int, text []byte, ok bool) {
	const head = `{"log":"`
	if !bytes.HasPrefix(line, []byte(head)) {
		return 0, nil, false
	}
	text, i, ok := unescape(d.scratch[:0], line, len(head))
	d.keepScratch(text)
	if !ok {
		return 0, nil, false
	}
	var hasTime, hasStream bool
	for i < len(line) && line[i] == ',' {
		name, value, next, ok := member(line, i+1)
		if !ok {
			return 0, nil, false
		}
		switch string(name) {
		case `"time"`:
			hasTime = true
		case `"stream"`:
			hasStream = true
			if string(value) == `"stderr"` {
				stream = stderr
			}
		}
		i = next
	}
	if i != len(line)-1 || line[i] != '}' || !hasTime || !hasStream {
		return 0, nil, false
	}
	return stream, text, true
}

// keepScratch keeps the buffer for the next line, unless a rare long line made it large.
func (d *Decoder) keepScratch(b []byte) {
	if cap(b) <= 256<<10 {
		d.scratch = b
	}
}

// member reads `"name":value` at line[i:], value being a string or an object of strings; both are returned as they
// are written.
func member(line []byte, i int) (name, value []byte, next int, ok bool) {
	end, ok := skipString(line, i)
	if !ok || end >= len(line) || line[end] != ':' {
		return nil, nil, 0, false
	}
	name, i = line[i:end], end+1
	next, ok = skipValue(line, i)
	if !ok {
		return nil, nil, 0, false
	}
	return name, line[i:next], next, true
}

func skipValue(line []byte, i int) (int, bool) {
	if i >= len(line) {
		return 0, false
	}
	if line[i] == '"' {
		return skipString(line, i)
	}
	if line[i] != '{' {
		return 0, false
	}
	for depth := 0; i < len(line); {
		switch line[i] {
		case '"':
			end, ok := skipString(line, i)
			if !ok {
				return 0, false
			}
			i = end
			continue
		case '{':
			depth++
		case '}':
			depth--
		}
		i++
		if depth == 0 {
			return i, true
		}
	}
	return 0, false
}

// skipString returns the index after the JSON string that starts at line[i].
func skipString(line []byte, i int) (int, bool) {
	if i >= len(line) || line[i] != '"' {
		return 0, false
	}
	for i++; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			return i + 1, true
		}
	}
	return 0, false
}

// unescape appends to dst the JSON string of which the text begins at line[i], and returns the index after its closing
// quote. Half of a surrogate pair becomes U+FFFD, as in encoding/json; invalid UTF-8 stays as it is.
func unescape(dst, line []byte, i int) ([]byte, int, bool) {
	dst = slices.Grow(dst, len(line)-i) // no escape is shorter than what it stands for
	out := dst[:cap(dst)]
	n := len(dst)
	for i < len(line) {
		c := line[i]
		i++
		if c == '"' {
			return out[:n], i, true
		}
		if c != '\\' {
			out[n] = c
			n++
			continue
		}
		if i >= len(line) {
			break
		}
		c = line[i]
		i++
		if c != 'u' {
			if c = plainEscapes[c]; c == 0 {
				break
			}
			out[n] = c
			n++
			continue
		}
		r, next, ok := unicodeEscape(line, i)
		if !ok {
			break
		}
		n += utf8.EncodeRune(out[n:], r)
		i = next
	}
	return dst, 0, false
}

// plainEscapes maps the character after a backslash to what the two stand for.
var plainEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f'}

// unicodeEscape reads the four digits at line[i], and the second half of a surrogate pair if there is one.
func unicodeEscape(line []byte, i int) (r rune, next int, ok bool) {
	if r, ok = hex4(line, i); !ok {
		return 0, 0, false
	}
	i += 4
	if !utf16.IsSurrogate(r) {
		return r, i, true
	}
	if i+1 < len(line) && line[i] == '\\' && line[i+1] == 'u' {
		if low, ok := hex4(line, i+2); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, i + 6, true
			}
		}
	}
	return utf8.RuneError, i, true
}

func hex4(line []byte, i int) (rune, bool) {
	if i+4 > len(line) {
		return 0, false
	}
	var r rune
	for _, c := range line[i : i+4] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return r, true
}

package asff

import (
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// writer appends JSON to dst. Members whose value is absent are left out.
type writer struct {
	dst   []byte
	comma bool // the next member or element needs a comma before it
}

func (w *writer) open(bracket byte) {
	w.dst = append(w.dst, bracket)
	w.comma = false
}

func (w *writer) close(bracket byte) {
	w.dst = append(w.dst, bracket)
	w.comma = true
}

// element starts an element of an array.
func (w *writer) element() {
	if w.comma {
		w.dst = append(w.dst, ',')
	}
	w.comma = true
}

// name starts a member whose name needs no escapes.
func (w *writer) name(name string) {
	w.element()
	w.dst = append(appendQuoted(w.dst, name), ':')
}

func (w *writer) text(name, value string) {
	switch {
	case value == "":
	case plainText(value):
		w.plainMember(name, value)
	default:
		w.name(name)
		w.dst = appendString(w.dst, value)
	}
}

// plainMember writes a member whose name and value need no escapes: ,"NAME":"VALUE" in one go.
func (w *writer) plainMember(name, value string) {
	n := len(w.dst)
	most := len(name) + len(value) + len(`,"":""`)
	dst := slices.Grow(w.dst, most)
	to := dst[n : n+most]
	if !w.comma {
		to, most = to[:most-1], most-1
	} else {
		to[0] = ','
		to = to[1:]
	}
	w.comma = true
	w.dst = dst[:n+most]
	to[0] = '"'
	copy(to[1:], name)
	to = to[1+len(name):]
	to[0], to[1], to[2] = '"', ':', '"'
	copy(to[3:], value)
	to[3+len(value)] = '"'
}

func (w *writer) int(name string, value *int) {
	if value != nil {
		w.name(name)
		w.dst = strconv.AppendInt(w.dst, int64(*value), 10)
	}
}

func (w *writer) bool(name string, value *bool) {
	if value != nil {
		w.name(name)
		w.dst = strconv.AppendBool(w.dst, *value)
	}
}

// float leaves out what JSON cannot say: infinities and NaN.
func (w *writer) float(name string, value *float64) {
	if value != nil && !math.IsInf(*value, 0) && !math.IsNaN(*value) {
		w.name(name)
		w.dst = strconv.AppendFloat(w.dst, *value, 'g', -1, 64)
	}
}

func (w *writer) time(name string, value time.Time) {
	if !value.IsZero() {
		w.text(name, FormatTime(value))
	}
}

// raw writes a value that is JSON already; nil is absent.
func (w *writer) raw(name string, value []byte) {
	if len(value) > 0 {
		w.name(name)
		w.dst = append(w.dst, value...)
	}
}

func (w *writer) texts(name string, values []string) {
	if len(values) == 0 {
		return
	}
	w.name(name)
	w.open('[')
	for _, v := range values {
		w.element()
		w.dst = appendString(w.dst, v)
	}
	w.close(']')
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends s with quotes around it.
func appendQuoted(dst []byte, s string) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(s)+3)[:n+len(s)+2] // a colon or comma follows
	dst[n] = '"'
	copy(dst[n+1:], s)
	dst[n+1+len(s)] = '"'
	return dst
}

// appendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD, one for each bad byte.
func appendString(dst []byte, s string) []byte {
	if plainText(s) { // nearly always
		return appendQuoted(dst, s)
	}
	dst = append(dst, '"')
	start, i := 0, 0
	for i < len(s) {
		c := s[i]
		if c < utf8.RuneSelf {
			if !stringStop[c] {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + 1
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

package filter

import (
	"strings"
	"unicode/utf8"
)

// lexer is a cursor over the condition. Its methods either consume what they are named for, leave it in last and
// answer true, or consume nothing and answer false; a failed word operator is the exception (see operator).
type lexer struct {
	text string
	pos  Pos
	last string
	err  *SyntaxError // set by a quoted string with a bad escape
}

func (l *lexer) rest() string { return l.text[l.pos.Offset:] }

// peek is the byte at the cursor, 0 at the end.
func (l *lexer) peek() byte {
	if l.pos.Offset >= len(l.text) {
		return 0
	}
	return l.text[l.pos.Offset]
}

func (l *lexer) advance(n int) {
	for i := 0; i < n; i++ {
		c := l.text[l.pos.Offset]
		l.pos.Offset++
		l.pos.Col++
		if c == '\n' || c == '\r' {
			l.pos.Line++
			l.pos.Col = 1
		}
	}
}

// take consumes n bytes as the last token; n <= 0 is a failure.
func (l *lexer) take(n int) bool {
	if n <= 0 {
		return false
	}
	l.last = l.text[l.pos.Offset : l.pos.Offset+n]
	l.advance(n)
	return true
}

// blank skips blanks. The backspace is one of them, the vertical tab and the form feed are not: Falco's lexer has it so.
func (l *lexer) blank() bool {
	n := 0
	for ; ; n++ {
		switch l.peek() {
		case ' ', '\t', '\b', '\r', '\n':
			l.advance(1)
			continue
		}
		return n > 0
	}
}

func (l *lexer) literal(s string) bool {
	if !strings.HasPrefix(l.rest(), s) {
		return false
	}
	return l.take(len(s))
}

// operator consumes one of the operators. Those that end in a space want a blank after the word; where there is none
// the word stays consumed, which is where Falco's message points to.
func (l *lexer) operator(list []string) bool {
	for _, op := range list {
		word, needsBlank := strings.CutSuffix(op, " ")
		if !l.literal(word) {
			continue
		}
		return !needsBlank || l.blank()
	}
	return false
}

// modifier consumes oneof, anyof or allof when a blank follows.
func (l *lexer) modifier() bool {
	for _, m := range Modifiers {
		rest := l.rest()
		if strings.HasPrefix(rest, m) && len(rest) > len(m) && isBlank(rest[len(m)]) {
			return l.take(len(m))
		}
	}
	return false
}

// notBlank consumes "not" with the white space after it.
func (l *lexer) notBlank() bool {
	rest := l.rest()
	if !strings.HasPrefix(rest, "not") {
		return false
	}
	n := 3
	for n < len(rest) && isSpace(rest[n]) {
		n++
	}
	if n == 3 {
		return false
	}
	return l.take(n)
}

func (l *lexer) identifier() bool { return l.take(identLen(l.rest())) }

// fieldName consumes two or more identifiers joined by dots.
func (l *lexer) fieldName() bool {
	rest := l.rest()
	n := identLen(rest)
	if n == 0 {
		return false
	}
	dots := 0
	for n < len(rest) && rest[n] == '.' {
		k := identLen(rest[n+1:])
		if k == 0 {
			break
		}
		n += 1 + k
		dots++
	}
	if dots == 0 {
		return false
	}
	return l.take(n)
}

func (l *lexer) fieldArg() bool {
	return l.take(runLen(l.rest(), func(r rune) bool {
		return r != '[' && r != ']' && r != '"' && r != '\'' && !(r < 0x80 && isSpace(byte(r)))
	}))
}

func (l *lexer) bareString() bool {
	return l.take(runLen(l.rest(), func(r rune) bool {
		switch r {
		case '(', ')', '"', '\'', '=', ',':
			return false
		}
		return !(r < 0x80 && isSpace(byte(r)))
	}))
}

func (l *lexer) hexNumber() bool {
	rest := l.rest()
	if len(rest) < 3 || rest[0] != '0' || (rest[1] != 'x' && rest[1] != 'X') {
		return false
	}
	n := 2
	for n < len(rest) && isHex(rest[n]) {
		n++
	}
	if n == 2 {
		return false
	}
	return l.take(n)
}

// number consumes [+-] digits [.] digits [e(+|-)digits].
func (l *lexer) number() bool {
	rest := l.rest()
	n := 0
	if n < len(rest) && (rest[n] == '+' || rest[n] == '-') {
		n++
	}
	start := n
	n += digits(rest[n:])
	if n == start {
		return false
	}
	if n < len(rest) && rest[n] == '.' {
		n++
	}
	n += digits(rest[n:])
	if n+2 < len(rest) && (rest[n] == 'e' || rest[n] == 'E') && (rest[n+1] == '+' || rest[n+1] == '-') {
		if k := digits(rest[n+2:]); k > 0 {
			n += 2 + k
		}
	}
	return l.take(n)
}

// quoted consumes a string in single or double quotes. A quote ends it unless the byte before it is a backslash, even
// where that backslash is itself escaped. A bad escape inside sets err and fails.
func (l *lexer) quoted() bool {
	delim := l.peek()
	if delim != '\'' && delim != '"' {
		return false
	}
	rest := l.rest()
	for i := 1; i < len(rest) && rest[i] != 0; i++ {
		if rest[i] != delim || rest[i-1] == '\\' {
			continue
		}
		inner := rest[1:i]
		l.advance(i + 1)
		text, msg := Unescape(inner, delim)
		if msg != "" {
			l.err = &SyntaxError{Pos: l.pos, Msg: msg}
			return false
		}
		l.last = text
		return true
	}
	return false
}

// Unescape resolves the backslashes inside a string quoted by delim. It answers a message where an escape is unknown.
func Unescape(s string, delim byte) (text, problem string) {
	if !strings.Contains(s, `\`) {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			if s[i] != '\\' {
				b.WriteByte(s[i])
			}
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case ' ', '\\': // "\ " has meant a backslash since a broken rule of old
			b.WriteByte('\\')
		case '/':
			b.WriteByte('/')
		case '"', '\'':
			if c != delim {
				return "", `invalid \` + string(c) + ` escape in ` + string(delim) + `-quoted string`
			}
			b.WriteByte(c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size <= 1 {
				return "", `unsupported string escape sequence: \` + s[i:i+1]
			}
			return "", `unsupported string escape sequence: \` + string(r)
		}
	}
	return b.String(), ""
}

func identLen(s string) int {
	if s == "" || !isAlpha(s[0]) {
		return 0
	}
	n := 1
	for n < len(s) && (isAlpha(s[n]) || isDigit(s[n]) || s[n] == '_') {
		n++
	}
	return n
}

// runLen is the length of the longest start of s whose characters are all accepted; invalid UTF-8 ends it.
func runLen(s string, accept func(rune) bool) int {
	n := 0
	for n < len(s) {
		r, size := rune(s[n]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[n:])
			if r == utf8.RuneError && size <= 1 {
				return n
			}
		}
		if !accept(r) {
			return n
		}
		n += size
	}
	return n
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isHex(c byte) bool   { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n'
}

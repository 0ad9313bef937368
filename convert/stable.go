package convert

import "strings"

// appendStable appends s with its volatile parts replaced by "*", so that two runs of the same thing give the same
// text. It is made for paths and names and does no harm to other text. What is replaced:
//
//   - a UUID
//   - the number after /proc/, /task/, /fd/ and /snapshots/, and every run of five digits or more, three or more in
//     directories for temporary files (process ids, os.CreateTemp's suffixes, counters)
//   - groups of digits with [-_:] between that have eight or more digits (dates and times)
//   - a word of twelve or more hexadecimal digits, with a digit and a letter among them, or sixteen without
//     (container ids, digests); eight or more in directories for temporary files
//   - a word after [-._] that looks random: six characters (mktemp's XXXXXX) with capitals elsewhere than in front or
//     digits elsewhere than at the end; seven to twelve that change between lower case, upper case and digits twice or
//     more, in directories for temporary files; thirteen or more that change five times, with digits inside
//   - "tmp" and what follows it, in directories for temporary files (Python's tempfile)
//   - a path element that begins with ".." and a digit (the kubelet's mounts of ConfigMaps and Secrets)
//
// Too much replaced makes two troubles one finding; too little makes one trouble many. The design note on identity
// weighs the two.
func appendStable(dst []byte, s string) []byte {
	temporary := isTemporary(s)
	if !temporary && isPlainText(s) {
		return append(dst, s...)
	}
	element := 0 // where the path element begins
	for i := 0; i < len(s); {
		if !isWordByte(s[i]) {
			dst = append(dst, s[i])
			i++
			switch {
			case s[i-1] == '/':
				element = i
			case i == element+2 && s[i-1] == '.' && s[element] == '.' && i < len(s) && isDigit(s[i]):
				dst = append(dst, '*')
				if n := strings.IndexByte(s[i:], '/'); n >= 0 {
					i += n
				} else {
					i = len(s)
				}
			}
			continue
		}
		if isUUID(s[i:]) {
			dst = append(dst, '*')
			i += uuidLen
			continue
		}
		if n := dateLen(s[i:]); n > 0 {
			dst = append(dst, '*')
			i += n
			continue
		}
		end := i + 1
		for end < len(s) && isWordByte(s[end]) {
			end++
		}
		dst = appendStableWord(dst, s, word{start: i, end: end, element: element, temporary: temporary})
		i = end
	}
	return dst
}

// isPlainText reports whether s, if not temporary, has no volatile parts for sure: all of them have digits or capitals,
// or begin with eight or more letters that are hexadecimal digits.
func isPlainText(s string) bool {
	hex := 0 // how many hexadecimal digits the word at hand begins with; -1 if another letter follows
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c), c >= 'A' && c <= 'Z':
			return false
		case c < 'a' || c > 'z':
			if hex >= 8 {
				return false
			}
			hex = 0
		case c > 'f':
			hex = -1
		case hex >= 0:
			hex++
		}
	}
	return hex < 8
}

// stable is appendStable for a name; it allocates only if something is replaced.
func stable(name string) string {
	if isPlainText(name) && !isTemporary(name) {
		return name
	}
	var stack [128]byte
	text := appendStable(stack[:0], name)
	if string(text) == name {
		return name
	}
	return string(text)
}

// word is a run of letters and digits in a text.
type word struct {
	start, end, element int
	temporary           bool
}

func appendStableWord(dst []byte, s string, w word) []byte {
	text := s[w.start:w.end]
	f := formOf(text)
	n := len(text)
	switch {
	case f.digits == n:
		alone := w.start == w.element && (w.end == len(s) || s[w.end] == '/')
		if n >= 5 || w.temporary && n >= 3 || alone && numbered(s[:w.element]) {
			return append(dst, '*')
		}
		return append(dst, text...)
	case f.hex && (n >= 16 || n >= 12 && f.digits > 0 || w.temporary && n >= 8 && f.digits > 0):
		return append(dst, '*')
	case w.temporary && w.start == w.element && n >= 8 && strings.HasPrefix(text, "tmp"):
		return append(dst, "tmp*"...)
	case w.start > w.element && strings.IndexByte("-._", s[w.start-1]) >= 0 && f.random(n, w.temporary):
		return append(dst, '*')
	case f.digits < 3:
		return append(dst, text...)
	}
	least := 5
	if w.temporary {
		least = 3
	}
	for i := 0; i < n; {
		end := i
		for end < n && isDigit(text[end]) {
			end++
		}
		if end-i >= least {
			dst = append(dst, '*')
			i = end
			continue
		}
		if end == i {
			end++
		}
		dst = append(dst, text[i:end]...)
		i = end
	}
	return dst
}

// form is what a word looks like.
type form struct {
	lower, upper, digits int  // how many of each
	changes              int  // between the three, the one from a capital to the rest of its word excepted
	capital              bool // begins with a capital
	digitInside          bool // a letter follows a digit
	hex                  bool // all are hexadecimal digits of one case
}

func formOf(text string) form {
	var f form
	var before byte
	hexadecimal := true
	for i := range len(text) {
		c := text[i]
		class := byte('a')
		switch {
		case isDigit(c):
			class = '0'
			f.digits++
		case c <= 'Z':
			class = 'A'
			f.upper++
			f.capital = f.capital || i == 0
		default:
			f.lower++
		}
		hexadecimal = hexadecimal && (class == '0' || c|0x20 <= 'f')
		if i > 0 && class != before && (before != 'A' || class != 'a') {
			f.changes++
			f.digitInside = f.digitInside || before == '0'
		}
		before = class
	}
	f.hex = hexadecimal && (f.lower == 0 || f.upper == 0)
	return f
}

// random reports whether a word of n characters looks random.
func (f *form) random(n int, temporary bool) bool {
	switch {
	case n < 6:
		return false
	case n == 6:
		return f.digitInside || f.upper > 0 && f.lower > 0 && (f.upper > 1 || !f.capital)
	case n <= 12:
		return temporary && f.changes >= 2
	}
	return f.changes >= 5 && f.digitInside
}

// isTemporary reports whether the path s is in a directory for temporary files, the container's own or, seen from the
// host, another's.
func isTemporary(s string) bool {
	for _, dir := range [...]string{"/tmp/", "/dev/shm/", "/run/"} {
		if i := strings.Index(s, dir); i == 0 || i > 0 && (s[0] == '/' || s[i-1] == ' ') {
			return true
		}
	}
	return false
}

// numbered reports whether a path element after the given ones is a number that means nothing.
func numbered(before string) bool {
	for _, parent := range [...]string{"/proc/", "/task/", "/fd/", "/fdinfo/", "/snapshots/"} {
		if strings.HasSuffix(before, parent) {
			return true
		}
	}
	return false
}

const uuidLen = 36

func isUUID(s string) bool {
	if len(s) < uuidLen || s[8] != '-' || len(s) > uuidLen && isWordByte(s[uuidLen]) {
		return false
	}
	for i := range uuidLen {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if c := s[i] | 0x20; !isDigit(s[i]) && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// maxDateGroups bounds the groups of digits in one date and time; year to fraction are seven.
const maxDateGroups = 8

// dateLen returns the length of the two or more groups of digits that s begins with, if they have eight digits or more
// and no letter follows; else 0.
func dateLen(s string) int {
	digits, groups, i := 0, 0, 0
	for i < len(s) && isDigit(s[i]) {
		start := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		digits += i - start
		groups++
		if groups == maxDateGroups || i+1 >= len(s) || strings.IndexByte("-_:", s[i]) < 0 || !isDigit(s[i+1]) {
			break
		}
		i++
	}
	if groups < 2 || digits < 8 || i < len(s) && isWordByte(s[i]) {
		return 0
	}
	return i
}

func isWordByte(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c-'0' <= 9 }

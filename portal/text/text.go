// Package text turns text that an attacker may have written into HTML that shows it and does nothing else. In comes any
// string: markup, terminal escapes, right-to-left overrides, invalid UTF-8, a megabyte of one letter. Out goes escaped
// HTML in which every character that a browser would hide, act on or reorder by stands as a visible symbol, inside a
// <bdi> so that its direction does not reach its neighbours.
//
// It never drops a character without saying how many, never writes an attribute or element that the input chose, and
// never fails: any byte sequence has a picture.
package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// longest is how many characters of one value a page carries when a person asks for all of it. What is longer is
	// cut in the middle; the JSON download has it whole. A hidden character takes some 40 bytes of HTML.
	longest = 8 << 10
	// maxMarks is how many combining marks may follow a letter before they are spelled out: more of them climb over
	// the neighbouring lines.
	maxMarks = 3
	// maxRun is how many equal invisible characters stand side by side before they are counted instead.
	maxRun = 4
)

// Show returns s as HTML, whole. It is phrasing content: it may stand in a paragraph, a link or a cell.
func Show(s string) template.HTML {
	var b strings.Builder
	b.WriteString("<bdi>")
	write(&b, s, false)
	b.WriteString("</bdi>")
	return template.HTML(b.String()) //nolint:gosec // write escapes
}

// Mid returns s as HTML with its middle left out when it is longer than limit characters; the gap says how many
// are missing. Phrasing content.
func Mid(s string, limit int) template.HTML {
	head, tail, gone := split(s, limit)
	if gone == 0 {
		return Show(s)
	}
	var b strings.Builder
	b.WriteString("<bdi>")
	write(&b, head, false)
	b.WriteString("</bdi>")
	gap(&b, gone)
	b.WriteString("<bdi>")
	write(&b, tail, false)
	b.WriteString("</bdi>")
	return template.HTML(b.String()) //nolint:gosec // write escapes
}

// Cut is Mid with a way to see the rest: a <details> whose summary is the cut value. Flow content: it may not stand in
// a paragraph.
func Cut(s string, limit int) template.HTML {
	if _, _, gone := split(s, limit); gone == 0 {
		return Show(s)
	}
	return `<details class="cut"><summary>` + Mid(s, limit) + `</summary><div class="whole">` + Mid(s, longest) + `</div></details>`
}

// Plain returns s without markup for places that take text alone (a title, an option, an attribute): the same visible
// symbols, cut in the middle at limit characters. The result still has to be escaped by whoever writes it.
func Plain(s string, limit int) string {
	head, tail, gone := split(s, limit)
	var b strings.Builder
	plain(&b, head)
	if gone > 0 {
		b.WriteString(" … ")
		plain(&b, tail)
	}
	return b.String()
}

// JSON returns the JSON text raw indented, its member names set apart, everything in it shown as Show would. Text that
// is not JSON is shown as it is. The result belongs into a <pre>; what is longer than limit bytes is cut in the middle.
func JSON(raw []byte, limit int) template.HTML {
	var indented bytes.Buffer
	if json.Indent(&indented, raw, "", "  ") != nil {
		return Mid(string(raw), limit)
	}
	src := indented.String()
	if len(src) > limit {
		return lines(src, limit)
	}
	var b strings.Builder
	b.Grow(len(src) + len(src)/2)
	writeJSON(&b, src)
	return template.HTML(b.String()) //nolint:gosec // write escapes
}

// lines is JSON for a document that is too long: its newlines are kept, its middle is not.
func lines(src string, limit int) template.HTML {
	head, tail, gone := split(src, limit)
	var b strings.Builder
	write(&b, head, true)
	gap(&b, gone)
	write(&b, tail, true)
	return template.HTML(b.String()) //nolint:gosec // write escapes
}

// writeJSON marks the member names of indented JSON: a string is one when a colon follows it.
func writeJSON(b *strings.Builder, src string) {
	for len(src) > 0 {
		start := strings.IndexByte(src, '"')
		if start < 0 {
			write(b, src, true)
			return
		}
		write(b, src[:start], true)
		end := closing(src[start:]) + start
		if strings.HasPrefix(src[end:], ":") {
			b.WriteString(`<span class="k">`)
			write(b, src[start:end], true)
			b.WriteString(`</span>`)
		} else {
			b.WriteString("<bdi>")
			write(b, src[start:end], true)
			b.WriteString("</bdi>")
		}
		src = src[end:]
	}
}

// closing returns the index behind the quote that ends the JSON string s begins with.
func closing(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// split cuts s in the middle to at most limit characters (an invalid byte counts as one), two thirds of them from its
// beginning, and returns how many characters are left out.
func split(s string, limit int) (head, tail string, gone int) {
	if len(s) <= limit {
		return s, "", 0
	}
	n := utf8.RuneCountInString(s)
	if n <= limit {
		return s, "", 0
	}
	first := limit * 2 / 3
	last := limit - first
	i := 0
	for range first {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	j := len(s)
	for range last {
		_, size := utf8.DecodeLastRuneInString(s[:j])
		j -= size
	}
	return s[:i], s[j:], n - limit
}

func gap(b *strings.Builder, gone int) {
	fmt.Fprintf(b, `<span class="gap" title="%s characters left out">…</span>`, Group(gone))
}

// write appends s escaped. With multiline, newlines stand as themselves.
func write(b *strings.Builder, s string, multiline bool) {
	marks := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if multiline && r == '\n' {
			b.WriteByte('\n')
			i += size
			continue
		}
		name, hidden := picture(s[i:i+size], r, &marks)
		if !hidden {
			escape(b, r)
			i += size
			continue
		}
		run := 1
		for strings.HasPrefix(s[i+run*size:], s[i:i+size]) {
			run++
		}
		i += run * size
		shown := min(run, maxRun)
		if run > maxRun {
			shown = 1
		}
		for range shown {
			symbol(b, name, r, size)
		}
		if run > maxRun {
			fmt.Fprintf(b, `<span class="gap">×%s</span>`, Group(run))
		}
	}
}

// controls are the names of U+0000 to U+001F (ISO 646). The Control Pictures block has signs for them, but few fonts do.
var controls = [...]string{
	"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI",
	"DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
}

func symbol(b *strings.Builder, name string, r rune, size int) {
	switch {
	case r < ' ':
		name = controls[r]
	case r == 0x7f:
		name = "DEL"
	}
	if r == utf8.RuneError && size == 1 {
		fmt.Fprintf(b, `<span class="ctl" title="not UTF-8">%s</span>`, name)
		return
	}
	if strings.HasPrefix(name, "U+") {
		b.WriteString(`<span class="ctl">` + name + `</span>`)
		return
	}
	fmt.Fprintf(b, `<span class="ctl" title="U+%04X">%s</span>`, r, name)
}

func escape(b *strings.Builder, r rune) {
	switch r {
	case '<':
		b.WriteString("&lt;")
	case '>':
		b.WriteString("&gt;")
	case '&':
		b.WriteString("&amp;")
	case '"':
		b.WriteString("&#34;")
	case '\'':
		b.WriteString("&#39;")
	default:
		b.WriteRune(r)
	}
}

func plain(b *strings.Builder, s string) {
	marks := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if name, hidden := picture(s[i:i+size], r, &marks); hidden {
			b.WriteString(name)
		} else {
			b.WriteRune(r)
		}
		i += size
	}
}

// picture returns the visible name of a character that a browser would hide, act on or reorder by. marks counts the
// combining marks since the last letter.
func picture(raw string, r rune, marks *int) (string, bool) {
	if r >= ' ' && r < 0x7f {
		*marks = 0
		return "", false
	}
	if unicode.In(r, unicode.Mn, unicode.Me) && !invisible(r) {
		*marks++
		return fmt.Sprintf("U+%04X", r), *marks > maxMarks
	}
	*marks = 0
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0]), true
	case r < ' ':
		return string(rune(0x2400) + r), true // the Control Pictures block
	case r == 0x7f:
		return "␡", true
	case invisible(r):
		return fmt.Sprintf("U+%04X", r), true
	}
	return "", false
}

// invisible reports whether r has no ink of its own or moves its neighbours: format characters (zero width, bidirectional
// controls, tags), line and paragraph separators, private use, C1 controls, spaces other than the space, fillers and
// variation selectors.
func invisible(r rune) bool {
	switch {
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Zs, unicode.Variation_Selector):
		return r != ' ' && r != 0xFE0F // U+FE0F asks for an emoji's colours
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x2800, r == 0x3164, r == 0xFFA0:
		return true
	}
	return false
}

// Group returns n with a comma between every three digits.
func Group(n int) string {
	s := strconv.Itoa(n)
	from := 0
	if n < 0 {
		from = 1
	}
	for i := len(s) - 3; i > from; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

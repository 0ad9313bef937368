package asff

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of Clamp's own, for text and lists to which AWS sets none, so that a finding fits MaxFindingBytes.
const (
	maxText       = 2048 // characters
	maxTypeLength = 256  // characters of one entry of Types
	maxResourceID = 512  // characters
	maxItems      = 50   // elements
	maxTags       = 50   // AWS's limit of tags on one resource
)

// Clamp changes f, and the maps and slices it points to, so that every limit holds which Validate checks on members
// that are present. It invents nothing: what is required and missing stays missing.
//
//   - Invalid UTF-8 becomes U+FFFD. Control characters are made visible: C0 and DEL become their pictures (ESC "␛",
//     NUL "␀"), C1 becomes U+FFFD. Description, notes, recommendations and map values keep newline and tab.
//   - Text that is too long is cut on a character boundary and ends with "…", within the limit. Text that has no
//     limit in AWS is cut at 2048 characters; URLs are dropped rather than cut.
//   - Blank strings, values outside of their enumeration, timestamps, addresses and numbers that are invalid, list
//     elements that lack a required member, and raw members that are not JSON are dropped.
//   - Lists are cut at their end. Maps with too many pairs keep "eyrie/" keys first, "falco/" keys last, each kind in
//     the order of the keys.
//   - If the JSON is then larger than MaxFindingBytes, f is shrunk in this order, no further than needed: Extra from its end;
//     Detection, GeneratorDetails, Action, PatchSummary, Vulnerabilities, Threats, NetworkPath; ProductFields under
//     "falco/", longest first, cut to 256 characters; those removed from the last key backwards; other ProductFields
//     but "eyrie/" likewise; UserDefinedFields; what resources have as Extra, DataClassification, Other and Tags, from the
//     last resource; indicators, malware and related findings; resources after the first, from the last; Compliance;
//     the first resource's Details; ProductFields under "eyrie/".
func (f *Finding) Clamp() {
	c := clamper{}
	c.identity(f)
	c.description(f)
	c.evidence(f)
	for i := range f.Resources {
		c.resource(&f.Resources[i])
	}
	f.Resources = head(slices.DeleteFunc(f.Resources, func(r Resource) bool {
		return r.Type == "" || r.ID == ""
	}), maxResources)
	c.state(f)
	c.raws(f)
	// A character takes at most two bytes more than its own as JSON, and there are fewer than 50 bytes of names,
	// quotes and brackets for each string.
	if 2*c.bytes+50*c.strings+2048 > MaxFindingBytes {
		f.shrink()
	}
}

// clamper counts what it has seen, to tell findings that cannot be too large without encoding them.
type clamper struct {
	bytes, strings int
	time           string // the last text that was a timestamp: most findings have the same one four times
}

// line clamps text that is one line.
func (c *clamper) line(s *string, limit int) { c.clean(s, limit, false) }

// lines clamps text that may have newlines and tabs.
func (c *clamper) lines(s *string, limit int) { c.clean(s, limit, true) }

func (c *clamper) clean(s *string, limit int, lines bool) {
	if len(*s) == 0 {
		return
	}
	if tidy(*s, limit) {
		c.bytes += len(*s)
		c.strings++
		return
	}
	if len(*s) > limit || !printable(*s) {
		*s = cleanText(*s, limit, lines)
	}
	if blankText(*s) {
		*s = ""
	}
	c.bytes += len(*s)
	c.strings++
}

// tidy reports whether s, for sure, is not blank, not too long and printable.
func tidy(s string, limit int) bool {
	return len(s) > 0 && len(s) <= limit && s[0] > ' ' && printable(s)
}

// cleanText makes s printable and at most limit characters long. It reads no more of s than it needs, and returns s
// itself if nothing is to be changed.
func cleanText(s string, limit int, lines bool) string {
	kept, cut, count := 0, 0, 0 // s[:kept] needs no change, s[:cut] has one character less than limit
	for ; kept < len(s); count++ {
		if count == limit-1 {
			cut = kept
		}
		if count == limit {
			return s[:cut] + "…"
		}
		r, size := utf8.DecodeRuneInString(s[kept:])
		if r != visible(r, lines) || r == utf8.RuneError && size == 1 {
			return rewriteText(s, kept, count, limit, lines)
		}
		kept += size
	}
	return s
}

// rewriteText is cleanText for text whose first kept bytes, count characters and fewer than limit, need no change.
func rewriteText(s string, kept, count, limit int, lines bool) string {
	out := append(make([]byte, 0, min(len(s), 4*limit)+8), s[:kept]...)
	cut := 0 // length of out with one character less than limit
	for i := kept; i < len(s); count++ {
		if count == limit-1 {
			cut = len(out)
		}
		if count == limit {
			return string(append(out[:cut], "…"...))
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		out = utf8.AppendRune(out, visible(r, lines))
	}
	return string(out)
}

// visible is the character that stands for r in clean text.
func visible(r rune, lines bool) rune {
	switch {
	case lines && (r == '\n' || r == '\t'):
	case r < 0x20:
		return r + '␀'
	case r == 0x7F:
		return '␡'
	case 0x80 <= r && r < 0xA0:
		return utf8.RuneError
	}
	return r
}

func blankText(s string) bool {
	return s == "" || s[0] <= ' ' && strings.TrimSpace(s) == ""
}

// url drops what would have to be cut.
func (c *clamper) url(s *string) {
	if len(*s) > maxText {
		*s = ""
	}
	c.line(s, maxText)
}

// enum drops what is not one of words.
func (c *clamper) enum(s *string, words ...string) {
	if *s != "" && !slices.Contains(words, *s) {
		*s = ""
	}
	c.strings++
}

// form drops what test refuses.
func (c *clamper) form(s *string, test func(string) bool) {
	if *s == "" {
		return
	}
	if !test(*s) {
		*s = ""
	}
	c.bytes += len(*s)
	c.strings++
}

// times drops what is no timestamp.
func (c *clamper) times(all ...*string) {
	for _, s := range all {
		if *s != c.time {
			c.form(s, isTime[string])
			c.time = *s
			continue
		}
		c.bytes += len(*s)
		c.strings++
	}
}

// number drops what is out of range.
func (c *clamper) number(n **int, low, high int) {
	if *n != nil && (**n < low || **n > high) {
		*n = nil
	}
	c.strings++
}

// texts clamps each of a list of strings and the list.
func (c *clamper) texts(list *[]string, count, limit int, ok func(string) bool) {
	good := 0
	for i := range *list {
		s := &(*list)[i]
		c.line(s, limit)
		if *s != "" && (ok == nil || ok(*s)) {
			good++
		}
	}
	if good < len(*list) {
		*list = slices.DeleteFunc(*list, func(s string) bool { return s == "" || ok != nil && !ok(s) })
	}
	*list = head(*list, count)
}

// head is the start of list, at most n elements.
func head[T any](list []T, n int) []T { return list[:min(len(list), n)] }

// pairs clamps the keys and values of a map and their number.
func (c *clamper) pairs(m *map[string]string, count, keyLimit, valueLimit int) {
	clean := len(*m) <= count
	for k, v := range *m {
		if !tidy(k, keyLimit) || !tidy(v, valueLimit) && (len(v) > valueLimit || !printable(v) || blankText(v)) {
			clean = false
			break
		}
		c.bytes += len(k) + len(v)
		c.strings++
	}
	if clean {
		return
	}
	keys := make([]string, 0, len(*m))
	for k := range *m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := fieldRank(a) - fieldRank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	kept := make(map[string]string, min(len(keys), count))
	for _, k := range keys {
		v := (*m)[k]
		c.line(&k, keyLimit)
		c.lines(&v, valueLimit)
		if _, taken := kept[k]; k != "" && v != "" && !taken && len(kept) < count {
			kept[k] = v
		}
	}
	*m = kept
}

// fieldRank orders keys by how much they matter: "eyrie/" 0, others 1, "falco/" 2.
func fieldRank(key string) int {
	switch {
	case strings.HasPrefix(key, "eyrie/"):
		return 0
	case strings.HasPrefix(key, "falco/"):
		return 2
	}
	return 1
}

// SetProductField sets one of ProductFields, which a producer's finding may have maxFields of: where there is no room, one
// that Clamp would drop goes.
func (f *Finding) SetProductField(name, value string) {
	if f.ProductFields == nil {
		f.ProductFields = map[string]string{}
	}
	f.ProductFields[name] = value
	if len(f.ProductFields) > maxFields {
		f.Clamp()
	}
}

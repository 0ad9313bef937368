package hub

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/asff"
)

// Bounds of the words that a finding is found by.
const (
	maxWords     = 400
	maxWordBytes = 64 // longer words are cut
)

// Words cuts text into the words by which Query.Text finds it: runs of letters and digits, in lower case.
func Words(text string) []string {
	var w wordList
	w.add(text, false)
	return w.words
}

// wordList collects distinct words.
type wordList struct {
	words []string
	seen  map[string]struct{}
	buf   []byte
}

// add takes in the words of text; if volatile, numbers of four and more digits are left out: process ids and times differ
// in every occurrence, and would make the store rewrite the finding's words each time.
func (w *wordList) add(text string, volatile bool) {
	w.buf = w.buf[:0]
	digits := true
	flush := func() {
		if len(w.buf) > 0 && !(volatile && digits && len(w.buf) >= 4) {
			w.put()
		}
		w.buf, digits = w.buf[:0], true
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z':
			w.buf, digits = append(w.buf, c), false
		case '0' <= c && c <= '9':
			w.buf = append(w.buf, c)
		case 'A' <= c && c <= 'Z':
			w.buf, digits = append(w.buf, c|0x20), false
		case c < utf8.RuneSelf:
			flush()
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
				w.buf, digits = utf8.AppendRune(w.buf, unicode.ToLower(r)), false
			} else {
				flush()
			}
			i += size
			continue
		}
		i++
	}
	flush()
}

func (w *wordList) put() {
	word := w.buf
	if len(word) > maxWordBytes {
		end := maxWordBytes
		for end > 0 && !utf8.RuneStart(word[end]) {
			end--
		}
		word = word[:end]
	}
	if _, ok := w.seen[string(word)]; ok || len(w.words) >= maxWords {
		return
	}
	if w.seen == nil {
		w.seen = make(map[string]struct{}, 64)
	}
	s := string(word)
	w.seen[s] = struct{}{}
	w.words = append(w.words, s)
}

// visit takes in a value of a finding if it is one that text search looks at.
func (w *wordList) visit(a asff.Attribute, key, value []byte) {
	switch a {
	case asff.AttrProductFields:
		name := string(key)
		if name != occurrencesField {
			w.add(string(value), !strings.HasPrefix(name, "eyrie/"))
		}
	case asff.AttrTitle, asff.AttrDescription, asff.AttrType, asff.AttrAwsAccountId, asff.AttrRegion, asff.AttrProductName,
		asff.AttrProcessName, asff.AttrProcessPath, asff.AttrResourceId, asff.AttrResourceContainerName,
		asff.AttrResourceContainerImageName, asff.AttrResourceDetailsOther, asff.AttrResourceTags,
		asff.AttrNetworkSourceIpV4, asff.AttrNetworkSourceIpV6, asff.AttrNetworkSourceDomain,
		asff.AttrNetworkDestinationIpV4, asff.AttrNetworkDestinationIpV6, asff.AttrNetworkDestinationDomain,
		asff.AttrMalwareName, asff.AttrMalwarePath, asff.AttrThreatIntelIndicatorValue, asff.AttrNoteText,
		asff.AttrUserDefinedFields, asff.AttrAwsAccountName, asff.AttrComplianceSecurityControlId:
		w.add(string(value), false)
	}
}

// hash is FNV-1a over the words (https://www.isthe.com/chongo/tech/comp/fnv/): it tells whether they changed.
func (w *wordList) hash() uint64 {
	h := uint64(14695981039346656037)
	for _, word := range w.words {
		for i := 0; i < len(word); i++ {
			h = (h ^ uint64(word[i])) * 1099511628211
		}
		h = (h ^ ' ') * 1099511628211
	}
	return h
}

package hub

import (
	"bytes"
	"hash/maphash"
	"unicode"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/asff"
)

// Bounds of the words that a finding is found by.
const (
	maxWords     = 400
	maxWordBytes = 64 // longer words are cut
)

// Words cuts text into the words by which Query.Text finds it: runs of letters and digits, in lower case, each once.
func Words(text string) []string {
	var w wordList
	add(&w, text, false)
	return w.words()
}

// wordList collects distinct words. It can be used again after reset.
type wordList struct {
	text  []byte // the words, one after the other
	ends  []int32
	seen  map[uint64]struct{} // hashes of the words
	seed  maphash.Seed
	start int // of the word that is being read
}

func (w *wordList) reset() {
	w.text, w.ends, w.start = w.text[:0], w.ends[:0], 0
	clear(w.seen)
}

// add takes in the words of text; if volatile, numbers of four and more digits are left out: process ids and times differ
// in every occurrence, and would make the store rewrite the finding's words each time.
func add[T string | []byte](w *wordList, text T, volatile bool) {
	digits := true
	flush := func() {
		if volatile && digits && len(w.text)-w.start >= 4 {
			w.text = w.text[:w.start]
		}
		w.end()
		digits = true
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z':
			w.text, digits = append(w.text, c), false
		case '0' <= c && c <= '9':
			w.text = append(w.text, c)
		case 'A' <= c && c <= 'Z':
			w.text, digits = append(w.text, c|0x20), false
		case c < utf8.RuneSelf:
			if len(w.text) > w.start {
				flush()
			}
		default:
			r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
				w.text, digits = utf8.AppendRune(w.text, unicode.ToLower(r)), false
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

// end ends the word that is being read.
func (w *wordList) end() {
	word := w.text[w.start:]
	if len(word) > maxWordBytes {
		end := maxWordBytes
		for end > 0 && !utf8.RuneStart(word[end]) {
			end--
		}
		word = word[:end]
	}
	if w.seen == nil {
		w.seen, w.seed = make(map[uint64]struct{}, 128), maphash.MakeSeed()
	}
	if len(word) > 0 && len(w.ends) < maxWords {
		if hash := maphash.Bytes(w.seed, word); !has(w.seen, hash) {
			w.seen[hash] = struct{}{}
			w.start += len(word)
			w.ends = append(w.ends, int32(w.start))
		}
	}
	w.text = w.text[:w.start]
}

func has(m map[uint64]struct{}, key uint64) bool {
	_, ok := m[key]
	return ok
}

// words returns the words, in the order of their first occurrence.
func (w *wordList) words() []string {
	all := string(w.text)
	words := make([]string, len(w.ends))
	start := int32(0)
	for i, end := range w.ends {
		words[i] = all[start:end]
		start = end
	}
	return words
}

// visit takes in a value of a finding if it is one that text search looks at.
func (w *wordList) visit(a asff.Attribute, key, value []byte) {
	switch a {
	case asff.AttrProductFields:
		if string(key) != occurrencesField {
			add(w, value, !bytes.HasPrefix(key, []byte("eyrie/")))
		}
	case asff.AttrId, asff.AttrTitle, asff.AttrDescription, asff.AttrType, asff.AttrAwsAccountId, asff.AttrRegion, asff.AttrProductName,
		asff.AttrProcessName, asff.AttrProcessPath, asff.AttrResourceId, asff.AttrResourceContainerName,
		asff.AttrResourceContainerImageName, asff.AttrResourceDetailsOther, asff.AttrResourceTags,
		asff.AttrNetworkSourceIpV4, asff.AttrNetworkSourceIpV6, asff.AttrNetworkSourceDomain,
		asff.AttrNetworkDestinationIpV4, asff.AttrNetworkDestinationIpV6, asff.AttrNetworkDestinationDomain,
		asff.AttrMalwareName, asff.AttrMalwarePath, asff.AttrThreatIntelIndicatorValue, asff.AttrNoteText,
		asff.AttrUserDefinedFields, asff.AttrAwsAccountName, asff.AttrComplianceSecurityControlId:
		add(w, value, false)
	}
}

// hash tells whether the words changed: FNV-1a over them (https://www.isthe.com/chongo/tech/comp/fnv/). It is stored.
func (w *wordList) hash() uint64 {
	h := uint64(14695981039346656037)
	for _, c := range w.text {
		h = (h ^ uint64(c)) * 1099511628211
	}
	for _, end := range w.ends {
		h = (h ^ uint64(end)) * 1099511628211
	}
	return h
}

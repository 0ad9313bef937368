package hub

import (
	"slices"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// residual is what has to be tried on documents.
type residual struct {
	filters asff.Filters
	text    textual
	now     time.Time
}

// textual are words that a document must have; if prefix, the last may go on.
type textual struct {
	words  []string
	prefix bool
}

func (r *residual) none() bool { return len(r.filters) == 0 && len(r.text.words) == 0 }

// match reports whether a document matches. One that cannot be read does not.
func (r *residual) match(doc []byte) bool {
	if len(r.filters) > 0 {
		if ok, err := r.filters.Match(doc, r.now); err != nil || !ok {
			return false
		}
	}
	if len(r.text.words) == 0 {
		return true
	}
	var has wordList
	if err := asff.Extract(doc, has.visit); err != nil {
		return false
	}
	words := has.words()
	for i, w := range r.text.words {
		open := r.text.prefix && i == len(r.text.words)-1
		if !slices.ContainsFunc(words, func(h string) bool { return h == w || open && strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return true
}

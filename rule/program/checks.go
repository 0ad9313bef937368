package program

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// checker is a compiled check. Each kind does one comparison on one kind of source and nothing else.
type checker interface {
	check(e *event.Event, s *match.Scratch) bool
}

// Costs of checks, roughly in nanoseconds on a warm event. They only decide what is tried first.
const (
	costBit      = 1
	costNumber   = 2
	costEqual    = 3
	costPrefix   = 4
	costSet      = 6
	costContains = 12
	costPath     = 25
	costGlob     = 30
	costOther    = 40
	costRegex    = 300
)

// guess is how often a check holds, from what it asks alone.
func guess(t *match.Test) float32 {
	if id, ok := t.Field(); ok && t.Right == nil && t.Literals() == 1 {
		switch {
		case id == field.ContainerID && (t.Op == match.Ne || t.Op == match.Eq):
			return 0.5
		case id.Info().Type == field.Bool:
			return 0.4
		case id == field.FDTypechar || id == field.FDType:
			return 0.6
		}
	}
	switch t.Op {
	case match.Exists, match.Ne:
		return 0.9
	case match.Lt, match.Le, match.Gt, match.Ge:
		return 0.8
	case match.In, match.Intersects, match.StartsWith, match.Contains, match.PMatch:
		return 0.1
	}
	return 0.05
}

// source is where the text of a check comes from.
type source match.Source

// key is equal for equal sources.
func (s *source) key() string {
	return fmt.Sprintf("%d %d %d %s", s.Kind, s.Field, s.Index, s.Param)
}

func (s *source) text(e *event.Event) (string, bool) {
	if s.Kind == match.FromField {
		return e.Text(s.Field)
	}
	return s.other(e)
}

func (s *source) other(e *event.Event) (string, bool) {
	if s.Kind == match.FromList {
		items, ok := e.List(s.Field)
		if !ok || s.Index >= len(items) {
			return "", false
		}
		return items[s.Index], true
	}
	a := e.Arg(int(s.Params[e.Type]))
	return a.Text, a.Set
}

// newChecker compiles a check and says what it costs.
func newChecker(t *match.Test) (checker, float32) {
	if text, ok := t.Text(); ok {
		if c, cost := textChecker(t.Op, source(text.Source), &text); c != nil {
			return c, cost
		}
	}
	if n, ok := t.Number(); ok {
		return &numberCheck{n.Field, t.Op, n.Type, n.Value}, costNumber
	}
	if t.Op == match.Regex {
		return (*testCheck)(t), costRegex
	}
	return (*testCheck)(t), costOther
}

func textChecker(op match.Op, src source, t *match.SimpleText) (checker, float32) {
	switch op {
	case match.Exists:
		return &existsCheck{src}, costNumber
	case match.In, match.Intersects:
		return newSetCheck(src, t.Words), costSet
	case match.PMatch:
		if t.Paths == nil {
			return nil, 0
		}
		return &pathCheck{src, t.Paths}, costPath
	}
	if len(t.Words) != 1 {
		return nil, 0
	}
	want := t.Words[0]
	switch op {
	case match.Eq:
		return &equalCheck{src, want}, costEqual
	case match.Ne:
		return &differsCheck{src, want}, costEqual
	case match.StartsWith, match.BStartsWith:
		return &prefixCheck{src, want}, costPrefix
	case match.EndsWith:
		return &suffixCheck{src, want}, costPrefix
	case match.Contains, match.BContains:
		return &containsCheck{src, want}, costContains
	case match.Regex:
		return nil, 0
	}
	return &textCheck{src, op, want}, costGlob
}

// testCheck evaluates the check as the tree walk does: transformers, modifiers, ancestors, addresses, patterns.
type testCheck match.Test

func (t *testCheck) check(e *event.Event, s *match.Scratch) bool { return (*match.Test)(t).Eval(e, s) }

type existsCheck struct{ src source }

func (c *existsCheck) check(e *event.Event, _ *match.Scratch) bool {
	_, ok := c.src.text(e)
	return ok
}

type equalCheck struct {
	src  source
	want string
}

func (c *equalCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && s == c.want
}

type differsCheck struct {
	src  source
	want string
}

func (c *differsCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && s != c.want
}

type prefixCheck struct {
	src  source
	want string
}

func (c *prefixCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && strings.HasPrefix(s, c.want)
}

type suffixCheck struct {
	src  source
	want string
}

func (c *suffixCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && strings.HasSuffix(s, c.want)
}

type containsCheck struct {
	src  source
	want string
}

func (c *containsCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && strings.Contains(s, c.want)
}

// textCheck does any other comparison with one text.
type textCheck struct {
	src  source
	op   match.Op
	want string
}

func (c *textCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && match.CompareText(c.op, s, c.want)
}

type pathCheck struct {
	src  source
	tree func(string) bool
}

func (c *pathCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && c.tree(s)
}

// setCheck asks whether a text is one of many. Lengths and first bytes are looked at before the hash is worked out.
type setCheck struct {
	src   source
	lens  [4]uint64 // lengths that occur, the last bit for longer ones
	first [4]uint64 // first bytes that occur
	set   map[string]struct{}
	words []string
}

func newSetCheck(src source, words []string) *setCheck {
	c := &setCheck{src: src, set: make(map[string]struct{}, len(words)), words: words}
	for _, w := range words {
		c.set[w] = struct{}{}
		n := min(len(w), 255)
		c.lens[n/64] |= 1 << (n % 64)
		if w != "" {
			c.first[w[0]/64] |= 1 << (w[0] % 64)
		}
	}
	return c
}

func (c *setCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	if !ok {
		return false
	}
	n := min(len(s), 255)
	if c.lens[n/64]&(1<<(n%64)) == 0 {
		return false
	}
	if s != "" && c.first[s[0]/64]&(1<<(s[0]%64)) == 0 {
		return false
	}
	_, ok = c.set[s]
	return ok
}

// prefixSet asks whether a text starts with one of many.
type prefixSet struct {
	src   source
	words []string
	trie  trie
}

func (c *prefixSet) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && c.trie.matches(s)
}

// trie holds prefixes. A node's edges are bytes in ascending order.
type trie struct {
	end   bool
	bytes string
	next  []*trie
}

func newTrie(words []string) trie {
	var t trie
	for _, w := range words {
		t.add(w)
	}
	return t
}

func (t *trie) add(word string) {
	for i := 0; i < len(word); i++ {
		at := strings.IndexByte(t.bytes, word[i])
		if at < 0 {
			at = len(t.next)
			t.bytes += word[i : i+1]
			t.next = append(t.next, &trie{})
		}
		t = t.next[at]
	}
	t.end = true
}

func (t *trie) matches(s string) bool {
	for i := 0; i < len(s); i++ {
		if t.end {
			return true
		}
		at := strings.IndexByte(t.bytes, s[i])
		if at < 0 {
			return false
		}
		t = t.next[at]
	}
	return t.end
}

// suffixSet asks whether a text ends with one of many.
type suffixSet struct {
	src   source
	words []string
	trie  trie // of the words reversed
}

func (c *suffixSet) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && c.trie.matchesEnd(s)
}

func (t *trie) addReversed(word string) {
	b := []byte(word)
	slices.Reverse(b)
	t.add(string(b))
}

func (t *trie) matchesEnd(s string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		if t.end {
			return true
		}
		at := strings.IndexByte(t.bytes, s[i])
		if at < 0 {
			return false
		}
		t = t.next[at]
	}
	return t.end
}

// mergeable is a check that can be joined with others of its kind by "or".
type mergeable struct {
	key   string // equal for checks that can be joined
	src   source
	kind  mergeKind
	words []string
	from  []int32
}

type mergeKind uint8

const (
	mergeEqual mergeKind = iota
	mergePrefix
	mergeSuffix
)

func mergeableOf(c checker) *mergeable {
	m := &mergeable{}
	switch c := c.(type) {
	case *equalCheck:
		m.src, m.words = c.src, []string{c.want}
	case *setCheck:
		m.src, m.words = c.src, append([]string(nil), c.words...)
	case *prefixCheck:
		m.src, m.words, m.kind = c.src, []string{c.want}, mergePrefix
	case *prefixSet:
		m.src, m.words, m.kind = c.src, append([]string(nil), c.words...), mergePrefix
	case *suffixCheck:
		m.src, m.words, m.kind = c.src, []string{c.want}, mergeSuffix
	case *suffixSet:
		m.src, m.words, m.kind = c.src, append([]string(nil), c.words...), mergeSuffix
	default:
		return nil
	}
	m.key = m.src.key() + " " + string('a'+rune(m.kind))
	return m
}

func (m *mergeable) build() (checker, float32) {
	switch m.kind {
	case mergePrefix:
		return &prefixSet{m.src, m.words, newTrie(m.words)}, costSet
	case mergeSuffix:
		c := &suffixSet{src: m.src, words: m.words}
		for _, w := range m.words {
			c.trie.addReversed(w)
		}
		return c, costSet
	}
	return newSetCheck(m.src, m.words), costSet
}

// numberCheck compares a number of the event with one literal.
type numberCheck struct {
	id   field.ID
	op   match.Op
	typ  field.Type
	want int64
}

func (c *numberCheck) check(e *event.Event, _ *match.Scratch) bool {
	n, ok := match.FieldNumber(e, c.id)
	if !ok {
		return false
	}
	if c.op == match.Eq && c.typ.Signed() {
		return n == c.want
	}
	return match.CompareNumber(c.op, c.typ, n, c.want)
}

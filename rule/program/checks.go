package program

import (
	"strings"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// checker is a compiled check that is no step of its own. Each kind does one comparison on one kind of source and
// nothing else.
type checker interface {
	check(e *event.Event, s *match.Scratch) bool
}

// source is where the text of a check comes from.
type source match.Source

// sourceKey is equal for equal sources.
type sourceKey struct {
	kind  match.SourceKind
	field field.ID
	index int
	param string
}

func (s *source) key() sourceKey { return sourceKey{s.Kind, s.Field, s.Index, s.Param} }

func (s *source) text(e *event.Event) (string, bool) {
	switch s.Kind {
	case match.FromField:
		return e.Text(s.Field)
	case match.FromList:
		items, ok := e.List(s.Field)
		if !ok || s.Index >= len(items) {
			return "", false
		}
		return items[s.Index], true
	}
	a := e.Arg(int(s.Params[e.Type]))
	return a.Text, a.Set
}

// checker is what evaluates the check.
func (k *check) checker() checker {
	if k.run == nil {
		k.run = k.make()
	}
	return k.run
}

func (k *check) make() checker {
	if k.joins && (k.test == nil || len(k.words) != 1) {
		return wordsCheck(k.kind, k.src, k.words)
	}
	if text, ok := k.test.Text(); ok {
		if c := textChecker(k.test.Op, source(text.Source), &text); c != nil {
			return c
		}
	}
	if n, ok := k.test.Number(); ok {
		return &numberCheck{n.Field, k.test.Op, n.Type, n.Value}
	}
	if list, ok := k.test.InJoined(); ok {
		return &joinedCheck{list, k.test.Op}
	}
	return (*testCheck)(k.test)
}

// wordsCheck compares with many words, or none.
func wordsCheck(kind mergeKind, src source, words []string) checker {
	switch kind {
	case mergePrefix:
		c := &prefixSet{src: src}
		for _, w := range words {
			c.trie.add(w, 0)
		}
		c.trie.finish()
		return c
	case mergeSuffix:
		c := &suffixSet{src: src}
		for _, w := range words {
			c.trie.add(reversed(w), 0)
		}
		c.trie.finish()
		return c
	}
	c := &setCheck{src: src}
	for _, w := range words {
		c.set.add(w, 0)
	}
	return c
}

func textChecker(op match.Op, src source, t *match.SimpleText) checker {
	switch op {
	case match.Exists:
		return &existsCheck{src}
	case match.PMatch:
		if t.Paths == nil {
			return nil
		}
		return &pathCheck{src, t.Paths}
	}
	if len(t.Words) != 1 {
		return nil
	}
	want := t.Words[0]
	switch op {
	case match.Eq, match.In, match.Intersects:
		return &equalCheck{src, want}
	case match.Contains, match.BContains:
		return &containsCheck{src, want}
	case match.Regex:
		return nil
	}
	return &textCheck{src, op, want}
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

// setCheck asks whether a text is one of many.
type setCheck struct {
	src source
	set wordTable
}

func (c *setCheck) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	return ok && c.set.find(s) != 0
}

// prefixSet asks whether a text starts with one of many.
type prefixSet struct {
	src  source
	trie bitTrie
}

func (c *prefixSet) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	if !ok {
		return false
	}
	var out bitRow
	c.trie.collect(s, &out)
	return out[0] != 0
}

// suffixSet asks whether a text ends with one of many.
type suffixSet struct {
	src  source
	trie bitTrie
}

func (c *suffixSet) check(e *event.Event, _ *match.Scratch) bool {
	s, ok := c.src.text(e)
	if !ok {
		return false
	}
	var out bitRow
	c.trie.collectEnd(s, &out)
	return out[0] != 0
}

// joinedCheck looks for a word in a field that is a list put together with blanks, such as proc.env, without putting it
// together: a word without a blank cannot span two items.
type joinedCheck struct {
	list match.Joined
	op   match.Op
}

func (c *joinedCheck) check(e *event.Event, _ *match.Scratch) bool {
	if s, ok := e.Text(c.list.Field); ok {
		return match.CompareText(c.op, s, c.list.Word)
	}
	items, _ := e.List(c.list.Field)
	for _, s := range items {
		if match.CompareText(c.op, s, c.list.Word) {
			return true
		}
	}
	return false
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
	return ok && (c.op == match.Eq && c.typ.Signed() && n == c.want || match.CompareNumber(c.op, c.typ, n, c.want))
}

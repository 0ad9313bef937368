package program

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// check is one comparison of the conditions. Equal comparisons are one check, for all units of a program.
type check struct {
	key  string // what match.Test.Key is; starts with "+" for joined ones
	id   int32
	test *match.Test // nil for joined ones

	impossible bool // no event can pass it

	joins bool // can be joined with others of its group by "or": src and words are set
	kind  mergeKind
	group int32
	src   source
	words []string // sorted, each once

	ends []*check // what it cannot pass without, where that is cheaper

	cost, chance float32
	run          checker // made when a unit needs it
}

type mergeKind uint8

const (
	mergeEqual mergeKind = iota
	mergePrefix
	mergeSuffix
)

// checkShop makes checks, each once. A program's lock guards it.
type checkShop struct {
	byTest map[*match.Test]*check
	byKey  map[string]*check
	groups map[groupKey]int32
	joins  map[string]*check // by the numbers of what is joined
	key    []byte
}

func newCheckShop() *checkShop {
	return &checkShop{byTest: map[*match.Test]*check{}, byKey: map[string]*check{}, groups: map[groupKey]int32{},
		joins: map[string]*check{}}
}

// of finds or makes the check of a test.
func (s *checkShop) of(t *match.Test) *check {
	if k := s.byTest[t]; k != nil {
		return k
	}
	k := s.byKey[t.Key()]
	if k == nil {
		k = &check{key: t.Key(), test: t, impossible: impossible(t), chance: guess(t)}
		text, isText := t.Text()
		k.cost = cost(t, isText)
		s.add(k)
		if isText {
			s.classify(k, &text)
			k.ends = s.ends(t.Op, &text)
		}
	}
	s.byTest[t] = k
	return k
}

func (s *checkShop) add(k *check) {
	k.id = int32(len(s.byKey))
	s.byKey[k.key] = k
}

// classify finds out with what the check can be joined.
func (s *checkShop) classify(k *check, text *match.SimpleText) {
	switch k.test.Op {
	case match.Eq, match.In, match.Intersects:
		k.kind = mergeEqual
	case match.StartsWith, match.BStartsWith:
		k.kind = mergePrefix
	case match.EndsWith:
		k.kind = mergeSuffix
	default:
		return
	}
	k.joins, k.src = true, source(text.Source)
	k.words = distinct(text.Words)
	k.impossible = len(k.words) == 0
	k.group = s.groupOf(k)
}

// groupKey is equal for checks that can be joined.
type groupKey struct {
	src  sourceKey
	kind mergeKind
}

func (s *checkShop) groupOf(k *check) int32 {
	key := groupKey{k.src.key(), k.kind}
	id, ok := s.groups[key]
	if !ok {
		id = int32(len(s.groups))
		s.groups[key] = id
	}
	return id
}

func distinct(words []string) []string {
	if len(words) < 2 {
		return words
	}
	words = slices.Clone(words)
	slices.Sort(words)
	return slices.Compact(words)
}

// joined is the check that holds where one of several does, which are of one group.
func (s *checkShop) joined(from []*check) *check {
	s.key = s.key[:0]
	for _, k := range from {
		s.key = appendNumber(s.key, k.id)
	}
	if k := s.joins[string(s.key)]; k != nil {
		return k
	}
	made := &check{joins: true, kind: from[0].kind, group: from[0].group, src: from[0].src, cost: costSet}
	fails := float32(1)
	for _, k := range from {
		made.words = append(made.words, k.words...)
		fails *= 1 - k.chance
	}
	made.chance = 1 - fails
	made.words = distinct(made.words)
	made.key = fmt.Sprintf("+%d\x00%s", made.group, strings.Join(made.words, "\x00"))
	if k := s.byKey[made.key]; k != nil {
		made = k
	} else {
		s.add(made)
	}
	s.joins[string(s.key)] = made
	return made
}

// ends are the checks that a glob cannot pass without: for what stands before its first wildcard, and after its last.
// They are cheap, and can be bits. Characters outside of ASCII are left out, for a pattern compares characters and not
// bytes.
func (s *checkShop) ends(op match.Op, text *match.SimpleText) []*check {
	if op != match.Glob || len(text.Words) != 1 {
		return nil
	}
	glob, src := text.Words[0], source(text.Source)
	var out []*check
	special := func(r rune) bool { return strings.ContainsRune(`*?[\`, r) || r >= 0x80 }
	if i := strings.IndexFunc(glob, special); i > 0 {
		out = append(out, s.literal(mergePrefix, src, glob[:i]))
	}
	if i := strings.LastIndexFunc(glob, special); i >= 0 && i+1 < len(glob) && !strings.ContainsAny(glob, `[\`) && glob[i] < 0x80 {
		out = append(out, s.literal(mergeSuffix, src, glob[i+1:]))
	}
	return out
}

// literal is the check for one word of our own.
func (s *checkShop) literal(kind mergeKind, src source, word string) *check {
	k := &check{joins: true, kind: kind, src: src, words: []string{word}, cost: costPrefix, chance: 0.1}
	k.group = s.groupOf(k)
	k.key = fmt.Sprintf("+%d\x00%s", k.group, word)
	if known := s.byKey[k.key]; known != nil {
		return known
	}
	s.add(k)
	return k
}

// impossible says whether no event can pass the check: numbers of events start at 1.
func impossible(t *match.Test) bool {
	n, ok := t.Number()
	return ok && n.Field == field.EvtNum && t.Op == match.Eq && n.Value == 0
}

// Costs of checks, roughly in nanoseconds on a warm event. They only decide what is tried first.
const (
	costBit      = 3
	costNumber   = 2
	costEqual    = 3
	costPrefix   = 4
	costSet      = 6
	costContains = 12
	costPath     = 25
	costGlob     = 20
	costOther    = 40
	costRegex    = 300
)

func cost(t *match.Test, isText bool) float32 {
	if isText {
		switch t.Op {
		case match.Exists:
			return costNumber
		case match.Eq, match.Ne, match.Lt, match.Le, match.Gt, match.Ge:
			return costEqual
		case match.StartsWith, match.BStartsWith, match.EndsWith:
			return costPrefix
		case match.In, match.Intersects:
			return costSet
		case match.Contains, match.BContains:
			return costContains
		case match.PMatch:
			return costPath
		case match.Glob, match.IGlob, match.IContains:
			return costGlob
		}
	}
	if _, ok := t.Number(); ok {
		return costNumber
	}
	if t.Op == match.Regex {
		return costRegex
	}
	return costOther
}

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

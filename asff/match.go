package asff

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// KV is one value of an attribute; Key is "" except for map attributes.
type KV struct{ Key, Value string }

// MatchValues reports whether a finding whose values of attribute a are values matches conds, which must be
// conditions of a. It does not depend on the order of either.
//
// The positive conditions are joined by OR, the negative ones (Comparison.Negative) by AND, and both parts by AND. A
// positive condition holds if any value satisfies it; a negative one if no value is what it excludes. So a finding
// that lacks the attribute, or a map that lacks the key, matches every negative condition and no positive one. Dates,
// numbers, addresses, keywords and booleans have positive conditions only. Each Group of conditions must hold.
func (a Attribute) MatchValues(conds []Condition, now time.Time, values []KV) bool {
	for i := range conds {
		group := conds[i].Group
		first := true // judge each group once, at its first condition
		for j := range conds[:i] {
			first = first && conds[j].Group != group
		}
		if first && !a.matchGroup(conds, group, now, values) {
			return false
		}
	}
	return true
}

func (a Attribute) matchGroup(conds []Condition, group uint8, now time.Time, values []KV) bool {
	wanted, found := false, false
	for i := range conds {
		c := &conds[i]
		if c.Group != group {
			continue
		}
		if c.Comparison.Negative() {
			for _, v := range values {
				if !c.holds(a.Kind(), now, v) {
					return false
				}
			}
			continue
		}
		wanted = true
		for j := 0; j < len(values) && !found; j++ {
			found = c.holds(a.Kind(), now, values[j])
		}
	}
	return found || !wanted
}

// holds reports whether one value satisfies one condition. A negative condition is satisfied by a value that it does
// not exclude.
func (c *Condition) holds(kind Kind, now time.Time, v KV) bool {
	switch kind {
	case KindMap:
		if c.Key != v.Key {
			return c.Comparison.Negative()
		}
		return c.matchText(v.Value)
	case KindString:
		return c.matchText(v.Value)
	case KindNumber:
		n, err := strconv.ParseFloat(v.Value, 64)
		return err == nil && c.MatchNumber(n)
	case KindDate:
		t, err := ParseTime(v.Value)
		return err == nil && c.MatchTime(t, now)
	case KindIP:
		addr, err := netip.ParseAddr(v.Value)
		return err == nil && c.CIDR.Contains(addr.Unmap().WithZone(""))
	case KindKeyword:
		return containsFold(v.Value, c.Value)
	case KindBoolean:
		return c.Bool != nil && v.Value == strconv.FormatBool(*c.Bool)
	}
	return false
}

func (c *Condition) matchText(value string) bool {
	switch c.Comparison {
	case Equals:
		return value == c.Value
	case NotEquals:
		return value != c.Value
	case Prefix:
		return strings.HasPrefix(value, c.Value)
	case PrefixNotEquals:
		return !strings.HasPrefix(value, c.Value)
	case Contains:
		return strings.Contains(value, c.Value)
	case NotContains:
		return !strings.Contains(value, c.Value)
	case ContainsWord:
		return containsWord(value, c.Value)
	}
	return false
}

// MatchNumber reports whether n satisfies all bounds of a number condition.
func (c *Condition) MatchNumber(n float64) bool {
	return (c.Eq == nil || n == *c.Eq) &&
		(c.Gte == nil || n >= *c.Gte) && (c.Lte == nil || n <= *c.Lte) &&
		(c.Gt == nil || n > *c.Gt) && (c.Lt == nil || n < *c.Lt)
}

// MatchTime reports whether t satisfies a date condition. WITHIN n days is t >= now - n×24 h and has no upper
// bound, so that a finding from a host whose clock is ahead is not hidden; OLDER_THAN is t < now - n×24 h.
func (c *Condition) MatchTime(t, now time.Time) bool {
	if c.Range != nil {
		limit := now.Add(-c.Range.length())
		if c.Range.Comparison == OlderThan {
			return t.Before(limit)
		}
		return !t.Before(limit)
	}
	return (c.Start.IsZero() || !t.Before(c.Start)) && (c.End.IsZero() || !t.After(c.End))
}

func (r *DateRange) length() time.Duration { return time.Duration(r.Days) * 24 * time.Hour }

// TimeBounds returns the first and the last instant that satisfy a date condition, in nanoseconds since 1970,
// both inclusive, for an index that keeps times as integers. Open ends are the ends of int64.
func (c *Condition) TimeBounds(now time.Time) (first, last int64) {
	first, last = math.MinInt64, math.MaxInt64
	if c.Range != nil {
		limit := unixNano(now.Add(-c.Range.length()))
		if c.Range.Comparison == OlderThan {
			return first, max(limit, first+1) - 1
		}
		return limit, last
	}
	if !c.Start.IsZero() {
		first = unixNano(c.Start)
	}
	if !c.End.IsZero() {
		last = unixNano(c.End)
	}
	return first, last
}

// unixNano is t.UnixNano, with times outside of its range (before 1678, after 2262) moved to the nearest end.
func unixNano(t time.Time) int64 {
	switch {
	case t.Year() < 1678:
		return math.MinInt64
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// containsWord reports whether word stands in s with no letter or digit right before or after it.
func containsWord(s, word string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], word)
		if i < 0 || word == "" {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		after, _ := utf8.DecodeRuneInString(s[i+len(word):])
		if !wordRune(before, i == 0) && !wordRune(after, i+len(word) == len(s)) {
			return true
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		from = i + size
	}
}

func wordRune(r rune, edge bool) bool {
	return !edge && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// containsFold is strings.Contains under simple case folding.
func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// Match reports whether the finding in doc matches f. It reads doc once (twice if f names Keyword) and is the
// plain reference that indexes are tested against. The error is Extract's.
func (f Filters) Match(doc []byte, now time.Time) (bool, error) {
	values := make(map[Attribute][]KV, len(f))
	err := Extract(doc, func(a Attribute, key, value []byte) {
		if len(f[a]) > 0 {
			values[a] = append(values[a], KV{string(key), string(value)})
		}
	})
	if err != nil {
		return false, err
	}
	if len(f[AttrKeyword]) > 0 {
		err = Text(doc, func(value []byte) bool {
			values[AttrKeyword] = append(values[AttrKeyword], KV{Value: string(value)})
			return true
		})
		if err != nil {
			return false, err
		}
	}
	return !slices.ContainsFunc(f.Attributes(), func(a Attribute) bool {
		return !a.MatchValues(f[a], now, values[a])
	}), nil
}

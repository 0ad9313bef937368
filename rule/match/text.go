package match

import (
	"strings"

	"github.com/eyrie-sec/eyrie/rule/pattern"
)

func compareText(op Op, s, want string) bool {
	switch op {
	case Eq:
		return s == want
	case Ne:
		return s != want
	case Lt:
		return s < want
	case Le:
		return s <= want
	case Gt:
		return s > want
	case Ge:
		return s >= want
	case Contains, BContains:
		return strings.Contains(s, want)
	case IContains:
		return containsFold(s, want)
	case StartsWith, BStartsWith:
		return strings.HasPrefix(s, want)
	case EndsWith:
		return strings.HasSuffix(s, want)
	case Glob:
		return pattern.Glob(want, s, false)
	case IGlob:
		return pattern.Glob(want, s, true)
	}
	return false
}

// containsFold ignores the case of ASCII letters.
func containsFold(s, sub string) bool {
	if sub == "" {
		return true
	}
	low := lowerByte(sub[0])
	up := low
	if low >= 'a' && low <= 'z' {
		up = low - 'a' + 'A'
	}
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i] == low || s[i] == up {
			if equalFold(s[i:i+len(sub)], sub) {
				return true
			}
		}
	}
	return false
}

func equalFold(a, b string) bool {
	for i := 0; i < len(a); i++ {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

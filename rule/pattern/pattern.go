// Package pattern holds the patterns that conditions compare text with: globs, path prefixes and regular expressions. A
// pattern comes in, yes or no goes out. Matching never fails and takes time in proportion to the text (times the pattern,
// for globs with several stars); only CompileRegex can refuse.
package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// CompileRegex compiles a POSIX extended expression that has to match the whole value.
func CompileRegex(expr string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(expr, 0)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, errors.New("invalid regex pattern: " + strings.ReplaceAll(text, "`", ""))
	}
	re, err := regexp.Compile(`\A(?:` + tree.String() + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("invalid regex pattern: %w", err)
	}
	return re, nil
}

// Glob matches as fnmatch does: * and ? match slashes too, [ ] are classes, a backslash escapes.
func Glob(pattern, s string, fold bool) bool {
	px, sx := 0, 0
	starP, starS := -1, 0
	for sx < len(s) || px < len(pattern) {
		if px < len(pattern) {
			if pattern[px] == '*' {
				starP, starS = px, sx
				px++
				continue
			}
			if sx < len(s) {
				if n, w, ok := globOne(pattern[px:], s[sx:], fold); ok {
					px += n
					sx += w
					continue
				}
			}
		}
		if starP < 0 || starS >= len(s) {
			return false
		}
		_, w := utf8.DecodeRuneInString(s[starS:])
		starS += w
		px, sx = starP+1, starS
	}
	return true
}

// globOne matches one character of s with the start of pattern, and says how much of both was used.
func globOne(pattern, s string, fold bool) (n, w int, ok bool) {
	r, w := utf8.DecodeRuneInString(s)
	switch pattern[0] {
	case '?':
		return 1, w, true
	case '[':
		if n, ok, closed := globClass(pattern, r, fold); closed {
			return n, w, ok
		}
	case '\\':
		if len(pattern) > 1 {
			p, pw := utf8.DecodeRuneInString(pattern[1:])
			return 1 + pw, w, same(p, r, fold)
		}
	}
	p, pw := utf8.DecodeRuneInString(pattern)
	return pw, w, same(p, r, fold)
}

func same(a, b rune, fold bool) bool {
	return a == b || fold && lower(a) == lower(b)
}

func lower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// globClass matches r with the bracket expression at the start of pattern. An expression that does not close is no
// expression but a plain bracket.
func globClass(pattern string, r rune, fold bool) (n int, ok, closed bool) {
	i := 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, ok != negate, true
		}
		if rest, found := strings.CutPrefix(pattern[i:], "[:"); found {
			if name, _, end := strings.Cut(rest, ":]"); end {
				ok = ok || inClass(name, r)
				i += len(name) + 4
				continue
			}
		}
		lo, w := classRune(pattern[i:])
		i += w
		hi := lo
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			hi, w = classRune(pattern[i+1:])
			i += 1 + w
		}
		ok = ok || r >= lo && r <= hi || fold && lower(r) >= lower(lo) && lower(r) <= lower(hi)
	}
	return 0, false, false
}

func classRune(s string) (rune, int) {
	if s[0] == '\\' && len(s) > 1 {
		r, w := utf8.DecodeRuneInString(s[1:])
		return r, w + 1
	}
	return utf8.DecodeRuneInString(s)
}

func inClass(name string, r rune) bool {
	up, low, digit := r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9'
	switch name {
	case "alpha":
		return up || low
	case "digit":
		return digit
	case "alnum":
		return up || low || digit
	case "upper":
		return up
	case "lower":
		return low
	case "space":
		return r == ' ' || r >= '\t' && r <= '\r'
	case "blank":
		return r == ' ' || r == '\t'
	case "punct":
		return r > ' ' && r < 0x7f && !up && !low && !digit
	case "xdigit":
		return digit || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
	case "cntrl":
		return r < ' ' || r == 0x7f
	case "print":
		return r >= ' ' && r < 0x7f
	case "graph":
		return r > ' ' && r < 0x7f
	}
	return false
}

// Paths finds out whether one of its paths is the given path or a directory above it. Paths are compared by their
// parts; a part of a stored path may hold wildcards. Leading slashes do not matter.
type Paths struct {
	end   bool // a stored path ends here: everything below matches
	plain map[string]*Paths
	globs []globPart
}

type globPart struct {
	pattern string
	next    *Paths
}

// NewPaths makes a tree without paths, which matches nothing.
func NewPaths() *Paths { return &Paths{} }

// Add stores a path.
func (t *Paths) Add(path string) {
	node := t
	for path != "" {
		part, rest, _ := strings.Cut(path, "/")
		path = rest
		if part == "" {
			continue
		}
		node = node.child(part)
	}
	node.end = true
}

func (t *Paths) child(part string) *Paths {
	if strings.ContainsAny(part, "*?[") {
		for _, g := range t.globs {
			if g.pattern == part {
				return g.next
			}
		}
		next := NewPaths()
		t.globs = append(t.globs, globPart{part, next})
		return next
	}
	next, ok := t.plain[part]
	if !ok {
		next = NewPaths()
		if t.plain == nil {
			t.plain = map[string]*Paths{}
		}
		t.plain[part] = next
	}
	return next
}

// Match says whether a stored path is path or a directory above it.
func (t *Paths) Match(path string) bool {
	for {
		if t.end {
			return true
		}
		for path != "" && path[0] == '/' {
			path = path[1:]
		}
		if path == "" {
			return false
		}
		part, rest, _ := strings.Cut(path, "/")
		next := t.plain[part]
		for _, g := range t.globs {
			if Glob(g.pattern, part, false) && g.next.Match(rest) {
				return true
			}
		}
		if next == nil {
			return false
		}
		t, path = next, rest
	}
}

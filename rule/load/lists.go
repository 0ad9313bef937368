package load

import "strings"

const (
	listBlanks = " \t\n\r"
	listDelims = listBlanks + "(),="
)

var isDelim = func() (set [256]bool) {
	for _, c := range []byte(listDelims) {
		set[c] = true
	}
	return set
}()

// resolvedList is a list whose items are no lists any more.
type resolvedList struct {
	info  *listInfo
	items []string
	text  string // the items as they are put into conditions
	used  bool
}

// resolveLists replaces items that name a list defined before by that list's own items, one level deep as Falco does:
// the rest happens when the text is put into a condition.
func (c *collector) resolveLists() []*resolvedList {
	out := make([]*resolvedList, len(c.lists))
	byName := make(map[string]*resolvedList, len(c.lists))
	for i, l := range c.lists {
		out[i] = &resolvedList{info: l}
		byName[l.name] = out[i]
	}
	for _, l := range out {
		for _, item := range l.info.items {
			if ref := c.listByName[item]; ref != nil && ref.index < l.info.visibility {
				byName[item].used = true
				l.items = append(l.items, ref.items...)
			} else {
				l.items = append(l.items, item)
			}
		}
		words := make([]string, len(l.items))
		for i, item := range l.items {
			words[i] = quoteItem(item)
		}
		l.text = strings.Join(words, ", ")
	}
	return out
}

// substituter puts lists into conditions.
type substituter struct {
	lists []*resolvedList
	odd   map[*resolvedList]bool // lists whose name holds a delimiter: words cannot tell that they are there
	byKey map[string]*resolvedList
}

func newSubstituter(lists []*resolvedList) *substituter {
	s := &substituter{lists: lists, odd: map[*resolvedList]bool{}, byKey: map[string]*resolvedList{}}
	for _, l := range lists {
		if strings.ContainsAny(l.info.name, listDelims) {
			s.odd[l] = true
		}
		s.byKey[l.info.name] = l
	}
	return s
}

// run replaces the names of lists in cond, list by list in the order of definition, wherever a name stands between
// delimiters, even inside quotes. track asks for the way back.
func (s *substituter) run(cond string, track bool) (string, *substitution) {
	present := map[*resolvedList]bool{}
	s.mentioned(cond, present)
	var sub *substitution
	if track {
		sub = &substitution{from: make([]int, len(cond))}
		for i := range sub.from {
			sub.from[i] = i
		}
	}
	if len(present) == 0 && len(s.odd) == 0 {
		return cond, sub
	}
	for _, l := range s.lists {
		if !present[l] && !s.odd[l] || l.info.name == "" {
			continue
		}
		replaced, ok := replaceName(cond, l, sub)
		if !ok {
			continue
		}
		cond = replaced
		l.used = true
		s.mentioned(l.text, present)
	}
	return cond, sub
}

func (s *substituter) mentioned(text string, present map[*resolvedList]bool) {
	start := 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && !isDelim[text[i]] {
			continue
		}
		if i > start {
			if l := s.byKey[text[start:i]]; l != nil {
				present[l] = true
			}
		}
		start = i + 1
	}
}

// replaceName replaces every delimited occurrence of the list's name, with the blanks around it, by its items. An empty
// list takes a comma beside it away, the left one first.
func replaceName(cond string, l *resolvedList, sub *substitution) (string, bool) {
	name, used := l.info.name, false
	start := strings.Index(cond, name)
	for start >= 0 {
		end := start + len(name)
		if delimited(cond, start, end) {
			from, to := start, end
			for from > 0 && strings.IndexByte(listBlanks, cond[from-1]) >= 0 {
				from--
			}
			for to < len(cond) && strings.IndexByte(listBlanks, cond[to]) >= 0 {
				to++
			}
			if l.text == "" {
				if from > 0 && cond[from-1] == ',' {
					from--
				} else if to < len(cond) && cond[to] == ',' {
					to++
				}
			}
			head := ""
			if from > 0 {
				head = cond[:from] + " "
			}
			if sub != nil {
				sub.splice(start, from, to, len(head)-from+len(l.text)+1)
			}
			cond = head + l.text + " " + cond[to:]
			start = from + len(l.text) + 1
			used = true
		}
		if start+1 > len(cond) {
			break
		}
		next := strings.Index(cond[start+1:], name)
		if next < 0 {
			break
		}
		start += 1 + next
	}
	return cond, used
}

func delimited(s string, start, end int) bool {
	return (start == 0 || strings.IndexByte(listDelims, s[start-1]) >= 0) &&
		(end >= len(s) || strings.IndexByte(listDelims, s[end]) >= 0)
}

// splice notes that the bytes from..to became n bytes that stand for the name at start.
func (s *substitution) splice(start, from, to, n int) {
	origin := s.from[start]
	out := make([]int, 0, len(s.from)-(to-from)+n)
	out = append(out, s.from[:from]...)
	for range n {
		out = append(out, origin)
	}
	s.from = append(out, s.from[to:]...)
}

package asff

import "strings"

// node is one place in the tree of a finding's members: the paths of all attributes, merged.
type node struct {
	byLen  [][]child // members that lead somewhere, in buckets by the length of their names
	elem   *node     // where the elements of an array lead, or nil
	attr   Attribute // the attribute whose value stands here, if leaf
	leaf   bool
	pairs  bool // every member of an object here is a key and value of attr
	parent bool // byLen has an entry
}

type child struct {
	name string
	to   *node
}

// trie is built once from attributeTable and never written to again.
var trie = buildTrie()

func buildTrie() *node {
	root := new(node)
	for a, info := range attributeTable {
		if info.path == "" {
			continue
		}
		at := root
		for step := range strings.SplitSeq(info.path, ".") {
			name := strings.TrimRight(step, "[]{}")
			at = at.member(name)
			for range strings.Count(step, "[]") {
				if at.elem == nil {
					at.elem = new(node)
				}
				at = at.elem
			}
			at.pairs = strings.HasSuffix(step, "{}")
		}
		at.attr, at.leaf = Attribute(a), !at.pairs
	}
	return root
}

// member returns the node of the named member, making it if there is none.
func (n *node) member(name string) *node {
	for len(n.byLen) <= len(name) {
		n.byLen = append(n.byLen, nil)
	}
	for _, c := range n.byLen[len(name)] {
		if c.name == name {
			return c.to
		}
	}
	to := new(node)
	n.byLen[len(name)] = append(n.byLen[len(name)], child{name, to})
	n.parent = true
	return to
}

func (n *node) find(name []byte) *node {
	if len(name) >= len(n.byLen) {
		return nil
	}
	for _, c := range n.byLen[len(name)] {
		if c.name == string(name) {
			return c.to
		}
	}
	return nil
}

// Extract reads the finding in doc once and calls visit for each value of each attribute except Keyword (see
// Text), in the order in which they stand in doc. key is nil except for map attributes. value is the text of a
// string with its escapes undone, or the literal text of a number or boolean; null, objects and arrays where a
// scalar belongs are passed over, and types are not checked beyond that.
//
// key and value are valid until visit returns. Of a member that stands twice in an object both are visited
// (Validate refuses such documents). Member names are case-sensitive. Extract allocates only if a string has
// escapes. Safe for concurrent use.
//
// The error is a *SyntaxError; visit may have been called before it is found.
func Extract(doc []byte, visit func(a Attribute, key, value []byte)) error {
	e := extractor{b: doc, visit: visit}
	i, err := e.value(trie, skipSpace(doc, 0), 0)
	if err != nil {
		return err
	}
	return atEnd(doc, i)
}

type extractor struct {
	b      []byte
	visit  func(a Attribute, key, value []byte)
	keyBuf []byte
	valBuf []byte
}

// value reads the value at i, which stands at n, and returns the index after it.
func (e *extractor) value(n *node, i, depth int) (int, error) {
	if i >= len(e.b) {
		return skipScalar(e.b, i)
	}
	switch {
	case e.b[i] == '{' && n.pairs:
		return e.pairs(n.attr, i, depth)
	case e.b[i] == '{' && n.parent:
		return e.object(n, i, depth)
	case e.b[i] == '[' && n.elem != nil:
		i, more, err := enter(e.b, i, depth)
		for more && err == nil {
			if i, err = e.value(n.elem, i, depth+1); err != nil {
				return 0, err
			}
			i, more, err = next(e.b, i, false)
		}
		return i, err
	case n.leaf:
		return e.scalar(n.attr, nil, i, depth)
	}
	return skipValue(e.b, i, depth)
}

func (e *extractor) object(n *node, i, depth int) (int, error) {
	i, more, err := enter(e.b, i, depth)
	for more && err == nil {
		var name []byte
		if name, e.keyBuf, i, err = nameAt(e.b, i, e.keyBuf); err != nil {
			return 0, err
		}
		if to := n.find(name); to != nil {
			i, err = e.value(to, i, depth+1)
		} else {
			i, err = skipValue(e.b, i, depth+1)
		}
		if err != nil {
			return 0, err
		}
		i, more, err = next(e.b, i, true)
	}
	return i, err
}

// pairs visits each member of the object at i as a key and value of a.
func (e *extractor) pairs(a Attribute, i, depth int) (int, error) {
	i, more, err := enter(e.b, i, depth)
	for more && err == nil {
		var key []byte
		if key, e.keyBuf, i, err = nameAt(e.b, i, e.keyBuf); err != nil {
			return 0, err
		}
		if i, err = e.scalar(a, key, i, depth+1); err != nil {
			return 0, err
		}
		i, more, err = next(e.b, i, true)
	}
	return i, err
}

// scalar visits the scalar at i, or passes over whatever else stands there.
func (e *extractor) scalar(a Attribute, key []byte, i, depth int) (end int, err error) {
	if i < len(e.b) && e.b[i] == '"' {
		var value []byte
		if value, e.valBuf, end, err = stringAt(e.b, i, e.valBuf); err == nil {
			e.visit(a, key, value)
		}
		return end, err
	}
	end, err = skipValue(e.b, i, depth)
	if err == nil && e.b[i] != '{' && e.b[i] != '[' && e.b[i] != 'n' {
		e.visit(a, key, e.b[i:end])
	}
	return end, err
}

// Text calls visit with every string value of doc, at any depth, with its escapes undone, until visit returns
// false. Member names are not visited. This is what Keyword is matched against. value is valid until visit
// returns. The error is a *SyntaxError; what follows the value at which visit stopped is not checked.
func Text(doc []byte, visit func(value []byte) bool) error {
	t := texter{b: doc, visit: visit}
	i, err := t.value(skipSpace(doc, 0), 0)
	if err != nil || t.done {
		return err
	}
	return atEnd(doc, i)
}

type texter struct {
	b     []byte
	visit func(value []byte) bool
	buf   []byte
	done  bool
}

func (t *texter) value(i, depth int) (end int, err error) {
	if i < len(t.b) && t.b[i] == '"' {
		var value []byte
		if value, t.buf, end, err = stringAt(t.b, i, t.buf); err == nil {
			t.done = !t.visit(value)
		}
		return end, err
	}
	if i >= len(t.b) || t.b[i] != '{' && t.b[i] != '[' {
		return skipScalar(t.b, i)
	}
	object := t.b[i] == '{'
	i, more, err := enter(t.b, i, depth)
	for more && err == nil {
		if object {
			if i, _, err = skipName(t.b, i); err != nil {
				return 0, err
			}
		}
		if i, err = t.value(i, depth+1); err != nil || t.done {
			return i, err
		}
		i, more, err = next(t.b, i, object)
	}
	return i, err
}

package asff

import "bytes"

// Document is a JSON object taken apart at its top level only. Whatever Set and Delete do not touch comes out of
// Append byte for byte as it went in, white space between members excepted: nested members that Eyrie does not
// know, the order of members, the way numbers and escapes were written. The zero Document is an empty object.
//
// A Document shares the bytes it was parsed from and those given to Set; the caller must not change them. Not
// safe for concurrent writes.
type Document struct {
	members []docMember
}

type docMember struct {
	name  []byte // decoded
	quote []byte // the name as it was written, with its quotes
	value []byte
}

// ParseDocument takes apart the object in raw. The whole of raw is checked to be JSON no deeper than MaxDepth. Of
// a member that stands more than once the last is kept, in the place of the first. The error is a *SyntaxError.
func ParseDocument(raw []byte) (Document, error) {
	var d Document
	var places map[string]int // of the members, once they are many: a hostile document may have thousands
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return d, syntax(i, "expected an object")
	}
	i, more, err := enter(raw, i, 0)
	for more && err == nil {
		start := i
		var name []byte
		if name, _, i, err = nameAt(raw, i, nil); err != nil {
			return Document{}, err
		}
		quoteEnd := start + len(name) + 2
		if bytes.IndexByte(raw[start:i], '\\') >= 0 { // escapes make the name shorter than its quote
			quoteEnd, _, _ = skipString(raw, start)
		}
		valueStart := i
		if i, err = skipValue(raw, i, 1); err != nil {
			return Document{}, err
		}
		m := docMember{name, raw[start:quoteEnd:quoteEnd], raw[valueStart:i:i]}
		if len(d.members) < manyMembers {
			d.put(m)
		} else {
			places = d.putAmongMany(places, m)
		}
		i, more, err = next(raw, i, true)
	}
	if err == nil {
		err = atEnd(raw, i)
	}
	if err != nil {
		return Document{}, err
	}
	return d, nil
}

func (d *Document) index(name string) int {
	for i := range d.members {
		if string(d.members[i].name) == name {
			return i
		}
	}
	return -1
}

func (d *Document) put(m docMember) {
	if i := d.index(string(m.name)); i >= 0 {
		d.members[i].value = m.value
		return
	}
	if d.members == nil {
		d.members = make([]docMember, 0, 32) // a finding has about 20 to 30
	}
	d.members = append(d.members, m)
}

// manyMembers is from how many members on a map is quicker than looking through them.
const manyMembers = 64

// putAmongMany is put with the places of all members at hand; it returns them, made if they are nil.
func (d *Document) putAmongMany(places map[string]int, m docMember) map[string]int {
	if places == nil {
		places = make(map[string]int, 2*len(d.members))
		for i := range d.members {
			places[string(d.members[i].name)] = i
		}
	}
	if i, known := places[string(m.name)]; known {
		d.members[i].value = m.value
		return places
	}
	places[string(m.name)] = len(d.members)
	d.members = append(d.members, m)
	return places
}

// Len is the number of members.
func (d *Document) Len() int { return len(d.members) }

// Names returns the names of the members in their order, in a new slice.
func (d *Document) Names() []string {
	names := make([]string, len(d.members))
	for i := range d.members {
		names[i] = string(d.members[i].name)
	}
	return names
}

// Get returns the raw JSON value of the named member, or nil if there is none. The caller must not change it.
func (d *Document) Get(name string) []byte {
	if i := d.index(name); i >= 0 {
		return d.members[i].value
	}
	return nil
}

// Text returns the value of the named member if it is a string, else "".
func (d *Document) Text(name string) string {
	s, _ := decodeString(d.Get(name))
	return s
}

// Set gives the named member the raw JSON value, which must be valid: in its old place, or at the end if it is
// new. The Document keeps value.
func (d *Document) Set(name string, value []byte) {
	d.put(docMember{[]byte(name), appendString(nil, name), value})
}

// SetText sets the named member to a string.
func (d *Document) SetText(name, value string) { d.Set(name, appendString(nil, value)) }

// Delete removes the named member, if there.
func (d *Document) Delete(name string) {
	if i := d.index(name); i >= 0 {
		d.members = append(d.members[:i], d.members[i+1:]...)
	}
}

// Clone returns a copy whose members can be set and deleted without changing d. Values are shared.
func (d *Document) Clone() Document {
	return Document{append([]docMember(nil), d.members...)}
}

// Append appends the object to dst, without white space between its top-level members.
func (d *Document) Append(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range d.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, d.members[i].quote...)
		dst = append(dst, ':')
		dst = append(dst, d.members[i].value...)
	}
	return append(dst, '}')
}

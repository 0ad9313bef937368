package falco

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"golang.org/x/crypto/blake2b"
)

// Fingerprint returns a hash of what the record says and of where it comes from: the same for records that differ in
// the order of members (at any depth), insignificant space, escapes and, as in Parse, all but the last of members that
// occur twice. It is the same on every machine and must not change between versions: the journal keeps it.
//
// The hash is the first half of BLAKE2b-256. It has to be a cryptographic one: whoever could make two alerts of one
// fingerprint could hide the second. BLAKE2b needs no instructions for SHA to be quick.
//
// The record need not be an alert, only JSON within the limits of Parse; else the error is a *ParseError.
func Fingerprint(record []byte, o Origin) ([16]byte, error) {
	if len(record) > MaxRecord {
		return [16]byte{}, fail(TooLarge, MaxRecord, "record over 16 MiB")
	}
	c := canonPool.Get().(*canon)
	defer c.release()
	return c.fingerprint(record, o)
}

// fingerprint is Fingerprint; c's buffers are used again.
func (c *canon) fingerprint(record []byte, o Origin) ([16]byte, error) {
	c.b, c.dst, c.members = record, c.dst[:0], c.members[:0]
	end, err := c.value(skipSpace(record, skipBOM(record)), 0)
	if err == nil {
		if end = skipSpace(record, end); end != len(record) {
			err = fail(NotJSON, end, "data after the value")
		}
	}
	if err != nil {
		return [16]byte{}, err
	}
	for _, s := range [...]string{o.Account, o.Region, o.Cluster} {
		c.dst = append(c.dst, '"')
		c.dst = appendEscaped(c.dst, s)
		c.dst = append(c.dst, '"')
	}
	sum := blake2b.Sum256(c.dst)
	return [16]byte(sum[:16]), nil
}

// canon rewrites JSON text b as the one text in dst that all texts of the same meaning have.
type canon struct {
	b, dst, scratch []byte
	members         []canonMember // a stack: the members of the objects that are open
}

// canonMember is where one member stands in dst: its name with quotes, and the end of its value.
type canonMember struct{ start, nameEnd, end int }

var canonPool = sync.Pool{New: func() any { return new(canon) }}

// maxPooled is the size in bytes of the largest buffer that is kept for later.
const maxPooled = 1 << 20

func (c *canon) release() {
	c.b = nil
	if max(cap(c.dst), cap(c.scratch), 24*cap(c.members)) <= maxPooled {
		canonPool.Put(c)
	}
}

func (c *canon) value(i, depth int) (int, *ParseError) {
	if i >= len(c.b) {
		return i, fail(NotJSON, i, "ends where a value should be")
	}
	switch c.b[i] {
	case '"':
		end, escaped, err := scanString(c.b, i+1)
		if err != nil {
			return end, err
		}
		c.text(i+1, end, escaped)
		return end + 1, nil
	case '{':
		return c.object(i, depth)
	case '[':
		c.dst = append(c.dst, '[')
		end, err := eachElement(c.b, i, depth, func(at int) (int, *ParseError) {
			end, err := c.value(at, depth+1)
			c.dst = append(c.dst, ',')
			return end, err
		})
		c.dst = append(c.dst, ']')
		return end, err
	}
	end, err := skipValue(c.b, i, depth)
	if err == nil {
		c.dst = append(c.dst, c.b[i:end]...)
	}
	return end, err
}

// text writes the string between the indices, with the escapes that are necessary and no others.
func (c *canon) text(start, end int, escaped bool) {
	c.dst = append(c.dst, '"')
	if escaped {
		c.scratch = appendDecoded(c.scratch[:0], c.b[start:end])
		c.dst = appendEscaped(c.dst, c.scratch)
	} else {
		c.dst = append(c.dst, c.b[start:end]...)
	}
	c.dst = append(c.dst, '"')
}

func (c *canon) object(i, depth int) (int, *ParseError) {
	c.dst = append(c.dst, '{')
	base := len(c.members)
	sorted := true
	end, err := eachMember(c.b, i, depth, func(m member) (int, *ParseError) {
		at := canonMember{start: len(c.dst)}
		c.text(m.name, m.nameEnd, m.escaped)
		at.nameEnd = len(c.dst)
		end, err := c.value(m.value, depth+1)
		at.end = len(c.dst)
		if n := len(c.members); n > base && sorted {
			sorted = bytes.Compare(c.name(c.members[n-1]), c.name(at)) < 0
		}
		c.members = append(c.members, at)
		return end, err
	})
	if err == nil && !sorted {
		c.sort(c.members[base:])
	}
	c.members = c.members[:base]
	c.dst = append(c.dst, '}')
	return end, err
}

func (c *canon) name(m canonMember) []byte { return c.dst[m.start:m.nameEnd] }

// sort puts the members, which are the end of dst, in the order of their names and drops all but the last of each name.
func (c *canon) sort(members []canonMember) {
	start := members[0].start
	slices.SortFunc(members, func(a, b canonMember) int {
		return cmp.Or(bytes.Compare(c.name(a), c.name(b)), a.start-b.start)
	})
	c.scratch = c.scratch[:0]
	for i, m := range members {
		if i+1 == len(members) || !bytes.Equal(c.name(m), c.name(members[i+1])) {
			c.scratch = append(c.scratch, c.dst[m.start:m.end]...)
		}
	}
	c.dst = append(c.dst[:start], c.scratch...)
}

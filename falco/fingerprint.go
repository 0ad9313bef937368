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
	start := skipSpace(record, skipBOM(record))
	c.b, c.dst, c.members, c.from = record, c.dst[:0], c.members[:0], start
	end, err := c.value(start, 0)
	if err == nil {
		c.copyTo(end, end)
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

// canon rewrites JSON text b as the one text in dst that all texts of the same meaning have: compact JSON with members
// in the order of their names' bytes and no more escapes than necessary. Falco's output is that already, so what is in
// order is copied in long runs: b[from:] up to where canon reads is still to be copied.
type canon struct {
	b, dst, scratch []byte
	from            int
	members         []canonMember // a stack: the members of the objects that are open
}

// canonMember is where one member stands in dst, or will once it is copied: the quote before its name, the one after,
// and the end of its value.
type canonMember struct{ start, nameEnd, end int }

// copyTo copies what is left to be copied before b[end], and goes on at b[next].
func (c *canon) copyTo(end, next int) {
	c.dst = append(c.dst, c.b[c.from:end]...)
	c.from = next
}

// position is where in dst b[i] will stand.
func (c *canon) position(i int) int { return len(c.dst) + i - c.from }

// between passes over b[i:next], which is mark and space around it; mark may be empty.
func (c *canon) between(i, next int, mark string) {
	if next-i != len(mark) {
		c.copyTo(i, next)
		c.dst = append(c.dst, mark...)
	}
}

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
		if escaped {
			c.text(i+1, end)
		}
		return end + 1, nil
	case '{':
		return c.object(i, depth)
	case '[':
		return c.array(i, depth)
	}
	return skipValue(c.b, i, depth)
}

// text rewrites the string between the indices, unless its escapes are the necessary ones.
func (c *canon) text(start, end int) {
	raw := c.b[start:end]
	if necessary(raw) {
		return
	}
	c.scratch = appendDecoded(c.scratch[:0], raw)
	decoded := len(c.scratch)
	c.scratch = appendEscaped(c.scratch, c.scratch[:decoded])
	if escaped := c.scratch[decoded:]; !bytes.Equal(escaped, raw) {
		c.copyTo(start, end)
		c.dst = append(c.dst, escaped...)
	}
}

// necessary reports whether the escapes of raw, for sure, are those that appendEscaped writes.
func necessary(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return true
		}
		if c := raw[i+1]; c == 'u' || c == '/' {
			return false
		}
		raw = raw[i+2:]
	}
}

func (c *canon) array(i, depth int) (int, *ParseError) {
	at, mark := i+1, ""
	end, err := eachElement(c.b, i, depth, func(element int) (int, *ParseError) {
		c.between(at, element, mark)
		end, err := c.value(element, depth+1)
		at, mark = end, ","
		return end, err
	})
	if err == nil {
		c.between(at, end-1, "")
	}
	return end, err
}

func (c *canon) object(i, depth int) (int, *ParseError) {
	base := len(c.members)
	sorted, at, mark := true, i+1, ""
	end, err := eachMember(c.b, i, depth, func(m member) (int, *ParseError) {
		c.between(at, m.name-1, mark)
		one := canonMember{start: c.position(m.name - 1)}
		if m.escaped {
			c.text(m.name, m.nameEnd)
		}
		one.nameEnd = c.position(m.nameEnd)
		c.between(m.nameEnd+1, m.value, ":")
		if n := len(c.members); n > base && sorted {
			sorted = bytes.Compare(c.name(c.members[n-1]), c.name(one)) < 0
		}
		end, err := c.value(m.value, depth+1)
		one.end = c.position(end)
		c.members = append(c.members, one)
		at, mark = end, ","
		return end, err
	})
	if err == nil {
		c.between(at, end-1, "")
		if !sorted {
			c.copyTo(end-1, end-1)
			c.sort(c.members[base:])
		}
	}
	c.members = c.members[:base]
	return end, err
}

// name is the name of a member, in dst or still in b. A name is never half copied: canon copies up to where it reads.
func (c *canon) name(m canonMember) []byte {
	if m.nameEnd <= len(c.dst) {
		return c.dst[m.start+1 : m.nameEnd]
	}
	shift := c.from - len(c.dst)
	return c.b[m.start+1+shift : m.nameEnd+shift]
}

// sort puts the members, which are the end of dst, in the order of their names and drops all but the last of each name.
func (c *canon) sort(members []canonMember) {
	start := members[0].start
	slices.SortFunc(members, func(a, b canonMember) int {
		return cmp.Or(bytes.Compare(c.name(a), c.name(b)), a.start-b.start)
	})
	c.scratch = c.scratch[:0]
	for i, m := range members {
		if i+1 == len(members) || !bytes.Equal(c.name(m), c.name(members[i+1])) {
			if len(c.scratch) > 0 {
				c.scratch = append(c.scratch, ',')
			}
			c.scratch = append(c.scratch, c.dst[m.start:m.end]...)
		}
	}
	c.dst = append(c.dst[:start], c.scratch...)
}

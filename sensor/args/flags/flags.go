// Package flags has the names and numbers that Falco gives to the flags, commands and options of system calls. A number
// as the kernel has it comes in; Falco's number (evt.rawarg) and its text (evt.arg) go out. A number that no table knows
// has no text. The tables never change; values are those of libs 0.25.4 (Falco 0.44.1) and of the kernel's uapi headers.
package flags

// Entry is a name of a table.
type Entry struct {
	Name  string
	Value uint64
}

// Table lists names in the order in which Falco prints them.
type Table []Entry

// Append writes the names of the bits that are set, parted by |. An entry of several bits hides those of its bits. The
// name of 0, where the table has one, stands alone.
func (t Table) Append(dst []byte, v uint64) []byte {
	if v == 0 {
		for i := range t {
			if t[i].Value == 0 {
				return append(dst, t[i].Name...)
			}
		}
		return dst
	}
	start := len(dst)
	for i := range t {
		e := &t[i]
		if e.Value == 0 || e.Value&v != e.Value {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '|')
		}
		dst = append(dst, e.Name...)
		if v &^= e.Value; v == 0 {
			break
		}
	}
	return dst
}

// Known is the bits of v that have names.
func (t Table) Known(v uint64) uint64 {
	all := uint64(0)
	for i := range t {
		all |= t[i].Value
	}
	return v & all
}

// AppendEnum writes the names that the value has, parted by |: AF_LOCAL|AF_UNIX for 1.
func (t Table) AppendEnum(dst []byte, v uint64) []byte {
	start := len(dst)
	for i := range t {
		if t[i].Value != v {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '|')
		}
		dst = append(dst, t[i].Name...)
	}
	return dst
}

// pair is a kernel value and Falco's for it.
type pair struct{ from, to uint64 }

func convert(pairs []pair, v uint64) uint64 {
	out := uint64(0)
	for i := range pairs {
		if p := &pairs[i]; v&p.from == p.from {
			out |= p.to
		}
	}
	return out
}

func lookup(pairs []pair, v, other uint64) uint64 {
	for i := range pairs {
		if pairs[i].from == v {
			return pairs[i].to
		}
	}
	return other
}

package index

import "math/bits"

// codes is a list of small numbers, in the least of 1, 2 or 4 bytes that holds them all. Rows past its end have 0.
type codes struct {
	narrow []uint8 // exactly one of the three is in use; narrow at first
	middle []uint16
	wide   []uint32
}

func (c *codes) len() int { return len(c.narrow) + len(c.middle) + len(c.wide) }

func (c *codes) get(row int) uint32 {
	switch {
	case row < len(c.narrow):
		return uint32(c.narrow[row])
	case row < len(c.middle):
		return uint32(c.middle[row])
	case row < len(c.wide):
		return c.wide[row]
	}
	return 0
}

func (c *codes) set(row int, code uint32) {
	if code == 0 && row >= c.len() {
		return
	}
	switch {
	case c.wide != nil || code > 0xffff:
		if c.wide == nil {
			c.wide = append(convert[uint32](c.narrow), convert[uint32](c.middle)...)
			c.narrow, c.middle = nil, nil
		}
		c.wide = extend(c.wide, row)
		c.wide[row] = code
	case c.middle != nil || code > 0xff:
		if c.middle == nil {
			c.middle = convert[uint16](c.narrow)
			c.narrow = nil
		}
		c.middle = extend(c.middle, row)
		c.middle[row] = uint16(code)
	default:
		c.narrow = extend(c.narrow, row)
		c.narrow[row] = uint8(code)
	}
}

func convert[To, From uint8 | uint16 | uint32](from []From) []To {
	to := make([]To, len(from), len(from)+len(from)/8+1)
	for i, v := range from {
		to[i] = To(v)
	}
	return to
}

// extend makes s long enough to have row.
func extend[T any](s []T, row int) []T {
	if row < len(s) {
		return s
	}
	if row < cap(s) {
		old := len(s)
		s = s[:row+1]
		clear(s[old:])
		return s
	}
	grown := make([]T, row+1, row+1+row/8+64)
	copy(grown, s)
	return grown
}

func (c *codes) bytes() int { return cap(c.narrow) + 2*cap(c.middle) + 4*cap(c.wide) }

// keep clears the bits of set whose rows have a code with verdict 0; verdicts has a byte, 0 or 1, for every code.
func (c *codes) keep(set []uint64, verdicts []uint8) {
	switch {
	case c.wide != nil:
		keepCodes(set, c.wide, verdicts)
	case c.middle != nil:
		keepCodes(set, c.middle, verdicts)
	default:
		keepCodes(set, c.narrow, verdicts)
	}
}

func keepCodes[T uint8 | uint16 | uint32](set []uint64, codes []T, verdicts []uint8) {
	full := min(len(codes)/64, len(set))
	for i := range full {
		w := set[i]
		if w == 0 {
			continue
		}
		block := codes[i*64 : i*64+64]
		if bits.OnesCount64(w) <= 12 {
			for rest := w; rest != 0; rest &= rest - 1 {
				j := bits.TrailingZeros64(rest)
				if verdicts[block[j]] == 0 {
					w &^= 1 << j
				}
			}
			set[i] = w
			continue
		}
		var hit uint64
		for j := range block {
			hit |= uint64(verdicts[block[j]]) << j
		}
		set[i] = w & hit
	}
	for i := full; i < len(set); i++ {
		for rest := set[i]; rest != 0; rest &= rest - 1 {
			j := bits.TrailingZeros64(rest)
			code := T(0)
			if row := i*64 + j; row < len(codes) {
				code = codes[row]
			}
			if verdicts[code] == 0 {
				set[i] &^= 1 << j
			}
		}
	}
}

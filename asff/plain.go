package asff

import "encoding/binary"

// The scanner, the writer and Clamp all look for the first byte that needs care in text that mostly has none. They
// test eight bytes at a time, with the usual arithmetic on a word: subtracting 1 from each byte of x ^ c·ones sets
// the top bit of the bytes that were c (and perhaps of bytes above them, so that a hit is only a hint).
const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// plainJSON returns the length of a prefix of s, a multiple of 8, that has only printable ASCII and DEL without
// quote and backslash, so that it can be copied into or out of a JSON string.
func plainJSON(s []byte) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := binary.LittleEndian.Uint64(s[i:])
		care := x | (x - ones*0x20) | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones)
		if care&tops != 0 {
			break
		}
	}
	return i
}

// plainText reports whether all of s is as in plainJSON.
func plainText(s string) bool {
	if len(s) < 8 {
		return careJSON(loadShort(s))&tops == 0
	}
	for i := 0; i+8 < len(s); i += 8 {
		if careJSON(load64(s[i:i+8]))&tops != 0 {
			return false
		}
	}
	return careJSON(load64(s[len(s)-8:]))&tops == 0 // may look at bytes again, which is cheaper than one by one
}

func careJSON(x uint64) uint64 {
	return x | (x - ones*0x20) | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones)
}

// printable reports whether s has only printable ASCII: 0x20 to 0x7E.
func printable(s string) bool {
	if len(s) < 8 {
		return notPrintable(loadShort(s))&tops == 0
	}
	for i := 0; i+8 < len(s); i += 8 {
		if notPrintable(load64(s[i:i+8]))&tops != 0 {
			return false
		}
	}
	return notPrintable(load64(s[len(s)-8:]))&tops == 0
}

// notPrintable marks bytes that are not printable ASCII. Adding 1 lifts DEL into the top bit.
func notPrintable(x uint64) uint64 { return x | (x - ones*0x20) | (x + ones) }

// loadShort reads the fewer than eight bytes of s, some of them twice, and spaces for the rest, in no order.
func loadShort(s string) uint64 {
	n := len(s)
	switch {
	case n >= 4:
		return uint64(load32(s)) | uint64(load32(s[n-4:]))<<32
	case n > 0:
		const rest = ' '<<24 | ' '<<32 | ' '<<40 | ' '<<48 | ' '<<56
		return uint64(s[0]) | uint64(s[n/2])<<8 | uint64(s[n-1])<<16 | rest
	}
	return ones * ' '
}

func load32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// load64 reads eight bytes; the compiler makes one load of it.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

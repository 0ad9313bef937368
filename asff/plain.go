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

// plainJSONText is plainJSON for strings.
func plainJSONText(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := load64(s[i : i+8])
		care := x | (x - ones*0x20) | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones)
		if care&tops != 0 {
			break
		}
	}
	return i
}

// printable reports whether s has only printable ASCII: 0x20 to 0x7E.
func printable(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := load64(s[i : i+8])
		if (x|(x-ones*0x20)|(x+ones))&tops != 0 { // adding 1 lifts DEL into the top bit
			return false
		}
	}
	for ; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7F {
			return false
		}
	}
	return true
}

// load64 reads eight bytes; the compiler makes one load of it.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

package api

import (
	"bytes"
	"encoding/json"
)

// The functions here walk through JSON that json.Valid has accepted and give out its values as they stand, without
// copying or decoding: a batch of findings is megabytes.

// eachMember calls f for each member of the object b until f returns false.
func eachMember(b []byte, f func(name string, value []byte) bool) {
	for i := afterSpace(b, 1); b[i] != '}'; {
		end := valueEnd(b, i)
		name := b[i+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			var s string
			_ = json.Unmarshal(b[i:end], &s) // it is a valid string
			name = []byte(s)
		}
		i = afterSpace(b, afterSpace(b, end)+1) // past the colon
		end = valueEnd(b, i)
		if !f(string(name), b[i:end:end]) {
			return
		}
		if i = afterSpace(b, end); b[i] == ',' {
			i = afterSpace(b, i+1)
		}
	}
}

// eachElement calls f for each element of the list b until f returns false.
func eachElement(b []byte, f func(value []byte) bool) {
	for i := afterSpace(b, 1); b[i] != ']'; {
		end := valueEnd(b, i)
		if !f(b[i:end:end]) {
			return
		}
		if i = afterSpace(b, end); b[i] == ',' {
			i = afterSpace(b, i+1)
		}
	}
}

func afterSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t' {
		i++
	}
	return i
}

// valueEnd returns where the value that begins at i ends.
func valueEnd(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of what holds a number or literal
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// stringEnd returns where the closing quote stands of the string whose opening quote stands at i.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i
}

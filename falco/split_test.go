package falco

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	const a, b, c = `{"a":1}`, `{"b":[{"x":"}"}]}`, `{"c":"\"{"}`
	tests := []struct {
		name, body string
		want       []string // "!" leads bad records
	}{
		{"empty", "", nil},
		{"blank", " \r\n\t\n", nil},
		{"BOM alone", "\xEF\xBB\xBF\n", nil},
		{"one", a, []string{a}},
		{"one after the other", a + b + c, []string{a, b, c}},
		{"NDJSON", a + "\n" + b + "\n" + c + "\n", []string{a, b, c}},
		{"CRLF and blank lines", "\xEF\xBB\xBF\r\n" + a + "\r\n\r\n" + b + "\r\n", []string{a, b}},
		{"array", "[" + a + "," + b + "]", []string{a, b}},
		{"pretty array", "\n[\n  " + a + " ,\n  " + b + "\n]\n", []string{a, b}},
		{"empty array", "[ ]", nil},
		{"arrays and objects", "[" + a + "]" + b + "[]\n[" + c + "]", []string{a, b, c}},
		{"array of others", "[1,null,[" + a + "]]", []string{"1", "null", "[" + a + "]"}},
		{"bad line", a + "\n{\"x\":oops}\n" + b, []string{a, `!{"x":oops}`, b}},
		{"cut line", a + "\n{\"x\":\"abc\n" + b, []string{a, `!{"x":"abc`, b}},
		{"cut line after a comma", a + "\n{\"x\":1,\r\n" + b, []string{a, `!{"x":1,`, b}},
		{"text lines", "hello\nworld\n" + a, []string{"!hello", "!world", a}},
		{"bad record of several lines", "{\n \"x\": 1,\n \"y\": oops\n}\n" + a, []string{"!{\n \"x\": 1,\n \"y\": oops\n}", a}},
		{"stray comma", a + ",\n" + b, []string{a, "!,", b}},
		{"end missing", a + "\n{\"x\":{", []string{a, `!{"x":{`}},
		{"bad element", "[" + a + ",{\"x\":oops,\"y\":[1,2]}," + b + "]" + c, []string{a, `!{"x":oops,"y":[1,2]}`, b, c}},
		{"bad element last", "[" + a + ",oops]" + c, []string{a, "!oops", c}},
		{"no element", "[" + a + ",," + b + "]", []string{a, "!", b}},
		{"no comma", "[" + a + " " + b + "," + c + "]", []string{a, "!" + a + " " + b, c}[1:]},
		{"broken string in an array", "[\n" + a + ",\n{\"x\":\"abc\n,\n" + b + "\n]", []string{a, "!{\"x\":\"abc\n,", b, "!]"}},
		{"bracket missing", "[" + a + "," + b, []string{a, b, "!"}},
		{"deep", strings.Repeat("[", 100) + "\n" + a, []string{"!" + strings.Repeat("[", 99), a}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			Split([]byte(tt.body), func(index int, record []byte, err error) bool {
				if index != len(got) {
					t.Errorf("index %d, want %d", index, len(got))
				}
				text := string(record)
				if err != nil {
					var pe *ParseError
					if !errors.As(err, &pe) || pe.Offset > len(tt.body) {
						t.Errorf("bad error %v", err)
					}
					text = "!" + text
				}
				got = append(got, text)
				return true
			})
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestSplitStops(t *testing.T) {
	for _, body := range []string{"{}{}{}", "[{},{},{}]", "x\nx\nx", "[x,x,x]"} {
		calls := 0
		Split([]byte(body), func(int, []byte, error) bool { calls++; return calls < 2 })
		if calls != 2 {
			t.Errorf("%q: %d calls, want 2", body, calls)
		}
	}
}

// TestSplitHostile: bodies made to cause many looks at the same bytes are done within a bounded number of them.
func TestSplitHostile(t *testing.T) {
	for _, unit := range []string{"{\n", "{\"a\":[\n", "[{\"a\":oops\n", "[{\"a\":[{},\n", "[{\"a\n", "[\"", "{\"\\", "[,", "\n{\"a\":[{},{},{},{}\n"} {
		body := bytes.Repeat([]byte(unit), 200_000/len(unit))
		seen := 0
		Split(body, func(_ int, record []byte, _ error) bool { seen += len(record); return true })
		if seen > len(body) {
			t.Errorf("%q: records hold %d bytes of %d", unit, seen, len(body))
		}
	}
}

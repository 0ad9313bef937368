package filter

import (
	"errors"
	"strings"
	"testing"
)

func TestParsePrint(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"proc.name=cat", "proc.name = cat"},
		{"a or b and c", "(a or (b and c))"},
		{"(a or b) and c", "((a or b) and c)"},
		{"not a", "not a"},
		{"not not a", "a"},
		{"not(a)and(b)or(c)", "((not a and b) or c)"},
		{"proc.name in (a,'b c' , \"d\")", `proc.name in (a, "b c", d)`},
		{"proc.name in ()", "proc.name in ()"},
		{"proc.aname[2] exists", "proc.aname[2] exists"},
		{"proc.env[\"A B\"] = x", "proc.env[A B] = x"},
		{"fd.num >= -1", "fd.num >= -1"},
		{`proc.cmdline contains "a\"b\\c\n"`, `proc.cmdline contains "a\"b\\c\n"`},
		{"fd.name startswith oneof (/a, /b)", "fd.name startswith oneof (/a, /b)"},
		{"tolower( proc.name ) = val(proc.pname)", "tolower(proc.name) = val(proc.pname)"},
		{`join(",", (proc.name, "x")) = y`, "join(,,(proc.name,x)) = y"},
		{`getopt(proc.args, "ab:")[b] = 1`, "getopt(proc.args,ab:)[b] = 1"},
		{"proc.name existsand fd.num = 1", "(proc.name exists and fd.num = 1)"},
		{"order and android", "(order and android)"},
	} {
		x, err := Parse(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got := Print(x); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.text, got, tc.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		col        int
	}{
		{"", "filter input string is empty", 1},
		{"proc.name", "expected a valid check operator", 10},
		{"proc.name = ", "expected a string value", 13},
		{"proc.name = a b", "unexpected token after 'a', expecting 'or', 'and'", 15},
		{"proc.name = a and", "expected blank or '(' after 'and'", 18},
		{"(proc.name = a", "expected a ')' token", 15},
		{"proc.name in (a,)", "expected a string value", 17},
		{`proc.name = "\d"`, `unsupported string escape sequence: \d`, 17},
		{"proc.pid < abc", "expected a number value", 12},
		{"tolower(proc.name = a", "expected a ')' token closing the transformer", 19},
		{"proc.env[ = a", "expected a valid field argument", 10},
		{"12 = a", "expected a '(' token, a field check, or an identifier", 1},
		{strings.Repeat("(", MaxDepth+1), "nested too deeply", MaxDepth + 2},
	} {
		_, err := Parse(tc.text)
		var s *SyntaxError
		if !errors.As(err, &s) || !strings.Contains(s.Msg, tc.want) {
			t.Errorf("%.40s: got %v, want %s", tc.text, err, tc.want)
			continue
		}
		if s.Pos.Col != tc.col {
			t.Errorf("%.40s: %s: got column %d, want %d", tc.text, s.Msg, s.Pos.Col, tc.col)
		}
	}
}

func TestPositions(t *testing.T) {
	x, err := Parse("a\n  and fd.name = b")
	if err != nil {
		t.Fatal(err)
	}
	c := x.(*And).Args[1].(*Check)
	if c.At != (Pos{Offset: 8, Line: 2, Col: 7}) {
		t.Errorf("got %+v", c.At)
	}
}

// FuzzParse: no text makes the parser panic or hang, and what it accepts prints and reads back.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a and (b or not c)", `proc.name in ("x", y) and fd.num>=1`, "tolower(concat(a.b, 1))=val(c.d)", "x.y[z] startswith anyof (a)", "\x00(\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := Parse(text)
		if err != nil {
			return
		}
		if Print(x) == "" {
			t.Errorf("%q prints as nothing", text)
		}
		ParseOperand(text) //nolint:errcheck // it must not panic
	})
}

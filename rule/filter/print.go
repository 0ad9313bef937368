package filter

import "strings"

// Print writes e in one line, parenthesised as Falco shows its compiled conditions. The result reads back to an equal
// tree unless a literal is empty: Falco prints nothing for it, and so do we.
func Print(e Expr) string {
	var b strings.Builder
	write(&b, e)
	return b.String()
}

func write(b *strings.Builder, e Expr) {
	switch e := e.(type) {
	case *And:
		writeJoined(b, "(", e.Args, " and ", ")")
	case *Or:
		writeJoined(b, "(", e.Args, " or ", ")")
	case *Not:
		b.WriteString("not ")
		write(b, e.Arg)
	case *Macro:
		b.WriteString(e.Name)
	case *Check:
		write(b, e.Left)
		b.WriteByte(' ')
		b.WriteString(e.OpText())
		if e.Right != nil {
			b.WriteByte(' ')
			write(b, e.Right)
		}
	case *Field:
		b.WriteString(e.String())
	case *Call:
		b.WriteString(e.Name)
		writeJoined(b, "(", e.Args, ",", ")")
		if e.HasArg {
			b.WriteString("[" + e.Arg + "]")
		}
	case *CallList:
		writeJoined(b, "(", e.Args, ",", ")")
	case *Value:
		b.WriteString(Escape(e.Text))
	case *List:
		b.WriteByte('(')
		for i, v := range e.Values {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(Escape(v))
		}
		b.WriteByte(')')
	}
}

func writeJoined(b *strings.Builder, open string, args []Expr, sep, end string) {
	b.WriteString(open)
	for i, a := range args {
		if i > 0 {
			b.WriteString(sep)
		}
		write(b, a)
	}
	b.WriteString(end)
}

// Escape quotes s where it holds blanks, quotes or backslashes and leaves it bare otherwise.
func Escape(s string) string {
	if !strings.ContainsAny(s, "\b\f\n\r\t \\\"'") {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '\\', '"':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

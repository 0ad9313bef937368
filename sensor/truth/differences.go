package truth

import (
	"path"
	"strings"
)

// Difference is where we report otherwise than Falco 0.44.1 on purpose.
type Difference struct {
	Fields   string // names, parted by blanks; a * stands for anything
	Types    string // event types, likewise; "" for all
	Programs string // of the recordings, likewise; "" for all
	Env      string // "" for all
	Falco    string // glob of Falco's value, or Empty or Missing; "" for any
	Ours     string // the same of ours

	What string // what each reports
	Why  string
}

// Empty stands for a value without any text in a Difference.
const Empty = "(empty)"

// reason finds why a difference is on purpose.
func reason(d *Diff, env string) string {
	for i := range Differences {
		if e := &Differences[i]; e.covers(d, env) {
			return e.Why
		}
	}
	return ""
}

func (e *Difference) covers(d *Diff, env string) bool {
	return anyOf(e.Fields, d.Field) && anyOf(e.Types, d.Type) && anyOf(e.Programs, d.Program) && anyOf(e.Env, env) &&
		like(e.Falco, d.Falco) && like(e.Ours, d.Ours)
}

func anyOf(patterns, s string) bool {
	if patterns == "" {
		return true
	}
	for _, p := range strings.Fields(patterns) {
		if like(p, s) {
			return true
		}
	}
	return false
}

// like is path.Match without a meaning for slashes and brackets.
func like(pattern, s string) bool {
	switch pattern {
	case "":
		return true
	case Empty:
		return s == ""
	}
	clean := strings.NewReplacer("/", "\x01", "[", "\x02", "]", "\x03", "\\", "\x04", "?", "\x05")
	ok, err := path.Match(clean.Replace(pattern), clean.Replace(s))
	return ok && err == nil
}

// Markdown is the table of docs/sensor-differences.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| fields | events | what | why |\n|---|---|---|---|\n")
	for i := range Differences {
		d := &Differences[i]
		types := d.Types
		if types == "" {
			types = "all"
		}
		clean := strings.NewReplacer("|", "\\|", "\n", " ")
		for _, cell := range []string{code(d.Fields), types, d.What, d.Why} {
			b.WriteString("| " + clean.Replace(cell) + " ")
		}
		b.WriteString("|\n")
	}
	return b.String()
}

func code(names string) string { return "`" + strings.Join(strings.Fields(names), "` `") + "`" }

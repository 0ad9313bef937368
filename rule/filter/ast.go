// Package filter reads the condition language of Falco rules. Text comes in, a syntax tree with positions goes out,
// and a tree can be printed again. It knows the grammar and nothing of fields, types or events; names are resolved
// elsewhere. It never panics: text that does not parse gives a *SyntaxError with the place and what was expected.
package filter

// Pos is a place in the condition's text.
type Pos struct {
	Offset int // bytes from the start, from 0
	Line   int // from 1
	Col    int // bytes from the start of the line, from 1
	Source int // which text, where a tree is put together from several: what ParseSource was given
}

// Expr is a node of the tree: *And, *Or, *Not, *Check, *Macro as boolean nodes; *Field, *Call, *CallList, *Value and
// *List as operands.
type Expr interface {
	Position() Pos
}

// And holds when all of its two or more children hold.
type And struct {
	At   Pos
	Args []Expr
}

// Or holds when any of its two or more children holds.
type Or struct {
	At   Pos
	Args []Expr
}

// Not holds when its child does not.
type Not struct {
	At  Pos
	Arg Expr
}

// Macro is a name that stands for another condition.
type Macro struct {
	At   Pos
	Name string
}

// Check compares a field with values, or asks whether it exists (Right is nil then).
type Check struct {
	At    Pos
	Left  Expr   // *Field or *Call
	Op    string // "=", "startswith", "in", "exists", ...
	Mod   string // "", "oneof", "anyof" or "allof"
	Right Expr   // *Value, *List, *Field inside a *Call "val", *Call; nil for "exists"
}

// OpText is the operator with its modifier, as Falco lists it ("startswith oneof").
func (c *Check) OpText() string {
	if c.Mod == "" {
		return c.Op
	}
	return c.Op + " " + c.Mod
}

// Field names a field of the event, with the argument in brackets if there is one.
type Field struct {
	At     Pos
	Name   string
	Arg    string
	HasArg bool
}

// String is the field as it is written: name[arg].
func (f *Field) String() string {
	if !f.HasArg {
		return f.Name
	}
	if f.Arg == "" {
		return f.Name + `[""]`
	}
	return f.Name + "[" + f.Arg + "]"
}

// Call is a transformer applied to operands: tolower(proc.name), val(proc.pname), join(",", (a, b)), getopt(x, "ab")[a].
type Call struct {
	At     Pos
	Name   string
	Args   []Expr
	Arg    string // the argument in brackets after the call
	HasArg bool
}

// CallList is a list in parentheses among the operands of a transformer.
type CallList struct {
	At   Pos
	Args []Expr
}

// Value is one literal, unescaped.
type Value struct {
	At   Pos
	Text string
}

// List is a list of literals in parentheses, unescaped.
type List struct {
	At     Pos
	Values []string
}

// Position is where the node starts.
func (e *And) Position() Pos { return e.At }

// Position is where the node starts.
func (e *Or) Position() Pos { return e.At }

// Position is where the node starts.
func (e *Not) Position() Pos { return e.At }

// Position is where the node starts.
func (e *Macro) Position() Pos { return e.At }

// Position is where the node starts.
func (e *Check) Position() Pos { return e.At }

// Position is where the node starts.
func (e *Field) Position() Pos { return e.At }

// Position is where the node starts.
func (e *Call) Position() Pos { return e.At }

// Position is where the node starts.
func (e *CallList) Position() Pos { return e.At }

// Position is where the node starts.
func (e *Value) Position() Pos { return e.At }

// Position is where the node starts.
func (e *List) Position() Pos { return e.At }

// Walk calls visit for e and, where visit answers true, for everything below it, in the order of the text.
func Walk(e Expr, visit func(Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	switch e := e.(type) {
	case *And:
		walkAll(e.Args, visit)
	case *Or:
		walkAll(e.Args, visit)
	case *Not:
		Walk(e.Arg, visit)
	case *Check:
		Walk(e.Left, visit)
		if e.Right != nil {
			Walk(e.Right, visit)
		}
	case *Call:
		walkAll(e.Args, visit)
	case *CallList:
		walkAll(e.Args, visit)
	}
}

func walkAll(list []Expr, visit func(Expr) bool) {
	for _, e := range list {
		Walk(e, visit)
	}
}

package filter

import (
	"strings"
)

// MaxDepth is the deepest nesting of parentheses and transformers that is read. Falco has no working limit and dies of
// its stack somewhere above 5,000; ours refuses instead.
const MaxDepth = 10_000

// The operators, in the order in which they are tried. A space at the end asks for a blank after the word.
var (
	unaryOps  = []string{"exists"}
	numberOps = []string{"<=", "<", ">=", ">"}
	stringOps = []string{"==", "=", "!=", "glob ", "iglob ", "contains ", "icontains ", "bcontains ", "startswith ",
		"bstartswith ", "endswith ", "regex "}
	listOps      = []string{"intersects", "in", "pmatch"}
	transformers = []string{"tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt"}
)

// Modifiers are the words that give a string operator a list of values.
var Modifiers = []string{"oneof", "anyof", "allof"}

// Operators lists all operators, unary ones first, as Falco's messages do.
func Operators() []string {
	var out []string
	for _, list := range [][]string{unaryOps, numberOps, stringOps, listOps} {
		for _, op := range list {
			out = append(out, strings.TrimSuffix(op, " "))
		}
	}
	return out
}

// Transformers lists the names that can be applied to a field, without val.
func Transformers() []string { return append([]string(nil), transformers...) }

// IsListOperator says whether op takes a list of values by itself.
func IsListOperator(op string) bool {
	return op == "in" || op == "intersects" || op == "pmatch"
}

// IsModifiable says whether op can be followed by oneof, anyof or allof.
func IsModifiable(op string) bool {
	for _, s := range stringOps {
		if strings.TrimSuffix(s, " ") == op {
			return true
		}
	}
	return false
}

// SyntaxError says where a condition stopped making sense and what was expected there.
type SyntaxError struct {
	Pos Pos
	Msg string
}

func (e *SyntaxError) Error() string { return e.Msg }

type parser struct {
	lexer
	depth int
}

// Parse reads a whole condition.
func Parse(text string) (Expr, error) { return ParseSource(text, 0) }

// ParseSource reads a whole condition and marks every position in it with source.
func ParseSource(text string, source int) (Expr, error) {
	p := newParser(text)
	p.pos.Source = source
	if text == "" {
		return nil, p.fail("filter input string is empty")
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.pos.Offset != len(text) {
		return nil, p.fail("unexpected token after '" + p.last + "', expecting 'or', 'and'")
	}
	return e, nil
}

// ParseOperand reads a field or a transformer at the start of text, as output templates hold them, and says how many
// bytes it took.
func ParseOperand(text string) (Expr, int, error) {
	p := newParser(text)
	at := p.pos
	var e Expr
	var err error
	switch {
	case p.fieldName():
		e, err = p.field(p.last, at)
	case p.transformer():
		e, err = p.call(p.last, at)
	default:
		return nil, 0, p.fail("unexpected token after '" + p.last)
	}
	return e, p.pos.Offset, err
}

func newParser(text string) *parser {
	return &parser{lexer: lexer{text: text, pos: Pos{Line: 1, Col: 1}}}
}

// fail reports msg here, unless the lexer has met something worse on the way.
func (p *parser) fail(msg string) error {
	if p.err != nil {
		return p.err
	}
	return &SyntaxError{Pos: p.pos, Msg: msg}
}

func (p *parser) enter() error {
	p.depth++
	if p.depth > MaxDepth {
		return p.fail("the condition is nested too deeply")
	}
	return nil
}

func (p *parser) or() (Expr, error) {
	return p.chain("or", p.and, func(at Pos, args []Expr) Expr { return &Or{at, args} })
}

func (p *parser) and() (Expr, error) {
	return p.chain("and", p.not, func(at Pos, args []Expr) Expr { return &And{at, args} })
}

// chain reads operands joined by word. The word may be glued to what stands before it, and to a parenthesis after it.
func (p *parser) chain(word string, operand func() (Expr, error), join func(Pos, []Expr) Expr) (Expr, error) {
	at := p.pos
	p.blank()
	first, err := operand()
	if err != nil {
		return nil, err
	}
	p.blank()
	args := []Expr{first}
	for p.literal(word) {
		var e Expr
		switch {
		case p.blank():
			e, err = operand()
		case p.literal("("):
			e, err = p.group()
		default:
			err = p.fail("expected blank or '(' after '" + word + "'")
		}
		if err != nil {
			return nil, err
		}
		args = append(args, e)
		p.blank()
	}
	if len(args) == 1 {
		return first, nil
	}
	return join(at, args), nil
}

func (p *parser) not() (Expr, error) {
	at := p.pos
	p.blank()
	negate := false
	for p.notBlank() {
		negate = !negate
	}
	var e Expr
	var err error
	if p.literal("not(") {
		negate = !negate
		e, err = p.group()
	} else {
		e, err = p.check()
	}
	if err != nil || !negate {
		return e, err
	}
	return &Not{at, e}, nil
}

// group reads the rest of a parenthesised condition.
func (p *parser) group() (Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	p.blank()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	p.blank()
	if !p.literal(")") {
		return nil, p.fail("expected a ')' token")
	}
	return e, nil
}

func (p *parser) check() (Expr, error) {
	at := p.pos
	p.blank()
	if p.literal("(") {
		return p.group()
	}
	var left Expr
	var err error
	switch {
	case p.fieldName():
		left, err = p.field(p.last, at)
	case p.transformer():
		p.blank()
		left, err = p.call(p.last, at)
	case p.identifier():
		return &Macro{at, p.last}, nil
	default:
		err = p.fail("expected a '(' token, a field check, or an identifier")
	}
	if err != nil {
		return nil, err
	}
	return p.comparison(left, at)
}

func (p *parser) comparison(left Expr, at Pos) (Expr, error) {
	p.blank()
	if p.operator(unaryOps) {
		return &Check{At: at, Left: left, Op: p.last}, nil
	}
	c := &Check{At: at, Left: left}
	var err error
	switch {
	case p.operator(numberOps):
		c.Op = p.last
		c.Right, err = p.numberValue()
	case p.operator(stringOps):
		c.Op = p.last
		if glued := !p.blank() && isSymbol(c.Op); !glued && p.modifier() {
			c.Mod = p.last
			c.Right, err = p.listValue()
		} else {
			c.Right, err = p.stringValue()
		}
	case p.operator(listOps):
		c.Op = p.last
		c.Right, err = p.listValue()
	default:
		err = p.fail("expected a valid check operator: one of " + quoteList(Operators()))
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// isSymbol says whether op is no word, so that its operand may follow without a blank.
func isSymbol(op string) bool { return op == "=" || op == "==" || op == "!=" }

func quoteList(words []string) string {
	return "'" + strings.Join(words, "', '") + "'"
}

package filter

// field reads the argument in brackets after a field's name.
func (p *parser) field(name string, at Pos) (Expr, error) {
	f := &Field{At: at, Name: name}
	arg, ok, err := p.bracket()
	f.Arg, f.HasArg = arg, ok
	return f, err
}

func (p *parser) bracket() (arg string, ok bool, err error) {
	if !p.literal("[") {
		return "", false, nil
	}
	if !p.quoted() && (p.err != nil || !p.fieldArg()) {
		return "", false, p.fail("expected a valid field argument: a quoted string or a bare string")
	}
	arg = p.last
	if !p.literal("]") {
		return "", false, p.fail("expected a ']' token")
	}
	return arg, true, nil
}

// transformer consumes the name of a transformer and the parenthesis right after it; last is the name alone.
func (p *parser) transformer() bool {
	for _, t := range transformers {
		if p.literal(t + "(") {
			p.last = t
			return true
		}
	}
	return false
}

// call reads the operands of a transformer, the closing parenthesis and an argument in brackets.
func (p *parser) call(name string, at Pos) (Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	c := &Call{At: at, Name: name}
	p.blank()
	for {
		e, err := p.callArg()
		if err != nil {
			return nil, err
		}
		c.Args = append(c.Args, e)
		p.blank()
		if !p.literal(",") {
			break
		}
	}
	if !p.literal(")") {
		return nil, p.fail("expected a ')' token closing the transformer")
	}
	arg, ok, err := p.bracket()
	c.Arg, c.HasArg = arg, ok
	return c, err
}

func (p *parser) callArg() (Expr, error) {
	at := p.pos
	p.blank()
	switch {
	case p.hexNumber(), p.number(), p.quoted():
		return &Value{at, p.last}, nil
	case p.err != nil:
		return nil, p.err
	case p.literal("("):
		return p.callList(at)
	case p.transformer():
		return p.call(p.last, at)
	case p.fieldName():
		return p.field(p.last, at)
	}
	return nil, p.fail("expected field transformer argument: field, transformer, quoted string, number, or transformer list")
}

func (p *parser) callList(at Pos) (Expr, error) {
	list := &CallList{At: at}
	p.blank()
	if p.literal(")") {
		return list, nil
	}
	for {
		e, err := p.callListArg()
		if err != nil {
			return nil, err
		}
		list.Args = append(list.Args, e)
		p.blank()
		if !p.literal(",") {
			break
		}
		p.blank()
	}
	if !p.literal(")") {
		return nil, p.fail("expected ')'")
	}
	return list, nil
}

func (p *parser) callListArg() (Expr, error) {
	at := p.pos
	switch {
	case p.fieldName():
		return p.field(p.last, at)
	case p.transformer():
		p.blank()
		return p.call(p.last, at)
	case p.quoted(), p.err == nil && (p.hexNumber() || p.number()):
		return &Value{at, p.last}, nil
	}
	return nil, p.fail("expected transformer list argument: field, transformer, quoted string, or number")
}

// valOrCall reads val(field) or a transformer where one stands on the right-hand side; nil where none does.
func (p *parser) valOrCall() (Expr, error) {
	p.blank()
	at := p.pos
	if p.literal("val(") {
		p.blank()
		inner := p.pos
		if !p.fieldName() {
			return nil, p.fail("expected a field within 'val' transformer")
		}
		f, err := p.field(p.last, inner)
		if err != nil {
			return nil, err
		}
		p.blank()
		if !p.literal(")") {
			return nil, p.fail("expected a ')' token closing the transformer")
		}
		return &Call{At: at, Name: "val", Args: []Expr{f}}, nil
	}
	if p.transformer() {
		p.blank()
		return p.call(p.last, at)
	}
	return nil, nil
}

func (p *parser) numberValue() (Expr, error) {
	if e, err := p.valOrCall(); e != nil || err != nil {
		return e, err
	}
	at := p.pos
	if p.hexNumber() || p.number() {
		return &Value{at, p.last}, nil
	}
	return nil, p.fail("expected a number value or a field with a valid transformer: " + transformerNames())
}

func (p *parser) stringValue() (Expr, error) {
	if e, err := p.valOrCall(); e != nil || err != nil {
		return e, err
	}
	at := p.pos
	if p.plainString() {
		return &Value{at, p.last}, nil
	}
	return nil, p.fail("expected a string value or a field with a valid transformer: " + transformerNames())
}

func (p *parser) plainString() bool {
	return p.quoted() || p.err == nil && p.bareString()
}

func (p *parser) listValue() (Expr, error) {
	p.blank()
	at := p.pos
	if p.literal("(") {
		return p.list(at)
	}
	if e, err := p.valOrCall(); e != nil || err != nil {
		return e, err
	}
	if p.identifier() {
		return &Value{at, p.last}, nil
	}
	return nil, p.fail("expected a list, an identifier, or a field with a valid transformer: " + transformerNames())
}

// list reads the values of a list after its opening parenthesis. An unreadable first value leaves the list empty, so
// that the message asks for the closing parenthesis; in Falco this even forgives a string with a bad escape.
func (p *parser) list(at Pos) (Expr, error) {
	list := &List{At: at}
	p.blank()
	if !p.plainString() {
		p.err = nil
	} else {
		list.Values = append(list.Values, p.last)
		p.blank()
		for p.literal(",") {
			p.blank()
			if !p.plainString() {
				return nil, p.fail("expected a string value")
			}
			list.Values = append(list.Values, p.last)
			p.blank()
		}
	}
	if !p.literal(")") {
		return nil, p.fail("expected a ')' token")
	}
	return list, nil
}

func transformerNames() string {
	return quoteList(append([]string{"val"}, transformers...))
}

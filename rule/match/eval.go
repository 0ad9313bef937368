package match

import (
	"net/netip"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// Eval says whether the condition holds for e, by walking over the tree.
func (n *Node) Eval(e *event.Event, s *Scratch) bool {
	switch n.Kind {
	case AndNode:
		for _, a := range n.Args {
			if !a.Eval(e, s) {
				return false
			}
		}
		return true
	case OrNode:
		for _, a := range n.Args {
			if a.Eval(e, s) {
				return true
			}
		}
		return false
	case NotNode:
		return !n.Args[0].Eval(e, s)
	}
	return n.Test.Eval(e, s)
}

// Eval says whether the check holds for e. A field without a value never matches, whatever the operator.
func (t *Test) Eval(e *event.Event, s *Scratch) bool {
	if o := t.Left; o.kind == fieldOperand && len(o.steps) == 0 {
		switch o.field {
		case field.FDIP, field.FDNet, field.FDPort, field.FDProto:
			return t.evalEither(e)
		case field.ProcAname, field.ProcAexe, field.ProcAexepath, field.ProcAcmdline, field.ProcAargs, field.ProcAPID, field.ProcAenv:
			if o.index < 0 {
				return t.evalAncestors(e)
			}
		}
	}
	v, ok := t.Left.value(e, s)
	if !ok {
		return false
	}
	if t.Op == Exists {
		return true
	}
	if t.Right == nil {
		return t.compare(&v)
	}
	r, ok := t.Right.value(e, s)
	return ok && t.compareField(&v, &r)
}

// evalEither is for fields that mean the client's or the server's side: one that matches is enough, except that != asks
// for both to differ.
func (t *Test) evalEither(e *event.Event) bool {
	sides := [2]field.ID{field.FDCIP, field.FDSIP}
	switch t.Left.field {
	case field.FDNet:
		sides = [2]field.ID{field.FDCnet, field.FDSnet}
	case field.FDPort, field.FDProto:
		sides = [2]field.ID{field.FDCport, field.FDSport}
	}
	found, all, one := false, true, false
	for _, id := range sides {
		var v value
		var ok bool
		if t.Left.typ == field.Port {
			v.num, ok = e.Number(id)
		} else {
			v.addr, ok = e.Addr(id)
		}
		if !ok {
			continue
		}
		found = true
		hit := t.Op == Exists || t.compare(&v)
		one, all = one || hit, all && hit
	}
	if t.Op == Ne {
		return found && all
	}
	return one
}

// evalAncestors asks whether any ancestor matches. The process itself does not count.
func (t *Test) evalAncestors(e *event.Event) bool {
	items, ok := e.List(t.Left.field)
	if !ok || t.Op == Exists {
		return ok
	}
	for i := 1; i < len(items); i++ {
		v := value{text: items[i]}
		if t.Left.typ != field.Text {
			n, isNum := scanSigned(items[i])
			if !isNum {
				continue
			}
			v.num = n
		}
		if t.compare(&v) {
			return true
		}
	}
	return false
}

// compare applies the operator to v and the literals.
func (t *Test) compare(v *value) bool {
	switch {
	case t.Left.list:
		return t.compareList(v.list)
	case t.Op == In || t.Op == Intersects:
		return t.in(v)
	case t.Op == PMatch:
		return t.pairs.Match(v.text)
	case t.Mod == NoMod:
		return len(t.consts) > 0 && t.one(v, 0)
	}
	hits := 0
	for i := range t.consts {
		if t.one(v, i) {
			hits++
		}
	}
	switch t.Mod {
	case OneOf:
		return hits == 1
	case AnyOf:
		return hits > 0
	}
	return hits > 0 && hits == len(t.consts)
}

// compareList is in (every value is among the literals) or intersects (one is).
func (t *Test) compareList(items []string) bool {
	for _, s := range items {
		if _, ok := t.set[s]; ok != (t.Op == In) {
			return ok
		}
	}
	return t.Op == In
}

func (t *Test) in(v *value) bool {
	if t.set != nil {
		_, ok := t.set[v.text]
		return ok
	}
	for i := range t.consts {
		if compareValue(Eq, t.Left.typ, v, &t.consts[i]) {
			return true
		}
	}
	return false
}

func (t *Test) one(v *value, i int) bool {
	if t.Op == Regex {
		return t.exprs[i].MatchString(v.text)
	}
	return compareValue(t.Op, t.Left.typ, v, &t.consts[i])
}

// compareField compares two values of the event, which are of one type.
func (t *Test) compareField(l, r *value) bool {
	if t.Left.list {
		set := make(map[string]struct{}, len(r.list))
		for _, s := range r.list {
			set[s] = struct{}{}
		}
		return (&Test{Op: t.Op, Left: t.Left, set: set}).compareList(l.list)
	}
	op := t.Op
	if op == In || op == Intersects {
		op = Eq
	}
	return compareValue(op, t.Left.typ, l, &constant{text: r.text, num: r.num, addr: r.addr})
}

func compareValue(op Op, typ field.Type, v *value, c *constant) bool {
	switch {
	case isText(typ):
		return compareText(op, v.text, c.text)
	case typ == field.Addr:
		return (v.addr == c.addr) == (op != Ne)
	case typ == field.Net:
		return inPrefix(c.prefix, v.addr) == (op != Ne)
	}
	return compareNumber(op, typ, v.num, c.num)
}

func inPrefix(p netip.Prefix, a netip.Addr) bool { return p.Contains(a) }

func compareNumber(op Op, typ field.Type, a, b int64) bool {
	less := a < b
	if !typ.Signed() {
		a = truncate(a, typ)
		less = uint64(a) < uint64(b)
	}
	switch op {
	case Eq:
		return a == b
	case Ne:
		return a != b
	case Lt:
		return less
	case Le:
		return less || a == b
	case Gt:
		return !less && a != b
	case Ge:
		return !less
	}
	return false
}

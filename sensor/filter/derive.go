package filter

import (
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/field"
	syntax "github.com/eyrie-sec/eyrie/rule/filter"
)

// FromRules wants what the enabled rules among the given ones can match.
//
// Each condition is read once for each of its event types and turned into a sum of products of the few properties that
// the kernel can look at (see need). A check of anything else is taken to hold, and so is its negation: that makes the
// sum larger, never smaller. So an event that matches a rule satisfies one of the products, and passes.
func FromRules(rules []*rule.Rule) Filter {
	f := Filter{Gates: map[field.EventType]Gate{}}
	b := builder{numbers: map[string]int{}}
	for t := field.EventType(1); int(t) < field.EventCount(); t++ {
		var all sum
		for _, r := range rules {
			if r.Enabled && r.Events.Has(t) {
				all = all.or(reader{t}.read(r.Expr, false))
			}
		}
		if len(all) == 0 {
			continue
		}
		f.Types.Add(t)
		if g, useful := b.gate(all); useful {
			f.Gates[t] = g
		}
	}
	f.Sets = b.sets
	return f
}

// Result is a set of outcomes of a call.
type Result uint8

// The outcomes.
const (
	Succeeds Result = 1 << iota
	Fails
	either = Succeeds | Fails
)

// Class is what an open is for, or the family of an address.
type Class uint8

// The classes; sensor/bpf/gate.h has the same numbers. A call may be of several.
const (
	AnyClass Class = iota
	Read           // an open to read
	Write
	Create   // an open that may make a file
	Inet     // on a socket of IPv4 or IPv6
	Datagram // on such a socket that is not TCP
	Exec     // an open that may make a file which can be executed
	Classes  = iota
)

// A need is one product: an event that satisfies it may match a rule.
type need struct {
	result Result
	class  Class
	paths  *PathSet // nil: any
	names  *nameSet // of the process; nil: any
}

// A sum is several needs, one of which has to be satisfied; an empty one never is.
type sum []need

var always = sum{{result: either}}

// most is how many needs a sum may have before it is made coarser.
const most = 48

func (s sum) or(o sum) sum {
	out := slices.Clone(s)
	for _, n := range o {
		if !slices.ContainsFunc(out, func(m need) bool { return m.covers(n) }) {
			out = slices.DeleteFunc(out, n.covers)
			out = append(out, n)
		}
	}
	return out
}

// covers says whether everything that satisfies o satisfies n.
func (n need) covers(o need) bool {
	return n.result&o.result == o.result && (n.class == AnyClass || n.class == o.class) &&
		(n.paths == nil || n.paths.equal(o.paths)) && (n.names == nil || n.names.equal(o.names))
}

// and multiplies. Where both sides have paths or classes one of them is left out, and where the product is too long
// one side: what is left asks for less.
func (s sum) and(o sum) sum {
	if len(s)*len(o) > most*most {
		if len(s) < len(o) {
			return s
		}
		return o
	}
	var out sum
	for _, a := range s {
		for _, b := range o {
			n := need{
				result: a.result & b.result, class: max(a.class, b.class),
				paths: narrower(a.paths, b.paths), names: fewer(a.names, b.names),
			}
			if n.result != 0 {
				out = out.or(sum{n})
			}
		}
	}
	if len(out) > most {
		if len(s) < len(o) {
			return s
		}
		return o
	}
	return out
}

// A reader reads conditions for one event type.
type reader struct{ t field.EventType }

func (r reader) read(e syntax.Expr, negated bool) sum {
	switch e := e.(type) {
	case *syntax.And:
		return r.combine(e.Args, negated, !negated)
	case *syntax.Or:
		return r.combine(e.Args, negated, negated)
	case *syntax.Not:
		return r.read(e.Arg, !negated)
	case *syntax.Check:
		return r.check(e, negated)
	}
	return always
}

func (r reader) combine(args []syntax.Expr, negated, product bool) sum {
	var out sum
	if product {
		out = always
	}
	for _, a := range args {
		if s := r.read(a, negated); product {
			out = out.and(s)
		} else {
			out = out.or(s)
		}
	}
	if len(out) > most {
		return always
	}
	return out
}

func (r reader) check(c *syntax.Check, negated bool) sum {
	f, ok := c.Left.(*syntax.Field)
	values, literal := literals(c.Right)
	if !ok || !literal || f.HasArg || len(values) == 0 {
		return always
	}
	switch f.Name {
	case "evt.type":
		return r.eventType(c.Op, c.Mod, values, negated)
	case "evt.failed":
		if equals(c.Op) && len(values) == 1 && (values[0] == "true" || values[0] == "false") {
			if (values[0] == "true") != negated {
				return sum{{result: Fails}}
			}
			return sum{{result: Succeeds}}
		}
	}
	if negated {
		return always
	}
	if n, ok := r.plain(f.Name, c.Op, values); ok {
		return sum{n}
	}
	if set := r.paths(f.Name, c.Op, values); set != nil {
		return sum{{result: either, paths: set}}
	}
	return always
}

func equals(op string) bool { return op == "=" || op == "==" }

func only(values []string, allowed ...string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(allowed, v) })
}

// plain reads comparisons that ask for a result, a class or the name of the process.
func (r reader) plain(name, op string, values []string) (need, bool) {
	notNegative := len(values) == 1 && values[0] == "0" && (op == ">=" || op == ">")
	isTrue := equals(op) && only(values, "true")
	oneOf := equals(op) || op == "in"
	n := need{result: either}
	switch {
	case name == "evt.rawres" && notNegative, name == "fd.num" && notNegative && r.opens():
		n.result = Succeeds
	case name == "evt.is_open_read" && isTrue && r.opens():
		n.class = Read
	case name == "evt.is_open_write" && isTrue && r.opens():
		n.class = Write
	case name == "evt.is_open_create" && isTrue && r.opens():
		n.class = Create
	case name == "evt.is_open_exec" && isTrue && r.opens():
		n.class = Exec
	case name == "fd.typechar" && oneOf && only(values, "4", "6") && OnSocket(r.t):
		n.class = Inet
	case name == "fd.type" && oneOf && only(values, "ipv4", "ipv6") && OnSocket(r.t):
		n.class = Inet
	case slices.Contains(inetFields, name) && OnSocket(r.t):
		n.class = Inet // they have a value for no other socket
	case name == "fd.l4proto" && oneOf && only(values, "udp", "icmp", "raw") && OnSocket(r.t):
		n.class = Datagram
	case name == "fd.l4proto" && op == "!=" && only(values, "tcp") && OnSocket(r.t):
		n.class = Datagram
	case name == "proc.name" && oneOf:
		n.names = newNames(values)
	default:
		return n, false
	}
	return n, true
}

func (r reader) eventType(op, mod string, values []string, negated bool) sum {
	if mod != "" || !(op == "=" || op == "==" || op == "in" || op == "!=") {
		return always
	}
	if slices.Contains(values, r.t.String()) != (negated != (op == "!=")) {
		return always
	}
	return nil
}

// opens says whether the type has flags of open among its arguments.
func (r reader) opens() bool {
	switch r.t.String() {
	case "open", "openat", "openat2":
		return true
	}
	return false
}

func literals(e syntax.Expr) ([]string, bool) {
	switch e := e.(type) {
	case *syntax.Value:
		return []string{e.Text}, true
	case *syntax.List:
		return e.Values, true
	}
	return nil, false
}

// paths is what a comparison says of the path of the call, nil where it says nothing that can be used.
func (r reader) paths(name, op string, values []string) *PathSet {
	if !r.names(name) || len(values) == 0 {
		return nil
	}
	set := &PathSet{}
	for _, v := range values {
		if !set.add(name, op, v) {
			return nil
		}
	}
	set.normalize()
	return set
}

// names says whether a field is about the paths that the type's events have among their arguments. fd.name and its kin
// are so only for calls that open by path; for others they are about a descriptor.
func (r reader) names(name string) bool {
	if PathArguments(r.t) == nil {
		return false
	}
	switch name {
	case "fd.name", "fd.nameraw", "fd.directory", "fd.filename":
		return r.opens() || r.t.String() == "creat"
	case "fs.path.name", "fs.path.nameraw", "fs.path.source", "fs.path.sourceraw", "fs.path.target", "fs.path.targetraw":
		return true
	}
	param, ok := strings.CutPrefix(name, "evt.arg.")
	return ok && slices.Contains(pathParams, param)
}

// inetFields are about addresses and ports of IPv4 and IPv6; a check of one holds for a socket of these alone.
var inetFields = []string{
	"fd.cip", "fd.sip", "fd.lip", "fd.rip", "fd.ip", "fd.cport", "fd.sport", "fd.lport", "fd.rport", "fd.port", "fd.cnet",
	"fd.snet", "fd.lnet", "fd.rnet", "fd.net", "fd.sip.name", "fd.cip.name",
}

// pathParams are the parameters that are paths where a type in pathArguments has them; where it has not, a check of them
// never holds, so that anything may be said of it.
var pathParams = []string{"name", "path", "filename", "pathname", "oldpath", "newpath", "linkpath", "target"}

// add adds what one literal allows.
func (p *PathSet) add(name, op, v string) bool {
	if v == "" {
		return false
	}
	switch name {
	case "fd.directory":
		return p.addDirectory(op, v)
	case "fd.filename":
		switch op {
		case "=", "==", "in":
			p.Suffixes = append(p.Suffixes, "/"+v)
			return true
		case "endswith":
			p.Suffixes = append(p.Suffixes, v)
			return true
		}
		return false
	}
	switch op {
	case "=", "==", "in":
		p.Exact = append(p.Exact, v)
	case "startswith":
		p.Prefixes = append(p.Prefixes, v)
	case "pmatch", "glob":
		p.Prefixes = append(p.Prefixes, beforeWildcard(v))
	case "endswith":
		p.Suffixes = append(p.Suffixes, v)
	case "contains":
		// A path with a name of two dots is not in its normal form, and such paths always pass.
		if !strings.Contains(v, "../") {
			p.Contained = append(p.Contained, v)
		}
	default:
		return false
	}
	return true
}

// addDirectory adds a comparison of the directory that a path is in.
func (p *PathSet) addDirectory(op, v string) bool {
	switch {
	case (op == "=" || op == "==" || op == "in") && v == "/":
		p.Top = true
	case op == "=" || op == "==" || op == "in":
		p.Prefixes = append(p.Prefixes, strings.TrimSuffix(v, "/")+"/")
	case op == "startswith":
		p.Prefixes = append(p.Prefixes, v)
	case op == "pmatch":
		p.Prefixes = append(p.Prefixes, beforeWildcard(v))
	default:
		return false
	}
	return true
}

func beforeWildcard(v string) string {
	if i := strings.IndexAny(v, `*?[\`); i >= 0 {
		return v[:i]
	}
	return v
}

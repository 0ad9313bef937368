package asff

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ParseFilters reads an AwsSecurityFindingFilters object. Nothing, null and {} give filters that match everything; an
// attribute that is null or an empty list is as if it were not there. Names are case-sensitive.
//
// The error is an *InvalidInput. It is given for JSON that is malformed or of the wrong shape, an unknown attribute
// or member, a missing or blank value, an unknown comparison, a bad timestamp, number or CIDR, more than
// MaxFilterAttributes attributes or MaxFilterValues conditions for one, and the mixes that Check refuses.
func ParseFilters(raw []byte) (Filters, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return Filters{}, nil
	}
	f := Filters{}
	err := members(raw, func(name, value []byte) error {
		a, ok := AttributeByName(string(name))
		if !ok {
			return invalid("Filters has no attribute %q", clip(string(name), 128))
		}
		delete(f, a) // the last of several wins
		if string(value) == "null" {
			return nil
		}
		conds, err := parseConditions(a, value)
		if err == nil && len(conds) > 0 {
			f[a] = conds
		}
		return err
	})
	if err == nil {
		err = f.Check()
	}
	if err == nil {
		return f, nil
	}
	if bad := (*InvalidInput)(nil); errors.As(err, &bad) {
		return nil, bad
	}
	return nil, invalid("Filters: %v", err)
}

func invalid(format string, args ...any) error {
	return &InvalidInput{fmt.Sprintf(format, args...)}
}

func parseConditions(a Attribute, raw []byte) ([]Condition, error) {
	if raw[0] != '[' {
		return nil, invalid("Filters.%s should be a list of %s", a.Name(), a.Kind())
	}
	var conds []Condition
	err := elements(raw, func(value []byte) error {
		at := fmt.Sprintf("Filters.%s[%d]", a.Name(), len(conds))
		if len(conds) >= MaxFilterValues {
			return invalid("Filters.%s has more than %d values", a.Name(), MaxFilterValues)
		}
		if value[0] != '{' {
			return invalid("%s should be a %s", at, a.Kind())
		}
		p := conditionParser{at: at, kind: a.Kind()}
		if err := members(value, p.member); err != nil {
			return err
		}
		if err := p.finish(); err != nil {
			return err
		}
		conds = append(conds, p.c)
		return nil
	})
	return conds, err
}

// conditionParser fills c with the members of one filter object.
type conditionParser struct {
	at   string // path, for messages
	kind Kind
	c    Condition
}

func (p *conditionParser) member(name, raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	var err error
	switch known := string(name); {
	case known == "Group":
		n, bad := strconv.ParseUint(string(raw), 10, 8)
		if bad != nil {
			return invalid("%s.Group should be a number from 0 to 255", p.at)
		}
		p.c.Group = uint8(n)
	case p.kind == KindNumber:
		err = p.number(known, raw)
	case p.kind == KindDate && known == "DateRange":
		err = p.dateRange(raw)
	case p.kind == KindDate && known == "Start":
		p.c.Start, err = parseStamp(p.at+".Start", raw)
	case p.kind == KindDate && known == "End":
		p.c.End, err = parseStamp(p.at+".End", raw)
	case p.kind == KindIP && known == "Cidr":
		p.c.CIDR, err = parseCIDR(p.at+".Cidr", raw)
	case p.kind == KindBoolean && known == "Value":
		yes := string(raw) == "true"
		if !yes && string(raw) != "false" {
			return invalid("%s.Value should be true or false", p.at)
		}
		p.c.Bool = &yes
	default:
		err = p.words(known, raw)
	}
	return err
}

// words reads the members that are strings: those of string, map and keyword filters.
func (p *conditionParser) words(name string, raw []byte) (err error) {
	compares := p.kind == KindString || p.kind == KindMap
	switch {
	case name == "Value" && (compares || p.kind == KindKeyword):
		p.c.Value, err = parseText(p.at+".Value", raw)
	case name == "Key" && p.kind == KindMap:
		p.c.Key, err = parseText(p.at+".Key", raw)
	case name == "Comparison" && compares:
		var word string
		word, err = parseText(p.at+".Comparison", raw)
		p.c.Comparison = Comparison(word)
	default:
		return invalid("%s: a %s has no member %q", p.at, p.kind, clip(name, 128))
	}
	return err
}

func (p *conditionParser) number(name string, raw []byte) error {
	var to **float64
	switch name {
	case "Gte":
		to = &p.c.Gte
	case "Lte":
		to = &p.c.Lte
	case "Gt":
		to = &p.c.Gt
	case "Lt":
		to = &p.c.Lt
	case "Eq":
		to = &p.c.Eq
	default:
		return invalid("%s: a %s has no member %q", p.at, p.kind, clip(name, 128))
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(v, 0) {
		return invalid("%s.%s should be a number", p.at, name)
	}
	*to = &v
	return nil
}

func (p *conditionParser) dateRange(raw []byte) error {
	at := p.at + ".DateRange"
	if raw[0] != '{' {
		return invalid("%s should be an object", at)
	}
	r, hasValue, hasUnit := DateRange{}, false, false
	err := members(raw, func(name, raw []byte) error {
		switch string(name) {
		case "Value":
			n, err := strconv.Atoi(string(raw))
			if err != nil || n < 0 || n > MaxDateRangeDays {
				return invalid("%s.Value should be a whole number from 0 to %d", at, MaxDateRangeDays)
			}
			r.Days, hasValue = n, true
		case "Unit":
			if unit, _ := decodeString(raw); unit != "DAYS" {
				return invalid("%s.Unit should be DAYS", at)
			}
			hasUnit = true
		case "Comparison":
			word, _ := decodeString(raw)
			r.Comparison = DateComparison(word)
			if r.Comparison != Within && r.Comparison != OlderThan {
				return invalid("%s.Comparison should be WITHIN or OLDER_THAN", at)
			}
		default:
			return invalid("%s has no member %q", at, clip(string(name), 128))
		}
		return nil
	})
	if err == nil && (!hasValue || !hasUnit) {
		err = invalid("%s needs Value and Unit", at)
	}
	p.c.Range = &r
	return err
}

// finish checks that nothing is missing and no two members contradict each other.
func (p *conditionParser) finish() error {
	c := &p.c
	switch p.kind {
	case KindString, KindMap:
		if p.kind == KindMap && c.Key == "" {
			return invalid("%s.Key is missing", p.at)
		}
		if c.Value == "" {
			return invalid("%s.Value is missing", p.at)
		}
		return checkComparison(p.at, p.kind, c.Comparison)
	case KindKeyword:
		if c.Value == "" {
			return invalid("%s.Value is missing", p.at)
		}
	case KindNumber:
		if c.Gte == nil && c.Lte == nil && c.Gt == nil && c.Lt == nil && c.Eq == nil {
			return invalid("%s needs one of Gte, Lte, Gt, Lt, Eq", p.at)
		}
	case KindDate:
		fixed := !c.Start.IsZero() || !c.End.IsZero()
		if fixed == (c.Range != nil) {
			return invalid("%s needs either Start and End or DateRange", p.at)
		}
		if !c.Start.IsZero() && !c.End.IsZero() && c.End.Before(c.Start) {
			return invalid("%s.End is before Start", p.at)
		}
	case KindIP:
		if !c.CIDR.IsValid() {
			return invalid("%s.Cidr is missing", p.at)
		}
	case KindBoolean:
		if c.Bool == nil {
			return invalid("%s.Value is missing", p.at)
		}
	}
	return nil
}

func checkComparison(at string, kind Kind, c Comparison) error {
	switch c {
	case Equals, NotEquals, Contains, NotContains:
		return nil
	case Prefix, PrefixNotEquals, ContainsWord:
		if kind == KindString {
			return nil
		}
	case "":
		return invalid("%s.Comparison is missing", at)
	}
	return invalid("%s: a %s has no comparison %q", at, kind, clip(string(c), 64))
}

func parseText(at string, raw []byte) (string, error) {
	s, ok := decodeString(raw)
	if !ok {
		return "", invalid("%s should be a string", at)
	}
	if strings.TrimSpace(s) == "" { // AWS's pattern of NonEmptyString is .*\S.*
		return "", invalid("%s should not be blank", at)
	}
	return s, nil
}

func parseStamp(at string, raw []byte) (time.Time, error) {
	s, err := parseText(at, raw)
	if err != nil {
		return time.Time{}, err
	}
	t, err := ParseTime(s)
	if err != nil {
		return time.Time{}, invalid("%s should be a timestamp such as 2024-01-04T15:25:10Z, not %q", at, clip(s, 64))
	}
	return t, nil
}

func parseCIDR(at string, raw []byte) (netip.Prefix, error) {
	s, err := parseText(at, raw)
	if err != nil {
		return netip.Prefix{}, err
	}
	s = strings.TrimSpace(s)
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, invalid("%s should be a CIDR block or an IP address, not %q", at, clip(s, 64))
	}
	return p.Masked(), nil
}

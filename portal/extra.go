package portal

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

// extra is a filter by any attribute of AWS's GetFindings: f=ProcessName:PREFIX:ba, f=ProductFields[eyrie/host]:EQUALS:vm.
type extra struct {
	Attribute  asff.Attribute
	Key        string // of a map attribute
	Comparison string // see comparisons
	Value      string
}

// comparisons says what can be asked of an attribute, by kind, in words for people.
var comparisons = map[asff.Kind][]comparison{
	asff.KindString: {
		{"EQUALS", "is"}, {"NOT_EQUALS", "is not"}, {"PREFIX", "begins with"}, {"PREFIX_NOT_EQUALS", "does not begin with"},
		{"CONTAINS", "contains"}, {"NOT_CONTAINS", "does not contain"}, {"CONTAINS_WORD", "contains the word"},
	},
	asff.KindMap:     {{"EQUALS", "is"}, {"NOT_EQUALS", "is not"}, {"CONTAINS", "contains"}, {"NOT_CONTAINS", "does not contain"}},
	asff.KindNumber:  {{"EQ", "="}, {"GTE", "≥"}, {"LTE", "≤"}, {"GT", ">"}, {"LT", "<"}},
	asff.KindDate:    {{"WITHIN", "within days"}, {"OLDER_THAN", "older than days"}, {"FROM", "from"}, {"TO", "to"}},
	asff.KindIP:      {{"CIDR", "is in"}},
	asff.KindKeyword: {{"HAS", "occurs"}},
	asff.KindBoolean: {{"IS", "is"}},
}

type comparison struct{ Name, Words string }

// allComparisons is every comparison once, for the form.
func allComparisons() []comparison {
	var all []comparison
	seen := map[string]bool{}
	for _, kind := range []asff.Kind{asff.KindString, asff.KindNumber, asff.KindDate, asff.KindIP, asff.KindKeyword, asff.KindBoolean} {
		for _, c := range comparisons[kind] {
			if !seen[c.Name] {
				seen[c.Name] = true
				all = append(all, c)
			}
		}
	}
	return all
}

func invalid(format string, args ...any) error {
	return &hub.InvalidInput{Message: fmt.Sprintf(format, args...)}
}

// String is the filter as it stands in a URL.
func (e extra) String() string {
	name := e.Attribute.Name()
	if e.Key != "" {
		name += "[" + e.Key + "]"
	}
	return name + ":" + e.Comparison + ":" + e.Value
}

// words is the comparison for people.
func (e extra) words() string {
	for _, c := range comparisons[e.Attribute.Kind()] {
		if c.Name == e.Comparison {
			return c.Words
		}
	}
	return e.Comparison
}

func parseExtras(raw []string) ([]extra, error) {
	var all []extra
	for _, s := range raw {
		if s == "" {
			continue
		}
		if len(all) == maxExtra {
			return nil, invalid("At most %d filters can be added.", maxExtra)
		}
		e, err := parseExtra(s)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func parseExtra(s string) (extra, error) {
	if len(s) > maxValue {
		return extra{}, invalid("A filter is longer than %d bytes.", maxValue)
	}
	name, rest := s, ""
	key := ""
	if open := strings.IndexByte(s, '['); open >= 0 && open < strings.IndexByte(s+":", ':') {
		end := strings.Index(s, "]:")
		if end < open {
			return extra{}, invalid("f=%s: the key of a map attribute stands in brackets: ProductFields[eyrie/host]:EQUALS:value.", s)
		}
		name, key, rest = s[:open], s[open+1:end], s[end+2:]
	} else {
		name, rest, _ = strings.Cut(s, ":")
	}
	comparison, value, ok := strings.Cut(rest, ":")
	if !ok {
		return extra{}, invalid("f=%s: want ATTRIBUTE:COMPARISON:VALUE, such as ProcessName:PREFIX:ba.", s)
	}
	return newExtra(name, key, comparison, value)
}

// newExtra checks everything that can be checked without a hub.
func newExtra(name, key, comparison, value string) (extra, error) {
	a, ok := asff.AttributeByName(name)
	if !ok {
		return extra{}, invalid("There is no attribute %q. Names are those of AWS's AwsSecurityFindingFilters.", name)
	}
	if (a.Kind() == asff.KindMap) != (key != "") {
		if key == "" {
			return extra{}, invalid("%s is a map: say which of its keys, as in %s[key].", name, name)
		}
		return extra{}, invalid("%s is no map and has no key.", name)
	}
	e := extra{a, key, comparison, strings.TrimSpace(value)}
	if comparison == "" {
		e.Comparison = comparisons[a.Kind()][0].Name
	}
	if _, err := e.condition(); err != nil {
		return extra{}, err
	}
	return e, nil
}

// condition is what the filter asks of a hub.
func (e extra) condition() (asff.Condition, error) {
	known := false
	for _, c := range comparisons[e.Attribute.Kind()] {
		known = known || c.Name == e.Comparison
	}
	if !known {
		return asff.Condition{}, invalid("%s cannot be compared by %s.", e.Attribute.Name(), e.Comparison)
	}
	if e.Value == "" {
		return asff.Condition{}, invalid("%s: the value is missing.", e.Attribute.Name())
	}
	switch e.Attribute.Kind() {
	case asff.KindNumber:
		return e.number()
	case asff.KindDate:
		return e.date()
	case asff.KindIP:
		prefix, err := netip.ParsePrefix(e.Value)
		if err != nil {
			addr, err := netip.ParseAddr(e.Value)
			if err != nil {
				return asff.Condition{}, invalid("%s: %q is neither an address nor a range such as 10.0.0.0/8.", e.Attribute.Name(), e.Value)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		return asff.Condition{CIDR: prefix.Masked()}, nil
	case asff.KindKeyword:
		return asff.Condition{Value: e.Value}, nil
	case asff.KindBoolean:
		yes, err := strconv.ParseBool(e.Value)
		if err != nil {
			return asff.Condition{}, invalid("%s: want true or false.", e.Attribute.Name())
		}
		return asff.Condition{Bool: &yes}, nil
	}
	return asff.Condition{Comparison: asff.Comparison(e.Comparison), Key: e.Key, Value: e.Value}, nil
}

func (e extra) number() (asff.Condition, error) {
	n, err := strconv.ParseFloat(e.Value, 64)
	if err != nil {
		return asff.Condition{}, invalid("%s: %q is no number.", e.Attribute.Name(), e.Value)
	}
	var c asff.Condition
	switch e.Comparison {
	case "EQ":
		c.Eq = &n
	case "GTE":
		c.Gte = &n
	case "LTE":
		c.Lte = &n
	case "GT":
		c.Gt = &n
	default:
		c.Lt = &n
	}
	return c, nil
}

func (e extra) date() (asff.Condition, error) {
	if e.Comparison == "WITHIN" || e.Comparison == "OLDER_THAN" {
		days, err := strconv.Atoi(e.Value)
		if err != nil || days < 0 || days > asff.MaxDateRangeDays {
			return asff.Condition{}, invalid("%s: want a number of days.", e.Attribute.Name())
		}
		return asff.Condition{Range: &asff.DateRange{Days: days, Comparison: asff.DateComparison(e.Comparison)}}, nil
	}
	t, err := parseStamp(e.Value)
	if err != nil {
		return asff.Condition{}, invalid("%s: want a time such as 2026-11-21T12:00Z.", e.Attribute.Name())
	}
	if e.Comparison == "FROM" {
		return asff.Condition{Start: t}, nil
	}
	return asff.Condition{End: t}, nil
}

// firstExtraGroup is where the groups of added filters begin: above those of picks and times.
const firstExtraGroup = 16

// addExtras joins the added filters: those of one attribute and key are alternatives, as in AWS's language; different
// attributes, different keys, and the two ends of a range must all hold.
func addExtras(f asff.Filters, extras []extra) error {
	groups := map[string]uint8{}
	for _, e := range extras {
		c, err := e.condition()
		if err != nil {
			return err
		}
		name := e.Attribute.Name() + "[" + e.Key
		switch e.Attribute.Kind() {
		case asff.KindNumber, asff.KindDate:
			name += " " + e.Comparison
		}
		group, ok := groups[name]
		if !ok {
			group = firstExtraGroup + uint8(len(groups)) //nolint:gosec // at most maxExtra
			groups[name] = group
		}
		c.Group = group
		f[e.Attribute] = append(f[e.Attribute], c)
	}
	return nil
}

// intervalWords says an interval for people.
func intervalWords(i interval) string {
	switch {
	case i.zero():
		return ""
	case i.Ago > 0:
		return "last " + duration(i.Ago)
	}
	layout := "2 Jan 15:04"
	to := i.To.UTC().Format(layout)
	if i.From.UTC().Format(time.DateOnly) == i.To.UTC().Format(time.DateOnly) {
		to = i.To.UTC().Format("15:04")
	}
	return i.From.UTC().Format(layout) + " to " + to + " UTC"
}

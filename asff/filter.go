package asff

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Comparison is how a string or map condition compares. Values are case-sensitive.
type Comparison string

// The comparisons of StringFilter; MapFilter has Equals, NotEquals, Contains and NotContains.
//
// AWS takes Contains and NotContains in automation rules only, and ContainsWord in its V2 calls only. Here they
// work everywhere.
const (
	Equals          Comparison = "EQUALS"
	Prefix          Comparison = "PREFIX"
	NotEquals       Comparison = "NOT_EQUALS"
	PrefixNotEquals Comparison = "PREFIX_NOT_EQUALS"
	Contains        Comparison = "CONTAINS"
	NotContains     Comparison = "NOT_CONTAINS"
	ContainsWord    Comparison = "CONTAINS_WORD"
)

// Negative reports whether c excludes: NotEquals, PrefixNotEquals or NotContains.
func (c Comparison) Negative() bool {
	return c == NotEquals || c == PrefixNotEquals || c == NotContains
}

// DateComparison is how a DateRange compares.
type DateComparison string

// The comparisons of DateRange.
const (
	Within    DateComparison = "WITHIN"
	OlderThan DateComparison = "OLDER_THAN"
)

// DateRange is a number of days before now.
type DateRange struct {
	Days       int            // 0 to MaxDateRangeDays
	Comparison DateComparison // "" is Within, as with AWS
}

// MaxDateRangeDays is the longest DateRange. It is our own limit, a hundred years.
const MaxDateRangeDays = 36500

// Condition is one filter value of one attribute. Which members count depends on the attribute's kind: Comparison
// and Value for strings, those and Key for maps, Gte to Eq for numbers (joined by AND), Start and End or Range for
// dates, CIDR for addresses, Value for keywords, Bool for booleans.
type Condition struct {
	Comparison Comparison
	Key, Value string

	Gte, Lte, Gt, Lt, Eq *float64

	Start, End time.Time // both inclusive; zero is open
	Range      *DateRange

	CIDR netip.Prefix
	Bool *bool

	// Group is Eyrie's own. Conditions of one attribute that have different groups are judged apart and joined
	// by AND, so that one can ask for ProductFields with this cluster and that namespace, which AWS's language
	// cannot say because it joins them by OR. On the wire it is a member "Group" that AWS's SDKs ignore; absent is 0.
	Group uint8
}

// Filters is an AwsSecurityFindingFilters object: a finding matches if it matches every attribute's conditions.
// Empty or nil matches every finding. What ParseFilters returns is valid; whoever builds one otherwise can ask
// Check. Safe for concurrent reads.
//
// How the conditions of one attribute are joined is said at Attribute.MatchValues.
type Filters map[Attribute][]Condition

// InvalidInput says why a filter object is refused. It is AWS's InvalidInputException.
type InvalidInput struct {
	Message string // for people; names the member by its path
}

// Error returns the message.
func (e *InvalidInput) Error() string { return e.Message }

// Attributes returns the attributes that f names, in the model's order.
func (f Filters) Attributes() []Attribute {
	attrs := make([]Attribute, 0, len(f))
	for a, conds := range f {
		if len(conds) > 0 {
			attrs = append(attrs, a)
		}
	}
	slices.Sort(attrs)
	return attrs
}

// Check reports, as an *InvalidInput, what ParseFilters refuses about whole filters: more than MaxFilterAttributes
// attributes, more than MaxFilterValues conditions of one, and the mixes of comparisons on one attribute (and one
// group) that the documentation of StringFilter and MapFilter calls errors:
//
//   - CONTAINS (and CONTAINS_WORD, of which AWS says nothing) with any other comparison,
//   - NOT_CONTAINS with any other comparison,
//   - EQUALS with NOT_EQUALS or PREFIX_NOT_EQUALS.
//
// PREFIX goes with EQUALS, NOT_EQUALS and PREFIX_NOT_EQUALS. For MapFilter the attribute counts, not the key.
func (f Filters) Check() error {
	attrs := f.Attributes()
	if len(attrs) > MaxFilterAttributes {
		return invalid("Filters names %d attributes; at most %d are allowed", len(attrs), MaxFilterAttributes)
	}
	for _, a := range attrs {
		conds := f[a]
		if len(conds) > MaxFilterValues {
			return invalid("Filters.%s has %d values; at most %d are allowed", a.Name(), len(conds), MaxFilterValues)
		}
		if a.Kind() != KindString && a.Kind() != KindMap {
			continue
		}
		for i := range conds {
			for j := range conds[:i] {
				if conds[i].Group == conds[j].Group && clash(conds[i].Comparison, conds[j].Comparison) {
					return invalid("Filters.%s combines %s with %s on the same field", a.Name(),
						conds[j].Comparison, conds[i].Comparison)
				}
			}
		}
	}
	return nil
}

// clash reports whether two comparisons must not stand on the same field.
func clash(x, y Comparison) bool {
	family := func(c Comparison) Comparison {
		switch c {
		case ContainsWord:
			return Contains
		case PrefixNotEquals:
			return NotEquals
		}
		return c
	}
	x, y = family(x), family(y)
	switch {
	case x == y:
		return false
	case x == Contains || y == Contains || x == NotContains || y == NotContains:
		return true
	}
	return x == Equals && y == NotEquals || x == NotEquals && y == Equals
}

// JSON writes f as AWS writes AwsSecurityFindingFilters, attributes in the model's order. ParseFilters reads it back.
// Times are written in UTC and CIDRs with their host bits cleared.
func (f Filters) JSON() []byte {
	w := writer{dst: make([]byte, 0, 256)}
	w.open('{')
	for _, a := range f.Attributes() {
		w.name(a.Name())
		w.open('[')
		for i := range f[a] {
			w.element()
			w.open('{')
			w.condition(a.Kind(), &f[a][i])
			w.close('}')
		}
		w.close(']')
	}
	w.close('}')
	return w.dst
}

func (w *writer) condition(kind Kind, c *Condition) {
	switch kind {
	case KindString, KindKeyword, KindMap:
		w.text("Key", c.Key)
		w.text("Value", c.Value)
		w.text("Comparison", string(c.Comparison))
	case KindNumber:
		w.float("Gte", c.Gte)
		w.float("Lte", c.Lte)
		w.float("Eq", c.Eq)
		w.float("Gt", c.Gt)
		w.float("Lt", c.Lt)
	case KindDate:
		w.time("Start", c.Start)
		w.time("End", c.End)
		if c.Range != nil {
			w.name("DateRange")
			w.open('{')
			w.name("Value")
			w.dst = strconv.AppendInt(w.dst, int64(c.Range.Days), 10)
			w.text("Unit", "DAYS")
			w.text("Comparison", string(c.Range.Comparison))
			w.close('}')
		}
	case KindIP:
		if c.CIDR.IsValid() {
			w.text("Cidr", c.CIDR.Masked().String())
		}
	case KindBoolean:
		w.bool("Value", c.Bool)
	}
	if c.Group != 0 {
		w.name("Group")
		w.dst = strconv.AppendUint(w.dst, uint64(c.Group), 10)
	}
}

// MarshalJSON is JSON.
func (f Filters) MarshalJSON() ([]byte, error) { return f.JSON(), nil }

// UnmarshalJSON is ParseFilters.
func (f *Filters) UnmarshalJSON(raw []byte) error {
	parsed, err := ParseFilters(raw)
	*f = parsed
	return err
}

var (
	_ json.Marshaler   = Filters{}
	_ json.Unmarshaler = (*Filters)(nil)
)

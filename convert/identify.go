package convert

import "github.com/eyrie-sec/eyrie/falco"

// Identified is what tells whose occurrence an alert is: the members of the same names of the finding that Convert makes.
type Identified struct {
	ID         string // always within the format's limit
	ProductArn string
	Severity   string // the label
}

// Identify returns what Convert writes into those members, at about a third of its cost: of many alerts of one finding
// only the newest has to be converted.
func (c *Converter) Identify(a *falco.Alert, o falco.Origin) Identified {
	var v view
	s := subject{rule: c.rule(a)}
	s.text.b.Grow(identifiedBytes)
	v.read(a, c.fields, s.rule.fields)
	s.find(c, &v, o)
	return Identified{ID: s.id(&v), ProductArn: s.productArn, Severity: s.rule.label}
}

// identifiedBytes is room for the Id and the names that are composed for it.
const identifiedBytes = 288

package cfntest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Check finds what is wrong with a template whatever its parameters: references that lead nowhere, what is declared and
// never used, what exceeds CloudFormation's limits (User Guide, "CloudFormation quotas").
func (t *Template) Check() (problems []string) {
	c := &checker{t: t, used: map[string]bool{}}
	for _, name := range Names(t.sections) {
		if !slices.Contains([]string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Resources", "Outputs"}, name) {
			c.say("section %s is not known", name)
		}
	}
	c.limits()
	for _, name := range Names(t.Conditions) {
		c.value("condition "+name, t.Conditions[name], nil)
	}
	for _, name := range Names(t.Resources) {
		r := t.Resources[name]
		if _, ok := kinds()[r.Type]; !ok {
			c.say("%s: type %s is not known", name, r.Type)
		}
		holds := map[string]bool{}
		if r.Condition != "" {
			c.useCondition(name, r.Condition)
			holds[r.Condition] = true
		}
		c.value(name, r.Properties, holds)
		c.value(name, r.Metadata, holds)
		for _, d := range r.DependsOn {
			c.reference(name+": DependsOn", d, holds)
		}
	}
	for _, name := range Names(t.Outputs) {
		c.value("output "+name, t.Outputs[name].Value, nil)
	}
	c.unused()
	slices.Sort(c.problems)
	return c.problems
}

type checker struct {
	t        *Template
	problems []string
	used     map[string]bool // "parameter X", "condition X", "mapping X"
}

func (c *checker) say(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *checker) limits() {
	for what, over := range map[string]bool{
		"the template is larger than 51,200 bytes": len(c.t.Body) > 51200,
		"more than 500 resources":                  len(c.t.Resources) > 500,
		"more than 200 parameters":                 len(c.t.Parameters) > 200,
		"more than 200 outputs":                    len(c.t.Outputs) > 200,
		"more than 200 mappings":                   len(c.t.Mappings) > 200,
		"the description has over 1,024 bytes":     len(c.t.Description) > 1024,
	} {
		if over {
			c.say("%s", what)
		}
	}
	for name, p := range c.t.Parameters {
		if p.Description == "" || len(p.Description) > 4000 {
			c.say("parameter %s: the description has %d characters, not 1 to 4,000", name, len(p.Description))
		}
		if p.Default != nil {
			if err := p.allows(text(p.Default)); err != nil {
				c.say("parameter %s: its own default: %v", name, err)
			}
		}
	}
	for name, o := range c.t.Outputs {
		if o.Description == "" || len(o.Description) > 1024 {
			c.say("output %s: the description has %d characters, not 1 to 1,024", name, len(o.Description))
		}
	}
	for _, name := range slices.Concat(Names(c.t.Resources), Names(c.t.Parameters), Names(c.t.Outputs), Names(c.t.Conditions)) {
		if len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') }) {
			c.say("%s: a logical name has letters and digits, at most 255", name)
		}
	}
}

// value walks v, in which the conditions of holds are known to be true.
func (c *checker) value(where string, v any, holds map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range Names(v) {
			c.function(where, name, v[name], holds)
		}
	case []any:
		for _, e := range v {
			c.value(where, e, holds)
		}
	}
}

func (c *checker) function(where, name string, argument any, holds map[string]bool) {
	switch name {
	case "Ref":
		c.reference(where, text(argument), holds)
	case "Condition":
		if isText(argument) {
			c.useCondition(where, text(argument))
			return
		}
		c.value(where, argument, holds)
	case "Fn::Sub":
		for _, m := range variable.FindAllStringSubmatch(text(argument), -1) {
			if resource, attribute, ok := strings.Cut(m[1], "."); ok {
				c.attribute(where, resource, attribute, holds)
			} else if !strings.HasPrefix(m[1], "!") {
				c.reference(where, m[1], holds)
			}
		}
	case "Fn::GetAtt":
		list, _ := argument.([]any)
		if len(list) != 2 {
			c.say("%s: GetAtt takes a resource and an attribute", where)
			return
		}
		c.attribute(where, text(list[0]), text(list[1]), holds)
	case "Fn::If":
		list, _ := argument.([]any)
		if len(list) != 3 {
			c.say("%s: If takes a condition and two values", where)
			return
		}
		c.useCondition(where, text(list[0]))
		then := maps.Clone(holds)
		if then == nil {
			then = map[string]bool{}
		}
		then[text(list[0])] = true
		c.value(where, list[1], then)
		c.value(where, list[2], holds)
	case "Fn::FindInMap":
		list, _ := argument.([]any)
		if len(list) != 3 || c.t.Mappings[text(list[0])] == nil {
			c.say("%s: FindInMap: no mapping %v", where, argument)
			return
		}
		c.used["mapping "+text(list[0])] = true
		c.value(where, list[1:], holds)
	default:
		c.value(where, argument, holds)
	}
}

func (c *checker) useCondition(where, name string) {
	c.used["condition "+name] = true
	if _, ok := c.t.Conditions[name]; !ok {
		c.say("%s: no condition %s", where, name)
	}
}

func (c *checker) reference(where, name string, holds map[string]bool) {
	if _, ok := c.t.Parameters[name]; ok {
		c.used["parameter "+name] = true
		return
	}
	if _, ok := Pseudo("", "", "")[name]; ok || name == "AWS::NoValue" {
		return
	}
	r, ok := c.t.Resources[name]
	if !ok {
		c.say("%s: refers to %s, which there is not", where, name)
		return
	}
	if r.Condition != "" && !holds[r.Condition] {
		c.say("%s: refers to %s, which there is only if %s", where, name, r.Condition)
	}
}

func (c *checker) attribute(where, name, attribute string, holds map[string]bool) {
	c.reference(where, name, holds)
	if r, ok := c.t.Resources[name]; ok && kinds()[r.Type].attributes[attribute] == "" {
		c.say("%s: %s, a %s, has no attribute %s", where, name, r.Type, attribute)
	}
}

func (c *checker) unused() {
	for _, list := range []struct {
		what  string
		names []string
	}{{"parameter", Names(c.t.Parameters)}, {"condition", Names(c.t.Conditions)}, {"mapping", Names(c.t.Mappings)}} {
		for _, name := range list.names {
			if !c.used[list.what+" "+name] {
				c.say("%s %s is never used", list.what, name)
			}
		}
	}
}

package cfntest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Evaluated is a resource with its functions evaluated.
type Evaluated struct {
	Resource
	Properties map[string]any
	Ref        string // what Ref of it gives
	DependsOn  []string
}

// noValue stands for AWS::NoValue until it is left out.
type noValue struct{}

// scope is what functions are evaluated with.
type scope struct {
	t          *Template
	pseudo     map[string]string
	params     map[string]any
	conditions map[string]bool
	used       map[string]bool // logical names that the current resource refers to
	depth      int
}

// maxDepth is deeper than a template that is not circular nests.
const maxDepth = 100

// Evaluate returns the resources that exist with those parameters, and the outputs. It fails as CloudFormation would:
// for parameters that are missing, unknown or not allowed, and for references to resources that do not exist then.
func (t *Template) Evaluate(params, pseudo map[string]string) (map[string]Evaluated, map[string]string, error) {
	s := &scope{t: t, pseudo: pseudo, params: map[string]any{}, conditions: map[string]bool{}}
	if err := s.setParameters(params); err != nil {
		return nil, nil, err
	}
	for _, name := range Names(t.Conditions) {
		if _, err := s.condition(name); err != nil {
			return nil, nil, err
		}
	}
	resources := map[string]Evaluated{}
	for _, name := range t.Order {
		r := t.Resources[name]
		if r.Condition != "" && !s.conditions[r.Condition] {
			continue
		}
		s.used = map[string]bool{}
		properties, err := s.value(r.Properties)
		if err == nil {
			_, err = s.value(r.Metadata)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, d := range r.DependsOn {
			s.used[d] = true
		}
		ref, err := s.ref(name, properties.(map[string]any))
		if err != nil {
			return nil, nil, err
		}
		resources[name] = Evaluated{r, properties.(map[string]any), ref, slices.Sorted(maps.Keys(s.used))}
	}
	outputs := map[string]string{}
	for name, o := range t.Outputs {
		v, err := s.value(o.Value)
		if err != nil {
			return nil, nil, fmt.Errorf("output %s: %w", name, err)
		}
		outputs[name] = text(v)
	}
	return resources, outputs, nil
}

func (s *scope) setParameters(given map[string]string) error {
	for name := range given {
		if _, ok := s.t.Parameters[name]; !ok {
			return fmt.Errorf("parameters: [%s] do not exist in the template", name)
		}
	}
	for _, name := range Names(s.t.Parameters) {
		p := s.t.Parameters[name]
		v, ok := given[name]
		if !ok {
			if p.Default == nil {
				return fmt.Errorf("parameters: [%s] must have values", name)
			}
			v = text(p.Default)
		}
		if err := p.allows(v); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
		if p.Type == "CommaDelimitedList" {
			list := []any{}
			for _, e := range strings.Split(v, ",") {
				list = append(list, strings.TrimSpace(e))
			}
			s.params[name] = list
			continue
		}
		s.params[name] = v
	}
	return nil
}

func (p Parameter) allows(v string) error {
	if len(p.AllowedValues) > 0 && !slices.ContainsFunc(p.AllowedValues, func(a any) bool { return text(a) == v }) {
		return fmt.Errorf("%q is not one of %v", v, p.AllowedValues)
	}
	if p.AllowedPattern != "" {
		re, err := regexp.Compile("^(?:" + p.AllowedPattern + ")$")
		if err != nil {
			return err
		}
		if !re.MatchString(v) {
			return fmt.Errorf("%q must match %s", v, p.AllowedPattern)
		}
	}
	size, what := float64(len(v)), "length"
	low, high := p.MinLength, p.MaxLength
	if p.Type == "Number" {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return fmt.Errorf("%q is no number", v)
		}
		size, what, low, high = n, "value", p.MinValue, p.MaxValue
	}
	if low != nil && size < *low || high != nil && size > *high {
		return fmt.Errorf("%q: the %s is out of range", v, what)
	}
	return nil
}

func (s *scope) condition(name string) (bool, error) {
	if v, ok := s.conditions[name]; ok {
		return v, nil
	}
	expression, ok := s.t.Conditions[name]
	if !ok {
		return false, fmt.Errorf("no condition %s", name)
	}
	v, err := s.value(expression)
	if err != nil {
		return false, fmt.Errorf("condition %s: %w", name, err)
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("condition %s is %v, not true or false", name, v)
	}
	s.conditions[name] = b
	return b, nil
}

// value evaluates the functions in v.
func (s *scope) value(v any) (any, error) {
	if s.depth++; s.depth > maxDepth {
		return nil, fmt.Errorf("circular")
	}
	defer func() { s.depth-- }()
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || name == "Condition" && isText(argument) || strings.HasPrefix(name, "Fn::") {
					return s.function(name, argument)
				}
			}
		}
		m := map[string]any{}
		for name, e := range v {
			got, err := s.value(e)
			if err != nil {
				return nil, err
			}
			if _, nothing := got.(noValue); !nothing {
				m[name] = got
			}
		}
		return m, nil
	case []any:
		list := []any{}
		for _, e := range v {
			got, err := s.value(e)
			if err != nil {
				return nil, err
			}
			if _, nothing := got.(noValue); !nothing {
				list = append(list, got)
			}
		}
		return list, nil
	}
	return v, nil
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

func (s *scope) function(name string, argument any) (any, error) {
	if name == "Fn::If" { // the branch that is not taken may refer to what does not exist
		list, ok := argument.([]any)
		if !ok || len(list) != 3 {
			return nil, fmt.Errorf("Fn::If takes a condition and two values")
		}
		b, err := s.condition(text(list[0]))
		if err != nil {
			return nil, err
		}
		if b {
			return s.value(list[1])
		}
		return s.value(list[2])
	}
	if name == "Ref" {
		return s.lookup(text(argument))
	}
	if name == "Condition" {
		return s.condition(text(argument))
	}
	if name == "Fn::Sub" {
		return s.sub(text(argument))
	}
	evaluated, err := s.value(argument)
	if err != nil {
		return nil, err
	}
	list, ok := evaluated.([]any)
	if !ok {
		return nil, fmt.Errorf("%s takes a list", name)
	}
	switch {
	case name == "Fn::Equals" && len(list) == 2:
		return text(list[0]) == text(list[1]), nil
	case name == "Fn::Not" && len(list) == 1:
		b, ok := list[0].(bool)
		if !ok {
			return nil, fmt.Errorf("Fn::Not takes a condition")
		}
		return !b, nil
	case name == "Fn::And" && len(list) >= 2:
		return !slices.Contains(list, any(false)), nil
	case name == "Fn::GetAtt" && len(list) == 2:
		return s.attribute(text(list[0]), text(list[1]))
	case name == "Fn::FindInMap" && len(list) == 3:
		v, ok := s.t.Mappings[text(list[0])][text(list[1])][text(list[2])]
		if !ok {
			return nil, fmt.Errorf("Fn::FindInMap: no %v", list)
		}
		return v, nil
	}
	return nil, fmt.Errorf("%s with %d arguments is not known here", name, len(list))
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

func (s *scope) sub(template string) (any, error) {
	var failed error
	out := variable.ReplaceAllStringFunc(template, func(m string) string {
		name := m[2 : len(m)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		var v any
		var err error
		if resource, attribute, ok := strings.Cut(name, "."); ok {
			v, err = s.attribute(resource, attribute)
		} else {
			v, err = s.lookup(name)
		}
		if err != nil && failed == nil {
			failed = err
		}
		return text(v)
	})
	return out, failed
}

// lookup is Ref.
func (s *scope) lookup(name string) (any, error) {
	if name == "AWS::NoValue" {
		return noValue{}, nil
	}
	if v, ok := s.pseudo[name]; ok {
		return v, nil
	}
	if v, ok := s.params[name]; ok {
		return v, nil
	}
	return s.existing(name, "")
}

// attribute is GetAtt.
func (s *scope) attribute(name, attribute string) (any, error) {
	return s.existing(name, attribute)
}

// existing is an attribute, or with "" the Ref, of a resource that exists.
func (s *scope) existing(name, attribute string) (any, error) {
	r, ok := s.t.Resources[name]
	if !ok {
		return nil, fmt.Errorf("no parameter and no resource %s", name)
	}
	if r.Condition != "" {
		b, err := s.condition(r.Condition)
		if err != nil {
			return nil, err
		}
		if !b {
			return nil, fmt.Errorf("resource %s does not exist when %s is false", name, r.Condition)
		}
	}
	if s.used != nil {
		s.used[name] = true
	}
	used := s.used
	s.used = map[string]bool{} // what the other resource refers to is its own
	defer func() { s.used = used }()
	properties, err := s.value(r.Properties)
	if err != nil {
		return nil, err
	}
	if attribute == "" {
		return s.ref(name, properties.(map[string]any))
	}
	return s.getAtt(name, attribute, properties.(map[string]any))
}

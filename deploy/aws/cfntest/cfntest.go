// Package cfntest reads CloudFormation templates for tests, without AWS. In comes a template in YAML; out go every
// reference in it that leads nowhere (Check), and its resources as they would be with given parameters (Evaluate), with
// made-up ARNs in place of those that AWS would give. It knows the intrinsic functions and the attributes of the resource
// types that Eyrie's templates use, and refuses others. It never talks to AWS and is no part of the product.
package cfntest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Template is a template with the short forms of functions written out: {"Ref": …}, {"Fn::Sub": …}.
type Template struct {
	Body        string
	Description string
	Parameters  map[string]Parameter
	Mappings    map[string]map[string]map[string]any
	Conditions  map[string]any
	Resources   map[string]Resource
	Order       []string // logical names of Resources in the template's order
	Outputs     map[string]Output
	sections    map[string]any
}

// Parameter is a declaration of a parameter.
type Parameter struct {
	Type, Description, AllowedPattern string
	Default                           any
	AllowedValues                     []any
	MinValue, MaxValue                *float64
	MinLength, MaxLength              *float64
}

// Resource is a declaration of a resource.
type Resource struct {
	Type, Condition     string
	DeletionPolicy      string
	UpdateReplacePolicy string
	DependsOn           []string
	Properties          map[string]any
	Metadata            map[string]any
}

// Output is a declaration of an output.
type Output struct {
	Description string
	Value       any
}

// Parse reads a template.
func Parse(body string) (*Template, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(body), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 {
		return nil, fmt.Errorf("the template is empty")
	}
	value, err := plain(doc.Content[0])
	if err != nil {
		return nil, err
	}
	sections, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the template is no map")
	}
	t := &Template{Body: body, sections: sections, Parameters: map[string]Parameter{}, Resources: map[string]Resource{}, Outputs: map[string]Output{}}
	t.Description, _ = sections["Description"].(string)
	t.Conditions, _ = sections["Conditions"].(map[string]any)
	for name, v := range object(sections["Parameters"]) {
		t.Parameters[name] = parameter(object(v))
	}
	for name, v := range object(sections["Resources"]) {
		t.Resources[name] = resource(object(v))
	}
	for name, v := range object(sections["Outputs"]) {
		o := object(v)
		t.Outputs[name] = Output{text(o["Description"]), o["Value"]}
	}
	t.Mappings = map[string]map[string]map[string]any{}
	for name, v := range object(sections["Mappings"]) {
		t.Mappings[name] = map[string]map[string]any{}
		for key, attributes := range object(v) {
			t.Mappings[name][key] = object(attributes)
		}
	}
	t.Order = keys(doc.Content[0], "Resources")
	return t, nil
}

// keys lists the keys of a section in the file's order.
func keys(root *yaml.Node, section string) (names []string) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == section {
			for j := 0; j+1 < len(root.Content[i+1].Content); j += 2 {
				names = append(names, root.Content[i+1].Content[j].Value)
			}
		}
	}
	return names
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func number(v any) *float64 {
	var f float64
	switch n := v.(type) {
	case int:
		f = float64(n)
	case float64:
		f = n
	default:
		return nil
	}
	return &f
}

func parameter(m map[string]any) Parameter {
	values, _ := m["AllowedValues"].([]any)
	return Parameter{text(m["Type"]), text(m["Description"]), text(m["AllowedPattern"]), m["Default"], values,
		number(m["MinValue"]), number(m["MaxValue"]), number(m["MinLength"]), number(m["MaxLength"])}
}

func resource(m map[string]any) Resource {
	r := Resource{Type: text(m["Type"]), Condition: text(m["Condition"]), DeletionPolicy: text(m["DeletionPolicy"]),
		UpdateReplacePolicy: text(m["UpdateReplacePolicy"]), Properties: object(m["Properties"]), Metadata: object(m["Metadata"])}
	switch d := m["DependsOn"].(type) {
	case string:
		r.DependsOn = []string{d}
	case []any:
		for _, v := range d {
			r.DependsOn = append(r.DependsOn, text(v))
		}
	}
	return r
}

// plain turns a node into maps, lists and scalars, and writes out the short forms of functions.
func plain(n *yaml.Node) (any, error) {
	var value any
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := m[key]; twice {
				return nil, fmt.Errorf("line %d: %s stands there twice", n.Content[i].Line, key)
			}
			v, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[key] = v
		}
		value = m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			v, err := plain(c)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		value = list
	case yaml.ScalarNode:
		if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
			value = n.Value
			break
		}
		if err := n.Decode(&value); err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
	default:
		return nil, fmt.Errorf("line %d: aliases are not read", n.Line)
	}
	if !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return value, nil
	}
	switch name := n.Tag[1:]; name {
	case "Ref", "Condition":
		return map[string]any{name: value}, nil
	case "GetAtt":
		if s, ok := value.(string); ok {
			resource, attribute, _ := strings.Cut(s, ".")
			value = []any{resource, attribute}
		}
		return map[string]any{"Fn::GetAtt": value}, nil
	default:
		return map[string]any{"Fn::" + name: value}, nil
	}
}

// Pseudo are the pseudo parameters of the places where tests deploy, without NoValue.
func Pseudo(account, region, stack string) map[string]string {
	partition, suffix := "aws", "amazonaws.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition, suffix = "aws-cn", "amazonaws.com.cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return map[string]string{"AWS::AccountId": account, "AWS::Region": region, "AWS::StackName": stack, "AWS::Partition": partition, "AWS::URLSuffix": suffix,
		"AWS::StackId": fmt.Sprintf("arn:%s:cloudformation:%s:%s:stack/%s/5e6e", partition, region, account, stack)}
}

// Names are the logical names of m's resources, sorted.
func Names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

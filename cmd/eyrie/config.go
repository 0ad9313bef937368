package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/eyrie-sec/eyrie/app"
)

// configFile answers kong's questions for flags from a configuration file: a key at the top level is a flag of any
// command (listen: …), a key below the name of a command is a flag of that command alone (agent: {to: …}) and wins.
type configFile struct {
	values map[string]any
}

// configResolver is a kong.ConfigurationLoader for YAML.
func configResolver(r io.Reader) (kong.Resolver, error) {
	values, err := app.ReadConfig(r)
	if err != nil {
		return nil, err
	}
	return configFile{values}, nil
}

// Validate refuses a file that names a flag or command that does not exist: a misspelt key must not be ignored.
func (c configFile) Validate(root *kong.Application) error {
	for key, value := range c.values {
		if section, ok := value.(map[string]any); ok {
			command := findCommand(root, key)
			if command == nil {
				return fmt.Errorf("configuration file: %q is not a command", key)
			}
			for name := range section {
				if !hasFlag(command, name) && !slices.ContainsFunc(command.Children, func(n *kong.Node) bool { return hasFlag(n, name) }) {
					return fmt.Errorf("configuration file: %s: eyrie %s has no flag --%s", key, key, name)
				}
			}
			continue
		}
		if !hasFlag(root.Node, key) && !slices.ContainsFunc(root.Children, func(n *kong.Node) bool { return hasFlag(n, key) }) {
			return fmt.Errorf("configuration file: no command has a flag --%s", key)
		}
	}
	return nil
}

// Resolve gives the value of a flag, or nil where the file has none.
func (c configFile) Resolve(ctx *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	// The section of a command with commands of its own (aws: …) is that of all of them.
	for n := parent.Command; n != nil; n = n.Parent {
		if section, ok := c.values[n.Name].(map[string]any); ok {
			if value, ok := section[flag.Name]; ok {
				return scalar(flag.Name, value)
			}
		}
	}
	value, ok := c.values[flag.Name]
	if !ok {
		return nil, nil
	}
	return scalar(flag.Name, value)
}

// scalar turns a YAML value into what kong would have read from the command line.
func scalar(name string, value any) (any, error) {
	switch v := value.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			if _, nested := e.(map[string]any); nested {
				return nil, fmt.Errorf("configuration file: %s: want a list of plain values", name)
			}
			parts[i] = fmt.Sprint(e)
		}
		return strings.Join(parts, ","), nil
	case map[string]any:
		return nil, fmt.Errorf("configuration file: %s: want a plain value", name)
	case nil:
		return nil, nil
	default:
		return fmt.Sprint(v), nil
	}
}

func findCommand(root *kong.Application, name string) *kong.Node {
	for _, n := range root.Children {
		if n.Name == name {
			return n
		}
	}
	return nil
}

func hasFlag(n *kong.Node, name string) bool {
	return slices.ContainsFunc(n.Flags, func(f *kong.Flag) bool { return f.Name == name })
}

package load

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/eyrie-sec/eyrie/falco"
)

// What can be overridden in a rule, in the order in which Falco reads it.
var (
	appendable  = []string{"condition", "exceptions", "output", "desc", "tags"}
	replaceable = []string{"condition", "exceptions", "output", "desc", "tags", "priority", "enabled", "warn_evttypes",
		"skip-if-unknown-filter", "capture", "capture_duration"}
)

// overrides are the entries of an override mapping.
type overrides struct {
	append, replace []string
}

func (o *overrides) any() bool { return len(o.append)+len(o.replace) > 0 }

func (o *overrides) appends(key string) bool { return slices.Contains(o.append, key) }

func readOverrides(n *yaml.Node, at place, canAppend, canReplace []string) (o overrides, err error) {
	v := get(n, "override")
	if v == nil || isNull(v) {
		return o, nil
	}
	switch v.Kind {
	case yaml.SequenceNode:
		if len(v.Content) == 0 {
			return o, nil
		}
		return o, inconsistent(at.on(v), "override must be a mapping of keys to append or replace")
	case yaml.ScalarNode:
		return o, nil
	}
	for i := 0; i+1 < len(v.Content); i += 2 {
		k, op := deref(v.Content[i]), deref(v.Content[i+1])
		if k.Kind != yaml.ScalarNode || op.Kind != yaml.ScalarNode {
			return o, inconsistent(at.on(k), "override must be a mapping of keys to append or replace")
		}
		kat := at.on(k).named(", override")
		switch op.Value {
		case "append":
			if !slices.Contains(canAppend, k.Value) {
				return o, invalid(kat, "Key '%s' cannot be appended to, use 'replace' instead", k.Value)
			}
			o.append = append(o.append, k.Value)
		case "replace":
			if !slices.Contains(canReplace, k.Value) {
				return o, invalid(kat, "Key '%s' cannot be replaced", k.Value)
			}
			o.replace = append(o.replace, k.Value)
		default:
			allowed := ""
			if slices.Contains(canAppend, k.Value) {
				allowed += "append "
			}
			if slices.Contains(canReplace, k.Value) {
				allowed += "replace "
			}
			return o, invalid(at.on(op), "Invalid override operation for key '%s': '%s'. Allowed values are: %s", k.Value, op.Value, allowed)
		}
	}
	return o, nil
}

// override applies the item of a rule that has override entries: first what is appended, then what is replaced.
func (r *reader) override(n *yaml.Node, name string, o overrides, at place) error {
	expected := map[string]bool{}
	for _, key := range replaceable {
		if get(n, key) != nil {
			expected[key] = true
		}
	}
	if len(o.append) > 0 {
		u := &ruleUpdate{name: name, at: at}
		if err := r.updates(u, n, "append", appendable, o.append, expected); err != nil {
			return err
		}
		if err := r.c.appendRule(u); err != nil {
			return err
		}
	}
	if len(o.replace) > 0 {
		u := &ruleUpdate{name: name, at: at}
		if err := r.updates(u, n, "replace", replaceable, o.replace, expected); err != nil {
			return err
		}
		if err := r.c.replaceRule(u); err != nil {
			return err
		}
	}
	for _, key := range replaceable {
		if expected[key] {
			return invalid(at.on(get(n, key)), "Unexpected key '%s': no corresponding entry under 'override' is defined.", key)
		}
	}
	return nil
}

// updates reads the keys that the entries of one operation name.
func (r *reader) updates(u *ruleUpdate, n *yaml.Node, operation string, order, keys []string, expected map[string]bool) error {
	for _, key := range order {
		if !slices.Contains(keys, key) {
			continue
		}
		if !expected[key] {
			return invalid(u.at, "An %s override for '%s' was specified but '%s' is not defined", operation, key, key)
		}
		delete(expected, key)
		if err := r.update(u, n, key, operation == "append"); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) update(u *ruleUpdate, n *yaml.Node, key string, appending bool) error {
	switch key {
	case "exceptions":
		exs, err := r.readExceptions(n, u.at, appending)
		u.exceptions = &exs
		return err
	case "tags":
		tags := []string{}
		err := sequence(n, "tags", u.at, false, func(s string) { tags = append(tags, s) })
		tags = sortedSet(tags)
		u.tags = &tags
		return err
	}
	s, err := scalar(n, key, u.at)
	if err != nil {
		return err
	}
	switch key {
	case "condition":
		u.cond, u.condAt = &s, u.at.on(get(n, key)).named(", condition")
	case "output":
		u.output, u.outputAt = &s, u.at.on(get(n, key)).named(", output")
	case "desc":
		u.desc = &s
	case "priority":
		p, ok := falco.ParsePriority(s)
		if !ok {
			return badPriority(n, u.at)
		}
		u.priority = &p
	case "capture_duration":
		u.captureDuration = new(uint32)
		return duration(n, u.at, u.captureDuration)
	default:
		b := new(bool)
		*map[string]**bool{"enabled": &u.enabled, "warn_evttypes": &u.warnEvents, "skip-if-unknown-filter": &u.skipUnknown, "capture": &u.cap}[key] = b
		return boolean(n, key, u.at, b)
	}
	return nil
}

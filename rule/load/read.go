package load

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/eyrie-sec/eyrie/falco"
)

var (
	macroName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)
	listName  = regexp.MustCompile(`^[^()"'\s=,\v]+$`)
)

const (
	appendDeprecated  = "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' instead."
	enabledDeprecated = "The standalone 'enabled' key usage is deprecated. The correct approach requires also a 'replace' entry under the 'override' key (i.e. 'enabled: replace')."
	appendAndOverride = "Keys 'override' and 'append: true' cannot be used together. Add an 'append' entry (e.g. 'condition: append') under 'override' instead."
)

// reader reads one file into the collector.
type reader struct {
	c   *collector
	doc *document
}

// file reads all documents of the file. What was read before an error stays in the collector.
func (r *reader) file(content []byte) error {
	docs, err := r.doc.parse(content)
	if err != nil {
		return err
	}
	for _, d := range docs {
		d = deref(d)
		at := r.doc.at(d, "")
		if d.Kind != yaml.MappingNode && d.Kind != yaml.SequenceNode {
			return invalid(at, "Rules content is not yaml")
		}
		if d.Kind != yaml.SequenceNode {
			return invalid(at, "Rules content is not yaml array of objects")
		}
		for _, n := range d.Content {
			if n = deref(n); !isNull(n) {
				if err := r.item(n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *reader) item(n *yaml.Node) error {
	at := r.doc.at(n, "")
	if n.Kind != yaml.MappingNode {
		return invalid(at, "Unexpected element type. Each element should be a yaml associative array.")
	}
	var err error
	known := []string{}
	switch {
	case get(n, "required_engine_version") != nil:
		known = append(known, "required_engine_version")
		err = r.engineVersion(n, at.named("required_engine_version"))
	case get(n, "required_plugin_versions") != nil:
		known = append(known, "required_plugin_versions")
		err = r.pluginVersions(get(n, "required_plugin_versions"), at.named("required_plugin_versions"))
	case get(n, "list") != nil:
		known = append(known, "list", "items", "append", "override")
		err = r.list(n, at.named("list"))
	case get(n, "macro") != nil:
		known = append(known, "macro", "condition", "append", "override")
		err = r.macro(n, at.named("macro"))
	case get(n, "rule") != nil:
		known = append(known, ruleKeys...)
		err = r.rule(n, at.named("rule"))
	default:
		r.c.warn(WarnUnknownItem, at, "Unknown top level item", "")
		return nil
	}
	if err == nil {
		r.unknownKeys(n, known)
	}
	return err
}

var ruleKeys = []string{"rule", "desc", "condition", "output", "priority", "source", "enabled", "warn_evttypes",
	"skip-if-unknown-filter", "capture", "capture_duration", "tags", "exceptions", "append", "override"}

func (r *reader) unknownKeys(n *yaml.Node, known []string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := deref(n.Content[i])
		if k.Kind == yaml.ScalarNode && slices.Contains(known, k.Value) {
			continue
		}
		r.c.warn(WarnUnknownKey, r.doc.at(n.Content[i], ""), "Unknown key '"+k.Value+"'. The key will be ignored.", "")
	}
}

func (r *reader) list(n *yaml.Node, at place) error {
	l := &listInfo{}
	var err error
	if l.name, err = scalar(n, "list", at); err != nil {
		return err
	}
	at = at.named(" " + l.name)
	l.at = at
	if !listName.MatchString(l.name) {
		r.c.warn(WarnListName, at, `List has an invalid name. List names should match a regular expression: ([^()"'[:space:]=,]+)`, "")
	}
	if err := sequence(n, "items", at, true, func(s string) { l.items = append(l.items, s) }); err != nil {
		return err
	}
	appending, err := r.appending(n, at, "items")
	switch {
	case err != nil:
		return err
	case appending:
		return r.c.appendList(l)
	}
	r.c.defineList(l)
	return nil
}

func (r *reader) macro(n *yaml.Node, at place) error {
	m := &macroInfo{}
	var err error
	if m.name, err = scalar(n, "macro", at); err != nil {
		return err
	}
	at = at.named(" " + m.name)
	m.at = at
	if !macroName.MatchString(m.name) {
		r.c.warn(WarnMacroName, at, "Macro has an invalid name. Macro names should match a regular expression: ([a-zA-Z]+[a-zA-Z0-9_]*)", "")
	}
	if m.cond, err = scalar(n, "condition", at); err != nil {
		return err
	}
	m.condAt = at.on(get(n, "condition")).named(", condition")
	appending, err := r.appending(n, at, "condition")
	switch {
	case err != nil:
		return err
	case appending:
		return r.c.appendMacro(m)
	}
	r.c.defineMacro(m)
	return nil
}

// appending reads append and override of a list or a macro, whose only part is key.
func (r *reader) appending(n *yaml.Node, at place, key string) (bool, error) {
	flag, err := r.appendFlag(n, at)
	if err != nil {
		return false, err
	}
	o, err := readOverrides(n, at, []string{key}, []string{key})
	if err != nil {
		return false, err
	}
	if flag && o.any() {
		return false, invalid(at, appendAndOverride)
	}
	return flag || o.appends(key), nil
}

func (r *reader) appendFlag(n *yaml.Node, at place) (flag bool, err error) {
	if err = boolean(n, "append", at, &flag); err == nil && flag {
		r.c.warn(WarnDeprecated, at, appendDeprecated, "")
	}
	return flag, err
}

func (r *reader) rule(n *yaml.Node, at place) error {
	name, err := scalar(n, "rule", at)
	if err != nil {
		return err
	}
	at = at.named(" " + name)
	appending, err := r.appendFlag(n, at)
	if err != nil {
		return err
	}
	o, err := readOverrides(n, at, appendable, replaceable)
	if err != nil {
		return err
	}
	switch {
	case appending && o.any():
		return invalid(at, appendAndOverride)
	case o.any():
		return r.override(n, name, o, at)
	case appending:
		return r.appendRule(n, name, at)
	}
	for _, key := range []string{"condition", "output", "desc", "priority"} {
		if get(n, key) != nil {
			return r.fullRule(n, name, at)
		}
	}
	enabled := true
	if _, err := scalar(n, "enabled", at); err != nil {
		return err
	}
	if err := boolean(n, "enabled", at, &enabled); err != nil {
		return err
	}
	r.c.warn(WarnDeprecated, at, enabledDeprecated, "")
	return r.c.enableRule(name, enabled, at)
}

func (r *reader) appendRule(n *yaml.Node, name string, at place) error {
	u := &ruleUpdate{name: name, at: at}
	if err := optional(n, "source", at, &u.source); err != nil {
		return err
	}
	if c := get(n, "condition"); c != nil {
		s, err := scalar(n, "condition", at)
		if err != nil {
			return err
		}
		u.cond, u.condAt = &s, at.on(c).named(", condition")
	}
	if get(n, "exceptions") != nil {
		exs, err := r.readExceptions(n, at, true)
		if err != nil {
			return err
		}
		u.exceptions = &exs
	}
	return r.c.appendRule(u)
}

func (r *reader) fullRule(n *yaml.Node, name string, at place) error {
	v := &ruleInfo{name: name, at: at, enabled: true, warnEvents: true, source: "syscall"}
	var priority string
	for _, f := range []struct {
		key string
		out *string
	}{{"condition", &v.cond}, {"output", &v.output}, {"desc", &v.desc}, {"priority", &priority}} {
		s, err := scalar(n, f.key, at)
		if err != nil {
			return err
		}
		*f.out = s
	}
	v.condAt = at.on(get(n, "condition")).named(", condition")
	v.outputAt = at.on(get(n, "output")).named(", output")
	v.output = strings.Trim(v.output, " \t\n\r\f\v")
	p, ok := falco.ParsePriority(priority)
	if !ok {
		return badPriority(n, at)
	}
	v.priority = p
	if err := optional(n, "source", at, &v.source); err != nil {
		return err
	}
	for _, f := range []struct {
		key string
		out *bool
	}{{"enabled", &v.enabled}, {"warn_evttypes", &v.warnEvents}, {"skip-if-unknown-filter", &v.skipUnknown}, {"capture", &v.capture}} {
		if err := boolean(n, f.key, at, f.out); err != nil {
			return err
		}
	}
	if err := duration(n, at, &v.captureDuration); err != nil {
		return err
	}
	if err := sequence(n, "tags", at, false, func(s string) { v.tags = append(v.tags, s) }); err != nil {
		return err
	}
	v.tags = sortedSet(v.tags)
	var err error
	if v.exceptions, err = r.readExceptions(n, at, false); err != nil {
		return err
	}
	return r.c.defineRule(v)
}

func badPriority(n *yaml.Node, at place) error {
	return &loadError{code: ErrYAMLValidate, at: at.on(get(n, "priority")), msg: "Invalid priority",
		hint: "one of EMERGENCY, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG"}
}

func duration(n *yaml.Node, at place, out *uint32) error {
	if get(n, "capture_duration") == nil {
		return nil
	}
	s, err := scalar(n, "capture_duration", at)
	if err != nil {
		return err
	}
	d, ok := unsigned(s)
	if !ok {
		return undecodable(n, "capture_duration", at)
	}
	*out = d
	return nil
}

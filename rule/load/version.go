package load

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// version is a semantic version of three numbers.
type version [3]uint32

// Engine is the version of Falco's rule language that is implemented: that of Falco 0.44.1.
const Engine = "0.62.0"

func parseVersion(s string) (version, bool) {
	var v version
	n, _ := fmt.Sscanf(s, "%d.%d.%d", &v[0], &v[1], &v[2])
	return v, n == 3
}

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// satisfies says whether v can be used where want is asked for: the same major number, and not older.
func (v version) satisfies(want version) bool {
	return v[0] == want[0] && !v.less(want)
}

func (v version) less(w version) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

// requirement is a plugin with the version it has to have.
type requirement struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (r *reader) engineVersion(n *yaml.Node, at place) error {
	s, err := scalar(n, "required_engine_version", at)
	if err != nil {
		return err
	}
	want, ok := parseVersion(s)
	if minor, isNumber := unsigned(s); isNumber {
		want, ok = version{0, minor, 0}, true
	}
	if !ok {
		return invalid(at, "Unable to parse engine version '%s' as a semver string. Expected \"x.y.z\" semver format.", s)
	}
	have, _ := parseVersion(Engine)
	if !have.satisfies(want) {
		return inconsistent(at, "Rules require engine version %s, but engine version is %s", want, have)
	}
	if r.c.engine.less(want) {
		r.c.engine = want
	}
	return nil
}

func (r *reader) pluginVersions(n *yaml.Node, at place) error {
	at = at.on(n)
	if n.Kind != yaml.SequenceNode {
		return invalid(at, "Value of required_plugin_versions must be a sequence")
	}
	for _, p := range n.Content {
		p = deref(p)
		pat := at.on(p)
		if p.Kind != yaml.MappingNode {
			return invalid(pat, "Plugin version must be a mapping")
		}
		reqs := make([]requirement, 1)
		if err := readRequirement(p, pat, &reqs[0]); err != nil {
			return err
		}
		if alts := get(p, "alternatives"); alts != nil {
			if alts.Kind != yaml.SequenceNode {
				return invalid(pat, "Value of plugin version alternatives must be a sequence")
			}
			for _, a := range alts.Content {
				if a = deref(a); a.Kind != yaml.MappingNode {
					return invalid(pat.on(a), "Plugin version alternative must be a mapping")
				}
				var req requirement
				if err := readRequirement(a, pat.on(a), &req); err != nil {
					return err
				}
				reqs = append(reqs, req)
			}
		}
		if err := checkRequirements(reqs, pat); err != nil {
			return err
		}
		r.c.plugins = append(r.c.plugins, reqs)
	}
	return nil
}

func readRequirement(n *yaml.Node, at place, req *requirement) (err error) {
	if req.Name, err = scalar(n, "name", at); err != nil {
		return err
	}
	req.Version, err = scalar(n, "version", at)
	return err
}

func checkRequirements(reqs []requirement, at place) error {
	seen := map[string]bool{}
	for _, q := range reqs {
		if _, ok := parseVersion(q.Version); !ok {
			return inconsistent(at, "Invalid required version '%s' for plugin '%s'", q.Version, q.Name)
		}
		if seen[q.Name] {
			return inconsistent(at, "Defined multiple alternative version requirements for plugin '%s'", q.Name)
		}
		seen[q.Name] = true
	}
	return nil
}

// pluginsMet says whether every requirement has an alternative that a plugin we stand in for satisfies.
func (c *collector) pluginsMet() error {
	for _, reqs := range c.plugins {
		met := false
		for _, q := range reqs {
			have, ok := c.opts.plugins()[q.Name]
			if !ok {
				continue
			}
			v, _ := parseVersion(have)
			want, _ := parseVersion(q.Version)
			if !v.satisfies(want) {
				return inconsistent(place{}, "Plugin '%s' version '%s' is not compatible with required plugin version '%s'", q.Name, have, q.Version)
			}
			met = true
			break
		}
		if !met {
			return inconsistent(place{}, "Plugin requirement not satisfied, must load one of: %s (>= %s)", reqs[0].Name, reqs[0].Version)
		}
	}
	return nil
}

// Package story says in plain words what an alert is about. In come the fields of a Falco alert, or of the finding made
// of it; out go the parts of one sentence (who did what to what, where) and the line of processes that led there.
//
// It claims only what the fields say: a value that is missing leaves its clause out, an outcome that is an error makes it
// "tried to". It never writes HTML and never changes a value: parts are marked by kind, and whoever shows them decides
// how. It does not fail; an alert without a single known field gets its rule's own words.
package story

import (
	"cmp"
	"path"
	"strings"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
)

// Facts returns the text of a Falco field by its name ("proc.cmdline", "evt.type"), "" if nothing is known of it.
// Besides Falco's own there are "rule", "output" (without time and priority), "hostname" and "source".
type Facts func(field string) string

// FromAlert returns the facts of an alert.
func FromAlert(a *falco.Alert) Facts {
	return func(field string) string {
		switch field {
		case "rule":
			return a.Rule
		case "output":
			return a.Message()
		case "hostname":
			return a.Hostname
		case "source":
			return a.Source
		}
		return a.Get(field)
	}
}

// FromFinding returns the facts that a finding made by Eyrie keeps of its latest alert.
func FromFinding(f *asff.Finding) Facts {
	own := map[string]string{
		"rule": f.Title, "output": f.Description, "hostname": f.ProductFields["eyrie/host"],
		"source":        f.ProductFields["eyrie/source"],
		"k8s.pod.name":  f.ProductFields["eyrie/pod"],
		"k8s.ns.name":   f.ProductFields["eyrie/namespace"],
		"fd.name":       f.ProductFields["eyrie/target"],
		"proc.exepath":  f.ProductFields["eyrie/process"],
		"eyrie/cluster": f.ProductFields["eyrie/cluster"],
	}
	if repository, tag, ok := cutTag(f.ProductFields["eyrie/image"]); ok {
		own["container.image.repository"], own["container.image.tag"] = repository, tag
	}
	if f.Process != nil {
		own["proc.name"] = f.Process.Name
		own["proc.exepath"] = cmp.Or(f.Process.Path, own["proc.exepath"])
	}
	for i := range f.Resources {
		if d := f.Resources[i].Details; d != nil && d.Container != nil {
			own["container.name"] = cmp.Or(own["container.name"], d.Container.Name)
		}
	}
	return func(field string) string {
		return cmp.Or(f.ProductFields["falco/"+field], own[field])
	}
}

// cutTag splits "registry:5000/a/b:tag" into repository and tag.
func cutTag(image string) (repository, tag string, ok bool) {
	if image == "" {
		return "", "", false
	}
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i], image[i+1:], true
	}
	return image, "", true
}

// Or returns facts that are first's where it knows something and second's elsewhere.
func Or(first, second Facts) Facts {
	return func(field string) string { return cmp.Or(first(field), second(field)) }
}

// first returns the first value that is known.
func (f Facts) first(fields ...string) string {
	for _, name := range fields {
		if v := f(name); v != "" {
			return v
		}
	}
	return ""
}

// arg returns an argument of the system call: its own field, or the one in evt.args ("res=0 path=/bin/hello"). A value in
// evt.args that holds a blank cannot be told from the next argument and is cut there.
func (f Facts) arg(names ...string) string {
	for _, name := range names {
		if v := f("evt.arg." + name); v != "" {
			return v
		}
	}
	args := f("evt.args")
	for _, name := range names {
		for word := range strings.FieldsSeq(args) {
			if v, ok := strings.CutPrefix(word, name+"="); ok {
				return v
			}
		}
	}
	return ""
}

// failure returns the error the system call ended with ("EACCES"), "" if it succeeded or nothing is known.
func (f Facts) failure() string {
	res := f("evt.res")
	if res == "" {
		res = f.arg("res")
	}
	if i := strings.IndexByte(res, '('); i >= 0 && strings.HasPrefix(res, "-") {
		res = strings.TrimSuffix(res[i+1:], ")")
	}
	if len(res) < 2 || res[0] != 'E' || strings.ToUpper(res) != res {
		return ""
	}
	return word(res)
}

// user returns who ran the process: a name, or "user 1000".
func (f Facts) user() string {
	if name := f.first("user.name", "user.loginname"); name != "" {
		return name
	}
	if uid := f("user.uid"); uid != "" {
		return "user " + uid
	}
	return ""
}

// process returns the name of the acting process.
func (f Facts) process() string {
	if name := f("proc.name"); name != "" {
		return name
	}
	if exe := f.first("proc.exepath", "proc.exe"); exe != "" {
		return path.Base(exe)
	}
	return ""
}

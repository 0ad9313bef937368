// Package load reads rule files of Falco's. YAML comes in, file by file; out go the lists, macros and rules they
// define together, each condition resolved and bound to the field table, and a report that says of every file what is
// wrong with it, in Falco's codes and with the exact place. It opens no files, keeps nothing between calls, and never
// panics or hangs on what it is given: a file that cannot be read is an entry in the report.
package load

import (
	"errors"
	"slices"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// File is one rule file.
type File struct {
	Name    string // for messages
	Content []byte // not changed, not kept
}

// Options say what rules may rely on. The zero value is Falco's stock configuration with the container plugin.
type Options struct {
	// Plugins are the plugins that required_plugin_versions may ask for, with the versions we stand in for. nil means
	// the container plugin alone.
	Plugins map[string]string
	// Sources are event sources known besides syscall. Rules of other sources are left out with a warning.
	Sources []string
	// AppendOutput is added to the output of every rule after a space. "" means SuggestedOutput; "-" means nothing.
	AppendOutput string
}

// SuggestedOutput is what Falco adds to every output with the container plugin loaded.
const SuggestedOutput = "container_id=%container.id container_name=%container.name " +
	"container_image_repository=%container.image.repository container_image_tag=%container.image.tag " +
	"k8s_pod_name=%k8s.pod.name k8s_ns_name=%k8s.ns.name"

var defaultPlugins = map[string]string{"container": "0.7.1"}

func (o *Options) plugins() map[string]string {
	if o.Plugins == nil {
		return defaultPlugins
	}
	return o.Plugins
}

func (o *Options) appended() string {
	switch o.AppendOutput {
	case "":
		return " " + SuggestedOutput
	case "-":
		return ""
	}
	return " " + o.AppendOutput
}

// List is a list as it was loaded.
type List struct {
	Name     string   `json:"name"`
	Items    []string `json:"items"`    // as written
	Resolved []string `json:"resolved"` // with named lists replaced
	Used     bool     `json:"used"`
}

// Macro is a macro as it was loaded.
type Macro struct {
	Name      string      `json:"name"`
	Condition string      `json:"condition"`
	Expr      filter.Expr `json:"-"` // with macros replaced
	Used      bool        `json:"used"`
}

// Rule is a rule as it was loaded.
type Rule struct {
	Name        string
	Desc        string
	Condition   string // as written, after append and override
	Output      string
	Priority    falco.Priority
	Source      string
	Tags        []string
	Enabled     bool
	Capture     bool
	CaptureTime uint32 // milliseconds, 0 for the default
	File        string
	Line        int

	Expr     filter.Expr     // with lists, exceptions and macros replaced
	Node     *match.Node     // Expr bound to the field table
	Events   field.EventSet  // that Expr can hold for
	Template *match.Template // Output, with what the options add

	Macros     []string // named in the condition, before replacing
	Exceptions []string // names
}

// Set is everything that files define together.
type Set struct {
	Lists  []List
	Macros []Macro
	Rules  []Rule
	Engine string // the highest required_engine_version, "0.0.0" for none
}

// Load reads files in their order, each on top of those before. The set is what the last good state defines: where the
// report is not OK it may be partial, and should not be used.
func Load(files []File, opts Options) (*Set, *Report) {
	c := newCollector(&opts)
	report := &Report{}
	set := &Set{}
	for _, f := range files {
		res := FileResult{File: f.Name, Errors: []Diagnostic{}, Warnings: []Diagnostic{}}
		c.warn = func(code Code, at place, msg, hint string) {
			res.Warnings = append(res.Warnings, diagnostic(code, msg, hint, at))
		}
		r := &reader{c: c, doc: newDocument(f.Name, f.Content)}
		err := r.file(f.Content)
		if err == nil {
			set, err = c.resolve()
		}
		if err == nil {
			err = c.pluginsMet()
		}
		if err != nil {
			e := &loadError{code: ErrValidate, msg: err.Error()}
			errors.As(err, &e)
			if e.at.doc == nil {
				e.at.doc = r.doc
			}
			res.Errors = append(res.Errors, diagnostic(e.code, e.msg, e.hint, e.at))
		}
		report.Files = append(report.Files, res)
	}
	return set, report
}

// Rule finds a rule by name, nil for none.
func (s *Set) Rule(name string) *Rule {
	i := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Rules[i]
}

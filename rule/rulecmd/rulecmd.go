// Package rulecmd is what the command line does with rules: check, list, explain, fields, test and diff. Each function
// takes what it works on and a writer, prints text for people or JSON for machines, and says whether all is well. It
// reads the files it is told to and nothing else. The words of rule files and events are printed so that a terminal
// does not obey them.
package rulecmd

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/load"
)

// ReadFiles reads rule files in the order of paths. A folder stands for the .yaml and .yml files in it, by name.
func ReadFiles(paths []string) ([]rule.File, error) {
	var out []rule.File
	for _, p := range paths {
		names, err := expand(p, ".yaml", ".yml")
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			b, err := os.ReadFile(n)
			if err != nil {
				return nil, err
			}
			out = append(out, rule.File{Name: n, Content: b})
		}
	}
	return out, nil
}

// expand lists the files that a path stands for.
func expand(path string, extensions ...string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		for _, ext := range extensions {
			if !e.IsDir() && filepath.Ext(e.Name()) == ext {
				out = append(out, filepath.Join(path, e.Name()))
			}
		}
	}
	sort.Strings(out)
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no %s files", path, strings.Join(extensions, " or "))
	}
	return out, nil
}

// Output says how to print.
type Output struct {
	W    io.Writer
	JSON bool
}

func (o Output) json(v any) error {
	enc := json.NewEncoder(o.W)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// safe makes text that comes from files harmless on a terminal.
func safe(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// Check says what is wrong with rule files; ok is false where any has an error.
func Check(o Output, files []rule.File) (ok bool, err error) {
	set, report := rule.Load(files, rule.LoadOptions{})
	ok = report.OK()
	if ok && len(report.Files) > 0 {
		last := &report.Files[len(report.Files)-1]
		last.Warnings = append(last.Warnings, rule.Review(set)...)
	}
	if o.JSON {
		return ok, o.json(report)
	}
	for i := range report.Files {
		for _, d := range report.Files[i].Errors {
			if err := printDiagnostic(o.W, "error", &d); err != nil {
				return ok, err
			}
		}
	}
	warnings := report.Warnings()
	for _, d := range warnings {
		if err := printDiagnostic(o.W, "warning", &d); err != nil {
			return ok, err
		}
	}
	if !ok {
		_, err = fmt.Fprintf(o.W, "%s, not usable\n", counted(len(files), "file"))
		return ok, err
	}
	_, err = fmt.Fprintf(o.W, "%s, %s, %s, %s: ok, %s\n", counted(len(files), "file"), counted(len(set.Rules), "rule"), counted(len(set.Macros), "macro"), counted(len(set.Lists), "list"), counted(len(warnings), "warning"))
	return ok, err
}

// counted is n and the noun, in the plural unless n is 1.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func printDiagnostic(w io.Writer, kind string, d *load.Diagnostic) error {
	if _, err := fmt.Fprintf(w, "%s: %s (%s)\n", safe(d.String()), kind, d.Code); err != nil {
		return err
	}
	if d.Snippet == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(safe(d.Snippet), "\n", "\n    "))
	return err
}

// loaded loads files for the commands that need a usable set.
func loaded(files []rule.File) (*rule.Set, error) {
	set, report := rule.Load(files, rule.LoadOptions{})
	if err := report.Err(); err != nil {
		return nil, err
	}
	return set, nil
}

type listedRule struct {
	Name     string   `json:"name"`
	Priority string   `json:"priority"`
	Enabled  bool     `json:"enabled"`
	Source   string   `json:"source"`
	Tags     []string `json:"tags"`
	Events   []string `json:"events"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Desc     string   `json:"desc"`
}

// List lists the rules of files.
func List(o Output, files []rule.File) error {
	set, err := loaded(files)
	if err != nil {
		return err
	}
	rules := make([]listedRule, 0, len(set.Rules))
	for i := range set.Rules {
		r := &set.Rules[i]
		rules = append(rules, listedRule{r.Name, r.Priority.String(), r.Enabled, r.Source, r.Tags, r.Events.Names(), r.File, r.Line, r.Desc})
	}
	if o.JSON {
		return o.json(rules)
	}
	for _, r := range rules {
		state := ""
		if !r.Enabled {
			state = " (disabled)"
		}
		if _, err := fmt.Fprintf(o.W, "%-13s %s%s\n", r.Priority, safe(r.Name), state); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(o.W, "%d rules\n", len(rules))
	return err
}

package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/rulecmd"
)

// Rules say where rules come from, and which of them are used.
type Rules struct {
	Paths   []string    // files, and folders that stand for their .yaml and .yml files, in the order of loading
	Default []rule.File // used where Paths is empty
	// Disable and Enable are names of rules, with * for any text, or tag:NAME. They are applied in this order after all
	// files, as Falco's own option `rules` is.
	Disable, Enable []string
}

// RulesError says why rules cannot be used: every error, with its place.
type RulesError struct {
	Report *rule.Report
}

func (e *RulesError) Error() string {
	var lines []string
	for i := range e.Report.Files {
		for j := range e.Report.Files[i].Errors {
			lines = append(lines, e.Report.Files[i].Errors[j].String())
		}
	}
	return "the rules cannot be used:\n  " + strings.Join(lines, "\n  ") + "\n`eyrie rules check` shows the lines"
}

// Reload reads the rule files again and takes them into use. Events that are being evaluated meanwhile are evaluated
// by the rules before or by the new ones, never by none. After an error the rules stay as they were.
func (d *Detector) Reload() error {
	signature := d.cfg.Rules.signature()
	files, err := d.cfg.Rules.read(d.cfg.AppendOutput)
	if err == nil {
		if report := d.holder.Reload(files); !report.OK() {
			err = &RulesError{report}
		} else {
			d.warn(report)
		}
	}
	d.mu.Lock()
	d.loaded = signature // an unusable state is not tried again until it changes
	d.mu.Unlock()
	if err != nil {
		d.failed.Add(1)
		return err
	}
	d.reloads.Add(1)
	if d.cfg.Changed != nil {
		d.cfg.Changed(d.holder.Engine())
	}
	return nil
}

func (d *Detector) warn(report *rule.Report) {
	for _, w := range report.Warnings() {
		d.cfg.Logger.Debug("rules", "warning", w.String(), "code", string(w.Code))
	}
}

// Watch looks at the rule files every so often and reloads them when they have changed, until ctx ends. A change counts
// once it has stood still for one look, so that a file is not read half-written. Rules that ship do not change, so
// without paths it only waits.
func (d *Detector) Watch(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := d.cfg.Rules.signature()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			last = d.look(last)
		}
	}
}

// look reloads if the files are not those in use and are the same as at the last look. It returns how they are now.
func (d *Detector) look(last string) string {
	now := d.cfg.Rules.signature()
	d.mu.Lock()
	changed := now != d.loaded
	d.mu.Unlock()
	if !changed || now != last {
		return now
	}
	if err := d.Reload(); err != nil {
		d.cfg.Logger.Error("changed rules are not taken into use; those before go on", "error", err)
	} else {
		d.cfg.Logger.Info("changed rules are in use", "rules", len(d.Engine().Rules()))
	}
	return now
}

// signature changes when a file of the rules does. It looks through symbolic links, so that a Kubernetes volume that is
// exchanged as a whole counts.
func (r *Rules) signature() string {
	var b strings.Builder
	add := func(name string, info fs.FileInfo, err error) {
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", name, err)
			return
		}
		fmt.Fprintf(&b, "%s: %d %d\n", name, info.Size(), info.ModTime().UnixNano())
	}
	for _, p := range r.Paths {
		info, err := os.Stat(p)
		if err != nil || !info.IsDir() {
			add(p, info, err)
			continue
		}
		entries, err := os.ReadDir(p)
		if err != nil {
			add(p, nil, err)
		}
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); ext == ".yaml" || ext == ".yml" {
				name := filepath.Join(p, e.Name())
				info, err := os.Stat(name)
				add(name, info, err)
			}
		}
	}
	return b.String()
}

// read reads the files, and adds one that switches rules off and on as r says.
func (r *Rules) read(appendOutput string) ([]rule.File, error) {
	files := r.Default
	if len(r.Paths) > 0 {
		var err error
		if files, err = rulecmd.ReadFiles(r.Paths); err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
	}
	if len(r.Disable)+len(r.Enable) == 0 {
		return files, nil
	}
	set, report := rule.Load(files, rule.LoadOptions{AppendOutput: appendOutput})
	if !report.OK() {
		return files, nil // the caller loads them too and says what is wrong
	}
	overlay, err := r.overlay(set)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(files), overlay), nil
}

// overlay is a rule file that switches the rules of set as r says.
func (r *Rules) overlay(set *rule.Set) (rule.File, error) {
	var b strings.Builder
	write := func(patterns []string, enabled bool) error {
		for _, p := range patterns {
			found := false
			for i := range set.Rules {
				if !selects(p, &set.Rules[i]) {
					continue
				}
				found = true
				name, err := json.Marshal(set.Rules[i].Name) // a JSON string is a YAML string
				if err != nil {
					return err
				}
				fmt.Fprintf(&b, "- rule: %s\n  enabled: %t\n  override: {enabled: replace}\n", name, enabled)
			}
			if !found {
				return fmt.Errorf("no rule is meant by %q: want a rule's name, with * for any text, or tag:NAME", p)
			}
		}
		return nil
	}
	if err := write(r.Disable, false); err != nil {
		return rule.File{}, err
	}
	if err := write(r.Enable, true); err != nil {
		return rule.File{}, err
	}
	return rule.File{Name: "rules switched on and off", Content: []byte(b.String())}, nil
}

// selects says whether a pattern means a rule.
func selects(pattern string, r *rule.Rule) bool {
	if tag, ok := strings.CutPrefix(pattern, "tag:"); ok {
		return slices.Contains(r.Tags, tag)
	}
	// A rule's name may hold a slash, and * has to pass it.
	flat := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(flat.Replace(pattern), flat.Replace(r.Name))
	return err == nil && ok || pattern == r.Name
}

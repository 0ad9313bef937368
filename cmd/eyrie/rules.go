package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/rulecmd"
)

// rulesCmd is what makes changing Falco's rules safe: everything about a set of rule files that can be said without
// running it on a host.
type rulesCmd struct {
	JSON bool `help:"Print JSON for machines."`

	Check   rulesCheckCmd   `cmd:"" help:"Say what is wrong with rule files, where, and what was expected."`
	List    rulesListCmd    `cmd:"" help:"List the rules of rule files."`
	Explain rulesExplainCmd `cmd:"" help:"Show a rule: its condition with macros and lists replaced, its event types, fields and cost."`
	Fields  rulesFieldsCmd  `cmd:"" help:"List the fields that rules can use."`
	Test    rulesTestCmd    `cmd:"" help:"Run rule tests: scripts of events and the alerts they must raise."`
	Diff    rulesDiffCmd    `cmd:"" help:"Compare two states of a rule set, and what they raise on recorded events."`
}

// Help is what `eyrie rules --help` says above the commands.
func (rulesCmd) Help() string {
	return `Reads Falco's rule language as Falco 0.44 does; docs/rules-differences.md lists where it differs on purpose. Several FILEs are
loaded one after the other, so that later ones can append to and override earlier ones; a folder stands for its .yaml files.
Exit status: 0 all is well, 1 something is wrong or differs, 2 the command line was wrong.`
}

func (r *rulesCmd) output(s streams) rulecmd.Output { return rulecmd.Output{W: s.out, JSON: r.JSON} }

type ruleFiles struct {
	Files []string `arg:"" name:"file" help:"Rule files, or folders of them, in the order of loading."`
}

func (f ruleFiles) read() ([]rule.File, error) { return rulecmd.ReadFiles(f.Files) }

type rulesCheckCmd struct{ ruleFiles }

// Run checks the files.
func (c rulesCheckCmd) Run(s streams, r *rulesCmd) error {
	files, err := c.read()
	if err != nil {
		return err
	}
	ok, err := rulecmd.Check(r.output(s), files)
	return status(ok, err)
}

type rulesListCmd struct{ ruleFiles }

// Run lists the rules.
func (c rulesListCmd) Run(s streams, r *rulesCmd) error {
	files, err := c.read()
	if err != nil {
		return err
	}
	return rulecmd.List(r.output(s), files)
}

type rulesExplainCmd struct {
	Rule string `arg:"" help:"The name of the rule, in quotes."`
	ruleFiles
}

// Run explains one rule.
func (c rulesExplainCmd) Run(s streams, r *rulesCmd) error {
	files, err := c.read()
	if err != nil {
		return err
	}
	return rulecmd.Explain(r.output(s), files, c.Rule)
}

type rulesFieldsCmd struct {
	Class string `arg:"" optional:"" help:"One class of fields: evt, proc, thread, fd, fs.path, user, group, container, k8s."`
}

// Run lists the fields.
func (c rulesFieldsCmd) Run(s streams, r *rulesCmd) error {
	return rulecmd.Fields(r.output(s), c.Class)
}

type rulesTestCmd struct {
	Paths []string `arg:"" name:"dir" help:"Test scripts, or folders of .test files."`
}

// Run runs the tests.
func (c rulesTestCmd) Run(s streams, r *rulesCmd) error {
	ok, err := rulecmd.Test(r.output(s), c.Paths, progressTo(s.err, "tests"))
	return status(ok, err)
}

type rulesDiffCmd struct {
	Before string `arg:"" name:"old" help:"Rule file or folder as it was."`
	After  string `arg:"" name:"new" help:"Rule file or folder as it is to be."`
	Events string `placeholder:"FILE" type:"path" help:"Events in the text format of rule tests, one a line; - for stdin."`
}

// Run compares the two states.
func (c rulesDiffCmd) Run(s streams, r *rulesCmd) error {
	before, err := rulecmd.ReadFiles([]string{c.Before})
	if err != nil {
		return err
	}
	after, err := rulecmd.ReadFiles([]string{c.After})
	if err != nil {
		return err
	}
	var events io.Reader
	switch c.Events {
	case "":
	case "-":
		events = s.in
	default:
		f, err := os.Open(c.Events)
		if err != nil {
			return err
		}
		defer f.Close()
		events = f
	}
	same, err := rulecmd.Diff(r.output(s), before, after, events, progressTo(s.err, "events"))
	return status(same, err)
}

// status turns what a check found into the exit status that scripts read.
func status(ok bool, err error) error {
	if err == nil && !ok {
		return exitStatus(1)
	}
	return err
}

// progressTo shows work that takes longer than a second, at most ten times a second.
func progressTo(w io.Writer, what string) rulecmd.Progress {
	began := time.Now()
	var shown time.Time
	return func(done, total int) {
		now := time.Now()
		if now.Sub(began) < time.Second || done < total && now.Sub(shown) < 100*time.Millisecond {
			return
		}
		shown = now
		if total > 0 {
			fmt.Fprintf(w, "\r%d of %d %s", done, total, what)
		} else {
			fmt.Fprintf(w, "\r%d %s", done, what)
		}
		if done == total {
			fmt.Fprintln(w)
		}
	}
}

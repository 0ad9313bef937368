package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/eyrie-sec/eyrie/etc"
	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/rulecmd"
	"github.com/eyrie-sec/eyrie/simulate"
)

type simulateCmd struct {
	Names []string `arg:"" optional:"" name:"name" help:"Actions, or rules whose actions to do. Default: all."`
	List  bool     `help:"List the actions and the rules that fire for them, and do nothing."`
	In    string   `enum:"auto,host,container" default:"auto" help:"Where: host, container, or auto: on the host, and in a container what means something only there (default ${default})."`
	Rules []string `short:"r" placeholder:"PATH" type:"path" sep:"," env:"EYRIE_RULES" help:"Rule files in use, and folders of them: actions that none of their rules fires for are left out, unless they are named. Default: the rules that ship with eyrie."`
	All   bool     `help:"Do all actions, whatever rules are in use."`
	NoAsk bool     `name:"no-ask" help:"Do the actions, and do not ask a hub for findings."`

	URL         string        `name:"url" placeholder:"URL" default:"http://127.0.0.1:8080" env:"EYRIE_URL" help:"The hub to ask (default ${default})."`
	Data        string        `placeholder:"DIR" default:"${data}" env:"EYRIE_DATA" help:"The hub's data directory, for its key (default ${data})."`
	Credentials string        `placeholder:"FILE" type:"path" env:"EYRIE_CREDENTIALS" help:"AWS credentials file with the key of a hub elsewhere; default: credentials in --data."`
	Region      string        `placeholder:"REGION" default:"local-1" env:"EYRIE_REGION" help:"The hub's Region (default ${default})."`
	Wait        time.Duration `placeholder:"DURATION" default:"10s" help:"How long to wait for findings after the last action (default ${default})."`
}

// Help is what `eyrie simulate --help` says above the flags.
func (simulateCmd) Help() string {
	return `A self-test from the kernel to the portal. Each action is a harmless version of an attack: a program of that name that does
that one thing, in namespaces of its own, on an overlay of the root directory that is gone afterwards. What was found by
this host's sensor, or by a Falco that feeds the hub, is asked of the hub. It needs root.

  sudo eyrie simulate                     what the rules that ship should find
  sudo eyrie simulate --rules /etc/falco  what Falco's rules should find
  sudo eyrie simulate read-shadow         one action
  sudo eyrie simulate "Write below etc"   what this rule should fire for

Exit status 1: an action could not be done, or its finding did not arrive.`
}

// Run does the actions and says what arrived.
func (c *simulateCmd) Run(ctx context.Context, s streams) error {
	actions, err := simulate.Find(c.Names...)
	if err != nil {
		return err
	}
	if c.List {
		if len(c.Names) == 0 {
			actions = simulate.Actions()
		}
		return listActions(s.out, actions)
	}
	o := simulate.Options{Actions: actions, Wait: c.Wait}
	if !c.All && len(c.Names) == 0 {
		if o.InUse, err = rulesInUse(c.Rules); err != nil {
			return err
		}
	}
	switch c.In {
	case "host":
		o.In = simulate.Host
	case "container":
		o.In = simulate.Container
	}
	if err := simulate.Possible(); err != nil {
		return err
	}
	if !c.NoAsk {
		file := c.Credentials
		if file == "" {
			file = filepath.Join(c.Data, "credentials")
		}
		hub, err := newHubClient(c.URL, c.Region, file)
		if err != nil {
			return err
		}
		// A hub that does not answer is told before anything is done.
		if _, err := hub.Since(ctx, time.Now()); err != nil {
			return fmt.Errorf("%w\nStart a hub with `eyrie up`, name another with --url and --credentials, or use --no-ask", err)
		}
		o.Findings = hub
	}
	o.Doing = func(a *simulate.Action, p simulate.Place) { fmt.Fprintf(s.err, "%-9s  %-22s %s\n", p, a.Name, a.Does) }
	results, err := simulate.Run(ctx, o)
	if len(results) > 0 {
		if missed := printResults(s.out, results, o.Findings != nil); err == nil && missed > 0 {
			return exitStatus(1)
		}
	}
	return err
}

// rulesInUse lists the rules of these files that are on.
func rulesInUse(paths []string) (map[string]bool, error) {
	files := []rule.File{{Name: "etc/rules/eyrie_rules.yaml", Content: etc.Rules()}}
	if len(paths) > 0 {
		var err error
		if files, err = rulecmd.ReadFiles(paths); err != nil {
			return nil, err
		}
	}
	set, report := rule.Load(files, rule.LoadOptions{})
	if err := report.Err(); err != nil {
		return nil, err
	}
	inUse := map[string]bool{}
	for i := range set.Rules {
		inUse[set.Rules[i].Name] = set.Rules[i].Enabled
	}
	return inUse, nil
}

func listActions(out io.Writer, actions []*simulate.Action) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tWHERE\tWHAT\tRULES")
	for _, a := range actions {
		does := a.Does
		if a.Needs != "" {
			does += "; needs " + a.Needs
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Name, a.In, does, strings.Join(append(slices.Clone(a.Rules), a.Inner...), "; "))
	}
	return w.Flush()
}

// printResults prints a table and a sentence, and returns how many actions failed or have no finding.
func printResults(out io.Writer, results []simulate.Result, asked bool) int {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACTION\tWHERE\tFINDING\tRULE")
	failed, missed := 0, 0
	for _, r := range results {
		rules := strings.Join(r.Rules, "; ")
		switch {
		case r.Err != nil:
			failed++
			fmt.Fprintf(w, "%s\t%s\tnot done: %s\t%s\n", r.Action.Name, r.Place, strings.ReplaceAll(r.Err.Error(), "\n", "; "), rules)
		case !asked:
			fmt.Fprintf(w, "%s\t%s\tdone\t%s\n", r.Action.Name, r.Place, rules)
		case r.Finding != nil:
			fmt.Fprintf(w, "%s\t%s\tafter %d ms\t%s\n", r.Action.Name, r.Place, r.After.Milliseconds(), r.Finding.Rule)
		default:
			missed++
			fmt.Fprintf(w, "%s\t%s\tnone\t%s\n", r.Action.Name, r.Place, rules)
		}
	}
	_ = w.Flush()
	switch {
	case !asked:
		fmt.Fprintf(out, "\n%d actions done, %d failed.\n", len(results)-failed, failed)
	default:
		fmt.Fprintf(out, "\n%d of %d findings arrived; %d did not, %d actions could not be done.\n", len(results)-failed-missed, len(results), missed, failed)
		if missed > 0 {
			fmt.Fprintln(out, "A finding arrives only where its rule is loaded and on: by the sensor of `eyrie up` (see --rules there) or by Falco.")
		}
	}
	return failed + missed
}

// Package simulate does what attackers do, harmlessly, so that whoever relies on findings can see them arrive. In come
// names of actions and a way to ask for findings; out goes, for each action, whether its finding arrived and how soon.
//
// Every action runs in namespaces of its own (mounts, processes, network, IPC, host name) on an overlay of the root
// directory whose changes are kept in memory; for a container also in a control group that is named like Docker's. When
// its first process ends, the kernel takes all of it away. Programs that an attack would start are this program under
// another name, which does one thing and ends. Nothing leaves the machine, no file of the host is changed, no address
// outside of the action's own network is spoken to.
package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Place is where an action is done.
type Place uint8

// The places. As a set they say where an action means something.
const (
	Host Place = 1 << iota
	Container
	Anywhere = Host | Container
)

func (p Place) String() string {
	switch p {
	case Host:
		return "host"
	case Container:
		return "container"
	case Anywhere:
		return "host, container"
	}
	return "nowhere"
}

// Action is one harmless attack.
type Action struct {
	Name  string   // lower case, words parted by hyphens
	Does  string   // in a few words
	Rules []string // that fire for it: of Falco's rule files, and of etc/rules
	Inner []string // that fire for it in a container only
	In    Place
	Needs string // what has to be so for any rule to fire, "" for nothing. Such actions are done only if they are named

	steps   []step
	prepare map[string]string // files that are there before anything is done, and their content
	shows   []string          // command lines of other programs that it starts
	init    bool              // done by the first process of the container itself
}

// Watched lists the rules that fire for the action in a place, of those that are in use; nil for all.
func (a *Action) Watched(p Place, inUse map[string]bool) []string {
	var list []string
	if a.In&p != 0 {
		list = slices.Clone(a.Rules)
	}
	if p == Container {
		list = append(list, a.Inner...)
	}
	if inUse != nil {
		list = slices.DeleteFunc(list, func(name string) bool { return !inUse[name] })
	}
	return list
}

// Commands lists the command lines that the action's programs show, as proc.cmdline has them: NAME ARGUMENT...
func (a *Action) Commands() []string {
	all := slices.Clone(a.shows)
	for _, s := range a.steps {
		for _, l := range s.Chain {
			all = append(all, strings.Join(append([]string{l.As}, l.Args...), " "))
		}
	}
	return all
}

// Find gives the actions of these names, or that make these rules fire; for none, all that need nothing. An error names what there is no action for.
func Find(names ...string) ([]*Action, error) {
	all := Actions()
	var found []*Action
	if len(names) == 0 {
		for _, a := range all {
			if a.Needs == "" {
				found = append(found, a)
			}
		}
		return found, nil
	}
	var errs []error
	for _, name := range names {
		i := slices.IndexFunc(all, func(a *Action) bool {
			return a.Name == name || slices.Contains(a.Rules, name) || slices.Contains(a.Inner, name)
		})
		if i < 0 {
			errs = append(errs, fmt.Errorf("no action or rule %q: `eyrie simulate --list` shows what there is", name))
			continue
		}
		if !slices.Contains(found, all[i]) {
			found = append(found, all[i])
		}
	}
	return found, errors.Join(errs...)
}

// Finding is what is needed of a finding to tell whose it is.
type Finding struct {
	ID       string
	Rule     string
	Command  string    // proc.cmdline of the alert, "" where the rule does not report it
	Observed time.Time // last
}

// Findings is asked for what arrived. Since lists findings that were last observed at t or later.
type Findings interface {
	Since(ctx context.Context, t time.Time) ([]Finding, error)
}

// Result is what became of one action in one place.
type Result struct {
	Action *Action
	Place  Place
	Rules  []string // one of which should fire
	Began  time.Time
	Err    error // the action could not be done

	Finding *Finding      // that arrived, nil if none did
	After   time.Duration // from the action's beginning until the finding was seen
}

// Options says what to do. Findings may be nil: then nothing is waited for.
type Options struct {
	Actions  []*Action
	In       Place           // Host or Container; 0: on the host, or in a container if the action means something only there
	InUse    map[string]bool // rules that are in use: only actions that make one of them fire are done; nil for all
	Findings Findings
	Wait     time.Duration // for findings after the last action. Default 10 s
	Now      func() time.Time
	Doing    func(a *Action, p Place) // told before each action; may be nil
	Done     func(Result)             // told of each result once, from one goroutine; may be nil
}

// How often findings are asked for, and how long the next action waits for those of the one before.
const (
	poll     = 100 * time.Millisecond
	patience = time.Second
)

// Run does the actions one after the other, and waits for their findings. The error says why nothing could be done, or
// that findings could not be asked for; what became of the single actions is in the results, in the order of the actions.
func Run(ctx context.Context, o Options) ([]Result, error) {
	o.Wait = cmp.Or(o.Wait, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := Possible(); err != nil {
		return nil, err
	}
	var results []Result
	for _, a := range o.Actions {
		for _, place := range []Place{Host, Container} {
			if rules := a.Watched(place, o.InUse); (o.In == 0 || o.In == place) && len(rules) > 0 {
				results = append(results, Result{Action: a, Place: place, Rules: rules})
				break
			}
		}
	}
	if len(results) == 0 {
		return nil, errors.New("no rule in use fires for these actions there: see `eyrie simulate --list`, and --in, --rules and --all")
	}
	w := &watch{o: o, results: results}
	for i := range results {
		if ctx.Err() != nil {
			return results[:i], ctx.Err()
		}
		r := &results[i]
		if o.Doing != nil {
			o.Doing(r.Action, r.Place)
		}
		r.Began = o.Now()
		r.Err = r.Action.do(ctx, r.Place)
		if r.Err != nil || o.Findings == nil {
			w.tell(i)
		}
		// The hub shows of a finding what happened last, so the next action must not hide this one.
		if err := w.until(ctx, patience, func() bool { return w.told[i] }); err != nil {
			return results, err
		}
	}
	return results, w.wait(ctx)
}

// watch compares what arrived with what was done.
type watch struct {
	o       Options
	results []Result
	told    map[int]bool
}

func (w *watch) tell(i int) {
	if w.told == nil {
		w.told = map[int]bool{}
	}
	if w.told[i] {
		return
	}
	w.told[i] = true
	if w.o.Done != nil {
		w.o.Done(w.results[i])
	}
}

// open lists the results that a finding is still waited for.
func (w *watch) open() []int {
	var list []int
	for i := range w.results {
		if r := &w.results[i]; !w.told[i] && !r.Began.IsZero() {
			list = append(list, i)
		}
	}
	return list
}

func (w *watch) look(ctx context.Context) error {
	open := w.open()
	if w.o.Findings == nil || len(open) == 0 {
		return nil
	}
	first := w.results[open[0]].Began.Truncate(time.Millisecond) // findings have their times in milliseconds
	found, err := w.o.Findings.Since(ctx, first)
	if err != nil {
		return fmt.Errorf("ask for findings: %w", err)
	}
	for _, i := range open {
		r := &w.results[i]
		for k := range found {
			if r.caused(&found[k]) {
				f := found[k]
				r.Finding, r.After = &f, w.o.Now().Sub(r.Began)
				w.tell(i)
				break
			}
		}
	}
	return nil
}

// caused says whether the finding is of this action.
func (r *Result) caused(f *Finding) bool {
	if f.Observed.Before(r.Began.Truncate(time.Millisecond)) || !slices.Contains(r.Rules, f.Rule) {
		return false
	}
	return f.Command == "" || slices.ContainsFunc(r.Action.Commands(), func(c string) bool { return strings.HasPrefix(f.Command, c) })
}

func (w *watch) wait(ctx context.Context) error {
	err := w.until(ctx, w.o.Wait, func() bool { return len(w.open()) == 0 })
	for _, i := range w.open() {
		w.tell(i)
	}
	return err
}

// until looks for findings until enough says so, at most for the time limit.
func (w *watch) until(ctx context.Context, limit time.Duration, enough func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !enough() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := w.look(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	return nil
}

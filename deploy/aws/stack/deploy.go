package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// ErrDeclined says that a person did not agree, so that nothing was changed.
var ErrDeclined = errors.New("nothing was changed")

// Deploy makes or updates the stack in every Region: it shows change sets, asks, and carries out those that were agreed
// to. A Region whose change set cannot be made stops everything before anything was changed; one that fails later leaves
// the others right. It returns nil, ErrDeclined, or an error that names each Region that failed and why.
func Deploy(ctx context.Context, o Options) error {
	w, err := start(ctx, o)
	if err != nil {
		return err
	}
	plans, err := w.proposeAll(ctx)
	if err != nil {
		return err
	}
	todo := 0
	for _, p := range plans {
		todo += min(len(p.changes), 1)
	}
	if todo == 0 {
		w.out.say("Nothing to change.")
		return nil
	}
	agreed, err := w.Confirm(fmt.Sprintf("Carry this out in account %s?", w.account))
	if err == nil && !agreed {
		err = ErrDeclined
	}
	if err != nil {
		return errors.Join(err, w.withdrawAll(ctx, plans))
	}
	return w.carryOut(ctx, plans)
}

// Diff shows what Deploy would change, and changes nothing. It reports whether there is a difference.
func Diff(ctx context.Context, o Options) (differs bool, err error) {
	w, err := start(ctx, o)
	if err != nil {
		return false, err
	}
	plans, err := w.proposeAll(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range plans {
		differs = differs || len(p.changes) > 0
	}
	return differs, w.withdrawAll(ctx, plans)
}

// proposeAll makes and shows all change sets, or withdraws those it could make and says which it could not.
func (w *worker) proposeAll(ctx context.Context) ([]*plan, error) {
	if w.Code == nil {
		return nil, errors.New("no code of the function was given")
	}
	var mu sync.Mutex // guards made
	made := map[string][]*plan{}
	err := w.each(func(r *region) error {
		p, err := w.plan(ctx, r)
		if err != nil {
			return err
		}
		plans := []*plan{p}
		if r.name == w.HomeRegion && len(w.Organization.Units) > 0 {
			p, err := w.planOrganization(ctx, r)
			if err != nil {
				return err
			}
			plans = append(plans, p)
		}
		for _, p := range plans {
			if err := w.propose(ctx, p); err != nil {
				return err
			}
			mu.Lock()
			made[r.name] = append(made[r.name], p)
			mu.Unlock()
		}
		return nil
	})
	var plans []*plan
	for _, name := range w.Regions { // a stack set's template and code must be there first: the home Region's second is last
		plans = append(plans, made[name]...)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("nothing was changed, because not every Region can be:\n%w", err), w.withdrawAll(ctx, plans))
	}
	for _, p := range plans {
		w.show(p)
	}
	return plans, nil
}

func (w *worker) withdrawAll(ctx context.Context, plans []*plan) error {
	var failed []error
	for _, p := range plans {
		if err := w.withdraw(ctx, p); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.r.name, err))
		}
	}
	return errors.Join(failed...)
}

// carryOut uploads the code and executes change sets, all Regions at once; the organisation's when the others are done.
func (w *worker) carryOut(ctx context.Context, plans []*plan) error {
	failed := w.each(func(r *region) error {
		p := plans[indexOf(plans, r, w.StackName)]
		if err := w.upload(ctx, r); err != nil {
			return errors.Join(err, w.withdraw(ctx, p))
		}
		if len(p.changes) == 0 {
			return nil
		}
		return w.execute(ctx, p)
	})
	if i := indexOf(plans, nil, w.StackName+"-organization"); i >= 0 && len(plans[i].changes) > 0 {
		p := plans[i]
		if failed != nil {
			return errors.Join(failed, fmt.Errorf("%s: the accounts of the organisation were left as they are", p.r.name), w.withdraw(ctx, p))
		}
		if err := w.execute(ctx, p); err != nil {
			failed = fmt.Errorf("%s: %w", p.r.name, err)
		}
	}
	return errors.Join(failed, w.report(ctx, plans))
}

// indexOf finds a plan by its Region, if r is not nil, and its stack.
func indexOf(plans []*plan, r *region, stack string) int {
	for i, p := range plans {
		if p.stack == stack && (r == nil || p.r == r) {
			return i
		}
	}
	return -1
}

func (w *worker) execute(ctx context.Context, p *plan) error {
	since, err := p.r.newest(ctx, p.stackID)
	if err != nil {
		return errors.Join(err, w.withdraw(ctx, p))
	}
	if _, err := p.r.cfn.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: &p.changeSet}); err != nil {
		if errorCode(err) == "" { // no answer: it may have begun, and nothing of it may be deleted
			return fmt.Errorf("carry out the change set of stack %s: no answer, so that it may have begun; the same command again finds out: %w", p.stack, err)
		}
		return errors.Join(fmt.Errorf("carry out the change set of stack %s: %w", p.stack, err), w.withdraw(ctx, p))
	}
	o, err := w.follow(ctx, p.r, p.stackID, since)
	if err != nil {
		return err
	}
	if !o.ok() {
		return o.err(p.stack)
	}
	return nil
}

// report says what to do next, and deletes code that nobody needs any more.
func (w *worker) report(ctx context.Context, plans []*plan) error {
	var failed []error
	for _, p := range plans {
		st, err := p.r.describe(ctx, p.stack)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.r.name, err))
			continue
		}
		if !strings.HasSuffix(string(st.status), "_COMPLETE") || !st.exists() || p.stack != w.StackName {
			continue
		}
		if st.params["CodeKey"] == w.codeKey() {
			// A person can do without: what cannot be deleted now is deleted by the next deploy or by destroy.
			if _, err := w.prune(ctx, p.r, w.codeKey(), w.templateKey(), p.current.params["CodeKey"]); err != nil {
				w.out.say("%s  old code stays in bucket %s: %v", p.r.name, w.bucket(p.r), err)
			}
		}
		w.out.say("%s  ready: send Falco's alerts to log group %s; dashboard %s", p.r.name, st.outputs["LogGroup"], st.outputs["DashboardUrl"])
	}
	if len(w.Settings.Emails) > 0 {
		w.out.say("Each address of --emails has a letter from AWS, for each Region, and gets alarms once its link was followed.")
	}
	return errors.Join(failed...)
}

package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// propose makes the plan's change set and reads what it would change.
func (w *worker) propose(ctx context.Context, p *plan) error {
	in := &cloudformation.CreateChangeSetInput{
		StackName:     &p.stack,
		ChangeSetName: aws.String("eyrie-" + strings.ToLower(rand.Text())),
		ChangeSetType: types.ChangeSetTypeUpdate,
		Description:   aws.String("eyrie aws deploy, " + w.Version),
		TemplateBody:  &p.template,
		Capabilities:  []types.Capability{types.CapabilityCapabilityIam},
		Tags:          []types.Tag{{Key: aws.String(tagName), Value: &w.StackName}},
	}
	for _, name := range slices.Sorted(maps.Keys(p.params)) {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: &name, ParameterValue: aws.String(p.params[name])})
	}
	if !p.current.exists() {
		in.ChangeSetType, p.made = types.ChangeSetTypeCreate, true
		in.OnStackFailure = types.OnStackFailureDelete // so that a second try need not delete it first
	}
	out, err := p.r.cfn.CreateChangeSet(ctx, in)
	if err != nil {
		return fmt.Errorf("make a change set of stack %s: %w", p.stack, err)
	}
	p.changeSet, p.stackID = aws.ToString(out.Id), aws.ToString(out.StackId)
	if err := w.readChanges(ctx, p); err != nil {
		return errors.Join(err, w.withdraw(ctx, p))
	}
	if len(p.changes) == 0 {
		return w.withdraw(ctx, p)
	}
	return nil
}

// readChanges waits for the change set and fills in p.changes, which stay empty if nothing would change.
func (w *worker) readChanges(ctx context.Context, p *plan) error {
	var next *string
	for {
		out, err := p.r.cfn.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &p.changeSet, NextToken: next})
		if err != nil {
			return fmt.Errorf("read the change set of stack %s: %w", p.stack, err)
		}
		switch out.Status {
		case types.ChangeSetStatusCreateComplete:
			p.changes = append(p.changes, out.Changes...)
			if next = out.NextToken; next == nil {
				return nil
			}
		case types.ChangeSetStatusFailed:
			reason := aws.ToString(out.StatusReason)
			if strings.Contains(reason, "didn't contain changes") || strings.Contains(reason, "No updates are to be performed") {
				return nil
			}
			return fmt.Errorf("CloudFormation refuses the change set of stack %s: %s", p.stack, reason)
		default:
			if err := w.wait(ctx); err != nil {
				return err
			}
		}
	}
}

// withdraw deletes the change set, and the stack if it is nothing but that. It does so even when ctx has ended.
func (w *worker) withdraw(ctx context.Context, p *plan) error {
	if p.changeSet == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if _, err := p.r.cfn.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: &p.changeSet}); err != nil {
		return fmt.Errorf("delete the change set of stack %s: %w", p.stack, err)
	}
	p.changeSet = ""
	if !p.made {
		return nil
	}
	// Only what never was more than a change set.
	if st, err := p.r.describe(ctx, p.stackID); err != nil || st.status == types.StackStatusReviewInProgress {
		if err != nil {
			return err
		}
		if _, err := p.r.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &p.stackID}); err != nil {
			return fmt.Errorf("delete stack %s, which has a change set only: %w", p.stack, err)
		}
	}
	return nil
}

// show tells a person what the plan changes.
func (w *worker) show(p *plan) {
	switch {
	case len(p.changes) == 0:
		w.out.say("%s  stack %s is as it should be", p.r.name, p.stack)
	case p.made:
		w.out.say("%s  stack %s is made, with %d resources:", p.r.name, p.stack, len(p.changes))
	default:
		w.out.say("%s  stack %s is updated, in %d resources:", p.r.name, p.stack, len(p.changes))
	}
	for _, c := range p.changes {
		if rc := c.ResourceChange; rc != nil {
			w.out.say("  %s %-24s %s%s", sign(rc), aws.ToString(rc.LogicalResourceId), aws.ToString(rc.ResourceType), details(rc))
		}
	}
	if before := p.current.params; len(p.changes) > 0 && p.current.exists() {
		for _, name := range slices.Sorted(maps.Keys(p.params)) {
			if was, ok := before[name]; ok && was != p.params[name] && name != "CodeKey" {
				w.out.say("    %s: %q -> %q", name, was, p.params[name])
			}
		}
	}
	for _, n := range p.notes {
		w.out.say("    %s", n)
	}
}

func sign(c *types.ResourceChange) string {
	switch c.Action {
	case types.ChangeActionAdd:
		return "+"
	case types.ChangeActionRemove:
		return "-"
	case types.ChangeActionImport:
		return "<"
	}
	if c.Replacement == types.ReplacementTrue {
		return "!"
	}
	return "~"
}

func details(c *types.ResourceChange) string {
	var about []string
	for _, d := range c.Details {
		if t := d.Target; t != nil && t.Name != nil && !slices.Contains(about, *t.Name) {
			about = append(about, *t.Name)
		} else if t != nil && t.Name == nil && !slices.Contains(about, string(t.Attribute)) {
			about = append(about, string(t.Attribute))
		}
	}
	slices.Sort(about)
	text := ""
	if len(about) > 0 {
		text = "  (" + strings.Join(about, ", ") + ")"
	}
	switch {
	case c.Action == types.ChangeActionRemove && c.PolicyAction == types.PolicyActionRetain:
		return text + ", is kept but no longer the stack's"
	case c.Replacement == types.ReplacementTrue:
		return text + ", is replaced by a new one"
	case c.Replacement == types.ReplacementConditional:
		return text + ", may be replaced by a new one"
	}
	return text
}

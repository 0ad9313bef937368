package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"

	"github.com/eyrie-sec/eyrie/deploy/aws/template"
)

// Remove says what Destroy deletes besides. Both only if Eyrie's stack of that name made it.
type Remove struct {
	Alerts      bool // the log group with the alerts
	SecurityHub bool // Security Hub is disabled, which deletes all of its findings, those of other products too
}

// condemned is what Destroy would delete in one Region.
type condemned struct {
	r           *region
	stacks      []state // the organisation's, if there is one, first
	resources   []int   // how many each of stacks has
	keepsAlerts bool    // the stack made the log group
	keepsHub    bool    // the stack enabled Security Hub
	waiting     int     // messages in the quarantine and in the dead letters
	params      map[string]string
}

// Destroy deletes the stacks and the code, after it said what it deletes, what it keeps and what would be lost, and was
// agreed to. A Region in which nothing is left is passed over, so that what was interrupted can be done again.
func Destroy(ctx context.Context, o Options, remove Remove) error {
	w, err := start(ctx, o)
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards found
	found := map[string]*condemned{}
	err = w.each(func(r *region) error {
		c, err := w.condemn(ctx, r)
		mu.Lock()
		found[r.name] = c
		mu.Unlock()
		return err
	})
	if err != nil {
		return fmt.Errorf("nothing was deleted:\n%w", err)
	}
	for _, r := range w.regions {
		w.warn(found[r.name], remove)
	}
	agreed, err := w.Confirm(fmt.Sprintf("Delete this in account %s?", w.account))
	if err == nil && !agreed {
		err = ErrDeclined
	}
	if err != nil {
		return err
	}
	// The stack set first: its accounts read the code in the Regions' buckets.
	for _, r := range w.regions {
		if c := found[r.name]; len(c.stacks) == 2 {
			if err := w.deleteStack(ctx, r, c.stacks[0]); err != nil {
				return fmt.Errorf("%s: %w; everything else was left", r.name, err)
			}
			c.stacks = c.stacks[1:]
		}
	}
	return w.each(func(r *region) error { return w.destroy(ctx, found[r.name], remove) })
}

// condemn looks at what there is in a Region.
func (w *worker) condemn(ctx context.Context, r *region) (*condemned, error) {
	c := &condemned{r: r}
	own, err := r.describe(ctx, w.StackName)
	if err != nil {
		return c, err
	}
	var all []state
	if r.name == w.HomeRegion {
		org, err := r.describe(ctx, w.StackName+"-organization")
		if err != nil {
			return c, err
		}
		all = append(all, org)
	}
	for _, st := range append(all, own) {
		if st.id == "" || st.status == types.StackStatusDeleteComplete {
			continue
		}
		if st.tags[tagName] == "" {
			return c, fmt.Errorf("stack %s was not made by eyrie: give the name of yours with --stack", stackName(st.id))
		}
		resources, err := r.resources(ctx, st.id)
		if err != nil {
			return c, err
		}
		c.stacks, c.resources = append(c.stacks, st), append(c.resources, len(resources))
		if _, ok := resources[template.AlertsLogGroup]; ok {
			c.keepsAlerts = true
		}
		if _, ok := resources[template.Hub]; ok {
			c.keepsHub = true
		}
	}
	if own.id != "" {
		c.params = own.params
		for _, queue := range []string{"QuarantineUrl", "DeadLettersUrl"} {
			n, err := r.depth(ctx, own.outputs[queue])
			if err != nil {
				return c, err
			}
			c.waiting += max(n, 0)
		}
	}
	return c, nil
}

// warn says what is deleted and what stays.
func (w *worker) warn(c *condemned, remove Remove) {
	if len(c.stacks) == 0 {
		w.out.say("%s  no stack %s; what is left of its code is deleted", c.r.name, w.StackName)
	}
	for i, st := range c.stacks {
		w.out.say("%s  stack %s is deleted, with %d resources", c.r.name, stackName(st.id), c.resources[i])
	}
	if c.waiting > 0 {
		w.out.say("    %d messages in the quarantine and the dead letters are lost: alerts that are no findings yet", c.waiting)
	}
	switch group := w.logGroup(c); {
	case remove.Alerts:
		w.out.say("    log group %s is deleted with all alerts in it, if this stack made it", group)
	case c.keepsAlerts:
		w.out.say("    kept: log group %s with the alerts; delete it with --delete-alerts or\n      aws logs delete-log-group --region %s --log-group-name %s", group, c.r.name, group)
	}
	switch {
	case remove.SecurityHub:
		w.out.say("    Security Hub is disabled, if this stack enabled it: findings of every product are lost")
	case c.keepsHub:
		w.out.say("    kept: Security Hub stays enabled, with its findings; disable it with --disable-security-hub or\n      aws securityhub disable-security-hub --region %s", c.r.name)
	}
}

func (w *worker) logGroup(c *condemned) string {
	if name := c.params["LogGroupName"]; name != "" {
		return name
	}
	return w.Settings.logGroup()
}

func (w *worker) destroy(ctx context.Context, c *condemned, remove Remove) error {
	for _, st := range c.stacks {
		if err := w.deleteStack(ctx, c.r, st); err != nil {
			return err
		}
	}
	failed := []error{w.removeBucket(ctx, c.r)}
	if remove.Alerts {
		failed = append(failed, w.deleteAlerts(ctx, c))
	}
	if remove.SecurityHub {
		failed = append(failed, w.disableHub(ctx, c.r))
	}
	return errors.Join(failed...)
}

func (w *worker) deleteStack(ctx context.Context, r *region, st state) error {
	since := ""
	if st.status != types.StackStatusDeleteInProgress {
		var err error
		if since, err = r.newest(ctx, st.id); err != nil {
			return err
		}
		if _, err := r.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &st.id}); err != nil {
			return fmt.Errorf("delete stack %s: %w", stackName(st.id), err)
		}
	}
	o, err := w.follow(ctx, r, st.id, since)
	if err != nil {
		return err
	}
	if o.status != types.ResourceStatusDeleteComplete {
		why := o.failed
		if why == "" {
			why = "it is " + string(o.status)
		}
		return fmt.Errorf("stack %s could not be deleted: %s; mend that and run the same command again", stackName(st.id), why)
	}
	return nil
}

// deleteAlerts deletes the log group if it bears the stack's tag.
func (w *worker) deleteAlerts(ctx context.Context, c *condemned) error {
	name := w.logGroup(c)
	out, err := c.r.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return fmt.Errorf("look for log group %s: %w", name, err)
	}
	for _, g := range out.LogGroups {
		if aws.ToString(g.LogGroupName) != name {
			continue
		}
		arn := strings.TrimSuffix(aws.ToString(g.Arn), ":*") // tags are asked for without the suffix
		tags, err := c.r.logs.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: &arn})
		if err != nil {
			return fmt.Errorf("read the tags of log group %s: %w", name, err)
		}
		if tags.Tags[tagName] != w.StackName {
			w.out.say("%s  kept log group %s, which this stack did not make", c.r.name, name)
			return nil
		}
		_, err = c.r.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &name})
		var gone *logstypes.ResourceNotFoundException
		if err != nil && !errors.As(err, &gone) {
			return fmt.Errorf("delete log group %s: %w", name, err)
		}
		w.out.say("%s  deleted log group %s", c.r.name, name)
	}
	return nil
}

// disableHub disables Security Hub if the hub bears the stack's tag.
func (w *worker) disableHub(ctx context.Context, r *region) error {
	hub, err := r.hub.DescribeHub(ctx, nil)
	if err != nil {
		if isNoHub(err) {
			return nil
		}
		return fmt.Errorf("ask whether Security Hub is enabled: %w", err)
	}
	tags, err := r.hub.ListTagsForResource(ctx, &securityhub.ListTagsForResourceInput{ResourceArn: hub.HubArn})
	if err != nil {
		return fmt.Errorf("read the tags of Security Hub: %w", err)
	}
	if tags.Tags[tagName] != w.StackName {
		w.out.say("%s  kept Security Hub enabled: this stack did not enable it", r.name)
		return nil
	}
	if _, err := r.hub.DisableSecurityHub(ctx, nil); err != nil {
		return fmt.Errorf("disable Security Hub: %w", err)
	}
	w.out.say("%s  disabled Security Hub", r.name)
	return nil
}

package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// newest is the id of the stack's newest event, by which follow knows where a change begins; "" if it has none.
func (r *region) newest(ctx context.Context, stackID string) (string, error) {
	out, err := r.cfn.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &stackID})
	if err != nil {
		if isNoStack(err) {
			return "", nil
		}
		return "", fmt.Errorf("read the events of stack %s: %w", stackID, err)
	}
	if len(out.StackEvents) == 0 {
		return "", nil
	}
	return aws.ToString(out.StackEvents[0].EventId), nil
}

// outcome is how a change of a stack ended.
type outcome struct {
	status types.ResourceStatus // the stack's own
	failed string               // the first resource that failed and why; "" if none did
	events int
}

// follow says what happens to a stack until it has ended. The change begins after event since; "" means with the latest
// event that says a user began it. An error means that it could not be followed, not that the change failed.
func (w *worker) follow(ctx context.Context, r *region, stackID, since string) (outcome, error) {
	var o outcome
	idle := 0
	for {
		events, err := r.eventsAfter(ctx, stackID, since)
		if err != nil {
			return o, interrupted(ctx, stackID, err)
		}
		idle++
		for _, e := range events {
			idle = 0
			o.take(e, stackID)
			since = aws.ToString(e.EventId)
			w.progress(r, e)
		}
		if o.ended(idle) {
			return o, nil
		}
		if err := w.wait(ctx); err != nil {
			return o, interrupted(ctx, stackID, err)
		}
	}
}

// interrupted says, if a person stopped it, that CloudFormation does not stop.
func interrupted(ctx context.Context, stackID string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("stopped watching stack %s, which CloudFormation goes on with by itself; the same command again goes on from there: %w", stackName(stackID), ctx.Err())
}

// eventsAfter returns the events after since, oldest first.
func (r *region) eventsAfter(ctx context.Context, stackID, since string) ([]types.StackEvent, error) {
	var events []types.StackEvent
	pages := cloudformation.NewDescribeStackEventsPaginator(r.cfn, &cloudformation.DescribeStackEventsInput{StackName: &stackID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the events of stack %s: %w", stackName(stackID), err)
		}
		for _, e := range page.StackEvents {
			if since != "" && aws.ToString(e.EventId) == since {
				slices.Reverse(events)
				return events, nil
			}
			events = append(events, e)
			if since == "" && isStack(e, stackID) && aws.ToString(e.ResourceStatusReason) == "User Initiated" {
				slices.Reverse(events)
				return events, nil
			}
		}
	}
	slices.Reverse(events)
	return events, nil
}

func isStack(e types.StackEvent, stackID string) bool {
	return aws.ToString(e.PhysicalResourceId) == stackID
}

// stackName is the name in a stack's ARN (…:stack/NAME/UUID).
func stackName(id string) string {
	if part := strings.Split(id, "/"); len(part) == 3 {
		return part[1]
	}
	return id
}

func (o *outcome) take(e types.StackEvent, stackID string) {
	o.events++
	if isStack(e, stackID) {
		o.status = e.ResourceStatus
	}
	reason := aws.ToString(e.ResourceStatusReason)
	// A resource that was cancelled because another one failed says nothing about why.
	if o.failed != "" || !strings.HasSuffix(string(e.ResourceStatus), "_FAILED") || isStack(e, stackID) || strings.Contains(reason, "cancelled") {
		return
	}
	o.failed = fmt.Sprintf("%s (%s): %s: %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), e.ResourceStatus, reason)
}

// ended reports whether nothing more is to come. A creation that failed goes on to delete the stack (propose asks for
// that), unless somebody asked otherwise: then nothing happens for a while.
func (o *outcome) ended(idle int) bool {
	status := string(o.status)
	if status == "" || strings.HasSuffix(status, "_IN_PROGRESS") {
		return false
	}
	return status != "CREATE_FAILED" || idle > 10
}

// ok reports whether the change did what it was meant to.
func (o *outcome) ok() bool {
	switch o.status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE":
		return true
	}
	return false
}

// err says why the change failed.
func (o *outcome) err(stack string) error {
	why := o.failed
	if why == "" {
		why = "CloudFormation names no resource that failed"
	}
	undone := ""
	switch o.status {
	case "ROLLBACK_COMPLETE", "DELETE_COMPLETE":
		undone = "; what had been made is deleted again"
	case "UPDATE_ROLLBACK_COMPLETE":
		undone = "; everything is as it was before"
	case "UPDATE_ROLLBACK_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED":
		undone = "; and going back failed: the stack is " + string(o.status)
	}
	return fmt.Errorf("stack %s: %s%s", stack, why, undone)
}

func (w *worker) progress(r *region, e types.StackEvent) {
	status, reason := string(e.ResourceStatus), aws.ToString(e.ResourceStatusReason)
	if reason != "" && strings.HasSuffix(status, "_FAILED") {
		status += ": " + reason
	}
	w.out.say("%s  %-24s %s", r.name, aws.ToString(e.LogicalResourceId), status)
}

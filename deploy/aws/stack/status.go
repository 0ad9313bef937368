package stack

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// RegionStatus says how one Region is.
type RegionStatus struct {
	Region      string     `json:"region"`
	Stack       string     `json:"stack"`             // CloudFormation's status, or "none"
	Reason      string     `json:"reason,omitempty"`  // CloudFormation's, of a stack that failed
	Version     string     `json:"version,omitempty"` // of eyrie that deployed it
	Code        string     `json:"code,omitempty"`    // first 12 digits of the SHA-256 of the function's zip
	Drift       string     `json:"drift,omitempty"`   // CloudFormation's StackDriftStatus
	Drifted     []string   `json:"drifted,omitempty"` // resources that were changed by hand, by logical name
	Quarantine  int        `json:"quarantine"`        // messages; -1 if there is no such queue
	DeadLetters int        `json:"deadLetters"`
	LastEvent   *time.Time `json:"lastEvent,omitempty"`   // when the log group last got an event, as CloudWatch Logs knows it
	SecurityHub string     `json:"securityHub,omitempty"` // "enabled" or "not enabled"
	Aggregates  string     `json:"aggregates,omitempty"`  // Region into which Security Hub aggregates
	Error       string     `json:"error,omitempty"`       // what could not be found out
}

// Well reports whether nothing needs a person.
func (s RegionStatus) Well() bool {
	switch types.StackStatus(s.Stack) {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete:
		return s.Error == "" && s.Quarantine == 0 && s.DeadLetters == 0 && s.SecurityHub == "enabled"
	}
	return false
}

// Status says how each Region is, in their order. With drift it has CloudFormation compare the resources with the
// template first, which takes a minute or so. An error means that nothing could be asked; what could not be found out of
// one Region stands in its Error.
func Status(ctx context.Context, o Options, drift bool) ([]RegionStatus, error) {
	w, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	all := make([]RegionStatus, len(w.regions))
	place := map[string]int{}
	for i, r := range w.regions {
		place[r.name] = i
	}
	_ = w.each(func(r *region) error {
		s := &all[place[r.name]]
		s.Region, s.Quarantine, s.DeadLetters = r.name, -1, -1
		if err := w.status(ctx, r, s, drift); err != nil {
			s.Error = err.Error()
		}
		return nil
	})
	return all, ctx.Err()
}

func (w *worker) status(ctx context.Context, r *region, s *RegionStatus, drift bool) error {
	s.Stack = "none"
	st, err := r.describe(ctx, w.StackName)
	if err != nil {
		return err
	}
	if err := w.hubStatus(ctx, r, s); err != nil || st.id == "" {
		return err
	}
	s.Stack, s.Reason, s.Version, s.Drift = string(st.status), st.reason, st.params["Version"], string(st.drift)
	if _, key, ok := strings.Cut(strings.TrimPrefix(st.params["CodeKey"], "eyrie-lambda/"), "/"); ok {
		s.Code = key[:min(12, len(key))]
	}
	if s.Quarantine, err = r.depth(ctx, st.outputs["QuarantineUrl"]); err != nil {
		return err
	}
	if s.DeadLetters, err = r.depth(ctx, st.outputs["DeadLettersUrl"]); err != nil {
		return err
	}
	if group := st.params["LogGroupName"]; group != "" {
		if s.LastEvent, err = r.lastEvent(ctx, group); err != nil {
			return err
		}
	}
	if drift {
		return w.detectDrift(ctx, r, st.id, s)
	}
	return nil
}

func (w *worker) hubStatus(ctx context.Context, r *region, s *RegionStatus) error {
	_, err := r.hub.DescribeHub(ctx, nil)
	if err != nil {
		if isNoHub(err) {
			s.SecurityHub = "not enabled"
			return nil
		}
		return fmt.Errorf("ask whether Security Hub is enabled: %w", err)
	}
	s.SecurityHub = "enabled"
	list, err := r.hub.ListFindingAggregators(ctx, nil)
	if err != nil {
		return fmt.Errorf("look for cross-Region aggregation: %w", err)
	}
	for _, a := range list.FindingAggregators {
		if part := strings.Split(aws.ToString(a.FindingAggregatorArn), ":"); len(part) > 3 {
			s.Aggregates = part[3]
		}
	}
	return nil
}

// depth is the number of messages in a queue, those being read included; -1 if there is no such queue.
func (r *region) depth(ctx context.Context, url string) (int, error) {
	if url == "" {
		return -1, nil
	}
	names := []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible}
	out, err := r.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})
	if err != nil {
		if code := errorCode(err); strings.HasSuffix(code, "NonExistentQueue") || code == "QueueDoesNotExist" {
			return -1, nil
		}
		return -1, fmt.Errorf("count the messages of %s: %w", url, err)
	}
	n := 0
	for _, name := range names {
		v, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return -1, fmt.Errorf("count the messages of %s: %s is %q", url, name, out.Attributes[string(name)])
		}
		n += v
	}
	return n, nil
}

// lastEvent is when the log group last got an event; CloudWatch Logs may know it an hour late (API reference,
// DescribeLogStreams). Nil means never, or that there is no such group.
func (r *region) lastEvent(ctx context.Context, group string) (*time.Time, error) {
	out, err := r.logs.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: &group, OrderBy: logstypes.OrderByLastEventTime, Descending: aws.Bool(true), Limit: aws.Int32(1)})
	if err != nil {
		if errorCode(err) == "ResourceNotFoundException" {
			return nil, nil
		}
		return nil, fmt.Errorf("ask when log group %s last got an event: %w", group, err)
	}
	if len(out.LogStreams) == 0 {
		return nil, nil
	}
	ms := max(aws.ToInt64(out.LogStreams[0].LastEventTimestamp), aws.ToInt64(out.LogStreams[0].LastIngestionTime))
	if ms == 0 {
		return nil, nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t, nil
}

func (w *worker) detectDrift(ctx context.Context, r *region, stackID string, s *RegionStatus) error {
	begun, err := r.cfn.DetectStackDrift(ctx, &cloudformation.DetectStackDriftInput{StackName: &stackID})
	if err != nil {
		return fmt.Errorf("detect drift: %w", err)
	}
	for {
		out, err := r.cfn.DescribeStackDriftDetectionStatus(ctx, &cloudformation.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: begun.StackDriftDetectionId})
		if err != nil {
			return fmt.Errorf("detect drift: %w", err)
		}
		if out.DetectionStatus != types.StackDriftDetectionStatusDetectionInProgress {
			s.Drift = string(out.StackDriftStatus)
			if out.DetectionStatus == types.StackDriftDetectionStatusDetectionFailed {
				return fmt.Errorf("detect drift: %s", aws.ToString(out.DetectionStatusReason))
			}
			break
		}
		if err := w.wait(ctx); err != nil {
			return err
		}
	}
	pages := cloudformation.NewDescribeStackResourceDriftsPaginator(r.cfn, &cloudformation.DescribeStackResourceDriftsInput{StackName: &stackID,
		StackResourceDriftStatusFilters: []types.StackResourceDriftStatus{types.StackResourceDriftStatusModified, types.StackResourceDriftStatusDeleted}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read what drifted: %w", err)
		}
		for _, d := range page.StackResourceDrifts {
			s.Drifted = append(s.Drifted, aws.ToString(d.LogicalResourceId))
		}
	}
	return nil
}

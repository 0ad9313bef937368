package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

// region holds the clients of one Region.
type region struct {
	name string
	cfn  *cloudformation.Client
	s3   *s3.Client
	hub  *securityhub.Client
	logs *cloudwatchlogs.Client
	sqs  *sqs.Client
}

func newRegion(base aws.Config, name string) *region {
	cfg := base.Copy()
	cfg.Region = name
	return &region{
		name: name,
		cfn:  cloudformation.NewFromConfig(cfg),
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) {
			// A bucket's name before a numeric address is no host.
			o.UsePathStyle = cfg.BaseEndpoint != nil
			// The code's own SHA-256 goes with it (bucket.go).
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}),
		hub:  securityhub.NewFromConfig(cfg),
		logs: cloudwatchlogs.NewFromConfig(cfg),
		sqs:  sqs.NewFromConfig(cfg),
	}
}

// state is what CloudFormation says of a stack. The zero value means that there is none.
type state struct {
	id      string
	status  types.StackStatus
	reason  string
	params  map[string]string
	outputs map[string]string
	tags    map[string]string
	drift   types.StackDriftStatus
}

// exists reports whether there is a stack, which one that only has a change set so far is not.
func (s state) exists() bool {
	return s.id != "" && s.status != types.StackStatusReviewInProgress && s.status != types.StackStatusDeleteComplete
}

func (s state) busy() bool {
	return strings.HasSuffix(string(s.status), "_IN_PROGRESS") && s.status != types.StackStatusReviewInProgress
}

// tagName marks the stacks and buckets that are Eyrie's own.
const tagName = "eyrie:deploy"

func (r *region) describe(ctx context.Context, stack string) (state, error) {
	out, err := r.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		if isNoStack(err) {
			return state{}, nil
		}
		return state{}, fmt.Errorf("describe stack %s: %w", stack, err)
	}
	if len(out.Stacks) == 0 {
		return state{}, nil
	}
	s := out.Stacks[0]
	st := state{aws.ToString(s.StackId), s.StackStatus, aws.ToString(s.StackStatusReason), map[string]string{}, map[string]string{}, map[string]string{}, ""}
	if s.DriftInformation != nil {
		st.drift = s.DriftInformation.StackDriftStatus
	}
	for _, p := range s.Parameters {
		st.params[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	for _, o := range s.Outputs {
		st.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	for _, t := range s.Tags {
		st.tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return st, nil
}

// resources returns the stack's resources: physical by logical name. A resource that is gone is left out.
func (r *region) resources(ctx context.Context, stack string) (map[string]types.StackResourceSummary, error) {
	found := map[string]types.StackResourceSummary{}
	pages := cloudformation.NewListStackResourcesPaginator(r.cfn, &cloudformation.ListStackResourcesInput{StackName: &stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the resources of stack %s: %w", stack, err)
		}
		for _, s := range page.StackResourceSummaries {
			if s.ResourceStatus != types.ResourceStatusDeleteComplete && s.ResourceStatus != types.ResourceStatusDeleteSkipped {
				found[aws.ToString(s.LogicalResourceId)] = s
			}
		}
	}
	return found, nil
}

// code is the code of an error of AWS's, or "".
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// isNoStack reports whether CloudFormation means by err that a stack does not exist, which it says in words only.
func isNoStack(err error) bool {
	return errorCode(err) == "ValidationError" && strings.Contains(err.Error(), "does not exist")
}

// isNoHub reports whether err means that Security Hub is not enabled.
func isNoHub(err error) bool {
	switch errorCode(err) {
	case "InvalidAccessException", "ResourceNotFoundException":
		return true
	}
	return false
}

// Package ecs is enrich's way to Amazon ECS by the official SDK: in come ARNs of tasks of one cluster, out go their
// definition, times, group, service and containers with images and their digests, by one DescribeTasks call.
//
// It never retries: enrichment does without an answer that does not come at once. Tasks that ECS has forgotten are missing
// in the answer.
package ecs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/enrich"
)

// Client looks up tasks. It is safe for concurrent use.
type Client struct{ api *ecs.Client }

// New returns a Client with the Region and credentials of c.
func New(c aws.Config) *Client {
	return &Client{ecs.NewFromConfig(c, func(o *ecs.Options) { o.RetryMaxAttempts = 1 })}
}

// Tasks asks for up to enrich.MaxTasks tasks. A failure of one that is not "it does not exist" is an error of the call;
// the others are answered all the same.
func (c *Client) Tasks(ctx context.Context, cluster string, arns []string) (map[string]enrich.Task, error) {
	out, err := c.api.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: arns, Include: []types.TaskField{types.TaskFieldTags}})
	if err != nil {
		return nil, fmt.Errorf("describe %d tasks of cluster %s: %w", len(arns), cluster, err)
	}
	all := make(map[string]enrich.Task, len(out.Tasks))
	for i := range out.Tasks {
		all[aws.ToString(out.Tasks[i].TaskArn)] = convert(&out.Tasks[i])
	}
	for _, f := range out.Failures {
		if reason := aws.ToString(f.Reason); reason != "MISSING" {
			err = fmt.Errorf("describe task %s: %s: %s", aws.ToString(f.Arn), reason, aws.ToString(f.Detail))
		}
	}
	return all, err
}

func convert(t *types.Task) enrich.Task {
	group := aws.ToString(t.Group)
	service, ok := strings.CutPrefix(group, "service:")
	if !ok {
		service = ""
	}
	out := enrich.Task{
		Details: asff.AwsEcsTask{
			ClusterArn:        aws.ToString(t.ClusterArn),
			TaskDefinitionArn: aws.ToString(t.TaskDefinitionArn),
			Version:           strconv.FormatInt(t.Version, 10),
			CreatedAt:         stamp(t.CreatedAt),
			StartedAt:         stamp(t.StartedAt),
			StartedBy:         aws.ToString(t.StartedBy),
			Group:             group,
		},
		Service: service, RuntimeIDs: map[string]string{}, ImageDigest: map[string]string{},
	}
	for _, c := range t.Containers {
		name, image, digest := aws.ToString(c.Name), aws.ToString(c.Image), aws.ToString(c.ImageDigest)
		out.RuntimeIDs[name], out.ImageDigest[name] = aws.ToString(c.RuntimeId), digest
		if digest != "" && !strings.Contains(image, "@") {
			image += "@" + digest
		}
		out.Details.Containers = append(out.Details.Containers, asff.AwsEcsContainer{Name: name, Image: image})
	}
	if len(t.Tags) > 0 {
		out.Tags = make(map[string]string, len(t.Tags))
		for _, tag := range t.Tags {
			out.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	}
	return out
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return asff.FormatTime(*t)
}

package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// metadataTimeout is how long an instance may take to answer for itself; outside of EC2 nothing answers.
const metadataTimeout = 2 * time.Second

// Settings are what a person says; the rest comes from where the official SDK looks: environment, ~/.aws, EKS, ECS, EC2.
type Settings struct {
	Group, Stream, Cluster string
	Region                 string // "": as the SDK finds it
	Dir                    string // where the Shelf is
	Logger                 *slog.Logger
	Now                    func() time.Time
}

// Open returns a Destination that speaks to AWS, or to what AWS_ENDPOINT_URL names. It fails if no Region can be found; it
// does not connect to CloudWatch Logs.
func Open(ctx context.Context, s Settings) (*Destination, error) {
	options := []func(*config.LoadOptions) error{config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} })}
	if s.Region != "" {
		options = append(options, config.WithRegion(s.Region))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	metadata := imds.NewFromConfig(c, func(o *imds.Options) {
		o.Retryer = aws.NopRetryer{}
		o.EnableFallback = aws.FalseTernary // IMDSv2 alone
	})
	instance := func(ctx context.Context) (*imds.GetInstanceIdentityDocumentOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
		defer cancel()
		return metadata.GetInstanceIdentityDocument(ctx, nil)
	}
	if c.Region == "" {
		if doc, err := instance(ctx); err == nil {
			c.Region = doc.Region
		}
	}
	if c.Region == "" {
		return nil, errors.New("the Region of the log group is not known: give --region or AWS_REGION")
	}
	if c.Credentials != nil {
		c.Credentials = aws.NewCredentialsCache(explained{c.Credentials})
	}
	return New(Config{
		Group: s.Group, Stream: s.Stream, Region: c.Region, Cluster: s.Cluster, API: logs.NewFromConfig(c), Shelf: NewShelf(s.Dir),
		Instance: func(ctx context.Context) (Instance, error) {
			doc, err := instance(ctx)
			if err != nil {
				return Instance{}, err
			}
			return Instance{doc.InstanceID, doc.AvailabilityZone}, nil
		},
		Logger: s.Logger, Now: s.Now,
	})
}

// explained marks the errors of a provider of credentials.
type explained struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (p explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, &noCredentials{err}
	}
	return c, nil
}

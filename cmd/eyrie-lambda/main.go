// Command eyrie-lambda is the bootstrap of an AWS Lambda function (runtime provided.al2023): events of CloudWatch Logs,
// Kinesis, Firehose and SQS with Falco's alerts in them come in, findings in Security Hub come out. It is configured by
// environment variables alone; docs/lambda.md describes them, and everything else about it.
//
// An invocation succeeds only when every record of its event is a finding that Security Hub accepted, or in quarantine, or
// nothing to keep (an empty line, a line of Falco's own log). Everything else fails it, so that Lambda retries the
// event: the same event makes the same findings, and none is counted twice.
//
// It keeps nothing between invocations but what enrichment has learnt, and writes nowhere but to Security Hub, the
// quarantine and its log.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"

	"github.com/eyrie-sec/eyrie/enrich"
	"github.com/eyrie-sec/eyrie/enrich/ec2"
	"github.com/eyrie-sec/eyrie/enrich/ecs"
	"github.com/eyrie-sec/eyrie/publish"
	"github.com/eyrie-sec/eyrie/publish/quarantine"
	hub "github.com/eyrie-sec/eyrie/publish/securityhub"
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		fmt.Fprintln(os.Stderr, "eyrie-lambda runs as an AWS Lambda function (runtime provided.al2023) only: see docs/lambda.md, or `eyrie aws deploy`")
		os.Exit(2)
	}
	tune(os.Getenv)
	h, err := assemble(context.Background(), os.Getenv)
	if err != nil {
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("eyrie-lambda cannot start", "error", err)
		os.Exit(1)
	}
	lambda.StartWithOptions(h)
}

// tune lets the heap grow to several times what is in use before it is collected, as long as three quarters of the
// function's memory are enough: an environment does one invocation at a time and is frozen between them.
func tune(getenv func(string) string) {
	megabytes, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 64)
	if err != nil || megabytes <= 0 {
		return
	}
	debug.SetMemoryLimit(megabytes << 20 * 3 / 4)
	debug.SetGCPercent(400)
}

// assemble reads the configuration and names every part.
func assemble(ctx context.Context, getenv func(string) string) (*handler, error) {
	c, err := readConfig(getenv)
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.level}))
	converter, err := newConverter(&c)
	if err != nil {
		return nil, err
	}
	a, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	endpoint := hub.New(a, func(o *securityhub.Options) {
		if c.endpoint != "" {
			o.BaseEndpoint = aws.String(c.endpoint)
		}
	})
	lookups := enrich.Config{Timeout: c.enrichTimeout, TTL: c.enrichTTL, Logger: logger}
	if c.enrichEC2 {
		lookups.Instances = ec2.New(a, getenv("AWS_ENDPOINT_URL_EC2"))
	}
	if c.enrichECS {
		lookups.Tasks = ecs.New(a)
	}
	h := &handler{
		config: c, region: a.Region, version: version(), log: logger, out: os.Stdout, now: time.Now,
		converter:  converter,
		enricher:   enrich.New(lookups),
		publisher:  publish.New(publish.Config{Endpoint: endpoint, Limit: c.limit, Burst: c.burst, Logger: logger}),
		finder:     endpoint,
		quarantine: quarantine.NewQueue(a, c.quarantine),
	}
	if c.deadLetters != "" {
		h.deadLetters = quarantine.NewQueue(a, c.deadLetters)
	}
	return h, nil
}

// releaseVersion is set by the linker in releases.
var releaseVersion string

func version() string {
	if releaseVersion != "" {
		return releaseVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "devel " + s.Value[:12]
			}
		}
	}
	return "devel"
}

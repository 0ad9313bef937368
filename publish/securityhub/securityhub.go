// Package securityhub is publish's way to a Security Hub, AWS's or Eyrie's, by the official SDK. In come findings as JSON;
// out goes one signed BatchImportFindings request. The SDK resolves endpoint and credentials, signs, and reads the
// answer; the findings themselves travel as the bytes that were given, not through the SDK's types, which would drop
// members they do not know and cost more than everything else together.
//
// It does not retry: the caller's publish.Publisher does, under one quota.
package securityhub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/eyrie-sec/eyrie/publish"
)

// Endpoint is a Security Hub in one account and Region. It is safe for concurrent use.
type Endpoint struct {
	client *securityhub.Client
}

// New returns the Security Hub that c's Region and credentials lead to; options can name another base endpoint.
func New(c aws.Config, options ...func(*securityhub.Options)) *Endpoint {
	return &Endpoint{securityhub.NewFromConfig(c, append(options, func(o *securityhub.Options) { o.RetryMaxAttempts = 1 })...)}
}

// Import sends one request. See publish.Endpoint.
func (e *Endpoint) Import(ctx context.Context, findings [][]byte) ([]publish.Failure, bool, error) {
	out, err := e.client.BatchImportFindings(ctx, &securityhub.BatchImportFindingsInput{Findings: []types.AwsSecurityFinding{}},
		securityhub.WithAPIOptions(func(s *middleware.Stack) error {
			return s.Serialize.Insert(rawRequest("EyrieRawFindings", requestBody(findings)), "OperationSerializer", middleware.After)
		}))
	if err != nil {
		if invalid(err) {
			err = fmt.Errorf("%w: %w", publish.ErrInvalid, err)
		}
		return nil, retryable(err), fmt.Errorf("import %d findings: %w", len(findings), err)
	}
	failures := make([]publish.Failure, len(out.FailedFindings))
	for i, f := range out.FailedFindings {
		failures[i] = publish.Failure{ID: aws.ToString(f.Id), Code: aws.ToString(f.ErrorCode), Message: aws.ToString(f.ErrorMessage)}
	}
	if failed := aws.ToInt32(out.FailedCount); int(failed) != len(failures) {
		return nil, true, fmt.Errorf("import %d findings: the endpoint counts %d failures and names %d", len(findings), failed, len(failures))
	}
	return failures, false, nil
}

// requestBody is the body of BatchImportFindings.
func requestBody(findings [][]byte) []byte {
	size := len(`{"Findings":[]}`) + len(findings)
	for _, f := range findings {
		size += len(f)
	}
	body := append(make([]byte, 0, size), `{"Findings":[`...)
	for i, f := range findings {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, f...)
	}
	return append(body, "]}"...)
}

// rawRequest puts body into the request that the SDK has made for an empty input.
func rawRequest(name string, body []byte) middleware.SerializeMiddleware {
	return middleware.SerializeMiddlewareFunc(name, func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
		middleware.SerializeOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.SerializeOutput{}, middleware.Metadata{}, &smithy.SerializationError{Err: fmt.Errorf("unknown transport %T", in.Request)}
		}
		request, err := request.SetStream(bytes.NewReader(body))
		if err != nil {
			return middleware.SerializeOutput{}, middleware.Metadata{}, &smithy.SerializationError{Err: err}
		}
		in.Request = request
		return next.HandleSerialize(ctx, in)
	})
}

// invalid reports whether a request was refused for what stands in it.
func invalid(err error) bool {
	var status *smithyhttp.ResponseError
	if errors.As(err, &status) && status.HTTPStatusCode() == http.StatusRequestEntityTooLarge {
		return true
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "InvalidInputException", "ValidationException", "SerializationException":
		return true
	}
	return false
}

// retryable reports whether sending the same request again can help. Codes are those of Security Hub and of the AWS
// services in front of it (Common Errors of the API reference).
func retryable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var status *smithyhttp.ResponseError
	if errors.As(err, &status) && status.HTTPStatusCode() >= 500 {
		return true
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return true // no answer at all: connection refused or cut, name not resolved, time-out of the transport
	}
	switch api.ErrorCode() {
	case "LimitExceededException", "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException",
		"RequestLimitExceeded", "RequestThrottled", "InternalException", "InternalFailure", "ServiceUnavailable",
		"RequestTimeout", "RequestTimeoutException", "ExpiredTokenException", "RequestExpired":
		return true
	}
	return false
}

package cloudwatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/eyrie-sec/eyrie/collect/ship"
)

// judge says whether trying again can help. The codes are those of CloudWatch Logs and of the services in front of it (API
// Reference, "Common Errors").
func (d *Destination) judge(err error) ship.Kind {
	var missing *types.ResourceNotFoundException
	if errors.Is(err, errShelfFull) || errors.As(err, &missing) {
		return ship.Refused
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ship.Later
	}
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) && answered.HTTPStatusCode() >= 500 {
		return ship.Later
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		var signing *noCredentials
		if errors.As(err, &signing) {
			return ship.Refused
		}
		return ship.Later // no answer: refused or cut connection, name not resolved, a full disk under the shelf
	}
	switch api.ErrorCode() {
	case "AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException",
		"SignatureDoesNotMatch", "MissingAuthenticationToken", "IncompleteSignature", "OptInRequired", "InvalidParameterException",
		"ValidationException", "UnknownOperationException":
		return ship.Refused
	}
	return ship.Later
}

// noCredentials: nothing on this host says who the agent is.
type noCredentials struct{ err error }

func (e *noCredentials) Error() string {
	return fmt.Sprintf("no AWS credentials (on EKS: is the service account bound to a role? elsewhere: instance profile, AWS_PROFILE): %v", e.err)
}

func (e *noCredentials) Unwrap() error { return e.err }

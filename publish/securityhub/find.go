package securityhub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxFindBody is the largest answer in bytes that Find reads: 100 findings of 240 KB.
const maxFindBody = 32 << 20

// Find returns one page of at most 100 findings that match filters (AwsSecurityFindingFilters as JSON), the one that was
// updated longest ago first, as the bytes that the endpoint sent, and the token of the next page, "" if there is none.
// retry is as in Import.
func (e *Endpoint) Find(ctx context.Context, filters []byte, token string) (findings [][]byte, next string, retry bool, err error) {
	request := struct {
		Filters      json.RawMessage
		SortCriteria []map[string]string
		MaxResults   int
		NextToken    string `json:",omitempty"`
	}{filters, []map[string]string{{"Field": "UpdatedAt", "SortOrder": "asc"}}, 100, token}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, "", false, fmt.Errorf("find findings: filters: %w", err)
	}
	var answer []byte
	_, err = e.client.GetFindings(ctx, &securityhub.GetFindingsInput{}, securityhub.WithAPIOptions(func(s *middleware.Stack) error {
		if err := s.Serialize.Insert(rawRequest("EyrieRawFilters", body), "OperationSerializer", middleware.After); err != nil {
			return err
		}
		return s.Deserialize.Insert(keepBody(&answer), "OperationDeserializer", middleware.After)
	}))
	if err != nil {
		return nil, "", retryable(err), fmt.Errorf("find findings: %w", err)
	}
	var page struct {
		Findings  []json.RawMessage
		NextToken string
	}
	if err := json.Unmarshal(answer, &page); err != nil {
		return nil, "", false, fmt.Errorf("find findings: answer: %w", err)
	}
	findings = make([][]byte, len(page.Findings))
	for i, f := range page.Findings {
		findings[i] = f
	}
	return findings, page.NextToken, false, nil
}

// keepBody keeps the answer's bytes, and gives the SDK an empty object in place of a good one: its types would drop
// members that they do not know.
func keepBody(answer *[]byte) middleware.DeserializeMiddleware {
	return middleware.DeserializeMiddlewareFunc("EyrieKeepBody", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		response, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || response.StatusCode < 200 || response.StatusCode > 299 {
			return out, metadata, err
		}
		text, err := io.ReadAll(io.LimitReader(response.Body, maxFindBody))
		if closing := response.Body.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return out, metadata, err
		}
		*answer, response.Body = text, io.NopCloser(bytes.NewReader([]byte("{}")))
		return out, metadata, nil
	})
}

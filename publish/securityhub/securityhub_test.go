package securityhub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/publish"
)

func endpoint(t *testing.T, answer http.HandlerFunc) *Endpoint {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return New(aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", "")},
		func(o *securityhub.Options) { o.BaseEndpoint = aws.String(server.URL) })
}

// TestImport: findings travel as the bytes that they are, and refusals come back by name.
func TestImport(t *testing.T) {
	findings := [][]byte{[]byte(`{"Id":"a","OfAnotherTime":{"x":[1.50]}}`), []byte(`{"Id":"b"}`)}
	e := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if got, want := string(body), `{"Findings":[`+string(findings[0])+`,`+string(findings[1])+`]}`; got != want || r.URL.Path != "/findings/import" {
			t.Errorf("%s: got %s, want %s", r.URL.Path, got, want)
		}
		fmt.Fprint(w, `{"FailedCount":1,"SuccessCount":1,"FailedFindings":[{"Id":"b","ErrorCode":"InvalidInput","ErrorMessage":"no"}]}`)
	})
	failures, retry, err := e.Import(t.Context(), findings)
	if diff := cmp.Diff([]publish.Failure{{ID: "b", Code: "InvalidInput", Message: "no"}}, failures); diff != "" || retry || err != nil {
		t.Errorf("retry %v, error %v, failures (-want +got):\n%s", retry, err, diff)
	}
}

// TestErrors is the table of what a whole request may be refused with.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		code    string
		status  int
		retry   bool
		invalid bool
	}{
		{"LimitExceededException", 429, true, false},
		{"TooManyRequestsException", 429, true, false},
		{"ThrottlingException", 400, true, false},
		{"InternalException", 500, true, false},
		{"ServiceUnavailable", 503, true, false},
		{"ExpiredTokenException", 403, true, false},
		{"InvalidAccessException", 401, false, false},
		{"AccessDeniedException", 403, false, false},
		{"InvalidInputException", 400, false, true},
		{"ValidationException", 400, false, true},
		{"RequestEntityTooLarge", 413, false, true},
	} {
		e := endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errortype", c.code)
			w.WriteHeader(c.status)
			fmt.Fprintf(w, `{"Code":%q,"Message":"the service's words"}`, c.code)
		})
		_, retry, err := e.Import(t.Context(), [][]byte{[]byte(`{}`)})
		if err == nil || retry != c.retry || errors.Is(err, publish.ErrInvalid) != c.invalid || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s: retry %v, invalid %v: %v", c.code, retry, errors.Is(err, publish.ErrInvalid), err)
		}
	}
	e := endpoint(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is the end of the connection noticed
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, retry, err := e.Import(ctx, nil); retry || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("caller's time is up: retry %v, %v", retry, err)
	}
}

// TestFind: the request holds what was asked for, the findings come back as the bytes that they are.
func TestFind(t *testing.T) {
	const first = `{"Id":"a", "OfAnotherTime":{"x":1.50}}`
	e := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		var got any
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		want := map[string]any{"Filters": map[string]any{"Id": []any{}}, "MaxResults": 100.0, "NextToken": "t1",
			"SortCriteria": []any{map[string]any{"Field": "UpdatedAt", "SortOrder": "asc"}}}
		if diff := cmp.Diff(any(want), got); diff != "" || r.URL.Path != "/findings" {
			t.Errorf("%s (-want +got):\n%s", r.URL.Path, diff)
		}
		fmt.Fprint(w, `{"Findings":[`+first+`,{"Id":"b"}],"NextToken":"t2"}`)
	})
	findings, next, retry, err := e.Find(t.Context(), []byte(`{"Id":[]}`), "t1")
	if err != nil || retry || next != "t2" || len(findings) != 2 || string(findings[0]) != first {
		t.Errorf("got %q, next %q, retry %v, %v", findings, next, retry, err)
	}
	e = endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException")
		w.WriteHeader(429)
	})
	if _, _, retry, err := e.Find(t.Context(), []byte(`{}`), ""); err == nil || !retry {
		t.Errorf("throttled: retry %v, %v", retry, err)
	}
}

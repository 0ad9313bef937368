// Package api speaks AWS Security Hub's wire protocol (rest-json, API version 2018-10-26) for a hub: the aws CLI, the AWS
// SDKs, Terraform and scanners work against it when they are given its endpoint, Region and access key.
//
// In come HTTP requests signed with Signature Version 4; out go the answers of Security Hub, each with an
// x-amzn-RequestId. Every request is authenticated before anything of it but its header is believed. Findings pass
// through as bytes: members that Eyrie does not know survive the way in and out.
//
// It keeps no state of its own and never stores anything; that is the hub's. A refusal carries AWS's error name, status
// and wording, in the header x-amzn-ErrorType and as JSON. An operation of Security Hub that the hub does not have is
// refused by its name. What is nobody's fault but ours is "internal error" outside and in full in the log.
package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/access/sigv4"
	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

const (
	// Service is the name that requests are signed for (botocore's model: signingName).
	Service = "securityhub"

	// maxBody bounds a request: that of a BatchImportFindings call, the largest of all.
	maxBody = asff.MaxImportBytes
	// maxDrain is how much of a body over the limit is still read, so that the client is done sending and sees the answer:
	// 100 findings of 240 KB, and some.
	maxDrain = 32 << 20
)

// Hub is what the API needs of a *hub.Hub.
type Hub interface {
	Import(ctx context.Context, by hub.Identity, docs [][]byte) (hub.ImportResult, error)
	Update(ctx context.Context, by hub.Identity, keys []hub.Key, u hub.Update) ([]hub.Key, []hub.UpdateFailure, error)
	Find(ctx context.Context, q hub.Query) (hub.Page, error)
	History(ctx context.Context, key hub.Key, q hub.HistoryQuery) ([]hub.HistoryRecord, string, error)

	CreateInsight(ctx context.Context, in hub.Insight) (arn string, err error)
	UpdateInsight(ctx context.Context, arn string, u hub.InsightUpdate) error
	DeleteInsight(ctx context.Context, arn string) error
	Insights(ctx context.Context, arns []string, limit int, token string) ([]hub.Insight, string, error)
	InsightResults(ctx context.Context, arn string) (hub.InsightResult, error)

	Enabled() bool
	Enable(ctx context.Context, o hub.EnableOptions) error
	Disable(ctx context.Context) error
	Describe(ctx context.Context) (hub.Description, error)

	Tag(ctx context.Context, arn string, tags map[string]string) error
	Untag(ctx context.Context, arn string, keys []string) error
	Tags(ctx context.Context, arn string) (map[string]string, error)
}

// Keys knows the access keys; *access.Keys does.
type Keys interface {
	Secret(accessKeyID string) (secret, principal string, ok bool)
}

// Config is what a Server needs. Hub, Keys, Account and Region are required.
type Config struct {
	Hub     Hub
	Keys    Keys
	Account string           // 12 digits: the account of every caller, and of the findings they may import
	Region  string           // the only Region that requests may be signed for
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: nothing is logged
}

// Server answers Security Hub requests. Safe for concurrent use.
type Server struct {
	c        Config
	verifier *sigv4.Verifier
	handlers map[string]handler
}

// handler carries an operation out. Its result is encoded as JSON, or writes itself if it is a body.
type handler func(s *Server, c *call) (result any, err error)

// call is one request that was authenticated and routed.
type call struct {
	context.Context
	op    string
	label string     // the decoded label of the path, "" if the operation has none
	query url.Values // of the URL
	body  []byte
	by    hub.Identity
}

// New returns a Server.
func New(c Config) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		c:        c,
		verifier: sigv4.New(sigv4.Config{Region: c.Region, Service: Service, Secret: c.Keys.Secret, Now: c.Now}),
		handlers: map[string]handler{
			"EnableSecurityHub":   (*Server).enable,
			"DescribeHub":         (*Server).describe,
			"DisableSecurityHub":  (*Server).disable,
			"BatchImportFindings": (*Server).importFindings,
			"GetFindings":         (*Server).getFindings,
			"BatchUpdateFindings": (*Server).updateFindings,
			"GetFindingHistory":   (*Server).findingHistory,
			"CreateInsight":       (*Server).createInsight,
			"UpdateInsight":       (*Server).updateInsight,
			"DeleteInsight":       (*Server).deleteInsight,
			"GetInsights":         (*Server).getInsights,
			"GetInsightResults":   (*Server).insightResults,
			"TagResource":         (*Server).tag,
			"UntagResource":       (*Server).untag,
			"ListTagsForResource": (*Server).tags,
		},
	}
}

// IsRequest reports whether r is for this package: signed with Signature Version 4 in whatever way, or with the method and
// path of an operation of Security Hub. It looks at nothing but the header.
func IsRequest(r *http.Request) bool {
	if sigv4.Signed(r) {
		return true
	}
	_, _, ok := match(r.Method, sigv4.WirePath(r))
	return ok
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.c.Now()
	id := newRequestID()
	w.Header().Set("X-Amzn-Requestid", id)
	op, result, err := s.serve(w, r)
	var status int
	if err != nil {
		status = s.writeError(w, r, op, id, err)
	} else {
		status = writeResult(w, result)
	}
	s.c.Logger.Debug("security hub request", "operation", op, "status", status, "request_id", id, "took", s.c.Now().Sub(start))
}

// serve authenticates, routes and carries out one request. op is "" where none was found.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) (op string, result any, err error) {
	claim, err := s.verifier.Begin(r)
	if err != nil {
		return "", nil, err
	}
	body, err := readBody(w, r)
	if err != nil {
		return "", nil, err
	}
	principal, err := claim.Verify(body)
	if err != nil {
		return "", nil, err
	}
	c := &call{Context: r.Context(), body: body, by: s.identity(principal)}
	o, label, ok := match(r.Method, sigv4.WirePath(r))
	if !ok {
		return "", nil, &Error{"UnknownOperationException", http.StatusNotFound,
			"Security Hub has no operation with the method " + clip(r.Method) + " and the path " + clip(r.URL.Path)}
	}
	c.op = o.name
	if c.label, err = url.PathUnescape(label); err != nil {
		return o.name, nil, invalidInput("The path is not correctly percent-encoded.")
	}
	if c.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return o.name, nil, invalidInput("The query string is malformed.")
	}
	h, ok := s.handlers[o.name]
	if !ok { // 400, so that no client tries again
		return o.name, nil, &Error{"UnsupportedOperationException", http.StatusBadRequest, "Eyrie's hub does not have the operation " + o.name + " yet"}
	}
	if o.name != "EnableSecurityHub" && !s.c.Hub.Enabled() {
		return o.name, nil, hub.ErrDisabled
	}
	result, err = h(s, c)
	return o.name, result, err
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" {
		return nil, &Error{"UnsupportedMediaTypeException", http.StatusUnsupportedMediaType, "The request body must not have a Content-Encoding"}
	}
	var b bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= maxBody {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(r.Body, maxBody+1)); err != nil {
		return nil, &Error{"RequestTimeoutException", http.StatusBadRequest, "The request body did not arrive in full"}
	}
	if b.Len() <= maxBody {
		return b.Bytes(), nil
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain)); err != nil {
		return nil, &Error{"RequestTimeoutException", http.StatusBadRequest, "The request body did not arrive in full"}
	}
	w.Header().Set("Connection", "close")
	return nil, &Error{"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge, "A request has at most 6 MB (6291456 bytes)"}
}

// identity is who a principal is, as Security Hub's finding history shows it.
func (s *Server) identity(principal string) hub.Identity {
	return hub.Identity("arn:" + partition(s.c.Region) + ":iam::" + s.c.Account + ":user/" + principal)
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// clip keeps what an answer repeats of a request short.
func clip(s string) string {
	if len(s) > 128 {
		return strings.ToValidUTF8(s[:128], "") + "…"
	}
	return s
}

// Package awsfake is AWS, as far as `eyrie aws` talks to it, in one process for tests: CloudFormation, S3, Security Hub,
// CloudWatch Logs, SQS and STS behind one address, told apart by what requests are signed for. In comes HTTP as the
// official SDK writes it; out go the answers that AWS gives. CloudFormation evaluates the real template (package cfntest)
// and makes what it makes: a stack fails if its code is not in the bucket, if Security Hub is enabled already, and so on.
//
// There is no clock: an operation goes on by a few events each time that somebody asks for its events. Faults are set
// by the test. It checks no signatures and is no part of the product.
package awsfake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Account is the account that every caller has.
const Account = "111122223333"

// Fault answers a call instead of the fake, when it returns a code.
type Fault func(call Call) (status int, code, message string)

// Call is one request.
type Call struct {
	Region, Service, Action string
	Target                  string // stack, bucket and key, log group or queue that it is about
}

// Server is the fake. Its exported members may be set before it is used, and read when it is not.
type Server struct {
	URL   string
	Fault Fault
	// FailResource makes the creation, update or deletion of resources fail: "REGION LOGICAL ACTION" (ACTION as in Create,
	// Update, Delete) gives the reason.
	FailResource map[string]string
	// Administrator is the account that administers Security Hub, if it is another one.
	Administrator string

	mu      sync.Mutex // guards what follows
	Calls   []Call
	regions map[string]*regionState
	serial  int
}

type regionState struct {
	stacks     map[string]*Stack // by name, the living one
	dead       map[string]*Stack // by id
	changeSets map[string]*changeSet
	buckets    map[string]*bucket
	hub        bool
	hubTags    map[string]string
	aggregator *aggregator
	groups     map[string]*logGroup
	queues     map[string]int // messages, by URL
}

type aggregator struct {
	arn, mode string
	regions   []string
}

type logGroup struct {
	retention int
	tags      map[string]string
	lastEvent int64
}

// New starts a fake, which ends with the test.
func New(t testing.TB) *Server {
	s := &Server{FailResource: map[string]string{}, regions: map[string]*regionState{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *Server) region(name string) *regionState {
	r := s.regions[name]
	if r == nil {
		r = &regionState{stacks: map[string]*Stack{}, dead: map[string]*Stack{}, changeSets: map[string]*changeSet{}, buckets: map[string]*bucket{},
			groups: map[string]*logGroup{}, queues: map[string]int{}}
		s.regions[name] = r
	}
	return r
}

var credential = regexp.MustCompile(`Credential=[^/]+/[0-9]+/([^/]+)/([^/]+)/aws4_request`)

// answer is what a request gets: XML or JSON text and a status.
type answer struct {
	status int
	body   string
	header map[string]string
}

// failure is an error in AWS's terms.
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func fail(status int, code, format string, args ...any) *failure {
	return &failure{status, code, fmt.Sprintf(format, args...)}
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	m := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	if err != nil || m == nil {
		http.Error(w, "no signed request", http.StatusForbidden)
		return
	}
	q := &request{Request: r, body: body, call: Call{Region: m[1], Service: m[2]}}
	s.mu.Lock()
	defer s.mu.Unlock()
	var serve func(*request) (answer, *failure)
	switch q.call.Service {
	case "cloudformation", "sts":
		q.parseQuery()
		serve = s.cloudFormation
	case "s3":
		q.parseS3()
		serve = s.s3
	case "securityhub":
		q.call.Action = r.Method + " " + strings.Split(r.URL.Path, "/")[1]
		serve = s.securityHub
	case "logs", "sqs":
		_, q.call.Action, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		q.parseJSON()
		serve = s.jsonServices
	default:
		http.Error(w, "service "+q.call.Service+" is not known here", http.StatusNotImplemented)
		return
	}
	s.Calls = append(s.Calls, q.call)
	var a answer
	var failed *failure
	if s.Fault != nil {
		if status, code, message := s.Fault(q.call); code != "" {
			failed = &failure{status, code, message}
		}
	}
	if failed == nil {
		a, failed = serve(q)
	}
	if failed != nil {
		a = q.failed(failed)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(max(a.status, http.StatusOK))
	if r.Method != http.MethodHead {
		io.WriteString(w, a.body)
	}
}

// request is a request with what its protocol says.
type request struct {
	*http.Request
	body []byte
	call Call
	json map[string]any
}

func (q *request) parseJSON() {
	// What is no JSON has no members.
	_ = json.Unmarshal(q.body, &q.json)
	for _, name := range []string{"logGroupName", "logGroupNamePrefix", "resourceArn", "QueueUrl"} {
		if v, ok := q.json[name].(string); ok {
			q.call.Target = v
		}
	}
}

// failed is f in the protocol of the request's service.
func (q *request) failed(f *failure) answer {
	switch q.call.Service {
	case "cloudformation", "sts":
		return answer{f.status, fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>5e6e</RequestId></ErrorResponse>", f.code, escape(f.message)), nil}
	case "s3":
		return answer{f.status, fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message></Error>", f.code, escape(f.message)), nil}
	}
	text, err := json.Marshal(map[string]string{"__type": f.code, "message": f.message, "Message": f.message, "Code": f.code})
	if err != nil {
		panic(err) // strings can be marshalled
	}
	return answer{f.status, string(text), map[string]string{"X-Amzn-ErrorType": f.code}}
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// Count is the number of calls of an action so far, in a Region or with "" in all.
func (s *Server) Count(region, action string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.Calls {
		if c.Action == action && (region == "" || c.Region == region) {
			n++
		}
	}
	return n
}

// Do calls f while nothing else goes on, to look at or change what there is.
func (s *Server) Do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Package logstest is a CloudWatch Logs for tests: the operations with which log events are written and read, over HTTP as the
// official SDK and the aws CLI speak it, kept in memory.
//
// In come requests of the JSON 1.1 protocol; out go answers with the service's own error codes. It is stricter than a client
// needs it to be: it checks every limit of PutLogEvents. It never checks signatures, and never forgets an event. Faults are
// injected by Before and After.
package logstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Event is one log event.
type Event struct {
	Stream    string `json:"logStreamName"`
	Timestamp int64  `json:"timestamp"` // milliseconds since 1970
	Message   string `json:"message"`
}

// Fault is an answer instead of the right one. Code "" cuts the connection.
type Fault struct {
	Status        int
	Code, Message string
}

// Server is the service. Set its members before the first request.
type Server struct {
	*httptest.Server
	// Before may return an answer before anything is done, After one although everything was done; nil: none. They are called
	// one at a time; n counts requests from 0.
	Before, After func(operation string, n int) *Fault
	// Retention is how old an event may be, besides the 14 days of the service; 0: that.
	Retention time.Duration
	// Poison is text that makes a request invalid if an event holds it.
	Poison string
	// Now is the service's clock; nil: time.Now.
	Now func() time.Time

	mu       sync.Mutex
	n        int
	calls    map[string]int
	groups   map[string]map[string][]Event // group, stream
	auth     []string
	requests []int // events of each PutLogEvents that was accepted
}

// New returns a running Server with the given log groups. Close it.
func New(groups ...string) *Server {
	s := &Server{calls: map[string]int{}, groups: map[string]map[string][]Event{}}
	for _, g := range groups {
		s.groups[g] = map[string][]Event{}
	}
	s.Server = httptest.NewServer(s)
	return s
}

// Events returns all events of a group, in the order in which they came, stream by stream.
func (s *Server) Events(group string) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Event
	for _, stream := range s.streams(group) {
		all = append(all, s.groups[group][stream]...)
	}
	return all
}

// Calls returns how often an operation was asked for.
func (s *Server) Calls(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[operation]
}

// Requests returns the number of events of each accepted PutLogEvents.
func (s *Server) Requests() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Credentials returns the credential scopes of the requests: AKID/date/region/logs/aws4_request.
func (s *Server) Credentials() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.auth)
}

func (s *Server) streams(group string) []string {
	var names []string
	for name := range s.groups[group] {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// input is the union of the requests' members.
type input struct {
	LogGroupName        string   `json:"logGroupName"`
	LogStreamName       string   `json:"logStreamName"`
	LogStreamNames      []string `json:"logStreamNames"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix"`
	FilterPattern       string   `json:"filterPattern"`
	LogEvents           []Event  `json:"logEvents"`
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	scope, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), ",")
	s.auth = append(s.auth, scope)
	s.calls[operation]++
	n := s.n
	s.n++
	var in input
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answer(w, nil, &Fault{400, "SerializationException", err.Error()})
		return
	}
	if s.Before != nil {
		if f := s.Before(operation, n); f != nil {
			answer(w, nil, f)
			return
		}
	}
	out, fault := s.do(operation, in)
	if s.After != nil && fault == nil {
		fault = s.After(operation, n)
	}
	answer(w, out, fault)
}

func answer(w http.ResponseWriter, out any, fault *Fault) {
	if fault != nil && fault.Code == "" {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if fault != nil {
		w.WriteHeader(fault.Status)
		out = map[string]string{"__type": fault.Code, "message": fault.Message}
	}
	_ = json.NewEncoder(w).Encode(out) // the client is gone
}

func (s *Server) do(operation string, in input) (any, *Fault) {
	streams, ok := s.groups[in.LogGroupName]
	if operation == "CreateLogGroup" {
		if ok {
			return nil, &Fault{400, "ResourceAlreadyExistsException", "The specified log group already exists"}
		}
		s.groups[in.LogGroupName] = map[string][]Event{}
		return struct{}{}, nil
	}
	if !ok {
		return nil, &Fault{400, "ResourceNotFoundException", "The specified log group does not exist."}
	}
	switch operation {
	case "CreateLogStream":
		if _, ok := streams[in.LogStreamName]; ok {
			return nil, &Fault{400, "ResourceAlreadyExistsException", "The specified log stream already exists"}
		}
		streams[in.LogStreamName] = nil
		return struct{}{}, nil
	case "PutLogEvents":
		return s.put(streams, in)
	case "FilterLogEvents":
		return s.filter(in), nil
	case "DescribeLogStreams":
		type stream struct {
			LogStreamName string `json:"logStreamName"`
		}
		found := []stream{}
		for _, name := range s.streams(in.LogGroupName) {
			if strings.HasPrefix(name, in.LogStreamNamePrefix) {
				found = append(found, stream{name})
			}
		}
		return map[string]any{"logStreams": found}, nil
	}
	return nil, &Fault{400, "UnknownOperationException", operation}
}

// filter returns all events of the group that hold the pattern, taken as plain text.
func (s *Server) filter(in input) any {
	events := []Event{}
	for _, name := range s.streams(in.LogGroupName) {
		if in.LogStreamNames != nil && !slices.Contains(in.LogStreamNames, name) {
			continue
		}
		for _, e := range s.groups[in.LogGroupName][name] {
			if strings.Contains(e.Message, strings.Trim(in.FilterPattern, `"`)) {
				e.Stream = name
				events = append(events, e)
			}
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return map[string]any{"events": events}
}

func (s *Server) put(streams map[string][]Event, in input) (any, *Fault) {
	if _, ok := streams[in.LogStreamName]; !ok {
		return nil, &Fault{400, "ResourceNotFoundException", "The specified log stream does not exist."}
	}
	invalid := func(format string, args ...any) (any, *Fault) {
		return nil, &Fault{400, "InvalidParameterException", fmt.Sprintf(format, args...)}
	}
	if n := len(in.LogEvents); n < 1 || n > 10_000 {
		return invalid("%d events: want 1 to 10000", n)
	}
	now := time.Now()
	if s.Now != nil {
		now = s.Now()
	}
	oldest, newest := now.Add(-14*24*time.Hour), now.Add(2*time.Hour)
	size, first, tooOld, expired, tooNew := 0, int64(-1), 0, 0, len(in.LogEvents)
	var taken []Event
	for i, e := range in.LogEvents {
		size += len(e.Message) + 26
		at := time.UnixMilli(e.Timestamp)
		switch {
		case e.Message == "" || !utf8.ValidString(e.Message):
			return invalid("event %d is empty or no UTF-8", i)
		case s.Poison != "" && strings.Contains(e.Message, s.Poison):
			return invalid("event %d is poisonous", i)
		case i > 0 && e.Timestamp < in.LogEvents[i-1].Timestamp:
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		case size > 1_048_576:
			return invalid("Upload too large: more than 1048576 bytes")
		case at.Before(oldest):
			tooOld = i + 1
		case s.Retention > 0 && at.Before(now.Add(-s.Retention)):
			expired = i + 1
		case at.After(newest):
			tooNew = min(tooNew, i)
		default:
			if first < 0 {
				first = e.Timestamp
			}
			if e.Timestamp-first > 24*time.Hour.Milliseconds() {
				return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
			}
			taken = append(taken, e)
		}
	}
	streams[in.LogStreamName] = append(streams[in.LogStreamName], taken...)
	s.requests = append(s.requests, len(in.LogEvents))
	return putAnswer(tooOld, expired, tooNew, len(in.LogEvents)), nil
}

// putAnswer is the answer to a PutLogEvents of n events: which of them, being in order of time, were refused for it.
func putAnswer(tooOld, expired, tooNew, n int) any {
	rejected := map[string]int{}
	if tooOld > 0 {
		rejected["tooOldLogEventEndIndex"] = tooOld
	}
	if expired > 0 {
		rejected["expiredLogEventEndIndex"] = expired
	}
	if tooNew < n {
		rejected["tooNewLogEventStartIndex"] = tooNew
	}
	out := map[string]any{"nextSequenceToken": "0"}
	if len(rejected) > 0 {
		out["rejectedLogEventsInfo"] = rejected
	}
	return out
}

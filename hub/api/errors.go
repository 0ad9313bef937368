package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/eyrie-sec/eyrie/access/sigv4"
	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

// Error is a refusal as the client sees it.
type Error struct {
	Code    string // AWS's error name: the shape of the service model
	Status  int    // HTTP status
	Message string // for people
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func invalidInput(format string, args ...any) *Error {
	return &Error{"InvalidInputException", http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// invalidParameter is an invalidInput about one parameter.
func invalidParameter(name, format string, args ...any) *Error {
	return invalidInput("Invalid parameter '%s'. %s", name, fmt.Sprintf(format, args...))
}

// retryAfter is how many seconds a client should wait when the store cannot be written.
const retryAfter = 5

// wireError is what the client is told of err. internal says that err belongs in the log.
func (s *Server) wireError(err error) (e *Error, internal bool) {
	var own *Error
	var signature *sigv4.Error
	var input *hub.InvalidInput
	var filter *asff.InvalidInput
	unavailable := func(what string) *Error {
		return &Error{"ServiceUnavailableException", http.StatusServiceUnavailable, "The hub cannot take this at the moment: " + what}
	}
	switch {
	case errors.As(err, &own):
		return own, false
	case errors.As(err, &signature):
		return &Error{signature.Code, signature.Status, signature.Message}, false
	case errors.As(err, &input):
		return invalidInput("%s", input.Message), false
	case errors.As(err, &filter):
		return invalidParameter("Filters", "%s", filter.Message), false
	case errors.Is(err, hub.ErrBadToken):
		return invalidParameter("NextToken", "The token is malformed, has expired, or belongs to another request"), false
	case errors.Is(err, hub.ErrNotFound):
		return &Error{"ResourceNotFoundException", http.StatusNotFound, "The resource does not exist in this hub"}, false
	case errors.Is(err, hub.ErrLimit):
		return &Error{"LimitExceededException", http.StatusTooManyRequests, err.Error()}, false
	case errors.Is(err, hub.ErrDisabled):
		return &Error{"InvalidAccessException", http.StatusUnauthorized, "Account " + s.c.Account + " is not subscribed to AWS Security Hub"}, false
	case errors.Is(err, hub.ErrEnabled):
		return &Error{"ResourceConflictException", http.StatusConflict, "Account is already subscribed to Security Hub"}, false
	case errors.Is(err, hub.ErrFull):
		return unavailable("no space left to store findings"), true
	case errors.Is(err, hub.ErrReadOnly):
		return unavailable("its store cannot be written"), true
	case errors.Is(err, hub.ErrLocked):
		return unavailable("its store is busy"), true
	case errors.Is(err, hub.ErrClosed):
		return unavailable("it is stopping"), false
	}
	return &Error{"InternalException", http.StatusInternalServerError, "Internal error"},
		!errors.Is(err, context.Canceled) // the client went away
}

// writeError answers a refused request and returns the HTTP status.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, op, id string, err error) int {
	e, internal := s.wireError(err)
	if internal {
		s.c.Logger.Error("security hub request failed", "operation", op, "request_id", id, "error", err)
	}
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.Header().Set("X-Amzn-Errortype", e.Code)
	content := marshal(struct{ Message, Code string }{e.Message, e.Code})
	if r.Method == http.MethodHead {
		content = nil
	}
	return write(w, e.Status, content)
}

// body is a result that writes itself, so that findings are not encoded again.
type body interface {
	size() int
	writeTo(w io.Writer) error
}

// writeResult answers with 200 and result as JSON.
func writeResult(w http.ResponseWriter, result any) int {
	b, ok := result.(body)
	if !ok {
		return write(w, http.StatusOK, marshal(result))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.size()))
	w.WriteHeader(http.StatusOK)
	_ = b.writeTo(w) // the client went away; nobody is left to tell
	return http.StatusOK
}

func write(w http.ResponseWriter, status int, content []byte) int {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	_, _ = w.Write(content) // the client went away; nobody is left to tell
	return status
}

// marshal encodes our own structs, of strings, numbers, booleans, raw JSON, lists and maps: that cannot fail.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// newRequestID returns a random UUID (RFC 9562 version 4), the form of AWS's request IDs.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

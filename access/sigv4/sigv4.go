// Package sigv4 checks AWS Signature Version 4 on requests that come in, signed in the Authorization header or in the
// query (presigned). In comes a request and, after the first checks, its body; out goes the access key's owner, or an
// *Error with the name, HTTP status and wording that AWS gives. The specification is
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
//
// It never reads the body itself, never signs, and never accepts an unsigned, chunked-signed or anonymous request.
// Whatever is not understood is refused. Everything is safe for concurrent use.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"

	// maxSkew is how far a request's time may lie from ours. AWS's services say "- 5 min." and "+ 5 min." in their
	// answers (e.g. https://github.com/remind101/logspout-kinesis/issues/21).
	maxSkew = 5 * time.Minute
	// maxExpires is the longest life of a presigned query: seven days, as the specification says.
	maxExpires = 7 * 24 * time.Hour

	maxCachedKeys = 256 // signing keys; each is good for a day
)

// Error is a refusal in AWS's words. Every field may be shown to the client.
type Error struct {
	Code    string // AWS's error name, e.g. "InvalidSignatureException"
	Status  int    // HTTP status
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errors that do not depend on the request. AWS's API Gateway, which stands before its Security Hub, answers all
// refusals of this kind with 403 (e.g. https://github.com/aws/chalice/issues/828).
var (
	errMissing  = Error{"MissingAuthenticationTokenException", http.StatusForbidden, "Missing Authentication Token"}
	errKey      = Error{"UnrecognizedClientException", http.StatusForbidden, "The security token included in the request is invalid."}
	errMismatch = Error{"InvalidSignatureException", http.StatusForbidden, "The request signature we calculated does not match the signature " +
		"you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
)

func refuse(e Error) *Error { return &e }

func incomplete(format string, args ...any) *Error {
	return &Error{"IncompleteSignatureException", http.StatusForbidden, fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *Error {
	return &Error{"InvalidSignatureException", http.StatusForbidden, fmt.Sprintf(format, args...)}
}

// Config is what a Verifier needs. All fields are required.
type Config struct {
	Region  string                                                          // the only Region that a request may be signed for
	Service string                                                          // the signing name of the service, e.g. "securityhub"
	Secret  func(accessKeyID string) (secret, principal string, known bool) // safe for concurrent use
	Now     func() time.Time
}

// Verifier checks requests for one service in one Region.
type Verifier struct {
	c Config

	mu   sync.Mutex // guards keys
	keys map[cacheKey][]byte
}

type cacheKey struct{ secret, date string }

// New returns a Verifier.
func New(c Config) *Verifier {
	return &Verifier{c: c, keys: map[cacheKey][]byte{}}
}

// Signed reports whether r claims a Signature Version 4, valid or not.
func Signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), algorithm) || presigned(r)
}

// Claim is a request's claim to be signed, of which all is checked but the signature: who reads a body only after Begin
// accepted does not read megabytes from strangers.
type Claim struct {
	v         *Verifier
	r         *http.Request
	s         signature
	secret    string
	principal string
}

// Begin checks the form of the signature, its scope, its time, and that the key is known. The error is an *Error.
func (v *Verifier) Begin(r *http.Request) (*Claim, error) {
	s, bad := parse(r)
	if bad == nil {
		bad = v.checkScope(s)
	}
	if bad == nil {
		bad = checkTime(s, v.c.Now().UTC())
	}
	if bad != nil {
		return nil, bad
	}
	secret, principal, known := v.c.Secret(s.keyID)
	if !known || s.token { // our keys are long-term; a session token belongs to other credentials
		return nil, refuse(errKey)
	}
	return &Claim{v: v, r: r, s: s, secret: secret, principal: principal}, nil
}

// Verify checks the signature over the request and its whole body and returns the principal that signed it. The error
// is an *Error.
func (c *Claim) Verify(body []byte) (principal string, err error) {
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	if claimed := c.r.Header.Get("X-Amz-Content-Sha256"); claimed != "" && claimed != payload {
		return "", invalid("The value of the header x-amz-content-sha256 does not match the SHA-256 of the body. Unsigned and chunked payloads are not accepted.")
	}
	canonical, bad := canonicalRequest(c.r, &c.s, payload)
	if bad != nil {
		return "", bad
	}
	hash := sha256.Sum256([]byte(canonical))
	toSign := algorithm + "\n" + c.s.timestamp + "\n" + c.s.scope() + "\n" + hex.EncodeToString(hash[:])
	if !hmac.Equal(sign(c.v.signingKey(c.secret, c.s.date), toSign), c.s.sum) {
		return "", refuse(errMismatch)
	}
	return c.principal, nil
}

func (v *Verifier) checkScope(s signature) *Error {
	switch {
	case s.region != v.c.Region:
		return invalid("Credential should be scoped to a valid region, not '%s'.", clip(s.region))
	case s.service != v.c.Service:
		return invalid("Credential should be scoped to correct service: '%s'.", v.c.Service)
	case s.terminator != terminator:
		return invalid("Credential should be scoped with a valid terminator: '%s', not '%s'.", terminator, clip(s.terminator))
	case s.date != s.timestamp[:8]:
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			clip(s.date), s.timestamp[:8], s.timestamp)
	}
	return nil
}

// checkTime wants a header signature of the last and next five minutes, and a presigned query within its life.
func checkTime(s signature, now time.Time) *Error {
	const late = "Signature expired: %s is now earlier than %s (%s - %s)"
	if early := now.Add(maxSkew); s.at.After(early) {
		return invalid("Signature not yet current: %s is still later than %s (%s + 5 min.)", s.timestamp, early.Format(timeFormat), now.Format(timeFormat))
	}
	if s.presigned {
		if end := s.at.Add(s.expires); !now.Before(end) {
			return invalid(late, end.Format(timeFormat), now.Format(timeFormat), now.Format(timeFormat), "0 min.")
		}
		return nil
	}
	if oldest := now.Add(-maxSkew); s.at.Before(oldest) {
		return invalid(late, s.timestamp, oldest.Format(timeFormat), now.Format(timeFormat), "5 min.")
	}
	return nil
}

// signingKey derives the key for a day. Four HMACs are saved on most requests.
func (v *Verifier) signingKey(secret, date string) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	id := cacheKey{secret, date}
	if key, ok := v.keys[id]; ok {
		return key
	}
	key := sign([]byte("AWS4"+secret), date)
	key = sign(key, v.c.Region)
	key = sign(key, v.c.Service)
	key = sign(key, terminator)
	if len(v.keys) >= maxCachedKeys {
		clear(v.keys)
	}
	v.keys[id] = key
	return key
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// clip keeps an answer that repeats the client's words short.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

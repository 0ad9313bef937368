package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signature is what a request says about its signing.
type signature struct {
	keyID, date, region, service, terminator string // the Credential
	headers                                  []string
	sum                                      []byte // 32 bytes
	timestamp                                string // timeFormat
	at                                       time.Time
	token                                    bool // a session token came along
	presigned                                bool
	expires                                  time.Duration // presigned only
}

func (s *signature) scope() string {
	return s.date + "/" + s.region + "/" + s.service + "/" + s.terminator
}

// presigned reports whether r has one of the query parameters that only a presigned query has.
func presigned(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "X-Amz-Signature=") || strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=")
}

func parse(r *http.Request) (signature, *Error) {
	auth := r.Header["Authorization"]
	var s signature
	var bad *Error
	switch {
	case len(auth) > 1 || len(auth) == 1 && presigned(r):
		return s, incomplete("The request is signed more than once.")
	case len(auth) == 1 && auth[0] != "":
		s, bad = parseHeader(r, auth[0])
	case presigned(r):
		s, bad = parseQuery(r)
	default:
		return s, refuse(errMissing)
	}
	if bad != nil {
		return s, bad
	}
	return s, s.checkHeaders(r)
}

// parseHeader reads Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…
func parseHeader(r *http.Request, auth string) (s signature, bad *Error) {
	name, rest, _ := strings.Cut(auth, " ")
	if name != algorithm {
		return s, incomplete("Authorization header requires the algorithm '%s' and the parameters 'Credential', 'SignedHeaders' and 'Signature'.", algorithm)
	}
	part := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(field), "=")
		if !ok {
			return s, incomplete("A part of the Authorization header is not a valid key=value pair (missing equal-sign).")
		}
		if _, twice := part[key]; twice {
			return s, incomplete("Authorization header has the parameter '%s' twice.", clip(key))
		}
		part[key] = value
	}
	var lacks []string
	for _, key := range []string{"Credential", "Signature", "SignedHeaders"} {
		if part[key] == "" {
			lacks = append(lacks, "Authorization header requires '"+key+"' parameter.")
		}
	}
	dates := r.Header["X-Amz-Date"]
	if len(dates) != 1 {
		lacks = append(lacks, "Authorization header requires existence of one 'X-Amz-Date' header.")
	}
	if lacks != nil {
		return s, incomplete("%s", strings.Join(lacks, " "))
	}
	s.token = len(r.Header["X-Amz-Security-Token"]) > 0
	return s, s.fill(part["Credential"], part["SignedHeaders"], part["Signature"], dates[0])
}

// parseQuery reads X-Amz-Algorithm, -Credential, -Date, -Expires, -SignedHeaders and -Signature.
func parseQuery(r *http.Request) (s signature, bad *Error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return s, incomplete("The query string is malformed.")
	}
	var lacks []string
	get := func(key string) string {
		switch v := q[key]; {
		case len(v) == 1 && v[0] != "":
			return v[0]
		default:
			lacks = append(lacks, "AWS query-string parameters must include '"+key+"' once.")
			return ""
		}
	}
	name, credential, date := get("X-Amz-Algorithm"), get("X-Amz-Credential"), get("X-Amz-Date")
	headers, sum, expires := get("X-Amz-SignedHeaders"), get("X-Amz-Signature"), get("X-Amz-Expires")
	if lacks != nil {
		return s, incomplete("%s", strings.Join(lacks, " "))
	}
	if name != algorithm {
		return s, incomplete("X-Amz-Algorithm only supports \"%s\".", algorithm)
	}
	seconds, err := strconv.ParseUint(expires, 10, 32)
	if err != nil || seconds < 1 || time.Duration(seconds)*time.Second > maxExpires {
		return s, incomplete("X-Amz-Expires must be a number of seconds from 1 to %d.", int(maxExpires/time.Second))
	}
	s.presigned, s.expires = true, time.Duration(seconds)*time.Second
	s.token = q.Has("X-Amz-Security-Token") || len(r.Header["X-Amz-Security-Token"]) > 0
	return s, s.fill(credential, headers, sum, date)
}

func (s *signature) fill(credential, headers, sum, date string) *Error {
	part := strings.Split(credential, "/")
	if len(part) != 5 || part[0] == "" {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	s.keyID, s.date, s.region, s.service, s.terminator = part[0], part[1], part[2], part[3], part[4]
	at, err := time.Parse(timeFormat, date)
	if err != nil || len(date) != len(timeFormat) { // Parse takes fractions of a second that the format does not have
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", clip(date))
	}
	s.at, s.timestamp = at, date
	s.headers = strings.Split(headers, ";")
	s.sum, err = hex.DecodeString(sum)
	if err != nil || len(s.sum) != 32 {
		return incomplete("Signature must be 64 hexadecimal digits.")
	}
	return nil
}

// interpreted are the headers that this package acts on: they count only if they are signed.
var interpreted = []string{"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token"}

// checkHeaders wants the list of signed headers in canonical form and complete.
func (s *signature) checkHeaders(r *http.Request) *Error {
	for i, name := range s.headers {
		if name == "" || name != strings.ToLower(name) || i > 0 && s.headers[i-1] >= name {
			return incomplete("SignedHeaders must be lower-case names in alphabetical order, separated by semicolons.")
		}
	}
	signed := func(name string) bool {
		_, found := slices.BinarySearch(s.headers, strings.ToLower(name))
		return found
	}
	if !signed("Host") {
		return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for _, name := range interpreted {
		if len(r.Header[name]) > 1 {
			return incomplete("The header '%s' may stand only once.", name)
		}
		if len(r.Header[name]) == 1 && !signed(name) {
			return invalid("'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

package sigv4

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Facts of AWS's published Signature Version 4 test suite.
const (
	suiteID     = "AKIDEXAMPLE"
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	suiteDate   = "20150830T123600Z"
	suiteScope  = suiteID + "/20150830/us-east-1/service/aws4_request"
)

var suiteNow = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func suiteVerifier(now time.Time) *Verifier {
	return New(Config{Region: "us-east-1", Service: "service", Now: func() time.Time { return now },
		Secret: func(id string) (string, string, bool) { return suiteSecret, "suite", id == suiteID }})
}

// request reads a raw HTTP request as a server does. Lines are joined with CRLF; the body follows an empty line.
func request(t testing.TB, lines ...string) (*http.Request, []byte) {
	t.Helper()
	text, body, _ := strings.Cut(strings.Join(lines, "\r\n"), "\r\n\r\n")
	text += fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, b
}

func verify(v *Verifier, r *http.Request, body []byte) (string, error) {
	c, err := v.Begin(r)
	if err != nil {
		return "", err
	}
	return c.Verify(body)
}

func authorization(signed, sum string) string {
	return "Authorization: AWS4-HMAC-SHA256 Credential=" + suiteScope + ", SignedHeaders=" + signed + ", Signature=" + sum
}

func TestPublishedVectors(t *testing.T) {
	const host, date = "Host:example.amazonaws.com", "X-Amz-Date:" + suiteDate
	const plain = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	tests := []struct {
		name, signed, sum string
		lines             []string
		body              string
	}{
		{"get-vanilla", "host;x-amz-date", plain, []string{"GET / HTTP/1.1", host, date}, ""},
		{"get-vanilla-query", "host;x-amz-date", plain, []string{"GET /? HTTP/1.1", host, date}, ""},
		{"get-vanilla-empty-query-key", "host;x-amz-date", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb", []string{"GET /?Param1=value1 HTTP/1.1", host, date}, ""},
		{"get-vanilla-query-order-key-case", "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", []string{"GET /?Param2=value2&Param1=value1 HTTP/1.1", host, date}, ""},
		{"get-vanilla-query-unreserved", "host;x-amz-date", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
			[]string{"GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1", host, date}, ""},
		{"get-vanilla-utf8-query", "host;x-amz-date", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04", []string{"GET /?ሴ=bar HTTP/1.1", host, date}, ""},
		{"get-utf8", "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", []string{"GET /ሴ HTTP/1.1", host, date}, ""},
		{"get-unreserved", "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
			[]string{"GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1", host, date}, ""},
		{"get-relative", "host;x-amz-date", plain, []string{"GET /example/.. HTTP/1.1", host, date}, ""},
		{"get-relative-relative", "host;x-amz-date", plain, []string{"GET /example1/example2/../.. HTTP/1.1", host, date}, ""},
		{"get-slash", "host;x-amz-date", plain, []string{"GET // HTTP/1.1", host, date}, ""},
		{"get-slash-dot-slash", "host;x-amz-date", plain, []string{"GET /./ HTTP/1.1", host, date}, ""},
		{"get-slashes", "host;x-amz-date", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84", []string{"GET //example// HTTP/1.1", host, date}, ""},
		{"get-slash-pointless-dot", "host;x-amz-date", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5", []string{"GET /./example HTTP/1.1", host, date}, ""},
		{"get-header-key-duplicate", "host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
			[]string{"GET / HTTP/1.1", host, "My-Header1:value2", "My-Header1:value2", "My-Header1:value1", date}, ""},
		{"get-header-value-order", "host;my-header1;x-amz-date", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
			[]string{"GET / HTTP/1.1", host, "My-Header1:value4", "My-Header1:value1", "My-Header1:value3", "My-Header1:value2", date}, ""},
		{"get-header-value-trim", "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
			[]string{"GET / HTTP/1.1", host, "My-Header1: value1", `My-Header2: "a   b   c"`, date}, ""},
		{"post-vanilla", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", []string{"POST / HTTP/1.1", host, date}, ""},
		{"post-vanilla-query", "host;x-amz-date", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11", []string{"POST /?Param1=value1 HTTP/1.1", host, date}, ""},
		{"post-header-key-sort", "host;my-header1;x-amz-date", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
			[]string{"POST / HTTP/1.1", host, "My-Header1:value1", date}, ""},
		{"post-header-value-case", "host;my-header1;x-amz-date", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
			[]string{"POST / HTTP/1.1", host, "My-Header1:VALUE1", date}, ""},
		{"post-x-www-form-urlencoded", "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
			[]string{"POST / HTTP/1.1", "Content-Type:application/x-www-form-urlencoded", host, date}, "Param1=value1"},
		{"post-x-www-form-urlencoded-parameters", "content-type;host;x-amz-date", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
			[]string{"POST / HTTP/1.1", "Content-Type:application/x-www-form-urlencoded; charset=utf8", host, date}, "Param1=value1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines := append(tt.lines, authorization(tt.signed, tt.sum), "", tt.body)
			r, body := request(t, lines...)
			if who, err := verify(suiteVerifier(suiteNow), r, body); err != nil || who != "suite" {
				t.Errorf("verify = %q, %v", who, err)
			}
		})
	}
}

func TestPublishedSigningKey(t *testing.T) {
	// From "Examples of how to derive a signing key" in AWS's General Reference.
	v := New(Config{Region: "us-east-1", Service: "iam"})
	got := hex.EncodeToString(v.signingKey(suiteSecret, "20150830"))
	if want := "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"; got != want {
		t.Errorf("signing key = %s, want %s", got, want)
	}
}

// signed makes a raw request that is signed as the suite's key would: the counterpart of the code under test, which the
// published vectors above pin down. drop removes or changes lines after signing.
func signed(t testing.TB, method, uri, body string, extra ...string) []string {
	t.Helper()
	lines := append([]string{method + " " + uri + " HTTP/1.1", "Host: hub.example", "X-Amz-Date: " + suiteDate}, extra...)
	r, b := request(t, append(lines, "", body)...)
	names := []string{"host"}
	for name := range r.Header {
		if name != "Content-Length" {
			names = append(names, strings.ToLower(name))
		}
	}
	sortStrings(names)
	list := strings.Join(names, ";")
	return append(lines, authorization(list, sum(t, r, names, b)), "", body)
}

func sortStrings(s []string) {
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

func sum(t testing.TB, r *http.Request, names []string, body []byte) string {
	t.Helper()
	payload := sha256.Sum256(body)
	canonical, bad := canonicalRequest(r, &signature{headers: names}, hex.EncodeToString(payload[:]))
	if bad != nil {
		t.Fatal(bad)
	}
	hash := sha256.Sum256([]byte(canonical))
	v := suiteVerifier(suiteNow)
	toSign := algorithm + "\n" + suiteDate + "\n20150830/us-east-1/service/aws4_request\n" + hex.EncodeToString(hash[:])
	return hex.EncodeToString(sign(v.signingKey(suiteSecret, "20150830"), toSign))
}

func TestTamperedRequests(t *testing.T) {
	const uri = "/insights/results/arn%3Aaws%3Asecurityhub/custom%2Fx?tagKeys=a&tagKeys=b"
	base := func(t *testing.T) []string {
		return signed(t, "POST", uri, `{"a":1}`, "Content-Type: application/json", "X-Custom: one", "X-Amz-Content-Sha256: "+
			"015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862")
	}
	r, body := request(t, base(t)...)
	if _, err := verify(suiteVerifier(suiteNow), r, body); err != nil {
		t.Fatalf("the untouched request = %v", err)
	}
	const mismatch = "The request signature we calculated"
	tests := []struct{ name, from, to, code, message string }{
		{"method", "POST /", "PUT /", "InvalidSignatureException", mismatch},
		{"path", "custom%2Fx", "custom%2Fy", "InvalidSignatureException", mismatch},
		{"encoding of the path", "custom%2Fx", "custom/x", "InvalidSignatureException", mismatch},
		{"query value", "tagKeys=a", "tagKeys=c", "InvalidSignatureException", mismatch},
		{"query added", "tagKeys=b", "tagKeys=b&x=y", "InvalidSignatureException", mismatch},
		{"query removed", "tagKeys=a&", "", "InvalidSignatureException", mismatch},
		{"bad query", "tagKeys=a", "tagKeys=%zz", "IncompleteSignatureException", "query string is malformed"},
		{"host", "Host: hub.example", "Host: evil.example", "InvalidSignatureException", mismatch},
		{"header value", "X-Custom: one", "X-Custom: two", "InvalidSignatureException", mismatch},
		{"header value added", "X-Custom: one", "X-Custom: one\r\nX-Custom: two", "InvalidSignatureException", mismatch},
		{"header removed", "X-Custom: one\r\n", "", "InvalidSignatureException", "'x-custom' is named as a SignedHeader, but it does not exist"},
		{"header case", "application/json", "Application/json", "InvalidSignatureException", mismatch},
		{"body", `{"a":1}`, `{"a":2}`, "InvalidSignatureException", "x-amz-content-sha256 does not match"},
		{"unsigned payload", "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862", "UNSIGNED-PAYLOAD", "InvalidSignatureException", "Unsigned and chunked payloads"},
		{"signature", "Signature=", "Signature=00", "IncompleteSignatureException", "64 hexadecimal digits"},
		{"signature of zeros", "Signature=" + "", "Signature=" + strings.Repeat("0", 64) + ", X=", "InvalidSignatureException", mismatch},
		{"key id", suiteID + "/", "AKIDEXAMPLF/", "UnrecognizedClientException", "security token included in the request is invalid"},
		{"scope region", "/us-east-1/", "/eu-west-1/", "InvalidSignatureException", "Credential should be scoped to a valid region, not 'eu-west-1'."},
		{"scope service", "/service/", "/iam/", "InvalidSignatureException", "Credential should be scoped to correct service: 'service'."},
		{"scope terminator", "aws4_request", "aws5_request", "InvalidSignatureException", "valid terminator"},
		{"scope date", "/20150830/", "/20150831/", "InvalidSignatureException", "'20150831' != '20150830', from '20150830T123600Z'"},
		{"scope short", "/us-east-1/service", "/service", "IncompleteSignatureException", "exactly 5 slash-delimited elements"},
		{"time", "X-Amz-Date: 20150830T123600Z", "X-Amz-Date: 20150830T123601Z", "InvalidSignatureException", mismatch},
		{"time malformed", "X-Amz-Date: 20150830T123600Z", "X-Amz-Date: Sun, 30 Aug 2015", "IncompleteSignatureException", "ISO-8601 'basic format'"},
		{"time with fraction", "X-Amz-Date: 20150830T123600Z", "X-Amz-Date: 20150830T123600.5Z", "IncompleteSignatureException", "ISO-8601"},
		{"time missing", "X-Amz-Date: 20150830T123600Z\r\n", "", "IncompleteSignatureException", "existence of one 'X-Amz-Date' header"},
		{"time twice", "X-Amz-Date: ", "X-Amz-Date: 20150830T123600Z\r\nX-Amz-Date: ", "IncompleteSignatureException", "existence of one 'X-Amz-Date' header"},
		{"time not signed", ";x-amz-date", "", "InvalidSignatureException", "'X-Amz-Date' must be a 'SignedHeader'"},
		{"hash not signed", ";x-amz-content-sha256", "", "InvalidSignatureException", "'X-Amz-Content-Sha256' must be a 'SignedHeader'"},
		{"host not signed", ";host", "", "InvalidSignatureException", "'Host' must be a 'SignedHeader'"},
		{"headers out of order", "content-type;host", "host;content-type", "IncompleteSignatureException", "alphabetical order"},
		{"headers in capitals", "content-type;host", "Content-Type;host", "IncompleteSignatureException", "lower-case"},
		{"header list with a gap", "content-type;host", "content-type;;host", "IncompleteSignatureException", "SignedHeaders must be"},
		{"no credential", "Credential=", "Credentials=", "IncompleteSignatureException", "requires 'Credential' parameter."},
		{"no equals sign", "Credential=" + suiteScope, "Credential", "IncompleteSignatureException", "missing equal-sign"},
		{"parameter twice", "Credential=", "Credential=x, Credential=", "IncompleteSignatureException", "'Credential' twice"},
		{"other algorithm", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "IncompleteSignatureException", "requires the algorithm"},
		{"other scheme", "AWS4-HMAC-SHA256 ", "Bearer ", "IncompleteSignatureException", "requires the algorithm"},
		{"two headers", "Authorization: ", "Authorization: Basic eDp5\r\nAuthorization: ", "IncompleteSignatureException", "signed more than once"},
		{"header and query", "tagKeys=a", "X-Amz-Signature=0&tagKeys=a", "IncompleteSignatureException", "signed more than once"},
		{"session token", "X-Custom: one", "X-Custom: one\r\nX-Amz-Security-Token: abc", "InvalidSignatureException", "'X-Amz-Security-Token' must be a 'SignedHeader'"},
		{"no authorization", "Authorization:", "X-Authorization:", "MissingAuthenticationTokenException", "Missing Authentication Token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Join(base(t), "\r\n")
			changed := strings.Replace(text, tt.from, tt.to, 1)
			if changed == text {
				t.Fatalf("nothing was changed: no %q in\n%s", tt.from, text)
			}
			r, body := request(t, changed)
			_, err := verify(suiteVerifier(suiteNow), r, body)
			var e *Error
			if !errors.As(err, &e) || e.Code != tt.code || e.Status != http.StatusForbidden || !strings.Contains(e.Message, tt.message) {
				t.Errorf("error = %+v, want %s with %q", err, tt.code, tt.message)
			}
		})
	}
}

func TestBodyIsSignedWithoutItsHeaderToo(t *testing.T) {
	text := strings.Join(signed(t, "POST", "/findings", "{}"), "\r\n")
	r, body := request(t, text)
	if _, err := verify(suiteVerifier(suiteNow), r, body); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"", "{ }", "{}\n"} {
		r, _ := request(t, text)
		if _, err := verify(suiteVerifier(suiteNow), r, []byte(other)); err == nil {
			t.Errorf("the body %q was accepted in place of {}", other)
		}
	}
}

func TestSessionTokensAreRefused(t *testing.T) {
	r, body := request(t, signed(t, "GET", "/accounts", "", "X-Amz-Security-Token: abc")...)
	_, err := verify(suiteVerifier(suiteNow), r, body)
	var e *Error
	if !errors.As(err, &e) || e.Code != "UnrecognizedClientException" {
		t.Errorf("error = %v, want UnrecognizedClientException", err)
	}
}

func TestClockSkew(t *testing.T) {
	r, body := request(t, signed(t, "GET", "/accounts", "")...)
	tests := []struct {
		name    string
		skew    time.Duration // of our clock against the client's
		message string
	}{
		{"five minutes late", 5 * time.Minute, ""},
		{"later", 5*time.Minute + time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"},
		{"five minutes early", -5 * time.Minute, ""},
		{"earlier", -5*time.Minute - time.Second, "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verify(suiteVerifier(suiteNow.Add(tt.skew)), r, body)
			var e *Error
			switch {
			case tt.message == "" && err != nil:
				t.Errorf("error = %v, want none", err)
			case tt.message != "" && (!errors.As(err, &e) || e.Message != tt.message || e.Code != "InvalidSignatureException"):
				t.Errorf("error = %v, want %s", err, tt.message)
			}
		})
	}
}

func presignedURI(t *testing.T, expires string) string {
	t.Helper()
	uri := "/accounts?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + strings.ReplaceAll(suiteScope, "/", "%2F") +
		"&X-Amz-Date=" + suiteDate + "&X-Amz-Expires=" + expires + "&X-Amz-SignedHeaders=host"
	r, b := request(t, "GET "+uri+" HTTP/1.1", "Host: hub.example", "", "")
	return uri + "&X-Amz-Signature=" + sum(t, r, []string{"host"}, b)
}

func TestPresigned(t *testing.T) {
	long := 7 * 24 * time.Hour
	tests := []struct {
		name, expires, from, to string
		age                     time.Duration
		code, message           string
	}{
		{name: "good", expires: "60"},
		{name: "good for a week", expires: "604800", age: long - time.Second},
		{name: "expired", expires: "60", age: time.Minute, code: "InvalidSignatureException", message: "Signature expired: 20150830T123700Z is now earlier than 20150830T123700Z"},
		{name: "too long", expires: "604801", code: "IncompleteSignatureException", message: "1 to 604800"},
		{name: "zero", expires: "0", code: "IncompleteSignatureException", message: "1 to 604800"},
		{name: "negative", expires: "-1", code: "IncompleteSignatureException", message: "1 to 604800"},
		{name: "life prolonged", expires: "60", from: "Expires=60", to: "Expires=600", code: "InvalidSignatureException", message: "does not match"},
		{name: "path", expires: "60", from: "/accounts", to: "/findings", code: "InvalidSignatureException", message: "does not match"},
		{name: "signature twice", expires: "60", from: "&X-Amz-Date", to: "&X-Amz-Signature=00&X-Amz-Date", code: "IncompleteSignatureException", message: "'X-Amz-Signature' once"},
		{name: "no date", expires: "60", from: "X-Amz-Date", to: "x-amz-date", code: "IncompleteSignatureException", message: "'X-Amz-Date' once"},
		{name: "algorithm", expires: "60", from: "AWS4-HMAC-SHA256", to: "AWS4-HMAC-SHA1", code: "IncompleteSignatureException", message: "only supports"},
		{name: "token", expires: "60", from: "&X-Amz-Date", to: "&X-Amz-Security-Token=x&X-Amz-Date", code: "UnrecognizedClientException", message: "invalid"},
		{name: "key", expires: "60", from: suiteID, to: "AKIDOTHER", code: "UnrecognizedClientException", message: "invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			uri := presignedURI(t, tt.expires)
			if tt.from != "" {
				uri = strings.Replace(uri, tt.from, tt.to, 1)
			}
			r, body := request(t, "GET "+uri+" HTTP/1.1", "Host: hub.example", "", "")
			if !Signed(r) {
				t.Error("Signed = false")
			}
			_, err := verify(suiteVerifier(suiteNow.Add(tt.age)), r, body)
			var e *Error
			switch {
			case tt.code == "" && err != nil:
				t.Errorf("error = %v, want none", err)
			case tt.code != "" && (!errors.As(err, &e) || e.Code != tt.code || !strings.Contains(e.Message, tt.message)):
				t.Errorf("error = %v, want %s with %q", err, tt.code, tt.message)
			}
		})
	}
	r, _ := request(t, "GET "+presignedURI(t, "60")+" HTTP/1.1", "Host: hub.example", "", "")
	if _, err := verify(suiteVerifier(suiteNow), r, []byte("x")); err == nil {
		t.Error("a body that the presigned query does not cover was accepted")
	}
}

func TestRotatedSecretAndConcurrency(t *testing.T) {
	text := strings.Join(signed(t, "GET", "/accounts", ""), "\r\n")
	var mu sync.Mutex
	secret := suiteSecret
	v := New(Config{Region: "us-east-1", Service: "service", Now: func() time.Time { return suiteNow },
		Secret: func(string) (string, string, bool) { mu.Lock(); defer mu.Unlock(); return secret, "suite", true }})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				r, body := request(t, text)
				if _, err := verify(v, r, body); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	mu.Lock()
	secret = strings.Repeat("n", 40)
	mu.Unlock()
	r, body := request(t, text)
	if _, err := verify(v, r, body); err == nil {
		t.Error("a signature by the old secret was accepted after the rotation")
	}
}

func TestWirePath(t *testing.T) {
	tests := []struct{ uri, want string }{
		{"/a%2Fb?x=/y", "/a%2Fb"},
		{"http://hub.example/a%2Fb?x", "/a%2Fb"},
		{"http://hub.example", "/"},
	}
	for _, tt := range tests {
		r, _ := request(t, "GET "+tt.uri+" HTTP/1.1", "Host: hub.example", "", "")
		if got := WirePath(r); got != tt.want {
			t.Errorf("WirePath(%s) = %s, want %s", tt.uri, got, tt.want)
		}
	}
}

// FuzzVerify sends any Authorization header, date and query: nothing panics, nothing unsigned gets in.
func FuzzVerify(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential="+suiteScope+", SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64), suiteDate, "a=b")
	f.Add("AWS4-HMAC-SHA256 ,=,", "2", "X-Amz-Signature=%")
	f.Add("", suiteDate, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="+suiteScope+"&X-Amz-Date="+suiteDate+"&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="+strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, auth, date, query string) {
		r, err := http.NewRequest("GET", "http://hub.example/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		r.Header.Set("Authorization", auth)
		r.Header.Set("X-Amz-Date", date)
		_, err = verify(suiteVerifier(suiteNow), r, nil)
		var e *Error
		if !errors.As(err, &e) || e.Status != http.StatusForbidden || e.Message == "" {
			t.Errorf("error = %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r, _ := request(b, signed(b, "POST", "/findings/import", "", "Content-Type: application/json")...)
	v := suiteVerifier(suiteNow)
	for b.Loop() {
		if _, err := verify(v, r, nil); err != nil {
			b.Fatal(err)
		}
	}
}

package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest is the text that a signature covers: method, path, query, headers, names of headers, hash of the body.
func canonicalRequest(r *http.Request, s *signature, payload string) (string, *Error) {
	query, bad := canonicalQuery(r.URL.RawQuery)
	if bad != nil {
		return "", bad
	}
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(canonicalPath(WirePath(r)))
	b.WriteByte('\n')
	b.WriteString(query)
	b.WriteByte('\n')
	for _, name := range s.headers {
		value, ok := headerValue(r, name)
		if !ok {
			return "", invalid("'%s' is named as a SignedHeader, but it does not exist in the HTTP request", clip(name))
		}
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteString(value)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(s.headers, ";"))
	b.WriteByte('\n')
	b.WriteString(payload)
	return b.String(), nil
}

// WirePath returns the path of r with its percent-encoding as the client sent it.
func WirePath(r *http.Request) string {
	uri := r.RequestURI
	if uri == "" { // not from a server
		return r.URL.EscapedPath()
	}
	if _, rest, ok := strings.Cut(uri, "://"); ok && uri[0] != '/' { // absolute form, from a proxy
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			return "/"
		}
		uri = rest[i:]
	}
	path, _, _ := strings.Cut(uri, "?")
	return path
}

// canonicalPath normalises the path (dot segments, doubled slashes) and encodes what the client has already encoded once
// more: services other than S3 sign it so.
func canonicalPath(wire string) string {
	var kept []string
	segments := strings.Split(wire, "/")
	for _, segment := range segments {
		switch segment {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
		}
	}
	var b strings.Builder
	for _, segment := range kept {
		b.WriteByte('/')
		appendEncoded(&b, segment)
	}
	last := segments[len(segments)-1]
	if len(kept) == 0 || last == "" || last == "." || last == ".." {
		b.WriteByte('/')
	}
	return b.String()
}

// canonicalQuery decodes the parameters, encodes them strictly and sorts them by name, then value. A plus sign stands
// for itself.
func canonicalQuery(raw string) (string, *Error) {
	if raw == "" {
		return "", nil
	}
	type parameter struct{ key, value string }
	var all []parameter
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		k, err1 := url.PathUnescape(key)
		v, err2 := url.PathUnescape(value)
		if err1 != nil || err2 != nil {
			return "", incomplete("The query string is malformed.")
		}
		if k != "X-Amz-Signature" {
			all = append(all, parameter{encode(k), encode(v)})
		}
	}
	slices.SortFunc(all, func(a, b parameter) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range all {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String(), nil
}

// headerValue returns the values of a header, each trimmed and with runs of spaces made one, joined by commas.
func headerValue(r *http.Request, name string) (string, bool) {
	values := r.Header[http.CanonicalHeaderKey(name)]
	switch {
	case name == "host":
		values = []string{r.Host}
	case name == "content-length" && values == nil && r.ContentLength >= 0:
		values = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	if values == nil {
		return "", false
	}
	clean := make([]string, len(values))
	for i, v := range values {
		clean[i] = strings.Join(strings.FieldsFunc(v, func(c rune) bool { return c == ' ' || c == '\t' }), " ")
	}
	return strings.Join(clean, ","), true
}

func encode(s string) string {
	var b strings.Builder
	appendEncoded(&b, s)
	return b.String()
}

// appendEncoded is AWS's UriEncode: every byte but RFC 3986's unreserved characters as %XX, in upper case.
func appendEncoded(b *strings.Builder, s string) {
	const digits = "0123456789ABCDEF"
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
}

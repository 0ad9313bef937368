package plainpost

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// head is a parsed head. Its parts are used again by the next one.
type head struct {
	target string   // as it was
	url    *url.URL // of target; made anew only when target changes
	header http.Header
	host   string
	length int64
}

type verdict uint8

const (
	unfinished verdict = iota // more bytes are needed
	whole                     // a plain head
	unusual                   // for net/http
)

// maxLength is the longest Content-Length that counts as plain, in bytes.
const maxLength = 1 << 40

// parse reads the head at the beginning of b and returns its size.
func (h *head) parse(b []byte) (int, verdict) {
	const method, version = "POST /", " HTTP/1.1\r\n"
	if n := min(len(b), len(method)); string(b[:n]) != method[:n] {
		return 0, unusual
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, unfinished
	}
	line, rest, _ := bytes.Cut(b[:end+2], []byte("\r\n"))
	target, ok := bytes.CutSuffix(line[len(method)-1:], []byte(version[:len(version)-2]))
	if !ok || !h.setTarget(target) {
		return 0, unusual
	}
	if h.header == nil {
		h.header = http.Header{}
	}
	clear(h.header)
	h.host, h.length = "", -1
	hosts := 0
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\r\n"))
		rest = after
		name, value, ok := field(line)
		if !ok {
			return 0, unusual
		}
		switch {
		case strings.EqualFold(name, "Host"):
			h.host = value
			hosts++
			if !plainHost(value) {
				return 0, unusual
			}
		case strings.EqualFold(name, "Content-Length"):
			if h.length >= 0 || !h.setLength(value) {
				return 0, unusual
			}
			h.header["Content-Length"] = append(h.header["Content-Length"], value)
		case strings.EqualFold(name, "Connection"):
			if !strings.EqualFold(value, "keep-alive") {
				return 0, unusual
			}
			h.header["Connection"] = append(h.header["Connection"], value)
		case strings.EqualFold(name, "Transfer-Encoding"), strings.EqualFold(name, "Expect"), strings.EqualFold(name, "Upgrade"),
			strings.EqualFold(name, "Trailer"), strings.EqualFold(name, "Pragma"), strings.EqualFold(name, "Te"):
			return 0, unusual
		default:
			key := textproto.CanonicalMIMEHeaderKey(name)
			h.header[key] = append(h.header[key], value)
		}
	}
	if hosts != 1 || h.length < 0 {
		return 0, unusual
	}
	return end + 4, whole
}

// setTarget takes a path, perhaps with a query, of characters that mean themselves.
func (h *head) setTarget(target []byte) bool {
	if h.url != nil && string(target) == h.target {
		return true
	}
	query := false
	for _, c := range target {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '/' || c == '-' || c == '_' || c == '.' || c == '~':
		case c == '?' && !query:
			query = true
		case query && (c == '=' || c == '&' || c == '%' || c == '+' || c == ':'):
		default:
			return false
		}
	}
	if bytes.HasPrefix(target, []byte("//")) {
		return false
	}
	text := string(target)
	u, err := url.ParseRequestURI(text)
	if err != nil {
		return false
	}
	h.target, h.url = text, u
	return true
}

func plainHost(host string) bool {
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']':
		default:
			return false
		}
	}
	return host != ""
}

func (h *head) setLength(value string) bool {
	if value == "" || len(value) > 13 {
		return false
	}
	n := int64(0)
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
		n = 10*n + int64(value[i]-'0')
	}
	h.length = n
	return n <= maxLength
}

// field takes a header line apart. It is strict: what net/http would refuse or repair is none.
func field(line []byte) (name, value string, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return "", "", false
	}
	for _, c := range line[:colon] {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return "", "", false
		}
	}
	raw := line[colon+1:]
	for _, c := range raw {
		if c < ' ' && c != '\t' || c >= 0x7f {
			return "", "", false
		}
	}
	return string(line[:colon]), string(bytes.Trim(raw, " \t")), true
}

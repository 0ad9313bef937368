package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"github.com/eyrie-sec/eyrie/falco"
)

// leastRead is the size in bytes of the smallest buffer that a body is read into.
const leastRead = 4 << 10

// pooledBytes is the size of the largest buffer that is kept for the next request.
const pooledBytes = 1 << 20

// readBody reads and decompresses the body of r into wk.body, within the limit.
func (h *Handler) readBody(wk *work, r *http.Request) *problem {
	limit := h.c.MaxBody
	if r.ContentLength > limit {
		return h.tooLarge()
	}
	var err error
	switch encoding := r.Header.Get("Content-Encoding"); {
	case encoding == "" || strings.EqualFold(encoding, "identity"):
		wk.body, err = readAll(wk.body[:0], r.Body, r.ContentLength, limit)
	case strings.EqualFold(encoding, "gzip") || strings.EqualFold(encoding, "x-gzip"):
		return h.readGzip(wk, r)
	default:
		return &problem{status: http.StatusUnsupportedMediaType, accept: true, text: "the body may be gzip or not compressed; other encodings are not supported"}
	}
	switch {
	case errors.Is(err, errTooLarge):
		return h.tooLarge()
	case err != nil:
		return cutShort
	}
	return nil
}

// cutShort answers a body that did not come whole. It is 408 and not 400, because sending it again helps.
var cutShort = &problem{status: http.StatusRequestTimeout, close: true, text: "the body ended early or came too slowly; nothing of it was stored: send it again"}

func (h *Handler) tooLarge() *problem {
	return &problem{status: http.StatusRequestEntityTooLarge, close: true,
		text: fmt.Sprintf("the body is over the limit of %d bytes (after decompression); nothing of it was stored: send less at once", h.c.MaxBody)}
}

// readGzip reads a compressed body and decompresses it. Both are within the limit, so a small body that would swell to
// gigabytes costs no more than any other. One that is no gzip is quarantined as one record, as it came.
func (h *Handler) readGzip(wk *work, r *http.Request) *problem {
	var err error
	wk.packed, err = readAll(wk.packed[:0], r.Body, r.ContentLength, h.c.MaxBody)
	if errors.Is(err, errTooLarge) {
		return h.tooLarge()
	}
	if err != nil {
		return cutShort
	}
	source := bytes.NewReader(wk.packed)
	z, _ := h.gzip.Get().(*gzip.Reader)
	if z == nil {
		z, err = gzip.NewReader(source)
	} else {
		err = z.Reset(source)
	}
	if err == nil {
		wk.body, err = readAll(wk.body[:0], z, -1, h.c.MaxBody)
	}
	if z != nil {
		h.gzip.Put(z)
	}
	if errors.Is(err, errTooLarge) {
		return h.tooLarge()
	}
	if err != nil {
		wk.damaged = true
	}
	return nil
}

// errTooLarge says that a body has more bytes than it may.
var errTooLarge = errors.New("over the limit")

// readAll appends all of r to dst, at most limit bytes. size is how much is expected, or less than 0; it is what somebody
// else said, so no more than pooledBytes are made ready for it.
func readAll(dst []byte, r io.Reader, size, limit int64) ([]byte, error) {
	// One byte more than expected is room to see the end.
	if want := int(min(max(size+1, leastRead), pooledBytes)); cap(dst) < want {
		dst = make([]byte, 0, want)
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if int64(len(dst)) > limit {
			return dst, errTooLarge
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

var (
	accountShape = regexp.MustCompile(`^[0-9]{12}$`)
	regionShape  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$`) // at most 16 characters (ASFF, Region)
)

// maxCluster is the longest name of a cluster, in bytes. EKS allows 100 characters, other Kubernetes none in particular.
const maxCluster = 256

// origin is where the alerts of r come from: the query members account, region and cluster, else the defaults.
func (h *Handler) origin(r *http.Request) (falco.Origin, *problem) {
	o := h.c.Origin
	if r.URL.RawQuery == "" {
		return o, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return o, &problem{status: http.StatusBadRequest, text: "the query of the URL is malformed"}
	}
	if v := query.Get("account"); v != "" {
		if !accountShape.MatchString(v) {
			return o, &problem{status: http.StatusBadRequest, text: "the query's account is not 12 digits"}
		}
		o.Account = v
	}
	if v := query.Get("region"); v != "" {
		if !regionShape.MatchString(v) {
			return o, &problem{status: http.StatusBadRequest, text: "the query's region is not 1 to 16 lower-case letters, digits and hyphens"}
		}
		o.Region = v
	}
	if v := query.Get("cluster"); v != "" {
		if len(v) > maxCluster || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
			return o, &problem{status: http.StatusBadRequest, text: fmt.Sprintf("the query's cluster has over %d bytes or control characters", maxCluster)}
		}
		o.Cluster = v
	}
	return o, nil
}

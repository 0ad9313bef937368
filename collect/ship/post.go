package ship

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// kind says what an answer means for the batch.
type kind uint8

const (
	delivered  kind = iota
	later           // trying again can help
	tooLarge        // a smaller body can help
	miscounted      // the answer does not account for each alert; smaller bodies tell which
	refused         // only a person can help
)

// outcome is what became of one request.
type outcome struct {
	kind   kind
	answer answer        // delivered
	after  time.Duration // later: not before; 0: unknown
	err    error         // all but delivered; holds no secret
	bytes  int64         // sent
}

// answer is the hub's answer to POST /falco, status 200 or 400.
type answer struct {
	Accepted   int64 `json:"accepted"`
	Duplicates int64 `json:"duplicates"`
	Rejected   []struct {
		Index  int    `json:"index"`
		Reason string `json:"reason"`
		Detail string `json:"detail"`
	} `json:"rejected"`
	RejectedCount int64 `json:"rejected_count"` // if Rejected does not list all
}

// refused is the number of alerts that the hub put into quarantine.
func (a *answer) refused() int64 { return max(a.RejectedCount, int64(len(a.Rejected))) }

// total is the number of alerts that the answer is about.
func (a *answer) total() int64 { return a.Accepted + a.Duplicates + a.refused() }

// poster makes requests. For one goroutine.
type poster struct {
	url    string
	shown  string // url without secrets
	key    func() (string, error)
	client *http.Client
	now    func() time.Time
	zip    *gzip.Writer
	body   bytes.Buffer
}

func newPoster(cfg Config) (*poster, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the URL: there may be a key in it
		}
		return nil, fmt.Errorf("hub's URL: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("hub's URL: want http:// or https:// and a host")
	}
	if u.User != nil {
		return nil, errors.New("hub's URL: name and password are not supported; put the key into the path or a key file")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/falco"
	}
	query := u.Query()
	for name, value := range map[string]string{"cluster": cfg.Cluster, "region": cfg.Region, "account": cfg.Account} {
		if value != "" {
			query.Set(name, value)
		}
	}
	u.RawQuery, u.Fragment = query.Encode(), ""
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/…"}
	if u.Path == "/falco" {
		shown.Path = u.Path
	}
	client := http.Client{Timeout: requestTimeout}
	if cfg.Client != nil {
		client = *cfg.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	zip, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	return &poster{
		url: u.String(), shown: strings.Replace(shown.String(), "%E2%80%A6", "…", 1), key: cfg.Key, client: &client, now: cfg.Now, zip: zip,
	}, nil
}

// send makes one request.
func (p *poster) send(ctx context.Context, alerts [][]byte) outcome {
	var key string
	if p.key != nil {
		var err error
		if key, err = p.key(); err != nil {
			return outcome{kind: refused, err: err}
		}
	}
	if err := p.compress(alerts); err != nil {
		return outcome{kind: later, err: err}
	}
	size := int64(p.body.Len())
	// A copy of the reader alone: the transport may still read the body when Do has returned, so it gets its own bytes.
	body := bytes.Clone(p.body.Bytes())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return outcome{kind: refused, err: errors.New("hub's URL makes no valid request")}
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("X-Eyrie-Way", "agent")
	req.Header.Set("User-Agent", "eyrie-agent")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return outcome{kind: later, err: redact(err), bytes: size}
	}
	defer res.Body.Close()
	const longestAnswer = 4 << 20
	text, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer))
	if err != nil {
		return outcome{kind: later, err: fmt.Errorf("read the hub's answer: %w", redact(err)), bytes: size}
	}
	out := p.judge(res, text, int64(len(alerts)))
	out.bytes = size
	return out
}

func (p *poster) compress(alerts [][]byte) error {
	p.body.Reset()
	p.zip.Reset(&p.body)
	for _, a := range alerts {
		if _, err := p.zip.Write(a); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		if _, err := p.zip.Write([]byte{'\n'}); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
	}
	if err := p.zip.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}

// judge says what an answer means. An answer counts as a hub's only if it says so: a proxy's or a portal's 200 must not make
// the agent forget alerts.
func (p *poster) judge(res *http.Response, text []byte, sent int64) outcome {
	status := fmt.Errorf("HTTP status %s%s", res.Status, excerpt(res, text))
	switch code := res.StatusCode; {
	case code/100 == 2 || code == http.StatusBadRequest:
		a, ok := parseAnswer(text)
		if !ok {
			return outcome{kind: refused, err: fmt.Errorf("the answer is not a hub's: %w", status)}
		}
		if a.total() < sent { // it does not say what became of each alert
			return outcome{kind: miscounted, err: fmt.Errorf("the hub answered for %d of %d alerts: %w", a.total(), sent, status)}
		}
		return outcome{kind: delivered, answer: a}
	case code == http.StatusRequestEntityTooLarge:
		return outcome{kind: tooLarge, err: status}
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return outcome{kind: later, err: status, after: p.retryAfter(res.Header.Get("Retry-After"))}
	case code/100 == 3:
		return outcome{kind: refused, err: fmt.Errorf("%w: redirects are not followed; name the hub's own address", status)}
	}
	return outcome{kind: refused, err: status}
}

func parseAnswer(text []byte) (answer, bool) {
	var a struct {
		answer
		Accepted *int64 `json:"accepted"`
	}
	if json.Unmarshal(text, &a) != nil || a.Accepted == nil {
		return answer{}, false
	}
	a.answer.Accepted = *a.Accepted
	return a.answer, true
}

// excerpt is the beginning of an answer that explains an error, if it is text.
func excerpt(res *http.Response, text []byte) string {
	if len(text) == 0 || strings.Contains(res.Header.Get("Content-Type"), "html") {
		return ""
	}
	const most = 200
	return fmt.Sprintf(": %.*q", most, strings.TrimSpace(string(text[:min(len(text), most)])))
}

// retryAfter reads seconds or an HTTP date (RFC 9110, section 10.2.3); 0 if there is neither.
func (p *poster) retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, int(longestWait/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(p.now()))
	}
	return 0
}

// redact takes the URL out of a client's error.
func redact(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	return err
}

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

// outcome is what the answer means for the batch.
func (a *answer) outcome() Outcome {
	out := Outcome{Accepted: a.Accepted, Duplicates: a.Duplicates}
	if a.refused() == 0 {
		return out
	}
	out.Rejected = map[string]int64{}
	for _, r := range a.Rejected {
		out.Rejected[r.Reason]++
	}
	if unlisted := a.refused() - int64(len(a.Rejected)); unlisted > 0 {
		out.Rejected["not listed"] += unlisted
	}
	if len(a.Rejected) > 0 {
		out.Detail = a.Rejected[0].Reason
		if d := a.Rejected[0].Detail; d != "" {
			out.Detail += ": " + d
		}
	}
	return out
}

// poster is the hub as a Destination. For one goroutine.
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

// Limits implements Destination.
func (p *poster) Limits() (alerts, bytes int) { return MaxBatchAlerts, MaxBatchBytes }

// Name implements Destination.
func (p *poster) Name() string { return "the hub" }

// String implements Destination.
func (p *poster) String() string { return p.shown }

// Deliver makes one request.
func (p *poster) Deliver(ctx context.Context, alerts [][]byte) Outcome {
	out := p.send(ctx, alerts)
	out.Requests = 1
	return out
}

func (p *poster) send(ctx context.Context, alerts [][]byte) Outcome {
	var key string
	if p.key != nil {
		var err error
		if key, err = p.key(); err != nil {
			return Outcome{Kind: Refused, Err: err}
		}
	}
	if err := p.compress(alerts); err != nil {
		return Outcome{Kind: Later, Err: err}
	}
	size := int64(p.body.Len())
	// A copy of the reader alone: the transport may still read the body when Do has returned, so it gets its own bytes.
	body := bytes.Clone(p.body.Bytes())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return Outcome{Kind: Refused, Err: errors.New("hub's URL makes no valid request")}
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
		return Outcome{Kind: Later, Err: redact(err), Bytes: size}
	}
	defer res.Body.Close()
	const longestAnswer = 4 << 20
	text, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer))
	if err != nil {
		return Outcome{Kind: Later, Err: fmt.Errorf("read the hub's answer: %w", redact(err)), Bytes: size}
	}
	out := p.judge(res, text, int64(len(alerts)))
	out.Bytes = size
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
func (p *poster) judge(res *http.Response, text []byte, sent int64) Outcome {
	status := fmt.Errorf("HTTP status %s%s", res.Status, excerpt(res, text))
	switch code := res.StatusCode; {
	case code/100 == 2 || code == http.StatusBadRequest:
		a, ok := parseAnswer(text)
		if !ok {
			return Outcome{Kind: Refused, Err: fmt.Errorf("the answer is not a hub's: %w", status)}
		}
		if a.total() < sent { // it does not say what became of each alert
			return Outcome{Kind: Miscounted, Err: fmt.Errorf("the hub answered for %d of %d alerts: %w", a.total(), sent, status)}
		}
		return a.outcome()
	case code == http.StatusRequestEntityTooLarge:
		return Outcome{Kind: TooLarge, Err: status}
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return Outcome{Kind: Later, Err: status, After: p.retryAfter(res.Header.Get("Retry-After"))}
	case code/100 == 3:
		return Outcome{Kind: Refused, Err: fmt.Errorf("%w: redirects are not followed; name the hub's own address", status)}
	}
	return Outcome{Kind: Refused, Err: status}
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

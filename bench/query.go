package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/hub"
	hubsqlite "github.com/eyrie-sec/eyrie/hub/sqlite"
)

// query fills a hub with findings, runs `eyrie up` on it and asks over the network, one question at a time.
func query(s *settings) error {
	data := filepath.Join(s.dir, "query")
	if err := fill(data, s.findings); err != nil {
		return err
	}
	began := time.Now()
	srv, err := start(s.binary, data)
	if err != nil {
		return err
	}
	defer srv.stop()
	client, err := srv.sdk()
	if err != nil {
		return err
	}
	browser, err := srv.signIn()
	if err != nil {
		return err
	}
	// Until the findings are loaded the portal answers 503.
	if err := srv.until(10*time.Minute, func() (bool, error) { return get(browser, "http://"+srv.addr+"/findings") == nil, nil }); err != nil {
		return err
	}
	fmt.Printf("%d findings, ready %.1f s after the start.\n\n", s.findings, time.Since(began).Seconds())
	fmt.Println("| query | p50 | p95 | p99 |")
	fmt.Println("|---|---|---|---|")
	if err := measureAPI(client); err != nil {
		return err
	}
	if err := measurePages(browser, srv.addr); err != nil {
		return err
	}
	rss, err := srv.peakRSS()
	if err != nil {
		return err
	}
	fmt.Printf("\nPeak RSS of the server: %d MB.\n", rss>>20)
	return nil
}

func measureAPI(client *securityhub.Client) error {
	for _, q := range []struct {
		name    string
		filters func(i int) *types.AwsSecurityFindingFilters
	}{
		{"GetFindings, SeverityLabel + WorkflowStatus + ProductFields[eyrie/namespace], 100 a page", func(i int) *types.AwsSecurityFindingFilters {
			return &types.AwsSecurityFindingFilters{SeverityLabel: equals("MEDIUM"), WorkflowStatus: equals("NEW"),
				ProductFields: []types.MapFilter{{Key: aws.String("eyrie/namespace"), Value: aws.String(fmt.Sprintf("payments-%d", i%5)), Comparison: types.MapFilterComparisonEquals}}}
		}},
		{"GetFindings, GeneratorId + ProcessName PREFIX + ResourceContainerName, 100 a page", func(i int) *types.AwsSecurityFindingFilters {
			return &types.AwsSecurityFindingFilters{GeneratorId: equals("falco/Read sensitive file untrusted"), ResourceContainerName: equals("payments-api"),
				ProcessName: []types.StringFilter{{Value: aws.String("ca"), Comparison: types.StringFilterComparisonPrefix}}}
		}},
		{"GetFindings, three attributes that nothing matches", func(i int) *types.AwsSecurityFindingFilters {
			return &types.AwsSecurityFindingFilters{SeverityLabel: equals("MEDIUM"), RecordState: equals("ACTIVE"), ProcessName: equals(fmt.Sprintf("none-%d", i))}
		}},
	} {
		var took []time.Duration
		for i := range 200 {
			began := time.Now()
			_, err := client.GetFindings(context.Background(), &securityhub.GetFindingsInput{Filters: q.filters(i), MaxResults: aws.Int32(100)})
			if err != nil {
				return err
			}
			took = append(took, time.Since(began))
		}
		printPercentiles(q.name, took)
	}
	return nil
}

func measurePages(browser *http.Client, addr string) error {
	for _, p := range []struct{ name, path string }{
		{"portal, list of findings", "/findings"},
		{"portal, list of one namespace and severity", "/findings?severity=MEDIUM&namespace=payments-3"},
		{"portal, overview", "/"},
	} {
		var took []time.Duration
		for range 100 {
			began := time.Now()
			if err := get(browser, "http://"+addr+p.path); err != nil {
				return err
			}
			took = append(took, time.Since(began))
		}
		printPercentiles(p.name, took)
	}
	return nil
}

func printPercentiles(name string, took []time.Duration) {
	fmt.Printf("| %s | %s | %s | %s |\n", name, percentile(took, 50), percentile(took, 95), percentile(took, 99))
}

func equals(value string) []types.StringFilter {
	return []types.StringFilter{{Value: aws.String(value), Comparison: types.StringFilterComparisonEquals}}
}

// fill puts n findings of n troubles into the hub of a data directory, unless they are there.
func fill(data string, n int) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	ctx := context.Background()
	store, err := hubsqlite.Open(ctx, hubsqlite.Config{Path: filepath.Join(data, "findings.db")})
	if err != nil {
		return err
	}
	h, err := hub.Open(ctx, hub.Config{Account: "000000000000", Region: "local-1", SnapshotPath: filepath.Join(data, "findings.index"),
		Logger: slog.New(slog.DiscardHandler)}, store)
	if err != nil {
		return err
	}
	converter, err := convert.New(convert.Config{})
	if err != nil {
		return err
	}
	const batch = 5000
	began := time.Now()
	for first := h.Stats().Findings; first < n; first += batch {
		observations := make([]hub.Observation, 0, batch)
		for i := first; i < min(first+batch, n); i++ {
			raw := appendAlert(nil, i, i)
			a, err := falco.Parse(raw)
			if err != nil {
				return err
			}
			observations = append(observations, hub.Observation{
				Finding: converter.Convert(a, falco.Origin{Account: "000000000000", Region: "local-1", Cluster: fmt.Sprintf("eks-%d", i%7)}),
				Seq:     int64(i + 1), At: a.Time, Alert: raw,
			})
		}
		if err := h.Observe(ctx, "bench", int64(min(first+batch, n)), observations); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "\r%d of %d findings stored, %.0f s", min(first+batch, n), n, time.Since(began).Seconds())
	}
	fmt.Fprintln(os.Stderr)
	return h.Close()
}

func (s *server) sdk() (*securityhub.Client, error) {
	config, err := awsconfig.LoadDefaultConfig(context.Background(), awsconfig.WithRegion("local-1"), awsconfig.WithSharedConfigProfile("eyrie"),
		awsconfig.WithSharedCredentialsFiles([]string{filepath.Join(s.data, "credentials")}), awsconfig.WithSharedConfigFiles(nil))
	if err != nil {
		return nil, err
	}
	return securityhub.NewFromConfig(config, func(o *securityhub.Options) { o.BaseEndpoint = aws.String("http://" + s.addr) }), nil
}

// signIn returns a client that holds a session. It signs in as a person that it adds while the server is stopped would;
// here by the link for the first person.
func (s *server) signIn() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	link, err := url.Parse(s.link)
	if err != nil {
		return nil, err
	}
	err = s.until(10*time.Minute, func() (bool, error) {
		res, err := browser.PostForm("http://"+s.addr+"/portal/signin-link", url.Values{"token": {link.Query().Get("token")}})
		if err != nil {
			return false, err
		}
		defer res.Body.Close()
		if res.StatusCode >= 400 && res.StatusCode != http.StatusServiceUnavailable {
			return false, fmt.Errorf("sign in: status %d", res.StatusCode)
		}
		return res.StatusCode != http.StatusServiceUnavailable, nil
	})
	return browser, err
}

// get reads a page to its end and is an error unless it is a page for somebody who is signed in.
func get(browser *http.Client, address string) error {
	res, err := browser.Get(address)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || strings.Contains(res.Request.URL.Path, "signin") {
		return fmt.Errorf("%s: status %d at %s", address, res.StatusCode, res.Request.URL.Path)
	}
	return nil
}

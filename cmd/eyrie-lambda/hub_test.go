package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/api"
	"github.com/eyrie-sec/eyrie/hub/sqlite"
)

type testKeys struct{}

func (testKeys) Secret(id string) (string, string, bool) { return testSecret, "test", id == testKey }

// frontedHub is our own hub on SQLite, behind its API, behind what can go wrong on the way.
type frontedHub struct {
	server *httptest.Server
	// fault is asked for each import before the hub is, with the number of the import from 1. It may answer itself and
	// return true; handle lets the hub handle the request with another answer's writer.
	fault func(n int, w http.ResponseWriter, body []byte, handle func(http.ResponseWriter)) bool

	mu      sync.Mutex // guards imports and paths
	imports int
	paths   map[string]bool // of all requests, with their methods
}

func newHub(t testing.TB) *frontedHub {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "hub.db")})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.Open(t.Context(), hub.Config{Account: testAccount, Region: testRegion}, store)
	if err != nil {
		t.Fatal(err)
	}
	server := api.New(api.Config{Hub: h, Keys: testKeys{}, Account: testAccount, Region: testRegion})
	f := &frontedHub{paths: map[string]bool{}}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.paths[r.Method+" "+r.URL.Path] = true
		f.mu.Unlock()
		if r.URL.Path != "/findings/import" {
			server.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.imports++
		n := f.imports
		f.mu.Unlock()
		handle := func(w http.ResponseWriter) {
			again := r.Clone(r.Context())
			again.Body = io.NopCloser(bytes.NewReader(body))
			server.ServeHTTP(w, again)
		}
		if f.fault == nil || !f.fault(n, w, body, handle) {
			handle(w)
		}
	}))
	t.Cleanup(func() {
		f.server.CloseClientConnections()
		f.server.Close()
		_ = h.Close()
	})
	return f
}

func (f *frontedHub) client() *securityhub.Client {
	return securityhub.New(securityhub.Options{Region: testRegion, BaseEndpoint: aws.String(f.server.URL),
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, "")})
}

// findings are all findings in the hub, by Id.
func (f *frontedHub) findings(t testing.TB) map[string]types.AwsSecurityFinding {
	t.Helper()
	all := map[string]types.AwsSecurityFinding{}
	pages := securityhub.NewGetFindingsPaginator(f.client(), &securityhub.GetFindingsInput{MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range page.Findings {
			all[*finding.Id] = finding
		}
	}
	return all
}

// essence is what must be the same of findings however they came to the hub: not what enrichment adds.
func essence(t testing.TB, findings map[string]types.AwsSecurityFinding) map[string]string {
	t.Helper()
	all := map[string]string{}
	for id, f := range findings {
		all[id] = strings.Join([]string{*f.Title, *f.Description, string(f.Severity.Label), *f.FirstObservedAt, *f.LastObservedAt, *f.UpdatedAt,
			"x" + f.ProductFields["eyrie/occurrences"]}, " | ")
	}
	return all
}

func occurrences(t testing.TB, findings map[string]types.AwsSecurityFinding) int {
	t.Helper()
	sum := 0
	for _, f := range findings {
		n, err := strconv.Atoi(f.ProductFields["eyrie/occurrences"])
		if err != nil {
			t.Fatalf("finding %s: eyrie/occurrences: %v", *f.Id, err)
		}
		sum += n
	}
	return sum
}

// refuse is an answer of Security Hub's to a request.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Code": code, "Message": message})
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

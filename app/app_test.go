package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// running is an App in this process.
type running struct {
	*App
	dir  string
	out  *bytes.Buffer
	stop func() error
}

func start(t *testing.T, o Options) *running {
	t.Helper()
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	out := &bytes.Buffer{}
	o.Out = out
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	r := &running{a, o.Data, out, stop}
	waitFor(t, "the findings to be loaded", func() bool { return a.loaded.Load() != nil })
	return r
}

func (r *running) key(t *testing.T) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(r.dir, "ingest.key"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(key))
}

func (r *running) post(t *testing.T, path string, body []byte) (status int, answer string) {
	t.Helper()
	res, err := http.Post(r.URL()+path, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (r *running) postOK(t *testing.T, body []byte) {
	t.Helper()
	if status, answer := r.post(t, "/falco/"+r.key(t), body); status/100 != 2 {
		t.Fatalf("POST /falco/KEY: %d %s", status, answer)
	}
}

// TestRecordedAlerts sends every alert that a real Falco produced, twice, and expects each to be counted once.
func TestRecordedAlerts(t *testing.T) {
	r := start(t, Options{Cluster: "eks-test"})
	total := 0
	for range 2 {
		total = 0
		for _, name := range []string{"host-seed", "docker-seed", "docker-event-generator"} {
			alerts := testshared.Read(t, "falco/alerts/"+name+".jsonl")
			total += bytes.Count(alerts, []byte("\n"))
			r.postOK(t, alerts)
		}
	}
	client := sdk(t, r.URL(), r.dir)
	waitFor(t, "every alert to be counted", func() bool {
		_, n := countOccurrences(t, r.URL(), r.dir)
		return n >= total
	})
	findings := allFindings(t, client, nil)
	sum := 0
	for _, f := range findings {
		sum += occurrences(t, f)
		if f.ProductFields["eyrie/cluster"] != "eks-test" {
			t.Errorf("finding %s: eyrie/cluster %q, want eks-test", aws.ToString(f.Id), f.ProductFields["eyrie/cluster"])
		}
	}
	if sum != total {
		t.Errorf("%d occurrences of %d alerts that were sent twice", sum, total)
	}
	if len(findings) >= total {
		t.Errorf("%d findings of %d alerts: nothing was folded", len(findings), total)
	}
	critical := allFindings(t, client, &types.AwsSecurityFindingFilters{
		SeverityLabel: []types.StringFilter{{Value: aws.String("CRITICAL"), Comparison: types.StringFilterComparisonEquals}},
		GeneratorId:   []types.StringFilter{{Value: aws.String("falco/Detect release_agent"), Comparison: types.StringFilterComparisonPrefix}},
	})
	if len(critical) != 1 || aws.ToString(critical[0].Title) != "Detect release_agent File Container Escapes" {
		t.Errorf("CRITICAL findings of release_agent: got %d, want the one", len(critical))
	}
}

func alertAt(at time.Time, file string) []byte {
	return fmt.Appendf(nil, `{"hostname":"node-1","output":"test","output_fields":{"fd.name":%q,"proc.name":"cat","proc.exepath":"/usr/bin/cat"},"priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["T1555"],"time":%q}`,
		file, at.Format(time.RFC3339Nano))
}

// TestTriageIsRemembered walks a finding through what people do: what is resolved comes back when it happens again, what
// is suppressed stays so.
func TestTriageIsRemembered(t *testing.T) {
	r := start(t, Options{})
	client := sdk(t, r.URL(), r.dir)
	ctx := context.Background()
	at := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	var n int
	occur := func() types.AwsSecurityFinding {
		t.Helper()
		n++
		at = at.Add(time.Second)
		r.postOK(t, alertAt(at, "/etc/shadow"))
		var f types.AwsSecurityFinding
		waitFor(t, fmt.Sprintf("occurrence %d", n), func() bool {
			all := allFindings(t, client, nil)
			if len(all) > 1 {
				t.Fatalf("%d findings of one trouble", len(all))
			}
			if len(all) == 1 {
				f = all[0]
			}
			return len(all) == 1 && occurrences(t, f) == n
		})
		return f
	}
	set := func(f types.AwsSecurityFinding, status types.WorkflowStatus) {
		t.Helper()
		out, err := client.BatchUpdateFindings(ctx, &securityhub.BatchUpdateFindingsInput{
			FindingIdentifiers: []types.AwsSecurityFindingIdentifier{{Id: f.Id, ProductArn: f.ProductArn}},
			Workflow:           &types.WorkflowUpdate{Status: status},
			Note:               &types.NoteUpdate{Text: aws.String("looked at it"), UpdatedBy: aws.String("jo")},
		})
		if err != nil || len(out.UnprocessedFindings) > 0 {
			t.Fatalf("set %s: %v, unprocessed %v", status, err, out)
		}
	}
	want := func(f types.AwsSecurityFinding, status types.WorkflowStatus) {
		t.Helper()
		if f.Workflow == nil || f.Workflow.Status != status {
			t.Fatalf("after occurrence %d: workflow %+v, want %s", n, f.Workflow, status)
		}
	}
	f := occur()
	want(f, types.WorkflowStatusNew)
	for _, step := range []struct{ set, want types.WorkflowStatus }{
		{types.WorkflowStatusNotified, types.WorkflowStatusNew},
		{types.WorkflowStatusResolved, types.WorkflowStatusNew},
		{types.WorkflowStatusSuppressed, types.WorkflowStatusSuppressed},
	} {
		set(f, step.set)
		f = occur()
		want(f, step.want)
		if f.Note == nil || aws.ToString(f.Note.Text) != "looked at it" {
			t.Fatalf("the note is gone: %+v", f.Note)
		}
	}
	history, err := client.GetFindingHistory(ctx, &securityhub.GetFindingHistoryInput{
		FindingIdentifier: &types.AwsSecurityFindingIdentifier{Id: f.Id, ProductArn: f.ProductArn}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(history.Records)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{`NOTIFIED`, `RESOLVED`, `SUPPRESSED`, `"FindingCreated":true`} {
		if !strings.Contains(string(text), change) {
			t.Errorf("the history lacks %s: %s", change, text)
		}
	}
}

func TestRestartContinues(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	r := start(t, Options{Data: dir})
	key := r.key(t)
	r.postOK(t, alertAt(at, "/etc/shadow"))
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, Options{Data: dir})
	if again := r.key(t); again != key {
		t.Error("the ingest key is another one after a restart")
	}
	r.postOK(t, alertAt(at, "/etc/shadow")) // delivered again: not counted again
	r.postOK(t, alertAt(at.Add(time.Second), "/etc/shadow"))
	waitFor(t, "both alerts to be counted", func() bool {
		_, n := countOccurrences(t, r.URL(), dir)
		return n >= 2
	})
	if findings, n := countOccurrences(t, r.URL(), dir); findings != 1 || n != 2 {
		t.Errorf("%d occurrences of %d findings, want 2 of 1", n, findings)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	r := start(t, Options{})
	_, err := New(Options{Data: r.dir, Listen: "127.0.0.1:0"})
	if err == nil || !strings.Contains(err.Error(), "another eyrie") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a second eyrie on the same directory: got %v, want an error that says so and what to do", err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"account", Options{Account: "123"}, "--account"},
		{"region", Options{Region: "US EAST"}, "--region"},
		{"listen", Options{Listen: "8080"}, "--listen"},
		{"half of TLS", Options{TLSCert: "cert.pem"}, "--tls-key"},
		{"severity", Options{Severity: "loud"}, "severity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Data = t.TempDir()
			if c.o.Listen == "" {
				c.o.Listen = "127.0.0.1:0"
			}
			a, err := New(c.o)
			if err == nil {
				a.close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want it to name %s", err, c.want)
			}
		})
	}
}

// TestNobodyGetsInByDefault asks for everything without a key.
func TestNobodyGetsInByDefault(t *testing.T) {
	r := start(t, Options{})
	noRedirect := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/healthz", 200},
		{"POST", "/falco", 401},
		{"POST", "/falco/wrong", 401},
		{"GET", "/metrics", 401},
		{"POST", "/findings", 403},
		{"GET", "/accounts", 403},
		{"GET", "/", 303},
		{"GET", "/findings", 303},
		{"GET", "/health", 303},
	} {
		req, err := http.NewRequest(c.method, r.URL()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := noRedirect.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, res.StatusCode, c.want)
		}
	}
}

func TestGreetingSaysEverything(t *testing.T) {
	r := start(t, Options{})
	for _, want := range []string{
		r.URL() + "/signin?token=", filepath.Join(r.dir, "credentials"), filepath.Join(r.dir, "ingest.key"),
		fmt.Sprintf("url: \"%s/falco/%s\"", r.URL(), r.key(t)), "curl ",
	} {
		if !strings.Contains(r.out.String(), want) {
			t.Errorf("the lines at start lack %q:\n%s", want, r.out)
		}
	}
	for _, name := range []string{"credentials", "ingest.key"} {
		info, err := os.Stat(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode().Perm())
		}
	}
}

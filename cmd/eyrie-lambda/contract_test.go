package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	spec "github.com/eyrie-sec/eyrie/internal/lambdaspec"
)

// TestActions drives the function through everything it does: the AWS actions that it calls are those of lambdaspec, no
// more and no less.
func TestActions(t *testing.T) {
	d := deploy(t, "EYRIE_ARCHIVE_AFTER=1s", "EYRIE_HEARTBEAT=true")
	d.must(batch(12, badLine))
	d.must([]byte(`{"task":"maintain"}`))
	d.must(subscription("s", alert(90, 90), badLine))
	d.hub.fault = nil
	d.aws.mu.Lock()
	d.aws.queues["/dead"] = []string{string(batch(3))}
	d.aws.mu.Unlock()
	if got := string(d.must([]byte(`{"task":"replay"}`))); got != `{"replayed":1,"left":2}` {
		t.Errorf("replay: %s", got)
	}
	called := map[string]bool{}
	for method := range d.aws.calls {
		called[map[string]string{"DescribeInstances": "ec2:DescribeInstances", "DescribeTasks": "ecs:DescribeTasks", "SendMessageBatch": "sqs:SendMessage",
			"ReceiveMessage": "sqs:ReceiveMessage", "DeleteMessageBatch": "sqs:DeleteMessage"}[method]] = true
	}
	// What the test itself asks for is not among them: it has not asked yet.
	for path := range d.hub.paths {
		called[map[string]string{"POST /findings/import": "securityhub:BatchImportFindings", "POST /findings": "securityhub:GetFindings"}[path]] = true
	}
	want := map[string]bool{}
	for _, a := range spec.Actions() {
		if a.By == "code" {
			want[a.Action] = true
		}
	}
	if diff := cmp.Diff(want, called); diff != "" {
		t.Errorf("actions (-lambdaspec +called):\n%s", diff)
	}
}

// TestMetrics: every metric that is written is in lambdaspec with its dimensions, and the other way round.
func TestMetrics(t *testing.T) {
	d := deploy(t, "EYRIE_ARCHIVE_AFTER=1s")
	d.must(batch(12, badLine))
	d.must([]byte(`{"task":"maintain"}`))
	d.must([]byte(`{"task":"replay"}`))
	d.kill() // its output is complete then
	out := d.metrics()
	for _, m := range spec.Metrics() {
		if !strings.Contains(out, fmt.Sprintf(`{"Name":%q,"Unit":%q}`, m.Name, m.Unit)) {
			t.Errorf("metric %s is never written", m.Name)
		}
		for _, dimensions := range m.Dimensions {
			if len(dimensions) == 1 && !strings.Contains(out, fmt.Sprintf(`"Dimensions":[[%q]]`, dimensions[0])) {
				t.Errorf("metric %s is never written by %v", m.Name, dimensions)
			}
		}
	}
	for _, want := range []string{`"Cluster":"prod"`, `"Priority":"Warning"`, `"Rule":"Read sensitive file untrusted 0"`, `"Events":13`, `"Alerts":12`, `"Quarantined":1`, `"Failures":0`} {
		if !strings.Contains(out, want) {
			t.Errorf("metrics lack %s:\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if !strings.Contains(line, `"_aws":{"CloudWatchMetrics":[{"Dimensions":[[`) || !strings.Contains(line, `"Timestamp":`) {
			t.Errorf("not in the embedded metric format: %s", line)
		}
	}
}

// TestDocumentation: docs/lambda.md says what lambdaspec says.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "lambda.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	var lines []string
	for _, v := range spec.Variables() {
		value := ""
		switch {
		case v.Required:
			value = "required"
		case v.Default != "":
			value = "`" + v.Default + "`"
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s |", v.Name, value, v.Means))
	}
	for _, a := range spec.Actions() {
		lines = append(lines, "| `"+a.Action+"` | ")
	}
	for _, m := range spec.Metrics() {
		lines = append(lines, "| `"+m.Name+"` | "+m.Unit+" | ")
	}
	for _, line := range lines {
		if !strings.Contains(doc, "\n"+line) {
			t.Errorf("docs/lambda.md lacks the line %q", line)
		}
	}
	for _, word := range strings.FieldsFunc(doc, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		if strings.HasPrefix(word, "EYRIE_") && !slices.ContainsFunc(spec.Variables(), func(v spec.Variable) bool { return v.Name == word }) {
			t.Errorf("docs/lambda.md names %s, which there is not", word)
		}
	}
}

func TestConfig(t *testing.T) {
	required := map[string]string{spec.QuarantineQueueURL: "https://sqs.eu-central-1.amazonaws.com/111122223333/q"}
	for _, c := range []struct{ name, value, want string }{
		{spec.QuarantineQueueURL, "", "EYRIE_QUARANTINE_QUEUE_URL=\"\" is not set: URL of the SQS queue"},
		{spec.QuarantineQueueURL, "queue", `EYRIE_QUARANTINE_QUEUE_URL="queue" is not an http or https URL`},
		{spec.SecurityHubEndpoint, "hub:8443", "EYRIE_SECURITYHUB_ENDPOINT=\"hub:8443\" is not an http or https URL"},
		{spec.Account, "12", "EYRIE_ACCOUNT=\"12\" is not an account of 12 digits"},
		{spec.Severity, "loud", "EYRIE_SEVERITY: "},
		{spec.ProductARN, "x", "EYRIE_PRODUCT_ARN=\"x\" is no ARN"},
		{spec.Conversion, "/nonexistent", "EYRIE_CONVERSION=\"/nonexistent\" stat /nonexistent"},
		{spec.CallsPerSecond, "fast", "EYRIE_CALLS_PER_SECOND=\"fast\" is not a number from 0 to 10000"},
		{spec.CallsPerSecond, "NaN", "is not a number from 0 to 10000"},
		{spec.CallsBurst, "0", "EYRIE_CALLS_BURST=\"0\" is not a number from 1 to 1000"},
		{spec.EnrichEC2, "yes", "EYRIE_ENRICH_EC2=\"yes\" is neither true nor false"},
		{spec.EnrichTimeout, "2", "EYRIE_ENRICH_TIMEOUT=\"2\" is not a duration of at most 1m0s, such as 90s, 15m, 1h or 30d"},
		{spec.ArchiveAfter, "-1d", "EYRIE_ARCHIVE_AFTER=\"-1d\" is not a duration"},
		{spec.LogLevel, "loud", "EYRIE_LOG_LEVEL=\"loud\" is none of debug, info, warn and error"},
	} {
		env := maps.Clone(required)
		env[c.name] = c.value
		_, err := assemble(context.Background(), func(name string) string { return env[name] })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%q: got %v, want %q", c.name, c.value, err, c.want)
		}
	}
	got, err := readConfig(func(name string) string { return required[name] })
	if err != nil || got.archiveAfter != 30*24*time.Hour || !got.enrichEC2 || got.limit != 10 || got.burst != 30 || got.enrichTTL != time.Hour {
		t.Errorf("defaults: %+v, %v", got, err)
	}
}

// TestConversionFile: the file's severity, identity and remediation count, and an unknown key is an error.
func TestConversionFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conversion.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("severity:\n  rules:\n    \"Read sensitive*\": CRITICAL\nremediation:\n  rules:\n    Read sensitive file untrusted 0:\n      text: Call the team.\n")
	d := deploy(t, "EYRIE_CONVERSION="+path)
	d.must(subscription("s", alert(1, 1)))
	for _, f := range d.hub.findings(t) {
		if f.Severity.Label != "CRITICAL" || *f.Remediation.Recommendation.Text != "Call the team." {
			t.Errorf("got %s, %+v", f.Severity.Label, f.Remediation)
		}
	}
	write("severities: {}\n")
	if _, err := newConverter(&config{conversion: path}); err == nil || !strings.Contains(err.Error(), "EYRIE_CONVERSION") || !strings.Contains(err.Error(), "severities") {
		t.Errorf("unknown key: %v", err)
	}
}

// TestRefusesToStart: the binary says what is wrong and ends.
func TestRefusesToStart(t *testing.T) {
	path, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"outside of Lambda": {nil, "runs as an AWS Lambda function"},
		"no queue":          {[]string{"AWS_LAMBDA_RUNTIME_API=" + freePort(t)}, "environment variable EYRIE_QUARANTINE_QUEUE_URL"},
	} {
		cmd := exec.Command(path)
		cmd.Env = c.env
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// TestLinks: the function is small and quick because of what is not in it.
func TestLinks(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		for _, banned := range []string{"modernc.org/", "database/sql", "cilium/ebpf", "prometheus", "alecthomas/kong", "eyrie/hub", "eyrie/app", "eyrie/portal",
			"aws-sdk-go-v2/service/ec2", "net/rpc", "text/template", "html/template"} {
			if strings.Contains(dep, banned) {
				t.Errorf("links %s", strings.TrimSpace(dep))
			}
		}
	}
}

package api

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// awsCommands are the aws CLIs on PATH, one a version; the test is skipped if there is none.
func awsCommands(t *testing.T) []string {
	t.Helper()
	var found []string
	seen := map[string]bool{}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path, err := exec.LookPath(filepath.Join(dir, "aws"))
		if err != nil {
			continue
		}
		version, err := exec.CommandContext(t.Context(), path, "--version").Output()
		if err == nil && !seen[string(version)] {
			seen[string(version)] = true
			found = append(found, path)
		}
	}
	if len(found) > 0 {
		return found
	}
	const hint = "no aws command on PATH: install the AWS CLI (Debian: awscli) to run this test"
	if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
		t.Fatal(hint)
	}
	t.Skip(hint)
	return nil
}

// cli runs `aws securityhub …` against one server.
type cli struct {
	path, url string
	env       []string
}

func newCLI(t *testing.T, path, url string) cli {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials")
	text := "[eyrie]\naws_access_key_id = " + testKey + "\naws_secret_access_key = " + testSecret + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return cli{path, url, []string{"AWS_SHARED_CREDENTIALS_FILE=" + file, "AWS_CONFIG_FILE=" + filepath.Join(dir, "none"), "AWS_MAX_ATTEMPTS=1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "HOME=" + dir, "PATH=" + os.Getenv("PATH"), "PYENV_VERSION=" + os.Getenv("PYENV_VERSION")}}
}

func (c cli) run(t *testing.T, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	all := append([]string{"--profile", "eyrie", "--region", testRegion, "--endpoint-url", c.url, "--output", "json", "securityhub"}, args...)
	cmd := exec.CommandContext(t.Context(), c.path, all...)
	cmd.Env = c.env
	if root := os.Getenv("PYENV_ROOT"); root != "" {
		cmd.Env = append(cmd.Env, "PYENV_ROOT="+root)
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String(), errs.String(), err == nil
}

// must runs a command that has to succeed and decodes its output into v, if v is not nil.
func (c cli) must(t *testing.T, v any, args ...string) {
	t.Helper()
	stdout, stderr, ok := c.run(t, args...)
	if !ok {
		t.Fatalf("aws securityhub %s: %s", strings.Join(args, " "), stderr)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(stdout), v); err != nil {
		t.Fatalf("aws securityhub %s: %v in %s", strings.Join(args, " "), err, stdout)
	}
}

const cliFinding = `{"SchemaVersion":"2018-10-08","Id":"%","ProductArn":"` + productArn + `","AwsAccountId":"000000000000","GeneratorId":"g","Types":["TTPs"],
	"CreatedAt":"2026-11-20T08:00:00Z","UpdatedAt":"2026-11-20T08:00:00Z","Severity":{"Label":"HIGH"},"Title":"t%","Description":"d","ProductFields":{"k":"%"},
	"Resources":[{"Type":"Container","Id":"r%"}]}`

func TestAWSCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("the aws CLI takes a second a command: run without -short")
	}
	for _, path := range awsCommands(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			t.Parallel()
			c := newCLI(t, path, serve(t, realHub(t)))
			testCLIFindings(t, c)
			testCLIInsightsAndTags(t, c)
		})
	}
}

func testCLIFindings(t *testing.T, c cli) {
	var imported struct{ SuccessCount, FailedCount int }
	c.must(t, &imported, "batch-import-findings", "--findings", "["+strings.ReplaceAll(cliFinding, "%", "1")+","+strings.ReplaceAll(cliFinding, "%", "2")+"]")
	if imported.SuccessCount != 2 || imported.FailedCount != 0 {
		t.Errorf("import = %+v, want 2 successes", imported)
	}
	var found struct {
		Findings []struct {
			Id       string
			Workflow struct{ Status string }
			Note     struct{ Text string }
		}
	}
	c.must(t, &found, "get-findings", "--filters", `{"ProductFields":[{"Key":"k","Value":"2","Comparison":"EQUALS"}],"SeverityLabel":[{"Value":"HIGH","Comparison":"EQUALS"}]}`)
	if len(found.Findings) != 1 || found.Findings[0].Id != "2" || found.Findings[0].Workflow.Status != "NEW" {
		t.Errorf("get-findings = %+v, want 2, NEW", found)
	}
	var updated struct{ ProcessedFindings, UnprocessedFindings []any }
	c.must(t, &updated, "batch-update-findings", "--finding-identifiers", "Id=1,ProductArn="+productArn, "Id=9,ProductArn="+productArn,
		"--workflow", "Status=NOTIFIED", "--note", "Text=looked at,UpdatedBy=ada")
	if len(updated.ProcessedFindings) != 1 || len(updated.UnprocessedFindings) != 1 {
		t.Errorf("batch-update-findings = %+v", updated)
	}
	// Two pages, which the CLI joins.
	c.must(t, &found, "get-findings", "--sort-criteria", "Field=Title,SortOrder=asc", "--page-size", "1")
	if len(found.Findings) != 2 || found.Findings[0].Id != "1" || found.Findings[0].Workflow.Status != "NOTIFIED" || found.Findings[0].Note.Text != "looked at" {
		t.Errorf("get-findings by page = %+v", found)
	}
	if _, stderr, ok := c.run(t, "get-findings", "--filters", `{"UpdatedAt":[{"Start":"yesterday"}]}`); ok || !strings.Contains(stderr, "(InvalidInputException) when calling the GetFindings operation") {
		t.Errorf("get-findings by a bad date = %v %s, want InvalidInputException", ok, stderr)
	}
	if _, stderr, ok := c.run(t, "get-findings", "--region", "eu-west-1"); ok || !strings.Contains(stderr, "(InvalidSignatureException)") {
		t.Errorf("get-findings in another Region = %v %s, want InvalidSignatureException", ok, stderr)
	}
}

func testCLIInsightsAndTags(t *testing.T, c cli) {
	var insight struct{ InsightArn string }
	c.must(t, &insight, "create-insight", "--name", "mine", "--filters", `{"RecordState":[{"Value":"ACTIVE","Comparison":"EQUALS"}]}`, "--group-by-attribute", "ResourceId")
	var results struct {
		InsightResults struct{ ResultValues []struct{ Count int } }
	}
	c.must(t, &results, "get-insight-results", "--insight-arn", insight.InsightArn)
	if len(results.InsightResults.ResultValues) != 2 {
		t.Errorf("get-insight-results = %+v, want two resources", results)
	}
	c.must(t, nil, "update-insight", "--insight-arn", insight.InsightArn, "--name", "ours")
	var insights struct{ Insights []struct{ Name string } }
	c.must(t, &insights, "get-insights", "--insight-arns", insight.InsightArn)
	if len(insights.Insights) != 1 || insights.Insights[0].Name != "ours" {
		t.Errorf("get-insights = %+v, want ours", insights)
	}
	c.must(t, nil, "delete-insight", "--insight-arn", insight.InsightArn)

	var d struct{ HubArn string }
	c.must(t, &d, "describe-hub")
	c.must(t, nil, "tag-resource", "--resource-arn", d.HubArn, "--tags", "team=blue green,x=y")
	c.must(t, nil, "untag-resource", "--resource-arn", d.HubArn, "--tag-keys", "x", "a b/c")
	var tags struct{ Tags map[string]string }
	c.must(t, &tags, "list-tags-for-resource", "--resource-arn", d.HubArn)
	if len(tags.Tags) != 1 || tags.Tags["team"] != "blue green" {
		t.Errorf("tags = %v", tags.Tags)
	}
	if _, stderr, ok := c.run(t, "create-action-target", "--name", "n", "--description", "d", "--id", "i"); ok || !strings.Contains(stderr, "does not have the operation CreateActionTarget yet") {
		t.Errorf("create-action-target = %v %s, want its name", ok, stderr)
	}
}

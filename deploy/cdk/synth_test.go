// Package cdk holds no Go but this test: it builds the CDK app beside it with npm and compares what `cdk synth` makes
// with the template that it includes.
package cdk

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/deploy/aws/cfntest"
	"github.com/eyrie-sec/eyrie/deploy/aws/template"
)

// TestSynth needs npm and its registry.
func TestSynth(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		skip(t, "needs npm (Debian package npm) and its registry")
	}
	dir := t.TempDir()
	app := filepath.Join(dir, "deploy", "cdk")
	for _, name := range []string{"package.json", "tsconfig.json", "cdk.json", "bin/eyrie.ts", "lib/eyrie-stack.ts", "../aws/template/eyrie.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(app, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	zip := filepath.Join(dir, "code.zip")
	if err := os.WriteFile(zip, []byte("PK"), 0o644); err != nil { // only its hash counts here
		t.Fatal(err)
	}
	if out, err := run(app, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline"); err != nil {
		skip(t, "npm install: %v\n%s", err, out)
	}
	if out, err := run(app, "npx", "tsc"); err != nil {
		t.Fatalf("the app does not compile: %v\n%s", err, out)
	}
	if out, err := run(app, "npx", "cdk", "synth", "--quiet"); err == nil || !strings.Contains(out, "give the Regions and the function") {
		t.Errorf("without context: %v\n%s", err, out)
	}
	out, err := run(app, "npx", "cdk", "synth", "--quiet", "--no-notices", "--no-version-reporting", "-c", "regions=eu-central-1,us-east-1", "-c", "code="+zip,
		"-c", `parameters={"Cluster":"prod","AlarmEmail1":"a@example.com"}`)
	if err != nil {
		t.Fatalf("cdk synth: %v\n%s", err, out)
	}
	for region, home := range map[string]bool{"eu-central-1": true, "us-east-1": false} {
		compare(t, filepath.Join(app, "cdk.out", "eyrie-"+region+".template.json"), home)
	}
}

func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func run(dir, name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CDK_DISABLE_CLI_TELEMETRY=true", "CI=1")
	out, err := c.CombinedOutput()
	return string(out), err
}

// compare checks that a synthesised template has the resources of ours, with their types, conditions and policies.
func compare(t *testing.T, path string, home bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		Resources map[string]struct {
			Type, Condition, DeletionPolicy, UpdateReplacePolicy string
			Properties                                           map[string]any
		}
		Outputs map[string]any
	}
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	ours, err := cfntest.Parse(template.Eyrie())
	if err != nil {
		t.Fatal(err)
	}
	type summary struct{ Type, Condition, DeletionPolicy, UpdateReplacePolicy string }
	want, got := map[string]summary{}, map[string]summary{}
	for name, r := range ours.Resources {
		want[name] = summary{r.Type, r.Condition, r.DeletionPolicy, r.UpdateReplacePolicy}
	}
	for name, r := range made.Resources {
		got[name] = summary{r.Type, r.Condition, r.DeletionPolicy, r.UpdateReplacePolicy}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, -template +synthesised:\n%s", filepath.Base(path), diff)
	}
	if diff := cmp.Diff(cfntest.Names(ours.Outputs), cfntest.Names(made.Outputs)); diff != "" {
		t.Errorf("outputs: %s", diff)
	}
	if got := made.Resources["Function"].Properties["Environment"].(map[string]any)["Variables"].(map[string]any)["EYRIE_CLUSTER"]; got != "prod" {
		t.Errorf("EYRIE_CLUSTER is %v", got)
	}
	regions, _ := made.Resources["Aggregator"].Properties["Regions"].([]any)
	if home && (len(regions) != 1 || regions[0] != "us-east-1") {
		t.Errorf("the home Region shows %v", regions)
	}
}

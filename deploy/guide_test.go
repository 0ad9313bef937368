package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/eyrie-sec/eyrie/asff"
)

const guide = "../docs/guide-aws.md"

// blocks returns the indented blocks of the guide that are commands, in order, and the headings they stand under.
func blocks(t *testing.T) (text, headings []string) {
	t.Helper()
	heading := ""
	for _, part := range strings.Split(string(read(t, guide)), "\n\n") {
		if h, ok := strings.CutPrefix(part, "## "); ok {
			heading = h
		}
		if !strings.HasPrefix(part, "    ") || strings.Contains(part, " --> ") {
			continue
		}
		var b strings.Builder
		for line := range strings.Lines(part) {
			b.WriteString(strings.TrimPrefix(line, "    "))
		}
		text, headings = append(text, b.String()+"\n"), append(headings, heading)
	}
	return text, headings
}

// known are the flags of the programs that do not run in the test, by command.
var known = map[string]string{
	"eksctl create cluster":  "-f",
	"eksctl delete cluster":  "--name --region --disable-nodegroup-eviction --wait",
	"kubectl apply":          "-f -k",
	"kubectl delete":         "-f -k --ignore-not-found",
	"kubectl rollout status": "-n",
	"kubectl exec":           "-n --",
	"kubectl logs":           "-n -l -c --tail",
	"helm repo add":          "",
	"helm upgrade":           "--install --version --namespace --create-namespace --values --set-file --set --wait",
	"helm uninstall":         "--namespace --ignore-not-found",
	"docker build":           "--platform -t",
	"docker login":           "--username --password-stdin",
	"docker push":            "",
	"go build":               "-tags -trimpath -o",
	"eyrie aws":              "", // `eyrie aws … --help` says
}

// stub notes its arguments, one call a line, words separated by U+001F.
const stub = `#!/bin/sh
{ printf '%s' "$(basename "$0")"; for a in "$@"; do printf '\037%s' "$a"; done; echo; } >> "$CALLS"
case "$*" in *--password-stdin*) cat > /dev/null ;; esac
`

// awsWrapper runs the real CLI against the fake endpoint. Commands that this version of the CLI does not have are noted.
const awsWrapper = `#!/bin/sh
"$REAL_AWS" --endpoint-url "$ENDPOINT" "$@" 2> "$CALLS.err"
status=$?
if [ $status -ne 0 ]; then
  if grep -q 'argument .*: Invalid choice' "$CALLS.err" && ! grep -q 'argument --' "$CALLS.err"; then
    printf 'unknown to this aws CLI: %s %s\n' "$1" "$2" >> "$CALLS.unknown"; exit 0
  fi
  cat "$CALLS.err" >&2
fi
exit $status
`

// eyrieWrapper runs the real eyrie, but what would speak to AWS only as far as its flags.
const eyrieWrapper = `#!/bin/sh
if [ "$1" = aws ]; then
  { printf eyrie; for a in "$@"; do printf '\037%s' "$a"; done; echo; } >> "$CALLS"
  exit 0
fi
exec "$REAL_EYRIE" "$@"
`

// answers are those of the fake AWS, by operation: JSON, or the inside of the result of a query protocol.
var answers = map[string]string{
	"GetCallerIdentity":        "<Account>111122223333</Account>",
	"GET /clusters/eyrie-demo": `{"cluster":{"identity":{"oidc":{"issuer":"https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE"}}}}`,
	"GetAuthorizationToken":    `{"authorizationData":[{"authorizationToken":"QVdTOnBhc3N3b3Jk","proxyEndpoint":"https://x"}]}`,
	"POST /findings":           `{"Findings":[{"Id":"falco/1","ProductArn":"arn:aws:securityhub:eu-central-1:111122223333:product/111122223333/default"}]}`,
	"GET /clusters/eyrie-demo/pod-identity-associations": `{"associations":[{"associationId":"a-1"}]}`,
	"FilterLogEvents":     `{"events":[]}`,
	"ListTaskDefinitions": `{"taskDefinitionArns":["arn:aws:ecs:eu-central-1:111122223333:task-definition/falco:1"]}`,
}

// fakeAWS answers every request, and notes operations and bodies.
type fakeAWS struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string][]string // bodies by operation
}

func newFakeAWS(t *testing.T) *fakeAWS {
	f := &fakeAWS{asked: map[string][]string{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

var queryAction = regexp.MustCompile(`(?:^|&)Action=([A-Za-z]+)`)

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	operation := r.Method + " " + r.URL.Path
	query := false
	if _, target, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		operation = target
	} else if m := queryAction.FindSubmatch(body); m != nil {
		operation, query = string(m[1]), true
	}
	f.mu.Lock()
	f.asked[operation] = append(f.asked[operation], string(body))
	f.mu.Unlock()
	answer := answers[operation]
	switch {
	case query:
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%s</%[1]sResult></%[1]sResponse>", operation, answer)
	case answer == "":
		fmt.Fprint(w, "{}")
	default:
		fmt.Fprint(w, answer)
	}
}

// stage is a place to run the guide in: a copy of deploy, and programs that do no harm.
type stage struct {
	dir string
	env []string
	aws *fakeAWS
}

func newStage(t *testing.T) *stage {
	t.Helper()
	aws, err := exec.LookPath("aws")
	if err != nil {
		const hint = "no aws command on PATH: install the AWS CLI (Debian: awscli) to run the guide"
		if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	s := &stage{dir: t.TempDir(), aws: newFakeAWS(t)}
	for _, name := range []string{"agent", "ecs", "eks", "example", "falco", "fluent-bit", "iam"} {
		if err := os.CopyFS(filepath.Join(s.dir, "deploy", name), os.DirFS(name)); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(t.TempDir(), "bin")
	eyrie := filepath.Join(bin, "real-eyrie")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", eyrie, "../cmd/eyrie").CombinedOutput(); err != nil {
		t.Fatalf("build eyrie: %v\n%s", err, out)
	}
	programs := map[string]string{"aws": awsWrapper, "eyrie": eyrieWrapper}
	for command := range known {
		if name, _, _ := strings.Cut(command, " "); name != "eyrie" {
			programs[name] = stub
		}
	}
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "CALLS="+filepath.Join(s.dir, "calls"), "REAL_AWS="+aws, "REAL_EYRIE="+eyrie,
		"ENDPOINT="+s.aws.URL, "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=x", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_CONFIG_FILE="+filepath.Join(s.dir, "none"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(s.dir, "none"), "USER=jo")
	return s
}

// run runs a script in the stage and returns what it printed.
func (s *stage) run(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", script)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\nof:\n%s", err, out, script)
	}
	return string(out)
}

// calls are the calls of the programs that only took note.
func (s *stage) calls(t *testing.T) (calls [][]string) {
	t.Helper()
	for line := range strings.Lines(string(read(t, filepath.Join(s.dir, "calls")))) {
		calls = append(calls, strings.Split(strings.TrimSuffix(line, "\n"), "\x1f"))
	}
	return calls
}

// TestGuide runs every block of the guide, in order, in one shell, as somebody who pastes them would. The aws CLI is real, and
// its endpoint a fake; eyrie is real where it needs no AWS; the files that are made are real. Other programs only note what
// they are asked, and their flags are compared with those that exist.
func TestGuide(t *testing.T) {
	s := newStage(t)
	text, headings := blocks(t)
	var script strings.Builder
	for i, b := range text {
		if strings.HasPrefix(headings[i], "10.") && i > 0 && !strings.HasPrefix(headings[i-1], "10.") {
			script.WriteString("cp -r . ../before-clean-up\n")
		}
		if strings.HasPrefix(headings[i], "8.") || strings.HasPrefix(headings[i], "7.") {
			b = strings.ReplaceAll(b, "| grep -F eyrie-example", "| cat") // the stub prints nothing that grep could find
		}
		script.WriteString(b)
	}
	out := s.run(t, script.String())
	for _, want := range []string{": ok, 0 warnings", " 0 failures; 1 of 1 rules fired"} {
		if !strings.Contains(out, want) {
			t.Errorf("eyrie did not say %q:\n%s", want, out)
		}
	}
	checkFinding(t, out)
	for _, call := range s.calls(t) {
		checkCall(t, s, call)
	}
	for _, span := range regexp.MustCompile("`(eyrie aws [^`]+)`|`(--[^`]+)` in step 3").FindAllStringSubmatch(string(read(t, guide)), -1) {
		command := strings.TrimSpace(span[1])
		if command == "" {
			command = "eyrie aws deploy " + span[2]
		}
		checkCall(t, s, strings.Fields(command))
	}
	checkMade(t, filepath.Join(filepath.Dir(s.dir), "before-clean-up"))
	checkMade(t, s.dir)
	s.checkAsked(t)
	if b, err := os.ReadFile(filepath.Join(s.dir, "calls.unknown")); err == nil {
		t.Logf("%s", b)
	}
}

// checkFinding checks what the guide's `eyrie convert` printed.
func checkFinding(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		var f asff.Finding
		if strings.HasPrefix(line, `{"SchemaVersion"`) && json.Unmarshal([]byte(line), &f) == nil {
			if f.Title != "Web content changed in a running container" || f.AwsAccountID != "123456789012" {
				t.Errorf("the finding is %q of account %s", f.Title, f.AwsAccountID)
			}
			return
		}
	}
	t.Errorf("no finding in:\n%s", out)
}

// checkCall checks that the flags of one call exist, and the files it names.
func checkCall(t *testing.T, s *stage, call []string) {
	t.Helper()
	line := strings.Join(call, " ")
	command := ""
	for c := range known {
		if strings.HasPrefix(line+" ", c+" ") && len(c) > len(command) {
			command = c
		}
	}
	if command == "" {
		t.Errorf("%s: no such command in the test's table", line)
		return
	}
	flags := strings.Fields(known[command])
	if command == "eyrie aws" {
		help := s.run(t, "\"$REAL_EYRIE\" "+call[1]+" "+call[2]+" --help")
		flags = regexp.MustCompile(`--[a-z-]+`).FindAllString(help, -1)
	}
	for i, word := range call {
		if word == "--" {
			break
		}
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(word, "-") && !slices.Contains(flags, flag) {
			t.Errorf("%s: no flag %s", line, flag)
		}
		if before := call[max(i-1, 0)]; before == "-f" || before == "-k" || before == "--values" || strings.Contains(word, "deploy/") && before == "--set-file" {
			path := word[strings.LastIndexByte(word, '=')+1:]
			if strings.HasPrefix(path, "deploy/") {
				if _, err := os.Stat(filepath.Join(s.dir, path)); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
	}
}

var placeholder = regexp.MustCompile(`\b(ACCOUNT_ID|REGION|CLUSTER|OIDC_PROVIDER)\b`)

// checkMade checks the files that the guide made of the templates in a stage.
func checkMade(t *testing.T, dir string) {
	t.Helper()
	found := 0
	for _, name := range []string{"cluster.yaml", "ship-logs.json", "trust.json", "task.json", "service.json", "deploy/fluent-bit/pod-identity/settings.env",
		"deploy/agent/pod-identity/settings.env", "deploy/agent/pod-identity/kustomization.yaml", "deploy/agent/irsa/role.yaml", "deploy/fluent-bit/irsa/role.yaml"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			continue // removed, or made later in the guide
		}
		if err != nil {
			t.Fatal(err)
		}
		found++
		if p := placeholder.FindString(string(b)); p != "" && !strings.HasSuffix(name, ".env") && !strings.HasSuffix(name, "role.yaml") {
			t.Errorf("%s still has %s:\n%s", name, p, b)
		}
		if strings.HasSuffix(name, ".json") && !json.Valid(b) {
			t.Errorf("%s is no JSON", name)
		}
		if strings.HasSuffix(name, ".env") && string(b) != "AWS_REGION=eu-central-1\nCLUSTER_NAME=eyrie-demo\nLOG_GROUP=/eyrie/falco\n" {
			t.Errorf("%s: %q", name, b)
		}
	}
	if found < 5 {
		t.Errorf("%d files were made in %s", found, dir)
	}
}

// checkAsked checks that AWS was asked for the right things.
func (s *stage) checkAsked(t *testing.T) {
	t.Helper()
	s.aws.mu.Lock()
	defer s.aws.mu.Unlock()
	for operation, want := range map[string]string{
		"CreateRole":                  "eyrie-shipper",
		"PutRolePolicy":               "logs%3ACreateLogStream",
		"DeleteRole":                  "eyrie-shipper",
		"DeleteRolePolicy":            "ship-alerts",
		"POST /findings":              `"GeneratorId": [{"Value": "falco/"`,
		"PATCH /findings/batchupdate": `"Workflow": {"Status": "RESOLVED"}`,
		"RegisterTaskDefinition":      `"arn:aws:iam::111122223333:role/eyrie-shipper"`,
		"CreateService":               `"cluster": "eyrie-demo"`,
	} {
		if !strings.Contains(strings.Join(s.aws.asked[operation], "\n"), want) {
			t.Errorf("%s was asked with %q, want %s", operation, s.aws.asked[operation], want)
		}
	}
	if t.Failed() {
		for operation := range s.aws.asked {
			t.Logf("asked: %s", operation)
		}
	}
}

// Package deploy_test reads what stands in this folder as the programs it is for would read it: Kubernetes, Fluent Bit, Helm
// charts, ECS, IAM, eksctl and Falco; and it runs the guide.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readYAML reads a file of one YAML document.
func readYAML(t testing.TB, path string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal(read(t, path), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// readJSON decodes a file into v and refuses members that v does not know.
func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(read(t, path)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// at returns what stands at a path of keys, or nil.
func at(v any, path ...string) any {
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// files are the paths below root, for which ok holds.
func files(t testing.TB, root string, ok func(path string) bool) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && ok(path) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestKubernetes runs the module check, which holds the manifests to Kubernetes' own validation.
func TestKubernetes(t *testing.T) {
	if os.Getenv("EYRIE_TEST_KUBERNETES") == "" {
		t.Skip("builds Kubernetes' validation (90 s of CPU the first time, and its modules from the network): set EYRIE_TEST_KUBERNETES=1")
	}
	for _, dir := range []string{"agent", "check", "example", "fluent-bit"} {
		for _, path := range files(t, dir, func(string) bool { return true }) {
			read(t, path) // a changed file makes the cached result of this test invalid
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", ".")
	cmd.Dir = "check"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestPodsFitTheirConfiguration holds what no validation of single objects sees.
func TestPodsFitTheirConfiguration(t *testing.T) {
	for _, name := range []string{"fluent-bit", "agent"} {
		dir := filepath.Join(name, "pod-identity")
		daemonSet := readYAML(t, filepath.Join(dir, "daemonset.yaml"))
		pod := at(daemonSet, "spec", "template", "spec")
		account := at(readYAML(t, filepath.Join(dir, "serviceaccount.yaml")), "metadata", "name")
		if got := at(pod, "serviceAccountName"); got != account || account != "eyrie-shipper" {
			t.Errorf("%s: the pod's service account is %v, the file's %v, the roles' eyrie-shipper", name, got, account)
		}
		if at(readYAML(t, filepath.Join(name, "irsa", "role.yaml")), "metadata", "name") != account {
			t.Errorf("%s: irsa/role.yaml is of another service account", name)
		}
		if at(pod, "hostNetwork") != true || at(pod, "dnsPolicy") != "ClusterFirstWithHostNet" {
			t.Errorf("%s: IMDSv2 with a hop limit of 1 is reached from the host's network alone", name)
		}
		containers, ok := at(pod, "containers").([]any)
		if !ok || len(containers) != 1 {
			t.Fatalf("%s: want one container", name)
		}
		c := containers[0]
		security := at(c, "securityContext")
		if at(security, "allowPrivilegeEscalation") != false || at(security, "readOnlyRootFilesystem") != true || at(security, "privileged") != nil {
			t.Errorf("%s: the container may more than it needs: %v", name, security)
		}
		for _, m := range at(c, "volumeMounts").([]any) {
			if at(m, "mountPath") == "/var/log" && at(m, "readOnly") != true {
				t.Errorf("%s: the node's logs are mounted for writing", name)
			}
		}
		// Every variable that the configuration or the arguments use is set.
		set := map[string]bool{"NODE_NAME": true}
		for line := range strings.Lines(string(read(t, filepath.Join(dir, "settings.env")))) {
			key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if !ok || value == "" {
				t.Errorf("%s: settings.env: %q", name, line)
			}
			set[key] = true
		}
		text := string(read(t, filepath.Join(dir, "daemonset.yaml")))
		if conf, err := os.ReadFile(filepath.Join(dir, "fluent-bit.conf")); err == nil {
			text += string(conf)
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		used := 0
		for _, start := range []string{"${", "$("} {
			for _, part := range strings.Split(text, start)[1:] {
				variable := part[:strings.IndexAny(part, "})")]
				if used++; !set[variable] {
					t.Errorf("%s: %s is used and not set", name, variable)
				}
			}
		}
		if used < 4 {
			t.Errorf("%s: %d variables are used, want Region, cluster, log group and node", name, used)
		}
	}
}

package deploy_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// section is a part of a Fluent Bit configuration in the classic format.
type section struct {
	kind string
	keys map[string][]string // by their names in lower case
}

func (s section) get(key string) string {
	if v := s.keys[strings.ToLower(key)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// parseClassic reads Fluent Bit's classic format: sections in brackets, indented keys, the rest of the line is the value.
func parseClassic(text string) (sections []section, err error) {
	for n, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case strings.HasPrefix(line, "["):
			kind, ok := strings.CutSuffix(strings.TrimPrefix(trimmed, "["), "]")
			if !ok {
				return nil, fmt.Errorf("line %d: %q has no ]", n+1, line)
			}
			sections = append(sections, section{kind, map[string][]string{}})
		case !strings.HasPrefix(line, " "):
			return nil, fmt.Errorf("line %d: %q is not indented", n+1, line)
		case len(sections) == 0:
			return nil, fmt.Errorf("line %d: %q is in no section", n+1, line)
		default:
			key, value, _ := strings.Cut(trimmed, " ")
			key, value = strings.ToLower(key), strings.TrimSpace(value)
			if value == "" {
				return nil, fmt.Errorf("line %d: %s has no value", n+1, key)
			}
			keys := sections[len(sections)-1].keys
			keys[key] = append(keys[key], value)
		}
	}
	return sections, nil
}

// knownKeys are the keys of Fluent Bit 4.1 (its manual, "Data pipeline" and "Administration"), as far as they are of use here.
// A key may occur once unless it is in manyTimes.
var knownKeys = map[string]string{
	"SERVICE":         "flush grace log_level daemon http_server http_listen http_port health_check hc_period hc_errors_count storage.path storage.sync storage.checksum storage.max_chunks_up storage.backlog.mem_limit storage.metrics parsers_file",
	"tail":            "name tag path exclude_path multiline.parser parser db db.sync db.locking read_from_head refresh_interval rotate_wait buffer_chunk_size buffer_max_size skip_long_lines skip_empty_lines storage.type storage.pause_on_chunks_overlimit mem_buf_limit",
	"grep":            "name match regex exclude logical_op",
	"record_modifier": "name match record remove_key allowlist_key",
	"kubernetes":      "name match kube_url kube_tag_prefix merge_log merge_log_key merge_log_trim keep_log labels annotations namespace_labels k8s-logging.parser k8s-logging.exclude buffer_size use_kubelet",
	"aws":             "name match imds_version az ec2_instance_id ec2_instance_type account_id tags_enabled",
	"cloudwatch_logs": "name match region log_group_name log_stream_name log_stream_prefix log_group_template log_stream_template log_key log_format role_arn auto_create_group log_retention_days endpoint retry_limit auto_retry_requests workers storage.total_limit_size",
}

var manyTimes = []string{"regex", "exclude", "record", "remove_key"}

var pluginsOf = map[string][]string{
	"INPUT": {"tail"}, "FILTER": {"grep", "record_modifier", "kubernetes", "aws"}, "OUTPUT": {"cloudwatch_logs"},
}

// problems returns what is wrong with a configuration.
func problems(sections []section) (found []string) {
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	var tags, outputs []string
	for _, s := range sections {
		table := s.kind
		if s.kind != "SERVICE" {
			if table = s.get("name"); !slices.Contains(pluginsOf[s.kind], table) {
				say("%s: no plugin %q", s.kind, table)
				continue
			}
		}
		for key, values := range s.keys {
			if !slices.Contains(strings.Fields(knownKeys[table]), key) {
				say("%s: no key %q", table, key)
			}
			if len(values) > 1 && !slices.Contains(manyTimes, key) {
				say("%s: %q stands there %d times", table, key, len(values))
			}
		}
		switch s.kind {
		case "INPUT":
			tags = append(tags, s.get("tag"))
		case "OUTPUT":
			outputs = append(outputs, s.get("match"))
		}
		if s.kind == "FILTER" && !slices.Contains(tags, s.get("match")) {
			say("filter %s matches %q, which no input has", table, s.get("match"))
		}
	}
	for _, tag := range tags {
		if !slices.Contains(outputs, tag) {
			say("what is tagged %q reaches no output", tag)
		}
	}
	if len(tags) == 0 {
		say("no input")
	}
	return found
}

func fluentBit(t *testing.T) []section {
	t.Helper()
	sections, err := parseClassic(string(read(t, "fluent-bit/pod-identity/fluent-bit.conf")))
	if err != nil {
		t.Fatal(err)
	}
	return sections
}

func TestFluentBit(t *testing.T) {
	sections := fluentBit(t)
	for _, p := range problems(sections) {
		t.Error(p)
	}
	plugin := func(name string) section {
		i := slices.IndexFunc(sections, func(s section) bool { return s.get("name") == name || s.kind == name })
		if i < 0 {
			t.Fatalf("no %s", name)
		}
		return sections[i]
	}
	state := "/var/lib/fluent-bit/" // where the DaemonSet mounts a folder of the node
	for _, want := range []struct{ plugin, key, value, why string }{
		{"SERVICE", "storage.path", state + "storage", "chunks wait on the node's disk"},
		{"SERVICE", "storage.sync", "full", "what was read is synced"},
		{"SERVICE", "http_listen", "127.0.0.1", "on the host's network it must not be reached from outside"},
		{"tail", "storage.type", "filesystem", "chunks wait on the node's disk"},
		{"tail", "storage.pause_on_chunks_overlimit", "On", "reading stops rather than that chunks are dropped"},
		{"tail", "db", state + "falco.db", "positions survive a restart"},
		{"tail", "read_from_head", "On", "what was written before the first start counts"},
		{"tail", "multiline.parser", "cri", "long alerts are in parts of 16 KiB"},
		{"aws", "imds_version", "v2", "instances may refuse IMDSv1"},
		{"kubernetes", "merge_log", "On", "the alert's members stand at the top"},
		{"kubernetes", "keep_log", "Off", "the alert stands there once"},
		{"cloudwatch_logs", "log_stream_name", "${NODE_NAME}", "one stream a node"},
		{"cloudwatch_logs", "auto_create_group", "Off", "it has no right to"},
		{"cloudwatch_logs", "retry_limit", "no_limits", "nothing is given up"},
	} {
		if got := plugin(want.plugin).get(want.key); got != want.value {
			t.Errorf("%s %s is %q, want %q: %s", want.plugin, want.key, got, want.value, want.why)
		}
	}
	if plugin("cloudwatch_logs").get("storage.total_limit_size") != "" {
		t.Error("storage.total_limit_size makes Fluent Bit drop the oldest chunks")
	}
	// The tag of a file is its path with dots; the Kubernetes filter takes the prefix off to find the pod's name.
	tail := plugin("tail")
	prefix := strings.TrimSuffix(tail.get("tag"), "*") + strings.ReplaceAll(strings.TrimPrefix(filepath.Dir(tail.get("path")), "/"), "/", ".") + "."
	if got := plugin("kubernetes").get("kube_tag_prefix"); got != prefix {
		t.Errorf("kube_tag_prefix %q, but tags begin with %q", got, prefix)
	}
	// The alert's own "time" must be the only one.
	if removed := plugin("record_modifier").keys["remove_key"]; !slices.Equal(removed, []string{"time", "stream", "_p"}) {
		t.Errorf("removed before the alert is merged: %q", removed)
	}
	order := func(name string) int {
		return slices.IndexFunc(sections, func(s section) bool { return s.get("name") == name })
	}
	if order("grep") > order("record_modifier") || order("record_modifier") > order("kubernetes") {
		t.Error("filters run in their order: grep, record_modifier, kubernetes")
	}
	alert := regexp.MustCompile(strings.TrimPrefix(plugin("grep").get("regex"), "log "))
	for line, want := range map[string]bool{`{"rule":"r"}`: true, ` {"rule":"r"}`: true, "Sat Nov 21: Falco version {x}": false, "": false} {
		if alert.MatchString(line) != want {
			t.Errorf("the filter lets %q through: %t, want %t", line, !want, want)
		}
	}
}

// TestFluentBitLogFiles: Falco's container is followed, its neighbours in the pod and elsewhere are not.
func TestFluentBitLogFiles(t *testing.T) {
	var pattern string
	for _, s := range fluentBit(t) {
		if s.kind == "INPUT" {
			pattern = filepath.Base(s.get("path"))
		}
	}
	if agent := string(read(t, "agent/pod-identity/daemonset.yaml")); !strings.Contains(agent, "--from=/var/log/containers/"+pattern+"\n") {
		t.Errorf("the agent follows other files than %s", pattern)
	}
	for name, want := range map[string]bool{
		"falco-7xk2p_falco_falco-0123abcd.log":                    true,
		"falco-7xk2p_falco_falcoctl-artifact-follow-0123abcd.log": false,
		"falco-falcosidekick-1_falco_falcosidekick-01.log":        false,
		"falco-7xk2p_other_falco-0123abcd.log":                    false,
		"eyrie-fluent-bit-abc_falco_fluent-bit-01.log":            false,
	} {
		if got, err := filepath.Match(pattern, name); err != nil || got != want {
			t.Errorf("%s matches %s: %t, want %t", pattern, name, got, want)
		}
	}
}

// TestFluentBitMistakesAreFound: the checks above can fail.
func TestFluentBitMistakesAreFound(t *testing.T) {
	text := string(read(t, "fluent-bit/pod-identity/fluent-bit.conf"))
	for name, change := range map[string][2]string{
		"plugin":       {"Name                tail", "Name tial"},
		"key":          {"Keep_Log ", "Keep_Logs "},
		"twice":        {"Keep_Log ", "Merge_Log "},
		"match":        {"Match             falco.*", "Match falcon.*"},
		"filter match": {"Name  grep\n    Match falco.*", "Name  grep\n    Match kube.*"},
		"section":      {"[OUTPUT]", "[OUTPUTS]"},
		"bracket":      {"[OUTPUT]", "[OUTPUT"},
		"no value":     {"Keep_Log            Off", "Keep_Log"},
		"indentation":  {"    Keep_Log", "Keep_Log"},
	} {
		changed := strings.Replace(strings.Replace(text, "Name                              tail", "Name                tail", 1), change[0], change[1], 1)
		if !strings.Contains(changed, change[1]) {
			t.Errorf("%s: nothing to change", name)
		}
		if sections, err := parseClassic(changed); err == nil && len(problems(sections)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

// chartKeys are the top-level values of the chart fluent/fluent-bit 0.4x that are used, and our own.
var fluentBitChartKeys = strings.Fields(`image testFramework serviceAccount hostNetwork dnsPolicy priorityClassName terminationGracePeriodSeconds tolerations
	podSecurityContext securityContext resources metricsPort livenessProbe readinessProbe env envWithTpl daemonSetVolumes daemonSetVolumeMounts config eyrie`)

// TestFluentBitValues: the values for the Helm chart hold the same configuration, and the same rights.
func TestFluentBitValues(t *testing.T) {
	values := readYAML(t, "fluent-bit/values.yaml")
	for key := range values {
		if !slices.Contains(fluentBitChartKeys, key) {
			t.Errorf("the chart has no value %q", key)
		}
	}
	config, ok := values["config"].(map[string]any)
	if !ok {
		t.Fatal("no config")
	}
	var text string
	for _, key := range []string{"service", "inputs", "filters", "outputs"} {
		part, ok := config[key].(string)
		if !ok {
			t.Errorf("no config.%s", key)
		}
		text += part + "\n"
	}
	got, err := parseClassic(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, fluentBit(t), cmp.AllowUnexported(section{})); diff != "" {
		t.Errorf("values.yaml and fluent-bit.conf differ (-values +conf):\n%s", diff)
	}
	daemonSet := readYAML(t, "fluent-bit/pod-identity/daemonset.yaml")
	pod := at(daemonSet, "spec", "template", "spec")
	container := at(pod, "containers").([]any)[0]
	for key, want := range map[string]any{
		"hostNetwork": at(pod, "hostNetwork"), "dnsPolicy": at(pod, "dnsPolicy"), "tolerations": at(pod, "tolerations"),
		"priorityClassName": at(pod, "priorityClassName"), "podSecurityContext": at(pod, "securityContext"),
		"securityContext": at(container, "securityContext"), "resources": at(container, "resources"), "env": at(container, "env"),
	} {
		if diff := cmp.Diff(values[key], want); diff != "" {
			t.Errorf("%s differs from daemonset.yaml (-values +daemonset):\n%s", key, diff)
		}
	}
	service := got[slices.IndexFunc(got, func(s section) bool { return s.kind == "SERVICE" })]
	for where, port := range map[string]any{"values.yaml": values["metricsPort"], "daemonset.yaml": at(container, "readinessProbe", "httpGet", "port")} {
		if fmt.Sprint(port) != service.get("http_port") {
			t.Errorf("%s asks for health at port %v, Fluent Bit answers at %s", where, port, service.get("http_port"))
		}
	}
	if image := fmt.Sprint(at(container, "image")); !strings.HasSuffix(image, ":"+fmt.Sprint(at(values, "image", "tag"))) {
		t.Errorf("image %s, but tag %v", image, at(values, "image", "tag"))
	}
}

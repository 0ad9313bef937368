package deploy_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/rulecmd"
)

type keys = map[string]any

// falcoDefaults are the settings of falco.yaml of Falco 0.44 that are used here, with a value of their type.
var falcoDefaults = keys{
	"json_output": false, "json_include_output_property": true, "json_include_output_fields_property": true,
	"json_include_tags_property": true, "json_include_message_property": false, "buffered_outputs": false, "priority": "debug",
	"stdout_output": keys{"enabled": true}, "append_output": []any{}, "engine": keys{"kind": "modern_ebpf"},
	"http_output": keys{"enabled": false, "url": "", "insecure": false, "echo": false, "keep_alive": false},
}

// falcoChart are the values of the chart falcosecurity/falco 9.1 that are used here.
var falcoChart = keys{
	"driver":      keys{"kind": "auto", "modernEbpf": keys{"leastPrivileged": false}},
	"collectors":  keys{"kubernetes": keys{"enabled": false}},
	"falco":       falcoDefaults,
	"tolerations": []any{},
	"resources":   keys{"requests": keys{"cpu": "", "memory": ""}, "limits": keys{"memory": ""}},
}

// unknown returns the paths in values that known does not have, or has as another type.
func unknown(values, known map[string]any, path string) (found []string) {
	for key, value := range values {
		at := path + key
		want, ok := known[key]
		switch {
		case !ok:
			found = append(found, at+" is not known")
		case fmt.Sprintf("%T", value) != fmt.Sprintf("%T", want):
			found = append(found, fmt.Sprintf("%s is %T, want %T", at, value, want))
		}
		if below, ok := value.(map[string]any); ok {
			if next, ok := want.(map[string]any); ok {
				found = append(found, unknown(below, next, at+".")...)
			}
		}
	}
	return found
}

// checkFields checks that Falco's rule language has every field.
func checkFields(t *testing.T, fields []string) {
	t.Helper()
	if len(fields) < 10 {
		t.Errorf("%d fields, want those that findings show", len(fields))
	}
	for _, name := range fields {
		if err := field(name); err != nil {
			t.Errorf("field %s: %v", name, err)
		}
	}
}

// field says whether Falco's rule language has a field.
func field(name string) error {
	text := "- rule: r\n  desc: d\n  condition: evt.type = open and " + name + " exists\n  output: x\n  priority: ERROR\n"
	_, report := rule.Load([]rule.File{{Name: "r.yaml", Content: []byte(text)}}, rule.LoadOptions{})
	return report.Err()
}

// TestFalcoMistakesAreFound: the checks of this file can fail.
func TestFalcoMistakesAreFound(t *testing.T) {
	if field("container.image.repo") == nil {
		t.Error("a field that does not exist is not found")
	}
	wrong := keys{"driver": keys{"kinds": "modern_ebpf"}, "falco": keys{"json_output": "true"}, "tolerations": []any{}}
	if found := unknown(wrong, falcoChart, ""); len(found) != 2 {
		t.Errorf("found %q, want a key and a type", found)
	}
}

func TestFalcoValues(t *testing.T) {
	values, http := readYAML(t, "falco/values.yaml"), readYAML(t, "falco/values-http.yaml")
	for name, v := range map[string]map[string]any{"values.yaml": values, "values-http.yaml": http} {
		for _, p := range unknown(v, falcoChart, "") {
			t.Errorf("%s: %s", name, p)
		}
	}
	for _, key := range []string{"json_output", "json_include_output_property", "json_include_output_fields_property", "json_include_tags_property"} {
		if at(values, "falco", key) != true {
			t.Errorf("%s is not on", key)
		}
	}
	if at(values, "falco", "stdout_output", "enabled") != true || at(values, "falco", "buffered_outputs") != false {
		t.Error("alerts do not go to standard output at once")
	}
	var fields []string
	for _, o := range at(values, "falco", "append_output").([]any) {
		list, _ := at(o, "extra_fields").([]any)
		for _, f := range list {
			fields = append(fields, f.(string))
		}
	}
	checkFields(t, fields)
	for _, shown := range []string{"proc.exepath", "container.id", "container.image.repository", "k8s.ns.name", "k8s.pod.name", "fd.name"} {
		if !slices.Contains(fields, shown) {
			t.Errorf("%s tells findings apart and is not among the fields", shown)
		}
	}
	if url := at(http, "falco", "http_output", "url"); at(http, "falco", "http_output", "enabled") != true || !strings.Contains(fmt.Sprint(url), "/falco/KEY?cluster=") {
		t.Errorf("http_output is off or goes to %v", url)
	}
}

// TestCustomRules: the example loads as Falco loads it, and its test fires the rule and leaves the rest alone.
func TestCustomRules(t *testing.T) {
	read(t, "falco/custom-rules.test")
	loaded, err := rulecmd.ReadFiles([]string{"falco/custom-rules.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if ok, err := rulecmd.Check(rulecmd.Output{W: &out}, loaded); err != nil || !ok || !strings.Contains(out.String(), " 0 warnings") {
		t.Errorf("check: %v\n%s", err, out.String())
	}
	out.Reset()
	if ok, err := rulecmd.Test(rulecmd.Output{W: &out}, []string{"falco/custom-rules.test"}, nil); err != nil || !ok || strings.Contains(out.String(), "never:") {
		t.Errorf("test: %v\n%s", err, out.String())
	}
}

// eksctlConfig are the members of eksctl.io/v1alpha5 ClusterConfig that are used here.
var eksctlConfig = keys{
	"apiVersion": "", "kind": "",
	"metadata": keys{"name": "", "region": ""},
	"iam":      keys{"withOIDC": true},
	"addons":   []any{},
	"managedNodeGroups": []any{keys{"name": "", "amiFamily": "", "instanceType": "", "desiredCapacity": 0, "volumeSize": 0,
		"volumeEncrypted": true, "disableIMDSv1": true, "disablePodIMDS": true}},
	"cloudWatch": keys{"clusterLogging": keys{"enableTypes": []any{}}},
}

func TestEksctl(t *testing.T) {
	cluster := readYAML(t, "eks/cluster.yaml")
	found := unknown(cluster, eksctlConfig, "")
	groups, ok := cluster["managedNodeGroups"].([]any)
	if !ok || len(groups) != 1 {
		t.Fatal("want one node group")
	}
	group := groups[0].(map[string]any)
	found = append(found, unknown(group, eksctlConfig["managedNodeGroups"].([]any)[0].(map[string]any), "managedNodeGroups.")...)
	for _, p := range found {
		t.Error(p)
	}
	if cluster["apiVersion"] != "eksctl.io/v1alpha5" || cluster["kind"] != "ClusterConfig" {
		t.Errorf("%v %v", cluster["apiVersion"], cluster["kind"])
	}
	if group["disableIMDSv1"] != true || group["disablePodIMDS"] != true || group["volumeEncrypted"] != true || group["amiFamily"] != "AmazonLinux2023" {
		t.Errorf("node group %v", group)
	}
	var addons []string
	for _, a := range cluster["addons"].([]any) {
		addons = append(addons, fmt.Sprint(at(a, "name")))
	}
	for _, want := range []string{"vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent"} {
		if !slices.Contains(addons, want) {
			t.Errorf("add-on %s is missing; with a list of add-ons eksctl installs no others", want)
		}
	}
	if at(cluster, "iam", "withOIDC") != true {
		t.Error("IRSA needs withOIDC")
	}
}

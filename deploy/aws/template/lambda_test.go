package template_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/deploy/aws/cfntest"
	spec "github.com/eyrie-sec/eyrie/internal/lambdaspec"
)

var testTime = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// TestLeastPrivilege: the role allows exactly the calls that the function makes and Lambda makes for it, on exactly the
// resources that they are made on. The function's own tests compare lambdaspec with what it calls.
func TestLeastPrivilege(t *testing.T) {
	resources := map[spec.Resource]string{
		spec.AnyResource:     "*",
		spec.Product:         "arn:aws:securityhub:eu-central-1:111122223333:product/111122223333/default",
		spec.Hub:             "arn:aws:securityhub:eu-central-1:111122223333:hub/default",
		spec.ECSTasks:        "arn:aws:ecs:eu-central-1:111122223333:task/*",
		spec.QuarantineQueue: "arn:aws:sqs:eu-central-1:111122223333:eyrie-quarantine",
		spec.DeadLetterQueue: "arn:aws:sqs:eu-central-1:111122223333:eyrie-dead-letters",
		spec.OwnLogGroup:     "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/eyrie:*",
	}
	var want []string
	for _, a := range spec.Actions() {
		on, ok := resources[a.Resource]
		if !ok {
			t.Fatalf("%s: no resource is known for %q", a.Action, a.Resource)
		}
		want = append(want, a.Action+" on "+on)
	}
	slices.Sort(want)
	if diff := cmp.Diff(slices.Compact(want), permissions(t)); diff != "" {
		t.Errorf("the role differs from what the function calls, -calls +role:\n%s", diff)
	}
}

// TestTrust: only Lambda may take on the role.
func TestTrust(t *testing.T) {
	want := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}}}
	if diff := cmp.Diff(want, evaluate(t, home(), "eu-central-1")["Role"].Properties["AssumeRolePolicyDocument"]); diff != "" {
		t.Error(diff)
	}
}

// TestEnvironment: the function is given variables that it knows, those that it must have, and its own defaults.
func TestEnvironment(t *testing.T) {
	given := evaluate(t, map[string]string{"CodeBucketPrefix": "x-1", "CodeKey": "k", "HomeRegion": "eu-central-1"}, "eu-central-1")["Function"].
		Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
	known := map[string]bool{}
	for _, v := range spec.Variables() {
		known[v.Name] = true
		got, there := given[v.Name].(string)
		if v.Required && got == "" {
			t.Errorf("the function must have %s", v.Name)
		}
		if there && v.Default != "" && v.Name != spec.MetricsNamespace && got != v.Default {
			t.Errorf("%s is %q by default, the function's own default is %q", v.Name, got, v.Default)
		}
	}
	for _, name := range cfntest.Names(given) {
		if !known[name] {
			t.Errorf("the function does not know %s", name)
		}
	}
}

// TestTasks: what the schedule sends is a task that the function does.
func TestTasks(t *testing.T) {
	target := evaluate(t, home(), "eu-central-1")["Maintain"].Properties["Targets"].([]any)[0].(map[string]any)
	if got, want := target["Input"], `{"task":"`+spec.TaskMaintain+`"}`; got != want {
		t.Errorf("the schedule sends %v, want %s", got, want)
	}
}

// TestMetrics: alarms and dashboard use metrics that are written, with dimensions that they are written with.
func TestMetrics(t *testing.T) {
	resources := evaluate(t, home(), "eu-central-1")
	written := map[string]bool{"SevereAlerts ": true} // by the metric filter
	for _, m := range spec.Metrics() {
		for _, d := range m.Dimensions {
			written[m.Name+" "+strings.Join(d, ",")] = true
		}
	}
	used := map[string]bool{}
	for _, r := range resources {
		alarmMetrics(r.Properties, used)
	}
	body := resources["Dashboard"].Properties["DashboardBody"].(string)
	for m := range written {
		name, dimension, _ := strings.Cut(m, " ")
		if strings.Contains(body, `["Eyrie/eyrie", "`+name+`", {`) && dimension == "" ||
			strings.Contains(body, `{Eyrie/eyrie,`+dimension+`} MetricName=\"`+name+`\"`) {
			used["dashboard: "+m] = true
		}
	}
	for _, m := range []string{"Alerts Priority", "Alerts Rule", "Alerts Cluster", "Lag ", "Findings ", "Quarantined ", "Folded ", "Retries "} {
		if !used["dashboard: "+m] {
			t.Errorf("the dashboard does not show %q", m)
		}
	}
	if n := strings.Count(body, "Eyrie/eyrie"); n != 9 {
		t.Errorf("the dashboard has %d metrics of ours, 9 are looked at here", n)
	}
	for _, m := range []string{"Lag ", "SevereAlerts ", "Alerts Priority"} {
		if !used[m] {
			t.Errorf("no alarm uses %q", m)
		}
	}
	for m := range used {
		if !strings.HasPrefix(m, "dashboard: ") && !written[m] {
			t.Errorf("an alarm uses %q, which nobody writes", m)
		}
	}
}

// alarmMetrics finds the metrics of namespace Eyrie/eyrie in alarms, as "NAME DIMENSIONS".
func alarmMetrics(v any, used map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["MetricName"].(string); ok && v["Namespace"] == "Eyrie/eyrie" {
			var dimensions []string
			given, _ := v["Dimensions"].([]any)
			for _, d := range given {
				dimensions = append(dimensions, d.(map[string]any)["Name"].(string))
			}
			used[name+" "+strings.Join(dimensions, ",")] = true
		}
		for _, e := range v {
			alarmMetrics(e, used)
		}
	case []any:
		for _, e := range v {
			alarmMetrics(e, used)
		}
	}
}

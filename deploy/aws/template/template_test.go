package template_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/deploy/aws/cfntest"
	"github.com/eyrie-sec/eyrie/deploy/aws/template"
	"github.com/eyrie-sec/eyrie/falco"
)

var update = flag.Bool("update", false, "rewrite the golden summary")

func parse(t *testing.T, body string) *cfntest.Template {
	t.Helper()
	parsed, err := cfntest.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// home are the parameters of a home Region that makes everything there is to make.
func home() map[string]string {
	return map[string]string{"CodeBucketPrefix": "eyrie-111122223333", "CodeKey": "eyrie-lambda/eyrie/5e6e-arm64.zip", "HomeRegion": "eu-central-1",
		"ReopenRule": "true", "Aggregate": "true", "LinkedRegions": "us-east-1,eu-west-1", "LogKmsKeyArn": "arn:aws:kms:eu-central-1:111122223333:key/5e6e",
		"AlarmEmail1": "a@example.com", "AlarmEmail2": "b@example.com", "AlarmEmail3": "c@example.com", "AlarmEmail4": "d@example.com", "AlarmEmail5": "e@example.com",
		"ReservedConcurrency": "2", "CallsPerSecond": "5", "CallsBurst": "15"}
}

func evaluate(t *testing.T, params map[string]string, region string) map[string]cfntest.Evaluated {
	t.Helper()
	resources, _, err := parse(t, template.Eyrie()).Evaluate(params, cfntest.Pseudo("111122223333", region, "eyrie"))
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

// TestReferences: every Ref, GetAtt, Sub, Condition, FindInMap and DependsOn leads somewhere that exists under the same
// conditions, nothing is declared in vain, and CloudFormation's limits hold.
func TestReferences(t *testing.T) {
	for name, body := range map[string]string{"eyrie.yaml": template.Eyrie(), "organization.yaml": template.Organization()} {
		for _, problem := range parse(t, body).Check() {
			t.Errorf("%s: %s", name, problem)
		}
		if len(body) > template.MaxBody {
			t.Errorf("%s has %d bytes, over %d: it could not be sent in a request", name, len(body), template.MaxBody)
		}
	}
}

// TestConditions evaluates the template under every combination of its switches.
func TestConditions(t *testing.T) {
	switches := []string{"EnableSecurityHub", "CreateLogGroup", "Aggregate", "ReopenRule", "Heartbeat"}
	for bits := range 1 << (len(switches) + 1) {
		params := map[string]string{"CodeBucketPrefix": "x-1", "CodeKey": "k", "HomeRegion": "eu-central-1"}
		for i, s := range switches {
			params[s] = fmt.Sprint(bits>>i&1 == 1)
		}
		region := "eu-central-1"
		if bits>>len(switches)&1 == 1 {
			region = "us-gov-west-1"
		}
		resources := evaluate(t, params, region)
		for name, want := range map[string]bool{
			template.Hub: params["EnableSecurityHub"] == "true", template.AlertsLogGroup: params["CreateLogGroup"] == "true",
			template.ReopenRule: params["ReopenRule"] == "true", template.Aggregator: params["Aggregate"] == "true" && region == "eu-central-1",
			"FindingsByRule": region == "eu-central-1", "Email1": false, "Function": true,
		} {
			if _, there := resources[name]; there != want {
				t.Errorf("%v in %s: %s is there: %v, want %v", params, region, name, there, want)
			}
		}
	}
}

// TestKeptResources: what Destroy says it keeps is what the template retains, and nothing else.
func TestKeptResources(t *testing.T) {
	for name, r := range parse(t, template.Eyrie()).Resources {
		kept := name == template.Hub || name == template.AlertsLogGroup
		if got := strings.HasPrefix(r.DeletionPolicy, "Retain"); got != kept {
			t.Errorf("%s has DeletionPolicy %q; it should be kept: %v", name, r.DeletionPolicy, kept)
		}
		// What a failed creation made goes, or the next try finds it in its way.
		if kept && (r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" || !cfntest.Tagged(r.Type)) {
			t.Errorf("%s: DeletionPolicy %s, UpdateReplacePolicy %s", name, r.DeletionPolicy, r.UpdateReplacePolicy)
		}
	}
}

// TestOrganizationParameters: the stack set gives parameters that the template of a Region has, and those it must have.
func TestOrganizationParameters(t *testing.T) {
	region, org := parse(t, template.Eyrie()), parse(t, template.Organization())
	resources, _, err := org.Evaluate(map[string]string{"TemplateURL": "https://b.s3.eu-central-1.amazonaws.com/k", "CodeBucketPrefix": "eyrie-1", "CodeKey": "k",
		"OrganizationalUnits": "ou-ab12-cdefghij", "Regions": "eu-central-1,us-east-1", "HomeRegion": "eu-central-1"}, cfntest.Pseudo("111122223333", "eu-central-1", "eyrie"))
	if err != nil {
		t.Fatal(err)
	}
	params := map[string]string{}
	for _, p := range resources["Accounts"].Properties["Parameters"].([]any) {
		m := p.(map[string]any)
		params[m["ParameterKey"].(string)] = fmt.Sprint(m["ParameterValue"])
	}
	made, _, err := region.Evaluate(params, cfntest.Pseudo("444455556666", "us-east-1", "StackSet-eyrie-accounts-5e6e5e6e-1111-2222-3333-444455556666"))
	if err != nil {
		t.Fatalf("the parameters of the stack set: %v", err)
	}
	if _, there := made[template.Hub]; there {
		t.Error("Security Hub is enabled in accounts where the organisation does that")
	}
	// StackSets make a stack's name of the set's and a UUID; names made of it must fit.
	for name, limit := range map[string]int{"Function": 64} {
		if n := len(made[name].Ref); n > limit {
			t.Errorf("%s is named with %d characters, over %d: %s", name, n, limit, made[name].Ref)
		}
	}
	for _, shared := range []string{"AlarmPriority", "SeverityMap", "Architecture"} {
		if diff := cmp.Diff(region.Parameters[shared].AllowedValues, org.Parameters[shared].AllowedValues); diff != "" {
			t.Errorf("%s: %s", shared, diff)
		}
	}
}

// TestSeverePattern: the metric filter and the expression of each AlarmPriority name that priority and those above it.
func TestSeverePattern(t *testing.T) {
	parsed := parse(t, template.Eyrie())
	for _, allowed := range parsed.Parameters["AlarmPriority"].AllowedValues {
		name := allowed.(string)
		entry := parsed.Mappings["AtOrAbove"][name]
		if name == "None" {
			continue
		}
		threshold, ok := falco.ParsePriority(name)
		if !ok {
			t.Fatalf("%s is no priority", name)
		}
		var terms, ids []string
		for p := falco.Priority(0); p <= threshold; p++ {
			terms = append(terms, fmt.Sprintf("($.priority = %q)", p))
			ids = append(ids, strings.ToLower(p.String()))
		}
		for p := falco.Priority(0); p <= threshold; p++ {
			terms = append(terms, fmt.Sprintf("($.log.priority = %q)", p))
		}
		if got, want := entry["Pattern"], "{ "+strings.Join(terms, " || ")+" }"; got != want {
			t.Errorf("%s: pattern\n%s\nwant\n%s", name, got, want)
		}
		if got, want := entry["Expression"], "MAX([seen, "+strings.Join(ids, ", ")+"])"; got != want {
			t.Errorf("%s: expression %s, want %s", name, got, want)
		}
		if n := len(entry["Pattern"].(string)); n > 1024 { // API reference, PutMetricFilter
			t.Errorf("%s: the pattern has %d characters, over 1,024", name, n)
		}
	}
}

// TestServiceLimits: limits of the services that CloudFormation only finds out about while it works.
func TestServiceLimits(t *testing.T) {
	filters, alarmPeriods := 0, []string{}
	for name, r := range evaluate(t, home(), "eu-central-1") {
		properties, err := json.Marshal(r.Properties)
		if err != nil {
			t.Fatal(err)
		}
		switch r.Type {
		case "AWS::IAM::Role":
			policy, _ := json.Marshal(r.Properties["Policies"])
			if len(policy) > 10_240 { // IAM User Guide, "IAM and AWS STS quotas": inline policies of a role
				t.Errorf("%s: the policy has %d characters", name, len(policy))
			}
		case "AWS::CloudWatch::Dashboard":
			var body struct {
				Widgets []struct{ X, Y, Width, Height int }
			}
			if err := json.Unmarshal([]byte(r.Properties["DashboardBody"].(string)), &body); err != nil {
				t.Errorf("the dashboard's body: %v", err)
			}
			for i, w := range body.Widgets {
				if w.Width < 1 || w.X+w.Width > 24 { // CloudWatch API reference, "Dashboard Body Structure and Syntax"
					t.Errorf("widget %d: x %d, width %d", i, w.X, w.Width)
				}
			}
			if len(body.Widgets) != 7 {
				t.Errorf("%d widgets", len(body.Widgets))
			}
		case "AWS::CloudWatch::Alarm":
			if metrics, ok := r.Properties["Metrics"].([]any); ok && len(metrics) > 10 { // CloudWatch User Guide, "CloudWatch service quotas"
				t.Errorf("%s: %d metrics", name, len(metrics))
			}
			if r.Properties["AlarmActions"] == nil || r.Properties["TreatMissingData"] != "notBreaching" {
				t.Errorf("%s tells nobody, or is raised when there is nothing", name)
			}
			if !strings.HasPrefix(r.Properties["AlarmName"].(string), "eyrie-") { // what the topic's policy allows
				t.Errorf("%s is named %v", name, r.Properties["AlarmName"])
			}
			alarmPeriods = append(alarmPeriods, fmt.Sprint(r.Properties["Period"]))
		case "AWS::Logs::MetricFilter":
			filters++
			for _, m := range r.Properties["MetricTransformations"].([]any) {
				m := m.(map[string]any)
				if m["DefaultValue"] != nil && m["Dimensions"] != nil { // API reference, MetricTransformation
					t.Errorf("%s: a filter with dimensions has no default value", name)
				}
			}
		case "AWS::SecurityHub::Insight":
			checkInsight(t, name, r)
		}
		if strings.Contains(string(properties), "${") {
			t.Errorf("%s: a variable is left: %s", name, properties)
		}
	}
	if filters == 0 || len(alarmPeriods) != 5 {
		t.Errorf("%d metric filters, %d alarms", filters, len(alarmPeriods))
	}
}

func checkInsight(t *testing.T, name string, r cfntest.Evaluated) {
	raw, err := json.Marshal(r.Properties["Filters"])
	if err != nil {
		t.Fatal(err)
	}
	filters, err := asff.ParseFilters(raw)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if _, ok := asff.AttributeByName(r.Properties["GroupByAttribute"].(string)); !ok {
		t.Errorf("%s: groups by %v", name, r.Properties["GroupByAttribute"])
	}
	ours := `{"GeneratorId":"falco/Terminal shell in container","RecordState":"ACTIVE","Workflow":{"Status":"NEW"},"Resources":[{"Type":"Container"},{"Type":"AwsEksCluster"}]}`
	other := strings.Replace(ours, "falco/", "aws-foundational/", 1)
	for doc, want := range map[string]bool{ours: true, other: false, strings.Replace(ours, "NEW", "SUPPRESSED", 1): false} {
		if got, err := filters.Match([]byte(doc), testTime); err != nil || got != want {
			t.Errorf("%s matches %s: %v, %v", name, doc, got, err)
		}
	}
}

// TestAutomationRule: the rule's criteria match a finding that recurs after it was RESOLVED and no other.
func TestAutomationRule(t *testing.T) {
	raw, err := json.Marshal(evaluate(t, home(), "eu-central-1")[template.ReopenRule].Properties["Criteria"])
	if err != nil {
		t.Fatal(err)
	}
	criteria, err := asff.ParseFilters(raw)
	if err != nil {
		t.Fatal(err)
	}
	resolved := `{"GeneratorId":"falco/X","RecordState":"ACTIVE","Workflow":{"Status":"RESOLVED"}}`
	for doc, want := range map[string]bool{resolved: true, strings.Replace(resolved, "RESOLVED", "SUPPRESSED", 1): false,
		strings.Replace(resolved, "ACTIVE", "ARCHIVED", 1): false, strings.Replace(resolved, "falco", "guardduty", 1): false} {
		if got, err := criteria.Match([]byte(doc), testTime); err != nil || got != want {
			t.Errorf("%s: %v, %v", doc, got, err)
		}
	}
}

// TestInvokers: whoever may invoke the function is named with what invokes it, and whatever invokes it may.
func TestInvokers(t *testing.T) {
	resources := evaluate(t, home(), "eu-central-1")
	allowed := map[string]bool{}
	for name, r := range resources {
		if r.Type != "AWS::Lambda::Permission" {
			continue
		}
		arn := fmt.Sprint(r.Properties["SourceArn"])
		allowed[arn] = true
		if !strings.Contains(arn, ":111122223333:") || r.Properties["FunctionName"] != "arn:aws:lambda:eu-central-1:111122223333:function:eyrie" {
			t.Errorf("%s: %v", name, r.Properties)
		}
	}
	want := map[string]bool{"arn:aws:logs:eu-central-1:111122223333:log-group:/eyrie/falco:*": true}
	for _, r := range resources {
		if r.Type == "AWS::Events::Rule" {
			want["arn:aws:events:eu-central-1:111122223333:rule/"+r.Ref] = true
		}
	}
	if diff := cmp.Diff(want, allowed); diff != "" {
		t.Errorf("may invoke, -want +got: %s", diff)
	}
}

// TestGolden pins what is deployed: every resource of a home Region and what it depends on, and the parameters.
func TestGolden(t *testing.T) {
	var b strings.Builder
	for _, body := range []string{template.Eyrie(), template.Organization()} {
		parsed := parse(t, body)
		fmt.Fprintf(&b, "%s\n\nParameters\n", parsed.Description)
		for _, name := range cfntest.Names(parsed.Parameters) {
			p := parsed.Parameters[name]
			def := "must be given"
			if p.Default != nil {
				def = fmt.Sprintf("%q", fmt.Sprint(p.Default))
			}
			fmt.Fprintf(&b, "  %s %s, %s\n", name, p.Type, def)
		}
		b.WriteString("Resources\n")
		for _, name := range parsed.Order {
			r := parsed.Resources[name]
			fmt.Fprintf(&b, "  %s %s", name, r.Type)
			if r.Condition != "" {
				fmt.Fprintf(&b, " if %s", r.Condition)
			}
			if r.DeletionPolicy != "" {
				fmt.Fprintf(&b, ", on deletion %s", r.DeletionPolicy)
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "Outputs\n  %s\n\n", strings.Join(cfntest.Names(parsed.Outputs), ", "))
	}
	b.WriteString("The function may\n")
	for _, line := range permissions(t) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	const path = "testdata/summary.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("what is deployed changed; run with -update and look at it. -was +is:\n%s", diff)
	}
}

// permissions are the role's, one "action on resource" a line.
func permissions(t *testing.T) (lines []string) {
	t.Helper()
	for _, p := range evaluate(t, home(), "eu-central-1")["Role"].Properties["Policies"].([]any) {
		document := p.(map[string]any)["PolicyDocument"].(map[string]any)
		for _, s := range document["Statement"].([]any) {
			statement := s.(map[string]any)
			if statement["Effect"] != "Allow" || statement["NotAction"] != nil || statement["NotResource"] != nil {
				t.Errorf("statement %v", statement)
			}
			for _, action := range list(statement["Action"]) {
				for _, resource := range list(statement["Resource"]) {
					lines = append(lines, action+" on "+resource)
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func list(v any) (all []string) {
	if many, ok := v.([]any); ok {
		for _, e := range many {
			all = append(all, fmt.Sprint(e))
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}

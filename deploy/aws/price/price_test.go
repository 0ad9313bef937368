package price

import (
	"math"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/deploy/aws/cfntest"
	"github.com/eyrie-sec/eyrie/deploy/aws/template"
	"github.com/eyrie-sec/eyrie/internal/lambdaspec"
)

func input() Input {
	return Input{AlertsPerDay: 10_000, AlertBytes: 2000, FindingsPerDay: 1000, Rules: 20, Clusters: 2, Regions: []string{"us-east-1", "eu-central-1"},
		RetentionDays: 90, MemoryMB: 512, AlertsPerBatch: 2, BatchSeconds: 0.1}
}

// TestEstimate compares with the arithmetic done by hand.
func TestEstimate(t *testing.T) {
	items, sum, err := Estimate(input())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{ // of us-east-1: 5,000 alerts a day, 152,100 a month, 0.3042 GB
		"alerts into CloudWatch Logs":    0.3042 * 0.50,
		"alerts kept in CloudWatch Logs": 5000 * 90 * 2000 / 1e9 * 0.15 * 0.03,
		"Lambda":                         (76_050*0.1+8760*0.2)*0.5*0.0000133334 + (76_050+8760)*0.2/1e6,
		"the function's log":             (76_050 + 8760) * 1500 / 1e9 * 0.50,
		"findings into Security Hub":     (500*30.42 - 10_000) * 0.00003,
		"metrics":                        (15 + 40 + 16 + 2) * 0.30,
		"alarms":                         1.10,
		"dashboard":                      3,
	}
	total := 0.0
	for _, i := range items {
		total += i.Dollars
		if i.Region == "us-east-1" && math.Abs(i.Dollars-want[i.What]) > 1e-9 {
			t.Errorf("%s: %v (%s), want %v", i.What, i.Dollars, i.How, want[i.What])
		}
		if i.Region == "eu-central-1" && i.What == "alerts into CloudWatch Logs" && !strings.Contains(i.How, "$0.63") {
			t.Errorf("%s of eu-central-1: %s", i.What, i.How)
		}
	}
	if len(items) != 2*len(want) || math.Abs(total-sum) > 1e-9 {
		t.Errorf("%d items, sum %v, total %v", len(items), sum, total)
	}
}

func TestQuietMonthCostsNoMetricsByRule(t *testing.T) {
	in := input()
	in.AlertsPerDay, in.FindingsPerDay = 0, 0
	items, _, err := Estimate(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if i.What == "metrics" && math.Abs(i.Dollars-15*0.30) > 1e-9 {
			t.Errorf("metrics: %s", i.How)
		}
		if i.What == "findings into Security Hub" && i.Dollars != 0 {
			t.Errorf("findings: %s", i.How)
		}
	}
}

func TestInputErrors(t *testing.T) {
	in := Input{AlertsPerDay: -1, BatchSeconds: math.Inf(1)}
	_, _, err := Estimate(in)
	for _, want := range []string{"--alerts-per-day -1: want 0 or more", "--alert-bytes", "--batch-seconds", "--regions"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestCountsMatchTemplate: the numbers of metrics are those of the template and the function.
func TestCountsMatchTemplate(t *testing.T) {
	parsed, err := cfntest.Parse(template.Eyrie())
	if err != nil {
		t.Fatal(err)
	}
	resources, _, err := parsed.Evaluate(map[string]string{"CodeBucketPrefix": "x-1", "CodeKey": "k", "HomeRegion": "us-east-1"}, cfntest.Pseudo("1", "us-east-1", "eyrie"))
	if err != nil {
		t.Fatal(err)
	}
	metrics, alarms := 0, 0
	for _, r := range resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		alarms++
		list, ok := r.Properties["Metrics"].([]any)
		if !ok {
			metrics++
			continue
		}
		for _, m := range list {
			if m.(map[string]any)["MetricStat"] != nil {
				metrics++
			}
		}
	}
	if metrics != alarmMetrics || alarms != 5 {
		t.Errorf("%d alarms with %d metrics; the estimate has 5 with %d", alarms, metrics, alarmMetrics)
	}
	if n := len(lambdaspec.Metrics()) + 1; n != 15 {
		t.Errorf("%d metrics always have values; the estimate has 15", n)
	}
	for name, p := range Prices() {
		if p.Source == "" || p.Unit == "" || p.Dollars <= 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

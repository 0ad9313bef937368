// Package price estimates what Eyrie costs on AWS in a month. In comes how many alerts there are and how large, out go
// the single items with the arithmetic behind each. It asks nobody: the prices are AWS's list prices, written down here
// with their source and date, without free tiers (but Security Hub's, which every account and Region has), discounts and
// taxes. It never says what Falco, Fluent Bit and the clusters themselves cost.
package price

import (
	"errors"
	"fmt"
	"math"
)

// Date is when the prices were written down. AWS changes them without telling us.
const Date = "2026-11"

// Input is what is known of a month.
type Input struct {
	AlertsPerDay   float64 // of all Regions together
	AlertBytes     float64 // mean size of an alert in the log group, with what Fluent Bit adds
	FindingsPerDay float64 // updates of findings that Security Hub takes, of all Regions; 0 means as many as alerts
	Rules          int     // different rules that raise alerts
	Clusters       int
	Regions        []string
	RetentionDays  int
	MemoryMB       int
	X86            bool
	AlertsPerBatch float64 // alerts that CloudWatch Logs hands over at once
	BatchSeconds   float64 // how long the function runs for a batch
	Heartbeat      bool
}

// Item is one line of the estimate.
type Item struct {
	Region  string  `json:"region"`
	What    string  `json:"what"`
	How     string  `json:"how"` // the arithmetic
	Dollars float64 `json:"dollars"`
}

// Price is one list price.
type Price struct {
	Name    string  `json:"name"`
	Dollars float64 `json:"dollars"`
	Unit    string  `json:"unit"`
	Source  string  `json:"source"`
}

const (
	daysPerMonth = 30.42  // 365/12
	maintainRuns = 8760.0 // one in five minutes
	freeEvents   = 10_000.0
)

// Prices are the list prices of US East (N. Virginia), in US dollars, by a short name.
func Prices() map[string]Price {
	const at = ", US East (N. Virginia)"
	return map[string]Price{
		"ingest":     {"CloudWatch Logs, ingestion", 0.50, "GB", "Amazon CloudWatch pricing, Logs, Standard class" + at},
		"store":      {"CloudWatch Logs, storage", 0.03, "GB of compressed logs and month", "Amazon CloudWatch pricing, Logs" + at},
		"metric":     {"CloudWatch metric", 0.30, "metric and month, by the hour in which it has values", "Amazon CloudWatch pricing, Metrics, first 10,000" + at},
		"alarm":      {"CloudWatch alarm", 0.10, "metric of an alarm and month", "Amazon CloudWatch pricing, Alarms, standard resolution" + at},
		"dashboard":  {"CloudWatch dashboard", 3.00, "month", "Amazon CloudWatch pricing, Dashboards" + at},
		"request":    {"Lambda, requests", 0.20 / 1e6, "request", "AWS Lambda pricing" + at},
		"arm":        {"Lambda, duration on arm64", 0.0000133334, "GB-second", "AWS Lambda pricing, Arm" + at},
		"x86":        {"Lambda, duration on x86-64", 0.0000166667, "GB-second", "AWS Lambda pricing, x86" + at},
		"finding":    {"Security Hub, finding ingestion events over 10,000 an account and Region", 0.00003, "event", "AWS Security Hub CSPM pricing" + at},
		"sqs":        {"SQS, standard queue", 0.40 / 1e6, "request", "Amazon SQS pricing" + at},
		"email":      {"SNS, e-mail", 2.00 / 100_000, "notification", "Amazon SNS pricing" + at},
		"storedPart": {"compressed size of logs", 0.15, "of their size (CloudWatch counts logs compressed; alerts are JSON that repeats itself)", "an assumption"},
	}
}

// ingestion are the Regions whose price of a GB of logs is known here to differ (Amazon CloudWatch pricing, Logs).
func ingestion() map[string]float64 {
	return map[string]float64{"eu-west-1": 0.57, "eu-central-1": 0.63, "ap-northeast-1": 0.76}
}

func (in *Input) check() error {
	var problems []error
	for _, n := range []struct {
		flag  string
		value float64
		least float64
	}{{"--alerts-per-day", in.AlertsPerDay, 0}, {"--alert-bytes", in.AlertBytes, 1}, {"--findings-per-day", in.FindingsPerDay, 0}, {"--rules", float64(in.Rules), 1},
		{"--clusters", float64(in.Clusters), 1}, {"--retention", float64(in.RetentionDays), 1}, {"--memory", float64(in.MemoryMB), 128},
		{"--alerts-per-batch", in.AlertsPerBatch, 1}, {"--batch-seconds", in.BatchSeconds, 0}} {
		if !(n.value >= n.least) || math.IsInf(n.value, 0) {
			problems = append(problems, fmt.Errorf("%s %v: want %v or more", n.flag, n.value, n.least))
		}
	}
	if len(in.Regions) == 0 {
		problems = append(problems, errors.New("no Region: give --regions"))
	}
	if in.FindingsPerDay == 0 {
		in.FindingsPerDay = in.AlertsPerDay
	}
	return errors.Join(problems...)
}

// Estimate returns the items of a month, by Region, and their sum. Alerts are taken to be spread evenly over the Regions
// and, for the metrics, over rules, clusters and hours.
func Estimate(in Input) (items []Item, sum float64, err error) {
	if err := in.check(); err != nil {
		return nil, 0, err
	}
	for _, region := range in.Regions {
		items = append(items, in.region(region)...)
	}
	for _, i := range items {
		sum += i.Dollars
	}
	return items, sum, nil
}

func (in *Input) region(region string) []Item {
	prices := Prices()
	p := func(name string) float64 { return prices[name].Dollars }
	share := 1 / float64(len(in.Regions))
	alerts, findings := in.AlertsPerDay*share*daysPerMonth, in.FindingsPerDay*share*daysPerMonth
	if in.Heartbeat {
		findings += maintainRuns
	}
	gb := alerts * in.AlertBytes / 1e9
	perGB, ok := ingestion()[region]
	if !ok {
		perGB = p("ingest")
	}
	stored := alerts / daysPerMonth * float64(in.RetentionDays) * in.AlertBytes / 1e9 * p("storedPart")
	batches := alerts / in.AlertsPerBatch
	duration, processor := p("arm"), "arm64"
	if in.X86 {
		duration, processor = p("x86"), "x86-64"
	}
	memory := float64(in.MemoryMB) / 1024
	seconds := batches*in.BatchSeconds + maintainRuns*0.2
	metrics, how := in.metrics(alerts / daysPerMonth)
	// The function's log: Lambda's own three lines an invocation and one of metrics, 1.5 KB together.
	own := (batches + maintainRuns) * 1500 / 1e9
	charged := max(0, findings-freeEvents)
	return []Item{
		{region, "alerts into CloudWatch Logs", fmt.Sprintf("%.2f GB x $%.2f", gb, perGB), gb * perGB},
		{region, "alerts kept in CloudWatch Logs", fmt.Sprintf("%.2f GB (%d days, compressed) x $%.2f", stored, in.RetentionDays, p("store")), stored * p("store")},
		{region, "Lambda", fmt.Sprintf("%.0f GB-seconds on %s x $%.10f, %.0f requests", seconds*memory, processor, duration, batches+maintainRuns),
			seconds*memory*duration + (batches+maintainRuns)*p("request")},
		{region, "the function's log", fmt.Sprintf("%.2f GB x $%.2f", own, perGB), own * perGB},
		{region, "findings into Security Hub", fmt.Sprintf("%.0f events, %.0f of them charged x $%.5f", findings, charged, p("finding")), charged * p("finding")},
		{region, "metrics", fmt.Sprintf("%s x $%.2f", how, p("metric")), metrics * p("metric")},
		{region, "alarms", fmt.Sprintf("5 alarms with %d metrics x $%.2f", alarmMetrics, p("alarm")), alarmMetrics * p("alarm")},
		{region, "dashboard", fmt.Sprintf("1 x $%.2f; the first three of an account are free", p("dashboard")), p("dashboard")},
	}
}

// alarmMetrics is the number of metrics of all of the template's alarms: seven of the one about severe alerts, four of others.
const alarmMetrics = 11

// metrics is the number of metric-months. A metric counts in the hours in which it has values: always those that the
// function writes at each invocation, the others when there is an alert.
func (in *Input) metrics(alertsPerDay float64) (float64, string) {
	const always = 15.0 // the function's 14 and SevereAlerts, which is 0 when there is none
	part := func(n int) float64 { return float64(n) * min(24, alertsPerDay/float64(n)) / 24 }
	// By rule and priority, counted by a metric filter and by the function; by cluster, by the function alone.
	some := 2*part(in.Rules) + 2*part(8) + part(in.Clusters)
	return always + some, fmt.Sprintf("%.0f that always have values and %.1f (of %d) that do when there are alerts", always, some, 2*in.Rules+16+in.Clusters)
}

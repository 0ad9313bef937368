package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/eyrie-sec/eyrie/deploy/aws/code"
	"github.com/eyrie-sec/eyrie/deploy/aws/price"
	"github.com/eyrie-sec/eyrie/deploy/aws/stack"
	"github.com/eyrie-sec/eyrie/deploy/aws/template"
)

// awsCmd deploys on AWS: docs/aws.md.
type awsCmd struct {
	Regions    []string      `placeholder:"REGION" sep:"," env:"EYRIE_REGIONS" help:"Regions, separated by commas."`
	HomeRegion string        `placeholder:"REGION" env:"EYRIE_HOME_REGION" help:"Region into which Security Hub aggregates findings (default: the first of --regions)."`
	Profile    string        `placeholder:"NAME" env:"EYRIE_PROFILE" help:"Profile of the AWS configuration files (default: what the AWS CLI takes)."`
	Stack      string        `placeholder:"NAME" default:"eyrie" env:"EYRIE_STACK" help:"Name of the stacks and of most of what is in them (default ${default})."`
	Bucket     string        `placeholder:"NAME" env:"EYRIE_BUCKET" help:"The function's code is put into the bucket NAME-REGION, which is made if need be (default eyrie-ACCOUNT)."`
	Poll       time.Duration `hidden:"" default:"3s" env:"EYRIE_POLL" help:"How often a change under way is asked about."`

	Deploy   awsDeployCmd   `cmd:"" help:"Make or update the stacks: shows what will change and asks first."`
	Diff     awsDiffCmd     `cmd:"" help:"Show what deploy would change, and change nothing."`
	Status   awsStatusCmd   `cmd:"" help:"Say how each Region is: stack, drift, quarantine, last event, version."`
	Destroy  awsDestroyCmd  `cmd:"" help:"Delete the stacks: says what is deleted and what is kept, and asks first."`
	Cost     awsCostCmd     `cmd:"" help:"Estimate what a month costs, at list prices, without asking AWS."`
	Template awsTemplateCmd `cmd:"" help:"Print the CloudFormation template."`
}

// Help is what `eyrie aws --help` says above the commands.
func (awsCmd) Help() string {
	return `Deploys the way from Falco's alerts in CloudWatch Logs to findings in Security Hub, in one account and any number of Regions, and in the
accounts of an organisation: log group, function, queues, alarms, dashboard, Security Hub with aggregation, insights.

  eyrie aws deploy --regions eu-central-1,us-east-1 --cluster prod --emails security@example.com
  eyrie aws status --regions eu-central-1,us-east-1

Credentials are taken as the AWS CLI takes them. docs/aws.md says what is deployed, which rights that needs, and what it costs.`
}

// options are those of every command; ask is nil for commands that change nothing.
func (a *awsCmd) options(ctx context.Context, s streams, ask func(string) (bool, error)) (stack.Options, error) {
	load := []func(*config.LoadOptions) error{config.WithRetryMaxAttempts(10), config.WithDefaultRegion("us-east-1")}
	if a.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(a.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return stack.Options{}, fmt.Errorf("AWS configuration: %w", err)
	}
	return stack.Options{Config: cfg, Regions: a.Regions, HomeRegion: a.HomeRegion, StackName: a.Stack, BucketPrefix: a.Bucket, Version: version(),
		Out: s.out, Confirm: ask, Poll: a.Poll}, nil
}

// confirm asks a person on stderr and reads the answer from stdin.
func confirm(s streams, yes bool) func(string) (bool, error) {
	return func(question string) (bool, error) {
		if yes {
			return true, nil
		}
		fmt.Fprintf(s.err, "%s [y/N] ", question)
		line, err := bufio.NewReader(s.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if err != nil && line == "" {
			fmt.Fprintln(s.err, "\nNobody answered; give --yes in scripts.")
		}
		answer := strings.ToLower(strings.TrimSpace(line))
		return answer == "y" || answer == "yes", nil
	}
}

// awsSettings are the flags of deploy and diff. What is not said has the template's default, also in an update.
type awsSettings struct {
	Code string `placeholder:"FILE" type:"existingfile" env:"EYRIE_CODE" help:"The function: its executable or a zip with it (default: the one built into this eyrie)."`
	Arch string `enum:"arm64,x86_64" default:"arm64" env:"EYRIE_ARCH" help:"Processor of the function: ${enum} (default ${default})."`

	Cluster     string   `placeholder:"NAME" env:"EYRIE_CLUSTER" help:"Name or EKS ARN of the cluster of alerts that do not say theirs."`
	EKSClusters []string `name:"eks-clusters" placeholder:"PATTERN" sep:"," env:"EYRIE_EKS_CLUSTERS" help:"Names of clusters that run on Amazon EKS; * is any text."`
	SeverityMap string   `enum:",conservative,guidance" default:"" placeholder:"NAME" env:"EYRIE_SEVERITY_MAP" help:"How Falco's priorities become severities: conservative or guidance (default conservative)."`
	LogGroup    string   `placeholder:"NAME" env:"EYRIE_LOG_GROUP" help:"Log group that Falco's alerts are sent to (default /eyrie/falco)."`
	Retention   int      `placeholder:"DAYS" env:"EYRIE_RETENTION" help:"Days for which it keeps alerts (default 90)."`
	KMSKeys     []string `name:"kms-keys" placeholder:"ARN" sep:"," env:"EYRIE_KMS_KEYS" help:"KMS keys that encrypt the log groups, one a Region."`
	Pattern     string   `placeholder:"PATTERN" env:"EYRIE_PATTERN" help:"CloudWatch Logs filter pattern of the events that become findings (default: all)."`

	Emails        []string `placeholder:"ADDRESS" sep:"," env:"EYRIE_EMAILS" help:"Addresses that alarms are sent to, at most 5."`
	AlarmPriority string   `enum:",Emergency,Alert,Critical,Error,Warning,Notice,None" default:"" placeholder:"PRIORITY" env:"EYRIE_ALARM_PRIORITY" help:"An alert of this priority or a higher one raises an alarm: Emergency, Alert, Critical, Error, Warning, Notice, None (default Critical)."`
	AlarmLag      int      `placeholder:"SECONDS" env:"EYRIE_ALARM_LAG" help:"An alarm is raised when findings are later than this (default 300)."`
	ArchiveAfter  string   `placeholder:"TIME" env:"EYRIE_ARCHIVE_AFTER" help:"Findings that were quiet for this long are archived: 12h, 30d; 0 never (default 30d)."`
	ReopenRule    bool     `env:"EYRIE_REOPEN_RULE" help:"Make an automation rule too that sets findings that were resolved and happen again to NEW (docs/aws.md)."`
	Heartbeat     bool     `env:"EYRIE_HEARTBEAT" help:"Keep one informational finding up to date, by which one sees that findings arrive."`

	Memory           int    `placeholder:"MIB" env:"EYRIE_MEMORY" help:"Memory of the function (default 512)."`
	Timeout          int    `placeholder:"SECONDS" env:"EYRIE_TIMEOUT" help:"The longest that one batch may take (default 120)."`
	Concurrency      int    `placeholder:"N" env:"EYRIE_CONCURRENCY" help:"Reserve that much of the account's concurrency: at most N batches at once, which share Security Hub's quota (default: none)."`
	FunctionLogLevel string `enum:",debug,info,warn,error" default:"" placeholder:"LEVEL" env:"EYRIE_FUNCTION_LOG_LEVEL" help:"How much the function logs: debug, info, warn, error (default info)."`

	Organization      string   `placeholder:"ID" env:"EYRIE_ORGANIZATION" help:"Deploy in accounts of this organisation (o-…) as well, by a stack set; with --units."`
	Units             []string `placeholder:"ID" sep:"," env:"EYRIE_UNITS" help:"Its organisational units (ou-…) or root (r-…)."`
	ManagementAccount bool     `env:"EYRIE_MANAGEMENT_ACCOUNT" help:"This is the organisation's management account, not a delegated administrator of StackSets."`
	EnableInAccounts  bool     `env:"EYRIE_ENABLE_IN_ACCOUNTS" help:"Enable Security Hub in those accounts; without it the organisation's configuration does."`
}

// fill puts the flags into o.
func (f *awsSettings) fill(o *stack.Options) (err error) {
	o.Settings = stack.Settings{LogGroup: f.LogGroup, LogRetentionDays: f.Retention, LogKeyARNs: f.KMSKeys, SubscriptionPattern: f.Pattern, Cluster: f.Cluster,
		EKSClusters: f.EKSClusters, SeverityMap: f.SeverityMap, ArchiveAfter: f.ArchiveAfter, Heartbeat: f.Heartbeat, ReopenRule: f.ReopenRule, AlarmPriority: f.AlarmPriority,
		Emails: f.Emails, LagAlarmSeconds: f.AlarmLag, MemoryMB: f.Memory, TimeoutSeconds: f.Timeout, ReservedConcurrency: f.Concurrency, LogLevel: f.FunctionLogLevel}
	o.Organization = stack.Organization{ID: f.Organization, Units: f.Units, ManagementAccount: f.ManagementAccount, EnableSecurityHub: f.EnableInAccounts}
	if err := o.Check(); err != nil {
		return err
	}
	if f.Code == "" {
		o.Code, err = code.Embedded(code.Arch(f.Arch))
		return err
	}
	o.Code, err = code.Read(f.Code, code.Arch(f.Arch))
	return err
}

type awsDeployCmd struct {
	awsSettings
	Yes bool `help:"Do not ask."`
}

// Help is what `eyrie aws deploy --help` says above the flags.
func (awsDeployCmd) Help() string {
	return `Shows each Region's change set, asks, and carries them out, all Regions at once. Settings are those of this command line and of the
configuration file: what neither says has its default again. A Region that fails is named with the first reason, and goes
back to how it was; the others are done. What was interrupted goes on with the same command.`
}

// Run deploys.
func (c *awsDeployCmd) Run(ctx context.Context, s streams, a *awsCmd) error {
	o, err := a.options(ctx, s, confirm(s, c.Yes))
	if err != nil {
		return err
	}
	if err := c.fill(&o); err != nil {
		return err
	}
	return stack.Deploy(ctx, o)
}

type awsDiffCmd struct{ awsSettings }

// Run shows what deploy would change. The exit status is 1 if that is anything.
func (c *awsDiffCmd) Run(ctx context.Context, s streams, a *awsCmd) error {
	o, err := a.options(ctx, s, nil)
	if err != nil {
		return err
	}
	if err := c.fill(&o); err != nil {
		return err
	}
	differs, err := stack.Diff(ctx, o)
	return status(!differs, err)
}

type awsDestroyCmd struct {
	Yes                bool   `help:"Do not ask."`
	LogGroup           string `placeholder:"NAME" env:"EYRIE_LOG_GROUP" help:"Log group for --delete-alerts if its stack is gone already (default /eyrie/falco)."`
	DeleteAlerts       bool   `help:"Delete the log group with the alerts as well, if the stack made it."`
	DisableSecurityHub bool   `help:"Disable Security Hub as well, if the stack enabled it. Findings of every product are lost."`
}

// Run deletes.
func (c *awsDestroyCmd) Run(ctx context.Context, s streams, a *awsCmd) error {
	o, err := a.options(ctx, s, confirm(s, c.Yes))
	if err != nil {
		return err
	}
	o.Settings.LogGroup = c.LogGroup
	return stack.Destroy(ctx, o, stack.Remove{Alerts: c.DeleteAlerts, SecurityHub: c.DisableSecurityHub})
}

type awsStatusCmd struct {
	Drift bool `help:"Have CloudFormation look for what was changed by hand; takes a minute or so."`
	JSON  bool `help:"Print JSON for machines."`
}

// Help is what `eyrie aws status --help` says above the flags.
func (awsStatusCmd) Help() string {
	return `Exit status: 0 every Region's stack is complete, Security Hub is enabled and nothing waits in the quarantine or the dead letters; 1 else.`
}

// Run says how the Regions are.
func (c *awsStatusCmd) Run(ctx context.Context, s streams, a *awsCmd) error {
	o, err := a.options(ctx, s, nil)
	if err != nil {
		return err
	}
	regions, err := stack.Status(ctx, o, c.Drift)
	if err != nil {
		return err
	}
	well := true
	for _, r := range regions {
		well = well && r.Well()
	}
	if c.JSON {
		return status(well, printJSON(s.out, regions))
	}
	return status(well, printStatus(s.out, regions, time.Now()))
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func printStatus(w io.Writer, regions []stack.RegionStatus, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REGION\tSTACK\tDRIFT\tVERSION\tCODE\tQUARANTINE\tDEAD LETTERS\tLAST EVENT\tSECURITY HUB\tAGGREGATES INTO")
	for _, r := range regions {
		last := "-"
		if r.LastEvent != nil {
			last = fmt.Sprintf("%s (%s ago)", r.LastEvent.Format(time.RFC3339), now.Sub(*r.LastEvent).Truncate(time.Second))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Region, or(r.Stack), or(r.Drift), or(r.Version), or(r.Code), count(r.Quarantine), count(r.DeadLetters),
			last, or(r.SecurityHub), or(r.Aggregates))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range regions {
		if len(r.Drifted) > 0 {
			fmt.Fprintf(w, "%s: changed by hand: %s\n", r.Region, strings.Join(r.Drifted, ", "))
		}
		if r.Reason != "" {
			fmt.Fprintf(w, "%s: %s\n", r.Region, r.Reason)
		}
		if r.Error != "" {
			fmt.Fprintf(w, "%s: %s\n", r.Region, r.Error)
		}
	}
	return nil
}

// or is s, or a dash where there is nothing to say.
func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func count(n int) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

type awsCostCmd struct {
	AlertsPerDay   float64 `placeholder:"N" default:"1000" help:"Alerts a day, of all Regions together (default ${default})."`
	AlertBytes     float64 `placeholder:"N" default:"2000" help:"Size of an alert in the log group, with what Fluent Bit adds (default ${default})."`
	FindingsPerDay float64 `placeholder:"N" help:"Updates of findings a day: alerts of the same trouble within a batch are one (default: as many as alerts)."`
	Rules          int     `placeholder:"N" default:"20" help:"Different rules that raise alerts (default ${default})."`
	Clusters       int     `placeholder:"N" default:"1" help:"Clusters (default ${default})."`
	Retention      int     `placeholder:"DAYS" default:"90" help:"Days for which alerts are kept (default ${default})."`
	Memory         int     `placeholder:"MIB" default:"512" help:"Memory of the function (default ${default})."`
	Arch           string  `enum:"arm64,x86_64" default:"arm64" help:"Processor of the function: ${enum} (default ${default})."`
	AlertsPerBatch float64 `placeholder:"N" default:"1" help:"Alerts that CloudWatch Logs hands over at once; 1 is the dearest (default ${default})."`
	BatchSeconds   float64 `placeholder:"N" default:"0.5" help:"Seconds that the function runs for a batch (default ${default})."`
	Heartbeat      bool    `help:"With --heartbeat."`
	JSON           bool    `help:"Print JSON for machines, with the prices and their sources."`
}

// Help is what `eyrie aws cost --help` says above the flags.
func (awsCostCmd) Help() string {
	return `An estimate at AWS's list prices as they were known in ` + price.Date + `, in US dollars, without free tiers except Security Hub's, discounts and
taxes. Prices are those of us-east-1; that of a GB of logs is the Region's own for eu-west-1, eu-central-1 and ap-northeast-1.
Nothing is asked over the network: AWS's pricing pages say what holds today.`
}

// Run prints the estimate.
func (c *awsCostCmd) Run(s streams, a *awsCmd) error {
	items, sum, err := price.Estimate(price.Input{AlertsPerDay: c.AlertsPerDay, AlertBytes: c.AlertBytes, FindingsPerDay: c.FindingsPerDay, Rules: c.Rules, Clusters: c.Clusters,
		Regions: a.Regions, RetentionDays: c.Retention, MemoryMB: c.Memory, X86: c.Arch == "x86_64", AlertsPerBatch: c.AlertsPerBatch, BatchSeconds: c.BatchSeconds, Heartbeat: c.Heartbeat})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.out, map[string]any{"pricesOf": price.Date, "currency": "USD", "items": items, "sum": sum, "prices": price.Prices()})
	}
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, i := range items {
		fmt.Fprintf(t, "%s\t%s\t$%.2f\t%s\n", i.Region, i.What, i.Dollars, i.How)
	}
	fmt.Fprintf(t, "sum\t\t$%.2f\ta month, at list prices known in %s, without free tiers and taxes; sources: eyrie aws cost --json\n", sum, price.Date)
	return t.Flush()
}

type awsTemplateCmd struct {
	Organization bool `help:"Print the template of the stack set instead, which deploys in the accounts of an organisation."`
}

// Run prints a template.
func (c *awsTemplateCmd) Run(s streams) error {
	text := template.Eyrie()
	if c.Organization {
		text = template.Organization()
	}
	_, err := io.WriteString(s.out, text)
	return err
}

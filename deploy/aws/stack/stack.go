// Package stack deploys Eyrie's CloudFormation template in Regions of an AWS account, by the official SDK, and says what
// is there. In come Options: where, with which settings, with which code. Out go stacks, lines that tell a person what is
// about to happen and what happens (Options.Out), and an error that names each Region that failed with the first reason
// that CloudFormation gave.
//
// It changes nothing that was not shown and agreed to (Options.Confirm): a change set, or the list of what is deleted.
// Regions are worked on at the same time, and one that fails leaves the others alone. It keeps nothing on this machine:
// what was interrupted is found again in CloudFormation and goes on from there. What was there before it, above all
// Security Hub and its aggregation, is used as it is and never deleted.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eyrie-sec/eyrie/deploy/aws/code"
)

// Options says what to do where. Config, Regions, StackName, Out and Confirm are required.
type Options struct {
	Config     aws.Config // credentials, retries, endpoints; its Region counts only for the first question, who one is
	Regions    []string
	HomeRegion string // Region into which findings are aggregated; "" means the first of Regions
	StackName  string

	Settings Settings
	Code     *code.Zip // for Deploy and Diff
	Version  string    // of eyrie, at most 100 characters
	// BucketPrefix and a dash and the Region are the name of the bucket that the code is put into. "" means eyrie-ACCOUNT.
	BucketPrefix string
	Organization Organization

	Out     io.Writer
	Confirm func(question string) (bool, error)
	// Poll is how often a change under way is asked about; 0 means 3 s.
	Poll time.Duration
}

// Settings are what a person may choose about each Region's stack. The zero value of a member means the template's
// default, of Heartbeat none.
type Settings struct {
	LogGroup            string
	LogRetentionDays    int
	LogKeyARNs          []string // KMS keys of the log groups; each Region uses the one in it
	SubscriptionPattern string
	Cluster             string
	EKSClusters         []string
	SeverityMap         string
	ArchiveAfter        string // findings quiet for this long are archived: 12h, 30d; 0 never
	Heartbeat           bool
	ReopenRule          bool   // make the automation rule; not in member accounts of Security Hub
	AlarmPriority       string // Falco's name, or None
	Emails              []string
	LagAlarmSeconds     int
	MemoryMB            int
	TimeoutSeconds      int
	ReservedConcurrency int
	LogLevel            string
}

// Organization, if it has Units, says which accounts of an organisation get Eyrie as well.
type Organization struct {
	ID                string   // o-…
	Units             []string // ou-… or r-…
	ManagementAccount bool     // this is the management account, not a delegated administrator
	EnableSecurityHub bool     // enable it in the accounts
}

var (
	regionPattern = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
	stackPattern  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,30}$`)
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,40}$`)
	orgPattern    = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
	unitPattern   = regexp.MustCompile(`^(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|r-[0-9a-z]{4,32})$`)
)

// Check says everything that is wrong with o as far as that can be told without AWS, in terms of the flags of `eyrie aws`,
// and fills in the home Region.
func (o *Options) Check() error {
	var problems []error
	if len(o.Regions) == 0 {
		problems = append(problems, errors.New("no Region: give --regions, such as --regions eu-central-1,us-east-1"))
	}
	for i, r := range o.Regions {
		if !regionPattern.MatchString(r) {
			problems = append(problems, fmt.Errorf("--regions: %q is no Region; they look like eu-central-1", r))
		}
		if slices.Contains(o.Regions[:i], r) {
			problems = append(problems, fmt.Errorf("--regions: %s stands there twice", r))
		}
	}
	if o.HomeRegion == "" && len(o.Regions) > 0 {
		o.HomeRegion = o.Regions[0]
	}
	if len(o.Regions) > 0 && !slices.Contains(o.Regions, o.HomeRegion) {
		problems = append(problems, fmt.Errorf("--home-region %s is not among --regions %s", o.HomeRegion, strings.Join(o.Regions, ",")))
	}
	if !stackPattern.MatchString(o.StackName) {
		problems = append(problems, fmt.Errorf("--stack %q: want a letter and then letters, digits and dashes, at most 31", o.StackName))
	}
	if o.BucketPrefix != "" && !bucketPattern.MatchString(o.BucketPrefix) {
		problems = append(problems, fmt.Errorf("--bucket %q: want small letters, digits, dots and dashes, at most 41", o.BucketPrefix))
	}
	problems = append(problems, o.Settings.check()...)
	problems = append(problems, o.Organization.check()...)
	if len(o.Organization.Units) > 0 && len(o.StackName) > 9 {
		problems = append(problems, fmt.Errorf("--stack %q: with --units at most 9 characters, because the names of a stack set's stacks are long", o.StackName))
	}
	return errors.Join(problems...)
}

func (g *Organization) check() (problems []error) {
	if len(g.Units) == 0 {
		return nil
	}
	if !orgPattern.MatchString(g.ID) {
		problems = append(problems, fmt.Errorf("--organization %q: want the organisation's id, such as o-a1b2c3d4e5, together with --units", g.ID))
	}
	for _, u := range g.Units {
		if !unitPattern.MatchString(u) {
			problems = append(problems, fmt.Errorf("--units: %q is no organisational unit (ou-…) and no root (r-…)", u))
		}
	}
	return problems
}

// worker is Options at work: it knows the account and holds the Regions' clients.
type worker struct {
	Options
	account   string
	partition string
	regions   []*region
	out       *lines
}

func start(ctx context.Context, o Options) (*worker, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Poll == 0 {
		o.Poll = 3 * time.Second
	}
	cfg := o.Config.Copy()
	cfg.Region = o.HomeRegion
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("ask AWS who this is (credentials from --profile, AWS_PROFILE or AWS_ACCESS_KEY_ID): %w", err)
	}
	w := &worker{Options: o, account: aws.ToString(who.Account), partition: "aws", out: &lines{w: o.Out}}
	if part := strings.Split(aws.ToString(who.Arn), ":"); len(part) > 1 {
		w.partition = part[1]
	}
	if w.BucketPrefix == "" {
		w.BucketPrefix = "eyrie-" + w.account
	}
	for _, name := range o.Regions {
		w.regions = append(w.regions, newRegion(o.Config, name))
	}
	return w, nil
}

// each calls f for every Region at the same time and returns what went wrong, by Region, in the order of the Regions.
func (w *worker) each(f func(r *region) error) error {
	failed := make([]error, len(w.regions))
	var wg sync.WaitGroup
	for i, r := range w.regions {
		wg.Go(func() {
			if err := f(r); err != nil {
				failed[i] = fmt.Errorf("%s: %w", r.name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// lines writes whole lines from several goroutines.
type lines struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

// say writes one line. Text from AWS can hold what a user of the account wrote, so control characters are shown as \u….
func (l *lines) say(format string, args ...any) {
	line := clean(fmt.Sprintf(format, args...))
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, line)
}

func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// wait sleeps for one poll, or returns the context's error.
func (w *worker) wait(ctx context.Context) error {
	t := time.NewTimer(w.Poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

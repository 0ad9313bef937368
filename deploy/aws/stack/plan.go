package stack

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"

	"github.com/eyrie-sec/eyrie/deploy/aws/template"
)

// plan is what is to be done with one stack.
type plan struct {
	r        *region
	stack    string
	template string
	params   map[string]string
	current  state
	notes    []string // what a person should know before agreeing

	changeSet string // its ARN, or "" if nothing changes
	stackID   string
	made      bool // the stack exists only because of this change set
	changes   []types.Change
}

// plan looks at what there is in a Region and decides the parameters of its stack.
func (w *worker) plan(ctx context.Context, r *region) (*plan, error) {
	p := &plan{r: r, stack: w.StackName, template: template.Eyrie(), params: w.Settings.parameters(r.name)}
	owned, err := w.settled(ctx, p)
	if err != nil {
		return nil, err
	}
	p.params["CodeBucketPrefix"], p.params["CodeKey"] = w.BucketPrefix, w.codeKey()
	p.params["Architecture"], p.params["Version"] = string(w.Code.Arch), w.Version
	p.params["HomeRegion"] = w.HomeRegion
	if err := w.planLogGroup(ctx, p, owned); err != nil {
		return nil, err
	}
	return p, w.planHub(ctx, p, owned)
}

// settled waits until nothing is under way with the plan's stack, refuses one that cannot be worked on, and returns the
// logical names of the stack's resources.
func (w *worker) settled(ctx context.Context, p *plan) (map[string]bool, error) {
	st, err := p.r.describe(ctx, p.stack)
	for err == nil && st.busy() {
		w.out.say("%s  stack %s is %s: waiting until that has ended", p.r.name, p.stack, st.status)
		// How it ended is in the state, which is read again.
		if _, err = w.follow(ctx, p.r, st.id, ""); err == nil {
			st, err = p.r.describe(ctx, p.stack)
		}
	}
	if err != nil {
		return nil, err
	}
	p.current = st
	owned := map[string]bool{}
	if !st.exists() {
		return owned, nil
	}
	if st.tags[tagName] == "" {
		return nil, fmt.Errorf("there is a stack named %s that eyrie did not make: give another name with --stack", p.stack)
	}
	switch st.status {
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed, types.StackStatusDeleteFailed:
		return nil, fmt.Errorf("stack %s is %s and cannot be updated: delete it first with\n  eyrie aws destroy --regions %s --stack %s", p.stack, st.status, p.r.name, w.StackName)
	case types.StackStatusUpdateRollbackFailed:
		return nil, fmt.Errorf("stack %s is %s (%s): mend what is wrong, then\n  aws cloudformation continue-update-rollback --region %s --stack-name %s", p.stack, st.status, st.reason, p.r.name, p.stack)
	}
	resources, err := p.r.resources(ctx, p.stack)
	if err != nil {
		return nil, err
	}
	for name := range resources {
		owned[name] = true
	}
	return owned, nil
}

// planLogGroup uses a log group that exists already as it is.
func (w *worker) planLogGroup(ctx context.Context, p *plan, owned map[string]bool) error {
	name := w.Settings.logGroup()
	p.params["CreateLogGroup"] = "true"
	if owned[template.AlertsLogGroup] && p.current.params["LogGroupName"] == name {
		return nil
	}
	out, err := p.r.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return fmt.Errorf("look for log group %s: %w", name, err)
	}
	for _, g := range out.LogGroups {
		if aws.ToString(g.LogGroupName) != name {
			continue
		}
		p.params["CreateLogGroup"] = "false"
		kept := "for ever"
		if g.RetentionInDays != nil {
			kept = fmt.Sprintf("for %d days", *g.RetentionInDays)
		}
		p.note("log group %s exists and is not the stack's: it is used as it is and keeps events %s", name, kept)
	}
	return nil
}

// planHub enables Security Hub, makes the aggregator and the automation rule only where there is none and one may.
func (w *worker) planHub(ctx context.Context, p *plan, owned map[string]bool) error {
	p.params["EnableSecurityHub"], p.params["ReopenRule"], p.params["Aggregate"] = "true", strconv.FormatBool(w.Settings.ReopenRule), "false"
	_, err := p.r.hub.DescribeHub(ctx, nil)
	enabled := err == nil
	if err != nil && !isNoHub(err) {
		return fmt.Errorf("ask whether Security Hub is enabled: %w", err)
	}
	if enabled && !owned[template.Hub] {
		p.params["EnableSecurityHub"] = "false"
		p.note("Security Hub is enabled already and is left as it is")
	}
	if enabled && w.Settings.ReopenRule {
		out, err := p.r.hub.GetAdministratorAccount(ctx, nil)
		if err != nil && !isNoHub(err) {
			return fmt.Errorf("ask who administers Security Hub: %w", err)
		}
		if err == nil && out.Administrator != nil && aws.ToString(out.Administrator.AccountId) != w.account {
			p.params["ReopenRule"] = "false"
			p.note("Security Hub is administered by account %s, where automation rules are made: none is made here", aws.ToString(out.Administrator.AccountId))
		}
	}
	others := slices.DeleteFunc(slices.Clone(w.Regions), func(r string) bool { return r == w.HomeRegion })
	if p.r.name == w.HomeRegion && len(others) > 0 {
		p.params["Aggregate"], p.params["LinkedRegions"] = "true", strings.Join(others, ",")
	}
	if !enabled || owned[template.Aggregator] {
		return nil
	}
	return w.planAggregator(ctx, p, others)
}

// planAggregator uses aggregation that exists already, if it leads to the home Region.
func (w *worker) planAggregator(ctx context.Context, p *plan, others []string) error {
	list, err := p.r.hub.ListFindingAggregators(ctx, nil)
	if err != nil {
		return fmt.Errorf("look for cross-Region aggregation: %w", err)
	}
	for _, a := range list.FindingAggregators {
		arn := aws.ToString(a.FindingAggregatorArn)
		part := strings.Split(arn, ":")
		if len(part) < 6 || part[4] != w.account {
			continue // the administrator's
		}
		if part[3] != w.HomeRegion {
			return fmt.Errorf("an account has one home Region, and Security Hub aggregates into %s already: give --home-region %s, or delete the aggregation with\n  aws securityhub delete-finding-aggregator --region %s --finding-aggregator-arn %s",
				part[3], part[3], part[3], arn)
		}
		if p.r.name != w.HomeRegion {
			continue
		}
		p.params["Aggregate"] = "false"
		delete(p.params, "LinkedRegions")
		got, err := p.r.hub.GetFindingAggregator(ctx, &securityhub.GetFindingAggregatorInput{FindingAggregatorArn: &arn})
		if err != nil {
			return fmt.Errorf("read aggregation %s: %w", arn, err)
		}
		if missing := unlinked(aws.ToString(got.RegionLinkingMode), got.Regions, others); len(missing) > 0 {
			p.note("Security Hub's aggregation exists already and does not show %s here; add them with\n      aws securityhub update-finding-aggregator --region %s --finding-aggregator-arn %s --region-linking-mode SPECIFIED_REGIONS --regions %s",
				strings.Join(missing, ", "), w.HomeRegion, arn, strings.Join(append(got.Regions, missing...), " "))
		} else if len(others) > 0 {
			p.note("Security Hub aggregates into %s already and is left as it is", w.HomeRegion)
		}
	}
	return nil
}

// unlinked are those of wanted that an aggregator does not show.
func unlinked(mode string, listed, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(r string) bool {
		switch mode {
		case "ALL_REGIONS":
			return true
		case "ALL_REGIONS_EXCEPT_SPECIFIED":
			return !slices.Contains(listed, r)
		case "SPECIFIED_REGIONS":
			return slices.Contains(listed, r)
		}
		return false
	})
}

func (p *plan) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// planOrganization is the plan of the stack whose stack set deploys Eyrie in an organisation's accounts.
func (w *worker) planOrganization(ctx context.Context, r *region) (*plan, error) {
	p := &plan{r: r, stack: w.StackName + "-organization", template: template.Organization(), params: map[string]string{}}
	if _, err := w.settled(ctx, p); err != nil {
		return nil, err
	}
	for name, value := range w.Settings.parameters(r.name) {
		switch name {
		case "LogGroupName", "LogRetentionDays", "SeverityMap", "AlarmPriority":
			p.params[name] = value
		case "AlarmEmail1":
			p.params["AlarmEmail"] = value
		default:
			p.note("accounts of the organisation have the template's default of %s", name)
		}
	}
	slices.Sort(p.notes)
	p.params["TemplateURL"] = w.templateURL()
	p.params["CodeBucketPrefix"], p.params["CodeKey"] = w.BucketPrefix, w.codeKey()
	p.params["Architecture"], p.params["Version"] = string(w.Code.Arch), w.Version
	p.params["HomeRegion"], p.params["Regions"] = w.HomeRegion, strings.Join(w.Regions, ",")
	p.params["OrganizationalUnits"] = strings.Join(w.Organization.Units, ",")
	p.params["StackName"] = w.StackName + "-accounts"
	p.params["DelegatedAdministrator"] = fmt.Sprint(!w.Organization.ManagementAccount)
	p.params["EnableSecurityHub"] = fmt.Sprint(w.Organization.EnableSecurityHub)
	return p, nil
}

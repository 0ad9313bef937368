package stack

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/deploy/aws/template"
)

// Retentions are the numbers of days for which CloudWatch Logs can keep a log group (API reference, PutRetentionPolicy).
func Retentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

var (
	groupPattern = regexp.MustCompile(`^[A-Za-z0-9_/.#-]{1,512}$`)
	keyPattern   = regexp.MustCompile(`^arn:[a-z-]+:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+$`)
	agePattern   = regexp.MustCompile(`^(0|[0-9]{1,5}[smhd])$`)
	emailPattern = regexp.MustCompile(`^[^@\s,]+@[^@\s,]+$`)
)

func (s *Settings) check() (problems []error) {
	if s.LogGroup != "" && !groupPattern.MatchString(s.LogGroup) {
		problems = append(problems, fmt.Errorf("--log-group %q: want letters, digits and _ / . # -, at most 512", s.LogGroup))
	}
	if s.LogRetentionDays != 0 && !slices.Contains(Retentions(), s.LogRetentionDays) {
		problems = append(problems, fmt.Errorf("--retention %d: CloudWatch Logs keeps %s days", s.LogRetentionDays, strings.Trim(fmt.Sprint(Retentions()), "[]")))
	}
	for _, key := range s.LogKeyARNs {
		if !keyPattern.MatchString(key) {
			problems = append(problems, fmt.Errorf("--kms-keys: %q is no key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID); CloudWatch Logs takes no alias", key))
		}
	}
	if len(s.Emails) > template.MaxEmails {
		problems = append(problems, fmt.Errorf("--emails: %d addresses; the template has room for %d: subscribe the others to the topic", len(s.Emails), template.MaxEmails))
	}
	for _, e := range s.Emails {
		if !emailPattern.MatchString(e) {
			problems = append(problems, fmt.Errorf("--emails: %q is no address", e))
		}
	}
	if s.ArchiveAfter != "" && !agePattern.MatchString(s.ArchiveAfter) {
		problems = append(problems, fmt.Errorf("--archive-after %q: want a number and s, m, h or d, such as 30d, or 0 for never", s.ArchiveAfter))
	}
	if n := s.ReservedConcurrency; n < 0 || n > 1000 {
		problems = append(problems, fmt.Errorf("--concurrency %d: want 1 to 1000, or 0 for no bound", n))
	}
	return problems
}

// parameters are those of the template that s says something about.
func (s *Settings) parameters(region string) map[string]string {
	p := map[string]string{}
	set := func(name, value string) {
		if value != "" {
			p[name] = value
		}
	}
	number := func(name string, value int) {
		if value != 0 {
			p[name] = strconv.Itoa(value)
		}
	}
	set("LogGroupName", s.LogGroup)
	number("LogRetentionDays", s.LogRetentionDays)
	for _, key := range s.LogKeyARNs {
		if m := keyPattern.FindStringSubmatch(key); m != nil && m[1] == region {
			p["LogKmsKeyArn"] = key
		}
	}
	set("SubscriptionPattern", s.SubscriptionPattern)
	set("Cluster", s.Cluster)
	set("EksClusters", strings.Join(s.EKSClusters, ","))
	set("SeverityMap", s.SeverityMap)
	set("ArchiveAfter", s.ArchiveAfter)
	if s.Heartbeat {
		p["Heartbeat"] = "true"
	}
	set("AlarmPriority", s.AlarmPriority)
	for i, e := range s.Emails {
		p["AlarmEmail"+strconv.Itoa(i+1)] = e
	}
	number("LagAlarmSeconds", s.LagAlarmSeconds)
	number("MemoryMB", s.MemoryMB)
	number("TimeoutSeconds", s.TimeoutSeconds)
	if n := s.ReservedConcurrency; n > 0 {
		// Security Hub's quota holds for the account and Region: 10 calls a second, 30 at once (AWS Security Hub User Guide,
		// "Security Hub quotas"). Each execution environment has its share.
		p["ReservedConcurrency"] = strconv.Itoa(n)
		p["CallsPerSecond"], p["CallsBurst"] = strconv.Itoa(max(1, 10/n)), strconv.Itoa(max(1, 30/n))
	}
	set("LogLevel", s.LogLevel)
	return p
}

// logGroup is the log group's name, the template's default included.
func (s *Settings) logGroup() string {
	if s.LogGroup != "" {
		return s.LogGroup
	}
	return "/eyrie/falco"
}

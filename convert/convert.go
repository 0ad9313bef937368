// Package convert turns an alert of Falco's into a finding in the AWS Security Finding Format.
//
// In comes a falco.Alert and a falco.Origin, out goes an asff.Finding within all limits of the format. Stream does the
// same for lines of text.
//
// Conversion is pure: the same alert, origin and Config give the same finding, byte for byte, on every machine and in
// every order. It reads no clock, disk or network. A Converter remembers what it made of a rule's name and tags and of an
// origin, within bounds, which only saves time. All times are the event's, and the Id is made of what the finding is
// about, so that a repeat is the same finding (docs/design/0002-finding-identity.md).
//
// It never fails: whatever an alert lacks, the finding lacks too, and what does not fit is cut or left out as stated
// here and at asff.Finding.Clamp. Null, "<NA>" and empty fields are left out. docs/conversion.md is the description for
// users.
package convert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
)

// What a finding says where the origin has no account of 12 digits, or no Region of small letters, digits and dashes.
const (
	DefaultAccount = "000000000000"
	DefaultRegion  = "local-1"
)

// CompanyName and ProductName of every finding.
const (
	CompanyName = "Eyrie"
	ProductName = "Eyrie"
)

// Config says how to convert. The zero value is usable.
type Config struct {
	Severity    SeverityMap // zero: conservative
	Identity    Identity
	Remediation Remediation
	// ProductArn is the findings' ProductArn; "" means that of a custom integration in the finding's own account and
	// Region: arn:PARTITION:securityhub:REGION:ACCOUNT:product/ACCOUNT/default.
	ProductArn string
	// EKSClusters are patterns ("*" any text, "?" any character) of the names of clusters that run on Amazon EKS. Their
	// findings have a resource of type AwsEksCluster. A cluster named by its EKS ARN needs none.
	EKSClusters []string
}

// Converter converts alerts. It is safe for concurrent use.
type Converter struct {
	severity    SeverityMap
	identity    Identity
	remediation Remediation
	productArn  string
	eksClusters []string
	types       typeTable
	fields      map[string]*fieldInfo

	rules   cache[string, ruleFacts]
	origins cache[falco.Origin, originFacts]
}

// New makes a Converter. The maps and slices of cfg must not be changed afterwards.
func New(cfg Config) (*Converter, error) {
	identity, err := cfg.Identity.merged()
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	if cfg.ProductArn != "" && !strings.HasPrefix(cfg.ProductArn, "arn:") {
		return nil, fmt.Errorf("convert: product ARN %q is no ARN", cfg.ProductArn)
	}
	return &Converter{
		severity: cfg.Severity, identity: identity, remediation: cfg.Remediation, productArn: cfg.ProductArn,
		eksClusters: slices.Clone(cfg.EKSClusters), types: newTypeTable(), fields: fieldTable(),
	}, nil
}

// Convert makes the finding of one alert, which must have a rule that is not blank, as Parse makes sure. The alert is
// only read; the finding shares strings with it.
func (c *Converter) Convert(a *falco.Alert, o falco.Origin) *asff.Finding {
	var v view
	s := subject{rule: c.rule(a)}
	s.text.b.Grow(composedBytes)
	v.read(a, c.fields, s.rule.fields)
	s.find(c, &v, o)

	p := new(parts)
	f := &p.finding
	f.SchemaVersion = asff.SchemaVersion
	f.ID = s.id(&v)
	f.ProductArn, f.ProductName, f.CompanyName = s.productArn, ProductName, CompanyName
	f.Region, f.AwsAccountID = s.region, s.account
	f.GeneratorID = s.rule.generator
	when := s.text.of(falco.AppendTime(make([]byte, 0, len("2006-01-02T15:04:05.000000000Z")), eventTimeOf(a)))
	f.FirstObservedAt, f.LastObservedAt, f.CreatedAt, f.UpdatedAt = when, when, when, when
	p.normalized = s.rule.normalized
	f.Severity = asff.Severity{Label: s.rule.label, Normalized: &p.normalized, Original: a.Priority.String()}
	f.Title = a.Rule
	f.Description = description(a)
	f.Remediation.Recommendation = s.rule.advice
	f.Process = process(&v, &p.process)
	f.Network = network(&v, &s.connection)
	f.Resources = resources(&v, &s)
	f.RecordState, f.Workflow.Status = "ACTIVE", "NEW"
	f.FindingProviderFields = &p.provider
	f.FindingProviderFields.Severity = asff.ProviderSeverity{Label: s.rule.label, Original: a.Priority.String()}
	known := s.rule.types[s.place()] // the finding's are its own: it may be changed
	n := len(known)
	types := append(append(make([]string, 0, 2*n), known...), known...)
	f.Types, f.FindingProviderFields.Types = types[:n:n], types[n:]
	f.ProductFields = productFields(&v, &s)
	f.Clamp()
	return f
}

// parts are those of a finding that nearly all have, in one allocation.
type parts struct {
	finding    asff.Finding
	provider   asff.FindingProviderFields
	process    asff.Process
	normalized int
}

// composer makes strings of parts, all in one allocation as far as there is room.
type composer struct{ b strings.Builder }

// composedBytes is room for what is composed for most alerts: Id, time, image, and the names of workload and resources.
const composedBytes = 448

func (c *composer) join(parts ...string) string {
	start := c.b.Len()
	for _, part := range parts {
		c.b.WriteString(part)
	}
	return c.b.String()[start:]
}

func (c *composer) of(text []byte) string {
	start := c.b.Len()
	c.b.Write(text)
	return c.b.String()[start:]
}

// eventTimeOf is the alert's time. The format knows the years 1970 to 9999; Parse lets no others through.
func eventTimeOf(a *falco.Alert) time.Time {
	const lastSecond = 253402300799 // of the year 9999
	switch seconds := a.Time.Unix(); {
	case seconds < 0:
		return time.Unix(0, 0)
	case seconds > lastSecond:
		return time.Unix(lastSecond, 0)
	}
	return a.Time
}

// description is the output text; an alert without one is described by its rule.
func description(a *falco.Alert) string {
	if text := a.Message(); strings.TrimSpace(text) != "" && text != notAvailable {
		return text
	}
	return a.Rule
}

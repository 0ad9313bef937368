// Package convert turns an alert of Falco's into a finding in the AWS Security Finding Format.
//
// In comes a falco.Alert and a falco.Origin, out goes an asff.Finding within all limits of the format. Stream does the
// same for lines of text.
//
// Conversion is pure: the same alert, origin and Config give the same finding, byte for byte, on every machine and in
// every order. It reads no clock, disk or network, and keeps nothing between alerts. All times are the event's, and the
// Id is made of what the finding is about, so that a repeat is the same finding (docs/design/0002-finding-identity.md).
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
	fields      map[string]fieldInfo
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
	v.read(a, c.fields)
	var s subject
	s.find(c, &v, o)
	when := string(falco.AppendTime(make([]byte, 0, len("2006-01-02T15:04:05.000000000Z")), eventTimeOf(a)))
	label := c.severity.Label(a.Rule, a.Priority)
	types := c.types.of(a.Tags, s.place())
	f := &asff.Finding{
		SchemaVersion: asff.SchemaVersion,
		ID:            c.id(&v, &s),
		ProductArn:    c.product(&s),
		ProductName:   ProductName,
		CompanyName:   CompanyName,
		Region:        s.region,
		GeneratorID:   "falco/" + a.Rule,
		AwsAccountID:  s.account,
		Types:         types,

		FirstObservedAt: when,
		LastObservedAt:  when,
		CreatedAt:       when,
		UpdatedAt:       when,

		Severity:    asff.Severity{Label: label, Original: a.Priority.String()},
		Title:       a.Rule,
		Description: description(a),
		Process:     process(&v),
		Network:     network(&v, &s.connection),
		Resources:   c.resources(&v, &s),
		RecordState: "ACTIVE",
		Workflow:    asff.Workflow{Status: "NEW"},
		FindingProviderFields: &asff.FindingProviderFields{
			Severity: asff.ProviderSeverity{Label: label, Original: a.Priority.String()},
			Types:    slices.Clone(types),
		},
	}
	if n, ok := asff.SeverityNormalized(label); ok {
		f.Severity.Normalized = &n
	}
	f.Remediation.Recommendation = c.remediation.recommend(a)
	f.ProductFields = productFields(&v, &s)
	f.Clamp()
	return f
}

// eventTimeOf is the alert's time. The format knows the years 1970 to 9999; Parse lets no others through.
func eventTimeOf(a *falco.Alert) time.Time {
	switch year := a.Time.UTC().Year(); {
	case year < 1970:
		return time.Unix(0, 0)
	case year > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return a.Time
}

func (c *Converter) product(s *subject) string {
	if c.productArn != "" {
		return c.productArn
	}
	return "arn:" + s.partition + ":securityhub:" + s.region + ":" + s.account + ":product/" + s.account + "/default"
}

// description is the output text; an alert without one is described by its rule.
func description(a *falco.Alert) string {
	if text := a.Message(); strings.TrimSpace(text) != "" && text != notAvailable {
		return text
	}
	return a.Rule
}

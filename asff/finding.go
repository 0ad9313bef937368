// Package asff is the second of the two nouns that travel through Eyrie: a security finding in the AWS
// Security Finding Format, schema version 2018-10-08, with that format's limits, validation and filters.
//
// In comes JSON text: a finding (UnmarshalJSON, Extract, Validate, ParseDocument) or a filter object
// (ParseFilters). Out goes JSON text again, the values of the attributes one can filter by, a verdict
// (does this filter match, is this finding valid), or an edited document.
//
// The package does no input or output, reads no clock (a comparison with "now" takes it as an argument),
// knows no AWS SDK and no storage, and keeps nothing between calls. Its tables are built by pure functions
// when the program starts and never change after that.
//
// It fails by returning an error or a verdict, never by panicking: every parser here takes hostile bytes,
// bounds nesting at MaxDepth and has a fuzz target.
//
// Go names are AWS's member names with "Id" spelled "ID" and nothing else changed; the wire names are
// AWS's own. Three views of a finding exist because they have different jobs: Finding (typed, for
// producers and pages), Document (the raw members, for whoever must give back what he was given byte for
// byte) and Extract (a single pass over the raw bytes, for an index).
package asff

import "encoding/json"

// SchemaVersion is the only schema version that Security Hub has ever accepted.
const SchemaVersion = "2018-10-08"

// Finding is one AwsSecurityFinding. The zero value of a member means that it is absent: empty strings, empty
// lists, empty maps, nil pointers and zero structs are not written. Not safe for concurrent writes; AppendJSON
// only reads.
//
// Timestamps are text as it stands on the wire; FormatTime and ParseTime convert. Members that Eyrie neither
// writes nor shows are kept raw. Unknown members of nested structs other than Resource and ResourceDetails are
// lost by UnmarshalJSON followed by AppendJSON; Document loses nothing.
type Finding struct {
	SchemaVersion   string // "2018-10-08"
	ID              string `json:"Id"` // at most 512 characters
	ProductArn      string
	ProductName     string
	CompanyName     string
	Region          string
	GeneratorID     string `json:"GeneratorId"`
	AwsAccountID    string `json:"AwsAccountId"` // 12 digits
	Types           []string
	FirstObservedAt string
	LastObservedAt  string
	CreatedAt       string
	UpdatedAt       string
	Severity        Severity
	Confidence      *int // 0 to 100
	Criticality     *int // 0 to 100
	Title           string
	Description     string
	Remediation     Remediation
	SourceUrl       string

	ProductFields     map[string]string
	UserDefinedFields map[string]string

	Malware               []Malware
	Network               *Network
	NetworkPath           json.RawMessage
	Process               *Process
	Threats               json.RawMessage
	ThreatIntelIndicators []ThreatIntelIndicator
	Resources             []Resource
	Compliance            *Compliance
	VerificationState     string // UNKNOWN, TRUE_POSITIVE, FALSE_POSITIVE or BENIGN_POSITIVE
	WorkflowState         string // deprecated by AWS in favour of Workflow
	Workflow              Workflow
	RecordState           string // ACTIVE or ARCHIVED
	RelatedFindings       []RelatedFinding
	Note                  *Note
	Vulnerabilities       json.RawMessage
	PatchSummary          json.RawMessage
	Action                json.RawMessage
	FindingProviderFields *FindingProviderFields
	Sample                *bool
	GeneratorDetails      json.RawMessage
	ProcessedAt           string
	AwsAccountName        string
	Detection             json.RawMessage

	// Extra holds top-level members that the format does not define, in the order in which they were met.
	// They are written after all others.
	Extra []Member `json:"-"`
}

// Member is one member of a JSON object: its decoded name and the raw JSON text of its value.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Severity says how bad it is. Label or Normalized must be given unless FindingProviderFields has one.
type Severity struct {
	Product    *float64
	Label      string // INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL
	Normalized *int   // 0 to 100, deprecated by AWS in favour of Label
	Original   string // the producer's own word, at most 64 characters
}

// Remediation wraps the one Recommendation, as AWS does.
type Remediation struct {
	Recommendation Recommendation
}

// Recommendation says what to do about the finding.
type Recommendation struct {
	Text string // at most 512 characters
	Url  string
}

// Malware is one piece of malware seen. Name is required.
type Malware struct {
	Name  string
	Type  string
	Path  string
	State string
}

// Network describes the connection a finding is about. A nil port is absent; port 0 is written.
type Network struct {
	Direction         string // IN or OUT
	Protocol          string // IANA's name, at most 16 characters
	OpenPortRange     *PortRange
	SourceIpV4        string
	SourceIpV6        string
	SourcePort        *int
	SourceDomain      string
	SourceMac         string
	DestinationIpV4   string
	DestinationIpV6   string
	DestinationPort   *int
	DestinationDomain string
}

// PortRange is a range of ports, both ends included.
type PortRange struct {
	Begin *int
	End   *int
}

// Process describes the process a finding is about (AWS: ProcessDetails).
type Process struct {
	Name         string // at most 64 characters
	Path         string // at most 512 characters
	Pid          *int
	ParentPid    *int
	LaunchedAt   string
	TerminatedAt string
}

// ThreatIntelIndicator is one indicator of a threat feed.
type ThreatIntelIndicator struct {
	Type           string
	Value          string
	Category       string
	LastObservedAt string
	Source         string
	SourceUrl      string
}

// Resource is one thing the finding is about. Type and ID are required.
type Resource struct {
	Type               string
	ID                 string `json:"Id"`
	Partition          string // aws, aws-cn, aws-us-gov, ...
	Region             string
	Provider           string // AWS or Azure
	OwnerAccountID     string `json:"-"` // Owner.Account.Id on the wire
	OwnerOrgID         string `json:"-"` // Owner.Org.Id on the wire
	ResourceRole       string
	Tags               map[string]string
	DataClassification json.RawMessage
	Details            *ResourceDetails
	ApplicationName    string
	ApplicationArn     string
	Extra              []Member `json:"-"` // other members, raw
}

// ResourceDetails holds what is known of a resource by its type. Types that Eyrie does not write are in Extra.
type ResourceDetails struct {
	AwsEc2Instance  *AwsEc2Instance
	AwsEcsCluster   *AwsEcsCluster
	AwsEcsContainer *AwsEcsContainer
	AwsEcsTask      *AwsEcsTask
	AwsEksCluster   *AwsEksCluster
	Container       *Container
	Other           map[string]string // at most 50 pairs
	Extra           []Member          `json:"-"` // other members, raw
}

// Container describes a container (AWS: ContainerDetails).
type Container struct {
	ContainerRuntime string
	Name             string
	ImageID          string `json:"ImageId"`
	ImageName        string
	LaunchedAt       string
	VolumeMounts     []VolumeMount
	Privileged       *bool
}

// VolumeMount is one volume mounted in a container.
type VolumeMount struct {
	Name      string
	MountPath string
}

// AwsEc2Instance describes an EC2 instance.
type AwsEc2Instance struct {
	Type                  string
	ImageID               string `json:"ImageId"`
	IpV4Addresses         []string
	IpV6Addresses         []string
	KeyName               string
	IamInstanceProfileArn string
	VpcID                 string `json:"VpcId"`
	SubnetID              string `json:"SubnetId"`
	LaunchedAt            string
}

// AwsEcsCluster describes an ECS cluster.
type AwsEcsCluster struct {
	ClusterArn  string
	ClusterName string
	Status      string
}

// AwsEcsContainer describes a container of an ECS task.
type AwsEcsContainer struct {
	Name       string
	Image      string
	Privileged *bool
}

// AwsEcsTask describes an ECS task.
type AwsEcsTask struct {
	ClusterArn        string
	TaskDefinitionArn string
	Version           string
	CreatedAt         string
	StartedAt         string
	StartedBy         string
	Group             string
	Containers        []AwsEcsContainer
}

// AwsEksCluster describes an EKS cluster.
type AwsEksCluster struct {
	Arn      string
	Endpoint string
	Name     string
	RoleArn  string
	Version  string
}

// Compliance is the result of a check against a standard.
type Compliance struct {
	Status                    string
	RelatedRequirements       []string
	StatusReasons             []StatusReason
	SecurityControlID         string `json:"SecurityControlId"`
	AssociatedStandards       []AssociatedStandard
	SecurityControlParameters []SecurityControlParameter
}

// StatusReason says why a check has its status.
type StatusReason struct {
	ReasonCode  string
	Description string
}

// AssociatedStandard names a standard in which a control is enabled.
type AssociatedStandard struct {
	StandardsID string `json:"StandardsId"`
}

// SecurityControlParameter is one parameter of a control.
type SecurityControlParameter struct {
	Name  string
	Value []string
}

// Workflow is where a person stands with a finding.
type Workflow struct {
	Status string // NEW, NOTIFIED, RESOLVED or SUPPRESSED
}

// RelatedFinding points at another finding.
type RelatedFinding struct {
	ProductArn string
	ID         string `json:"Id"`
}

// Note is the customer's one note on a finding. All three members are required.
type Note struct {
	Text      string // at most 512 characters
	UpdatedBy string
	UpdatedAt string
}

// FindingProviderFields are the producer's own values for what a customer may override at the top level.
type FindingProviderFields struct {
	Confidence      *int
	Criticality     *int
	RelatedFindings []RelatedFinding
	Severity        ProviderSeverity
	Types           []string
}

// ProviderSeverity is the producer's severity (AWS: FindingProviderSeverity).
type ProviderSeverity struct {
	Label    string
	Original string
}

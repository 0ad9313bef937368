package asff

import (
	"strconv"
	"strings"
)

// schemaText is what Validate checks, one member a line, indented under its object by one tab a level:
//
//	Name[!] type [argument]
//
// "!" marks a required member. Types: "text n" is a string that is not blank, of at most n characters (no n: no
// limit but the finding's size); "enum a|b" is one of these strings; "time", "account", "arn", "class", "ip4" and
// "ip6" are strings of that form; "int a..b" is a whole number (no range: 32 bits); "num", "bool" and "any" say it;
// "map n k v" is an object of at most n strings with keys of k and values of v characters (0: no limit); "object" has
// its members below it; "list a..b type" is an array of a to b elements, "list object" with their members below.
//
// Names, types, enumerations and required members are those of AWS's service model (botocore 1.43.67); lengths and
// counts those of its documentation, except: Details.Other's values hold 1024 characters, a Types entry is one to
// three parts between slashes, and AssociatedStandards has at most 20 entries, as BatchImportFindings' own error
// messages tell (cloud-custodian issue 3603, prowler issue 2519 and pull request 2520). Members that are not listed are
// allowed and only have to be JSON.
const schemaText = `
SchemaVersion! enum 2018-10-08
Id! text 512
ProductArn! arn
ProductName text 128
CompanyName text 128
Region text 16
GeneratorId! text 512
AwsAccountId! account
Types list 0..50 class
FirstObservedAt time
LastObservedAt time
CreatedAt! time
UpdatedAt! time
Severity object
	Product num
	Label enum INFORMATIONAL|LOW|MEDIUM|HIGH|CRITICAL
	Normalized int 0..100
	Original text 64
Confidence int 0..100
Criticality int 0..100
Title! text 256
Description! text 1024
Remediation object
	Recommendation object
		Text text 512
		Url text
SourceUrl text
ProductFields map 50 128 2048
UserDefinedFields map 50 128 1024
Malware list 0..5 object
	Name! text 64
	Type enum ADWARE|BLENDED_THREAT|BOTNET_AGENT|COIN_MINER|EXPLOIT_KIT|KEYLOGGER|MACRO|POTENTIALLY_UNWANTED|SPYWARE|RANSOMWARE|REMOTE_ACCESS|ROOTKIT|TROJAN|VIRUS|WORM
	Path text 512
	State enum OBSERVED|REMOVAL_FAILED|REMOVED
Network object
	Direction enum IN|OUT
	Protocol text 16
	OpenPortRange object
		Begin int 0..65535
		End int 0..65535
	SourceIpV4 ip4
	SourceIpV6 ip6
	SourcePort int 0..65535
	SourceDomain text 128
	SourceMac text
	DestinationIpV4 ip4
	DestinationIpV6 ip6
	DestinationPort int 0..65535
	DestinationDomain text 128
NetworkPath list 0.. object
	ComponentId text 32
	ComponentType text 32
	Egress object
		Protocol text 16
	Ingress object
		Protocol text 16
Process object
	Name text 64
	Path text 512
	Pid int 0..2147483647
	ParentPid int 0..2147483647
	LaunchedAt time
	TerminatedAt time
Threats list 1..32 object
	Name text 128
	Severity text 128
	ItemCount int
	FilePaths list 1..5 object
		FilePath text 128
		FileName text 128
		ResourceId text 128
		Hash text 128
ThreatIntelIndicators list 1..5 object
	Type enum DOMAIN|EMAIL_ADDRESS|HASH_MD5|HASH_SHA1|HASH_SHA256|HASH_SHA512|IPV4_ADDRESS|IPV6_ADDRESS|MUTEX|PROCESS|URL
	Value text 512
	Category enum BACKDOOR|CARD_STEALER|COMMAND_AND_CONTROL|DROP_SITE|EXPLOIT_SITE|KEYLOGGER
	LastObservedAt time
	Source text 64
	SourceUrl text
Resources! list 1..32 object
	Type! text 256
	Id! text
	Partition enum aws|aws-cn|aws-us-gov|aws-us-iso|aws-us-iso-b|AzureCloud
	Region text 16
	Provider enum Azure|AWS
	Owner object
		Account object
			Id text
		Org object
			Id text
	ResourceRole text
	Tags map 0 0 0
	DataClassification object
	Details object
		Other map 50 128 1024
		Container object
			ContainerRuntime text
			Name text
			ImageId text
			ImageName text
			LaunchedAt time
			VolumeMounts list 0.. object
				Name text
				MountPath text
			Privileged bool
		AwsEc2Instance object
			Type text
			ImageId text
			IpV4Addresses list 0.. text
			IpV6Addresses list 0.. text
			KeyName text
			IamInstanceProfileArn text
			VpcId text
			SubnetId text
			LaunchedAt time
		AwsEcsCluster object
			ClusterArn text
			ClusterName text
			Status text
		AwsEcsContainer object
			Name text
			Image text
			Privileged bool
		AwsEcsTask object
			ClusterArn text
			TaskDefinitionArn text
			Version text
			CreatedAt text
			StartedAt text
			StartedBy text
			Group text
			Containers list 0.. object
				Name text
				Image text
				Privileged bool
		AwsEksCluster object
			Arn text
			Endpoint text
			Name text
			RoleArn text
			Version text
		AwsIamAccessKey object
			UserName text
			PrincipalName text
			Status enum Active|Inactive
			CreatedAt time
		AwsIamUser object
			UserName text
		AwsS3Bucket object
			OwnerId text
			OwnerName text
	ApplicationName text
	ApplicationArn text
Compliance object
	Status enum PASSED|WARNING|FAILED|NOT_AVAILABLE
	RelatedRequirements list 0..32 text
	StatusReasons list 0.. object
		ReasonCode! text
		Description text
	SecurityControlId text
	AssociatedStandards list 0..20 object
		StandardsId text
	SecurityControlParameters list 0.. object
		Name text
		Value list 0.. text
VerificationState enum UNKNOWN|TRUE_POSITIVE|FALSE_POSITIVE|BENIGN_POSITIVE
WorkflowState enum NEW|ASSIGNED|IN_PROGRESS|DEFERRED|RESOLVED
Workflow object
	Status enum NEW|NOTIFIED|RESOLVED|SUPPRESSED
RecordState enum ACTIVE|ARCHIVED
RelatedFindings list 1..10 object
	ProductArn! text
	Id! text
Note object
	Text! text 512
	UpdatedBy! text
	UpdatedAt! time
Vulnerabilities list 0.. object
	Id! text
	VulnerablePackages list 0.. object
	Cvss list 0.. object
	RelatedVulnerabilities list 0.. text
	Vendor object
		Name! text
	ReferenceUrls list 0.. text
	FixAvailable enum YES|NO|PARTIAL
	EpssScore num
	ExploitAvailable enum YES|NO
	CodeVulnerabilities list 0.. object
PatchSummary object
	Id! text 256
	InstalledCount int 0..100000
	MissingCount int 0..100000
	FailedCount int 0..100000
	InstalledOtherCount int 0..100000
	InstalledRejectedCount int 0..100000
	InstalledPendingReboot int 0..100000
	OperationStartTime time
	OperationEndTime time
	RebootOption text 256
	Operation text 256
Action object
	ActionType text
	NetworkConnectionAction object
		Protocol text 64
		Blocked bool
	AwsApiCallAction object
		Api text 128
		ServiceName text 128
	DnsRequestAction object
		Domain text 128
		Protocol text 64
		Blocked bool
	PortProbeAction object
		PortProbeDetails list 0.. object
		Blocked bool
FindingProviderFields object
	Confidence int 0..100
	Criticality int 0..100
	RelatedFindings list 1..10 object
		ProductArn! text
		Id! text
	Severity object
		Label enum INFORMATIONAL|LOW|MEDIUM|HIGH|CRITICAL
		Original text 64
	Types list 0..50 class
Sample bool
GeneratorDetails object
	Name text
	Description text
	Labels list 0..10 text
ProcessedAt time
AwsAccountName text 50
Detection object
	Sequence object
		Uid text
		Actors list 0..10 object
		Endpoints list 0..10 object
		Signals list 1..100 object
		SequenceIndicators list 0..100 object
`

type shape uint8

const (
	shapeAny shape = iota
	shapeObject
	shapeList
	shapeMap
	shapeText
	shapeEnum
	shapeForm // a string that form takes
	shapeInt
	shapeNumber
	shapeBool
)

// rule says what one value must be.
type rule struct {
	shape    shape
	members  []memberRule // object; at most 64, so that a bit set can say which were seen
	elem     *rule        // list
	min, max int          // elements, or the range of an int; max of a text or of a map's pairs, 0 for no limit
	key, val int          // longest key and value of a map, 0 for no limit
	enum     []string
	form     *form
}

type memberRule struct {
	name     string
	required bool
	rule     *rule
}

// findingRule is compiled once from schemaText and never written to again.
var findingRule = compileSchema(schemaText)

// compileSchema panics if the text is malformed, which the first test to run would show.
func compileSchema(text string) *rule {
	root := &rule{shape: shapeObject}
	open := []*rule{root} // the object whose members stand at each level of indentation
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		level := len(line) - len(strings.TrimLeft(line, "\t"))
		name, kind, _ := strings.Cut(line[level:], " ")
		name, required := strings.CutSuffix(name, "!")
		r := compileRule(kind)
		parent := open[level]
		parent.members = append(parent.members, memberRule{name, required, r})
		if len(parent.members) > 64 {
			panic("asff: too many members beside " + name)
		}
		for r.shape == shapeList {
			r = r.elem
		}
		open = append(open[:level+1], r)
	}
	return root
}

func compileRule(text string) *rule {
	kind, arg, _ := strings.Cut(text, " ")
	r := new(rule)
	switch kind {
	case "object":
		r.shape = shapeObject
	case "list":
		bounds, elem, _ := strings.Cut(arg, " ")
		r.shape, r.elem = shapeList, compileRule(elem)
		r.min, r.max = parseRange(bounds)
	case "map":
		r.shape = shapeMap
		sizes := strings.Fields(arg)
		r.max, r.key, r.val = number(sizes[0]), number(sizes[1]), number(sizes[2])
	case "text":
		r.shape, r.max = shapeText, number(arg)
	case "enum":
		r.shape, r.enum = shapeEnum, strings.Split(arg, "|")
	case "int":
		r.shape, r.min, r.max = shapeInt, -1<<31, 1<<31-1
		if arg != "" {
			r.min, r.max = parseRange(arg)
		}
	case "num":
		r.shape = shapeNumber
	case "bool":
		r.shape = shapeBool
	case "any":
	default:
		r.shape, r.form = shapeForm, forms()[kind]
		if r.form == nil {
			panic("asff: unknown type " + kind)
		}
	}
	return r
}

func parseRange(text string) (low, high int) {
	a, b, _ := strings.Cut(text, "..")
	return number(a), number(b)
}

// number is 0 for nothing.
func number(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic("asff: " + err.Error())
	}
	return n
}

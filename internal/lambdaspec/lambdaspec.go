// Package lambdaspec is the contract between eyrie-lambda and what deploys it, in one place: the environment variables it
// reads, the AWS actions its code calls, the metrics it writes and the tasks it can be invoked for. The function is made
// of it, the CloudFormation template is tested against it, and docs/lambda.md is compared with it.
//
// It holds tables only: nothing comes in, nothing can fail.
package lambdaspec

// Variable is an environment variable of the function.
type Variable struct {
	Name     string
	Default  string // "" is: not set
	Required bool
	Means    string
}

// Names of the variables.
const (
	Cluster             = "EYRIE_CLUSTER"
	EKSClusters         = "EYRIE_EKS_CLUSTERS"
	Account             = "EYRIE_ACCOUNT"
	Severity            = "EYRIE_SEVERITY"
	Conversion          = "EYRIE_CONVERSION"
	ProductARN          = "EYRIE_PRODUCT_ARN"
	SecurityHubEndpoint = "EYRIE_SECURITYHUB_ENDPOINT"
	CallsPerSecond      = "EYRIE_CALLS_PER_SECOND"
	CallsBurst          = "EYRIE_CALLS_BURST"
	QuarantineQueueURL  = "EYRIE_QUARANTINE_QUEUE_URL"
	DeadLetterQueueURL  = "EYRIE_DEAD_LETTER_QUEUE_URL"
	EnrichEC2           = "EYRIE_ENRICH_EC2"
	EnrichECS           = "EYRIE_ENRICH_ECS"
	EnrichTimeout       = "EYRIE_ENRICH_TIMEOUT"
	EnrichTTL           = "EYRIE_ENRICH_TTL"
	ArchiveAfter        = "EYRIE_ARCHIVE_AFTER"
	ArchiveResolved     = "EYRIE_ARCHIVE_RESOLVED"
	Heartbeat           = "EYRIE_HEARTBEAT"
	MetricsNamespace    = "EYRIE_METRICS_NAMESPACE"
	LogLevel            = "EYRIE_LOG_LEVEL"
)

// Variables are all variables that the function reads, besides those that Lambda itself and the AWS SDK define.
func Variables() []Variable {
	return []Variable{
		{QuarantineQueueURL, "", true, "URL of the SQS queue for what cannot be understood or is refused"},
		{DeadLetterQueueURL, "", false, "URL of the SQS queue for events that failed for good; task `replay` empties it too"},
		{Cluster, "", false, "name, or ARN of the EKS cluster, that alerts come from which do not say it themselves"},
		{EKSClusters, "", false, "comma-separated patterns (`*`, `?`) of names of clusters that run on Amazon EKS"},
		{Account, "", false, "account of the findings; default: the function's own"},
		{Severity, "conservative", false, "severity map: `conservative` or `guidance`"},
		{Conversion, "", false, "path of a file for conversion (severity, identity, remediation of single rules), in the zip or a layer"},
		{ProductARN, "", false, "ProductArn of the findings; default: `product/ACCOUNT/default` of the account and Region"},
		{SecurityHubEndpoint, "", false, "URL of another Security Hub endpoint, an Eyrie hub for one; default: AWS's of the Region"},
		{CallsPerSecond, "10", false, "BatchImportFindings calls a second of one execution environment; 0: no limit"},
		{CallsBurst, "30", false, "calls that may come at once"},
		{EnrichEC2, "true", false, "look up EC2 instances"},
		{EnrichECS, "true", false, "look up ECS tasks"},
		{EnrichTimeout, "2s", false, "the longest that looking up may delay an invocation"},
		{EnrichTTL, "1h", false, "how long an answer, also \"there is none\", is remembered"},
		{ArchiveAfter, "30d", false, "task `maintain` archives findings that were quiet for this long; 0: never"},
		{ArchiveResolved, "true", false, "task `maintain` archives resolved findings, so that a new occurrence makes them NEW"},
		{Heartbeat, "false", false, "task `maintain` publishes a finding that says Eyrie is alive"},
		{MetricsNamespace, "Eyrie", false, "CloudWatch namespace of the metrics"},
		{LogLevel, "info", false, "`debug`, `info`, `warn` or `error`"},
	}
}

// Resource says which resources an action needs, for the policy's Resource.
type Resource string

// The resources.
const (
	AnyResource     Resource = "*" // the action knows no resources
	Product         Resource = "securityhub product"
	Hub             Resource = "securityhub hub"
	ECSTasks        Resource = "ecs tasks"
	QuarantineQueue Resource = "quarantine queue"
	DeadLetterQueue Resource = "dead-letter queue"
	OwnLogGroup     Resource = "the function's log group"
)

// Action is an AWS action that the function's role needs.
type Action struct {
	Action   string
	Resource Resource
	Variable string // needed only if this variable turns it on; "" is always
	By       string // "code", or "lambda" for what the Lambda service does in the role's name
	Why      string
}

// Actions are all actions of the role. A test drives the function through everything it does and compares.
func Actions() []Action {
	return []Action{
		{"securityhub:BatchImportFindings", Product, "", "code", "publish, archive and heartbeat"},
		{"securityhub:GetFindings", Hub, ArchiveAfter, "code", "find what went quiet"},
		{"ec2:DescribeInstances", AnyResource, EnrichEC2, "code", "facts of instances"},
		{"ecs:DescribeTasks", ECSTasks, EnrichECS, "code", "facts of tasks"},
		{"sqs:SendMessage", QuarantineQueue, "", "code", "quarantine"},
		{"sqs:ReceiveMessage", QuarantineQueue, "", "code", "task replay"},
		{"sqs:DeleteMessage", QuarantineQueue, "", "code", "task replay"},
		{"sqs:ReceiveMessage", DeadLetterQueue, DeadLetterQueueURL, "code", "task replay"},
		{"sqs:DeleteMessage", DeadLetterQueue, DeadLetterQueueURL, "code", "task replay"},
		{"sqs:SendMessage", DeadLetterQueue, "", "lambda", "events that failed for good"},
		{"logs:CreateLogStream", OwnLogGroup, "", "lambda", "the function's log"},
		{"logs:PutLogEvents", OwnLogGroup, "", "lambda", "the function's log"},
	}
}

// Metric is a CloudWatch metric that the function writes in the embedded metric format.
type Metric struct {
	Name       string
	Unit       string     // CloudWatch's
	Dimensions [][]string // the sets it is written with; an empty set is the sum over all
	Means      string
}

// Names of dimensions.
const (
	DimensionCluster  = "Cluster"
	DimensionPriority = "Priority"
	DimensionRule     = "Rule"
)

// OtherRules is the value of a dimension for the values beyond MaxRules in one invocation; UnknownCluster that for alerts of
// no known cluster.
const (
	OtherRules     = "(other)"
	UnknownCluster = "(unknown)"
	MaxRules       = 20
)

// Names of metrics.
const (
	MetricEvents      = "Events"
	MetricAlerts      = "Alerts"
	MetricSkipped     = "Skipped"
	MetricFindings    = "Findings"
	MetricFolded      = "Folded"
	MetricQuarantined = "Quarantined"
	MetricFailures    = "Failures"
	MetricLag         = "Lag"
	MetricRequests    = "Requests"
	MetricRetries     = "Retries"
	MetricLookups     = "Lookups"
	MetricLookupFails = "LookupFailures"
	MetricArchived    = "Archived"
	MetricReplayed    = "Replayed"
)

// Metrics are all metrics.
func Metrics() []Metric {
	all := [][]string{{}}
	return []Metric{
		{MetricEvents, "Count", all, "log events and records received"},
		{MetricAlerts, "Count", [][]string{{}, {DimensionCluster}, {DimensionPriority}, {DimensionRule}}, "alerts of Falco's in them"},
		{MetricSkipped, "Count", all, "lines that are Falco's own log or empty"},
		{MetricFindings, "Count", [][]string{{}}, "findings that Security Hub accepted, after folding"},
		{MetricFolded, "Count", all, "alerts that became a count of another finding"},
		{MetricQuarantined, "Count", all, "records put into quarantine"},
		{MetricFailures, "Count", all, "invocations that ended with an error (0 or 1)"},
		{MetricLag, "Seconds", all, "age of the oldest alert when its finding was accepted"},
		{MetricRequests, "Count", all, "BatchImportFindings requests"},
		{MetricRetries, "Count", all, "of them repeated ones"},
		{MetricLookups, "Count", all, "DescribeInstances and DescribeTasks calls"},
		{MetricLookupFails, "Count", all, "of them failed ones"},
		{MetricArchived, "Count", all, "findings archived by task maintain"},
		{MetricReplayed, "Count", all, "messages processed by task replay"},
	}
}

// Tasks that the function does when it is invoked with {"task":"NAME"}.
const (
	TaskMaintain = "maintain" // archive and heartbeat; invoke on a schedule
	TaskReplay   = "replay"   // process quarantine and dead letters again; invoke by hand
	TaskStatus   = "status"   // say version and configuration; invoke by hand
)

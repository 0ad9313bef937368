// Package template holds the CloudFormation templates by which Eyrie is deployed, and the names in them that other code
// must know. Nothing comes in; the templates' text goes out, as it stands in the files beside this one. It never talks
// to AWS. Its tests resolve every reference, compare the function's permissions with the calls of its code, check
// CloudFormation's limits, and pin a summary of what is deployed.
package template

import _ "embed"

// Eyrie is the template of one Region.
//
//go:embed eyrie.yaml
var eyrie string

//go:embed organization.yaml
var organization string

// Eyrie returns the template of one Region, in YAML.
func Eyrie() string { return eyrie }

// Organization returns the template of a stack that deploys Eyrie's template in the accounts of an organisation, in YAML.
func Organization() string { return organization }

// Logical names of resources that are made only if they do not exist already, and, but for the last two, stay when the
// stack is deleted.
const (
	AlertsLogGroup = "Alerts"
	Hub            = "Hub"
	Aggregator     = "Aggregator"
	ReopenRule     = "Reopen"
)

// MaxBody is the largest template that CloudFormation takes in a request rather than from a bucket, in bytes
// (CloudFormation User Guide, "CloudFormation quotas").
const MaxBody = 51_200

// MaxEmails is the number of e-mail addresses that the template has parameters for, AlarmEmail1 and so on.
const MaxEmails = 5

package cfntest

import (
	"fmt"
	"strings"
)

// kind says what Ref and GetAtt of a resource type give (CloudFormation Template Reference, "Return values"), in which
// name stands for the resource's name and prefix for arn:PARTITION:SERVICE:REGION:ACCOUNT.
type kind struct {
	service    string
	name       string // property that names it; "" if CloudFormation makes a name up
	ref        string
	attributes map[string]string
	tags       bool // stack tags are passed on to it
}

func kinds() map[string]kind {
	return map[string]kind{
		"AWS::Logs::LogGroup":            {"logs", "LogGroupName", "{name}", map[string]string{"Arn": "{prefix}:log-group:{name}:*"}, true},
		"AWS::Logs::SubscriptionFilter":  {"logs", "FilterName", "{name}", nil, false},
		"AWS::Logs::MetricFilter":        {"logs", "", "{name}", nil, false},
		"AWS::Lambda::Function":          {"lambda", "FunctionName", "{name}", map[string]string{"Arn": "{prefix}:function:{name}"}, true},
		"AWS::Lambda::Permission":        {"lambda", "", "{name}", nil, false},
		"AWS::Lambda::EventInvokeConfig": {"lambda", "", "{name}", nil, false},
		"AWS::IAM::Role":                 {"iam", "RoleName", "{name}", map[string]string{"Arn": "{global}:role/{name}"}, true},
		"AWS::SQS::Queue": {"sqs", "QueueName", "https://sqs.{region}.amazonaws.com/{account}/{name}",
			map[string]string{"Arn": "{prefix}:{name}", "QueueName": "{name}"}, true},
		"AWS::SQS::QueuePolicy":                    {"sqs", "", "{name}", nil, false},
		"AWS::Events::Rule":                        {"events", "", "{name}", map[string]string{"Arn": "{prefix}:rule/{name}"}, true},
		"AWS::SNS::Topic":                          {"sns", "TopicName", "{prefix}:{name}", map[string]string{"TopicName": "{name}"}, true},
		"AWS::SNS::TopicPolicy":                    {"sns", "", "{name}", nil, false},
		"AWS::SNS::Subscription":                   {"sns", "", "{prefix}:{name}:5e6e", nil, false},
		"AWS::CloudWatch::Alarm":                   {"cloudwatch", "AlarmName", "{name}", map[string]string{"Arn": "{prefix}:alarm:{name}"}, true},
		"AWS::CloudWatch::Dashboard":               {"cloudwatch", "DashboardName", "{name}", nil, false},
		"AWS::SecurityHub::Hub":                    {"securityhub", "", "{prefix}:hub/default", nil, true},
		"AWS::SecurityHub::FindingAggregator":      {"securityhub", "", "{prefix}:finding-aggregator/5e6e", nil, false},
		"AWS::SecurityHub::AutomationRule":         {"securityhub", "", "{prefix}:automation-rule/5e6e", nil, true},
		"AWS::SecurityHub::Insight":                {"securityhub", "", "{prefix}:insight/{account}/custom/{name}", nil, false},
		"AWS::CloudFormation::WaitConditionHandle": {"cloudformation", "", "https://wait.example/{name}", nil, false},
		"AWS::CloudFormation::StackSet":            {"cloudformation", "StackSetName", "{name}:5e6e", nil, true},
	}
}

// Tagged reports whether CloudFormation passes a stack's tags on to resources of that type.
func Tagged(resourceType string) bool { return kinds()[resourceType].tags }

func (s *scope) fill(form, name string, k kind) string {
	prefix := fmt.Sprintf("arn:%s:%s:%s:%s", s.pseudo["AWS::Partition"], k.service, s.pseudo["AWS::Region"], s.pseudo["AWS::AccountId"])
	global := fmt.Sprintf("arn:%s:%s::%s", s.pseudo["AWS::Partition"], k.service, s.pseudo["AWS::AccountId"])
	return strings.NewReplacer("{name}", name, "{prefix}", prefix, "{global}", global, "{region}", s.pseudo["AWS::Region"], "{account}", s.pseudo["AWS::AccountId"]).Replace(form)
}

func (s *scope) name(logical string, k kind, properties map[string]any) string {
	if k.name != "" && text(properties[k.name]) != "" {
		return text(properties[k.name])
	}
	return s.pseudo["AWS::StackName"] + "-" + logical + "-5E6E"
}

func (s *scope) ref(logical string, properties map[string]any) (string, error) {
	k, ok := kinds()[s.t.Resources[logical].Type]
	if !ok {
		return "", fmt.Errorf("%s: type %s is not known here", logical, s.t.Resources[logical].Type)
	}
	return s.fill(k.ref, s.name(logical, k, properties), k), nil
}

func (s *scope) getAtt(logical, attribute string, properties map[string]any) (string, error) {
	k := kinds()[s.t.Resources[logical].Type]
	form, ok := k.attributes[attribute]
	if !ok {
		return "", fmt.Errorf("%s, a %s, has no attribute %s", logical, s.t.Resources[logical].Type, attribute)
	}
	return s.fill(form, s.name(logical, k, properties), k), nil
}

package api

import "strings"

// operation is one of Security Hub's operations. Its URI template has at most one label, at the end: {X} stands for one
// path segment, {X+} for the rest of the path, slashes included.
type operation struct {
	name, method, uri string
}

// match returns the operation that a method and a path, percent-encoded as on the wire, stand for, and the part of the
// path that its label covers, still encoded. A literal path goes before one with a label.
func match(method, path string) (op operation, label string, ok bool) {
	for _, o := range operations {
		if o.method != method {
			continue
		}
		if o.uri == path {
			return o, "", true
		}
		i := strings.IndexByte(o.uri, '{')
		if i < 0 || ok || len(path) <= i || path[:i] != o.uri[:i] {
			continue
		}
		if rest := path[i:]; strings.HasSuffix(o.uri, "+}") || !strings.Contains(rest, "/") {
			op, label, ok = o, rest, true
		}
	}
	return op, label, ok
}

// operations are all operations of Security Hub's service model 2018-10-26 as botocore 1.43.67 has it.
var operations = [...]operation{
	{"AcceptAdministratorInvitation", "POST", "/administrator"},
	{"AcceptInvitation", "POST", "/master"},
	{"BatchDeleteAutomationRules", "POST", "/automationrules/delete"},
	{"BatchDisableStandards", "POST", "/standards/deregister"},
	{"BatchEnableStandards", "POST", "/standards/register"},
	{"BatchGetAutomationRules", "POST", "/automationrules/get"},
	{"BatchGetConfigurationPolicyAssociations", "POST", "/configurationPolicyAssociation/batchget"},
	{"BatchGetSecurityControls", "POST", "/securityControls/batchGet"},
	{"BatchGetStandardsControlAssociations", "POST", "/associations/batchGet"},
	{"BatchImportFindings", "POST", "/findings/import"},
	{"BatchUpdateAutomationRules", "PATCH", "/automationrules/update"},
	{"BatchUpdateFindings", "PATCH", "/findings/batchupdate"},
	{"BatchUpdateFindingsV2", "PATCH", "/findingsv2/batchupdatev2"},
	{"BatchUpdateStandardsControlAssociations", "PATCH", "/associations"},
	{"CreateActionTarget", "POST", "/actionTargets"},
	{"CreateAggregatorV2", "POST", "/aggregatorv2/create"},
	{"CreateAutomationRule", "POST", "/automationrules/create"},
	{"CreateAutomationRuleV2", "POST", "/automationrulesv2/create"},
	{"CreateConfigurationPolicy", "POST", "/configurationPolicy/create"},
	{"CreateConnector", "POST", "/connectors"},
	{"CreateConnectorV2", "POST", "/connectorsv2"},
	{"CreateFindingAggregator", "POST", "/findingAggregator/create"},
	{"CreateInsight", "POST", "/insights"},
	{"CreateMembers", "POST", "/members"},
	{"CreateTicketV2", "POST", "/ticketsv2"},
	{"DeclineInvitations", "POST", "/invitations/decline"},
	{"DeleteActionTarget", "DELETE", "/actionTargets/{ActionTargetArn+}"},
	{"DeleteAggregatorV2", "DELETE", "/aggregatorv2/delete/{AggregatorV2Arn+}"},
	{"DeleteAutomationRuleV2", "DELETE", "/automationrulesv2/{Identifier}"},
	{"DeleteConfigurationPolicy", "DELETE", "/configurationPolicy/{Identifier}"},
	{"DeleteConnector", "DELETE", "/connectors/{ConnectorId+}"},
	{"DeleteConnectorV2", "DELETE", "/connectorsv2/{ConnectorId+}"},
	{"DeleteFindingAggregator", "DELETE", "/findingAggregator/delete/{FindingAggregatorArn+}"},
	{"DeleteInsight", "DELETE", "/insights/{InsightArn+}"},
	{"DeleteInvitations", "POST", "/invitations/delete"},
	{"DeleteMembers", "POST", "/members/delete"},
	{"DescribeActionTargets", "POST", "/actionTargets/get"},
	{"DescribeHub", "GET", "/accounts"},
	{"DescribeOrganizationConfiguration", "GET", "/organization/configuration"},
	{"DescribeProducts", "GET", "/products"},
	{"DescribeProductsV2", "GET", "/productsV2"},
	{"DescribeSecurityHubV2", "GET", "/hubv2"},
	{"DescribeStandards", "GET", "/standards"},
	{"DescribeStandardsControls", "GET", "/standards/controls/{StandardsSubscriptionArn+}"},
	{"DisableImportFindingsForProduct", "DELETE", "/productSubscriptions/{ProductSubscriptionArn+}"},
	{"DisableOrganizationAdminAccount", "POST", "/organization/admin/disable"},
	{"DisableSecurityHub", "DELETE", "/accounts"},
	{"DisableSecurityHubFeatureV2", "DELETE", "/hubv2/feature/{FeatureName}"},
	{"DisableSecurityHubV2", "DELETE", "/hubv2"},
	{"DisassociateFromAdministratorAccount", "POST", "/administrator/disassociate"},
	{"DisassociateFromMasterAccount", "POST", "/master/disassociate"},
	{"DisassociateMembers", "POST", "/members/disassociate"},
	{"EnableImportFindingsForProduct", "POST", "/productSubscriptions"},
	{"EnableOrganizationAdminAccount", "POST", "/organization/admin/enable"},
	{"EnableSecurityHub", "POST", "/accounts"},
	{"EnableSecurityHubFeatureV2", "POST", "/hubv2/feature/{FeatureName}"},
	{"EnableSecurityHubV2", "POST", "/hubv2"},
	{"GenerateRecommendedPolicyV2", "POST", "/recommendedPolicyV2/{MetadataUid}"},
	{"GetAdministratorAccount", "GET", "/administrator"},
	{"GetAggregatorV2", "GET", "/aggregatorv2/get/{AggregatorV2Arn+}"},
	{"GetAutomationRuleV2", "GET", "/automationrulesv2/{Identifier}"},
	{"GetConfigurationPolicy", "GET", "/configurationPolicy/get/{Identifier}"},
	{"GetConfigurationPolicyAssociation", "POST", "/configurationPolicyAssociation/get"},
	{"GetConnector", "GET", "/connectors/{ConnectorId+}"},
	{"GetConnectorV2", "GET", "/connectorsv2/{ConnectorId+}"},
	{"GetEnabledStandards", "POST", "/standards/get"},
	{"GetFindingAggregator", "GET", "/findingAggregator/get/{FindingAggregatorArn+}"},
	{"GetFindingHistory", "POST", "/findingHistory/get"},
	{"GetFindingStatisticsV2", "POST", "/findingsv2/statistics"},
	{"GetFindings", "POST", "/findings"},
	{"GetFindingsTrendsV2", "POST", "/findingsTrendsv2"},
	{"GetFindingsV2", "POST", "/findingsv2"},
	{"GetInsightResults", "GET", "/insights/results/{InsightArn+}"},
	{"GetInsights", "POST", "/insights/get"},
	{"GetInvitationsCount", "GET", "/invitations/count"},
	{"GetMasterAccount", "GET", "/master"},
	{"GetMembers", "POST", "/members/get"},
	{"GetRecommendedPolicyV2", "GET", "/recommendedPolicyV2/{MetadataUid}"},
	{"GetResourcesStatisticsV2", "POST", "/resourcesv2/statistics"},
	{"GetResourcesTrendsV2", "POST", "/resourcesTrendsv2"},
	{"GetResourcesV2", "POST", "/resourcesv2"},
	{"GetSecurityControlDefinition", "GET", "/securityControl/definition"},
	{"InviteMembers", "POST", "/members/invite"},
	{"ListAggregatorsV2", "GET", "/aggregatorv2/list"},
	{"ListAutomationRules", "GET", "/automationrules/list"},
	{"ListAutomationRulesV2", "GET", "/automationrulesv2/list"},
	{"ListConfigurationPolicies", "GET", "/configurationPolicy/list"},
	{"ListConfigurationPolicyAssociations", "POST", "/configurationPolicyAssociation/list"},
	{"ListConnectors", "GET", "/connectors"},
	{"ListConnectorsV2", "GET", "/connectorsv2"},
	{"ListEnabledProductsForImport", "GET", "/productSubscriptions"},
	{"ListFindingAggregators", "GET", "/findingAggregator/list"},
	{"ListFreeTrialStatusesV2", "POST", "/freetrial/statusv2/list"},
	{"ListInvitations", "GET", "/invitations"},
	{"ListMembers", "GET", "/members"},
	{"ListOrganizationAdminAccounts", "GET", "/organization/admin"},
	{"ListSecurityControlDefinitions", "GET", "/securityControls/definitions"},
	{"ListStandardsControlAssociations", "GET", "/associations"},
	{"ListTagsForResource", "GET", "/tags/{ResourceArn}"},
	{"RegisterConnectorV2", "POST", "/connectorsv2/register"},
	{"StartConfigurationPolicyAssociation", "POST", "/configurationPolicyAssociation/associate"},
	{"StartConfigurationPolicyDisassociation", "POST", "/configurationPolicyAssociation/disassociate"},
	{"TagResource", "POST", "/tags/{ResourceArn}"},
	{"UntagResource", "DELETE", "/tags/{ResourceArn}"},
	{"UpdateActionTarget", "PATCH", "/actionTargets/{ActionTargetArn+}"},
	{"UpdateAggregatorV2", "PATCH", "/aggregatorv2/update/{AggregatorV2Arn+}"},
	{"UpdateAutomationRuleV2", "PATCH", "/automationrulesv2/{Identifier}"},
	{"UpdateConfigurationPolicy", "PATCH", "/configurationPolicy/{Identifier}"},
	{"UpdateConnector", "PATCH", "/connectors/{ConnectorId+}"},
	{"UpdateConnectorV2", "PATCH", "/connectorsv2/{ConnectorId+}"},
	{"UpdateFindingAggregator", "PATCH", "/findingAggregator/update"},
	{"UpdateFindings", "PATCH", "/findings"},
	{"UpdateInsight", "PATCH", "/insights/{InsightArn+}"},
	{"UpdateOrganizationConfiguration", "POST", "/organization/configuration"},
	{"UpdateSecurityControl", "PATCH", "/securityControl/update"},
	{"UpdateSecurityHubConfiguration", "PATCH", "/accounts"},
	{"UpdateStandardsControl", "PATCH", "/standards/control/{StandardsControlArn+}"},
}

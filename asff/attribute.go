package asff

// Kind is the kind of filter an attribute takes; AWS names the filter types StringFilter, NumberFilter and so on.
type Kind uint8

// The seven kinds.
const (
	KindString Kind = iota
	KindNumber
	KindDate
	KindIP
	KindMap
	KindKeyword
	KindBoolean
)

// String returns AWS's name of the filter type, such as "StringFilter".
func (k Kind) String() string {
	switch k {
	case KindString:
		return "StringFilter"
	case KindNumber:
		return "NumberFilter"
	case KindDate:
		return "DateFilter"
	case KindIP:
		return "IpFilter"
	case KindMap:
		return "MapFilter"
	case KindKeyword:
		return "KeywordFilter"
	case KindBoolean:
		return "BooleanFilter"
	}
	return "unknown kind"
}

// Attribute is one of the attributes by which findings can be filtered: a member of AwsSecurityFindingFilters in
// AWS's service model (botocore 1.43.67). Attributes are numbered from 0 in the model's order, without gaps.
// The numbers are not stable between versions: write names, not numbers, to disk.
type Attribute uint8

// NumAttributes is the number of attributes; every Attribute is less.
const NumAttributes = len(attributeTable)

// The attributes.
const (
	AttrProductArn Attribute = iota
	AttrAwsAccountId
	AttrId
	AttrGeneratorId
	AttrRegion
	AttrType
	AttrFirstObservedAt
	AttrLastObservedAt
	AttrCreatedAt
	AttrUpdatedAt
	AttrSeverityProduct
	AttrSeverityNormalized
	AttrSeverityLabel
	AttrConfidence
	AttrCriticality
	AttrTitle
	AttrDescription
	AttrRecommendationText
	AttrSourceUrl
	AttrProductFields
	AttrProductName
	AttrCompanyName
	AttrUserDefinedFields
	AttrMalwareName
	AttrMalwareType
	AttrMalwarePath
	AttrMalwareState
	AttrNetworkDirection
	AttrNetworkProtocol
	AttrNetworkSourceIpV4
	AttrNetworkSourceIpV6
	AttrNetworkSourcePort
	AttrNetworkSourceDomain
	AttrNetworkSourceMac
	AttrNetworkDestinationIpV4
	AttrNetworkDestinationIpV6
	AttrNetworkDestinationPort
	AttrNetworkDestinationDomain
	AttrProcessName
	AttrProcessPath
	AttrProcessPid
	AttrProcessParentPid
	AttrProcessLaunchedAt
	AttrProcessTerminatedAt
	AttrThreatIntelIndicatorType
	AttrThreatIntelIndicatorValue
	AttrThreatIntelIndicatorCategory
	AttrThreatIntelIndicatorLastObservedAt
	AttrThreatIntelIndicatorSource
	AttrThreatIntelIndicatorSourceUrl
	AttrResourceType
	AttrResourceId
	AttrResourcePartition
	AttrResourceRegion
	AttrResourceTags
	AttrResourceAwsEc2InstanceType
	AttrResourceAwsEc2InstanceImageId
	AttrResourceAwsEc2InstanceIpV4Addresses
	AttrResourceAwsEc2InstanceIpV6Addresses
	AttrResourceAwsEc2InstanceKeyName
	AttrResourceAwsEc2InstanceIamInstanceProfileArn
	AttrResourceAwsEc2InstanceVpcId
	AttrResourceAwsEc2InstanceSubnetId
	AttrResourceAwsEc2InstanceLaunchedAt
	AttrResourceAwsS3BucketOwnerId
	AttrResourceAwsS3BucketOwnerName
	AttrResourceAwsIamAccessKeyUserName
	AttrResourceAwsIamAccessKeyPrincipalName
	AttrResourceAwsIamAccessKeyStatus
	AttrResourceAwsIamAccessKeyCreatedAt
	AttrResourceAwsIamUserUserName
	AttrResourceContainerName
	AttrResourceContainerImageId
	AttrResourceContainerImageName
	AttrResourceContainerLaunchedAt
	AttrResourceDetailsOther
	AttrComplianceStatus
	AttrVerificationState
	AttrWorkflowState
	AttrWorkflowStatus
	AttrRecordState
	AttrRelatedFindingsProductArn
	AttrRelatedFindingsId
	AttrNoteText
	AttrNoteUpdatedAt
	AttrNoteUpdatedBy
	AttrKeyword
	AttrFindingProviderFieldsConfidence
	AttrFindingProviderFieldsCriticality
	AttrFindingProviderFieldsRelatedFindingsId
	AttrFindingProviderFieldsRelatedFindingsProductArn
	AttrFindingProviderFieldsSeverityLabel
	AttrFindingProviderFieldsSeverityOriginal
	AttrFindingProviderFieldsTypes
	AttrSample
	AttrComplianceSecurityControlId
	AttrComplianceAssociatedStandardsId
	AttrVulnerabilitiesExploitAvailable
	AttrVulnerabilitiesFixAvailable
	AttrComplianceSecurityControlParametersName
	AttrComplianceSecurityControlParametersValue
	AttrAwsAccountName
	AttrResourceApplicationName
	AttrResourceApplicationArn
	AttrResourceOwnerAccountId
	AttrResourceOwnerOrgId
	AttrResourceProvider
)

// attributeInfo says what an attribute is called, which filter it takes and where its values stand. In a path,
// "[]" goes into each element of an array and "{}" into each member of a map. Keyword has no path: it is matched
// against all text.
type attributeInfo struct {
	name       string
	kind       Kind
	path       string
	deprecated bool
}

// attributeTable is in the order of the constants above. Never written to.
var attributeTable = [...]attributeInfo{
	AttrProductArn:                                     {"ProductArn", KindString, "ProductArn", false},
	AttrAwsAccountId:                                   {"AwsAccountId", KindString, "AwsAccountId", false},
	AttrId:                                             {"Id", KindString, "Id", false},
	AttrGeneratorId:                                    {"GeneratorId", KindString, "GeneratorId", false},
	AttrRegion:                                         {"Region", KindString, "Region", false},
	AttrType:                                           {"Type", KindString, "Types[]", false},
	AttrFirstObservedAt:                                {"FirstObservedAt", KindDate, "FirstObservedAt", false},
	AttrLastObservedAt:                                 {"LastObservedAt", KindDate, "LastObservedAt", false},
	AttrCreatedAt:                                      {"CreatedAt", KindDate, "CreatedAt", false},
	AttrUpdatedAt:                                      {"UpdatedAt", KindDate, "UpdatedAt", false},
	AttrSeverityProduct:                                {"SeverityProduct", KindNumber, "Severity.Product", true},
	AttrSeverityNormalized:                             {"SeverityNormalized", KindNumber, "Severity.Normalized", true},
	AttrSeverityLabel:                                  {"SeverityLabel", KindString, "Severity.Label", false},
	AttrConfidence:                                     {"Confidence", KindNumber, "Confidence", false},
	AttrCriticality:                                    {"Criticality", KindNumber, "Criticality", false},
	AttrTitle:                                          {"Title", KindString, "Title", false},
	AttrDescription:                                    {"Description", KindString, "Description", false},
	AttrRecommendationText:                             {"RecommendationText", KindString, "Remediation.Recommendation.Text", false},
	AttrSourceUrl:                                      {"SourceUrl", KindString, "SourceUrl", false},
	AttrProductFields:                                  {"ProductFields", KindMap, "ProductFields{}", false},
	AttrProductName:                                    {"ProductName", KindString, "ProductName", false},
	AttrCompanyName:                                    {"CompanyName", KindString, "CompanyName", false},
	AttrUserDefinedFields:                              {"UserDefinedFields", KindMap, "UserDefinedFields{}", false},
	AttrMalwareName:                                    {"MalwareName", KindString, "Malware[].Name", false},
	AttrMalwareType:                                    {"MalwareType", KindString, "Malware[].Type", false},
	AttrMalwarePath:                                    {"MalwarePath", KindString, "Malware[].Path", false},
	AttrMalwareState:                                   {"MalwareState", KindString, "Malware[].State", false},
	AttrNetworkDirection:                               {"NetworkDirection", KindString, "Network.Direction", false},
	AttrNetworkProtocol:                                {"NetworkProtocol", KindString, "Network.Protocol", false},
	AttrNetworkSourceIpV4:                              {"NetworkSourceIpV4", KindIP, "Network.SourceIpV4", false},
	AttrNetworkSourceIpV6:                              {"NetworkSourceIpV6", KindIP, "Network.SourceIpV6", false},
	AttrNetworkSourcePort:                              {"NetworkSourcePort", KindNumber, "Network.SourcePort", false},
	AttrNetworkSourceDomain:                            {"NetworkSourceDomain", KindString, "Network.SourceDomain", false},
	AttrNetworkSourceMac:                               {"NetworkSourceMac", KindString, "Network.SourceMac", false},
	AttrNetworkDestinationIpV4:                         {"NetworkDestinationIpV4", KindIP, "Network.DestinationIpV4", false},
	AttrNetworkDestinationIpV6:                         {"NetworkDestinationIpV6", KindIP, "Network.DestinationIpV6", false},
	AttrNetworkDestinationPort:                         {"NetworkDestinationPort", KindNumber, "Network.DestinationPort", false},
	AttrNetworkDestinationDomain:                       {"NetworkDestinationDomain", KindString, "Network.DestinationDomain", false},
	AttrProcessName:                                    {"ProcessName", KindString, "Process.Name", false},
	AttrProcessPath:                                    {"ProcessPath", KindString, "Process.Path", false},
	AttrProcessPid:                                     {"ProcessPid", KindNumber, "Process.Pid", false},
	AttrProcessParentPid:                               {"ProcessParentPid", KindNumber, "Process.ParentPid", false},
	AttrProcessLaunchedAt:                              {"ProcessLaunchedAt", KindDate, "Process.LaunchedAt", false},
	AttrProcessTerminatedAt:                            {"ProcessTerminatedAt", KindDate, "Process.TerminatedAt", false},
	AttrThreatIntelIndicatorType:                       {"ThreatIntelIndicatorType", KindString, "ThreatIntelIndicators[].Type", false},
	AttrThreatIntelIndicatorValue:                      {"ThreatIntelIndicatorValue", KindString, "ThreatIntelIndicators[].Value", false},
	AttrThreatIntelIndicatorCategory:                   {"ThreatIntelIndicatorCategory", KindString, "ThreatIntelIndicators[].Category", false},
	AttrThreatIntelIndicatorLastObservedAt:             {"ThreatIntelIndicatorLastObservedAt", KindDate, "ThreatIntelIndicators[].LastObservedAt", false},
	AttrThreatIntelIndicatorSource:                     {"ThreatIntelIndicatorSource", KindString, "ThreatIntelIndicators[].Source", false},
	AttrThreatIntelIndicatorSourceUrl:                  {"ThreatIntelIndicatorSourceUrl", KindString, "ThreatIntelIndicators[].SourceUrl", false},
	AttrResourceType:                                   {"ResourceType", KindString, "Resources[].Type", false},
	AttrResourceId:                                     {"ResourceId", KindString, "Resources[].Id", false},
	AttrResourcePartition:                              {"ResourcePartition", KindString, "Resources[].Partition", false},
	AttrResourceRegion:                                 {"ResourceRegion", KindString, "Resources[].Region", false},
	AttrResourceTags:                                   {"ResourceTags", KindMap, "Resources[].Tags{}", false},
	AttrResourceAwsEc2InstanceType:                     {"ResourceAwsEc2InstanceType", KindString, "Resources[].Details.AwsEc2Instance.Type", false},
	AttrResourceAwsEc2InstanceImageId:                  {"ResourceAwsEc2InstanceImageId", KindString, "Resources[].Details.AwsEc2Instance.ImageId", false},
	AttrResourceAwsEc2InstanceIpV4Addresses:            {"ResourceAwsEc2InstanceIpV4Addresses", KindIP, "Resources[].Details.AwsEc2Instance.IpV4Addresses[]", false},
	AttrResourceAwsEc2InstanceIpV6Addresses:            {"ResourceAwsEc2InstanceIpV6Addresses", KindIP, "Resources[].Details.AwsEc2Instance.IpV6Addresses[]", false},
	AttrResourceAwsEc2InstanceKeyName:                  {"ResourceAwsEc2InstanceKeyName", KindString, "Resources[].Details.AwsEc2Instance.KeyName", false},
	AttrResourceAwsEc2InstanceIamInstanceProfileArn:    {"ResourceAwsEc2InstanceIamInstanceProfileArn", KindString, "Resources[].Details.AwsEc2Instance.IamInstanceProfileArn", false},
	AttrResourceAwsEc2InstanceVpcId:                    {"ResourceAwsEc2InstanceVpcId", KindString, "Resources[].Details.AwsEc2Instance.VpcId", false},
	AttrResourceAwsEc2InstanceSubnetId:                 {"ResourceAwsEc2InstanceSubnetId", KindString, "Resources[].Details.AwsEc2Instance.SubnetId", false},
	AttrResourceAwsEc2InstanceLaunchedAt:               {"ResourceAwsEc2InstanceLaunchedAt", KindDate, "Resources[].Details.AwsEc2Instance.LaunchedAt", false},
	AttrResourceAwsS3BucketOwnerId:                     {"ResourceAwsS3BucketOwnerId", KindString, "Resources[].Details.AwsS3Bucket.OwnerId", false},
	AttrResourceAwsS3BucketOwnerName:                   {"ResourceAwsS3BucketOwnerName", KindString, "Resources[].Details.AwsS3Bucket.OwnerName", false},
	AttrResourceAwsIamAccessKeyUserName:                {"ResourceAwsIamAccessKeyUserName", KindString, "Resources[].Details.AwsIamAccessKey.UserName", true},
	AttrResourceAwsIamAccessKeyPrincipalName:           {"ResourceAwsIamAccessKeyPrincipalName", KindString, "Resources[].Details.AwsIamAccessKey.PrincipalName", false},
	AttrResourceAwsIamAccessKeyStatus:                  {"ResourceAwsIamAccessKeyStatus", KindString, "Resources[].Details.AwsIamAccessKey.Status", false},
	AttrResourceAwsIamAccessKeyCreatedAt:               {"ResourceAwsIamAccessKeyCreatedAt", KindDate, "Resources[].Details.AwsIamAccessKey.CreatedAt", false},
	AttrResourceAwsIamUserUserName:                     {"ResourceAwsIamUserUserName", KindString, "Resources[].Details.AwsIamUser.UserName", false},
	AttrResourceContainerName:                          {"ResourceContainerName", KindString, "Resources[].Details.Container.Name", false},
	AttrResourceContainerImageId:                       {"ResourceContainerImageId", KindString, "Resources[].Details.Container.ImageId", false},
	AttrResourceContainerImageName:                     {"ResourceContainerImageName", KindString, "Resources[].Details.Container.ImageName", false},
	AttrResourceContainerLaunchedAt:                    {"ResourceContainerLaunchedAt", KindDate, "Resources[].Details.Container.LaunchedAt", false},
	AttrResourceDetailsOther:                           {"ResourceDetailsOther", KindMap, "Resources[].Details.Other{}", false},
	AttrComplianceStatus:                               {"ComplianceStatus", KindString, "Compliance.Status", false},
	AttrVerificationState:                              {"VerificationState", KindString, "VerificationState", false},
	AttrWorkflowState:                                  {"WorkflowState", KindString, "WorkflowState", false},
	AttrWorkflowStatus:                                 {"WorkflowStatus", KindString, "Workflow.Status", false},
	AttrRecordState:                                    {"RecordState", KindString, "RecordState", false},
	AttrRelatedFindingsProductArn:                      {"RelatedFindingsProductArn", KindString, "RelatedFindings[].ProductArn", false},
	AttrRelatedFindingsId:                              {"RelatedFindingsId", KindString, "RelatedFindings[].Id", false},
	AttrNoteText:                                       {"NoteText", KindString, "Note.Text", false},
	AttrNoteUpdatedAt:                                  {"NoteUpdatedAt", KindDate, "Note.UpdatedAt", false},
	AttrNoteUpdatedBy:                                  {"NoteUpdatedBy", KindString, "Note.UpdatedBy", false},
	AttrKeyword:                                        {"Keyword", KindKeyword, "", true},
	AttrFindingProviderFieldsConfidence:                {"FindingProviderFieldsConfidence", KindNumber, "FindingProviderFields.Confidence", false},
	AttrFindingProviderFieldsCriticality:               {"FindingProviderFieldsCriticality", KindNumber, "FindingProviderFields.Criticality", false},
	AttrFindingProviderFieldsRelatedFindingsId:         {"FindingProviderFieldsRelatedFindingsId", KindString, "FindingProviderFields.RelatedFindings[].Id", false},
	AttrFindingProviderFieldsRelatedFindingsProductArn: {"FindingProviderFieldsRelatedFindingsProductArn", KindString, "FindingProviderFields.RelatedFindings[].ProductArn", false},
	AttrFindingProviderFieldsSeverityLabel:             {"FindingProviderFieldsSeverityLabel", KindString, "FindingProviderFields.Severity.Label", false},
	AttrFindingProviderFieldsSeverityOriginal:          {"FindingProviderFieldsSeverityOriginal", KindString, "FindingProviderFields.Severity.Original", false},
	AttrFindingProviderFieldsTypes:                     {"FindingProviderFieldsTypes", KindString, "FindingProviderFields.Types[]", false},
	AttrSample:                                         {"Sample", KindBoolean, "Sample", false},
	AttrComplianceSecurityControlId:                    {"ComplianceSecurityControlId", KindString, "Compliance.SecurityControlId", false},
	AttrComplianceAssociatedStandardsId:                {"ComplianceAssociatedStandardsId", KindString, "Compliance.AssociatedStandards[].StandardsId", false},
	AttrVulnerabilitiesExploitAvailable:                {"VulnerabilitiesExploitAvailable", KindString, "Vulnerabilities[].ExploitAvailable", false},
	AttrVulnerabilitiesFixAvailable:                    {"VulnerabilitiesFixAvailable", KindString, "Vulnerabilities[].FixAvailable", false},
	AttrComplianceSecurityControlParametersName:        {"ComplianceSecurityControlParametersName", KindString, "Compliance.SecurityControlParameters[].Name", false},
	AttrComplianceSecurityControlParametersValue:       {"ComplianceSecurityControlParametersValue", KindString, "Compliance.SecurityControlParameters[].Value[]", false},
	AttrAwsAccountName:                                 {"AwsAccountName", KindString, "AwsAccountName", false},
	AttrResourceApplicationName:                        {"ResourceApplicationName", KindString, "Resources[].ApplicationName", false},
	AttrResourceApplicationArn:                         {"ResourceApplicationArn", KindString, "Resources[].ApplicationArn", false},
	AttrResourceOwnerAccountId:                         {"ResourceOwnerAccountId", KindString, "Resources[].Owner.Account.Id", false},
	AttrResourceOwnerOrgId:                             {"ResourceOwnerOrgId", KindString, "Resources[].Owner.Org.Id", false},
	AttrResourceProvider:                               {"ResourceProvider", KindString, "Resources[].Provider", false},
}

// attributesByName is built once from the table and never written to again.
var attributesByName = indexAttributes()

func indexAttributes() map[string]Attribute {
	m := make(map[string]Attribute, NumAttributes)
	for a, info := range attributeTable {
		m[info.name] = Attribute(a)
	}
	return m
}

// AttributeByName finds an attribute by its exact wire name, such as "ResourceContainerName".
func AttributeByName(name string) (Attribute, bool) {
	a, ok := attributesByName[name]
	return a, ok
}

// Attributes returns all attributes in the model's order, in a new slice.
func Attributes() []Attribute {
	all := make([]Attribute, NumAttributes)
	for i := range all {
		all[i] = Attribute(i)
	}
	return all
}

// Name returns the wire name, or "" if a is not an attribute.
func (a Attribute) Name() string {
	if int(a) >= NumAttributes {
		return ""
	}
	return attributeTable[a].name
}

// String is Name.
func (a Attribute) String() string { return a.Name() }

// Kind returns the kind of filter that a takes.
func (a Attribute) Kind() Kind { return attributeTable[a].kind }

// Path returns where a's values stand in a finding, such as "Resources[].Details.Container.Name" or
// "ProductFields{}"; "" for Keyword.
func (a Attribute) Path() string { return attributeTable[a].path }

// Deprecated reports whether AWS calls a deprecated. It works all the same.
func (a Attribute) Deprecated() bool { return attributeTable[a].deprecated }

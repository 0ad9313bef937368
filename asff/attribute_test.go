package asff

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// TestAttributesAreTheModels compares the table with the service model, attribute by attribute and in its order.
func TestAttributesAreTheModels(t *testing.T) {
	lines := strings.Split(string(testshared.Read(t, "asff/asff-filters.txt")), "\n")[1:]
	for i, a := range Attributes() {
		want := strings.Join(strings.Fields(lines[i]), " ")
		got := a.Name() + " " + a.Kind().String()
		if !strings.HasPrefix(want, got+" ") || strings.Contains(want, "DEPRECATED") != a.Deprecated() {
			t.Errorf("attribute %d: got %q deprecated %v, want %q", i, got, a.Deprecated(), want)
		}
		if back, ok := AttributeByName(a.Name()); !ok || back != a {
			t.Errorf("AttributeByName(%q): got %v %v", a.Name(), back, ok)
		}
	}
	if lines[NumAttributes] != "" {
		t.Errorf("the model has more attributes: %q", lines[NumAttributes])
	}
	if _, ok := AttributeByName("severitylabel"); ok {
		t.Error("AttributeByName takes a name in the wrong case")
	}
}

// attributeDocs has, for each attribute, a finding in which V stands where the attribute's value does (K: its key).
var attributeDocs = map[string]string{
	"ProductArn": `{"ProductArn":"V"}`, "AwsAccountId": `{"AwsAccountId":"V"}`, "Id": `{"Id":"V"}`,
	"GeneratorId": `{"GeneratorId":"V"}`, "Region": `{"Region":"V"}`, "Type": `{"Types":["V"]}`,
	"FirstObservedAt": `{"FirstObservedAt":"V"}`, "LastObservedAt": `{"LastObservedAt":"V"}`,
	"CreatedAt": `{"CreatedAt":"V"}`, "UpdatedAt": `{"UpdatedAt":"V"}`,
	"SeverityProduct": `{"Severity":{"Product":"V"}}`, "SeverityNormalized": `{"Severity":{"Normalized":"V"}}`,
	"SeverityLabel": `{"Severity":{"Label":"V"}}`, "Confidence": `{"Confidence":"V"}`, "Criticality": `{"Criticality":"V"}`,
	"Title": `{"Title":"V"}`, "Description": `{"Description":"V"}`,
	"RecommendationText": `{"Remediation":{"Recommendation":{"Text":"V"}}}`, "SourceUrl": `{"SourceUrl":"V"}`,
	"ProductFields": `{"ProductFields":{"K":"V"}}`, "ProductName": `{"ProductName":"V"}`, "CompanyName": `{"CompanyName":"V"}`,
	"UserDefinedFields": `{"UserDefinedFields":{"K":"V"}}`,
	"MalwareName":       `{"Malware":[{"Name":"V"}]}`, "MalwareType": `{"Malware":[{"Type":"V"}]}`,
	"MalwarePath": `{"Malware":[{"Path":"V"}]}`, "MalwareState": `{"Malware":[{"State":"V"}]}`,
	"NetworkDirection": `{"Network":{"Direction":"V"}}`, "NetworkProtocol": `{"Network":{"Protocol":"V"}}`,
	"NetworkSourceIpV4": `{"Network":{"SourceIpV4":"V"}}`, "NetworkSourceIpV6": `{"Network":{"SourceIpV6":"V"}}`,
	"NetworkSourcePort": `{"Network":{"SourcePort":"V"}}`, "NetworkSourceDomain": `{"Network":{"SourceDomain":"V"}}`,
	"NetworkSourceMac": `{"Network":{"SourceMac":"V"}}`, "NetworkDestinationIpV4": `{"Network":{"DestinationIpV4":"V"}}`,
	"NetworkDestinationIpV6": `{"Network":{"DestinationIpV6":"V"}}`, "NetworkDestinationPort": `{"Network":{"DestinationPort":"V"}}`,
	"NetworkDestinationDomain": `{"Network":{"DestinationDomain":"V"}}`,
	"ProcessName":              `{"Process":{"Name":"V"}}`, "ProcessPath": `{"Process":{"Path":"V"}}`, "ProcessPid": `{"Process":{"Pid":"V"}}`,
	"ProcessParentPid": `{"Process":{"ParentPid":"V"}}`, "ProcessLaunchedAt": `{"Process":{"LaunchedAt":"V"}}`,
	"ProcessTerminatedAt":                `{"Process":{"TerminatedAt":"V"}}`,
	"ThreatIntelIndicatorType":           `{"ThreatIntelIndicators":[{"Type":"V"}]}`,
	"ThreatIntelIndicatorValue":          `{"ThreatIntelIndicators":[{"Value":"V"}]}`,
	"ThreatIntelIndicatorCategory":       `{"ThreatIntelIndicators":[{"Category":"V"}]}`,
	"ThreatIntelIndicatorLastObservedAt": `{"ThreatIntelIndicators":[{"LastObservedAt":"V"}]}`,
	"ThreatIntelIndicatorSource":         `{"ThreatIntelIndicators":[{"Source":"V"}]}`,
	"ThreatIntelIndicatorSourceUrl":      `{"ThreatIntelIndicators":[{"SourceUrl":"V"}]}`,
	"ResourceType":                       `{"Resources":[{"Type":"V"}]}`, "ResourceId": `{"Resources":[{"Id":"V"}]}`,
	"ResourcePartition": `{"Resources":[{"Partition":"V"}]}`, "ResourceRegion": `{"Resources":[{"Region":"V"}]}`,
	"ResourceTags":                                `{"Resources":[{"Tags":{"K":"V"}}]}`,
	"ResourceAwsEc2InstanceType":                  `{"Resources":[{"Details":{"AwsEc2Instance":{"Type":"V"}}}]}`,
	"ResourceAwsEc2InstanceImageId":               `{"Resources":[{"Details":{"AwsEc2Instance":{"ImageId":"V"}}}]}`,
	"ResourceAwsEc2InstanceIpV4Addresses":         `{"Resources":[{"Details":{"AwsEc2Instance":{"IpV4Addresses":["V"]}}}]}`,
	"ResourceAwsEc2InstanceIpV6Addresses":         `{"Resources":[{"Details":{"AwsEc2Instance":{"IpV6Addresses":["V"]}}}]}`,
	"ResourceAwsEc2InstanceKeyName":               `{"Resources":[{"Details":{"AwsEc2Instance":{"KeyName":"V"}}}]}`,
	"ResourceAwsEc2InstanceIamInstanceProfileArn": `{"Resources":[{"Details":{"AwsEc2Instance":{"IamInstanceProfileArn":"V"}}}]}`,
	"ResourceAwsEc2InstanceVpcId":                 `{"Resources":[{"Details":{"AwsEc2Instance":{"VpcId":"V"}}}]}`,
	"ResourceAwsEc2InstanceSubnetId":              `{"Resources":[{"Details":{"AwsEc2Instance":{"SubnetId":"V"}}}]}`,
	"ResourceAwsEc2InstanceLaunchedAt":            `{"Resources":[{"Details":{"AwsEc2Instance":{"LaunchedAt":"V"}}}]}`,
	"ResourceAwsS3BucketOwnerId":                  `{"Resources":[{"Details":{"AwsS3Bucket":{"OwnerId":"V"}}}]}`,
	"ResourceAwsS3BucketOwnerName":                `{"Resources":[{"Details":{"AwsS3Bucket":{"OwnerName":"V"}}}]}`,
	"ResourceAwsIamAccessKeyUserName":             `{"Resources":[{"Details":{"AwsIamAccessKey":{"UserName":"V"}}}]}`,
	"ResourceAwsIamAccessKeyPrincipalName":        `{"Resources":[{"Details":{"AwsIamAccessKey":{"PrincipalName":"V"}}}]}`,
	"ResourceAwsIamAccessKeyStatus":               `{"Resources":[{"Details":{"AwsIamAccessKey":{"Status":"V"}}}]}`,
	"ResourceAwsIamAccessKeyCreatedAt":            `{"Resources":[{"Details":{"AwsIamAccessKey":{"CreatedAt":"V"}}}]}`,
	"ResourceAwsIamUserUserName":                  `{"Resources":[{"Details":{"AwsIamUser":{"UserName":"V"}}}]}`,
	"ResourceContainerName":                       `{"Resources":[{"Details":{"Container":{"Name":"V"}}}]}`,
	"ResourceContainerImageId":                    `{"Resources":[{"Details":{"Container":{"ImageId":"V"}}}]}`,
	"ResourceContainerImageName":                  `{"Resources":[{"Details":{"Container":{"ImageName":"V"}}}]}`,
	"ResourceContainerLaunchedAt":                 `{"Resources":[{"Details":{"Container":{"LaunchedAt":"V"}}}]}`,
	"ResourceDetailsOther":                        `{"Resources":[{"Details":{"Other":{"K":"V"}}}]}`,
	"ComplianceStatus":                            `{"Compliance":{"Status":"V"}}`, "VerificationState": `{"VerificationState":"V"}`,
	"WorkflowState": `{"WorkflowState":"V"}`, "WorkflowStatus": `{"Workflow":{"Status":"V"}}`, "RecordState": `{"RecordState":"V"}`,
	"RelatedFindingsProductArn": `{"RelatedFindings":[{"ProductArn":"V"}]}`, "RelatedFindingsId": `{"RelatedFindings":[{"Id":"V"}]}`,
	"NoteText": `{"Note":{"Text":"V"}}`, "NoteUpdatedAt": `{"Note":{"UpdatedAt":"V"}}`, "NoteUpdatedBy": `{"Note":{"UpdatedBy":"V"}}`,
	"FindingProviderFieldsConfidence":                `{"FindingProviderFields":{"Confidence":"V"}}`,
	"FindingProviderFieldsCriticality":               `{"FindingProviderFields":{"Criticality":"V"}}`,
	"FindingProviderFieldsRelatedFindingsId":         `{"FindingProviderFields":{"RelatedFindings":[{"Id":"V"}]}}`,
	"FindingProviderFieldsRelatedFindingsProductArn": `{"FindingProviderFields":{"RelatedFindings":[{"ProductArn":"V"}]}}`,
	"FindingProviderFieldsSeverityLabel":             `{"FindingProviderFields":{"Severity":{"Label":"V"}}}`,
	"FindingProviderFieldsSeverityOriginal":          `{"FindingProviderFields":{"Severity":{"Original":"V"}}}`,
	"FindingProviderFieldsTypes":                     `{"FindingProviderFields":{"Types":["V"]}}`,
	"Sample":                                         `{"Sample":"V"}`,
	"ComplianceSecurityControlId":                    `{"Compliance":{"SecurityControlId":"V"}}`,
	"ComplianceAssociatedStandardsId":                `{"Compliance":{"AssociatedStandards":[{"StandardsId":"V"}]}}`,
	"VulnerabilitiesExploitAvailable":                `{"Vulnerabilities":[{"ExploitAvailable":"V"}]}`,
	"VulnerabilitiesFixAvailable":                    `{"Vulnerabilities":[{"FixAvailable":"V"}]}`,
	"ComplianceSecurityControlParametersName":        `{"Compliance":{"SecurityControlParameters":[{"Name":"V"}]}}`,
	"ComplianceSecurityControlParametersValue":       `{"Compliance":{"SecurityControlParameters":[{"Value":["V"]}]}}`,
	"AwsAccountName":                                 `{"AwsAccountName":"V"}`,
	"ResourceApplicationName":                        `{"Resources":[{"ApplicationName":"V"}]}`,
	"ResourceApplicationArn":                         `{"Resources":[{"ApplicationArn":"V"}]}`,
	"ResourceOwnerAccountId":                         `{"Resources":[{"Owner":{"Account":{"Id":"V"}}}]}`,
	"ResourceOwnerOrgId":                             `{"Resources":[{"Owner":{"Org":{"Id":"V"}}}]}`,
	"ResourceProvider":                               `{"Resources":[{"Provider":"V"}]}`,
}

// filterFor gives, for each kind, a literal to stand for V, a filter that it matches and one that it does not.
var filterFor = map[Kind]struct{ value, matches, misses string }{
	KindString:  {`"some value"`, `{"Value":"some value","Comparison":"EQUALS"}`, `{"Value":"Some value","Comparison":"EQUALS"}`},
	KindNumber:  {`42`, `{"Gte":42}`, `{"Gt":42}`},
	KindDate:    {`"2026-11-21T10:00:00Z"`, `{"DateRange":{"Value":1,"Unit":"DAYS"}}`, `{"End":"2026-11-21T09:59:59Z"}`},
	KindIP:      {`"10.1.2.3"`, `{"Cidr":"10.1.0.0/16"}`, `{"Cidr":"10.2.0.0/16"}`},
	KindMap:     {`"some value"`, `{"Key":"K","Value":"some value","Comparison":"EQUALS"}`, `{"Key":"k","Value":"some value","Comparison":"EQUALS"}`},
	KindKeyword: {`"some value"`, `{"Value":"SOME"}`, `{"Value":"other"}`},
	KindBoolean: {`true`, `{"Value":true}`, `{"Value":false}`},
}

// TestEveryAttribute proves each attribute's path and kind by a finding that has nothing else in it.
func TestEveryAttribute(t *testing.T) {
	for _, a := range Attributes() {
		t.Run(a.Name(), func(t *testing.T) {
			doc, ok := attributeDocs[a.Name()]
			if a == AttrKeyword {
				doc, ok = `{"Anything":["V"]}`, true
			}
			if !ok {
				t.Fatal("no document in the table")
			}
			kind := filterFor[a.Kind()]
			raw := []byte(strings.Replace(doc, `"V"`, kind.value, 1))
			var got []string
			if err := Extract(raw, func(a Attribute, key, value []byte) {
				got = append(got, fmt.Sprintf("%s[%s]=%s", a, key, value))
			}); err != nil {
				t.Fatal(err)
			}
			key := map[bool]string{true: "K"}[a.Kind() == KindMap]
			want := fmt.Sprintf("[%s[%s]=%s]", a, key, strings.Trim(kind.value, `"`))
			if a == AttrKeyword {
				want = "[]"
			}
			if fmt.Sprint(got) != want {
				t.Errorf("Extract: got %v, want %v", got, want)
			}
			for condition, want := range map[string]bool{kind.matches: true, kind.misses: false} {
				for doc, want := range map[string]bool{string(raw): want, `{}`: false, `{"Extra":{}}`: false} {
					if got := match(t, fmt.Sprintf(`{%q:[%s]}`, a.Name(), condition), doc); got != want {
						t.Errorf("%s on %s: got %v, want %v", condition, doc, got, want)
					}
				}
			}
		})
	}
}

// match parses filters and judges doc.
func match(t *testing.T, filters, doc string) bool {
	t.Helper()
	f, err := ParseFilters([]byte(filters))
	if err != nil {
		t.Fatalf("ParseFilters(%s): %v", filters, err)
	}
	ok, err := f.Match([]byte(doc), testNow)
	if err != nil {
		t.Fatalf("Match(%s): %v", doc, err)
	}
	return ok
}

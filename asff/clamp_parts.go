package asff

import (
	"reflect"
	"slices"
)

const maxInt32 = 1<<31 - 1

func (c *clamper) identity(f *Finding) {
	c.enum(&f.SchemaVersion, SchemaVersion)
	c.line(&f.ID, maxID)
	c.form(&f.ProductArn, isProductArn[string])
	c.line(&f.ProductName, maxProductName)
	c.line(&f.CompanyName, maxCompanyName)
	c.line(&f.Region, maxRegion)
	c.line(&f.GeneratorID, maxGeneratorID)
	c.form(&f.AwsAccountID, isAccount[string])
	c.line(&f.AwsAccountName, maxAccountName)
	c.times(&f.FirstObservedAt, &f.LastObservedAt, &f.CreatedAt, &f.UpdatedAt, &f.ProcessedAt)
}

func (c *clamper) description(f *Finding) {
	c.texts(&f.Types, maxTypes, maxTypeLength, isFindingType[string])
	c.label(&f.Severity.Label)
	c.number(&f.Severity.Normalized, 0, 100)
	c.line(&f.Severity.Original, maxOriginal)
	c.number(&f.Confidence, 0, 100)
	c.number(&f.Criticality, 0, 100)
	c.line(&f.Title, maxTitle)
	c.lines(&f.Description, maxDescription)
	c.lines(&f.Remediation.Recommendation.Text, maxRecommendation)
	c.url(&f.Remediation.Recommendation.Url)
	c.url(&f.SourceUrl)
	c.pairs(&f.ProductFields, maxFields, maxFieldKey, maxProductValue)
	c.pairs(&f.UserDefinedFields, maxFields, maxFieldKey, maxUserValue)
	if p := f.FindingProviderFields; p != nil {
		c.number(&p.Confidence, 0, 100)
		c.number(&p.Criticality, 0, 100)
		c.related(&p.RelatedFindings)
		c.label(&p.Severity.Label)
		c.line(&p.Severity.Original, maxOriginal)
		c.texts(&p.Types, maxTypes, maxTypeLength, isFindingType[string])
	}
}

func (c *clamper) label(s *string) {
	c.enum(s, "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
}

func (c *clamper) evidence(f *Finding) {
	for i := range f.Malware {
		m := &f.Malware[i]
		c.line(&m.Name, maxMalwareName)
		c.enum(&m.Type, "ADWARE", "BLENDED_THREAT", "BOTNET_AGENT", "COIN_MINER", "EXPLOIT_KIT", "KEYLOGGER", "MACRO",
			"POTENTIALLY_UNWANTED", "SPYWARE", "RANSOMWARE", "REMOTE_ACCESS", "ROOTKIT", "TROJAN", "VIRUS", "WORM")
		c.line(&m.Path, maxMalwarePath)
		c.enum(&m.State, "OBSERVED", "REMOVAL_FAILED", "REMOVED")
	}
	f.Malware = head(slices.DeleteFunc(f.Malware, func(m Malware) bool { return m.Name == "" }), maxMalware)
	for i := range f.ThreatIntelIndicators {
		t := &f.ThreatIntelIndicators[i]
		c.enum(&t.Type, "DOMAIN", "EMAIL_ADDRESS", "HASH_MD5", "HASH_SHA1", "HASH_SHA256", "HASH_SHA512", "IPV4_ADDRESS",
			"IPV6_ADDRESS", "MUTEX", "PROCESS", "URL")
		c.line(&t.Value, maxIndicatorValue)
		c.enum(&t.Category, "BACKDOOR", "CARD_STEALER", "COMMAND_AND_CONTROL", "DROP_SITE", "EXPLOIT_SITE", "KEYLOGGER")
		c.times(&t.LastObservedAt)
		c.line(&t.Source, maxIndicatorSrc)
		c.url(&t.SourceUrl)
	}
	f.ThreatIntelIndicators = head(f.ThreatIntelIndicators, maxIndicators)
	if p := f.Process; p != nil {
		c.line(&p.Name, maxProcessName)
		c.line(&p.Path, maxProcessPath)
		c.number(&p.Pid, 0, maxInt32)
		c.number(&p.ParentPid, 0, maxInt32)
		c.times(&p.LaunchedAt, &p.TerminatedAt)
	}
	c.network(f.Network)
	c.compliance(f.Compliance)
}

func (c *clamper) network(n *Network) {
	if n == nil {
		return
	}
	c.enum(&n.Direction, "IN", "OUT")
	c.line(&n.Protocol, maxProtocol)
	if n.OpenPortRange != nil {
		c.number(&n.OpenPortRange.Begin, 0, 65535)
		c.number(&n.OpenPortRange.End, 0, 65535)
	}
	c.form(&n.SourceIpV4, isIPv4[string])
	c.form(&n.SourceIpV6, isIPv6[string])
	c.number(&n.SourcePort, 0, 65535)
	c.line(&n.SourceDomain, maxDomain)
	c.line(&n.SourceMac, maxText)
	c.form(&n.DestinationIpV4, isIPv4[string])
	c.form(&n.DestinationIpV6, isIPv6[string])
	c.number(&n.DestinationPort, 0, 65535)
	c.line(&n.DestinationDomain, maxDomain)
}

func (c *clamper) compliance(p *Compliance) {
	if p == nil {
		return
	}
	c.enum(&p.Status, "PASSED", "WARNING", "FAILED", "NOT_AVAILABLE")
	c.texts(&p.RelatedRequirements, maxRequirements, maxText, nil)
	for i := range p.StatusReasons {
		c.line(&p.StatusReasons[i].ReasonCode, maxText)
		c.line(&p.StatusReasons[i].Description, maxText)
	}
	p.StatusReasons = head(slices.DeleteFunc(p.StatusReasons, func(r StatusReason) bool {
		return r.ReasonCode == ""
	}), maxItems)
	c.line(&p.SecurityControlID, maxText)
	for i := range p.AssociatedStandards {
		c.line(&p.AssociatedStandards[i].StandardsID, maxText)
	}
	p.AssociatedStandards = head(p.AssociatedStandards, maxStandards)
	for i := range p.SecurityControlParameters {
		c.line(&p.SecurityControlParameters[i].Name, maxText)
		c.texts(&p.SecurityControlParameters[i].Value, maxItems, maxText, nil)
	}
	p.SecurityControlParameters = head(p.SecurityControlParameters, maxItems)
}

func (c *clamper) state(f *Finding) {
	c.enum(&f.VerificationState, "UNKNOWN", "TRUE_POSITIVE", "FALSE_POSITIVE", "BENIGN_POSITIVE")
	c.enum(&f.WorkflowState, "NEW", "ASSIGNED", "IN_PROGRESS", "DEFERRED", "RESOLVED")
	c.enum(&f.Workflow.Status, "NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED")
	c.enum(&f.RecordState, "ACTIVE", "ARCHIVED")
	c.related(&f.RelatedFindings)
	if n := f.Note; n != nil {
		c.lines(&n.Text, maxNoteText)
		c.line(&n.UpdatedBy, maxText)
		c.times(&n.UpdatedAt)
		if n.Text == "" || n.UpdatedBy == "" || n.UpdatedAt == "" {
			f.Note = nil
		}
	}
}

func (c *clamper) related(list *[]RelatedFinding) {
	for i := range *list {
		c.line(&(*list)[i].ProductArn, maxProductArn)
		c.line(&(*list)[i].ID, maxText)
	}
	*list = head(slices.DeleteFunc(*list, func(r RelatedFinding) bool {
		return r.ProductArn == "" || r.ID == ""
	}), maxRelated)
}

// raws drops raw members that are not JSON, and Extra members that have the name of a typed one.
func (c *clamper) raws(f *Finding) {
	for _, raw := range f.rawMembers() {
		c.raw((*[]byte)(raw))
	}
	f.Extra = cleanExtra[Finding](c, f.Extra)
}

func (c *clamper) raw(value *[]byte) {
	if len(*value) == 0 {
		return
	}
	if i := skipSpace(*value, 0); i < len(*value) {
		if end, err := skipValue(*value, i, 1); err == nil && atEnd(*value, end) == nil {
			c.bytes += len(*value)
			c.strings++
			return
		}
	}
	*value = nil
}

// cleanExtra cleans the Extra of the struct type T.
func cleanExtra[T any](c *clamper, extra []Member) []Member {
	if len(extra) == 0 {
		return extra
	}
	known := fieldTables[reflect.TypeFor[T]()]
	for i := range extra {
		c.raw((*[]byte)(&extra[i].Value))
		c.line(&extra[i].Name, maxFieldKey)
	}
	return slices.DeleteFunc(extra, func(m Member) bool {
		_, typed := known[m.Name]
		return typed || len(m.Value) == 0 || m.Name == ""
	})
}

func (c *clamper) resource(r *Resource) {
	c.line(&r.Type, maxResourceType)
	c.line(&r.ID, maxResourceID)
	c.enum(&r.Partition, "aws", "aws-cn", "aws-us-gov", "aws-us-iso", "aws-us-iso-b", "AzureCloud")
	c.line(&r.Region, maxRegion)
	c.enum(&r.Provider, "AWS", "Azure")
	c.line(&r.OwnerAccountID, maxText)
	c.line(&r.OwnerOrgID, maxText)
	c.line(&r.ResourceRole, maxText)
	c.pairs(&r.Tags, maxTags, maxFieldKey, maxUserValue)
	c.raw((*[]byte)(&r.DataClassification))
	c.line(&r.ApplicationName, maxText)
	c.line(&r.ApplicationArn, maxText)
	r.Extra = cleanExtra[Resource](c, r.Extra)
	if r.Details != nil {
		c.details(r.Details)
	}
}

func (c *clamper) details(d *ResourceDetails) {
	if i := d.AwsEc2Instance; i != nil {
		c.all(&i.Type, &i.ImageID, &i.KeyName, &i.IamInstanceProfileArn, &i.VpcID, &i.SubnetID)
		c.texts(&i.IpV4Addresses, maxItems, maxText, nil)
		c.texts(&i.IpV6Addresses, maxItems, maxText, nil)
		c.times(&i.LaunchedAt)
	}
	if k := d.AwsEcsCluster; k != nil {
		c.all(&k.ClusterArn, &k.ClusterName, &k.Status)
	}
	if k := d.AwsEcsContainer; k != nil {
		c.all(&k.Name, &k.Image)
	}
	if t := d.AwsEcsTask; t != nil {
		c.all(&t.ClusterArn, &t.TaskDefinitionArn, &t.Version, &t.CreatedAt, &t.StartedAt, &t.StartedBy, &t.Group)
		t.Containers = head(t.Containers, maxItems)
		for i := range t.Containers {
			c.all(&t.Containers[i].Name, &t.Containers[i].Image)
		}
	}
	if k := d.AwsEksCluster; k != nil {
		c.all(&k.Arn, &k.Endpoint, &k.Name, &k.RoleArn, &k.Version)
	}
	if k := d.Container; k != nil {
		c.all(&k.ContainerRuntime, &k.Name, &k.ImageID, &k.ImageName)
		c.times(&k.LaunchedAt)
		k.VolumeMounts = head(k.VolumeMounts, maxItems)
		for i := range k.VolumeMounts {
			c.all(&k.VolumeMounts[i].Name, &k.VolumeMounts[i].MountPath)
		}
	}
	c.pairs(&d.Other, maxFields, maxFieldKey, maxOtherValue)
	d.Extra = cleanExtra[ResourceDetails](c, d.Extra)
}

func (c *clamper) all(texts ...*string) {
	for _, s := range texts {
		c.line(s, maxText)
	}
}

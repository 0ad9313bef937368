package asff

// AppendJSON appends the finding as one JSON object to dst, members in the order of AWS's documentation, map keys
// sorted: the same finding gives the same bytes. Strings that are not valid UTF-8 are written with U+FFFD; raw
// members are written as they are.
func (f *Finding) AppendJSON(dst []byte) []byte {
	w := writer{dst: dst}
	w.open('{')
	w.text("SchemaVersion", f.SchemaVersion)
	w.text("Id", f.ID)
	w.text("ProductArn", f.ProductArn)
	w.text("ProductName", f.ProductName)
	w.text("CompanyName", f.CompanyName)
	w.text("Region", f.Region)
	w.text("GeneratorId", f.GeneratorID)
	w.text("AwsAccountId", f.AwsAccountID)
	w.texts("Types", f.Types)
	w.text("FirstObservedAt", f.FirstObservedAt)
	w.text("LastObservedAt", f.LastObservedAt)
	w.text("CreatedAt", f.CreatedAt)
	w.text("UpdatedAt", f.UpdatedAt)
	w.severity(&f.Severity)
	w.int("Confidence", f.Confidence)
	w.int("Criticality", f.Criticality)
	w.text("Title", f.Title)
	w.text("Description", f.Description)
	w.remediation(&f.Remediation.Recommendation)
	w.text("SourceUrl", f.SourceUrl)
	w.pairs("ProductFields", f.ProductFields)
	w.pairs("UserDefinedFields", f.UserDefinedFields)
	list(&w, "Malware", f.Malware, (*writer).malware)
	w.network(f.Network)
	w.raw("NetworkPath", f.NetworkPath)
	w.process(f.Process)
	w.raw("Threats", f.Threats)
	list(&w, "ThreatIntelIndicators", f.ThreatIntelIndicators, (*writer).indicator)
	list(&w, "Resources", f.Resources, (*writer).resource)
	w.compliance(f.Compliance)
	w.text("VerificationState", f.VerificationState)
	w.text("WorkflowState", f.WorkflowState)
	if f.Workflow.Status != "" {
		w.object("Workflow")
		w.text("Status", f.Workflow.Status)
		w.close('}')
	}
	w.text("RecordState", f.RecordState)
	list(&w, "RelatedFindings", f.RelatedFindings, (*writer).related)
	w.note(f.Note)
	w.raw("Vulnerabilities", f.Vulnerabilities)
	w.raw("PatchSummary", f.PatchSummary)
	w.raw("Action", f.Action)
	w.providerFields(f.FindingProviderFields)
	w.bool("Sample", f.Sample)
	w.raw("GeneratorDetails", f.GeneratorDetails)
	w.text("ProcessedAt", f.ProcessedAt)
	w.text("AwsAccountName", f.AwsAccountName)
	w.raw("Detection", f.Detection)
	w.extra(f.Extra)
	w.close('}')
	return w.dst
}

// MarshalJSON is AppendJSON into a new slice.
func (f *Finding) MarshalJSON() ([]byte, error) {
	return f.AppendJSON(make([]byte, 0, 4096)), nil
}

// MarshalJSON writes the resource as AppendJSON writes it inside a finding.
func (r *Resource) MarshalJSON() ([]byte, error) {
	var w writer
	w.open('{')
	w.resource(r)
	w.close('}')
	return w.dst, nil
}

// MarshalJSON writes the details as AppendJSON writes them inside a finding.
func (d *ResourceDetails) MarshalJSON() ([]byte, error) {
	var w writer
	w.open('{')
	w.details(d)
	w.close('}')
	return w.dst, nil
}

// object starts a member that is an object; close('}') ends it.
func (w *writer) object(name string) {
	w.name(name)
	w.open('{')
}

// list writes an array of objects, each with its members written by one.
func list[T any](w *writer, name string, items []T, one func(*writer, *T)) {
	if len(items) == 0 {
		return
	}
	w.name(name)
	w.open('[')
	for i := range items {
		w.element()
		w.open('{')
		one(w, &items[i])
		w.close('}')
	}
	w.close(']')
}

func (w *writer) extra(members []Member) {
	for _, m := range members {
		w.element()
		w.dst = appendString(w.dst, m.Name)
		w.dst = append(w.dst, ':')
		w.dst = append(w.dst, m.Value...)
	}
}

func (w *writer) severity(s *Severity) {
	if *s == (Severity{}) {
		return
	}
	w.object("Severity")
	w.float("Product", s.Product)
	w.text("Label", s.Label)
	w.int("Normalized", s.Normalized)
	w.text("Original", s.Original)
	w.close('}')
}

func (w *writer) remediation(r *Recommendation) {
	if *r == (Recommendation{}) {
		return
	}
	w.object("Remediation")
	w.object("Recommendation")
	w.text("Text", r.Text)
	w.text("Url", r.Url)
	w.close('}')
	w.close('}')
}

func (w *writer) malware(m *Malware) {
	w.text("Name", m.Name)
	w.text("Type", m.Type)
	w.text("Path", m.Path)
	w.text("State", m.State)
}

func (w *writer) network(n *Network) {
	if n == nil {
		return
	}
	w.object("Network")
	w.text("Direction", n.Direction)
	w.text("Protocol", n.Protocol)
	if n.OpenPortRange != nil {
		w.object("OpenPortRange")
		w.int("Begin", n.OpenPortRange.Begin)
		w.int("End", n.OpenPortRange.End)
		w.close('}')
	}
	w.text("SourceIpV4", n.SourceIpV4)
	w.text("SourceIpV6", n.SourceIpV6)
	w.int("SourcePort", n.SourcePort)
	w.text("SourceDomain", n.SourceDomain)
	w.text("SourceMac", n.SourceMac)
	w.text("DestinationIpV4", n.DestinationIpV4)
	w.text("DestinationIpV6", n.DestinationIpV6)
	w.int("DestinationPort", n.DestinationPort)
	w.text("DestinationDomain", n.DestinationDomain)
	w.close('}')
}

func (w *writer) process(p *Process) {
	if p == nil {
		return
	}
	w.object("Process")
	w.text("Name", p.Name)
	w.text("Path", p.Path)
	w.int("Pid", p.Pid)
	w.int("ParentPid", p.ParentPid)
	w.text("LaunchedAt", p.LaunchedAt)
	w.text("TerminatedAt", p.TerminatedAt)
	w.close('}')
}

func (w *writer) indicator(t *ThreatIntelIndicator) {
	w.text("Type", t.Type)
	w.text("Value", t.Value)
	w.text("Category", t.Category)
	w.text("LastObservedAt", t.LastObservedAt)
	w.text("Source", t.Source)
	w.text("SourceUrl", t.SourceUrl)
}

func (w *writer) compliance(c *Compliance) {
	if c == nil {
		return
	}
	w.object("Compliance")
	w.text("Status", c.Status)
	w.texts("RelatedRequirements", c.RelatedRequirements)
	list(w, "StatusReasons", c.StatusReasons, func(w *writer, r *StatusReason) {
		w.text("ReasonCode", r.ReasonCode)
		w.text("Description", r.Description)
	})
	w.text("SecurityControlId", c.SecurityControlID)
	list(w, "AssociatedStandards", c.AssociatedStandards, func(w *writer, s *AssociatedStandard) {
		w.text("StandardsId", s.StandardsID)
	})
	list(w, "SecurityControlParameters", c.SecurityControlParameters, func(w *writer, p *SecurityControlParameter) {
		w.text("Name", p.Name)
		w.texts("Value", p.Value)
	})
	w.close('}')
}

func (w *writer) related(r *RelatedFinding) {
	w.text("ProductArn", r.ProductArn)
	w.text("Id", r.ID)
}

func (w *writer) note(n *Note) {
	if n == nil {
		return
	}
	w.object("Note")
	w.text("Text", n.Text)
	w.text("UpdatedBy", n.UpdatedBy)
	w.text("UpdatedAt", n.UpdatedAt)
	w.close('}')
}

func (w *writer) providerFields(p *FindingProviderFields) {
	if p == nil {
		return
	}
	w.object("FindingProviderFields")
	w.int("Confidence", p.Confidence)
	w.int("Criticality", p.Criticality)
	list(w, "RelatedFindings", p.RelatedFindings, (*writer).related)
	if p.Severity != (ProviderSeverity{}) {
		w.object("Severity")
		w.text("Label", p.Severity.Label)
		w.text("Original", p.Severity.Original)
		w.close('}')
	}
	w.texts("Types", p.Types)
	w.close('}')
}

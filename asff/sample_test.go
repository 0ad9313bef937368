package asff

import (
	"testing"
	"time"
)

var testNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// sample is a finding like those that conversion makes: about 3 KB of JSON with 30 product fields.
func sample() *Finding {
	f := &Finding{
		SchemaVersion:   SchemaVersion,
		ID:              "arn:aws:securityhub:local-1:000000000000:eyrie/prod/0b6f9a3c5d7e4f10a1b2c3d4e5f60718",
		ProductArn:      "arn:aws:securityhub:local-1:000000000000:product/000000000000/default",
		ProductName:     "Eyrie",
		CompanyName:     "Eyrie",
		Region:          "local-1",
		GeneratorID:     "falco/Write below etc",
		AwsAccountID:    "000000000000",
		Types:           []string{"TTPs/Persistence/T1098", "Unusual Behaviors/Container"},
		FirstObservedAt: "2026-11-21T02:07:42.275986838Z",
		LastObservedAt:  "2026-11-21T02:07:42.275986838Z",
		CreatedAt:       "2026-11-21T02:07:42.275986838Z",
		UpdatedAt:       "2026-11-21T02:07:42.275986838Z",
		Severity:        Severity{Label: "HIGH", Normalized: new(70), Original: "Error"},
		Title:           "Write below etc",
		Description:     "File below /etc opened for writing | file=/etc/1 pcmdline=seed.sh /opt/lab/seed.sh gparent=bash",
		Remediation: Remediation{Recommendation{
			Text: "Find out why the process wrote below /etc and rebuild the container from its image.",
			Url:  "https://attack.mitre.org/techniques/T1098/",
		}},
		Process: &Process{Name: "touch", Path: "/usr/bin/touch", Pid: new(4242), ParentPid: new(4241)},
		Network: &Network{
			Direction: "OUT", Protocol: "TCP", SourceIpV4: "10.1.2.3", SourcePort: new(43210),
			DestinationIpV4: "203.0.113.7", DestinationPort: new(443),
		},
		Resources: []Resource{
			{
				Type: "Container", ID: "containerd://3b1f0c9ad3c4", Partition: "aws", Region: "local-1",
				Tags: map[string]string{"app": "payments-api", "team": "payments"},
				Details: &ResourceDetails{Container: &Container{
					ContainerRuntime: "containerd", Name: "payments-api", ImageID: "sha256:0123456789abcdef",
					ImageName: "registry.example/payments-api:1.4.2", LaunchedAt: "2026-11-20T00:00:00Z",
					VolumeMounts: []VolumeMount{{"data", "/var/lib/data"}}, Privileged: new(false),
				}},
			},
			{
				Type: "Other", ID: "kubernetes/prod/payments/deployment/payments-api", Partition: "aws", Region: "local-1",
				Details: &ResourceDetails{Other: map[string]string{"cluster": "prod", "namespace": "payments"}},
			},
		},
		Workflow:    Workflow{"NEW"},
		RecordState: "ACTIVE",
		FindingProviderFields: &FindingProviderFields{
			Severity: ProviderSeverity{"HIGH", "Error"},
			Types:    []string{"TTPs/Persistence/T1098", "Unusual Behaviors/Container"},
		},
		ProductFields: map[string]string{
			"eyrie/rule": "Write below etc", "eyrie/cluster": "prod", "eyrie/namespace": "payments",
			"eyrie/pod": "payments-api-7d9c6b5f4-abcde", "eyrie/workload": "deployment/payments-api",
			"eyrie/image": "registry.example/payments-api:1.4.2", "eyrie/host": "node-17", "eyrie/process": "/usr/bin/touch",
			"eyrie/target": "/etc/1", "eyrie/occurrences": "1", "eyrie/priority": "Error", "eyrie/source": "syscall",
		},
	}
	// The output fields of a real alert of this rule that have no member of their own.
	for name, value := range map[string]string{
		"container.image.repository": "registry.example/payments-api", "container.image.tag": "1.4.2", "evt.type": "openat",
		"fd.name": "/etc/1", "proc.aname[2]": "bash", "proc.aname[3]": "containerd-shim", "proc.aname[4]": "systemd",
		"proc.cmdline": "touch /etc/1", "proc.exepath": "/usr/bin/touch", "proc.pcmdline": "seed.sh /opt/lab/seed.sh",
		"proc.pname": "seed.sh", "proc.tty": "0", "user.loginuid": "-1", "user.name": "root", "user.uid": "0",
		"k8s.pod.name": "payments-api-7d9c6b5f4-abcde", "k8s.ns.name": "payments", "evt.time": "1795226862275986838",
	} {
		f.ProductFields["falco/"+name] = value
	}
	return f
}

func BenchmarkAppendJSON(b *testing.B) {
	f := sample()
	buf := f.AppendJSON(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = f.AppendJSON(buf[:0])
	}
}

func BenchmarkUnmarshalJSON(b *testing.B) {
	doc := sample().AppendJSON(nil)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := new(Finding).UnmarshalJSON(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtract(b *testing.B) {
	doc := sample().AppendJSON(nil)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := Extract(doc, func(Attribute, []byte, []byte) { n++ }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	doc := sample().AppendJSON(nil)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Validate(doc, MaxFindingBytes); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClamp(b *testing.B) {
	f := sample()
	b.ReportAllocs()
	for b.Loop() {
		f.Clamp()
	}
}

func BenchmarkParseDocument(b *testing.B) {
	doc := sample().AppendJSON(nil)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseDocument(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	doc := sample().AppendJSON(nil)
	f, err := ParseFilters([]byte(`{"SeverityLabel":[{"Value":"HIGH","Comparison":"EQUALS"},{"Value":"CRITICAL","Comparison":"EQUALS"}],
		"WorkflowStatus":[{"Value":"NEW","Comparison":"EQUALS"}],"LastObservedAt":[{"DateRange":{"Value":30,"Unit":"DAYS"}}]}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := f.Match(doc, testNow); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkMatchValues(b *testing.B) {
	conds := []Condition{{Comparison: Prefix, Value: "AwsEc2"}, {Comparison: NotEquals, Value: "AwsEc2Volume"}}
	values := []KV{{"", "Container"}, {"", "AwsEc2Instance"}}
	b.ReportAllocs()
	for b.Loop() {
		if !AttrResourceType.MatchValues(conds, testNow, values) {
			b.Fatal("no match")
		}
	}
}

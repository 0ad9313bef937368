package asff

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// full returns a finding in which every member of every struct is set.
func full() *Finding {
	f := sample()
	f.Severity.Product = new(8.5)
	f.Confidence, f.Criticality = new(0), new(100)
	f.SourceUrl = "https://eyrie.example/findings/1"
	f.UserDefinedFields = map[string]string{"ticket": "SEC-1", "\"quoted\"\n": "<b>&amp;\u2028</b>"}
	f.Malware = []Malware{{"miner", "COIN_MINER", "/tmp/x", "OBSERVED"}}
	f.Network.OpenPortRange = &PortRange{new(1), new(2)}
	f.Network.SourceIpV6, f.Network.SourceDomain, f.Network.SourceMac = "2001:db8::1", "a.example", "02:00:00:00:00:01"
	f.Network.DestinationIpV6, f.Network.DestinationDomain = "2001:db8::2", "b.example"
	f.NetworkPath = json.RawMessage(`[{"ComponentId":"a"}]`)
	f.Process.LaunchedAt, f.Process.TerminatedAt = "2026-11-21T02:00:00Z", "2026-11-21T03:00:00Z"
	f.Threats = json.RawMessage(`[{"Name":"a"}]`)
	f.ThreatIntelIndicators = []ThreatIntelIndicator{{"DOMAIN", "c.example", "BACKDOOR", "2026-11-21T02:00:00Z", "feed", "https://feed.example"}}
	r := &f.Resources[1]
	r.Provider, r.OwnerAccountID, r.OwnerOrgID, r.ResourceRole = "AWS", "000000000000", "o-1", "Target"
	r.DataClassification = json.RawMessage(`{"Result":{}}`)
	r.ApplicationName, r.ApplicationArn = "payments", "arn:aws:resource-groups:local-1:000000000000:group/payments"
	r.Extra = []Member{{"NewResourceMember", json.RawMessage(`[1, 2]`)}}
	d := r.Details
	d.AwsEc2Instance = &AwsEc2Instance{"m7g.large", "ami-1", []string{"10.0.0.1"}, []string{"2001:db8::3"}, "key", "arn", "vpc-1", "subnet-1", "2026-11-01T00:00:00Z"}
	d.AwsEcsCluster = &AwsEcsCluster{"arn:c", "c", "ACTIVE"}
	d.AwsEcsContainer = &AwsEcsContainer{"n", "i", new(true)}
	d.AwsEcsTask = &AwsEcsTask{"arn:c", "arn:t", "1", "2026-11-01T00:00:00Z", "2026-11-01T00:00:01Z", "me", "g", []AwsEcsContainer{{"n", "i", nil}}}
	d.AwsEksCluster = &AwsEksCluster{"arn:k", "https://k.example", "k", "arn:r", "1.34"}
	d.Extra = []Member{{"AwsLambdaFunction", json.RawMessage(`{"Runtime": "go"}`)}}
	f.Compliance = &Compliance{"FAILED", []string{"PCI DSS"}, []StatusReason{{"CONFIG", "why"}}, "EC2.19", []AssociatedStandard{{"standards/x"}},
		[]SecurityControlParameter{{"p", []string{"22", "3389"}}}}
	f.VerificationState, f.WorkflowState = "TRUE_POSITIVE", "NEW"
	f.RelatedFindings = []RelatedFinding{{"arn:p", "1"}}
	f.Note = &Note{"seen", "ada", "2026-11-21T04:00:00Z"}
	f.Vulnerabilities = json.RawMessage(`[{"Id":"CVE-2026-1"}]`)
	f.PatchSummary = json.RawMessage(`{"Id":"pb-1"}`)
	f.Action = json.RawMessage(`{"ActionType":"NETWORK_CONNECTION"}`)
	f.FindingProviderFields.Confidence, f.FindingProviderFields.Criticality = new(1), new(2)
	f.FindingProviderFields.RelatedFindings = []RelatedFinding{{"arn:q", "2"}}
	f.Sample = new(true)
	f.GeneratorDetails = json.RawMessage(`{"Name":"g"}`)
	f.ProcessedAt, f.AwsAccountName = "2026-11-21T02:07:43Z", "prod"
	f.Detection = json.RawMessage(`{"Sequence":{"Uid":"u"}}`)
	f.Extra = []Member{{"NewMember", json.RawMessage(`{"a": [1.0, null]}`)}}
	return f
}

// TestGolden fixes the wire form: names, order, escapes.
func TestGolden(t *testing.T) {
	got := full().AppendJSON(nil)
	if *update {
		if err := os.WriteFile("testdata/full.json", append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/full.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if bad := Validate(got, MaxFindingBytes); bad != nil {
		t.Error(bad)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, f := range []*Finding{{}, sample(), full()} {
		doc := f.AppendJSON(nil)
		got := new(Finding)
		if err := got.UnmarshalJSON(doc); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		// What encoding/json makes of it differs from AppendJSON in escapes and space alone.
		standard, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := json.Unmarshal(doc, &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(standard, &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("MarshalJSON differs (-AppendJSON +Marshal):\n%s", diff)
		}
	}
}

// TestStrings compares the writer and the scanner with encoding/json on any text.
func TestStrings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		ours := appendString(nil, s)
		var theirs string
		if err := json.Unmarshal(ours, &theirs); err != nil {
			t.Fatalf("%s: %v", ours, err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); want != theirs && len(want) == len(theirs) {
			t.Fatalf("%q: got %q, want %q", s, theirs, want)
		}
		if got, ok := decodeString(ours); !ok || got != theirs {
			t.Fatalf("decodeString(%s): got %q %v, want %q", ours, got, ok, theirs)
		}
		standard, _ := json.Marshal(s)
		if got, ok := decodeString(standard); !ok || got != theirs {
			t.Fatalf("decodeString(%s): got %q %v, want %q", standard, got, ok, theirs)
		}
	})
}

func TestMapOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringOfN(rapid.SampledFrom([]rune("ab\x00é")), 0, 20, -1)
		m := rapid.MapOfN(key, rapid.Just("v"), 0, 80).Draw(t, "map")
		var w writer
		w.open('{')
		w.pairs("m", m)
		w.close('}')
		standard, _ := json.Marshal(map[string]map[string]string{"m": m})
		want := string(standard)
		if len(m) == 0 {
			want = `{}`
		}
		if got := string(w.dst); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestUnmarshalErrors(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"number", `{"Process":{"Pid":"1"}}`, `Process: Pid: not a whole number`}, {"boolean", `{"Sample":"true"}`, `Sample: not a boolean`},
		{"float", `{"Severity":{"Product":"1"}}`, `Severity: Product: not a number`}, {"map value", `{"ProductFields":{"a":1}}`, `ProductFields: a: not a string`},
		{"type", `{"Title":5}`, `Title: not a string`}, {"nested", `{"Resources":[{"Tags":[]}]}`, `Resources: Tags: invalid JSON`}, {"not an object", `5`, `expected an object`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := new(Finding).UnmarshalJSON([]byte(c.doc)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
	var twice Finding
	doc := `{"Network":{"sourceport":"x","SourcePort":1},"Network":{"DestinationPort":2},"ProductFields":{"a":"1"},"ProductFields":{"b":"2"},"Types":[null,"t"]}`
	if err := twice.UnmarshalJSON([]byte(doc)); err != nil {
		t.Error(err)
	}
	want := Finding{Network: &Network{DestinationPort: new(2)}, ProductFields: map[string]string{"b": "2"}, Types: []string{"", "t"}}
	if diff := cmp.Diff(want, twice); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	f := Finding{Title: "old"}
	if err := f.UnmarshalJSON([]byte(`{"Id":"new","Title":null}`)); err != nil || f.Title != "" || f.ID != "new" {
		t.Errorf("got %+v, %v, want the old title gone", f, err)
	}
}

func TestAppendJSONAllocates(t *testing.T) {
	f := sample()
	buf := f.AppendJSON(nil)
	if got := testing.AllocsPerRun(100, func() { buf = f.AppendJSON(buf[:0]) }); got > 1 {
		t.Errorf("AppendJSON allocates %v times, at most 1 is allowed", got)
	}
	if got := testing.AllocsPerRun(100, f.Clamp); got > 0 {
		t.Errorf("Clamp allocates %v times where nothing needs clamping, want none", got)
	}
}

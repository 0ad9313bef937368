package asff

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestClampKeepsWhatFits(t *testing.T) {
	f, want := sample(), sample()
	f.Clamp()
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

func TestClampText(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		limit          int
		lines          bool
	}{
		{"fits", "é日本", "é日本", 3, false}, {"cut", "é日本x", "é日…", 3, false}, {"one character", "ab", "…", 1, false},
		{"escape", "\x1b[31mred\x1b[0m", "␛[31mred␛[0m", 20, false}, {"NUL and DEL", "a\x00b\x7f", "a␀b␡", 20, false},
		{"DEL in a word", "abcd\x7fefgh", "abcd␡efgh", 20, false}, {"space before control", "abcdefg\x1f", "abcdefg␟", 20, false},
		{"C1", "a\u009bb", "a\uFFFDb", 20, false}, {"invalid UTF-8", "a\xff\xc3b", "a\uFFFD\uFFFDb", 20, false},
		{"newline in a line", "a\n\tb", "a␊␉b", 20, false}, {"newline in text", "a\n\tb\r", "a\n\tb␍", 20, true},
		{"blank", " \t\n", "", 20, true}, {"blank line", "  ", "", 20, false},
		{"cut inside a rune", strings.Repeat("日", 10), "日日日…", 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.in
			new(clamper).clean(&got, c.limit, c.lines)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestClampDrops(t *testing.T) {
	f := sample()
	f.Severity.Label = "Urgent"
	f.Types = []string{"TTPs/Persistence", "a/b/c/d", ""}
	f.UpdatedAt = "yesterday"
	f.Network.SourceIpV4 = "localhost"
	f.Network.DestinationPort = new(70000)
	f.Process.Pid = new(-1)
	f.Malware = []Malware{{Path: "/x"}, {Name: "miner"}}
	f.Note = &Note{Text: "no author"}
	f.SourceUrl = "https://x/" + strings.Repeat("y", maxText)
	f.Action = json.RawMessage(`{"a":`)
	f.Extra = []Member{{"New", json.RawMessage(`1`)}, {"Title", json.RawMessage(`"x"`)}, {"Bad", json.RawMessage(`}`)}}
	f.Resources = append(f.Resources, Resource{Type: "Other"})
	f.Clamp()
	got := fmt.Sprint(f.Severity.Label, f.Types, f.UpdatedAt, f.Network.SourceIpV4, f.Network.DestinationPort, f.Process.Pid, f.Malware,
		f.Note, f.SourceUrl, f.Action, f.Extra, len(f.Resources))
	if want := `[TTPs/Persistence]<nil> <nil> [{miner   }] <nil>[] [{New [49]}] 2`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestClampFieldOrder(t *testing.T) {
	f := &Finding{ProductFields: map[string]string{}}
	for i := range 30 {
		f.ProductFields[fmt.Sprintf("falco/f%02d", i)] = "v"
		f.ProductFields[fmt.Sprintf("eyrie/e%02d", i)] = "v"
	}
	f.ProductFields["other"] = "v"
	f.Clamp()
	count := [3]int{}
	for k := range f.ProductFields {
		count[fieldRank(k)]++
	}
	if _, first := f.ProductFields["falco/f00"]; count != [3]int{30, 1, 19} || !first {
		t.Errorf("got %v pairs of each rank, first falco field kept: %v", count, first)
	}
}

// TestClampSize: only as much is dropped as must be, in the stated order.
func TestClampSize(t *testing.T) {
	f := sample()
	f.ProductFields = map[string]string{}
	for i := range 25 {
		f.ProductFields[fmt.Sprintf("falco/f%02d", i)] = strings.Repeat("日", 2048)
		f.ProductFields[fmt.Sprintf("eyrie/e%02d", i)] = strings.Repeat("日", 2048)
	}
	f.Extra = []Member{{"New", json.RawMessage(`1`)}}
	f.Clamp()
	doc := f.AppendJSON(nil)
	if len(doc) > MaxFindingBytes || len(doc) < MaxFindingBytes-2048*3 {
		t.Errorf("got %d bytes, want at most %d and not much less", len(doc), MaxFindingBytes)
	}
	whole := 0
	for k, v := range f.ProductFields {
		if n := utf8.RuneCountInString(v); n == 2048 {
			whole++
		} else if n != 256 || !strings.HasPrefix(k, "falco/") || !strings.HasSuffix(v, "…") {
			t.Errorf("%s has %d characters", k, n)
		}
	}
	if len(f.ProductFields) != 50 || whole < 30 || len(f.Extra) != 0 || len(f.Resources) != 2 {
		t.Errorf("got %d fields, %d whole, %d extra members, %d resources", len(f.ProductFields), whole, len(f.Extra), len(f.Resources))
	}
	if bad := Validate(doc, MaxFindingBytes); bad != nil {
		t.Error(bad)
	}
}

// TestClampSizeDropsPairs: pairs go from the last key backwards, those of Eyrie's own last of all.
func TestClampSizeDropsPairs(t *testing.T) {
	for _, prefix := range []string{"falco/", "x/", "eyrie/"} {
		f := sample()
		f.ProductFields = map[string]string{}
		for i := range 50 {
			f.ProductFields[fmt.Sprintf("%s%02d%s", prefix, i, strings.Repeat("𝄞", 120))] = strings.Repeat("𝄞", 2048)
		}
		f.UserDefinedFields = map[string]string{"a": strings.Repeat("𝄞", 1024), "b": strings.Repeat("𝄞", 1024)}
		f.Clamp()
		size := len(f.AppendJSON(nil))
		kept := len(f.ProductFields)
		if size > MaxFindingBytes || prefix != "falco/" && (kept < 20 || size < MaxFindingBytes-4*(2048+128)) {
			t.Errorf("%s: %d bytes, %d pairs kept", prefix, size, kept)
		}
		for k := range f.ProductFields {
			var n int
			if _, err := fmt.Sscanf(strings.TrimPrefix(k, prefix), "%02d", &n); err != nil || n >= kept {
				t.Errorf("%s: kept %.12q of %d pairs: %v", prefix, k, kept, err)
			}
		}
		if own := prefix == "eyrie/"; own != (len(f.UserDefinedFields) == 0) {
			t.Errorf("%s: got %d user fields", prefix, len(f.UserDefinedFields))
		}
	}
}

// drawText makes hostile text: control characters, broken UTF-8, quotes, any length.
func drawText(t *rapid.T) string {
	piece := rapid.SampledFrom([]string{"a", " ", "\"\\", "\n", "\x00\x1b[2J", "\xff\xfe", "日本語", "\u202e", "\u0085", "/", "TTPs/x", "eyrie/", "falco/",
		"10.0.0.1", "2026-01-01T00:00:00Z", "NEW", "HIGH", strings.Repeat("\\", 700), strings.Repeat("é", 3000)})
	return strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "text"), "")
}

func drawMap(t *rapid.T, most int) map[string]string {
	m := map[string]string{}
	for i := range rapid.IntRange(0, most).Draw(t, "pairs") {
		m[rapid.SampledFrom([]string{"eyrie/", "falco/", ""}).Draw(t, "prefix")+drawText(t)+fmt.Sprint(i)] = drawText(t)
	}
	return m
}

func drawList[T any](t *rapid.T, most int, one func() T) []T {
	var list []T
	for range rapid.IntRange(0, most).Draw(t, "length") {
		list = append(list, one())
	}
	return list
}

func drawFinding(t *rapid.T) *Finding {
	text := func() string { return drawText(t) }
	number := func() *int { return new(rapid.Int().Draw(t, "number")) }
	related := func() RelatedFinding { return RelatedFinding{text(), text()} }
	f := sample()
	f.ProductName, f.CompanyName, f.Region, f.SourceUrl, f.AwsAccountName = text(), text(), text(), text(), text()
	f.Types, f.Severity.Original, f.Confidence, f.Criticality = drawList(t, 60, text), text(), number(), number()
	f.FirstObservedAt, f.ProcessedAt, f.VerificationState, f.WorkflowState, f.RecordState = text(), text(), text(), text(), text()
	f.Remediation.Recommendation = Recommendation{text(), text()}
	f.ProductFields, f.UserDefinedFields = drawMap(t, 70), drawMap(t, 70)
	f.Malware = drawList(t, 7, func() Malware { return Malware{text(), text(), text(), text()} })
	f.ThreatIntelIndicators = drawList(t, 7, func() ThreatIntelIndicator {
		return ThreatIntelIndicator{text(), text(), text(), text(), text(), text()}
	})
	f.Network = &Network{text(), text(), &PortRange{number(), number()}, text(), text(), number(), text(), text(), text(), text(), number(), text()}
	f.Process = &Process{text(), text(), number(), number(), text(), text()}
	f.Resources = append(f.Resources, drawList(t, 40, func() Resource {
		return Resource{Type: text(), ID: text(), Partition: text(), Tags: drawMap(t, 3), DataClassification: json.RawMessage(`{"a":1}`),
			OwnerOrgID: text(), Extra: []Member{{text(), json.RawMessage(`"x"`)}},
			Details: &ResourceDetails{
				Container: &Container{text(), text(), text(), text(), text(), drawList(t, 3, func() VolumeMount { return VolumeMount{text(), text()} }), nil},
				Other:     drawMap(t, 4), AwsEc2Instance: &AwsEc2Instance{Type: text(), IpV4Addresses: drawList(t, 3, text), LaunchedAt: text()},
				AwsEcsTask: &AwsEcsTask{Containers: drawList(t, 3, func() AwsEcsContainer { return AwsEcsContainer{text(), text(), nil} })},
			}}
	})...)
	f.Compliance = &Compliance{Status: text(), RelatedRequirements: drawList(t, 40, text),
		StatusReasons: drawList(t, 3, func() StatusReason { return StatusReason{text(), text()} })}
	f.RelatedFindings, f.Note = drawList(t, 12, related), &Note{text(), text(), "2026-01-01T00:00:00Z"}
	f.FindingProviderFields.Types, f.FindingProviderFields.RelatedFindings = drawList(t, 60, text), drawList(t, 12, related)
	f.Workflow.Status, f.Title, f.Description = text(), "t"+text(), "d"+text()
	f.ID, f.GeneratorID = "i"+text(), "g"+text()
	f.Extra = []Member{{text(), json.RawMessage(`{"big":"` + strings.Repeat("x", rapid.SampledFrom([]int{1, 300_000}).Draw(t, "extra")) + `"}`)}}
	return f
}

// TestClampMakesValid: whatever stands in a finding, after Clamp it is one that BatchImportFindings takes.
func TestClampMakesValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFinding(t)
		f.Clamp()
		doc := f.AppendJSON(nil)
		if bad := Validate(doc, MaxFindingBytes); bad != nil {
			t.Fatal(bad)
		}
		if Text(doc, func(value []byte) bool {
			return !strings.ContainsFunc(string(value), func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || 0x7F <= r && r < 0xA0 })
		}) != nil {
			t.Fatal("a control character is left")
		}
		again := new(Finding)
		if err := again.UnmarshalJSON(doc); err != nil {
			t.Fatal(err)
		}
		again.Clamp()
		if got := string(again.AppendJSON(nil)); got != string(doc) {
			t.Fatalf("a second Clamp changes it:\nfirst  %s\nsecond %s", doc, got)
		}
	})
}

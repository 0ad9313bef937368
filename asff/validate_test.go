package asff

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

const minimal = `{"SchemaVersion":"2018-10-08","Id":"i","ProductArn":"arn:aws:securityhub:us-west-2::product/prowler/prowler",
	"GeneratorId":"g","AwsAccountId":"123456789012","CreatedAt":"2024-01-04T15:25:10Z","UpdatedAt":"2024-01-04T15:25:10-1759",
	"Severity":{"Label":"LOW"},"Title":"t","Description":"d","Resources":[{"Type":"Other","Id":"r"}]}`

// with returns minimal with the members of patch set, or removed where they are null.
func with(t *testing.T, patch string) []byte {
	t.Helper()
	d, err := ParseDocument([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	err = members([]byte(patch), func(name, value []byte) error {
		if string(value) == "null" {
			d.Delete(string(name))
		} else {
			d.Set(string(name), value)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", patch, err)
	}
	return d.Append(nil)
}

// many writes n JSON values after the pattern, whose %d is their number, with commas between.
func many(n int, pattern string) string {
	var parts []string
	for i := range n {
		parts = append(parts, strings.ReplaceAll(pattern, "%d", fmt.Sprint(i)))
	}
	return strings.Join(parts, ",")
}

func long(n int) string { return strings.Repeat("é", n) }

func TestValidateAccepts(t *testing.T) {
	for _, c := range []struct{ name, patch string }{
		{"minimal", `{}`}, {"ours", string(sample().AppendJSON(nil))},
		{"unknown members", `{"New":{"a":[1]},"Network":{"New":1},"Resources":[{"Type":"a","Id":"b","New":null,"Details":{"AwsNew":{"x":1}}}]}`},
		{"normalized", `{"Severity":{"Normalized":0}}`},
		{"provider's severity", `{"Severity":null,"FindingProviderFields":{"Severity":{"Label":"HIGH","Original":"x"},"Types":["TTPs"]}}`},
		{"inner nulls", `{"Network":{"Direction":null},"Note":{"Text":"a","UpdatedBy":"b","UpdatedAt":"2024-01-04T15:25:10Z"}}`},
		{"limits", `{"Id":"` + long(512) + `","Title":"` + long(256) + `","Description":"` + long(1024) + `","Types":[` + many(50, `"Effects/%d"`) +
			`],"ProductFields":{` + many(50, `"k%d":"`+long(2048)+`"`) + `},"Resources":[` + many(32, `{"Type":"a","Id":"%d"}`) + `]}`},
		{"other namespace", `{"Types":["ens-op.acc.5.aws.iam.1","Infrastructure Security","a/b/c"]}`},
		{"times", `{"CreatedAt":"2019-01-31T23:00:00.123456789Z","UpdatedAt":"2024-01-04T15:25:10.1+17:59"}`},
		{"ports", `{"Network":{"SourcePort":0,"DestinationPort":65535,"SourceIpV6":"::1"},"Process":{"Pid":0,"ParentPid":2147483647}}`},
		{"China", `{"ProductArn":"arn:aws-cn:securityhub:cn-north-1:123456789012:product/123456789012/default"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if bad := Validate(with(t, c.patch), MaxFindingBytes); bad != nil {
				t.Error(bad)
			}
		})
	}
}

func TestValidateRefuses(t *testing.T) {
	for _, c := range []struct{ name, patch, want string }{
		{"required", `{"Title":null}`, `data should have required property 'Title'`},
		{"all required", `{"SchemaVersion":null,"Id":null,"ProductArn":null,"GeneratorId":null,"AwsAccountId":null,"CreatedAt":null,"UpdatedAt":null,"Title":null,"Description":null,"Resources":null}`,
			`data should have required property 'SchemaVersion', data should have required property 'Id', data should have required property 'ProductArn',` +
				` data should have required property 'GeneratorId', data should have required property 'AwsAccountId', and 5 more`},
		{"null title", `{"Description":"d","Title":"t","Resources":[{"Type":null,"Id":"r"}]}`, `data.Resources[0] should have required property 'Type'`},
		{"severity", `{"Severity":null}`, `data should have required property 'Severity' with 'Label' or 'Normalized', or 'FindingProviderFields' with 'Severity.Label'`},
		{"severity with product only", `{"Severity":{"Product":1},"FindingProviderFields":{"Severity":{"Original":"x"}}}`,
			`data should have required property 'Severity' with 'Label' or 'Normalized', or 'FindingProviderFields' with 'Severity.Label'`},
		{"label", `{"Severity":{"Label":"Low"}}`, `data.Severity.Label should be equal to one of the allowed values (INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL), not "Low"`},
		{"schema", `{"SchemaVersion":"2018-10-09"}`, `data.SchemaVersion should be equal to one of the allowed values (2018-10-08), not "2018-10-09"`},
		{"empty", `{"Resources":[{"Type":"","Id":"r"}]}`, `data.Resources[0].Type should NOT be shorter than 1 characters`},
		{"blank", `{"Title":" \t"}`, `data.Title should match pattern ".*\S.*"`},
		{"long", `{"Title":"` + long(257) + `"}`, `data.Title should NOT be longer than 256 characters (has 257)`},
		{"long recommendation", `{"Remediation":{"Recommendation":{"Text":"` + long(513) + `"}}}`, `data.Remediation.Recommendation.Text should NOT be longer than 512 characters (has 513)`},
		{"number for text", `{"Title":5}`, `data.Title should be string`}, {"text for number", `{"Confidence":"5"}`, `data.Confidence should be integer`},
		{"fraction", `{"Confidence":5.5}`, `data.Confidence should be integer, not 5.5`}, {"too big", `{"Confidence":101}`, `data.Confidence should be <= 100, not 101`},
		{"too small", `{"Criticality":-1}`, `data.Criticality should be >= 0, not -1`}, {"port", `{"Network":{"SourcePort":65536}}`, `data.Network.SourcePort should be <= 65535, not 65536`},
		{"array for object", `{"Network":[]}`, `data.Network should be object`}, {"object for array", `{"Resources":{"Type":"a","Id":"b"}}`, `data.Resources should be array`},
		{"boolean", `{"Sample":"true"}`, `data.Sample should be boolean`},
		{"no resource", `{"Resources":[]}`, `data.Resources should NOT have fewer than 1 items`},
		{"33 resources", `{"Resources":[` + many(33, `{"Type":"a","Id":"%d"}`) + `]}`, `data.Resources should NOT have more than 32 items (has 33)`},
		{"51 types", `{"Types":[` + many(51, `"Effects"`) + `]}`, `data.Types should NOT have more than 50 items (has 51)`},
		{"type form", `{"Types":["a/b/c/d",""]}`, `data.Types[0] should match pattern "^([^/]+)(/[^/]+){0,2}$" (namespace/category/classifier), not "a/b/c/d",` +
			` data.Types[1] should match pattern "^([^/]+)(/[^/]+){0,2}$" (namespace/category/classifier), not ""`},
		{"51 fields", `{"ProductFields":{` + many(51, `"k%d":"v"`) + `}}`, `data.ProductFields should NOT have more than 50 properties (has 51)`},
		{"long key", `{"UserDefinedFields":{"` + strings.Repeat("k", 129) + `":"v"}}`,
			`data.UserDefinedFields['` + strings.Repeat("k", 128) + `…'] property name should NOT be longer than 128 characters (has 129)`},
		{"long value", `{"UserDefinedFields":{"k":"` + long(1025) + `"}}`, `data.UserDefinedFields['k'] should NOT be longer than 1024 characters (has 1025)`},
		{"long other", `{"Resources":[{"Type":"a","Id":"b","Details":{"Other":{"Destinations":"` + long(1025) + `"}}}]}`,
			`data.Resources[0].Details.Other['Destinations'] should NOT be longer than 1024 characters (has 1025)`},
		{"map value", `{"ProductFields":{"a":1,"":"x"}}`, `data.ProductFields['a'] should be string, data.ProductFields[''] property name should NOT be blank`},
		{"twice in a map", `{"ProductFields":{"a":"1","\u0061":"2"}}`, `data.ProductFields['a'] should NOT stand twice in its object`},
		{"twice", `{"Network":{"Protocol":"TCP","Protocol":"UDP"}}`, `data.Network.Protocol should NOT stand twice in its object`},
		{"account", `{"AwsAccountId":"12345678901"}`, `data.AwsAccountId should match pattern "^[0-9]{12}$", not "12345678901"`},
		{"time", `{"UpdatedAt":"2024-02-30T00:00:00Z"}`, `data.UpdatedAt should match format "date-time" (such as 2024-01-04T15:25:10.123Z), not "2024-02-30T00:00:00Z"`},
		{"ARN", `{"ProductArn":"arn:aws:s3:::bucket/key"}`, `data.ProductArn should be a product ARN such as arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default, not "arn:aws:s3:::bucket/key"`},
		{"address", `{"Network":{"SourceIpV4":"::1","DestinationIpV6":"10.0.0.1"}}`, `data.Network.SourceIpV4 should match format "ipv4", not "::1", data.Network.DestinationIpV6 should match format "ipv6", not "10.0.0.1"`},
		{"null element", `{"Resources":[null]}`, `data.Resources[0] should NOT be null`},
		{"no related", `{"RelatedFindings":[]}`, `data.RelatedFindings should NOT have fewer than 1 items`},
		{"note", `{"Note":{"Text":"x"}}`, `data.Note should have required property 'UpdatedBy', data.Note should have required property 'UpdatedAt'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := Validate(with(t, c.patch), 0)
			if bad == nil {
				t.Fatal("accepted")
			}
			if got, want := bad.Message, "Finding does not adhere to Amazon Finding Format. "+c.want+"."; got != want || bad.Code != "InvalidInput" {
				t.Errorf("got  %s: %s\nwant InvalidInput: %s", bad.Code, got, want)
			}
		})
	}
	for _, c := range []struct{ name, doc, want string }{
		{"not JSON", `{"Id":`, `Finding is not a JSON object: invalid JSON at offset 6: text ends where a value should stand.`},
		{"not an object", `[]`, `Finding does not adhere to Amazon Finding Format. data should be object.`},
		{"null", `null`, `Finding does not adhere to Amazon Finding Format. data should be object.`},
		{"UTF-8", "{\"Id\":\"\xff\"}", `Finding is not valid UTF-8.`},
		{"size", `{"Id":"` + strings.Repeat("x", 100) + `"}`, `Finding exceeds the maximum size: it has 109 bytes, 100 are allowed.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := Validate([]byte(c.doc), 100)
			if bad == nil || bad.Message != c.want {
				t.Errorf("got %v, want %s", bad, c.want)
			}
		})
	}
}

// TestSchemaIsTheModels reads the service model and checks that each of its enumerations and required members that
// schemaText covers is in schemaText, and that every top-level member is.
func TestSchemaIsTheModels(t *testing.T) {
	text := string(testshared.Read(t, "asff/asff-model.txt"))
	_, text, _ = strings.Cut(text, "== AwsSecurityFinding ")
	text, _, _ = strings.Cut(text, "\n== ")
	open := []*rule{findingRule}
	checked := 0
	for line := range strings.SplitSeq(text, "\n") {
		level := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		head, kind, ok := strings.Cut(strings.TrimSpace(line), ": ")
		name, required := strings.CutSuffix(head, " *")
		if !ok || level >= len(open) {
			continue
		}
		open = open[:level+1]
		n := memberIndex(open[level].members, []byte(name))
		if n < 0 {
			if level == 0 {
				t.Errorf("%s is not in the schema", name)
			}
			continue
		}
		m := open[level].members[n]
		if m.required != required {
			t.Errorf("%s: got required %v, want %v", name, m.required, required)
		}
		_, words, enum := strings.Cut(kind, " enum ")
		if got := strings.Join(m.rule.enum, "|"); enum && got != words {
			t.Errorf("%s: got enum %s, want %s", name, got, words)
		}
		checked++
		r := m.rule
		for r.shape == shapeList {
			r = r.elem
		}
		open = append(open, r)
	}
	if checked < 180 {
		t.Errorf("only %d members were compared", checked)
	}
}

// TestValidateAgreesWithDecoding: what Validate accepts, UnmarshalJSON decodes.
func TestValidateAgreesWithDecoding(t *testing.T) {
	doc := with(t, string(sample().AppendJSON(nil)))
	if bad := Validate(doc, 0); bad != nil {
		t.Fatal(bad)
	}
	if err := json.Unmarshal(doc, new(Finding)); err != nil {
		t.Error(err)
	}
}

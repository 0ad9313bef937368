package convert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
)

// checkFinding is what must hold for the finding of any alert.
func checkFinding(t interface {
	Helper()
	Fatalf(string, ...any)
}, c *Converter, a *falco.Alert, o falco.Origin) {
	t.Helper()
	text := c.Convert(a, o).AppendJSON(nil)
	if again := c.Convert(a, o).AppendJSON(nil); !bytes.Equal(text, again) {
		t.Fatalf("two conversions differ:\n%s\n%s", text, again)
	}
	f := c.Convert(a, o)
	if got, want := c.Identify(a, o), (Identified{f.ID, f.ProductArn, f.Severity.Label}); got != want {
		t.Fatalf("Identify says %+v, Convert %+v", got, want)
	}
	if invalid := asff.Validate(text, asff.MaxFindingBytes); invalid != nil {
		t.Fatalf("%v in %s", invalid, text)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	noBlanks(t, "", doc)
	// What is printed and read again converts to the same finding.
	reread, err := falco.Parse(falco.AppendJSON(nil, a))
	if err != nil {
		t.Fatalf("%v in %s", err, falco.AppendJSON(nil, a))
	}
	if again := c.Convert(reread, o).AppendJSON(nil); !bytes.Equal(text, again) {
		t.Fatalf("the alert read again gives another finding:\n%s", cmp.Diff(string(text), string(again)))
	}
}

// noBlanks fails for null, "" and "<NA>" anywhere.
func noBlanks(t interface {
	Helper()
	Fatalf(string, ...any)
}, path string, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Fatalf("%s is null", path)
	case string:
		if v == "" || v == "<NA>" {
			t.Fatalf("%s is %q", path, v)
		}
	case map[string]any:
		for name, one := range v {
			noBlanks(t, path+"."+name, one)
		}
	case []any:
		for i, one := range v {
			noBlanks(t, fmt.Sprintf("%s[%d]", path, i), one)
		}
	}
}

// texts draws the text of a field: what fields hold, and what attackers put there.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "<NA>", "host", "root", "-1", "0", "443", "70000", "true", "10.0.0.1", "::1", "10.0.0.1:41234->10.0.0.2:80", "/etc/shadow",
			"/proc/17/environ", "ee5e154fac58", "payments-api-6d4cf56db6-x2v9k", "k8s_a_b_c_d_e", "ecs-a-1-b-0123456789abcdef0123", "a:b,c:d", "/a:/b::true:rprivate,/c:/d",
			"arn:aws:ecs:eu-central-1:111122223333:task/x", "i-0123456789abcdef0", "1795227948706460373", "ipv4", "tcp", "raw", "accept", "connect",
			"\x00\x1b[31m", "\u202e\u2028", "=1+1", "<script>", strings.Repeat("ä", 3000), strings.Repeat("\"", 3000), strings.Repeat("\x01", 70000)}),
		rapid.String(),
		rapid.StringMatching(`[a-z/.:\-]{1,40}`),
	)
}

func names() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(strings.Fields(`container.id container.name container.image container.image.repository container.image.tag container.image.digest
			container.image.id container.type container.privileged container.mounts container.start_ts container.labels k8s.ns.name k8s.pod.name k8s.pod.uid
			k8s.pod.labels k8s.deployment.name k8s.rs.name ka.target.name ka.target.resource proc.name proc.exepath proc.pid proc.ppid proc.pid.ts proc.pname
			proc.cmdline proc.aname[2] fd.name fd.type fd.l4proto fd.cip fd.sip fd.lip fd.rip fd.cport fd.sport fd.lport fd.rport fd.sip.name fd.is_server evt.type
			evt.args evt.time evt.arg.path ec2_instance_id ecs_cluster ecs_task_arn ecs_task_definition ecs_service cluster message user.name`)),
		rapid.String(),
		rapid.StringMatching(`[a-z]{1,3}\.[a-z]{1,2}[0-9]{0,3}`),
	)
}

func values() *rapid.Generator[falco.Value] {
	return rapid.Custom(func(t *rapid.T) falco.Value {
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0:
			return falco.Value{}
		case 1:
			return falco.Value{Kind: falco.Number, Text: rapid.SampledFrom([]string{"0", "-1", "1e400", "4294967296", strings.Repeat("9", 3000), "1795227948706460373"}).Draw(t, "number")}
		case 2:
			return falco.Value{Kind: falco.Bool, Text: "true"}
		case 3:
			return falco.Value{Kind: falco.JSON, Text: rapid.SampledFrom([]string{`[]`, `{"a":[1,null]}`}).Draw(t, "json")}
		}
		return falco.Value{Kind: falco.String, Text: texts().Draw(t, "text")}
	})
}

func fields(t *rapid.T, label string) []falco.Field {
	all := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) falco.Field {
		return falco.Field{Name: names().Draw(t, "name"), Value: values().Draw(t, "value")}
	}), 0, 70, func(f falco.Field) string { return f.Name }).Draw(t, label)
	return all
}

func TestAnyAlert(t *testing.T) {
	converters := []*Converter{converter(t, Config{Remediation: shipped(t)}), converter(t, Config{EKSClusters: []string{"*"}, ProductArn: "arn:aws:securityhub:eu-central-1::product/eyrie/eyrie"})}
	rapid.Check(t, func(t *rapid.T) {
		a := &falco.Alert{
			Time:     time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond")).UTC(),
			Rule:     rapid.StringMatching(`(?s)[^\s\p{Z}\x85\x0b].{0,600}`).Draw(t, "rule"),
			Priority: falco.Priority(rapid.IntRange(0, falco.Priorities-1).Draw(t, "priority")),
			Source:   rapid.SampledFrom([]string{"", "syscall", "k8s_audit", "aws_cloudtrail", "<NA>"}).Draw(t, "source"),
			Hostname: texts().Draw(t, "hostname"),
			Output:   texts().Draw(t, "output"),
			UUID:     texts().Draw(t, "uuid"),
			Tags:     rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]string{"container", "host", "network", "mitre_impact", "mitre_execution", "T1059", "T1496", "T9999.001", "TA0011"}), texts()), 0, 80).Draw(t, "tags"),
			Fields:   fields(t, "fields"),
		}
		origin := falco.Origin{Account: rapid.SampledFrom([]string{"", "111122223333", "x"}).Draw(t, "account"),
			Region:  rapid.SampledFrom([]string{"", "eu-central-1", "cn-north-1", "us-gov-west-1", "a-region-with-a-long-name"}).Draw(t, "region"),
			Cluster: texts().Draw(t, "cluster")}
		for _, f := range fields(t, "extra") {
			switch f.Name {
			case "hostname", "output", "output_fields", "priority", "rule", "source", "tags", "time", "uuid":
			default:
				a.Extra = append(a.Extra, f)
			}
		}
		for _, c := range converters {
			checkFinding(t, c, a, origin)
		}
	})
}

func FuzzConvert(f *testing.F) {
	f.Add([]byte(sample), "eu-central-1", "prod")
	f.Add([]byte(`{"rule":"\u0000","priority":"Notice","time":"0001-01-01T00:00:00Z","output_fields":{"fd.name":"::->:","evt.args":"path=","container.id":" "}}`), "", "")
	c := converter(f, Config{})
	f.Fuzz(func(t *testing.T, record []byte, region, cluster string) {
		a, err := falco.Parse(record)
		if err != nil {
			return
		}
		checkFinding(t, c, a, falco.Origin{Account: "111122223333", Region: region, Cluster: cluster})
	})
}

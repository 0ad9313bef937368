package falco

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

var recordings = []string{"falco/alerts/docker-event-generator.jsonl", "falco/alerts/docker-seed.jsonl", "falco/alerts/host-seed.jsonl"}

// sample is an alert of the usual size, written for these tests in the form that Falco prints.
const sample = `{"hostname":"node-1","output":"02:25:48.706460373: Error File below /etc opened for writing | file=/etc/app.conf pcmdline=bash /opt/job.sh gparent=containerd-shim evt_type=openat user=root user_uid=0 process=touch proc_exepath=/usr/bin/touch parent=bash command=touch \"/etc/app.conf\" terminal=0 container_id=ee5e154fac58 container_name=payments-api container_image_repository=registry.example.com/shop/payments-api container_image_tag=1.4.2 k8s_pod_name=<NA> k8s_ns_name=<NA>","output_fields":{"container.id":"ee5e154fac58","container.image.repository":"registry.example.com/shop/payments-api","container.image.tag":"1.4.2","container.name":"payments-api","evt.time":1795227948706460373,"evt.type":"openat","fd.name":"/etc/app.conf","k8s.ns.name":null,"k8s.pod.name":null,"proc.cmdline":"touch /etc/app.conf","proc.exepath":"/usr/bin/touch","proc.name":"touch","proc.pname":"bash","proc.tty":0,"user.name":"root","user.uid":0},"priority":"Error","rule":"Write below etc","source":"syscall","tags":["T1098","container","filesystem","maturity_sandbox","mitre_persistence"],"time":"2026-11-21T02:25:48.706460373Z"}`

// minimal puts members into a record that is otherwise complete.
func minimal(members string) string {
	return `{"rule":"R","priority":"Notice","time":"2026-11-21T02:25:48Z"` + members + `}`
}

func mustParse(t testing.TB, record string) *Alert {
	t.Helper()
	a, err := Parse([]byte(record))
	if err != nil {
		t.Fatalf("Parse(%q): %v", record, err)
	}
	return a
}

func TestParseSample(t *testing.T) {
	a := mustParse(t, sample)
	if want := time.Date(2026, 11, 21, 2, 25, 48, 706460373, time.UTC); !a.Time.Equal(want) || a.Time.Location() != time.UTC {
		t.Errorf("Time = %v, want %v", a.Time, want)
	}
	if a.Rule != "Write below etc" || a.Priority != Error || a.Source != "syscall" || a.Hostname != "node-1" || a.UUID != "" {
		t.Errorf("got %+v", a)
	}
	if got, want := len(a.Fields), 16; got != want {
		t.Errorf("%d fields, want %d", got, want)
	}
	if got, want := a.Tags, []string{"T1098", "container", "filesystem", "maturity_sandbox", "mitre_persistence"}; !slices.Equal(got, want) {
		t.Errorf("Tags = %q, want %q", got, want)
	}
	for name, want := range map[string]Value{
		"evt.time":    {Number, "1795227948706460373"},
		"k8s.ns.name": {Null, ""},
		"fd.name":     {String, "/etc/app.conf"},
	} {
		if got, ok := a.Field(name); !ok || got != want {
			t.Errorf("Field(%q) = %v, %v, want %v", name, got, ok, want)
		}
	}
	if !strings.Contains(a.Output, `command=touch "/etc/app.conf" terminal`) {
		t.Errorf("Output = %q: escapes are not decoded", a.Output)
	}
	if got := a.Get("k8s.ns.name") + a.Get("absent"); got != "" {
		t.Errorf("Get of null and absent = %q, want nothing", got)
	}
}

// TestRoundTrip: what Falco printed comes back byte for byte.
func TestRoundTrip(t *testing.T) {
	records := []string{sample}
	for _, name := range recordings {
		for line := range strings.Lines(string(testshared.Read(t, name))) {
			records = append(records, strings.TrimSuffix(line, "\n"))
		}
	}
	if len(records) != 88 {
		t.Errorf("%d records, want 88", len(records))
	}
	for _, record := range records {
		if got := string(AppendJSON(nil, mustParse(t, record))); got != record {
			t.Errorf("round trip differs:\ngot  %s\nwant %s", got, record)
		}
	}
}

func TestParseForms(t *testing.T) {
	base := Alert{Rule: "R", Priority: Notice, Time: time.Date(2026, 11, 21, 2, 25, 48, 0, time.UTC)}
	with := func(change func(a *Alert)) *Alert {
		a := base
		change(&a)
		return &a
	}
	tests := []struct {
		name, record string
		want         *Alert
	}{
		{"least", minimal(``), &base},
		{"space and BOM", "\xEF\xBB\xBF \r\n\t" + minimal(``) + "\n\n", &base},
		{"nulls are absent", minimal(`,"source":null,"tags":null,"output_fields":null,"hostname":null,"uuid":null,"output":null`), &base},
		{"lower-case priority", minimal(`,"priority":"critical"`), with(func(a *Alert) { a.Priority = Critical })},
		{"short priority", minimal(`,"priority":"INFO"`), with(func(a *Alert) { a.Priority = Informational })},
		{"duplicate members", minimal(`,"rule":"S","output_fields":{"a":1,"b":2},"output_fields":{"c":3,"b":1,"c":4},"x":1,"x":2`), with(func(a *Alert) {
			a.Rule = "S"
			a.Fields = []Field{{"b", Value{Number, "1"}}, {"c", Value{Number, "4"}}}
			a.Extra = []Field{{"x", Value{Number, "2"}}}
		})},
		{"kinds", minimal(`,"output_fields":{"s":"","n":-1.5E+30,"t":true,"f":false,"z":null,"a":[1, {"b":"]"}],"o":{},"big":` + strings.Repeat("9", 40) + `}`), with(func(a *Alert) {
			a.Fields = []Field{{"s", Value{String, ""}}, {"n", Value{Number, "-1.5E+30"}}, {"t", Value{Bool, "true"}}, {"f", Value{Bool, "false"}},
				{"z", Value{}}, {"a", Value{JSON, `[1, {"b":"]"}]`}}, {"o", Value{JSON, "{}"}}, {"big", Value{Number, strings.Repeat("9", 40)}}}
		})},
		{"escapes", minimal(`,"output":"\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00"`), with(func(a *Alert) { a.Output = "\"\\/\b\f\n\r\t\x00é😀" })},
		{"lone surrogates", minimal(`,"output":"\ud83d-\ude00-\ud83dx\ud83d\ud83d\ude00"`), with(func(a *Alert) { a.Output = "\uFFFD-\uFFFD-\uFFFDx\uFFFD😀" })},
		{"not UTF-8", minimal(",\"output\":\"a\xffb\""), with(func(a *Alert) { a.Output = "a\uFFFDb" })},
		{"escaped names", minimal(`,"\u006futput":"o","output_fields":{"f\u0064.name":"/x"}`), with(func(a *Alert) {
			a.Output = "o"
			a.Fields = []Field{{"fd.name", Value{String, "/x"}}}
		})},
		{"Falcosidekick", `{"uuid":"u-1","output":"o","priority":"Notice","rule":"R","time":"2026-11-21T02:25:48Z","output_fields":{"fd.name":"/x","env":"prod"},"source":"syscall","tags":["a"],"hostname":"h","templated":"yes"}`, with(func(a *Alert) {
			a.UUID, a.Output, a.Source, a.Hostname, a.Tags = "u-1", "o", "syscall", "h", []string{"a"}
			a.Fields = []Field{{"fd.name", Value{String, "/x"}}, {"env", Value{String, "prod"}}}
			a.Extra = []Field{{"templated", Value{String, "yes"}}}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustParse(t, tt.record)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		record string
		want   Reason
	}{
		{"", NotJSON}, {" \n", NotJSON}, {"hello", NotJSON}, {"{", NotJSON}, {`{"`, NotJSON}, {`{"a"`, NotJSON}, {`{"a":`, NotJSON}, {`{"a":1`, NotJSON},
		{`{"a":1,}`, NotJSON}, {`{a:1}`, NotJSON}, {`{"a":01}`, NotJSON}, {`{"a":-}`, NotJSON}, {`{"a":1.}`, NotJSON}, {`{"a":1e}`, NotJSON},
		{`{"a":"\x"}`, NotJSON}, {`{"a":"\u12"}`, NotJSON}, {"{\"a\":\"\n\"}", NotJSON}, {"{\"a\":\"\x00\"}", NotJSON}, {`{"a":nul}`, NotJSON},
		{minimal(``) + "x", NotJSON}, {minimal(``) + minimal(``), NotJSON}, {"\xFE\xFF\x00{", NotJSON},
		{"1", NotObject}, {`"s"`, NotObject}, {"null", NotObject}, {"[]", NotObject}, {"[" + minimal(``) + "]", NotObject},
		{minimal(`,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), TooDeep},
		{strings.Repeat(`{"a":`, 1_000_000), TooDeep},
		{strings.Repeat(" ", MaxRecord+1), TooLarge},
		{`{}`, MissingRule}, {minimal(`,"rule":""`), MissingRule}, {minimal(`,"rule":" \t"`), MissingRule}, {minimal(`,"rule":null`), MissingRule}, {minimal(`,"rule":1`), WrongType},
		{minimal(`,"time":null`), MissingTime}, {minimal(`,"time":""`), BadTime}, {minimal(`,"time":"yesterday"`), BadTime}, {minimal(`,"time":1795227948`), WrongType},
		{minimal(`,"priority":null`), MissingPriority}, {minimal(`,"priority":""`), BadPriority}, {minimal(`,"priority":"bad"`), BadPriority}, {minimal(`,"priority":3`), WrongType},
		{minimal(`,"hostname":{}`), WrongType}, {minimal(`,"tags":"a"`), WrongType}, {minimal(`,"tags":[1]`), WrongType}, {minimal(`,"output_fields":[]`), WrongType},
	}
	for _, tt := range tests {
		a, err := Parse([]byte(tt.record))
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Reason != tt.want || a != nil {
			t.Errorf("Parse(%.60q) = %v, %v, want %s", tt.record, a, err, tt.want)
			continue
		}
		if pe.Offset < 0 || pe.Offset > len(tt.record) || pe.Detail == "" || !errors.Is(err, &ParseError{Reason: tt.want}) {
			t.Errorf("Parse(%.60q): bad error %+v", tt.record, pe)
		}
	}
}

func TestParseTime(t *testing.T) {
	tests := []struct {
		text, want string // want "" for refused
	}{
		{"2026-11-21T02:25:48.706460373Z", "2026-11-21T02:25:48.706460373Z"},
		{"2026-11-21T02:25:48Z", "2026-11-21T02:25:48.000000000Z"},
		{"2026-11-21T02:25:48.5Z", "2026-11-21T02:25:48.500000000Z"},
		{"2026-11-21T02:25:48.1234567899Z", "2026-11-21T02:25:48.123456789Z"},
		{"2026-11-21T02:25:48.5+01:30", "2026-11-21T00:55:48.500000000Z"},
		{"2026-11-21T02:25:48-0200", "2026-11-21T04:25:48.000000000Z"},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000000Z"},
		{"2026-02-29T00:00:00Z", ""}, {"2026-13-01T00:00:00Z", ""}, {"2026-00-01T00:00:00Z", ""}, {"2026-01-00T00:00:00Z", ""},
		{"2026-01-01T24:00:00Z", ""}, {"2026-01-01T00:60:00Z", ""}, {"2026-01-01T00:00:60Z", ""}, {"2026-01-01T00:00:00", ""},
		{"2026-01-01T00:00:00.Z", ""}, {"2026-01-01 00:00:00Z", ""}, {"2026-01-01T00:00:00+25:00", ""}, {"2026-01-01T00:00:00+1:00", ""},
		{"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000000Z"}, {"1969-12-31T23:59:59Z", ""}, {"0000-01-01T00:00:00Z", ""}, {"9999-12-31T23:59:59-01:00", ""}, {"1970-01-01T00:00:00+01:00", ""}, {"-001-01-01T00:00:00Z", ""},
	}
	for _, tt := range tests {
		got := ""
		if when, ok := parseTime(tt.text); ok {
			got = string(AppendTime(nil, when))
		}
		if got != tt.want {
			t.Errorf("parseTime(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestMessage(t *testing.T) {
	tests := []struct {
		name   string
		p      Priority
		output string
		want   string
	}{
		{"time", Informational, "02:25:46.697293485: Informational Shell | user=root", "Shell | user=root"},
		{"ISO 8601", Warning, "2026-11-21T02:25:46.697293485+0000: Warning Shell: a", "Shell: a"},
		{"date", Warning, "2026-11-21 02:25:46.697293485: Warning Shell", "Shell"},
		{"seconds", Debug, "02:25:46: Debug Shell", "Shell"},
		{"lower case", Error, "02:25:46: error Shell", "Shell"},
		{"no prefix", Error, "Error in the text: of a rule", "Error in the text: of a rule"},
		{"priority of another", Error, "02:25:46.697293485: Warning Shell", "Warning Shell"},
		{"no priority", Error, "02:25:46.697293485: Shell", "Shell"},
		{"number", Error, "12: Error x", "12: Error x"},
		{"empty", Error, "", ""},
		{"prefix alone", Error, "02:25:46.697293485: Error", ""},
		{"late colon", Error, strings.Repeat("1:", 30) + ": Error x", strings.Repeat("1:", 30) + ": Error x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := Alert{Priority: tt.p, Output: tt.output}
			if got := a.Message(); got != tt.want {
				t.Errorf("Message of %q = %q, want %q", tt.output, got, tt.want)
			}
		})
	}
	for _, members := range []string{`,"output":"odd prefix - Shell","message":"Shell"`, `,"message":"Shell"`} {
		if got := mustParse(t, minimal(members)).Message(); got != "Shell" {
			t.Errorf("Message of %s = %q, want the member message", members, got)
		}
	}
	if got := mustParse(t, minimal(`,"output":"02:25:46.5: Notice Shell","message":"a custom field"`)).Message(); got != "Shell" {
		t.Errorf("Message = %q, want the end of the output", got)
	}
}

func TestPriority(t *testing.T) {
	for p := Emergency; int(p) < Priorities; p++ {
		for _, name := range []string{p.String(), strings.ToLower(p.String()), strings.ToUpper(p.String())} {
			if got, ok := ParsePriority(name); got != p || !ok {
				t.Errorf("ParsePriority(%q) = %v, %v", name, got, ok)
			}
		}
	}
	for _, name := range []string{"", "Inf", "Errors", "information", "0"} {
		if got, ok := ParsePriority(name); ok {
			t.Errorf("ParsePriority(%q) = %v, want none", name, got)
		}
	}
}

func TestPartition(t *testing.T) {
	for region, want := range map[string]string{"": "aws", "local-1": "aws", "eu-central-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		if got := (Origin{Region: region}).Partition(); got != want {
			t.Errorf("partition of %q = %q, want %q", region, got, want)
		}
	}
}

// TestAppendJSONIsJSON: whatever an Alert made by hand holds, the text is JSON that the standard library reads alike.
func TestAppendJSONIsJSON(t *testing.T) {
	a := &Alert{Rule: "a\"\\\x00\x1f\x7f\u2028", Hostname: "\xff", Tags: []string{"<NA>"}, Time: time.Unix(0, 0),
		Fields: []Field{{"b", Value{String, "\xed\xa0\x80"}}, {"a", Value{Bool, "true"}}},
		Extra:  []Field{{"zz", Value{JSON, "[1]"}}, {"a", Value{Number, "1"}}, {"rule", Value{String, "not twice"}}}}
	text := AppendJSON([]byte("x"), a)
	var got map[string]any
	if err := json.Unmarshal(text[1:], &got); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	want := map[string]any{"rule": a.Rule, "hostname": "\uFFFD", "tags": []any{"<NA>"}, "time": "1970-01-01T00:00:00.000000000Z", "priority": "Emergency",
		"source": "", "output": "", "output_fields": map[string]any{"a": true, "b": "\uFFFD"}, "zz": []any{1.0}, "a": 1.0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func ExampleAlert_Message() {
	a, err := Parse([]byte(`{"rule":"Terminal shell in container","priority":"Notice","time":"2026-11-21T02:25:46.697293485Z",
		"output":"02:25:46.697293485: Notice A shell was spawned | user=root","output_fields":{"user.name":"root"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Message())
	// Output: A shell was spawned | user=root
}

package cwlogs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// alert is an alert of Falco's with these output fields.
func alert(rule, fields string) string {
	return `{"hostname":"node-1","output":"o","output_fields":{` + fields + `},"priority":"Notice","rule":"` + rule + `","source":"syscall","tags":[],"time":"2026-11-21T02:25:46.697293485Z"}`
}

func quote(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func messages(texts ...string) []Message {
	all := make([]Message, len(texts))
	for i, text := range texts {
		all[i] = Message{From{LogGroup: "g", LogStream: "s", EventID: fmt.Sprint(i), Timestamp: 1795227946697}, []byte(text)}
	}
	return all
}

// summary says what came of messages: rules of alerts, reasons of what is bad, and the number of lines passed over.
func summary(r Result) string {
	var all []string
	for _, a := range r.Alerts {
		all = append(all, a.Rule)
	}
	for _, b := range r.Bad {
		all = append(all, "!"+b.Reason)
	}
	if r.Skipped > 0 {
		all = append(all, fmt.Sprintf("-%d", r.Skipped))
	}
	return strings.Join(all, " ")
}

// TestForms is the table of the forms in which alerts arrive.
func TestForms(t *testing.T) {
	a, b := alert("A", ""), alert("B", "")
	long := alert("Long", `"proc.cmdline":"`+strings.Repeat("x", 40_000)+`"`)
	const cri = "2026-11-21T02:25:46.697293485Z stdout F "
	const criPart = "2026-11-21T02:25:46.697293485Z stdout P "
	for _, c := range []struct {
		name, want string
		texts      []string
	}{
		{"bare", "A", []string{a}},
		{"with a line feed", "A", []string{a + "\r\n"}},
		{"several on lines", "A B", []string{a + "\n" + b + "\n"}},
		{"several without a space", "A B", []string{a + b}},
		{"array", "A B", []string{"[" + a + "," + b + "]"}},
		{"spread over lines", "A", []string{strings.ReplaceAll(a, `,"`, ",\n  \"")}},
		{"fluent bit, string", "A", []string{`{"log":` + quote(a+"\n") + `,"stream":"stdout"}`}},
		{"fluent bit, object", "A", []string{`{"log":` + a + `,"kubernetes":{"host":"n"}}`}},
		{"fluent bit, merged", "A", []string{`{"log":` + quote(a) + `,"log_processed":` + a + `}`}},
		{"fluent bit, merged into the record", "A", []string{strings.TrimSuffix(a, "}") + `,"kubernetes":{"host":"n"},"log":` + quote(a) + `}`}},
		{"several in log", "A B", []string{`{"log":` + quote(a+"\n"+b) + `}`}},
		{"message", "A", []string{`{"message":` + quote(a) + `}`}},
		{"docker in fluent bit", "A", []string{`{"log":` + quote(`{"log":`+quote(a+"\n")+`,"stream":"stdout","time":"2026-11-21T02:25:46Z"}`) + `}`}},
		{"cri", "A", []string{cri + a}},
		{"cri in fluent bit", "A", []string{`{"log":` + quote(cri+a) + `}`}},
		{"cri, several", "A B", []string{cri + a + "\n" + cri + b}},
		{"cri, in pieces", "A Long", []string{criPart + long[:10_000], criPart + long[10_000:20_000], cri + long[20_000:], cri + a}},
		{"cri, in pieces of two streams", "!not_json A", []string{criPart + "{", strings.Replace(cri, "stdout", "stderr", 1) + a, cri + "x"}},
		{"cri, no end", "!incomplete", []string{criPart + long[:10_000]}},
		{"docker, in pieces", "Long", []string{
			`{"log":` + quote(long[:16_384]) + `,"partial_message":"true","partial_id":"p","partial_ordinal":"1","partial_last":"false"}`,
			`{"log":` + quote(long[16_384:32_768]) + `,"partial_message":"true","partial_id":"p","partial_ordinal":"2","partial_last":"false"}`,
			`{"log":` + quote(long[32_768:]) + `,"partial_message":"true","partial_id":"p","partial_ordinal":"3","partial_last":"true"}`}},
		{"without time", "A", []string{strings.Replace(a, `,"time":"2026-11-21T02:25:46.697293485Z"`, "", 1)}},
		{"falco's own log", "-6", []string{"Sat Nov 21 02:25:44 2026: Falco version: 0.44.0 (x86_64)", "2026-11-21T02:25:44+0000: Loading rules from:",
			"Events detected: 5", "Rule counts by severity:", "   WARNING: 5", "Triggered rules by rule name:"}},
		{"empty", "-3", []string{"", " \n", `{"log":"\n"}`}},
		{"torn", "!not_json A", []string{`{"rule":"x","outp`, a}},
		{"torn, then whole", "A !not_json", []string{`{"rule":"x","outp` + "\n" + a}},
		{"text", "!not_an_alert", []string{"hello"}},
		{"count without indent", "!not_an_alert", []string{"WARNING: 5"}},
		{"another program's JSON", "!missing_rule", []string{`{"level":"info"}`}},
		{"another program's message", "!not_an_alert", []string{`{"level":"info","message":"started"}`}},
		{"no rule", "!missing_rule", []string{`{"output":"x","priority":"Notice","time":"2026-11-21T02:25:46Z"}`}},
		{"bad priority", "!bad_priority", []string{strings.Replace(a, "Notice", "Loud", 1)}},
		{"scalar", "!not_an_alert", []string{"17"}},
		{"array of scalars", "A !not_object", []string{"[17," + a + "]"}},
		{"log is a number", "!missing_rule", []string{`{"log":17}`}},
		{"byte order mark", "A", []string{"\xef\xbb\xbf" + a}},
		{"wrapped without end", "!too_deep", []string{wrapped(a, 9)}},
		{"nested without end", "!too_deep", []string{`{"a":` + strings.Repeat("[", 1000)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := summary(Read(messages(c.texts...))); sorted(got) != sorted(c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func sorted(s string) string {
	parts := strings.Fields(s)
	for i := range parts {
		for j := i; j > 0 && parts[j] < parts[j-1]; j-- {
			parts[j], parts[j-1] = parts[j-1], parts[j]
		}
	}
	return strings.Join(parts, " ")
}

func wrapped(text string, times int) string {
	for range times {
		text = `{"log":` + quote(text) + `}`
	}
	return text
}

// TestManyMessages: pieces of lines are put together also where several goroutines read a batch.
func TestManyMessages(t *testing.T) {
	long := alert("Long", `"proc.cmdline":"`+strings.Repeat("x", 1000)+`"`)
	const head = "2026-11-21T02:25:46.697293485Z stdout "
	var texts []string
	for range 100 {
		texts = append(texts, head+"P "+long[:500], head+"P "+long[500:600], head+"F "+long[600:], head+"F "+alert("A", ""))
	}
	r := Read(messages(texts...))
	if len(r.Alerts) != 200 || len(r.Bad) != 0 {
		t.Errorf("got %d alerts and %d bad, want 200 and none", len(r.Alerts), len(r.Bad))
	}
}

// TestOriginals: what is bad keeps its text and place.
func TestOriginals(t *testing.T) {
	outer := `{"log":"hello","kubernetes":{"host":"n"}}`
	r := Read(messages(alert("A", ""), outer))
	if len(r.Bad) != 1 || string(r.Bad[0].Text) != outer || r.Bad[0].EventID != "1" || r.Bad[0].LogGroup != "g" {
		t.Errorf("got %+v, want the whole message", r.Bad)
	}
}

// TestBeside is the table of what is made of the things that stand beside an alert.
func TestBeside(t *testing.T) {
	const task = `"ecs_cluster":"shop","ecs_task_arn":"arn:aws:ecs:eu-central-1:111122223333:task/shop/1","ecs_task_definition":"falco:3","container_id":"0123456789abcdef","container_name":"falco"`
	for _, c := range []struct {
		name, beside, hostname, fields string
		wantHost                       string
		want                           map[string]string
	}{
		{"kubernetes, hostname of the pod", `"kubernetes":{"host":"node-7","pod_name":"falco-x7k2p"},"ec2_instance_id":"i-1","az":"eu-central-1a"`, "falco-x7k2p", "",
			"node-7", map[string]string{"ec2_instance_id": "i-1", "az": "eu-central-1a"}},
		{"kubernetes, hostname of the node", `"kubernetes":{"host":"node-7","pod_name":"falco-x7k2p","labels":{"app":"falco"}}`, "node-1", "", "node-1", nil},
		{"daemon on EC2, container of another task", task + `,"ec2_instance_id":"i-1"`, "h", `"container.id":"ee5e154fac58","container.name":"ecs-shop-7-web-aabbccddeeff00112233"`,
			"h", map[string]string{"ecs_cluster": "shop", "ec2_instance_id": "i-1", reporterTask: "arn:aws:ecs:eu-central-1:111122223333:task/shop/1"}},
		{"daemon on EC2, labels of another task", task + `,"ec2_instance_id":"i-1"`, "h", `"container.id":"ee5e154fac58","container.labels":"com.amazonaws.ecs.task-arn:arn:other,x:y"`,
			"h", map[string]string{"ecs_cluster": "shop", "ec2_instance_id": "i-1", reporterTask: "arn:aws:ecs:eu-central-1:111122223333:task/shop/1"}},
		{"daemon on EC2, its own container", task + `,"ec2_instance_id":"i-1"`, "h", `"container.id":"0123456789ab","container.name":"ecs-x-1-y"`,
			"h", map[string]string{"ecs_cluster": "shop", "ec2_instance_id": "i-1", "ecs_task_arn": "arn:aws:ecs:eu-central-1:111122223333:task/shop/1", "ecs_task_definition": "falco:3"}},
		{"daemon on EC2, the host", task + `,"ec2_instance_id":"i-1"`, "h", `"container.id":"host"`,
			"h", map[string]string{"ecs_cluster": "shop", "ec2_instance_id": "i-1", reporterTask: "arn:aws:ecs:eu-central-1:111122223333:task/shop/1"}},
		{"fargate", task, "h", `"container.id":"host","proc.name":"sh"`,
			"h", map[string]string{"ecs_cluster": "shop", "ecs_task_arn": "arn:aws:ecs:eu-central-1:111122223333:task/shop/1", "ecs_task_definition": "falco:3", "container.name": "falco"}},
		{"unknown container", task + `,"ec2_instance_id":"i-1"`, "h", `"container.id":"ee5e154fac58","container.name":null`,
			"h", map[string]string{"ecs_cluster": "shop", "ec2_instance_id": "i-1", "ecs_task_arn": "arn:aws:ecs:eu-central-1:111122223333:task/shop/1", "ecs_task_definition": "falco:3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := strings.Replace(alert("A", c.fields), "node-1", c.hostname, 1)
			for form, text := range map[string]string{"beside": `{"log":` + quote(a) + "," + c.beside + "}", "merged": strings.TrimSuffix(a, "}") + "," + c.beside + "}"} {
				r := Read(messages(text))
				if len(r.Alerts) != 1 {
					t.Fatalf("%s: %q", form, summary(r))
				}
				got := r.Alerts[0]
				extra := map[string]string{}
				for _, f := range got.Extra {
					extra[f.Name] = f.Value.Text
				}
				if name := got.Get("container.name"); strings.HasPrefix(c.name, "fargate") {
					extra["container.name"] = name
					if _, ok := got.Field("container.id"); ok {
						t.Errorf("%s: container.id is still there", form)
					}
				}
				if c.want == nil {
					c.want = map[string]string{}
				}
				if diff := cmp.Diff(c.want, extra); diff != "" || got.Hostname != c.wantHost {
					t.Errorf("%s: host %q, want %q; members (-want +got):\n%s", form, got.Hostname, c.wantHost, diff)
				}
			}
		})
	}
}

func TestDecode(t *testing.T) {
	doc := `{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"/g\/x","logStream":"s","subscriptionFilters":["f"],"logEvents":[{"id":"1","timestamp":17,"message":"a\nb \u00e9\ud83e\udd85"},{"id":"2","timestamp":18,"message":"c"}]}`
	e, err := Decode([]byte(`{"awslogs": {"data": "` + zipped(doc+doc) + `"}}`))
	if err != nil || len(e.Messages) != 4 || len(e.Bad) != 0 {
		t.Fatalf("got %+v, %v, want 4 messages", e, err)
	}
	want := Message{From{"111122223333", "/g/x", "s", "1", 17}, []byte("a\nb é🦅")}
	if diff := cmp.Diff(want, e.Messages[0]); diff != "" {
		t.Errorf("first message (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		name, payload string
		shape         Shape
		messages, bad int
		records       int
		unknown       bool
	}{
		{name: "not base64", payload: `{"awslogs":{"data":"%%%"}}`, bad: 1},
		{name: "not gzip", payload: `{"awslogs":{"data":"aGVsbG8="}}`, bad: 1},
		{name: "torn gzip", payload: `{"awslogs":{"data":"` + zipped(doc)[:100] + `"}}`, bad: 1},
		{name: "unknown message type", payload: `{"awslogs":{"data":"` + zipped(`{"messageType":"X"}`) + `"}}`, bad: 1},
		{name: "torn document", payload: `{"awslogs":{"data":"` + zipped(doc[:200]) + `"}}`, bad: 1},
		{name: "kinesis with text that is no subscription", payload: `{"Records":[{"kinesis":{"data":"` + zipped("hello") + `"}}]}`, shape: Kinesis, messages: 1},
		{name: "kinesis without data", payload: `{"Records":[{"kinesis":{}}]}`, unknown: true},
		{name: "firehose", payload: `{"records":[{"recordId":"1","data":"` + zipped(doc) + `"},{"recordId":"2","data":"!"}]}`, shape: Firehose, messages: 2, bad: 1, records: 2},
		{name: "sqs with a document", payload: `{"Records":[{"body":` + quote(doc) + `,"messageId":"m"}]}`, shape: SQS, messages: 2, records: 1},
		{name: "sns", payload: `{"Records":[{"Sns":{}}]}`, unknown: true},
		{name: "nothing", payload: ``, unknown: true},
		{name: "array", payload: `[]`, unknown: true},
		{name: "no data", payload: `{"awslogs":{}}`, unknown: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := Decode([]byte(c.payload))
			if errors.Is(err, ErrUnknown) != c.unknown || !c.unknown && err != nil {
				t.Fatalf("error %v, want unknown: %v", err, c.unknown)
			}
			if err == nil && (e.Shape != c.shape || len(e.Messages) != c.messages || len(e.Bad) != c.bad || len(e.Records) != c.records) {
				t.Errorf("got shape %d with %d messages, %d bad and %d records: %+v", e.Shape, len(e.Messages), len(e.Bad), len(e.Records), e.Bad)
			}
		})
	}
}

// TestBomb: data that unfolds to more than the limit is bad, and no more of it is unfolded.
func TestBomb(t *testing.T) {
	const limit = 1 << 20
	for size, bad := range map[int]bool{limit: false, limit + 1: true} {
		if out, err := inflate(mustDecode(t, zipped(strings.Repeat("0", size))), limit); (err != nil) != bad || len(out) != size {
			t.Errorf("%d bytes: got %d, %v", size, len(out), err)
		}
	}
}

func mustDecode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnquote compares with encoding/json for every string that is valid.
func TestUnquote(t *testing.T) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t", "\x00\x1f", "é🦅\u2028<>&", strings.Repeat("ab\n", 1000)} {
		if got := unquote([]byte(quote(s))); string(got) != s {
			t.Errorf("got %q, want %q", got, s)
		}
	}
	for in, want := range map[string]string{`"\ud83e\udd85"`: "🦅", `"\ud83ex"`: "\ufffdx", `"\ud83e\u0041"`: "\ufffdA", `"\u00zz"`: `\u00zz`, `"\q"`: `\q`} {
		if got := unquote([]byte(in)); string(got) != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

// TestRecordedAlerts: what Falco printed is the same alert in every form.
func TestRecordedAlerts(t *testing.T) {
	for line := range strings.Lines(string(testshared.Read(t, "falco/alerts/docker-event-generator.jsonl"))) {
		line = strings.TrimSuffix(line, "\n")
		for _, text := range []string{line, `{"log":` + quote(line+"\n") + `}`, `{"log":` + line + `}`, "2026-11-21T02:25:46Z stdout F " + line} {
			r := Read(messages(text))
			if len(r.Alerts) != 1 {
				t.Fatalf("%q from %.300s", summary(r), text)
			}
			if got := string(falco.AppendJSON(nil, r.Alerts[0].Alert)); got != line {
				t.Errorf("got %s, want %s", got, line)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{alert("A", ""), `{"log":` + quote(alert("A", "")) + `,"ecs_task_arn":"x"}`, "2026-11-21T02:25:46Z stdout P {", "[1,{}]", `{"log":"a","partial_id":"p"}`, "{\n{", "[[["} {
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		r := Read([]Message{{From{}, first}, {From{LogStream: "s"}, second}})
		for _, b := range r.Bad {
			if b.Reason == "" {
				t.Errorf("no reason for %q", b.Text)
			}
		}
		if len(r.Alerts)+len(r.Bad)+r.Skipped == 0 && !bytes.ContainsAny(append(first, second...), "[") {
			t.Errorf("%q and %q came to nothing", first, second)
		}
		for _, a := range r.Alerts {
			if a.Rule == "" {
				t.Error("an alert without a rule")
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	doc := `{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":17,"message":"a"}]}`
	f.Add([]byte(`{"awslogs":{"data":"` + zipped(doc) + `"}}`))
	f.Add([]byte(`{"Records":[{"kinesis":{"data":"e30="}},{"body":` + quote(doc) + `}]}`))
	f.Add([]byte(`{"records":[{"recordId":"1","data":"e30="}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := Decode(payload)
		if (e == nil) == (err == nil) {
			t.Fatalf("event %v, error %v", e, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	line := strings.SplitN(string(testshared.Read(b, "falco/alerts/docker-event-generator.jsonl")), "\n", 2)[0]
	for name, text := range map[string]string{"bare": line, "fluent-bit": `{"log":` + quote(line+"\n") + `,"ec2_instance_id":"i-1","kubernetes":{"host":"n","pod_name":"p"}}`} {
		b.Run("form="+name, func(b *testing.B) {
			one := messages(text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if r := Read(one); len(r.Alerts) != 1 {
					b.Fatal(summary(r))
				}
			}
		})
	}
}

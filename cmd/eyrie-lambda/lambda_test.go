package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/publish/quarantine"
)

// alert is an alert of Falco's: the i-th of trouble t.
func alert(i, t int) string {
	at := time.Date(2026, 11, 21, 2, 0, 0, i*1000, time.UTC)
	return fmt.Sprintf(`{"hostname":"node-1","output":"02:00:00.000000000: Warning Sensitive file opened (file=/etc/shadow.d/%d/x)","output_fields":{"container.id":"ee5e154fac58","container.image.repository":"registry.example.com/shop/payments-api","container.image.tag":"1.4.2","container.name":"payments-api","evt.time":%d,"fd.name":"/etc/shadow.d/%c/x","k8s.ns.name":"shop","k8s.pod.name":"payments-api-7d4b9c6f5d-x2k4p","proc.exepath":"/usr/bin/cat","proc.name":"cat","proc.pid":%d,"user.name":"root"},"priority":"Warning","rule":"Read sensitive file untrusted %d","source":"syscall","tags":["T1555","container","filesystem","mitre_credential_access"],"time":"%s"}`,
		t, at.UnixNano(), 'a'+t%26, 1000+i, t/26, at.Format("2006-01-02T15:04:05.000000000Z"))
}

func eksMessage(alert string) string {
	text, _ := json.Marshal(map[string]any{"log": alert + "\n", "stream": "stdout", "time": "2026-11-21T02:00:00.1Z", "az": "eu-central-1a", "ec2_instance_id": "i-0123456789abcdef0",
		"kubernetes": map[string]any{"pod_name": "falco-x7k2p", "namespace_name": "falco", "host": "ip-10-0-1-17.eu-central-1.compute.internal", "container_name": "falco"}})
	return string(text)
}

func ecsMessage(alert, task string) string {
	text, _ := json.Marshal(map[string]any{"log": alert, "source": "stdout", "ecs_cluster": "shop", "ecs_task_arn": "arn:aws:ecs:eu-central-1:111122223333:task/shop/" + task,
		"ecs_task_definition": "payments:7", "container_id": "0123456789ab-55", "container_name": "falco"})
	return string(text)
}

// batch is n alerts of 40 troubles in EKS and ECS envelopes by turns, with the bad lines after the tenth.
func batch(n int, bad ...string) []byte {
	var messages []string
	for i := range n {
		switch i % 3 {
		case 0:
			messages = append(messages, alert(i, i%40))
		case 1:
			messages = append(messages, eksMessage(alert(i, i%40)))
		default:
			messages = append(messages, ecsMessage(alert(i, i%40), fmt.Sprintf("task%d", i%7)))
		}
		if i == 10 {
			messages = append(messages, bad...)
		}
	}
	return subscription("node-1", messages...)
}

const badLine = `{"output":"torn in the mid`

// deployed is a function with its hub and the rest of AWS.
type deployed struct {
	*function
	hub *frontedHub
	aws *fakeAWS
}

func deploy(t testing.TB, env ...string) *deployed {
	t.Helper()
	d := &deployed{hub: newHub(t), aws: newFakeAWS(t)}
	d.function = start(t, d.env(env...)...)
	return d
}

func (d *deployed) env(env ...string) []string {
	return append(append(d.aws.env(), "EYRIE_SECURITYHUB_ENDPOINT="+d.hub.server.URL, "EYRIE_CLUSTER=prod", "EYRIE_CALLS_PER_SECOND=0"), env...)
}

// records are the records in quarantine, by id; a record that is there twice is so only once.
func (d *deployed) records(t testing.TB) map[string]quarantine.Record {
	t.Helper()
	parts := map[string][]quarantine.Message{}
	for _, text := range d.aws.messages("/quarantine") {
		m, ok := quarantine.Parse([]byte(text))
		if !ok {
			t.Fatalf("message in quarantine: %.200s", text)
		}
		parts[m.ID] = append(parts[m.ID], m)
	}
	all := map[string]quarantine.Record{}
	for id, messages := range parts {
		r, err := quarantine.Join(messages)
		if err != nil {
			t.Fatal(err)
		}
		all[id] = r
	}
	return all
}

// TestOneBadLine: a batch of 101 events, one of which is torn.
func TestOneBadLine(t *testing.T) {
	d := deploy(t)
	d.must(batch(100, badLine))
	findings := d.hub.findings(t)
	if len(findings) != 40 || occurrences(t, findings) != 100 {
		t.Errorf("hub has %d findings of %d alerts, want 40 of 100", len(findings), occurrences(t, findings))
	}
	records := d.records(t)
	if len(records) != 1 {
		t.Fatalf("%d records in quarantine, want 1", len(records))
	}
	for _, r := range records {
		if string(r.Original) != badLine || r.Reason != "not_json" || r.From.LogGroup != "/eyrie/falco" || r.From.LogStream != "node-1" || r.From.EventID == "" {
			t.Errorf("in quarantine: %+v", r)
		}
	}
	if d.aws.asked["i-0123456789abcdef0"] != 1 || d.aws.called("DescribeTasks") != 1 {
		t.Errorf("asked for the instance %d times and for tasks %d times, want once each", d.aws.asked["i-0123456789abcdef0"], d.aws.called("DescribeTasks"))
	}
	d.must(batch(100, badLine)) // all is remembered, and nothing of it is newer
	if d.aws.called("DescribeInstances")+d.aws.called("DescribeTasks") != 2 {
		t.Error("a warm invocation asked again")
	}
	if diff := cmp.Diff(essence(t, findings), essence(t, d.hub.findings(t))); diff != "" {
		t.Errorf("the same event again changed findings (-first +second):\n%s", diff)
	}
}

// TestRealAlerts sends what Falco really printed through EKS and ECS envelopes: the findings must be those of
// the bare alerts.
func TestRealAlerts(t *testing.T) {
	var bare, eks, ecs []string
	for _, name := range []string{"docker-event-generator", "docker-seed", "host-seed"} {
		for line := range strings.Lines(string(testshared.Read(t, "falco/alerts/"+name+".jsonl"))) {
			line = strings.TrimSpace(line)
			bare, eks, ecs = append(bare, line), append(eks, eksMessage(line)), append(ecs, ecsMessage(line, "task1"))
		}
	}
	if len(bare) != 87 {
		t.Fatalf("%d recorded alerts, want 87", len(bare))
	}
	counts := map[string]int{}
	for name, messages := range map[string][]string{"bare": bare, "eks": eks, "ecs": ecs} {
		d := deploy(t)
		d.must(subscription("s", messages...))
		if records := d.records(t); len(records) != 0 {
			t.Errorf("%s: %d records in quarantine", name, len(records))
		}
		findings := d.hub.findings(t)
		counts[name] = len(findings)
		if got := occurrences(t, findings); got != 87 {
			t.Errorf("%s: the findings stand for %d alerts, want 87", name, got)
		}
		for id, f := range findings {
			kinds := map[string]types.Resource{}
			for _, r := range f.Resources {
				kinds[*r.Type] = r
			}
			switch name {
			case "eks":
				in := kinds["AwsEc2Instance"]
				if in.Id == nil || *in.Id != "arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0" || *in.Details.AwsEc2Instance.Type != "m7g.large" {
					t.Errorf("%s: instance %+v", id, in)
				}
			case "ecs":
				task := kinds["AwsEcsTask"]
				if task.Id == nil || *task.Details.AwsEcsTask.TaskDefinitionArn != "arn:aws:ecs:eu-central-1:111122223333:task-definition/payments:7" {
					t.Errorf("%s: task %+v", id, task)
				}
				if _, ok := kinds["AwsEcsService"]; !ok {
					t.Errorf("%s: no service among %v", id, maps.Keys(kinds))
				}
			}
		}
	}
	if counts["eks"] != counts["bare"] {
		t.Errorf("findings: %v, want as many in EKS envelopes as bare", counts)
	}
}

// TestFaults is the table of what can go wrong around the function. Lambda retries an event that failed, twice as for every
// asynchronous invocation. Whatever happens: the findings, their counts and the quarantine are those of the same event
// without a fault.
func TestFaults(t *testing.T) {
	payload := batch(250, badLine, "", `{"rule":"x","time":"2026-11-21T02:00:00Z"}`)
	plain := deploy(t)
	plain.must(payload)
	want, wantRecords := essence(t, plain.hub.findings(t)), plain.records(t)
	if len(want) != 40 || len(wantRecords) != 2 {
		t.Fatalf("without a fault: %d findings and %d records in quarantine, want 40 and 2", len(want), len(wantRecords))
	}
	throttle := func(w http.ResponseWriter) { refuse(w, 429, "TooManyRequestsException", "slow down") }
	aws := func(method string, f func(n int, w http.ResponseWriter, r *http.Request) bool) func(*deployed) {
		return func(d *deployed) {
			d.aws.fault = func(m string, n int, w http.ResponseWriter, r *http.Request) bool { return m == method && f(n, w, r) }
		}
	}
	hang := func(_ int, _ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	hub := func(f func(n int, w http.ResponseWriter, body []byte, handle func(http.ResponseWriter)) bool) func(*deployed) {
		return func(d *deployed) { d.hub.fault = f }
	}
	for _, c := range []struct {
		name  string
		fault func(*deployed)
		first bool // whether the first invocation succeeds
	}{
		{"hub throttles", hub(func(n int, w http.ResponseWriter, _ []byte, _ func(http.ResponseWriter)) bool {
			if n <= 4 {
				throttle(w)
			}
			return n <= 4
		}), true},
		{"hub has an internal error", hub(func(n int, w http.ResponseWriter, _ []byte, _ func(http.ResponseWriter)) bool {
			if n <= 2 {
				refuse(w, 500, "InternalException", "sorry")
			}
			return n <= 2
		}), true},
		{"hub cuts the connection before it works", hub(func(n int, w http.ResponseWriter, _ []byte, _ func(http.ResponseWriter)) bool {
			if n == 1 {
				cut(w)
			}
			return n == 1
		}), true},
		{"hub works and cuts the connection", hub(func(n int, w http.ResponseWriter, _ []byte, handle func(http.ResponseWriter)) bool {
			if n == 1 {
				handle(httptest.NewRecorder())
				cut(w)
			}
			return n == 1
		}), true},
		{"hub answers nonsense", hub(func(n int, w http.ResponseWriter, _ []byte, _ func(http.ResponseWriter)) bool {
			if n == 1 {
				fmt.Fprint(w, "<html>proxy</html>")
			}
			return n == 1
		}), true},
		{"hub counts a failure that it does not name", hub(func(n int, w http.ResponseWriter, _ []byte, _ func(http.ResponseWriter)) bool {
			if n == 1 {
				fmt.Fprint(w, `{"FailedCount":1,"SuccessCount":39,"FailedFindings":[]}`)
			}
			return n == 1
		}), true},
		{"one finding fails for a while", hub(func(n int, w http.ResponseWriter, body []byte, handle func(http.ResponseWriter)) bool {
			if n <= 2 {
				failFirst(w, body, handle, "InternalError")
			}
			return n <= 2
		}), true},
		{"hub is off at first", hub(func(n int, w http.ResponseWriter, _ []byte, _ func(http.ResponseWriter)) bool {
			if n == 1 {
				refuse(w, 401, "InvalidAccessException", "Account 111122223333 is not subscribed to AWS Security Hub")
			}
			return n == 1
		}), false},
		{"DescribeInstances is throttled", aws("DescribeInstances", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(503)
			fmt.Fprint(w, `<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors><RequestID>r</RequestID></Response>`)
			return true
		}), true},
		{"DescribeInstances hangs", aws("DescribeInstances", hang), true},
		{"DescribeInstances answers half a document", aws("DescribeInstances", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, `<DescribeInstancesResponse><reservationSet><item>`)
			return true
		}), true},
		{"DescribeTasks is denied", aws("DescribeTasks", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, `{"__type":"AccessDeniedException","message":"no"}`, 400)
			return true
		}), true},
		{"DescribeTasks hangs", aws("DescribeTasks", hang), true},
		{"DescribeTasks fails with 500", aws("DescribeTasks", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, `{"__type":"ServerException"}`, 500)
			return true
		}), true},
		{"quarantine is throttled", aws("SendMessageBatch", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				http.Error(w, `{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow"}`, 400)
			}
			return n == 1
		}), true},
		{"quarantine is away", aws("SendMessageBatch", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				http.Error(w, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}`, 400)
			}
			return n == 1
		}), false},
		{"quarantine takes one of two", func(d *deployed) { d.aws.refuse = 1 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := deploy(t, "EYRIE_ENRICH_TIMEOUT=300ms")
			c.fault(d)
			var a answer
			for attempt := range 3 {
				a = d.invoke(payload, time.Minute)
				if attempt == 0 && a.failed == c.first {
					t.Errorf("first invocation failed: %v, want %v: %s", a.failed, !c.first, a.body)
				}
				if !a.failed {
					break
				}
			}
			if a.failed || a.gone {
				t.Fatalf("all invocations failed: %s", a.body)
			}
			if diff := cmp.Diff(want, essence(t, d.hub.findings(t))); diff != "" {
				t.Errorf("findings (-without fault +with):\n%s", diff)
			}
			if diff := cmp.Diff(wantRecords, d.records(t)); diff != "" {
				t.Errorf("quarantine (-without fault +with):\n%s", diff)
			}
			if got := len(d.aws.messages("/quarantine")); got != len(wantRecords) {
				t.Errorf("%d messages in quarantine, want %d", got, len(wantRecords))
			}
		})
	}
}

// failFirst lets the hub take all findings of the request but the first, of which it says that it failed.
func failFirst(w http.ResponseWriter, body []byte, _ func(http.ResponseWriter), code string) {
	var in struct{ Findings []struct{ Id string } }
	_ = json.Unmarshal(body, &in)
	// Nothing is imported: what is said to have succeeded must be so for the test's sums, so all fail.
	var failed []map[string]string
	for _, f := range in.Findings {
		failed = append(failed, map[string]string{"Id": f.Id, "ErrorCode": code, "ErrorMessage": "no"})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"FailedCount": len(failed), "SuccessCount": 0, "FailedFindings": failed})
}

// TestTimeout: the function's time ends while the hub does not answer, once in good order and once by force. The retry of
// the event makes the findings that the event makes without it.
func TestTimeout(t *testing.T) {
	payload := manyFindings(350)
	plain := deploy(t)
	plain.must(payload)
	want := essence(t, plain.hub.findings(t))
	if len(want) != 350 {
		t.Fatalf("without a time-out: %d findings, want 350", len(want))
	}
	for _, c := range []struct {
		name string
		kill bool
	}{{"the function gives up", false}, {"the process is killed", true}} {
		t.Run(c.name, func(t *testing.T) {
			d := deploy(t)
			hanging := make(chan struct{}, 100)
			release := make(chan struct{})
			d.hub.fault = func(n int, w http.ResponseWriter, _ []byte, handle func(http.ResponseWriter)) bool {
				if n == 1 || n > 4 {
					return false // the first chunk is taken, and all of the retry
				}
				hanging <- struct{}{}
				<-release
				return true
			}
			if c.kill {
				go func() { <-hanging; <-hanging; _ = d.cmd.Process.Kill() }()
			}
			a := d.invoke(payload, 3*time.Second)
			if a.gone != c.kill || !a.gone && !a.failed {
				t.Fatalf("answer %+v", a)
			}
			if !c.kill && !strings.Contains(string(a.body), "of 350 findings were not delivered") {
				t.Errorf("error does not say what is left: %s", a.body)
			}
			close(release)
			if c.kill {
				d.function = start(t, d.env()...)
			}
			d.hub.mu.Lock()
			d.hub.imports = 100
			d.hub.mu.Unlock()
			d.must(payload)
			if diff := cmp.Diff(want, essence(t, d.hub.findings(t))); diff != "" {
				t.Errorf("findings (-without time-out +with):\n%s", diff)
			}
		})
	}
}

// manyFindings is a batch in which every alert is a finding of its own.
func manyFindings(n int) []byte {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = alert(i, i)
	}
	return subscription("s", messages...)
}

// TestSizes: batches of 1,000 and 10,000 events, and alerts with an output text of 1 MB.
func TestSizes(t *testing.T) {
	d := deploy(t)
	for _, n := range []int{1_000, 10_000} {
		before := occurrences(t, d.hub.findings(t))
		messages := make([]string, n)
		for i := range messages {
			messages[i] = alert(n*10+i, i%200)
		}
		d.must(subscription("s", messages...))
		if got := occurrences(t, d.hub.findings(t)) - before; got != n {
			t.Errorf("batch of %d events: %d occurrences", n, got)
		}
	}
	huge := strings.Replace(alert(200_000, 3), "Sensitive file opened", "Sensitive file opened "+strings.Repeat("x\\u001b ", 1<<17), 1)
	huge = strings.Replace(huge, `"user.name":"root"`, `"user.name":"root","proc.cmdline":"`+strings.Repeat("A", 1<<20)+`"`, 1)
	before := occurrences(t, d.hub.findings(t))
	d.must(subscription("s", huge, alert(200_001, 4)))
	if got := occurrences(t, d.hub.findings(t)) - before; got != 2 {
		t.Errorf("%d of 2 alerts arrived, one of them with 2 MB of text", got)
	}
	if n := len(d.records(t)); n != 0 {
		t.Errorf("%d records in quarantine", n)
	}
}

// TestFailedFindings: what Security Hub refuses for good goes to quarantine and can be replayed when it no longer does.
func TestFailedFindings(t *testing.T) {
	d := deploy(t)
	refusing := true
	d.hub.fault = func(_ int, w http.ResponseWriter, body []byte, handle func(http.ResponseWriter)) bool {
		if !refusing {
			return false
		}
		failFirst(w, body, handle, "InvalidInput")
		return true
	}
	d.must(subscription("s", alert(1, 1), alert(2, 2), badLine))
	records := d.records(t)
	kinds := map[string]int{}
	for _, r := range records {
		kinds[r.Kind+" "+r.Reason]++
	}
	if diff := cmp.Diff(map[string]int{"finding InvalidInput": 2, "log not_json": 1}, kinds); diff != "" {
		t.Fatalf("quarantine (-want +got):\n%s", diff)
	}
	refusing = false
	var got replayed
	if err := json.Unmarshal(d.must([]byte(`{"task":"replay"}`)), &got); err != nil || got != (replayed{2, 1}) {
		t.Errorf("replay: %+v, %v, want 2 replayed and 1 left", got, err)
	}
	if findings := d.hub.findings(t); len(findings) != 2 {
		t.Errorf("%d findings after the replay, want 2", len(findings))
	}
	d.aws.expire()
	if records := d.records(t); len(records) != 1 {
		t.Errorf("%d records in quarantine after the replay, want 1", len(records))
	}
}

// TestPoisonedRequest: an endpoint that calls a whole request invalid for one finding in it. The finding is isolated.
func TestPoisonedRequest(t *testing.T) {
	d := deploy(t)
	d.hub.fault = func(_ int, w http.ResponseWriter, body []byte, _ func(http.ResponseWriter)) bool {
		if !strings.Contains(string(body), `/etc/shadow.d/7/x`) {
			return false
		}
		refuse(w, 400, "InvalidInputException", "Invalid parameter 'Findings'. data must be one of")
		return true
	}
	d.must(manyFindings(100))
	if got := len(d.hub.findings(t)); got != 99 {
		t.Errorf("%d findings, want 99", got)
	}
	records := d.records(t)
	for _, r := range records {
		if r.Kind != quarantine.KindFinding || r.Reason != "InvalidInput" || !strings.Contains(string(r.Original), "/etc/shadow.d/7/x") {
			t.Errorf("in quarantine: %s %s %.100s", r.Kind, r.Reason, r.Original)
		}
	}
	if len(records) != 1 {
		t.Errorf("%d records in quarantine, want 1", len(records))
	}
}

// TestShapes: every source's event, with its answer.
func TestShapes(t *testing.T) {
	doc := []byte(`{"messageType":"DATA_MESSAGE","owner":"444455556666","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1,"message":` + quoted(eksMessage(alert(3, 3))) + `}]}`)
	plain := base64.StdEncoding.EncodeToString([]byte(alert(4, 4) + "\n" + alert(5, 5) + "\n"))
	for _, c := range []struct {
		name, payload, answer string
		findings, records     int
	}{
		{"control message", string(wrapLogs([]byte(`{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}`))), "null", 0, 0},
		{"kinesis", `{"Records":[{"kinesis":{"partitionKey":"p","data":"` + zipped(doc) + `"},"eventID":"shard:1","eventSource":"aws:kinesis"},{"kinesis":{"data":"` + plain + `"}},{"kinesis":{"data":"%%%"}}]}`, `{"batchItemFailures":[]}`, 3, 1},
		{"firehose", `{"invocationId":"i","records":[{"recordId":"r1","data":"` + plain + `","approximateArrivalTimestamp":1795227946697}]}`, `{"records":[{"recordId":"r1","result":"Ok","data":"` + plain + `"}]}`, 2, 0},
		{"sqs", `{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":` + quoted(alert(6, 6)) + `}]}`, `{"batchItemFailures":[]}`, 1, 0},
		{"nobody's", `{"hello":"world"}`, "null", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := deploy(t)
			if got := string(d.must([]byte(c.payload))); got != c.answer {
				t.Errorf("answer %s, want %s", got, c.answer)
			}
			if got := len(d.hub.findings(t)); got != c.findings {
				t.Errorf("%d findings, want %d", got, c.findings)
			}
			if got := len(d.records(t)); got != c.records {
				t.Errorf("%d records in quarantine, want %d", got, c.records)
			}
		})
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// TestMaintain: a person resolves a finding; maintenance archives it; a new occurrence brings it back as NEW.
func TestMaintain(t *testing.T) {
	d := deploy(t, "EYRIE_HEARTBEAT=true", "EYRIE_ARCHIVE_AFTER=0")
	d.must(subscription("s", alert(1, 1), alert(2, 2)))
	var ids []types.AwsSecurityFindingIdentifier
	for _, f := range d.hub.findings(t) {
		if strings.Contains(*f.Description, "shadow.d/1/") {
			ids = append(ids, types.AwsSecurityFindingIdentifier{Id: f.Id, ProductArn: f.ProductArn})
		}
	}
	if _, err := d.hub.client().BatchUpdateFindings(t.Context(), &securityhub.BatchUpdateFindingsInput{FindingIdentifiers: ids,
		Workflow: &types.WorkflowUpdate{Status: types.WorkflowStatusResolved}, Note: &types.NoteUpdate{Text: aws.String("fixed"), UpdatedBy: aws.String("ann")}}); err != nil {
		t.Fatal(err)
	}
	if got := string(d.must([]byte(`{"task":"maintain"}`))); got != `{"archived":1,"more":false,"heartbeat":true}` {
		t.Errorf("maintain: %s", got)
	}
	f := d.hub.findings(t)[*ids[0].Id]
	if f.RecordState != types.RecordStateArchived || f.Workflow.Status != types.WorkflowStatusResolved || f.Note == nil || *f.Note.Text != "fixed" || f.ProductFields["eyrie/occurrences"] != "1" {
		t.Errorf("archived: %s %s %+v %v", f.RecordState, f.Workflow.Status, f.Note, f.ProductFields)
	}
	d.must(subscription("s", alert(5_000_000, 1)))
	f = d.hub.findings(t)[*ids[0].Id]
	if f.RecordState != types.RecordStateActive || f.Workflow.Status != types.WorkflowStatusNew || f.Note == nil || f.ProductFields["eyrie/occurrences"] != "2" {
		t.Errorf("after a new occurrence: %s %s %v", f.RecordState, f.Workflow.Status, f.ProductFields)
	}
	if len(d.hub.findings(t)) != 3 {
		t.Errorf("%d findings, want two and the heartbeat", len(d.hub.findings(t)))
	}
	// All are from days long past (by the alerts' time), but for the heartbeat, which is not of Falco's.
	d.kill()
	d.function = start(t, d.env("EYRIE_ARCHIVE_AFTER=1s")...)
	if got := string(d.must([]byte(`{"task":"maintain"}`))); got != `{"archived":2,"more":false,"heartbeat":false}` {
		t.Errorf("maintain: %s", got)
	}
}

// TestGone: instances and tasks that AWS has forgotten are asked for once, and their findings go out as they are.
func TestGone(t *testing.T) {
	d := deploy(t)
	for i := range 3 {
		instance := strings.Replace(eksMessage(alert(3*i, 1)), "i-0123456789abcdef0", "i-0000000000000dead", 1)
		d.must(subscription("s", instance, ecsMessage(alert(3*i+1, 2), "dead-task")))
	}
	for id, n := range d.aws.asked {
		if n != 1 {
			t.Errorf("asked for %s %d times, want once", id, n)
		}
	}
	findings := d.hub.findings(t)
	if len(d.aws.asked) != 2 || len(findings) != 2 || occurrences(t, findings) != 6 {
		t.Errorf("asked for %v; %d findings of %d alerts, want 2 of 6", d.aws.asked, len(findings), occurrences(t, findings))
	}
}

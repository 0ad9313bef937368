package deploy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/collect/cwlogs"
	"github.com/eyrie-sec/eyrie/collect/ship"
	"github.com/eyrie-sec/eyrie/collect/ship/cloudwatch"
	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/falco"
)

// messages is a CloudWatch Logs that only takes note.
type messages []string

func (m *messages) PutLogEvents(_ context.Context, in *logs.PutLogEventsInput, _ ...func(*logs.Options)) (*logs.PutLogEventsOutput, error) {
	for _, e := range in.LogEvents {
		*m = append(*m, *e.Message)
	}
	return &logs.PutLogEventsOutput{}, nil
}

func (m *messages) CreateLogStream(context.Context, *logs.CreateLogStreamInput, ...func(*logs.Options)) (*logs.CreateLogStreamOutput, error) {
	return &logs.CreateLogStreamOutput{}, nil
}

// byAgent is the message that eyrie agent makes of an alert.
func byAgent(t *testing.T, alert []byte) string {
	t.Helper()
	var got messages
	d, err := cloudwatch.New(cloudwatch.Config{Group: "/eyrie/falco", Stream: "n", Cluster: "eyrie-demo", API: &got, Shelf: cloudwatch.NewShelf(t.TempDir()),
		Instance: func(context.Context) (cloudwatch.Instance, error) {
			return cloudwatch.Instance{ID: "i-0123456789abcdef0", Zone: "eu-central-1b"}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if out := d.Deliver(t.Context(), [][]byte{alert}); out.Kind != ship.Delivered || len(got) != 1 {
		t.Fatalf("%d messages, %v", len(got), out.Err)
	}
	return got[0]
}

// byFluentBit is the message that fluent-bit.conf makes of an alert, filter by filter: what record_modifier adds, the merged
// alert (Fluent Bit writes floats and escapes its own way, here encoding/json does), and what the kubernetes and aws
// filters add.
func byFluentBit(t *testing.T, alert []byte) string {
	t.Helper()
	record := map[string]any{"cluster": "eyrie-demo"}
	d := json.NewDecoder(bytes.NewReader(alert))
	d.UseNumber()
	var merged map[string]any
	if err := d.Decode(&merged); err != nil {
		t.Fatal(err)
	}
	maps.Copy(record, merged)
	record["kubernetes"] = map[string]any{"pod_name": "falco-7xk2p", "namespace_name": "falco", "pod_id": "u-1",
		"host": "ip-10-0-1-23.eu-central-1.compute.internal", "container_name": "falco", "docker_id": "0123abcd", "container_image": "docker.io/falcosecurity/falco:0.44.1"}
	record["az"], record["ec2_instance_id"] = "eu-central-1b", "i-0123456789abcdef0"
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// finding is what eyrie-lambda makes of a message of the log group.
func finding(t *testing.T, message string) *asff.Finding {
	t.Helper()
	body, err := json.Marshal(map[string]any{"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/eyrie/falco", "logStream": "n",
		"subscriptionFilters": []string{"f"}, "logEvents": []any{map[string]any{"id": "1", "timestamp": 1795256130123, "message": message}}})
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	event, err := cwlogs.Decode([]byte(`{"awslogs":{"data":"` + base64.StdEncoding.EncodeToString(zipped.Bytes()) + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	result := cwlogs.Read(event.Messages)
	if len(result.Alerts) != 1 || len(result.Bad) != 0 {
		t.Fatalf("%d alerts, %d bad in %s", len(result.Alerts), len(result.Bad), message)
	}
	c, err := convert.New(convert.Config{EKSClusters: []string{"eyrie-*"}})
	if err != nil {
		t.Fatal(err)
	}
	return c.Convert(result.Alerts[0].Alert, falco.Origin{Account: "111122223333", Region: "eu-central-1"})
}

// TestShippersAgree: an alert becomes the same finding whichever way it comes, with cluster and instance.
func TestShippersAgree(t *testing.T) {
	alert := bytes.TrimSpace(read(t, "example/alert.json"))
	agent, fluent := finding(t, byAgent(t, alert)), finding(t, byFluentBit(t, alert))
	if diff := cmp.Diff(agent, fluent); diff != "" {
		t.Errorf("the finding by the agent and by Fluent Bit (-agent +Fluent Bit):\n%s", diff)
	}
	var types []string
	for _, r := range agent.Resources {
		types = append(types, r.Type)
	}
	for _, want := range []string{"Container", "AwsEksCluster", "AwsEc2Instance"} {
		if !slices.Contains(types, want) {
			t.Errorf("resources %q, want %s among them", types, want)
		}
	}
	if got := agent.ProductFields["eyrie/cluster"]; got != "eyrie-demo" {
		t.Errorf("cluster %q", got)
	}
}

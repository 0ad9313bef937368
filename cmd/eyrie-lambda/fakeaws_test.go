package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/access/sigv4"
)

// fakeAWS answers the methods of EC2, ECS and SQS that the function uses. fault, if set, is asked first with the method and
// how often it was called; it may answer itself and return true.
type fakeAWS struct {
	server *httptest.Server
	fault  func(method string, n int, w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex // guards all below
	calls   map[string]int
	asked   map[string]int      // instances and tasks, by id
	queues  map[string][]string // messages, by the queue's path
	pending map[string]string   // received messages, by receipt handle
	refuse  int                 // entries of the next SendMessageBatch that are refused
}

func newFakeAWS(t testing.TB) *fakeAWS {
	t.Helper()
	f := &fakeAWS{calls: map[string]int{}, asked: map[string]int{}, queues: map[string][]string{}, pending: map[string]string{}}
	f.server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.server.CloseClientConnections()
		f.server.Close()
	})
	return f
}

func (f *fakeAWS) env() []string {
	return []string{"AWS_ENDPOINT_URL_EC2=" + f.server.URL, "AWS_ENDPOINT_URL_ECS=" + f.server.URL, "AWS_ENDPOINT_URL_SQS=" + f.server.URL,
		"EYRIE_QUARANTINE_QUEUE_URL=" + f.server.URL + "/quarantine", "EYRIE_DEAD_LETTER_QUEUE_URL=" + f.server.URL + "/dead"}
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	method := r.Header.Get("X-Amz-Target")
	_, method, _ = strings.Cut(method, ".")
	form := url.Values{}
	service := map[string]string{"DescribeTasks": "ecs"}[method]
	if method == "" {
		form, _ = url.ParseQuery(string(body))
		method, service = form.Get("Action"), "ec2"
	} else if service == "" {
		service = "sqs"
	}
	if err := verify(r, body, service); err != nil {
		http.Error(w, `{"__type":"InvalidSignatureException","message":"`+err.Error()+`"}`, http.StatusForbidden)
		return
	}
	f.mu.Lock()
	f.calls[method]++
	n := f.calls[method]
	f.mu.Unlock()
	if f.fault != nil && f.fault(method, n, w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch method {
	case "DescribeInstances":
		f.describeInstances(w, form)
	case "DescribeTasks":
		f.describeTasks(w, body)
	case "SendMessageBatch":
		f.send(w, body)
	case "ReceiveMessage":
		f.receive(w, body)
	case "DeleteMessageBatch":
		f.delete(w, body)
	default:
		http.Error(w, `{"__type":"UnknownOperationException"}`, http.StatusBadRequest)
	}
}

func verify(r *http.Request, body []byte, service string) error {
	v := sigv4.New(sigv4.Config{Region: testRegion, Service: service, Now: time.Now,
		Secret: func(id string) (string, string, bool) { return testSecret, "test", id == testKey }})
	claim, err := v.Begin(r)
	if err != nil {
		return err
	}
	_, err = claim.Verify(body)
	return err
}

// describeInstances knows every instance but those with "dead" in the id, and answers in pages of two.
func (f *fakeAWS) describeInstances(w http.ResponseWriter, form url.Values) {
	var ids []string
	for name, values := range form {
		if strings.HasPrefix(name, "Filter.1.Value.") {
			ids = append(ids, values...)
		}
	}
	slices.Sort(ids)
	if form.Get("NextToken") == "" {
		for _, id := range ids {
			f.asked[id]++
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return strings.Contains(id, "dead") })
	page := 0
	_, _ = fmt.Sscan(form.Get("NextToken"), &page)
	fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>`)
	for _, id := range ids[min(len(ids), 2*page):min(len(ids), 2*page+2)] {
		fmt.Fprintf(w, `<item><instancesSet><item><instanceId>%s</instanceId><imageId>ami-0abc</imageId><instanceType>m7g.large</instanceType>
<keyName>ops</keyName><launchTime>2026-11-20T10:11:12.000Z</launchTime><vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId>
<privateIpAddress>10.0.1.17</privateIpAddress><ipAddress>198.51.100.7</ipAddress>
<iamInstanceProfile><arn>arn:aws:iam::111122223333:instance-profile/node</arn><id>AIPA1</id></iamInstanceProfile>
<networkInterfaceSet><item><privateIpAddressesSet><item><privateIpAddress>10.0.1.17</privateIpAddress></item><item><privateIpAddress>10.0.1.18</privateIpAddress></item></privateIpAddressesSet>
<ipv6AddressesSet><item><ipv6Address>2001:db8::17</ipv6Address></item></ipv6AddressesSet></item></networkInterfaceSet>
<tagSet><item><key>Name</key><value>node &amp; more</value></item><item><key>kubernetes.io/cluster/prod</key><value>owned</value></item></tagSet></item></instancesSet></item>`, id)
	}
	fmt.Fprint(w, `</reservationSet>`)
	if 2*page+2 < len(ids) {
		fmt.Fprintf(w, `<nextToken>%d</nextToken>`, page+1)
	}
	fmt.Fprint(w, `</DescribeInstancesResponse>`)
}

// describeTasks knows every task but those with "dead" in the ARN.
func (f *fakeAWS) describeTasks(w http.ResponseWriter, body []byte) {
	var in struct {
		Cluster string   `json:"cluster"`
		Tasks   []string `json:"tasks"`
	}
	_ = json.Unmarshal(body, &in)
	type object = map[string]any
	tasks, failures := []object{}, []object{}
	for _, arn := range in.Tasks {
		f.asked[arn]++
		if strings.Contains(arn, "dead") {
			failures = append(failures, object{"arn": arn, "reason": "MISSING"})
			continue
		}
		tasks = append(tasks, object{"taskArn": arn, "clusterArn": "arn:aws:ecs:eu-central-1:111122223333:cluster/shop", "group": "service:payments",
			"taskDefinitionArn": "arn:aws:ecs:eu-central-1:111122223333:task-definition/payments:7", "version": 3, "createdAt": 1795220000.5,
			"startedAt": 1795220010, "startedBy": "ecs-svc/123", "launchType": "FARGATE", "lastStatus": "RUNNING",
			"containers": []object{
				{"name": "payments-api", "image": "registry.example.com/shop/payments-api:1.4.2", "imageDigest": "sha256:aaaa", "runtimeId": "ee5e154fac58aaaa"},
				{"name": "falco", "image": "falcosecurity/falco:0.44.0", "imageDigest": "sha256:bbbb", "runtimeId": "0123456789ab"}},
			"tags": []object{{"key": "team", "value": "shop"}}})
	}
	_ = json.NewEncoder(w).Encode(object{"tasks": tasks, "failures": failures})
}

func queueOf(raw string) string {
	u, _ := url.Parse(raw)
	return u.Path
}

func (f *fakeAWS) send(w http.ResponseWriter, body []byte) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []struct {
			ID   string `json:"Id"`
			Body string `json:"MessageBody"`
		}
	}
	_ = json.Unmarshal(body, &in)
	total := 0
	for _, e := range in.Entries {
		total += len(e.Body)
	}
	if total > 256<<10 || len(in.Entries) > 10 {
		http.Error(w, `{"__type":"com.amazonaws.sqs#BatchRequestTooLong","message":"too long"}`, http.StatusBadRequest)
		return
	}
	type object = map[string]any
	good, bad := []object{}, []object{}
	for _, e := range in.Entries {
		if f.refuse > 0 {
			f.refuse--
			bad = append(bad, object{"Id": e.ID, "Code": "InternalError", "Message": "try again", "SenderFault": false})
			continue
		}
		sum := md5.Sum([]byte(e.Body))
		f.queues[queueOf(in.QueueURL)] = append(f.queues[queueOf(in.QueueURL)], e.Body)
		good = append(good, object{"Id": e.ID, "MessageId": fmt.Sprint(len(f.queues)), "MD5OfMessageBody": hex.EncodeToString(sum[:])})
	}
	_ = json.NewEncoder(w).Encode(object{"Successful": good, "Failed": bad})
}

func (f *fakeAWS) receive(w http.ResponseWriter, body []byte) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
	}
	_ = json.Unmarshal(body, &in)
	path := queueOf(in.QueueURL)
	n := min(10, len(f.queues[path]))
	type object = map[string]any
	messages := []object{}
	for i, text := range f.queues[path][:n] {
		handle := fmt.Sprintf("%s#%d#%d", path, len(f.pending), i)
		f.pending[handle] = text
		sum := md5.Sum([]byte(text))
		messages = append(messages, object{"MessageId": handle, "ReceiptHandle": handle, "Body": text, "MD5OfBody": hex.EncodeToString(sum[:])})
	}
	f.queues[path] = slices.Clone(f.queues[path][n:])
	_ = json.NewEncoder(w).Encode(object{"Messages": messages})
}

func (f *fakeAWS) delete(w http.ResponseWriter, body []byte) {
	var in struct {
		Entries []struct {
			ID     string `json:"Id"`
			Handle string `json:"ReceiptHandle"`
		}
	}
	_ = json.Unmarshal(body, &in)
	type object = map[string]any
	good := []object{}
	for _, e := range in.Entries {
		delete(f.pending, e.Handle)
		good = append(good, object{"Id": e.ID})
	}
	_ = json.NewEncoder(w).Encode(object{"Successful": good, "Failed": []object{}})
}

// expire brings received messages back, as when their visibility time-out ends.
func (f *fakeAWS) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, handle := range slices.Sorted(maps.Keys(f.pending)) {
		path, _, _ := strings.Cut(handle, "#")
		f.queues[path] = append(f.queues[path], f.pending[handle])
	}
	clear(f.pending)
}

func (f *fakeAWS) messages(path string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.queues[path])
}

func (f *fakeAWS) called(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

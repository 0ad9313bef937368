package enrich

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
)

const account = "111122223333"

func instanceFinding(id string) *asff.Finding {
	return &asff.Finding{ID: "f", AwsAccountID: account, Resources: []asff.Resource{
		{Type: "Container", ID: "container/x/y", Partition: "aws", Region: "eu-central-1"},
		{Type: "AwsEc2Instance", ID: "arn:aws:ec2:eu-central-1:" + account + ":instance/" + id, Partition: "aws", Region: "eu-central-1"}}}
}

func taskFinding(arn, container, containerID string) *asff.Finding {
	return &asff.Finding{ID: "f", AwsAccountID: account, ProductFields: map[string]string{"falco/container.id": containerID}, Resources: []asff.Resource{
		{Type: "Container", ID: "container/x/y", Partition: "aws", Region: "eu-central-1", Details: &asff.ResourceDetails{Container: &asff.Container{Name: container}}},
		{Type: "AwsEcsTask", ID: arn, Partition: "aws", Region: "eu-central-1", Details: &asff.ResourceDetails{AwsEcsTask: &asff.AwsEcsTask{ClusterArn: "arn:aws:ecs:eu-central-1:111122223333:cluster/shop"}}}}}
}

// fake answers for every id that does not begin with "dead", and remembers what it was asked.
type fake struct {
	mu    sync.Mutex
	asked map[string]int
	sizes []int
	err   error
	wait  time.Duration
	deaf  bool // does not heed the context
}

func (f *fake) ask(ctx context.Context, ids []string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked == nil {
		f.asked = map[string]int{}
	}
	f.sizes = append(f.sizes, len(ids))
	var known []string
	for _, id := range ids {
		f.asked[id]++
		if !strings.Contains(id, "dead") {
			known = append(known, id)
		}
	}
	if f.wait > 0 {
		t := time.NewTimer(f.wait)
		defer t.Stop()
		done := ctx.Done()
		if f.deaf {
			done = nil
		}
		select {
		case <-t.C:
		case <-done:
			return nil, ctx.Err()
		}
	}
	return known, f.err
}

func (f *fake) Instances(ctx context.Context, ids []string) (map[string]Instance, error) {
	known, err := f.ask(ctx, ids)
	all := map[string]Instance{}
	for _, id := range known {
		all[id] = Instance{Details: asff.AwsEc2Instance{Type: "m7g.large", VpcID: "vpc-1"}, Tags: map[string]string{"Name": id, "eks:cluster-name": "prod"}}
	}
	return all, err
}

func (f *fake) Tasks(ctx context.Context, _ string, arns []string) (map[string]Task, error) {
	known, err := f.ask(ctx, arns)
	all := map[string]Task{}
	for _, arn := range known {
		all[arn] = Task{Details: asff.AwsEcsTask{ClusterArn: "arn:aws:ecs:eu-central-1:111122223333:cluster/shop", Group: "service:web", Containers: []asff.AwsEcsContainer{
			{Name: "web", Image: "shop/web:1@sha256:aa"}, {Name: "log", Image: "shop/log:1@sha256:bb"}}}, Service: "web",
			RuntimeIDs: map[string]string{"web": "aaaaaaaaaaaa11", "log": "bbbbbbbbbbbb22"}, ImageDigest: map[string]string{"web": "sha256:aa", "log": "sha256:bb"}}
	}
	return all, err
}

func TestInstance(t *testing.T) {
	f := instanceFinding("i-1")
	before := *f
	res := New(Config{Instances: &fake{}}).Enrich(t.Context(), []*asff.Finding{f})
	if res != (Result{Enriched: 1, Calls: 1}) {
		t.Errorf("got %+v", res)
	}
	if f.ID != before.ID || len(f.Resources) != 3 {
		t.Fatalf("got %d resources, want three", len(f.Resources))
	}
	want := asff.Resource{Type: "AwsEc2Instance", ID: "arn:aws:ec2:eu-central-1:111122223333:instance/i-1", Partition: "aws", Region: "eu-central-1",
		Tags: map[string]string{"Name": "i-1", "eks:cluster-name": "prod"}, Details: &asff.ResourceDetails{AwsEc2Instance: &asff.AwsEc2Instance{Type: "m7g.large", VpcID: "vpc-1"}}}
	if diff := cmp.Diff(want, f.Resources[1]); diff != "" {
		t.Errorf("instance (-want +got):\n%s", diff)
	}
	if eks := f.Resources[2]; eks.Type != "AwsEksCluster" || eks.ID != "arn:aws:eks:eu-central-1:111122223333:cluster/prod" {
		t.Errorf("cluster: %+v", eks)
	}
}

// TestTask: the container that the finding is about is told by its runtime's id, else by its name.
func TestTask(t *testing.T) {
	for _, c := range []struct{ name, container, id, image, digest string }{
		{"by id", "anything", "bbbbbbbbbbbb", "shop/log:1@sha256:bb", "sha256:bb"},
		{"by name", "web", "", "shop/web:1@sha256:aa", "sha256:aa"},
		{"by the agent's name", "ecs-shop-7-log-00112233445566778899", "cccccccccccc", "shop/log:1@sha256:bb", "sha256:bb"},
		{"not at all", "other", "cccccccccccc", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := taskFinding("arn:aws:ecs:eu-central-1:111122223333:task/shop/1", c.container, c.id)
			New(Config{Tasks: &fake{}}).Enrich(t.Context(), []*asff.Finding{f})
			containers := f.Resources[1].Details.AwsEcsTask.Containers
			if c.image == "" {
				if len(containers) != 2 {
					t.Errorf("got %+v, want both containers", containers)
				}
			} else if len(containers) != 1 || containers[0].Image != c.image {
				t.Errorf("got %+v, want the one with image %s", containers, c.image)
			}
			if got := f.Resources[0].Details.Container.ImageID; got != c.digest {
				t.Errorf("the container's image id is %q, want %q", got, c.digest)
			}
			if s := f.Resources[2]; s.Type != "AwsEcsService" || s.ID != "arn:aws:ecs:eu-central-1:111122223333:service/shop/web" {
				t.Errorf("service: %+v", s)
			}
		})
	}
}

// TestBatchesAndMemory: each id is asked for once in its time, also one that does not exist, in batches as large as AWS takes.
func TestBatchesAndMemory(t *testing.T) {
	now := time.Unix(0, 0)
	instances, tasks := &fake{}, &fake{}
	e := New(Config{Instances: instances, Tasks: tasks, TTL: time.Hour, Now: func() time.Time { return now }})
	run := func() (enriched, calls int) {
		var all []*asff.Finding
		for i := range 450 {
			id := fmt.Sprintf("i-%d", i)
			if i%10 == 0 {
				id = fmt.Sprintf("dead-%d", i)
			}
			all = append(all, instanceFinding(id), instanceFinding(id), taskFinding("arn:aws:ecs:eu-central-1:111122223333:task/shop/"+id, "web", ""))
		}
		res := e.Enrich(context.Background(), all)
		return res.Enriched, res.Calls
	}
	for range 3 {
		run()
		now = now.Add(time.Minute)
	}
	for id, n := range instances.asked {
		if n != 1 {
			t.Errorf("asked for %s %d times", id, n)
		}
	}
	if len(instances.asked) != 450 || len(tasks.asked) != 450 || len(instances.sizes) != 3 || len(tasks.sizes) != 5 {
		t.Errorf("asked for %d instances in %v and %d tasks in %v", len(instances.asked), instances.sizes, len(tasks.asked), tasks.sizes)
	}
	if enriched, calls := run(); enriched != 3*405 || calls != 0 {
		t.Errorf("warm: %d enriched by %d calls, want %d by none", enriched, calls, 3*405)
	}
	now = now.Add(time.Hour)
	if _, calls := run(); calls != 8 {
		t.Errorf("after their time: %d calls, want 8", calls)
	}
}

// TestFailures: a failed look-up is not repeated for a minute, what it did answer counts, and no finding changes.
func TestFailures(t *testing.T) {
	now := time.Unix(0, 0)
	f := &fake{err: errors.New("RequestLimitExceeded")}
	e := New(Config{Instances: f, Now: func() time.Time { return now }})
	finding := instanceFinding("dead-1")
	before := string(finding.AppendJSON(nil))
	res := e.Enrich(t.Context(), []*asff.Finding{finding, instanceFinding("i-1")})
	if res != (Result{Enriched: 1, Calls: 1, Failures: 1}) {
		t.Errorf("got %+v, want the one that was answered", res)
	}
	if got := string(finding.AppendJSON(nil)); got != before {
		t.Errorf("a finding of which nothing is known became %s", got)
	}
	e.Enrich(t.Context(), []*asff.Finding{finding})
	now = now.Add(2 * time.Minute)
	e.Enrich(t.Context(), []*asff.Finding{finding, instanceFinding("i-1")})
	if f.asked["dead-1"] != 2 || f.asked["i-1"] != 1 {
		t.Errorf("asked %v, want twice for what failed and once for what did not", f.asked)
	}
}

// TestDeadline: neither a slow service nor a client that does not heed its context holds findings back, and the late
// answer serves the next batch.
func TestDeadline(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{wait: 30 * time.Second, deaf: deaf}
			e := New(Config{Instances: f, Timeout: time.Second})
			began := time.Now()
			res := e.Enrich(context.Background(), []*asff.Finding{instanceFinding("i-1")})
			if took := time.Since(began); took != time.Second || res.Enriched != 0 {
				t.Errorf("deaf %v: took %s and %+v, want a second and nothing", deaf, took, res)
			}
			time.Sleep(time.Minute)
			if res := e.Enrich(context.Background(), []*asff.Finding{instanceFinding("i-1")}); deaf && res != (Result{Enriched: 1}) {
				t.Errorf("after the late answer: %+v", res)
			}
		})
	}
}

// TestForeignAccounts are not asked for: the role cannot see them.
func TestForeignAccounts(t *testing.T) {
	f := &fake{}
	finding := instanceFinding("i-1")
	finding.AwsAccountID = "444455556666"
	if res := New(Config{Instances: f}).Enrich(t.Context(), []*asff.Finding{finding}); res != (Result{}) || f.asked != nil {
		t.Errorf("got %+v, asked %v", res, f.asked)
	}
}

// TestHostileTags: what people write into tags stays within the format.
func TestHostileTags(t *testing.T) {
	f := instanceFinding("i-1")
	f.SchemaVersion = asff.SchemaVersion
	in := Instance{Details: asff.AwsEc2Instance{Type: "\x00" + strings.Repeat("t", 5000)}, Tags: map[string]string{"\xff": strings.Repeat("é", 9000)}}
	e := New(Config{Instances: fixed{in}})
	e.Enrich(t.Context(), []*asff.Finding{f})
	for _, value := range f.Resources[1].Tags {
		if len(value) > 4*2048 {
			t.Errorf("a tag of %d bytes", len(value))
		}
	}
	if d := f.Resources[1].Details.AwsEc2Instance; strings.ContainsRune(d.Type, 0) || len(d.Type) > 4*2048 {
		t.Errorf("a type of %d bytes, or with a control character", len(d.Type))
	}
}

type fixed struct{ in Instance }

func (f fixed) Instances(_ context.Context, ids []string) (map[string]Instance, error) {
	return map[string]Instance{ids[0]: f.in}, nil
}

func TestCacheIsBounded(t *testing.T) {
	var c cache[int]
	c.ttl = time.Hour
	for i := range 5 * maxRemembered {
		c.put([]string{fmt.Sprint(i)}, map[string]int{fmt.Sprint(i): i}, false, time.Unix(0, 0))
	}
	if len(c.all) > maxRemembered {
		t.Errorf("%d entries, want at most %d", len(c.all), maxRemembered)
	}
}

func BenchmarkEnrich(b *testing.B) {
	e := New(Config{Instances: &fake{}})
	all := make([]*asff.Finding, 100)
	for b.Loop() {
		for i := range all {
			all[i] = instanceFinding("i-1")
		}
		e.Enrich(b.Context(), all)
	}
}

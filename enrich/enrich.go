// Package enrich adds to findings what AWS knows of the instances, tasks and clusters in them: what kind of instance and
// since when, in which network, with which addresses, role and tags; which task, service and container with which image;
// which EKS cluster.
//
// In come findings as package convert makes them, with the ARNs of their resources; they are changed in place. Enrichment
// only adds: Id, times, severity and everything else that tells findings apart stay as they are, and no answer, a late
// one or a wrong one leaves a finding as it was. It never fails and never takes longer than it may.
//
// Look-ups are batched and remembered, also that there is nothing: a terminated instance or a stopped task that AWS has
// forgotten is asked for once. A look-up that failed is not repeated for a minute, so that a service that is
// throttling is not asked by every batch.
package enrich

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// Instances looks up EC2 instances of the function's own account and Region. An id without an entry in the answer does not
// exist (any more). With an error the answer may still hold some.
type Instances interface {
	Instances(ctx context.Context, ids []string) (map[string]Instance, error)
}

// Tasks looks up ECS tasks of one cluster, given and answered by ARN, on the same terms. cluster is an ARN or a name.
type Tasks interface {
	Tasks(ctx context.Context, cluster string, arns []string) (map[string]Task, error)
}

// Instance is what is known of an EC2 instance.
type Instance struct {
	Details asff.AwsEc2Instance
	Tags    map[string]string
}

// Task is what is known of an ECS task.
type Task struct {
	Details     asff.AwsEcsTask // Containers are named by the task definition and have Image with its digest
	Service     string          // "" if the task is of no service
	Tags        map[string]string
	RuntimeIDs  map[string]string // of containers, by name: the id that the runtime knows them by
	ImageDigest map[string]string // of containers, by name: sha256:…
}

// The largest batches. DescribeTasks takes 100 tasks (API reference); a filter of DescribeInstances takes 200 values
// (Amazon EC2 User Guide, "Filter resources").
const (
	MaxInstances = 200
	MaxTasks     = 100
)

const (
	defaultTimeout = 2 * time.Second
	defaultTTL     = time.Hour
	failureTTL     = time.Minute
	maxRemembered  = 10_000 // of each kind
	maxCalls       = 4      // under way at once
)

// Config is what an Enricher needs. A kind of look-up that is nil is not done.
type Config struct {
	Instances Instances
	Tasks     Tasks
	Timeout   time.Duration    // of Enrich; 0 means 2 s
	TTL       time.Duration    // for which answers are remembered; 0 means an hour
	Now       func() time.Time // nil means time.Now
	Logger    *slog.Logger     // nil: nothing is logged
}

// Enricher adds to findings. It is safe for concurrent use; an id that two callers need at the same time may be asked for
// twice.
type Enricher struct {
	c         Config
	instances cache[Instance]
	tasks     cache[Task]
}

// New returns an Enricher.
func New(c Config) *Enricher {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.TTL == 0 {
		c.TTL = defaultTTL
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Enricher{c: c, instances: cache[Instance]{ttl: c.TTL}, tasks: cache[Task]{ttl: c.TTL}}
}

// Result counts what Enrich did.
type Result struct {
	Enriched int // findings to which something was added
	Calls    int
	Failures int // of them
}

// Enrich adds to findings what is known or can be learnt within the timeout and ctx.
func (e *Enricher) Enrich(ctx context.Context, findings []*asff.Finding) Result {
	ctx, cancel := context.WithTimeout(ctx, e.c.Timeout)
	defer cancel()
	subjects := make([]subject, len(findings))
	instances, tasks := map[string]bool{}, map[string]map[string]bool{}
	for i, f := range findings {
		s := subjectOf(f)
		subjects[i] = s
		if s.instanceID != "" {
			instances[s.instanceID] = true
		}
		if s.taskARN != "" {
			if tasks[s.cluster] == nil {
				tasks[s.cluster] = map[string]bool{}
			}
			tasks[s.cluster][s.taskARN] = true
		}
	}
	res := e.learn(ctx, instances, tasks)
	now := e.c.Now()
	for i, f := range findings {
		s := &subjects[i]
		changed := false
		if instance, ok := e.instances.get(s.instanceID, now); ok {
			changed = addInstance(f, s, &instance)
		}
		if task, ok := e.tasks.get(s.taskARN, now); ok {
			changed = addTask(f, s, &task) || changed
		}
		if changed {
			f.Clamp() // tags and names are anybody's text
			res.Enriched++
		}
	}
	return res
}

// learn asks for what is not remembered, all batches at once as far as there are slots.
func (e *Enricher) learn(ctx context.Context, instances map[string]bool, tasks map[string]map[string]bool) Result {
	var (
		res   Result
		mu    sync.Mutex // guards res
		wg    sync.WaitGroup
		slots = make(chan struct{}, maxCalls)
	)
	ask := func(what string, call func() error) {
		wg.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				return
			}
			err := call()
			mu.Lock()
			defer mu.Unlock()
			res.Calls++
			if err != nil {
				res.Failures++
				e.c.Logger.Warn("look-up failed; findings go out without it", "of", what, "error", err)
			}
		})
	}
	now := e.c.Now()
	if e.c.Instances != nil {
		for ids := range slices.Chunk(e.instances.unknown(instances, now), MaxInstances) {
			ask("instances", func() error {
				answer, err := e.c.Instances.Instances(ctx, ids)
				e.instances.put(ids, answer, err != nil, e.c.Now())
				return err
			})
		}
	}
	if e.c.Tasks != nil {
		for _, cluster := range slices.Sorted(maps.Keys(tasks)) {
			for arns := range slices.Chunk(e.tasks.unknown(tasks[cluster], now), MaxTasks) {
				ask("tasks", func() error {
					answer, err := e.c.Tasks.Tasks(ctx, cluster, arns)
					e.tasks.put(arns, answer, err != nil, e.c.Now())
					return err
				})
			}
		}
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done(): // a call that does not heed ctx must not hold findings back; its answer serves the next batch
	}
	mu.Lock()
	defer mu.Unlock()
	return res
}

// subject is what a finding can be enriched by.
type subject struct {
	instance, task, container int // indexes of resources, -1 if there is none
	instanceID, taskARN       string
	cluster                   string // of the task: ARN or name
}

func subjectOf(f *asff.Finding) subject {
	s := subject{instance: -1, task: -1, container: -1}
	for i := range f.Resources {
		r := &f.Resources[i]
		switch r.Type {
		case "AwsEc2Instance":
			if _, id, ok := strings.Cut(r.ID, ":instance/"); ok && s.instance < 0 && accountOf(r.ID) == f.AwsAccountID {
				s.instance, s.instanceID = i, id
			}
		case "AwsEcsTask":
			if s.task < 0 && accountOf(r.ID) == f.AwsAccountID {
				s.task, s.taskARN, s.cluster = i, r.ID, clusterOf(r)
			}
		case "Container":
			if s.container < 0 {
				s.container = i
			}
		}
	}
	return s
}

// clusterOf is the cluster of a task: what the alert said, else what its ARN says (arn:…:task/CLUSTER/ID), else "default".
func clusterOf(r *asff.Resource) string {
	if r.Details != nil && r.Details.AwsEcsTask != nil && r.Details.AwsEcsTask.ClusterArn != "" {
		return r.Details.AwsEcsTask.ClusterArn
	}
	if parts := strings.Split(r.ID, "/"); len(parts) == 3 {
		return parts[1]
	}
	return "default"
}

// accountOf is the account in an ARN, "" if it is none.
func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

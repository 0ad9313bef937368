package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/collect/cwlogs"
	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/enrich"
	"github.com/eyrie-sec/eyrie/falco"
	spec "github.com/eyrie-sec/eyrie/internal/lambdaspec"
	"github.com/eyrie-sec/eyrie/publish"
	"github.com/eyrie-sec/eyrie/publish/archive"
	"github.com/eyrie-sec/eyrie/publish/quarantine"
)

// reserve is kept of an invocation's time to say what was left undone.
const reserve = 2 * time.Second

// handler answers invocations. It is safe for concurrent use.
type handler struct {
	config
	region  string
	version string
	log     *slog.Logger
	out     io.Writer // of metrics
	now     func() time.Time

	converter   *convert.Converter
	enricher    *enrich.Enricher
	publisher   *publish.Publisher
	finder      archive.Finder
	quarantine  *quarantine.Queue
	deadLetters *quarantine.Queue // nil if there is none
}

// Invoke answers one invocation. An error makes Lambda retry the event.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		left := deadline.Sub(h.now())
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(left-reserve, left/2))
		defer cancel()
	}
	m := newMetrics(h.namespace, h.out)
	answer, err := h.answer(ctx, payload, m)
	failed := 0
	if err != nil {
		failed = 1
		h.log.Error("invocation failed; Lambda retries the event", "error", err)
	}
	m.add(spec.MetricFailures, failed)
	m.write(h.now())
	return answer, err
}

func (h *handler) answer(ctx context.Context, payload []byte, m *metrics) ([]byte, error) {
	if task := taskOf(payload); task != "" {
		return h.task(ctx, task, m)
	}
	event, err := cwlogs.Decode(payload)
	if err != nil {
		return []byte("null"), h.keep(ctx, []quarantine.Record{{Kind: quarantine.KindEvent, Reason: "unknown_event", Detail: err.Error(), Original: payload}}, m)
	}
	if err := h.process(ctx, event, m); err != nil {
		return nil, err
	}
	return response(event)
}

// response is what the event's source wants to hear.
func response(event *cwlogs.Event) ([]byte, error) {
	switch event.Shape {
	case cwlogs.Kinesis, cwlogs.SQS:
		return []byte(`{"batchItemFailures":[]}`), nil
	case cwlogs.Firehose:
		type record struct {
			ID     string `json:"recordId"`
			Result string `json:"result"`
			Data   string `json:"data"`
		}
		records := make([]record, len(event.Records))
		for i, r := range event.Records {
			records[i] = record{r.ID, "Ok", string(r.Data)}
		}
		return json.Marshal(map[string]any{"records": records})
	}
	return []byte("null"), nil
}

// process brings everything in event to where it belongs: findings to Security Hub, the rest to quarantine. Quarantine
// comes last, so that the retry of an event whose findings were not accepted does not put records there twice.
func (h *handler) process(ctx context.Context, event *cwlogs.Event, m *metrics) error {
	m.add(spec.MetricEvents, len(event.Messages)+len(event.Bad))
	result := cwlogs.Read(event.Messages)
	m.add(spec.MetricSkipped, result.Skipped+event.Control)
	refused, err := h.deliver(ctx, result.Alerts, m)
	if err != nil {
		return err
	}
	records := badRecords(append(event.Bad, result.Bad...))
	for _, r := range refused {
		records = append(records, quarantine.Record{Kind: quarantine.KindFinding, Reason: r.Reason, Detail: r.Detail, Original: r.Finding})
	}
	return h.keep(ctx, records, m)
}

func badRecords(bad []cwlogs.Bad) []quarantine.Record {
	records := make([]quarantine.Record, len(bad))
	for i, b := range bad {
		records[i] = quarantine.Record{Kind: quarantine.KindLog, Reason: b.Reason, Detail: b.Detail, From: quarantine.From(b.From), Original: b.Text}
	}
	return records
}

// keep puts records into quarantine.
func (h *handler) keep(ctx context.Context, records []quarantine.Record, m *metrics) error {
	if len(records) == 0 {
		return nil
	}
	if err := h.quarantine.Put(ctx, records); err != nil {
		return fmt.Errorf("%d records are in nobody's hands: %w", len(records), err)
	}
	m.add(spec.MetricQuarantined, len(records))
	reasons := map[string]int{}
	for _, r := range records {
		reasons[r.Reason]++
	}
	h.log.Warn("records went to quarantine", "count", len(records), "reasons", reasons)
	return nil
}

// deliver makes findings of alerts and publishes them. It returns what Security Hub refused for good.
func (h *handler) deliver(ctx context.Context, alerts []cwlogs.Alert, m *metrics) ([]publish.Refused, error) {
	if len(alerts) == 0 {
		return nil, nil
	}
	oldest := count(alerts, m)
	findings := h.convert(ctx, alerts, m)
	m.add(spec.MetricAlerts, len(alerts))
	m.add(spec.MetricFolded, len(alerts)-len(findings))
	looked := h.enricher.Enrich(ctx, findings)
	m.add(spec.MetricLookups, looked.Calls)
	m.add(spec.MetricLookupFails, looked.Failures)
	var refused refusals
	res, err := h.publisher.With(&refused).Publish(ctx, findings)
	m.add(spec.MetricFindings, res.Accepted)
	m.add(spec.MetricRequests, res.Requests)
	m.add(spec.MetricRetries, res.Retries)
	if err == nil {
		m.totals[spec.MetricLag] = max(0, h.now().Sub(oldest).Seconds())
	}
	h.log.Debug("published", "alerts", len(alerts), "findings", res.Findings, "accepted", res.Accepted, "requests", res.Requests)
	return refused.all, err
}

// count counts alerts by priority and rule, and returns the time of the oldest.
func count(alerts []cwlogs.Alert, m *metrics) time.Time {
	oldest := alerts[0].Time
	for i := range alerts {
		a := &alerts[i]
		m.alert(spec.DimensionPriority, a.Priority.String(), spec.OtherRules, 1)
		m.alert(spec.DimensionRule, a.Rule, spec.OtherRules, 1)
		if a.Time.Before(oldest) {
			oldest = a.Time
		}
	}
	return oldest
}

// refusals keeps what the endpoint refuses until all else is delivered.
type refusals struct {
	mu  sync.Mutex // guards all
	all []publish.Refused
}

// Put keeps refused.
func (r *refusals) Put(_ context.Context, refused []publish.Refused) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, refused...)
	return nil
}

// repeats are the alerts of one finding.
type repeats struct {
	newest int // index of the newest alert, the later one of two at the same time
	oldest time.Time
	count  int
}

// convert makes one finding of all alerts of the same, as publish.Fold would of each one's: that of the newest, with the
// beginning of the oldest and their count. Only the newest are converted in full.
func (h *handler) convert(ctx context.Context, alerts []cwlogs.Alert, m *metrics) []*asff.Finding {
	origin := falco.Origin{Account: h.accountOf(ctx), Region: h.region, Cluster: h.cluster}
	ids := make([]convert.Identified, len(alerts))
	parallel(len(alerts), func(i int) { ids[i] = h.converter.Identify(alerts[i].Alert, origin) })
	type key struct{ id, product string }
	place := make(map[key]int, len(alerts))
	var groups []repeats
	for i := range alerts {
		k, at := key{ids[i].ID, ids[i].ProductArn}, alerts[i].Time
		g, seen := place[k]
		if !seen {
			place[k] = len(groups)
			groups = append(groups, repeats{i, at, 1})
			continue
		}
		r := &groups[g]
		r.count++
		if !at.Before(alerts[r.newest].Time) {
			r.newest = i
		}
		if at.Before(r.oldest) {
			r.oldest = at
		}
	}
	findings := make([]*asff.Finding, len(groups))
	parallel(len(groups), func(g int) {
		r := &groups[g]
		a := &alerts[r.newest]
		f := h.converter.Convert(a.Alert, origin)
		if r.count > 1 {
			f.FirstObservedAt = string(falco.AppendTime(nil, r.oldest))
			f.CreatedAt = f.FirstObservedAt
			publish.SetOccurrences(f, int64(r.count))
		}
		if owner := a.From.Owner; owner != "" && owner != origin.Account {
			owned(f, owner)
		}
		findings[g] = f
	})
	for g, f := range findings {
		m.alert(spec.DimensionCluster, f.ProductFields["eyrie/cluster"], spec.UnknownCluster, groups[g].count)
	}
	return findings
}

// parallel calls do with 0 to n-1, on all processors.
func parallel(n int, do func(i int)) {
	const chunk = 64 // calls; less are not worth a goroutine
	workers := max(1, min(runtime.GOMAXPROCS(0), n/chunk))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := n * w / workers; i < n*(w+1)/workers; i++ {
				do(i)
			}
		})
	}
	wg.Wait()
}

// owned names the owner of the log group, where that is another account, in the ARNs of the finding's resources. The
// finding itself is of the function's account: Security Hub takes no others from it.
func owned(f *asff.Finding, owner string) {
	for i := range f.Resources {
		parts := strings.SplitN(f.Resources[i].ID, ":", 6)
		if len(parts) == 6 && parts[0] == "arn" && parts[4] == f.AwsAccountID {
			parts[4] = owner
			f.Resources[i].ID = strings.Join(parts, ":")
		}
	}
}

// accountOf is the account of the findings: as configured, else the one that the invoked function's ARN names.
func (h *handler) accountOf(ctx context.Context) string {
	if h.account != "" {
		return h.account
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		if parts := strings.Split(lc.InvokedFunctionArn, ":"); len(parts) > 4 {
			return parts[4]
		}
	}
	return convert.DefaultAccount
}

// taskOf is the task that payload names, "" if it is no such invocation.
func taskOf(payload []byte) string {
	const longest = 4096
	if len(payload) > longest || !strings.Contains(string(payload), `"task"`) {
		return ""
	}
	var t struct{ Task string }
	if json.Unmarshal(payload, &t) != nil {
		return ""
	}
	return t.Task
}

var errUnknownTask = errors.New("unknown task: there are " + spec.TaskMaintain + ", " + spec.TaskReplay + " and " + spec.TaskStatus)

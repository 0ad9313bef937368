package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/collect/cwlogs"
	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/falco"
	spec "github.com/eyrie-sec/eyrie/internal/lambdaspec"
	"github.com/eyrie-sec/eyrie/publish"
	"github.com/eyrie-sec/eyrie/publish/archive"
	"github.com/eyrie-sec/eyrie/publish/quarantine"
)

// task does what the function is asked for by name.
func (h *handler) task(ctx context.Context, name string, m *metrics) ([]byte, error) {
	var answer any
	var err error
	switch name {
	case spec.TaskMaintain:
		answer, err = h.maintain(ctx, m)
	case spec.TaskReplay:
		answer, err = h.replay(ctx, m)
	case spec.TaskStatus:
		answer = h.status(ctx)
	default:
		err = fmt.Errorf("%q: %w", name, errUnknownTask)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// status says what runs here and how it is configured. There are no secrets in it.
func (h *handler) status(ctx context.Context) any {
	return map[string]any{
		"version": h.version, "account": h.accountOf(ctx), "region": h.region, "cluster": h.cluster, "severity": h.severity,
		"productArn": h.product(ctx), "endpoint": h.endpoint, "quarantine": h.config.quarantine, "deadLetters": h.config.deadLetters,
		"enrichEC2": h.enrichEC2, "enrichECS": h.enrichECS, "archiveAfter": h.archiveAfter.String(), "archiveResolved": h.archiveResolved,
		"heartbeat": h.heartbeat,
	}
}

// product is the ProductArn of the findings.
func (h *handler) product(ctx context.Context) string {
	if h.productARN != "" {
		return h.productARN
	}
	account := h.accountOf(ctx)
	return "arn:" + falco.Origin{Region: h.region}.Partition() + ":securityhub:" + h.region + ":" + account + ":product/" + account + "/default"
}

type maintained struct {
	Archived  int  `json:"archived"`
	More      bool `json:"more"`
	Heartbeat bool `json:"heartbeat"`
}

// maintain publishes the heartbeat and archives what is due.
func (h *handler) maintain(ctx context.Context, m *metrics) (maintained, error) {
	var out maintained
	var beat error
	if h.heartbeat {
		var refused refusals
		_, beat = h.publisher.With(&refused).Publish(ctx, []*asff.Finding{h.beat(ctx)})
		if beat == nil && len(refused.all) > 0 {
			beat = fmt.Errorf("the heartbeat was refused: %s: %s", refused.all[0].Reason, refused.all[0].Detail)
		}
		out.Heartbeat = beat == nil
	}
	if h.archiveAfter == 0 && !h.archiveResolved {
		return out, beat
	}
	var refused refusals
	res, err := archive.Run(ctx, archive.Config{Finder: h.finder, Importer: h.publisher.With(&refused), ProductArn: h.product(ctx),
		After: h.archiveAfter, Resolved: h.archiveResolved}, h.now())
	out.Archived, out.More = res.Archived, res.More
	m.add(spec.MetricArchived, res.Archived)
	for _, r := range refused.all { // it stays active, as it was: nothing is lost
		h.log.Warn("a finding cannot be archived", "reason", r.Reason, "detail", r.Detail)
	}
	return out, errors.Join(beat, err)
}

// beat is the finding that says the function is alive. It is one finding for each function, updated every time.
func (h *handler) beat(ctx context.Context) *asff.Finding {
	at := asff.FormatTime(h.now().UTC().Truncate(time.Millisecond))
	account, partition := h.accountOf(ctx), falco.Origin{Region: h.region}.Partition()
	function := "arn:" + partition + ":lambda:" + h.region + ":" + account + ":function:" + lambdacontext.FunctionName
	zero := 0
	severity := asff.Severity{Label: "INFORMATIONAL", Normalized: &zero}
	return &asff.Finding{
		SchemaVersion: asff.SchemaVersion, ID: "eyrie/heartbeat/" + function, ProductArn: h.product(ctx),
		ProductName: convert.ProductName, CompanyName: convert.CompanyName, Region: h.region, GeneratorID: "eyrie/heartbeat", AwsAccountID: account,
		Types: []string{"Software and Configuration Checks"}, FirstObservedAt: at, LastObservedAt: at, CreatedAt: at, UpdatedAt: at,
		Severity: severity, Title: "Eyrie is alive",
		Description: "The function that turns Falco's alerts into findings ran its maintenance at LastObservedAt. If that is long ago, no alert of this Region arrives.",
		Resources:   []asff.Resource{{Type: "AwsLambdaFunction", ID: function, Partition: partition, Region: h.region}},
		RecordState: "ACTIVE", FindingProviderFields: &asff.FindingProviderFields{Severity: asff.ProviderSeverity{Label: severity.Label},
			Types: []string{"Software and Configuration Checks"}},
	}
}

// maxReceives bounds one replay: at most ten times as many messages.
const maxReceives = 200

type replayed struct {
	Replayed int `json:"replayed"`
	Left     int `json:"left"`
}

// replay processes what is in quarantine and among the dead letters again, and deletes what went well.
func (h *handler) replay(ctx context.Context, m *metrics) (replayed, error) {
	var out replayed
	for _, q := range []*quarantine.Queue{h.quarantine, h.deadLetters} {
		if q == nil {
			continue
		}
		if err := h.replayQueue(ctx, q, &out, m); err != nil {
			return out, err
		}
	}
	m.add(spec.MetricReplayed, out.Replayed)
	return out, nil
}

// group is the messages of one record.
type group struct {
	parsed   []quarantine.Message
	received []quarantine.Received
	tried    bool
}

// replayQueue takes messages until there are none that it has not seen, or time is up.
func (h *handler) replayQueue(ctx context.Context, q *quarantine.Queue, out *replayed, m *metrics) error {
	groups := map[string]*group{}
	done := 0
	for range maxReceives {
		if ctx.Err() != nil {
			break
		}
		messages, err := q.Receive(ctx)
		if err != nil {
			return err
		}
		news := 0
		for _, received := range messages {
			key, parsed, ok := received.Key()
			g := groups[key]
			if g == nil {
				g = &group{}
				groups[key] = g
			}
			if g.tried {
				continue // it came back: its visibility time-out is shorter than this run
			}
			news++
			g.received = append(g.received, received)
			if ok {
				g.parsed = append(g.parsed, parsed)
				if len(g.parsed) < parsed.Parts {
					continue
				}
			}
			if !h.again(ctx, g, m) {
				continue
			}
			if err := q.Delete(ctx, g.received); err != nil {
				return err
			}
			done++
		}
		if news == 0 {
			break
		}
	}
	out.Replayed += done
	out.Left += len(groups) - done
	return nil
}

// again processes one record and reports whether it is done with.
func (h *handler) again(ctx context.Context, g *group, m *metrics) bool {
	g.tried = true
	if len(g.parsed) == 0 { // a dead letter: an event
		return h.eventAgain(ctx, g.received[0].Body, m)
	}
	record, err := quarantine.Join(g.parsed)
	if errors.Is(err, quarantine.ErrIncomplete) {
		g.tried = false
		return false
	}
	if err != nil {
		h.log.Warn("a record of the quarantine cannot be read", "id", g.parsed[0].ID, "error", err)
		return false
	}
	switch record.Kind {
	case quarantine.KindFinding:
		doc, err := asff.ParseDocument(record.Original)
		if err != nil {
			return false
		}
		var refused refusals
		_, err = h.publisher.With(&refused).Import(ctx, []publish.Document{{ID: doc.Text("Id"), JSON: record.Original}})
		return err == nil && len(refused.all) == 0
	case quarantine.KindLog:
		return h.messagesAgain(ctx, &cwlogs.Event{Messages: []cwlogs.Message{{From: cwlogs.From(record.From), Text: record.Original}}}, m)
	}
	return h.eventAgain(ctx, record.Original, m)
}

// eventAgain processes the event of a dead letter: as Lambda puts it there, or in the record of an on-failure destination.
func (h *handler) eventAgain(ctx context.Context, payload []byte, m *metrics) bool {
	var destination struct {
		RequestPayload json.RawMessage `json:"requestPayload"`
	}
	if bytes.Contains(payload, []byte(`"requestPayload"`)) && json.Unmarshal(payload, &destination) == nil && destination.RequestPayload != nil {
		payload = destination.RequestPayload
	}
	event, err := cwlogs.Decode(payload)
	if err != nil {
		return false
	}
	// What was bad then and is still goes to quarantine now: the dead letter is done with.
	return h.process(ctx, event, m) == nil
}

// messagesAgain processes messages that are in quarantine already and must not go there again.
func (h *handler) messagesAgain(ctx context.Context, event *cwlogs.Event, m *metrics) bool {
	result := cwlogs.Read(event.Messages)
	if len(result.Bad) > 0 {
		return false
	}
	refused, err := h.deliver(ctx, result.Alerts, m)
	return err == nil && len(refused) == 0
}

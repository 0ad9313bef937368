// Package cloudwatch is ship's way into a log group of Amazon CloudWatch Logs: what Fluent Bit does on a node, done by the agent.
//
// What comes in: batches of alerts as Falco wrote them. What goes out: signed PutLogEvents requests to one log stream (one a
// node), an alert an event, in the order of time and under the service's limits. The stream is made when it is missing, the
// log group never is. To each alert are added, as members of the same object, the cluster and what the EC2 instance knows of
// itself; nothing else of it changes, and an alert that has such a member already keeps its own.
//
// What it never does: call an alert delivered before the service has accepted it; drop one. An alert that the service refuses
// for its age gets the present as the event's timestamp (its own time stays in its text, and is what the finding says). One
// that is too large for an event goes out with its longest texts shortened. One that is refused whatever is done, and the whole
// of one that was shortened, are kept in a file that a person can read (Shelf).
//
// # How it fails
//
// Throttling, errors of the service and of the network are Later. A log group that does not exist, missing rights and missing
// credentials are Refused: only a person can help. An event is sent again if its answer was lost: CloudWatch Logs stores it
// twice, and what reads the log group must know alerts by their content, as eyrie-lambda does.
package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eyrie-sec/eyrie/collect/ship"
)

// Limits of PutLogEvents (Amazon CloudWatch Logs API Reference, "PutLogEvents").
const (
	MaxEvents     = 10_000         // in one request
	MaxBytes      = 1_048_576      // in one request: the messages in UTF-8, and EventOverhead for each
	EventOverhead = 26             // bytes
	MaxMessage    = MaxBytes - 26  // bytes of one message ("no larger than 1 MB"; alone in its request)
	MaxSpan       = 24 * time.Hour // between the first and the last event of a request
	MaxAge        = 14 * 24 * time.Hour
	MaxFuture     = 2 * time.Hour
	callTimeout   = time.Minute
	relearnPause  = 5 * time.Minute // between two questions to the instance metadata service
)

// API are the two calls that are made, with the SDK's signatures.
type API interface {
	PutLogEvents(context.Context, *logs.PutLogEventsInput, ...func(*logs.Options)) (*logs.PutLogEventsOutput, error)
	CreateLogStream(context.Context, *logs.CreateLogStreamInput, ...func(*logs.Options)) (*logs.CreateLogStreamOutput, error)
}

// Actions are the IAM actions that delivery needs, on the log group's streams; deploy's policies hold exactly these.
func Actions() []string { return []string{"logs:CreateLogStream", "logs:PutLogEvents"} }

// Instance is what is added about the machine.
type Instance struct{ ID, Zone string }

// Config says where to. Group, Stream, API and Shelf are needed.
type Config struct {
	Group, Stream string
	// Region is for logs.
	Region string
	// Cluster is added to the alerts, if not empty.
	Cluster string
	API     API
	Shelf   *Shelf
	// Instance asks the instance metadata service; nil: nothing is added. It is asked until it has answered once.
	Instance func(context.Context) (Instance, error)
	Logger   *slog.Logger
	Now      func() time.Time
}

// Stats counts what a Destination did besides delivering. Safe to read at any time.
type Stats struct {
	Restamped atomic.Int64 // events whose timestamp is the time of sending, because their own is too old or in the future
	Shortened atomic.Int64 // alerts too large for an event
	Kept      atomic.Int64 // lines written to the Shelf
}

// Destination is a log stream. It implements ship.Destination; for one goroutine.
type Destination struct {
	// Stats may be read by others.
	Stats Stats
	cfg   Config
	added []member
	asked time.Time // when the instance was asked last
	known bool      // the instance has answered
	works bool      // a request was accepted: what is invalid now is invalid because of its events
}

var (
	groupName  = regexp.MustCompile(`^[A-Za-z0-9_/.#-]{1,512}$`)
	streamName = regexp.MustCompile(`^[^:*]{1,512}$`)
)

// New returns a Destination, or an error if cfg makes no sense. It does not connect.
func New(cfg Config) (*Destination, error) {
	if !groupName.MatchString(cfg.Group) {
		return nil, fmt.Errorf("log group %q: want 1 to 512 of the characters A-Z a-z 0-9 _ / . # -", cfg.Group)
	}
	if !streamName.MatchString(cfg.Stream) {
		return nil, fmt.Errorf("log stream %q: want 1 to 512 characters, none of them ':' or '*'", cfg.Stream)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &Destination{cfg: cfg, known: cfg.Instance == nil}
	d.add("cluster", cfg.Cluster)
	return d, nil
}

// Limits implements ship.Destination.
func (d *Destination) Limits() (alerts, bytes int) { return MaxEvents, MaxBytes }

// Name implements ship.Destination.
func (d *Destination) Name() string { return "CloudWatch Logs" }

// String implements ship.Destination.
func (d *Destination) String() string {
	return fmt.Sprintf("cloudwatch:%s, stream %s, Region %s", d.cfg.Group, d.cfg.Stream, d.cfg.Region)
}

// Deliver implements ship.Destination.
func (d *Destination) Deliver(ctx context.Context, alerts [][]byte) ship.Outcome {
	d.learn(ctx)
	out := ship.Outcome{Rejected: map[string]int64{}}
	all := d.events(alerts)
	for len(all) > 0 {
		n := fitting(all)
		left, err := d.put(ctx, all[:n], &out)
		if err != nil {
			out.Kind, out.Err = d.judge(err), err
			for _, e := range append(left[:len(left):len(left)], all[n:]...) {
				out.Left = append(out.Left, e.alert)
			}
			return out
		}
		all = all[n:]
	}
	return out
}

// put sends events that fit into one request, and whatever has to follow. It returns those that were neither accepted nor kept.
func (d *Destination) put(ctx context.Context, events []event, out *ship.Outcome) (left []event, err error) {
	res, err := d.call(ctx, events, out)
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		if err := d.createStream(ctx, out); err != nil {
			return events, err
		}
		res, err = d.call(ctx, events, out)
	}
	var invalid *types.InvalidParameterException
	switch {
	case errors.As(err, &invalid) && len(events) > 1:
		return d.divide(ctx, events, out)
	case errors.As(err, &invalid) && d.works:
		return d.keep(events, "invalid", invalid.ErrorMessage(), out)
	case err != nil:
		return events, err
	}
	d.works = true
	taken, refused := split(events, res.RejectedLogEventsInfo)
	out.Accepted += int64(len(taken))
	for _, e := range taken {
		if e.restamped {
			d.Stats.Restamped.Add(1)
		}
		if e.shortened {
			d.Stats.Shortened.Add(1)
			if err := d.shelve(e, "too_large", "shipped with its longest texts shortened"); err != nil {
				d.cfg.Logger.Error("the whole of an alert that was shortened cannot be kept", "error", err)
			}
		}
	}
	return d.again(ctx, refused, out)
}

// again sends events that were refused for their timestamps with the present one, once.
func (d *Destination) again(ctx context.Context, refused []event, out *ship.Outcome) (left []event, err error) {
	if len(refused) == 0 {
		return nil, nil
	}
	var stale, fresh []event
	for _, e := range refused {
		if e.restamped {
			stale = append(stale, e)
			continue
		}
		e.restamp(d.cfg.Now())
		fresh = append(fresh, e)
	}
	if left, err := d.keep(stale, "timestamp", "refused as too old or too new, though the event had the time of this host: is its clock right?", out); err != nil {
		return append(left, fresh...), err
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	return d.put(ctx, fresh, out)
}

// divide finds the event for which a request is invalid. It tries the second half even if the first is invalid to its last
// event, for that may be the mistake of one event or of the set-up, and a request that is accepted tells.
func (d *Destination) divide(ctx context.Context, events []event, out *ship.Outcome) (left []event, err error) {
	half := len(events) / 2
	left, err = d.put(ctx, events[:half], out)
	var invalid *types.InvalidParameterException
	if err != nil && !errors.As(err, &invalid) {
		return append(left[:len(left):len(left)], events[half:]...), err
	}
	more, moreErr := d.put(ctx, events[half:], out)
	return append(left[:len(left):len(left)], more...), errors.Join(err, moreErr)
}

// keep puts events that the service never takes on the shelf.
func (d *Destination) keep(events []event, reason, detail string, out *ship.Outcome) (left []event, err error) {
	for i, e := range events {
		if err := d.shelve(e, reason, detail); err != nil {
			return events[i:], err
		}
		out.Rejected[reason]++
		out.Detail = reason + ": " + detail
	}
	return nil, nil
}

func (d *Destination) shelve(e event, reason, detail string) error {
	if err := d.cfg.Shelf.put(d.cfg.Now(), reason, detail, e.alert); err != nil {
		return err
	}
	d.Stats.Kept.Add(1)
	return nil
}

func (d *Destination) call(ctx context.Context, events []event, out *ship.Outcome) (*logs.PutLogEventsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := make([]types.InputLogEvent, len(events))
	for i := range events {
		in[i] = types.InputLogEvent{Message: &events[i].message, Timestamp: &events[i].at}
		out.Bytes += int64(len(events[i].message))
	}
	out.Requests++
	res, err := d.cfg.API.PutLogEvents(ctx, &logs.PutLogEventsInput{LogGroupName: &d.cfg.Group, LogStreamName: &d.cfg.Stream, LogEvents: in})
	var known *types.DataAlreadyAcceptedException
	if errors.As(err, &known) {
		return &logs.PutLogEventsOutput{}, nil
	}
	var nobody *noCredentials
	switch {
	case errors.As(err, &nobody): // without the SDK's words around it
		return nil, nobody
	case err != nil:
		return nil, fmt.Errorf("put %d events: %w", len(events), err)
	}
	return res, nil
}

func (d *Destination) createStream(ctx context.Context, out *ship.Outcome) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out.Requests++
	_, err := d.cfg.API.CreateLogStream(ctx, &logs.CreateLogStreamInput{LogGroupName: aws.String(d.cfg.Group), LogStreamName: aws.String(d.cfg.Stream)})
	var exists *types.ResourceAlreadyExistsException
	if err == nil || errors.As(err, &exists) {
		return nil
	}
	return fmt.Errorf("make log stream: %w", err)
}

// learn asks the instance about itself, until it has answered, and not too often.
func (d *Destination) learn(ctx context.Context) {
	now := d.cfg.Now()
	if d.known || !d.asked.IsZero() && now.Sub(d.asked) < relearnPause {
		return
	}
	instance, err := d.cfg.Instance(ctx)
	if err != nil {
		if d.asked.IsZero() {
			d.cfg.Logger.Info("the instance metadata service does not answer; alerts go out without the instance's id until it does", "error", err)
		}
		d.asked = now
		return
	}
	d.known = true
	d.add("ec2_instance_id", instance.ID)
	d.add("az", instance.Zone)
}

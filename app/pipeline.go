package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/journal"
)

const (
	// pipelineName is the source under which the hub keeps the journal position it has reached.
	pipelineName = "journal"

	batchRecords = 8192
	batchBytes   = 16 << 20

	// Between two commits of the hub there is a pause in which repeats gather, so that they cost one update: the longer,
	// the more alerts there are. It is what a finding appears later than its alert.
	pauseLeast, pauseMost = 100 * time.Millisecond, 400 * time.Millisecond
	pausePerAlert         = 200 * time.Microsecond

	retryFirst = 200 * time.Millisecond
	retryLast  = 10 * time.Second
)

// pipeline carries alerts from the journal to the hub: read, convert, observe. The hub commits the journal position
// together with the findings, so a crash at any point neither loses nor repeats an alert.
type pipeline struct {
	journal   *journal.Journal
	hub       *hub.Hub
	converter interface {
		Convert(a *falco.Alert, o falco.Origin) *asff.Finding
	}
	log *slog.Logger

	reached   atomic.Int64 // journal position of the last commit
	converted prometheus.Counter
	failed    prometheus.Counter
}

func (p *pipeline) register(r prometheus.Registerer) {
	p.converted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "eyrie_alerts_converted_total", Help: "Alerts that became an occurrence of a finding in the hub."})
	p.failed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "eyrie_pipeline_errors_total", Help: "Attempts to carry alerts to the hub that failed and were tried again."})
	reached := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "eyrie_pipeline_position", Help: "Journal position up to which alerts are in the hub."},
		func() float64 { return float64(p.reached.Load()) })
	r.MustRegister(p.converted, p.failed, reached)
}

// Run carries alerts until ctx is done. Whatever fails is logged, counted and tried again: the journal keeps the alerts.
func (p *pipeline) Run(ctx context.Context) error {
	retry := retryFirst
	for {
		err := p.follow(ctx, func() { retry = retryFirst })
		if ctx.Err() != nil {
			return nil
		}
		p.failed.Inc()
		p.log.Error("alerts wait in the journal: the hub does not take them", "error", err, "retry_in", retry)
		if !pause(ctx, retry) {
			return nil
		}
		retry = min(2*retry, retryLast)
	}
}

func (p *pipeline) follow(ctx context.Context, progress func()) error {
	position, err := p.hub.Observed(ctx, pipelineName)
	if err != nil {
		return fmt.Errorf("read the journal position in the hub: %w", err)
	}
	p.reached.Store(position)
	for {
		if err := p.journal.Wait(ctx, p.reached.Load()); err != nil {
			return err
		}
		n, err := p.step(ctx)
		if err != nil {
			return err
		}
		progress()
		if n < batchRecords && !pause(ctx, min(pauseLeast+time.Duration(n)*pausePerAlert, pauseMost)) {
			return ctx.Err()
		}
	}
}

// step carries one batch and returns how many records it held.
func (p *pipeline) step(ctx context.Context) (int, error) {
	records, err := p.journal.Read(ctx, p.reached.Load(), batchRecords, batchBytes)
	if err != nil {
		return 0, fmt.Errorf("read the journal after %d: %w", p.reached.Load(), err)
	}
	if len(records) == 0 {
		return 0, nil
	}
	observations := make([]hub.Observation, 0, len(records))
	for i := range records {
		r := &records[i]
		if r.Alert == nil {
			// It was parsed before it was stored; only a change of the parser can bring this about.
			p.log.Error("a stored alert no longer parses and is left out", "seq", r.Seq)
			continue
		}
		observations = append(observations, hub.Observation{
			Finding: p.converter.Convert(r.Alert, r.Origin), Seq: r.Seq, At: r.Alert.Time, Alert: r.Body,
		})
	}
	last := records[len(records)-1].Seq
	// A batch that is being committed is finished even while the process is asked to stop.
	if err := p.hub.Observe(context.WithoutCancel(ctx), pipelineName, last, observations); err != nil {
		return 0, fmt.Errorf("observe alerts up to %d: %w", last, err)
	}
	p.reached.Store(last)
	p.converted.Add(float64(len(observations)))
	return len(records), nil
}

// drain carries what the journal holds until nothing is left or ctx is done.
func (p *pipeline) drain(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := p.step(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
	return errors.New("alerts are left in the journal; the next start carries them on")
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

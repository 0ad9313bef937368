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
	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/journal"
)

const (
	// pipelineName is the source under which the hub keeps the journal position it has reached.
	pipelineName = "journal"

	// What is read from the journal at a time.
	batchRecords = 8192
	batchBytes   = 16 << 20

	// Repeats gather between two commits of the hub, so that thousands of them cost one update of their finding. An alert
	// after a quiet time goes through at once. The pause is so many times what the last commit took, within these bounds:
	// under load the hub has a small part of the time. It is what a finding appears later than its alert.
	pauseLeast, pauseMost = 100 * time.Millisecond, 2 * time.Second
	pauseFactor           = 20
	// A pause ends early when so much has gathered.
	gatheredFindings = 8192
	gatheredBytes    = 24 << 20
	// readEvery is how often the journal is read meanwhile, so that few parsed alerts pile up.
	readEvery = 50 * time.Millisecond

	retryFirst = 200 * time.Millisecond
	retryLast  = 10 * time.Second
)

// pipeline carries alerts from the journal to the hub: read, convert, observe. The hub commits the journal position
// together with the findings, so a crash at any point neither loses nor repeats an alert.
type pipeline struct {
	journal   *journal.Journal
	hub       *hub.Hub
	converter converter
	log       *slog.Logger

	reached   atomic.Int64 // journal position of the last commit
	converted prometheus.Counter
	failed    prometheus.Counter
}

// converter is what the pipeline needs of one.
type converter interface {
	Identify(a *falco.Alert, o falco.Origin) convert.Identified
	Convert(a *falco.Alert, o falco.Origin) *asff.Finding
}

// gathered is what was read from the journal and waits for the next commit.
type gathered struct {
	fold   *hub.Fold
	last   int64 // journal position
	alerts int
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
	next, due := p.gathered(position), time.Now()
	for {
		if next.alerts == 0 {
			if ctx.Err() != nil {
				return ctx.Err() // however much waits: that is for drain
			}
			if err := p.journal.Wait(ctx, next.last); err != nil {
				return err
			}
		}
		if err := p.gather(ctx, next, due); err != nil {
			return err
		}
		began := time.Now()
		if next, err = p.commitAndGather(ctx, next); err != nil {
			return err
		}
		due = time.Now().Add(min(max(pauseLeast, pauseFactor*time.Since(began)), pauseMost))
		progress()
	}
}

// commitAndGather carries g into the hub and gathers meanwhile: what is read soon is still in memory, parsed.
func (p *pipeline) commitAndGather(ctx context.Context, g *gathered) (next *gathered, err error) {
	done := make(chan error, 1)
	go func() { done <- p.commit(ctx, g) }()
	next = p.gathered(g.last)
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		select {
		case failure := <-done:
			return next, errors.Join(failure, err)
		case <-tick.C:
			if err == nil && ctx.Err() == nil && !next.enough() {
				_, err = p.read(ctx, next)
			}
		}
	}
}

func (p *pipeline) gathered(after int64) *gathered {
	return &gathered{fold: p.hub.NewFold(), last: after}
}

func (g *gathered) enough() bool {
	return g.fold.Findings() >= gatheredFindings || g.fold.Size() >= gatheredBytes
}

// gather adds to g from the journal until the time due, until there is enough for a commit, or until ctx ends: what it has
// then goes into a last commit.
func (p *pipeline) gather(ctx context.Context, g *gathered, due time.Time) error {
	for {
		n, err := p.read(context.WithoutCancel(ctx), g)
		if err != nil {
			return err
		}
		wait := time.Until(due)
		if g.enough() || wait <= 0 || n < batchRecords && !pause(ctx, min(wait, readEvery)) {
			return nil
		}
	}
}

// read adds the next records of the journal to g and returns how many there were.
func (p *pipeline) read(ctx context.Context, g *gathered) (int, error) {
	records, err := p.journal.Read(ctx, g.last, batchRecords, batchBytes)
	if err != nil {
		return 0, fmt.Errorf("read the journal after %d: %w", g.last, err)
	}
	for i := range records {
		alert, origin := records[i].Alert, records[i].Origin
		g.last = records[i].Seq
		if alert == nil {
			// It was parsed before it was stored; only a change of the parser can bring this about.
			p.log.Error("a stored alert no longer parses and is left out", "seq", g.last)
			continue
		}
		id := p.converter.Identify(alert, origin)
		g.fold.Add(hub.Observation{
			Key: hub.Key{ID: id.ID, ProductArn: id.ProductArn}, Severity: id.Severity,
			Make: func() *asff.Finding { return p.converter.Convert(alert, origin) },
			Seq:  g.last, At: alert.Time, Alert: records[i].Body,
		})
		g.alerts++
	}
	return len(records), nil
}

// commit carries what was gathered into the hub. It is finished even while the process is asked to stop.
func (p *pipeline) commit(ctx context.Context, g *gathered) error {
	if g.last == p.reached.Load() {
		return nil
	}
	if err := p.hub.ObserveFold(context.WithoutCancel(ctx), pipelineName, g.last, g.fold); err != nil {
		return fmt.Errorf("observe alerts up to %d: %w", g.last, err)
	}
	p.reached.Store(g.last)
	p.converted.Add(float64(g.alerts))
	return nil
}

// drain carries what the journal holds until nothing is left or ctx is done.
func (p *pipeline) drain(ctx context.Context) error {
	for ctx.Err() == nil {
		g := p.gathered(p.reached.Load())
		if err := p.gather(ctx, g, time.Time{}); err != nil || g.last == p.reached.Load() {
			return err
		}
		if err := p.commit(ctx, g); err != nil {
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

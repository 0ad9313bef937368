package app

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/api"
	hubsqlite "github.com/eyrie-sec/eyrie/hub/sqlite"
	"github.com/eyrie-sec/eyrie/portal"
)

// load opens the findings and everything that stands on them, then carries alerts until ctx is done.
func (a *App) load(ctx context.Context) error {
	began := time.Now()
	store, err := hubsqlite.Open(ctx, hubsqlite.Config{Path: filepath.Join(a.opts.Data, "findings.db")})
	if err != nil {
		return err
	}
	h, err := hub.Open(ctx, hub.Config{
		Account: a.opts.Account, Region: a.opts.Region, Retention: a.opts.Retention, SnapshotPath: filepath.Join(a.opts.Data, "findings.index"),
		Now: a.opts.Now, Logger: a.log, Progress: a.loading.set,
	}, store)
	if err != nil {
		return err
	}
	a.onClose("findings", h.Close)
	l := &loaded{hub: h, pipeline: &pipeline{journal: a.journal, hub: h, converter: a.converter, log: a.log}}
	l.pipeline.register(a.opts.Registerer)
	in := &ingest{app: a, pipeline: l.pipeline}
	l.api = api.New(api.Config{Hub: h, Keys: a.access.Keys(), Account: a.opts.Account, Region: a.opts.Region, Now: a.opts.Now, Logger: a.log})
	l.portal, err = portal.New(portal.Config{BaseURL: a.URL(), IngestKey: a.access.Keys().IngestKey, Version: a.opts.Version, Now: a.opts.Now, Logger: a.log}, h, in, a.access)
	if err != nil {
		return err
	}
	a.loaded.Store(l)
	stats := h.Stats()
	a.log.Info("findings are ready", "findings", stats.Findings, "took", time.Since(began).Round(time.Millisecond))
	a.goRun("retention", func() error { return h.Run(ctx) })
	a.goRun("rates", func() error { return in.sampleRate(ctx) })
	return l.pipeline.Run(ctx)
}

// loadProgress is what people and clients are told while the findings are being loaded.
type loadProgress struct {
	mu          sync.Mutex
	done, total int // guarded by mu
}

func (p *loadProgress) set(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.total = done, total
}

func (p *loadProgress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total <= 0 {
		return "the findings are being loaded; alerts are received meanwhile"
	}
	return fmt.Sprintf("the findings are being loaded: %d of %d; alerts are received meanwhile", p.done, p.total)
}

// ServeHTTP shows the progress and asks the browser to come again.
func (p *loadProgress) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Refresh", "1")
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintf(w, "One moment: %s.\n", p.String())
}

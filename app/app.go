// Package app is the whole product in one process. Options come in; New opens what they name, Run serves until it is told
// to stop. It names every part in one straight line (New, then load) and holds no behaviour of the product itself: what
// it adds is the order of starting and stopping, one listener for everything, and the pipeline that carries alerts from
// the journal to the hub.
//
// It fails at start with an error that names the option or file to mend. Once it runs, a failing disk does not end it: new
// alerts are refused with 503 until the cause is gone. Alerts are received from the first moment; the hub, which may take
// a while to load, joins when it is ready.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eyrie-sec/eyrie/access"
	"github.com/eyrie-sec/eyrie/collect/webhook"
	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/internal/plainpost"
	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/ahead"
	journalsqlite "github.com/eyrie-sec/eyrie/journal/sqlite"
	"github.com/eyrie-sec/eyrie/portal"
)

const (
	// stopWithin is how long Run takes at most to stop once it is asked to.
	stopWithin = 10 * time.Second
	// requestsWithin and drainWithin are the parts of it for running requests and for alerts on their way to the hub.
	requestsWithin = 3 * time.Second
	drainWithin    = 4 * time.Second

	// maxRecord is the largest alert in bytes, the same as `eyrie agent` reads by default: far beyond what Falco prints.
	maxRecord = 4 << 20
)

// App is one running Eyrie. Make it with New, then call Run once.
type App struct {
	opts Options
	log  *slog.Logger

	access    *access.Access
	converter *convert.Converter
	journal   *journal.Journal
	webhook   http.Handler
	listener  net.Listener
	plain     *plainpost.Listener // nil with TLS
	server    *http.Server

	detection *Detection // nil: off
	sensorOff string     // why

	loaded  atomic.Pointer[loaded] // nil while the findings are being loaded
	loading loadProgress

	background sync.WaitGroup
	closers    []closer // closed last in, first out
}

type closer struct {
	name  string
	close func() error
}

// loaded is what stands on the findings and therefore comes up after them.
type loaded struct {
	hub      *hub.Hub
	pipeline *pipeline
	api      http.Handler
	portal   *portal.Portal
}

// New checks o and opens everything that must be there before the first alert: the data directory, its lock and keys, the
// journal, the listener. What it opened is closed again when it returns an error.
func New(o Options) (*App, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	a := &App{opts: o, log: o.Logger}
	if err := a.open(); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// open opens the parts in their order; what it opened before an error is for close.
func (a *App) open() error {
	o := &a.opts
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w; choose another with --data", err)
	}
	release, err := lockData(o.Data)
	if err != nil {
		return err
	}
	a.onClose("lock", release)
	if a.access, err = access.Open(o.Data, access.Config{Now: o.Now, Logger: a.log}); err != nil {
		return err
	}
	if a.converter, err = NewConverter(o.Severity, o.Conversion); err != nil {
		return err
	}
	if err := a.openJournal(); err != nil {
		return err
	}
	if a.webhook, err = webhook.New(webhook.Config{
		Check: a.access.Keys().CheckIngest, Origin: o.origin(), MaxBody: o.MaxBody, MaxRecord: maxRecord, Registerer: o.Registerer, Logger: a.log,
	}, a.journal); err != nil {
		return err
	}
	if err := a.openSensor(); err != nil {
		return err
	}
	return a.listen()
}

func (a *App) openJournal() error {
	path := filepath.Join(a.opts.Data, "journal.db")
	var err error
	a.journal, err = journal.Open(context.Background(), journal.Config{
		MaxAge: a.opts.JournalAge, MaxBytes: a.opts.JournalSize, Consumed: a.consumed, Now: a.opts.Now, Logger: a.log, Registerer: a.opts.Registerer,
	}, func(ctx context.Context) (journal.Store, error) {
		behind, err := journalsqlite.Open(ctx, journalsqlite.Config{Path: path, Now: a.opts.Now, Logger: a.log})
		if err != nil {
			return nil, err
		}
		return ahead.Open(ctx, filepath.Join(a.opts.Data, "journal.log"), behind)
	})
	if err != nil {
		return err
	}
	a.onClose("journal", a.journal.Close)
	return nil
}

func (a *App) listen() error {
	var pair tls.Certificate
	var err error
	if a.opts.TLSCert != "" {
		if pair, err = tls.LoadX509KeyPair(a.opts.TLSCert, a.opts.TLSKey); err != nil {
			return fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
	}
	if a.listener, err = net.Listen("tcp", a.opts.Listen); err != nil {
		return fmt.Errorf("--listen %s: %w", a.opts.Listen, err)
	}
	const (
		headWithin, readWithin, idleFor = 10 * time.Second, 2 * time.Minute, 2 * time.Minute // 16 MiB over a slow line
	)
	a.server = &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: headWithin,
		ReadTimeout:       readWithin,
		IdleTimeout:       idleFor,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	if a.opts.TLSCert != "" {
		a.listener = tls.NewListener(a.listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
		return nil
	}
	// Falco sends an alert a request, for which net/http costs more than all that becomes of the alert.
	a.plain = plainpost.Listen(a.listener, plainpost.Config{
		Handler: a.webhook, Wanted: isAlerts, Logger: a.log, ReadHeaderTimeout: headWithin, ReadTimeout: readWithin, IdleTimeout: idleFor,
	})
	a.listener = a.plain
	a.onClose("listener", func() error { a.plain.Abort(); return nil })
	return nil
}

// consumed is the journal position up to which alerts are findings; nothing beyond it is deleted for age or size.
func (a *App) consumed() int64 {
	if l := a.loaded.Load(); l != nil {
		return l.pipeline.reached.Load()
	}
	return 0
}

// Addr is where the App listens.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// URL is the address of the portal and of every way in, without a trailing slash.
func (a *App) URL() string {
	scheme := "http"
	if a.opts.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + a.Addr().String()
}

// Run serves until ctx is done or the listener fails, then finishes what it accepted and closes everything, within 10 s.
func (a *App) Run(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	served := make(chan error, 1)
	go func() { served <- a.server.Serve(a.listener) }()
	a.greet()
	a.goRun("journal", func() error { return a.journal.Run(work) })
	if a.detection != nil {
		a.goRun("sensor", func() error { return a.runSensor(work) })
	}
	loadFailed := make(chan error, 1)
	a.goRun("findings", func() error {
		err := a.load(work)
		if err != nil && work.Err() == nil {
			loadFailed <- err
		}
		return nil
	})
	var err error
	select {
	case <-ctx.Done():
		a.log.Info("stopping")
	case err = <-served:
	case err = <-loadFailed:
	}
	return errors.Join(err, a.stop(stopWork))
}

// stop ends requests, then background work, then closes the parts, last opened first.
func (a *App) stop(stopWork func()) error {
	deadline := time.Now().Add(stopWithin)
	ctx, cancel := context.WithTimeout(context.Background(), requestsWithin)
	defer cancel()
	if l := a.loaded.Load(); l != nil {
		l.portal.Close() // its event streams would not end by themselves
	}
	err := a.stopServing(ctx)
	stopWork()
	done := make(chan struct{})
	go func() { a.background.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Until(deadline)):
		return errors.Join(err, fmt.Errorf("background work did not end within %s; nothing acknowledged is lost", stopWithin))
	}
	if l := a.loaded.Load(); l != nil {
		drain, cancel := context.WithTimeout(context.Background(), min(drainWithin, time.Until(deadline)))
		defer cancel()
		if err := l.pipeline.drain(drain); err != nil {
			a.log.Warn("alerts wait in the journal for the next start", "reason", err)
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- a.close() }()
	select {
	case e := <-closed:
		return errors.Join(err, e)
	case <-time.After(time.Until(deadline)):
		return errors.Join(err, fmt.Errorf("the files could not be closed within %s, the disk does not answer; nothing acknowledged is lost", stopWithin))
	}
}

// stopServing lets running requests be finished until ctx ends. A request that is cut off then was not acknowledged.
func (a *App) stopServing(ctx context.Context) error {
	plain := make(chan error, 1)
	go func() {
		if a.plain == nil {
			plain <- nil
			return
		}
		plain <- a.plain.Shutdown(ctx)
	}()
	err := a.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = a.server.Close()
	}
	if e := <-plain; !errors.Is(e, context.DeadlineExceeded) {
		err = errors.Join(err, e)
	}
	return err
}

func (a *App) goRun(name string, run func() error) {
	a.background.Go(func() {
		if err := run(); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("background work ended", "part", name, "error", err)
		}
	})
}

func (a *App) onClose(name string, close func() error) {
	a.closers = append(a.closers, closer{name, close})
}

func (a *App) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", a.closers[i].name, err))
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}

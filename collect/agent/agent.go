// Package agent is `eyrie agent`: it follows Falco's logs and delivers the alerts in them to a hub or to CloudWatch Logs.
//
// What comes in: log files and standard input (package tail). What goes out: POST /falco to a hub (package ship), or
// PutLogEvents to a log group (package cloudwatch), by way of a spool on disk (package spool) that holds alerts while the
// destination is away. What it never does: parse or change an
// alert; lose one that it could read; read on when the spool is full (files wait on disk, a pipe's writer waits).
//
// # Exactly once
//
// Lines and the position up to which they were read become durable in one write, so that a kill -9 at any moment neither
// skips nor repeats a line. An alert leaves the spool after the hub has answered for it. If the answer is lost it is sent
// again, and the hub, which knows alerts by their content, stores it once. Standard input has no position: what was read
// from it and not yet spooled dies with the process.
//
// # How it fails
//
// Mistakes in Options and a spool in use are errors at once. Everything else (an unreadable file, a full disk, an absent hub, a
// wrong key) is logged when it begins and when it ends, counted, and tried again until it passes.
package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/collect/ship"
	"github.com/eyrie-sec/eyrie/collect/ship/cloudwatch"
	"github.com/eyrie-sec/eyrie/collect/spool"
	"github.com/eyrie-sec/eyrie/collect/tail"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrUndelivered: Run ended, and alerts stay in the spool. The next Run on the same spool delivers them.
var ErrUndelivered = errors.New("alerts were not delivered and stay in the spool")

// Options say what to do. From and To are needed; the zero value of everything else is usable.
type Options struct {
	// From are files, globs and "-" (standard input).
	From []string
	// Source gives alerts besides those of From, or without any; nil: none. What it gave and the spool did not take yet dies
	// with the process.
	Source Source
	// To is the hub: scheme and host, /falco is added; or with a path, which may hold the key. Or "cloudwatch:GROUP", a log
	// group of CloudWatch Logs in Region; "" is the one that the AWS SDK finds.
	To string
	// Stream is the log stream, for CloudWatch Logs; "": the name of the host.
	Stream string
	// Key is the ingest key. KeyFile is a file that holds it, read before each request so that it can be replaced.
	Key, KeyFile string
	// CAFile holds PEM certificates that are trusted besides the system's.
	CAFile string
	// SpoolDir is made if needed; "": DefaultSpoolDir. SpoolMax in bytes, 0: 1 GiB.
	SpoolDir string
	SpoolMax int64
	// MaxLine is the limit of one line in bytes, up to 16 MiB; 0: 1 MiB.
	MaxLine int
	// Cluster, Region and Account say where the alerts come from. Account is for hubs alone: a log group has one.
	Cluster, Region, Account string
	// FromStart reads files that exist when they are followed for the first time from their start.
	FromStart bool
	// StopTimeout is how long delivery goes on after ctx ended; 0: 5 s. InputTimeout: how long after standard input, as the
	// only thing to follow, has ended; 0: 1 min.
	StopTimeout, InputTimeout time.Duration
	// ProgressEvery is the pause between lines of progress; 0: 30 s.
	ProgressEvery time.Duration
	// Poll and Linger are tail's; 0: its defaults.
	Poll, Linger time.Duration
	// Input is what "-" reads; nil: os.Stdin.
	Input      io.Reader
	Client     *http.Client // nil: one that trusts the system's roots and CAFile
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// DefaultSpoolDir is where alerts wait: systemd's state directory, else /var/lib/eyrie-agent for root, else below the
// user's state directory.
func DefaultSpoolDir() (string, error) {
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir, nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/eyrie-agent", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "eyrie", "agent"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the spool: %w", err)
	}
	return filepath.Join(home, ".local", "state", "eyrie", "agent"), nil
}

// agent is one Run.
type agent struct {
	opt    Options
	log    *slog.Logger
	spool  *spool.Spool
	follow *tail.Follower // nil: there is a Source and nothing to follow
	send   *ship.Sender
	logs   *cloudwatch.Destination // nil: To is a hub
}

// Run follows and delivers until ctx ends, then tries for Options.StopTimeout to deliver the rest; what is left stays in the
// spool for the next Run, which is no error, unless it came from standard input alone. If standard input is all there is to
// follow, Run ends when it has ended and everything was delivered, or with ErrUndelivered.
func Run(ctx context.Context, opt Options) error {
	a, err := prepare(ctx, opt)
	if err != nil {
		return err
	}
	defer a.spool.Close()
	if a.opt.Registerer != nil {
		c := a.metrics()
		if err := a.opt.Registerer.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
		defer a.opt.Registerer.Unregister(c)
	}
	a.log.Info("agent started", "from", opt.From, "to", a.send.Target(), "spool", a.opt.SpoolDir, "waiting", a.spool.Stats().Waiting)
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	sent := make(chan error, 1)
	go func() { sent <- a.send.Run(sending, a.spool) }()
	stopProgress := a.progress()
	collectErr := a.collect(ctx)
	left := a.drain(ctx, stopSending, sent)
	stopProgress()
	return errors.Join(collectErr, left)
}

// drain lets the sender deliver the rest, for a bounded time.
func (a *agent) drain(ctx context.Context, stop context.CancelFunc, sent <-chan error) error {
	ended := ctx.Err() == nil
	patience := a.opt.StopTimeout
	if ended {
		patience = a.opt.InputTimeout
	}
	a.send.Finish()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var err error
	for waiting := true; waiting; {
		interrupted := ctx.Done()
		if !ended {
			interrupted = nil
		}
		select {
		case err = <-sent:
			waiting = false
		case <-timer.C:
			stop()
			err, waiting = <-sent, false
		case <-interrupted:
			ended = false
			timer.Reset(a.opt.StopTimeout)
		}
	}
	left := a.spool.Stats().Waiting
	if left == 0 {
		return nil
	}
	if ctx.Err() != nil && !a.inputOnly() {
		a.log.Info("agent stopped; alerts wait in the spool for its next start", "waiting", left, "spool", a.opt.SpoolDir)
		return nil
	}
	if err == nil {
		err = errors.New(a.send.State())
	}
	return fmt.Errorf("%d %w %s: %w", left, ErrUndelivered, a.opt.SpoolDir, err)
}

func (a *agent) inputOnly() bool {
	if a.opt.Source != nil {
		return false
	}
	for _, p := range a.opt.From {
		if p != tail.Stdin {
			return false
		}
	}
	return true
}

// prepare checks the options and opens the parts, in the order in which they depend on each other.
func prepare(ctx context.Context, opt Options) (*agent, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	a := &agent{opt: opt, log: opt.Logger}
	err := a.destination(ctx)
	if err != nil {
		return nil, err
	}
	a.spool, err = spool.Open(spool.Config{Dir: opt.SpoolDir, MaxBytes: opt.SpoolMax, Logger: opt.Logger})
	if errors.Is(err, spool.ErrLocked) {
		return nil, fmt.Errorf("%w: another eyrie agent runs with it; give this one its own with --spool", err)
	}
	if err != nil {
		return nil, err
	}
	if len(opt.From) == 0 && opt.Source != nil {
		return a, nil
	}
	a.follow, err = tail.New(tail.Config{
		From: opt.From, FromStart: opt.FromStart, State: a.spool.State(), Input: opt.Input, MaxLine: opt.MaxLine,
		Poll: opt.Poll, Linger: opt.Linger, Logger: opt.Logger, Now: opt.Now,
	})
	if err != nil {
		a.spool.Close()
		return nil, err
	}
	return a, nil
}

// cloudWatch is what Options.To begins with when it names a log group.
const cloudWatch = "cloudwatch:"

// destination makes what alerts are sent to.
func (a *agent) destination(ctx context.Context) error {
	group, ok := strings.CutPrefix(a.opt.To, cloudWatch)
	if !ok {
		client, err := a.opt.client()
		if err != nil {
			return err
		}
		a.send, err = ship.New(ship.Config{
			URL: a.opt.To, Key: a.opt.key, Cluster: a.opt.Cluster, Region: a.opt.Region, Account: a.opt.Account,
			Client: client, Logger: a.opt.Logger, Now: a.opt.Now,
		})
		return err
	}
	stream := a.opt.Stream
	if stream == "" {
		var err error
		if stream, err = os.Hostname(); err != nil {
			return fmt.Errorf("no name for the log stream: %w; give one with --stream", err)
		}
	}
	var err error
	a.logs, err = cloudwatch.Open(ctx, cloudwatch.Settings{
		Group: group, Stream: stream, Cluster: a.opt.Cluster, Region: a.opt.Region, Dir: a.opt.SpoolDir, Logger: a.opt.Logger, Now: a.opt.Now,
	})
	if err == nil {
		a.send = ship.NewTo(a.logs, a.opt.Logger)
	}
	return err
}

// complete fills in defaults and checks what no part checks itself.
func (opt *Options) complete() error {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	setDefault(&opt.StopTimeout, 5*time.Second)
	setDefault(&opt.InputTimeout, time.Minute)
	setDefault(&opt.ProgressEvery, 30*time.Second)
	setDefault(&opt.SpoolMax, spool.DefaultMaxBytes)
	setDefault(&opt.MaxLine, tail.DefaultMaxLine)
	if opt.SpoolDir == "" {
		dir, err := DefaultSpoolDir()
		if err != nil {
			return err
		}
		opt.SpoolDir = dir
	}
	if strings.HasPrefix(opt.To, cloudWatch) {
		if opt.Key != "" || opt.KeyFile != "" || opt.CAFile != "" || opt.Account != "" {
			return errors.New("a key, a CA file and an account are for hubs; CloudWatch Logs goes by AWS's own credentials (and AWS_CA_BUNDLE)")
		}
	} else if opt.Stream != "" {
		return errors.New("a log stream is for CloudWatch Logs: --to cloudwatch:GROUP")
	}
	if opt.Key != "" && opt.KeyFile != "" {
		return errors.New("the key is given twice: as a value and as a file")
	}
	if opt.Account != "" && !regexp.MustCompile(`^[0-9]{12}$`).MatchString(opt.Account) {
		return fmt.Errorf("account %q is not 12 digits", opt.Account)
	}
	if least := max(spool.MinMaxBytes, 8*int64(opt.MaxLine)); opt.SpoolMax < least {
		return fmt.Errorf("a spool of %d bytes is too small: want %d at least (8 MiB, and 8 of the longest lines)", opt.SpoolMax, least)
	}
	if _, err := opt.key(); err != nil {
		return err
	}
	if opt.KeyFile != "" {
		if info, err := os.Stat(opt.KeyFile); err == nil && info.Mode().Perm()&0o077 != 0 {
			opt.Logger.Warn("the key file can be read by others", "file", opt.KeyFile, "mode", info.Mode().Perm().String())
		}
	}
	return nil
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// key returns the ingest key as it is now.
func (opt *Options) key() (string, error) {
	if opt.KeyFile == "" {
		return opt.Key, nil
	}
	b, err := os.ReadFile(opt.KeyFile)
	if err != nil {
		return "", fmt.Errorf("read key file: %w", err)
	}
	key := strings.TrimSpace(string(b))
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return "", fmt.Errorf("key file %s does not hold one key", opt.KeyFile)
	}
	return key, nil
}

// client returns the HTTP client: TLS 1.2 or newer, HTTP/2 where the hub has it, proxies as the environment says.
func (opt *Options) client() (*http.Client, error) {
	if opt.Client != nil {
		return opt.Client, nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if opt.CAFile != "" {
		pem, err := os.ReadFile(opt.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s holds no PEM certificate", opt.CAFile)
		}
		transport.TLSClientConfig.RootCAs = roots
	}
	return &http.Client{Transport: transport, Timeout: time.Minute}, nil
}

// gate passes batches to the spool, one at a time, and logs when it begins and ceases to refuse them.
type gate struct {
	a *agent

	mu      sync.Mutex // guards the spool's Append, and refused
	refused string
}

// Append implements tail.Sink.
func (g *gate) Append(records [][]byte, state map[string][]byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.a.spool.Append(records, state)
	switch {
	case err == nil && g.refused != "":
		g.a.log.Info("the spool takes alerts again")
		g.refused = ""
	case errors.Is(err, spool.ErrFull) && g.refused != "full":
		g.refused = "full"
		g.a.log.Warn("the spool is full: reading stops until "+g.a.send.Name()+" has taken alerts; nothing is lost while the log files are kept",
			"spool", g.a.opt.SpoolDir, "max bytes", g.a.opt.SpoolMax, "state", g.a.send.State())
	case err != nil && !errors.Is(err, spool.ErrFull) && g.refused != err.Error():
		g.refused = err.Error()
		g.a.log.Error("the spool cannot be written; reading stops until it can", "error", err)
	}
	return err
}

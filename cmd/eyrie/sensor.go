package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/eyrie-sec/eyrie/app"
	"github.com/eyrie-sec/eyrie/falco"
)

// sensorFlags are the flags of everything that runs the sensor.
type sensorFlags struct {
	Rules       []string `short:"r" placeholder:"PATH" type:"path" sep:"," env:"EYRIE_RULES" help:"Rule files, and folders of them, in the order of loading; repeatable. Read again when they change. Default: the rules that ship with eyrie."`
	AllMatches  bool     `env:"EYRIE_ALL_MATCHES" help:"Report every rule that matches an event, as Falco does with rule_matching: all. Without it the first of the set counts."`
	MinPriority string   `placeholder:"PRIORITY" env:"EYRIE_MIN_PRIORITY" help:"Leave out rules below this priority."`
	DisableRule []string `placeholder:"RULE" help:"Switch rules off: a name, with * for any text, or tag:NAME. Repeatable."`
	EnableRule  []string `placeholder:"RULE" help:"Switch rules on, after --disable-rule."`
	MaxRate     float64  `placeholder:"N" env:"EYRIE_MAX_RATE" help:"Hold back alerts of a rule beyond N a second; they are counted. Default: none are."`
	MaxBurst    int      `placeholder:"N" default:"100" env:"EYRIE_MAX_BURST" help:"How many alerts of a rule --max-rate lets through at once (default ${default})."`
	Hostname    string   `placeholder:"NAME" env:"EYRIE_HOSTNAME" help:"Name of this host in alerts. Default: its own."`
	BufferMB    int      `name:"buffer-mb" placeholder:"MB" default:"8" env:"EYRIE_BUFFER_MB" help:"Size of the kernel's buffer for events; a power of two (default ${default})."`
}

// options are the options that the flags stand for.
func (f *sensorFlags) options(log *slog.Logger) app.DetectionOptions {
	o := app.DetectionOptions{
		Rules: f.Rules, AllMatches: f.AllMatches, MinPriority: f.MinPriority, Disable: f.DisableRule, Enable: f.EnableRule,
		Rate: f.MaxRate, Burst: f.MaxBurst, Hostname: f.Hostname, Logger: log,
	}
	o.Sensor.BufferBytes = f.BufferMB << 20
	return o
}

type sensorCmd struct {
	sensorFlags
	Output       string        `enum:"json,text" default:"json" help:"What to print: Falco's JSON, one alert a line, or its text (default ${default})."`
	AppendOutput string        `placeholder:"FORMAT" help:"Fields to add to every rule's output. Default: those of the container and the pod, as Falco does; - adds none."`
	Stats        bool          `help:"Log counters to stderr now and then: events, alerts, drops by cause, memory, processor time."`
	StatsEvery   time.Duration `placeholder:"DURATION" default:"10s" help:"How often --stats does (default ${default})."`
	For          time.Duration `placeholder:"DURATION" help:"Stop after this time. Default: run until SIGTERM or Ctrl-C."`
	NoFilter     bool          `hidden:"" help:"Bring every event of a watched type to user space; for tests."`
}

// Help is what `eyrie sensor --help` says above the flags.
func (sensorCmd) Help() string {
	return `Watches this host and its containers and prints alerts as Falco does, so that whatever reads Falco reads this:

  eyrie sensor --rules /etc/falco/falco_rules.yaml | eyrie convert

It needs Linux 5.8 or newer with BTF, and root or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH;
` + "`eyrie doctor`" + ` says what this host has. Rule files are read again when they change and on SIGHUP; files that cannot be used
change nothing. What could not be seen or printed is counted by cause and logged at the end. docs/sensor.md has more.`
}

// Run watches until it is told to stop.
func (c *sensorCmd) Run(ctx context.Context, s streams) error {
	o := c.options(s.log)
	o.AppendOutput, o.Sensor.NoFilter = c.AppendOutput, c.NoFilter
	d, err := app.OpenDetection(o)
	if err != nil {
		return err
	}
	s.log.Info("the sensor is on", "watches", d.Describe())
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	// Nobody reads on: there is nothing left to do, and it is no error.
	ctx, closed := context.WithCancelCause(ctx)
	defer closed(nil)
	stop := onHangup(func() { reload(d, s.log) })
	defer stop()
	stopStats := func() {}
	if c.Stats {
		stopStats = every(c.StatsEvery, func() { logStats(s.log, d) })
	}
	p := &printer{w: bufio.NewWriterSize(s.out, 64<<10), text: c.Output == "text", closed: closed}
	err = d.Run(ctx, p.print)
	stopStats()
	logStats(s.log, d)
	if errors.Is(context.Cause(ctx), syscall.EPIPE) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// printer writes alerts to stdout.
type printer struct {
	w      *bufio.Writer
	text   bool
	line   []byte
	closed func(error) // called when nobody reads any more
}

func (p *printer) print(_ context.Context, alerts []*falco.Alert) error {
	for _, a := range alerts {
		if p.text {
			p.line = append(p.line[:0], oneLine(a.Output)...)
		} else {
			p.line = falco.AppendJSON(p.line[:0], a)
		}
		// An error stays with the writer and is told by Flush.
		_, _ = p.w.Write(append(p.line, '\n'))
	}
	err := p.w.Flush()
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		p.closed(syscall.EPIPE)
	}
	return err
}

// oneLine keeps what attackers write into names and arguments from being taken for a line, or obeyed by a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// onHangup calls f for each SIGHUP until stop is called.
func onHangup(f func()) (stop func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hup:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(hup); close(done) }
}

func reload(d *app.Detection, log *slog.Logger) {
	if err := d.Reload(); err != nil {
		log.Error("SIGHUP: the rules stay as they are", "error", err)
		return
	}
	log.Info("SIGHUP: the rules were read again", "watches", d.Describe())
}

// every calls f now and then until stop is called.
func every(d time.Duration, f func()) (stop func()) {
	tick := time.NewTicker(d)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() { tick.Stop(); close(done) }
}

// logStats logs how the sensor is doing. Drops that have not happened are left out.
func logStats(log *slog.Logger, d *app.Detection) {
	st := d.Stats()
	args := []any{"events", st.Detect.Events, "matched", st.Detect.Matched, "alerts", st.Detect.Alerts, "held_back", st.Detect.Held,
		"sent", st.Sensor.Sent, "filtered", st.Sensor.Filtered,
		"rules", st.Detect.Rules, "processes", st.Sensor.Processes, "containers", st.Sensor.Containers, "lag", st.Sensor.Lag.Round(time.Microsecond)}
	drops := st.Drops()
	total := uint64(0)
	var causes []string
	for cause, n := range drops {
		if total += n; n > 0 {
			causes = append(causes, fmt.Sprintf("%s: %d", cause, n))
		}
	}
	slices.Sort(causes)
	args = append(args, "drops", total)
	if total > 0 {
		args = append(args, "dropped", strings.Join(causes, ", "))
	}
	u := app.Used()
	log.Info("sensor", append(args, "rss_mb", u.RSS>>20, "cpu_s", fmt.Sprintf("%.2f", u.CPU.Seconds()))...)
}

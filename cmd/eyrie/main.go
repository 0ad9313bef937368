// Command eyrie is the whole product in one binary. It turns flags, environment variables and a configuration file into
// the options of a part and runs that part; it holds no behaviour of its own. Results go to stdout, everything else to
// stderr. Exit status: 0 done, 1 it went wrong and stderr says how, 2 the command line was wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/eyrie-sec/eyrie/app"
	"github.com/eyrie-sec/eyrie/simulate"
)

// cli is the command line. Every flag can also be set by an environment variable (EYRIE_ and its name in capitals) and by
// a key of the same name in the configuration file; the command line wins, then the environment, then the file.
type cli struct {
	Config   kong.ConfigFlag `placeholder:"FILE" help:"YAML file whose keys are the names of flags (listen: 127.0.0.1:9000). Read before the environment and the command line, which win."`
	LogLevel string          `enum:"debug,info,warn,error" default:"info" env:"EYRIE_LOG_LEVEL" help:"How much to log to stderr: ${enum}."`
	LogJSON  bool            `name:"log-json" env:"EYRIE_LOG_JSON" help:"Log JSON lines rather than text."`

	Up       upCmd       `cmd:"" help:"Run everything on this machine: receive alerts, keep them, turn them into findings, triage them in the portal."`
	Agent    agentCmd    `cmd:"" help:"Follow Falco's log files on a node, or run the sensor there, and ship every alert to a hub."`
	Sensor   sensorCmd   `cmd:"" help:"Watch this host and its containers with Falco's rules; print alerts as Falco does."`
	Doctor   doctorCmd   `cmd:"" help:"Say what this host and user offer the sensor, and what to do about what is missing."`
	Convert  convertCmd  `cmd:"" help:"Turn Falco alerts on stdin into ASFF findings on stdout, one a line."`
	Rules    rulesCmd    `cmd:"" help:"Check, explain, test and compare rules in Falco's language."`
	Simulate simulateCmd `cmd:"" help:"Do harmless versions of attacks and say whether their findings arrive: a self-test."`
	AWS      awsCmd      `cmd:"" name:"aws" help:"Deploy on AWS: from CloudWatch Logs to Security Hub, with alarms and dashboards."`
	Users    usersCmd    `cmd:"" help:"Add people who may sign in to the portal, set passwords."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// streams are the process's own, so that tests can give others.
type streams struct {
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger
}

func main() {
	if status, is := simulate.Child(); is { // one of the processes that eyrie simulate starts
		os.Exit(status)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// exitStatus is an error that has been reported already and only carries the exit status.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// run is main without the process: it returns the exit status.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	status := -1
	parser, err := kong.New(&c,
		kong.Name("eyrie"),
		kong.Description("Eyrie watches containers while they run: Falco's alerts come in, findings that a person can triage go out.\n\nStart with: eyrie up"),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Configuration(configResolver),
		kong.Vars{"data": app.DefaultData()},
		kong.Writers(out, errOut),
		kong.Exit(func(s int) { status = s; panic(exitStatus(s)) }),
	)
	if err != nil {
		fmt.Fprintln(errOut, "eyrie:", err)
		return 2
	}
	kctx, err := parse(parser, args)
	if status >= 0 {
		return status
	}
	if err != nil {
		fmt.Fprintf(errOut, "eyrie: %v\nRun \"eyrie --help\" for what there is.\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := streams{in, out, errOut, logger(errOut, c.LogLevel, c.LogJSON)}
	kctx.BindTo(ctx, (*context.Context)(nil))
	if err := kctx.Run(s); err != nil {
		var code exitStatus
		if errors.As(err, &code) {
			return int(code)
		}
		fmt.Fprintln(errOut, "eyrie:", err)
		return 1
	}
	return 0
}

// parse turns the panic by which kong's --help leaves into an ordinary return.
func parse(parser *kong.Kong, args []string) (ctx *kong.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			code, ok := r.(exitStatus)
			if !ok {
				panic(r)
			}
			err = code
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	return parser.Parse(args)
}

func logger(w io.Writer, level string, asJSON bool) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: l}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(s streams) error {
	_, err := fmt.Fprintln(s.out, "eyrie", version())
	return err
}

// releaseVersion is set by the linker in releases.
var releaseVersion string

func version() string {
	if releaseVersion != "" {
		return releaseVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel " + s.Value[:12]
		}
	}
	return "devel"
}

package main

import (
	"context"
	"errors"

	"github.com/eyrie-sec/eyrie/app"
	"github.com/eyrie-sec/eyrie/collect/agent"
	"github.com/eyrie-sec/eyrie/falco"
)

type agentCmd struct {
	From    []string `placeholder:"PATH" sep:"," env:"EYRIE_FROM" help:"What to follow: files, globs such as '/var/log/containers/falco*.log' (quoted), - for stdin. Repeatable."`
	To      string   `required:"" placeholder:"URL" env:"EYRIE_TO" help:"The hub: http://HOST:PORT with --key-file, or the whole address http://HOST:PORT/falco/KEY. Or a log group of CloudWatch Logs: cloudwatch:GROUP."`
	KeyFile string   `placeholder:"FILE" type:"path" env:"EYRIE_KEY_FILE" help:"File with the hub's ingest key; read again when it changes."`
	CAFile  string   `name:"ca-file" placeholder:"FILE" type:"path" env:"EYRIE_CA_FILE" help:"PEM certificates to trust besides the system's."`

	Spool    string `placeholder:"DIR" type:"path" env:"EYRIE_SPOOL" help:"Where alerts wait while the hub is away (default /var/lib/eyrie-agent for root, else below the state directory)."`
	SpoolMax int64  `placeholder:"BYTES" default:"1073741824" env:"EYRIE_SPOOL_MAX" help:"Bound of the spool. When it is full, reading stops until the hub takes alerts again; nothing is dropped (default ${default})."`
	MaxLine  int    `placeholder:"BYTES" default:"4194304" env:"EYRIE_MAX_LINE" help:"Longest line; of a longer one the beginning goes to the hub's quarantine. At most 16 MiB (default ${default})."`
	FromEnd  bool   `env:"EYRIE_FROM_END" help:"Skip what files hold when they are followed for the first time. Without it they are read from their start; what the hub has already is not counted again."`

	Sensor      string `enum:"on,off" default:"off" env:"EYRIE_AGENT_SENSOR" help:"Watch this host and its containers and ship the sensor's alerts, besides those of --from or alone: on, off (default ${default})."`
	sensorFlags `group:"The sensor"`

	Stream  string `placeholder:"NAME" env:"EYRIE_STREAM" help:"Log stream, for CloudWatch Logs (default: the host's name). Made if it is missing."`
	Cluster string `placeholder:"NAME" env:"EYRIE_CLUSTER" help:"Cluster of the alerts."`
	Region  string `placeholder:"REGION" env:"EYRIE_REGION" help:"Region of the alerts, if it is not the hub's; of the log group, for CloudWatch Logs (default: AWS_REGION, or the instance's)."`
	Account string `placeholder:"ID" env:"EYRIE_ACCOUNT" help:"AWS account of the alerts, if it is not the hub's."`
}

// Help is what `eyrie agent --help` says above the flags.
func (agentCmd) Help() string {
	return `Understands Falco's JSON lines as they are, in containerd's and CRI-O's log format, and in Docker's. Follows rotation and
truncation. What was read and not delivered yet is in the spool; kill -9 loses nothing and sends nothing that would be
counted twice. With --from - alone it ends when stdin has ended and everything is delivered.

For CloudWatch Logs (--to cloudwatch:GROUP) the credentials are those that the AWS SDK finds: a role of the pod, task or
instance, AWS_PROFILE, or the environment. They need logs:CreateLogStream and logs:PutLogEvents.`
}

// Run follows and ships until it is told to stop.
func (c *agentCmd) Run(ctx context.Context, s streams) error {
	o := agent.Options{
		From: c.From, To: c.To, KeyFile: c.KeyFile, CAFile: c.CAFile, SpoolDir: c.Spool, SpoolMax: c.SpoolMax, MaxLine: c.MaxLine,
		FromStart: !c.FromEnd, Stream: c.Stream, Cluster: c.Cluster, Region: c.Region, Account: c.Account, Input: s.in, Logger: s.log,
	}
	if c.Sensor == app.SensorOn {
		d, err := app.OpenDetection(c.options(s.log))
		if err != nil {
			return err
		}
		s.log.Info("the sensor is on", "watches", d.Describe())
		stop := onHangup(func() { reload(d, s.log) })
		defer stop()
		o.Source = detectionSource{d}
		return errors.Join(agent.Run(ctx, o), d.Close())
	}
	if len(c.From) == 0 {
		return errors.New("nothing to ship: say what to follow with --from, or --sensor on")
	}
	return agent.Run(ctx, o)
}

// detectionSource gives the agent the sensor's alerts.
type detectionSource struct {
	d *app.Detection
}

// Run implements agent.Source.
func (d detectionSource) Run(ctx context.Context, deliver func(context.Context, [][]byte) error) error {
	return d.d.Run(ctx, func(ctx context.Context, alerts []*falco.Alert) error {
		records := make([][]byte, len(alerts))
		for i, a := range alerts {
			records[i] = falco.AppendJSON(nil, a)
		}
		return deliver(ctx, records)
	})
}

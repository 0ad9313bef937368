package main

import (
	"context"
	"time"

	"github.com/eyrie-sec/eyrie/app"
)

type upCmd struct {
	Data    string `placeholder:"DIR" default:"${data}" env:"EYRIE_DATA" help:"Directory for alerts, findings and keys (default ${data}). Made if it is missing; one process at a time."`
	Listen  string `placeholder:"HOST:PORT" default:"127.0.0.1:8080" env:"EYRIE_LISTEN" help:"Where to listen for alerts, the API and the portal. Port 0 takes a free one (default ${default})."`
	Account string `placeholder:"ID" default:"000000000000" env:"EYRIE_ACCOUNT" help:"AWS account (12 digits) of the findings (default ${default})."`
	Region  string `placeholder:"REGION" default:"local-1" env:"EYRIE_REGION" help:"Region of this hub and of its findings; API clients sign for it (default ${default})."`
	Cluster string `placeholder:"NAME" env:"EYRIE_CLUSTER" help:"Cluster of alerts that do not name one."`

	TLSCert string `name:"tls-cert" placeholder:"FILE" type:"path" env:"EYRIE_TLS_CERT" help:"PEM certificate chain; with --tls-key the listener speaks HTTPS."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" type:"path" env:"EYRIE_TLS_KEY" help:"PEM private key of --tls-cert."`

	SeverityMap string        `placeholder:"NAME" default:"conservative" env:"EYRIE_SEVERITY_MAP" help:"How Falco priorities become severities: conservative, guidance (Error and Warning are HIGH), or a YAML file of your own (default ${default})."`
	Conversion  string        `placeholder:"FILE" type:"path" env:"EYRIE_CONVERSION" help:"YAML file with severity, identity and remediation of single rules (docs/conversion.md)."`
	MaxBody     int64         `placeholder:"BYTES" default:"16777216" env:"EYRIE_MAX_BODY" help:"Largest body of one request to /falco, after decompression (default ${default})."`
	JournalAge  time.Duration `placeholder:"DURATION" default:"2160h" env:"EYRIE_JOURNAL_AGE" help:"How long alerts are kept as received (default ${default})."`
	JournalSize int64         `placeholder:"BYTES" default:"0" env:"EYRIE_JOURNAL_SIZE" help:"How much disk alerts may take before the oldest go; 0 leaves it to --journal-age."`
	Sensor      string        `enum:"auto,on,off" default:"auto" env:"EYRIE_SENSOR" help:"Watch this host and its containers: auto (if this host and user can), on (end with an error if they cannot), off (default ${default})."`
	sensorFlags `group:"The sensor"`

	Retention time.Duration `placeholder:"DURATION" default:"2160h" env:"EYRIE_RETENTION" help:"How long a finding is kept after its last update (default ${default})."`
}

// Help is what `eyrie up --help` says above the flags.
func (upCmd) Help() string {
	return `At start it prints where the portal is, with a link that signs the first person in, the line of falco.yaml that sends a
Falco's alerts here, and a command that sends a first alert. In DIR it keeps, readable by its owner alone:

  credentials   AWS credentials file, profile "eyrie": the key of the Security Hub API
  ingest.key    the key that Falco and agents send alerts with
  users.json    the people who may sign in

GET /healthz answers 200 while alerts can be stored. GET /metrics (bearer: the ingest key) serves Prometheus.
SIGTERM or Ctrl-C finishes what was accepted and stops.`
}

// Run runs everything until it is told to stop.
func (c *upCmd) Run(ctx context.Context, s streams) error {
	a, err := app.New(app.Options{
		Data: c.Data, Listen: c.Listen, Account: c.Account, Region: c.Region, Cluster: c.Cluster,
		TLSCert: c.TLSCert, TLSKey: c.TLSKey, Severity: c.SeverityMap, Conversion: c.Conversion,
		MaxBody: c.MaxBody, JournalAge: c.JournalAge, JournalSize: c.JournalSize, Retention: c.Retention,
		Sensor: c.Sensor, Detection: c.options(s.log),
		Logger: s.log, Out: s.out, Version: version(),
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

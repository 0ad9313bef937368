package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/eyrie-sec/eyrie/app"
	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/falco"
)

type convertCmd struct {
	Account     string `placeholder:"ID" default:"000000000000" env:"EYRIE_ACCOUNT" help:"AWS account (12 digits) of the findings (default ${default})."`
	Region      string `placeholder:"REGION" default:"local-1" env:"EYRIE_REGION" help:"Region of the findings (default ${default})."`
	Cluster     string `placeholder:"NAME" env:"EYRIE_CLUSTER" help:"Cluster of the findings."`
	SeverityMap string `placeholder:"NAME" default:"conservative" env:"EYRIE_SEVERITY_MAP" help:"How Falco priorities become severities: conservative, guidance (Error and Warning are HIGH), or a YAML file of your own (default ${default})."`
	Conversion  string `placeholder:"FILE" type:"path" env:"EYRIE_CONVERSION" help:"YAML file with severity, identity and remediation of single rules (docs/conversion.md)."`
}

// Help is what `eyrie convert --help` says above the flags.
func (convertCmd) Help() string {
	return `Reads alerts as Falco prints them with json_output, one a line, and writes one finding a line in the same order:

  eyrie convert < alerts.jsonl > findings.jsonl

A line that is no alert is reported on stderr with its number and the reason; the rest is converted, and the exit status
is 1. The same alerts give the same bytes, on every machine and at any time.`
}

// Run converts stdin to stdout.
func (c *convertCmd) Run(ctx context.Context, s streams) error {
	o := falco.Origin{Account: c.Account, Region: c.Region, Cluster: c.Cluster}
	if err := app.CheckOrigin(o); err != nil {
		return err
	}
	converter, err := app.NewConverter(c.SeverityMap, c.Conversion)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		// Nearly all that is allocated is garbage at once and the heap stays at a few megabytes: collect it seldom.
		debug.SetGCPercent(2000)
	}
	result, err := convert.Stream(ctx, s.in, s.out, converter, o, func(line int, err error) {
		fmt.Fprintf(s.err, "eyrie: line %d: %v\n", line, err)
	})
	if err != nil {
		return err
	}
	if result.Bad > 0 {
		fmt.Fprintf(s.err, "eyrie: %d of %d lines are no alerts; the others are converted\n", result.Bad, result.Bad+result.Converted)
		return exitStatus(1)
	}
	return nil
}

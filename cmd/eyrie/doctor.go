package main

import (
	"context"
	"encoding/json"

	"github.com/eyrie-sec/eyrie/sensor/doctor"
)

type doctorCmd struct {
	JSON bool `help:"Print JSON for machines."`
}

// Help is what `eyrie doctor --help` says above the flags.
func (doctorCmd) Help() string {
	return `Looks at the kernel, the rights of this user, what can be seen of the host, and the container runtimes; changes nothing.
Exit status: 0 the sensor can run here, 1 it cannot, and the lines that say "problem" say what to do.`
}

// Run examines this host.
func (c doctorCmd) Run(ctx context.Context, s streams) error {
	report := doctor.Examine(ctx)
	var err error
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(report)
	} else {
		err = report.Print(s.out)
	}
	return status(report.Usable, err)
}

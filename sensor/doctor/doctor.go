// Package doctor says what this host and this user offer the sensor, and what to do about what is missing. It reads /proc
// and /sys, asks the kernel what it can load, and connects to the sockets of container runtimes; out comes a Report for
// people or machines. It changes nothing, and never fails: what cannot be found out is a line of the report.
package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Status is how a check came out.
type Status string

// The outcomes.
const (
	OK      Status = "ok"
	Note    Status = "note"    // something will be missing, or is good to know
	Problem Status = "problem" // the sensor cannot run
)

// Check is one thing that was looked at.
type Check struct {
	Area   string `json:"area"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Do     string `json:"do,omitempty"` // how to mend it
}

// Report is everything that was looked at.
type Report struct {
	Usable bool    `json:"usable"` // the sensor can run
	Checks []Check `json:"checks"`
}

// Examine looks at everything. It takes some seconds at most; ctx can end it earlier.
func Examine(ctx context.Context) Report {
	h := host{root: "/"}
	r := Report{Usable: true}
	for _, examine := range []func(context.Context, host) []Check{system, rights, kernelParts, surroundings, runtimes, tools} {
		r.Checks = append(r.Checks, examine(ctx, h)...)
	}
	for _, c := range r.Checks {
		r.Usable = r.Usable && c.Status != Problem
	}
	return r
}

// Print writes the report as a table.
func (r *Report) Print(w io.Writer) error {
	nameWidth := 0
	for _, c := range r.Checks {
		nameWidth = max(nameWidth, len(c.Name))
	}
	var b strings.Builder
	area := ""
	for _, c := range r.Checks {
		if c.Area != area {
			area = c.Area
			fmt.Fprintf(&b, "%s\n", area)
		}
		fmt.Fprintf(&b, "  %-8s%-*s  %s\n", c.Status, nameWidth, c.Name, c.Found)
		if c.Do != "" {
			fmt.Fprintf(&b, "  %-8s%-*s  -> %s\n", "", nameWidth, "", c.Do)
		}
	}
	if r.Usable {
		b.WriteString("\nThe sensor can run here.\n")
	} else {
		b.WriteString("\nThe sensor cannot run here; every line that says problem has to be mended.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func ok(area, name, found string) Check {
	return Check{Area: area, Name: name, Status: OK, Found: found}
}

func note(area, name, found, do string) Check {
	return Check{Area: area, Name: name, Status: Note, Found: found, Do: do}
}

func problem(area, name, found, do string) Check {
	return Check{Area: area, Name: name, Status: Problem, Found: found, Do: do}
}

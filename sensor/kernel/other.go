//go:build !linux

package kernel

import (
	"errors"

	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// ErrWoken is what Next answers after Wake. It never occurs here.
var ErrWoken = errors.New("woken")

// noLinux is why there is no sensor.
func noLinux() error {
	return &Lack{What: "missing Linux", Do: "run the sensor on the hosts that run containers, and send their alerts here"}
}

// Source reads the kernel's events. There is none on this system: Open always fails.
type Source struct{}

// Open fails.
func Open(Config) (*Source, error) { return nil, noLinux() }

// Probe fails.
func Probe() ([]Hook, error) { return nil, noLinux() }

// Close does nothing.
func (*Source) Close() error { return nil }

// Know does nothing.
func (*Source) Know(*raw.Task, string) {}

// Missing is empty.
func (*Source) Missing() []string { return nil }

// Next fails.
func (*Source) Next(*raw.Event) error { return noLinux() }

// SetFilter fails.
func (*Source) SetFilter(filter.Filter) error { return noLinux() }

// Stats fails.
func (*Source) Stats() (Stats, error) { return Stats{}, noLinux() }

// Wake does nothing.
func (*Source) Wake() {}

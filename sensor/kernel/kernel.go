// Package kernel brings what happens on this host out of the kernel: it loads the programs of sensor/bpf, attaches
// them, tells them which events are wanted and reads their ring buffer. Out go raw events, in the order in which they
// happened, with the state of the task and the memory and objects that belong to them. It needs Linux 5.8 with BTF and
// the capabilities that Probe names. What the kernel lacks is an error of Open where nothing works without it, else a
// line of Missing; what is lost on the way is counted by cause. It never changes, holds up or blocks anything.
package kernel

import "github.com/eyrie-sec/eyrie/sensor/filter"

// Config says what to watch.
type Config struct {
	Filter    filter.Filter // which events are wanted; starts, execs and ends of processes are always told
	RingBytes int           // of the buffer between kernel and program, a power of two and at least a page; 0: 8 MiB
}

// Stats counts what became of events since Open.
type Stats struct {
	Sent     uint64 // put into the buffer
	Filtered uint64 // of wanted types, but no rule can match them
	Full     uint64 // lost: the buffer was full
	Internal uint64 // lost: larger than a record can be, or not understood; a mistake of ours
	Cut      uint64 // sent without some of their parts, which did not fit
}

// Hook is a place in the kernel that the sensor listens at.
type Hook struct {
	Name   string // of the tracepoint
	Needed bool   // the sensor does not run without it
	Err    error  // why it cannot be used; nil if it can
}

// Lack is something that the kernel or the user has to give and does not.
type Lack struct {
	What string // what is missing
	Do   string // what to do about it
	Err  error  // the kernel's own words; may be nil
}

func (l *Lack) Error() string {
	text := l.What + ": " + l.Do
	if l.Err != nil {
		text += " (" + l.Err.Error() + ")"
	}
	return text
}

func (l *Lack) Unwrap() error { return l.Err }

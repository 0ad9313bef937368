//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/eyrie-sec/eyrie/sensor/bpf"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

const defaultRingBytes = 8 << 20

// nap is how long Next lets events gather once it has read all: while it has not caught up, the kernel does not wake it
// for each. It is the delay of a finding, and what the buffer has to hold.
const nap = 5 * time.Millisecond

// Source reads the kernel's events. Next is for one goroutine; the other methods are for any.
type Source struct {
	objects bpf.SensorObjects
	reader  *ringbuf.Reader
	links   []link.Link
	record  ringbuf.Record
	decoder decoder
	busy    bool             // there were events when Next looked last
	told    map[int32]uint64 // processes that Know has told of since toldFor, by id: their start
	toldFor uint64

	knownSince atomic.Uint64 // ns since boot: processes that started before are older than the filter

	mu       sync.Mutex // guards what follows
	entries  link.Link  // to the entry of system calls; nil while it is of no use
	missing  []string
	names    map[string]uint64 // of processes that gates ask for, with their sets
	badInput uint64            // records that could not be decoded
	closed   bool
}

// Open loads and attaches. The error of a kernel or user that lacks something names it and what to do.
func Open(cfg Config) (*Source, error) {
	if cfg.RingBytes == 0 {
		cfg.RingBytes = defaultRingBytes
	}
	if cfg.RingBytes < os.Getpagesize() || cfg.RingBytes&(cfg.RingBytes-1) != 0 {
		return nil, fmt.Errorf("ring buffer of %d bytes: give a power of two, and at least %d", cfg.RingBytes, os.Getpagesize())
	}
	s, err := load(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.start(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// load puts the programs into the kernel, without attaching them.
func load(cfg Config) (*Source, error) {
	spec, err := bpf.LoadSensor()
	if err != nil {
		return nil, fmt.Errorf("read the programs in this binary: %w", err)
	}
	spec.Maps["events"].MaxEntries = uint32(cfg.RingBytes)
	// Kernels before 5.11 count maps against RLIMIT_MEMLOCK. Where it cannot be raised loading says so.
	_ = rlimit.RemoveMemlock()
	s := &Source{}
	if err := spec.LoadAndAssign(&s.objects, nil); err != nil {
		return nil, explain(err)
	}
	return s, nil
}

func (s *Source) start(cfg Config) error {
	if err := s.hide(); err != nil {
		return err
	}
	if err := s.SetFilter(cfg.Filter); err != nil {
		return err
	}
	var err error
	if s.reader, err = ringbuf.NewReader(s.objects.Events); err != nil {
		return fmt.Errorf("open the ring buffer: %w", err)
	}
	s.decoder.init()
	if err := s.attachAll(); err != nil {
		return err
	}
	return s.know()
}

// hide tells the kernel which process is our own, whose system calls are not told. The kernel knows it by its id in
// its own PID namespace, as /proc shows it.
func (s *Source) hide() error {
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &ns); err != nil {
		return fmt.Errorf("find the own PID namespace: %w; mount /proc", err)
	}
	if err := s.setVariable("own_pid", s.objects.OwnPid, uint32(os.Getpid())); err != nil {
		return err
	}
	return s.setVariable("own_pidns", s.objects.OwnPidns, uint32(ns.Ino))
}

// A hook is a tracepoint and how our program is attached to it.
type hook struct {
	name   string
	needed bool
	attach func() (link.Link, error)
}

func (s *Source) hooks() []hook {
	untyped := func(name string, needed bool, p *ebpf.Program) hook {
		return hook{name, needed, func() (link.Link, error) {
			return link.AttachRawTracepoint(link.RawTracepointOptions{Name: name, Program: p})
		}}
	}
	return []hook{
		untyped("sched_process_fork", true, s.objects.OnFork),
		untyped("sched_process_exec", true, s.objects.OnExec),
		untyped("sched_process_exit", true, s.objects.OnExit),
		{"sys_exit", true, func() (link.Link, error) {
			return link.AttachTracing(link.TracingOptions{Program: s.objects.OnSysExit})
		}},
		untyped("signal_deliver", false, s.objects.OnSignal),
	}
}

// attachAll hooks the programs in. Without system calls and the life of processes there is no sensor.
func (s *Source) attachAll() error {
	for _, h := range s.hooks() {
		l, err := h.attach()
		if err == nil {
			s.links = append(s.links, l)
			continue
		}
		err = fmt.Errorf("attach to the tracepoint %s: %w", h.name, explain(err))
		if h.needed {
			return err
		}
		s.missing = append(s.missing, err.Error())
	}
	return nil
}

// Next waits for the next event and reads it into ev. It answers ErrWoken after Wake, and an error that is os.ErrClosed
// after Close.
func (s *Source) Next(ev *raw.Event) error {
	for {
		err := s.reader.ReadInto(&s.record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // all has been read
			time.Sleep(nap)
			s.busy = false
			s.reader.SetDeadline(time.Time{})
			continue
		case errors.Is(err, os.ErrClosed), errors.Is(err, ErrWoken):
			return err
		case err != nil:
			return fmt.Errorf("read the ring buffer: %w", err)
		}
		if !s.busy {
			s.busy = true
			s.reader.SetDeadline(time.Unix(1, 0)) // answer at once when there is no more
		}
		if s.decoder.decode(s.record.RawSample, ev) {
			return nil
		}
		s.mu.Lock()
		s.badInput++
		s.mu.Unlock()
	}
}

// Missing says what this kernel lacks although the rest works, a line each.
func (s *Source) Missing() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.missing)
}

// Stats tells what became of events. It asks the kernel, so it is not for every event.
func (s *Source) Stats() (Stats, error) {
	var perCPU []bpf.SensorCounts
	if err := s.objects.Counters.Lookup(uint32(0), &perCPU); err != nil {
		return Stats{}, fmt.Errorf("read the counters: %w", err)
	}
	var out Stats
	for _, c := range perCPU {
		out.Sent += c.Sent
		out.Filtered += c.Filtered
		out.Full += c.LostFull
		out.Internal += c.LostInternal
		out.Cut += c.Cut
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Internal += s.badInput
	return out, nil
}

// Close takes the programs out of the kernel and ends Next.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	for _, l := range s.links {
		errs = append(errs, l.Close())
	}
	if s.entries != nil {
		errs = append(errs, s.entries.Close())
	}
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	return errors.Join(append(errs, s.objects.Close())...)
}

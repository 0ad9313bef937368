//go:build linux

package kernel

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/bpf"
	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// Flags and kinds; sensor/bpf/capture.h and gate.h have the same numbers.
const (
	notZero, gated, atEntry = 1, 2, 4

	gatePlain, gateOpen, gateSocket = 0, 1, 3

	noPath     = 0xff
	prefixSize = 256 - 9 // bytes of a path's beginning that are compared; longer paths pass
	suffixSize = 32

	membarrierGlobal = 1 // MEMBARRIER_CMD_GLOBAL, linux/membarrier.h
)

// SetFilter changes which events are wanted. While it works, events of old and new types pass unfiltered; what it
// cannot put into the kernel's tables passes as well.
func (s *Source) SetFilter(f filter.Filter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, err := describeCalls()
	if err != nil {
		return err
	}
	if err := s.setVariable("gates_open", s.objects.GatesOpen, uint32(1)); err != nil {
		return err
	}
	wanted, entry := [raw.MaxNr / 64]uint64{}, false
	for nr := range int32(raw.MaxNr) {
		t, ok := typeOf(nr)
		if !ok || !f.Types.Has(t) {
			continue
		}
		wanted[nr/64] |= 1 << (nr % 64)
		entry = entry || table[nr].Flags&atEntry != 0
		if g, ok := f.Gates[t]; ok {
			table[nr].Flags |= gated
			if err := s.objects.Gates.Put(uint32(nr), gateOf(t, g)); err != nil {
				return fmt.Errorf("tell the kernel which events of %s are wanted: %w", t, err)
			}
		}
	}
	for nr := range table {
		if err := s.objects.Calls.Put(uint32(nr), table[nr]); err != nil {
			return fmt.Errorf("fill the table of system calls: %w", err)
		}
	}
	if err := s.setVariable("wanted", s.objects.Wanted, wanted); err != nil {
		return err
	}
	var signals uint32
	if t, ok := filter.CallType("signaldeliver"); ok && f.Types.Has(t) {
		signals = 1
	}
	if err := s.setVariable("wanted_signals", s.objects.WantedSignals, signals); err != nil {
		return err
	}
	if err := s.watchEntries(entry); err != nil {
		return err
	}
	if err := s.setSets(f.Sets); err != nil {
		if errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ENOSPC) {
			return nil // too many texts: the gates stay open
		}
		return err
	}
	return s.setVariable("gates_open", s.objects.GatesOpen, uint32(0))
}

// watchEntries attaches to the entry of system calls while it is of use: it costs every call of every process.
func (s *Source) watchEntries(on bool) error {
	if on == (s.entries != nil) {
		return nil
	}
	if !on {
		err := s.entries.Close()
		s.entries = nil
		return err
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: s.objects.OnSysEnter})
	if err != nil {
		s.missing = append(s.missing, fmt.Sprintf("tracepoint sys_enter, so that close is told without its file: %v", explain(err)))
		return nil
	}
	s.entries = l
	return nil
}

func (s *Source) setVariable(name string, v *ebpf.Variable, value any) error {
	if err := v.Set(value); err != nil {
		return fmt.Errorf("set %s in the kernel: %w", name, err)
	}
	return nil
}

// typeOf is the event type of an index of the kernel's table of calls.
func typeOf(nr int32) (field.EventType, bool) {
	name := raw.Name(nr)
	if nr >= raw.CompatBase {
		name = raw.Name(raw.FromCompat(nr - raw.CompatBase))
	}
	if name == "" {
		return 0, false
	}
	return filter.CallType(name)
}

func gateOf(t field.EventType, g filter.Gate) bpf.SensorGate {
	out := bpf.SensorGate{Wanted: g.Wanted, Paths: [2]uint8{noPath, noPath}}
	for i, arg := range filter.PathArguments(t) {
		out.Paths[i] = uint8(arg)
	}
	switch {
	case t.String() == "open":
		out.Kind, out.FlagsArg = gateOpen, 1
	case t.String() == "openat":
		out.Kind, out.FlagsArg = gateOpen, 2
	case filter.OnSocket(t):
		out.Kind = gateSocket
	}
	return out
}

// setSets tells the kernel what the bits of gates mean.
func (s *Source) setSets(sets []filter.Set) error {
	t := newTexts(sets)
	for _, m := range []*ebpf.Map{s.objects.Prefixes, s.objects.Suffixes, s.objects.Names} {
		if err := empty(m); err != nil {
			return err
		}
	}
	for text, bits := range t.prefixes {
		key := bpf.SensorPrefix{Bits: uint32(len(text)) * 8}
		copy(key.Text[:], text)
		if err := s.objects.Prefixes.Put(key, bits); err != nil {
			return fmt.Errorf("put the path %q into the kernel's table: %w", text, err)
		}
	}
	for text, bits := range t.suffixes {
		key := bpf.SensorSuffix{Bits: uint32(len(text)) * 8}
		copy(key.Text[:], text)
		if err := s.objects.Suffixes.Put(key, bits); err != nil {
			return fmt.Errorf("put the end %q of a path, read backwards, into the kernel's table: %w", text, err)
		}
	}
	if err := s.setNames(t.names); err != nil {
		return err
	}
	if err := s.setVariable("sets", s.objects.Sets, t.kinds); err != nil {
		return err
	}
	if len(t.needles) > len(t.kinds.Needles) {
		return unix.E2BIG
	}
	return nil
}

// setNames changes by which names processes are known. From now on those that run already are not known, until Know
// tells of them.
func (s *Source) setNames(names map[string]uint64) error {
	for name, bits := range names {
		var key bpf.SensorName
		for i := range len(name) {
			key.Text[i] = int8(name[i])
		}
		if err := s.objects.Names.Put(key, bits); err != nil {
			return fmt.Errorf("put the process name %q into the kernel's table: %w", name, err)
		}
	}
	s.names = names
	if err := s.setVariable("known_since", s.objects.KnownSince, ^uint64(0)); err != nil {
		return err
	}
	// Programs that still run with the old names end before this returns: it waits for all CPUs (membarrier(2)).
	_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0)
	if err := empty(s.objects.Processes); err != nil {
		return err
	}
	if err := s.setVariable("processes_full", s.objects.ProcessesFull, uint32(0)); err != nil || len(s.links) == 0 {
		return err // before the programs are attached no process is known
	}
	return s.know()
}

// know lets the kernel take processes that start from now on as known.
func (s *Source) know() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return fmt.Errorf("read the clock since boot: %w", err)
	}
	s.knownSince.Store(uint64(now.Nano()))
	return s.setVariable("known_since", s.objects.KnownSince, uint64(now.Nano()))
}

// Know tells the kernel the name of a process, as rules see it (proc.name), if it is older than the filter and was not
// told before: until then everything of it passes that some rule wants of processes of a certain name. It is for the
// goroutine of Next, with the task of an event.
func (s *Source) Know(task *raw.Task, name string) {
	since := s.knownSince.Load()
	if task.Start >= since {
		return
	}
	if s.toldFor != since || len(s.told) > maxTold {
		s.told, s.toldFor = map[int32]uint64{}, since
	}
	if s.told[task.PID] == task.Start {
		return
	}
	s.told[task.PID] = task.Start
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.knownSince.Load() != since {
		return // the filter has changed meanwhile
	}
	bits := s.names[name[:min(len(name), 15)]]
	// What the kernel has noted itself, at an exec since, stays. A process that cannot be told of goes on passing.
	_ = s.objects.Processes.Update(uint32(task.PID), bits, ebpf.UpdateNoExist)
}

// maxTold bounds the memory of Know.
const maxTold = 1 << 16

func empty(m *ebpf.Map) error {
	for {
		key, err := m.NextKeyBytes(nil)
		if err != nil {
			return fmt.Errorf("empty the kernel's table %s: %w", m, err)
		}
		if key == nil {
			return nil
		}
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("empty the kernel's table %s: %w", m, err)
		}
	}
}

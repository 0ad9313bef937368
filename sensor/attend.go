package sensor

import (
	"context"
	"time"

	"github.com/eyrie-sec/eyrie/sensor/container"
	"github.com/eyrie-sec/eyrie/sensor/kernel"
	"github.com/eyrie-sec/eyrie/sensor/procs"
	"github.com/eyrie-sec/eyrie/sensor/state"
)

const (
	// attendEvery is how often the kernel is asked for lost events.
	attendEvery = time.Second
	// refreshEvery is how often the addresses of the machine are looked up.
	refreshEvery = 30 * time.Second
	// sweepEvery is how often, at most, /proc is listed after events were lost: it costs a second per 100,000 processes.
	sweepEvery = 10 * time.Second
)

// Stats is how a Sensor is doing. Counters count since Open.
type Stats struct {
	Events   uint64        // given to Run's function
	Sent     uint64        // that the kernel told; more than Events, as the life of processes is always told
	Filtered uint64        // that the kernel did not tell, because no rule can match them
	Lag      time.Duration // between the last event and the end of its evaluation

	// Drops is what was not seen or not complete, by cause. All zero is good. Causes are fixed texts.
	Drops map[string]uint64

	Processes   int
	Descriptors int
	Containers  int
	Missing     []string // what this kernel lacks, a line each
}

// Causes of drops.
const (
	causeRing       = "kernel buffer full"
	causeInternal   = "event too large or not understood"
	causeCut        = "event told without some of its parts"
	causeLate       = "container not known in time"
	causeCrowd      = "too many events waiting for containers"
	causeEvicted    = "process table full"
	causeText       = "arguments or environment not kept"
	causeDescriptor = "descriptor not kept"
	causeLookup     = "lookup in /proc not made"
)

// Stats returns how it is doing.
func (s *Sensor) Stats() Stats {
	k := s.kernelStats()
	p, d := s.table.Table.Stats(), s.table.Descriptors().Stats()
	return Stats{
		Events: s.events.Load(), Sent: k.Sent, Filtered: k.Filtered, Lag: time.Duration(s.lag.Load()),
		Drops: map[string]uint64{
			causeRing: k.Full, causeInternal: k.Internal, causeCut: k.Cut,
			causeLate: s.waitLate.Load(), causeCrowd: s.waitFull.Load(),
			causeEvicted: p.Evicted, causeText: p.EnvDropped + p.ArgsDropped, causeLookup: p.Unasked, causeDescriptor: d.Forgotten,
		},
		Processes: p.Processes, Descriptors: d.Descriptors, Containers: s.resolver.Stats().Containers, Missing: s.source.Missing(),
	}
}

// kernelStats asks the kernel; once the source is closed it is what the kernel said last.
func (s *Sensor) kernelStats() kernel.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone {
		if st, err := s.source.Stats(); err == nil {
			s.last = st
		}
	}
	return s.last
}

// Close takes the sensor out of the kernel. It may be called more than once.
func (s *Sensor) Close() error {
	s.kernelStats()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil
	}
	s.gone = true
	return s.source.Close()
}

// attend does what has to be done beside the reading of events, until ctx ends; then it wakes the reader.
func (s *Sensor) attend(ctx context.Context) {
	defer s.source.Wake()
	tick := time.NewTicker(attendEvery)
	defer tick.Stop()
	var lost uint64
	var refreshed, swept time.Time
	behind := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.resolver.Changed():
			s.source.Wake()
			continue
		case <-tick.C:
		}
		now := time.Now()
		k := s.kernelStats()
		if k.Full+k.Internal > lost {
			s.log.Warn("events were lost", "events", k.Full+k.Internal-lost, "cause", causeRing, "buffer_bytes", s.cfg.BufferBytes)
			lost = k.Full + k.Internal
			s.table.Lost()
			behind = true
		}
		if behind && now.Sub(swept) >= sweepEvery {
			if err := s.table.Sweep(); err != nil {
				s.log.Warn("processes that ended unseen stay in the table", "error", err)
			}
			behind, swept = false, now
		}
		if now.Sub(refreshed) >= refreshEvery {
			s.table.Descriptors().Refresh()
			refreshed = now
		}
	}
}

// place is where a process runs, kept with it: the container that its control groups say.
type place struct {
	groups *procs.Cgroups
	ref    *container.Ref
}

// containerOf is the container of the event's process.
func (s *Sensor) containerOf(t *state.Thread) *container.Ref {
	if at, ok := t.Container.(*place); ok && at.groups == t.Cgroups {
		return at.ref
	}
	var paths []string
	if t.Cgroups != nil {
		for _, g := range t.Cgroups.Paths {
			paths = append(paths, g.Path)
		}
	}
	at := &place{t.Cgroups, s.resolver.Of(paths...)}
	t.Container = at
	return at.ref
}

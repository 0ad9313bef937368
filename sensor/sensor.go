// Package sensor watches this host's kernel. In come system calls, forks, execs and exits, as package kernel reads them;
// out go events in Falco's terms, in the order in which they happened, with the process and its ancestors (state), the
// parameters (args), the container and the users. A rule engine says what is worth looking at (Use).
//
// The package never changes what it watches, never holds it up, and never sees events of its own process. It fails at
// Open with an error that names what the kernel or the user lacks; once it runs, what it could not see is counted by
// cause (Stats.Drops), and nothing ends it but the context or the kernel's buffer becoming unreadable.
package sensor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/args"
	"github.com/eyrie-sec/eyrie/sensor/container"
	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/kernel"
	"github.com/eyrie-sec/eyrie/sensor/raw"
	"github.com/eyrie-sec/eyrie/sensor/state"
	"github.com/eyrie-sec/eyrie/sensor/users"
)

// Config says what to watch. Engine is needed; the zero value of everything else is usable.
type Config struct {
	Engine      *rule.Engine  // whose event types are watched
	BufferBytes int           // of the kernel's buffer, a power of two; 0: 8 MiB
	NoFilter    bool          // bring every event of a watched type, also those that no rule can match
	Wait        time.Duration // how long events of a new container wait for its runtime's answer; 0: container.DefaultPatience
	Containers  container.Config
	Logger      *slog.Logger
}

// usersWait is how long an event waits for the users of a container of which nothing has been read yet: it holds up all
// events, so it has to be short of what the kernel's buffer holds.
const usersWait = 30 * time.Millisecond

// maxMet is how many mount namespaces are remembered, before all are forgotten.
const maxMet = 4096

// source is where raw events come from. *kernel.Source is one.
type source interface {
	// Next waits for the next event. It answers kernel.ErrWoken after Wake, and os.ErrClosed after Close.
	Next(*raw.Event) error
	Wake()
	SetFilter(filter.Filter) error
	Stats() (kernel.Stats, error)
	Missing() []string
	Close() error
}

// knower is a source that can be told the names of processes which ran before it; it need not tell their events, then,
// where rules want those of processes of certain names. *kernel.Source is one.
type knower interface {
	Know(*raw.Task, string)
}

// Sensor is loaded into the kernel. Run is for one goroutine, once; the other methods are for any.
type Sensor struct {
	cfg    Config
	log    *slog.Logger
	source source
	knower knower // source, where it is one
	table  *state.Table
	users  *users.Names

	resolver *container.Resolver
	filler   *args.Filler
	waiting  *container.Waiting[*held]
	stopSeed func()              // ends the reading of /proc
	free     []*held             // of waiting, to be used again
	alarm    time.Time           // when waiting has to be looked at
	met      map[uint32]struct{} // mount namespaces whose users have been read

	engine atomic.Pointer[watched]
	now    *container.Ref // of the event that is being evaluated

	events   atomic.Uint64
	seeded   atomic.Bool // the names of all processes are known
	lag      atomic.Int64
	waitLate atomic.Uint64
	waitFull atomic.Uint64

	mu   sync.Mutex   // guards what follows
	last kernel.Stats // as of the last time that the kernel answered
	gone bool         // the source is closed
}

// watched is what the sensor looks at for one engine.
type watched struct {
	engine *rule.Engine
	types  int
}

// held is an event that waits for its container.
type held struct {
	ref *container.Ref
	ev  event.Event
}

// seedWithin is how long Open waits for the processes that run already to be read; the rest is read during Run.
const seedWithin = 2 * time.Second

// Open loads the programs into the kernel and attaches them, and reads which processes run already. Events are kept in
// the kernel's buffer until Run.
func Open(cfg Config) (*Sensor, error) {
	src, err := kernel.Open(kernel.Config{Filter: filterOf(&cfg, cfg.Engine), RingBytes: cfg.BufferBytes})
	if err != nil {
		return nil, err
	}
	s := join(cfg, src)
	s.seed()
	return s, nil
}

// seed begins to read /proc, and waits for a while.
func (s *Sensor) seed() {
	ctx, stop := context.WithCancel(context.Background())
	s.stopSeed = stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		switch err := s.table.Seed(ctx); {
		case err == nil:
			s.seeded.Store(true)
		case ctx.Err() == nil:
			s.log.Warn("processes that run already are known only once they do something", "error", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(seedWithin):
	}
}

// filterOf is what the kernel need not tell for a set of rules.
func filterOf(cfg *Config, g *rule.Engine) filter.Filter {
	if cfg.NoFilter {
		return filter.Types(g.EventTypes())
	}
	return filter.FromRules(g.Rules())
}

// join puts the parts together.
func join(cfg Config, src source) *Sensor {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Containers.Logger == nil {
		cfg.Containers.Logger = cfg.Logger
	}
	s := &Sensor{cfg: cfg, log: cfg.Logger, source: src, users: users.New(users.Config{Wait: usersWait}), resolver: container.New(cfg.Containers)}
	s.table = state.New(state.Config{Users: s.users})
	s.filler = args.New(s.table)
	s.met = map[uint32]struct{}{}
	s.stopSeed = func() {}
	s.knower, _ = src.(knower)
	s.keep(cfg.Engine)
	return s
}

func (s *Sensor) keep(g *rule.Engine) {
	types := g.EventTypes()
	s.engine.Store(&watched{g, len(types.Types())})
}

// Use watches what another engine looks at, from the next event on.
func (s *Sensor) Use(g *rule.Engine) error {
	s.keep(g)
	return s.source.SetFilter(filterOf(&s.cfg, g))
}

// Describe says in a few words what is watched.
func (s *Sensor) Describe() string {
	text := fmt.Sprintf("%d event types", s.engine.Load().types)
	if missing := s.source.Missing(); len(missing) > 0 {
		text += "; this kernel lacks " + strings.Join(missing, ", ")
	}
	return text
}

// Run gives events to each until ctx ends. An event is valid until each returns.
func (s *Sensor) Run(ctx context.Context, each func(*event.Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	defer s.stopSeed()
	beside.Go(func() { s.table.Run(ctx) })
	beside.Go(func() {
		if err := s.resolver.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Error("containers are not looked up any more", "error", err)
		}
	})
	beside.Go(func() { s.attend(ctx) })
	return s.read(ctx, each)
}

// read is the loop that all events go through.
func (s *Sensor) read(ctx context.Context, each func(*event.Event)) error {
	s.waiting = container.NewWaiting(0, s.cfg.Wait, func(h *held) {
		h.ref.Container().Fill(&h.ev)
		each(&h.ev)
		s.free = append(s.free, h)
	})
	defer func() {
		s.waiting.Close()
		s.noteWaiting()
	}()
	var r raw.Event
	e := &event.Event{Resolve: s.resolve, ResolveArg: s.filler.ResolveArg}
	for {
		err := s.source.Next(&r)
		switch {
		case err == nil:
			s.event(&r, e, each)
		case ctx.Err() != nil || errors.Is(err, os.ErrClosed):
			return nil
		case !errors.Is(err, kernel.ErrWoken):
			return err
		}
		s.release()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// release lets events go whose container is known by now, and sets the alarm for those that go on waiting.
func (s *Sensor) release() {
	if _, waits := s.waiting.Next(); !waits {
		return
	}
	now := time.Now()
	s.waiting.Release(now)
	s.noteWaiting()
	if next, waits := s.waiting.Next(); waits && !next.Equal(s.alarm) {
		s.alarm = next
		time.AfterFunc(next.Sub(now)+time.Millisecond, s.source.Wake)
	}
}

func (s *Sensor) noteWaiting() {
	st := s.waiting.Stats()
	s.waitLate.Store(st.Late)
	s.waitFull.Store(st.Full)
}

// event takes one raw event in, and gives it to each if any rule may match it.
func (s *Sensor) event(r *raw.Event, e *event.Event, each func(*event.Event)) {
	thread := s.table.Apply(r)
	if s.knower != nil && s.seeded.Load() {
		s.knower.Know(&r.Task, thread.Name)
	}
	if r.Kind == raw.Exec {
		s.meet(&r.Task)
	}
	t := args.TypeOf(r)
	if !s.engine.Load().engine.Watches(t) {
		return
	}
	for i := range args.Messages(r) {
		s.tell(r, i, e, t, thread, each)
	}
}

// tell gives the i-th of the events that a raw event makes to each.
func (s *Sensor) tell(r *raw.Event, i int, e *event.Event, t field.EventType, thread *state.Thread, each func(*event.Event)) {
	e.Reset(t)
	e.Num = s.events.Add(1)
	thread.Fill(e)
	s.filler.FillMessage(r, e, i)
	s.now = s.containerOf(thread)
	e.SetText(field.ContainerID, s.now.Container().ShortID())
	if s.waiting.Must(s.now) {
		h := s.holder()
		h.ref = s.now
		e.CopyTo(&h.ev)
		s.waiting.Add(s.now, h, time.Now())
		return
	}
	each(e)
	s.lag.Store(max(0, time.Now().UnixNano()-r.Time))
}

// meet has the users of a mount namespace read when the first program starts in it, and when a container does, as numbers of
// namespaces are used again: whoever causes an alert there may be gone, and its root directory with it, by the time that
// the names are asked for.
func (s *Sensor) meet(t *raw.Task) {
	if _, known := s.met[t.MountNS]; known && (t.VPID != 1 || t.InitPIDNS) {
		return
	}
	if len(s.met) >= maxMet {
		clear(s.met)
	}
	s.met[t.MountNS] = struct{}{}
	pid, ns := t.PID, t.MountNS
	go s.users.User(pid, ns, 0) // waits some milliseconds at most
}

func (s *Sensor) holder() *held {
	if n := len(s.free); n > 0 {
		h := s.free[n-1]
		s.free = s.free[:n-1]
		return h
	}
	return &held{}
}

// resolve sets a field that a rule asks for; it is made for event.Event.Resolve.
func (s *Sensor) resolve(e *event.Event, id field.ID) {
	switch {
	case args.Owns(id):
		s.filler.Resolve(e, id)
	case s.table.Resolve(e, id):
	case id > field.ContainerID && id <= field.K8sDeploymentLabels:
		e.Has(field.ProcPidnsInitStartTS) // from which container.start_ts follows
		s.now.Container().Fill(e)
	}
}

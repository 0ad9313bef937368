package container

import (
	"container/list"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Limits that no Config changes.
const (
	maxPaths = 16384 // cgroup paths whose container is remembered; then all are forgotten and parsed again
	maxQueue = 1024  // lookups that wait for a worker
	maxProc  = 64 << 10
)

// retries is how long after each failed lookup the next one follows. The first ones are for events that wait; then the
// runtime does not know the container, or is down, and is asked less and less. After the last the container is looked
// up again when a task shows up in it.
var retries = [...]time.Duration{25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond,
	time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// eager is how many of the retries are worth waiting for.
const eager = 4

// Config is what a Resolver needs. The zero value asks the runtimes at their usual places.
type Config struct {
	Sockets       []Socket      // nil: DefaultSockets(Root)
	Root          string        // where the host's file system is mounted, "" for /; also for the sockets of users
	ECS           string        // ECS_CONTAINER_METADATA_URI_V4 of the task that this runs in, "" for none
	Deadline      time.Duration // of one call to a runtime. Default 400 ms
	Workers       int           // lookups at once. Default 4
	MaxContainers int           // containers that are remembered, the least recently used go first. Default 4096
	ProcRoot      string        // default /proc below Root
	Logger        *slog.Logger  // default: nothing is logged
}

// Stats counts since New.
type Stats struct {
	Containers int    // remembered now
	Lookups    uint64 // of one container at all its runtimes
	Found      uint64 // of those
	Missing    uint64 // no runtime knew the container
	Failed     uint64 // a runtime did not answer, or not with what can be understood
	Evicted    uint64 // containers forgotten because there were too many
	Deferred   uint64 // lookups put off because too many were waiting
}

// Resolver finds the containers of tasks. It is safe for concurrent use.
type Resolver struct {
	cfg      Config
	runtimes *runtimes
	log      *slog.Logger
	work     chan *Ref
	changed  chan struct{}
	ctx      atomic.Pointer[context.Context] // of Run

	lookups, found, missing, failed, evicted, deferred atomic.Uint64

	mu    sync.Mutex
	paths map[string]*Ref      // guarded by mu; by all paths of a task, joined
	refs  map[ID]*list.Element // guarded by mu; values of lru
	lru   *list.List           // guarded by mu; of *Ref, the most recently used first
}

// Ref is a container that may still be looked up. It is safe for concurrent use.
type Ref struct {
	id      ID
	now     atomic.Pointer[Container]
	pending atomic.Bool

	failures int         // used by one lookup at a time
	idle     atomic.Bool // no lookup is queued, running or timed
	gone     atomic.Bool // evicted
}

var hostRef = func() *Ref {
	r := &Ref{}
	r.now.Store(host)
	return r
}()

// Container is what is known now. It is never nil.
func (r *Ref) Container() *Container { return r.now.Load() }

// Pending says whether it is worth to wait: the first lookup, or one that follows soon after, is on its way.
func (r *Ref) Pending() bool { return r.pending.Load() }

// New makes a Resolver. Nothing is looked up until Run.
func New(c Config) *Resolver {
	if c.Sockets == nil {
		c.Sockets = DefaultSockets(c.Root)
	}
	if c.Deadline <= 0 {
		c.Deadline = 400 * time.Millisecond
	}
	if c.Workers <= 0 {
		c.Workers = 4
	}
	if c.MaxContainers <= 0 {
		c.MaxContainers = 4096
	}
	if c.ProcRoot == "" {
		c.ProcRoot = filepath.Join("/", c.Root, "proc")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Resolver{
		cfg: c, runtimes: newRuntimes(c), log: c.Logger,
		work: make(chan *Ref, maxQueue), changed: make(chan struct{}, 1),
		paths: map[string]*Ref{}, refs: map[ID]*list.Element{}, lru: list.New(),
	}
}

// Run looks containers up until ctx is done.
func (r *Resolver) Run(ctx context.Context) error {
	r.ctx.Store(&ctx)
	var workers sync.WaitGroup
	for range r.cfg.Workers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case ref := <-r.work:
					r.lookUp(ctx, ref)
				}
			}
		})
	}
	workers.Wait()
	r.runtimes.close()
	return ctx.Err()
}

// Changed gets a value after Refs stopped being Pending; several at once may be told by one value.
func (r *Resolver) Changed() <-chan struct{} { return r.changed }

// Stats tells how much was looked up.
func (r *Resolver) Stats() Stats {
	r.mu.Lock()
	n := r.lru.Len()
	r.mu.Unlock()
	return Stats{
		Containers: n, Lookups: r.lookups.Load(), Found: r.found.Load(), Missing: r.missing.Load(),
		Failed: r.failed.Load(), Evicted: r.evicted.Load(), Deferred: r.deferred.Load(),
	}
}

// Of is the container of a task with these cgroup paths; see ParseCgroups for what they may look like. It never blocks
// and never is nil. Callers keep the Ref with the process until its cgroup changes: that is cheaper than asking again.
func (r *Resolver) Of(paths ...string) *Ref {
	switch len(paths) {
	case 0:
		return hostRef
	case 1:
		return r.of(paths[0])
	}
	for _, p := range paths {
		if ref := r.of(p); ref != hostRef {
			return ref
		}
	}
	return hostRef
}

// OfPID is the container of the process pid, from /proc/PID/cgroup; the host if that cannot be read. It reads a file of
// the kernel's, but waits for nothing.
func (r *Resolver) OfPID(pid int) *Ref {
	f, err := os.Open(filepath.Join(r.cfg.ProcRoot, strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return hostRef
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProc))
	if err != nil {
		return hostRef
	}
	return r.of(string(text))
}

func (r *Resolver) of(path string) *Ref {
	r.mu.Lock()
	defer r.mu.Unlock()
	ref, ok := r.paths[path]
	if !ok {
		id := ParseCgroups(path)
		if id.Full == "" {
			ref = hostRef
		} else {
			ref = r.byID(id)
		}
		if len(r.paths) >= maxPaths {
			clear(r.paths)
		}
		r.paths[path] = ref
	}
	if ref == hostRef {
		return ref
	}
	if e := r.refs[ref.id]; e != nil && e.Value == ref {
		r.lru.MoveToFront(e)
	} else {
		ref = r.byID(ref.id) // it was evicted while its path was remembered
		r.paths[path] = ref
	}
	if !ref.now.Load().Known() && ref.idle.CompareAndSwap(true, false) {
		r.enqueue(ref)
	}
	return ref
}

// byID finds or makes the Ref of a container. mu is held.
func (r *Resolver) byID(id ID) *Ref {
	if e := r.refs[id]; e != nil {
		return e.Value.(*Ref)
	}
	ref := &Ref{id: id}
	ref.now.Store(newContainer(id, nil))
	if id.Hint == TypeLXC { // there is nobody to ask
		ref.now.Store(newContainer(id, &Info{Type: TypeLXC, Name: id.Full}))
	} else {
		ref.idle.Store(true)
		ref.pending.Store(r.runtimes.any(id))
	}
	r.refs[id] = r.lru.PushFront(ref)
	for r.lru.Len() > r.cfg.MaxContainers {
		last := r.lru.Back()
		old := last.Value.(*Ref)
		r.lru.Remove(last)
		delete(r.refs, old.id)
		old.gone.Store(true)
		r.evicted.Add(1)
	}
	return ref
}

func (r *Resolver) enqueue(ref *Ref) {
	select {
	case r.work <- ref:
	default:
		r.deferred.Add(1)
		r.later(ref, retries[eager-1])
	}
}

func (r *Resolver) later(ref *Ref, d time.Duration) {
	time.AfterFunc(d, func() {
		if ctx := r.ctx.Load(); ref.gone.Load() || ctx != nil && (*ctx).Err() != nil {
			return
		}
		r.enqueue(ref)
	})
}

func (r *Resolver) lookUp(ctx context.Context, ref *Ref) {
	r.lookups.Add(1)
	info, err := r.runtimes.lookUp(ctx, ref.id)
	if err == nil {
		ref.now.Store(newContainer(ref.id, info))
		r.found.Add(1)
		r.settle(ref)
		return
	}
	if errors.Is(err, errMissing) {
		r.missing.Add(1)
	} else if ctx.Err() == nil {
		r.failed.Add(1)
		r.log.Debug("container lookup", "id", short(ref.id.Full), "attempt", ref.failures+1, "error", err)
	}
	n := ref.failures
	ref.failures++
	if n >= eager || errors.Is(err, errPaused) || !r.runtimes.any(ref.id) {
		r.settle(ref)
	}
	if n < len(retries) {
		r.later(ref, retries[n])
		return
	}
	ref.failures = eager
	ref.idle.Store(true)
}

// settle ends the waiting for a container.
func (r *Resolver) settle(ref *Ref) {
	if !ref.pending.Swap(false) {
		return
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

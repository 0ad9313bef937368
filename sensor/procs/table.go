package procs

import (
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// Defaults of Config, and what they are for.
const (
	DefaultMaxProcesses = 1 << 17  // 131,072 processes of some 500 bytes: 64 MiB at worst
	DefaultMaxTextBytes = 32 << 20 // arguments and environments: 300 bytes each of 100,000 processes

	grace     = 2 * time.Second // how long an ended process is kept for events of its children that come late
	maxEnded  = 8192            // and how many are kept at most
	maxNames  = 8192            // strings that processes share before the set is started anew
	maxName   = 256             // bytes of the longest of them
	maxGroups = 4096            // sets of control groups likewise
	maxDepth  = 256             // ancestors that are followed; deeper chains are cut
	maxAsked  = 1024            // lookups in /proc that wait
)

// Config says what a Table may use.
type Config struct {
	ProcFS       string // where procfs is mounted; default /proc
	MaxProcesses int    // default DefaultMaxProcesses
	MaxTextBytes int64  // default DefaultMaxTextBytes
}

// Stats counts what happened since New. Each number but the first two only grows.
type Stats struct {
	Processes int   // in the table, those that ended lately included
	TextBytes int64 // of arguments and environments

	Seeded       uint64 // taken from /proc at the start
	Looked       uint64 // asked of /proc later, because their fork or exec was lost
	Unasked      uint64 // would have been asked, but too many waited
	Evicted      uint64 // living processes that had to make room
	EnvDropped   uint64 // environments that did not fit MaxTextBytes
	ArgsDropped  uint64 // arguments that did not fit MaxTextBytes
	UnseenStart  uint64 // processes whose fork was not seen
	UnseenEnd    uint64 // processes that were gone without an exit event
	DeepAncestry uint64 // chains of ancestors that were cut
}

// Table is the processes. New makes it. Apply, Get, Parent and the methods of its processes are for one goroutine; Seed,
// Run, Lost and Stats may be called from any.
type Table struct {
	cfg    Config
	byPID  map[int32]*Proc
	last   *Proc // of the last event
	slots  []*Proc
	hand   int
	ended  []*Proc // in the order of their end, from endedAt on
	endAt  int
	names  map[string]string
	groups map[string]*Cgroups
	thread map[int32]int32   // id of a thread beside the main one: its process
	inits  map[uint32]uint64 // PID namespace: Start of its first process
	key    []byte
	text   int64
	epoch  uint32
	calls  calls

	lostEvents atomic.Bool
	ready      atomic.Bool
	asked      chan int32

	mu    sync.Mutex // guards inbox
	inbox []*record

	stats [statCount]atomic.Uint64
	size  atomic.Int64
	bytes atomic.Int64
}

const (
	statSeeded = iota
	statLooked
	statUnasked
	statEvicted
	statEnvDropped
	statArgsDropped
	statUnseenStart
	statUnseenEnd
	statDeep
	statCount
)

// New makes an empty table.
func New(cfg Config) *Table {
	if cfg.ProcFS == "" {
		cfg.ProcFS = "/proc"
	}
	if cfg.MaxProcesses <= 0 {
		cfg.MaxProcesses = DefaultMaxProcesses
	}
	if cfg.MaxTextBytes <= 0 {
		cfg.MaxTextBytes = DefaultMaxTextBytes
	}
	return &Table{
		cfg: cfg, byPID: map[int32]*Proc{}, names: map[string]string{}, groups: map[string]*Cgroups{},
		thread: map[int32]int32{}, inits: map[uint32]uint64{}, asked: make(chan int32, maxAsked), calls: newCalls(),
	}
}

// Stats counts what happened so far.
func (t *Table) Stats() Stats {
	n := func(i int) uint64 { return t.stats[i].Load() }
	return Stats{
		Processes: int(t.size.Load()), TextBytes: t.bytes.Load(),
		Seeded: n(statSeeded), Looked: n(statLooked), Unasked: n(statUnasked), Evicted: n(statEvicted),
		EnvDropped: n(statEnvDropped), ArgsDropped: n(statArgsDropped), UnseenStart: n(statUnseenStart),
		UnseenEnd: n(statUnseenEnd), DeepAncestry: n(statDeep),
	}
}

// Lost says that events were lost: from now on processes whose name has changed unseen are looked up in /proc.
func (t *Table) Lost() { t.lostEvents.Store(true) }

// Get finds a process that lived at a time in ns since 1970, nil where none is known.
func (t *Table) Get(pid int32, at int64) *Proc {
	p := t.byPID[pid]
	if p == nil || p.Exited != 0 && p.Exited < at {
		return nil
	}
	return p
}

// OfThread finds the process of a thread that started while events were seen, nil for any other.
func (t *Table) OfThread(tid int32) *Proc { return t.byPID[t.thread[tid]] }

// Parent is the process's parent at a time: who forked it, or who adopted it if that one has ended; nil for none or
// unknown.
func (t *Table) Parent(p *Proc, at int64) *Proc {
	q := p.parent
	if q == nil && p.PPID != 0 {
		if q = t.byPID[p.PPID]; q == nil || q.Start > p.Start {
			return nil // not known, or its id has been given to somebody else
		}
		t.setParent(p, q)
	}
	for i := 0; q != nil && q.Exited != 0 && q.Exited < at && i < maxDepth; i++ {
		q = t.byPID[q.reaper]
	}
	if q == p {
		return nil
	}
	return q
}

// Ancestors appends p's parent, its parent and so on to dst.
func (t *Table) Ancestors(dst []*Proc, p *Proc, at int64) []*Proc {
	for n := 0; ; n++ {
		if p = t.Parent(p, at); p == nil {
			return dst
		}
		if n == maxDepth {
			t.stats[statDeep].Add(1)
			return dst
		}
		dst = append(dst, p)
	}
}

// InitStart is when the first process of a PID namespace started, in ns since boot; false where that is unknown.
func (t *Table) InitStart(ns uint32) (uint64, bool) {
	start, ok := t.inits[ns]
	return start, ok
}

// add makes room for p and takes it in. It has no parent yet.
func (t *Table) add(p *Proc) {
	if old := t.byPID[p.PID]; old != nil {
		if old.Exited == 0 {
			t.stats[statUnseenEnd].Add(1)
		}
		t.remove(old)
	}
	if len(t.slots) >= t.cfg.MaxProcesses {
		t.evict()
	}
	p.slot = int32(len(t.slots))
	t.slots = append(t.slots, p)
	t.byPID[p.PID] = p
	p.used = true
	if p.VPID == 1 && p.PIDNS != 0 {
		t.inits[p.PIDNS] = p.Start
	}
	t.size.Store(int64(len(t.slots)))
}

// evict takes out an ended process, or else the one that has been quiet for the longest.
func (t *Table) evict() {
	for t.endAt < len(t.ended) {
		p := t.ended[t.endAt]
		t.ended[t.endAt] = nil
		t.endAt++
		if p.slot >= 0 && p.Exited != 0 {
			t.remove(p)
			return
		}
	}
	for {
		t.hand++
		if t.hand >= len(t.slots) {
			t.hand = 0
		}
		if p := t.slots[t.hand]; p.used && p != t.last {
			p.used = false
		} else if p != t.last || len(t.slots) == 1 {
			t.stats[statEvicted].Add(1)
			t.remove(p)
			return
		}
	}
}

// remove takes p out. Its children are given to whoever adopted them.
func (t *Table) remove(p *Proc) {
	if p.slot < 0 {
		return
	}
	heir := t.byPID[p.reaper]
	if heir == p || p.reaper == 0 {
		heir = nil
	}
	for c := p.child; c != nil; c = p.child {
		if c == heir {
			t.setParent(c, nil)
			continue
		}
		t.setParent(c, heir)
	}
	t.setParent(p, nil)
	end := len(t.slots) - 1
	moved := t.slots[end]
	t.slots[p.slot], moved.slot = moved, p.slot
	t.slots[end] = nil
	t.slots = t.slots[:end]
	p.slot = -1
	if t.byPID[p.PID] == p {
		delete(t.byPID, p.PID)
	}
	if t.last == p {
		t.last = nil
	}
	if p.VPID == 1 && t.inits[p.PIDNS] == p.Start {
		delete(t.inits, p.PIDNS)
	}
	t.drop(p.Image)
	if p.FDs != nil {
		p.FDs.Release()
		p.FDs = nil
	}
	t.size.Store(int64(end))
}

func (t *Table) setParent(p, parent *Proc) {
	if p.parent == parent || p == parent {
		return
	}
	if q := p.parent; q != nil {
		if p.prev != nil {
			p.prev.next = p.next
		} else {
			q.child = p.next
		}
		if p.next != nil {
			p.next.prev = p.prev
		}
		p.prev, p.next = nil, nil
	}
	p.parent = parent
	if parent != nil {
		p.next = parent.child
		if p.next != nil {
			p.next.prev = p
		}
		parent.child = p
		p.PPID = parent.PID
	}
}

// expire takes out those that ended long ago.
func (t *Table) expire(now int64) {
	for t.endAt < len(t.ended) {
		p := t.ended[t.endAt]
		if now-p.Exited < int64(grace) && len(t.ended)-t.endAt <= maxEnded {
			break
		}
		t.ended[t.endAt] = nil
		t.endAt++
		if p.Exited != 0 {
			t.remove(p)
		}
	}
	if t.endAt > 256 && t.endAt*2 > len(t.ended) {
		n := copy(t.ended, t.ended[t.endAt:])
		clear(t.ended[n:])
		t.ended, t.endAt = t.ended[:n], 0
	}
}

// use makes i the image of p.
func (t *Table) use(p *Proc, i *Image) {
	if i != noImage {
		i.refs++
	}
	t.drop(p.Image)
	p.Image = i
}

func (t *Table) drop(i *Image) {
	if i == nil || i == noImage {
		return
	}
	if i.refs--; i.refs == 0 {
		t.text -= int64(i.size)
		t.bytes.Store(t.text)
	}
}

// fits says which of an image's blocks, of so many bytes, there is room for; what there is none for is counted.
func (t *Table) fits(args, env int) (keepArgs, keepEnv bool) {
	room := t.cfg.MaxTextBytes - t.text
	keepArgs = int64(args) <= room
	if keepArgs {
		room -= int64(args)
	} else {
		t.stats[statArgsDropped].Add(1)
	}
	if keepEnv = int64(env) <= room; !keepEnv {
		t.stats[statEnvDropped].Add(1)
	}
	return keepArgs, keepEnv
}

// fill gives an image its blocks.
func (t *Table) fill(i *Image, args, env string) {
	i.args, i.env = args, env
	i.size = len(args) + len(env)
	t.text += int64(i.size)
	t.bytes.Store(t.text)
}

// share makes equal blocks of different processes one string.
func share(block []byte) string {
	if len(block) == 0 {
		return ""
	}
	return unique.Make(string(block)).Value()
}

// str is b as a string, the same one for equal bytes as far as possible.
func (t *Table) str(b []byte) string {
	if len(b) > maxName {
		return string(b)
	}
	if s, ok := t.names[string(b)]; ok {
		return s
	}
	return t.keep(string(b))
}

// intern is str for a string that the caller may change later.
func (t *Table) intern(s string) string {
	if len(s) > maxName {
		return string([]byte(s))
	}
	if s, ok := t.names[s]; ok {
		return s
	}
	return t.keep(string([]byte(s)))
}

func (t *Table) keep(s string) string {
	if len(t.names) >= maxNames {
		clear(t.names)
	}
	t.names[s] = s
	return s
}

// cgroups is the groups that an event carries, nil where it has none.
func (t *Table) cgroups(parts []raw.Part) *Cgroups {
	t.key = t.key[:0]
	for i := range parts {
		if p := &parts[i]; p.Kind == raw.Cgroup && !p.Failed {
			t.key = append(append(append(append(t.key, p.Name...), 0), p.Data...), 0)
		}
	}
	if len(t.key) == 0 {
		return nil
	}
	if c, ok := t.groups[string(t.key)]; ok {
		return c
	}
	var paths []Cgroup
	for i := range parts {
		if p := &parts[i]; p.Kind == raw.Cgroup && !p.Failed {
			paths = append(paths, Cgroup{string([]byte(p.Name)), string(p.Data)})
		}
	}
	return t.keepGroups(newCgroups(paths))
}

func (t *Table) keepGroups(c *Cgroups) *Cgroups {
	if len(t.groups) >= maxGroups {
		clear(t.groups)
	}
	t.groups[string(t.key)] = c
	return c
}

// sameGroups is c, or an equal set that is known already.
func (t *Table) sameGroups(paths []Cgroup) *Cgroups {
	t.key = t.key[:0]
	for _, p := range paths {
		t.key = append(append(append(append(t.key, p.Controllers...), 0), p.Path...), 0)
	}
	if c, ok := t.groups[string(t.key)]; ok {
		return c
	}
	return t.keepGroups(newCgroups(paths))
}

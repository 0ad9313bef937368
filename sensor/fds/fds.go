// Package fds says which descriptor an event is about and what that is, in Falco's terms: fd.* of an event. What the
// kernel says of the descriptor comes in with the raw event; beside it this remembers, for each process, by what name a
// descriptor was opened and who connected to whom, as far as events told, because Falco shows that. What is remembered
// is used only while the kernel still says that the descriptor is the same file or socket, so lost and filtered events
// make a name more literal, never wrong. It reads nothing but events and, in Refresh, the addresses of this machine.
//
// A Table is for one goroutine: Apply with each raw event, after the process table's, then Fill, then Resolve as asked.
package fds

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/eyrie-sec/eyrie/sensor/procs"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// Kind is a kind of descriptor as Falco parts them.
type Kind uint8

// The kinds.
const (
	None    Kind = iota // nothing is known of the descriptor
	Unknown             // something else
	File
	Directory
	IPv4
	IPv6
	Unix
	Netlink
	Pipe
	Event
	Signal
	Epoll
	Inotify
	Timer
	BPF
	Userfault
	Memfd
	Pidfd
	Uring
)

var kinds = [...]struct{ name, char string }{
	None: {"", "o"}, Unknown: {"<NA>", "?"}, File: {"file", "f"}, Directory: {"directory", "d"}, IPv4: {"ipv4", "4"},
	IPv6: {"ipv6", "6"}, Unix: {"unix", "u"}, Netlink: {"netlink", "n"}, Pipe: {"pipe", "p"}, Event: {"event", "e"},
	Signal: {"signalfd", "s"}, Epoll: {"eventpoll", "l"}, Inotify: {"inotify", "i"}, Timer: {"timerfd", "t"},
	BPF: {"bpf", "b"}, Userfault: {"userfaultfd", "u"}, Memfd: {"memfd", "m"}, Pidfd: {"pidfd", "P"},
	Uring: {"io_uring", "r"},
}

func (k Kind) String() string { return kinds[k].name }

// Char is fd.typechar.
func (k Kind) Char() string { return kinds[k].char }

// Proto is a transport protocol as Falco shows it.
type Proto uint8

// The protocols.
const (
	NoProto Proto = iota
	TCP
	UDP
	ICMP
	Raw
)

var protos = [...]string{NoProto: "<NA>", TCP: "tcp", UDP: "udp", ICMP: "icmp", Raw: "raw"}

func (p Proto) String() string { return protos[p] }

// Letter is how Falco marks the protocol in the text of a descriptor: 4t, 6u.
func (p Proto) Letter() string {
	switch p {
	case TCP:
		return "t"
	case UDP:
		return "u"
	case ICMP:
		return "i"
	case Raw:
		return "r"
	}
	return ""
}

type role uint8

const (
	noRole role = iota
	client
	server
)

// FD is one open descriptor.
type FD struct {
	Kind      Kind
	Name      string // path, or addresses
	Given     string // path as the caller wrote it
	Proto     Proto
	Bound     bool // a socket with a local address alone, which is Server
	Tuple     bool // a connection from Client to Server
	Connected bool
	Client    netip.AddrPort
	Server    netip.AddrPort
	Dev, Ino  uint64 // of files and pipes, as Falco shows them
	Upper     bool
	Lower     bool

	role     role
	cloexec  bool
	shared   bool   // by the sets of several processes
	dev, ino uint64 // of the kernel's object, 0 unknown
}

// Local and Remote are the ends of the connection as seen from this process. Falco, which cannot tell them apart when
// both are addresses of this machine, then takes the client for the local one.
func (f *FD) Local() netip.AddrPort {
	if f.role == server || f.Bound {
		return f.Server
	}
	return f.Client
}

// Remote is the other end.
func (f *FD) Remote() netip.AddrPort {
	if f.role == server {
		return f.Client
	}
	return f.Server
}

// Config says what is remembered.
type Config struct {
	MaxDescriptors int // of all processes; default 1<<16, at some 250 bytes
	MaxPerProcess  int // default 4096
	MaxNameBytes   int // of their names; default 16 MiB
}

// Stats counts.
type Stats struct {
	Descriptors int    // remembered now
	Forgotten   uint64 // not remembered for want of room
}

// Table remembers. New makes it.
type Table struct {
	cfg       Config
	processes *procs.Table
	handlers  [512]handler
	names     map[string]string
	locals    atomic.Pointer[locals]
	view      View
	closing   []int32 // descriptors of view.proc that end with this event
	scratch   [4]FD
	free      []*FD // that nobody has any more
	dying     []*FD // likewise, since this event: they may still be looked at
	call      call
	turn      int
	buf       []byte
	kindRoom  []string
	bytes     int // of names
	count     atomic.Int64
	forgotten atomic.Uint64
}

// View is what the last event is about.
type View struct {
	Has     bool  // the event has a descriptor
	Num     int64 // fd.num
	FD      *FD   // nil where nothing is known of it
	Changed bool  // the event gave it another name

	name, given       string // where FD is nil
	hasName, hasGiven bool
	char              string
	proc              *procs.Proc
	tid               int32
}

// New makes an empty table beside a table of processes. The addresses of the machine are taken now; see Refresh.
func New(processes *procs.Table, cfg Config) *Table {
	if cfg.MaxDescriptors <= 0 {
		cfg.MaxDescriptors = 1 << 16
	}
	if cfg.MaxPerProcess <= 0 {
		cfg.MaxPerProcess = 4096
	}
	if cfg.MaxNameBytes <= 0 {
		cfg.MaxNameBytes = 16 << 20
	}
	t := &Table{cfg: cfg, processes: processes, names: map[string]string{}}
	t.locals.Store(&locals{})
	t.setHandlers()
	t.Refresh()
	return t
}

// Stats may be called from any goroutine.
func (t *Table) Stats() Stats {
	return Stats{Descriptors: int(t.count.Load()), Forgotten: t.forgotten.Load()}
}

// View is what Apply found out.
func (t *Table) View() *View { return &t.view }

// What is shared of names: of so many, none longer than that, 2 MiB at most.
const (
	maxNames = 8192
	maxName  = 256 // bytes
)

// str is b as a string, the same for equal bytes as far as possible.
func (t *Table) str(b []byte) string {
	if len(b) > maxName {
		return string(b)
	}
	if s, ok := t.names[string(b)]; ok {
		return s
	}
	if len(t.names) >= maxNames {
		clear(t.names)
	}
	s := string(b)
	t.names[s] = s
	return s
}

// Look is what a descriptor of the event's process is: what is remembered, if the part that the event carries for its
// argument agrees, or what the part says; nil where nothing is known. It is valid until the next Apply.
func (t *Table) Look(p *procs.Proc, r *raw.Event, num int32, arg int8) *FD {
	part := r.Part(raw.File, arg)
	if part == nil {
		part = r.Part(raw.Socket, arg)
	}
	if part == nil {
		part = r.Part(raw.Dir, arg)
	}
	return t.look(p, num, part)
}

// Describe is the same for a part of the event, nil for none.
func (t *Table) Describe(p *procs.Proc, r *raw.Event, part *raw.Part) *FD {
	if part == nil {
		return nil
	}
	num := int32(-1)
	switch {
	case part.Arg == raw.RetArg:
		num = int32(r.Ret)
	case part.Index > 0:
		if nums, ok := twoFDs(r); ok && part.Index <= 2 {
			num = nums[part.Index-1]
		}
	case part.Arg >= 0 && int(part.Arg) < len(r.Regs):
		num = int32(r.Regs[part.Arg])
	}
	return t.look(p, num, part)
}

// replaced says whether f, which has no inode to be known by, is another kind of thing than the kernel says the descriptor
// is now: it was closed, and no rule looks at close.
func replaced(f *FD, part *raw.Part) bool {
	return (part.Kind == raw.Socket || part.File.Kind == raw.KindSocket) && slices.Contains(fileKinds[:], f.Kind) && f.Kind != Unknown
}

func (t *Table) look(p *procs.Proc, num int32, part *raw.Part) *FD {
	f := get(p, num)
	if part == nil || part.Failed {
		return f
	}
	if f != nil && (f.ino == 0 && !replaced(f, part) || f.ino == part.File.Ino && f.dev == part.File.Dev) {
		return f
	}
	t.turn = (t.turn + 1) % len(t.scratch)
	f = &t.scratch[t.turn]
	*f = FD{}
	if t.describe(f, part); f.Kind == Unknown {
		return nil
	}
	return f
}

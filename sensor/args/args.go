// Package args tells what an event is in Falco's terms: its type, its parameters (evt.arg.*, evt.rawarg.*), and what
// follows from them (evt.res, evt.abspath, fs.path.* and so on). A raw event comes in, values of an event.Event go out.
// Which parameters an event type has and what each is made of stands in one table, a row an event type (rows*.go).
// Everything is made only when a rule asks for it, into a buffer that is reused, so events that no rule looks into cost
// next to nothing. Nothing here reads the kernel or a file, and nothing fails: what was not captured has no value.
package args

import (
	"unsafe"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// View is what the Filler asks of those who keep the state of processes and descriptors. Every answer is about the
// event that is being filled.
type View interface {
	// Comm is the name of the process or thread with that kernel id.
	Comm(pid int32) (string, bool)
	// User and Group are names of the host's, or of the container's the event is from.
	User(uid uint32) (string, bool)
	Group(gid uint32) (string, bool)
	// FD names the descriptor that a part (File, Socket or Dir) describes: fd.typechar and fd.name.
	FD(r *raw.Event, p *raw.Part) (typechar, name string)
	// Cwd is the working directory, as proc.cwd shows it.
	Cwd(r *raw.Event) string
}

// Filler makes the values of one event after the other. It is for one goroutine. New makes it.
type Filler struct {
	view View
	r    *raw.Event
	e    *event.Event
	row  *row
	buf  []byte // backs the strings of the current event
	out  value

	// Threads that have made a child in a PID namespace that is not the host's, until their call returns.
	made    map[int32]bool
	msg     uint8 // which message of sendmmsg or recvmmsg the event is about
	inPIDNS bool  // the event's thread, or the child it has made, is in such a namespace
}

// value is a parameter as it is made: raw is the value itself, text what Falco says it means ("" for nothing).
type value struct {
	raw, text string
	num       int64
	hasNum    bool
	none      bool
}

// New makes a Filler.
func New(view View) *Filler {
	return &Filler{view: view, buf: make([]byte, 0, 8192), made: map[int32]bool{}}
}

var (
	typeExit   = mustType("procexit")
	typeSignal = mustType("signaldeliver")
	typeExecve = mustType("execve")
)

func mustType(name string) field.EventType {
	t, _ := field.EventByName(name)
	return t
}

// renamed are the system calls that Falco calls otherwise than the kernel.
var renamed = map[string]string{
	"pread64": "pread", "pwrite64": "pwrite", "_llseek": "llseek", "prlimit64": "prlimit", "sendfile64": "sendfile",
	"ugetrlimit": "getrlimit", "chown32": "chown", "lchown32": "lchown", "fchown32": "fchown", "setuid32": "setuid",
	"setgid32": "setgid", "fadvise64_64": "fadvise64", "fstatat64": "newfstatat",
}

// types is the event type of each system call.
var types = func() (all [raw.MaxNr]field.EventType) {
	for nr := range all {
		name := raw.Name(int32(nr))
		if as, ok := renamed[name]; ok {
			name = as
		}
		if t, ok := field.EventByName(name); ok && t.Info().Kind != field.KindHidden {
			all[nr] = t
		}
	}
	all[callNumber("execveat")] = typeExecve // Falco's name for what succeeded
	return all
}()

func callNumber(name string) int32 {
	nr, _ := raw.Number(name)
	return nr
}

var (
	nrExecveat   = callNumber("execveat")
	typeExecveat = mustType("execveat")
)

// TypeOf is the event type of a raw event, field.NoEvent where Falco has none.
func TypeOf(r *raw.Event) field.EventType {
	switch r.Kind {
	case raw.Exit:
		return typeExit
	case raw.Signal:
		return typeSignal
	case raw.Exec:
		return typeExecve
	}
	if r.Nr < 0 || r.Nr >= raw.MaxNr {
		return field.NoEvent
	}
	if r.Nr == nrExecveat {
		return typeExecveat
	}
	return types[r.Nr]
}

// Numbers lists the system calls that events of a type come from.
func Numbers(t field.EventType) []int32 {
	var all []int32
	for nr := range types {
		if int32(nr) == nrExecveat {
			if t == typeExecve || t == typeExecveat {
				all = append(all, nrExecveat)
			}
		} else if types[nr] == t && t != field.NoEvent {
			all = append(all, int32(nr))
		}
	}
	return all
}

// Messages is how many events a raw event makes: one, but one a message for sendmmsg and recvmmsg.
func Messages(r *raw.Event) int {
	if r.Kind != raw.Syscall || r.Nr != nrSendmmsg && r.Nr != nrRecvmmsg || r.Ret <= 1 {
		return 1
	}
	n := 1
	for i := range r.Parts {
		if p := &r.Parts[i]; p.Kind == raw.Struct && int64(p.Index) < r.Ret {
			n = max(n, int(p.Index)+1)
		}
	}
	return n
}

var nrSendmmsg, nrRecvmmsg = callNumber("sendmmsg"), callNumber("recvmmsg")

// FillMessage is Fill for the i-th of the events that r makes.
func (f *Filler) FillMessage(r *raw.Event, e *event.Event, i int) {
	f.msg = uint8(i)
	f.fill(r, e)
}

// Fill starts an event, which the caller has Reset to the raw event's type: sets what is at hand and remembers r for
// Resolve and ResolveArg. r must stay unchanged until the event has been matched; strings of the event are valid until
// the next Fill.
func (f *Filler) Fill(r *raw.Event, e *event.Event) { f.FillMessage(r, e, 0) }

func (f *Filler) fill(r *raw.Event, e *event.Event) {
	f.r, f.e, f.row = r, e, rows[e.Type]
	f.buf = f.buf[:0]
	e.Time = r.Time
	e.SetNum(field.EvtCPU, int64(r.CPU))
	if f.row.res {
		e.SetNum(field.EvtRawres, f.result())
	}
	f.inPIDNS = !r.Task.InitPIDNS
	switch {
	case r.Kind == raw.Fork && f.inPIDNS:
		if len(f.made) > maxMade {
			clear(f.made) // returns of their calls were lost
		}
		f.made[r.OtherTID] = true
	case r.Kind == raw.Syscall && len(f.made) > 0 && f.made[r.Task.TID]:
		f.inPIDNS = true
		delete(f.made, r.Task.TID)
	}
}

// maxMade bounds what is remembered of clones that have not returned yet.
const maxMade = 4096

// result is the value of the res or fd parameter: of a clone in the child it is 0.
func (f *Filler) result() int64 {
	if f.r.Kind == raw.Fork || f.r.Kind == raw.Exec {
		return 0
	}
	if f.r.Ret > 0 && f.row.flags&messages != 0 {
		return int64(f.member(1, 0, 32))
	}
	return f.r.Ret
}

// ResolveArg sets a parameter; it is made for event.Event.ResolveArg.
func (f *Filler) ResolveArg(e *event.Event, i int) {
	if f.row == nil || e != f.e || i >= len(f.row.params) {
		return
	}
	f.param(i)
	if f.out.none {
		return
	}
	text := f.out.text
	if text == "" {
		text = f.out.raw
	}
	if f.out.hasNum {
		e.SetArgNum(i, text, f.out.num)
	} else {
		e.SetArg(i, text)
	}
}

// param makes parameter i into f.out.
func (f *Filler) param(i int) {
	p := &f.row.params[i]
	f.out = value{}
	p.make(f, p)
}

// str is what was appended to the buffer since start, as a string that lives until the next Fill. The bytes before the
// buffer's end are never written again in that time; should the buffer move, the old one stays for those who refer to it.
func (f *Filler) str(start int) string {
	b := f.buf[start:]
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// alias makes a string of bytes that stay unchanged until the next event.
func alias(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

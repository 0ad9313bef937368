package args

import (
	"bytes"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/args/flags"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// task is a number of the event's thread.
func task(width, form uint8, get func(*raw.Task) uint64) param {
	return param{make: func(f *Filler, p *param) { f.setNum(get(&f.r.Task), p.bits, p.form, false) }, bits: width, form: form}
}

// taskPID is an id of the event's thread, with the name that the kernel's id has.
func taskPID(get func(*raw.Task) int32) param {
	return param{make: func(f *Filler, _ *param) { f.setPID(int64(get(&f.r.Task))) }}
}

// own is a text of the event's thread as another field has it.
func own(id field.ID) param {
	return param{make: func(f *Filler, _ *param) { f.setText(f.e.Text(id)) }}
}

// Memory of the process, as several calls tell it.
var (
	vmSize = task(32, dec, func(t *raw.Task) uint64 { return t.VMSize })
	vmRSS  = task(32, dec, func(t *raw.Task) uint64 { return t.VMRSS })
	vmSwap = task(32, dec, func(t *raw.Task) uint64 { return t.VMSwap })
)

// first is what exec and clone have in common, after res, exe and args.
var first = []param{
	taskPID(func(t *raw.Task) int32 { return t.TID }),
	taskPID(func(t *raw.Task) int32 { return t.PID }),
	taskPID(func(t *raw.Task) int32 { return t.RealParentTID }),
	{make: func(f *Filler, _ *param) { f.out.raw = notKnown }}, // cwd: Falco has it from elsewhere
	task(64, dec, func(t *raw.Task) uint64 { return t.NoFile }),
	task(64, dec, func(t *raw.Task) uint64 { return t.MajFlt }),
	task(64, dec, func(t *raw.Task) uint64 { return t.MinFlt }),
	vmSize, vmRSS, vmSwap,
	{make: func(f *Filler, _ *param) { f.setText(f.r.Task.Comm, true) }},
	{make: makeCgroups},
}

func makeCgroups(f *Filler, _ *param) {
	items, _ := f.e.List(field.ThreadCgroups)
	start := len(f.buf)
	for _, s := range items {
		if rest, ok := strings.CutPrefix(s, "blkio="); ok { // Falco's probe calls the controller by its name of cgroup v2
			f.buf = append(f.buf, "io="...)
			s = rest
		}
		f.buf = append(append(f.buf, s...), '.')
	}
	if f.out.raw = f.str(start); f.out.raw == "" {
		f.out.raw = noData
	}
}

// block is strings that end with NUL, which Falco shows as dots.
func (f *Filler) setBlock(b []byte) {
	if f.out.raw = noData; len(b) > 0 {
		f.out.raw = f.printable(b)
	}
}

// setStrings is the same for strings of an exec, whose last byte Falco makes a NUL where there are too many.
func (f *Filler) setStrings(part *raw.Part, b []byte) {
	f.setBlock(b)
	if len(part.Data) >= raw.BlockLen && len(b) > 0 {
		f.buf[len(f.buf)-1] = '.'
	}
}

// argv is the first string of the arguments that exec was called with, and the others.
func (f *Filler) argv() (exe, rest []byte, part *raw.Part) {
	for i := range f.r.Parts {
		if p := &f.r.Parts[i]; p.Kind == raw.Argv {
			if p.Failed {
				return nil, nil, nil
			}
			if n := bytes.IndexByte(p.Data, 0); n >= 0 {
				return p.Data[:n], p.Data[n+1:], p
			}
			return p.Data, nil, p
		}
	}
	return nil, nil, nil
}

var (
	execExe = param{make: func(f *Filler, _ *param) {
		exe, _, part := f.argv()
		f.setText(alias(exe), part != nil && (len(exe) > 0 || f.r.Kind == raw.Exec)) // a failed call's empty argv is unknown to Falco
	}}
	execArgs = param{make: func(f *Filler, _ *param) {
		if _, rest, part := f.argv(); part != nil {
			f.setStrings(part, rest)
			return
		}
		f.out.raw = noData
	}}
	execEnv = param{make: func(f *Filler, _ *param) {
		f.out.raw = noData
		for i := range f.r.Parts {
			if p := &f.r.Parts[i]; p.Kind == raw.Env {
				f.setStrings(p, p.Data)
			}
		}
	}}
	execFlags = param{make: func(f *Filler, _ *param) {
		v := uint64(0)
		for i, id := range []field.ID{field.ProcIsExeWritable, field.ProcIsExeUpperLayer, field.ProcIsExeFromMemfd, field.ProcIsExeLowerLayer} {
			if is, _ := f.e.Number(id); is != 0 {
				v |= 1 << i
			}
		}
		f.setBits(v, 32, flags.Execve)
	}}
	execFilename = param{make: func(f *Filler, _ *param) {
		s, ok := f.execName()
		f.setText(s, ok)
		if ok && s != "" && s[0] != '/' {
			f.out.text = f.join(f.cwd(), s)
		}
	}}
)

func (f *Filler) exe() *raw.Part { return f.r.Part(raw.Exe, raw.NoArg) }

// execName is the path that exec was called with.
func (f *Filler) execName() (string, bool) {
	for i := range f.r.Parts {
		if p := &f.r.Parts[i]; p.Kind == raw.Path {
			return alias(p.Data), !p.Failed
		}
	}
	return "", false
}

// exeTime is a time of the executable's inode.
func exeTime(get func(*raw.FileInfo) int64) param {
	return param{make: func(f *Filler, _ *param) {
		n := int64(0)
		if x := f.exe(); x != nil {
			n = get(&x.File)
		}
		f.out.num, f.out.hasNum = n, true
		start := len(f.buf)
		f.buf = appendTime(f.buf, n)
		f.out.raw = f.str(start)
	}}
}

var execRow = func() []param {
	all := append([]param{res, execExe, execArgs}, first...)
	return append(all,
		execEnv,
		task(32, dec, func(t *raw.Task) uint64 { return uint64(t.TTY) }),
		taskPID(func(t *raw.Task) int32 { return t.VPGID }),
		param{make: func(f *Filler, _ *param) { f.setUser(f.r.Task.LoginUID, f.view.User) }},
		execFlags,
		task(64, hex, func(t *raw.Task) uint64 { return t.CapInheritable }),
		task(64, hex, func(t *raw.Task) uint64 { return t.CapPermitted }),
		task(64, hex, func(t *raw.Task) uint64 { return t.CapEffective }),
		param{make: func(f *Filler, _ *param) {
			n := uint64(0)
			if x := f.exe(); x != nil {
				n = x.File.Ino
			}
			f.setNum(n, 64, dec, false)
		}},
		exeTime(func(i *raw.FileInfo) int64 { return i.Ctime }),
		exeTime(func(i *raw.FileInfo) int64 { return i.Mtime }),
		param{make: func(f *Filler, _ *param) { f.setUser(f.r.Task.EUID, f.view.User) }},
		own(field.ProcExepath),
		taskPID(func(t *raw.Task) int32 { return t.PGID }),
		param{make: func(f *Filler, _ *param) { f.setUser(f.r.Task.EGID, f.view.Group) }},
		execFilename,
	)
}()

// cloneRow is for clone, clone3, fork and vfork, whose flags are gotten in three ways.
var cloneRow = func() []param {
	all := append([]param{retPID, {make: makeCloneExe}, {make: makeCloneArgs}}, first...)
	return append(all,
		param{make: makeCloneFlags},
		task(32, dec, func(t *raw.Task) uint64 { return uint64(t.EUID) }),
		task(32, dec, func(t *raw.Task) uint64 { return uint64(t.EGID) }),
		taskPID(func(t *raw.Task) int32 { return t.VTID }),
		taskPID(func(t *raw.Task) int32 { return t.VPID }),
		of(64, 0),
	)
}()

func makeCloneExe(f *Filler, _ *param) {
	if f.r.Ret < 0 {
		f.out.raw = notKnown
		return
	}
	f.setText(f.e.Text(field.ProcExe))
}

func makeCloneArgs(f *Filler, _ *param) {
	items, _ := f.e.List(field.ProcArgs)
	if len(items) == 0 || f.r.Ret < 0 {
		f.out.raw = noData
		return
	}
	start := len(f.buf)
	for _, s := range items {
		f.buf = append(append(f.buf, s...), '.')
	}
	for i := start; i < len(f.buf); i++ {
		if c := f.buf[i]; c < ' ' || c > '~' {
			f.buf[i] = '.'
		}
	}
	f.out.raw = f.str(start)
}

// exitSignalMask is CSIGNAL of linux/sched.h: the low byte of clone's flags is a signal.
const exitSignalMask = 0xff

var nrClone3, nrClone = callNumber("clone3"), callNumber("clone")

func makeCloneFlags(f *Filler, _ *param) {
	v := uint64(0)
	switch {
	case f.r.Nr == nrClone:
		v = f.reg(0) &^ exitSignalMask
	case f.r.Nr == nrClone3 && f.r.Kind == raw.Fork:
		v = f.reg(0)
	case f.r.Nr == nrClone3:
		v = f.member(0, 0, 64)
	}
	v = flags.FromClone(v)
	if own := !f.r.Task.InitPIDNS; f.inPIDNS && (own || v&flags.CloneNewPID == 0) { // Falco asks for the caller's namespace
		v |= flags.CloneInPIDNS
	}
	f.setBits(v, 32, flags.Clone)
}

// The end of a process: the status word of wait(2) and its parts.
var exitRow = []param{
	{make: func(f *Filler, _ *param) { f.setErrno(f.r.Ret) }},
	{make: func(f *Filler, _ *param) {
		code := int64(0)
		if f.r.Ret&0x7f == 0 {
			code = f.r.Ret >> 8 & 0xff
		}
		f.setErrno(code)
	}},
	{make: func(f *Filler, _ *param) { f.setSignal(uint64(f.r.Ret & 0x7f)) }},
	{make: func(f *Filler, _ *param) { f.setNum(uint64(f.r.Ret>>7&1), 8, dec, false) }},
	{make: func(f *Filler, _ *param) { f.setPID(int64(int32(f.reg(1)))) }},
}

var signalRow = []param{
	{make: func(f *Filler, _ *param) {
		sender := int64(0)
		if code := int32(f.reg(1)); code == siUser || code == siQueue || code == siTkill || f.reg(0) == sigchld {
			sender = int64(f.r.OtherPID) // other signals have something else in its place
		}
		f.setPID(sender)
	}},
	{make: func(f *Filler, _ *param) { f.setPID(int64(f.r.Task.TID)) }},
	signal(0),
}

// Codes of signals that a process has sent (sigaction(2)), and the one signal of the kernel's that is about a process.
const (
	siUser  = 0
	siQueue = -1
	siTkill = -6
	sigchld = 17
)

// ptrace: an address, and data that is an address, a signal or what was read.
var (
	ptraceAddr = param{make: func(f *Filler, _ *param) {
		v := f.reg(2)
		if f.r.Ret < 0 {
			v = 0
		}
		f.setNum(v, 64, hex, false)
	}}
	ptraceData = param{make: func(f *Filler, _ *param) {
		v := f.reg(3)
		request := flags.FromPtrace(f.reg(0))
		switch {
		case f.r.Ret < 0:
			v = 0
		case request >= 2 && request <= 4: // PTRACE_PEEKTEXT, PTRACE_PEEKDATA, PTRACE_PEEKUSR
			v = f.member(3, 0, 64)
		case (request == 8 || request == 10 || request == 12 || request == 13) && v != 0: // CONT, SINGLESTEP, DETACH, SYSCALL
			f.setSignal(v)
			return
		}
		f.setNum(v, 64, hex, false)
	}}
)

// Options of prctl whose second argument is a pointer.
const (
	prSetName           = 15
	prGetName           = 16
	prGetChildSubreaper = 37
)

// prctl: a second argument that is text or a number.
var (
	prctlText = param{make: func(f *Filler, _ *param) {
		if option := f.reg(0); option != prSetName && option != prGetName {
			f.out.raw = notKnown
			return
		}
		f.setText(f.text(1))
	}}
	prctlNumber = param{make: func(f *Filler, _ *param) {
		v := f.reg(1)
		switch f.reg(0) {
		case prSetName, prGetName:
			v = 0
		case prGetChildSubreaper:
			v = f.member(1, 0, 32)
		}
		f.setNum(v, 64, dec, true)
	}}
)

package state

import (
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// ofProcess is the fields about the process itself.
var ofProcess = map[field.ID]resolver{
	field.ProcArgs: func(t *Table, e *event.Event) {
		e.SetText(field.ProcArgs, t.now.Image.ArgText())
		e.SetList(field.ProcArgs, t.now.Image.Args())
	},
	field.ProcCmdline:    func(t *Table, e *event.Event) { e.SetText(field.ProcCmdline, t.now.Cmdline()) },
	field.ProcExeline:    func(t *Table, e *event.Event) { e.SetText(field.ProcExeline, t.now.Image.Exeline()) },
	field.ProcCmdnargs:   (*Table).argCount,
	field.ProcCmdlenargs: (*Table).argCount,
	field.ProcEnv: func(t *Table, e *event.Event) {
		e.SetText(field.ProcEnv, t.now.Image.EnvText())
		e.SetList(field.ProcEnv, t.now.Image.Env())
	},
	field.ProcCwd:      func(t *Table, e *event.Event) { e.SetText(field.ProcCwd, t.now.Cwd) },
	field.ProcVPID:     func(t *Table, e *event.Event) { e.SetNum(field.ProcVPID, int64(t.now.Task.VPID)) },
	field.ProcDuration: func(t *Table, e *event.Event) { e.SetNum(field.ProcDuration, since(e.Time, t.started())) },
	field.ProcPIDTS:    func(t *Table, e *event.Event) { e.SetNum(field.ProcPIDTS, t.started()) },
	field.ProcNthreads: (*Table).threads,
	field.ProcNchilds:  (*Table).threads,
	field.ProcFdlimit:  func(t *Table, e *event.Event) { e.SetNum(field.ProcFdlimit, int64(t.now.Task.NoFile)) },
	field.ProcVmsize:   (*Table).memory,
	field.ProcVmrss:    (*Table).memory,
	field.ProcVmswap:   (*Table).memory,

	field.ProcPidnsInitStartTS: (*Table).pidnsStart,
}

func (t *Table) argCount(e *event.Event) {
	n, bytes := t.now.Image.ArgCount()
	e.SetNum(field.ProcCmdnargs, int64(n))
	e.SetNum(field.ProcCmdlenargs, int64(bytes))
}

// started is when the process started, in ns since 1970.
func (t *Table) started() int64 { return t.boot + int64(t.now.Start) }

// since is the time from one moment to a later one: clocks that disagree by a little do not make it negative.
func since(now, then int64) int64 { return max(now-then, 0) }

// threads counts the threads of the process, and those beside the main one, which is what Falco calls nchilds. A thread
// that is about to end does not count.
func (t *Table) threads(e *event.Event) {
	n := int64(t.now.Task.Threads)
	main := int64(1)
	if t.now.LeaderGone {
		main = 0
		n-- // the kernel keeps the main thread until the last one has ended
	}
	if t.now.Raw.Kind == raw.Exit {
		n = int64(t.now.Raw.Regs[0])
	}
	e.SetNum(field.ProcNthreads, max(n, 0))
	e.SetNum(field.ProcNchilds, max(n-main, 0))
}

func (t *Table) memory(e *event.Event) {
	e.SetNum(field.ProcVmsize, int64(t.now.Task.VMSize))
	e.SetNum(field.ProcVmrss, int64(t.now.Task.VMRSS))
	e.SetNum(field.ProcVmswap, int64(t.now.Task.VMSwap))
}

// pidnsStart is when the first process of the PID namespace started: for the host the start of the machine.
func (t *Table) pidnsStart(e *event.Event) {
	if start, ok := t.namespaceStart(); ok {
		e.SetNum(field.ProcPidnsInitStartTS, start)
	}
}

func (t *Table) namespaceStart() (int64, bool) {
	if t.now.Task.InitPIDNS {
		return t.bootSecond, true
	}
	start, ok := t.InitStart(t.now.Task.PIDNS)
	return t.boot + int64(start), ok
}

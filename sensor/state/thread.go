package state

import (
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"golang.org/x/sys/unix"

	"github.com/eyrie-sec/eyrie/sensor/abi"
)

// ofThread is the fields about the thread.
var ofThread = map[field.ID]resolver{
	field.ThreadTID:  func(t *Table, e *event.Event) { e.SetNum(field.ThreadTID, int64(t.now.Task.TID)) },
	field.ThreadVTID: func(t *Table, e *event.Event) { e.SetNum(field.ThreadVTID, int64(t.now.Task.VTID)) },
	field.ThreadIsmain: func(t *Table, e *event.Event) {
		e.SetBool(field.ThreadIsmain, t.now.Task.TID == t.now.Task.PID)
	},
	field.ThreadCgroups:      (*Table).cgroups,
	field.ThreadPfmajor:      func(t *Table, e *event.Event) { e.SetNum(field.ThreadPfmajor, int64(t.now.Task.MajFlt)) },
	field.ThreadPfminor:      func(t *Table, e *event.Event) { e.SetNum(field.ThreadPfminor, int64(t.now.Task.MinFlt)) },
	field.ThreadVmsize:       (*Table).threadMemory,
	field.ThreadVmrss:        (*Table).threadMemory,
	field.ThreadCapPermitted: capabilities(field.ThreadCapPermitted, func(th *Thread) uint64 { return th.Task.CapPermitted }),
	field.ThreadCapEffective: capabilities(field.ThreadCapEffective, func(th *Thread) uint64 { return th.Task.CapEffective }),
	field.ThreadCapInheritable: capabilities(field.ThreadCapInheritable,
		func(th *Thread) uint64 { return th.Task.CapInheritable }),
}

func (t *Table) cgroups(e *event.Event) {
	if c := t.now.Cgroups; c != nil {
		e.SetText(field.ThreadCgroups, c.Text)
		e.SetList(field.ThreadCgroups, c.List)
	}
}

// threadMemory is the process's memory for the main thread and nothing for the others, so that a sum is right.
func (t *Table) threadMemory(e *event.Event) {
	size, resident := t.now.Task.VMSize, t.now.Task.VMRSS
	if t.now.Task.TID != t.now.Task.PID {
		size, resident = 0, 0
	}
	e.SetNum(field.ThreadVmsize, int64(size))
	e.SetNum(field.ThreadVmrss, int64(resident))
}

// capNames is the capabilities by number: capabilities(7), as of Linux 5.9.
var capNames = strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID
	CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW
	CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN
	CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE
	CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND
	CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)

// maxCapSets is how many different sets are remembered as text; a machine has a dozen.
const maxCapSets = 1024

func capabilities(id field.ID, of func(*Thread) uint64) resolver {
	return func(t *Table, e *event.Event) {
		set := of(&t.now)
		text, ok := t.caps[set]
		if !ok {
			text = capText(set)
			if len(t.caps) >= maxCapSets {
				clear(t.caps)
			}
			t.caps[set] = text
		}
		e.SetText(id, text)
	}
}

func capText(set uint64) string {
	var names []string
	for n, name := range capNames {
		if set&(1<<n) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// bootTime is when the machine started, in ns since 1970.
func bootTime() int64 {
	var up unix.Timespec
	if err := unix.ClockGettime(abi.ClockBoottime, &up); err != nil {
		return 0
	}
	return time.Now().UnixNano() - up.Nano()
}

package state

import (
	"strings"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/procs"
)

// ofChain is the fields about the parent and the other ancestors.
var ofChain = map[field.ID]resolver{
	field.ProcPPID: func(t *Table, e *event.Event) {
		if ppid := t.now.Task.PPID; ppid > 0 {
			e.SetNum(field.ProcPPID, int64(ppid))
		}
	},
	field.ProcPname:    ofParent(field.ProcPname, func(p *procs.Proc) string { return p.Name }),
	field.ProcPexe:     ofParent(field.ProcPexe, func(p *procs.Proc) string { return p.Image.Exe }),
	field.ProcPexepath: ofParent(field.ProcPexepath, func(p *procs.Proc) string { return p.Image.ExePath }),
	field.ProcPcmdline: ofParent(field.ProcPcmdline, (*procs.Proc).Cmdline),
	field.ProcPVPID: func(t *Table, e *event.Event) {
		if p := t.Parent(); p != nil {
			e.SetNum(field.ProcPVPID, int64(p.VPID))
		}
	},
	field.ProcPPIDTS: func(t *Table, e *event.Event) {
		if p := t.Parent(); p != nil {
			e.SetNum(field.ProcPPIDTS, t.boot+int64(p.Start))
		}
	},
	field.ProcPPIDDuration: func(t *Table, e *event.Event) {
		if p := t.Parent(); p != nil {
			e.SetNum(field.ProcPPIDDuration, since(e.Time, t.boot+int64(p.Start)))
		}
	},

	field.ProcAname:    ofAll(field.ProcAname, listName, func(p *procs.Proc) string { return p.Name }),
	field.ProcAexe:     ofAll(field.ProcAexe, listExe, func(p *procs.Proc) string { return p.Image.Exe }),
	field.ProcAexepath: ofAll(field.ProcAexepath, listExepath, func(p *procs.Proc) string { return p.Image.ExePath }),
	field.ProcAargs:    ofAll(field.ProcAargs, listArgs, func(p *procs.Proc) string { return p.Image.ArgText() }),
	field.ProcAcmdline: ofAll(field.ProcAcmdline, listCmdline, (*procs.Proc).Cmdline),
	field.ProcAenv:     ofAll(field.ProcAenv, listEnv, func(p *procs.Proc) string { return p.Image.EnvText() }),
	field.ProcAPID:     ofAll(field.ProcAPID, listPID, (*procs.Proc).PIDText),

	field.ProcLoginshellid: (*Table).loginShell,
}

func ofParent(id field.ID, value func(*procs.Proc) string) resolver {
	return func(t *Table, e *event.Event) {
		if p := t.Parent(); p != nil {
			e.SetText(id, value(p))
		}
	}
}

// ofAll makes the list of a value of the process and all its ancestors.
func ofAll(id field.ID, list int, value func(*procs.Proc) string) resolver {
	return func(t *Table, e *event.Event) {
		items := append(t.room[list][:0], value(t.now.Proc))
		for _, p := range t.ancestors() {
			items = append(items, value(p))
		}
		t.room[list] = items
		e.SetList(id, items)
	}
}

// ancestors is the parent, its parent and so on.
func (t *Table) ancestors() []*procs.Proc {
	if !t.chained {
		t.chain = t.Ancestors(t.chain[:0], t.now.Proc, t.now.Raw.Time)
		t.chained = true
	}
	return t.chain
}

// loginShell is the oldest process of the chain whose name ends in "sh", which is how Falco knows a shell.
func (t *Table) loginShell(e *event.Event) {
	if strings.HasSuffix(t.now.Name, "sh") {
		e.SetNum(field.ProcLoginshellid, int64(t.now.PID))
	}
	for _, p := range t.ancestors() {
		if strings.HasSuffix(p.Name, "sh") {
			e.SetNum(field.ProcLoginshellid, int64(p.PID))
		}
	}
}

// ofLeaders is the fields about the session and the process group.
var ofLeaders = map[field.ID]resolver{
	field.ProcSID:         func(t *Table, e *event.Event) { e.SetNum(field.ProcSID, int64(t.now.Task.VSID)) },
	field.ProcSname:       (*Table).session,
	field.ProcSIDExe:      (*Table).session,
	field.ProcSIDExepath:  (*Table).session,
	field.ProcIsSIDLeader: func(t *Table, e *event.Event) { e.SetBool(field.ProcIsSIDLeader, t.now.SID == t.now.PID) },

	field.ProcPgid:         func(t *Table, e *event.Event) { e.SetNum(field.ProcPgid, int64(t.now.Task.PGID)) },
	field.ProcPgidName:     (*Table).group,
	field.ProcPgidExe:      (*Table).group,
	field.ProcPgidExepath:  (*Table).group,
	field.ProcIsPgidLeader: func(t *Table, e *event.Event) { e.SetBool(field.ProcIsPgidLeader, t.now.PGID == t.now.PID) },

	field.ProcVpgid:         func(t *Table, e *event.Event) { e.SetNum(field.ProcVpgid, int64(t.now.Task.VPGID)) },
	field.ProcVpgidName:     (*Table).group,
	field.ProcVpgidExe:      (*Table).group,
	field.ProcVpgidExepath:  (*Table).group,
	field.ProcIsVpgidLeader: func(t *Table, e *event.Event) { e.SetBool(field.ProcIsVpgidLeader, t.now.PGID == t.now.PID) },
}

var noImage = &procs.Image{}

// leader is the living process that leads a session or group, an empty one where it has ended: Falco then has no name.
func (t *Table) leader(pid int32) (name string, image *procs.Image) {
	if pid == t.now.PID {
		return t.now.Name, t.now.Image
	}
	if p := t.Get(pid, t.now.Raw.Time); p != nil && pid > 0 {
		return p.Name, p.Image
	}
	return "", noImage
}

func (t *Table) session(e *event.Event) {
	name, image := t.leader(t.now.Task.SID)
	e.SetText(field.ProcSname, name)
	e.SetText(field.ProcSIDExe, image.Exe)
	e.SetText(field.ProcSIDExepath, image.ExePath)
}

// group sets both views of the group: they are the same processes, numbered by the host or by the namespace.
func (t *Table) group(e *event.Event) {
	name, image := t.leader(t.now.Task.PGID)
	for _, id := range [...]field.ID{field.ProcPgidName, field.ProcVpgidName} {
		e.SetText(id, name)
	}
	for _, id := range [...]field.ID{field.ProcPgidExe, field.ProcVpgidExe} {
		e.SetText(id, image.Exe)
	}
	for _, id := range [...]field.ID{field.ProcPgidExepath, field.ProcVpgidExepath} {
		e.SetText(id, image.ExePath)
	}
}

package state

import (
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// Comm is the name of the process or thread with a kernel id.
func (t *Table) Comm(id int32) (string, bool) {
	if id <= 0 {
		return "", false
	}
	if id == t.now.Task.TID {
		return t.now.Name, true
	}
	p := t.Get(id, t.now.Raw.Time)
	if p == nil {
		p = t.Table.OfThread(id)
	}
	if p == nil {
		return "", false
	}
	return p.Name, true
}

// User is the name of a user where the event's process lives.
func (t *Table) User(uid uint32) (string, bool) {
	name, _, _ := t.userNames(uid)
	return name, name != Unknown
}

// Group is the name of a group there.
func (t *Table) Group(gid uint32) (string, bool) {
	name := t.groupName(gid)
	return name, name != Unknown
}

// FD is fd.typechar and fd.name of the descriptor that a part of the event describes.
func (t *Table) FD(r *raw.Event, part *raw.Part) (typechar, name string) {
	f := t.fds.Describe(t.now.Proc, r, part)
	if f == nil {
		return "", ""
	}
	return f.Kind.Char() + f.Proto.Letter(), f.Name
}

// Cwd is the working directory of the event's process, as proc.cwd shows it.
func (t *Table) Cwd(*raw.Event) string { return t.now.Proc.Cwd }

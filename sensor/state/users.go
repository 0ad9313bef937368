package state

import (
	"slices"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// ofUsers is the fields about the effective user and group and the user that once logged in.
var ofUsers = map[field.ID]resolver{
	field.UserName:    (*Table).user,
	field.UserHomedir: (*Table).user,
	field.UserShell:   (*Table).user,
	field.UserLoginname: func(t *Table, e *event.Event) {
		name, _, _ := t.userNames(t.now.Task.LoginUID)
		e.SetText(field.UserLoginname, name)
	},
	field.GroupGID: func(t *Table, e *event.Event) { e.SetNum(field.GroupGID, int64(t.now.Task.EGID)) },
	field.GroupName: func(t *Table, e *event.Event) {
		e.SetText(field.GroupName, t.groupName(t.now.Task.EGID))
	},
}

// noUser is the id of nobody having logged in: (uid_t)-1.
const noUser = 1<<32 - 1

func (t *Table) user(e *event.Event) {
	name, home, shell := t.userNames(t.now.Task.EUID)
	e.SetText(field.UserName, name)
	e.SetText(field.UserHomedir, home)
	e.SetText(field.UserShell, shell)
}

func (t *Table) userNames(uid uint32) (name, home, shell string) {
	if t.users == nil || uid == noUser {
		return Unknown, Unknown, Unknown
	}
	best := [3]string{Unknown, Unknown, Unknown}
	for _, ns := range t.places() {
		name, home, shell, ok := t.users.User(t.now.PID, ns, uid)
		if ok && shell != "" && shell != Unknown {
			return name, home, shell
		}
		if ok && best[0] == Unknown { // a name that stands in no file
			best = [3]string{name, home, shell}
		}
	}
	return best[0], best[1], best[2]
}

func (t *Table) groupName(gid uint32) string {
	if t.users != nil {
		for _, ns := range t.places() {
			if name, ok := t.users.Group(t.now.PID, ns, gid); ok {
				return name
			}
		}
	}
	return Unknown
}

// places is the mount namespaces where names are looked for: that in which the process was forked or began its program,
// that of the thread, and that of the parent if it is in the same control groups, so in no other container. One that the
// process has made has the same files until it mounts others, and cannot be looked into once the process has ended.
func (t *Table) places() []uint32 {
	list := append(t.mountNS[:0], t.now.MountNS)
	if ns := t.now.Task.MountNS; ns != list[0] {
		list = append(list, ns)
	}
	if p := t.Parent(); p != nil && p.MountNS != 0 && p.Cgroups == t.now.Cgroups && !slices.Contains(list, p.MountNS) {
		list = append(list, p.MountNS)
	}
	return list
}

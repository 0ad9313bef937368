package state

import (
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

// places is the mount namespaces where names are looked for: that of the thread, and that in which the process began, as
// one that was just made has the same files but cannot be looked into once the process has ended.
func (t *Table) places() [2]uint32 { return [2]uint32{t.now.Task.MountNS, t.now.MountNS} }

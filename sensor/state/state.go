// Package state says what is known of the thread that an event is about: its process, what that runs, its ancestors, its
// ids and its users, as proc.*, thread.*, user.* and group.* of an event, and, by package fds, its descriptors as fd.*. A raw event comes in, values of an event.Event
// go out, in Falco's terms. The few values that most rules look at are set at once; the others only when somebody asks,
// by Resolve. It reads neither the kernel nor /proc (see package procs for who does), and never blocks.
//
// A Table is for one goroutine, which for each raw event calls Apply, then Fill of what that returned, then matches the
// event, whose Resolve leads to the Table's. Seed, Run, Sweep, Lost and Stats are safe beside it.
package state

import (
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/fds"
	"github.com/eyrie-sec/eyrie/sensor/procs"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// UserNames finds the names of users and groups. Which files say so depends on where the process lives: pid is a process
// of that place and mountNS the inode number of its mount namespace. It is asked on the way of every alert and must
// answer from memory.
type UserNames interface {
	User(pid int32, mountNS, uid uint32) (name, home, shell string, ok bool)
	Group(pid int32, mountNS, gid uint32) (name string, ok bool)
}

// Unknown is what Falco shows for the name of a user or group that it does not know.
const Unknown = "<NA>"

// Config says where a Table gets its facts.
type Config struct {
	procs.Config
	Users UserNames // nil: names are Unknown
	FDs   fds.Config

	// BootTime is when the machine started, in ns since 1970, with which the kernel's times since boot become times of
	// the day. 0: taken from the clocks. BootSecond is the same as /proc/stat has it (btime); Falco takes it for the
	// start of the host's PID namespace. 0: BootTime in whole seconds.
	BootTime, BootSecond int64
}

// Table is what is known of all processes. New makes it.
type Table struct {
	*procs.Table
	fds        *fds.Table
	users      UserNames
	boot       int64
	bootSecond int64
	now        Thread
	chain      []*procs.Proc // ancestors of now
	chained    bool
	caps       map[uint64]string
	mountNS    [3]uint32           // what places answers
	room       [listCount][]string // of lists handed to the event
}

// The lists that Resolve hands out.
const (
	listName = iota
	listExe
	listExepath
	listArgs
	listCmdline
	listEnv
	listPID
	listCount
)

// Thread is the thread that the last event is about. It is valid until the next Apply.
type Thread struct {
	*procs.Proc
	Task *raw.Task
	Raw  *raw.Event
	fd   *fds.View
}

// New makes an empty table.
func New(cfg Config) *Table {
	t := &Table{
		Table: procs.New(cfg.Config), users: cfg.Users, boot: cfg.BootTime, bootSecond: cfg.BootSecond,
		caps: map[uint64]string{},
	}
	t.fds = fds.New(t.Table, cfg.FDs)
	if t.boot == 0 {
		t.boot = bootTime()
	}
	if t.bootSecond == 0 {
		t.bootSecond = t.boot - t.boot%1e9
	}
	return t
}

// Apply takes the event in and says which thread it is about.
func (t *Table) Apply(r *raw.Event) *Thread {
	p := t.Table.Apply(r)
	t.now = Thread{Proc: p, Task: &r.Task, Raw: r}
	t.chained = false
	t.now.fd = t.fds.Apply(r, p)
	return &t.now
}

// Parent is the process's parent at the time of the event, nil for none or unknown.
func (t *Table) Parent() *procs.Proc {
	return t.Table.Parent(t.now.Proc, t.now.Raw.Time)
}

// Fill sets what most rules look at. The caller has Reset e to its type; e.Resolve must lead to the Table's Resolve.
func (th *Thread) Fill(e *event.Event) {
	e.SetText(field.ProcName, th.Name)
	e.SetText(field.ProcExepath, th.Image.ExePath)
	e.SetText(field.ProcExe, th.Image.Exe)
	e.SetNum(field.ProcPID, int64(th.PID))
	e.SetNum(field.ProcTTY, int64(th.TTY))
	e.SetNum(field.UserUID, int64(th.Task.EUID))
	e.SetNum(field.UserLoginuid, int64(int32(th.Task.LoginUID)))
	th.fd.Fill(e)
}

// Descriptors is the table of open descriptors, for its numbers and for Refresh.
func (t *Table) Descriptors() *fds.Table { return t.fds }

// Resolve sets the field, and what comes with it, if it is one of this package's and has a value. It says whether the
// field is one of this package's.
func (t *Table) Resolve(e *event.Event, id field.ID) bool {
	if t.now.Proc == nil || int(id) >= len(resolvers) {
		return false
	}
	do := resolvers[id]
	if do == nil {
		return t.fds.Resolve(e, id)
	}
	do(t, e)
	return true
}

type resolver func(t *Table, e *event.Event)

// resolvers says who sets which field; it is not changed.
var resolvers = func() (all [field.Count]resolver) {
	for _, some := range []map[field.ID]resolver{ofProcess, ofChain, ofLeaders, ofExecutable, ofThread, ofUsers} {
		for id, do := range some {
			all[id] = do
		}
	}
	return all
}()

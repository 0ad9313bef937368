package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/procs"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// fakeUsers knows root everywhere, user 1000 and group 1000 in mount namespace 5, and 65534 of the host's namespace 1.
type fakeUsers struct{}

func (fakeUsers) User(_ int32, ns, uid uint32) (name, home, shell string, ok bool) {
	switch {
	case uid == 0 && ns == 9: // nothing could be read
		return "root", "/root", Unknown, true
	case uid == 0:
		return "root", "/root", "/bin/sh", true
	case uid == 1000 && ns == 5:
		return "app", "/app", "/bin/false", true
	case uid == 65534 && ns == 1:
		return "nobody", "/", "/sbin/nologin", true
	}
	return "", "", "", false
}

func (fakeUsers) Group(_ int32, ns, gid uint32) (string, bool) {
	if gid == 0 {
		return "root", true
	}
	return "staff", gid == 1000 && ns == 5
}

const boot = 1_000_000_000_000

type world struct {
	t     *testing.T
	table *Table
	e     event.Event
	now   int64
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, table: New(Config{Users: fakeUsers{}, BootTime: boot + 7, BootSecond: boot}), now: boot + 1e9}
	w.e.Resolve = func(e *event.Event, id field.ID) { w.table.Resolve(e, id) }
	return w
}

func task(pid, ppid int32, comm string) raw.Task {
	return raw.Task{TID: pid, PID: pid, PPID: ppid, VTID: pid, VPID: pid, VPPID: ppid, SID: 1, VSID: 1, PGID: 1, VPGID: 1,
		Start: uint64(pid) * 1000, Comm: comm, Threads: 1, InitPIDNS: true, PIDNS: 1, MountNS: 1, LoginUID: 1<<32 - 1}
}

func (w *world) event(kind raw.Kind, k raw.Task, parts ...raw.Part) *raw.Event {
	w.now += 1e6
	return w.apply(&raw.Event{Kind: kind, Time: w.now, Nr: -1, Task: k, Parts: parts})
}

func (w *world) apply(r *raw.Event) *raw.Event {
	th := w.table.Apply(r)
	w.e.Reset(1)
	w.e.Time = r.Time
	th.Fill(&w.e)
	return r
}

func (w *world) exec(k raw.Task, file raw.FileInfo, argv ...string) {
	w.event(raw.Exec, k,
		raw.Part{Kind: raw.Argv, Arg: raw.NoArg, Data: []byte(strings.Join(argv, "\x00") + "\x00")},
		raw.Part{Kind: raw.Env, Arg: raw.NoArg, Data: []byte("A=1\x00B=two words\x00")},
		raw.Part{Kind: raw.Exe, Arg: raw.NoArg, Data: []byte("/usr/bin/" + k.Comm), File: file},
		raw.Part{Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte("/srv")},
		raw.Part{Kind: raw.Cgroup, Arg: raw.NoArg, Data: []byte("/a")})
}

// want compares fields: NAME=VALUE parted by blanks, with ~ for no value and _ for a blank, a list with | between items.
func (w *world) want(fields string) {
	w.t.Helper()
	for _, one := range strings.Fields(fields) {
		name, want, _ := strings.Cut(one, "=")
		got := w.get(name)
		if want = strings.ReplaceAll(want, "_", " "); got != want {
			w.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func (w *world) get(name string) string {
	list := strings.HasSuffix(name, "[]")
	id, ok := field.ByName(strings.TrimSuffix(name, "[]"))
	if !ok {
		w.t.Fatalf("no field %s", name)
	}
	switch {
	case list:
		if l, ok := w.e.List(id); ok {
			return strings.Join(l, "|")
		}
	case id.Info().Type.Numeric():
		if n, ok := w.e.Number(id); ok {
			return fmt.Sprint(n)
		}
	default:
		if s, ok := w.e.Text(id); ok {
			return s
		}
	}
	return "~"
}

func TestProcess(t *testing.T) {
	w := newWorld(t)
	k := task(1, 0, "init")
	w.exec(k, raw.FileInfo{Ino: 3}, "/sbin/init")
	k = task(10, 1, "login")
	k.SID, k.VSID, k.PGID, k.VPGID, k.TTY, k.EUID, k.LoginUID, k.NoFile = 10, 10, 10, 10, 34816, 0, 0, 1024
	w.exec(k, raw.FileInfo{Ino: 4}, "login")
	k.TID, k.PID, k.PPID, k.VPID, k.Start, k.Comm = 11, 11, 10, 11, 11000, "bash"
	w.exec(k, raw.FileInfo{Ino: 5, Ctime: boot + 500, Mtime: 77, UpperLayer: true}, "-bash", "-c", "x y", "")
	w.want("proc.name=bash proc.exe=-bash proc.exepath=/usr/bin/bash proc.args=-c_x_y_ proc.args[]=-c|x_y| proc.cmdnargs=3" +
		" proc.cmdlenargs=5 proc.cmdline=bash_-c_x_y_ proc.exeline=-bash_-c_x_y_ proc.env=A=1_B=two_words proc.env[]=A=1|B=two_words" +
		" proc.cwd=/srv/ proc.tty=34816 proc.pid=11 proc.ppid=10 proc.vpid=11 proc.pvpid=10 proc.fdlimit=1024" +
		" proc.pname=login proc.pexe=login proc.pexepath=/usr/bin/login proc.pcmdline=login proc.aname[]=bash|login|init" +
		" proc.aexe[]=-bash|login|/sbin/init proc.aexepath[]=/usr/bin/bash|/usr/bin/login|/usr/bin/init" +
		" proc.aargs[]=-c_x_y_|| proc.acmdline[]=bash_-c_x_y_|login|init proc.apid[]=11|10|1" +
		" proc.sid=10 proc.sname=login proc.sid.exe=login proc.sid.exepath=/usr/bin/login proc.is_sid_leader=0" +
		" proc.pgid=10 proc.pgid.name=login proc.vpgid=10 proc.vpgid.name=login proc.vpgid.exe=login proc.is_vpgid_leader=0" +
		" proc.is_pgid_leader=0 proc.loginshellid=11 proc.nthreads=1 proc.nchilds=0" +
		" thread.tid=11 thread.ismain=1 thread.cgroups=cpuset=/a_cpu=/a_cpuacct=/a_blkio=/a_memory=/a" +
		" thread.cgroups[]=cpuset=/a|cpu=/a|cpuacct=/a|blkio=/a|memory=/a")
	w.want("proc.is_exe_writable=1 proc.is_exe_upper_layer=1 proc.is_exe_lower_layer=0 proc.is_exe_from_memfd=0 proc.exe_ino=5" +
		" proc.exe_ino.mtime=77 proc.exe_ino.ctime_duration_pidns_start=500")
	w.want(fmt.Sprint("proc.pid.ts=", boot+7+11000, " proc.ppid.ts=", boot+7+10000, " proc.duration=", w.now-boot-7-11000,
		" proc.pidns_init_start_ts=", boot, " proc.exe_ino.ctime=", boot+500, " proc.exe_ino.ctime_duration_proc_start=", 7+11000-500))

	w.event(raw.Exit, task(10, 1, "login"))
	k.PPID = 1
	w.event(raw.Syscall, k)
	w.want("proc.pname=init proc.aname[]=bash|init proc.sname= proc.vpgid.name= proc.vpgid.exe= proc.sid=10")
	k = task(1, 0, "init")
	w.event(raw.Syscall, k)
	w.want("proc.ppid=~ proc.pname=~ proc.aname[]=init proc.loginshellid=~ proc.is_sid_leader=1 proc.ppid.duration=~ proc.pvpid=~")
	k.KernelThread, k.TID, k.PID, k.Start = true, 2, 2, 5
	w.event(raw.Syscall, k)
	w.want("proc.exe= proc.exepath= proc.exe_ino=~ proc.cwd= proc.env= proc.args=")
}

func TestShells(t *testing.T) {
	w := newWorld(t)
	for n, name := range []string{"zsh", "sudo", "bash", "vim"} {
		w.exec(task(int32(n+10), int32(n+9), name), raw.FileInfo{}, name)
	}
	w.want("proc.loginshellid=10 proc.name=vim")
}

func TestThreads(t *testing.T) {
	w := newWorld(t)
	k := task(10, 1, "server")
	w.exec(k, raw.FileInfo{}, "server")
	k.Threads = 2
	thread := k
	thread.TID, thread.VTID, thread.Comm = 11, 11, "worker"
	w.apply(&raw.Event{Kind: raw.Fork, Time: w.now, Nr: -1, Task: thread, OtherTID: 10, OtherPID: 10})
	w.want("proc.name=server thread.tid=11 thread.vtid=11 thread.ismain=0 proc.pid=10 proc.nthreads=2 proc.nchilds=1")
	if name, _ := w.table.Comm(11); name != "server" {
		t.Errorf("the thread itself is called %q", name)
	}
	w.event(raw.Syscall, k)
	if name, _ := w.table.Comm(11); name != "server" {
		t.Errorf("another thread is called %q", name)
	}
	r := &raw.Event{Kind: raw.Exit, Time: w.now, Nr: -1, Task: k}
	r.Regs[0] = 1
	w.apply(r)
	w.want("proc.nthreads=1 proc.nchilds=1")
	w.event(raw.Syscall, thread)
	w.want("proc.nthreads=1 proc.nchilds=1")
	thread.Threads = 1
	w.event(raw.Exit, thread)
	w.want("proc.nthreads=0 proc.nchilds=0")
	if _, ok := w.table.Comm(99); ok {
		t.Error("a thread that nobody knows has a name")
	}
}

func TestContainer(t *testing.T) {
	w := newWorld(t)
	k := task(50, 1, "entry")
	k.VTID, k.VPID, k.VPPID, k.PIDNS, k.InitPIDNS, k.MountNS = 1, 1, 0, 42, false, 5
	k.SID, k.VSID, k.PGID, k.VPGID = 50, 1, 50, 1
	w.exec(k, raw.FileInfo{Ino: 8, Ctime: boot}, "entry")
	w.want("proc.exe_ino=8 proc.exe_ino.ctime_duration_pidns_start=~")
	k.TID, k.PID, k.PPID, k.VTID, k.VPID, k.VPPID, k.Start, k.Comm = 51, 51, 50, 7, 7, 1, 60000, "child"
	k.EUID, k.EGID = 1000, 1000
	w.event(raw.Syscall, k)
	w.want("proc.vpid=7 proc.pvpid=1 proc.sid=1 proc.sname=entry proc.vpgid=1 proc.vpgid.name=entry proc.is_vpgid_leader=0" +
		" user.uid=1000 user.name=app user.homedir=/app user.shell=/bin/false group.gid=1000 group.name=staff" +
		" user.loginuid=-1 user.loginname=<NA>")
	w.want(fmt.Sprint("proc.pidns_init_start_ts=", boot+7+50000))
	k.EUID, k.EGID = 4711, 4711
	w.event(raw.Syscall, k)
	w.want("user.name=<NA> user.homedir=<NA> user.shell=<NA> group.name=<NA>")
	if _, ok := w.table.User(4711); ok {
		t.Error("a user without a name has one as a parameter")
	}
}

func TestUsersOfANamespaceThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	k := task(10, 1, "x")
	k.EUID = 65534
	w.event(raw.Syscall, k)
	k.MountNS = 9 // made by unshare
	w.event(raw.Syscall, k)
	w.want("user.name=nobody user.shell=/sbin/nologin")
	k.EUID = 0
	w.event(raw.Syscall, k)
	w.want("user.name=root user.shell=/bin/sh")
	k.MountNS, k.EUID = 5, 1000
	w.event(raw.Syscall, k)
	w.want("user.name=app user.shell=/bin/false")

	w.exec(task(10, 1, "x"), raw.FileInfo{}, "x")
	k = task(11, 10, "y")
	k.MountNS, k.EUID = 9, 65534
	w.exec(k, raw.FileInfo{}, "y") // in the control groups of its parent
	w.want("user.name=nobody")
	w.event(raw.Exec, k, raw.Part{Kind: raw.Cgroup, Arg: raw.NoArg, Data: []byte("/container")})
	w.want("user.name=<NA>")
}

func TestCapabilities(t *testing.T) {
	w := newWorld(t)
	k := task(10, 1, "x")
	k.CapPermitted, k.CapEffective = 1<<21|1, 1<<40
	w.event(raw.Syscall, k)
	for name, want := range map[string]string{
		"thread.cap_permitted": "CAP_CHOWN CAP_SYS_ADMIN", "thread.cap_effective": "CAP_CHECKPOINT_RESTORE", "thread.cap_inheritable": "",
	} {
		if got := w.get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestEveryFieldIsSomebodys: each field of the groups that this package and fds are for is either resolved or known to
// have no value from system calls.
func TestEveryFieldIsSomebodys(t *testing.T) {
	others := map[string]bool{
		"proc.is_container_healthcheck": true, "proc.is_container_liveness_probe": true, "proc.is_container_readiness_probe": true,
	}
	never := map[string]bool{ // Falco sets them from scheduler events, a sampler or name lookups, which are off by default
		"thread.exectime": true, "thread.totexectime": true, "thread.cpu": true, "thread.cpu.user": true, "thread.cpu.system": true,
		"thread.cgroup": true, // of thread.cgroups
	}
	w := newWorld(t)
	w.exec(task(10, 1, "x"), raw.FileInfo{Ino: 1}, "x")
	for id := field.ID(0); int(id) < field.Count; id++ {
		info := id.Info()
		switch info.Class {
		case "proc", "thread", "user", "group", "fd":
			resolved := w.table.Resolve(&w.e, id) || w.e.Has(id)
			if want := !others[info.Name] && !never[info.Name]; resolved != want {
				t.Errorf("%s: resolved is %v, want %v", info.Name, resolved, want)
			}
		}
	}
}

func benchEvent() (*Table, *raw.Event) {
	t := New(Config{Config: procs.Config{}, Users: fakeUsers{}, BootTime: 1, BootSecond: 1})
	nr, _ := raw.Number("openat")
	parts := func() []raw.Part {
		return []raw.Part{
			{Kind: raw.Path, Arg: 1, Data: []byte("some/file")},
			{Kind: raw.File, Arg: raw.RetArg, Data: []byte("/srv/some/file"), File: raw.FileInfo{Kind: raw.KindRegular, Ino: 5}},
			{Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte("/srv")},
		}
	}
	for pid := int32(1); pid < 6; pid++ {
		t.Apply(&raw.Event{Kind: raw.Exec, Time: 5, Task: task(pid, pid-1, "prog")})
	}
	return t, &raw.Event{Kind: raw.Syscall, Time: 6, Nr: nr, Ret: 3, Regs: [6]uint64{1<<64 - 100}, Task: task(5, 4, "prog"), Parts: parts()}
}

func BenchmarkEager(b *testing.B) {
	t, r := benchEvent()
	var e event.Event
	e.Resolve = func(e *event.Event, id field.ID) { t.Resolve(e, id) }
	b.ReportAllocs()
	for b.Loop() {
		th := t.Apply(r)
		e.Reset(1)
		th.Fill(&e)
	}
}

// BenchmarkLazy asks for the ancestors' names, the command line and the directory of the file as well.
func BenchmarkLazy(b *testing.B) {
	t, r := benchEvent()
	var e event.Event
	e.Resolve = func(e *event.Event, id field.ID) { t.Resolve(e, id) }
	b.ReportAllocs()
	for b.Loop() {
		th := t.Apply(r)
		e.Reset(1)
		th.Fill(&e)
		e.List(field.ProcAname)
		e.Text(field.ProcCmdline)
		e.Text(field.ProcPname)
		e.Text(field.FDDirectory)
	}
}

func TestNoAllocations(t *testing.T) {
	table, r := benchEvent()
	var e event.Event
	e.Resolve = func(e *event.Event, id field.ID) { table.Resolve(e, id) }
	n := testing.AllocsPerRun(100, func() {
		th := table.Apply(r)
		e.Reset(1)
		th.Fill(&e)
		e.List(field.ProcAname)
		e.Text(field.ProcPname)
	})
	if n > 0 {
		t.Errorf("%v allocations an event", n)
	}
}

package procs

import (
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// world makes the events of a small machine. Its clock goes on by a millisecond an event.
type world struct {
	t     *testing.T
	table *Table
	now   int64
	tasks map[int32]*raw.Task
}

func newWorld(t *testing.T, cfg Config) *world {
	w := &world{t: t, table: New(cfg), tasks: map[int32]*raw.Task{}}
	w.tasks[1] = &raw.Task{TID: 1, PID: 1, VTID: 1, VPID: 1, SID: 1, PGID: 1, Start: 1, Comm: "init", Threads: 1, PIDNS: 7, InitPIDNS: true}
	w.table.Apply(w.event(raw.Syscall, 1))
	<-w.table.asked // what init runs
	return w
}

func (w *world) event(kind raw.Kind, tid int32) *raw.Event {
	w.now += 1e6
	task := *w.tasks[tid]
	return &raw.Event{Kind: kind, Time: w.now, Nr: -1, Task: task}
}

// fork has pid start a child and says what the table makes of it.
func (w *world) fork(pid, child int32) *Proc {
	p := w.tasks[pid]
	c := *p
	c.TID, c.PID, c.PPID, c.VTID, c.VPID, c.VPPID = child, child, p.PID, child, child, p.PID
	c.Threads = 1
	c.Start = uint64(w.now) + 1
	w.tasks[child] = &c
	r := w.event(raw.Fork, child)
	r.OtherTID, r.OtherPID = pid, p.PID
	return w.table.Apply(r)
}

func (w *world) thread(pid, tid int32) *Proc {
	c := *w.tasks[pid]
	c.TID, c.VTID = tid, tid
	c.Threads++
	w.tasks[pid].Threads = c.Threads
	w.tasks[tid] = &c
	r := w.event(raw.Fork, tid)
	r.OtherTID, r.OtherPID = pid, pid
	return w.table.Apply(r)
}

func (w *world) exec(pid int32, argv ...string) *Proc {
	name := argv[0][strings.LastIndexByte(argv[0], '/')+1:]
	w.tasks[pid].Comm = name[:min(len(name), 15)]
	r := w.event(raw.Exec, pid)
	r.OtherTID = pid
	r.Parts = []raw.Part{
		{Kind: raw.Argv, Arg: raw.NoArg, Data: []byte(strings.Join(argv, "\x00") + "\x00")},
		{Kind: raw.Env, Arg: raw.NoArg, Data: []byte("HOME=/root\x00OF=" + name + "\x00")},
		{Kind: raw.Exe, Arg: raw.NoArg, Data: []byte("/usr/bin/" + name), File: raw.FileInfo{Ino: uint64(pid)}},
		{Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte("/home")},
		{Kind: raw.Cgroup, Arg: raw.NoArg, Name: "", Data: []byte("/system.slice")},
	}
	return w.table.Apply(r)
}

func (w *world) call(tid int32, parts ...raw.Part) *Proc {
	r := w.event(raw.Syscall, tid)
	r.Parts = parts
	return w.table.Apply(r)
}

// exit ends a thread; its process ends with the last one, and then the children go to reaper.
func (w *world) exit(tid int32, alive uint64, reaper int32) *Proc {
	r := w.event(raw.Exit, tid)
	r.Regs[0], r.Regs[1] = alive, uint64(reaper)
	p := w.table.Apply(r)
	delete(w.tasks, tid)
	if alive == 0 {
		for _, c := range w.tasks {
			if c.PPID == r.Task.PID {
				c.PPID = reaper
			}
		}
	}
	return p
}

func (w *world) ancestors(p *Proc) string {
	var names []string
	for _, a := range w.table.Ancestors(nil, p, w.now) {
		names = append(names, a.Name)
	}
	return strings.Join(names, " ")
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestExecMakesAnImage(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	p := w.exec(10, "sh", "-c", "", "echo hi")
	equal(t, "name", p.Name, "sh")
	equal(t, "exe", p.Image.Exe, "sh")
	equal(t, "cmdline", p.Cmdline(), "sh -c  echo hi")
	equal(t, "exeline", p.Image.Exeline(), "sh -c  echo hi")
	equal(t, "arguments", strings.Join(p.Image.Args(), "|"), "-c||echo hi")
	n, bytes := p.Image.ArgCount()
	equal(t, "number of arguments", n, 3)
	equal(t, "their length", bytes, len("-cecho hi"))
	equal(t, "environment", p.Image.EnvText(), "HOME=/root OF=sh")
	equal(t, "path", p.Image.ExePath, "/usr/bin/sh")
	equal(t, "directory", p.Cwd, "/home/")
	equal(t, "control groups", p.Cgroups.Text,
		"cpuset=/system.slice cpu=/system.slice cpuacct=/system.slice blkio=/system.slice memory=/system.slice")

	c := w.fork(10, 11)
	if c.Image != p.Image || c.Cwd != p.Cwd || c.Cgroups != p.Cgroups {
		t.Errorf("the child of a fork has not what its parent has: %+v", c)
	}
	c = w.exec(11, "/bin/true")
	equal(t, "cmdline without arguments", c.Cmdline(), "true")
	equal(t, "exeline without arguments", c.Image.Exeline(), "/bin/true ")
	equal(t, "parent's name", w.ancestors(c), "sh init")
	equal(t, "parent's image after the child's exec", p.Cmdline(), "sh -c  echo hi")
}

func TestNameIsOfForkOrExec(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	p := w.exec(10, "server")
	w.tasks[10].Comm = "renamed" // prctl(PR_SET_NAME)
	equal(t, "name after a renaming", w.call(10).Name, "server")
	equal(t, "name of a child", w.fork(10, 11).Name, "renamed")
	equal(t, "name of the parent", p.Name, "server")
	w.thread(10, 12)
	w.tasks[12].Comm = "worker"
	equal(t, "name of the process of a named thread", w.call(12).Name, "server")
}

func TestThreads(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	p := w.exec(10, "server")
	if w.thread(10, 11) != p || w.call(11) != p {
		t.Fatal("a thread is not of its process")
	}
	if w.table.OfThread(11) != p {
		t.Error("the thread's process is not found by its id")
	}
	w.exit(10, 1, 0)
	equal(t, "main thread gone", p.LeaderGone, true)
	equal(t, "process ended", p.Exited, 0)
	c := w.fork(11, 12)
	equal(t, "ancestors of what a thread forked", w.ancestors(c), "server init")
	w.exit(11, 0, 1)
	equal(t, "process ended", p.Exited, w.now)
	if w.table.OfThread(11) != nil {
		t.Error("the thread is found after its end")
	}
}

func TestExecByAThread(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	p := w.exec(10, "server")
	w.thread(10, 11)
	w.exit(10, 1, 0)
	w.tasks[10] = w.tasks[11] // the thread takes over the id
	w.tasks[10].TID = 10
	delete(w.tasks, 11)
	r := w.event(raw.Exec, 10)
	r.OtherTID = 11
	r.Task.Comm = "child"
	equal(t, "process", w.table.Apply(r), p)
	equal(t, "main thread gone", p.LeaderGone, false)
	equal(t, "name", p.Name, "child")
}

func TestOrphansGoToTheReaper(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 5)
	w.exec(5, "reaper")
	w.fork(5, 10)
	w.exec(10, "shell")
	w.fork(10, 11)
	c := w.exec(11, "daemon")
	equal(t, "ancestors before", w.ancestors(c), "shell reaper init")
	g := w.fork(11, 12)
	before := w.now
	w.exit(10, 0, 5)
	w.now += 1e6
	equal(t, "ancestors after, without an event of the child", w.ancestors(c), "reaper init")
	equal(t, "of the grandchild", w.ancestors(g), "daemon reaper init")
	equal(t, "parent at the time of an event that comes late", w.table.Parent(c, before).Name, "shell")
	w.call(11)
	equal(t, "ancestors after an event of the child", w.ancestors(c), "reaper init")

	w.now += 3e9 // long after, the dead are forgotten, and the grandchild keeps its chain
	w.exit(11, 0, 5)
	w.now += 3e9
	w.call(1)
	if p := w.table.Get(10, 0); p != nil {
		t.Errorf("%s is kept for ever", p.Name)
	}
	equal(t, "ancestors of the grandchild", w.ancestors(g), "reaper init")
}

func TestPIDIsReused(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	old := w.exec(10, "old")
	c := w.fork(10, 11)
	w.exit(10, 0, 1)
	p := w.fork(1, 10)
	if p == old {
		t.Fatal("another process with the same id is taken for the old one")
	}
	equal(t, "name", p.Name, "init")
	equal(t, "ancestors of the old one's child", w.ancestors(c), "init")
	w.tasks[10].Start += 77 // another one still, whose start and whose predecessor's end were lost
	q := w.call(10)
	if q == p {
		t.Fatal("a process of another start is taken for the known one")
	}
	equal(t, "ends that were not seen", w.table.Stats().UnseenEnd, 1)
}

func TestLostEvents(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	w.exec(10, "bash", "-l")
	child := *w.tasks[10]
	child.TID, child.PID, child.PPID, child.Start = 11, 11, 10, 99
	w.tasks[11] = &child
	p := w.call(11) // its fork was lost
	equal(t, "command of a process without a fork", p.Cmdline(), "bash -l")
	equal(t, "its ancestors", w.ancestors(p), "bash init")
	select {
	case pid := <-w.table.asked:
		equal(t, "looked up", pid, 11)
	default:
		t.Error("the process is not looked up")
	}

	stranger := child
	stranger.TID, stranger.PID, stranger.Start, stranger.Comm = 12, 12, 100, "nginx"
	w.tasks[12] = &stranger
	p = w.call(12) // its fork and exec were lost
	equal(t, "name of a process without an exec", p.Name, "nginx")
	equal(t, "its command", p.Cmdline(), "nginx")
	equal(t, "unseen starts, that of init included", w.table.Stats().UnseenStart, 3)
}

// TestGuessesAreReplaced: what a process is taken to run because its parent does is replaced by what /proc says, for its
// children too.
func TestGuessesAreReplaced(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	w.exec(10, "bash", "-l")
	lost := *w.tasks[10]
	lost.TID, lost.PID, lost.PPID, lost.Start = 11, 11, 10, 5*nsPerTick
	w.tasks[11] = &lost
	w.call(11)
	w.now = 6 * nsPerTick
	w.fork(11, 12)
	start := w.tasks[12].Start
	for _, pid := range []int32{11, 12} {
		equal(t, "looked up", <-w.table.asked, pid)
	}
	w.table.deliver([]*record{{stat: stat{start: start - start%nsPerTick}, pid: 12, exe: "bash", args: "-c\x00", lookup: true}})
	equal(t, "command", w.call(12).Cmdline(), "bash -c")
}

func TestRenamedThreadsAreNoLostExecs(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	w.exec(10, "server")
	w.thread(10, 11)
	w.tasks[11].Comm = "worker"
	w.table.Lost()
	w.call(11)
	equal(t, "lookups asked for by a thread", len(w.table.asked), 0)
	w.tasks[10].Comm = "other"
	w.call(10)
	equal(t, "lookups asked for by the main thread", len(w.table.asked), 1)
	w.call(10)
	equal(t, "lookups asked for again", len(w.table.asked), 1)
}

func TestParentIsOlder(t *testing.T) {
	w := newWorld(t, Config{})
	p := w.fork(1, 10)
	w.tasks[10].PPID = 20 // whose start was lost
	w.call(10)
	w.fork(1, 20)
	equal(t, "ancestors, where the parent's id has gone to a younger process", w.ancestors(p), "")
}

func TestChdir(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	p := w.exec(10, "sh")
	chdir := func(path, now string, ret int64) {
		r := w.event(raw.Syscall, 10)
		r.Nr, _ = raw.Number("chdir")
		r.Ret = ret
		r.Parts = []raw.Part{{Kind: raw.Path, Arg: 0, Data: []byte(path)}, {Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte(now)}}
		w.table.Apply(r)
	}
	at := func(now string) { w.call(10, raw.Part{Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte(now)}) }
	chdir("/var/run", "/run", 0)
	equal(t, "through a link", p.Cwd, "/var/run/")
	at("/run")
	equal(t, "as long as it is there", p.Cwd, "/var/run/")
	chdir("docker", "/run/docker", 0)
	equal(t, "relative", p.Cwd, "/var/run/docker/")
	c := w.fork(10, 11)
	equal(t, "of a child", c.Cwd, "/var/run/docker/")
	chdir("/nowhere", "/run/docker", -2)
	equal(t, "that failed", p.Cwd, "/var/run/docker/")
	at("/run/moved")
	equal(t, "renamed", p.Cwd, "/run/moved/")
	chdir("/", "/", 0)
	equal(t, "root", p.Cwd, "/")
	w.thread(10, 12)
	chdir("/tmp/link", "/tmp/dir", 0)
	equal(t, "of a process with threads, one of which may have changed the name", p.Cwd, "/tmp/dir/")
}

func TestForkBombIsBounded(t *testing.T) {
	const limit = 500
	w := newWorld(t, Config{MaxProcesses: limit, MaxTextBytes: 10000})
	w.fork(1, 2)
	first := w.exec(2, "bomb")
	for pid := int32(3); pid < 20000; pid++ {
		w.fork(pid-1, pid)
		if pid%3 == 0 {
			w.exec(pid, "bomb", strings.Repeat("x", 100))
		}
		if n := len(w.table.byPID); n > limit {
			t.Fatalf("%d processes are kept, at most %d may be", n, limit)
		}
	}
	s := w.table.Stats()
	if s.Evicted < 19000 || s.TextBytes > 10000 || s.Processes > limit {
		t.Errorf("statistics are %+v", s)
	}
	if s.ArgsDropped+s.EnvDropped == 0 {
		t.Error("no text was dropped, though there was no room")
	}
	if first.slot >= 0 {
		t.Error("a process that was long quiet stayed when others had to go")
	}
	p := w.call(19999)
	if got := len(w.table.Ancestors(nil, p, w.now)); got > maxDepth {
		t.Errorf("%d ancestors, at most %d may be followed", got, maxDepth)
	}
	if w.table.Stats().DeepAncestry == 0 {
		t.Error("a cut chain of ancestors was not counted")
	}
}

func TestEndedProcessesGoFirst(t *testing.T) {
	w := newWorld(t, Config{MaxProcesses: 4})
	w.fork(1, 2)
	w.fork(1, 3)
	w.exit(3, 0, 1)
	w.fork(1, 4)
	w.fork(1, 5)
	equal(t, "evicted", w.table.Stats().Evicted, 0)
	if w.table.Get(3, 0) != nil {
		t.Error("the one that had ended is still there")
	}
}

func TestParentLoopIsCut(t *testing.T) {
	w := newWorld(t, Config{})
	a, b := w.fork(1, 10), w.fork(1, 11)
	w.tasks[10].PPID, w.tasks[11].PPID = 11, 10 // no kernel says so
	w.call(10)
	w.call(11)
	if got := len(w.table.Ancestors(nil, a, w.now)); got != maxDepth {
		t.Errorf("%d ancestors in a loop of %d and %d", got, a.PID, b.PID)
	}
}

package procs

import (
	"bytes"
	"strings"

	"github.com/eyrie-sec/eyrie/sensor/args/paths"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// calls is the numbers of the system calls that change a process's working directory.
type calls struct{ chdir, fchdir int32 }

func newCalls() calls {
	c := calls{-1, -1}
	if n, ok := raw.Number("chdir"); ok {
		c.chdir = n
	}
	if n, ok := raw.Number("fchdir"); ok {
		c.fchdir = n
	}
	return c
}

// Apply brings the table up to the event and returns the process that the event is about: the caller's, the new image of
// an exec, the child of a fork, the receiver of a signal. It is never nil. r is only read; nothing of it is kept.
func (t *Table) Apply(r *raw.Event) *Proc {
	if t.ready.Load() {
		t.takeOver()
	}
	if t.lostEvents.Load() {
		t.lostEvents.Store(false)
		t.epoch++
	}
	k := &r.Task
	p := t.find(k)
	if p == nil {
		p = t.meet(r)
	}
	t.last = p
	p.used = true
	t.update(p, k)
	switch r.Kind {
	case raw.Exec:
		t.exec(p, r)
	case raw.Exit:
		t.exit(p, r)
	case raw.Fork:
		if k.TID != k.PID && len(t.thread) < t.cfg.MaxProcesses {
			t.thread[k.TID] = k.PID
		}
		t.place(p, r)
	default:
		if len(r.Parts) > 0 {
			t.place(p, r)
		}
	}
	if t.endAt < len(t.ended) {
		t.expire(r.Time)
	}
	return p
}

// find is the process of a task, nil where it is not known.
func (t *Table) find(k *raw.Task) *Proc {
	p := t.last
	if p == nil || p.PID != k.PID {
		if p = t.byPID[k.PID]; p == nil {
			return nil
		}
	}
	if p.Start == k.Start {
		return p
	}
	if !p.ticks || p.Start != k.Start-k.Start%nsPerTick {
		return nil
	}
	if p.VPID == 1 && t.inits[p.PIDNS] == p.Start {
		t.inits[p.PIDNS] = k.Start
	}
	p.Start, p.ticks = k.Start, false
	return p
}

// meet takes in the process of an event that is not known yet.
func (t *Table) meet(r *raw.Event) *Proc {
	k := &r.Task
	p := &Proc{
		PID: k.PID, VPID: k.VPID, Start: k.Start, PIDNS: k.PIDNS, MountNS: k.MountNS, Image: noImage, epoch: t.epoch,
	}
	p.comm = t.intern(k.Comm)
	p.Name = p.comm
	t.add(p)
	switch {
	case r.Kind == raw.Fork:
		if q := t.byPID[r.OtherPID]; q != nil && q != p {
			t.inherit(p, q)
		} else if !k.KernelThread {
			t.ask(p)
		}
	case k.KernelThread, r.Kind == raw.Exec:
	default:
		t.stats[statUnseenStart].Add(1)
		if q := t.byPID[k.PPID]; q != nil && q != p && q.comm == p.comm {
			t.inherit(p, q)
			p.guess = true
		}
		if r.Kind != raw.Exit {
			t.ask(p)
		}
	}
	return p
}

// inherit gives p what a fork copies from q.
func (t *Table) inherit(p, q *Proc) {
	t.use(p, q.Image)
	p.Cwd, p.cwdKernel = q.Cwd, q.cwdKernel
	p.Cgroups, p.Container = q.Cgroups, q.Container
	p.guess = q.guess
	if p.guess || q.Image == noImage && !q.asked {
		t.ask(p)
	}
}

// ask has a process looked up in /proc, once.
func (t *Table) ask(p *Proc) {
	if p.asked {
		return
	}
	select {
	case t.asked <- p.PID:
		p.asked = true
	default:
		t.stats[statUnasked].Add(1)
	}
}

// update takes over what a task knows about its process.
func (t *Table) update(p *Proc, k *raw.Task) {
	if p.PPID != k.PPID || p.parent == nil && k.PPID != 0 {
		t.setParent(p, t.byPID[k.PPID])
		p.PPID = k.PPID
	}
	p.VPPID, p.SID, p.VSID, p.PGID, p.VPGID, p.TTY = k.VPPID, k.SID, k.VSID, k.PGID, k.VPGID, k.TTY
	if k.TID != k.PID || k.Comm == p.comm {
		return
	}
	p.comm = t.intern(k.Comm)
	if p.epoch != t.epoch {
		p.epoch = t.epoch
		p.asked = false
		t.ask(p)
	}
}

func (t *Table) exec(p *Proc, r *raw.Event) {
	p.comm = t.intern(r.Task.Comm)
	p.Name = p.comm
	if r.OtherTID != p.PID {
		delete(t.thread, r.OtherTID) // exec by a thread: it is the main one now
	}
	p.MountNS = r.Task.MountNS
	p.guess, p.LeaderGone, p.epoch, p.Exited = false, false, t.epoch, 0
	i := &Image{}
	var exe, args, env []byte
	for n := range r.Parts {
		switch part := &r.Parts[n]; part.Kind {
		case raw.Argv:
			exe, args = part.Data, nil
			if end := bytes.IndexByte(part.Data, 0); end >= 0 {
				exe, args = part.Data[:end], part.Data[end+1:]
			}
		case raw.Env:
			env = part.Data
		case raw.Exe:
			if !part.Failed {
				i.ExePath, i.File, i.Known = t.exePath(part.Data), part.File, true
				i.File.Writable = part.File.Writable || mayWrite(&r.Task, &part.File)
			}
		}
	}
	i.Exe = t.str(exe)
	keepArgs, keepEnv := t.fits(len(args), len(env))
	if !keepArgs {
		args = nil
	}
	if !keepEnv {
		env = nil
	}
	t.fill(i, share(args), share(env))
	t.use(p, i)
	t.place(p, r)
}

// Capabilities, by number.
const (
	capDACOverride = 1
	capFOwner      = 3
)

// mayWrite says whether a task may write a file, or give itself the right to, as far as owner, mode and capabilities say:
// supplementary groups, access control lists and read-only mounts are not looked at.
func mayWrite(k *raw.Task, f *raw.FileInfo) bool {
	switch {
	case k.CapEffective&(1<<capDACOverride|1<<capFOwner) != 0, k.FSUID == f.UID:
		return true
	case k.EGID == f.GID:
		return f.Mode&0o020 != 0
	}
	return f.Mode&0o002 != 0
}

// exePath is the executable's path as Falco shows it: without the slash of a memory file and the mark of a deleted one.
func (t *Table) exePath(path []byte) string {
	path = bytes.TrimSuffix(path, []byte(" (deleted)"))
	if bytes.HasPrefix(path, []byte("/memfd:")) {
		path = path[1:]
	}
	return t.str(path)
}

// place takes over where a process is: its working directory and its control groups.
func (t *Table) place(p *Proc, r *raw.Event) {
	var cwd, path *raw.Part
	groups := false
	for n := range r.Parts {
		switch part := &r.Parts[n]; part.Kind {
		case raw.Cwd:
			if !part.Failed && len(part.Data) > 0 {
				cwd = part
			}
		case raw.Path, raw.File, raw.Dir:
			if part.Arg == 0 && !part.Failed {
				path = part
			}
		case raw.Cgroup:
			groups = true
		}
	}
	if groups {
		if c := t.cgroups(r.Parts); c != p.Cgroups {
			p.Cgroups = c
		}
	}
	if moved := r.Kind == raw.Syscall && r.Ret == 0 && (r.Nr == t.calls.chdir || r.Nr == t.calls.fchdir); moved {
		t.move(p, r, cwd, path)
		return
	}
	if cwd != nil && (string(cwd.Data) != p.cwdKernel || p.Cwd == "") {
		if p.cwdKernel != "" || p.Cwd == "" || r.Kind == raw.Exec {
			p.Cwd = t.directory(string(cwd.Data))
		}
		p.cwdKernel = t.str(cwd.Data)
	}
}

// move is a successful chdir or fchdir. Falco names the new directory as the caller did, symbolic links and all, and so
// do we, as long as the kernel goes on to say that the process is where it was then. What another thread might have
// changed under us is not believed.
func (t *Table) move(p *Proc, r *raw.Event, cwd, path *raw.Part) {
	p.cwdKernel = ""
	if cwd != nil {
		p.cwdKernel = t.str(cwd.Data)
	}
	switch {
	case path != nil && (cwd == nil || path.Kind == raw.Path && (path.Stable || r.Task.Threads <= 1)):
		p.Cwd = t.directory(paths.Join(p.Cwd, string(path.Data)))
	case cwd != nil:
		p.Cwd = t.directory(p.cwdKernel)
	default:
		p.Cwd = ""
	}
}

// SetCwd says by which name the process calls the directory that it has just changed to.
func (t *Table) SetCwd(p *Proc, path string) { p.Cwd = t.directory(path) }

// directory is path with a slash at its end.
func (t *Table) directory(path string) string {
	if strings.HasSuffix(path, "/") {
		return t.intern(path)
	}
	return t.intern(path + "/")
}

func (t *Table) exit(p *Proc, r *raw.Event) {
	if r.Task.TID != r.Task.PID {
		delete(t.thread, r.Task.TID)
	}
	if alive := r.Regs[0]; alive > 0 {
		p.LeaderGone = p.LeaderGone || r.Task.TID == r.Task.PID
		return
	}
	if p.Exited != 0 {
		return
	}
	p.Exited = r.Time
	p.reaper = int32(r.Regs[1])
	t.ended = append(t.ended, p)
}

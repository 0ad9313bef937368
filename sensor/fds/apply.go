package fds

import (
	"bytes"
	"strconv"

	"github.com/eyrie-sec/eyrie/sensor/abi"
	"github.com/eyrie-sec/eyrie/sensor/args/paths"
	"github.com/eyrie-sec/eyrie/sensor/procs"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// handler is what one system call does to descriptors.
type handler func(t *Table, c *call)

// call is one system call of a process.
type call struct {
	r  *raw.Event
	p  *procs.Proc
	ok bool // it succeeded
}

// num is a descriptor argument.
func (c *call) num(arg int8) int32 { return int32(c.r.Regs[arg]) }

// Apply brings the table up to the event of process p and finds out which descriptor the event is about.
func (t *Table) Apply(r *raw.Event, p *procs.Proc) *View {
	for _, num := range t.closing {
		t.forget(t.view.proc, num)
	}
	t.closing = t.closing[:0]
	if len(t.dying) > 0 {
		t.turnOver()
	}
	t.view = View{proc: p, tid: r.Task.TID}
	switch r.Kind {
	case raw.Syscall:
		if r.Nr >= 0 && int(r.Nr) < len(t.handlers) {
			if do := t.handlers[r.Nr]; do != nil {
				t.call = call{r, p, r.Ret >= 0}
				do(t, &t.call)
			}
		}
	case raw.Fork:
		t.fork(r, p)
	case raw.Exec:
		t.exec(p)
	}
	return &t.view
}

func (t *Table) fork(r *raw.Event, p *procs.Proc) {
	q := t.processes.Get(r.OtherPID, r.Time)
	if q == nil || q == p || p.FDs != nil {
		return
	}
	s := own(q)
	switch {
	case r.Regs[0]&abi.CLONE_FILES != 0:
		s = t.writable(q) // not to be shared with children of earlier forks
		s.shared = true
		s.refs++
	case s == nil:
		return
	case s.shared:
		s.refs++ // of which copied takes one away
		s = t.copied(s, true)
	default:
		s.refs++
	}
	p.FDs = s
}

// exec closes what is to be closed then, and ends all sharing.
func (t *Table) exec(p *procs.Proc) {
	s := own(p)
	switch {
	case s == nil:
	case s.refs > 1:
		p.FDs = t.copied(s, false)
	default:
		for num, f := range s.m {
			if f.cloexec {
				t.forget(p, num)
			}
		}
	}
}

// show makes a descriptor the one that the event is about.
func (t *Table) show(num int32, f *FD) {
	t.view.Has, t.view.Num, t.view.FD = true, int64(num), f
	if f == nil {
		t.view.char, t.view.hasName, t.view.hasGiven = kinds[None].char, true, true
	}
}

// failed is a call that was to make a descriptor and did not.
func (t *Table) failed(char, name string) {
	t.view.Has, t.view.Num, t.view.FD = true, -1, nil
	t.view.char = char
	t.view.name, t.view.given, t.view.hasName, t.view.hasGiven = name, name, true, true
}

// uses is a call that works on a descriptor argument.
func uses(arg int8) handler {
	return func(t *Table, c *call) {
		t.show(c.num(arg), t.Look(c.p, c.r, c.num(arg), arg))
	}
}

// fresh is a descriptor that the call has made.
func (t *Table) fresh(c *call, kind Kind, cloexec bool) *FD {
	f := t.newFD()
	f.Kind, f.cloexec = kind, cloexec
	if part := t.made(c); part != nil {
		t.identify(f, part)
		f.cloexec = cloexec
	}
	return f
}

// made is what the kernel says of the descriptor that the call returned.
func (t *Table) made(c *call) *raw.Part {
	for n := range c.r.Parts {
		if part := &c.r.Parts[n]; part.Arg == raw.RetArg && (part.Kind == raw.File || part.Kind == raw.Socket) && !part.Failed {
			return part
		}
	}
	return nil
}

// makes is a call that returns a descriptor without a name.
func makes(kind Kind, flagsArg int8, cloexec uint64) handler {
	return func(t *Table, c *call) {
		if !c.ok {
			t.failed(kinds[None].char, "")
			return
		}
		f := t.fresh(c, kind, flagsArg >= 0 && c.r.Regs[max(flagsArg, 0)]&cloexec != 0)
		t.put(c.p, int32(c.r.Ret), f)
		t.show(int32(c.r.Ret), f)
	}
}

// opens is a call that opens a path: dir is the argument of the directory, -1 for none.
func opens(dir, path, flags int8, failedChar string) handler {
	return func(t *Table, c *call) {
		part := c.r.Part(raw.Path, path)
		absent := part == nil || part.Failed
		var name, given string
		if !absent {
			given = t.str(part.Data)
			name = t.resolve(c, dir, part.Data)
		}
		if !c.ok {
			if absent && failedChar == kinds[None].char {
				name, given = "<NA>", "<NA>"
				absent = false
			}
			t.failed(failedChar, name)
			t.view.given, t.view.hasName, t.view.hasGiven = given, !absent, !absent
			return
		}
		mode := t.openFlags(c, flags)
		kind := File
		if mode&abi.O_DIRECTORY != 0 {
			kind = Directory
		}
		f := t.fresh(c, kind, mode&abi.O_CLOEXEC != 0)
		f.Name, f.Given = name, given
		if made := t.made(c); made != nil {
			t.inode(f, made)
			if absent {
				f.Name = t.str(made.Data)
				f.Given = f.Name
			}
		}
		t.put(c.p, int32(c.r.Ret), f)
		t.show(int32(c.r.Ret), f)
		t.view.Changed = true
	}
}

// openFlags is the flags of an open: a register, or the first field of openat2's struct open_how.
func (t *Table) openFlags(c *call, arg int8) uint64 {
	if arg < 0 {
		return abi.O_CREAT | abi.O_WRONLY | abi.O_TRUNC // creat
	}
	if part := c.r.Part(raw.Struct, arg); part != nil {
		if len(part.Data) < 8 {
			return 0
		}
		return nativeUint64(part.Data)
	}
	return c.r.Regs[arg]
}

// resolve is the absolute name of a path argument, as text.
func (t *Table) resolve(c *call, dir int8, path []byte) string {
	if len(path) == 0 {
		return ""
	}
	if path[0] == '/' && cleanPath(path) {
		return t.str(path)
	}
	base := c.p.Cwd
	if dir >= 0 && path[0] != '/' && c.num(dir) != abi.AT_FDCWD {
		// The directory's path is the kernel's: what it was opened as may be a symbolic link.
		base = ""
		if part := c.r.Part(raw.Dir, dir); part != nil && !part.Failed && part.File.Kind == raw.KindDir {
			base = t.str(part.Data)
		} else if f := t.Look(c.p, c.r, c.num(dir), dir); f != nil {
			base = f.Name
		}
		if base == "" {
			return "<UNKNOWN>" + string(path)
		}
	}
	t.buf = paths.Append(t.buf[:0], base, t.str(path))
	return t.str(t.buf)
}

// cleanPath says whether folding would leave an absolute path as it is. It may say no for one that it would.
func cleanPath(path []byte) bool {
	return len(path) < paths.MaxLen && !bytes.Contains(path, []byte("/.")) && !bytes.Contains(path, []byte("//")) &&
		(len(path) == 1 || path[len(path)-1] != '/')
}

func closes(t *Table, c *call) {
	num := c.num(0)
	t.show(num, t.Look(c.p, c.r, num, 0))
	if c.ok || c.r.Ret == -int64(abi.EINTR) || c.r.Ret == -int64(abi.EIO) {
		t.closing = append(t.closing, num) // Linux closes it whatever it answers
	}
}

func closesRange(t *Table, c *call) {
	s := own(c.p)
	if !c.ok || s == nil {
		return
	}
	first, last := uint32(c.r.Regs[0]), uint32(c.r.Regs[1])
	flags := c.r.Regs[2]
	if flags&abi.CLOSE_RANGE_UNSHARE != 0 && s.shared && s.refs > 1 {
		s = t.copied(s, true)
		c.p.FDs = s
	}
	s = t.writable(c.p)
	for num, f := range s.m {
		switch {
		case uint32(num) < first || uint32(num) > last:
		case flags&abi.CLOSE_RANGE_CLOEXEC != 0:
			t.mark(c.p, num, f, true)
		default:
			t.forget(c.p, num)
		}
	}
}

// mark notes whether exec closes a descriptor.
func (t *Table) mark(p *procs.Proc, num int32, f *FD, cloexec bool) {
	if f.cloexec != cloexec {
		g := *f
		g.cloexec, g.shared = cloexec, false
		t.put(p, num, &g)
	}
}

// duplicates is dup, dup2 and dup3; flags is the argument with O_CLOEXEC, -1 for none.
func duplicates(flags int8) handler {
	return func(t *Table, c *call) {
		t.duplicate(c, flags >= 0 && c.r.Regs[max(flags, 0)]&abi.O_CLOEXEC != 0)
	}
}

func (t *Table) duplicate(c *call, cloexec bool) {
	from := t.Look(c.p, c.r, c.num(0), 0)
	if !c.ok {
		t.show(c.num(0), from)
		return
	}
	to := int32(c.r.Ret)
	if from == nil {
		if part := t.made(c); part != nil {
			from = t.look(c.p, -1, part)
		}
	}
	if from == nil {
		t.forget(c.p, to)
		t.show(to, nil)
		return
	}
	if to == c.num(0) {
		t.show(to, from)
		return
	}
	f := *from
	f.cloexec, f.shared = cloexec, false
	t.put(c.p, to, &f)
	t.show(to, &f)
}

func control(t *Table, c *call) {
	switch cmd := c.r.Regs[1]; cmd {
	case abi.F_DUPFD, abi.F_DUPFD_CLOEXEC:
		if c.ok {
			t.duplicate(c, cmd == abi.F_DUPFD_CLOEXEC)
			return
		}
	case abi.F_SETFD:
		if f := get(c.p, c.num(0)); f != nil && c.ok {
			t.mark(c.p, c.num(0), f, c.r.Regs[2]&abi.FD_CLOEXEC != 0)
		}
	}
	t.show(c.num(0), t.Look(c.p, c.r, c.num(0), 0))
}

// pairs is pipe and socketpair: the second end is the one that the event is about.
func pairs(kind Kind, flags int8, cloexec uint64) handler {
	return func(t *Table, c *call) {
		nums, ok := twoFDs(c.r)
		if !c.ok || !ok {
			t.failed(kinds[None].char, "")
			return
		}
		for n, num := range nums {
			f := &FD{Kind: kind}
			for i := range c.r.Parts {
				part := &c.r.Parts[i]
				if (part.Kind == raw.File || part.Kind == raw.Socket) && (int(part.Index) == n+1 || kind == Pipe) {
					t.identify(f, part)
					if kind == Pipe {
						f.Ino = part.File.Ino
					}
				}
			}
			f.cloexec = flags >= 0 && c.r.Regs[max(flags, 0)]&cloexec != 0
			t.put(c.p, num, f)
			t.show(num, f)
		}
	}
}

func twoFDs(r *raw.Event) (nums [2]int32, ok bool) {
	for n := range r.Parts {
		if part := &r.Parts[n]; part.Kind == raw.Fd && len(part.Data) >= 8 {
			return [2]int32{int32(nativeUint32(part.Data)), int32(nativeUint32(part.Data[4:]))}, true
		}
	}
	return nums, false
}

func memfd(t *Table, c *call) {
	if !c.ok { // Falco shows the error as if it were a descriptor
		t.show(int32(c.r.Ret), &FD{Kind: Unknown})
		return
	}
	f := t.fresh(c, Memfd, c.r.Regs[1]&abi.MFD_CLOEXEC != 0)
	for n := range c.r.Parts {
		if part := &c.r.Parts[n]; part.Arg == 0 && (part.Kind == raw.String || part.Kind == raw.Path) {
			f.Name = t.str(part.Data)
		}
	}
	t.put(c.p, int32(c.r.Ret), f)
	t.show(int32(c.r.Ret), f)
	t.view.Changed = f.Name != ""
}

func pidfd(t *Table, c *call) {
	if !c.ok {
		t.failed(kinds[None].char, "")
		return
	}
	f := t.fresh(c, Pidfd, true)
	t.buf = strconv.AppendInt(append(t.buf[:0], "/proc/"...), int64(c.num(0)), 10)
	f.Name = t.str(t.buf)
	t.put(c.p, int32(c.r.Ret), f)
	t.show(int32(c.r.Ret), f)
	t.view.Changed = true
}

// takes is pidfd_getfd: a descriptor of another process.
func takes(t *Table, c *call) {
	if !c.ok {
		t.failed(kinds[None].char, "")
		return
	}
	f := &FD{Kind: Unknown}
	if part := t.made(c); part != nil {
		t.describe(f, part)
	}
	f.cloexec = true
	t.put(c.p, int32(c.r.Ret), f)
	t.show(int32(c.r.Ret), f)
}

func bpf(t *Table, c *call) {
	if c.ok && t.made(c) == nil && c.r.Ret == 0 {
		return // a command that makes no descriptor
	}
	makes(BPF, -1, 0)(t, c)
}

// maps is mmap, which has a descriptor only for files.
func maps(t *Table, c *call) {
	num := c.num(4)
	t.show(num, t.Look(c.p, c.r, num, 4))
}

// moves is fchdir: from here on the process calls its directory what the descriptor was called.
func moves(t *Table, c *call) {
	f := t.Look(c.p, c.r, c.num(0), 0)
	t.show(c.num(0), f)
	if c.ok && f != nil && f.Kind == Directory && c.r.Task.Threads <= 1 {
		t.processes.SetCwd(c.p, f.Name)
	}
}

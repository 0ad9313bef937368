package args

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// still is a View whose answers never change.
type still struct{}

func (still) Comm(pid int32) (string, bool)   { return "cat", pid == 8072 }
func (still) User(uid uint32) (string, bool)  { return "root", uid == 0 }
func (still) Group(gid uint32) (string, bool) { return "wheel", gid == 0 }
func (still) Cwd(*raw.Event) string           { return "/tmp/tp/" }
func (still) FD(_ *raw.Event, p *raw.Part) (string, string) {
	if p.Kind == raw.Dir {
		return "d", string(p.Data)
	}
	return "f", string(p.Data)
}

// made is an event with its Filler.
func made(t testing.TB, r *raw.Event) (*event.Event, *Filler) {
	t.Helper()
	f := New(still{})
	e := &event.Event{}
	e.Resolve, e.ResolveArg = f.Resolve, f.ResolveArg
	e.Reset(TypeOf(r))
	f.Fill(r, e)
	return e, f
}

func call(t testing.TB, name string, ret int64, regs [6]uint64, parts ...raw.Part) *raw.Event {
	t.Helper()
	nr, ok := raw.Number(name)
	if !ok {
		t.Fatalf("no system call %s", name)
	}
	return &raw.Event{Kind: raw.Syscall, Nr: nr, Ret: ret, Regs: regs, Parts: parts, Task: raw.Task{InitPIDNS: true}}
}

func pathPart(arg int8, s string) raw.Part {
	return raw.Part{Kind: raw.Path, Arg: arg, Data: []byte(s)}
}

const cwdFD = 0xffffff9c // AT_FDCWD as a 32-bit register

func TestLines(t *testing.T) {
	file := raw.Part{Kind: raw.File, Arg: raw.RetArg, Data: []byte("/tmp/tp/f"), File: raw.FileInfo{Kind: raw.KindRegular, Dev: 0xfe00, Ino: 99}}
	dir := raw.Part{Kind: raw.Dir, Arg: 0, Data: []byte("/tmp/tp/d")}
	sock := raw.Part{Kind: raw.Socket, Arg: 0, Sock: raw.SockInfo{Family: 2, Type: 2, Local: netip.MustParseAddrPort("0.0.0.0:58957")}}
	sockaddr := raw.Part{Kind: raw.Sockaddr, Arg: 4, Data: []byte{2, 0, 0, 53, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}}
	for _, c := range []struct {
		r    *raw.Event
		want string
	}{
		{call(t, "openat", 3, [6]uint64{cwdFD, 0, 0o2000000}, pathPart(1, "f"), file),
			"fd=3(<f>/tmp/tp/f) dirfd=-100(AT_FDCWD) name=f(/tmp/tp/f) flags=4097(O_RDONLY|O_CLOEXEC) mode=0 dev=FE00 ino=99"},
		{call(t, "openat", -2, [6]uint64{3, 0, 0o101, 0o600}, pathPart(1, "x/../g"), dir),
			"fd=-2(ENOENT) dirfd=3(<d>/tmp/tp/d) name=x/../g(/tmp/tp/d/g) flags=6(O_CREAT|O_WRONLY) mode=0600 dev=0 ino=0"},
		{call(t, "openat", -9, [6]uint64{99}, pathPart(1, "g")),
			"fd=-9(EBADF) dirfd=99 name=g(g) flags=1(O_RDONLY) mode=0 dev=0 ino=0"},
		{call(t, "mkdir", -17, [6]uint64{0, 0o755}, pathPart(0, "m1")), "res=-17(EEXIST) path=m1(/tmp/tp/m1) mode=1ED"},
		{call(t, "chmod", 0, [6]uint64{0, 0o4755}, pathPart(0, "/f")),
			"res=0 filename=/f mode=04755(S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID)"},
		{call(t, "kill", 0, [6]uint64{8072, 9}), "res=0 pid=8072(cat) sig=9(SIGKILL)"},
		{call(t, "kill", -3, [6]uint64{99, 0}), "res=-3(ESRCH) pid=99 sig=0"},
		{call(t, "setuid", 0, [6]uint64{0}), "res=0 uid=0(root)"},
		{call(t, "setresuid", 0, [6]uint64{1, 1<<32 - 1, 0}), "res=0 ruid=1(<NA>) euid=-1(<NONE>) suid=0(root)"},
		{call(t, "unshare", 0, [6]uint64{0x60020000}), "res=0 flags=112(CLONE_NEWNET|CLONE_NEWNS|CLONE_NEWPID)"},
		{call(t, "ioctl", -25, [6]uint64{4, 0x5401, 0}), "res=-25(ENOTTY) fd=4 request=5401 argument=0"},
		{call(t, "socket", 3, [6]uint64{1, 0o2004001}), "fd=3 domain=1(AF_LOCAL|AF_UNIX) type=526337 proto=0 flags=4160(O_NONBLOCK|O_CLOEXEC)"},
		{call(t, "sendto", 3, [6]uint64{4, 0, 3}, sock, sockaddr, raw.Part{Kind: raw.Bytes, Arg: 1, Data: []byte("a\nb")}),
			"res=3 data=a.b fd=4(<f>) size=3 tuple=0.0.0.0:58957->127.0.0.1:53"},
		{call(t, "bpf", -1, [6]uint64{5}), "fd=-1(EPERM) cmd=5(BPF_PROG_LOAD)"},
		{call(t, "read", -9, [6]uint64{99, 0, 4}), "res=-9(EBADF) data=NULL fd=99 size=4"},
		{call(t, "rename", -14, [6]uint64{}, pathPart(0, "/a"), raw.Part{Kind: raw.Path, Arg: 1, Failed: true}), "res=-14(EFAULT) oldpath=/a newpath=<NA>"},
		{call(t, "clone3", -22, [6]uint64{}, raw.Part{Kind: raw.Struct, Data: []byte{0, 0, 2, 0, 0, 0, 0, 0}}),
			"res=-22 exe=<NA> args=NULL tid=0 pid=0 ptid=0 cwd=<NA> fdlimit=0 pgft_maj=0 pgft_min=0 vm_size=0 vm_rss=0 vm_swap=0 comm= cgroups=NULL flags=32(CLONE_NEWNS) uid=0 gid=0 vtid=0 vpid=0 pidns_init_start_ts=0"},
		{call(t, "statfs", 0, [6]uint64{}), ""},
		{&raw.Event{Kind: raw.Exit, Ret: 42 << 8}, "status=10752 ret=42 sig=0 core=0 reaper_tid=0"},
		{&raw.Event{Kind: raw.Exit, Ret: 11 | 0x80}, "status=139 ret=0 sig=11(SIGSEGV) core=1 reaper_tid=0"},
	} {
		e, _ := made(t, c.r)
		if got, _ := e.Text(field.EvtArgs); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", e.Type, got, c.want)
		}
	}
}

func TestFields(t *testing.T) {
	r := call(t, "renameat2", 0, [6]uint64{cwdFD, 0, 3}, pathPart(1, "f"), pathPart(3, "g"), raw.Part{Kind: raw.Dir, Arg: 2, Data: []byte("/d")})
	e, _ := made(t, r)
	for id, want := range map[field.ID]string{
		field.EvtAbspath: "/tmp/tp/f", field.FsPathSource: "/tmp/tp/f", field.FsPathSourceraw: "f", field.FsPathTarget: "/d/g",
		field.FsPathTargetraw: "g", field.EvtRes: "SUCCESS", field.EvtCategory: "file",
	} {
		if got, ok := e.Text(id); got != want || !ok {
			t.Errorf("%s: got %q, want %q", id, got, want)
		}
	}
	if l, _ := e.List(field.EvtAbspath); len(l) != 2 || l[0] != "src=/tmp/tp/f" || l[1] != "dst=/d/g" {
		t.Errorf("evt.abspath.src and .dst: got %q", l)
	}
	if _, ok := e.Text(field.FsPathName); ok {
		t.Error("fs.path.name of a rename has a value, want none")
	}
	r.Ret = -17
	e, _ = made(t, r)
	if s, ok := e.Text(field.FsPathSource); ok {
		t.Errorf("fs.path.source of a failed rename is %q, want none", s)
	}
	if n, _ := e.Number(field.EvtFailed); n != 1 {
		t.Error("a failed rename has not failed")
	}
	if n, ok := e.Number(field.EvtCountErrorFile); n != 1 || !ok {
		t.Errorf("evt.count.error.file is %d, %v, want 1", n, ok)
	}
}

func TestOpening(t *testing.T) {
	made1 := raw.Part{Kind: raw.File, Arg: raw.RetArg, File: raw.FileInfo{Created: true}}
	for _, c := range []struct {
		name                      string
		r                         *raw.Event
		read, write, exec, create int64
	}{
		{"reading", call(t, "openat", 3, [6]uint64{cwdFD}), 1, 0, 0, 0},
		{"failed writing", call(t, "openat", -13, [6]uint64{cwdFD, 0, 1}), 0, 1, 0, 0},
		{"a new program", call(t, "open", 3, [6]uint64{0, 0o101, 0o755}, made1), 0, 1, 1, 1},
		{"a program that was there", call(t, "open", 3, [6]uint64{0, 0o102, 0o755}), 1, 1, 1, 0},
		{"a directory, with rubbish for a mode", call(t, "open", 3, [6]uint64{0, 0o200000, 0o7777}), 1, 0, 0, 0},
		{"creat", call(t, "creat", 3, [6]uint64{0, 0o755}, made1), 0, 0, 0, 0},
	} {
		e, _ := made(t, c.r)
		for id, want := range map[field.ID]int64{field.EvtIsOpenRead: c.read, field.EvtIsOpenWrite: c.write, field.EvtIsOpenExec: c.exec, field.EvtIsOpenCreate: c.create} {
			if got, _ := e.Number(id); got != want {
				t.Errorf("%s: %s is %d, want %d", c.name, id, got, want)
			}
		}
	}
}

// Every event type of a system call has a row with as many parameters as the table of event types.
func TestRows(t *testing.T) {
	for i := 1; i < field.EventCount(); i++ {
		et := field.EventType(i)
		info := et.Info()
		if info.Kind != field.KindSyscall && info.Kind != field.KindTracepoint {
			continue
		}
		row := rows[et]
		if row == nil || row.name != info.Name {
			t.Errorf("%s has no row", info.Name)
			continue
		}
		if len(row.params) != len(info.Params) && info.Name != "switch" && info.Name != "page_fault" {
			t.Errorf("%s: %d parameters, want %d", info.Name, len(row.params), len(info.Params))
		}
		if row.category == "" && row.flags&moves == 0 {
			t.Errorf("%s has no category", info.Name)
		}
	}
	for name := range fsPaths {
		if et, ok := field.EventByName(name); !ok || rows[et].flags&isPath == 0 {
			t.Errorf("%s is no event type", name)
		}
	}
	for name, as := range renamed {
		if _, ok := field.EventByName(as); !ok {
			t.Errorf("%s is renamed to %s, which is no event type", name, as)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, name := range []string{"openat", "execve", "pread", "generic setxattr"} {
		et, _ := field.EventByName(strings.TrimPrefix(name, "generic "))
		if n := Numbers(et); len(n) == 0 {
			t.Errorf("%s comes from no system call", name)
		} else if TypeOf(&raw.Event{Kind: raw.Syscall, Nr: n[0]}) != et {
			t.Errorf("%s: %d is of type %s", name, n[0], TypeOf(&raw.Event{Kind: raw.Syscall, Nr: n[0]}))
		}
	}
	if TypeOf(&raw.Event{Kind: raw.Syscall, Nr: nrExecveat}).String() != "execveat" || TypeOf(&raw.Event{Kind: raw.Exec, Nr: nrExecveat}).String() != "execve" {
		t.Error("a failed execveat is an execveat, a successful one an execve")
	}
	if et := TypeOf(&raw.Event{Kind: raw.Syscall, Nr: -1}); et != field.NoEvent {
		t.Errorf("no system call is of type %s", et)
	}
}

// Whatever the kernel tells, every field and parameter can be asked for.
func FuzzFill(f *testing.F) {
	f.Add(int32(257), int64(3), uint64(3), uint64(0o101), int8(1), []byte("../x"))
	f.Add(int32(59), int64(0), uint64(0), uint64(0), int8(2), []byte("a\x00b"))
	f.Add(int32(44), int64(-1), uint64(1), uint64(1<<63), int8(4), []byte{2, 0, 0, 80, 1, 2, 3, 4, 5, 6})
	f.Fuzz(func(t *testing.T, nr int32, ret int64, a, b uint64, arg int8, data []byte) {
		r := &raw.Event{Kind: raw.Syscall, Nr: nr, Ret: ret, Regs: [6]uint64{a, b, a, b, a, b}}
		for k := raw.Path; k <= raw.Control; k++ {
			r.Parts = append(r.Parts, raw.Part{Kind: k, Arg: arg, Data: data})
		}
		for kind := raw.Syscall; kind <= raw.Signal; kind++ {
			r.Kind = kind
			if TypeOf(r) == field.NoEvent {
				continue
			}
			e, _ := made(t, r)
			for i := range e.Type.Info().Params {
				e.Arg(i)
			}
			for id := range field.ID(field.Count) {
				if Owns(id) {
					e.Has(id)
				}
			}
		}
	})
}

// BenchmarkOpenat is what a rule about opened files asks of most events.
func BenchmarkOpenat(b *testing.B) {
	r := call(b, "openat", 3, [6]uint64{cwdFD}, pathPart(1, "/etc/hosts"))
	e, f := made(b, r)
	et := TypeOf(r)
	b.ReportAllocs()
	for b.Loop() {
		e.Reset(et)
		f.Fill(r, e)
		e.Number(field.EvtIsOpenRead)
		e.Arg(2)
	}
}

func TestOpenatAllocatesNothing(t *testing.T) {
	r := call(t, "openat", 3, [6]uint64{cwdFD}, pathPart(1, "hosts"))
	e, f := made(t, r)
	et := TypeOf(r)
	if n := testing.AllocsPerRun(100, func() {
		e.Reset(et)
		f.Fill(r, e)
		e.Number(field.EvtIsOpenRead)
		for i := range 7 {
			e.Arg(i)
		}
		e.Text(field.FsPathName)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

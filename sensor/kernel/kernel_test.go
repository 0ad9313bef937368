package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// actionVariable makes the test program a child that does one thing; see actions.
const actionVariable = "EYRIE_KERNEL_ACTION"

func TestMain(m *testing.M) {
	if name := os.Getenv(actionVariable); name != "" {
		if err := actions[name](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// open loads the sensor, or skips with what is missing for it. EYRIE_REQUIRE_ALL=1 makes that a failure.
func open(t testing.TB, cfg Config) *Source {
	t.Helper()
	s, err := Open(cfg)
	var lack *Lack
	if errors.As(err, &lack) && os.Getenv("EYRIE_REQUIRE_ALL") == "" {
		t.Skipf("needs the kernel and the rights to load BPF programs (EYRIE_REQUIRE_ALL=1 makes this a failure): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// act runs an action in a child and collects the child's events, copied, up to its end.
func act(t testing.TB, s *Source, action string) []raw.Event {
	t.Helper()
	child := exec.Command("/proc/self/exe")
	child.Dir = t.TempDir()
	child.Env = []string{actionVariable + "=" + action, "GOMAXPROCS=1"}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- child.Wait()
		s.Wake()
	}()
	pid := int32(child.Process.Pid)
	var out []raw.Event
	var ev raw.Event
	for {
		if err := s.Next(&ev); errors.Is(err, ErrWoken) {
			break // all that happened before has been read
		} else if err != nil {
			t.Fatal(err)
		}
		if ev.Task.VPID != pid && ev.Task.VPPID != pid {
			continue
		}
		out = append(out, clone(&ev))
	}
	if err := <-done; err != nil {
		t.Fatalf("action %s: %v", action, err)
	}
	return out
}

func clone(ev *raw.Event) raw.Event {
	out := *ev
	out.Parts = slices.Clone(ev.Parts)
	for i := range out.Parts {
		out.Parts[i].Data = slices.Clone(out.Parts[i].Data)
	}
	return out
}

// find finds the first event of a kind and a system call that has a part with the text, where text is not empty.
func find(t *testing.T, events []raw.Event, kind raw.Kind, call, text string) *raw.Event {
	t.Helper()
	for i := range events {
		e := &events[i]
		has := func(p raw.Part) bool { return strings.Contains(string(p.Data), text) }
		if e.Kind == kind && (call == "" || raw.Name(e.Nr) == call) && (text == "" || slices.ContainsFunc(e.Parts, has)) {
			return e
		}
	}
	t.Fatalf("no %s of %s with %q among %d events", kind, call, text, len(events))
	return nil
}

func part(t *testing.T, e *raw.Event, kind raw.PartKind, arg int8) *raw.Part {
	t.Helper()
	p := e.Part(kind, arg)
	if p == nil {
		t.Fatalf("%s %s has no part of kind %d for argument %d; it has %d parts", e.Kind, raw.Name(e.Nr), kind, arg, len(e.Parts))
	}
	return p
}

func must(_ any, err error) error { return err }

// actions are what children do. They run in an empty directory.
var actions = map[string]func() error{
	"nothing":             func() error { return nil },
	"tries":               makeTries,
	"socket calls":        socketCalls,
	"few capabilities":    loadWithFew,
	"without CAP_BPF":     loadWithout("CAP_BPF", unix.CAP_PERFMON),
	"without CAP_PERFMON": loadWithout("CAP_PERFMON", unix.CAP_BPF),
	"files": func() error {
		fd, err := unix.Openat(unix.AT_FDCWD, "made", unix.O_CREAT|unix.O_WRONLY, 0o640)
		if err != nil {
			return err
		}
		_, err = unix.Write(fd, []byte("written text"))
		_, missing := unix.Openat(unix.AT_FDCWD, "/no/such/file", unix.O_RDONLY, 0)
		if missing != unix.ENOENT {
			return fmt.Errorf("open of a missing file: %v", missing)
		}
		if err := errors.Join(err, unix.Mkdir("dir", 0o755), unix.Rename("made", "dir/moved")); err != nil {
			return err
		}
		dir, err := unix.Open("dir", unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		return errors.Join(unix.Unlinkat(dir, "moved", 0), unix.Fchmod(fd, 0o600), unix.Close(fd))
	},
	"tcp": func() error {
		server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		err = errors.Join(unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(server, 7))
		name, nameErr := unix.Getsockname(server)
		if err := errors.Join(err, nameErr); err != nil {
			return err
		}
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		return errors.Join(err, unix.Connect(client, name), must(unix.Write(client, []byte("hello"))))
	},
	"unix": func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		pair, pairErr := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err := errors.Join(err, pairErr, unix.Bind(fd, &unix.SockaddrUnix{Name: "sock"})); err != nil {
			return err
		}
		return unix.Sendmsg(pair[0], []byte("message"), nil, nil, 0)
	},
	"exec": func() error {
		err := unix.Exec("/no/such/program", []string{"zero", "one"}, []string{"A=1"})
		if err != unix.ENOENT {
			return err
		}
		return unix.Exec("/proc/self/exe", []string{"argv zero", "argv one"}, []string{actionVariable + "=nothing", "B=2"})
	},
	"memfd": func() error {
		fd, err := unix.MemfdCreate("thing", 0)
		return errors.Join(err, unix.Fchmod(fd, 0o700))
	},
	"signal": func() error { return unix.Kill(unix.Getpid(), unix.SIGWINCH) },
	"many": func() error {
		for i := range 2000 {
			if _, err := unix.Openat(unix.AT_FDCWD, fmt.Sprint("/no/such/file/", i), unix.O_RDONLY, 0); err != unix.ENOENT {
				return err
			}
		}
		return nil
	},
}

func TestFiles(t *testing.T) {
	s := open(t, Config{Filter: filter.All()})
	events := act(t, s, "files")

	e := find(t, events, raw.Syscall, "openat", "made")
	file := part(t, e, raw.File, raw.RetArg)
	cwd := part(t, e, raw.Cwd, raw.NoArg)
	if got, want := string(file.Data), filepath.Join(string(cwd.Data), "made"); got != want || !file.Stable || !file.File.Created {
		t.Errorf("opened file is %q, stable %v, created %v; want %q, true, true", got, file.Stable, file.File.Created, want)
	}
	if file.File.Kind != raw.KindRegular || file.File.Mode&0o777 != 0o640 {
		t.Errorf("opened file has kind %d and mode %o, want %d and 640", file.File.Kind, file.File.Mode&0o777, raw.KindRegular)
	}
	if got := string(part(t, e, raw.Path, 1).Data); got != "made" || int32(e.Regs[0]) != unix.AT_FDCWD {
		t.Errorf("path %q, dirfd %d", got, int32(e.Regs[0]))
	}
	if e := find(t, events, raw.Syscall, "openat", "/no/such/file"); e.Ret != -int64(unix.ENOENT) {
		t.Errorf("missing file: result %d", e.Ret)
	}
	e = find(t, events, raw.Syscall, "write", "written text")
	if p := part(t, e, raw.File, 0); !strings.HasSuffix(string(p.Data), "/made") || p.File.Pos != 12 {
		t.Errorf("written file %q at %d", p.Data, p.File.Pos)
	}
	e = find(t, events, raw.Syscall, "unlinkat", "moved")
	if p := part(t, e, raw.Dir, 0); string(p.Data) != filepath.Join(string(cwd.Data), "dir") || p.File.Kind != raw.KindDir {
		t.Errorf("unlinkat in %q of kind %d", p.Data, p.File.Kind)
	}
	e = find(t, events, raw.Syscall, "fchmod", "moved")
	if p := part(t, e, raw.File, 0); !p.File.Deleted {
		t.Errorf("fchmod of the deleted %q: deleted is false", p.Data)
	}
	e = find(t, events, raw.Syscall, "close", "moved")
	if p := part(t, e, raw.File, 0); p.File.Kind != raw.KindRegular || e.Ret != 0 {
		t.Errorf("closed %q of kind %d, result %d", p.Data, p.File.Kind, e.Ret)
	}
	if stats, err := s.Stats(); err != nil || stats.Full != 0 || stats.Internal != 0 {
		t.Errorf("stats %+v, %v; nothing may be lost", stats, err)
	}
}

func TestSockets(t *testing.T) {
	s := open(t, Config{Filter: filter.All()})
	events := act(t, s, "tcp")
	e := find(t, events, raw.Syscall, "connect", "")
	sock := part(t, e, raw.Socket, 0).Sock
	if sock.Family != unix.AF_INET || sock.Proto != unix.IPPROTO_TCP || sock.Type != unix.SOCK_STREAM || sock.State != 1 {
		t.Errorf("connected socket: %+v", sock)
	}
	if addr := sock.Remote; addr.Addr().String() != "127.0.0.1" || addr.Port() == 0 || sock.Local.Port() == 0 || sock.Local == addr {
		t.Errorf("connected from %s to %s", sock.Local, addr)
	}
	if got := len(part(t, e, raw.Sockaddr, 1).Data); got != 16 {
		t.Errorf("sockaddr of %d bytes, want 16", got)
	}
	e = find(t, events, raw.Syscall, "listen", "")
	if sock := part(t, e, raw.Socket, 0).Sock; sock.State != 10 || sock.MaxBacklog != 7 {
		t.Errorf("listening socket: %+v", sock)
	}

	events = act(t, s, "unix")
	if sock := part(t, find(t, events, raw.Syscall, "bind", ""), raw.Socket, 0).Sock; sock.Path != "sock" || sock.Family != unix.AF_UNIX {
		t.Errorf("bound socket: %+v", sock)
	}
	e = find(t, events, raw.Syscall, "socketpair", "")
	var ends []raw.SockInfo
	for _, p := range e.Parts {
		if p.Kind == raw.Socket {
			ends = append(ends, p.Sock)
		}
	}
	if len(ends) != 2 || ends[0].Peer != ends[1].Self || ends[1].Peer != ends[0].Self || ends[0].Self == 0 {
		t.Errorf("ends of the pair: %+v", ends)
	}
	if p := part(t, find(t, events, raw.Syscall, "sendmsg", ""), raw.Bytes, 1); string(p.Data) != "message" {
		t.Errorf("sent %q, want %q", p.Data, "message")
	}
}

func TestLifeOfAProcess(t *testing.T) {
	s := open(t, Config{Filter: filter.All()})
	events := act(t, s, "exec")
	failed := find(t, events, raw.Syscall, "execve", "/no/such/program")
	if got := string(part(t, failed, raw.Argv, 1).Data); got != "zero\x00one\x00" || failed.Ret != -int64(unix.ENOENT) {
		t.Errorf("failed exec: arguments %q, result %d", got, failed.Ret)
	}
	if got := string(part(t, failed, raw.Env, 2).Data); got != "A=1\x00" {
		t.Errorf("failed exec: environment %q", got)
	}
	e := find(t, events, raw.Exec, "execve", "argv one")
	if got := string(part(t, e, raw.Argv, raw.NoArg).Data); got != "argv zero\x00argv one\x00" {
		t.Errorf("arguments %q", got)
	}
	if got := string(part(t, e, raw.Env, raw.NoArg).Data); !strings.HasSuffix(got, "B=2\x00") {
		t.Errorf("environment %q", got)
	}
	exe := part(t, e, raw.Exe, raw.NoArg)
	var want unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &want); err != nil {
		t.Fatal(err)
	}
	if exe.File.Ino != want.Ino || exe.File.Dev != want.Dev || exe.File.Mtime != want.Mtim.Nano() || exe.File.Ctime != want.Ctim.Nano() {
		t.Errorf("executable %+v; stat says %+v", exe.File, want)
	}
	if p := part(t, e, raw.Cgroup, raw.NoArg); len(p.Data) == 0 || p.Data[0] != '/' {
		t.Errorf("cgroup %q", p.Data)
	}
	end := find(t, events, raw.Exit, "", "")
	if end.Ret != 0 || end.Task.PID != e.Task.PID || end.Task.Start != e.Task.Start {
		t.Errorf("end %+v of %+v", end.Task, e.Task)
	}
	now := time.Now().UnixNano()
	if end.Time > now || end.Time < now-int64(time.Minute) {
		t.Errorf("time of the end %d, now %d", end.Time, now)
	}
	start := find(t, events, raw.Fork, "", "")
	if start.Regs[0]&unix.CLONE_VM == 0 && start.Regs[0]&0xff != uint64(unix.SIGCHLD) {
		t.Errorf("flags of clone %x of %s", start.Regs[0], raw.Name(start.Nr))
	}
}

// TestTask compares what is read of the task with what /proc tells of this process's child.
func TestTask(t *testing.T) {
	s := open(t, Config{Filter: filter.All()})
	events := act(t, s, "signal")
	e := find(t, events, raw.Signal, "", "")
	for i := range events {
		if events[i].Kind == raw.Signal && events[i].Regs[0] == uint64(unix.SIGWINCH) {
			e = &events[i]
		}
	}
	if e.Regs[0] != uint64(unix.SIGWINCH) || e.OtherPID != e.Task.PID {
		t.Errorf("signal %d from %d to %d", e.Regs[0], e.OtherPID, e.Task.PID)
	}
	task := e.Task
	if int(task.VPPID) != os.Getpid() || int(task.UID) != os.Getuid() || int(task.EGID) != os.Getegid() {
		t.Errorf("parent %d, uid %d, egid %d; want %d, %d, %d", task.VPPID, task.UID, task.EGID, os.Getpid(), os.Getuid(), os.Getegid())
	}
	for name, got := range map[string]uint32{"pid": task.PIDNS, "mnt": task.MountNS, "net": task.NetNS, "user": task.UserNS} {
		var want unix.Stat_t
		if err := unix.Stat("/proc/self/ns/"+name, &want); err != nil {
			t.Fatal(err)
		}
		if uint64(got) != want.Ino {
			t.Errorf("%s namespace %d, want %d", name, got, want.Ino)
		}
	}
	caps, err := effectiveCapabilities()
	if err != nil || task.CapEffective != caps {
		t.Errorf("effective capabilities %x, want %x (%v)", task.CapEffective, caps, err)
	}
	if sid, err := unix.Getsid(0); err != nil || int(task.VSID) != sid {
		t.Errorf("session %d, want %d (%v)", task.VSID, sid, err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || task.NoFile == 0 || task.Threads < 1 || task.VMSize == 0 {
		t.Errorf("nofile %d, threads %d, size %d KiB (%v)", task.NoFile, task.Threads, task.VMSize, err)
	}
}

func TestMemfd(t *testing.T) {
	s := open(t, Config{Filter: filter.All()})
	e := find(t, act(t, s, "memfd"), raw.Syscall, "fchmod", "")
	if p := part(t, e, raw.File, 0); !p.File.Memfd || string(p.Data) != "memfd:thing" {
		t.Errorf("memfd %v, path %q; want true, memfd:thing", p.File.Memfd, p.Data)
	}
}

func TestFullBufferIsCounted(t *testing.T) {
	s := open(t, Config{Filter: filter.All(), RingBytes: os.Getpagesize()})
	child := exec.Command("/proc/self/exe")
	child.Env = []string{actionVariable + "=many"}
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	if stats, err := s.Stats(); err != nil || stats.Full < 1000 {
		t.Errorf("stats %+v, %v; of 2000 opens nobody reads more than 1000 must be lost to a buffer of one page", stats, err)
	}
}

func TestProbe(t *testing.T) {
	open(t, Config{})
	hooks, err := Probe()
	if err != nil || len(hooks) < 5 {
		t.Fatalf("%d hooks, %v", len(hooks), err)
	}
	for _, h := range hooks {
		if h.Err != nil && h.Needed {
			t.Errorf("hook %s: %v", h.Name, h.Err)
		}
	}
}

package fds

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/abi"
	"github.com/eyrie-sec/eyrie/sensor/procs"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// world is one process that makes calls.
type world struct {
	t     *testing.T
	procs *procs.Table
	table *Table
	e     event.Event
	now   int64
	pid   int32
	ctr   string

	parent int32 // of the next fork
}

func newWorld(t *testing.T, cfg Config) *world {
	w := &world{t: t, procs: procs.New(procs.Config{}), pid: 7, ctr: "host", parent: 7}
	w.table = New(w.procs, cfg)
	w.table.setLocals([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("192.0.2.2/24")})
	w.e.Resolve = func(e *event.Event, id field.ID) {
		if id == field.ContainerID {
			e.SetText(id, w.ctr)
		}
		w.table.Resolve(e, id)
	}
	return w
}

func (w *world) event(kind raw.Kind, call string, ret int64, regs []uint64, parts ...raw.Part) {
	w.t.Helper()
	w.now++
	r := &raw.Event{Kind: kind, Time: w.now, Ret: ret, Nr: -1, Parts: parts}
	r.Task = raw.Task{TID: w.pid, PID: w.pid, Start: uint64(w.pid), Comm: "test", Threads: 1}
	copy(r.Regs[:], regs)
	if call != "" {
		nr, ok := raw.Number(call)
		if !ok {
			w.t.Skipf("this architecture has no %s", call)
		}
		r.Nr = nr
	}
	r.Parts = append(r.Parts, raw.Part{Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte("/tmp/tp")})
	if kind == raw.Fork {
		r.OtherPID, r.OtherTID = w.parent, w.parent
	}
	p := w.procs.Apply(r)
	w.e.Reset(0)
	w.table.Apply(r, p).Fill(&w.e)
}

func (w *world) call(name string, ret int64, regs []uint64, parts ...raw.Part) {
	w.t.Helper()
	w.event(raw.Syscall, name, ret, regs, parts...)
}

// want compares fields: NAME=VALUE parted by blanks, with ~ for no value and _ for a blank.
func (w *world) want(fields string) {
	w.t.Helper()
	for _, one := range strings.Fields(fields) {
		name, want, _ := strings.Cut(one, "=")
		id, ok := field.ByName(name)
		if !ok {
			w.t.Fatalf("no field %s", name)
		}
		got := "~"
		switch info := id.Info(); {
		case info.Type == field.Addr:
			if a, ok := w.e.Addr(id); ok {
				got = a.String()
			}
		case event.IsList(id):
			if l, ok := w.e.List(id); ok {
				got = strings.Join(l, ",")
			}
		case info.Type.Numeric():
			if n, ok := w.e.Number(id); ok {
				got = fmt.Sprint(n)
			}
		default:
			if s, ok := w.e.Text(id); ok {
				got = s
			}
		}
		if want = strings.ReplaceAll(want, "_", " "); got != want {
			w.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func pathPart(arg int8, text string) raw.Part {
	return raw.Part{Kind: raw.Path, Arg: arg, Data: []byte(text)}
}

func file(arg int8, ino uint64, text string) raw.Part {
	return raw.Part{Kind: raw.File, Arg: arg, Data: []byte(text), File: raw.FileInfo{Kind: raw.KindRegular, Dev: 0xfe00, Ino: ino}}
}

func socketPart(arg int8, ino uint64, family, typ uint16, local, remote string) raw.Part {
	p := raw.Part{Kind: raw.Socket, Arg: arg, File: raw.FileInfo{Kind: raw.KindSocket, Ino: ino}}
	p.Sock = raw.SockInfo{Family: family, Type: typ, Ino: ino}
	if local != "" {
		p.Sock.Local = netip.MustParseAddrPort(local)
	}
	if remote != "" {
		p.Sock.Remote = netip.MustParseAddrPort(remote)
	}
	return p
}

func sockaddr(arg int8, text string) raw.Part {
	b := make([]byte, 2)
	if a, err := netip.ParseAddrPort(text); err != nil {
		binary.NativeEndian.PutUint16(b, abi.AF_UNIX)
		b = append(b, text...)
	} else {
		binary.NativeEndian.PutUint16(b, abi.AF_INET)
		b = binary.BigEndian.AppendUint16(b, a.Port())
		b = append(b, a.Addr().AsSlice()...)
		b = append(b, make([]byte, 8)...)
	}
	return raw.Part{Kind: raw.Sockaddr, Arg: arg, Data: b}
}

const minusOne = 1<<64 - 1

func neg(n uint64) uint64 { return -n }

func TestOpen(t *testing.T) {
	w := newWorld(t, Config{})
	w.call("openat", 3, []uint64{neg(100), 0, abi.O_RDONLY}, pathPart(1, "ln"), file(raw.RetArg, 5, "/tmp/tp/f"))
	w.want("fd.num=3 fd.type=file fd.typechar=f fd.name=/tmp/tp/ln fd.nameraw=ln fd.directory=/tmp/tp fd.filename=ln" +
		" fd.dev=65024 fd.dev.major=254 fd.dev.minor=0 fd.ino=5 fd.name_changed=1 fd.connected=0 fd.is_server=0" +
		" fd.l4proto=<NA> fd.sockfamily=~ fd.sip=~ fd.uid=73 fd.containername=:/tmp/tp/ln fd.types=file")
	w.call("read", 4, []uint64{3}, file(0, 5, "/tmp/tp/f"))
	w.want("fd.name=/tmp/tp/ln fd.name_changed=0")
	w.call("read", 4, []uint64{3}, file(0, 6, "/etc/other")) // closed and opened anew, unseen
	w.want("fd.name=/etc/other fd.filename=other fd.ino=6")
	w.call("close", 0, []uint64{3})
	w.want("fd.name=/tmp/tp/ln fd.num=3")
	w.call("read", -9, []uint64{3})
	w.want("fd.num=3 fd.type=~ fd.typechar=o fd.name= fd.directory=/ fd.filename=~ fd.ino=~ fd.l4proto=~")

	w.ctr = "3abd807250d1"
	w.call("openat", 4, []uint64{neg(100), 0, abi.O_RDONLY | abi.O_DIRECTORY}, pathPart(1, "/tmp/./tp//d/"))
	w.want("fd.type=directory fd.typechar=d fd.name=/tmp/tp/d fd.directory=/tmp/tp/d fd.filename=~" +
		" fd.containername=3abd807250d1:/tmp/tp/d fd.containerdirectory=3abd807250d1:/tmp/tp/d")
	w.call("openat", 5, []uint64{4, 0, 0}, pathPart(1, "../g"), raw.Part{Kind: raw.Dir, Arg: 0, Data: []byte("/mnt/d")})
	w.want("fd.name=/tmp/tp/g fd.nameraw=../g fd.type=file")
	w.call("openat", 6, []uint64{4, 0, 0}, pathPart(1, "passwd"), // what was opened was a link to it
		raw.Part{Kind: raw.Dir, Arg: 0, Data: []byte("/etc"), File: raw.FileInfo{Kind: raw.KindDir}})
	w.want("fd.name=/etc/passwd")
}

func TestFailedOpen(t *testing.T) {
	w := newWorld(t, Config{})
	w.call("openat", -2, []uint64{neg(100)}, pathPart(1, "none"))
	w.want("fd.num=-1 fd.type=~ fd.typechar=f fd.name=/tmp/tp/none fd.nameraw=none fd.directory=/tmp/tp fd.filename=~ fd.uid=7-1")
	w.call("openat", -9, []uint64{99}, pathPart(1, "g"))
	w.want("fd.typechar=f fd.name=<UNKNOWN>g fd.directory=/")
	w.call("openat", -14, []uint64{neg(100)}, raw.Part{Kind: raw.Path, Arg: 1, Failed: true})
	w.want("fd.typechar=f fd.name=~ fd.directory=~")
	w.call("memfd_create", -22, nil)
	w.want("fd.num=-22 fd.type=<NA> fd.typechar=?")
	w.call("accept4", -11, []uint64{3})
	w.want("fd.num=-1 fd.type=~ fd.typechar=4 fd.name=NULL fd.directory=/")
	w.call("open", -2, nil, pathPart(0, "/etc/x"))
	w.want("fd.num=-1 fd.typechar=o fd.name=/etc/x fd.directory=/etc")
	w.call("open", -14, nil)
	w.want("fd.typechar=o fd.name=<NA> fd.directory=/")
}

func TestConnection(t *testing.T) {
	const local, remote = "192.0.2.2:40000", "198.51.100.9:443"
	w := newWorld(t, Config{})
	w.call("socket", 3, []uint64{abi.AF_INET, abi.SOCK_STREAM}, socketPart(raw.RetArg, 9, abi.AF_INET, abi.SOCK_STREAM, "", ""))
	w.want("fd.type=ipv4 fd.name= fd.l4proto=<NA> fd.sockfamily=ip fd.is_server=0 fd.sip=~ fd.name_changed=0 fd.directory=~")
	w.call("connect", -111, []uint64{3}, sockaddr(1, remote), socketPart(0, 9, abi.AF_INET, abi.SOCK_STREAM, "", ""))
	w.want("fd.name= fd.sip=~ fd.connected=0")
	w.call("connect", -115, []uint64{3}, sockaddr(1, remote), socketPart(0, 9, abi.AF_INET, abi.SOCK_STREAM, local, remote))
	w.want("fd.name=192.0.2.2:40000->198.51.100.9:443 fd.cip=192.0.2.2 fd.sip=198.51.100.9 fd.lip=192.0.2.2" +
		" fd.rip=198.51.100.9 fd.cport=40000 fd.sport=443 fd.lport=40000 fd.rport=443 fd.sproto=443 fd.l4proto=tcp" +
		" fd.connected=1 fd.name_changed=1 fd.is_server=0 fd.dev=0 fd.ino=0")
	w.call("write", 1, []uint64{3}, socketPart(0, 9, abi.AF_INET, abi.SOCK_STREAM, local, remote))
	w.want("fd.sport=443 fd.name_changed=0 fd.connected=1")
	w.call("dup2", 0, []uint64{3, 0}, socketPart(0, 9, abi.AF_INET, abi.SOCK_STREAM, local, remote))
	w.want("fd.num=0 fd.sport=443 proc.stdin.type=ipv4 proc.stdin.name=192.0.2.2:40000->198.51.100.9:443 proc.stdout.type=~")
	w.call("connect", -9, []uint64{99}, sockaddr(1, remote))
	w.want("fd.num=99 fd.typechar=o fd.name=NULL")
}

func TestServer(t *testing.T) {
	w := newWorld(t, Config{})
	w.call("socket", 3, []uint64{abi.AF_INET, abi.SOCK_STREAM})
	w.call("bind", 0, []uint64{3}, sockaddr(1, "0.0.0.0:80"), socketPart(0, 9, abi.AF_INET, abi.SOCK_STREAM, "0.0.0.0:80", ""))
	w.want("fd.name=0.0.0.0:80 fd.sip=0.0.0.0 fd.sport=80 fd.cip=~ fd.lip=~ fd.cproto= fd.sproto= fd.is_server=1 fd.l4proto=tcp" +
		" fd.name_changed=1 fd.connected=0")
	w.call("accept4", 4, []uint64{3, 0, 0, 0}, socketPart(raw.RetArg, 10, abi.AF_INET6, abi.SOCK_STREAM,
		"[::ffff:192.0.2.2]:80", "[::ffff:203.0.113.5]:51000"))
	w.want("fd.num=4 fd.type=ipv4 fd.name=203.0.113.5:51000->192.0.2.2:80 fd.cip=203.0.113.5 fd.sip=192.0.2.2 fd.lip=192.0.2.2" +
		" fd.lport=80 fd.rport=51000 fd.is_server=1 fd.connected=1")
	w.ctr = "3abd807250d1"
	w.call("read", 1, []uint64{4})
	w.want("fd.is_server=0") // Falco compares with the container's address there
	w.call("read", 1, []uint64{5}, socketPart(0, 77, abi.AF_INET, abi.SOCK_STREAM, "192.0.2.2:22", "203.0.113.5:51000"))
	w.want("fd.name=203.0.113.5:51000->192.0.2.2:22 fd.sport=22 fd.lport=22") // not seen before: guessed by the ports
}

func TestDatagrams(t *testing.T) {
	w := newWorld(t, Config{})
	w.call("socket", 3, []uint64{abi.AF_INET, abi.SOCK_DGRAM})
	udp := func(local string) raw.Part { return socketPart(0, 0, abi.AF_INET, abi.SOCK_DGRAM, local, "") }
	w.call("sendto", 3, []uint64{3}, sockaddr(4, "127.0.0.1:53"), udp("0.0.0.0:40000"))
	w.want("fd.name=127.0.0.1:40000->127.0.0.1:53 fd.l4proto=udp fd.connected=1 fd.name_changed=1 fd.sport=53 fd.rport=53")
	w.call("sendto", 3, []uint64{3}, sockaddr(4, "192.0.2.77:53"), udp("0.0.0.0:40000"))
	w.want("fd.name=192.0.2.2:40000->192.0.2.77:53 fd.name_changed=1")
	w.call("sendto", 3, []uint64{3}, sockaddr(4, "192.0.2.77:53"), udp("0.0.0.0:40000"))
	w.want("fd.name_changed=0")
	w.call("sendto", 3, []uint64{3}, sockaddr(4, "198.51.100.1:53"), udp("0.0.0.0:40000"))
	w.want("fd.name=192.0.2.2:40000->198.51.100.1:53")

	w.call("socket", 4, []uint64{abi.AF_INET, abi.SOCK_DGRAM})
	w.call("recvfrom", 3, []uint64{4}, sockaddr(4, "203.0.113.5:6000"), udp("192.0.2.2:53"))
	w.want("fd.name=203.0.113.5:6000->192.0.2.2:53 fd.connected=0 fd.name_changed=1 fd.lport=53")
	w.call("sendto", 3, []uint64{4}, sockaddr(4, "203.0.113.5:6000"), udp("192.0.2.2:53"))
	w.want("fd.name=203.0.113.5:6000->192.0.2.2:53 fd.connected=1 fd.name_changed=0")
}

func TestUnix(t *testing.T) {
	w := newWorld(t, Config{})
	w.call("socket", 3, []uint64{abi.AF_UNIX, abi.SOCK_STREAM})
	w.want("fd.type=unix fd.typechar=u fd.sockfamily=unix")
	w.call("bind", 0, []uint64{3}, sockaddr(1, "rel.sock\x00junk"))
	w.want("fd.name=rel.sock fd.name_changed=1 fd.is_server=0 fd.sport=~")
	w.call("socket", 4, []uint64{abi.AF_UNIX, abi.SOCK_STREAM})
	p := socketPart(0, 0, abi.AF_UNIX, abi.SOCK_STREAM, "", "")
	p.Sock.Self, p.Sock.Peer = 0xffff888812345678, 0xffff888800000001
	w.call("connect", 0, []uint64{4}, sockaddr(1, "\x00abstract"), p)
	w.want("fd.name=ffff888812345678->ffff888800000001_abstract fd.connected=1 fd.cproto= fd.sproto=~")
}

func TestDescriptorsWithoutNames(t *testing.T) {
	w := newWorld(t, Config{})
	for n, c := range []struct{ call, kind, char string }{
		{"eventfd2", "event", "e"}, {"signalfd4", "signalfd", "s"}, {"timerfd_create", "timerfd", "t"},
		{"inotify_init1", "inotify", "i"}, {"epoll_create1", "eventpoll", "l"}, {"userfaultfd", "userfaultfd", "u"},
	} {
		w.call(c.call, int64(n+3), nil)
		w.want("fd.type=" + c.kind + " fd.typechar=" + c.char + " fd.name= fd.name_changed=0 fd.directory=~ fd.filename=~")
	}
	w.want("proc.fdopencount=6")
	w.call("memfd_create", 20, nil, raw.Part{Kind: raw.String, Arg: 0, Data: []byte("my mem")})
	w.want("fd.type=memfd fd.name=my_mem fd.name_changed=1")
	w.call("pidfd_open", 21, []uint64{84})
	w.want("fd.type=pidfd fd.typechar=P fd.name=/proc/84 fd.directory=~")
	w.call("pipe2", 0, []uint64{0, 0}, raw.Part{Kind: raw.Fd, Arg: 0, Data: []byte{30, 0, 0, 0, 31, 0, 0, 0}},
		raw.Part{Kind: raw.File, Arg: 0, Index: 1, File: raw.FileInfo{Kind: raw.KindPipe, Ino: 55}})
	w.want("fd.num=31 fd.type=pipe fd.typechar=p fd.ino=55 fd.dev=0")
	w.call("socketpair", -95, nil)
	w.want("fd.num=-1 fd.typechar=o fd.name= fd.directory=/")
	w.call("bpf", 0, []uint64{3})
	w.want("fd.num=~ fd.typechar=~")
	w.call("mmap", 0x7f0000000000, []uint64{0, 0, 0, 0, minusOne})
	w.want("fd.num=-1 fd.typechar=o")
}

func TestForkAndExec(t *testing.T) {
	w := newWorld(t, Config{})
	w.call("openat", 3, []uint64{neg(100), 0, 0}, pathPart(1, "/keep"))
	w.call("openat", 4, []uint64{neg(100), 0, abi.O_CLOEXEC}, pathPart(1, "/lose"))
	w.pid = 8
	w.event(raw.Fork, "", 0, []uint64{0})
	w.want("fd.num=~")
	w.call("read", 0, []uint64{4})
	w.want("fd.name=/lose proc.fdopencount=2")
	w.call("close", 0, []uint64{3})
	w.call("read", -9, []uint64{3})
	w.want("fd.name= proc.fdopencount=1")
	w.call("openat", 3, []uint64{neg(100), 0, 0}, pathPart(1, "/other"))
	w.pid = 7
	w.call("read", 0, []uint64{3})
	w.want("fd.name=/keep proc.fdopencount=2")
	w.event(raw.Exec, "", 0, nil)
	w.want("proc.fdopencount=1")
	w.call("read", -9, []uint64{4})
	w.want("fd.name=")

	w.pid = 9 // shares its descriptors, so that either sees what the other opens
	w.event(raw.Fork, "", 0, []uint64{abi.CLONE_FILES})
	w.call("openat", 5, []uint64{neg(100), 0, 0}, pathPart(1, "/shared"))
	w.pid = 7
	w.call("read", 0, []uint64{5})
	w.want("fd.name=/shared")
	w.call("close_range", 0, []uint64{0, 1<<32 - 1})
	w.want("proc.fdopencount=0")
	w.pid = 9
	w.call("read", -9, []uint64{5})
	w.want("fd.name= proc.fdopencount=0")
	w.call("openat", 6, []uint64{neg(100), 0, abi.O_CLOEXEC}, pathPart(1, "/shared"))
	w.event(raw.Exec, "", 0, nil) // ends the sharing
	w.want("proc.fdopencount=0")
	w.pid = 7
	w.call("read", 0, []uint64{6})
	w.want("fd.name=/shared")
}

func TestRoomIsBounded(t *testing.T) {
	w := newWorld(t, Config{MaxDescriptors: 10, MaxPerProcess: 8})
	for n := range int64(50) {
		w.call("openat", n, []uint64{neg(100), 0, 0}, pathPart(1, "/f"))
		w.want("fd.name=/f")
	}
	w.want("proc.fdopencount=8")
	for pid := int32(8); pid < 20; pid++ {
		w.pid = pid
		w.call("openat", 3, []uint64{neg(100), 0, 0}, pathPart(1, "/f"))
	}
	if s := w.table.Stats(); s.Descriptors != 10 || s.Forgotten != 42+10 {
		t.Errorf("statistics are %+v", s)
	}
	for pid := int32(7); pid < 20; pid++ {
		w.pid = pid
		w.event(raw.Exit, "", 0, nil)
	}
	w.now += 1e10
	w.pid = 1
	w.call("read", 0, nil)
	if s := w.table.Stats(); s.Descriptors != 0 {
		t.Errorf("%d descriptors are remembered of processes that are gone", s.Descriptors)
	}
}

func FuzzSockaddr(f *testing.F) {
	f.Add([]byte{2, 0, 0, 80, 127, 0, 0, 1})
	f.Add([]byte("\x01\x00/path\x00x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, path, ok := parseSockaddr(b); ok && len(path) > len(b) {
			t.Error("a path longer than what it was read from")
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	table := procs.New(procs.Config{})
	fds := New(table, Config{})
	nr, _ := raw.Number("openat")
	cwd := raw.Part{Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte("/tmp")}
	r := &raw.Event{Kind: raw.Syscall, Nr: nr, Ret: 3, Regs: [6]uint64{neg(100)}, Task: raw.Task{TID: 7, PID: 7, Start: 1},
		Parts: []raw.Part{pathPart(1, "some/file"), file(raw.RetArg, 5, "/tmp/some/file"), cwd}}
	var e event.Event
	p := table.Apply(r)
	b.ReportAllocs()
	for b.Loop() {
		e.Reset(1)
		fds.Apply(r, p).Fill(&e)
	}
}

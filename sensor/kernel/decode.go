//go:build linux

package kernel

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/eyrie-sec/eyrie/sensor/bpf"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// Flags of parts and files; enum part_flags and enum file_bits of sensor/bpf/record.h.
const (
	partStable, partTruncated, partFailed = 1, 2, 4

	bitUpper, bitLower, bitMemfd, bitDeleted, bitCreated, bitDisconnected = 1, 2, 4, 8, 16, 32
)

// Kernel constants.
const (
	pfKthread = 0x00200000 // PF_KTHREAD, linux/sched.h

	anonInodeMagic = 0x09041934 // linux/magic.h
	pipeMagic      = 0x50495045
	nsfsMagic      = 0x6e736673
	pidfsMagic     = 0x50494446
)

// A decoder turns records into events. It keeps what events refer to until the next one.
type decoder struct {
	arena   []byte              // paths, put together
	aligned []byte              // a record that did not lie at a multiple of 8
	comms   map[[16]byte]string // so that names of commands are not copied for every event
	offset  int64               // of the clock since 1970 to the one since boot, ns
	checked uint64              // boot ns at which the offset was read
	pageKiB uint64
}

func (d *decoder) init() {
	d.comms = map[[16]byte]string{}
	d.pageKiB = uint64(unix.Getpagesize() / 1024)
	d.setOffset()
}

func (d *decoder) setOffset() {
	var boot unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) == nil {
		d.offset = time.Now().UnixNano() - boot.Nano()
		d.checked = uint64(boot.Nano())
	}
}

const (
	recordSize = int(unsafe.Sizeof(bpf.SensorRecord{}))
	partSize   = int(unsafe.Sizeof(bpf.SensorPart{}))
	fileSize   = int(unsafe.Sizeof(bpf.SensorFileinfo{}))
	sockSize   = int(unsafe.Sizeof(bpf.SensorSockinfo{}))
)

// decode reads a record into ev. It answers false for bytes that are no record.
func (d *decoder) decode(b []byte, ev *raw.Event) bool {
	if len(b) < recordSize {
		return false
	}
	// The structs are read where they are: records and parts begin at multiples of 8 and are laid out as the host does.
	if uintptr(unsafe.Pointer(unsafe.SliceData(b)))&7 != 0 {
		d.aligned = append(d.aligned[:0], b...)
		b = d.aligned
	}
	r := (*bpf.SensorRecord)(unsafe.Pointer(unsafe.SliceData(b)))
	if int(r.Len) > len(b) || int(r.Len) < recordSize || r.Kind < uint8(raw.Syscall) || r.Kind > uint8(raw.Signal) {
		return false
	}
	if r.Time > d.checked+uint64(time.Second) {
		d.setOffset()
	}
	d.arena = d.arena[:0]
	ev.Kind = raw.Kind(r.Kind)
	ev.Time = int64(r.Time) + d.offset
	ev.CPU = int(r.Cpu)
	ev.Nr, ev.Compat = int32(r.Nr), false
	if ev.Nr >= raw.CompatBase {
		ev.Nr, ev.Compat = raw.FromCompat(ev.Nr-raw.CompatBase), true
	}
	ev.Regs, ev.Ret = r.Regs, r.Ret
	ev.OtherTID, ev.OtherPID = r.OtherTid, r.OtherPid
	d.task(&r.Task, &ev.Task)
	ev.Parts = ev.Parts[:0]
	rest := b[recordSize:r.Len]
	for range r.Parts {
		if len(rest) < partSize {
			return false
		}
		p := (*bpf.SensorPart)(unsafe.Pointer(unsafe.SliceData(rest)))
		end := partSize + int(p.Len)
		if end > len(rest) {
			return false
		}
		if !d.part(p, rest[partSize:end], ev) {
			return false
		}
		rest = rest[min((end+7)&^7, len(rest)):]
	}
	finish(ev)
	return true
}

func (d *decoder) task(t *bpf.SensorTaskinfo, to *raw.Task) {
	*to = raw.Task{
		TID: t.Tid, PID: t.Pid, PPID: t.Ppid, VTID: t.Vtid, VPID: t.Vpid, VPPID: t.Vppid,
		PGID: t.Pgid, VPGID: t.Vpgid, SID: t.Sid, VSID: t.Vsid, Start: t.Start, ThreadStart: t.ThreadStart,
		UID: t.Uid, GID: t.Gid, EUID: t.Euid, EGID: t.Egid, SUID: t.Suid, SGID: t.Sgid, FSUID: t.Fsuid,
		LoginUID: t.Loginuid, SessionID: t.Sessionid,
		CapEffective: t.CapEffective, CapPermitted: t.CapPermitted, CapInheritable: t.CapInheritable,
		TTY: t.Tty, CgroupID: t.Cgroup, PIDNS: t.Pidns, MountNS: t.Mntns, NetNS: t.Netns, UserNS: t.Userns,
		InitPIDNS: t.PidnsLevel == 0, KernelThread: t.Flags&pfKthread != 0,
		VMSize: t.VmSize * d.pageKiB, VMRSS: t.VmRss * d.pageKiB, VMSwap: t.VmSwap * d.pageKiB,
		MajFlt: t.MajFlt, MinFlt: t.MinFlt, Threads: t.Threads, NoFile: t.Nofile, Comm: d.comm(&t.Comm),
		RealParentTID: t.RealParent, ExitSignal: t.ExitSignal, Seccomp: t.Seccomp, NoNewPrivs: t.NoNewPrivs != 0,
	}
}

func (d *decoder) comm(c *[16]int8) string {
	key := *(*[16]byte)(unsafe.Pointer(c))
	if s, ok := d.comms[key]; ok {
		return s
	}
	if len(d.comms) > 1000 {
		clear(d.comms)
	}
	n := 0
	for n < len(key) && key[n] != 0 {
		n++
	}
	s := string(key[:n])
	d.comms[key] = s
	return s
}

// part appends a part to ev.
func (d *decoder) part(p *bpf.SensorPart, data []byte, ev *raw.Event) bool {
	ev.Parts = append(ev.Parts, raw.Part{
		Kind: raw.PartKind(p.Kind), Arg: p.Arg, Index: p.Index, Data: data,
		Stable: p.Flags&partStable != 0, Truncated: p.Flags&partTruncated != 0, Failed: p.Flags&partFailed != 0,
	})
	to := &ev.Parts[len(ev.Parts)-1]
	switch to.Kind {
	case raw.Cwd, raw.Root:
		to.Data = d.path(data)
	case raw.Cgroup:
		to.Data = d.path(data)
		if int(p.Index) < len(hierarchies) {
			to.Name = hierarchies[p.Index]
		}
	case raw.File, raw.Dir, raw.Exe, raw.Socket:
		if len(data) < fileSize {
			return false
		}
		f := (*bpf.SensorFileinfo)(unsafe.Pointer(unsafe.SliceData(data)))
		d.file(f, data[fileSize:], to)
		if to.Kind == raw.Socket {
			return socket(data[fileSize:], to)
		}
	}
	return true
}

// hierarchies names the cgroup hierarchies by the index of their part; add_cgroups of sensor/bpf/paths.h.
var hierarchies = []string{"", "memory", "cpu", "cpuset", "pids"}

// path turns names that end in NUL, the deepest first, into an absolute path.
func (d *decoder) path(names []byte) []byte {
	start := len(d.arena)
	if len(names) == 0 {
		d.arena = append(d.arena, '/')
		return d.arena[start:]
	}
	for end := len(names); end > 0; {
		end-- // the NUL
		begin := end
		for begin > 0 && names[begin-1] != 0 {
			begin--
		}
		d.arena = append(d.arena, '/')
		d.arena = append(d.arena, names[begin:end]...)
		end = begin
	}
	return d.arena[start:len(d.arena):len(d.arena)]
}

func (d *decoder) file(f *bpf.SensorFileinfo, names []byte, to *raw.Part) {
	to.File = raw.FileInfo{
		Dev: unix.Mkdev(f.Dev>>20, f.Dev&0xfffff), Rdev: unix.Mkdev(f.Rdev>>20, f.Rdev&0xfffff), Ino: f.Ino,
		Mode: f.Mode, Nlink: f.Nlink, UID: f.Uid, GID: f.Gid, Flags: f.Flags, Pos: f.Pos, Ctime: f.Ctime,
		Mtime: f.Mtime, Size: f.Size, FSMagic: f.Magic,
		UpperLayer: f.Bits&bitUpper != 0, LowerLayer: f.Bits&bitLower != 0, Memfd: f.Bits&bitMemfd != 0,
		Deleted: f.Bits&bitDeleted != 0, Created: f.Bits&bitCreated != 0,
	}
	first := names
	for i, c := range names {
		if c == 0 {
			first = names[:i]
			break
		}
	}
	to.File.Kind = fileKind(f, first)
	switch {
	case to.Kind == raw.Socket:
		to.Data = nil
	case to.File.Kind == raw.KindNamespace:
		start := len(d.arena)
		d.arena = append(append(d.arena, first...), ":["...)
		d.arena = append(strconv.AppendUint(d.arena, f.Ino, 10), ']')
		to.Data = d.arena[start:]
	case f.Magic == pipeMagic:
		to.Data = nil
	case f.Bits&bitDisconnected != 0:
		to.Data = first
	default:
		to.Data = d.path(names)
	}
}

// anonKinds are the names that the kernel gives to anonymous inodes.
var anonKinds = map[string]raw.FileKind{
	"[eventfd]": raw.KindEventfd, "[eventpoll]": raw.KindEventpoll, "inotify": raw.KindInotify, "[fanotify]": raw.KindFanotify,
	"[signalfd]": raw.KindSignalfd, "[timerfd]": raw.KindTimerfd, "[userfaultfd]": raw.KindUserfaultfd,
	"[io_uring]": raw.KindIOUring, "bpf-map": raw.KindBPFMap, "bpf-prog": raw.KindBPFProg, "bpf_link": raw.KindBPFLink,
	"bpf-link": raw.KindBPFLink, "[pidfd]": raw.KindPidfd, "inotify]": raw.KindInotify,
}

func fileKind(f *bpf.SensorFileinfo, name []byte) raw.FileKind {
	switch f.Magic {
	case nsfsMagic:
		return raw.KindNamespace
	case pidfsMagic:
		return raw.KindPidfd
	case anonInodeMagic:
		if k, ok := anonKinds[string(name)]; ok {
			return k
		}
		return raw.KindAnon
	}
	switch f.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return raw.KindRegular
	case unix.S_IFDIR:
		return raw.KindDir
	case unix.S_IFCHR:
		return raw.KindChar
	case unix.S_IFBLK:
		return raw.KindBlock
	case unix.S_IFIFO:
		return raw.KindPipe
	case unix.S_IFSOCK:
		return raw.KindSocket
	case unix.S_IFLNK:
		return raw.KindSymlink
	}
	return raw.KindAnon
}

func socket(b []byte, to *raw.Part) bool {
	if len(b) < sockSize {
		return false
	}
	s := (*bpf.SensorSockinfo)(unsafe.Pointer(unsafe.SliceData(b)))
	names := b[sockSize:]
	own, peer := int(s.PathLen), int(s.PeerLen)
	if own+peer > len(names) {
		return false
	}
	to.Sock = raw.SockInfo{
		Family: s.Family, Type: s.Type, Proto: s.Proto, State: s.State, Self: s.Self, Peer: s.Peer, Ino: to.File.Ino,
		Backlog: s.Backlog, MaxBacklog: s.MaxBacklog,
		Path: unixName(names[:own]), PeerPath: unixName(names[own : own+peer]),
	}
	switch s.Family {
	case unix.AF_INET:
		to.Sock.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(s.Local[:4])), s.LocalPort)
		to.Sock.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(s.Remote[:4])), s.RemotePort)
	case unix.AF_INET6:
		to.Sock.Local = netip.AddrPortFrom(netip.AddrFrom16(s.Local), s.LocalPort)
		to.Sock.Remote = netip.AddrPortFrom(netip.AddrFrom16(s.Remote), s.RemotePort)
	}
	return true
}

// unixName is sun_path as text: a name in the file system ends at its NUL, an abstract one is as long as it is.
func unixName(b []byte) string {
	if len(b) > 0 && b[0] != 0 {
		for i, c := range b {
			if c == 0 {
				return string(b[:i])
			}
		}
	}
	return string(b)
}

// finish fills what only user space can tell.
func finish(ev *raw.Event) {
	exec, _ := raw.Number("execve")
	switch ev.Kind {
	case raw.Exec:
		ev.Nr = exec
	case raw.Fork:
		ev.Regs[0] = forkFlags(ev)
	}
}

// forkFlags is what clone would have been given for this fork.
func forkFlags(ev *raw.Event) uint64 {
	switch raw.Name(ev.Nr) {
	case "fork":
		return uint64(unix.SIGCHLD)
	case "vfork":
		return unix.CLONE_VFORK | unix.CLONE_VM | uint64(unix.SIGCHLD)
	case "clone3":
		p := ev.Part(raw.Struct, 0)
		if p == nil || len(p.Data) < 8 {
			return 0
		}
		return binary.LittleEndian.Uint64(p.Data)
	}
	return ev.Regs[0]
}

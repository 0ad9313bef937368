package fds

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/sensor/abi"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

var fileKinds = [...]Kind{
	raw.KindUnknown: Unknown, raw.KindRegular: File, raw.KindDir: Directory, raw.KindChar: File, raw.KindBlock: File,
	raw.KindPipe: Pipe, raw.KindSocket: Unknown, raw.KindSymlink: File, raw.KindAnon: Unknown, raw.KindEventfd: Event,
	raw.KindEventpoll: Epoll, raw.KindInotify: Inotify, raw.KindFanotify: Unknown, raw.KindSignalfd: Signal,
	raw.KindTimerfd: Timer, raw.KindUserfaultfd: Userfault, raw.KindIOUring: Uring, raw.KindBPFMap: BPF,
	raw.KindBPFProg: BPF, raw.KindBPFLink: BPF, raw.KindPidfd: Pidfd, raw.KindNamespace: File,
}

// describe fills f with what the kernel says of a descriptor.
func (t *Table) describe(f *FD, part *raw.Part) {
	t.identify(f, part)
	if part.Kind == raw.Socket || part.File.Kind == raw.KindSocket {
		t.describeSocket(f, part)
		return
	}
	f.Kind = Unknown
	if int(part.File.Kind) < len(fileKinds) {
		f.Kind = fileKinds[part.File.Kind]
	}
	if part.Kind == raw.Dir {
		f.Kind = Directory
	}
	if f.Kind == Pipe && len(part.Data) > 0 && part.Data[0] == '/' {
		f.Kind = File // a FIFO was opened by its name
	}
	switch f.Kind {
	case File, Directory:
		f.Name = t.str(part.Data)
		if part.File.Memfd {
			f.Kind = Memfd
			f.Name = strings.TrimPrefix(strings.TrimPrefix(f.Name, "/"), "memfd:")
		}
		f.Given = f.Name
	}
	t.inode(f, part)
}

// identify notes which object of the kernel's f is.
func (t *Table) identify(f *FD, part *raw.Part) {
	f.dev, f.ino = part.File.Dev, part.File.Ino
	if f.ino == 0 {
		f.ino = part.Sock.Ino
	}
	f.cloexec = false
}

// inode sets what Falco shows of the inode: nothing but for files, and the number alone for pipes.
func (t *Table) inode(f *FD, part *raw.Part) {
	switch f.Kind {
	case File, Directory:
		f.Dev, f.Ino = part.File.Dev, part.File.Ino
		f.Upper, f.Lower = part.File.UpperLayer, part.File.LowerLayer
	case Pipe:
		f.Ino = part.File.Ino
	}
}

func socketKind(family uint16) Kind {
	switch family {
	case abi.AF_INET:
		return IPv4
	case abi.AF_INET6:
		return IPv6
	case abi.AF_UNIX:
		return Unix
	case abi.AF_NETLINK:
		return Netlink
	}
	return Unknown
}

func socketProto(typ, proto uint16) Proto {
	switch {
	case proto == abi.IPPROTO_ICMP || proto == abi.IPPROTO_ICMPV6:
		return ICMP
	case typ == abi.SOCK_STREAM:
		return TCP
	case typ == abi.SOCK_DGRAM:
		return UDP
	case typ == abi.SOCK_RAW:
		return Raw
	}
	return NoProto
}

// firstEphemeral is the least port that Linux gives to clients by default (ip_local_port_range).
const firstEphemeral = 32768

// describeSocket is for sockets whose history is not known: who is the client is guessed from the ports.
func (t *Table) describeSocket(f *FD, part *raw.Part) {
	s := &part.Sock
	f.Kind = socketKind(s.Family)
	switch f.Kind {
	case IPv4, IPv6:
		local, remote := unmap(s.Local), unmap(s.Remote)
		switch {
		case remote.IsValid() && remote.Port() != 0:
			f.role = client
			if remote.Port() >= firstEphemeral && local.Port() < firstEphemeral {
				f.role = server
			}
			f.Connected = true
			t.connect(f, s, local, remote)
		case local.Port() != 0:
			t.bind(f, s, local)
		}
	case Unix:
		if s.Path != "" {
			f.Name = strings.TrimPrefix(s.Path, "\x00")
		}
	}
}

// bind makes f a socket with a local address.
func (t *Table) bind(f *FD, s *raw.SockInfo, local netip.AddrPort) {
	f.Bound, f.Tuple, f.role = true, false, server
	f.Server, f.Client = local, netip.AddrPort{}
	f.Proto = socketProto(s.Type, s.Proto)
	t.buf = appendAddr(t.buf[:0], local)
	f.Name = t.str(t.buf)
	f.Given = ""
}

// connect makes f a connection. Its role must be set.
func (t *Table) connect(f *FD, s *raw.SockInfo, local, remote netip.AddrPort) {
	if local.Addr().IsUnspecified() || !local.IsValid() {
		if a := t.source(remote.Addr()); a.IsValid() {
			local = netip.AddrPortFrom(a, local.Port())
		}
	}
	f.Client, f.Server = local, remote
	if f.role == server {
		f.Client, f.Server = remote, local
	}
	if remote.Addr().Is4() {
		f.Kind = IPv4 // also an IPv6 socket that speaks IPv4
	}
	f.Tuple, f.Bound = true, false
	f.Proto = socketProto(s.Type, s.Proto)
	t.buf = appendAddr(t.buf[:0], f.Client)
	t.buf = append(t.buf, "->"...)
	t.buf = appendAddr(t.buf, f.Server)
	f.Name = t.str(t.buf)
	f.Given = ""
}

// pair makes f an end of a unix connection.
func (t *Table) pair(f *FD, first, second uint64, path string) {
	t.buf = strconv.AppendUint(t.buf[:0], first, 16)
	t.buf = append(t.buf, "->"...)
	t.buf = strconv.AppendUint(t.buf, second, 16)
	t.buf = append(append(t.buf, ' '), path...)
	f.Name = t.str(t.buf)
	f.Given = ""
}

func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}

// appendAddr writes address and port as Falco does: an IPv6 address without brackets.
func appendAddr(b []byte, a netip.AddrPort) []byte {
	if a.Addr().IsValid() {
		b = a.Addr().AppendTo(b)
	}
	b = append(b, ':')
	return strconv.AppendUint(b, uint64(a.Port()), 10)
}

// parseSockaddr reads a sockaddr of a system call: an address and port, or a unix path.
func parseSockaddr(b []byte) (addr netip.AddrPort, path string, ok bool) {
	if len(b) < 2 {
		return addr, "", false
	}
	switch binary.NativeEndian.Uint16(b) {
	case abi.AF_INET:
		if len(b) < 8 {
			return addr, "", false
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:])), "", true
	case abi.AF_INET6:
		if len(b) < 24 {
			return addr, "", false
		}
		a := netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), binary.BigEndian.Uint16(b[2:]))
		return unmap(a), "", true
	case abi.AF_UNIX:
		name := string(b[2:])
		if abstract, ok := strings.CutPrefix(name, "\x00"); ok {
			name = strings.TrimRight(abstract, "\x00")
		} else {
			name, _, _ = strings.Cut(name, "\x00")
		}
		return addr, name, true
	}
	return addr, "", false
}

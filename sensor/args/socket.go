package args

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/eyrie-sec/eyrie/sensor/args/flags"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

const (
	familyUnix  = 1
	familyInet  = 2
	familyInet6 = 10
)

// address is a sockaddr as the caller or the kernel wrote it.
type address struct {
	family uint16
	ip     netip.AddrPort
	path   string
}

// parseAddress reads a sockaddr; ok is false for families without a text.
func parseAddress(b []byte) (a address, ok bool) {
	if len(b) < 2 {
		return a, false
	}
	a.family = binary.LittleEndian.Uint16(b) // host order; both architectures are little-endian
	switch {
	case a.family == familyInet && len(b) >= 8:
		a.ip = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
	case a.family == familyInet6 && len(b) >= 24:
		a.ip = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), binary.BigEndian.Uint16(b[2:]))
	case a.family == familyUnix:
		a.path = unixPath(b[2:])
	default:
		return a, false
	}
	return a, true
}

// unixPath is the path of a sockaddr_un up to its NUL; an abstract name comes after one.
func unixPath(b []byte) string {
	if len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	return alias(b)
}

// sockaddr is the address in an argument.
func sockaddr(reg int8) param { return param{make: makeSockaddr, reg: reg} }

func makeSockaddr(f *Filler, p *param) {
	f.out.raw = notKnown
	if a, ok := f.address(p.reg); ok {
		start := len(f.buf)
		f.buf = appendAddress(f.buf, a)
		f.out.raw = f.str(start)
	}
}

func (f *Filler) address(reg int8) (address, bool) {
	for i := range f.r.Parts {
		if p := &f.r.Parts[i]; p.Kind == raw.Sockaddr && p.Arg == reg && p.Index == f.msg && !p.Failed {
			return parseAddress(p.Data)
		}
	}
	return address{}, false
}

func appendAddress(dst []byte, a address) []byte {
	if a.family == familyUnix {
		return append(dst, a.path...)
	}
	return appendPort(dst, a.ip)
}

// appendPort writes ADDRESS:PORT, without brackets around an IPv6 address. An IPv4 address in IPv6 is shown as the
// IPv4 address it is.
func appendPort(dst []byte, a netip.AddrPort) []byte {
	dst = a.Addr().Unmap().WithZone("").AppendTo(dst)
	return strconv.AppendUint(append(dst, ':'), uint64(a.Port()), 10)
}

// How the tuple of a call is made up.
const (
	tupleConnect int8 = iota // of a connected socket: us, then them
	tupleAccept              // of an accepted socket: them, then us
	tupleSend                // us, then whom the message is for
	tupleReceive             // whom the message is from, then us
)

// tuple is both ends of a connection or a message. reg is the argument with the other's address, -1 for none.
func tuple(how, reg int8) param { return param{make: makeTuple, aux: how, reg: reg} }

func makeTuple(f *Filler, p *param) {
	f.out.raw = noData
	arg := int8(0)
	switch p.aux {
	case tupleConnect:
		if f.r.Ret != 0 && f.r.Ret != -int64(syscall.EINPROGRESS) {
			return
		}
	case tupleAccept:
		arg = raw.RetArg
		fallthrough
	case tupleReceive, tupleSend:
		if f.r.Ret < 0 {
			return
		}
	}
	part := f.r.Part(raw.Socket, arg)
	if part == nil {
		return
	}
	start := len(f.buf)
	f.buf = f.appendTuple(f.buf, &part.Sock, p)
	if s := f.str(start); s != "" {
		f.out.raw = s
	}
}

func (f *Filler) appendTuple(dst []byte, s *raw.SockInfo, p *param) []byte {
	if s.Family == familyUnix {
		return f.appendUnix(dst, s, p)
	}
	if s.Family != familyInet && s.Family != familyInet6 {
		return dst
	}
	us, them := s.Local, s.Remote
	a, named := f.address(p.reg)
	if named {
		named = a.ip.IsValid()
	}
	if p.aux == tupleSend || p.aux == tupleReceive {
		switch {
		case s.State == tcpEstablished && s.Remote.Port() != 0:
		case named:
			them = a.ip
		case p.aux == tupleReceive:
			them = netip.AddrPortFrom(unspecified(s.Family), 0)
		default:
			return dst
		}
	}
	if p.aux == tupleAccept || p.aux == tupleReceive {
		us, them = them, us
	}
	dst = appendPort(dst, us)
	return appendPort(append(dst, "->"...), them)
}

// tcpEstablished is TCP_ESTABLISHED, which connected sockets of every kind have as their state.
const tcpEstablished = 1

func unspecified(family uint16) netip.Addr {
	if family == familyInet {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// appendUnix writes the kernel addresses of two unix sockets and the path of the one that has one.
func (f *Filler) appendUnix(dst []byte, s *raw.SockInfo, p *param) []byte {
	us, them, name := s.Self, s.Peer, trimNUL(s.Path)
	if name == "" {
		name = trimNUL(s.PeerPath)
	}
	if a, ok := f.address(p.reg); ok && p.aux != tupleReceive && a.family == familyUnix {
		name = a.path
	}
	switch p.aux {
	case tupleAccept:
		us, them = them, us
	case tupleSend:
		us = 0
	case tupleReceive:
		them = 0
	}
	dst = strconv.AppendUint(dst, us, 16)
	dst = strconv.AppendUint(append(dst, "->"...), them, 16)
	return append(append(dst, ' '), name...)
}

func trimNUL(s string) string {
	if s != "" && s[0] == 0 {
		return s[1:]
	}
	return s
}

// sockFlags is the flags in the type of a new socket.
var sockFlags = param{make: func(f *Filler, _ *param) { f.setBits(flags.FromCloexec(f.reg(1)), 32, flags.Open) }}

// acceptFlags is the flags of accept4, shown as a number.
var acceptFlags = param{make: func(f *Filler, _ *param) { f.setNum(flags.FromCloexec(f.reg(3)), 32, hex, false) }}

// The queue of a listening socket that accept took from.
var (
	queuePercent = param{make: func(f *Filler, _ *param) {
		have, most := f.queue()
		percent := uint64(0)
		if most != 0 {
			percent = have * 100 / most
		}
		f.setNum(percent, 8, dec, false)
	}}
	queueLength = param{make: func(f *Filler, _ *param) { n, _ := f.queue(); f.setNum(n, 32, dec, false) }}
	queueMax    = param{make: func(f *Filler, _ *param) { _, n := f.queue(); f.setNum(n, 32, dec, false) }}
)

func (f *Filler) queue() (have, most uint64) {
	if f.r.Ret < 0 {
		return 0, 0
	}
	if p := f.r.Part(raw.Socket, 0); p != nil {
		return uint64(p.Sock.Backlog), uint64(p.Sock.MaxBacklog)
	}
	return 0, 0
}

// pairEnd is the kernel address of an end of a socket pair.
func pairEnd(peer bool) param {
	return param{make: func(f *Filler, _ *param) {
		v := uint64(0)
		if p := f.r.Part(raw.Socket, 3); p != nil && f.r.Ret >= 0 {
			if v = p.Sock.Self; peer {
				v = p.Sock.Peer
			}
		}
		f.setNum(v, 64, hex, false)
	}}
}

var sockOption = param{make: func(f *Filler, _ *param) {
	f.setEnum(flags.FromSockOption(f.reg(1), f.reg(2)), 8, flags.SockOption)
}}

// sockLen is the length of an option's value: a number, or for getsockopt a pointer to one.
var sockLenPointer = member(4, 0, 32, dec)

// Falco's numbers of the socket options whose value it shows otherwise than as a number of 32 bits.
const (
	optError       = 4
	optReceiveTime = 20
	optSendTime    = 21
	optCookie      = 53
)

// numeric are the options of SOL_SOCKET whose value is a number of 32 bits.
const numeric = 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12 | 1<<14 | 1<<15 | 1<<16 | 1<<18 | 1<<19 |
	1<<29 | 1<<30 | 1<<32 | 1<<33 | 1<<34 | 1<<35 | 1<<36 | 1<<37 | 1<<38 | 1<<39 | 1<<40 | 1<<41 | 1<<42 | 1<<43 | 1<<44 | 1<<45 |
	1<<46 | 1<<47 | 1<<48 | 1<<49

// optionValue is what a socket option is set to.
var optionValue = param{make: func(f *Filler, _ *param) {
	option := flags.FromSockOption(f.reg(1), f.reg(2))
	switch {
	case option == optError:
		f.setErrno(-int64(int32(f.member(3, 0, 32))))
	case option == optReceiveTime || option == optSendTime:
		f.setInterval(f.member(3, 0, 64)*1e9 + f.member(3, 8, 64)*1e3)
	case option == optCookie:
		f.setNum(f.member(3, 0, 64), 64, dec, false)
	case numeric&(uint64(1)<<option) != 0 && option != 0:
		f.setNum(f.member(3, 0, 32), 32, dec, false)
	default:
		b, _ := f.data(3)
		if f.out.raw = noData; len(b) > 0 {
			f.out.raw = f.printable(b)
		}
	}
}}

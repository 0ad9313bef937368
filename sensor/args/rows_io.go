package args

import (
	"encoding/binary"
	"strconv"

	"github.com/eyrie-sec/eyrie/sensor/args/flags"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// ioRows is the calls whose category is that of the descriptor they are about.
var ioRows = []row{
	{name: "close", flags: moves, params: []param{res, fd(0)}},
	{name: "close_range", flags: moves, params: []param{res, u32(0), u32(1), bits(2, 32, flags.CloseRange, nil)}},
	{name: "read", flags: moves | reads, params: []param{res, buffer(1), fd(0), u32(2)}},
	{name: "write", flags: moves | writes, params: []param{res, buffer(1), fd(0), u32(2)}},
	{name: "pread", flags: moves | reads, params: []param{res, buffer(1), fd(0), u32(2), u64(3)}},
	{name: "pwrite", flags: moves | writes, params: []param{res, buffer(1), fd(0), u32(2), u64(3)}},
	{name: "readv", flags: moves | reads, params: []param{res, readSize, buffer(1), fd(0)}},
	{name: "writev", flags: moves | writes, params: []param{res, buffer(1), fd(0), vectorSize}},
	{name: "preadv", flags: moves | reads, params: []param{res, readSize, buffer(1), fd(0), u64(3)}},
	{name: "pwritev", flags: moves | writes, params: []param{res, buffer(1), fd(0), vectorSize, u64(3)}},
	{name: "dup", flags: moves, params: []param{retFD, fd(0)}},
	{name: "dup2", flags: moves, params: []param{retFD, fd(0), newNumber(1)}},
	{name: "dup3", flags: moves, params: []param{retFD, fd(0), newNumber(1), bits(2, 32, flags.Open, flags.FromCloexec)}},
	{name: "fcntl", flags: moves, params: []param{fcntlResult, fd(0), enum(1, 8, flags.Fcntl, flags.FromFcntl), hex64(2)}},
	{name: "ioctl", flags: moves, params: []param{res, fd(0), hex64(1), hex64(2)}},
	{name: "splice", flags: moves, params: []param{res, fd(0), fd(2), u64(4), bits(5, 32, flags.Splice, nil)}},
	{name: "sendfile", flags: moves, params: []param{res, member(2, 0, 64, dec), fd(0), fd(1), u64(3)}},
	{name: "send", flags: moves | writes, params: []param{res, buffer(1), fd(0), u32(2), tuple(tupleSend, -1)}},
	{name: "sendto", flags: moves | writes, params: []param{res, buffer(1), fd(0), u32(2), tuple(tupleSend, 4)}},
	{name: "sendmsg", flags: moves | writes, params: []param{res, buffer(1), fd(0), vectorSize, tuple(tupleSend, 1)}},
	{name: "sendmmsg", flags: moves | writes | messages, params: []param{res, fd(0), vectorSize, buffer(1), tuple(tupleSend, 1)}},
	{name: "recv", flags: moves | reads, params: []param{res, buffer(1), fd(0), u32(2), tuple(tupleReceive, -1)}},
	{name: "recvfrom", flags: moves | reads, params: []param{res, buffer(1), tuple(tupleReceive, 4), fd(0), u32(2)}},
	{name: "recvmsg", flags: moves | reads, params: []param{res, readSize, buffer(1), tuple(tupleReceive, 1), controlData, fd(0)}},
	{name: "recvmmsg", flags: moves | reads | messages, params: []param{res, fd(0), readSize, buffer(1), tuple(tupleReceive, 1), controlData}},
	{name: "io_uring_enter", flags: moves | writes,
		params: []param{res, fd(0), u32(1), u32(2), bits(3, 32, flags.UringEnter, flags.FromUringEnter), sigset(4)}},
}

// readSize is how much a scattered read got.
var readSize = param{make: func(f *Filler, _ *param) { f.setNum(uint64(max(f.result(), 0)), 32, dec, false) }}

// vectorSize is how much a gathered write was to write: what it wrote, or else what was captured.
var vectorSize = param{make: func(f *Filler, _ *param) {
	n := f.result()
	if n < 0 {
		n = int64(len(f.bytes(1)))
	}
	f.setNum(uint64(n), 32, dec, false)
}}

var controlData = param{make: func(f *Filler, _ *param) {
	f.out.raw = noData
	for i := range f.r.Parts {
		if p := &f.r.Parts[i]; p.Kind == raw.Control && p.Index == f.msg && f.r.Ret >= 0 {
			f.setBlock(p.Data)
		}
	}
}}

// newNumber is the number that a duplicate is to have. Once the call has succeeded it is the same file as the old one.
func newNumber(reg int8) param {
	return param{make: func(f *Filler, p *param) {
		n, arg := int64(int32(f.reg(p.reg))), p.reg
		if f.r.Ret >= 0 {
			arg = raw.RetArg
			if f.object(arg, 0) == nil {
				arg = 0
			}
		}
		f.setFD(n, arg, 0)
	}, reg: reg}
}

// fcntlResult is a descriptor only for the commands that make one.
var fcntlResult = param{make: func(f *Filler, _ *param) {
	if n := flags.FromFcntl(f.reg(1)); n == 1 || n == 26 || f.r.Ret < 0 { // F_DUPFD, F_DUPFD_CLOEXEC
		f.setFD(f.r.Ret, raw.RetArg, 0)
		return
	}
	f.setErrno(f.r.Ret)
}}

// socketRows is the calls about sockets.
var socketRows = []row{
	{name: "socket", category: "net", params: []param{retFD, enum(0, 32, flags.Family, nil), u32(1), u32(2), sockFlags}},
	{name: "bind", category: "net", params: []param{res, sockaddr(1), fd(0)}},
	{name: "connect", category: "net", params: []param{res, tuple(tupleConnect, 1), fd(0), sockaddr(1)}},
	{name: "listen", category: "net", params: []param{res, fd(0), i32(1)}},
	{name: "accept", category: "net", params: []param{retFD, tuple(tupleAccept, -1), queuePercent, queueLength, queueMax}},
	{name: "accept4", category: "net", params: []param{retFD, tuple(tupleAccept, -1), queuePercent, queueLength, queueMax, acceptFlags}},
	{name: "shutdown", category: "net", params: []param{res, fd(0), enum(1, 8, flags.Shutdown, nil)}},
	{name: "getsockname", category: "net"},
	{name: "getpeername", category: "net"},
	{name: "socketpair", category: "IPC", params: []param{res, newFD(3, 1), newFD(3, 2), pairEnd(false), pairEnd(true),
		enum(0, 32, flags.Family, nil), u32(1), u32(2)}},
	{name: "setsockopt", category: "net",
		params: []param{res, fd(0), enum(1, 8, flags.SockLevel, flags.FromSockLevel), sockOption, optionValue, u32(4)}},
	{name: "getsockopt", category: "net",
		params: []param{res, fd(0), enum(1, 8, flags.SockLevel, flags.FromSockLevel), sockOption, optionValue, sockLenPointer}},
}

// otherRows is calls about signals, time, waiting and messages between processes.
var otherRows = []row{
	{name: "pipe", category: "IPC", params: []param{res, newFD(0, 1), newFD(0, 2), pipeIno}},
	{name: "pipe2", category: "IPC", params: []param{res, newFD(0, 1), newFD(0, 2), pipeIno, bits(1, 32, flags.Open, flags.FromCloexec)}},
	{name: "eventfd", category: "IPC", params: []param{retFD, u64(0), of(32, 0)}},
	{name: "eventfd2", category: "IPC", params: []param{retFD, bits(1, 16, flags.Open, flags.FromCloexec), u64(0)}},
	{name: "futex", category: "IPC", params: []param{res, hex64(0), futexOp, u64(2)}},
	{name: "inotify_init", category: "IPC", params: []param{retFD, of(8, 0)}},
	{name: "inotify_init1", category: "IPC", params: []param{retFD, bits(0, 16, flags.Open, flags.FromCloexec)}},
	{name: "signalfd", category: "signal", params: []param{retFD, fd(0), of(32, 0), of(8, 0)}},
	{name: "signalfd4", category: "signal", params: []param{retFD, bits(3, 16, flags.Open, flags.FromCloexec), fd(0), of(32, 0)}},
	{name: "kill", category: "signal", params: []param{res, pid(0), signal(1)}},
	{name: "tkill", category: "signal", params: []param{res, pid(0), signal(1)}},
	{name: "tgkill", category: "signal", params: []param{res, pid(0), pid(1), signal(2)}},
	{name: "signaldeliver", category: "signal", params: signalRow},
	{name: "nanosleep", category: "sleep", flags: waits, params: []param{res, interval(0)}},
	{name: "timerfd_create", category: "time", params: []param{retFD, u8(0), of(8, 0)}},
	{name: "epoll_wait", category: "wait", flags: waits, params: []param{res, {make: func(f *Filler, _ *param) { f.setErrno(int64(int32(f.reg(2)))) }}}},
	{name: "poll", category: "wait", flags: waits, params: []param{res, pollList, i32(2)}},
	{name: "ppoll", category: "wait", flags: waits, params: []param{res, pollList, interval(2), sigset(3)}},
	{name: "select", category: "wait", flags: waits, params: []param{res}},
	{name: "semop", category: "process", params: []param{res, u32(2), member(1, 0, 16, dec), signedMember(1, 2, 16),
		bitsMember(1, 4, 16, flags.Semop, flags.FromSemop), member(1, 6, 16, dec), signedMember(1, 8, 16),
		bitsMember(1, 10, 16, flags.Semop, flags.FromSemop), i32(0)}},
	{name: "semctl", category: "process", params: []param{res, i32(0), i32(1), enum(2, 16, flags.Semctl, flags.FromSemctl), i32(3)}},
	{name: "semget", category: "process", params: []param{res, hex32(0), i32(1), bits(2, 32, flags.Semget, flags.FromSemget)}},
	{name: "io_uring_setup", category: "other", params: []param{res, u32(0), member(1, 0, 32, dec), member(1, 4, 32, dec),
		bitsMember(1, 8, 32, flags.UringSetup, flags.FromUringSetup), member(1, 12, 32, dec), member(1, 16, 32, dec),
		bitsMember(1, 20, 32, flags.UringFeature, flags.FromUringFeature)}},
	{name: "io_uring_register", category: "other", params: []param{res, fd(0),
		enum(1, 16, flags.UringRegister, flags.FromUringRegister), hex64(2), u32(3)}},
	{name: "seccomp", category: "other", params: []param{res, u64(0), hex64(1)}},
	{name: "keyctl", category: "system", params: []param{res, enum(0, 32, flags.Keyctl, nil), keyArg(1), keyArg(2), keyArg(3), keyArg(4)}},
	{name: "page_fault", category: "other"},
	{name: "switch", category: "scheduler"},
}

// keyArg is an argument of keyctl: text, or a number, which for keyrings is negative.
func keyArg(reg int8) param {
	return param{make: func(f *Filler, p *param) {
		if s, ok := f.text(p.reg); ok {
			f.setText(s, true)
			return
		}
		f.setNum(uint64(int64(int32(f.reg(p.reg)))), 64, dec, true)
	}, reg: reg}
}

var futexOp = param{make: func(f *Filler, _ *param) {
	v := f.reg(1) & 0xffff
	f.setNum(v, 16, dec, false)
	start := len(f.buf)
	if f.buf = flags.Futex.AppendEnum(f.buf, v&0x7f); v&0x7f == 0 && v != 0 {
		f.buf = f.buf[:start]
	}
	if high := v &^ 0x7f; high != 0 {
		low := string(f.buf[start:])
		f.buf = flags.Futex.Append(f.buf[:start], high)
		if low != "" {
			f.buf = append(append(f.buf, '|'), low...)
		}
	}
	f.out.text = f.str(start)
}}

// pollList is the descriptors of struct pollfd with what they are polled for, in Falco's bits.
var pollList = param{make: func(f *Filler, _ *param) {
	b, _ := f.data(0)
	start := len(f.buf)
	for ; len(b) >= 8; b = b[8:] {
		if len(f.buf) > start {
			f.buf = append(f.buf, ' ')
		}
		n := int64(int32(binary.LittleEndian.Uint32(b)))
		f.buf = append(strconv.AppendInt(f.buf, n, 10), ':')
		f.buf = strconv.AppendUint(f.buf, flags.FromPoll(uint64(binary.LittleEndian.Uint16(b[4:]))), 16)
	}
	f.out.raw = f.str(start)
}}

package args

import (
	"github.com/eyrie-sec/eyrie/sensor/args/flags"
)

// fileRows is the calls that open files or change their attributes.
var fileRows = []row{
	{name: "open", category: "file", params: []param{retFD, path(0), openFlags(1), openMode(1, 2), openDev, openIno}},
	{name: "openat", category: "file", at: []atPath{{0, 1}},
		params: []param{retFD, fd(0), pathAt(0, 1), openFlags(2), openMode(2, 3), openDev, openIno}},
	{name: "openat2", category: "file", at: []atPath{{0, 1}}, params: []param{retFD, fd(0), pathAt(0, 1), howFlags, howMode,
		bitsMember(2, 16, 32, flags.Resolve, flags.FromResolve), openDev, openIno}},
	{name: "open_by_handle_at", category: "file", params: []param{retFD, fd(0), openFlags(2), openedPath, openDev, openIno}},
	{name: "creat", category: "file", params: []param{retFD, path(0), openMode(-1, 1), openDev, openIno, creatFlags}},
	{name: "access", category: "file", params: []param{res, path(0), bits(1, 32, flags.Access, flags.Access.Known)}},
	{name: "chmod", category: "file", params: []param{res, path(0), mode(1, flags.Mode)}},
	{name: "fchmod", category: "file", params: []param{res, fd(0), mode(1, flags.Mode)}},
	{name: "fchmodat", category: "file", at: []atPath{{0, 1}}, params: []param{res, fd(0), pathAt(0, 1), mode(2, flags.Mode)}},
	{name: "chown", category: "file", params: []param{res, path(0), owner(1), owner(2)}},
	{name: "lchown", category: "file", params: []param{res, path(0), owner(1), owner(2)}},
	{name: "fchown", category: "file", params: []param{res, fd(0), owner(1), owner(2)}},
	{name: "fchownat", category: "file", at: []atPath{{0, 1}},
		params: []param{res, fd(0), pathAt(0, 1), owner(2), owner(3), bits(4, 32, flags.Fchownat, flags.Fchownat.Known)}},
	{name: "mknod", category: "other", params: []param{res, path(0), mode(1, flags.MknodMode), u32(2)}},
	{name: "mknodat", category: "other", at: []atPath{{0, 1}}, params: []param{res, fd(0), pathAt(0, 1), mode(2, flags.MknodMode), u32(3)}},
	{name: "stat", category: "file", params: []param{res, path(0)}},
	{name: "lstat", category: "file", params: []param{res, path(0)}},
	{name: "stat64", category: "file", params: []param{res, path(0)}},
	{name: "lstat64", category: "file", params: []param{res, path(0)}},
	{name: "fstat", category: "file", params: []param{res, fd(0)}},
	{name: "fstat64", category: "file", params: []param{res}},
	{name: "newfstatat", category: "file", at: []atPath{{0, 1}}, params: []param{res, fd(0), pathAt(0, 1), bits(3, 32, flags.Newfstatat, flags.Newfstatat.Known)}},
	{name: "flock", category: "file", params: []param{res, fd(0), bits(1, 32, flags.Flock, nil)}},
	{name: "lseek", category: "file", params: []param{res, fd(0), u64(1), enum(2, 8, flags.Whence, nil)}},
	{name: "llseek", category: "file", params: []param{res, fd(0), longOffset, enum(4, 8, flags.Whence, nil)}},
	{name: "getdents", category: "file", params: []param{res, fd(0)}},
	{name: "getdents64", category: "file", params: []param{res, fd(0)}},
	{name: "copy_file_range", category: "file", flags: reads | writes,
		params: []param{res, fd(2), member(3, 0, 64, dec), fd(0), member(1, 0, 64, dec), u64(4)}},
	{name: "userfaultfd", category: "file", params: []param{res, bits(0, 32, flags.Open, nil)}}, // Falco reads the flags as if they were its own
	{name: "memfd_create", category: "memory", params: []param{retFD, str(0), bits(1, 32, flags.MemfdCreate, flags.MemfdCreate.Known)}},
	{name: "epoll_create", category: "wait", params: []param{res, i32(0)}},
	{name: "epoll_create1", category: "wait", params: []param{res, bits(0, 32, flags.EpollCreate, flags.FromEpollCreate)}},
	{name: "quotactl", category: "user", params: quotactlRow},
}

// dirRows is the calls that change directories and mounts.
var dirRows = []row{
	{name: "mkdir", category: "file", params: []param{res, path(0), hex32(1)}},
	{name: "mkdirat", category: "file", at: []atPath{{0, 1}}, params: []param{res, fd(0), pathAt(0, 1), hex32(2)}},
	{name: "rmdir", category: "file", params: []param{res, path(0)}},
	{name: "unlink", category: "file", params: []param{res, path(0)}},
	{name: "unlinkat", category: "file", at: []atPath{{0, 1}}, params: []param{res, fd(0), pathAt(0, 1), bits(2, 32, flags.Unlinkat, flags.Unlinkat.Known)}},
	{name: "rename", category: "file", params: []param{res, path(0), path(1)}},
	{name: "renameat", category: "file", at: []atPath{{0, 1}, {2, 3}}, params: []param{res, fd(0), pathAt(0, 1), fd(2), pathAt(2, 3)}},
	{name: "renameat2", category: "file", at: []atPath{{0, 1}, {2, 3}},
		params: []param{res, fd(0), pathAt(0, 1), fd(2), pathAt(2, 3), bits(4, 32, flags.Rename, flags.Rename.Known)}},
	{name: "link", category: "file", params: []param{res, path(0), path(1)}},
	{name: "linkat", category: "file", at: []atPath{{0, 1}, {2, 3}},
		params: []param{res, fd(0), pathAt(0, 1), fd(2), pathAt(2, 3), bits(4, 32, flags.Linkat, flags.Linkat.Known)}},
	{name: "symlink", category: "file", params: []param{res, str(0), path(1)}},
	{name: "symlinkat", category: "file", at: []atPath{{1, 2}}, params: []param{res, str(0), fd(1), pathAt(1, 2)}},
	{name: "getcwd", category: "file", params: []param{res, str(0)}},
	{name: "chdir", category: "file", params: []param{res, str(0)}},
	{name: "fchdir", category: "file", params: []param{res, fd(0)}},
	{name: "chroot", category: "process", params: []param{res, path(0)}},
	{name: "mount", category: "file", params: []param{res, str(0), path(1), str(2), bits(3, 32, flags.Mount, flags.FromMount)}},
	{name: "umount", category: "file", params: []param{res, path(0)}},
	{name: "umount2", category: "file", params: []param{res, path(0), bits(1, 32, flags.Umount, nil)}},
	{name: "fsconfig", category: "system", params: []param{res, fd(0), enum(1, 32, flags.Fsconfig, nil), str(2), configBytes, configText, i32(4)}},
}

// openedPath is the path of the file that open_by_handle_at found.
var openedPath = param{make: func(f *Filler, _ *param) {
	p := f.opened()
	if f.out.raw = notKnown; p != nil {
		_, f.out.raw = f.view.FD(f.r, p)
	}
}}

// longOffset is the two halves of the offset of _llseek.
var longOffset = param{make: func(f *Filler, _ *param) { f.setNum(f.reg(1)<<32|f.reg(2)&(1<<32-1), 64, dec, false) }}

// Commands of fsconfig by what their value is.
const (
	fsconfigString    = 1
	fsconfigBinary    = 2
	fsconfigPath      = 3
	fsconfigPathEmpty = 4
)

var (
	configBytes = param{make: func(f *Filler, _ *param) {
		b, _ := f.data(3)
		if f.reg(1) != fsconfigBinary {
			b = nil
		}
		f.setBlock(b)
	}}
	configText = param{make: func(f *Filler, _ *param) {
		switch f.reg(1) {
		case fsconfigString, fsconfigPath, fsconfigPathEmpty:
			f.setText(f.text(3))
		default:
			f.out.raw = notKnown
		}
	}}
)

// quotactlRow: struct if_dqblk has 8 numbers of 8 bytes (limits and times), struct if_dqinfo two of 8 and two of 4.
var quotactlRow = []param{
	res, str(1), quotaText(1 << 0),
	quotaLimit(0), quotaLimit(8), quotaLimit(16), quotaLimit(24), quotaLimit(32), quotaTime(1<<5|1<<6, 48), quotaTime(1<<5|1<<6, 56),
	quotaTime(1<<3|1<<4, 0), quotaTime(1<<3|1<<4, 8),
	{make: func(f *Filler, _ *param) {
		v := uint64(1)
		if f.quota(1<<3 | 1<<4) {
			v = flags.FromQuotaInfo(f.member(3, 16, 32))
		}
		f.setBits(v, 8, flags.QuotaInfo)
	}},
	{make: func(f *Filler, _ *param) {
		v := uint64(1)
		if f.quota(1 << 2) {
			v = flags.FromQuotaFmt(f.member(3, 0, 32))
		}
		f.setBits(v, 8, flags.QuotaFmt)
	}},
	bits(0, 16, flags.QuotaCmd, flags.FromQuotaCmd),
	bits(0, 8, flags.QuotaType, flags.FromQuotaType),
	{make: func(f *Filler, _ *param) {
		v := uint64(0)
		if f.quota(1<<5 | 1<<6 | 1<<9 | 1<<10) {
			v = f.reg(2)
		}
		f.setNum(v, 32, dec, false)
	}},
	{make: func(f *Filler, _ *param) {
		v := uint64(1)
		if f.quota(1 << 0) {
			v = flags.FromQuotaFmt(f.reg(2))
		}
		f.setBits(v, 8, flags.QuotaFmt)
	}},
}

// quota says whether the command is one of those.
func (f *Filler) quota(commands uint64) bool { return flags.FromQuotaCmd(f.reg(0))&commands != 0 }

func quotaText(commands uint64) param {
	return param{make: func(f *Filler, _ *param) {
		if f.out.raw = notKnown; f.quota(commands) {
			f.setText(f.text(3))
		}
	}}
}

func quotaLimit(offset int8) param {
	return param{make: func(f *Filler, p *param) {
		v := uint64(0)
		if f.quota(1<<5 | 1<<6) {
			v = f.member(3, int(p.aux), 64)
		}
		f.setNum(v, 64, dec, false)
	}, aux: offset}
}

func quotaTime(commands uint64, offset int8) param {
	return param{make: func(f *Filler, p *param) {
		v := uint64(0)
		if f.quota(commands) {
			v = f.member(3, int(p.aux), 64)
		}
		f.setInterval(v)
	}, aux: offset}
}

package flags

import "runtime"

// Falco's numbers for the flags of open.
const (
	ORdonly     = 1 << 0
	OWronly     = 1 << 1
	OCreat      = 1 << 2
	OAppend     = 1 << 3
	ODsync      = 1 << 4
	OExcl       = 1 << 5
	ONonblock   = 1 << 6
	OSync       = 1 << 7
	OTrunc      = 1 << 8
	ODirect     = 1 << 9
	ODirectory  = 1 << 10
	OLargefile  = 1 << 11
	OCloexec    = 1 << 12
	OTmpfile    = 1 << 13
	OCreated    = 1 << 14 // the call made the file
	FDUpper     = 1 << 15 // the file is in the upper layer of an overlay
	FDLower     = 1 << 16
	kernelCreat = 0o100
)

// Open names the flags of open, openat, openat2, dup3, pipe2 and others that take O_ flags.
var Open = Table{
	{"O_LARGEFILE", OLargefile}, {"O_DIRECTORY", ODirectory}, {"O_DIRECT", ODirect}, {"O_TRUNC", OTrunc}, {"O_SYNC", OSync},
	{"O_NONBLOCK", ONonblock}, {"O_EXCL", OExcl}, {"O_DSYNC", ODsync}, {"O_APPEND", OAppend}, {"O_CREAT", OCreat},
	{"O_RDWR", ORdonly | OWronly}, {"O_WRONLY", OWronly}, {"O_RDONLY", ORdonly}, {"O_CLOEXEC", OCloexec}, {"O_NONE", 0},
	{"O_TMPFILE", OTmpfile}, {"O_F_CREATED", OCreated}, {"FD_UPPER_LAYER", FDUpper}, {"FD_LOWER_LAYER", FDLower},
}

// The O_ flags that differ between architectures: x86 has them as asm-generic, arm64 not.
var kernelDirect, kernelLarge, kernelDirectory = archFlags(runtime.GOARCH)

func archFlags(arch string) (direct, large, directory uint64) {
	if arch == "arm64" {
		return 0o200000, 0o400000, 0o40000
	}
	return 0o40000, 0o100000, 0o200000
}

const (
	kernelTmpfileBit = 0o20000000
	kernelDsync      = 0o10000
	kernelSyncBit    = 0o4000000
)

var openPairs = []pair{
	{kernelCreat, OCreat}, {0o200, OExcl}, {0o1000, OTrunc}, {0o2000, OAppend}, {0o4000, ONonblock},
	{kernelDsync, ODsync | OSync}, {kernelSyncBit, OSync}, // Falco takes either bit for O_SYNC
	{kernelTmpfileBit, OTmpfile}, {0o2000000, OCloexec},
	{kernelDirect, ODirect}, {kernelLarge, OLargefile}, {kernelDirectory, ODirectory},
}

// FromOpen is Falco's number for the flags of open.
func FromOpen(v uint64) uint64 {
	out := convert(openPairs, v)
	switch v & 3 {
	case 1:
		out |= OWronly
	case 2:
		out |= ORdonly | OWronly
	default: // 3 is no access at all; Falco calls it reading
		out |= ORdonly
	}
	return out
}

// FromCloexec is Falco's number for the flags of calls that take few O_ flags and no access mode: dup3, pipe2,
// inotify_init1, eventfd2, signalfd4, and the SOCK_ flags in the type of a socket.
func FromCloexec(v uint64) uint64 { return convert(openPairs, v&(0o2000000|0o4000|kernelDirect)) }

// HasMode says whether open looks at its mode.
func HasMode(v uint64) bool { return v&(kernelCreat|kernelTmpfileBit) != 0 }

// Creat names what Falco tells of the file that creat made.
var Creat = Table{{"FD_UPPER_LAYER_CREAT", 1}, {"FD_LOWER_LAYER_CREAT", 2}}

// Mode names permissions, as chmod and its kin show them.
var Mode = Table{
	{"S_IXOTH", 0o1}, {"S_IWOTH", 0o2}, {"S_IROTH", 0o4}, {"S_IXGRP", 0o10}, {"S_IWGRP", 0o20}, {"S_IRGRP", 0o40},
	{"S_IXUSR", 0o100}, {"S_IWUSR", 0o200}, {"S_IRUSR", 0o400}, {"S_ISVTX", 0o1000}, {"S_ISGID", 0o2000}, {"S_ISUID", 0o4000},
}

// MknodMode names permissions and the type of the node.
var MknodMode = append(append(Table{}, Mode...), Table{
	{"S_IFSOCK", 0o140000}, {"S_IFREG", 0o100000}, {"S_IFBLK", 0o60000}, {"S_IFCHR", 0o20000}, {"S_IFIFO", 0o10000},
}...)

// Access names the mode of access.
var Access = Table{{"F_OK", 0}, {"R_OK", 4}, {"W_OK", 2}, {"X_OK", 1}}

// Resolve names how openat2 resolves.
var Resolve = Table{
	{"RESOLVE_BENEATH", 1}, {"RESOLVE_IN_ROOT", 2}, {"RESOLVE_NO_MAGICLINKS", 4}, {"RESOLVE_NO_SYMLINKS", 8},
	{"RESOLVE_NO_XDEV", 16}, {"RESOLVE_CACHED", 32},
}

// FromResolve is Falco's number for the resolve of openat2.
func FromResolve(v uint64) uint64 {
	return convert([]pair{{0x08, 1}, {0x10, 2}, {0x02, 4}, {0x04, 8}, {0x01, 16}, {0x20, 32}}, v)
}

// Rename names the flags of renameat2.
var Rename = Table{{"RENAME_NOREPLACE", 1}, {"RENAME_EXCHANGE", 2}, {"RENAME_WHITEOUT", 4}}

// The flags of the *at calls.
var (
	Unlinkat    = Table{{"AT_REMOVEDIR", 0x200}}
	Linkat      = Table{{"AT_SYMLINK_FOLLOW", 0x400}, {"AT_EMPTY_PATH", 0x1000}}
	Fchownat    = Table{{"AT_SYMLINK_NOFOLLOW", 0x400}, {"AT_EMPTY_PATH", 0x1000}}
	Newfstatat  = Table{{"AT_EMPTY_PATH", 0x1000}, {"AT_NO_AUTOMOUNT", 0x800}, {"AT_SYMLINK_NOFOLLOW", 0x100}}
	Execve      = Table{{"EXE_WRITABLE", 1}, {"EXE_UPPER_LAYER", 2}, {"EXE_FROM_MEMFD", 4}, {"EXE_LOWER_LAYER", 8}}
	MemfdCreate = Table{{"MFD_CLOEXEC", 1}, {"MFD_ALLOW_SEALING", 2}, {"MFD_HUGETLB", 4}}
)

// Mount and Umount name the flags of mount and umount2.
var (
	Mount = Table{
		{"RDONLY", 1 << 0}, {"NOSUID", 1 << 1}, {"NODEV", 1 << 2}, {"NOEXEC", 1 << 3}, {"SYNCHRONOUS", 1 << 4},
		{"REMOUNT", 1 << 5}, {"MANDLOCK", 1 << 6}, {"DIRSYNC", 1 << 7}, {"NOATIME", 1 << 10}, {"NODIRATIME", 1 << 11},
		{"BIND", 1 << 12}, {"MOVE", 1 << 13}, {"REC", 1 << 14}, {"SILENT", 1 << 15}, {"POSIXACL", 1 << 16},
		{"UNBINDABLE", 1 << 17}, {"PRIVATE", 1 << 18}, {"SLAVE", 1 << 19}, {"SHARED", 1 << 20}, {"RELATIME", 1 << 21},
		{"KERNMOUNT", 1 << 22}, {"I_VERSION", 1 << 23}, {"STRICTATIME", 1 << 24}, {"LAZYTIME", 1 << 25},
		{"NOSEC", 1 << 28}, {"BORN", 1 << 29}, {"ACTIVE", 1 << 30}, {"NOUSER", 1 << 31},
	}
	Umount = Table{{"FORCE", 1}, {"DETACH", 2}, {"EXPIRE", 4}, {"NOFOLLOW", 8}}
)

// FromMount takes away the magic number that old programs put into the flags of mount.
func FromMount(v uint64) uint64 {
	if v&0xffff0000 == 0xc0ed0000 {
		v &^= 0xffff0000
	}
	return v & 0xffffffff
}

// Flock names the operations of flock, Whence those of lseek.
var (
	Flock  = Table{{"LOCK_SH", 1}, {"LOCK_EX", 2}, {"LOCK_NB", 4}, {"LOCK_UN", 8}, {"LOCK_NONE", 0}}
	Whence = Table{{"SEEK_END", 2}, {"SEEK_CUR", 1}, {"SEEK_SET", 0}}
	Splice = Table{{"SPLICE_F_MOVE", 1}, {"SPLICE_F_NONBLOCK", 2}, {"SPLICE_F_MORE", 4}, {"SPLICE_F_GIFT", 8}}
)

// Fcntl names the commands of fcntl.
var Fcntl = Table{
	{"F_GETPIPE_SZ", 29}, {"F_SETPIPE_SZ", 28}, {"F_NOTIFY", 27}, {"F_DUPFD_CLOEXEC", 26}, {"F_CANCELLK", 25},
	{"F_GETLEASE", 24}, {"F_SETLEASE", 23}, {"F_GETOWN_EX", 22}, {"F_SETOWN_EX", 21}, {"F_GETSIG", 15}, {"F_SETSIG", 13},
	{"F_GETOWN", 12}, {"F_SETOWN", 10}, {"F_SETLKW", 9}, {"F_SETLK", 8}, {"F_GETLK", 6}, {"F_SETFL", 5}, {"F_GETFL", 4},
	{"F_SETFD", 3}, {"F_GETFD", 2}, {"F_DUPFD", 1}, {"F_OFD_GETLK", 30}, {"F_OFD_SETLK", 31}, {"F_OFD_SETLKW", 32},
	{"UNKNOWN", 0},
}

// The kernel counts F_SETOWN 8, F_GETOWN 9, F_SETSIG 10, F_GETSIG 11, and the newer commands from 1024 on.
var fcntlPairs = []pair{
	{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 8}, {7, 9}, {8, 10}, {9, 12}, {10, 13}, {11, 15}, {15, 21}, {16, 22},
	{36, 30}, {37, 31}, {38, 32}, {1024, 23}, {1025, 24}, {1026, 27}, {1029, 25}, {1030, 26}, {1031, 28}, {1032, 29},
}

// FromFcntl is Falco's number for a command of fcntl.
func FromFcntl(v uint64) uint64 { return lookup(fcntlPairs, v&0xffffffff, 0) }

// Fsconfig names the commands of fsconfig.
var Fsconfig = Table{
	{"FSCONFIG_SET_FLAG", 0}, {"FSCONFIG_SET_STRING", 1}, {"FSCONFIG_SET_BINARY", 2}, {"FSCONFIG_SET_PATH", 3},
	{"FSCONFIG_SET_PATH_EMPTY", 4}, {"FSCONFIG_SET_FD", 5}, {"FSCONFIG_CMD_CREATE", 6}, {"FSCONFIG_CMD_RECONFIGURE", 7},
}

// EpollCreate and EpollCtl name flags of the epoll calls.
var EpollCreate = Table{{"EPOLL_CLOEXEC", 1}}

// FromEpollCreate is Falco's number for the flags of epoll_create1.
func FromEpollCreate(v uint64) uint64 { return convert([]pair{{0o2000000, 1}}, v) }

// Rlimit names resources.
var Rlimit = Table{
	{"RLIMIT_UNKNOWN", 255}, {"RLIMIT_RTTIME", 15}, {"RLIMIT_RTPRIO", 14}, {"RLIMIT_NICE", 13}, {"RLIMIT_MSGQUEUE", 12},
	{"RLIMIT_SIGPENDING", 11}, {"RLIMIT_LOCKS", 10}, {"RLIMIT_AS", 9}, {"RLIMIT_MEMLOCK", 8}, {"RLIMIT_NOFILE", 7},
	{"RLIMIT_NPROC", 6}, {"RLIMIT_RSS", 5}, {"RLIMIT_CORE", 4}, {"RLIMIT_STACK", 3}, {"RLIMIT_DATA", 2},
	{"RLIMIT_FSIZE", 1}, {"RLIMIT_CPU", 0},
}

// FromRlimit is Falco's number for a resource.
func FromRlimit(v uint64) uint64 {
	if v &= 0xffffffff; v > 15 {
		return 255
	}
	return v
}

// The quotactl call: commands, types, formats.
var (
	QuotaCmd = Table{
		{"Q_QUOTAON", 1 << 0}, {"Q_QUOTAOFF", 1 << 1}, {"Q_GETFMT", 1 << 2}, {"Q_GETINFO", 1 << 3}, {"Q_SETINFO", 1 << 4},
		{"Q_GETQUOTA", 1 << 5}, {"Q_SETQUOTA", 1 << 6}, {"Q_SYNC", 1 << 7}, {"Q_XQUOTAON", 1 << 8}, {"Q_XQUOTAOFF", 1 << 9},
		{"Q_XGETQUOTA", 1 << 10}, {"Q_XSETQLIM", 1 << 11}, {"Q_XGETQSTAT", 1 << 12}, {"Q_XQUOTARM", 1 << 13},
		{"Q_XQUOTASYNC", 1 << 14},
	}
	QuotaType = Table{{"USRQUOTA", 1}, {"GRPQUOTA", 2}}
	QuotaFmt  = Table{{"QFMT_NOT_USED", 1}, {"QFMT_VFS_OLD", 2}, {"QFMT_VFS_V0", 4}, {"QFMT_VFS_V1", 8}}
	QuotaInfo = Table{{"DQF_NONE", 1}, {"V1_DQF_RSQUASH", 2}}

	quotaCmds = []pair{
		{0x800001, 1 << 7}, {0x800002, 1 << 0}, {0x800003, 1 << 1}, {0x800004, 1 << 2}, {0x800005, 1 << 3}, {0x800006, 1 << 4},
		{0x800007, 1 << 5}, {0x800008, 1 << 6}, {0x5801, 1 << 8}, {0x5802, 1 << 9}, {0x5803, 1 << 10}, {0x5804, 1 << 11},
		{0x5805, 1 << 12}, {0x5806, 1 << 13}, {0x5807, 1 << 14}, {0x5808, 1 << 15},
	}
)

// FromQuotaCmd is Falco's number for the command in the first argument of quotactl.
func FromQuotaCmd(v uint64) uint64 { return lookup(quotaCmds, v>>8&0xffffff, 0) }

// FromQuotaType is Falco's number for the type in the first argument of quotactl.
func FromQuotaType(v uint64) uint64 { return lookup([]pair{{0, 1}, {1, 2}}, v&0xff, 0) }

// FromQuotaFmt is Falco's number for a quota format.
func FromQuotaFmt(v uint64) uint64 { return lookup([]pair{{1, 2}, {2, 4}, {4, 8}}, v, 1) }

// FromQuotaInfo is Falco's number for dqi_flags.
func FromQuotaInfo(v uint64) uint64 { return lookup([]pair{{1, 2}}, v, 1) }

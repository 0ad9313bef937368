package flags

// Clone names the flags of clone, unshare and setns.
var Clone = Table{
	{"CLONE_FILES", 1 << 0}, {"CLONE_FS", 1 << 1}, {"CLONE_IO", 1 << 2}, {"CLONE_NEWIPC", 1 << 3}, {"CLONE_NEWNET", 1 << 4},
	{"CLONE_NEWNS", 1 << 5}, {"CLONE_NEWPID", CloneNewPID}, {"CLONE_NEWUTS", 1 << 7}, {"CLONE_PARENT", 1 << 8},
	{"CLONE_PARENT_SETTID", 1 << 9}, {"CLONE_PTRACE", 1 << 10}, {"CLONE_SIGHAND", 1 << 11}, {"CLONE_SYSVSEM", 1 << 12},
	{"CLONE_THREAD", 1 << 13}, {"CLONE_UNTRACED", 1 << 14}, {"CLONE_VM", 1 << 15}, {"CLONE_INVERTED", 1 << 16},
	{"NAME_CHANGED", 1 << 17}, {"CLOSED", 1 << 18}, {"CLONE_NEWUSER", 1 << 20}, {"CLONE_CHILD_CLEARTID", 1 << 23},
	{"CLONE_CHILD_SETTID", 1 << 24}, {"CLONE_SETTLS", 1 << 25}, {"CLONE_STOPPED", 1 << 26}, {"CLONE_VFORK", 1 << 27},
	{"CLONE_NEWCGROUP", 1 << 28}, {"CLONE_CHILD_IN_PIDNS", CloneInPIDNS},
}

// Falco's flags for a new PID namespace, and for a child that is not in the host's.
const (
	CloneNewPID  = 1 << 6
	CloneInPIDNS = 1 << 29
)

var clonePairs = []pair{
	{0x400, 1 << 0}, {0x200, 1 << 1}, {0x80000000, 1 << 2}, {0x08000000, 1 << 3}, {0x40000000, 1 << 4}, {0x00020000, 1 << 5},
	{0x20000000, 1 << 6}, {0x04000000, 1 << 7}, {0x8000, 1 << 8}, {0x00100000, 1 << 9}, {0x2000, 1 << 10}, {0x800, 1 << 11},
	{0x40000, 1 << 12}, {0x10000, 1 << 13}, {0x00800000, 1 << 14}, {0x100, 1 << 15}, {0x10000000, 1 << 20},
	{0x00200000, 1 << 23}, {0x01000000, 1 << 24}, {0x00080000, 1 << 25}, {0x4000, 1 << 27}, {0x02000000, 1 << 28},
}

// FromClone is Falco's number for the flags of clone.
func FromClone(v uint64) uint64 { return convert(clonePairs, v) }

// Ptrace names requests; FromPtrace is Falco's number for the kernel's.
var Ptrace = Table{
	{"PTRACE_SINGLEBLOCK", 38}, {"PTRACE_SYSEMU_SINGLESTEP", 37}, {"PTRACE_SYSEMU", 36}, {"PTRACE_ARCH_PRCTL", 35},
	{"PTRACE_SET_THREAD_AREA", 34}, {"PTRACE_GET_THREAD_AREA", 33}, {"PTRACE_OLDSETOPTIONS", 32}, {"PTRACE_SETFPXREGS", 31},
	{"PTRACE_GETFPXREGS", 30}, {"PTRACE_SETFPREGS", 29}, {"PTRACE_GETFPREGS", 28}, {"PTRACE_SETREGS", 27},
	{"PTRACE_GETREGS", 26}, {"PTRACE_SETSIGMASK", 25}, {"PTRACE_GETSIGMASK", 24}, {"PTRACE_PEEKSIGINFO", 23},
	{"PTRACE_LISTEN", 22}, {"PTRACE_INTERRUPT", 21}, {"PTRACE_SEIZE", 20}, {"PTRACE_SETREGSET", 19},
	{"PTRACE_GETREGSET", 18}, {"PTRACE_SETSIGINFO", 17}, {"PTRACE_GETSIGINFO", 16}, {"PTRACE_GETEVENTMSG", 15},
	{"PTRACE_SETOPTIONS", 14}, {"PTRACE_SYSCALL", 13}, {"PTRACE_DETACH", 12}, {"PTRACE_ATTACH", 11},
	{"PTRACE_SINGLESTEP", 10}, {"PTRACE_KILL", 9}, {"PTRACE_CONT", 8}, {"PTRACE_POKEUSR", 7}, {"PTRACE_POKEDATA", 6},
	{"PTRACE_POKETEXT", 5}, {"PTRACE_PEEKUSR", 4}, {"PTRACE_PEEKDATA", 3}, {"PTRACE_PEEKTEXT", 2}, {"PTRACE_TRACEME", 1},
	{"PTRACE_UNKNOWN", 0},
}

var ptracePairs = []pair{
	{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 7}, {7, 8}, {8, 9}, {9, 10}, {16, 11}, {17, 12}, {24, 13},
	{0x4200, 14}, {0x4201, 15}, {0x4202, 16}, {0x4203, 17}, {0x4204, 18}, {0x4205, 19}, {0x4206, 20}, {0x4207, 21},
	{0x4208, 22}, {0x4209, 23}, {0x420a, 24}, {0x420b, 25}, {12, 26}, {13, 27}, {14, 28}, {15, 29}, {18, 30}, {19, 31},
	{21, 32}, {25, 33}, {26, 34}, {30, 35}, {31, 36}, {32, 37}, {33, 38},
}

// FromPtrace is Falco's number for a request, 0 for one that it does not know.
func FromPtrace(v uint64) uint64 { return lookup(ptracePairs, v, 0) }

// Prctl names the options of prctl; the numbers are the kernel's.
var Prctl = Table{
	{"PR_GET_DUMPABLE", 3}, {"PR_SET_DUMPABLE", 4}, {"PR_GET_KEEPCAPS", 7}, {"PR_SET_KEEPCAPS", 8}, {"PR_SET_NAME", 15},
	{"PR_GET_NAME", 16}, {"PR_GET_SECCOMP", 21}, {"PR_SET_SECCOMP", 22}, {"PR_CAPBSET_READ", 23}, {"PR_CAPBSET_DROP", 24},
	{"PR_GET_SECUREBITS", 27}, {"PR_SET_SECUREBITS", 28}, {"PR_MCE_KILL", 33}, {"PR_SET_MM", 35},
	{"PR_SET_CHILD_SUBREAPER", 36}, {"PR_GET_CHILD_SUBREAPER", 37}, {"PR_SET_NO_NEW_PRIVS", 38}, {"PR_GET_NO_NEW_PRIVS", 39},
	{"PR_GET_TID_ADDRESS", 40}, {"PR_SET_THP_DISABLE", 41}, {"PR_GET_THP_DISABLE", 42}, {"PR_CAP_AMBIENT", 47},
}

// Bpf names the commands of bpf; the numbers are the kernel's.
var Bpf = Table{
	{"BPF_MAP_CREATE", 0}, {"BPF_MAP_LOOKUP_ELEM", 1}, {"BPF_MAP_UPDATE_ELEM", 2}, {"BPF_MAP_DELETE_ELEM", 3},
	{"BPF_MAP_GET_NEXT_KEY", 4}, {"BPF_PROG_LOAD", 5}, {"BPF_OBJ_PIN", 6}, {"BPF_OBJ_GET", 7}, {"BPF_PROG_ATTACH", 8},
	{"BPF_PROG_DETACH", 9}, {"BPF_PROG_TEST_RUN", 10}, {"BPF_PROG_GET_NEXT_ID", 11}, {"BPF_MAP_GET_NEXT_ID", 12},
	{"BPF_PROG_GET_FD_BY_ID", 13}, {"BPF_MAP_GET_FD_BY_ID", 14}, {"BPF_OBJ_GET_INFO_BY_FD", 15}, {"BPF_PROG_QUERY", 16},
	{"BPF_RAW_TRACEPOINT_OPEN", 17}, {"BPF_BTF_LOAD", 18}, {"BPF_BTF_GET_FD_BY_ID", 19}, {"BPF_TASK_FD_QUERY", 20},
	{"BPF_MAP_LOOKUP_AND_DELETE_ELEM", 21}, {"BPF_MAP_FREEZE", 22}, {"BPF_BTF_GET_NEXT_ID", 23},
	{"BPF_MAP_LOOKUP_BATCH", 24}, {"BPF_MAP_LOOKUP_AND_DELETE_BATCH", 25}, {"BPF_MAP_UPDATE_BATCH", 26},
	{"BPF_MAP_DELETE_BATCH", 27}, {"BPF_LINK_CREATE", 28}, {"BPF_LINK_UPDATE", 29}, {"BPF_LINK_GET_FD_BY_ID", 30},
	{"BPF_LINK_GET_NEXT_ID", 31}, {"BPF_ENABLE_STATS", 32}, {"BPF_ITER_CREATE", 33}, {"BPF_LINK_DETACH", 34},
	{"BPF_PROG_BIND_MAP", 35},
}

// Keyctl names the operations of keyctl; the numbers are the kernel's.
var Keyctl = Table{
	{"KEYCTL_GET_KEYRING_ID", 0}, {"KEYCTL_JOIN_SESSION_KEYRING", 1}, {"KEYCTL_UPDATE", 2}, {"KEYCTL_REVOKE", 3},
	{"KEYCTL_CHOWN", 4}, {"KEYCTL_SETPERM", 5}, {"KEYCTL_DESCRIBE", 6}, {"KEYCTL_CLEAR", 7}, {"KEYCTL_LINK", 8},
	{"KEYCTL_UNLINK", 9}, {"KEYCTL_SEARCH", 10}, {"KEYCTL_READ", 11}, {"KEYCTL_INSTANTIATE", 12}, {"KEYCTL_NEGATE", 13},
	{"KEYCTL_SET_REQKEY_KEYRING", 14}, {"KEYCTL_SET_TIMEOUT", 15}, {"KEYCTL_ASSUME_AUTHORITY", 16},
	{"KEYCTL_GET_SECURITY", 17}, {"KEYCTL_SESSION_TO_PARENT", 18}, {"KEYCTL_REJECT", 19}, {"KEYCTL_INSTANTIATE_IOV", 20},
	{"KEYCTL_INVALIDATE", 21}, {"KEYCTL_GET_PERSISTENT", 22}, {"KEYCTL_DH_COMPUTE", 23}, {"KEYCTL_PKEY_QUERY", 24},
	{"KEYCTL_PKEY_ENCRYPT", 25}, {"KEYCTL_PKEY_DECRYPT", 26}, {"KEYCTL_PKEY_SIGN", 27}, {"KEYCTL_PKEY_VERIFY", 28},
	{"KEYCTL_RESTRICT_KEYRING", 29}, {"KEYCTL_MOVE", 30}, {"KEYCTL_CAPABILITIES", 31}, {"KEYCTL_WATCH_KEY", 32},
}

// Flags of calls about processes.
var (
	PidfdOpen   = Table{{"PIDFD_NONBLOCK", 1}}
	CloseRange  = Table{{"CLOSE_RANGE_UNSHARE", 2}, {"CLOSE_RANGE_CLOEXEC", 4}}
	FinitModule = Table{{"MODULE_INIT_IGNORE_MODVERSIONS", 1}, {"MODULE_INIT_IGNORE_VERMAGIC", 2}, {"MODULE_INIT_COMPRESSED_FILE", 4}}
	DelModule   = Table{{"O_NONBLOCK", 1 << 1}, {"O_TRUNC", 1 << 0}}
)

// FromPidfdOpen is Falco's number for the flags of pidfd_open.
func FromPidfdOpen(v uint64) uint64 { return convert([]pair{{0o4000, 1}}, v) }

// FromDelModule is Falco's number for the flags of delete_module.
func FromDelModule(v uint64) uint64 { return convert([]pair{{0o4000, 2}, {0o1000, 1}}, v) }

// Memory: protections, mappings, locks, page faults.
var (
	Prot = Table{
		{"PROT_READ", 1}, {"PROT_WRITE", 2}, {"PROT_EXEC", 4}, {"PROT_SEM", 8}, {"PROT_GROWSDOWN", 16}, {"PROT_GROWSUP", 32},
		{"PROT_SAO", 64}, {"PROT_NONE", 0},
	}
	Mmap = Table{
		{"MAP_SHARED", 1 << 0}, {"MAP_PRIVATE", 1 << 1}, {"MAP_FIXED", 1 << 2}, {"MAP_ANONYMOUS", 1 << 3}, {"MAP_32BIT", 1 << 4},
		{"MAP_RENAME", 1 << 5}, {"MAP_NORESERVE", 1 << 6}, {"MAP_POPULATE", 1 << 7}, {"MAP_NONBLOCK", 1 << 8},
		{"MAP_GROWSDOWN", 1 << 9}, {"MAP_DENYWRITE", 1 << 10}, {"MAP_EXECUTABLE", 1 << 11}, {"MAP_INHERIT", 1 << 12},
		{"MAP_FILE", 1 << 13}, {"MAP_LOCKED", 1 << 14},
	}
	Mlockall  = Table{{"MCL_CURRENT", 1}, {"MCL_FUTURE", 2}, {"MCL_ONFAULT", 4}}
	Mlock2    = Table{{"MLOCK_ONFAULT", 1}}
	PageFault = Table{
		{"PROTECTION_VIOLATION", 1}, {"PAGE_NOT_PRESENT", 2}, {"WRITE_ACCESS", 4}, {"READ_ACCESS", 8}, {"USER_FAULT", 16},
		{"SUPERVISOR_FAULT", 32}, {"RESERVED_PAGE", 64}, {"INSTRUCTION_FETCH", 128},
	}

	protPairs = []pair{{1, 1}, {2, 2}, {4, 4}, {8, 8}, {0x01000000, 16}, {0x02000000, 32}}
	mmapPairs = []pair{
		{0x1, 1 << 0}, {0x2, 1 << 1}, {0x10, 1 << 2}, {0x20, 1 << 3}, {0x40, 1 << 4}, {0x4000, 1 << 6}, {0x8000, 1 << 7},
		{0x10000, 1 << 8}, {0x100, 1 << 9}, {0x800, 1 << 10}, {0x1000, 1 << 11}, {0x2000, 1 << 14},
	}
)

// FromProt is Falco's number for the protection of memory.
func FromProt(v uint64) uint64 { return convert(protPairs, v) }

// FromMmap is Falco's number for the flags of mmap.
func FromMmap(v uint64) uint64 { return convert(mmapPairs, v) }

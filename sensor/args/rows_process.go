package args

import (
	"github.com/eyrie-sec/eyrie/sensor/args/flags"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// processRows is calls about processes, modules and the system.
var processRows = []row{
	{name: "execve", category: "process", params: execRow},
	{name: "execveat", category: "process", params: execRow[:len(execRow)-1]}, // no filename
	{name: "clone", category: "process", params: cloneRow},
	{name: "clone3", category: "process", params: cloneRow},
	{name: "fork", category: "process", params: cloneRow},
	{name: "vfork", category: "process", params: cloneRow},
	{name: "procexit", category: "process", params: exitRow},
	{name: "setns", category: "process", params: []param{res, fd(0), bits(1, 32, flags.Clone, flags.FromClone)}},
	{name: "unshare", category: "process", params: []param{res, bits(0, 32, flags.Clone, flags.FromClone)}},
	{name: "setsid", category: "process", params: []param{retPID}},
	{name: "setpgid", category: "process", params: []param{res, pid(0), pid(1)}},
	{name: "ptrace", category: "process", params: []param{res, ptraceAddr, ptraceData, enum(0, 16, flags.Ptrace, flags.FromPtrace), pid(1)}},
	{name: "prctl", category: "process", params: []param{res, enum(0, 32, flags.Prctl, nil), prctlText, prctlNumber}},
	{name: "capset", category: "process", params: []param{res,
		task(64, hex, func(t *raw.Task) uint64 { return t.CapInheritable }),
		task(64, hex, func(t *raw.Task) uint64 { return t.CapPermitted }),
		task(64, hex, func(t *raw.Task) uint64 { return t.CapEffective })}},
	{name: "getrlimit", category: "process", params: []param{res, limit(1, 0), limit(1, 8), enum(0, 8, flags.Rlimit, flags.FromRlimit)}},
	{name: "setrlimit", category: "process", params: []param{res, limit(1, 0), limit(1, 8), enum(0, 8, flags.Rlimit, flags.FromRlimit)}},
	{name: "prlimit", category: "process", params: []param{res, limit(2, 0), limit(2, 8), limit(3, 0), limit(3, 8), i64of32(0),
		enum(1, 8, flags.Rlimit, flags.FromRlimit)}},
	{name: "pidfd_open", category: "process", params: []param{retFD, pid(0), bits(1, 32, flags.PidfdOpen, flags.FromPidfdOpen)}},
	{name: "pidfd_getfd", category: "process", params: []param{retFD, fd(0), targetFD, u32(2)}},
	{name: "process_vm_readv", category: "process", flags: reads, params: []param{plainResult, pid(0), buffer(1)}},
	{name: "process_vm_writev", category: "process", flags: writes, params: []param{plainResult, pid(0), buffer(1)}},
	{name: "init_module", category: "other", params: []param{res, moduleImage, u64(1), str(2)}},
	{name: "finit_module", category: "other", params: []param{res, fd(0), str(1), bits(2, 32, flags.FinitModule, nil)}},
	{name: "delete_module", category: "other", params: []param{res, str(0), bits(1, 32, flags.DelModule, flags.FromDelModule)}},
	{name: "bpf", category: "other", params: []param{retFD, enum(0, 32, flags.Bpf, nil)}},
}

// targetFD is a descriptor of another process; it is named as Falco does, by the caller's descriptor of that number.
var targetFD = fd(1)

var plainResult = param{make: func(f *Filler, _ *param) { f.setNum(uint64(f.r.Ret), 64, dec, true) }}

// moduleImage is the start of a module's image.
var moduleImage = param{make: func(f *Filler, _ *param) {
	b, _ := f.data(0)
	f.setBlock(b)
}}

func i64of32(reg int8) param {
	return param{make: func(f *Filler, p *param) { f.setNum(uint64(int64(int32(f.reg(p.reg)))), 64, dec, true) }, reg: reg}
}

// limit is a number of struct rlimit, -1 for no limit.
func limit(reg, offset int8) param {
	return param{make: func(f *Filler, p *param) {
		f.setNum(f.member(p.reg, int(p.aux), 64), 64, dec, true)
	}, reg: reg, aux: offset}
}

// userRows is calls about users and groups.
var userRows = []row{
	{name: "setuid", category: "user", params: []param{res, uid(0)}},
	{name: "setgid", category: "user", params: []param{res, gid(0)}},
	{name: "setreuid", category: "user", params: []param{res, uid(0), uid(1)}},
	// Falco names the groups of setregid as if they were users.
	{name: "setregid", category: "user", params: []param{res, uid(0), uid(1)}},
	{name: "setresuid", category: "user", params: []param{res, uid(0), uid(1), uid(2)}},
	{name: "setresgid", category: "user", params: []param{res, gidAsUser(0), gidAsUser(1), gidAsUser(2)}},
	{name: "getuid", category: "user", params: []param{retUser}},
	{name: "geteuid", category: "user", params: []param{retUser}},
	{name: "getgid", category: "user", params: []param{retGroup}},
	{name: "getegid", category: "user", params: []param{retGroup}},
	{name: "getresuid", category: "user", params: []param{res, userPointer(0), userPointer(1), userPointer(2)}},
	{name: "getresgid", category: "user", params: []param{res, groupPointer(0), groupPointer(1), groupPointer(2)}},
}

func gidAsUser(reg int8) param { return gid(reg) }

var (
	retUser  = param{make: func(f *Filler, _ *param) { f.setUser(uint32(f.r.Ret), f.view.User) }}
	retGroup = param{make: func(f *Filler, _ *param) { f.setUser(uint32(f.r.Ret), f.view.Group) }}
)

// memoryRows is calls about memory.
var memoryRows = []row{
	{name: "brk", category: "memory", params: []param{
		{make: func(f *Filler, _ *param) { f.setNum(uint64(f.r.Ret), 64, hex, false) }}, vmSize, vmRSS, vmSwap, hex64(0)}},
	{name: "mmap", category: "memory", params: []param{res, vmSize, vmRSS, vmSwap, hex64(0), u64(1),
		bits(2, 32, flags.Prot, flags.FromProt), bits(3, 32, flags.Mmap, flags.FromMmap), fd(4), u64(5)}},
	{name: "mmap2", category: "memory", params: []param{res, vmSize, vmRSS, vmSwap, hex64(0), u64(1),
		bits(2, 32, flags.Prot, flags.FromProt), bits(3, 32, flags.Mmap, flags.FromMmap), fd(4), u64(5)}},
	{name: "munmap", category: "memory", params: []param{res, vmSize, vmRSS, vmSwap, hex64(0), u64(1)}},
	{name: "mprotect", category: "memory", params: []param{res, hex64(0), u64(1), bits(2, 32, flags.Prot, flags.FromProt)}},
	{name: "mlock", category: "memory", params: []param{res, hex64(0), u64(1)}},
	{name: "mlock2", category: "memory", params: []param{res, hex64(0), u64(1), bits(2, 32, flags.Mlock2, nil)}},
	{name: "munlock", category: "memory", params: []param{res, hex64(0), u64(1)}},
	{name: "mlockall", category: "memory", params: []param{res, bits(0, 32, flags.Mlockall, nil)}},
	{name: "munlockall", category: "memory", params: []param{res}},
}

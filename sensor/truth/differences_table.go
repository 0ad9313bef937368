package truth

// Differences is the table. docs/sensor-differences.md holds it as text; the package's test compares the two.
var Differences = []Difference{
	{
		Fields: "evt.cpu",
		What:   "Falco: the number of the ring buffer, which two CPUs may share. Ours: the CPU.",
		Why:    "The field is said to be the CPU that the event happened on.",
	},

	// Directories of open and its kin.
	{
		Fields: "fd.name fd.nameraw fd.directory fd.filename fd.containername fd.containerdirectory fd.type fd.typechar fs.path.name",
		Types:  "openat openat2", Programs: "tp_openat_dirfd tp_openat2 tp_openat_abs tp_*",
		Falco: "*/tmp/tp/d",
		What:  "A name relative to a descriptor. Falco: the path and kind of the directory. Ours: those of the file.",
		Why:   "The file is what was opened. Rules on fd.name miss it with Falco; no official rule matches the directory alone.",
	},
	{
		Fields: "fd.nameraw fd.filename fd.type fd.typechar fd.containerdirectory fd.directory",
		Types:  "openat openat2", Programs: "tp_openat_dirfd tp_openat2 tp_openat_opath",
		What: "The same for what follows from it.",
		Why:  "The file is what was opened.",
	},
	{
		Fields: "fd.*", Types: "openat", Programs: "tp_openat_badfd",
		What: "A failed open of a name relative to a descriptor that is no directory. Falco: that descriptor. Ours: the path that was asked for.",
		Why:  "Nothing was opened; the path asked for is what a failed open of any other name reports.",
	},
	{
		Fields: "fs.path.name", Types: "openat openat2", Falco: "<UNKNOWN>*",
		What: "A failed open. Falco: <UNKNOWN>. Ours: the path that was asked for.",
		Why:  "Falco resolves it before it knows the directory. A failed open by name alone has the path with Falco, too.",
	},
	{
		Fields: "fs.path.name", Types: "openat", Programs: "tp_openat_badfd", Falco: "/dev/null",
		What: "A failed open relative to a descriptor that is no directory. Falco: the descriptor. Ours: the path that was asked for.",
		Why:  "As above.",
	},
	{
		Fields: "fs.path.name", Types: "open openat", Programs: "tp_open_errs", Ours: Missing,
		What: "A name that cannot be read (EFAULT). Falco: a path made of <NA>. Ours: none.",
		Why:  "There is no name.",
	},
	{
		Fields: "fs.path.name fs.path.source fs.path.target", Types: "fchmodat fchownat symlinkat mkdirat unlinkat mknodat", Falco: "<UNKNOWN>*",
		What: "A name relative to the working directory (AT_FDCWD). Falco: <UNKNOWN> and the name. Ours: the path.",
		Why:  "The working directory is known.",
	},
	{
		Fields: "fs.path.source fs.path.target", Types: "linkat renameat", Programs: "tp_linkat tp_renameat",
		What: "Names relative to descriptors. Falco: relative to the working directory. Ours: relative to the descriptors.",
		Why:  "It is what the kernel did; renameat2 is right with Falco, too.",
	},
	{
		Fields: "evt.arg.flags evt.rawarg.flags evt.arg.mode evt.is_open_exec evt.is_open_create evt.args evt.info", Types: "open openat openat2 open_by_handle_at",
		Programs: "tp_open_dir tp_openat_abs tp_openat_dirfd tp_openat2 tp_execveat* tp_fch* tp_linkat tp_renameat* tp_symlinkat tp_getdents tp_*",
		Falco:    "*O_DIRECTORY*",
		What:     "O_DIRECTORY. Falco: O_TMPFILE too. Ours: O_DIRECTORY.",
		Why:      "O_TMPFILE contains the bit of O_DIRECTORY; only both bits are O_TMPFILE.",
	},
	{
		Fields: "evt.rawarg.flags", Types: "open openat openat2", Falco: "*401", Ours: "*401", What: "The same as a number.", Why: "As above.",
	},
	{
		Fields: "evt.arg.mode", Types: "open openat openat2", Ours: "0",
		What: "The mode of an open that makes no file. Falco: what was in the register, with O_DIRECTORY. Ours: 0.",
		Why:  "The kernel does not look at it.",
	},
	{
		Fields: "evt.is_open_exec evt.is_open_create", Types: "open openat openat2", Falco: "true", Ours: "false",
		What: "Opening a directory with O_DIRECTORY. Falco: may be true. Ours: false.",
		Why:  "No file is made. With Falco, `Container Drift Detected (open+create)` fires for directories, by what happens to be in a register.",
	},

	// Processes.
	{
		Fields: "proc.exe_ino.ctime proc.exe_ino.mtime proc.exe_ino.ctime_duration_proc_start evt.arg.exe_ino_ctime evt.arg.exe_ino_mtime",
		What:   "Times of the executable. Falco: off by years on the kernel of the recordings (6.18). Ours: as stat(2) says.",
		Why:    "Falco reads the nanoseconds together with what lies beside them.",
	},
	{
		Fields: "proc.exe_ino.ctime_duration_pidns_start",
		What:   "Falco: a number modulo 2^64, or none, by its wrong times. Ours: the time between the two.",
		Why:    "It follows from the times of the executable.",
	},
	{
		Fields: "evt.buffer", Falco: "NUL*", Ours: Empty,
		What: "A read of nothing. Falco: NULL and what the buffer held before. Ours: empty.",
		Why:  "No byte was read.",
	},
	{
		Fields: "evt.buffer", Types: "ptrace", Ours: Missing,
		What: "Falco: a number as text and what the buffer held before. Ours: none.",
		Why:  "The data of ptrace is a number, not a buffer.",
	},
	{
		Fields: "evt.arg.res evt.args evt.info", Types: "fcntl",
		What: "The result of commands that return no descriptor. Falco: the descriptor with that number. Ours: the number.",
		Why:  "F_SETFD's 0 is not standard input.",
	},
	{
		Fields: "evt.arg.trusted_exepath proc.exepath evt.args evt.info", Programs: "tp_exec_memfd", Types: "execve",
		Falco: "*memfd:*",
		What:  "A program in a memfd. Falco: the working directory and memfd:NAME. Ours: memfd:NAME.",
		Why:   "It is in no directory.",
	},
	{
		Fields: "evt.arg.addr evt.args evt.info", Types: "connect", Programs: "tp_conn_errs", Falco: "*255.255.255.255:9*",
		What: "An address that is cut short (EINVAL). Falco: what lies in memory. Ours: <NA>.",
		Why:  "The kernel did not take it for an address.",
	},
	{
		Fields: "evt.arg.pid evt.args evt.info", Types: "ptrace", Programs: "tp_ptrace_err",
		What: "The name of process 1. Falco: none. Ours: its name.",
		Why:  "It was not readable where Falco was recorded.",
	},
	{
		Fields:   "proc.cwd evt.arg.fd evt.arg.name fd.name fd.directory fd.containername fd.containerdirectory fs.path.name evt.args evt.info",
		Programs: "tp_cwd_rename", Ours: "*/tmp/tp/e*",
		What: "The working directory was renamed. Falco: the old path. Ours: the new one.",
		Why:  "The old path does not exist any more.",
	},
	{
		Fields:   "proc.pgid* proc.vpgid* proc.is_pgid_leader proc.is_vpgid_leader",
		Programs: "tp_setpgid tp_setsid tp_daemon tp_tty",
		What:     "After setpgid and setsid. Falco: the process group from before, until the next exec. Ours: the new one.",
		Why:      "It is the group that signals and terminals see.",
	},
	{
		Fields:   "thread.cap_effective thread.cap_permitted thread.cap_inheritable",
		Programs: "tp_setuid* tp_setres* tp_setre* tp_setgroups tp_unshare_us* tp_unshare_fail tp_clone_user tp_prctl",
		What:     "After setuid and its kin, and after unshare(CLONE_NEWUSER). Falco: the capabilities from before, until exec, clone or capset. Ours: those that the kernel checks.",
		Why:      "A process that has dropped its capabilities does not have them.",
	},
	{
		Fields:   "proc.env proc.env[*] proc.exepath proc.cwd proc.exe_ino* proc.is_exe_* proc.args proc.args[*] proc.fdopencount proc.std* fd.* evt.abspath* fs.path.name evt.arg.fd evt.arg.name evt.args evt.info",
		Programs: "tp_clone_parent tp_thread_fork",
		What:     "A child of CLONE_PARENT, or of a thread that is not the first. Falco: environment, executable and directory of the process that is its parent now, or none. Ours: those of the process that made it.",
		Why:      "The child is a copy of who called clone.",
	},
	{
		Fields: "user.shell user.homedir user.name user.loginname group.name evt.arg.uid evt.arg.gid evt.arg.ruid evt.arg.euid evt.arg.suid evt.arg.rgid evt.arg.egid evt.arg.sgid evt.arg.loginuid evt.args evt.info",
		Env:    "runc docker", Falco: "*<NA>*",
		What: "Users and groups in a container. Falco: <NA> but for root. Ours: the names of the container's /etc/passwd and /etc/group.",
		Why:  "Falco cannot read the container's files where the runtime does not tell it the root; the files say who it is.",
	},
	{
		Fields: "evt.arg.vpgid evt.args evt.info", Env: "runc docker", Types: "execve execveat",
		What: "vpgid 1. Falco: the number alone, or <NA>. Ours: the name of the host's process 1.",
		Why:  "The id is one of the container's, but is shown with the host's name by both. Falco had no name of process 1 where it was recorded.",
	},
	{
		Fields: "proc.sid.exe proc.sid.exepath proc.sname", Env: "runc docker", Falco: Empty, Programs: "tp_setsid tp_tty tp_daemon",
		What: "The leader of a session that was made in a container. Falco: none until its next exec. Ours: the leader.",
		Why:  "Falco looks for the container's id among the host's.",
	},
	{
		Fields: "proc.nthreads proc.nchilds", Env: "runc docker", Types: "clone clone3 fork vfork procexit", Programs: "tp_setuid_thr tp_thread* tp_leader_exit",
		What: "clone as its caller sees it return, in a container. Falco: without the new thread or child. Ours: with it.",
		Why:  "It exists when the call returns; Falco counts it so on the host.",
	},
	{
		Fields: "evt.arg.val evt.args evt.info", Types: "getsockopt", Programs: "tp_peer_creds",
		What: "Bytes of a struct with a process id in it.",
		Why:  "Ids differ from run to run; both show bytes that are letters as letters.",
	},
	{
		Fields: "container.* k8s.*", Env: "docker", Falco: Missing, Programs: "tp_unshare* tp_clone* tp_ns_openat",
		What: "What the runtime says of the container. Falco: at times nothing, for the first process in new namespaces. Ours: as for all others.",
		Why:  "The container is the same.",
	},
	{
		Fields: "container.mounts", Env: "docker", Programs: "tp_orphan_slx",
		What: "One recording is of another container, with one more mount.",
		Why:  "It is no difference of the sensor's.",
	},
	{
		Fields: "fd.lport", Env: "runc docker",
		What: "The local port of a connection over loopback in a container. Falco: the port of the server on both sides. Ours: the caller's own.",
		Why:  "Falco asks whether the address is one of the host's.",
	},
	{
		Fields: "fd.* evt.arg.fd evt.args evt.info evt.count.error.* fs.path.*", Types: "fchmod", Programs: "tp_clone_files",
		What: "A descriptor that a process with the same descriptors (CLONE_FILES) has opened. Falco: nothing is known. Ours: the file.",
		Why:  "The kernel is asked for it.",
	},
	{
		Fields: "proc.fdopencount", Programs: "tp_clone_files tp_memfd",
		What: "Descriptors opened by a process that shares them, and calls that failed. Falco: does not count the one, counts the other. Ours: what is open.",
		Why:  "It is the number of open descriptors.",
	},
	{
		Fields: "proc.env proc.env[*]", Types: "execve procexit", Ours: Empty,
		What: "exec with an empty environment. Falco: the environment from before. Ours: empty.",
		Why:  "The program has none.",
	},
	{
		Fields: "proc.env", Types: "execve procexit", Programs: "tp_exec_longenv",
		What: "An environment of more than 4096 bytes. Falco: cut after 4095. Ours: after 4096.",
		Why:  "Falco needs the last byte for itself.",
	},
	{
		Fields:   "proc.vpgid* proc.sid* proc.sname proc.is_sid_leader proc.is_vpgid_leader evt.arg.vpgid evt.args evt.info",
		Programs: "tp_unshare_pid tp_ns_openat tp_clone3_ns tp_clone_ns tp_clone_user",
		What:     "A process group or session from outside of a new PID namespace. Falco: the number outside. Ours: 0, as getpgid and getsid say there.",
		Why:      "The ids are those of the process's own namespace. The name of the leader stays known where it is visible.",
	},
	{
		Fields: "evt.arg.res", Types: "fork", Programs: "tp_ns_openat", Falco: "2",
		What: "A child's id in its PID namespace, here 2. Falco: the number. Ours: kthreadd, the host's process 2.",
		Why:  "Both show the name of the host's process with that id; Falco had no name of process 2 where it was recorded.",
	},
	{
		Fields: "user.loginuid user.loginname", Programs: "tp_loginuid",
		What: "After a write to /proc/self/loginuid. Falco: none until the next exec. Ours: the new one.",
		Why:  "It is what the kernel's audit says.",
	},
	{
		Fields: "group.gid group.name", Types: "setregid",
		What: "setregid(gid, -1). Falco: group 4294967295. Ours: the group that stays.",
		Why:  "-1 leaves it as it is.",
	},
	{
		Fields: "evt.arg.target_fd evt.args evt.info", Types: "pidfd_getfd",
		What: "A descriptor of another process. Falco: named as the caller's of that number. Ours: the number.",
		Why:  "It is not the caller's.",
	},
	{
		Fields: "fd.* evt.arg.fd evt.args evt.info", Types: "listen", Programs: "tp_listen", Falco: Empty,
		What: "listen on a socket that is not bound, which binds it to a free port. Falco: nothing. Ours: the port.",
		Why:  "It is what clients connect to.",
	},
	{
		Fields: "fd.* evt.arg.fd evt.args evt.info", Types: "listen", Programs: "tp_listen tp_conn6",
		What: "The same for what follows from it.",
		Why:  "It is what clients connect to.",
	},
	{
		Fields: "fd.* evt.arg.fd evt.arg.addr evt.args evt.info", Types: "bind", Programs: "tp_bind_unix",
		What: "bind with a family alone, by which the kernel chooses a name. Falco: what lies in memory behind the address. Ours: the name.",
		Why:  "The kernel did not take the rest for an address.",
	},
	{
		Fields: "fd.cproto", Types: "connect", Falco: Empty, Ours: Missing,
		What: "The client's protocol of a unix socket. Falco: an empty text after connect, nothing otherwise. Ours: nothing.",
		Why:  "It has no ports.",
	},
	{
		Fields: "fd.name fd.cip fd.sip fd.lip fd.rip", Falco: "<unknown>",
		What: "An IPv6 socket that is connected to an IPv4 address (::ffff:127.0.0.1). Falco: <unknown>. Ours: the IPv4 addresses and ports.",
		Why:  "They are known. fd.type is ipv4 for both.",
	},
	{
		Fields: "fd.*", Types: "recvfrom recvmsg", Programs: "tp_udp_sendto tp_udp6",
		What: "A datagram received without asking from whom. Falco: 0.0.0.0, turned into an address of the host, or nothing for IPv6. Ours: what is known of the socket.",
		Why:  "It is not from 0.0.0.0.",
	},
	{
		Fields: "proc.tty", Programs: "tp_tty", Falco: "0",
		What: "After the process took a terminal. Falco: 0 until the next exec. Ours: the terminal.",
		Why:  "It has one.",
	},
}

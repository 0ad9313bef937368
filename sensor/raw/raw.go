// Package raw is one event as the kernel tells it: which system call (or fork, exec, exit, signal) happened, its
// registers and result, the state of the task, and the memory and objects captured beside them. sensor/kernel fills
// events; whoever turns them into Falco's terms reads them. The package knows no convention of Falco's, opens nothing,
// and keeps no state besides the tables of system call numbers.
package raw

import "net/netip"

// Kind says what happened.
type Kind uint8

// The kinds.
const (
	// Syscall is a system call, seen when it returns. Task is the caller. A successful execve or execveat is an Exec
	// instead; a successful clone, clone3, fork or vfork is seen in the parent, and the child's start is a Fork.
	Syscall Kind = 1 + iota
	// Exit is the end of a thread (tracepoint sched_process_exit). Ret is the status word as wait(2) tells it; Regs[0]
	// is how many threads of the process are still alive (0: the process ends); Regs[1] the kernel thread id of who adopts the
	// children, 0 where there are none.
	Exit
	// Exec is a successful execve or execveat (tracepoint sched_process_exec). Task is the new image; Nr is that
	// of execve, for either. OtherTID is the id of the thread that called (it takes over the id of the group leader).
	Exec
	// Fork is the start of a process or thread (tracepoint sched_process_fork). Task is the child, which has not run
	// yet; Nr and Regs are the call of the task that made it, whose ids are OtherTID and OtherPID. Regs[0] holds the
	// flags of clone, also for clone3, fork and vfork; kernel threads have Nr -1.
	Fork
	// Signal is a signal about to be handled (tracepoint signal_deliver). Task is the receiver, Regs[0] the signal,
	// Regs[1] its si_code, OtherPID the si_pid (0 where the kernel is the sender).
	Signal
)

func (k Kind) String() string {
	switch k {
	case Syscall:
		return "syscall"
	case Exit:
		return "exit"
	case Exec:
		return "exec"
	case Fork:
		return "fork"
	case Signal:
		return "signal"
	}
	return "none"
}

// Event is one event. Its strings and slices are reused: they are valid until the next event is read into it.
type Event struct {
	Kind   Kind
	Compat bool      // made by a 32-bit system call (ia32); Nr is the number of the same call of this architecture
	Time   int64     // ns since 1970
	CPU    int       // that the event happened on
	Nr     int32     // system call number of this architecture; see Name. -1 where there is none
	Regs   [6]uint64 // arguments as they were at entry
	Ret    int64     // result: -errno where the call failed
	Task   Task

	OtherTID, OtherPID int32 // kernel ids of the other task involved; see Kind

	Parts []Part
}

// Part finds the first part of a kind that belongs to an argument (NoArg, 0 to 5 or RetArg), nil where there is none.
func (e *Event) Part(kind PartKind, arg int8) *Part {
	for i := range e.Parts {
		if p := &e.Parts[i]; p.Kind == kind && p.Arg == arg {
			return p
		}
	}
	return nil
}

// Task is a thread as the kernel knows it at the moment of the event.
type Task struct {
	TID, PID, PPID     int32 // kernel ids: thread, thread group, thread group of the parent
	VTID, VPID, VPPID  int32 // the same in the task's own PID namespace; VPPID is 0 where the parent is outside of it
	PGID, VPGID        int32
	SID, VSID          int32
	Start, ThreadStart uint64 // ns since boot, of the group leader and the thread: (PID, Start) is unique until reboot

	UID, GID, EUID, EGID                       uint32 // in the initial user namespace
	SUID, SGID, FSUID                          uint32
	LoginUID, SessionID                        uint32 // 0xffffffff: not set
	CapEffective, CapPermitted, CapInheritable uint64 // bit n is capability n
	TTY                                        uint32 // device number as field 7 of /proc/PID/stat; 0: none
	CgroupID                                   uint64 // of the default (v2) hierarchy
	PIDNS, MountNS, NetNS, UserNS              uint32 // inode numbers of the namespaces
	InitPIDNS                                  bool   // the task is in the PID namespace of the host
	KernelThread                               bool
	VMSize, VMRSS, VMSwap                      uint64 // KiB
	MajFlt, MinFlt                             uint64
	Threads                                    int32  // of the process
	NoFile                                     uint64 // soft limit of open files
	Comm                                       string // at most 15 bytes
	RealParentTID                              int32  // kernel thread id of the real parent
	ExitSignal                                 int32  // sent to the parent at the end; -1 for a thread that leads no group
	Seccomp                                    uint8  // 0 none, 1 strict, 2 filter
	NoNewPrivs                                 bool
}

// PartKind says what a part holds.
type PartKind uint8

// The kinds of parts. File and Sock are filled only where it says so; everything else is in Data.
const (
	Path     PartKind = 1 + iota // a path argument as the caller wrote it, without its NUL
	Dir                          // absolute path of the directory that a dirfd argument names; File is filled
	Cwd                          // absolute path of the task's working directory
	File                         // a descriptor's file: File is filled, Data is its absolute path (see FileInfo.Kind for what has none)
	Socket                       // a descriptor's socket: File and Sock are filled
	Sockaddr                     // a sockaddr given or returned
	Bytes                        // up to SnapLen bytes of a buffer, pieces of an iovec joined
	Argv                         // strings of argv, each ended by NUL, at most BlockLen bytes
	Env                          // strings of the environment, likewise
	Exe                          // the executable: File is filled, Data is its absolute path
	String                       // another string of the caller's, without its NUL
	Struct                       // a struct of the caller's, in the layout of the system call's ABI
	Fd                           // two descriptors (int32) that the call made
	Cgroup                       // path in a cgroup hierarchy; Name is the controllers ("" for the default hierarchy)
	Root                         // reserved for the path of the task's root directory; not captured yet
	Control                      // control messages (cmsg) of a message, up to SnapLen bytes
)

// Arguments that parts belong to, besides 0 to 5.
const (
	NoArg  int8 = -1 // the task or the event as a whole
	RetArg int8 = 6  // the result, where it is a descriptor
)

// What is captured at most.
const (
	SnapLen  = 80   // bytes of a buffer: snaplen of Falco
	BlockLen = 4096 // bytes of argv and of the environment, as Falco cuts them
	PathLen  = 4096 // bytes of a path, PATH_MAX
)

// Part is something captured beside the registers.
type Part struct {
	Kind      PartKind
	Arg       int8  // 0 to 5, RetArg or NoArg
	Index     uint8 // of several of one kind and argument: 1 and 2 are the ends of a pipe or socket pair, or the number of a message
	Stable    bool  // read from the kernel's own objects: no other thread can have changed it since the call
	Truncated bool  // there was more
	Failed    bool  // it could not be read (bad pointer, page not present); Data is empty
	Data      []byte
	Name      string
	File      FileInfo
	Sock      SockInfo
}

// FileKind says what kind of object a descriptor is.
type FileKind uint8

// The kinds of files. Those below KindAnon come from the mode of the inode, the others from the name of the anonymous inode.
const (
	KindUnknown FileKind = iota
	KindRegular
	KindDir
	KindChar
	KindBlock
	KindPipe // also a FIFO with a name; then Data holds its path
	KindSocket
	KindSymlink
	KindAnon // any other anonymous inode; Data is its name, as "[perf_event]"
	KindEventfd
	KindEventpoll
	KindInotify
	KindFanotify
	KindSignalfd
	KindTimerfd
	KindUserfaultfd
	KindIOUring
	KindBPFMap
	KindBPFProg
	KindBPFLink
	KindPidfd
	KindNamespace // Data is as "net:[4026531840]"
)

// FileInfo is a file's inode and open file description.
type FileInfo struct {
	Kind           FileKind
	Dev, Rdev, Ino uint64 // Dev and Rdev as stat(2) gives them (see makedev(3)); Rdev is of a device node
	Mode           uint32 // type and permissions
	Nlink          uint32
	UID, GID       uint32
	Flags          uint32 // of open, as F_GETFL
	Pos            int64
	Ctime, Mtime   int64 // ns since 1970
	Size           int64
	FSMagic        uint64 // s_magic of the file system
	UpperLayer     bool   // on overlayfs, in the writable layer
	LowerLayer     bool   // on overlayfs, not in the writable layer
	Memfd          bool
	Deleted        bool
	Created        bool // the open made the file
	Writable       bool // the task may write it; for who works that out from mode and owner, the kernel does not tell it
}

// Anonymous says whether the file has no path in any directory.
func (f *FileInfo) Anonymous() bool { return f.Kind >= KindAnon || f.Kind == KindSocket }

// SockInfo is a socket. Addresses are as the kernel keeps them: IPv4-mapped ones of an IPv6 socket stay so.
type SockInfo struct {
	Family, Type, Proto uint16
	State               uint8 // TCP_ESTABLISHED and so on; for unix sockets TCP_ESTABLISHED, TCP_CLOSE or TCP_LISTEN
	Local, Remote       netip.AddrPort
	Path                string // of a unix socket that has a name; abstract names start with NUL
	PeerPath            string // of its peer
	Self, Peer          uint64 // kernel addresses of the two ends of a unix socket: equal numbers, same socket
	Ino                 uint64
	Backlog, MaxBacklog uint32 // of a listening socket
}

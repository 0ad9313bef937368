package fds

import (
	"github.com/eyrie-sec/eyrie/sensor/abi"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// handlersByName is what system calls do to descriptors, and which one Falco shows. Calls that name two directories
// (renameat, linkat) show none.
var handlersByName = map[string]handler{
	"open":              opens(-1, 0, 1, kinds[None].char),
	"creat":             opens(-1, 0, -1, kinds[None].char),
	"openat":            opens(0, 1, 2, kinds[File].char),
	"openat2":           opens(0, 1, 2, kinds[File].char),
	"open_by_handle_at": opens(-1, 1, 2, kinds[None].char),

	"close":       closes,
	"close_range": closesRange,
	"dup":         duplicates(-1),
	"dup2":        duplicates(-1),
	"dup3":        duplicates(2),
	"fcntl":       control,

	"pipe":            pairs(Pipe, -1, 0),
	"pipe2":           pairs(Pipe, 1, abi.O_CLOEXEC),
	"socketpair":      pairs(Unix, 1, abi.SOCK_CLOEXEC),
	"eventfd":         makes(Event, -1, 0),
	"eventfd2":        makes(Event, 1, abi.EFD_CLOEXEC),
	"signalfd":        makes(Signal, -1, 0),
	"signalfd4":       makes(Signal, 3, abi.SFD_CLOEXEC),
	"timerfd_create":  makes(Timer, 1, abi.TFD_CLOEXEC),
	"inotify_init":    makes(Inotify, -1, 0),
	"inotify_init1":   makes(Inotify, 0, abi.IN_CLOEXEC),
	"epoll_create":    makes(Epoll, -1, 0),
	"epoll_create1":   makes(Epoll, 0, abi.EPOLL_CLOEXEC),
	"userfaultfd":     makes(Userfault, 0, abi.O_CLOEXEC),
	"io_uring_setup":  makes(Uring, -1, 0),
	"memfd_create":    memfd,
	"pidfd_open":      pidfd,
	"pidfd_getfd":     takes,
	"bpf":             bpf,
	"mmap":            maps,
	"fchdir":          moves,
	"socket":          socket,
	"bind":            binds,
	"listen":          listens,
	"connect":         connects,
	"accept":          accepts(-1),
	"accept4":         accepts(3),
	"sendto":          sends(4),
	"sendmsg":         sends(1),
	"sendmmsg":        sends(1),
	"recvfrom":        receives(4),
	"recvmsg":         receives(1),
	"recvmmsg":        receives(1),
	"symlinkat":       uses(1),
	"splice":          uses(2),
	"copy_file_range": uses(2),
}

// onFirst is the calls whose first argument is the descriptor, and that change nothing about it.
var onFirst = []string{
	"read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "lseek", "shutdown",
	"setsockopt", "getsockopt", "fstat", "fchmod", "fchown", "fchmodat", "fchownat", "mkdirat", "unlinkat", "mknodat",
	"newfstatat", "ioctl", "flock", "getdents", "getdents64", "sendfile", "setns", "fsconfig", "finit_module",
	"io_uring_enter", "io_uring_register",
}

func (t *Table) setHandlers() {
	set := func(name string, do handler) {
		if nr, ok := raw.Number(name); ok && nr >= 0 && int(nr) < len(t.handlers) {
			t.handlers[nr] = do
		}
	}
	for name, do := range handlersByName {
		set(name, do)
	}
	for _, name := range onFirst {
		set(name, uses(0))
	}
}

// Package abi names the numbers of Linux's system call interface that the sensor's state is about, on whatever system the
// program is built, so that the parts that need no kernel are built and tested everywhere.
package abi

import "golang.org/x/sys/unix"

// See the manual page of the call that each belongs to.
const (
	CAP_SYS_PTRACE      = unix.CAP_SYS_PTRACE
	CAP_SYS_ADMIN       = unix.CAP_SYS_ADMIN
	CAP_DAC_READ_SEARCH = unix.CAP_DAC_READ_SEARCH
	CAP_PERFMON         = unix.CAP_PERFMON
	CAP_BPF             = unix.CAP_BPF
	AF_INET             = unix.AF_INET
	AF_INET6            = unix.AF_INET6
	AF_NETLINK          = unix.AF_NETLINK
	AF_UNIX             = unix.AF_UNIX
	AT_FDCWD            = unix.AT_FDCWD
	CLONE_FILES         = unix.CLONE_FILES
	CLOSE_RANGE_CLOEXEC = unix.CLOSE_RANGE_CLOEXEC
	CLOSE_RANGE_UNSHARE = unix.CLOSE_RANGE_UNSHARE
	EFD_CLOEXEC         = unix.EFD_CLOEXEC
	EINPROGRESS         = unix.EINPROGRESS
	EINTR               = unix.EINTR
	EIO                 = unix.EIO
	EPOLL_CLOEXEC       = unix.EPOLL_CLOEXEC
	FD_CLOEXEC          = unix.FD_CLOEXEC
	F_DUPFD             = unix.F_DUPFD
	F_DUPFD_CLOEXEC     = unix.F_DUPFD_CLOEXEC
	F_SETFD             = unix.F_SETFD
	IN_CLOEXEC          = unix.IN_CLOEXEC
	IPPROTO_ICMP        = unix.IPPROTO_ICMP
	IPPROTO_ICMPV6      = unix.IPPROTO_ICMPV6
	MFD_CLOEXEC         = unix.MFD_CLOEXEC
	O_CLOEXEC           = unix.O_CLOEXEC
	O_CREAT             = unix.O_CREAT
	O_DIRECTORY         = unix.O_DIRECTORY
	O_RDONLY            = unix.O_RDONLY
	O_TRUNC             = unix.O_TRUNC
	O_WRONLY            = unix.O_WRONLY
	SFD_CLOEXEC         = unix.SFD_CLOEXEC
	SOCK_CLOEXEC        = unix.SOCK_CLOEXEC
	SOCK_DGRAM          = unix.SOCK_DGRAM
	SOCK_RAW            = unix.SOCK_RAW
	SOCK_STREAM         = unix.SOCK_STREAM
	TFD_CLOEXEC         = unix.TFD_CLOEXEC
)

// ClockBoottime is the clock that counts from the start of the machine, also while it sleeps.
const ClockBoottime = unix.CLOCK_BOOTTIME

//go:build !linux

// Package abi names the numbers of Linux's system call interface that the sensor's state is about.
package abi

import "golang.org/x/sys/unix"

// As on x86-64. Nothing reads them here: there is no sensor on this system.
const (
	CAP_SYS_PTRACE      = 19
	CAP_SYS_ADMIN       = 21
	CAP_DAC_READ_SEARCH = 2
	CAP_PERFMON         = 38
	CAP_BPF             = 39
	AF_INET             = 0x2
	AF_INET6            = 0xa
	AF_NETLINK          = 0x10
	AF_UNIX             = 0x1
	AT_FDCWD            = -0x64
	CLONE_FILES         = 0x400
	CLOSE_RANGE_CLOEXEC = 0x4
	CLOSE_RANGE_UNSHARE = 0x2
	EFD_CLOEXEC         = 0x80000
	EINPROGRESS         = 0x73
	EINTR               = 0x4
	EIO                 = 0x5
	EPOLL_CLOEXEC       = 0x80000
	FD_CLOEXEC          = 0x1
	F_DUPFD             = 0x0
	F_DUPFD_CLOEXEC     = 0x406
	F_SETFD             = 0x2
	IN_CLOEXEC          = 0x80000
	IPPROTO_ICMP        = 0x1
	IPPROTO_ICMPV6      = 0x3a
	MFD_CLOEXEC         = 0x1
	O_CLOEXEC           = 0x80000
	O_CREAT             = 0x40
	O_DIRECTORY         = 0x10000
	O_RDONLY            = 0x0
	O_TRUNC             = 0x200
	O_WRONLY            = 0x1
	SFD_CLOEXEC         = 0x80000
	SOCK_CLOEXEC        = 0x80000
	SOCK_DGRAM          = 0x2
	SOCK_RAW            = 0x3
	SOCK_STREAM         = 0x1
	TFD_CLOEXEC         = 0x80000
)

// ClockBoottime is another clock here.
const ClockBoottime = unix.CLOCK_MONOTONIC

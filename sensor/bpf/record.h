// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// What crosses to user space, little endian, fields aligned to their size. One record is
//   struct record | part | part | ...      each part: struct part | len bytes | zeroes up to a multiple of 8
// sensor/kernel decodes it; its test compares both sides with this object's BTF.
#pragma once
#include "helpers.h"

// Kinds of records, as raw.Kind.
enum kind { SYSCALL = 1, EXIT, EXEC, FORK, SIGNAL };

// Kinds of parts, as raw.PartKind.
enum part_kind {
	PATH = 1, DIR, CWD, FILE, SOCKET, SOCKADDR, BYTES, ARGV, ENV, EXE, STRING, STRUCT, FD, CGROUP, ROOT, CONTROL
};
enum { NO_ARG = -1, RET_ARG = 6 };
enum part_flags { STABLE = 1, TRUNCATED = 2, FAILED = 4 };

struct part {
	u8 kind;
	s8 arg;
	u8 index;
	u8 flags;
	u32 len; // of the data that follows
};

// Flags of struct fileinfo.
enum file_bits { UPPER = 1, LOWER = 2, MEMFD = 4, DELETED = 8, CREATED = 16, DISCONNECTED = 32, OVERLAY = 64 };

// Data of FILE, DIR, EXE: this, then the names from the file up to the root, each ended by NUL.
// CWD and ROOT are the names alone.
struct fileinfo {
	u64 ino;
	s64 pos, ctime, mtime, size; // times in ns since 1970
	u64 magic;
	u32 dev, rdev; // as the kernel keeps them: major << 20 | minor
	u32 mode, nlink, uid, gid, flags, bits;
};

// Data of SOCKET: struct fileinfo, this, then path_len and peer_len bytes of unix names.
struct sockinfo {
	u64 self, peer;
	u32 backlog, max_backlog;
	u16 family, type, proto, local_port, remote_port; // ports in host order
	u16 path_len, peer_len;
	u8 state, pad;
	u8 local[16], remote[16]; // the first 4 bytes where the family is AF_INET
};

struct taskinfo {
	u64 start, thread_start; // ns since boot
	u64 cap_effective, cap_permitted, cap_inheritable;
	u64 cgroup;
	u64 vm_size, vm_rss, vm_swap; // pages
	u64 maj_flt, min_flt, nofile;
	s32 tid, pid, ppid, vtid, vpid, vppid, pgid, vpgid, sid, vsid;
	s32 threads, real_parent, exit_signal;
	u32 uid, gid, euid, egid, suid, sgid, fsuid, loginuid, sessionid;
	u32 tty, pidns, mntns, netns, userns;
	u32 pidns_level, flags; // flags: PF_ of task_struct
	u8 seccomp, no_new_privs, pad[2];
	char comm[16];
};

struct record {
	u64 time; // ns since boot
	u64 regs[6];
	s64 ret;
	u32 nr; // index into the table of descriptions: the number, plus 1024 for a 32-bit call
	s32 other_tid, other_pid;
	u32 len; // of the whole record
	u16 cpu;
	u8 kind, parts;
	u32 pad;
	struct taskinfo task;
};

// Puts the types above into the object's BTF, from which bpf2go makes their Go twins.
struct layout { struct record record; struct part part; struct fileinfo file; struct sockinfo socket; } *layout __attribute__((unused));

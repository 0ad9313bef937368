// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// What is captured of a system call, driven by a table that user space fills: one description a call, one operation an
// argument. sensor/kernel has the table's text.
#pragma once
#include "gate.h"
#include "task.h"

enum op {
	OP_NONE,
	OP_PATH, // path: a string
	OP_STRING, // another string
	OP_FD, // descriptor
	OP_DIRFD, // descriptor of a directory that a relative path starts at, or AT_FDCWD
	OP_ADDR, // struct sockaddr; its length is the next argument
	OP_ADDR_OUT, // the same, returned; the next argument points to its length
	OP_READ, // a buffer of which the call filled as many bytes as the result says
	OP_WRITE, // a buffer given: as long as the result where it is positive, else as the next argument
	OP_VALUE_OUT, // a buffer returned; the next argument points to its length
	OP_READV, // struct iovec filled; the next argument is their number
	OP_WRITEV, // struct iovec given
	OP_RECVMSG, // struct msghdr
	OP_SENDMSG,
	OP_MMSG, // struct mmsghdr; the result is their number
	OP_STRUCT, // size bytes, given
	OP_STRUCT_OUT, // size bytes, returned if the call did not fail
	OP_FDS, // two descriptors, returned
	OP_ARGV, // array of strings
	OP_ENV,
	OP_POLL, // struct pollfd; the next argument is their number
};

struct call {
	u8 op[6];
	u8 size[6]; // bytes, of OP_STRUCT and OP_STRUCT_OUT
	u8 ret_fd; // the result is a descriptor
	u8 flags;
};

// Flags of struct call. A zero from clone is the child's, which is told by sched_process_fork; one from execve is told
// by sched_process_exec.
enum { NOT_ZERO = 1, GATED = 2, AT_ENTRY = 4 }; // GATED: see gate.h; AT_ENTRY: entered.h

enum { MAX_CALLS = 2048, COMPAT_BASE = 1024 };

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, MAX_CALLS);
	TYPE(key, u32);
	TYPE(value, struct call);
} calls SEC(".maps");

INLINE u64 at_most(u64 n, u64 most) { return n > most ? most : n; }

// add_arg adds what an argument stands for. next is the argument after it, ret the result.
GLOBAL int add_arg(u64 op_size_arg, u64 value, u64 next, u64 wide, u64 ret_bits)
{
	struct work *w = get_work();
	if (!w)
		return 0;
	u32 op = op_size_arg & 0xff, size = op_size_arg >> 8 & 0xff, arg = op_size_arg >> 16 & 0xff;
	s64 ret = (s64)ret_bits;
	u32 length = 0;
	s32 pair[2] = {};

	switch (op) {
	case OP_PATH:
		return add_string(value, tag(PATH, arg, 0));
	case OP_STRING:
		return add_string(value, tag(STRING, arg, 0));
	case OP_FD:
		return add_fd(value, with_flags(tag(FILE, arg, 0), STABLE));
	case OP_DIRFD:
		return add_fd(value, with_flags(tag(DIR, arg, 0), STABLE));
	case OP_ADDR:
		return add_user(value, at_most((u32)next, MAX_SOCKADDR), tag(SOCKADDR, arg, 0));
	case OP_ADDR_OUT:
		if (ret < 0 || !next || read_user(&length, 4, (void *)next))
			return 0;
		return add_user(value, at_most(length, MAX_SOCKADDR), tag(SOCKADDR, arg, 0));
	case OP_READ:
		return ret < 0 ? 0 : add_user(value, at_most(ret, SNAP), tag(BYTES, arg, 0));
	case OP_WRITE:
		return add_user(value, at_most(ret > 0 ? ret : next, SNAP), tag(BYTES, arg, 0));
	case OP_VALUE_OUT:
		if (ret < 0 || !next || read_user(&length, 4, (void *)next))
			return 0;
		return add_user(value, at_most(length, SNAP), tag(BYTES, arg, 0));
	case OP_READV:
	case OP_WRITEV:
		w->room = ret > 0 ? ret : op == OP_WRITEV ? SNAP : 0;
		return add_pieces(value, next, wide, tag(BYTES, arg, 0));
	case OP_RECVMSG:
	case OP_SENDMSG:
		if (ret < 0 && op == OP_RECVMSG)
			return 0;
		w->room = ret > 0 ? ret : op == OP_SENDMSG ? SNAP : 0;
		return add_message(value, wide, tag(0, arg, 0));
	case OP_MMSG:
		return ret <= 0 ? 0 : add_messages(value, ret, wide, arg);
	case OP_STRUCT_OUT:
		if (ret < 0)
			return 0;
		return add_user(value, size, tag(STRUCT, arg, 0));
	case OP_STRUCT:
		return add_user(value, size, tag(STRUCT, arg, 0));
	case OP_FDS:
		if (ret < 0 || read_user(pair, sizeof(pair), (void *)value))
			return 0;
		add_user(value, sizeof(pair), tag(FD, arg, 0));
		add_fd(pair[0], with_flags(tag(FILE, arg, 1), STABLE));
		return add_fd(pair[1], with_flags(tag(FILE, arg, 2), STABLE));
	case OP_ARGV:
		return add_pointers(value, wide, tag(ARGV, arg, 0));
	case OP_ENV:
		return add_pointers(value, wide, tag(ENV, arg, 0));
	case OP_POLL:
		return add_user(value, at_most((u32)next, 127) * 8, tag(STRUCT, arg, 0));
	}
	return 0;
}

// capture adds the parts of a call. The registers and the result stand in the record already.
INLINE void capture(struct call *call, struct record *r, u64 wide)
{
	for (u32 i = 0; i < 6; i++) {
		u32 op = call->op[i];
		if (op == OP_NONE)
			continue;
		u64 next = i < 5 ? r->regs[i + 1] : 0;
		add_arg(op | (u32)call->size[i] << 8 | i << 16, r->regs[i], next, wide, r->ret);
	}
	if (call->ret_fd && r->ret >= 0)
		add_fd(r->ret, with_flags(tag(FILE, RET_ARG, 0), STABLE));
}

// start empties the record and describes the task. Registers are left alone.
INLINE void start(struct work *w, struct record *r, u32 kind, struct task_struct *task)
{
	r->time = boot_ns();
	r->cpu = smp_processor_id();
	r->kind = kind;
	r->nr = 0xffffffff;
	r->ret = 0;
	r->other_tid = r->other_pid = 0;
	r->pad = 0;
	w->at = sizeof(struct record);
	w->parts = 0;
	w->relative = 0;
	set_root(w, task);
	describe((u64)task);
}

// submit hands the record over.
INLINE void submit(struct work *w, struct record *r)
{
	struct counts *counts = get_counts();
	u64 len = w->at;
	if (!counts)
		return;
	r->parts = w->parts;
	r->len = len;
	if (len >= RECORD_SIZE) {
		counts->lost_internal++;
		return;
	}
	if (len > PARTS_MASK)
		counts->cut++;
	len &= RECORD_SIZE - 1;
	if (ringbuf_output(&events, r, len, 0))
		counts->lost_full++;
	else
		counts->sent++;
}

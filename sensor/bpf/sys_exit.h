// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// Tracepoint sys_exit: every system call of every task when it returns. It is there since Linux 2.6; as a program with
// typed arguments (tp_btf) since 5.5, which reads registers without a helper call.
#pragma once
#include "entered.h"

// Which calls are wanted at all: one bit for each index of the table of calls. User space sets them.
volatile u64 wanted[MAX_CALLS / 64];

// The reader's own process, in its own PID namespace: its calls are not told, or it would feed itself.
volatile u32 own_pid, own_pidns;

enum {
	TS_COMPAT = 2,
	TIF_32BIT = 22,
	SOCKETCALL = 102, // of ia32: one call for all of sockets; its first argument says which, the second has theirs
	SOCKETCALL_BASE = 500, // what sensor/raw adds to that number
	SOCKETCALLS = 20,
};

INLINE bool is_compat(void)
{
#if defined(__TARGET_ARCH_x86)
	if (enum_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return (current_task_btf()->thread_info.status & TS_COMPAT) != 0;
	return (get(current_task(), thread_info.status) & TS_COMPAT) != 0;
#else
	return get(current_task(), thread_info.flags) >> TIF_32BIT & 1;
#endif
}

INLINE s64 call_number(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return (s32)regs->orig_ax;
#else
	return regs->syscallno;
#endif
}

INLINE void copy_regs(u64 *to, struct pt_regs *regs, bool compat)
{
#if defined(__TARGET_ARCH_x86)
	if (compat) {
		to[0] = (u32)regs->bx;
		to[1] = (u32)regs->cx;
		to[2] = (u32)regs->dx;
		to[3] = (u32)regs->si;
		to[4] = (u32)regs->di;
		to[5] = (u32)regs->bp;
		return;
	}
	to[0] = regs->di;
	to[1] = regs->si;
	to[2] = regs->dx;
	to[3] = regs->r10;
	to[4] = regs->r8;
	to[5] = regs->r9;
#else
	to[0] = regs->orig_x0;
	to[1] = regs->regs[1];
	to[2] = regs->regs[2];
	to[3] = regs->regs[3];
	to[4] = regs->regs[4];
	to[5] = regs->regs[5];
#endif
}

// call_index is where a call stands in the table of calls, MAX_CALLS where it does not.
INLINE u32 call_index(struct pt_regs *regs, bool compat)
{
	s64 nr = call_number(regs);
	if ((u64)nr >= COMPAT_BASE)
		return MAX_CALLS;
	if (!compat)
		return nr;
#if defined(__TARGET_ARCH_x86)
	if (nr == SOCKETCALL && (u32)regs->bx - 1 < SOCKETCALLS)
		nr = SOCKETCALL_BASE + (u32)regs->bx;
#endif
	return COMPAT_BASE + nr;
}

// unpack replaces the arguments of socketcall by those of the call it stands for.
INLINE void unpack(u64 *args)
{
	u32 packed[6] = {};
	read_user(packed, sizeof(packed), (void *)args[1]);
	for (u32 i = 0; i < 6; i++)
		args[i] = packed[i];
}

INLINE bool is_wanted(u32 index)
{
	return wanted[index >> 6 & (MAX_CALLS / 64 - 1)] >> (index & 63) & 1;
}

SEC("tp_btf/sys_exit")
int on_sys_exit(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	bool compat = is_compat();
	u32 index = call_index(regs, compat);
	if (index >= MAX_CALLS || !is_wanted(index))
		return 0;
	struct call *call = map_lookup(&calls, &index);
	s64 ret = ctx[1];
	if (!call || (call->flags & NOT_ZERO && ret == 0))
		return 0;
	u64 args[6];
	copy_regs(args, regs, compat);
	if (index > COMPAT_BASE + SOCKETCALL_BASE)
		unpack(args);
	if (call->flags & GATED && !passes(index, args, ret)) {
		struct counts *counts = get_counts();
		if (counts)
			counts->filtered++;
		return 0;
	}
	struct work *w = get_work();
	struct record *r = (struct record *)get_buffer();
	struct task_struct *task = current_task();
	if (!w || !r)
		return 0;
	__builtin_memcpy(r->regs, args, sizeof(args));
	start(w, r, SYSCALL, task);
	if (r->task.vpid == own_pid && r->task.pidns == own_pidns)
		return 0;
	r->nr = index;
	r->ret = ret;
	if (call->flags & AT_ENTRY)
		add_entered(w, (char *)r);
	capture(call, r, compat ? 4 : 8);
	add_cwd(task);
	submit(w, r);
	return 0;
}

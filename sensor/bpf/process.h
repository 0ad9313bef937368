// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// The life of processes: tracepoints sched_process_fork (2.6.28), sched_process_exec (3.4), sched_process_exit (2.6.28)
// and signal_deliver (2.6.30). They are what every Linux has, and they see threads that the kernel makes too.
#pragma once
#include "sys_enter.h"

volatile u32 wanted_signals;

enum { CLONE_ARGS_FLAGS = 8 };

// own_regs finds the registers of the system call that the current task is in.
INLINE struct pt_regs *own_regs(struct task_struct *task)
{
	if (enum_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return task_pt_regs(current_task_btf());
	// At the top of the kernel stack: THREAD_SIZE is 16 KiB on both architectures (without KASAN, pages of 4 KiB).
	return (struct pt_regs *)((u64)get(task, stack) + 16384 - type_size(struct pt_regs));
}

INLINE void creator(struct record *r, struct task_struct *parent)
{
	if (get(parent, flags) & 0x00200000 /* PF_KTHREAD */)
		return;
	struct pt_regs *regs = own_regs(parent);
	bool compat = is_compat();
#if defined(__TARGET_ARCH_x86)
	s64 nr = (s32)get(regs, orig_ax);
	r->regs[0] = compat ? (u32)get(regs, bx) : get(regs, di);
	r->regs[1] = compat ? (u32)get(regs, cx) : get(regs, si);
#else
	s64 nr = get(regs, syscallno);
	r->regs[0] = get(regs, orig_x0);
	r->regs[1] = get(regs, regs[1]);
#endif
	if ((u64)nr < COMPAT_BASE)
		r->nr = compat ? nr + COMPAT_BASE : nr;
}

SEC("raw_tp/sched_process_fork")
int on_fork(u64 *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx[0], *child = (struct task_struct *)ctx[1];
	struct work *w = get_work();
	struct record *r = (struct record *)get_buffer();
	if (!w || !r)
		return 0;
	start(w, r, FORK, child);
	u32 pid = get(child, tgid);
	if (pid != get(parent, tgid)) {
		u64 of = own_sets(parent) | sets_of_name(child);
		if (of)
			remember(pid, of, 0);
	}
	__builtin_memset(r->regs, 0, sizeof(r->regs));
	creator(r, parent);
	r->other_tid = get(parent, pid);
	r->other_pid = get(parent, tgid);
	add_user(r->regs[0], CLONE_ARGS_FLAGS, tag(STRUCT, 0, 0)); // flags of clone3; fails for any other
	add_cwd(child);
	add_cgroups(child);
	submit(w, r);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int on_exec(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct linux_binprm *bprm = (struct linux_binprm *)ctx[2];
	struct work *w = get_work();
	char *buffer = get_buffer();
	struct record *r = (struct record *)buffer;
	if (!w || !buffer)
		return 0;
	remember(get(task, tgid), sets_of_name(task), get(get(task, group_leader), start_boottime) < known_since);
	start(w, r, EXEC, task);
	__builtin_memset(r->regs, 0, sizeof(r->regs));
	r->other_tid = ctx[1];
	u64 at;
	if (begin(w, buffer, with_flags(tag(PATH, 0, 0), STABLE), &at)) {
		long n = read_kernel_str(buffer + (at & PARTS_MASK) + sizeof(struct part), PATH_SIZE, get(bprm, filename));
		finish(w, buffer, at, n > 0 ? (n & 0x1fff) - 1 : 0, n > 0 ? 0 : FAILED);
	}
	struct mm_struct *mm = get(task, mm);
	add_exe(task);
	add_block(get(mm, arg_start), get(mm, arg_end), with_flags(tag(ARGV, NO_ARG, 0), STABLE));
	add_cwd(task);
	add_cgroups(task);
	add_block(get(mm, env_start), get(mm, env_end), with_flags(tag(ENV, NO_ARG, 0), STABLE));
	submit(w, r);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int on_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct work *w = get_work();
	struct record *r = (struct record *)get_buffer();
	if (!w || !r)
		return 0;
	start(w, r, EXIT, task);
	__builtin_memset(r->regs, 0, sizeof(r->regs));
	r->ret = get(task, exit_code);
	r->regs[0] = (u32)get(get(task, signal), live.counter);
	r->regs[1] = reaper(task);
	if (r->regs[0] == 0)
		remember(get(task, tgid), 0, 0);
	submit(w, r);
	return 0;
}

SEC("raw_tp/signal_deliver")
int on_signal(u64 *ctx)
{
	struct kernel_siginfo *info = (struct kernel_siginfo *)ctx[1];
	struct task_struct *task = current_task();
	struct work *w = get_work();
	struct record *r = (struct record *)get_buffer();
	if (!w || !r || !wanted_signals)
		return 0;
	start(w, r, SIGNAL, task);
	__builtin_memset(r->regs, 0, sizeof(r->regs));
	r->regs[0] = (u32)ctx[0];
	r->regs[1] = (s64)get(info, si_code);
	r->other_pid = get(info, _sifields._kill._pid);
	add_cwd(task);
	submit(w, r);
	return 0;
}

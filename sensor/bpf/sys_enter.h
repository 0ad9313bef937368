// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// Tracepoint sys_enter (2.6.28; with typed arguments since 5.5): only for calls that take away what they are told with.
// It is attached while such a call is wanted.
#pragma once
#include "sys_exit.h"

SEC("tp_btf/sys_enter")
int on_sys_enter(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	bool compat = is_compat();
	u32 index = call_index(regs, compat);
	if (index >= MAX_CALLS || !is_wanted(index))
		return 0;
	struct call *call = map_lookup(&calls, &index);
	struct work *w = get_work();
	char *buffer = get_buffer();
	if (!call || !(call->flags & AT_ENTRY) || !w || !buffer)
		return 0;
	u64 args[6];
	copy_regs(args, regs, compat);
	struct task_struct *task = current_task();
	set_root(w, task);
	keep_fd(w, buffer, get(task, pid), args[0]);
	return 0;
}

// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// The state of a thread, read from its task_struct.
#pragma once
#include "scratch.h"

enum { PIDTYPE_TGID = 1, PIDTYPE_PGID = 2, PIDTYPE_SID = 3, RLIMIT_NOFILE = 7, MM_FILEPAGES = 0, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES };

// pid_in is the number of a pid at a level of PID namespaces, 0 where it has none or the namespace is another.
INLINE s32 pid_in(struct pid *pid, u32 level, struct pid_namespace *ns)
{
	if (!pid || get(pid, level) < level || level > 32)
		return 0;
	u64 where = address(pid, numbers) + (u64)level * type_size(struct upid);
	struct upid *entry = (struct upid *)where;
	if (ns && get(entry, ns) != ns)
		return 0;
	return get(entry, nr);
}

INLINE u64 rss(struct mm_struct *mm, int which)
{
	s64 n = 0;
	if (type_exists(struct mm_rss_stat)) { // before 6.2
		struct mm_struct___v58 *old = (void *)mm;
		n = get(old, rss_stat.count[which].counter);
	} else {
		u64 at = address(mm, rss_stat) + which * type_size(struct percpu_counter);
		n = get((struct percpu_counter *)at, count);
	}
	return n > 0 ? n : 0;
}

INLINE u32 tty_number(struct signal_struct *signal)
{
	struct tty_struct *tty = get(signal, tty);
	if (!tty)
		return 0;
	struct tty_driver *driver = get(tty, driver);
	u32 major = get(driver, major), minor = get(driver, minor_start) + get(tty, index);
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12; // new_encode_dev, as /proc/PID/stat
}

INLINE void task_ids(struct task_struct *task, struct signal_struct *signal, struct taskinfo *t)
{
	struct task_struct *parent = get(task, real_parent);
	struct pid *pid = get(task, thread_pid);
	u32 level = get(pid, level);
	if (level > 32)
		level = 32;
	struct upid *own = (struct upid *)(address(pid, numbers) + (u64)level * type_size(struct upid));
	struct pid_namespace *ns = get(own, ns);
	struct pid *group = get(signal, pids[PIDTYPE_TGID]);
	struct pid *pgrp = get(signal, pids[PIDTYPE_PGID]);
	struct pid *session = get(signal, pids[PIDTYPE_SID]);

	t->tid = get(task, pid);
	t->pid = get(task, tgid);
	t->ppid = get(parent, tgid);
	t->real_parent = get(parent, pid);
	t->vtid = get(own, nr);
	t->vpid = pid_in(group, level, ns);
	t->vppid = pid_in(get(get(parent, signal), pids[PIDTYPE_TGID]), level, ns);
	t->pgid = pid_in(pgrp, 0, NULL);
	t->vpgid = pid_in(pgrp, level, ns);
	t->sid = pid_in(session, 0, NULL);
	t->vsid = pid_in(session, level, ns);
	t->pidns = get(ns, ns.inum);
	t->pidns_level = level;
}

INLINE void task_cred(struct task_struct *task, struct taskinfo *t)
{
	struct cred *cred = get(task, cred);
	t->uid = get(cred, uid.val);
	t->gid = get(cred, gid.val);
	t->euid = get(cred, euid.val);
	t->egid = get(cred, egid.val);
	t->suid = get(cred, suid.val);
	t->sgid = get(cred, sgid.val);
	t->fsuid = get(cred, fsuid.val);
	read_kernel(&t->cap_effective, 8, (void *)address(cred, cap_effective));
	read_kernel(&t->cap_permitted, 8, (void *)address(cred, cap_permitted));
	read_kernel(&t->cap_inheritable, 8, (void *)address(cred, cap_inheritable));
	t->userns = get(get(cred, user_ns), ns.inum);
	t->loginuid = t->sessionid = -1;
	if (field_exists(((struct task_struct *)0)->loginuid)) { // CONFIG_AUDIT
		t->loginuid = get(task, loginuid.val);
		t->sessionid = get(task, sessionid);
	}
}

// describe fills the record's task.
GLOBAL int describe(u64 task_pointer)
{
	char *buffer = get_buffer();
	if (!buffer)
		return 0;
	struct task_struct *task = (struct task_struct *)task_pointer;
	struct taskinfo *t = &((struct record *)buffer)->task;
	struct signal_struct *signal = get(task, signal);
	struct nsproxy *nsproxy = get(task, nsproxy);
	struct mm_struct *mm = get(task, mm);

	task_ids(task, signal, t);
	task_cred(task, t);
	t->start = get(get(task, group_leader), start_boottime);
	t->thread_start = get(task, start_boottime);
	t->cgroup = get(get(get(get(task, cgroups), dfl_cgrp), kn), id);
	t->mntns = t->netns = 0;
	if (nsproxy) {
		t->mntns = get(get(nsproxy, mnt_ns), ns.inum);
		t->netns = get(get(nsproxy, net_ns), ns.inum);
	}
	t->vm_size = t->vm_rss = t->vm_swap = 0;
	if (mm) {
		t->vm_size = get(mm, total_vm);
		t->vm_rss = rss(mm, MM_FILEPAGES) + rss(mm, MM_ANONPAGES) + rss(mm, MM_SHMEMPAGES);
		t->vm_swap = rss(mm, MM_SWAPENTS);
	}
	t->maj_flt = get(task, maj_flt);
	t->min_flt = get(task, min_flt);
	t->nofile = get(signal, rlim[RLIMIT_NOFILE].rlim_cur);
	t->threads = get(signal, nr_threads);
	t->exit_signal = get(task, exit_signal);
	t->tty = tty_number(signal);
	t->flags = get(task, flags);
	t->seccomp = 0;
	if (field_exists(((struct task_struct *)0)->seccomp))
		t->seccomp = get(task, seccomp.mode);
	t->no_new_privs = get(task, atomic_flags) & 1;
	read_kernel(t->comm, sizeof(t->comm), (void *)address(task, comm));
	return 0;
}

// reaper is the thread that adopts the children of an ending one, as find_new_reaper of kernel/exit.c chooses it; 0
// where there are no children.
INLINE s32 reaper(struct task_struct *task)
{
	struct list_head *children = (struct list_head *)address(task, children);
	if (get(children, next) == children)
		return 0;
	struct signal_struct *signal = get(task, signal);
	struct task_struct *leader = get(task, group_leader);
	struct list_head *head = (struct list_head *)address(signal, thread_head);
	struct list_head *node = get(head, next);
	for (int i = 0; i < 16 && node != head && node; i++) { // another thread of the process that is alive
		struct task_struct *other = (struct task_struct *)((u64)node - field_offset(struct task_struct, thread_node));
		if (other != task && !(get(other, flags) & 4 /* PF_EXITING */))
			return get(other, pid);
		node = get(node, next);
	}
	struct pid *pid = get(task, thread_pid);
	u32 level = get(pid, level);
	struct upid *own = (struct upid *)(address(pid, numbers) + (u64)(level & 31) * type_size(struct upid));
	struct task_struct *init = get(get(own, ns), child_reaper);
	if (init == task)
		return 0;
	struct task_struct *up = get(leader, real_parent);
	for (int i = 0; i < 32; i++) {
		if (!up || up == init || get(get(up, thread_pid), level) != level)
			break;
		u8 bits = 0;
		struct signal_struct *s = get(up, signal);
		read_kernel(&bits, 1, (char *)s + __builtin_preserve_field_info(s->is_child_subreaper, 0));
		u32 shift = 64 - __builtin_preserve_field_info(s->is_child_subreaper, 4) - 1;
		if (bits >> (shift & 7) & 1 && !(get(up, flags) & 4))
			return get(up, pid);
		up = get(up, real_parent);
	}
	return get(init, pid);
}

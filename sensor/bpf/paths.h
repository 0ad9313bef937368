// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// Files of the kernel as parts: inode, and names from the file up to the root of the task. The names are read without
// the locks that d_path(9) takes: a rename at the same moment can give a mixture of the old path and the new one.
#pragma once
#include "scratch.h"

enum {
	MAX_NAMES = 128, // names in a path and mounts crossed, together
	NAME_SIZE = 256, // NAME_MAX and a NUL
	WALK_LIMIT = PARTS_MASK,
};

enum {
	OVERLAYFS = 0x794c7630, // linux/magic.h
	NSFS = 0x6e736673,
	TMPFS = 0x01021994,
	FMODE_CREATED = 0x100000, // linux/fs.h
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
};

// walk writes the names of a path at w->end, deepest first, and answers part flags and file bits << 8.
GLOBAL int walk(u64 mnt_pointer, u64 dentry_pointer)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	if (!w || !buffer)
		return FAILED;
	struct dentry *dentry = (struct dentry *)dentry_pointer;
	struct dentry *top = NULL; // of the mount, 0 until it is known
	u64 mnt = mnt_pointer;
	u64 end = w->end;

	for (int i = 0; i < MAX_NAMES; i++) {
		if (!dentry || ((u64)dentry == w->root_dentry && mnt == w->root_mnt))
			goto done;
		if (!top)
			top = get((struct vfsmount *)mnt, mnt_root);
		if (dentry == top) {
			struct mount *m = (struct mount *)(mnt - field_offset(struct mount, mnt));
			struct mount *parent = get(m, mnt_parent);
			if (parent == m || !parent)
				goto done;
			dentry = get(m, mnt_mountpoint);
			mnt = address(parent, mnt);
			top = NULL;
			continue;
		}
		if (end > WALK_LIMIT)
			break;
		end &= PARTS_MASK;
		long n = read_kernel_str(buffer + end, NAME_SIZE, get(dentry, d_name.name));
		if (n > 0)
			end += n & 0x1ff;
		struct dentry *parent = get(dentry, d_parent);
		if (parent == dentry) {
			w->end = end;
			return DISCONNECTED << 8;
		}
		dentry = parent;
	}
	w->end = end;
	return TRUNCATED;
done:
	w->end = end;
	return 0;
}

INLINE void inode_times(struct inode *inode, struct fileinfo *f)
{
	if (field_exists(((struct inode *)0)->i_ctime_sec)) {
		// Since 6.13 the top bit says that somebody has asked for the time (I_CTIME_QUERIED).
		f->ctime = get(inode, i_ctime_sec) * 1000000000LL + (get(inode, i_ctime_nsec) & 0x7fffffff);
		f->mtime = get(inode, i_mtime_sec) * 1000000000LL + get(inode, i_mtime_nsec);
		return;
	}
	struct inode___v66 *newer = (void *)inode;
	struct inode___v58 *older = (void *)inode;
	if (field_exists(newer->__i_ctime))
		f->ctime = get(newer, __i_ctime.tv_sec) * 1000000000LL + get(newer, __i_ctime.tv_nsec);
	else if (field_exists(older->i_ctime))
		f->ctime = get(older, i_ctime.tv_sec) * 1000000000LL + get(older, i_ctime.tv_nsec);
	if (field_exists(newer->__i_mtime))
		f->mtime = get(newer, __i_mtime.tv_sec) * 1000000000LL + get(newer, __i_mtime.tv_nsec);
	else if (field_exists(older->i_mtime))
		f->mtime = get(older, i_mtime.tv_sec) * 1000000000LL + get(older, i_mtime.tv_nsec);
}

INLINE void inode_info(struct inode *inode, struct dentry *dentry, struct fileinfo *f)
{
	struct super_block *sb = get(inode, i_sb);
	f->ino = get(inode, i_ino);
	f->dev = get(sb, s_dev);
	f->rdev = get(inode, i_rdev);
	f->mode = get(inode, i_mode);
	f->nlink = get(inode, i_nlink);
	f->uid = get(inode, i_uid.val);
	f->gid = get(inode, i_gid.val);
	f->size = get(inode, i_size);
	f->magic = get(sb, s_magic);
	f->bits = 0;
	inode_times(inode, f);
	if (f->nlink == 0)
		f->bits |= DELETED;
	if (f->magic == OVERLAYFS) {
		// struct ovl_inode holds the dentry of the upper layer right behind its inode (fs/overlayfs/ovl_entry.h).
		u64 upper = 0;
		read_kernel(&upper, sizeof(upper), (char *)inode + type_size(struct inode));
		f->bits |= OVERLAY | (upper ? UPPER : LOWER);
	}
	if (f->magic == TMPFS) {
		char name[8] = {};
		read_kernel_str(name, sizeof(name), get(dentry, d_name.name));
		if (name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':')
			f->bits |= MEMFD;
	}
}

// add_path adds a part of struct fileinfo and names, from a dentry and its mount; file may be 0.
GLOBAL int add_path(u64 mnt, u64 dentry_pointer, u64 file_pointer, u64 tag)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !dentry_pointer || !begin(w, buffer, tag, &at))
		return 0;
	struct dentry *dentry = (struct dentry *)dentry_pointer;
	struct file *file = (struct file *)file_pointer;
	struct inode *inode = file ? get(file, f_inode) : get(dentry, d_inode);
	struct fileinfo *f = (struct fileinfo *)(buffer + (at & PARTS_MASK) + sizeof(struct part));
	inode_info(inode, dentry, f);
	f->flags = 0;
	f->pos = 0;
	if (file) {
		f->flags = get(file, f_flags);
		f->pos = get(file, f_pos);
		if (get(file, f_mode) & FMODE_CREATED)
			f->bits |= CREATED;
	}
	u64 names = at + sizeof(struct part) + sizeof(struct fileinfo);
	w->end = names;
	int how = 0;
	if (f->magic == NSFS && names <= WALK_LIMIT) {
		struct ns_common *ns = get(inode, i_private);
		struct proc_ns_operations *ops = get(ns, ops);
		long n = read_kernel_str(buffer + (names & PARTS_MASK), 32, get(ops, name));
		if (n > 0)
			w->end = names + (n & 0x3f);
	} else {
		how = walk(mnt, dentry_pointer);
	}
	f->bits |= (u32)how >> 8;
	finish(w, buffer, at, w->end - at - sizeof(struct part), how & 0xff);
	return 0;
}

// add_names adds a part of names alone.
GLOBAL int add_names(u64 mnt, u64 dentry, u64 tag)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !dentry || !begin(w, buffer, tag, &at))
		return 0;
	w->end = at + sizeof(struct part);
	int how = walk(mnt, dentry);
	finish(w, buffer, at, w->end - at - sizeof(struct part), how & 0xff);
	return 0;
}

INLINE void add_cwd(struct task_struct *task)
{
	struct fs_struct *fs = get(task, fs);
	struct path pwd;
	if (fs && !read_kernel(&pwd, sizeof(pwd), (void *)address(fs, pwd)))
		add_names((u64)pwd.mnt, (u64)pwd.dentry, with_flags(tag(CWD, NO_ARG, 0), STABLE));
}

INLINE void add_exe(struct task_struct *task)
{
	struct file *exe = get(get(task, mm), exe_file);
	if (exe)
		add_path((u64)get(exe, f_path.mnt), (u64)get(exe, f_path.dentry), (u64)exe, with_flags(tag(EXE, NO_ARG, 0), STABLE));
}

// set_root notes where the paths of a task begin.
INLINE void set_root(struct work *w, struct task_struct *task)
{
	struct fs_struct *fs = get(task, fs);
	w->root_mnt = (u64)get(fs, root.mnt);
	w->root_dentry = (u64)get(fs, root.dentry);
}

// add_cgroup adds the path of a cgroup; index is 0 for the default hierarchy, 1 + the controller's number for another.
GLOBAL int add_cgroup(u64 cgroup_pointer, u64 index)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !cgroup_pointer || !begin(w, buffer, with_flags(tag(CGROUP, NO_ARG, index), STABLE), &at))
		return 0;
	struct kernfs_node *node = get((struct cgroup *)cgroup_pointer, kn);
	u64 end = at + sizeof(struct part);
	u64 flags = TRUNCATED;
	for (int i = 0; i < 32; i++) {
		struct kernfs_node *parent;
		if (field_exists(((struct kernfs_node *)0)->__parent))
			parent = get(node, __parent);
		else
			parent = get((struct kernfs_node___v58 *)node, parent);
		if (!parent) {
			flags = 0;
			break;
		}
		if (end > WALK_LIMIT)
			break;
		end &= PARTS_MASK;
		long n = read_kernel_str(buffer + end, NAME_SIZE, get(node, name));
		if (n > 0)
			end += n & 0x1ff;
		node = parent;
	}
	finish(w, buffer, at, end - at - sizeof(struct part), flags);
	return 0;
}

// add_cgroups adds the default hierarchy and, where they have a path of their own, the v1 hierarchies that container
// runtimes use.
INLINE void add_cgroups(struct task_struct *task)
{
	struct css_set *set = get(task, cgroups);
	add_cgroup((u64)get(set, dfl_cgrp), 0);
	struct cgroup *before = get(set, dfl_cgrp);
#define HIERARCHY(id, number)                                                                                          \
	if (enum_exists(enum cgroup_subsys_id, id)) {                                                                  \
		u64 nth = enum_value(enum cgroup_subsys_id, id);                                                       \
		struct cgroup_subsys_state *css = NULL;                                                                \
		read_kernel(&css, sizeof(css), (void *)(address(set, subsys) + nth * sizeof(css)));                    \
		struct cgroup *cgroup = get(css, cgroup);                                                              \
		if (cgroup != before)                                                                                  \
			add_cgroup((u64)cgroup, number);                                                               \
	}
	HIERARCHY(memory_cgrp_id, 1)
	HIERARCHY(cpu_cgrp_id, 2)
	HIERARCHY(cpuset_cgrp_id, 3)
	HIERARCHY(pids_cgrp_id, 4)
#undef HIERARCHY
}

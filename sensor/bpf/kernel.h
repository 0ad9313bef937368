// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// The few kernel types that are read, with the few fields. Offsets are the running kernel's (CO-RE); a name with three
// underscores is another age of the same type.
#pragma once
#include "helpers.h"

struct qstr { u8 *name; } CORE;
struct super_block { u32 s_dev; u64 s_magic; } CORE;
typedef struct { u32 val; } kuid_t;
typedef struct { u32 val; } kgid_t;
struct timespec64 { s64 tv_sec; long tv_nsec; } CORE;

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	u32 i_rdev;
	long long i_size;
	s64 i_ctime_sec, i_mtime_sec; // since 6.11
	u32 i_ctime_nsec, i_mtime_nsec;
	void *i_private;
} CORE;
struct inode___v66 { struct timespec64 __i_ctime, __i_mtime; } CORE; // 6.6 (ctime), 6.7 (mtime) to 6.10
struct inode___v58 { struct timespec64 i_ctime, i_mtime; } CORE;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
} CORE;
struct vfsmount { struct dentry *mnt_root; int mnt_flags; } CORE;
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; } CORE;
struct path { struct vfsmount *mnt; struct dentry *dentry; } CORE;
struct file {
	unsigned int f_mode;
	void *private_data;
	struct inode *f_inode;
	unsigned int f_flags;
	struct path f_path;
	long long f_pos;
} CORE;
struct fdtable { unsigned int max_fds; struct file **fd; } CORE;
struct files_struct { struct fdtable *fdt; } CORE;
struct fs_struct { struct path root; struct path pwd; } CORE;

struct ns_common { unsigned int inum; struct proc_ns_operations *ops; } CORE;
struct proc_ns_operations { char *name; } CORE;
struct pid_namespace { struct task_struct *child_reaper; unsigned int level; struct ns_common ns; } CORE;
struct mnt_namespace { struct ns_common ns; struct mount *root; } CORE;
struct user_namespace { struct ns_common ns; } CORE;
struct net { struct ns_common ns; } CORE;
struct nsproxy { struct mnt_namespace *mnt_ns; struct net *net_ns; } CORE;
struct upid { int nr; struct pid_namespace *ns; } CORE;
struct pid { unsigned int level; struct upid numbers[1]; } CORE;

typedef struct { u64 bits; } kernel_cap_t; // two u32 before 6.3
struct cred {
	kuid_t uid; kgid_t gid; kuid_t suid; kgid_t sgid; kuid_t euid; kgid_t egid; kuid_t fsuid; kgid_t fsgid;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective;
	struct user_namespace *user_ns;
} CORE;

struct tty_driver { int major; int minor_start; } CORE;
struct tty_struct { int index; struct tty_driver *driver; } CORE;
struct rlimit { unsigned long rlim_cur, rlim_max; } CORE;
struct list_head { struct list_head *next, *prev; } CORE;
typedef struct { int counter; } atomic_t;
struct signal_struct {
	atomic_t live;
	int nr_threads;
	int group_exit_code;
	unsigned int is_child_subreaper : 1;
	unsigned int has_child_subreaper : 1;
	struct pid *pids[4];
	struct tty_struct *tty;
	struct rlimit rlim[16];
	struct list_head thread_head;
} CORE;

struct percpu_counter { s64 count; } CORE;
struct mm_struct {
	unsigned long total_vm, arg_start, arg_end, env_start, env_end;
	struct percpu_counter rss_stat[4]; // since 6.2
	struct file *exe_file;
} CORE;
typedef struct { s64 counter; } atomic64_t;
typedef atomic64_t atomic_long_t;
struct mm_rss_stat { atomic_long_t count[4]; } CORE;
struct mm_struct___v58 { struct mm_rss_stat rss_stat; } CORE;

struct kernfs_node { struct kernfs_node *__parent; char *name; u64 id; } CORE; // __parent since 6.15
struct kernfs_node___v58 { struct kernfs_node *parent; } CORE;
struct cgroup { struct kernfs_node *kn; } CORE;
struct cgroup_subsys_state { struct cgroup *cgroup; } CORE;
struct css_set { struct cgroup_subsys_state *subsys[16]; struct cgroup *dfl_cgrp; } CORE;
enum cgroup_subsys_id { cpuset_cgrp_id, cpu_cgrp_id, memory_cgrp_id, pids_cgrp_id };

struct seccomp { int mode; } CORE;
struct thread_info { unsigned long flags; u32 status; } CORE;
struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	struct mm_struct *mm;
	int exit_state, exit_code, exit_signal;
	unsigned long atomic_flags;
	int pid, tgid;
	struct task_struct *real_parent, *group_leader;
	struct list_head children, sibling, thread_node;
	struct pid *thread_pid;
	u64 start_boottime;
	unsigned long min_flt, maj_flt;
	struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid;
	unsigned int sessionid;
	struct seccomp seccomp;
	struct css_set *cgroups;
} CORE;

struct in6_addr { union { u8 u6_addr8[16]; } in6_u; };
struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
} CORE;
struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol; // a bit field before 5.6
	u32 sk_ack_backlog, sk_max_ack_backlog;
	struct socket *sk_socket;
} CORE;
struct socket { short type; struct file *file; struct sock *sk; } CORE;
struct sockaddr_un { unsigned short sun_family; char sun_path[108]; } CORE;
struct unix_address { int len; struct sockaddr_un name[1]; } CORE;
struct unix_sock { struct sock sk; struct unix_address *addr; struct sock *peer; } CORE;

struct linux_binprm { struct file *file; char *filename, *interp; } CORE;
union __sifields { struct { int _pid; u32 _uid; } _kill; } CORE;
struct kernel_siginfo { int si_signo, si_errno, si_code; union __sifields _sifields; } CORE;

#if defined(__TARGET_ARCH_x86)
struct pt_regs { unsigned long bp, bx, r9, r8, r10, ax, cx, dx, si, di, orig_ax; } CORE;
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs { u64 regs[31]; u64 orig_x0; s32 syscallno; } CORE;
#else
#error "unknown architecture"
#endif

enum bpf_func_id { BPF_FUNC_get_current_task_btf = 158, BPF_FUNC_task_pt_regs = 175 };

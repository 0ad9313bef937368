package field

// eventText holds every event type, one a line: its kind and name, then its parameters with their types. The parameters
// are those of the exit of a system call. Kinds: s system call with parameters of its own, g any other system call,
// t tracepoint, m internal, p plugin, h internal and not listed by Falco.
const eventText = `
s open fd:FD name:FSPATH flags:FLAGS32 mode:UINT32 dev:UINT32 ino:UINT64
s close res:ERRNO fd:FD
s read res:ERRNO data:BYTEBUF fd:FD size:UINT32
s write res:ERRNO data:BYTEBUF fd:FD size:UINT32
s socket fd:FD domain:ENUMFLAGS32 type:UINT32 proto:UINT32 flags:FLAGS32
s bind res:ERRNO addr:SOCKADDR fd:FD
s connect res:ERRNO tuple:SOCKTUPLE fd:FD addr:SOCKADDR
s listen res:ERRNO fd:FD backlog:INT32
s send res:ERRNO data:BYTEBUF fd:FD size:UINT32 tuple:SOCKTUPLE
s sendto res:ERRNO data:BYTEBUF fd:FD size:UINT32 tuple:SOCKTUPLE
s recv res:ERRNO data:BYTEBUF fd:FD size:UINT32 tuple:SOCKTUPLE
s recvfrom res:ERRNO data:BYTEBUF tuple:SOCKTUPLE fd:FD size:UINT32
s shutdown res:ERRNO fd:FD how:ENUMFLAGS8
s getsockname
s getpeername
s socketpair res:ERRNO fd1:FD fd2:FD source:UINT64 peer:UINT64 domain:ENUMFLAGS32 type:UINT32 proto:UINT32
s setsockopt res:ERRNO fd:FD level:ENUMFLAGS8 optname:ENUMFLAGS8 val:DYNAMIC optlen:UINT32
s getsockopt res:ERRNO fd:FD level:ENUMFLAGS8 optname:ENUMFLAGS8 val:DYNAMIC optlen:UINT32
s sendmsg res:ERRNO data:BYTEBUF fd:FD size:UINT32 tuple:SOCKTUPLE
s sendmmsg res:ERRNO fd:FD size:UINT32 data:BYTEBUF tuple:SOCKTUPLE
s recvmsg res:ERRNO size:UINT32 data:BYTEBUF tuple:SOCKTUPLE msgcontrol:BYTEBUF fd:FD
s recvmmsg res:ERRNO fd:FD size:UINT32 data:BYTEBUF tuple:SOCKTUPLE msgcontrol:BYTEBUF
s creat fd:FD name:FSPATH mode:UINT32 dev:UINT32 ino:UINT64 creat_flags:FLAGS16
s pipe res:ERRNO fd1:FD fd2:FD ino:UINT64
s eventfd res:FD initval:UINT64 flags:UINT32
s futex res:ERRNO addr:UINT64 op:FLAGS16 val:UINT64
s stat res:ERRNO path:FSPATH
s lstat res:ERRNO path:FSPATH
s fstat res:ERRNO fd:FD
s stat64 res:ERRNO path:FSPATH
s lstat64 res:ERRNO path:FSPATH
s fstat64 res:ERRNO
s epoll_wait res:ERRNO maxevents:ERRNO
s poll res:ERRNO fds:FDLIST timeout:INT64
s select res:ERRNO
s lseek res:ERRNO fd:FD offset:UINT64 whence:ENUMFLAGS8
s llseek res:ERRNO fd:FD offset:UINT64 whence:ENUMFLAGS8
s getcwd res:ERRNO path:CHARBUF
s chdir res:ERRNO path:CHARBUF
s fchdir res:ERRNO fd:FD
s pread res:ERRNO data:BYTEBUF fd:FD size:UINT32 pos:UINT64
s pwrite res:ERRNO data:BYTEBUF fd:FD size:UINT32 pos:UINT64
s readv res:ERRNO size:UINT32 data:BYTEBUF fd:FD
s writev res:ERRNO data:BYTEBUF fd:FD size:UINT32
s preadv res:ERRNO size:UINT32 data:BYTEBUF fd:FD pos:UINT64
s pwritev res:ERRNO data:BYTEBUF fd:FD size:UINT32 pos:UINT64
s signalfd res:FD fd:FD mask:UINT32 flags:UINT8
s kill res:ERRNO pid:PID sig:SIGTYPE
s tkill res:ERRNO tid:PID sig:SIGTYPE
s tgkill res:ERRNO pid:PID tid:PID sig:SIGTYPE
s nanosleep res:ERRNO interval:RELTIME
s timerfd_create res:FD clockid:UINT8 flags:UINT8
s inotify_init res:FD flags:UINT8
s getrlimit res:ERRNO cur:INT64 max:INT64 resource:ENUMFLAGS8
s setrlimit res:ERRNO cur:INT64 max:INT64 resource:ENUMFLAGS8
s prlimit res:ERRNO newcur:INT64 newmax:INT64 oldcur:INT64 oldmax:INT64 pid:INT64 resource:ENUMFLAGS8
s fcntl res:FD fd:FD cmd:ENUMFLAGS8 arg:UINT64
s brk res:UINT64 vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 addr:UINT64
s mmap res:ERRNO vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 addr:UINT64 length:UINT64 prot:FLAGS32 flags:FLAGS32 fd:FD offset:UINT64
s mmap2 res:ERRNO vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 addr:UINT64 length:UINT64 prot:FLAGS32 flags:FLAGS32 fd:FD pgoffset:UINT64
s munmap res:ERRNO vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 addr:UINT64 length:UINT64
s splice res:ERRNO fd_in:FD fd_out:FD size:UINT64 flags:FLAGS32
s ptrace res:ERRNO addr:DYNAMIC data:DYNAMIC request:ENUMFLAGS16 pid:PID
s ioctl res:ERRNO fd:FD request:UINT64 argument:UINT64
s rename res:ERRNO oldpath:FSPATH newpath:FSPATH
s renameat res:ERRNO olddirfd:FD oldpath:FSRELPATH newdirfd:FD newpath:FSRELPATH
s symlink res:ERRNO target:CHARBUF linkpath:FSPATH
s symlinkat res:ERRNO target:CHARBUF linkdirfd:FD linkpath:FSRELPATH
s sendfile res:ERRNO offset:UINT64 out_fd:FD in_fd:FD size:UINT64
s quotactl res:ERRNO special:CHARBUF quotafilepath:CHARBUF dqb_bhardlimit:UINT64 dqb_bsoftlimit:UINT64 dqb_curspace:UINT64 dqb_ihardlimit:UINT64 dqb_isoftlimit:UINT64 dqb_btime:RELTIME dqb_itime:RELTIME dqi_bgrace:RELTIME dqi_igrace:RELTIME dqi_flags:FLAGS8 quota_fmt_out:FLAGS8 cmd:FLAGS16 type:FLAGS8 id:UINT32 quota_fmt:FLAGS8
s setresuid res:ERRNO ruid:UID euid:UID suid:UID
s setresgid res:ERRNO rgid:GID egid:GID sgid:GID
s setuid res:ERRNO uid:UID
s setgid res:ERRNO gid:GID
s getuid uid:UID
s geteuid euid:UID
s getgid gid:GID
s getegid egid:GID
s getresuid res:ERRNO ruid:UID euid:UID suid:UID
s getresgid res:ERRNO rgid:GID egid:GID sgid:GID
s clone res:PID exe:CHARBUF args:BYTEBUF tid:PID pid:PID ptid:PID cwd:CHARBUF fdlimit:INT64 pgft_maj:UINT64 pgft_min:UINT64 vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 comm:CHARBUF cgroups:BYTEBUF flags:FLAGS32 uid:UINT32 gid:UINT32 vtid:PID vpid:PID pidns_init_start_ts:UINT64
s fork res:PID exe:CHARBUF args:BYTEBUF tid:PID pid:PID ptid:PID cwd:CHARBUF fdlimit:INT64 pgft_maj:UINT64 pgft_min:UINT64 vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 comm:CHARBUF cgroups:BYTEBUF flags:FLAGS32 uid:UINT32 gid:UINT32 vtid:PID vpid:PID pidns_init_start_ts:UINT64
s vfork res:PID exe:CHARBUF args:BYTEBUF tid:PID pid:PID ptid:PID cwd:CHARBUF fdlimit:INT64 pgft_maj:UINT64 pgft_min:UINT64 vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 comm:CHARBUF cgroups:BYTEBUF flags:FLAGS32 uid:UINT32 gid:UINT32 vtid:PID vpid:PID pidns_init_start_ts:UINT64
s getdents res:ERRNO fd:FD
s getdents64 res:ERRNO fd:FD
s setns res:ERRNO fd:FD nstype:FLAGS32
s flock res:ERRNO fd:FD operation:FLAGS32
s accept fd:FD tuple:SOCKTUPLE queuepct:UINT8 queuelen:UINT32 queuemax:UINT32
s semop res:ERRNO nsops:UINT32 sem_num_0:UINT16 sem_op_0:INT16 sem_flg_0:FLAGS16 sem_num_1:UINT16 sem_op_1:INT16 sem_flg_1:FLAGS16 semid:INT32
s semctl res:ERRNO semid:INT32 semnum:INT32 cmd:FLAGS16 val:INT32
s ppoll res:ERRNO fds:FDLIST timeout:RELTIME sigmask:SIGSET
s mount res:ERRNO dev:CHARBUF dir:FSPATH type:CHARBUF flags:FLAGS32
s semget res:ERRNO key:INT32 nsems:INT32 semflg:FLAGS32
s access res:ERRNO name:FSPATH mode:FLAGS32
s chroot res:ERRNO path:FSPATH
s setsid res:PID
s mkdir res:ERRNO path:FSPATH mode:UINT32
s rmdir res:ERRNO path:FSPATH
s unshare res:ERRNO flags:FLAGS32
s execve res:ERRNO exe:CHARBUF args:BYTEBUF tid:PID pid:PID ptid:PID cwd:CHARBUF fdlimit:UINT64 pgft_maj:UINT64 pgft_min:UINT64 vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 comm:CHARBUF cgroups:BYTEBUF env:BYTEBUF tty:UINT32 vpgid:PID loginuid:UID flags:FLAGS32 cap_inheritable:UINT64 cap_permitted:UINT64 cap_effective:UINT64 exe_ino:UINT64 exe_ino_ctime:ABSTIME exe_ino_mtime:ABSTIME uid:UID trusted_exepath:FSPATH pgid:PID gid:GID filename:FSPATH
s setpgid res:ERRNO pid:PID pgid:PID
s seccomp res:ERRNO op:UINT64 flags:UINT64
s unlink res:ERRNO path:FSPATH
s unlinkat res:ERRNO dirfd:FD name:FSRELPATH flags:FLAGS32
s mkdirat res:ERRNO dirfd:FD path:FSRELPATH mode:UINT32
s openat fd:FD dirfd:FD name:FSRELPATH flags:FLAGS32 mode:UINT32 dev:UINT32 ino:UINT64
s link res:ERRNO oldpath:FSPATH newpath:FSPATH
s linkat res:ERRNO olddir:FD oldpath:FSRELPATH newdir:FD newpath:FSRELPATH flags:FLAGS32
s fchmodat res:ERRNO dirfd:FD filename:FSRELPATH mode:MODE
s chmod res:ERRNO filename:FSPATH mode:MODE
s fchmod res:ERRNO fd:FD mode:MODE
s renameat2 res:ERRNO olddirfd:FD oldpath:FSRELPATH newdirfd:FD newpath:FSRELPATH flags:FLAGS32
s userfaultfd res:ERRNO flags:FLAGS32
s openat2 fd:FD dirfd:FD name:FSRELPATH flags:FLAGS32 mode:UINT32 resolve:FLAGS32 dev:UINT32 ino:UINT64
s mprotect res:ERRNO addr:UINT64 length:UINT64 prot:FLAGS32
s execveat res:ERRNO exe:CHARBUF args:BYTEBUF tid:PID pid:PID ptid:PID cwd:CHARBUF fdlimit:UINT64 pgft_maj:UINT64 pgft_min:UINT64 vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 comm:CHARBUF cgroups:BYTEBUF env:BYTEBUF tty:UINT32 vpgid:PID loginuid:UID flags:FLAGS32 cap_inheritable:UINT64 cap_permitted:UINT64 cap_effective:UINT64 exe_ino:UINT64 exe_ino_ctime:ABSTIME exe_ino_mtime:ABSTIME uid:UID trusted_exepath:FSPATH pgid:PID gid:GID
s copy_file_range res:ERRNO fdout:FD offout:UINT64 fdin:FD offin:UINT64 len:UINT64
s clone3 res:PID exe:CHARBUF args:BYTEBUF tid:PID pid:PID ptid:PID cwd:CHARBUF fdlimit:INT64 pgft_maj:UINT64 pgft_min:UINT64 vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32 comm:CHARBUF cgroups:BYTEBUF flags:FLAGS32 uid:UINT32 gid:UINT32 vtid:PID vpid:PID pidns_init_start_ts:UINT64
s open_by_handle_at fd:FD mountfd:FD flags:FLAGS32 path:FSPATH dev:UINT32 ino:UINT64
s io_uring_setup res:ERRNO entries:UINT32 sq_entries:UINT32 cq_entries:UINT32 flags:FLAGS32 sq_thread_cpu:UINT32 sq_thread_idle:UINT32 features:FLAGS32
s io_uring_enter res:ERRNO fd:FD to_submit:UINT32 min_complete:UINT32 flags:FLAGS32 sig:SIGSET
s io_uring_register res:ERRNO fd:FD opcode:ENUMFLAGS16 arg:UINT64 nr_args:UINT32
s mlock res:ERRNO addr:UINT64 len:UINT64
s munlock res:ERRNO addr:UINT64 len:UINT64
s mlockall res:ERRNO flags:FLAGS32
s munlockall res:ERRNO
s capset res:ERRNO cap_inheritable:UINT64 cap_permitted:UINT64 cap_effective:UINT64
s dup2 res:FD oldfd:FD newfd:FD
s dup3 res:FD oldfd:FD newfd:FD flags:FLAGS32
s dup res:FD oldfd:FD
s bpf fd:FD cmd:ENUMFLAGS32
s mlock2 res:ERRNO addr:UINT64 len:UINT64 flags:FLAGS32
s fsconfig res:ERRNO fd:FD cmd:ENUMFLAGS32 key:CHARBUF value_bytebuf:BYTEBUF value_charbuf:CHARBUF aux:INT32
s epoll_create res:ERRNO size:INT32
s epoll_create1 res:ERRNO flags:FLAGS32
s chown res:ERRNO path:FSPATH uid:UINT32 gid:UINT32
s lchown res:ERRNO path:FSPATH uid:UINT32 gid:UINT32
s fchown res:ERRNO fd:FD uid:UINT32 gid:UINT32
s fchownat res:ERRNO dirfd:FD pathname:FSRELPATH uid:UINT32 gid:UINT32 flags:FLAGS32
s umount res:ERRNO name:FSPATH
s accept4 fd:FD tuple:SOCKTUPLE queuepct:UINT8 queuelen:UINT32 queuemax:UINT32 flags:INT32
s umount2 res:ERRNO name:FSPATH flags:FLAGS32
s pipe2 res:ERRNO fd1:FD fd2:FD ino:UINT64 flags:FLAGS32
s inotify_init1 res:FD flags:FLAGS16
s eventfd2 res:FD flags:FLAGS16 initval:UINT64
s signalfd4 res:FD flags:FLAGS16 fd:FD mask:UINT32
s prctl res:ERRNO option:ENUMFLAGS32 arg2_str:CHARBUF arg2_int:INT64
s memfd_create fd:FD name:CHARBUF flags:FLAGS32
s pidfd_getfd fd:FD pid_fd:FD target_fd:FD flags:UINT32
s pidfd_open fd:FD pid:PID flags:FLAGS32
s init_module res:ERRNO img:BYTEBUF length:UINT64 uargs:CHARBUF
s finit_module res:ERRNO fd:FD uargs:CHARBUF flags:FLAGS32
s mknod res:ERRNO path:FSPATH mode:MODE dev:UINT32
s mknodat res:ERRNO dirfd:FD path:FSRELPATH mode:MODE dev:UINT32
s newfstatat res:ERRNO dirfd:FD path:FSRELPATH flags:FLAGS32
s process_vm_readv res:INT64 pid:PID data:BYTEBUF
s process_vm_writev res:INT64 pid:PID data:BYTEBUF
s delete_module res:ERRNO name:CHARBUF flags:FLAGS32
s setreuid res:ERRNO ruid:UID euid:UID
s setregid res:ERRNO rgid:UID egid:UID
s close_range res:ERRNO first:UINT32 last:UINT32 flags:FLAGS32
s keyctl res:ERRNO operation:ENUMFLAGS32 arg2:DYNAMIC arg3:DYNAMIC arg4:DYNAMIC arg5:DYNAMIC
t switch next:PID pgft_maj:UINT64 pgft_min:UINT64 vm_size:UINT32 vm_rss:UINT32 vm_swap:UINT32
t procexit status:ERRNO ret:ERRNO sig:SIGTYPE core:UINT8 reaper_tid:PID
t signaldeliver spid:PID dpid:PID sig:SIGTYPE
t page_fault addr:UINT64 ip:UINT64 error:FLAGS32
m drop ratio:UINT32
m scapevent event_type:UINT32 event_data:UINT64
m procinfo cpu_usr:UINT64 cpu_sys:UINT64
m cpu_hotplug cpu:UINT32 action:UINT32
m notification id:CHARBUF desc:CHARBUF
m infra source:CHARBUF name:CHARBUF description:CHARBUF scope:CHARBUF
m container json:CHARBUF
m useradded uid:UINT32 gid:UINT32 name:CHARBUF home:CHARBUF shell:CHARBUF container_id:CHARBUF
m userdeleted uid:UINT32 gid:UINT32 name:CHARBUF home:CHARBUF shell:CHARBUF container_id:CHARBUF
m groupadded gid:UINT32 name:CHARBUF container_id:CHARBUF
m groupdeleted gid:UINT32 name:CHARBUF container_id:CHARBUF
m asyncevent plugin_id:UINT32 name:CHARBUF data:BYTEBUF
p pluginevent plugin_id:UINT32 event_data:BYTEBUF
`

// genericText names the system calls that have no parameters of their own: their events tell ID and nativeID alone.
const genericText = `
_newselect _sysctl acct add_key adjtimex alarm arch_prctl bdflush cachestat capget clock_adjtime clock_getres
clock_gettime clock_nanosleep clock_settime create_module epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
epoll_wait_old exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_init fanotify_mark fchmodat2
fdatasync fgetxattr file_getattr file_setattr flistxattr fremovexattr fsetxattr fsmount fsopen fspick
fstatat64 fstatfs fstatfs64 fsync ftruncate futex_requeue futex_wait futex_waitv futex_wake futimesat
get_kernel_syms get_mempolicy get_robust_list get_thread_area getcpu getgroups getitimer getpgid getpgrp
getpid getpmsg getppid getpriority getrandom getrusage getsid gettid gettimeofday getxattr getxattrat idle
inotify_add_watch inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioperm
iopl ioprio_get ioprio_set ipc kcmp kexec_file_load kexec_load landlock_add_rule landlock_create_ruleset
landlock_restrict_self lgetxattr listmount listns listxattr listxattrat llistxattr lookup_dcookie lremovexattr
lsetxattr lsm_get_self_attr lsm_list_modules lsm_set_self_attr madvise map_shadow_stack mbind membarrier
memfd_secret migrate_pages mincore modify_ldt mount_setattr move_mount move_pages mq_getsetattr mq_notify
mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync multiplexer
name_to_handle_at nfsservctl nice oldfstat oldlstat oldolduname oldstat olduname open_tree open_tree_attr
pause pciconfig_iobase pciconfig_read pciconfig_write perf_event_open personality pidfd_send_signal pivot_root
pkey_alloc pkey_free pkey_mprotect preadv2 process_madvise process_mrelease pselect6 pwritev2 query_module
quotactl_fd readahead readdir readlink readlinkat reboot remap_file_pages removexattr removexattrat
request_key restart_syscall riscv_flush_icache riscv_hwprobe rseq rseq_slice_yield rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo rtas
s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr s390_sthyi
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
sched_yield semtimedop set_mempolicy set_mempolicy_home_node set_robust_list set_thread_area set_tid_address
setdomainname setfsgid setfsuid setgroups sethostname setitimer setpriority settimeofday setxattr setxattrat
sgetmask shmat shmctl shmdt shmget sigaction sigaltstack signal sigpending sigprocmask sigreturn sigsuspend
socketcall spu_create spu_run ssetmask statfs statfs64 statmount statx stime subpage_prot swapcontext swapoff
swapon switch_endian sync sync_file_range sync_file_range2 syncfs sys_debug_setcontext sysfs sysinfo syslog
tee time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd timerfd_gettime
timerfd_settime times truncate umask uname uprobe uretprobe uselib ustat utime utimensat utimes vhangup vm86
vmsplice wait4 waitid waitpid
`

// hiddenText names the event types that a condition may name although no event of theirs reaches a rule.
const hiddenText = `
NA k8s mesos task tracer task_file_anon_inode task_file_directory task_file_memfd task_file_pipe
task_file_regular task_file_socket_inet task_file_socket_inet6 task_file_socket_netlink task_file_socket_unix
`

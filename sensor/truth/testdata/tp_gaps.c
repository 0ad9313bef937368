// Calls that no recorded program makes, one after the other, each once with a result that is the same everywhere.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#define S syscall
#define CWD AT_FDCWD

static void files(void) {
	int d = S(SYS_open, "d", O_RDONLY | O_DIRECTORY);
	S(SYS_creat, "made", 0640);
	S(SYS_creat, "/nodir/x", 0640);
	S(SYS_mkdirat, d, "m", 0711);
	S(SYS_mkdirat, CWD, "m2", 0711);
	S(SYS_unlinkat, d, "m", AT_REMOVEDIR);
	S(SYS_unlinkat, CWD, "made", 0);
	S(SYS_unlinkat, 99, "made", 0);
	S(SYS_renameat, CWD, "m2", d, "m3");
	S(SYS_mknod, "node", S_IFIFO | 0600, 0);
	S(SYS_mknodat, d, "node", S_IFREG | 0644, 0);
	S(SYS_mknodat, CWD, "chr", S_IFCHR | 0600, makedev(1, 3));
	S(SYS_access, "f", F_OK);
	int f = S(SYS_open, "f", O_RDWR);
	S(SYS_flock, f, LOCK_EX | LOCK_NB);
	S(SYS_flock, 99, LOCK_UN);
	S(SYS_lseek, f, -1, SEEK_END);
	S(SYS_chroot, "/nodir");
	S(SYS_umount2, "/nodir", 1);
	S(SYS_quotactl, 0x80000700u, "/dev/none", 0, 0);
	S(SYS_newfstatat, CWD, "f", (struct stat[1]){}, AT_SYMLINK_NOFOLLOW);
	S(SYS_fallocate, f, 0, 0, 1);
}

static void sockets(void) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(45119)}, from;
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	int in = S(SYS_socket, AF_INET, SOCK_DGRAM, 0), out = S(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	S(SYS_bind, in, &a, sizeof a);
	struct iovec v[2] = {{"one", 3}, {"two", 3}};
	struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof a, .msg_iov = v, .msg_iovlen = 2};
	S(SYS_sendmsg, out, &m, 0);
	char b[2][16];
	struct iovec w[2] = {{b[0], 4}, {b[1], 16}};
	struct msghdr r = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = w, .msg_iovlen = 2};
	S(SYS_recvmsg, in, &r, 0);
	struct mmsghdr mm[2] = {{m}, {m}};
	S(SYS_sendmmsg, out, mm, 2, 0);
	struct mmsghdr rr[2] = {{{.msg_iov = w, .msg_iovlen = 1}}, {{.msg_iov = w + 1, .msg_iovlen = 1}}};
	S(SYS_recvmmsg, in, rr, 2, MSG_DONTWAIT, 0);
	S(SYS_recvmsg, in, &r, MSG_DONTWAIT);
	S(SYS_sendmsg, 99, &m, 0);
	S(SYS_shutdown, 99, SHUT_WR);
	int v6 = S(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	S(SYS_setsockopt, v6, SOL_SOCKET, SO_KEEPALIVE, (int[]){1}, 4);
	S(SYS_setsockopt, v6, SOL_SOCKET, SO_LINGER, (struct linger[]){{1, 2}}, 8);
	S(SYS_getpeername, v6, 0, 0);
}

static void waiting(void) {
	int e = S(SYS_epoll_create1, EPOLL_CLOEXEC);
	struct epoll_event ev;
	S(SYS_epoll_wait, e, &ev, 1, 0);
	struct pollfd p[2] = {{0, POLLIN, 0}, {e, POLLIN | POLLOUT, 0}};
	S(SYS_ppoll, p, 2, (struct timespec[]){{0, 1000}}, 0, 8);
	S(SYS_futex, (int[]){1}, 0x80 | 1, 1);
	int id = S(SYS_semget, IPC_PRIVATE, 2, IPC_CREAT | 0600);
	struct sembuf o[2] = {{0, 1, IPC_NOWAIT}, {1, 2, SEM_UNDO}};
	S(SYS_semop, id, o, 2);
	S(SYS_semctl, id, 0, IPC_RMID, 0);
	sigset_t m;
	sigemptyset(&m);
	S(SYS_signalfd4, -1, &m, 8, 02000000);
}

static void processes(void) {
	S(SYS_getresuid, (int[1]){}, (int[1]){}, (int[1]){});
	S(SYS_getresgid, (int[1]){}, (int[1]){}, (int[1]){});
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct c[2];
	S(SYS_capget, &h, c);
	S(SYS_capset, &h, c);
	S(SYS_setrlimit, RLIMIT_CORE, (struct rlimit[]){{0, 0}});
	S(SYS_setrlimit, 77, (struct rlimit[]){{0, 0}});
	char b[8] = {};
	struct iovec l = {b, 5}, r = {"hello", 5};
	S(SYS_process_vm_readv, getpid(), &l, 1, &r, 1, 0);
	S(SYS_process_vm_writev, getpid(), &r, 1, &l, 1, 0);
	S(SYS_tgkill, getpid(), getpid(), 0);
	S(SYS_kill, 999999, SIGKILL);
	S(SYS_seccomp, 2, 0, 0);
	S(SYS_keyctl, 0, -3, 0, 0, 0);
	S(SYS_setns, 99, CLONE_NEWNET);
	S(SYS_pidfd_getfd, 99, 3, 0);
	S(SYS_close_range, 200, 300, 4);
}

static void memory(void) {
	S(SYS_mlockall, MCL_CURRENT | MCL_FUTURE);
	S(SYS_munlockall);
	struct io_uring_params p = {};
	int u = S(SYS_io_uring_setup, 4, &p);
	S(SYS_io_uring_enter, u, 0, 0, 1, 0, 0);
	S(SYS_io_uring_register, u, 5, 0, 0);
}

// mapped connects an IPv6 socket to an IPv4 address, and hands a descriptor to itself.
static void mapped(void) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(45120)};
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	int s = S(SYS_socket, AF_INET, SOCK_STREAM, 0);
	S(SYS_setsockopt, s, SOL_SOCKET, SO_REUSEADDR, (int[]){1}, 4);
	S(SYS_bind, s, &a, sizeof a);
	S(SYS_listen, s, 4);
	struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons(45120)};
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &b.sin6_addr);
	int c = S(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	S(SYS_connect, c, &b, sizeof b);
	int p[2];
	S(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p);
	char room[CMSG_SPACE(4)] = {}, byte = 'x';
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(4);
	memcpy(CMSG_DATA(h), &s, 4);
	S(SYS_sendmsg, p[0], &m, 0);
	m.msg_controllen = sizeof room;
	S(SYS_recvmsg, p[1], &m, 0);
	int got;
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), 4);
	S(SYS_listen, got, 5);
}

static void tracing(void) {
	int p = S(SYS_fork);
	if (!p) {
		S(SYS_pause);
		S(SYS_exit, 0);
	}
	long v = 0;
	S(SYS_ptrace, 0x4206, p, 0, 0x20L); // PTRACE_SEIZE
	S(SYS_ptrace, 0x4207, p, 0, 0);     // PTRACE_INTERRUPT
	S(SYS_wait4, p, 0, __WALL, 0);
	S(SYS_ptrace, 3, p, &v, &v); // PTRACE_PEEKDATA
	S(SYS_ptrace, 7, p, 0, SIGTERM); // PTRACE_CONT
	S(SYS_kill, p, SIGKILL);
	S(SYS_wait4, p, 0, __WALL, 0);
}

int main(void) {
	S(SYS_close_range, 3, ~0u, 0);
	files();
	sockets();
	waiting();
	processes();
	memory();
	mapped();
	tracing();
	return 0;
}

package flags

// Family names the domains of sockets.
var Family = Table{
	{"AF_NFC", 39}, {"AF_ALG", 38}, {"AF_CAIF", 37}, {"AF_IEEE802154", 36}, {"AF_PHONET", 35}, {"AF_ISDN", 34},
	{"AF_RXRPC", 33}, {"AF_IUCV", 32}, {"AF_BLUETOOTH", 31}, {"AF_TIPC", 30}, {"AF_CAN", 29}, {"AF_LLC", 26},
	{"AF_WANPIPE", 25}, {"AF_PPPOX", 24}, {"AF_IRDA", 23}, {"AF_SNA", 22}, {"AF_RDS", 21}, {"AF_ATMSVC", 20},
	{"AF_ECONET", 19}, {"AF_ASH", 18}, {"AF_PACKET", 17}, {"AF_ROUTE", 16}, {"AF_NETLINK", 16}, {"AF_KEY", 15},
	{"AF_SECURITY", 14}, {"AF_NETBEUI", 13}, {"AF_DECnet", 12}, {"AF_ROSE", 11}, {"AF_INET6", 10}, {"AF_X25", 9},
	{"AF_ATMPVC", 8}, {"AF_BRIDGE", 7}, {"AF_NETROM", 6}, {"AF_APPLETALK", 5}, {"AF_IPX", 4}, {"AF_AX25", 3},
	{"AF_INET", 2}, {"AF_LOCAL", 1}, {"AF_UNIX", 1}, {"AF_UNSPEC", 0},
}

// Shutdown names the ways to shut a socket down.
var Shutdown = Table{{"SHUT_RDWR", 2}, {"SHUT_WR", 1}, {"SHUT_RD", 0}}

// SockLevel and SockOption name levels and options of getsockopt and setsockopt.
var (
	SockLevel  = Table{{"SOL_SOCKET", 1}, {"SOL_TCP", 2}, {"UNKNOWN", 0}}
	SockOption = Table{
		{"SO_COOKIE", 53}, {"SO_MEMINFO", 52}, {"SO_PEERGROUPS", 51}, {"SO_ATTACH_BPF", 50}, {"SO_INCOMING_CPU", 49},
		{"SO_BPF_EXTENSIONS", 48}, {"SO_MAX_PACING_RATE", 47}, {"SO_BUSY_POLL", 46}, {"SO_SELECT_ERR_QUEUE", 45},
		{"SO_LOCK_FILTER", 44}, {"SO_NOFCS", 43}, {"SO_PEEK_OFF", 42}, {"SO_WIFI_STATUS", 41}, {"SO_RXQ_OVFL", 40},
		{"SO_DOMAIN", 39}, {"SO_PROTOCOL", 38}, {"SO_TIMESTAMPING", 37}, {"SO_MARK", 36}, {"SO_TIMESTAMPNS", 35},
		{"SO_PASSSEC", 34}, {"SO_PEERSEC", 31}, {"SO_ACCEPTCONN", 30}, {"SO_TIMESTAMP", 29}, {"SO_PEERNAME", 28},
		{"SO_DETACH_FILTER", 27}, {"SO_ATTACH_FILTER", 26}, {"SO_BINDTODEVICE", 25}, {"SO_SECURITY_ENCRYPTION_NETWORK", 24},
		{"SO_SECURITY_ENCRYPTION_TRANSPORT", 23}, {"SO_SECURITY_AUTHENTICATION", 22}, {"SO_SNDTIMEO", 21},
		{"SO_RCVTIMEO", 20}, {"SO_SNDLOWAT", 19}, {"SO_RCVLOWAT", 18}, {"SO_PEERCRED", 17}, {"SO_PASSCRED", 16},
		{"SO_REUSEPORT", 15}, {"SO_BSDCOMPAT", 14}, {"SO_LINGER", 13}, {"SO_PRIORITY", 12}, {"SO_NO_CHECK", 11},
		{"SO_OOBINLINE", 10}, {"SO_KEEPALIVE", 9}, {"SO_RCVBUFFORCE", 33}, {"SO_SNDBUFFORCE", 32}, {"SO_RCVBUF", 8},
		{"SO_SNDBUF", 7}, {"SO_BROADCAST", 6}, {"SO_DONTROUTE", 5}, {"SO_ERROR", 4}, {"SO_TYPE", 3}, {"SO_REUSEADDR", 2},
		{"SO_DEBUG", 1}, {"UNKNOWN", 0},
	}
)

// Kernel numbers of levels.
const (
	kernelSolSocket = 1
	kernelSolTCP    = 6
)

// FromSockLevel is Falco's number for a level of socket options: it knows SOL_SOCKET and SOL_TCP.
func FromSockLevel(v uint64) uint64 {
	return lookup([]pair{{kernelSolSocket, 1}, {kernelSolTCP, 2}}, v&0xffffffff, 0)
}

// FromSockOption is Falco's number for an option: it knows those of SOL_SOCKET, whose numbers up to 53 are the kernel's
// but for the 64-bit times, 66 and 67.
func FromSockOption(level, v uint64) uint64 {
	v &= 0xffffffff
	switch {
	case level&0xffffffff != kernelSolSocket:
		return 0
	case v == 66 || v == 67:
		return v - 46
	case v == 63 || v == 64:
		return map[uint64]uint64{63: 29, 64: 35}[v]
	case v == 65:
		return 37
	case v > 53:
		return 0
	}
	return v
}

// Semaphores: flags of semop and semget, commands of semctl.
var (
	Semop  = Table{{"IPC_NOWAIT", 1}, {"SEM_UNDO", 2}}
	Semget = Table{{"IPC_EXCL", 1 << 14}, {"IPC_CREAT", 1 << 13}}
	Semctl = Table{
		{"IPC_STAT", 1 << 0}, {"IPC_SET", 1 << 1}, {"IPC_RMID", 1 << 2}, {"IPC_INFO", 1 << 3}, {"SEM_INFO", 1 << 4},
		{"SEM_STAT", 1 << 5}, {"GETALL", 1 << 6}, {"GETNCNT", 1 << 7}, {"GETPID", 1 << 8}, {"GETVAL", 1 << 9},
		{"GETZCNT", 1 << 10}, {"SETALL", 1 << 11}, {"SETVAL", 1 << 12},
	}

	semctlPairs = []pair{
		{2, 1 << 0}, {1, 1 << 1}, {0, 1 << 2}, {3, 1 << 3}, {19, 1 << 4}, {18, 1 << 5}, {13, 1 << 6}, {14, 1 << 7}, {11, 1 << 8},
		{12, 1 << 9}, {15, 1 << 10}, {17, 1 << 11}, {16, 1 << 12},
	}
)

// FromSemop is Falco's number for the flags of a semaphore operation.
func FromSemop(v uint64) uint64 { return convert([]pair{{0o4000, 1}, {0x1000, 2}}, v) }

// FromSemget is Falco's number for the flags of semget; the permissions stay.
func FromSemget(v uint64) uint64 {
	return convert([]pair{{0o1000, 1 << 13}, {0o2000, 1 << 14}}, v) | v&0o777
}

// FromSemctl is Falco's number for a command of semctl.
func FromSemctl(v uint64) uint64 { return lookup(semctlPairs, v&0xffff, 0) }

// Futex names operations.
var Futex = Table{
	{"FUTEX_CLOCK_REALTIME", 256}, {"FUTEX_PRIVATE_FLAG", 128}, {"FUTEX_CMP_REQUEUE_PI", 12}, {"FUTEX_WAIT_REQUEUE_PI", 11},
	{"FUTEX_WAKE_BITSET", 10}, {"FUTEX_WAIT_BITSET", 9}, {"FUTEX_TRYLOCK_PI", 8}, {"FUTEX_UNLOCK_PI", 7},
	{"FUTEX_LOCK_PI", 6}, {"FUTEX_WAKE_OP", 5}, {"FUTEX_CMP_REQUEUE", 4}, {"FUTEX_REQUEUE", 3}, {"FUTEX_FD", 2},
	{"FUTEX_WAKE", 1}, {"FUTEX_WAIT", 0},
}

// Poll names the events of poll.
var Poll = Table{
	{"POLLIN", 1 << 0}, {"POLLPRI", 1 << 1}, {"POLLOUT", 1 << 2}, {"POLLRDHUP", 1 << 3}, {"POLLERR", 1 << 4},
	{"POLLHUP", 1 << 5}, {"POLLNVAL", 1 << 6}, {"POLLRDNORM", 1 << 7}, {"POLLRDBAND", 1 << 8}, {"POLLWRNORM", 1 << 9},
	{"POLLWRBAND", 1 << 10},
}

// FromPoll is Falco's number for the events of poll.
func FromPoll(v uint64) uint64 {
	return convert([]pair{
		{0x1, 1 << 0}, {0x2, 1 << 1}, {0x4, 1 << 2}, {0x2000, 1 << 3}, {0x8, 1 << 4}, {0x10, 1 << 5}, {0x20, 1 << 6},
		{0x40, 1 << 7}, {0x80, 1 << 8}, {0x100, 1 << 9}, {0x200, 1 << 10},
	}, v)
}

// io_uring: flags and features of setup, flags of enter, operations of register. The numbers are Falco's.
var (
	UringSetup = Table{
		{"IORING_SETUP_IOPOLL", 1 << 0}, {"IORING_SETUP_SQPOLL", 1 << 1}, {"IORING_SQ_NEED_WAKEUP", 1 << 2},
		{"IORING_SETUP_SQ_AFF", 1 << 3}, {"IORING_SETUP_CQSIZE", 1 << 4}, {"IORING_SETUP_CLAMP", 1 << 5},
		{"IORING_SETUP_ATTACH_RW", 1 << 6}, {"IORING_SETUP_R_DISABLED", 1 << 7},
	}
	UringFeature = Table{
		{"IORING_FEAT_SINGLE_MMAP", 1 << 0}, {"IORING_FEAT_NODROP", 1 << 1}, {"IORING_FEAT_SUBMIT_STABLE", 1 << 2},
		{"IORING_FEAT_RW_CUR_POS", 1 << 3}, {"IORING_FEAT_CUR_PERSONALITY", 1 << 4}, {"IORING_FEAT_FAST_POLL", 1 << 5},
		{"IORING_FEAT_POLL_32BITS", 1 << 6}, {"IORING_FEAT_SQPOLL_NONFIXED", 1 << 7}, {"IORING_FEAT_ENTER_EXT_ARG", 1 << 8},
		{"IORING_FEAT_NATIVE_WORKERS", 1 << 9}, {"IORING_FEAT_RSRC_TAGS", 1 << 10},
	}
	UringEnter = Table{
		{"IORING_ENTER_GETEVENTS", 1}, {"IORING_ENTER_SQ_WAKEUP", 2}, {"IORING_ENTER_SQ_WAIT", 4}, {"IORING_ENTER_EXT_ARG", 8},
	}
	UringRegister = Table{
		{"IORING_REGISTER_BUFFERS", 1}, {"IORING_UNREGISTER_BUFFERS", 2}, {"IORING_REGISTER_FILES", 3},
		{"IORING_UNREGISTER_FILES", 4}, {"IORING_REGISTER_EVENTFD", 5}, {"IORING_UNREGISTER_EVENTFD", 6},
		{"IORING_REGISTER_FILES_UPDATE", 7}, {"IORING_REGISTER_EVENTFD_ASYNC", 8}, {"IORING_REGISTER_PROBE", 9},
		{"IORING_REGISTER_PERSONALITY", 10}, {"IORING_UNREGISTER_PERSONALITY", 11}, {"IORING_REGISTER_RESTRICTIONS", 12},
		{"IORING_REGISTER_ENABLE_RINGS", 13}, {"IORING_REGISTER_FILES2", 14}, {"IORING_REGISTER_FILES_UPDATE2", 15},
		{"IORING_REGISTER_BUFFERS2", 16}, {"IORING_REGISTER_BUFFERS_UPDATE", 17}, {"IORING_REGISTER_IOWQ_AFF", 18},
		{"IORING_UNREGISTER_IOWQ_AFF", 19}, {"IORING_REGISTER_IOWQ_MAX_WORKERS", 20}, {"IORING_REGISTER_RING_FDS", 21},
		{"IORING_UNREGISTER_RING_FDS", 22},
	}
)

// FromUringSetup is Falco's number for the flags of io_uring_setup.
func FromUringSetup(v uint64) uint64 {
	return convert([]pair{{1, 1}, {2, 2}, {4, 8}, {8, 16}, {16, 32}, {32, 64}, {64, 128}}, v)
}

// FromUringFeature is Falco's number for the features that io_uring_setup answers: those it knows.
func FromUringFeature(v uint64) uint64 { return v & 0x7ff }

// FromUringEnter is Falco's number for the flags of io_uring_enter: those it knows.
func FromUringEnter(v uint64) uint64 { return v & 0xf }

// FromUringRegister is Falco's number for an operation of io_uring_register, which counts from 1.
func FromUringRegister(v uint64) uint64 {
	if v >= 22 {
		return 0
	}
	return v + 1
}

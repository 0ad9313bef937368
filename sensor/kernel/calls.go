//go:build linux

package kernel

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/sensor/bpf"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// Operations on an argument, by the word that stands for them in callsText; enum op of sensor/bpf/capture.h.
var operations = map[string]uint8{
	"-": 0, "path": 1, "string": 2, "fd": 3, "dirfd": 4, "addr": 5, "addr-out": 6, "read": 7, "write": 8, "value-out": 9,
	"readv": 10, "writev": 11, "recvmsg": 12, "sendmsg": 13, "mmsg": 14, "in": 15, "out": 16, "fds": 17, "argv": 18,
	"env": 19, "poll": 20,
}

// callsText says what is captured of each system call beside registers, result and task: a word for each argument, and
// "=fd" where the result is a descriptor. in:N and out:N are structs of N bytes, given and returned. Calls that are
// not listed have plain numbers as arguments. The layouts are those of the 64-bit calls.
const callsText = `
open path =fd
openat dirfd path =fd
openat2 dirfd path in:24 =fd
creat path =fd
open_by_handle_at fd in:8 =fd
name_to_handle_at dirfd path
open_tree dirfd path =fd
open_tree_attr dirfd path =fd
close
close_range
read fd read
pread64 fd read
readv fd readv
preadv fd readv
preadv2 fd readv
write fd write
pwrite64 fd write
writev fd writev
pwritev fd writev
pwritev2 fd writev
vmsplice fd writev
splice fd out:8 fd out:8
tee fd fd
sendfile fd fd in:8
sendfile64 fd fd in:8
copy_file_range fd in:8 fd in:8
lseek fd
_llseek fd - - out:8
dup fd =fd
dup2 fd - =fd
dup3 fd - =fd
fcntl fd - in:32
fcntl64 fd - in:32
flock fd
fsync fd
fdatasync fd
ftruncate fd
truncate path
fallocate fd
fadvise64 fd
readahead fd
sync_file_range fd
syncfs fd
ioctl fd - in:16
getdents fd
getdents64 fd
fstat fd
fstatfs fd
stat path
lstat path
stat64 path
lstat64 path
fstat64 fd
newfstatat dirfd path
fstatat64 dirfd path
statx dirfd path
statfs path
statfs64 path
access path
faccessat dirfd path
faccessat2 dirfd path
readlink path string
readlinkat dirfd path string
chdir path
fchdir fd
chroot path
getcwd string
mkdir path
mkdirat dirfd path
rmdir path
unlink path
unlinkat dirfd path
rename path path
renameat dirfd path dirfd path
renameat2 dirfd path dirfd path
link path path
linkat dirfd path dirfd path
symlink string path
symlinkat string dirfd path
mknod path
mknodat dirfd path
chmod path
fchmod fd
fchmodat dirfd path
fchmodat2 dirfd path
chown path
lchown path
fchown fd
fchownat dirfd path
utime path in:16
utimes path in:32
futimesat dirfd path in:32
utimensat dirfd path in:32
setxattr path string write
lsetxattr path string write
fsetxattr fd string write
getxattr path string read
lgetxattr path string read
fgetxattr fd string read
listxattr path read
llistxattr path read
flistxattr fd read
removexattr path string
lremovexattr path string
fremovexattr fd string
setxattrat dirfd path - string
getxattrat dirfd path - string
listxattrat dirfd path
removexattrat dirfd path - string
file_getattr dirfd path
file_setattr dirfd path
mount string path string - string
umount path
umount2 path
pivot_root path path
fsopen string =fd
fspick dirfd path =fd
fsconfig fd - string string
fsmount fd =fd
move_mount dirfd path dirfd path
mount_setattr dirfd path - in:32
statmount in:32
listmount in:32
swapon path
swapoff path
acct path
quotactl - path - out:72
quotactl_fd fd - - out:72
uselib path
inotify_init =fd
inotify_init1 =fd
inotify_add_watch fd path
inotify_rm_watch fd
fanotify_init =fd
fanotify_mark fd - - dirfd path
epoll_create =fd
epoll_create1 =fd
epoll_ctl fd - fd in:12
epoll_wait fd
epoll_pwait fd
epoll_pwait2 fd
poll poll
ppoll poll - in:16 in:8
select
eventfd =fd
eventfd2 =fd
signalfd fd in:8 =fd
signalfd4 fd in:8 =fd
timerfd_create =fd
timerfd_settime fd - in:32
timerfd_gettime fd - out:32
userfaultfd =fd
memfd_create string =fd
memfd_secret =fd
pidfd_open =fd
pidfd_getfd fd =fd
pidfd_send_signal fd - in:16
io_uring_setup - in:120 =fd
io_uring_enter fd - - - in:8
io_uring_register fd
io_setup
bpf - in:72
perf_event_open in:64 =fd
seccomp - - in:16
prctl - string
ptrace - - - in:8
keyctl - string string
add_key string string write
request_key string string string
socket =fd
socketpair - - - fds
bind fd addr
connect fd addr
listen fd
accept fd addr-out =fd
accept4 fd addr-out =fd
shutdown fd
getsockname fd addr-out
getpeername fd addr-out
setsockopt fd - - write
getsockopt fd - - value-out out:4
send fd write
sendto fd write - - addr
sendmsg fd sendmsg
sendmmsg fd mmsg
recv fd read
recvfrom fd read - - addr-out
recvmsg fd recvmsg
recvmmsg fd mmsg
process_vm_readv - readv
process_vm_writev - writev
pipe fds
pipe2 fds
clone
clone3 in:88
fork
vfork
execve path argv env
execveat dirfd path argv env
setns fd
getrlimit - out:16
setrlimit - in:16
prlimit64 - - in:16 out:16
getrusage - out:32
nanosleep in:16
clock_nanosleep - - in:16
futex
semop - in:12
semtimedop - in:12 - in:16
capget in:8 out:24
capset in:8 in:24
getresuid out:4 out:4 out:4
getresgid out:4 out:4 out:4
rt_sigqueueinfo - - in:32
rt_tgsigqueueinfo - - - in:32
sethostname string
setdomainname string
init_module write - string
finit_module fd string
delete_module string
kexec_load
kexec_file_load fd fd - string
sched_setattr - in:56
sched_setscheduler - - in:4
sched_setparam - in:4
wait4 - out:4
waitid - - out:32
mmap - - - - fd
mmap2 - - - - fd
mq_open string =fd
mq_unlink string
mq_timedsend fd write
mq_timedreceive fd read
settimeofday in:16
clock_settime - in:16
adjtimex in:24
landlock_create_ruleset in:24 =fd
landlock_add_rule fd
landlock_restrict_self fd
lsm_set_self_attr
syslog
cachestat fd
umount2 path
`

// describeCalls makes the kernel's table: one description for each system call of both numberings.
func describeCalls() ([raw.MaxNr]bpf.SensorCall, error) {
	var table [raw.MaxNr]bpf.SensorCall
	byName := map[string]bpf.SensorCall{}
	for line := range strings.Lines(strings.TrimSpace(callsText)) {
		words := strings.Fields(line)
		call, err := describeCall(words[1:])
		if err != nil {
			return table, fmt.Errorf("call %s: %w", words[0], err)
		}
		switch words[0] {
		case "clone", "clone3", "fork", "vfork", "execve", "execveat":
			call.Flags = notZero
		case "close":
			call.Flags = atEntry
		}
		byName[words[0]] = call
	}
	for nr := range int32(raw.CompatBase) {
		table[nr] = byName[raw.Name(nr)]
		if name := raw.CompatName(nr); name != "" {
			call, ok := byName[name]
			if !ok {
				call = byName[raw.Name(raw.FromCompat(nr))]
			}
			table[raw.CompatBase+nr] = call
		}
	}
	return table, nil
}

func describeCall(words []string) (bpf.SensorCall, error) {
	var call bpf.SensorCall
	for i, word := range words {
		if word == "=fd" {
			call.RetFd = 1
			continue
		}
		name, size, sized := strings.Cut(word, ":")
		op, ok := operations[name]
		if !ok || i >= len(call.Op) {
			return call, fmt.Errorf("argument %d: unknown operation %q", i, word)
		}
		call.Op[i] = op
		if sized {
			n, err := strconv.ParseUint(size, 10, 8)
			if err != nil {
				return call, fmt.Errorf("argument %d: size of %q: %w", i, word, err)
			}
			call.Size[i] = uint8(n)
		}
	}
	return call, nil
}

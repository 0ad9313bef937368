package simulate

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// operations is what a program can do, by name.
var operations = map[string]func(args []string) error{
	"read":     func(a []string) error { return withFile(a[0], unix.O_RDONLY) },
	"write":    func(a []string) error { return withFile(a[0], unix.O_WRONLY|unix.O_CREAT) },
	"truncate": func(a []string) error { return withFile(a[0], unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC) },
	"mkdir":    func(a []string) error { return unix.Mkdir(a[0], 0o755) },
	"rmdir":    func(a []string) error { return unix.Rmdir(a[0]) },
	"rename":   func(a []string) error { return unix.Rename(a[0], a[1]) },
	"unlink":   func(a []string) error { return unix.Unlink(a[0]) },
	"symlink":  func(a []string) error { return unix.Symlink(a[0], a[1]) },
	"link":     func(a []string) error { return unix.Link(a[0], a[1]) },
	"chmod":    chmod,
	"wait":     wait,
	"drop":     drop,
	"exec":     func(a []string) error { return exec.Command(a[0], a[1:]...).Run() },
	"run":      run,
	"memfd":    memfd,
	"setuid":   setuid,
	"attach":   func([]string) error { return attach() },
	"traceme":  func([]string) error { return traceMe() },
	"setns":    func([]string) error { return setns() },
	"unshare":  func([]string) error { return refused(unix.Unshare(unix.CLONE_NEWUTS), unix.EPERM) },
	"userfaultfd": func([]string) error {
		return tried(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	},
	"bpf":     func([]string) error { return loadBPF() },
	"module":  func([]string) error { return refused(unix.FinitModule(-1, "", 0), unix.EBADF, unix.ENOSYS, unix.EPERM) },
	"packet":  func([]string) error { return packet() },
	"connect": func(a []string) error { return withConn("tcp", a[0], nil) },
	"udp":     func(a []string) error { return withConn("udp", a[0], nil) },
	"listen":  func(a []string) error { return listen(a[0]) },
	"receive": func(a []string) error { return withConn("tcp", a[0], receive) },
	"reopen":  func(a []string) error { return reopen(a[0]) },
	"streams": func(a []string) error { return withConn("tcp", a[0], streams) },
	"mount":   func([]string) error { return mountCgroup() },
}

// withFile opens a file, reads or writes a byte, and closes it.
func withFile(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if flags&unix.O_WRONLY != 0 {
		_, err = unix.Write(fd, []byte("#"))
	} else {
		_, err = unix.Read(fd, make([]byte, 1))
	}
	return err
}

func chmod(a []string) error {
	mode, err := strconv.ParseUint(a[1], 8, 32)
	if err != nil {
		return err
	}
	return unix.Chmod(a[0], uint32(mode))
}

func wait(a []string) error {
	d, err := time.ParseDuration(a[0])
	time.Sleep(d)
	return err
}

// drop writes an executable that does nothing.
func drop(a []string) error {
	program, err := tinyProgram(runtime.GOARCH)
	if err != nil {
		return err
	}
	return os.WriteFile(a[0], program, 0o755)
}

// run runs a program of the system; what it finds, and whether it finds anything, does not matter.
func run(a []string) error {
	var exit *exec.ExitError
	if err := exec.Command(a[0], a[1:]...).Run(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// memfd runs an executable that has no file.
func memfd(a []string) error {
	program, err := tinyProgram(runtime.GOARCH)
	if err != nil {
		return err
	}
	made, err := unix.MemfdCreate(a[0], unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	// The program is named for the number, so it is a known one.
	if err := unix.Dup3(made, memfdNumber, unix.O_CLOEXEC); err != nil {
		return err
	}
	f := os.NewFile(memfdNumber, a[0])
	defer f.Close()
	if _, err := f.Write(program); err != nil {
		return err
	}
	return exec.Command("/proc/self/fd/" + strconv.Itoa(memfdNumber)).Run()
}

// setuid changes the user of this thread alone, which is the kernel's call and not the C library's.
func setuid(a []string) error {
	uid, err := strconv.Atoi(a[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	return tried(unix.SYS_SETUID, uintptr(uid), 0, 0)
}

// attach traces a child of its own, lets it go and ends it.
func attach() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	victim := exec.Command(selfFile)
	victim.Env = []string{roleVariable + "=" + rolePause}
	in, err := victim.StdinPipe() // it ends when this end is closed, if nothing else ends it
	if err != nil {
		return err
	}
	defer in.Close()
	if err := victim.Start(); err != nil {
		return err
	}
	pid := victim.Process.Pid
	err = unix.PtraceAttach(pid)
	if err == nil {
		var status unix.WaitStatus
		if _, err = unix.Wait4(pid, &status, unix.WALL, nil); err == nil && status.Stopped() {
			err = unix.PtraceDetach(pid)
		}
	}
	_ = victim.Process.Kill()
	_ = victim.Wait()
	return err
}

// traceMe has the parent trace this process and ends at once: any signal would stop it, and the parent does not look.
func traceMe() error {
	runtime.LockOSThread()
	if _, _, errno := unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0); errno != 0 {
		return errno
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	return errno
}

// setns enters the namespace that this process is in.
func setns() error {
	runtime.LockOSThread()
	fd, err := unix.Open("/proc/self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, unix.CLONE_NEWUTS)
}

// tried makes a system call that is meant to be seen, whatever comes of it; a descriptor that it gives is closed with
// the process.
func tried(nr, a, b, c uintptr) error {
	_, _, errno := unix.Syscall(nr, a, b, c)
	if errno == unix.ENOSYS {
		return errno
	}
	return nil
}

// refused is no error for the outcome that a harmless attempt should have.
func refused(err error, allowed ...error) error {
	for _, a := range allowed {
		if errors.Is(err, a) {
			return nil
		}
	}
	return err
}

// loadBPF loads "r0 = 0; exit" as a socket filter, and drops it.
func loadBPF() error {
	code := [2]uint64{0xb7, 0x95} // BPF_MOV64_IMM r0,0; BPF_EXIT (linux/bpf.h)
	license := []byte("GPL\x00")
	attr := struct { // the beginning of union bpf_attr, for BPF_PROG_LOAD
		kind, count       uint32
		insns, license    uint64
		logLevel, logSize uint32
		logBuf            uint64
		version, flags    uint32
	}{kind: unix.BPF_PROG_TYPE_SOCKET_FILTER, count: 2, insns: uint64(uintptr(unsafe.Pointer(&code))), license: uint64(uintptr(unsafe.Pointer(&license[0])))}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(&code)
	runtime.KeepAlive(license)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

func packet() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// withConn connects, does something with the connection's descriptor, and writes a byte.
func withConn(network, address string, do func(fd int) error) error {
	c, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	defer c.Close()
	if do == nil {
		_, err = c.Write([]byte("\n"))
		return refused(err, unix.EPIPE, unix.ECONNRESET, unix.ECONNREFUSED)
	}
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	defer f.Close()
	return do(int(f.Fd()))
}

// streams makes a connection the standard input and output.
func streams(fd int) error {
	return errors.Join(unix.Dup3(fd, 0, 0), unix.Dup3(fd, 1, 0))
}

// mountCgroup mounts the control groups, read-only, in a namespace that nobody else is in.
func mountCgroup() error {
	const dir = "/tmp/eyrie-simulate"
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return unix.Mount("cgroup2", dir, "cgroup2", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NOEXEC, "")
}

// listen opens a socket for connections and closes it.
func listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// receive reads what the action's own server says first.
func receive(fd int) error {
	if err := unix.SetNonblock(fd, false); err != nil {
		return err
	}
	_, _, err := unix.Recvfrom(fd, make([]byte, 16), 0)
	return err
}

// reopen opens a file by one of this process's descriptors.
func reopen(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return withFile("/proc/self/fd/"+strconv.Itoa(fd), unix.O_WRONLY)
}

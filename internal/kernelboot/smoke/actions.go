package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// action provokes one rule of smoke.yaml. It is done by the init itself or by a child (see child).
type action struct {
	rule   string
	do     func() error
	fields map[string]string // of the alert: a value, or the beginning of one that ends in *
}

var actions = []action{
	{"read a secret", in("read"), map[string]string{"fd.name": "/etc/shadow", "proc.name": "exe", "proc.pname": "init", "user.name": "root", "container.id": "host"}},
	{"write below etc", in("write"), map[string]string{"fd.name": "/etc/smoke", "evt.type": "openat"}},
	{"program started", in("nothing"), map[string]string{"proc.exepath": "/init", "proc.cmdline": "exe nothing"}},
	{"program from tmp", func() error { return errors.Join(copySelf("/tmp/evil"), exec.Command("/tmp/evil", "nothing").Run()) },
		map[string]string{"proc.exepath": "/tmp/evil", "proc.name": "evil", "proc.pname": "init"}},
	{"directory below bin", in("mkdir"), map[string]string{"evt.arg.path": "/bin/.hidden", "proc.name": "exe"}},
	{"renamed", in("rename"), map[string]string{"fs.path.source": "/tmp/a", "fs.path.target": "/tmp/b"}},
	{"unlinked", in("unlink"), map[string]string{"fs.path.name": "/tmp/gone"}},
	{"symlinked", in("symlink"), map[string]string{"evt.arg.target": "/etc/shadow"}},
	{"setuid bit", in("chmod"), map[string]string{"fs.path.name": "/tmp/suid"}},
	{"connected", in("connect"), map[string]string{"fd.sip": "127.0.0.1", "fd.sport": "7777", "fd.l4proto": "tcp"}},
	{"accepted", in("accept"), map[string]string{"fd.type": "ipv4"}},
	{"user changed", in("setuid"), map[string]string{"evt.arg.ruid": "*"}},
	{"traced", in("ptrace"), map[string]string{"evt.arg.request": "PTRACE_TRACEME"}},
	{"memfd", in("memfd"), nil},
	{"container", container, map[string]string{"container.id": "0123456789ab", "fd.name": "/etc/shadow"}},
}

func in(thing string) func() error { return func() error { return self(thing) } }

// lacks names a field of the alert that is not as it should be.
func (a *action) lacks(fields map[string]any) string {
	for name, want := range a.fields {
		got := fmt.Sprint(fields[name])
		start, open := strings.CutSuffix(want, "*")
		if fields[name] == nil || got != want && !(open && strings.HasPrefix(got, start)) {
			return fmt.Sprintf("%s %q", name, want)
		}
	}
	return ""
}

// child is what this program does when it is started with an argument.
func child(thing string) error {
	switch thing {
	case "nothing":
		return nil
	case "read":
		_, err := os.ReadFile("/etc/shadow")
		return err
	case "write":
		return os.WriteFile("/etc/smoke", []byte("x"), 0o644)
	case "mkdir":
		return unix.Mkdir("/bin/.hidden", 0o755)
	case "rename":
		return errors.Join(os.WriteFile("/tmp/a", nil, 0o600), unix.Rename("/tmp/a", "/tmp/b"))
	case "unlink":
		return errors.Join(os.WriteFile("/tmp/gone", nil, 0o600), unix.Unlink("/tmp/gone"))
	case "symlink":
		return unix.Symlink("/etc/shadow", "/tmp/link")
	case "chmod":
		return errors.Join(os.WriteFile("/tmp/suid", nil, 0o600), unix.Chmod("/tmp/suid", 0o4755))
	case "connect", "accept":
		return loopback()
	case "setuid":
		return unix.Setresuid(65534, 65534, 65534)
	case "ptrace":
		return traced()
	case "memfd":
		_, err := unix.MemfdCreate("smoke", 0)
		return err
	case "in-container":
		return inContainer()
	}
	return fmt.Errorf("no such thing: %s", thing)
}

// loopback brings the loopback interface up, listens, connects and accepts.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:7777")
	if err != nil {
		return err
	}
	defer l.Close()
	failed := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		failed <- err
	}()
	c, err := net.Dial("tcp4", "127.0.0.1:7777")
	if err != nil {
		return err
	}
	return errors.Join(c.Close(), <-failed)
}

func traced() error {
	_, _, errno := unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// container starts a child in namespaces and a cgroup of its own, named as container runtimes do.
func container() error {
	id := strings.Repeat("0123456789abcdef", 4)
	dir := filepath.Join("/sys/fs/cgroup/docker", id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// The child enters the cgroup before it starts, so that its first event has it.
	cg, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer cg.Close()
	cmd := own(exec.Command("/proc/self/exe", "in-container"))
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(cg.Fd())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func inContainer() error {
	if os.Getpid() != 1 {
		return fmt.Errorf("process %d, want to be the first of its namespace", os.Getpid())
	}
	_, err := os.ReadFile("/etc/shadow")
	return err
}

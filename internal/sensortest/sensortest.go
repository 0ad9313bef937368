// Package sensortest is for tests that need the live kernel: it says whether the sensor can run here and why not, and runs
// programs in containers by runc. A test that cannot run is skipped with what is missing; with EYRIE_REQUIRE_ALL set it
// fails instead. Nothing it starts outlives the test.
package sensortest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Need skips the test where the kernel cannot be watched by this process.
func Need(t testing.TB) {
	t.Helper()
	switch {
	case os.Geteuid() != 0:
		lack(t, "needs root: run the tests with sudo")
	case exists("/sys/kernel/btf/vmlinux") != nil:
		lack(t, "needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF)")
	case raw() != nil:
		lack(t, fmt.Sprintf("needs the system call bpf: %v", raw()))
	}
}

// NeedProgram skips the test where a program is not there, which a Debian package has.
func NeedProgram(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		lack(t, fmt.Sprintf("needs %s (Debian package %s)", name, pkg))
	}
	return path
}

func lack(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func exists(path string) error {
	_, err := os.Stat(path)
	return err
}

// raw asks for a descriptor of a BPF map that does not exist: the answer tells whether the call is allowed at all.
func raw() error {
	const getFDByID = 14 // BPF_MAP_GET_FD_BY_ID
	attr := [4]uint32{0xffffffff}
	_, _, errno := unix.Syscall(unix.SYS_BPF, getFDByID, addressOf(&attr), 16)
	if errno == unix.ENOSYS || errno == unix.EPERM {
		return errno
	}
	return nil
}

var containers atomic.Int64

// Container is a container of runc's with namespaces of its own and the programs of the host.
type Container struct {
	ID string // 64 hexadecimal digits

	t      testing.TB
	runc   string
	bundle string
	config map[string]any
}

// NewContainer makes a bundle: a root directory with files (paths with their content) and the host's programs.
func NewContainer(t testing.TB, files map[string]string) *Container {
	t.Helper()
	c := &Container{t: t, runc: NeedProgram(t, "runc", "runc"), bundle: t.TempDir()}
	c.ID = fmt.Sprintf("%064x", uint64(os.Getpid())<<16|uint64(containers.Add(1)))
	c.ID = "e7e1e" + c.ID[5:]
	for path, content := range files {
		name := filepath.Join(c.bundle, "rootfs", path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	type object = map[string]any
	mounts := []object{{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755"}}}
	for _, dir := range []string{"/bin", "/lib", "/lib64", "/usr"} {
		if exists(dir) == nil {
			mounts = append(mounts, object{"destination": dir, "type": "bind", "source": dir, "options": []string{"rbind", "ro"}})
		}
	}
	var namespaces []object
	for _, kind := range []string{"pid", "mount", "network", "cgroup", "uts", "ipc"} {
		namespaces = append(namespaces, object{"type": kind})
	}
	c.config = object{
		"ociVersion": "1.0.2", "root": object{"path": "rootfs"}, "mounts": mounts,
		"linux": object{"cgroupsPath": "/docker/" + c.ID, "namespaces": namespaces},
	}
	return c
}

// Run runs a program in the container and waits for its end. Args[0] is its path.
func (c *Container) Run(ctx context.Context, args ...string) error {
	c.t.Helper()
	c.config["process"] = map[string]any{"user": map[string]any{"uid": 0, "gid": 0}, "args": args, "env": []string{"PATH=/usr/bin:/bin"}, "cwd": "/"}
	text, err := json.Marshal(c.config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.bundle, "config.json"), text, 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, c.runc, "--root", filepath.Join(c.bundle, "state"), "run", "--bundle", c.bundle, "c"+c.ID[40:]).CombinedOutput()
	if err != nil {
		return fmt.Errorf("runc: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

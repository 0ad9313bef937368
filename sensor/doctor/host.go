package doctor

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eyrie-sec/eyrie/sensor/abi"

	"github.com/eyrie-sec/eyrie/sensor/container"
)

// host is where to look; tests give another root.
type host struct {
	root string
}

func (h host) read(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(h.root, path))
	return strings.TrimSpace(string(b)), err
}

// The oldest kernel: BPF ring buffers are there since Linux 5.8.
const oldestMajor, oldestMinor = 5, 8

func system(_ context.Context, h host) []Check {
	const area = "System"
	var checks []Check
	release, err := h.read("/proc/sys/kernel/osrelease")
	major, minor := kernelVersion(release)
	switch {
	case err != nil:
		checks = append(checks, problem(area, "kernel", err.Error(), "mount /proc"))
	case major < oldestMajor || major == oldestMajor && minor < oldestMinor:
		checks = append(checks, problem(area, "kernel", "Linux "+release, "use Linux 5.8 or newer (Debian 11, Ubuntu 22.04, RHEL 9, Amazon Linux 2023), or send alerts from Falco"))
	default:
		checks = append(checks, ok(area, "kernel", "Linux "+release))
	}
	switch runtime.GOARCH {
	case "amd64", "arm64":
		checks = append(checks, ok(area, "processor", runtime.GOARCH))
	default:
		checks = append(checks, problem(area, "processor", runtime.GOARCH, "the sensor is built for amd64 and arm64"))
	}
	const btf = "/sys/kernel/btf/vmlinux"
	if info, err := os.Stat(filepath.Join(h.root, btf)); err != nil {
		checks = append(checks, problem(area, "BTF", btf+" is not there", "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' kernels are; in a container mount /sys"))
	} else {
		checks = append(checks, ok(area, "BTF", fmt.Sprintf("%s, %.1f MB", btf, float64(info.Size())/1e6)))
	}
	if lockdown, err := h.read("/sys/kernel/security/lockdown"); err == nil && strings.Contains(lockdown, "[confidentiality]") {
		checks = append(checks, problem(area, "lockdown", "confidentiality: programs may not read kernel memory", "boot with lockdown=integrity or less (kernel_lockdown(7))"))
	} else {
		checks = append(checks, ok(area, "lockdown", "does not forbid it"))
	}
	return checks
}

// kernelVersion reads "6.1.0-13-amd64". It is 0, 0 where there is no version.
func kernelVersion(release string) (major, minor int) {
	parts := strings.FieldsFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) < 2 {
		return 0, 0
	}
	// Atoi fails on absurd lengths alone, and then the version is unknown.
	major, _ = strconv.Atoi(parts[0])
	minor, _ = strconv.Atoi(parts[1])
	return major, minor
}

// capability is one that the sensor uses, and what for.
type capability struct {
	name string
	bit  int
	need bool
	why  string
}

// The numbers are of linux/capability.h.
var capabilities = []capability{
	{"CAP_BPF", abi.CAP_BPF, true, "to load programs into the kernel"},
	{"CAP_PERFMON", abi.CAP_PERFMON, true, "to attach them to tracepoints and read what they see"},
	{"CAP_SYS_PTRACE", abi.CAP_SYS_PTRACE, false, "to see the executables and namespaces of processes that run already"},
	{"CAP_DAC_READ_SEARCH", abi.CAP_DAC_READ_SEARCH, false, "to read /etc/passwd of containers and the sockets of runtimes"},
}

func rights(_ context.Context, h host) []Check {
	const area = "Rights"
	status, err := h.read("/proc/self/status")
	if err != nil {
		return []Check{problem(area, "capabilities", err.Error(), "mount /proc")}
	}
	set, _ := strconv.ParseUint(statusField(status, "CapEff"), 16, 64)
	admin := set&(1<<abi.CAP_SYS_ADMIN) != 0
	var checks []Check
	for _, c := range capabilities {
		switch has := set&(1<<c.bit) != 0; {
		case has:
			checks = append(checks, ok(area, c.name, "held"))
		case admin && c.need:
			checks = append(checks, ok(area, c.name, "not held; CAP_SYS_ADMIN stands in"))
		case c.need:
			checks = append(checks, problem(area, c.name, "not held; needed "+c.why, "run as root, or give the capability: systemd AmbientCapabilities=, Kubernetes securityContext.capabilities.add"))
		default:
			checks = append(checks, note(area, c.name, "not held; good "+c.why, "give it if you want that"))
		}
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err == nil && lim.Cur < 1024 {
		checks = append(checks, note(area, "open files", fmt.Sprintf("%d", lim.Cur), "raise `ulimit -n` to 1024 or more"))
	} else if err == nil {
		checks = append(checks, ok(area, "open files", fmt.Sprintf("%d", lim.Cur)))
	}
	return checks
}

func statusField(status, name string) string {
	for line := range strings.Lines(status) {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// initPIDNS is the inode number of the first PID namespace (linux/proc_ns.h, PROC_PID_INIT_INO).
const initPIDNS = "pid:[4026531836]"

func surroundings(_ context.Context, h host) []Check {
	const area = "What can be seen"
	var checks []Check
	switch ns, err := os.Readlink(filepath.Join(h.root, "/proc/self/ns/pid")); {
	case err != nil:
		checks = append(checks, note(area, "processes", err.Error(), "mount /proc"))
	case ns != initPIDNS:
		checks = append(checks, note(area, "processes", "this is a PID namespace of its own: processes that run already are not known", "in Kubernetes set hostPID: true; with Docker --pid=host"))
	default:
		checks = append(checks, ok(area, "processes", "those of the host"))
	}
	if mounts, err := h.read("/proc/self/mountinfo"); err == nil && hidesProcesses(mounts) {
		checks = append(checks, note(area, "/proc", "mounted with hidepid", "give CAP_SYS_PTRACE, or the group of the option gid="))
	}
	checks = append(checks, cgroups(h, area))
	return checks
}

func hidesProcesses(mountinfo string) bool {
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) > 5 && fields[4] == "/proc" && strings.Contains(line, "hidepid=") && !strings.Contains(line, "hidepid=0") {
			return true
		}
	}
	return false
}

func cgroups(h host, area string) Check {
	own, err := h.read("/proc/self/cgroup")
	if err != nil {
		return note(area, "control groups", err.Error(), "containers are told apart by their control groups: use a kernel with CONFIG_CGROUPS")
	}
	v1 := 0
	for line := range strings.Lines(own) {
		if !strings.HasPrefix(line, "0::") {
			v1++
		}
	}
	if v1 > 0 {
		return ok(area, "control groups", fmt.Sprintf("version 1, %d hierarchies", v1))
	}
	return ok(area, "control groups", "version 2")
}

// dialWithin is how long a runtime's socket is given.
const dialWithin = 2 * time.Second

func runtimes(ctx context.Context, h host) []Check {
	const area = "Container runtimes"
	var checks []Check
	for _, s := range container.DefaultSockets(h.root) {
		if _, err := os.Stat(s.Path); err != nil {
			continue
		}
		dial, cancel := context.WithTimeout(ctx, dialWithin)
		c, err := (&net.Dialer{}).DialContext(dial, "unix", s.Path)
		cancel()
		if err != nil {
			checks = append(checks, note(area, s.Type, err.Error(), "names and images of its containers will be missing: start it, or let the sensor read its socket"))
			continue
		}
		c.Close()
		checks = append(checks, ok(area, s.Type, s.Path))
	}
	if len(checks) == 0 {
		checks = append(checks, note(area, "none", "no socket of Docker, Podman, containerd or CRI-O", "containers are told apart by their ids alone; in a pod mount /run of the host"))
	}
	return checks
}

func tools(_ context.Context, h host) []Check {
	const area = "For `eyrie simulate`"
	var checks []Check
	if os.Geteuid() == 0 {
		checks = append(checks, ok(area, "user", "root"))
	} else {
		checks = append(checks, note(area, "user", "not root", "run eyrie simulate with sudo"))
	}
	known, err := os.ReadFile(filepath.Join(h.root, "proc/filesystems"))
	if err != nil || !strings.Contains(string(known), "\toverlay\n") {
		return append(checks, note(area, "overlay", "the kernel has no overlay file system (loaded)", "modprobe overlay"))
	}
	return append(checks, ok(area, "overlay", "the kernel has it"))
}

//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const btfFile = "/sys/kernel/btf/vmlinux"

// explain says what a refusal of the kernel means, where that can be found out; else err is returned as it is, with the
// words of the verifier whole.
func explain(err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && !errors.As(err, &verifier):
		if missing := missingCapabilities(); len(missing) > 0 {
			return &Lack{
				"missing " + strings.Join(missing, ", "),
				"run as root, or give the capability (systemd AmbientCapabilities=, Kubernetes securityContext.capabilities.add)", err,
			}
		}
		return &Lack{
			"the kernel does not allow BPF", "look for a seccomp profile or security module that forbids bpf(2), and at " +
				"/sys/kernel/security/lockdown", err,
		}
	case errors.As(err, &verifier):
		return fmt.Errorf("the kernel's verifier refuses our programs; please report this with the kernel's version: %+v", verifier)
	}
	if _, statErr := os.Stat(btfFile); statErr != nil {
		return &Lack{
			"missing " + btfFile, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of distributions are; in a container mount /sys", err,
		}
	}
	if errors.Is(err, ebpf.ErrNotSupported) {
		return &Lack{"this kernel is too old", "Linux 5.8 or newer is needed", err}
	}
	return err
}

// missingCapabilities are those that loading needs. CAP_SYS_ADMIN stands in for both.
func missingCapabilities() []string {
	set, err := effectiveCapabilities()
	if err != nil || set>>unix.CAP_SYS_ADMIN&1 != 0 {
		return nil
	}
	var out []string
	if set>>unix.CAP_BPF&1 == 0 {
		out = append(out, "CAP_BPF")
	}
	if set>>unix.CAP_PERFMON&1 == 0 {
		out = append(out, "CAP_PERFMON")
	}
	return out
}

func effectiveCapabilities() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read own capabilities: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	return 0, errors.New("read own capabilities: /proc/self/status has no CapEff")
}

package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// loadWithFew is the action that loads the sensor with the capabilities it says it needs, and sees an event.
func loadWithFew() error {
	if err := keepCapabilities(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH); err != nil {
		return err
	}
	s, err := Open(Config{Filter: filter.All()})
	if err != nil {
		return err
	}
	child := exec.Command("/proc/self/exe")
	child.Env = []string{actionVariable + "=nothing"}
	if err := child.Run(); err != nil {
		return errors.Join(err, s.Close())
	}
	var ev raw.Event
	for ev.Kind != raw.Exec {
		if err := s.Next(&ev); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

// loadWithout is an action that must not load, and whose error must say why.
func loadWithout(name string, kept ...uint) func() error {
	return func() error {
		if err := keepCapabilities(kept...); err != nil {
			return err
		}
		s, err := Open(Config{})
		if err == nil {
			return errors.Join(fmt.Errorf("the sensor loads without %s", name), s.Close())
		}
		var lack *Lack
		if !errors.As(err, &lack) || !strings.Contains(err.Error(), "missing "+name+":") {
			return fmt.Errorf("the error does not name %s: %w", name, err)
		}
		return nil
	}
}

// keepCapabilities drops all others, for every thread.
func keepCapabilities(kept ...uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, c := range kept {
		data[c/32].Effective |= 1 << (c % 32)
		data[c/32].Permitted |= 1 << (c % 32)
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return fmt.Errorf("drop capabilities: %w", errno)
	}
	return nil
}

// TestCapabilities loads the sensor with the four capabilities that it says it needs, and looks at the error without.
func TestCapabilities(t *testing.T) {
	open(t, Config{})
	for _, action := range []string{"few capabilities", "without CAP_BPF", "without CAP_PERFMON"} {
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), actionVariable+"="+action)
		out, err := child.CombinedOutput()
		if strings.Contains(string(out), "drop capabilities: operation not supported") {
			t.Skip("needs a build without cgo: only then can all threads drop capabilities")
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", action, err, out)
		}
	}
}

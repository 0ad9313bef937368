// Command smoke is the init of kernelboot's initramfs. It mounts what the sensor needs, runs `eyrie sensor` with the
// rules below, does one thing for each of them, and prints on the console which alerts came ("smoke: PASS rule") and
// which did not, then a verdict, and powers the machine off. It is meant for nothing but a virtual machine of its own.
package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed smoke.yaml
var rules []byte

// patience is how long alerts are waited for: emulated kernels are slow.
const patience = 60 * time.Second

func main() {
	if len(os.Args) > 1 {
		if err := child(os.Args[1]); err != nil {
			fmt.Println("smoke: child:", err)
			os.Exit(1)
		}
		return
	}
	failed, passed := smoke()
	fmt.Printf("smoke: verdict: %d passed, %d failed\n", passed, failed)
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("smoke: power off:", err)
	}
	select {}
}

func smoke() (failed, passed int) {
	if err := mounts(); err != nil {
		fmt.Println("smoke: FAIL", err)
		return 1, 0
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		fmt.Println("smoke: kernel", unix.ByteSliceToString(name.Release[:]))
	}
	run("/bin/eyrie", "doctor")
	got, err := sensor()
	if err != nil {
		fmt.Println("smoke: FAIL the sensor does not start:", err)
		return 1, 0
	}
	for _, a := range actions {
		if err := a.do(); err != nil {
			fmt.Printf("smoke: FAIL %s: the action itself went wrong: %v\n", a.rule, err)
			failed++
			continue
		}
		if record, ok := got.wait(a.rule); !ok {
			fmt.Printf("smoke: FAIL %s: no alert\n", a.rule)
			failed++
		} else if missing := a.lacks(record); missing != "" {
			fmt.Printf("smoke: FAIL %s: the alert lacks %s: %v\n", a.rule, missing, record)
			failed++
		} else {
			fmt.Printf("smoke: PASS %s\n", a.rule)
			passed++
		}
	}
	return failed, passed
}

func mounts() error {
	for _, m := range []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"}, {"sysfs", "/sys", "sysfs"}, {"devtmpfs", "/dev", "devtmpfs"}, {"tmpfs", "/tmp", "tmpfs"},
		{"tmpfs", "/run", "tmpfs"}, {"tracefs", "/sys/kernel/tracing", "tracefs"}, {"cgroup2", "/sys/fs/cgroup", "cgroup2"},
	} {
		if err := unix.Mount(m.source, m.target, m.kind, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
		}
	}
	return os.Chdir("/root")
}

// run runs a command and shows what it prints.
func run(name string, args ...string) {
	out, err := exec.Command(name, args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		fmt.Print("smoke: ", line)
	}
	if err != nil {
		fmt.Printf("smoke: %s %s: %v\n", filepath.Base(name), strings.Join(args, " "), err)
	}
}

// alerts are the sensor's alerts so far.
type alerts struct {
	mu     sync.Mutex
	byRule map[string]map[string]any // output_fields, of the first of a rule
	new    chan struct{}             // holds one
}

// sensor starts `eyrie sensor` and returns once it says that it is on.
func sensor() (*alerts, error) {
	if err := os.WriteFile("/run/smoke.yaml", rules, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/eyrie", "sensor", "--rules", "/run/smoke.yaml", "--all-matches", "--stats", "--stats-every", "30s")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	errOut, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	got := &alerts{byRule: map[string]map[string]any{}, new: make(chan struct{}, 1)}
	go got.read(out)
	on := make(chan bool, 1)
	go watch(errOut, on)
	select {
	case ok := <-on:
		if !ok {
			return nil, fmt.Errorf("it ended: %w", cmd.Wait())
		}
		return got, nil
	case <-time.After(3 * patience):
		return nil, fmt.Errorf("it does not say within %s that it is on", 3*patience)
	}
}

// watch shows what the sensor logs, and says on the channel whether it came up.
func watch(r io.Reader, on chan<- bool) {
	said := false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Println("smoke: sensor:", lines.Text())
		if !said && strings.Contains(lines.Text(), "sensor is on") {
			said = true
			on <- true
		}
	}
	if !said {
		on <- false
	}
}

func (a *alerts) read(r io.Reader) {
	d := json.NewDecoder(r)
	for {
		var record struct {
			Rule   string         `json:"rule"`
			Fields map[string]any `json:"output_fields"`
		}
		if err := d.Decode(&record); err != nil {
			return
		}
		a.mu.Lock()
		if a.byRule[record.Rule] == nil {
			a.byRule[record.Rule] = record.Fields
		}
		a.mu.Unlock()
		select {
		case a.new <- struct{}{}:
		default:
		}
	}
}

// wait returns the first alert of a rule.
func (a *alerts) wait(rule string) (map[string]any, bool) {
	late := time.After(patience)
	for {
		a.mu.Lock()
		record := a.byRule[rule]
		a.mu.Unlock()
		if record != nil {
			return record, true
		}
		select {
		case <-a.new:
		case <-late:
			return nil, false
		}
	}
}

// self runs this program again as a child that does one thing.
func self(thing string) error {
	cmd := exec.Command("/proc/self/exe", thing)
	cmd.Args[0] = "actor"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// copySelf copies this program to path, so that it can be run from there.
func copySelf(path string) error {
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// own makes a command start in PID, mount, network, UTS and IPC namespaces of its own, as a container's process does.
func own(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	return cmd
}

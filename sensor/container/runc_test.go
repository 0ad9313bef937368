package container

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestRunc: a real container, made by runc as a runtime would have it made, is told by the cgroup of its process, and a
// process beside it is not. EYRIE_REQUIRE_ALL=1 turns the skip into a failure.
func TestRunc(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil || os.Geteuid() != 0 {
		if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
			t.Fatalf("needs root and runc: %v", err)
		}
		t.Skip("needs root and runc (Debian package runc)")
	}
	bundle := t.TempDir()
	if err := os.Mkdir(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	full := idA[:48] + strings.Repeat("0", 16-len(strconv.Itoa(os.Getpid()))) + strconv.Itoa(os.Getpid())
	type object = map[string]any
	mounts := []object{{"destination": "/proc", "type": "proc", "source": "proc"}}
	for _, dir := range []string{"/bin", "/lib", "/lib64", "/usr"} {
		if _, err := os.Stat(dir); err == nil {
			mounts = append(mounts, object{"destination": dir, "type": "bind", "source": dir, "options": []string{"rbind", "ro"}})
		}
	}
	config := object{
		"ociVersion": "1.0.2",
		"process":    object{"user": object{"uid": 0, "gid": 0}, "args": []string{"/bin/true"}, "env": []string{"PATH=/usr/bin:/bin"}, "cwd": "/"},
		"root":       object{"path": "rootfs"},
		"mounts":     mounts,
		"linux": object{
			"cgroupsPath": "/docker/" + full,
			"namespaces":  []object{{"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "cgroup"}, {"type": "uts"}, {"type": "ipc"}},
		},
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	pidFile, state, name := filepath.Join(bundle, "pid"), filepath.Join(bundle, "state"), "c"+strconv.Itoa(os.Getpid())
	// Created and not started: its first process waits in its cgroup and namespaces.
	problem := filepath.Join(bundle, "problem") // no pipe: the container would hold it open
	f, err := os.Create(problem)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	create := exec.Command(runc, "--root", state, "create", "--bundle", bundle, "--pid-file", pidFile, name)
	create.Stderr = f
	err = create.Run()
	t.Cleanup(func() { _ = exec.Command(runc, "--root", state, "delete", "--force", name).Run() })
	if err != nil {
		text, _ := os.ReadFile(problem)
		t.Fatalf("runc: %v: %s", err, text)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		t.Fatal(err)
	}
	r := New(Config{Sockets: []Socket{}})
	if got := r.OfPID(n).Container(); got.FullID() != full || got.Known() {
		t.Errorf("the container's process: %+v, want id %s", got, full)
	}
	if got := r.OfPID(os.Getpid()).Container(); got.FullID() == full {
		t.Errorf("this process: %+v, want another container or the host", got)
	}
}

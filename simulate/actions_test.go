package simulate

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if status, is := Child(); is {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// needRoot skips where actions cannot be done. EYRIE_REQUIRE_ALL=1 turns the skip into a failure.
func needRoot(t *testing.T) {
	t.Helper()
	if err := Possible(); err != nil {
		if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// traces lists what an action could leave behind on this host: every file that an operation names or that is prepared, as
// it is now, and mounts. (A control group that stays is an error of the action's own.) Other programs are at work here,
// too: what cannot be an action's is left out.
func traces(t *testing.T) string {
	t.Helper()
	paths := map[string]bool{}
	for _, a := range Actions() {
		for path := range a.prepare {
			paths[path] = true
		}
		for _, s := range a.steps {
			for _, o := range s.Do {
				for _, arg := range o.Args {
					paths[arg] = strings.HasPrefix(arg, "/") && !strings.HasPrefix(arg, "/proc/") && !strings.HasPrefix(arg, "/var/log/")
				}
			}
		}
	}
	var b bytes.Buffer
	for _, path := range append(slices.Sorted(maps.Keys(paths)), ownDir, "/usr/local/bin/.keep", "/usr/sbin/.keep", "/root/.keep") {
		if info, err := os.Lstat(path); err == nil && (paths[path] || strings.HasSuffix(path, "/.keep") || path == ownDir) {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime(), info.Mode())
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(mounts), "\n") {
		if strings.Contains(line, "eyrie-simulate") || strings.Contains(line, "main.upper") {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}

// children lists the processes of this one.
func children(t *testing.T) []string {
	t.Helper()
	var all []string
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tasks {
		if text, err := os.ReadFile(f); err == nil {
			all = append(all, strings.Fields(string(text))...)
		}
	}
	return all
}

// TestActions does every action, wherever it means something, and looks at what is left of it: nothing.
func TestActions(t *testing.T) {
	needRoot(t)
	before := traces(t)
	for _, a := range Actions() {
		for _, place := range []Place{Host, Container} {
			if a.In&place == 0 || testing.Short() && a.Name == "read-shadow-late" {
				continue
			}
			t.Run(a.Name+"/"+place.String(), func(t *testing.T) {
				if err := a.do(context.Background(), place); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if after := traces(t); after != before {
		t.Errorf("left behind or changed:\n%s", difference(before, after))
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func difference(before, after string) string {
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	var b strings.Builder
	for _, l := range old {
		if !slices.Contains(now, l) {
			fmt.Fprintln(&b, "-", l)
		}
	}
	for _, l := range now {
		if !slices.Contains(old, l) {
			fmt.Fprintln(&b, "+", l)
		}
	}
	return b.String()
}

// TestFailureIsTold: what goes wrong in the innermost program reaches the caller, and nothing is left then either.
func TestFailureIsTold(t *testing.T) {
	needRoot(t)
	before := traces(t)
	a := one(Action{Name: "x"}, program("cat", "/nowhere").under("httpd", "sh").does("read", "/nowhere/at/all"))
	err := a.do(context.Background(), Container)
	if err == nil || !strings.Contains(err.Error(), "cat: read /nowhere/at/all: no such file or directory") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := one(Action{Name: "y"}, program("sleep").does("wait", "1h")).do(ctx, Container); err == nil {
		t.Error("a cancelled action succeeds")
	}
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := one(Action{Name: "z"}, program("sleep").does("wait", "1h")).do(ctx, Container); err == nil {
		t.Error("an action that is stopped succeeds")
	}
	if after := traces(t); after != before {
		t.Errorf("left behind or changed:\n%s", difference(before, after))
	}
}

// TestChildByHand: the variable of an action's processes does nothing in a process that no action has started.
func TestChildByHand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{roleStage, "0.0", "x"} {
		cmd := exec.Command(self)
		cmd.Env = []string{roleVariable + "=" + role}
		if out, err := cmd.CombinedOutput(); err == nil || role != roleStage && !strings.Contains(string(out), "unset it") {
			t.Errorf("role %s: %v: %s", role, err, out)
		}
	}
}

func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, a := range Actions() {
		if names[a.Name] {
			t.Errorf("two actions %s", a.Name)
		}
		names[a.Name] = true
		if a.Does == "" || len(a.Rules) == 0 || a.In&Anywhere == 0 || len(a.steps) == 0 {
			t.Errorf("%s: incomplete: %+v", a.Name, a)
		}
		for _, s := range a.steps {
			for _, o := range s.Do {
				if operations[o.Name] == nil {
					t.Errorf("%s: no operation %s", a.Name, o.Name)
				}
			}
			for _, l := range s.Chain {
				if len(l.As) > 15 {
					t.Errorf("%s: the kernel cuts the name %s", a.Name, l.As)
				}
			}
		}
	}
}

func TestTinyProgram(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		b, err := tinyProgram(arch)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
		if f.Machine != machine || f.Entry != 0x400078 || len(f.Progs) != 1 || f.Progs[0].Filesz != uint64(len(b)) {
			t.Errorf("%s: %+v", arch, f.FileHeader)
		}
	}
}

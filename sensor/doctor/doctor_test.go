package doctor

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/sensor/kernel"
)

// fake is a host made of files.
func fake(t *testing.T, files map[string]string) host {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, link := strings.CutPrefix(content, "-> "); link {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return host{root}
}

// want compares one check; what it found must hold text, and a check that is not ok must say what to do.
func want(t *testing.T, checks []Check, name string, status Status, text string) {
	t.Helper()
	for _, c := range checks {
		if c.Name != name {
			continue
		}
		if c.Status != status || !strings.Contains(c.Found, text) {
			t.Errorf("%s: %s, %q; want %s, %q", name, c.Status, c.Found, status, text)
		}
		if (c.Do == "") != (c.Status == OK) {
			t.Errorf("%s is %s and says to do %q", name, c.Status, c.Do)
		}
		return
	}
	t.Errorf("no check %s in %+v", name, checks)
}

func TestSystem(t *testing.T) {
	for _, c := range []struct {
		release string
		status  Status
	}{
		{"6.1.0-13-amd64\n", OK}, {"5.8.0\n", OK}, {"5.10.0-rc1+\n", OK}, {"10.0\n", OK}, {"5.7.19-generic\n", Problem}, {"4.18.0-553.el8\n", Problem}, {"99999999999999999999.1", OK}, {"", Problem}, {"garbage", Problem},
	} {
		checks := system(t.Context(), fake(t, map[string]string{"proc/sys/kernel/osrelease": c.release}))
		want(t, checks, "kernel", c.status, strings.TrimSpace(c.release))
		want(t, checks, "BTF", Problem, "/sys/kernel/btf/vmlinux is not there")
		want(t, checks, "lockdown", OK, "")
	}
	good := system(t.Context(), fake(t, map[string]string{"proc/sys/kernel/osrelease": "6.1.0", "sys/kernel/btf/vmlinux": strings.Repeat("b", 1e5),
		"sys/kernel/security/lockdown": "none integrity [confidentiality]"}))
	want(t, good, "BTF", OK, "0.1 MB")
	want(t, good, "lockdown", Problem, "confidentiality")
	want(t, system(t.Context(), fake(t, nil)), "kernel", Problem, "no such file")
}

func TestRights(t *testing.T) {
	status := func(set string) host {
		return fake(t, map[string]string{"proc/self/status": "Name:\teyrie\nCapInh:\t0\nCapEff:\t" + set + "\nCapBnd:\t0\n"})
	}
	root := rights(t.Context(), status("000001ffffffffff"))
	nobody := rights(t.Context(), status("0000000000000000"))
	admin := rights(t.Context(), status("0000000000200000")) // CAP_SYS_ADMIN alone, as older kernels had it
	for _, c := range capabilities {
		want(t, root, c.name, OK, "held")
		if c.need {
			want(t, nobody, c.name, Problem, "not held; needed")
			want(t, admin, c.name, OK, "stands in")
		} else {
			want(t, nobody, c.name, Note, "not held; good")
			want(t, admin, c.name, Note, "not held; good")
		}
	}
	want(t, rights(t.Context(), fake(t, nil)), "capabilities", Problem, "no such file")
}

func TestSurroundings(t *testing.T) {
	v1 := surroundings(t.Context(), fake(t, map[string]string{"proc/self/ns/pid": "-> " + initPIDNS, "proc/self/cgroup": "2:cpu:/\n1:memory:/\n0::/\n",
		"proc/self/mountinfo": "1 1 0:5 / /proc rw - proc proc rw,hidepid=2\n"}))
	want(t, v1, "processes", OK, "those of the host")
	want(t, v1, "control groups", OK, "version 1, 2 hierarchies")
	want(t, v1, "/proc", Note, "hidepid")
	v2 := surroundings(t.Context(), fake(t, map[string]string{"proc/self/ns/pid": "-> pid:[4026532198]", "proc/self/cgroup": "0::/user.slice\n"}))
	want(t, v2, "processes", Note, "PID namespace of its own")
	want(t, v2, "control groups", OK, "version 2")
	want(t, surroundings(t.Context(), fake(t, nil)), "control groups", Note, "no such file")
}

func TestRuntimes(t *testing.T) {
	h := fake(t, map[string]string{"run/docker.sock": "a file, and nobody behind it"})
	want(t, runtimes(t.Context(), h), "docker", Note, "connect")
	want(t, runtimes(t.Context(), fake(t, nil)), "none", Note, "no socket")
	short, err := os.MkdirTemp("", "d") // the path of a socket has a limit of 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	if err := os.MkdirAll(filepath.Join(short, "run/crio"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(short, "run/crio/crio.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want(t, runtimes(t.Context(), host{short}), "cri-o", OK, "crio.sock")
}

func TestHooks(t *testing.T) {
	lack := &kernel.Lack{What: "missing CAP_BPF", Do: "run as root", Err: errors.New("operation not permitted")}
	want(t, hooks(nil, lack), "load", Problem, "missing CAP_BPF (operation not permitted)")
	want(t, hooks(nil, errors.New("verifier says\n\tno")), "load", Problem, "verifier says no")
	checks := hooks([]kernel.Hook{{Name: "sys_exit", Needed: true, Err: errors.New("gone")}, {Name: "signal_deliver", Err: errors.New("gone")}, {Name: "sched_process_fork", Needed: true}}, nil)
	want(t, checks, "load", OK, "takes them")
	want(t, checks, "sys_exit", Problem, "gone")
	want(t, checks, "signal_deliver", Note, "gone")
	want(t, checks, "sched_process_fork", OK, "can be listened at")
}

func TestPrint(t *testing.T) {
	r := Report{Checks: []Check{ok("System", "kernel", "Linux 6.1"), problem("Rights", "CAP_BPF", "not held", "run as root")}}
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	const text = `System
  ok      kernel   Linux 6.1
Rights
  problem CAP_BPF  not held
                   -> run as root

The sensor cannot run here; every line that says problem has to be mended.
`
	if b.String() != text {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), text)
	}
}

// TestExamine: on this machine, whatever it is, the report is whole, and usable if no line says problem.
func TestExamine(t *testing.T) {
	r := Examine(t.Context())
	problems := 0
	for _, c := range r.Checks {
		if c.Area == "" || c.Name == "" || c.Found == "" || (c.Do == "") != (c.Status == OK) {
			t.Errorf("incomplete: %+v", c)
		}
		if c.Status == Problem {
			problems++
		}
	}
	if len(r.Checks) < 10 || r.Usable != (problems == 0) {
		t.Errorf("%d checks, %d problems, usable %t", len(r.Checks), problems, r.Usable)
	}
}

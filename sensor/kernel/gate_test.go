package kernel

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/bpf"
	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// gateRules use every kind of text that the kernel compares.
const gateRules = `
- macro: opened
  condition: evt.type in (open, openat)
- rule: exact and prefix
  desc: d
  condition: opened and evt.is_open_read=true and (fd.name in (/etc/shadow, /etc/sudoers) or fd.name startswith /etc/pam.d/ or fd.name pmatch (/root/.ssh))
  output: o
  priority: INFO
- rule: suffix
  desc: d
  condition: opened and evt.is_open_read=true and (fd.name endswith _history or fd.filename=.bashrc)
  output: o
  priority: INFO
- rule: contained and top
  desc: d
  condition: opened and evt.is_open_write=true and (fd.name contains /.hid or fd.name contains xyz or fd.directory=/)
  output: o
  priority: INFO
- rule: executable
  desc: d
  condition: opened and evt.is_open_exec=true and fd.name startswith /nowhere/made
  output: o
  priority: INFO
- rule: by name
  desc: d
  condition: opened and evt.is_open_write=true and evt.failed=true and proc.name=eyrie-nobody
  output: o
  priority: INFO
- rule: removed
  desc: d
  condition: evt.type in (unlink, unlinkat) and fs.path.name startswith /no/kernel/
  output: o
  priority: INFO
- rule: two paths
  desc: d
  condition: evt.type=renameat2 and evt.arg.newpath startswith /no/target
  output: o
  priority: INFO
`

// A try is a call that fails and whose passing can be told from its arguments.
type try struct {
	call  string
	flags int
	paths []string
	mode  uint32
}

func (x try) classes() []filter.Class {
	if x.call != "openat" {
		return []filter.Class{}
	}
	classes := []filter.Class{filter.Read}
	if x.flags&unix.O_ACCMODE == unix.O_WRONLY {
		classes[0] = filter.Write
	}
	if x.mode&0o111 != 0 && x.flags&unix.O_CREAT != 0 {
		classes = append(classes, filter.Exec)
	}
	return classes
}

func tries() (out []try) {
	for _, p := range []string{
		"/etc/shadow", "/etc/shadow2", "/etc/shado", "/etc/sudoers", "/etc/pam.d/x", "/etc/pam.d", "/root/.ssh/id", "/root/.sshx", "/none",
		"/none/_history", "/none/a_history", "/none/history", "/none/.bashrc", "/none/x.bashrc", "/.bashrc", "/none/.hid/x", "/none/.hx",
		"/none/axyzb", "/none/xyz", "/none/xy", "/xyz", "/none/xy/z", "/x", "/nox/.hid", "/" + strings.Repeat("l", 100) + "/" + strings.Repeat("m", 120) + "/xyz",
		"/none/" + strings.Repeat("n/", 60) + "z",
	} {
		out = append(out, try{"openat", unix.O_RDONLY, []string{p}, 0}, try{"openat", unix.O_WRONLY, []string{p}, 0})
	}
	for _, p := range []string{"/no/kernel/x", "/no/kernel", "/no/other"} {
		out = append(out, try{"unlinkat", 0, []string{p}, 0})
	}
	out = append(out, try{"renameat2", 0, []string{"/no/target", "/no/x"}, 0}, try{"renameat2", 0, []string{"/no/x", "/no/target1"}, 0}, try{"renameat2", 0, []string{"/no/x", "/no/y"}, 0})
	return append(out, try{"openat", unix.O_CREAT, []string{"/nowhere/made/x"}, 0o755}, try{"openat", unix.O_CREAT, []string{"/nowhere/made/y"}, 0o644})
}

// notNormal are spellings that always pass: what they name depends on more than their text.
var notNormal = []string{"none/x", "/none//x", "/none/./x", "/none/../x", "/none/x/", "/none/..", "/none/.", ".", "//none", "/" + strings.Repeat("p", 300)}

// makeTries is the action that makes all of them.
func makeTries() error {
	all := tries()
	for _, p := range notNormal {
		all = append(all, try{"openat", unix.O_RDONLY, []string{p}, 0})
	}
	for _, x := range all {
		switch x.call {
		case "openat":
			_, _ = unix.Openat(unix.AT_FDCWD, x.paths[0], x.flags, x.mode)
		case "unlinkat":
			_ = unix.Unlinkat(unix.AT_FDCWD, x.paths[0], 0)
		case "renameat2":
			_ = unix.Renameat2(unix.AT_FDCWD, x.paths[0], unix.AT_FDCWD, x.paths[1], 0)
		}
	}
	return nil
}

func loadRules(t *testing.T, text string) []*rule.Rule {
	t.Helper()
	set, report := rule.Load([]rule.File{{Name: "rules", Content: []byte(text)}}, rule.LoadOptions{})
	if set == nil || len(set.Rules) == 0 {
		t.Fatal(report)
	}
	var out []*rule.Rule
	for i := range set.Rules {
		out = append(out, &set.Rules[i])
	}
	return out
}

// told lists the calls of the action that the kernel told, as "call path path flags".
func told(t *testing.T, s *Source) []string {
	t.Helper()
	var out []string
	for _, e := range act(t, s, "tries") {
		if name := raw.Name(e.Nr); e.Kind == raw.Syscall && (name == "openat" || name == "unlinkat" || name == "renameat2") {
			text := name
			for _, p := range e.Parts {
				if p.Kind == raw.Path {
					text += " " + string(p.Data)
				}
			}
			if name == "openat" {
				text += " " + strconv.Itoa(int(e.Regs[2])&unix.O_ACCMODE)
			}
			out = append(out, text)
		}
	}
	return out
}

// TestGatesAnswerAsTheReference compares the programs in the kernel with Filter.Passes, call by call.
func TestGatesAnswerAsTheReference(t *testing.T) {
	f := filter.FromRules(loadRules(t, gateRules))
	s := open(t, Config{Filter: f})
	got := told(t, s)
	passed, filtered := 0, 0
	for _, x := range tries() {
		typ, _ := field.EventByName(x.call)
		text := x.call + " " + strings.Join(x.paths, " ")
		if x.call == "openat" {
			text += " " + strconv.Itoa(x.flags&unix.O_ACCMODE)
		}
		want := f.Passes(typ, filter.Call{Failed: true, Classes: x.classes(), Paths: x.paths, Process: "kernel.test"})
		if len(x.paths[0]) > 247 {
			continue
		}
		if is := slices.Contains(got, text); is != want {
			t.Errorf("%s: told %v, want %v", text, is, want)
		}
		if want {
			passed++
		} else {
			filtered++
		}
	}
	if passed < 10 || filtered < 10 {
		t.Errorf("%d calls pass and %d do not: the test says too little", passed, filtered)
	}
	for _, p := range notNormal {
		path := p
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "openat "+path+" ") }) {
			t.Errorf("%.40q is not in normal form and was not told", p)
		}
	}
	if stats, err := s.Stats(); err != nil || stats.Filtered < uint64(filtered) {
		t.Errorf("stats %+v, %v; at least %d calls were filtered", stats, err, filtered)
	}
}

const socketRules = `
- rule: internet
  desc: d
  condition: evt.type in (connect, dup3) and fd.typechar in (4, 6)
  output: o
  priority: INFO
- rule: datagrams
  desc: d
  condition: evt.type in (listen) and fd.l4proto != tcp and fd.typechar=4
  output: o
  priority: INFO
`

// socketCalls is the action that makes the same calls on sockets of several kinds and on a file.
func socketCalls() error {
	file, err := unix.Open("/dev/null", unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	fds := []int{file}
	for _, kind := range [][2]int{{unix.AF_UNIX, unix.SOCK_STREAM}, {unix.AF_INET, unix.SOCK_STREAM}, {unix.AF_INET6, unix.SOCK_DGRAM}, {unix.AF_INET, unix.SOCK_DGRAM}} {
		fd, err := unix.Socket(kind[0], kind[1], 0)
		if err != nil && err != unix.EAFNOSUPPORT {
			return err
		}
		fds = append(fds, fd)
	}
	for _, fd := range fds {
		_ = unix.Connect(fd, &unix.SockaddrUnix{Name: "/no/such/socket"})
		_ = unix.Listen(fd, 1)
		_ = unix.Dup3(fd, 100, 0)
	}
	return nil
}

func TestSocketsByFamily(t *testing.T) {
	s := open(t, Config{Filter: filter.FromRules(loadRules(t, socketRules))})
	got := map[string]int{}
	for _, e := range act(t, s, "socket calls") {
		if e.Kind != raw.Syscall {
			continue
		}
		if p := e.Part(raw.Socket, 0); p != nil {
			got[fmt.Sprint(raw.Name(e.Nr), " ", p.Sock.Family, " ", p.Sock.Type)]++
		} else {
			got[raw.Name(e.Nr)+" on no socket"]++
		}
	}
	want := map[string]int{
		"connect 2 1": 1, "connect 2 2": 1, "connect 10 2": 1, "dup3 2 1": 1, "dup3 2 2": 1, "dup3 10 2": 1, "listen 2 2": 1, "listen 10 2": 1,
	}
	if fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0); err != nil {
		maps.DeleteFunc(want, func(k string, _ int) bool { return strings.Contains(k, " 10 ") })
		maps.DeleteFunc(got, func(k string, _ int) bool { return strings.HasSuffix(k, "on no socket") }) // a descriptor of -1 passes
	} else {
		unix.Close(fd)
	}
	if !maps.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

// TestNamesOfProcesses: what a rule wants of processes of a name is told of those that have it, and of those of which
// the kernel does not know the name.
func TestNamesOfProcesses(t *testing.T) {
	rules := func(name string) filter.Filter {
		return filter.FromRules(loadRules(t, fmt.Sprintf("- rule: r\n  desc: d\n  condition: evt.type in (open, openat) and proc.name=%s\n  output: o\n  priority: INFO\n", name)))
	}
	s := open(t, Config{Filter: rules("exe")}) // the child runs /proc/self/exe
	if got := told(t, s); len(got) < len(tries())/2 {
		t.Errorf("%d opens of the named process were told, want all", len(got))
	}
	if err := s.SetFilter(rules("other")); err != nil {
		t.Fatal(err)
	}
	// This process is older than the filter, so it is not known, and its children are neither until they exec.
	if got := told(t, s); len(got) != 0 {
		t.Errorf("%d opens of a process with another name were told, want none: %q", len(got), got[0])
	}
}

// TestKnow: what an old process does passes until its name is told, and then only if a rule wants that name.
func TestKnow(t *testing.T) {
	s := open(t, Config{Filter: filter.FromRules(loadRules(t, "- rule: r\n  desc: d\n  condition: evt.type in (open, openat) and proc.name=other\n  output: o\n  priority: INFO\n"))})
	var out bpf.SensorGate // only to see that gates are in use
	nr, _ := raw.Number("openat")
	if err := s.objects.Gates.Lookup(uint32(nr), &out); err != nil || out.Wanted[0][0] == 0 {
		t.Fatalf("gate of openat: %+v, %v", out, err)
	}
	old := raw.Task{PID: int32(os.Getpid()), Start: 1}
	s.Know(&old, "whoever")
	var bits uint64
	if err := s.objects.Processes.Lookup(uint32(old.PID), &bits); err != nil || bits != 0 {
		t.Errorf("the kernel knows of sets %x for the process, %v; want none, and an entry", bits, err)
	}
	s.Know(&raw.Task{PID: 1, Start: ^uint64(0)}, "other")
	if err := s.objects.Processes.Lookup(uint32(1), &bits); err == nil {
		t.Errorf("a process that started after the filter has been told of")
	}
	s.Know(&raw.Task{PID: 2, Start: 1}, "other")
	if err := s.objects.Processes.Lookup(uint32(2), &bits); err != nil || bits == 0 {
		t.Errorf("the kernel knows of sets %x for a process whose name is wanted, %v", bits, err)
	}
}

// TestSetFilterTakesEffect: types can be added and taken away while the source runs.
func TestSetFilterTakesEffect(t *testing.T) {
	s := open(t, Config{})
	if got := told(t, s); len(got) != 0 {
		t.Errorf("%d calls were told although no type is wanted", len(got))
	}
	if err := s.SetFilter(filter.All()); err != nil {
		t.Fatal(err)
	}
	if got, want := len(told(t, s)), len(tries())+len(notNormal); got < want {
		t.Errorf("%d calls were told, want %d", got, want)
	}
}

package users

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// machine is a directory that looks like /proc and the root directories of a host and of the process 42, and a clock.
type machine struct {
	t    *testing.T
	dir  string
	time atomic.Int64
	n    *Names
}

const hostNS, boxNS = 4026531841, 4026532999

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, dir: t.TempDir()}
	m.time.Store(time.Unix(1000, 0).UnixNano())
	m.write("host/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nbin:x:2:2::/bin:/usr/sbin/nologin\n")
	m.write("host/etc/group", "root:x:0:\nbin:x:2:\n")
	m.namespace(1, hostNS)
	m.n = New(Config{Root: filepath.Join(m.dir, "host"), ProcRoot: filepath.Join(m.dir, "proc"), Wait: time.Minute, Now: func() time.Time { return time.Unix(0, m.time.Load()) }})
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) write(name, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.path(name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) link(target, name string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	_ = os.Remove(m.path(name))
	if err := os.Symlink(target, m.path(name)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) namespace(pid, ns int) {
	m.link("mnt:["+strconv.Itoa(ns)+"]", "proc/"+strconv.Itoa(pid)+"/ns/mnt")
}

func (m *machine) box() {
	m.namespace(42, boxNS)
	m.link(m.path("box"), "proc/42/root")
}

func (m *machine) user(pid int32, ns, uid uint32, want string) {
	m.t.Helper()
	name, home, shell, ok := m.n.User(pid, ns, uid)
	if got := name + " " + home + " " + shell; !ok && want != "" || ok && got != want {
		m.t.Errorf("user %d in %d: %q (%v), want %q", uid, ns, got, ok, want)
	}
}

func TestHostAndContainer(t *testing.T) {
	m := newMachine(t)
	m.write("box/etc/passwd", "app:x:2:2::/srv:/bin/sh\nother:x:2:2::/o:/o\n")
	m.write("box/etc/group", "apps:x:2:\n")
	m.box()
	m.user(1, hostNS, 0, "root /root /bin/bash")
	m.user(7, hostNS, 2, "bin /bin /usr/sbin/nologin") // the process is gone: the host's files need none
	m.user(42, boxNS, 2, "app /srv /bin/sh")
	m.user(42, boxNS, 0, "root /root <NA>") // it has no user 0: as Falco, root all the same
	m.user(42, boxNS, 54321, "")
	for _, tt := range []struct {
		ns, gid uint32
		want    string
	}{{hostNS, 0, "root"}, {hostNS, 2, "bin"}, {boxNS, 2, "apps"}, {boxNS, 0, "root"}, {boxNS, 9, ""}, {hostNS, 1<<32 - 1, ""}} {
		if got, ok := m.n.Group(42, tt.ns, tt.gid); got != tt.want || ok != (tt.want != "") {
			t.Errorf("group %d in %d is %q, want %q", tt.gid, tt.ns, got, tt.want)
		}
	}
	if s := m.n.Stats(); s.Places != 2 || s.Reads != 2 {
		t.Errorf("%+v", s)
	}
}

// TestChange: an entry that is asked for and was not there is found at once, one that changed within a second.
func TestChange(t *testing.T) {
	m := newMachine(t)
	m.user(1, hostNS, 3, "")
	m.write("host/etc/passwd", "root:x:0:0::/root:/bin/zsh\nnew:x:3:3::/new:/bin/sh\n")
	m.time.Add(int64(checkSoon))
	m.user(1, hostNS, 3, "new /new /bin/sh")
	m.user(1, hostNS, 0, "root /root /bin/zsh")
	m.write("host/etc/passwd", "root:x:0:0::/root:/bin/fish\n")
	m.time.Add(int64(checkEvery))
	reads := m.n.Stats().Reads
	m.user(1, hostNS, 0, "root /root /bin/zsh") // from memory, while the file is looked at
	for range 1000 {
		if m.n.Stats().Reads != reads {
			break
		}
		m.n.place(0).refresh(1, time.Minute)
	}
	m.user(1, hostNS, 0, "root /root /bin/fish")
}

// TestBeforePivotRoot: a container's first process sees the host's files for a moment.
func TestBeforePivotRoot(t *testing.T) {
	m := newMachine(t)
	m.box()
	m.link(m.path("host"), "proc/42/root")
	m.user(42, boxNS, 2, "bin /bin /usr/sbin/nologin")
	m.write("box/etc/passwd", "app:x:2:2::/srv:/bin/sh\n")
	m.box()
	m.time.Add(int64(checkSoon))
	m.user(42, boxNS, 2, "app /srv /bin/sh")
}

// TestGoneProcess: what is known of a mount namespace stays; what is not known is not taken from another process's.
func TestGoneProcess(t *testing.T) {
	m := newMachine(t)
	m.write("box/etc/passwd", "app:x:2:2::/srv:/bin/sh\n")
	m.box()
	m.user(42, boxNS, 2, "app /srv /bin/sh")
	m.namespace(42, boxNS+1)
	m.time.Add(int64(checkEvery))
	m.user(42, boxNS, 2, "app /srv /bin/sh")
	m.user(42, boxNS+2, 2, "")
	m.user(43, boxNS+2, 2, "")
}

// TestAnotherProcess: where one process is gone, the next one of its container is asked at once.
func TestAnotherProcess(t *testing.T) {
	m := newMachine(t)
	m.write("box/etc/passwd", "app:x:2:2::/srv:/bin/sh\n")
	m.box()
	m.user(43, boxNS, 2, "")
	m.user(42, boxNS, 2, "app /srv /bin/sh")
}

// TestNumberUsedAgain: a container that gets the number of one that has ended is asked for its own names at once.
func TestNumberUsedAgain(t *testing.T) {
	m := newMachine(t)
	m.write("box/etc/passwd", "captain:x:0:0::/deck:/bin/sh\n")
	m.box()
	m.user(42, boxNS, 0, "captain /deck /bin/sh")
	m.write("next/etc/passwd", "root:x:0:0::/root:/bin/ash\n")
	m.namespace(43, boxNS)
	m.link(m.path("next"), "proc/43/root")
	m.user(43, boxNS, 0, "root /root /bin/ash")
}

func TestHostileRoot(t *testing.T) {
	m := newMachine(t)
	m.write("secret", "stolen:x:2:2::/secret:/x\n")
	big := strings.Repeat("#\n", maxFile)
	tests := []struct {
		name string
		make func()
	}{
		{"link out of the root", func() { m.link(m.path("secret"), "box/etc/passwd") }},
		{"link upwards", func() { m.link("../../secret", "box/etc/passwd") }},
		{"directory is a link out", func() { m.link(m.dir, "box/etc"); m.write("passwd", "stolen:x:2:2::/x:/x\n") }},
		{"magic link", func() { m.link("/proc/self/fd/0", "box/etc/passwd") }},
		{"loop", func() { m.link("passwd", "box/etc/passwd") }},
		{"directory", func() { m.write("box/etc/passwd/x", "") }},
		{"pipe without a writer", func() {
			m.write("box/etc/x", "")
			if err := syscall.Mkfifo(m.path("box/etc/passwd"), 0o666); err != nil {
				t.Fatal(err)
			}
		}},
		{"too large", func() { m.write("box/etc/passwd", big+"app:x:2:2::/srv:/bin/sh\n") }},
		{"nothing there", func() {}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.RemoveAll(m.path("box")); err != nil {
				t.Fatal(err)
			}
			tt.make()
			ns := boxNS + 10 + i
			m.box()
			m.namespace(42, ns)
			failed := m.n.Stats().Failed
			m.user(42, uint32(ns), 2, "")
			m.user(42, uint32(ns), 0, "root /root <NA>")
			if m.n.Stats().Failed == failed {
				t.Error("no failure was counted")
			}
		})
	}
	t.Run("a link within the root is followed", func(t *testing.T) {
		if err := os.RemoveAll(m.path("box")); err != nil {
			t.Fatal(err)
		}
		m.write("box/usr/etc/passwd", "app:x:2:2::/srv:/bin/sh\n")
		m.link("/usr/etc", "box/etc")
		m.box()
		m.user(42, boxNS, 2, "app /srv /bin/sh")
	})
}

// TestBounds: neither the number of places nor that of goroutines follows what happens in containers.
func TestBounds(t *testing.T) {
	m := newMachine(t)
	for ns := range maxPlaces + 100 {
		m.n.User(42, uint32(boxNS+ns), 1)
	}
	if s := m.n.Stats(); s.Places > maxPlaces {
		t.Errorf("%+v", s)
	}
	for range maxReads {
		m.n.reading <- struct{}{} // as if so many file systems did not answer
	}
	late := m.n.Stats().Late
	m.user(1, hostNS, 2, "")
	if m.n.Stats().Late != late+1 {
		t.Errorf("%+v: nothing was counted", m.n.Stats())
	}
	for range maxReads {
		<-m.n.reading
	}
	m.user(1, hostNS, 2, "bin /bin /usr/sbin/nologin")
}

func TestParse(t *testing.T) {
	users := parsePasswd("# comment\n\nroot:x:0:0::/root:/bin/sh\n:x:9:9::/:\nshort:x:5\nlong:x:6:6::/:/bin/sh:more\nneg:x:-1:0::/:\nbig:x:4294967296:0::/:\nmax:x:4294967294:0::/n:\n" + strings.Repeat("x", 2*maxField) + ":x:8:8::/:/\nlast:x:7:7::/l:/s")
	want := map[uint32]user{0: {"root", "/root", "/bin/sh"}, 4294967294: {"max", "/n", ""}, 7: {"last", "/l", "/s"}}
	if len(users) != len(want) {
		t.Errorf("%v", users)
	}
	for uid, u := range want {
		if users[uid] != u {
			t.Errorf("user %d is %v, want %v", uid, users[uid], u)
		}
	}
}

// TestRealProcess reads through the real /proc: this process's own mount namespace is either the host's or one of its own.
func TestRealProcess(t *testing.T) {
	ns, err := namespace("/proc/self")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	id, err := exec.Command("id", "-un", "0").Output()
	if err != nil {
		t.Skip("needs id: ", err)
	}
	n := New(Config{Wait: 10 * time.Second})
	name, _, _, ok := n.User(int32(os.Getpid()), ns, 0)
	if !ok || name != strings.TrimSpace(string(id)) {
		t.Errorf("user 0 is %q, id says %q", name, id)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("root:x:0:0::/root:/bin/sh\n")
	f.Add("root:x:0:\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, u := range parsePasswd(text) {
			if u.name == "" || strings.ContainsAny(u.name+u.home+u.shell, ":\n") {
				t.Errorf("%+v", u)
			}
		}
		for _, g := range parseGroup(text) {
			if g == "" || strings.ContainsAny(g, ":\n") {
				t.Errorf("%q", g)
			}
		}
	})
}

func BenchmarkUser(b *testing.B) {
	ns, err := namespace("/proc/self")
	if err != nil {
		b.Skip(err)
	}
	n := New(Config{})
	for b.Loop() {
		n.User(1, ns, 0)
	}
}

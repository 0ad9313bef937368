package procs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// fakeProc writes a procfs of processes 1 to n, each the child of the one before, 3 with the name and command given.
func fakeProc(t testing.TB, n int, comm, cmdline string) string {
	dir := t.TempDir()
	write := func(path, text string) {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("uptime", "100.50 1.00\n")
	for pid := 1; pid <= n; pid++ {
		base := fmt.Sprint(pid)
		if err := os.MkdirAll(filepath.Join(dir, base, "ns"), 0o700); err != nil {
			t.Fatal(err)
		}
		name, command := fmt.Sprint("p", pid), fmt.Sprintf("/bin/p%d\x00-x\x00", pid)
		if pid == 3 {
			name, command = comm, cmdline
		}
		write(base+"/stat", fmt.Sprintf("%d (%s) S %d %d 1 34816 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", pid, name, pid-1, pid, pid*7))
		write(base+"/status", fmt.Sprintf("Name:\tx\nUid:\t0\t0\t0\t1000\nNSpid:\t%d\t%d\nNSpgid:\t1\t1\nNSsid:\t1\t1\nCapEff:\t0000000000000000\n", pid, pid+100))
		write(base+"/cmdline", command)
		write(base+"/environ", "A=1\x00B=2\x00")
		write(base+"/cgroup", "5:cpu,cpuacct:/docker/abc\n0::/x\n")
		for link, to := range map[string]string{"exe": dir + "/uptime", "cwd": "/srv (deleted)", "ns/pid": "pid:[4026531836]", "ns/mnt": "mnt:[77]"} {
			if err := os.Symlink(to, filepath.Join(dir, base, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func seeded(t *testing.T, dir string) (*Table, *raw.Event) {
	t.Helper()
	table := New(Config{ProcFS: dir})
	if err := table.Seed(context.Background()); err != nil {
		t.Fatal(err)
	}
	return table, &raw.Event{Kind: raw.Syscall, Nr: -1, Time: 1, Task: raw.Task{
		TID: 3, PID: 3, PPID: 2, VPID: 103, Start: 210*1e6 + 777, Comm: "we) (rd", PIDNS: 4026531836}}
}

func TestSeed(t *testing.T) {
	dir := fakeProc(t, 4, "we) (rd", "weird\x00a b\x00")
	table, r := seeded(t, dir)
	p := table.Apply(r)
	equal(t, "name", p.Name, "we) (rd")
	equal(t, "exe", p.Image.Exe, "weird")
	equal(t, "command", p.Cmdline(), "we) (rd a b")
	equal(t, "environment", p.Image.EnvText(), "A=1 B=2")
	equal(t, "path", p.Image.ExePath, dir+"/uptime")
	equal(t, "writable by a user that owns it not", p.Image.File.Writable, os.Getuid() == 1000)
	equal(t, "directory", p.Cwd, "/srv/")
	equal(t, "control groups", p.Cgroups.Text,
		"cpuset=/x cpu=/docker/abc cpuacct=/docker/abc blkio=/x memory=/x")
	equal(t, "start, now exact", p.Start, 210*1e6+777)
	equal(t, "parents", len(table.Ancestors(nil, p, 1)), 2)
	equal(t, "id in the namespace", p.VPID, 103)
	s := table.Stats()
	equal(t, "seeded", s.Seeded, 4)
	equal(t, "not seen to start", s.UnseenStart, 0)
}

func TestSeedDoesNotOverwrite(t *testing.T) {
	dir := fakeProc(t, 3, "old", "old\x00arg\x00")
	table, r := seeded(t, dir)
	r.Task.Start += 1e9 // the id has been given to somebody else since
	r.Task.Comm = "new"
	equal(t, "name", table.Apply(r).Name, "new")

	table = New(Config{ProcFS: dir})
	table.Apply(r) // by whom the id had been taken before /proc was read
	if err := table.Seed(context.Background()); err != nil {
		t.Fatal(err)
	}
	equal(t, "command", table.Apply(r).Cmdline(), "new")

	table = New(Config{ProcFS: dir})
	_, r = seeded(t, dir)
	r.Kind = raw.Exec
	r.Task.Comm = "fresh"
	table.Apply(r)
	if err := table.Seed(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.Kind = raw.Syscall
	p := table.Apply(r)
	equal(t, "name after an exec that came first", p.Name, "fresh")
}

func TestLookup(t *testing.T) {
	dir := fakeProc(t, 3, "late", "late\x00arg\x00")
	table := New(Config{ProcFS: dir})
	_, r := seeded(t, dir)
	r.Task.Comm = "late"
	p := table.Apply(r)
	equal(t, "command before", p.Cmdline(), "late")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { table.Run(ctx); close(done) }()
	for !table.ready.Load() {
		runtime.Gosched()
	}
	cancel()
	<-done
	equal(t, "command after", table.Apply(r).Cmdline(), "late arg")
	equal(t, "lookups", table.Stats().Looked, 1)
}

func TestSweepForgetsWhoseEndWasLost(t *testing.T) {
	dir := fakeProc(t, 4, "x", "x\x00")
	table, r := seeded(t, dir)
	table.Apply(r)
	if err := os.RemoveAll(filepath.Join(dir, "4")); err != nil {
		t.Fatal(err)
	}
	if err := table.Sweep(); err != nil {
		t.Fatal(err)
	}
	table.Apply(r)
	if table.Get(4, 0) != nil {
		t.Error("a process that is not in /proc any more is kept")
	}
	if table.Get(2, 0) == nil {
		t.Error("a process that is in /proc is gone")
	}
	equal(t, "ends that were not seen", table.Stats().UnseenEnd, 1)
}

func TestSeedWithoutProcfs(t *testing.T) {
	err := New(Config{ProcFS: t.TempDir()}).Seed(context.Background())
	if err == nil || !strings.Contains(err.Error(), "procfs") {
		t.Errorf("the error is %v", err)
	}
}

func FuzzProcfs(f *testing.F) {
	f.Add([]byte("1 (a b) R 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"))
	f.Add([]byte("Uid:\t1\t2\t3\t4\nNSpid:\t1\t2\nCapEff:\tff\n"))
	f.Add([]byte("2:cpu,cpuacct:/a\n0::/b:c\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := parseStat(text); err == nil && len(s.comm) > len(text) {
			t.Error("a name longer than the text")
		}
		parseStatus(text)
		for _, c := range parseCgroup(text) {
			if c.Path == "" || strings.Contains(c.Path, "\n") {
				t.Errorf("the path of a control group is %q", c.Path)
			}
		}
		newCgroups(parseCgroup(text))
		namespaceID(text)
	})
}

package procs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// record is what /proc says about one process.
type record struct {
	stat
	pid int32
	status
	pidns, mntns uint32
	name         string
	exe          string
	args, env    string
	exePath, cwd string
	file         raw.FileInfo
	known        bool
	cgroups      []Cgroup
	lookup       bool             // asked for, not of Seed
	alive        map[int32]uint64 // instead of all the above: who lives, as far as /proc/PID/stat knows
	listedBefore uint64           // ns since boot
}

// Seed reads /proc once, and the table takes the processes over with the next event. It returns when all have been read
// or ctx is done. A process that ends meanwhile is no error; that /proc cannot be listed is one.
func (t *Table) Seed(ctx context.Context) error {
	pids, err := t.list()
	if err != nil {
		return err
	}
	reader := newReader(t.cfg.ProcFS)
	batch := make([]*record, 0, 256)
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			t.deliver(batch)
			return err
		}
		if r := reader.read(pid); r != nil {
			batch = append(batch, r)
		}
		if len(batch) == cap(batch) {
			t.deliver(batch)
			batch = batch[:0]
		}
	}
	t.deliver(batch)
	return nil
}

// Run reads from /proc what events asked for, until ctx is done.
func (t *Table) Run(ctx context.Context) {
	reader := newReader(t.cfg.ProcFS)
	for {
		select {
		case <-ctx.Done():
			return
		case pid := <-t.asked:
			if r := reader.read(pid); r != nil {
				r.lookup = true
				t.deliver([]*record{r})
			}
		}
	}
}

// Sweep lists /proc once, and the table forgets with the next event whoever is not there: for use after events were
// lost, exits among them.
func (t *Table) Sweep() error {
	before := sinceBoot(t.cfg.ProcFS)
	pids, err := t.list()
	if err != nil {
		return err
	}
	reader := newReader(t.cfg.ProcFS)
	alive := make(map[int32]uint64, len(pids))
	for _, pid := range pids {
		if s, ok := reader.start(pid); ok {
			alive[pid] = s
		}
	}
	t.deliver([]*record{{alive: alive, listedBefore: before}})
	return nil
}

func (t *Table) list() ([]int32, error) {
	dir, err := os.Open(t.cfg.ProcFS)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	var pids []int32
	for {
		names, err := dir.Readdirnames(4096)
		for _, name := range names {
			if pid, err := strconv.ParseInt(name, 10, 32); err == nil && pid > 0 {
				pids = append(pids, int32(pid))
			}
		}
		if len(names) == 0 || err != nil {
			if len(pids) == 0 {
				return nil, fmt.Errorf("list processes: no process in %s: is procfs mounted there, for the host's PID namespace?", t.cfg.ProcFS)
			}
			return pids, nil
		}
	}
}

func (t *Table) deliver(batch []*record) {
	if len(batch) == 0 {
		return
	}
	t.mu.Lock()
	t.inbox = append(t.inbox, batch...)
	t.mu.Unlock()
	t.ready.Store(true)
}

// TakeOver merges what /proc said since the last event. Apply does so too; it is for when no event comes.
func (t *Table) TakeOver() {
	if t.ready.Load() {
		t.takeOver()
	}
}

func (t *Table) takeOver() {
	t.mu.Lock()
	inbox := t.inbox
	t.inbox = nil
	t.ready.Store(false)
	t.mu.Unlock()
	for _, r := range inbox {
		switch {
		case r.alive != nil:
			t.forget(r)
		case r.lookup:
			t.stats[statLooked].Add(1)
			if p := t.byPID[r.pid]; p != nil {
				t.merge(p, r)
			}
		default:
			t.stats[statSeeded].Add(1)
			p := t.byPID[r.pid]
			if p == nil {
				if len(t.slots) >= t.cfg.MaxProcesses {
					t.stats[statEvicted].Add(1)
					continue
				}
				p = t.fresh(r)
			}
			t.merge(p, r)
		}
	}
}

// fresh is a process that no event has told of.
func (t *Table) fresh(r *record) *Proc {
	p := &Proc{
		PID: r.pid, PPID: r.ppid, VPID: r.vpid, SID: r.sid, PGID: r.pgid, VSID: r.vsid, VPGID: r.vpgid,
		Start: r.start, ticks: true, PIDNS: r.pidns, MountNS: r.mntns, TTY: r.tty, Image: noImage, epoch: t.epoch, LeaderGone: r.zombie,
	}
	p.Name = t.intern(r.name)
	p.comm = p.Name
	t.add(p)
	p.used = false
	return p
}

// merge fills in what p lacks. What events told stays, unless they were lost.
func (t *Table) merge(p *Proc, r *record) {
	if p.Start-p.Start%nsPerTick != r.start {
		return // the id has been given to another process since
	}
	other := r.known && p.Image.Known && r.file.Ino != p.Image.File.Ino && r.lookup && p.asked
	if p.Image == noImage || p.guess || !p.Image.Known && r.known || other {
		i := &Image{Exe: r.exe, ExePath: r.exePath, File: r.file, Known: r.known, FromProc: true}
		args, env := r.args, r.env
		keepArgs, keepEnv := t.fits(len(args), len(env))
		if !keepArgs {
			args = ""
		}
		if !keepEnv {
			env = ""
		}
		t.fill(i, args, env)
		t.use(p, i)
		p.guess = false
		if other {
			p.Name = t.intern(r.name)
		}
	}
	if p.Cwd == "" && r.cwd != "" {
		p.cwdKernel = t.intern(r.cwd)
		p.Cwd = t.directory(r.cwd)
	}
	if p.Cgroups == nil && len(r.cgroups) > 0 {
		p.Cgroups = t.sameGroups(r.cgroups)
	}
	if p.VPID == 0 {
		p.VPID = r.vpid
	}
}

// forget takes out who has ended unseen.
func (t *Table) forget(r *record) {
	for n := 0; n < len(t.slots); {
		p := t.slots[n]
		start, there := r.alive[p.PID]
		if p.Exited != 0 || p == t.last || p.Start >= r.listedBefore || there && start == p.Start-p.Start%nsPerTick {
			n++
			continue
		}
		t.stats[statUnseenEnd].Add(1)
		t.remove(p)
	}
}

// sinceBoot is the time since boot in ns as procfs tells it, 0 where it does not.
func sinceBoot(procfs string) uint64 {
	text, err := os.ReadFile(procfs + "/uptime")
	if err != nil {
		return 0
	}
	whole, rest, _ := bytes.Cut(text, []byte("."))
	if len(rest) < 2 {
		return 0
	}
	return uint64(number(whole))*uint64(time.Second) + uint64(number(rest[:2]))*nsPerTick
}

// Package users finds the names of users and groups: of the host in its /etc/passwd and /etc/group, of a container in the
// container's own, through the root directory of one of its processes. In come an id, a process and its mount namespace;
// out go names. Files are read again when they have changed.
//
// What a container's root directory holds is made by whoever is in it: no path leads out of it, files that are no regular
// files are not opened, sizes are bounded, and a file system that does not answer costs who asks a few milliseconds once.
// Names that only a directory service knows (LDAP, SSSD) are not found, as in Falco. The package never writes.
package users

import (
	"sync"
	"sync/atomic"
	"time"
)

// Limits.
const (
	maxPlaces  = 1024    // mount namespaces that are remembered
	maxReads   = 8       // places that are being read at once
	maxFile    = 1 << 20 // bytes of one file
	maxEntries = 20_000  // of one file
	maxField   = 4096    // bytes of one field, PATH_MAX; longer entries are left out
)

// How often files are looked at for changes.
const (
	checkEvery = time.Second
	checkSoon  = 50 * time.Millisecond // where the answer was not there, or may be that of before a pivot_root
)

// unknown is what Falco shows for what it does not know.
const unknown = "<NA>"

// Config is what Names needs. The zero value is right for a process on the host.
type Config struct {
	Root     string        // where the host's file system is mounted; default /
	ProcRoot string        // default /proc
	Wait     time.Duration // the longest that one question may wait for files to be read. Default 10 ms
	Now      func() time.Time
}

// Stats counts since New.
type Stats struct {
	Places int    // mount namespaces that are remembered now
	Reads  uint64 // times that files were read
	Failed uint64 // could not be read: the process was gone, there is no such file, it is too large
	Late   uint64 // questions that were not waited for
}

// Names answers questions about users and groups. It is safe for concurrent use.
type Names struct {
	cfg     Config
	reading chan struct{} // holds a value for each place that is being read

	reads, failed, late atomic.Uint64

	mu     sync.Mutex
	hostNS uint32            // guarded by mu; mount namespace of the host, 0: not known yet
	places map[uint32]*place // guarded by mu; by mount namespace, 0 is the host
}

// place is a mount namespace and its files.
type place struct {
	names *Names
	ns    uint32 // 0: the host

	table   atomic.Pointer[table]
	used    atomic.Int64 // ns since 1970
	checked atomic.Int64 // ns since 1970; 0: never
	busy    atomic.Bool
	reading atomic.Pointer[chan struct{}] // closed once the last read has ended
	tried   atomic.Bool                   // files have been looked for at least once
	failed  atomic.Int32                  // process through which they were not found; another may have better luck
	through atomic.Int32                  // process through which they were last found
}

// New makes Names.
func New(c Config) *Names {
	if c.Root == "" {
		c.Root = "/"
	}
	if c.ProcRoot == "" {
		c.ProcRoot = "/proc"
	}
	if c.Wait <= 0 {
		c.Wait = 10 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Names{cfg: c, reading: make(chan struct{}, maxReads), places: map[uint32]*place{}}
}

// User is the name, home directory and shell of a user as the process pid in the mount namespace mountNS would be told.
// Where no file can be read, user 0 is root, as in Falco.
func (n *Names) User(pid int32, mountNS, uid uint32) (name, home, shell string, ok bool) {
	u, ok := ask(n, pid, mountNS, func(t *table) (user, bool) {
		u, ok := t.users[uid]
		return u, ok
	})
	if !ok && uid == 0 {
		return "root", "/root", unknown, true
	}
	return u.name, u.home, u.shell, ok
}

// Group is the name of a group.
func (n *Names) Group(pid int32, mountNS, gid uint32) (name string, ok bool) {
	name, ok = ask(n, pid, mountNS, func(t *table) (string, bool) {
		g, ok := t.groups[gid]
		return g, ok
	})
	if !ok && gid == 0 {
		return "root", true
	}
	return name, ok
}

// Stats tells how much was read.
func (n *Names) Stats() Stats {
	n.mu.Lock()
	places := len(n.places)
	n.mu.Unlock()
	return Stats{Places: places, Reads: n.reads.Load(), Failed: n.failed.Load(), Late: n.late.Load()}
}

// ask answers from memory. It waits for the files if there has been no answer yet, or none for this id; where there is
// an old answer, it is given, and the files are looked at beside it. The kernel gives the number of a mount namespace that
// has ended to another: for another process than the last one the files are looked at first.
func ask[V any](n *Names, pid int32, mountNS uint32, find func(*table) (V, bool)) (V, bool) {
	p := n.place(mountNS)
	now := n.cfg.Now().UnixNano()
	p.used.Store(now)
	t := p.table.Load()
	age := time.Duration(now - p.checked.Load())
	if t != nil && (p.ns == 0 || p.through.Load() == pid || p.failed.Load() == pid) {
		v, ok := find(t)
		if ok && age < checkEvery && !(t.host && p.ns != 0 && age >= checkSoon) || !ok && age < checkSoon {
			return v, ok
		}
		if ok && !t.host {
			p.refresh(pid, 0)
			return v, true
		}
	} else if t == nil && p.tried.Load() && age < checkSoon && p.failed.Load() == pid {
		var none V
		return none, false
	}
	p.refresh(pid, n.cfg.Wait)
	if t = p.table.Load(); t == nil {
		var none V
		return none, false
	}
	return find(t)
}

func (n *Names) place(mountNS uint32) *place {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hostNS == 0 {
		n.hostNS = hostNamespace(n.cfg)
	}
	if mountNS == n.hostNS {
		mountNS = 0
	}
	p := n.places[mountNS]
	if p == nil {
		if len(n.places) >= maxPlaces {
			n.forgetOldest()
		}
		p = &place{names: n, ns: mountNS}
		n.places[mountNS] = p
	}
	return p
}

// forgetOldest makes room. mu is held.
func (n *Names) forgetOldest() {
	var oldest *place
	for ns, p := range n.places {
		if ns != 0 && (oldest == nil || p.used.Load() < oldest.used.Load()) {
			oldest = p
		}
	}
	if oldest != nil {
		delete(n.places, oldest.ns)
	}
}

// refresh reads the files in a goroutine of its own, because a read in a container may never return, and waits for it
// as long as it may. There is at most one for each place, and maxReads at all.
func (p *place) refresh(pid int32, wait time.Duration) {
	n := p.names
	if !p.busy.CompareAndSwap(false, true) {
		if done := p.reading.Load(); done != nil && wait > 0 {
			n.await(*done, wait) // somebody else asked a moment ago
		}
		return
	}
	select {
	case n.reading <- struct{}{}:
	default:
		p.busy.Store(false)
		n.late.Add(1)
		return
	}
	done := make(chan struct{})
	p.reading.Store(&done)
	go func() {
		defer close(done)
		p.read(pid)
		p.tried.Store(true)
		p.checked.Store(n.cfg.Now().UnixNano())
		p.busy.Store(false)
		<-n.reading
	}()
	if wait > 0 {
		n.await(done, wait)
	}
}

func (n *Names) await(done <-chan struct{}, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		n.late.Add(1)
	}
}

func (p *place) read(pid int32) {
	old := p.table.Load()
	t, changed, err := p.names.load(pid, p.ns, old)
	if err == nil {
		p.through.Store(pid)
	}
	switch {
	case err != nil:
		p.failed.Store(pid)
		p.names.failed.Add(1)
	case changed:
		p.names.reads.Add(1)
		p.table.Store(t)
	}
}

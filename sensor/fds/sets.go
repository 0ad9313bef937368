package fds

import "github.com/eyrie-sec/eyrie/sensor/procs"

// set is the descriptors of a process. Forked processes share it until one of them changes it.
type set struct {
	m      map[int32]*FD
	refs   int
	shared bool // by clone with CLONE_FILES: changes are everybody's
	table  *Table
}

func own(p *procs.Proc) *set {
	s, _ := p.FDs.(*set)
	return s
}

// get is what is remembered of a descriptor, nil for nothing.
func get(p *procs.Proc, num int32) *FD {
	if s := own(p); s != nil {
		return s.m[num]
	}
	return nil
}

// writable is the set of p for changing it.
func (t *Table) writable(p *procs.Proc) *set {
	s := own(p)
	switch {
	case s == nil:
		s = t.newSet()
	case s.refs > 1 && !s.shared:
		s = t.copied(s, true)
	default:
		return s
	}
	p.FDs = s
	return s
}

func (t *Table) newSet() *set { return &set{m: map[int32]*FD{}, refs: 1, table: t} }

// copied makes the copy of a shared set that one of its owners goes on with, with or without what exec closes.
func (t *Table) copied(s *set, cloexec bool) *set {
	s.refs--
	c := t.newSet()
	for num, f := range s.m {
		if !cloexec && f.cloexec {
			continue
		}
		if !t.room(c, f) {
			t.forgotten.Add(1)
			continue
		}
		f.shared = true
		c.m[num] = f
		t.account(f, 1)
	}
	return c
}

// room says whether a set can take in one more.
func (t *Table) room(s *set, f *FD) bool {
	return len(s.m) < t.cfg.MaxPerProcess && t.count.Load() < int64(t.cfg.MaxDescriptors) &&
		t.bytes+f.size() <= t.cfg.MaxNameBytes
}

// account counts an FD in or out.
func (t *Table) account(f *FD, n int) {
	t.count.Add(int64(n))
	t.bytes += n * f.size()
}

// size is the bytes of the names.
func (f *FD) size() int {
	if f.Given == f.Name {
		return len(f.Name)
	}
	return len(f.Name) + len(f.Given)
}

// put remembers f. It is not to be changed afterwards: change copies it.
func (t *Table) put(p *procs.Proc, num int32, f *FD) {
	if num < 0 {
		return
	}
	s := t.writable(p)
	if old := s.m[num]; old != nil {
		t.account(old, -1)
		t.recycle(old)
		delete(s.m, num)
	}
	if !t.room(s, f) {
		t.forgotten.Add(1)
		return
	}
	t.account(f, 1)
	s.m[num] = f
}

func (t *Table) forget(p *procs.Proc, num int32) {
	if s := own(p); s == nil || s.m[num] == nil {
		return
	}
	s := t.writable(p)
	f := s.m[num]
	if f == nil { // there was no room for the copy
		return
	}
	t.account(f, -1)
	t.recycle(f)
	delete(s.m, num)
}

// Release is what a process table calls when a process is taken out.
func (s *set) Release() {
	if s.refs--; s.refs > 0 {
		return
	}
	for _, f := range s.m {
		s.table.account(f, -1)
	}
	s.m = nil
}

const maxFree = 64

// recycle keeps an FD for newFD, from the next event on.
func (t *Table) recycle(f *FD) {
	if !f.shared && len(t.dying) < maxFree {
		t.dying = append(t.dying, f)
	}
}

func (t *Table) newFD() *FD {
	if n := len(t.free); n > 0 {
		f := t.free[n-1]
		t.free = t.free[:n-1]
		*f = FD{}
		return f
	}
	return &FD{}
}

// turnOver lets what nobody has any more be used again.
func (t *Table) turnOver() {
	if len(t.free) < maxFree {
		t.free = append(t.free, t.dying...)
	}
	t.dying = t.dying[:0]
}

package tail

import (
	"bytes"
	"os"
	"slices"
	"strconv"
)

// candidate is a file that path may lead to, or one of its rotated generations, while resolve finds out what it is.
type candidate struct {
	path   string
	file   *file // nil once it is known that nothing in it is to be read
	info   os.FileInfo
	key    string // of its position, if that is known
	known  bool   // it was open before, or has a position
	opened bool   // file was opened by resolve
}

// resolve makes w follow the file at real, which is not the one it followed before, and opens those rotated generations
// of it in which there is something unread: of a rotation just now, of several since the last look, or of all that
// happened while the agent was down. They are read one after the other, oldest first.
func (f *Follower) resolve(w *watched, real string) error {
	fresh := !f.known[w.pattern]
	all, whole, err := f.candidates(real)
	if err != nil {
		return err
	}
	f.identify(all, real)
	cur := all[len(all)-1]
	if !cur.known && fresh && !f.cfg.FromStart {
		cur.file.skipTo(cur.file.lastLine(cur.info.Size()))
	}
	prev := f.predecessor(w, real, all)
	for _, c := range all {
		if c != cur && c.opened {
			f.settle(c, w, real, all)
		}
		if c.file == nil {
			continue
		}
		if c.opened {
			f.adopt(c, w, real, prev)
		}
		prev = c.file
	}
	// Names may have moved on since they were listed: then a generation was missed, and must not be forgotten.
	if whole && signature(real) == w.around {
		f.forget(all, w, real)
	}
	f.attach(w, cur.file, all)
	return nil
}

// candidates opens the generations of real and, last, real itself. whole is false if a generation could not be opened.
// Real is compared with its position before the folder is listed: if it was truncated by then, its copy is there.
func (f *Follower) candidates(real string) (all []*candidate, whole bool, err error) {
	cur, err := f.candidate(real)
	if err != nil {
		return nil, false, err
	}
	whole = true
	f.matchInode(cur)
	for _, path := range generations(real) {
		c, err := f.candidate(path)
		if err != nil {
			f.complain(path, err)
			whole = false
			continue
		}
		twin := func(o *candidate) bool { return o.file.id == c.file.id }
		if twin(cur) || slices.ContainsFunc(all, twin) { // a hard link
			if c.opened {
				c.file.os.Close()
			}
			continue
		}
		all = append(all, c)
	}
	return append(all, cur), whole, nil
}

// predecessor returns the open file whose unfinished lines may go on in the first of all: the one that w followed, or
// that was found where w is, unless it is one of all itself.
func (f *Follower) predecessor(w *watched, real string, all []*candidate) *file {
	for i := len(f.files) - 1; i >= 0; i-- {
		t := f.files[i]
		if t != w.cur && (t.refs > 0 || t.pos.Real != real) {
			continue
		}
		if slices.ContainsFunc(all, func(c *candidate) bool { return c.file == t }) {
			return nil
		}
		return t
	}
	return nil
}

// settle decides about a generation that was not open: the candidate keeps its file only if it is to be read.
func (f *Follower) settle(c *candidate, w *watched, real string, all []*candidate) {
	t := c.file
	switch {
	case !c.known && !f.known[w.pattern]:
		f.register(c, real)
	case !c.known && f.isCopy(c, w, real, all):
	case c.known && t.pos.Done:
		f.sleep(c)
	case c.known && !t.gz && c.info.Size() <= t.pos.Offset && len(t.pos.Pending) == 0 && f.cfg.Now().Sub(c.info.ModTime()) > f.cfg.Linger:
		f.sleep(c)
	default:
		return
	}
	t.os.Close()
	c.file = nil
}

// isCopy reports whether c is empty, or begins like a known file of the same place: copytruncate copies first, and the
// copy may not be finished. What is left alone here is found again when the original turns out to be truncated; w.again
// sees to it where that cannot be noticed by reading the original.
func (f *Follower) isCopy(c *candidate, w *watched, real string, all []*candidate) bool {
	size := c.info.Size()
	if size == 0 {
		return true
	}
	originals := slices.Clone(f.files)
	for _, o := range all {
		if o.file != nil && (o.known || o == all[len(all)-1]) {
			originals = append(originals, o.file)
		}
	}
	for _, t := range originals {
		if t.pos.Real != real && t.pos.Real != "" || t.gz || c.file.gz {
			continue
		}
		if sameStart(c.file.in, size, t.in) {
			w.again = w.again || t.readOff == 0
			return true
		}
		if n := int(min(size, int64(len(t.first)))); n > 0 && bytes.Equal(readAt(c.file.in, 0, n), t.first[:n]) {
			w.again = true // the original was truncated this moment
			return true
		}
	}
	return false
}

// candidate opens path, or finds that it is open already.
func (f *Follower) candidate(path string) (*candidate, error) {
	t, info, err := openFile(path, f.cfg.MaxLine)
	if err != nil {
		return nil, err
	}
	if open := f.byID[t.id]; open != nil {
		t.os.Close()
		return &candidate{path: path, file: open, info: info, known: true}, nil
	}
	return &candidate{path: path, file: t, info: info, opened: true}, nil
}

// match finds the position of c among those that fit. It goes from f.dormant to the file.
func (f *Follower) match(c *candidate, fits func(p *Position) bool) {
	for key, p := range f.dormant {
		if c.known || !fits(&p) {
			continue
		}
		if head, tail, ok := p.matches(c.file.in); ok {
			delete(f.dormant, key)
			c.key, c.file.key, c.known = key, key, true
			c.file.resume(p, head, tail)
		}
	}
}

// matchInode finds the position of c by its inode. One at offset 0 matches any content: it is the last choice.
func (f *Follower) matchInode(c *candidate) {
	same := func(p *Position) bool { return fileID{p.Dev, p.Ino} == c.file.id }
	f.match(c, func(p *Position) bool { return same(p) && (p.Offset > 0 || p.Done) })
	f.match(c, same)
}

// identify finds the positions of those candidates that are known.
func (f *Follower) identify(all []*candidate, real string) {
	for _, c := range all[:len(all)-1] {
		f.matchInode(c)
	}
	for _, c := range all { // moved: copied, compressed, restored
		f.match(c, func(p *Position) bool { return p.Offset > 0 && !p.Done && (p.Real == real || p.Path == c.path) })
	}
	for _, c := range all {
		if !c.known {
			f.inherit(c, real, c == all[len(all)-1])
		}
	}
}

// inherit lets c go on where an open file stands of which c is the copy, if that file is deleted (compressed, say) or
// no longer what its path leads to.
func (f *Follower) inherit(c *candidate, real string, current bool) {
	for _, t := range f.files {
		p := t.position()
		if p.Real != real || p.Offset == 0 || t.gz || !current && !deleted(t.os) {
			continue
		}
		head, tail, ok := p.matches(c.file.in)
		if !ok {
			continue
		}
		c.key, c.file.key, c.known = t.key, t.key, true
		c.file.resume(p, head, tail)
		for _, s := range f.files {
			if s.prev == t {
				s.prev = c.file
			}
		}
		f.close(t)
		return
	}
}

// register notes a generation that was there before its path was followed for the first time: it is not read, and
// later not taken for new.
func (f *Follower) register(c *candidate, real string) {
	t := c.file
	if t.gz {
		t.first = readAt(t.in, 0, fingerprintBytes)
		t.pos.Done, t.pos.Head = true, fingerprint(t.first)
	} else {
		t.skipTo(c.info.Size())
	}
	f.name(t, c.path, real)
	f.sleep(c)
	p := t.position()
	f.set(c.key, p.encode())
}

// sleep remembers a generation in which there is nothing unread.
func (f *Follower) sleep(c *candidate) {
	t := c.file
	p := t.position()
	if p.Dev != t.pos.Dev || p.Ino != t.pos.Ino {
		f.set(t.key, p.encode())
	}
	c.key = t.key
	f.dormant[t.key] = p
}

func (f *Follower) name(t *file, path, real string) {
	if t.key == "" {
		f.nextKey++
		t.key = fileKey + strconv.Itoa(f.nextKey)
	}
	t.pos.Path, t.pos.Real = path, real
}

// adopt puts a newly opened file among those that are read, after prev.
func (f *Follower) adopt(c *candidate, w *watched, real string, prev *file) {
	t := c.file
	f.name(t, w.path, real)
	t.prev, t.carry = prev, prev != nil && prev.pos.Real == real
	t.idle, t.dirty = f.cfg.Now(), true
	if t.pos.Done { // an archive named by its path, read before
		t.size = 1
	}
	f.files = append(f.files, t)
	f.byID[t.id] = t
	f.Stats.Open.Store(int64(len(f.files)))
	f.cfg.Logger.Info("following", "path", w.path, "file", c.path, "from byte", t.pos.Offset)
}

// forget drops the positions of generations of real that are gone. That of a truncated file is attach's to settle.
func (f *Follower) forget(all []*candidate, w *watched, real string) {
	for key, p := range f.dormant {
		if p.Real != real || w.broken != nil && w.broken.key == key {
			continue
		}
		if !slices.ContainsFunc(all, func(c *candidate) bool { return c.key == key }) {
			f.drop(key)
		}
	}
}

// attach makes w follow t. If what w followed was truncated and no copy of it was found, its unfinished lines go on in
// t, and what was written between the last look and the truncation is lost.
func (f *Follower) attach(w *watched, t *file, all []*candidate) {
	if b := w.broken; b != nil {
		w.broken = nil
		_, dormant := f.dormant[b.key]
		if dormant && !slices.ContainsFunc(all, func(c *candidate) bool { return c.key == b.key }) {
			f.drop(b.key)
			f.Stats.Lost.Add(1)
			f.cfg.Logger.Warn("file was truncated and no copy of it found; what was written after the last look is lost",
				"path", w.path, "read up to byte", b.readOff)
			b.end(f.line(b.dec))
			t.dec.restore(b.dec.save())
			t.dirty = true
		}
	}
	old := w.cur
	if old == t {
		return
	}
	w.cur = t
	t.refs++
	if old != nil {
		f.release(old)
	}
}

package tail

import (
	"errors"
	"slices"
	"time"
)

// round lets each file have its turn, until the batch is full. It reports whether there is more to read at once.
func (f *Follower) round() (busy bool) {
	now := f.cfg.Now()
	select {
	case chunk, ok := <-f.input.chunks():
		f.take(chunk, ok)
		busy = true
	default:
	}
	// A copy: files are closed and opened on the way.
	for i, files := 0, slices.Clone(f.files); i < len(files); i++ {
		if f.batch.full() {
			return true
		}
		t := files[(f.turn+i)%len(files)]
		if f.byID[t.id] != t {
			continue // closed meanwhile
		}
		more := f.visitFile(t, now)
		busy = busy || more
	}
	f.turn++
	return busy
}

// visitFile reads a chunk of t if there is one, and leaves t if it is over.
func (f *Follower) visitFile(t *file, now time.Time) (more bool) {
	if !f.ready(t) {
		return false
	}
	changed, err := t.look(now)
	if err == nil && changed {
		from := t.readOff
		more, err = t.read(f.buf, f.cfg.MaxLine, f.line(t.dec))
		f.Stats.Bytes.Add(t.readOff - from)
		if t.readOff > from {
			t.idle = now
		}
		if err == nil && !more && t.gz {
			t.size = max(1, t.readOff)
		}
	}
	switch {
	case errors.Is(err, errTruncated):
		f.truncated(t)
		return true
	case err != nil && t.gz:
		f.complain(t.pos.Path, err)
		t.size = max(1, t.readOff) // a broken archive does not get better
	case err != nil:
		f.complain(t.pos.Path, err)
		return false
	}
	if t.refs == 0 && !more && t.atEnd() && now.Sub(t.idle) >= f.cfg.Linger {
		f.leave(t)
	}
	return more
}

// ready reports whether t may be read: the generation before it must have been read to its end first. That end is
// certain only when t has content: until the writer has opened t it may go on in the file before.
func (f *Follower) ready(t *file) bool {
	p := t.prev
	if p == nil {
		return true
	}
	if f.byID[p.id] == p {
		if t.empty() || p.prev != nil || !p.atEnd() {
			return false
		}
		if t.carry {
			f.handOver(p, t)
		}
	}
	t.prev = nil
	return true
}

// handOver ends p, so that its unfinished lines go on in t.
func (f *Follower) handOver(p, t *file) {
	p.end(f.line(p.dec))
	if p.dec.Pending() {
		f.cfg.Logger.Debug("an unfinished line goes on in the next file", "path", t.pos.Path, "after byte", p.pos.Offset)
		t.dec.restore(p.dec.save())
		p.dec = NewDecoder(f.cfg.MaxLine)
		p.dirty, t.dirty = true, true
	}
}

// leave closes a file that was rotated away, has been read to its end and has not grown for Config.Linger.
func (f *Follower) leave(t *file) {
	heir := slices.IndexFunc(f.files, func(s *file) bool { return s.prev == t && s.carry })
	if heir >= 0 {
		f.handOver(t, f.files[heir])
	}
	t.end(f.line(t.dec))
	if t.dec.Pending() {
		t.dec.Flush(f.text)
		t.dirty = true
	}
	// The position stays even if the file is deleted: its content may come back compressed.
	if t.gz && t.size != 0 {
		t.pos.Head, t.pos.Done, t.dirty = fingerprint(t.first), true, true
	}
	p := t.position()
	if t.dirty {
		f.set(t.key, p.encode())
	}
	f.dormant[t.key] = p
	f.close(t)
	f.cfg.Logger.Debug("rotated file was read to its end", "path", t.pos.Path, "bytes", t.pos.Offset)
}

// close forgets an open file; its position must have been taken before.
func (f *Follower) close(t *file) {
	t.os.Close()
	delete(f.byID, t.id)
	f.files = slices.DeleteFunc(f.files, func(s *file) bool { return s == t })
	f.Stats.Open.Store(int64(len(f.files)))
}

// truncated closes a file of which the content that was read is gone. Its position stays: a copy made before the
// truncation (copytruncate) is found by it. The paths that lead here are followed from the file's start.
func (f *Follower) truncated(t *file) {
	f.Stats.Truncations.Add(1)
	p := t.position()
	f.dormant[t.key] = p
	f.set(t.key, p.encode())
	f.close(t)
	found := false
	for _, w := range f.paths {
		if w.cur == t {
			w.cur, w.broken, found = nil, t, true
			f.visit(w.path, w.pattern)
		}
	}
	if !found {
		f.cfg.Logger.Warn("rotated file was truncated before it was left", "path", t.pos.Path, "read up to byte", t.readOff)
		f.drop(t.key)
		t.end(f.line(t.dec))
		t.dec.Flush(f.text)
	}
}

// drop forgets a file for good.
func (f *Follower) drop(key string) {
	delete(f.dormant, key)
	f.set(key, nil)
}

// complain logs an error about path, once until it changes.
func (f *Follower) complain(path string, err error) {
	if f.complained[path] == err.Error() {
		return
	}
	f.complained[path] = err.Error()
	f.Stats.Errors.Add(1)
	f.cfg.Logger.Error("log file cannot be followed; trying again", "path", path, "error", err)
}

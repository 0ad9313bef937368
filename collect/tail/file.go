package tail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// chunkBytes is how much of one file is read at once: the files take turns.
const chunkBytes = 256 << 10

// errTruncated: what was read before is no longer there.
var errTruncated = errors.New("file was truncated or replaced in place")

// file is one open file that is read. The offsets:
//
//	0 ........ pos.Offset ............ readOff ......... size
//	  lines handed on     part+skipped          not read
type file struct {
	key string // in the state: "file:<n>"
	id  fileID
	pos Position
	os  *os.File
	in  io.ReaderAt // os, or its decompressed content
	gz  bool
	dec *Decoder

	first   []byte // the first bytes, up to fingerprintBytes and readOff
	tail    []byte // the bytes before pos.Offset, up to fingerprintBytes
	last    []byte // the bytes before readOff, up to fingerprintBytes
	part    []byte // the line that has no newline yet, up to the limit
	skipped int64  // bytes of that line beyond the limit
	readOff int64
	blank   bool // nothing but NULs was seen: the hole that a truncation leaves for a writer without O_APPEND

	refs    int       // paths that lead here; 0: rotated away, read to its end, then left
	idle    time.Time // when it last grew or was rotated away
	prev    *file     // the generation before, to be read to its end first
	carry   bool      // the unfinished lines of prev go on in this file
	size    int64     // at the last look, with modTime
	modTime time.Time
	dirty   bool // pos is not in the state yet
}

// openFile opens path for reading at pos, of which head and tail are the fingerprinted bytes. It never blocks on a
// named pipe.
func openFile(path string, limit int) (*file, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open log file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("open log file %s: %w", path, err)
	}
	t := &file{os: f, in: f, dec: NewDecoder(limit), id: idOf(info), blank: true}
	if isGzip(path) {
		t.gz, t.in = true, &gzipAt{file: f}
	}
	return t, info, nil
}

// resume sets where to read on. The slices are kept.
func (t *file) resume(pos Position, head, tail []byte) {
	t.pos, t.first, t.tail, t.last, t.readOff = pos, head, tail, bytes.Clone(tail), pos.Offset
	t.dec.restore(pos.Pending)
	t.blank = len(bytes.Trim(head, "\x00")) == 0
}

// lastLine returns where the last line of a file of size bytes starts that has no newline yet; size, if all have.
func (t *file) lastLine(size int64) int64 {
	const lookBack = 64 << 10
	from := max(0, size-lookBack)
	b := readAt(t.in, from, int(size-from))
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 || from == 0 {
		return from + int64(i+1)
	}
	return size
}

// skipTo sets the position to offset end, so that what comes before it is not read.
func (t *file) skipTo(end int64) {
	n := int(min(end, fingerprintBytes))
	t.first, t.tail = readAt(t.in, 0, n), readAt(t.in, end-int64(n), n)
	t.pos.Offset, t.readOff, t.last = end, end, bytes.Clone(t.tail)
	t.blank, t.dirty = end == 0, true
}

// read reads one chunk and consumes it. It reports whether there may be more to read at once.
func (t *file) read(buf []byte, limit int, line func(line []byte, cut int64)) (more bool, err error) {
	lead := len(t.last)
	n, err := t.in.ReadAt(buf[:lead+chunkBytes], t.readOff-int64(lead))
	if n < lead || !bytes.Equal(buf[:lead], t.last) {
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("read log file %s: %w", t.pos.Path, err)
		}
		return false, errTruncated
	}
	if n > lead {
		t.consume(buf[:n], lead, limit, line)
	}
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("read log file %s: %w", t.pos.Path, err)
	}
	return err == nil, nil
}

// consume takes the lines out of buf, of which the first lead bytes were seen before.
func (t *file) consume(buf []byte, lead, limit int, line func(line []byte, cut int64)) {
	data := buf[lead:]
	if room := fingerprintBytes - len(t.first); room > 0 && t.readOff < fingerprintBytes {
		t.first = append(t.first, data[:min(room, len(data))]...)
	}
	done := 0
	if t.blank {
		done = len(data) - len(bytes.TrimLeft(data, "\x00"))
		t.blank = done == len(data)
	}
	for {
		i := bytes.IndexByte(data[done:], '\n')
		if i < 0 {
			break
		}
		text, cut := data[done:done+i], int64(0)
		if len(t.part) > 0 || t.skipped > 0 {
			t.extend(text, limit)
			text, cut = t.part, t.skipped
		} else if len(text) > limit {
			text, cut = text[:limit], int64(len(text)-limit)
		}
		line(text, cut)
		t.part, t.skipped = t.part[:0], 0
		if cap(t.part) > 64<<10 { // a rare long line must not hold its memory for good
			t.part = nil
		}
		done += i + 1
	}
	if done > 0 {
		t.pos.Offset = t.readOff + int64(done)
		t.tail = append(t.tail[:0], buf[max(0, lead+done-fingerprintBytes):lead+done]...)
		t.dirty = true
	}
	t.extend(data[done:], limit)
	t.readOff += int64(len(data))
	t.last = append(t.last[:0], buf[max(0, len(buf)-fingerprintBytes):]...)
}

// extend adds to the unfinished line. One byte over the limit is kept never: what is over is counted.
func (t *file) extend(text []byte, limit int) {
	kept := min(len(text), max(0, limit-len(t.part)))
	t.part = append(t.part, text[:kept]...)
	t.skipped += int64(len(text) - kept)
}

// end hands on the line that never got its newline: the file will not grow any more.
func (t *file) end(line func(line []byte, cut int64)) {
	if len(t.part) == 0 && t.skipped == 0 {
		return
	}
	line(t.part, t.skipped)
	t.part, t.skipped = nil, 0
	t.pos.Offset, t.tail, t.dirty = t.readOff, bytes.Clone(t.last), true
}

// position returns what is to be stored now.
func (t *file) position() Position {
	p := t.pos
	p.Dev, p.Ino = t.id.dev, t.id.ino
	if !p.Done {
		p.Head = fingerprint(t.first[:min(int64(len(t.first)), p.Offset)])
		p.Tail = fingerprint(t.tail)
	}
	p.Pending = t.dec.save()
	return p
}

// look updates size and modTime, and reports whether there is something to read, or to compare because the file
// changed without growing.
func (t *file) look(now time.Time) (changed bool, err error) {
	if t.gz {
		return t.size == 0, nil // read once; size is set at its end
	}
	info, err := t.os.Stat()
	if err != nil {
		return false, fmt.Errorf("stat log file %s: %w", t.pos.Path, err)
	}
	changed = info.Size() != t.readOff || !info.ModTime().Equal(t.modTime)
	if info.Size() != t.size {
		t.idle = now
	}
	t.size, t.modTime = info.Size(), info.ModTime()
	return changed, nil
}

// atEnd reports whether all that is in the file now has been read.
func (t *file) atEnd() bool {
	if t.gz {
		return t.size != 0
	}
	info, err := t.os.Stat()
	return err != nil || info.Size() <= t.readOff
}

// empty reports whether nothing was ever written to the file's current generation.
func (t *file) empty() bool {
	if t.gz {
		return false
	}
	info, err := t.os.Stat()
	return err == nil && info.Size() == 0
}

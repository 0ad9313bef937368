package ahead

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/block"
)

// A log file is frames, one a group, from its beginning on. All of one filling bear the same random number; an emptied
// log is written from the beginning again, and what is left of an older filling behind the new frames bears another.
// The number cannot be guessed, so that bytes of an alert that happen to lie where a frame would begin are none.
//
//	offset  bytes
//	0       4      "EyAh"
//	4       4      length of the block
//	8       8      number of the filling
//	16      8      Seq of the first record
//	24      8      when it arrived, nanoseconds since 1970
//	32      4      CRC-32C of the 32 bytes before
//	36      4      0
//	40      ...    a block (journal/block), with a checksum of its own
//
// Integers are little-endian.
const (
	frameHeader = 40
	frameMagic  = 0x68417945
	maxBlock    = 256 << 20 // bytes; a group's bodies are at most 16 MiB and one request
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// log is one file. It is not safe for concurrent use.
type log struct {
	path    string
	file    *os.File
	info    os.FileInfo // as opened
	filling uint64
	end     int64  // where the next frame goes
	frame   []byte // reused
	scratch []byte // reused
}

// openLog opens or makes a log and returns the records of its whole frames.
func openLog(path string) (*log, []journal.Record, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, failed(path, "open", err)
	}
	l := &log{path: path, file: f}
	records, err := l.read()
	if err == nil {
		l.info, err = f.Stat()
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, nil, errors.Join(failed(path, "read", err), f.Close())
	}
	return l, records, nil
}

// failed says which file and what was done with it, in the journal's sentinels.
func failed(path, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		err = fmt.Errorf("%w: %w", journal.ErrFull, err)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		err = fmt.Errorf("%w: %w", journal.ErrReadOnly, err)
	case errors.Is(err, os.ErrClosed):
		err = journal.ErrClosed
	}
	return fmt.Errorf("journal %s: %s: %w", path, op, err)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// read returns the records of the frames from the beginning of the file.
func (l *log) read() ([]journal.Record, error) {
	content, err := io.ReadAll(io.NewSectionReader(l.file, 0, 1<<62))
	if err != nil {
		return nil, err
	}
	records, filling, used := decodeFrames(content)
	l.filling, l.end = filling, int64(used)
	return records, nil
}

// decodeFrames returns the records of all whole frames of one filling from the beginning of content, parsed, in ascending
// order of Seq, the number of that filling, and where the last of them ends. A frame that the disk has damaged does not
// take those behind it along.
func decodeFrames(content []byte) (records []journal.Record, filling uint64, used int) {
	last := int64(0)
	for at := 0; ; {
		more, number, size := decodeFrame(content[at:], last, func(number uint64) bool { return used == 0 || number == filling })
		if size > 0 {
			records, filling = append(records, more...), number
			last = records[len(records)-1].Seq
			at += size
			used = at
			continue
		}
		next := bytes.Index(content[min(at+1, len(content)):], []byte("EyAh"))
		if used == 0 || next < 0 {
			return records, filling, used
		}
		at += 1 + next
	}
}

// decodeFrame returns the records of the frame at the beginning of b, its filling and its size, which is 0 if there is no
// whole one of that filling with records after last.
func decodeFrame(b []byte, last int64, ours func(filling uint64) bool) (records []journal.Record, filling uint64, size int) {
	if len(b) < frameHeader || binary.LittleEndian.Uint32(b) != frameMagic || crc32.Checksum(b[:32], castagnoli) != binary.LittleEndian.Uint32(b[32:]) {
		return nil, 0, 0
	}
	length := int64(binary.LittleEndian.Uint32(b[4:]))
	filling = binary.LittleEndian.Uint64(b[8:])
	first, arrived := int64(binary.LittleEndian.Uint64(b[16:])), int64(binary.LittleEndian.Uint64(b[24:]))
	if !ours(filling) || length > maxBlock || length > int64(len(b)-frameHeader) || first <= last {
		return nil, 0, 0
	}
	decoded, err := block.Decode(b[frameHeader:frameHeader+length], first, arrived)
	if err != nil {
		return nil, 0, 0
	}
	for i := range decoded {
		r := decoded[i].Record
		// A body that no longer parses leaves Alert nil, which is what Record promises.
		if a, err := falco.Parse(r.Body); err == nil {
			r.Alert = a
		}
		records = append(records, r)
	}
	if len(records) == 0 {
		return nil, 0, 0
	}
	return records, filling, frameHeader + int(length)
}

// refill begins a new filling. What the log holds stays until it is written over.
func (l *log) refill() {
	var number [8]byte
	rand.Read(number[:]) // never fails
	l.filling = binary.LittleEndian.Uint64(number[:])
}

// moved returns an error if the file is not the one that its name leads to, or is cut off: nobody would find what is written.
func (l *log) moved() error {
	if info, err := os.Stat(l.path); err != nil || !os.SameFile(info, l.info) || info.Size() < l.end {
		return fmt.Errorf("%w: %s", journal.ErrMoved, filepath.Base(l.path))
	}
	return nil
}

// append writes a group of new records durably. After an error the next group is written where this one would be.
func (l *log) append(records []*journal.Record) error {
	if err := l.moved(); err != nil {
		return err
	}
	if l.end == 0 {
		l.refill()
	}
	l.frame = slices.Grow(l.frame[:0], frameHeader)[:frameHeader]
	l.frame, l.scratch = block.Append(l.frame, l.scratch, records)
	b := l.frame
	binary.LittleEndian.PutUint32(b, frameMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-frameHeader))
	binary.LittleEndian.PutUint64(b[8:], l.filling)
	binary.LittleEndian.PutUint64(b[16:], uint64(records[0].Seq))
	binary.LittleEndian.PutUint64(b[24:], uint64(records[0].Arrived.UnixNano()))
	binary.LittleEndian.PutUint32(b[32:], crc32.Checksum(b[:32], castagnoli))
	binary.LittleEndian.PutUint32(b[36:], 0)
	_, err := l.file.WriteAt(b, l.end)
	if err == nil {
		err = datasync(l.file)
	}
	if cap(l.frame)+cap(l.scratch) > keepBuffers {
		l.frame, l.scratch = nil, nil
	}
	if err != nil {
		return failed(l.path, "write", err)
	}
	if err := l.moved(); err != nil {
		return err
	}
	l.end += int64(len(b))
	return nil
}

// keepBuffers is the size in bytes of the largest buffers that are kept for the next frame.
const keepBuffers = 4 << 20

// keepFile is the size in bytes beyond which an emptied log is cut off. Writing over what there is spares the file system
// work.
const keepFile = 64 << 20

// reset empties the log: all of it is in the store behind, durably. It need not be synced, since frames that the store
// behind has are passed over.
func (l *log) reset() error {
	if l.end == 0 {
		return nil
	}
	var err error
	if l.end > keepFile {
		err = l.file.Truncate(0)
	} else {
		_, err = l.file.WriteAt(make([]byte, frameHeader), 0)
	}
	if err != nil {
		return failed(l.path, "empty", err)
	}
	l.end = 0
	return nil
}

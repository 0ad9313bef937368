package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segment is one file of frames.
type segment struct {
	id   uint64
	path string
	salt uint64
	base uint64 // number of the first record it may hold
	end  uint64 // number after the last record in it
	size int64  // bytes up to the end of the last valid frame
	bad  bool   // its header is unreadable: nothing in it is
}

// listSegments returns the segments of a directory, oldest first.
func listSegments(dir string) ([]*segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list spool: %w", err)
	}
	var all []*segment
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".seg")
		id, err := strconv.ParseUint(name, 16, 64)
		if ok && err == nil && len(name) == 16 {
			all = append(all, &segment{id: id, path: filepath.Join(dir, e.Name())})
		}
	}
	slices.SortFunc(all, func(a, b *segment) int { return int(a.id) - int(b.id) })
	return all, nil
}

// walk calls visit for each valid frame of the segment, in order, and sets what it learns. It returns the number of
// damaged bytes that have a valid frame after them, and of those at the end that have none. Only one frame is in memory
// at a time; what visit gets is its own.
func (s *segment) walk(visit func(f frame)) (damaged, torn int64, err error) {
	file, err := os.Open(s.path)
	if err != nil {
		return 0, 0, fmt.Errorf("open segment %x: %w", s.id, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, 0, fmt.Errorf("stat segment %x: %w", s.id, err)
	}
	head := make([]byte, segmentHeader)
	_, err = io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, 0, fmt.Errorf("read segment %x: %w", s.id, err)
	}
	base, salt, ok := parseSegmentHeader(head)
	if !ok {
		s.bad = true
		return 0, info.Size(), nil
	}
	s.base, s.salt, s.end, s.size = base, salt, base, segmentHeader
	for {
		f, at, err := nextFrame(file, s.size, info.Size(), s.salt)
		if errors.Is(err, io.EOF) {
			return damaged, info.Size() - s.size, nil
		}
		if err != nil {
			return 0, 0, fmt.Errorf("read segment %x: %w", s.id, err)
		}
		damaged += at - s.size
		s.size = at + int64(f.size)
		s.end = max(s.end, f.first+uint64(len(f.records)))
		visit(f)
	}
}

// nextFrame returns the first valid frame at or after offset off and where it is; io.EOF if there is none before limit.
func nextFrame(r io.ReaderAt, off, limit int64, salt uint64) (f frame, at int64, err error) {
	f, err = readFrame(r, off, limit, salt)
	if !errors.Is(err, errInvalid) {
		return f, off, err
	}
	const window = 1 << 20
	buf := make([]byte, window+frameHeader)
	for off < limit {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), limit-off)], off)
		if err != nil && err != io.EOF || n == 0 {
			return f, 0, errors.Join(err, io.ErrUnexpectedEOF)
		}
		b := buf[:n]
		for i := 0; ; i++ {
			j := bytes.Index(b[i:], []byte(frameSync))
			if j < 0 || i+j >= window {
				break
			}
			i += j
			if _, ok := parseHeader(b[i:], salt); !ok {
				continue
			}
			if f, err := readFrame(r, off+int64(i), limit, salt); !errors.Is(err, errInvalid) {
				return f, off + int64(i), err
			}
		}
		if n <= window {
			break
		}
		off += window
	}
	return frame{}, limit, io.EOF
}

// readFrame reads the frame at off. errInvalid: there is none. io.EOF: off is limit.
func readFrame(r io.ReaderAt, off, limit int64, salt uint64) (frame, error) {
	if off >= limit {
		return frame{}, io.EOF
	}
	var head [frameHeader]byte
	if limit-off < frameHeader {
		return frame{}, errInvalid
	}
	if _, err := r.ReadAt(head[:], off); err != nil {
		return frame{}, fmt.Errorf("read frame: %w", err)
	}
	h, ok := parseHeader(head[:], salt)
	if !ok || limit-off < frameHeader+int64(h.length) {
		return frame{}, errInvalid
	}
	b := make([]byte, frameHeader+int(h.length))
	if _, err := r.ReadAt(b, off); err != nil {
		return frame{}, fmt.Errorf("read frame: %w", err)
	}
	return parseFrame(b, salt)
}

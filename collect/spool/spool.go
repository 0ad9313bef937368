package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
)

var (
	// ErrFull: the spool holds Config.MaxBytes. Nothing was stored; there is room again after records were delivered.
	ErrFull = errors.New("spool is full")
	// ErrLocked: another process uses the spool.
	ErrLocked = errors.New("spool is in use by another process")
	// ErrTooLarge: one Append does not fit into a frame (64 MiB) or into the spool. It never will.
	ErrTooLarge = errors.New("batch is larger than a spool frame")
)

// Sizes in bytes.
const (
	// DefaultMaxBytes is 1 GiB: about a million alerts.
	DefaultMaxBytes = 1 << 30
	// MinMaxBytes is the smallest spool: it holds a few of the largest batches.
	MinMaxBytes = 8 << 20

	maxSegment = 64 << 20
)

// Config says where and how large a spool is.
type Config struct {
	Dir      string
	MaxBytes int64 // on disk, all segments; 0: DefaultMaxBytes
	// SegmentBytes is when a new segment is begun; 0: an eighth of MaxBytes, at most 64 MiB. Space is freed by segments.
	SegmentBytes int64
	Logger       *slog.Logger
}

// Stats is what a spool holds.
type Stats struct {
	Waiting uint64 // records not delivered yet
	Next    uint64 // number that the next record gets: how many were ever appended
	Bytes   int64  // on disk
	Max     int64  // Config.MaxBytes
	Lost    uint64 // records lost to damage of the disk, since Open
	Damaged int64  // bytes skipped because of it, since Open
}

// Spool is an open spool. Append and State are for one goroutine, Read, Commit and Wait for another one; Stats for all.
type Spool struct {
	cfg  Config
	log  *slog.Logger
	lock *os.File
	mark *os.File
	more chan struct{}        // holds one: records were appended
	sync func(*os.File) error // fsync; tests make it fail

	state map[string][]byte // the appender's
	file  *os.File          // of the last segment; nil: the next Append begins a new one. The appender's
	buf   []byte            // the appender's

	turn   uint64 // of the mark; the reader's
	cursor cursor // the reader's

	mu       sync.Mutex
	segments []*segment // oldest first; guarded by mu, their size and end too
	next     uint64     // guarded by mu
	marked   uint64     // guarded by mu
	lost     uint64     // guarded by mu
	damaged  int64      // guarded by mu
}

// Open opens the spool in cfg.Dir, or makes one. It reads all of it, to check it: about a second per GiB.
func Open(cfg Config) (*Spool, error) { return open(cfg, (*os.File).Sync) }

func open(cfg Config, sync func(*os.File) error) (*Spool, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = min(cfg.MaxBytes/8, maxSegment)
	}
	if cfg.MaxBytes < MinMaxBytes {
		return nil, fmt.Errorf("open spool: a size of %d bytes is below the minimum of %d", cfg.MaxBytes, MinMaxBytes)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	lock, err := lockFile(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", cfg.Dir, err)
	}
	s := &Spool{cfg: cfg, log: cfg.Logger, lock: lock, sync: sync, more: make(chan struct{}, 1), state: map[string][]byte{}}
	if err := s.recover(); err != nil {
		s.Close()
		return nil, fmt.Errorf("open spool %s: %w", cfg.Dir, err)
	}
	return s, nil
}

// recover reads mark and segments.
func (s *Spool) recover() error {
	var err error
	s.mark, err = os.OpenFile(filepath.Join(s.cfg.Dir, "mark"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open mark: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(s.mark, 2*markSpacing))
	if err != nil {
		return fmt.Errorf("read mark: %w", err)
	}
	s.turn, s.marked = parseMark(b)
	all, err := listSegments(s.cfg.Dir)
	if err != nil {
		return err
	}
	for i, g := range all {
		damaged, torn, err := g.walk(s.apply)
		if err != nil {
			return err
		}
		last := i == len(all)-1
		if g.bad && last { // a crash between the making of a segment and its first fsync, or a rotten header
			if torn > segmentHeader {
				s.log.Error("the spool's last segment is unreadable; it is put aside", "segment", g.path+".damaged", "bytes", torn)
			}
			if err := os.Rename(g.path, g.path+".damaged"); err != nil {
				return fmt.Errorf("put damaged segment aside: %w", err)
			}
			continue
		}
		if !last {
			damaged += torn
		} else if torn > 0 {
			s.log.Info("the spool ends in a write that a crash tore; it is cut off", "segment", g.path, "bytes", torn)
		}
		if damaged > 0 {
			s.damaged += damaged
			s.log.Error("the spool is damaged; what is unreadable is skipped", "segment", g.path, "bytes", damaged)
		}
		s.segments = append(s.segments, g)
		s.next = max(s.next, g.end)
	}
	s.next = max(s.next, s.marked)
	if n := len(s.segments); n > 0 {
		if err := s.reopen(s.segments[n-1]); err != nil {
			return err
		}
	}
	return s.reclaim()
}

// apply takes the state out of a frame.
func (s *Spool) apply(f frame) {
	if f.whole {
		clear(s.state)
	}
	for _, c := range f.changes {
		if c.value == nil {
			delete(s.state, c.key)
		} else {
			s.state[c.key] = append([]byte{}, c.value...)
		}
	}
}

// reopen continues the last segment after its last valid frame.
func (s *Spool) reopen(g *segment) error {
	file, err := os.OpenFile(g.path, os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open segment %x: %w", g.id, err)
	}
	s.file = file
	if err := file.Truncate(g.size); err != nil {
		return fmt.Errorf("cut segment %x: %w", g.id, err)
	}
	return nil
}

// State returns the state as of the last Append. The map and its values are a copy.
func (s *Spool) State() map[string][]byte {
	out := make(map[string][]byte, len(s.state))
	for key, value := range s.state {
		out[key] = append([]byte{}, value...)
	}
	return out
}

// Append stores records and changes of the state (nil deletes a key) in one durable, atomic write. After an error nothing
// counts as stored: ErrFull and the errors of the disk may pass, ErrTooLarge does not. It keeps none of the slices.
func (s *Spool) Append(records [][]byte, changes map[string][]byte) error {
	if len(records) == 0 && len(changes) == 0 {
		return nil
	}
	s.mu.Lock()
	next, used, idle := s.next, s.bytes(), s.next == s.marked
	var last *segment
	if n := len(s.segments); n > 0 {
		last = s.segments[n-1]
	}
	s.mu.Unlock()
	fresh := s.file == nil || last.size >= s.cfg.SegmentBytes
	if fresh {
		return s.appendFresh(records, changes, next, used, idle)
	}
	s.buf = appendFrame(s.buf[:0], last.salt, next, records, changes, false)
	if size := int64(len(s.buf)); size > maxPayload+frameHeader || size > s.cfg.MaxBytes {
		return fmt.Errorf("append of %d bytes: %w", size, ErrTooLarge)
	} else if used+size > s.cfg.MaxBytes {
		if idle { // all is delivered: the old segments go when a new one is there
			return s.appendFresh(records, changes, next, 0, idle)
		}
		return ErrFull
	}
	if _, err := s.file.WriteAt(s.buf, last.size); err != nil {
		_ = s.file.Truncate(last.size) // at best; the next write goes to the same place
		return fmt.Errorf("write segment %x: %w", last.id, err)
	}
	if err := s.sync(s.file); err != nil {
		_ = s.file.Truncate(last.size)
		s.file.Close()
		s.file = nil
		return fmt.Errorf("fsync segment %x: %w", last.id, err)
	}
	s.published(last, int64(len(s.buf)), records, changes)
	return nil
}

// appendFresh appends to a new segment, which it begins with the whole state.
func (s *Spool) appendFresh(records [][]byte, changes map[string][]byte, next uint64, used int64, idle bool) error {
	state := make(map[string][]byte, len(s.state)+len(changes))
	for key, value := range s.state {
		state[key] = value
	}
	for key, value := range changes {
		if value == nil {
			delete(state, key)
		} else {
			state[key] = value
		}
	}
	s.mu.Lock()
	g := &segment{id: 1, salt: rand.Uint64(), base: next, end: next}
	if n := len(s.segments); n > 0 {
		g.id = s.segments[n-1].id + 1
	}
	s.mu.Unlock()
	g.path = filepath.Join(s.cfg.Dir, fmt.Sprintf("%016x.seg", g.id))
	s.buf = appendSegmentHeader(s.buf[:0], g.base, g.salt)
	s.buf = appendFrame(s.buf, g.salt, next, records, state, true)
	if size := int64(len(s.buf)); size > maxPayload || size > s.cfg.MaxBytes {
		return fmt.Errorf("append of %d bytes: %w", size, ErrTooLarge)
	} else if used+size > s.cfg.MaxBytes && !idle {
		return ErrFull
	}
	file, err := s.writeSegment(g.path, s.buf)
	if err != nil {
		return fmt.Errorf("begin segment %x: %w", g.id, err)
	}
	if s.file != nil {
		s.file.Close()
	}
	s.file = file
	s.mu.Lock()
	s.segments = append(s.segments, g)
	s.mu.Unlock()
	s.published(g, int64(len(s.buf)), records, changes)
	return s.reclaim()
}

// writeSegment makes a file durable with its name, or leaves none.
func (s *Spool) writeSegment(path string, content []byte) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(content)
	if err == nil {
		err = s.sync(file)
	}
	if err == nil {
		err = s.syncDir()
	}
	if err != nil {
		file.Close()
		_ = os.Remove(path)
		return nil, err
	}
	return file, nil
}

// syncDir makes the names of the segments durable.
func (s *Spool) syncDir() error {
	d, err := os.Open(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("open spool directory: %w", err)
	}
	defer d.Close()
	if err := s.sync(d); err != nil {
		return fmt.Errorf("fsync spool directory: %w", err)
	}
	return nil
}

// published makes a durable frame visible.
func (s *Spool) published(g *segment, size int64, records [][]byte, changes map[string][]byte) {
	for key, value := range changes {
		if value == nil {
			delete(s.state, key)
		} else {
			s.state[key] = append([]byte{}, value...)
		}
	}
	s.mu.Lock()
	g.size += size
	s.next += uint64(len(records))
	g.end = s.next
	s.mu.Unlock()
	if len(records) > 0 {
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
	if cap(s.buf) > 8<<20 {
		s.buf = nil
	}
}

// bytes is the size of all segments; the caller holds mu.
func (s *Spool) bytes() int64 {
	var sum int64
	for _, g := range s.segments {
		sum += g.size
	}
	return sum
}

// reclaim deletes segments of which all records were delivered, except the last one.
func (s *Spool) reclaim() error {
	s.mu.Lock()
	var gone []*segment
	for len(s.segments) > 1 && s.segments[0].end <= s.marked {
		gone = append(gone, s.segments[0])
		s.segments = s.segments[1:]
	}
	s.mu.Unlock()
	for _, g := range gone {
		if err := os.Remove(g.path); err != nil {
			s.log.Error("delivered segment cannot be deleted", "segment", g.path, "error", err)
		}
	}
	return nil
}

// Stats returns what the spool holds now.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Waiting: s.next - s.marked, Next: s.next, Bytes: s.bytes(), Max: s.cfg.MaxBytes, Lost: s.lost, Damaged: s.damaged}
}

// Wait returns when there may be something to Read, or with ctx's error.
func (s *Spool) Wait(ctx context.Context) error {
	select {
	case <-s.more:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close releases the spool. Everything appended stays.
func (s *Spool) Close() error {
	for _, f := range []*os.File{s.file, s.mark, s.cursor.file, s.lock} {
		if f != nil {
			f.Close()
		}
	}
	return nil
}

package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// cursor is where the reader stands.
type cursor struct {
	seg     *segment
	file    *os.File // of seg
	off     int64
	records [][]byte // of the last frame read, not handed out yet
	next    uint64   // number of records[0], or of the next record
	started bool
}

// Read returns up to max records of together up to maxBytes (but one at least) that no Read returned before, and the
// number to Commit when they are delivered. At the first Read these are the oldest that were not committed. No records:
// Wait. The slices are the caller's. Damaged frames are skipped and counted.
func (s *Spool) Read(max, maxBytes int) (records [][]byte, next uint64, err error) {
	c := &s.cursor
	if !c.started {
		s.mu.Lock()
		c.next, c.started = s.marked, true
		s.mu.Unlock()
	}
	for size := 0; len(records) < max; {
		if len(c.records) == 0 {
			if ok, err := s.fill(); err != nil {
				return records, c.next, err
			} else if !ok {
				break
			}
		}
		r := c.records[0]
		if size += len(r); size > maxBytes && len(records) > 0 {
			break
		}
		records = append(records, r)
		c.records = c.records[1:]
		c.next++
	}
	return records, c.next, nil
}

// fill reads the next frame that has records to hand out; false: there is none yet.
func (s *Spool) fill() (bool, error) {
	c := &s.cursor
	for {
		if c.seg == nil {
			if ok, err := s.openNext(); !ok || err != nil {
				return false, err
			}
		}
		s.mu.Lock()
		limit := c.seg.size
		last := c.seg == s.segments[len(s.segments)-1]
		s.mu.Unlock()
		f, at, err := nextFrame(c.file, c.off, limit, c.seg.salt)
		if errors.Is(err, io.EOF) {
			s.skipped(limit - c.off)
			c.off = limit
			if last {
				return false, nil
			}
			if err := s.leave(); err != nil {
				return false, err
			}
			continue
		}
		if err != nil {
			return false, fmt.Errorf("read spool: %w", err)
		}
		s.skipped(at - c.off)
		c.off = at + int64(f.size)
		if s.deliverable(f) {
			return true, nil
		}
	}
}

// deliverable takes those records of f that were not handed out, and counts those that are missing before it.
func (s *Spool) deliverable(f frame) bool {
	c := &s.cursor
	end := f.first + uint64(len(f.records))
	if end <= c.next {
		return false
	}
	if f.first > c.next {
		s.missing(f.first - c.next)
		c.next = f.first
	}
	c.records = f.records[c.next-f.first:]
	return len(c.records) > 0
}

func (s *Spool) missing(n uint64) {
	s.mu.Lock()
	s.lost += n
	s.mu.Unlock()
	s.log.Error("records were lost to damage of the spool's disk", "records", n)
}

// skipped notes damage that came about after Open had counted what was there.
func (s *Spool) skipped(n int64) {
	if n > 0 {
		s.log.Error("damaged bytes of the spool were skipped", "bytes", n, "segment", s.cursor.seg.path)
	}
}

// openNext opens the segment after the one that was read last.
func (s *Spool) openNext() (bool, error) {
	c := &s.cursor
	s.mu.Lock()
	var g *segment
	for _, g = range s.segments {
		if !g.bad && (g.end > c.next || g == s.segments[len(s.segments)-1]) {
			break
		}
	}
	s.mu.Unlock()
	if g == nil || g.bad {
		return false, nil
	}
	file, err := os.Open(g.path)
	if err != nil {
		return false, fmt.Errorf("open segment %x: %w", g.id, err)
	}
	c.seg, c.file, c.off = g, file, segmentHeader
	return true, nil
}

// leave closes a segment that has been read to its end and will not grow.
func (s *Spool) leave() error {
	c := &s.cursor
	s.mu.Lock()
	end := c.seg.end
	s.mu.Unlock()
	if c.next < end {
		s.missing(end - c.next)
		c.next = end
	}
	c.file.Close()
	c.seg, c.file = nil, nil
	return nil
}

// Commit says that all records before number next were delivered. It is durable when Commit returns; their space may be used
// again. After an error they are delivered again after a restart.
func (s *Spool) Commit(next uint64) error {
	s.mu.Lock()
	s.marked = max(s.marked, min(next, s.next))
	marked := s.marked
	s.mu.Unlock()
	s.turn++
	b := appendMark(nil, s.turn, marked)
	if _, err := s.mark.WriteAt(b, int64(s.turn%2)*markSpacing); err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	if err := s.sync(s.mark); err != nil {
		return fmt.Errorf("fsync mark: %w", err)
	}
	return s.reclaim()
}

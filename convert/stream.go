package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/eyrie-sec/eyrie/falco"
)

// Result counts what Stream did.
type Result struct {
	Converted int // lines that became findings
	Bad       int // lines that did not; each was reported
}

// batchBytes is about how much text one goroutine converts at a time.
const batchBytes = 128 << 10

// batch is a number of whole lines on its way through Stream.
type batch struct {
	lines []byte // each ends with a line feed, but perhaps the last
	first int    // the number of the first line, from 1
	// A line that is too long to be kept stands as its own batch without text.
	tooLong bool

	done chan struct{} // closed when what follows is there
	out  []byte
	good int
	bad  []badLine
}

type badLine struct {
	line int
	err  error
}

// buffers are buffers to be used again. Their number is bounded by the channel's capacity.
type buffers chan []byte

// get returns an empty buffer with room for size bytes or more.
func (f buffers) get(size int) []byte {
	select {
	case b := <-f:
		if cap(b) >= size {
			return b[:0]
		}
	default:
	}
	return make([]byte, 0, size)
}

// put takes a buffer that nobody uses any more. Those that a long line made large are left to the collector.
func (f buffers) put(b []byte) {
	if cap(b) == 0 || cap(b) > 16*batchBytes {
		return
	}
	select {
	case f <- b:
	default:
	}
}

// Stream reads one alert a line and writes one finding a line, in the same order. Blank lines are passed over. For a line
// that is no alert, or is longer than falco.MaxRecord, onBad is called with its number, from 1, and the reason, in
// order and never concurrently; the others are converted all the same. Lines are converted on all processors.
//
// It returns at the end of r, at the first error of r or w, which it wraps, or when ctx is done.
func Stream(ctx context.Context, r io.Reader, w io.Writer, c *Converter, o falco.Origin, onBad func(line int, err error)) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	work, ordered := make(chan *batch, workers), make(chan *batch, 2*workers)
	texts, outs := make(buffers, 4*workers), make(buffers, 4*workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for b := range work {
				b.convert(c, o, outs)
				texts.put(b.lines)
				b.lines = nil
				close(b.done)
			}
		})
	}
	readErr := make(chan error, 1)
	running.Go(func() {
		defer close(ordered)
		defer close(work)
		readErr <- readBatches(r, texts, func(b *batch) error {
			for _, to := range [...]chan *batch{ordered, work} {
				select {
				case to <- b:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	})
	result, err := writeBatches(ctx, w, ordered, outs, onBad)
	cancel()
	if err == nil {
		err = <-readErr // the reader is done: it closed ordered
	}
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return result, err
	}
	return result, fmt.Errorf("convert stream: %w", err)
}

// convert fills in what is written and reported.
func (b *batch) convert(c *Converter, o falco.Origin, outs buffers) {
	if b.tooLong {
		b.bad = []badLine{{b.first, &falco.ParseError{Reason: falco.TooLarge, Offset: falco.MaxRecord, Detail: "line over 16 MiB"}}}
		return
	}
	b.out = outs.get(4 * len(b.lines)) // a finding is about three times its alert
	line := b.first
	for text := range bytes.Lines(b.lines) {
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if a, err := falco.Parse(text); err != nil {
				b.bad = append(b.bad, badLine{line, err})
			} else {
				b.out = append(c.Convert(a, o).AppendJSON(b.out), '\n')
				b.good++
			}
		}
		line++
	}
}

// writeBatches writes the batches as they get ready, in their order.
func writeBatches(ctx context.Context, w io.Writer, ordered <-chan *batch, outs buffers, onBad func(line int, err error)) (Result, error) {
	var result Result
	for b := range ordered {
		select {
		case <-b.done:
		case <-ctx.Done():
			return result, ctx.Err()
		}
		if len(b.out) > 0 {
			if _, err := w.Write(b.out); err != nil {
				return result, err
			}
		}
		outs.put(b.out)
		b.out = nil
		result.Converted += b.good
		for _, bad := range b.bad {
			result.Bad++
			if onBad != nil {
				onBad(bad.line, bad.err)
			}
		}
	}
	return result, ctx.Err()
}

// readBatches takes r apart into whole lines. What one Read gives goes on at once, so that alerts are not held back
// where r is a pipe.
func readBatches(r io.Reader, texts buffers, emit func(*batch) error) error {
	buf := texts.get(batchBytes)
	line, tooLong, idle := 1, false, 0
	next := func(lines []byte) error {
		b := &batch{lines: lines, first: line, tooLong: tooLong, done: make(chan struct{})}
		line += max(bytes.Count(lines, []byte{'\n'}), 1)
		tooLong = false
		return emit(b)
	}
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		if n == 0 && err == nil {
			if idle++; idle == 100 {
				return io.ErrNoProgress
			}
			continue
		}
		idle = 0
		fresh := len(buf)
		buf = buf[:fresh+n]
		for tooLong { // the rest of the line is passed over
			end := bytes.IndexByte(buf[fresh:], '\n')
			if end < 0 {
				buf = buf[:fresh]
				break
			}
			rest := bytes.Clone(buf[fresh+end+1:])
			if err := next(nil); err != nil {
				return err
			}
			buf, fresh = append(texts.get(batchBytes), rest...), 0
		}
		if end := bytes.LastIndexByte(buf[fresh:], '\n'); end >= 0 && !tooLong {
			lines, rest := buf[:fresh+end+1], buf[fresh+end+1:]
			buf = append(texts.get(max(batchBytes, 2*len(rest))), rest...)
			if err := next(lines); err != nil {
				return err
			}
		}
		if err != nil {
			if len(buf) > 0 || tooLong {
				if err := next(buf); err != nil {
					return err
				}
			}
			if err == io.EOF {
				err = nil
			}
			return err
		}
		switch {
		case len(buf) > falco.MaxRecord:
			buf, tooLong = buf[:0], true
		case len(buf) == cap(buf):
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
	}
}

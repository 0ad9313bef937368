package tail

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// input reads standard input in a goroutine of its own, as a pipe cannot be polled. It is at most two chunks ahead of what
// has been consumed; then the pipe fills, and its writer waits. A nil input never has a chunk.
type input struct {
	in    io.Reader
	limit int
	ch    chan inputChunk
	part  *file // only its line assembly is used
}

type inputChunk struct {
	data []byte // valid until the next chunk is received
	err  error
}

func newInput(in io.Reader, limit int) *input {
	if in == nil {
		in = os.Stdin
	}
	return &input{in: in, limit: limit, ch: make(chan inputChunk), part: &file{dec: NewDecoder(limit)}}
}

// start reads until the input ends. The goroutine cannot be stopped while it waits for input; it ends with the process.
func (in *input) start() {
	go func() {
		defer close(in.ch)
		var bufs [2][]byte
		for i := 0; ; i++ {
			buf := &bufs[i%2]
			if *buf == nil {
				*buf = make([]byte, chunkBytes)
			}
			n, err := in.in.Read(*buf)
			if n > 0 {
				in.ch <- inputChunk{data: (*buf)[:n]}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				in.ch <- inputChunk{err: err}
				return
			}
		}
	}()
}

func (in *input) chunks() <-chan inputChunk {
	if in == nil {
		return nil
	}
	return in.ch
}

// take consumes one chunk of standard input; ok is false at its end.
func (f *Follower) take(chunk inputChunk, ok bool) {
	in := f.input
	if chunk.err != nil {
		f.inputErr = fmt.Errorf("read standard input: %w", chunk.err)
		f.complain(Stdin, f.inputErr)
		return
	}
	if !ok {
		in.part.end(f.line(in.part.dec))
		in.part.dec.Flush(f.text)
		f.input = nil
		return
	}
	f.Stats.Bytes.Add(int64(len(chunk.data)))
	in.part.consume(chunk.data, 0, in.limit, f.line(in.part.dec))
}

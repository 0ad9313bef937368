//go:build linux

package kernel

import "github.com/cilium/ebpf/ringbuf"

// ErrWoken is what Next answers after Wake, once the events have been read that were there then.
var ErrWoken = ringbuf.ErrFlushed

// Wake makes Next return ErrWoken even if no event comes. It may be called from any goroutine.
func (s *Source) Wake() {
	// The only error is that of a closed reader, whose Next returns anyway.
	_ = s.reader.Flush()
}

//go:build linux

package kernel

import (
	"github.com/eyrie-sec/eyrie/sensor/filter"
)

// Probe loads the programs as Open does, attaches them for a moment and says how each hook fared. An error is why
// nothing could be loaded at all.
func Probe() ([]Hook, error) {
	s, err := load(Config{Filter: filter.Filter{}, RingBytes: 1 << 16})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	hooks := s.hooks()
	out := make([]Hook, len(hooks))
	for i, h := range hooks {
		l, err := h.attach()
		if err == nil {
			err = l.Close()
		}
		out[i] = Hook{h.name, h.needed, explain(err)}
	}
	return out, nil
}

//go:build linux

package kernel

import (
	"slices"

	"github.com/eyrie-sec/eyrie/sensor/bpf"
	"github.com/eyrie-sec/eyrie/sensor/filter"
)

// texts are sets in the form of the kernel's tables: by text, the sets that it belongs to, one bit each.
type texts struct {
	kinds    bpf.SensorKinds
	prefixes map[string]uint64 // an exact path is a prefix that ends in NUL
	suffixes map[string]uint64 // backwards
	names    map[string]uint64
	needles  []string // of kinds.Needles
}

func newTexts(sets []filter.Set) *texts {
	t := &texts{prefixes: map[string]uint64{}, suffixes: map[string]uint64{}, names: map[string]uint64{}}
	for i, set := range sets {
		bit := uint64(1) << i
		if set.Paths == nil {
			t.kinds.Processes |= bit
			for _, name := range set.Names {
				t.names[name] |= bit
			}
			continue
		}
		t.paths(set.Paths, bit)
	}
	inherit(t.prefixes)
	inherit(t.suffixes)
	return t
}

func (t *texts) paths(p *filter.PathSet, bit uint64) {
	for _, s := range p.Exact {
		t.prefix(s+"\x00", bit)
	}
	for _, s := range p.Prefixes {
		t.prefix(s, bit)
	}
	for _, s := range p.Suffixes {
		t.kinds.Suffixes |= bit
		backwards := []byte(s)
		slices.Reverse(backwards)
		t.suffixes[cut(string(backwards), suffixSize)] |= bit
		t.tail(s, bit)
	}
	for _, s := range p.Contained {
		t.kinds.Contained |= bit
		t.needle(cut(s, 4), bit)
	}
	if p.Top {
		t.kinds.Tops |= bit
	}
}

// prefix adds what a path begins with, and notes its first bytes.
func (t *texts) prefix(s string, bit uint64) {
	t.kinds.Prefixes |= bit
	t.prefixes[cut(s, prefixSize)] |= bit
	switch {
	case len(s) >= 9:
		t.kinds.Heads[1][head(s[1:9])] |= bit
	case len(s) >= 5:
		t.kinds.Heads[0][head(s[1:5])] |= bit
	default:
		for i := range t.kinds.Heads[0] {
			t.kinds.Heads[0][i] |= bit
		}
	}
}

// head hashes four or eight bytes; sensor/bpf/gate.h has the same.
func head(s string) uint8 {
	var n uint64
	for i := range len(s) {
		n |= uint64(s[i]) << (8 * i)
	}
	return uint8(n * 0x9e3779b97f4a7c15 >> 56)
}

// tail notes the last two bytes that a path with the suffix may have.
func (t *texts) tail(suffix string, bit uint64) {
	last := suffix[len(suffix)-1]
	if len(suffix) > 1 {
		t.kinds.Tails[tail(suffix[len(suffix)-2], last)] |= bit
		return
	}
	for before := range 256 {
		t.kinds.Tails[tail(byte(before), last)] |= bit
	}
}

// tail is the hash of the last two bytes of a path; sensor/bpf/gate.h has the same.
func tail(a, b byte) uint8 { return a*31 + b }

// needle adds the beginning of a text that is contained.
func (t *texts) needle(s string, bit uint64) {
	n := slices.Index(t.needles, s)
	if n < 0 {
		n = len(t.needles)
		t.needles = append(t.needles, s)
	}
	if n >= len(t.kinds.Needles) {
		return // the caller sees that there are too many
	}
	to := &t.kinds.Needles[n]
	to.Sets |= bit
	for i := range len(s) {
		to.Text |= uint32(s[i]) << (8 * i)
		to.Mask |= 0xff << (8 * i)
	}
}

// inherit gives each text the sets of the texts that it begins with: the kernel finds the longest alone.
func inherit(m map[string]uint64) {
	for s := range m {
		for n := range len(s) {
			m[s] |= m[s[:n]]
		}
	}
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

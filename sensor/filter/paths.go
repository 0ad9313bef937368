package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// PathSet is a set of absolute paths in normal form (no empty name, no "." and "..", no slash at the end).
type PathSet struct {
	Exact, Prefixes, Suffixes, Contained []string // it has those that equal, begin or end as, or contain one; sorted
	Top                                  bool     // and those right below the root
}

func (p *PathSet) normalize() {
	for _, list := range []*[]string{&p.Exact, &p.Prefixes, &p.Suffixes, &p.Contained} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

func (p *PathSet) merge(o *PathSet) {
	p.Exact = append(p.Exact, o.Exact...)
	p.Prefixes = append(p.Prefixes, o.Prefixes...)
	p.Suffixes = append(p.Suffixes, o.Suffixes...)
	p.Contained = append(p.Contained, o.Contained...)
	p.Top = p.Top || o.Top
}

func (p *PathSet) equal(o *PathSet) bool { return o != nil && p.key() == o.key() }

func (p *PathSet) key() string {
	return fmt.Sprintf("%q %q %q %q %v", p.Exact, p.Prefixes, p.Suffixes, p.Contained, p.Top)
}

func (p *PathSet) size() int {
	return len(p.Exact) + 2*len(p.Prefixes) + 4*len(p.Suffixes) + 8*len(p.Contained)
}

// anything says whether the set has every path, or nearly.
func (p *PathSet) anything() bool {
	return slices.ContainsFunc(p.Prefixes, func(s string) bool { return len(s) <= 1 })
}

// narrower is one of two sets that both have to hold: that with fewer texts.
func narrower(a, b *PathSet) *PathSet {
	if a == nil || b != nil && b.size() < a.size() {
		return b
	}
	return a
}

// Has says whether an absolute path in normal form is in the set.
func (p *PathSet) Has(path string) bool {
	begins := func(s string) bool { return strings.HasPrefix(path, s) }
	ends := func(s string) bool { return strings.HasSuffix(path, s) }
	within := func(s string) bool { return strings.Contains(path, s) }
	return p.Top && strings.LastIndexByte(path, '/') == 0 || slices.Contains(p.Exact, path) ||
		slices.ContainsFunc(p.Prefixes, begins) || slices.ContainsFunc(p.Suffixes, ends) || slices.ContainsFunc(p.Contained, within)
}

// PathArguments are the arguments of a type's system call that are paths, nil where there are none or the kernel does
// not filter by them.
func PathArguments(t field.EventType) []int { return pathArguments[t.String()] }

var pathArguments = map[string][]int{
	"open": {0}, "openat": {1}, "openat2": {1}, "unlink": {0}, "unlinkat": {1}, "mkdir": {0}, "mkdirat": {1}, "rmdir": {0},
	"rename": {0, 1}, "renameat": {1, 3}, "renameat2": {1, 3}, "link": {0, 1}, "linkat": {1, 3}, "symlink": {0, 1},
	"symlinkat": {0, 2}, "chmod": {0}, "fchmodat": {1}, "chown": {0}, "lchown": {0}, "fchownat": {1},
	"creat": {0}, "mknod": {0}, "mknodat": {1},
}

// OnSocket says whether the first argument of the type's system call is a descriptor by which the kernel can filter: a
// socket, or not.
func OnSocket(t field.EventType) bool {
	switch t.String() {
	case "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg", "send", "recvfrom", "recvmsg",
		"recvmmsg", "recv", "shutdown", "dup", "dup2", "dup3":
		return true
	}
	return false
}

// A nameSet is a set of names of processes as the kernel has them, at most 15 bytes long.
type nameSet struct{ names []string }

func newNames(names []string) *nameSet {
	n := &nameSet{}
	for _, s := range names {
		n.names = append(n.names, commOf(s))
	}
	slices.Sort(n.names)
	n.names = slices.Compact(n.names)
	return n
}

// commOf is as much of a name as the kernel has.
func commOf(name string) string { return name[:min(len(name), 15)] }

func (n *nameSet) key() string { return fmt.Sprintf("%q", n.names) }

func (n *nameSet) equal(o *nameSet) bool { return o != nil && slices.Equal(n.names, o.names) }

// fewer is one of two sets that both have to hold.
func fewer(a, b *nameSet) *nameSet {
	if a == nil || b != nil && len(b.names) < len(a.names) {
		return b
	}
	return a
}

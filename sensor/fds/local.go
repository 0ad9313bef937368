package fds

import (
	"net"
	"net/netip"
)

// locals is the addresses of this machine.
type locals struct {
	is       map[netip.Addr]bool
	networks []netip.Prefix
	first    [2]netip.Addr // the first IPv4 and IPv6 address that is no loopback address
}

// Refresh takes the machine's addresses anew. It may be called from any goroutine.
func (t *Table) Refresh() {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	t.setLocals(prefixes)
}

func (t *Table) setLocals(prefixes []netip.Prefix) {
	l := &locals{is: map[netip.Addr]bool{}, networks: prefixes}
	for _, p := range prefixes {
		a := p.Addr().WithZone("")
		l.is[a] = true
		family := 0
		if a.Is6() {
			family = 1
		}
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() && !l.first[family].IsValid() {
			l.first[family] = a
		}
	}
	t.locals.Store(l)
}

// isLocal says whether an address is one of this machine.
func (t *Table) isLocal(a netip.Addr) bool {
	l := t.locals.Load()
	return l.is[a] || a.IsLoopback()
}

// source is the local address that a packet to remote would have, for sockets that are not bound to one: as Falco guesses
// it, by the networks of the interfaces and not by routes.
func (t *Table) source(remote netip.Addr) netip.Addr {
	if t.isLocal(remote) {
		return remote
	}
	l := t.locals.Load()
	for _, p := range l.networks {
		if p.Contains(remote) {
			return p.Addr()
		}
	}
	family := 0
	if remote.Is6() {
		family = 1
	}
	return l.first[family]
}

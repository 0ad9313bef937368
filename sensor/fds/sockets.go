package fds

import (
	"encoding/binary"
	"net/netip"

	"github.com/eyrie-sec/eyrie/sensor/abi"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

func nativeUint64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }
func nativeUint32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

func socket(t *Table, c *call) {
	if !c.ok {
		t.failed(kinds[IPv4].char, "") // as accept: Falco takes every socket that was not made for one of IPv4
		return
	}
	f := t.fresh(c, socketKind(uint16(c.r.Regs[0])), c.r.Regs[1]&abi.SOCK_CLOEXEC != 0)
	t.put(c.p, int32(c.r.Ret), f)
	t.show(int32(c.r.Ret), f)
}

// changed remembers a new state of a socket; whether its name is another one is shown.
func (t *Table) changed(c *call, num int32, old, f *FD) {
	t.put(c.p, num, f)
	t.show(num, f)
	t.view.Changed = old == nil || old.Name != f.Name
}

// edit is a copy of what is known of descriptor 0 of the call, nil where that is nothing.
func (t *Table) edit(c *call) (old, f *FD) {
	old = t.Look(c.p, c.r, c.num(0), 0)
	if old == nil {
		return nil, nil
	}
	g := *old
	g.shared = false
	return old, &g
}

// sock is what the kernel says of the socket that an argument names, with the address that the caller gave or got.
func sock(c *call, arg, addrArg int8) (s raw.SockInfo, addr netip.AddrPort, path string, given bool) {
	if part := c.r.Part(raw.Socket, arg); part != nil && !part.Failed {
		s = part.Sock
	}
	if addrArg != raw.NoArg {
		if part := c.r.Part(raw.Sockaddr, addrArg); part != nil && !part.Failed {
			addr, path, given = parseSockaddr(part.Data)
		}
	}
	return s, addr, path, given
}

func binds(t *Table, c *call) {
	old, f := t.edit(c)
	if f == nil || !c.ok {
		t.show(c.num(0), old)
		return
	}
	s, addr, path, _ := sock(c, 0, 1)
	switch f.Kind {
	case IPv4, IPv6:
		local := unmap(s.Local)
		if !local.IsValid() || local.Port() == 0 {
			local = addr
		}
		if local.IsValid() {
			*f = FD{Kind: f.Kind, cloexec: f.cloexec, dev: f.dev, ino: f.ino}
			t.bind(f, &s, local)
		}
	case Unix:
		if path == "" { // the kernel has chosen a name
			path = trimAbstract(s.Path)
		}
		if path != "" {
			f.Name, f.Given = t.str([]byte(path)), ""
		}
	}
	t.changed(c, c.num(0), old, f)
}

// listens is told of a socket whose bind was not seen, because no rule looks at bind: the kernel says where it is bound.
func listens(t *Table, c *call) {
	old, f := t.edit(c)
	if f != nil && c.ok && (f.Kind == IPv4 || f.Kind == IPv6) && !f.Bound && !f.Tuple {
		if s, _, _, _ := sock(c, 0, raw.NoArg); unmap(s.Local).Port() != 0 {
			t.bind(f, &s, unmap(s.Local))
			t.put(c.p, c.num(0), f)
			old = f
		}
	}
	t.show(c.num(0), old)
}

func connects(t *Table, c *call) {
	old, f := t.edit(c)
	if f == nil {
		t.show(c.num(0), nil)
		t.view.name, t.view.given = "NULL", "NULL" // the tuple that the event lacks
		return
	}
	if !c.ok && c.r.Ret != -int64(abi.EINPROGRESS) {
		t.show(c.num(0), old)
		return
	}
	s, addr, path, given := sock(c, 0, 1)
	switch f.Kind {
	case IPv4, IPv6:
		remote := unmap(s.Remote)
		if !remote.IsValid() || remote.Port() == 0 {
			remote = addr
		}
		if remote.IsValid() {
			f.role = client
			f.Connected = true
			t.connect(f, &s, unmap(s.Local), remote)
		}
	case Unix:
		if !given {
			path = s.PeerPath
		}
		f.Connected = true
		t.pair(f, s.Self, s.Peer, path)
	}
	t.changed(c, c.num(0), old, f)
}

func accepts(flags int8) handler {
	return func(t *Table, c *call) {
		if !c.ok {
			t.failed(kinds[IPv4].char, "NULL")
			return
		}
		f := t.fresh(c, IPv4, flags >= 0 && c.r.Regs[max(flags, 0)]&abi.SOCK_CLOEXEC != 0)
		s, addr, _, _ := sock(c, raw.RetArg, 1)
		f.Kind = socketKind(s.Family)
		if s.Family == 0 {
			f.Kind = IPv4
			if addr.Addr().Is6() {
				f.Kind = IPv6
			}
		}
		switch f.Kind {
		case IPv4, IPv6:
			remote := unmap(s.Remote)
			if !remote.IsValid() {
				remote = addr
			}
			f.role, f.Connected = server, true
			if remote.IsValid() {
				t.connect(f, &s, unmap(s.Local), remote)
			}
		case Unix:
			f.Connected = true
			t.pair(f, s.Peer, s.Self, trimAbstract(s.Path))
		}
		t.changed(c, int32(c.r.Ret), nil, f)
		t.view.Changed = true
	}
}

func trimAbstract(path string) string {
	if path != "" && path[0] == 0 {
		return path[1:]
	}
	return path
}

// sends is sendto and its kin: with an address it names the other end of a socket that has no connection.
func sends(addrArg int8) handler {
	return func(t *Table, c *call) {
		t.talk(c, addrArg, client)
	}
}

// receives is recvfrom and its kin.
func receives(addrArg int8) handler {
	return func(t *Table, c *call) {
		t.talk(c, addrArg, server)
	}
}

// talk names the other end of a datagram. Who spoke first is the client, and stays so.
func (t *Table) talk(c *call, addrArg int8, as role) {
	old, f := t.edit(c)
	if f == nil || !c.ok {
		t.show(c.num(0), old)
		return
	}
	s, addr, path, given := sock(c, 0, addrArg)
	switch {
	case f.Kind == IPv4 || f.Kind == IPv6:
		remote := addr
		if !given || !remote.IsValid() {
			remote = unmap(s.Remote)
		}
		if !remote.IsValid() || remote.Port() == 0 || socketProto(s.Type, s.Proto) == TCP && f.Tuple {
			t.show(c.num(0), old)
			return
		}
		if f.role == noRole {
			f.role = as
		}
		if as == client {
			f.Connected = true
		}
		t.connect(f, &s, unmap(s.Local), remote)
	case f.Kind == Unix && given && path != "" && as == client:
		t.pair(f, s.Peer, s.Self, path)
	case f.Kind == Unix && as == server && s.Type == abi.SOCK_DGRAM && s.Path != "":
		t.pair(f, s.Self, s.Peer, trimAbstract(s.Path))
	default:
		t.show(c.num(0), old)
		return
	}
	if f.Name == old.Name && f.Connected == old.Connected {
		t.show(c.num(0), old)
		return
	}
	t.changed(c, c.num(0), old, f)
}

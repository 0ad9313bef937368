package fds

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// Fill sets what most rules look at. The caller has Reset e to its type; e.Resolve must lead to the Table's Resolve.
func (v *View) Fill(e *event.Event) {
	if !v.Has {
		return
	}
	e.SetNum(field.FDNum, v.Num)
	if f := v.FD; f != nil {
		e.SetText(field.FDName, f.Name)
		e.SetText(field.FDType, kinds[f.Kind].name)
		e.SetText(field.FDTypechar, kinds[f.Kind].char)
		return
	}
	e.SetText(field.FDTypechar, v.char)
	if v.hasName {
		e.SetText(field.FDName, v.name)
	}
}

// Resolve sets the field, and what comes with it, if it is one of this package's and has a value. It says whether the
// field is one of this package's.
func (t *Table) Resolve(e *event.Event, id field.ID) bool {
	switch id {
	case field.ProcFdopencount, field.ProcFdusage, field.ProcStdinType, field.ProcStdoutType, field.ProcStderrType,
		field.ProcStdinName, field.ProcStdoutName, field.ProcStderrName:
		t.process(e, id)
		return true
	}
	if id < field.FDNum || id > field.FDIsLowerLayer {
		return false
	}
	v := &t.view
	if !v.Has {
		return true
	}
	switch id {
	case field.FDUID:
		t.buf = strconv.AppendInt(t.buf[:0], int64(v.tid), 10)
		e.SetText(id, string(strconv.AppendInt(t.buf, v.Num, 10)))
	case field.FDTypes:
		e.SetList(id, t.types())
	case field.FDContainername:
		if name, ok := e.Text(field.FDName); ok {
			e.SetText(id, containerPrefix(e)+name)
		}
	case field.FDContainerdirectory:
		if name, ok := e.Text(field.FDDirectory); ok {
			e.SetText(id, containerPrefix(e)+name)
		}
	case field.FDDirectory, field.FDFilename:
		if v.FD != nil {
			path(e, v.FD)
		} else {
			v.unknown(e)
		}
	default:
		if v.FD != nil {
			t.known(e, v.FD)
		} else {
			v.unknown(e)
		}
	}
	return true
}

// unknown sets what a descriptor has of which nothing is known but, perhaps, a name.
func (v *View) unknown(e *event.Event) {
	if v.hasGiven {
		e.SetText(field.FDNameraw, v.given)
	}
	if v.hasName {
		e.SetText(field.FDDirectory, directory(v.name))
	}
}

// known sets everything about a descriptor that has not been set by Fill.
func (t *Table) known(e *event.Event, f *FD) {
	e.SetText(field.FDNameraw, f.Given)
	path(e, f)
	switch f.Kind {
	case IPv4, IPv6:
		e.SetText(field.FDSockfamily, "ip")
	case Unix:
		e.SetText(field.FDSockfamily, "unix")
		if f.Connected {
			e.SetText(field.FDCproto, "")
		}
	}
	e.SetText(field.FDL4proto, protos[f.Proto])
	e.SetBool(field.FDConnected, f.Connected)
	e.SetBool(field.FDNameChanged, t.view.Changed)
	e.SetBool(field.FDIsServer, t.isServer(e, f))
	e.SetBool(field.FDIsUpperLayer, f.Upper)
	e.SetBool(field.FDIsLowerLayer, f.Lower)
	e.SetNum(field.FDDev, int64(uint32(f.Dev)))
	e.SetNum(field.FDDevMajor, int64(f.Dev>>8&0xfff))
	e.SetNum(field.FDDevMinor, int64(f.Dev&0xff|f.Dev>>12&0xfff00))
	e.SetNum(field.FDIno, int64(f.Ino))
	switch {
	case f.Tuple:
		connection(e, f)
	case f.Bound:
		e.SetAddr(field.FDSIP, f.Server.Addr())
		e.SetNum(field.FDSport, int64(f.Server.Port()))
		e.SetText(field.FDCproto, "")
		e.SetText(field.FDSproto, "")
	}
}

// path sets the parts of a name that is a path.
func path(e *event.Event, f *FD) {
	switch f.Kind {
	case File:
		e.SetText(field.FDDirectory, directory(f.Name))
		e.SetText(field.FDFilename, filename(f.Name))
	case Directory:
		e.SetText(field.FDDirectory, f.Name)
	}
}

func connection(e *event.Event, f *FD) {
	end := func(ip, port, proto field.ID, a netip.AddrPort) {
		e.SetAddr(ip, a.Addr())
		e.SetNum(port, int64(a.Port()))
		e.SetText(proto, portText(a.Port()))
	}
	end(field.FDCIP, field.FDCport, field.FDCproto, f.Client)
	end(field.FDSIP, field.FDSport, field.FDSproto, f.Server)
	end(field.FDLIP, field.FDLport, field.FDLproto, f.Local())
	end(field.FDRIP, field.FDRport, field.FDRproto, f.Remote())
}

// portText is a port as Falco shows it where it does not look up services, which is its default.
func portText(port uint16) string { return strconv.Itoa(int(port)) }

// isServer is Falco's fd.is_server: whether the server's address is one of this machine, whoever asks. In a container it
// is whether it is the container's.
func (t *Table) isServer(e *event.Event, f *FD) bool {
	if f.Bound {
		return true
	}
	if id, ok := e.Text(field.ContainerID); ok && id != "host" {
		ip, _ := e.Text(field.ContainerIP)
		return f.Tuple && ip == f.Server.Addr().String()
	}
	if !f.Tuple {
		return f.Kind == IPv6 // the unspecified IPv6 address is one of this machine
	}
	return t.isLocal(f.Server.Addr())
}

// containerPrefix is the short id of the container, nothing for the host, and a colon.
func containerPrefix(e *event.Event) string {
	id, ok := e.Text(field.ContainerID)
	if !ok || id == "host" {
		return ":"
	}
	return id + ":"
}

// types is the kinds of all descriptors of the process, as far as known.
func (t *Table) types() []string {
	var seen [len(kinds)]bool
	if f := t.view.FD; f != nil {
		seen[f.Kind] = true
	}
	if s := own(t.view.proc); s != nil {
		for _, f := range s.m {
			seen[f.Kind] = true
		}
	}
	t.kindRoom = t.kindRoom[:0]
	for kind, has := range seen {
		if has && Kind(kind) != None {
			t.kindRoom = append(t.kindRoom, kinds[kind].name)
		}
	}
	return t.kindRoom
}

// process sets the fields about all descriptors of the process and the first three.
func (t *Table) process(e *event.Event, id field.ID) {
	s := own(t.view.proc)
	if s == nil {
		return
	}
	std := func(num int32, kind, name field.ID) {
		if f := s.m[num]; f != nil {
			e.SetText(kind, kinds[f.Kind].name)
			e.SetText(name, f.Name)
		}
	}
	switch id {
	case field.ProcStdinType, field.ProcStdinName:
		std(0, field.ProcStdinType, field.ProcStdinName)
	case field.ProcStdoutType, field.ProcStdoutName:
		std(1, field.ProcStdoutType, field.ProcStdoutName)
	case field.ProcStderrType, field.ProcStderrName:
		std(2, field.ProcStderrType, field.ProcStderrName)
	case field.ProcFdopencount:
		e.SetNum(field.ProcFdopencount, int64(len(s.m)))
	}
}

// directory is the directory of a path as Falco takes it: the root where there is no slash.
func directory(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// filename is the last part of a path: a slash where there is none, and all of a path that ends in one.
func filename(path string) string {
	i := strings.LastIndexByte(path, '/')
	switch {
	case i < 0:
		return "/"
	case i == len(path)-1:
		return path
	}
	return path[i+1:]
}

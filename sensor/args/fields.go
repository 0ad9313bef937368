package args

import (
	"time"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/args/flags"
)

// Owns says whether Resolve is who sets a field: evt.* and fs.path.*.
func Owns(id field.ID) bool {
	return id <= field.EvtIsOpenCreate || id >= field.FsPathName && id <= field.FsPathTargetraw ||
		id >= field.EvtDir && id <= field.EvtWaitLatency
}

// Resolve sets a field; it is made for event.Event.Resolve, together with those who set other fields.
func (f *Filler) Resolve(e *event.Event, id field.ID) {
	if f.row == nil || e != f.e {
		return
	}
	switch id {
	case field.EvtCategory:
		f.category(e)
	case field.EvtArgs, field.EvtInfo:
		f.line(e)
	case field.EvtRes, field.EvtFailed:
		f.outcome(e)
	case field.EvtBuffer, field.EvtBuflen:
		f.buffer(e)
	case field.EvtIsIO, field.EvtIsIORead, field.EvtIsIOWrite, field.EvtIODir, field.EvtIsWait, field.EvtIsSyslog:
		f.direction(e)
	case field.EvtCountError, field.EvtCountErrorFile, field.EvtCountErrorNet, field.EvtCountErrorMemory, field.EvtCountErrorOther:
		f.countErrors(e)
	case field.EvtCount, field.EvtCountExit:
		e.SetNum(id, 1)
	case field.EvtAbspath:
		f.abspath(e)
	case field.EvtIsOpenRead, field.EvtIsOpenWrite, field.EvtIsOpenExec, field.EvtIsOpenCreate:
		f.opening(e)
	case field.FsPathName, field.FsPathNameraw, field.FsPathSource, field.FsPathSourceraw, field.FsPathTarget, field.FsPathTargetraw:
		f.fsPath(e)
	}
}

// Kinds of descriptors as fd.type says them, by what they count as.
func fileLike(kind string) bool { return kind == "file" || kind == "directory" }

func socketLike(kind string) bool { return kind == "ipv4" || kind == "ipv6" }

func ipcLike(kind string) bool {
	switch kind {
	case "pipe", "unix", "event", "signal", "inotify", "userfaultfd":
		return true
	}
	return false
}

func (f *Filler) category(e *event.Event) {
	c := f.row.category
	if f.row.flags&moves != 0 {
		kind, _ := e.Text(field.FDType)
		switch {
		case fileLike(kind):
			c = "file"
		case socketLike(kind):
			c = "net"
		case ipcLike(kind):
			c = "ipc"
		default:
			c = "unknown"
		}
	}
	e.SetText(field.EvtCategory, c)
}

// line is all parameters in one line: NAME=VALUE, with what the value means in parentheses.
func (f *Filler) line(e *event.Event) {
	info := e.Type.Info()
	params := min(len(f.row.params), len(info.Params))
	if info.Kind == field.KindGeneric {
		params = 0
	}
	line := make([]byte, 0, 256)
	for i := range params {
		if f.param(i); f.out.none {
			continue
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(append(append(line, info.Params[i].Name...), '='), f.out.raw...)
		if f.out.text != "" {
			line = append(append(append(line, '('), f.out.text...), ')')
		}
	}
	s := alias(line)
	e.SetText(field.EvtArgs, s)
	e.SetText(field.EvtInfo, s)
}

// pidResult says whether the result is a process id, whose failures have no names.
func (f *Filler) pidResult() bool {
	p := f.e.Type.Info().Params
	return len(p) > 0 && (p[0].Type == field.ProcessID || p[0].Type == field.Int64)
}

func (f *Filler) outcome(e *event.Event) {
	if !f.row.res {
		return
	}
	n := f.result()
	e.SetBool(field.EvtFailed, n < 0)
	switch {
	case n >= 0:
		e.SetText(field.EvtRes, "SUCCESS")
	case !f.pidResult() && flags.Errno(-n) != "":
		e.SetText(field.EvtRes, flags.Errno(-n))
	default:
		e.SetText(field.EvtRes, f.number(n, dec, true))
	}
}

func (f *Filler) buffer(e *event.Event) {
	for i, p := range e.Type.Info().Params {
		if p.Name == "data" && p.Type == field.Bytes && i < len(f.row.params) {
			b := f.bytes(f.row.params[i].reg)
			e.SetText(field.EvtBuffer, alias(b)) // as it is: output shows it with dots
		}
	}
	if kind, ok := e.Text(field.FDType); ok && kind != "" && f.row.flags&moves != 0 && f.row.res && f.r.Ret >= 0 {
		e.SetNum(field.EvtBuflen, f.r.Ret)
	}
}

func (f *Filler) direction(e *event.Event) {
	r, w := f.row.flags&reads != 0, f.row.flags&writes != 0
	e.SetBool(field.EvtIsIO, r || w)
	e.SetBool(field.EvtIsIORead, r)
	e.SetBool(field.EvtIsIOWrite, w)
	e.SetBool(field.EvtIsWait, f.row.flags&waits != 0)
	switch {
	case w:
		e.SetText(field.EvtIODir, "write")
	case r:
		e.SetText(field.EvtIODir, "read")
	}
	syslog := false
	if w {
		name, _ := e.Text(field.FDName)
		const devLog = "/dev/log"
		for i := 0; i+len(devLog) <= len(name) && !syslog; i++ {
			syslog = name[i:i+len(devLog)] == devLog
		}
	}
	e.SetBool(field.EvtIsSyslog, syslog)
}

// countErrors says for failed and other events alike what kind of error theirs is or would be.
func (f *Filler) countErrors(e *event.Event) {
	if !f.row.res {
		return
	}
	n := int64(0)
	if f.result() < 0 {
		n = 1
	}
	e.SetNum(field.EvtCountError, n)
	if f.row.category == "memory" {
		e.SetNum(field.EvtCountErrorMemory, n)
	}
	kind, _ := e.Text(field.FDType)
	if kind == "" {
		for _, at := range f.row.at {
			if p := f.object(at.dir, 0); p != nil {
				kind = "directory" // Falco takes what the path is relative to for the event's descriptor
			}
		}
	}
	switch {
	case fileLike(kind):
		e.SetNum(field.EvtCountErrorFile, n)
	case socketLike(kind) || kind == "unix":
		e.SetNum(field.EvtCountErrorNet, n)
	case kind != "":
		e.SetNum(field.EvtCountErrorOther, n)
	default:
		switch f.row.name {
		case "open", "creat", "openat", "openat2", "open_by_handle_at":
			e.SetNum(field.EvtCountErrorFile, n)
		case "accept", "accept4", "connect":
			e.SetNum(field.EvtCountErrorNet, n)
		case "mmap", "mmap2", "munmap", "mprotect", "mlock", "mlock2", "munlock", "mlockall", "munlockall", "brk":
		default:
			e.SetNum(field.EvtCountErrorOther, n)
		}
	}
}

// opening is what an open was for. Whether it made the file, and whether it asked for the right to execute it, counts
// only where it made one or was to.
func (f *Filler) opening(e *event.Event) {
	var v, perm uint64
	switch f.row.name {
	case "open":
		v, perm = f.openFlags(f.reg(1)), f.reg(2)
	case "openat":
		v, perm = f.openFlags(f.reg(2)), f.reg(3)
	case "openat2":
		v, perm = f.openFlags(f.member(2, 0, 64)), f.member(2, 8, 64)
	case "open_by_handle_at":
		v = f.openFlags(f.reg(2))
	}
	e.SetBool(field.EvtIsOpenRead, v&flags.ORdonly != 0)
	e.SetBool(field.EvtIsOpenWrite, v&flags.OWronly != 0)
	e.SetBool(field.EvtIsOpenCreate, v&(flags.OCreated|flags.OTmpfile) != 0)
	e.SetBool(field.EvtIsOpenExec, v&(flags.OCreat|flags.OTmpfile) != 0 && perm&0o111 != 0)
}

// appendTime writes ns since 1970 as evt.arg shows times.
func appendTime(dst []byte, ns int64) []byte {
	return time.Unix(0, ns).AppendFormat(dst, "2006-01-02 15:04:05.000000000")
}

package event

import (
	"github.com/eyrie-sec/eyrie/rule/field"
)

// Text is the value of a text field. A field that was not set is taken from what it follows from, where that can be done
// without making a new string: the event's name, parts of a path, an ancestor's name, a list of one.
func (e *Event) Text(id field.ID) (string, bool) {
	if e.set[id/64]&(1<<(id%64)) != 0 {
		return e.text[id], true
	}
	return e.otherText(id)
}

// Known is the value of a text field that has been set, for callers that look often: where it is false, Text may still
// have an answer.
func (e *Event) Known(id field.ID) (string, bool) {
	return e.text[id], e.set[id/64]&(1<<(id%64)) != 0
}

// KnownNumber is the same for a numeric field and Number.
func (e *Event) KnownNumber(id field.ID) (int64, bool) {
	return e.num[id], e.set[id/64]&(1<<(id%64)) != 0
}

func (e *Event) otherText(id field.ID) (string, bool) {
	if e.Resolve != nil && e.resolve(id) {
		return e.text[id], true
	}
	return e.derived(id)
}

func (e *Event) derived(id field.ID) (string, bool) {
	switch id {
	case field.EvtType:
		return e.Type.Info().Name, e.Type != field.NoEvent
	case field.SyscallType:
		info := e.Type.Info()
		return info.Name, info.Kind == field.KindSyscall || info.Kind == field.KindGeneric
	case field.EvtDir:
		return "<", e.Type != field.NoEvent
	case field.EvtSource:
		return "syscall", true
	case field.FDDirectory, field.FDFilename:
		if e.Resolve != nil {
			return "", false // a sensor knows: not every descriptor with a name has a directory
		}
		return e.pathPart(id)
	case field.ProcName:
		return e.ancestor(field.ProcAname, 0)
	case field.ProcPname:
		return e.ancestor(field.ProcAname, 1)
	case field.ProcPexe:
		return e.ancestor(field.ProcAexe, 1)
	case field.ProcPexepath:
		return e.ancestor(field.ProcAexepath, 1)
	case field.ProcPcmdline:
		return e.ancestor(field.ProcAcmdline, 1)
	}
	return "", false
}

func (e *Event) pathPart(id field.ID) (string, bool) {
	s, ok := e.Text(field.FDName)
	if id == field.FDDirectory {
		return directory(s), ok
	}
	return filename(s), ok
}

func (e *Event) ancestor(id field.ID, n int) (string, bool) {
	items, ok := e.List(id)
	if !ok || n >= len(items) {
		return "", false
	}
	return items[n], true
}

// directory is what stands before the last slash, the slash itself for a file of the root.
func directory(path string) string {
	i := lastSlash(path)
	switch i {
	case -1:
		return ""
	case 0:
		return "/"
	}
	return path[:i]
}

func filename(path string) string { return path[lastSlash(path)+1:] }

// lastSlash is strings.LastIndexByte for a slash, eight bytes at a time.
func lastSlash(s string) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	end := len(s)
	for ; end >= 8; end -= 8 {
		b := s[end-8 : end]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		w ^= '/' * ones
		if (w-ones)&^w&high != 0 { // one of the eight is a slash
			break
		}
	}
	for end--; end >= 0 && s[end] != '/'; end-- {
	}
	return end
}

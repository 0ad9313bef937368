package event

import (
	"strings"

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
	case field.FDDirectory:
		return e.part(field.FDName, directory)
	case field.FDFilename:
		return e.part(field.FDName, filename)
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

func (e *Event) ancestor(id field.ID, n int) (string, bool) {
	items, ok := e.List(id)
	if !ok || n >= len(items) {
		return "", false
	}
	return items[n], true
}

func (e *Event) part(of field.ID, cut func(string) string) (string, bool) {
	s, ok := e.Text(of)
	if !ok {
		return "", false
	}
	return cut(s), true
}

// directory is what stands before the last slash, the slash itself for a file of the root.
func directory(path string) string {
	i := strings.LastIndexByte(path, '/')
	switch i {
	case -1:
		return ""
	case 0:
		return "/"
	}
	return path[:i]
}

func filename(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

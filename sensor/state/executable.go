package state

import (
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// ofExecutable is the fields about the file that the process runs. Those about its inode have no value where that is not
// known.
var ofExecutable = map[field.ID]resolver{
	field.ProcIsExeWritable:   (*Table).exeFlags,
	field.ProcIsExeUpperLayer: (*Table).exeFlags,
	field.ProcIsExeLowerLayer: (*Table).exeFlags,
	field.ProcIsExeFromMemfd:  (*Table).exeFlags,

	field.ProcExeIno:                        (*Table).exeInode,
	field.ProcExeInoCtime:                   (*Table).exeInode,
	field.ProcExeInoMtime:                   (*Table).exeInode,
	field.ProcExeInoCtimeDurationProcStart:  (*Table).exeInode,
	field.ProcExeInoCtimeDurationPidnsStart: (*Table).exeInode,
}

func (t *Table) exeFlags(e *event.Event) {
	file := &t.now.Image.File
	e.SetBool(field.ProcIsExeWritable, file.Writable)
	e.SetBool(field.ProcIsExeUpperLayer, file.UpperLayer)
	e.SetBool(field.ProcIsExeLowerLayer, file.LowerLayer)
	e.SetBool(field.ProcIsExeFromMemfd, file.Memfd)
}

// exeInode sets the times too. The time from the change to the start of the process is Falco's: it wraps where the file
// was changed later. That from the start of the namespace to the change has no value where the file is older.
func (t *Table) exeInode(e *event.Event) {
	image := t.now.Image
	if !image.Known || image.File.Ino == 0 {
		return
	}
	ctime := image.File.Ctime
	e.SetNum(field.ProcExeIno, int64(image.File.Ino))
	e.SetNum(field.ProcExeInoCtime, ctime)
	e.SetNum(field.ProcExeInoMtime, image.File.Mtime)
	e.SetNum(field.ProcExeInoCtimeDurationProcStart, t.started()-ctime)
	if start, ok := t.namespaceStart(); ok && ctime > start {
		e.SetNum(field.ProcExeInoCtimeDurationPidnsStart, ctime-start)
	}
}

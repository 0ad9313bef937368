package args

import (
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/args/paths"
)

// unknownDir stands for the directory of a descriptor that nothing is known of.
const unknownDir = "<UNKNOWN>"

// abspath sets evt.abspath for calls that name files relative to a directory: the first such path is the field itself
// and .src, the last is .dst.
func (f *Filler) abspath(e *event.Event) {
	if len(f.row.at) == 0 {
		return
	}
	var abs [2]string
	for i := range abs {
		at := f.row.at[min(i, len(f.row.at)-1)]
		name, ok := f.text(at.name)
		if !ok {
			return
		}
		if name == "" {
			continue
		}
		var known bool
		if abs[i], known = f.at(at.dir, name); !known {
			abs[i] = f.join(unknownDir, name)
		}
	}
	e.SetText(field.EvtAbspath, abs[0])
	e.SetList(field.EvtAbspath, []string{f.cat("src=", abs[0]), f.cat("dst=", abs[1])})
}

func (f *Filler) cat(a, b string) string {
	start := len(f.buf)
	f.buf = append(append(f.buf, a...), b...)
	return f.str(start)
}

// fsPath sets fs.path.* from the parameters that are paths, relative to the directory that the call says, or else to
// the working directory.
func (f *Filler) fsPath(e *event.Event) {
	if f.row.flags&isPath == 0 || !f.row.fsOK(f.result()) {
		return
	}
	f.fsField(e, f.row.name1, field.FsPathName, field.FsPathNameraw)
	f.fsField(e, f.row.source, field.FsPathSource, field.FsPathSourceraw)
	f.fsField(e, f.row.target, field.FsPathTarget, field.FsPathTargetraw)
}

func (f *Filler) fsField(e *event.Event, i int8, abs, raw field.ID) {
	if i < 0 {
		return
	}
	if e.Type.Info().Params[i].Type == field.Descriptor {
		name, ok := e.Text(field.FDName)
		if !ok {
			return
		}
		e.SetText(abs, name)
		e.SetText(raw, name)
		return
	}
	f.param(int(i))
	text := f.out.text
	switch {
	case f.out.none:
		return
	case f.out.raw == notKnown:
		e.SetText(raw, notKnown)
		return
	case len(f.out.raw) >= paths.MaxLen:
		text = paths.TooLong
	case text == "" && f.out.raw != "":
		text = f.join(f.cwd(), f.out.raw)
	}
	e.SetText(abs, text)
	e.SetText(raw, f.out.raw)
}

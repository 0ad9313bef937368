package args

import (
	"github.com/eyrie-sec/eyrie/rule/field"
)

// flag is a property of an event type.
type flag uint8

const (
	reads  flag = 1 << iota // reads from a descriptor
	writes                  // writes to one
	moves                   // is about a descriptor: its category is that of what the descriptor is
	waits
	isPath   // has a path that Falco calls fs.path.*
	messages // is one event a message, whose length is its result
)

// row says everything about one event type.
type row struct {
	name     string
	category string
	flags    flag
	params   []param
	res      bool // has a result: its first parameter is res or fd

	// Directory and name of the paths that are relative to a directory (evt.abspath): arguments of the call.
	at []atPath
	// The parameters that fs.path.* are made of, by index; -1 for none.
	name1, source, target int8
	fsOK                  func(r int64) bool
}

type atPath struct{ dir, name int8 }

// rows has the row of each event type. Generic system calls and what has no parameters share rows.
var rows = func() []*row {
	all := make([]*row, field.EventCount())
	generic := &row{category: "other", params: genericRow, name1: -1, source: -1, target: -1}
	none := &row{category: "internal", name1: -1, source: -1, target: -1}
	for i := range all {
		all[i] = none
		if info := field.EventType(i).Info(); info.Kind == field.KindGeneric {
			all[i] = generic
		}
	}
	for _, table := range [][]row{fileRows, dirRows, ioRows, socketRows, processRows, userRows, memoryRows, otherRows} {
		for i := range table {
			r := &table[i]
			t, ok := field.EventByName(r.name)
			if !ok {
				continue
			}
			if params := t.Info().Params; len(params) > 0 && (params[0].Name == "res" || params[0].Name == "fd") {
				r.res = true
			}
			r.name1, r.source, r.target = -1, -1, -1
			if p, ok := fsPaths[r.name]; ok {
				r.name1, r.source, r.target, r.fsOK = paramIndex(t, p.name), paramIndex(t, p.source), paramIndex(t, p.target), p.ok
				r.flags |= isPath
			}
			all[t] = r
		}
	}
	return all
}()

func paramIndex(t field.EventType, name string) int8 {
	if name == "" {
		return -1
	}
	return int8(t.Info().Param(name))
}

// genericRow is the parameters of system calls that have none of their own: their name and number.
var genericRow = []param{
	{make: func(f *Filler, _ *param) { f.out.raw = f.e.Type.String() }},
	{make: func(f *Filler, _ *param) { f.setNum(uint64(f.r.Nr), 16, dec, false) }},
}

// fsPath says which parameters are the path, or the source and target, of fs.path.*, and for which results.
type fsPath struct {
	name, source, target string
	ok                   func(r int64) bool
}

func succeeded(r int64) bool { return r == 0 }
func always(int64) bool      { return true }

// fsPaths is by event type. Names are those of the parameters; fd stands for fd.name.
var fsPaths = map[string]fsPath{
	"mkdir": {name: "path", ok: succeeded}, "mkdirat": {name: "path", ok: succeeded}, "rmdir": {name: "path", ok: succeeded},
	"unlink": {name: "path", ok: succeeded}, "unlinkat": {name: "name", ok: succeeded},
	"open": {name: "name", ok: always}, "openat": {name: "name", ok: always}, "openat2": {name: "name", ok: always},
	"chmod": {name: "filename", ok: succeeded}, "fchmodat": {name: "filename", ok: succeeded}, "fchmod": {name: "fd", ok: succeeded},
	"chown": {name: "path", ok: succeeded}, "lchown": {name: "path", ok: succeeded}, "fchown": {name: "fd", ok: succeeded},
	"fchownat": {name: "pathname", ok: succeeded}, "quotactl": {name: "special", ok: succeeded},
	"umount": {name: "name", ok: succeeded}, "umount2": {name: "name", ok: succeeded},
	"rename":    {source: "oldpath", target: "newpath", ok: succeeded},
	"renameat":  {source: "oldpath", target: "newpath", ok: succeeded},
	"renameat2": {source: "oldpath", target: "newpath", ok: succeeded},
	"link":      {source: "newpath", target: "oldpath", ok: succeeded},
	"linkat":    {source: "newpath", target: "oldpath", ok: succeeded},
	"symlink":   {source: "linkpath", target: "target", ok: succeeded},
	"symlinkat": {source: "linkpath", target: "target", ok: succeeded},
	"mount":     {source: "dev", target: "dir", ok: succeeded},
}

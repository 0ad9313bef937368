package args

import (
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/args/flags"
	"github.com/eyrie-sec/eyrie/sensor/args/paths"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// atCwd is AT_FDCWD, a dirfd that means the working directory.
const atCwd = -100

// fd is a descriptor in a register, retFD one that the call returned: its number, and its kind and name.
func fd(reg int8) param { return param{make: makeFD, reg: reg} }

var retFD = param{make: func(f *Filler, _ *param) { f.setFD(f.result(), raw.RetArg, 0) }}

func makeFD(f *Filler, p *param) { f.setFD(int64(int32(f.reg(p.reg))), p.reg, 0) }

// newFD is one of two descriptors that a call made, of which reg points to the numbers.
func newFD(reg, index int8) param { return param{make: makeNewFD, reg: reg, aux: index} }

func makeNewFD(f *Filler, p *param) {
	n := int64(-1)
	if f.r.Ret >= 0 {
		n = int64(int32(f.member(p.reg, int(p.aux-1)*4, 32)))
	}
	f.setFD(n, p.reg, uint8(p.aux))
}

func (f *Filler) setFD(n int64, arg int8, index uint8) {
	f.out.num, f.out.hasNum = n, true
	f.out.raw = f.number(n, dec, true)
	switch {
	case n == atCwd && arg != raw.RetArg:
		f.out.text = "AT_FDCWD"
	case n < 0:
		f.out.text = flags.Errno(-n)
	default:
		if kind, name, ok := f.fd(n, arg, index); ok {
			start := len(f.buf)
			f.buf = append(append(append(append(f.buf, '<'), kind...), '>'), name...)
			f.out.text = f.str(start)
		}
	}
}

// fd names a descriptor. The event's own is named as fd.name has it.
func (f *Filler) fd(n int64, arg int8, index uint8) (kind, name string, ok bool) {
	if own, set := f.e.Number(field.FDNum); set && own == n {
		if t, ok := f.e.Text(field.FDType); !ok || t == "" {
			return "", "", false // closed, or never seen
		}
		kind, _ = f.e.Text(field.FDTypechar)
		name, _ = f.e.Text(field.FDName)
		if proto, _ := f.e.Text(field.FDL4proto); proto != "" && proto[0] != '<' {
			kind = f.cat(kind, proto[:1])
		}
		return kind, name, true
	}
	if p := f.object(arg, index); p != nil {
		kind, name = f.view.FD(f.r, p)
		return kind, name, kind != ""
	}
	return "", "", false
}

// object is the part about a descriptor.
func (f *Filler) object(arg int8, index uint8) *raw.Part {
	for i := range f.r.Parts {
		p := &f.r.Parts[i]
		if p.Arg == arg && p.Index == index && (p.Kind == raw.File || p.Kind == raw.Socket || p.Kind == raw.Dir) && !p.Failed {
			return p
		}
	}
	return nil
}

// pid is a process or thread in a register.
func pid(reg int8) param { return param{make: makePID, reg: reg} }

func makePID(f *Filler, p *param) { f.setPID(int64(int32(f.reg(p.reg)))) }

var retPID = param{make: func(f *Filler, _ *param) { f.setPID(f.result()) }}

func (f *Filler) setPID(n int64) {
	f.out.num, f.out.hasNum = n, true
	f.out.raw = f.number(n, dec, true)
	if n > 0 {
		if comm, ok := f.view.Comm(int32(n)); ok {
			f.out.text = comm
		}
	}
}

// uid and gid are users and groups in a register.
func uid(reg int8) param {
	return param{make: func(f *Filler, p *param) { f.setUser(uint32(f.reg(p.reg)), f.view.User) }, reg: reg}
}

func gid(reg int8) param {
	return param{make: func(f *Filler, p *param) { f.setUser(uint32(f.reg(p.reg)), f.view.Group) }, reg: reg}
}

// userPointer is a user that an argument points to.
func userPointer(reg int8) param {
	return param{make: func(f *Filler, p *param) { f.setUser(uint32(f.member(p.reg, 0, 32)), f.view.User) }, reg: reg}
}

func groupPointer(reg int8) param {
	return param{make: func(f *Filler, p *param) { f.setUser(uint32(f.member(p.reg, 0, 32)), f.view.Group) }, reg: reg}
}

func (f *Filler) setUser(id uint32, name func(uint32) (string, bool)) {
	if id == 1<<32-1 {
		f.out = value{raw: "-1", text: noUser, num: int64(id), hasNum: true}
		return
	}
	f.setNum(uint64(id), 32, dec, false)
	f.out.text = notKnown
	if s, ok := name(id); ok {
		f.out.text = s
	}
}

// path is a path relative to the working directory, pathAt one relative to the directory in register dir.
func path(reg int8) param        { return param{make: makePath, reg: reg} }
func pathAt(dir, reg int8) param { return param{make: makePathAt, reg: reg, aux: dir} }

func makePath(f *Filler, p *param) {
	s, ok := f.text(p.reg)
	f.setText(s, ok)
	if ok && s != "" && s[0] != '/' {
		f.out.text = f.join(f.cwd(), s)
	}
}

func makePathAt(f *Filler, p *param) {
	s, ok := f.text(p.reg)
	f.setText(s, ok)
	if ok && s != "" && s[0] != '/' {
		f.out.text, _ = f.at(p.aux, s)
	}
}

// at is a name made absolute by the directory that an argument describes. Where nothing is known of that directory it is
// the name itself, folded, and known is false.
func (f *Filler) at(dir int8, name string) (abs string, known bool) {
	if name[0] == '/' {
		return paths.Join("", name), true
	}
	base, ok := f.dir(dir)
	if !ok {
		return f.join("", name), false
	}
	return f.join(base, name), true
}

// dir is the path of the directory in an argument.
func (f *Filler) dir(arg int8) (string, bool) {
	n := int64(int32(f.reg(arg)))
	if n == atCwd {
		return f.cwd(), true
	}
	if n < 0 {
		return "", false
	}
	if p := f.object(arg, 0); p != nil {
		_, name := f.view.FD(f.r, p)
		return name, true
	}
	return "", false
}

func (f *Filler) cwd() string { return f.view.Cwd(f.r) }

func (f *Filler) join(base, name string) string {
	start := len(f.buf)
	f.buf = paths.Append(f.buf, base, name)
	return f.str(start)
}

// The file that a call opened: its flags, mode, device and inode.
func openFlags(reg int8) param { return param{make: makeOpenFlags, reg: reg, text: flags.Open} }

func makeOpenFlags(f *Filler, p *param) { f.setBits(f.openFlags(f.reg(p.reg)), 32, p.text) }

func (f *Filler) openFlags(v uint64) uint64 {
	v = flags.FromOpen(v)
	if p := f.opened(); p != nil {
		if p.File.Created {
			v |= flags.OCreated
		}
		if p.File.UpperLayer {
			v |= flags.FDUpper
		}
		if p.File.LowerLayer {
			v |= flags.FDLower
		}
	}
	return v
}

func (f *Filler) opened() *raw.Part {
	if f.r.Ret < 0 {
		return nil
	}
	return f.object(raw.RetArg, 0)
}

// openMode is a mode that counts only where the flags make a file.
func openMode(flagsReg, reg int8) param { return param{make: makeOpenMode, reg: reg, aux: flagsReg} }

func makeOpenMode(f *Filler, p *param) {
	v := uint64(0)
	if p.aux < 0 || flags.HasMode(f.reg(p.aux)) {
		v = f.reg(p.reg) & 0o7777
	}
	f.setNum(v, 32, oct, false)
}

// The struct open_how of openat2: flags, mode and resolve, 8 bytes each.
var (
	howFlags = param{make: func(f *Filler, p *param) { f.setBits(f.openFlags(f.member(2, 0, 64)), 32, flags.Open) }}
	howMode  = param{make: func(f *Filler, p *param) {
		v := uint64(0)
		if flags.HasMode(f.member(2, 0, 64)) {
			v = f.member(2, 8, 64) & 0o7777
		}
		f.setNum(v, 32, oct, false)
	}}
	openDev = param{make: func(f *Filler, _ *param) { f.setFile(func(i *raw.FileInfo) uint64 { return i.Dev }, 32, hex) }}
	openIno = param{make: func(f *Filler, _ *param) { f.setFile(func(i *raw.FileInfo) uint64 { return i.Ino }, 64, dec) }}
)

func (f *Filler) setFile(get func(*raw.FileInfo) uint64, width, form uint8) {
	v := uint64(0)
	if p := f.opened(); p != nil {
		v = get(&p.File)
	}
	f.setNum(v, width, form, false)
}

// creatFlags is the layer of an overlay that creat made the file in.
var creatFlags = param{make: func(f *Filler, _ *param) {
	v := uint64(0)
	if p := f.opened(); p != nil {
		if p.File.UpperLayer {
			v |= 1
		}
		if p.File.LowerLayer {
			v |= 2
		}
	}
	f.setBits(v, 16, flags.Creat)
}}

// pipeIno is the inode of a new pipe.
var pipeIno = param{make: func(f *Filler, _ *param) {
	v := uint64(0)
	if p := f.object(0, 1); p != nil && f.r.Ret >= 0 {
		v = p.File.Ino
	}
	f.setNum(v, 64, dec, false)
}}

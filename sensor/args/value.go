package args

import (
	"strconv"

	"github.com/eyrie-sec/eyrie/sensor/args/flags"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// How a number is shown.
const (
	dec uint8 = iota
	hex
	oct
)

// Texts that Falco shows where there is nothing.
const (
	notKnown = "<NA>"
	noData   = "NULL"
	noUser   = "<NONE>"
)

// param says what a parameter is made of.
type param struct {
	make func(f *Filler, p *param)
	reg  int8 // argument of the system call that it comes from
	aux  int8 // another argument, an offset or an index, as make says
	bits uint8
	form uint8
	from func(uint64) uint64 // the kernel's number to Falco's; nil for the same
	text flags.Table
}

func (f *Filler) reg(i int8) uint64 { return f.r.Regs[i] }

// setNum sets a number shown in the form. Numbers of less than 64 bits are cut to them.
func (f *Filler) setNum(v uint64, bits, form uint8, signed bool) {
	n := int64(v)
	switch {
	case signed && bits == 32:
		n = int64(int32(v))
	case signed && bits == 16:
		n = int64(int16(v))
	case bits < 64:
		n = int64(v & (1<<bits - 1))
	}
	f.out.num, f.out.hasNum = n, true
	f.out.raw = f.number(n, form, signed)
}

func (f *Filler) number(n int64, form uint8, signed bool) string {
	if n >= 0 && n < 10 {
		return "0123456789"[n : n+1]
	}
	start := len(f.buf)
	switch {
	case form == hex:
		f.buf = strconv.AppendUint(f.buf, uint64(n), 16)
		for i := start; i < len(f.buf); i++ {
			if c := f.buf[i]; c >= 'a' {
				f.buf[i] = c - 'a' + 'A'
			}
		}
	case form == oct:
		f.buf = strconv.AppendUint(append(f.buf, '0'), uint64(n), 8)
	case signed || n > 0:
		f.buf = strconv.AppendInt(f.buf, n, 10)
	default:
		f.buf = strconv.AppendUint(f.buf, uint64(n), 10)
	}
	return f.str(start)
}

func makeUint(f *Filler, p *param) { f.setNum(f.reg(p.reg), p.bits, p.form, false) }
func makeInt(f *Filler, p *param)  { f.setNum(f.reg(p.reg), p.bits, p.form, true) }

// Parameters that are numbers in a register.
func u64(reg int8) param   { return param{make: makeUint, reg: reg, bits: 64} }
func u32(reg int8) param   { return param{make: makeUint, reg: reg, bits: 32} }
func u8(reg int8) param    { return param{make: makeUint, reg: reg, bits: 8} }
func hex64(reg int8) param { return param{make: makeUint, reg: reg, bits: 64, form: hex} }
func hex32(reg int8) param { return param{make: makeUint, reg: reg, bits: 32, form: hex} }
func i32(reg int8) param   { return param{make: makeInt, reg: reg, bits: 32} }
func of(bits uint8, v uint64) param {
	return param{make: makeConst, bits: bits, from: func(uint64) uint64 { return v }}
}

func makeConst(f *Filler, p *param) { f.setNum(p.from(0), p.bits, p.form, false) }

// owner is a user or group of chown, where -1 leaves it as it is.
func owner(reg int8) param { return param{make: makeOwner, reg: reg} }

func makeOwner(f *Filler, p *param) {
	v := uint32(f.reg(p.reg))
	f.setNum(uint64(v), 32, dec, false)
	if v == 1<<32-1 {
		f.out.raw = "-1"
	}
}

// bits is flags in a register, enum one of several values.
func bits(reg int8, width uint8, t flags.Table, from func(uint64) uint64) param {
	return param{make: makeBits, reg: reg, bits: width, text: t, from: from}
}

func enum(reg int8, width uint8, t flags.Table, from func(uint64) uint64) param {
	return param{make: makeEnum, reg: reg, bits: width, text: t, from: from}
}

func makeBits(f *Filler, p *param) {
	v := f.reg(p.reg)
	if p.from != nil {
		v = p.from(v)
	}
	f.setBits(v, p.bits, p.text)
}

func (f *Filler) setBits(v uint64, width uint8, t flags.Table) {
	f.setNum(v, width, dec, false)
	start := len(f.buf)
	f.buf = t.Append(f.buf, uint64(f.out.num))
	f.out.text = f.str(start)
}

func makeEnum(f *Filler, p *param) {
	v := f.reg(p.reg)
	if p.from != nil {
		v = p.from(v)
	}
	f.setEnum(v, p.bits, p.text)
}

func (f *Filler) setEnum(v uint64, width uint8, t flags.Table) {
	f.setNum(v, width, dec, false)
	start := len(f.buf)
	f.buf = t.AppendEnum(f.buf, uint64(f.out.num))
	f.out.text = f.str(start)
}

// mode is permissions: octal, with the names of the bits.
func mode(reg int8, t flags.Table) param { return param{make: makeMode, reg: reg, text: t} }

func makeMode(f *Filler, p *param) {
	v := f.reg(p.reg) & 0xffff
	start := len(f.buf)
	f.buf = p.text.Append(f.buf, v)
	text := f.str(start)
	f.setNum(v, 32, oct, false)
	f.out.text = text
}

// res is the result of a call: an error by its name.
var res = param{make: makeRes}

func makeRes(f *Filler, _ *param) { f.setErrno(f.result()) }

func (f *Filler) setErrno(n int64) {
	f.out.num, f.out.hasNum = n, true
	f.out.raw = f.number(n, dec, true)
	if n < 0 {
		f.out.text = flags.Errno(-n)
	}
}

// str is a string of the caller's.
func str(reg int8) param { return param{make: makeStr, reg: reg} }

func makeStr(f *Filler, p *param) { f.setText(f.text(p.reg)) }

func (f *Filler) setText(s string, ok bool) {
	if !ok {
		s = notKnown
	}
	f.out.raw = s
}

// text is the string or path that an argument points to.
func (f *Filler) text(reg int8) (string, bool) {
	for i := range f.r.Parts {
		p := &f.r.Parts[i]
		if p.Arg == reg && (p.Kind == raw.Path || p.Kind == raw.String) {
			return alias(p.Data), !p.Failed
		}
	}
	return "", false
}

// data is the memory that an argument points to.
func (f *Filler) data(reg int8) ([]byte, bool) {
	for i := range f.r.Parts {
		p := &f.r.Parts[i]
		if p.Arg == reg && p.Index == f.msg && (p.Kind == raw.Struct || p.Kind == raw.Bytes || p.Kind == raw.Fd) {
			return p.Data, !p.Failed
		}
	}
	return nil, false
}

// member is a number within a struct that an argument points to; aux is its offset.
func member(reg, offset int8, width, form uint8) param {
	return param{make: makeMember, reg: reg, aux: offset, bits: width, form: form}
}

// signedMember is the same for a signed number.
func signedMember(reg, offset int8, width uint8) param {
	return param{make: makeSignedMember, reg: reg, aux: offset, bits: width}
}

// bitsMember is flags within a struct.
func bitsMember(reg, offset int8, width uint8, t flags.Table, from func(uint64) uint64) param {
	return param{make: makeBitsMember, reg: reg, aux: offset, bits: width, text: t, from: from}
}

func makeMember(f *Filler, p *param) {
	f.setNum(f.member(p.reg, int(p.aux), p.bits), p.bits, p.form, false)
}

func makeSignedMember(f *Filler, p *param) {
	f.setNum(f.member(p.reg, int(p.aux), p.bits), p.bits, dec, true)
}

func makeBitsMember(f *Filler, p *param) {
	v := f.member(p.reg, int(p.aux), p.bits)
	if p.from != nil {
		v = p.from(v)
	}
	f.setBits(v, p.bits, p.text)
}

// member reads a little-endian number of that many bits; it is 0 where there is none.
func (f *Filler) member(reg int8, offset int, width uint8) (v uint64) {
	b, _ := f.data(reg)
	n := int(width) / 8
	if offset+n > len(b) {
		return 0
	}
	for i := n - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[offset+i])
	}
	return v
}

// buffer is bytes read or written; how many of them there are is the result, or the argument aux where the call failed.
func buffer(reg int8) param { return param{make: makeBuffer, reg: reg} }

func makeBuffer(f *Filler, p *param) {
	b := f.bytes(p.reg)
	if len(b) == 0 {
		f.out.raw = noData
		return
	}
	f.out.raw = f.printable(b)
}

// bytes is the captured part of a buffer. What the kernel did not fill is cut off.
func (f *Filler) bytes(reg int8) []byte {
	var b []byte
	for i := range f.r.Parts {
		if p := &f.r.Parts[i]; p.Kind == raw.Bytes && p.Arg == reg && p.Index == f.msg {
			b = p.Data
			break
		}
	}
	if f.row.flags&reads != 0 && f.row.flags&writes == 0 {
		b = b[:max(0, min(int64(len(b)), f.result()))]
	}
	return b
}

// printable shows bytes, with dots for those that are not ASCII letters, digits and signs.
func (f *Filler) printable(b []byte) string {
	start := len(f.buf)
	for _, c := range b {
		if c < ' ' || c > '~' {
			c = '.'
		}
		f.buf = append(f.buf, c)
	}
	return f.str(start)
}

// interval is a struct timespec.
func interval(reg int8) param { return param{make: makeInterval, reg: reg} }

func makeInterval(f *Filler, p *param) {
	f.setInterval(f.member(p.reg, 0, 64)*1e9 + f.member(p.reg, 8, 64))
}

func (f *Filler) setInterval(ns uint64) {
	f.setNum(ns, 64, dec, false)
	start := len(f.buf)
	f.buf = append(strconv.AppendFloat(f.buf, float64(ns)/1e9, 'g', 9, 64), 's')
	f.out.text = f.str(start)
}

// signal is the number of a signal.
func signal(reg int8) param { return param{make: makeSignal, reg: reg} }

func makeSignal(f *Filler, p *param) { f.setSignal(f.reg(p.reg)) }

func (f *Filler) setSignal(n uint64) {
	f.setNum(n, 8, dec, false)
	f.out.text = flags.Signal(f.out.num)
}

// sigset is a set of signals, the first 32 of them.
func sigset(reg int8) param { return param{make: makeSigset, reg: reg} }

func makeSigset(f *Filler, p *param) {
	v := f.member(p.reg, 0, 64) & (1<<32 - 1)
	f.setNum(v, 32, dec, false)
	start := len(f.buf)
	for n := int64(1); n <= 32; n++ {
		if v&(1<<(n-1)) != 0 {
			if len(f.buf) > start {
				f.buf = append(f.buf, ' ')
			}
			f.buf = append(f.buf, flags.Signal(n)...)
		}
	}
	f.out.text = f.str(start)
}

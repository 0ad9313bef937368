// Package event holds one event as rules see it: a type, its parameters, and values by field. A sensor, a replay or a
// test fills an Event and hands it to the engine; nothing here reads the kernel, and nothing is derived but the few
// fields that follow from others (see derive.go). An Event is reused from event to event and allocates nothing once its
// slices have grown. It is not safe for concurrent use.
package event

import (
	"net/netip"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// MaxArgs is the largest number of parameters that an event carries.
const MaxArgs = 40

const setWords = (field.Count + 63) / 64

// Arg is the value of one parameter.
type Arg struct {
	Text   string // as evt.arg.NAME shows it
	Num    int64  // the raw value where the parameter's type is an integer
	HasNum bool
	Set    bool
}

// Event is one event. The zero value is an event of no type without values.
//
// Strings given to it must stay unchanged until the next Reset; it keeps no copies.
type Event struct {
	Type field.EventType
	Num  uint64 // evt.num
	Time int64  // nanoseconds since 1970

	// Resolve, if set, is called at most once per field and event when a value is asked for that is not there. It may
	// set this and any other field. It lets a sensor postpone what only few rules look at, such as ancestors.
	Resolve func(e *Event, id field.ID)

	// ResolveArg, if set, is called at most once per parameter and event when a parameter is asked for that is not
	// there. It may set it with SetArg or SetArgNum.
	ResolveArg func(e *Event, i int)

	set   [setWords]uint64
	asked [setWords]uint64
	lset  uint32 // lists that are set, by slot
	text  [field.Count]string
	num   [field.Count]int64
	lists [listCount][]string
	addrs [5]netip.Addr // fd.ip (unused), fd.cip, fd.sip, fd.lip, fd.rip
	nargs int
	args  [MaxArgs]Arg
	argsk uint64 // parameters that ResolveArg was asked for
}

// Reset empties the event and makes it one of type t. Resolve and ResolveArg stay.
func (e *Event) Reset(t field.EventType) {
	e.Type, e.Num, e.Time = t, 0, 0
	clear(e.set[:])
	clear(e.asked[:])
	e.lset = 0
	clear(e.args[:e.nargs])
	e.nargs, e.argsk = 0, 0
}

// Has says whether the field has a value, asking Resolve if there is none yet.
func (e *Event) Has(id field.ID) bool {
	return e.set[id/64]&(1<<(id%64)) != 0 || e.Resolve != nil && e.resolve(id)
}

func (e *Event) resolve(id field.ID) bool {
	word, bit := id/64, uint64(1)<<(id%64)
	if e.asked[word]&bit != 0 {
		return false
	}
	e.asked[word] |= bit
	e.Resolve(e, id)
	return e.set[word]&bit != 0
}

// HasList says whether a list field has its list, asking Resolve if there is none yet.
func (e *Event) HasList(id field.ID) bool {
	slot := listSlot[id]
	if slot < 0 {
		return false
	}
	if e.lset&(1<<slot) != 0 {
		return true
	}
	if e.Resolve != nil {
		e.resolve(id)
	}
	return e.lset&(1<<slot) != 0
}

func (e *Event) mark(id field.ID) { e.set[id/64] |= 1 << (id % 64) }

// Unset takes a value away.
func (e *Event) Unset(id field.ID) {
	e.set[id/64] &^= 1 << (id % 64)
	if slot := listSlot[id]; slot >= 0 {
		e.lset &^= 1 << slot
	}
}

// SetText sets a field of text or bytes.
func (e *Event) SetText(id field.ID, s string) {
	e.text[id] = s
	e.mark(id)
}

// SetNum sets a field that is an integer, a port, a time or a duration. Unsigned values keep their bits.
func (e *Event) SetNum(id field.ID, n int64) {
	e.num[id] = n
	e.mark(id)
}

// SetBool sets a field that is true or false.
func (e *Event) SetBool(id field.ID, b bool) {
	n := int64(0)
	if b {
		n = 1
	}
	e.SetNum(id, n)
}

// SetAddr sets an address of the connection: fd.cip, fd.sip, fd.lip or fd.rip. The networks fd.cnet and so on follow.
func (e *Event) SetAddr(id field.ID, a netip.Addr) {
	if id > field.FDIP && id <= field.FDRIP {
		e.addrs[id-field.FDIP] = a.Unmap()
		e.mark(id)
	}
}

// SetList sets a field that has several values. See IsList for what the items are. The event keeps the slice.
func (e *Event) SetList(id field.ID, items []string) {
	if slot := listSlot[id]; slot >= 0 {
		e.lists[slot] = items
		e.lset |= 1 << slot
	}
}

// SetArg sets the i-th parameter of the event's type, with its text.
func (e *Event) SetArg(i int, text string) {
	if i < 0 || i >= MaxArgs {
		return
	}
	e.nargs = max(e.nargs, i+1)
	e.args[i].Text, e.args[i].Set = text, true
}

// SetArgNum sets the i-th parameter of the event's type, with its text and its raw value.
func (e *Event) SetArgNum(i int, text string, n int64) {
	if i < 0 || i >= MaxArgs {
		return
	}
	e.nargs = max(e.nargs, i+1)
	e.args[i] = Arg{text, n, true, true}
}

// Arg is the i-th parameter, asking ResolveArg if there is none yet; Set is false where it is not there.
func (e *Event) Arg(i int) *Arg {
	if i < 0 || i >= MaxArgs {
		return &noArg
	}
	if a := &e.args[i]; a.Set || e.ResolveArg == nil || e.argsk&(1<<i) != 0 {
		return a
	}
	e.argsk |= 1 << i
	e.ResolveArg(e, i)
	return &e.args[i]
}

var noArg Arg

// Number is the value of a numeric field.
func (e *Event) Number(id field.ID) (int64, bool) {
	if !e.Has(id) {
		return 0, false
	}
	return e.num[id], true
}

// Addr is the value of an address field; a network field answers with its address.
func (e *Event) Addr(id field.ID) (netip.Addr, bool) {
	switch id {
	case field.FDCnet:
		id = field.FDCIP
	case field.FDSnet:
		id = field.FDSIP
	case field.FDLnet:
		id = field.FDLIP
	case field.FDRnet:
		id = field.FDRIP
	}
	if id <= field.FDIP || id > field.FDRIP || !e.Has(id) {
		return netip.Addr{}, false
	}
	return e.addrs[id-field.FDIP], true
}

// List is the value of a list field.
func (e *Event) List(id field.ID) ([]string, bool) {
	if !e.HasList(id) {
		return nil, false
	}
	return e.lists[listSlot[id]], true
}

// IsList says whether the value of the field is a list. What the items are:
//
//   - proc.aname, proc.aexe, proc.aexepath, proc.aargs, proc.acmdline, proc.aenv, proc.apid: item 0 is about the process
//     itself, item 1 about its parent, and so on;
//   - proc.args: one argument each; proc.env: NAME=value each; thread.cgroups: SUBSYSTEM=path each;
//   - fd.types: one kind of descriptor each;
//   - container.labels, k8s.*.labels: NAME=value each;
//   - container.mounts: source:destination:mode:writable:propagation each;
//   - evt.abspath: src=PATH and dst=PATH, beside its text.
func IsList(id field.ID) bool { return listSlot[id] >= 0 }

var listFields = []field.ID{
	field.ProcAname, field.ProcAexe, field.ProcAexepath, field.ProcAargs, field.ProcAcmdline, field.ProcAenv,
	field.ProcAPID, field.ProcArgs, field.ProcEnv, field.ThreadCgroups, field.FDTypes, field.ContainerLabels,
	field.ContainerMounts, field.K8sPodLabels, field.K8sNSLabels, field.K8sRCLabels, field.K8sSvcLabels,
	field.K8sRSLabels, field.K8sDeploymentLabels, field.EvtAbspath,
}

const listCount = 20

// listSlot is the place of a field's list, -1 for fields that have none.
var listSlot = func() (slots [field.Count]int8) {
	for i := range slots {
		slots[i] = -1
	}
	for i, id := range listFields {
		slots[id] = int8(i)
	}
	return slots
}()

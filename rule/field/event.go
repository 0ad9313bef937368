package field

import (
	"sort"
	"strings"
)

// EventType numbers an event type of the table. As with ID, the numbers are for memory alone.
type EventType uint16

// NoEvent is the event type of an event that is not set up.
const NoEvent EventType = 0

// Kind says where events of a type come from.
type Kind uint8

// The kinds.
const (
	KindNone       Kind = iota
	KindSyscall         // a system call with parameters of its own
	KindGeneric         // any other system call
	KindTracepoint      // a kernel tracepoint
	KindMeta            // made by the sensor itself
	KindPlugin          // made by a plugin
	KindHidden          // known by name, never delivered
)

// Param is one parameter of an event type.
type Param struct {
	Name string
	Type Type
}

// EventInfo describes an event type.
type EventInfo struct {
	Name   string
	Kind   Kind
	Params []Param // of the exit, where the event is a system call
}

// Param finds a parameter by name, -1 where the event has none such.
func (e *EventInfo) Param(name string) int {
	for i := range e.Params {
		if e.Params[i].Name == name {
			return i
		}
	}
	return -1
}

type eventTables struct {
	types   []EventInfo // by EventType; 0 is unused
	byName  map[string]EventType
	longest int               // bytes of the longest parameter's name
	params  map[string]Type   // of the first event in the table that has the parameter
	indexes map[string][]int8 // of a parameter, by EventType; -1 where the event has none such
}

var events = loadEvents()

func loadEvents() *eventTables {
	t := &eventTables{types: make([]EventInfo, 1, 480), byName: map[string]EventType{}, params: map[string]Type{}}
	kinds := map[string]Kind{"s": KindSyscall, "t": KindTracepoint, "m": KindMeta, "p": KindPlugin}
	for line := range strings.Lines(strings.TrimSpace(eventText)) {
		words := strings.Fields(line)
		params := make([]Param, 0, len(words)-2)
		for _, w := range words[2:] {
			name, typ, _ := strings.Cut(w, ":")
			params = append(params, Param{name, parseType(typ)})
		}
		t.add(EventInfo{words[1], kinds[words[0]], params})
	}
	generic := []Param{{"ID", SyscallNum}, {"nativeID", Uint16}}
	for _, name := range strings.Fields(genericText) {
		t.add(EventInfo{name, KindGeneric, generic})
	}
	for _, name := range strings.Fields(hiddenText) {
		t.add(EventInfo{name, KindHidden, nil})
	}
	t.indexes = make(map[string][]int8, len(t.params))
	for name := range t.params {
		at := make([]int8, len(t.types))
		for i := range t.types {
			at[i] = int8(t.types[i].Param(name))
		}
		t.indexes[name] = at
	}
	return t
}

// ParamIndexes is where a parameter stands among those of each event type, -1 where the event has none such. The slice
// must not be changed; it is nil for a name that no event has.
func ParamIndexes(name string) []int8 { return events.indexes[name] }

func (t *eventTables) add(e EventInfo) {
	t.byName[e.Name] = EventType(len(t.types))
	t.types = append(t.types, e)
	for _, p := range e.Params {
		if _, ok := t.params[p.Name]; !ok {
			t.params[p.Name] = p.Type
			t.longest = max(t.longest, len(p.Name))
		}
	}
}

// EventCount is one more than the highest EventType.
func EventCount() int { return len(events.types) }

// Info describes the event type.
func (t EventType) Info() *EventInfo { return &events.types[t] }

func (t EventType) String() string {
	if t == NoEvent {
		return "none"
	}
	return events.types[t].Name
}

// EventByName finds an event type.
func EventByName(name string) (EventType, bool) {
	t, ok := events.byName[name]
	return t, ok
}

// EventNames lists the event types, sorted.
func EventNames() []string {
	out := make([]string, 0, len(events.types))
	for _, e := range events.types[1:] {
		out = append(out, e.Name)
	}
	sort.Strings(out)
	return out
}

// ParamByPrefix finds the longest parameter name of any event that text starts with. The type is that of the first
// event in the table that has it: an event may have the same name with another type.
func ParamByPrefix(text string) (Param, bool) {
	for n := min(len(text), events.longest); n > 0; n-- {
		if t, ok := events.params[text[:n]]; ok {
			return Param{text[:n], t}, true
		}
	}
	return Param{}, false
}

// ParamNames lists the names of all parameters, sorted.
func ParamNames() []string {
	out := make([]string, 0, len(events.params))
	for n := range events.params {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// EventSet is a set of event types.
type EventSet [8]uint64

// AllEvents is the set of every event type.
func AllEvents() EventSet { return everyEvent }

var everyEvent = func() (s EventSet) {
	for t := 1; t < len(events.types); t++ {
		s.Add(EventType(t))
	}
	return s
}()

// Add puts t into the set.
func (s *EventSet) Add(t EventType) { s[t/64] |= 1 << (t % 64) }

// Has says whether t is in the set.
func (s *EventSet) Has(t EventType) bool { return s[t/64]&(1<<(t%64)) != 0 }

// Intersect keeps what is in both.
func (s EventSet) Intersect(o EventSet) EventSet {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// Union adds what is in the other.
func (s EventSet) Union(o EventSet) EventSet {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

// Invert is every event type that is not in the set.
func (s EventSet) Invert() EventSet {
	all := AllEvents()
	for i := range s {
		s[i] = all[i] &^ s[i]
	}
	return s
}

// Types lists the members in the order of the table.
func (s EventSet) Types() []EventType {
	var out []EventType
	for t := 1; t < len(events.types); t++ {
		if s.Has(EventType(t)) {
			out = append(out, EventType(t))
		}
	}
	return out
}

// Names lists the members by name, sorted.
func (s EventSet) Names() []string {
	var out []string
	for _, t := range s.Types() {
		out = append(out, t.String())
	}
	sort.Strings(out)
	return out
}

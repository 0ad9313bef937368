// Package field is the table of what a rule can ask of an event: the fields with their types and argument rules, and the
// event types with their parameters. Names come in, numbers and facts go out. The table is fixed at build time and holds
// no state; an unknown name is answered with false, never with an error.
package field

import (
	"sort"
)

// Type is the type of a field or of an event's parameter, in Falco's terms. It decides which operators apply and how a
// literal is read.
type Type uint8

// The types. Those after Dynamic are types of parameters alone.
const (
	Unknown Type = iota
	Text         // a string
	Bytes        // a buffer
	Bool
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Double
	Port
	Addr     // one IP address
	Net      // an IP address that is compared with networks
	Duration // nanoseconds
	Time     // nanoseconds since 1970
	Dynamic  // known only with the argument
	Path
	RelPath
	Flags8
	Flags16
	Flags32
	Enum8
	Enum16
	Enum32
	Descriptor
	Errno
	ProcessID
	UserNum
	GroupNum
	Mode
	SockAddr
	SockTuple
	FDList
	Signal
	SigSet
	SyscallNum
)

// typeNames are Falco's names, as its list of fields prints them.
var typeNames = [...]string{
	Unknown: "UNKNOWN", Text: "CHARBUF", Bytes: "BYTEBUF", Bool: "BOOL", Int8: "INT8", Int16: "INT16", Int32: "INT32",
	Int64: "INT64", Uint8: "UINT8", Uint16: "UINT16", Uint32: "UINT32", Uint64: "UINT64", Double: "DOUBLE", Port: "PORT",
	Addr: "IPADDR", Net: "IPNET", Duration: "RELTIME", Time: "ABSTIME", Dynamic: "DYNAMIC", Path: "FSPATH",
	RelPath: "FSRELPATH", Flags8: "FLAGS8", Flags16: "FLAGS16", Flags32: "FLAGS32", Enum8: "ENUMFLAGS8",
	Enum16: "ENUMFLAGS16", Enum32: "ENUMFLAGS32", Descriptor: "FD", Errno: "ERRNO", ProcessID: "PID", UserNum: "UID",
	GroupNum: "GID", Mode: "MODE", SockAddr: "SOCKADDR", SockTuple: "SOCKTUPLE", FDList: "FDLIST", Signal: "SIGTYPE",
	SigSet: "SIGSET", SyscallNum: "SYSCALLID",
}

func (t Type) String() string { return typeNames[t] }

func parseType(name string) Type {
	for t, n := range typeNames {
		if n == name {
			return Type(t)
		}
	}
	return Unknown
}

// Signed says whether values of the type are signed integers; it is meaningless for types that are not integers.
func (t Type) Signed() bool {
	switch t {
	case Int8, Int16, Int32, Int64, Descriptor, Errno, ProcessID:
		return true
	}
	return false
}

// Numeric says whether values of the type are kept as an integer in the event.
func (t Type) Numeric() bool {
	switch t {
	case Bool, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Port, Duration, Time, Flags8, Flags16, Flags32,
		Enum8, Enum16, Enum32, Descriptor, Errno, ProcessID, UserNum, GroupNum, Mode, Signal, SyscallNum:
		return true
	}
	return false
}

// Bits is the width of an integer type, 64 where it has none of its own.
func (t Type) Bits() int {
	switch t {
	case Int8, Uint8, Flags8, Enum8, Signal:
		return 8
	case Int16, Uint16, Flags16, Enum16, Port, SyscallNum:
		return 16
	case Int32, Uint32, Flags32, Enum32, Mode, UserNum, GroupNum, Bool:
		return 32
	}
	return 64
}

// Arg says what may stand after a field's name.
type Arg uint8

// The argument rules.
const (
	ArgNone      Arg = iota // nothing
	ArgIndex                // [N], optional
	ArgKey                  // [NAME] or [N], optional
	ArgRequired             // [NAME] or [N], required
	ArgEvent                // .NAME or [N] of an event's parameter, required
	ArgPath                 // .src or .dst, optional
	ArgSubsystem            // .NAME, required
	ArgNumber               // .N, required
)

// Flag is a property of a field.
type Flag uint8

// The flags.
const (
	List        Flag = 1 << iota // the field has any number of values
	NoRight                      // cannot stand on the right-hand side, nor be compared with a field
	NoTransform                  // cannot be given to a transformer
	Plugin                       // comes from the container plugin
	Hidden                       // known to conditions, not listed
)

// Info describes one field.
type Info struct {
	Name  string
	Type  Type
	Arg   Arg
	Flags Flag
	Class string // group it is listed under: evt, proc, fd, ...
	Desc  string
}

// Info describes the field.
func (id ID) Info() *Info { return &table[id] }

func (id ID) String() string { return table[id].Name }

// Has says whether the field has all the flags.
func (id ID) Has(f Flag) bool { return table[id].Flags&f == f }

var byName = func() map[string]ID {
	m := make(map[string]ID, Count)
	for id := range table {
		m[table[id].Name] = ID(id)
	}
	return m
}()

// ByName finds a field by its name without argument.
func ByName(name string) (ID, bool) {
	id, ok := byName[name]
	return id, ok
}

// LongestPrefix finds the field with the longest name that text starts with, as output templates need it.
func LongestPrefix(text string) (ID, bool) {
	n := 0
	for n < min(len(text), maxName) && isNameByte(text[n]) {
		n++
	}
	for ; n > 0; n-- {
		if id, ok := byName[text[:n]]; ok {
			return id, true
		}
	}
	return 0, false
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

var maxName = func() int {
	n := 0
	for i := range table {
		n = max(n, len(table[i].Name))
	}
	return n
}()

// Nearest finds the field name most like name, for "did you mean"; it answers "" where none is near.
func Nearest(name string) string {
	return nearest(name, func(yield func(string)) {
		for i := range table {
			if table[i].Flags&Hidden == 0 {
				yield(table[i].Name)
			}
		}
	})
}

// NearestOf finds the word most like name among words; it answers "" where none is near.
func NearestOf(name string, words []string) string {
	return nearest(name, func(yield func(string)) {
		for _, w := range words {
			yield(w)
		}
	})
}

func nearest(name string, each func(yield func(string))) string {
	if len(name) > 64 {
		return ""
	}
	best, bestAt := "", 1+len(name)/3
	each(func(w string) {
		d := distance(name, w, bestAt)
		if d < bestAt || d == bestAt && (best == "" || common(name, w) > common(name, best)) {
			best, bestAt = w, d
		}
	})
	if bestAt > len(name)/3 && bestAt > 2 {
		return ""
	}
	return best
}

// common is the length of the start that a and b share.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// distance counts single edits and swaps of neighbours between a and b, giving up above limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

// Classes lists the groups of fields in the order of the table.
func Classes() []string {
	var out []string
	seen := map[string]bool{}
	for i := range table {
		if c := table[i].Class; !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	return out
}

// Names lists the fields that are not hidden, sorted.
func Names() []string {
	var out []string
	for i := range table {
		if table[i].Flags&Hidden == 0 {
			out = append(out, table[i].Name)
		}
	}
	sort.Strings(out)
	return out
}

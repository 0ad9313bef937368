// Package filter works out what no loaded rule can match, so that the kernel need not tell it. Rules come in; a Filter
// goes out: which event types are wanted, and for some types which of their events. It errs on one side alone: an
// event that some rule matches always passes. It knows nothing of how the kernel applies it (sensor/kernel does).
package filter

import (
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// Filter says which events are wanted. It must not be changed once it is in use.
type Filter struct {
	Types field.EventSet           // types not in the set are not wanted
	Gates map[field.EventType]Gate // which events of a type; all where the type has none
	Sets  []Set                    // that gates ask for; fewer than Anything
}

// All wants every event.
func All() Filter { return Filter{Types: field.AllEvents()} }

// Types wants every event of the given types.
func Types(set field.EventSet) Filter { return Filter{Types: set} }

// CallType is the event type of a system call, by the kernel's name of the call; false where Falco has none. Both
// execve and execveat are told of by name, although a successful execveat is an event of type execve.
func CallType(call string) (field.EventType, bool) {
	if t, ok := field.EventByName(call); ok {
		return t, true
	}
	if name, ok := callAliases[call]; ok {
		return field.EventByName(name)
	}
	return field.EventByName(strings.TrimPrefix(call, "_"))
}

// callAliases are the calls whose event type has another name.
var callAliases = map[string]string{
	"pread64": "pread", "pwrite64": "pwrite", "prlimit64": "prlimit", "sendfile64": "sendfile", "_llseek": "llseek",
	"fcntl64": "fcntl",
}

// Gate says which events of a type are wanted: those whose paths or process are in one of the sets that are asked for,
// given their result and their classes.
type Gate struct {
	Wanted [2][Classes]uint64 // by result (0 succeeds, 1 fails) and class: bit n is Filter.Sets[n], bit Anything any event
}

// Anything is the bit of Gate.Wanted that stands for any path and process. There are fewer sets than that.
const Anything = 63

// Set is what a bit of a gate asks for: a path of the call or the name of its process.
type Set struct {
	Paths *PathSet // nil for a set of names
	Names []string // of processes when they were started; sorted
}

// A builder numbers the sets.
type builder struct {
	sets    []Set
	numbers map[string]int
}

// gate makes the gate of a sum; it is of no use where it lets everything pass. Needs that differ in their paths or
// names alone become one set of each.
func (b *builder) gate(s sum) (g Gate, useful bool) {
	for result := range g.Wanted {
		for class := range Class(Classes) {
			paths, names := &PathSet{}, &nameSet{}
			somePaths, any := false, false
			for _, n := range s {
				switch {
				case n.result&(1<<result) == 0 || n.class != class:
				case n.names != nil && n.paths != nil && len(n.paths.Contained) > 0:
					names.names = append(names.names, n.names.names...) // a name is cheaper to look for than such a text
				case n.paths != nil && !n.paths.anything():
					paths.merge(n.paths)
					somePaths = true
				case n.names != nil:
					names.names = append(names.names, n.names.names...)
				default:
					any = true
				}
			}
			if any {
				g.Wanted[result][class] = 1 << Anything
				continue
			}
			if somePaths {
				paths.normalize()
				g.Wanted[result][class] |= 1 << b.set("p"+paths.key(), Set{Paths: paths})
			}
			if len(names.names) > 0 {
				names = newNames(names.names)
				g.Wanted[result][class] |= 1 << b.set("n"+names.key(), Set{Names: names.names})
			}
		}
	}
	const all = 1 << Anything
	return g, g.Wanted[0][AnyClass]&all == 0 || g.Wanted[1][AnyClass]&all == 0
}

// set numbers a set; when there are no numbers left it is everything.
func (b *builder) set(key string, set Set) int {
	if bit, ok := b.numbers[key]; ok {
		return bit
	}
	if len(b.sets) == Anything {
		return Anything
	}
	b.numbers[key] = len(b.sets)
	b.sets = append(b.sets, set)
	return b.numbers[key]
}

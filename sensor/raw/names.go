package raw

import (
	"runtime"
	"strconv"
	"strings"
)

// CompatBase is added to the numbers of 32-bit system calls that have no namesake among the 64-bit ones.
const CompatBase = 1024

// MaxNr is one more than the highest number an Event may have.
const MaxNr = 2 * CompatBase

// A numbering holds the system calls of one architecture; index CompatBase and up are those that only its 32-bit
// programs have.
type numbering struct {
	names  [MaxNr]string
	byName map[string]int32
	compat [CompatBase]int32  // 32-bit number to number of this architecture; -1 for an unused one
	narrow [CompatBase]string // 32-bit number to its own name
}

var (
	amd64 = parseTables(amd64Text, i386Text)
	arm64 = parseTables(arm64Text, "")
)

// names is the numbering of the architecture that the program was built for.
var names = func() *numbering {
	if runtime.GOARCH == "arm64" {
		return arm64
	}
	return amd64
}()

func parseTables(native, compat string) *numbering {
	n := &numbering{byName: map[string]int32{}}
	eachCall(native, func(nr int32, name string) {
		n.names[nr] = name
		n.byName[name] = nr
	})
	for i := range n.compat {
		n.compat[i] = -1
	}
	eachCall(compat, func(nr int32, name string) {
		n.narrow[nr] = name
		for _, as := range []string{name, strings.TrimSuffix(name, "_time64"), strings.TrimSuffix(name, "64"), strings.TrimSuffix(name, "32")} {
			if own, ok := n.byName[as]; ok && own < CompatBase && name != "stat64" && name != "lstat64" && name != "fstat64" {
				n.compat[nr] = own
				return
			}
		}
		n.compat[nr] = CompatBase + nr
		n.names[CompatBase+nr] = name
		n.byName[name] = CompatBase + nr
	})
	return n
}

func eachCall(text string, do func(nr int32, name string)) {
	for _, word := range strings.Fields(text) {
		number, name, _ := strings.Cut(word, ":")
		if nr, err := strconv.Atoi(number); err == nil && nr < CompatBase {
			do(int32(nr), name)
		}
	}
}

// Name is the kernel's name of a system call, as "pread64"; it is "" for a number that has none.
func Name(nr int32) string {
	if nr < 0 || nr >= MaxNr {
		return ""
	}
	return names.names[nr]
}

// Number finds a system call by the kernel's name.
func Number(name string) (nr int32, ok bool) {
	nr, ok = names.byName[name]
	return nr, ok
}

// FromCompat is the Nr of the call that 32-bit programs of this architecture make by number nr, -1 where there is none.
func FromCompat(nr int32) int32 {
	if nr < 0 || nr >= CompatBase {
		return -1
	}
	return names.compat[nr]
}

// CompatName is the name that 32-bit programs have for the call they make by number nr, "" where there is none.
func CompatName(nr int32) string {
	if nr < 0 || nr >= CompatBase {
		return ""
	}
	return names.narrow[nr]
}

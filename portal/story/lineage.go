package story

import (
	"cmp"
	"strconv"
)

// Process is one process of a lineage.
type Process struct {
	Name    string
	Command string // command line, "" if unknown
	Exe     string // path of the executable, "" if unknown
	PID     string // "" if unknown
	Acting  bool   // the one the alert is about
	Gap     bool   // ancestors between this one and the one before are not known
}

// maxAncestors bounds how far up Lineage looks; Falco's rules print at most seven.
const maxAncestors = 16

// Lineage returns the acting process last and its known ancestors before it, the farthest first.
func Lineage(f Facts) []Process {
	var up []Process
	gap := false
	for i := 1; i <= maxAncestors; i++ {
		p, ok := f.ancestor(i)
		if !ok {
			gap = true
			continue
		}
		if gap && len(up) > 0 {
			up[len(up)-1].Gap = true
		}
		gap = false
		up = append(up, p)
	}
	line := make([]Process, 0, len(up)+1)
	for i := len(up) - 1; i >= 0; i-- {
		line = append(line, up[i])
	}
	if name := f.process(); name != "" {
		line = append(line, Process{Name: name, Command: f("proc.cmdline"), Exe: f.first("proc.exepath", "proc.exe"), PID: f("proc.pid"), Acting: true})
	}
	return line
}

// ancestor returns the i-th ancestor, the parent being the first. Falco numbers them the same way: proc.aname[1] is the
// parent, which has fields of its own as well.
func (f Facts) ancestor(i int) (Process, bool) {
	n := "[" + strconv.Itoa(i) + "]"
	p := Process{Name: f("proc.aname" + n), Command: f("proc.acmdline" + n), Exe: f.first("proc.aexepath"+n, "proc.aexe"+n), PID: f("proc.apid" + n)}
	if i == 1 {
		p.Name = cmp.Or(f("proc.pname"), p.Name)
		p.Command = cmp.Or(f("proc.pcmdline"), p.Command)
		p.Exe = cmp.Or(f.first("proc.pexepath", "proc.pexe"), p.Exe)
		p.PID = cmp.Or(f("proc.ppid"), p.PID)
	}
	return p, p.Name != "" || p.Command != ""
}

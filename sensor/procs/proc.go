// Package procs is the table of processes: who they are, what they run and who started them. It is seeded from /proc,
// follows the kernel's fork, exec and exit events, and is repaired from the task that every event carries, so that lost
// events cost detail and never truth: (PID, Start) identifies a process. Events come in, processes with their ancestors
// go out. It knows no field of a rule. It never blocks whoever feeds it events: /proc is only read by Seed and Run, in
// goroutines of their own, and what they find is taken over with the next event. Memory is bounded by Config; what did
// not fit is counted in Stats.
package procs

import (
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// Proc is one process: a thread group, alive or lately ended. It belongs to its Table and may be read until the next
// Apply. Exported fields are for reading.
type Proc struct {
	PID, PPID   int32 // PPID is 0 where there is no parent
	VPID, VPPID int32 // in the process's own PID namespace; VPPID is 0 where the parent is outside of it
	SID, VSID   int32
	PGID, VPGID int32
	Start       uint64 // ns since boot; of processes known from /proc alone in steps of a clock tick
	PIDNS       uint32 // inode number, 0 unknown
	MountNS     uint32 // likewise, as of the last fork or exec

	Name    string // as of the last fork or exec, at most 15 bytes
	Image   *Image // never nil
	Cwd     string // ends in a slash; "" unknown
	Cgroups *Cgroups
	TTY     uint32

	Exited     int64 // time of the end in ns since 1970, 0 while it lives
	LeaderGone bool  // the main thread has ended and others live on

	// Slots for those who know more about the process. A fork inherits Container; both may be set at will.
	Container any
	FDs       Descriptors

	parent, child, next, prev *Proc // child is the first; next and prev are siblings
	reaper                    int32 // who adopted the children
	cwdKernel                 string
	slot                      int32 // in Table.slots
	ticks                     bool  // Start is rounded down to a clock tick
	used                      bool  // since the clock's hand came by
	guess                     bool  // Image is inherited without a fork having been seen
	asked                     bool  // a lookup in /proc has been asked for
	comm                      string
	epoch                     uint32
	pidText                   string
}

// Descriptors is what somebody remembers of the open descriptors of a process.
type Descriptors interface {
	Release() // the process is forgotten
}

// Image is what a process runs: set by exec, shared with the children that it forks. Its strings do not change.
type Image struct {
	Exe      string // argv[0]
	ExePath  string // path of the executable as the kernel knows it; "memfd:NAME" for memory files
	File     raw.FileInfo
	Known    bool // File and ExePath have been seen
	FromProc bool // read from /proc: File says nothing about layers

	args, env string // strings each ended by NUL, without argv[0]
	size      int    // bytes counted in Stats.TextBytes
	refs      int32

	// Made when asked for.
	name                   string // that cmdline was made with
	argList, envList       []string
	argText, cmdline, line string
	envText                string
	haveArgs, haveEnv      bool
}

var noImage = &Image{}

// PIDText is the process id in decimal digits.
func (p *Proc) PIDText() string {
	if p.pidText == "" {
		p.pidText = strconv.Itoa(int(p.PID))
	}
	return p.pidText
}

// Cmdline is the name and the arguments.
func (p *Proc) Cmdline() string {
	i := p.Image
	if i.args == "" {
		return p.Name
	}
	if i.cmdline == "" || i.name != p.Name {
		i.name, i.cmdline = p.Name, p.Name+" "+i.ArgText()
	}
	return i.cmdline
}

// Exeline is argv[0], a blank, and the arguments.
func (i *Image) Exeline() string {
	if i.line == "" {
		i.line = i.Exe + " " + i.ArgText()
	}
	return i.line
}

// Args is the arguments after argv[0]. The caller must not change the slice.
func (i *Image) Args() []string {
	if !i.haveArgs {
		i.argList, i.haveArgs = split(i.args), true
	}
	return i.argList
}

// ArgText is the arguments with blanks between them.
func (i *Image) ArgText() string {
	if i.argText == "" && i.args != "" {
		i.argText = blanks(i.args)
	}
	return i.argText
}

// ArgCount is how many arguments there are, and how many bytes they have together.
func (i *Image) ArgCount() (n, bytes int) {
	n = strings.Count(i.args, "\x00")
	return n, len(i.args) - n
}

// Env is the environment, NAME=value each. The caller must not change the slice.
func (i *Image) Env() []string {
	if !i.haveEnv {
		i.envList, i.haveEnv = split(i.env), true
	}
	return i.envList
}

// EnvText is the environment with blanks between the variables.
func (i *Image) EnvText() string {
	if i.envText == "" && i.env != "" {
		i.envText = blanks(i.env)
	}
	return i.envText
}

// split parts a block of strings that each end in NUL; the last may lack it.
func split(block string) []string {
	if block == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(block, "\x00"), "\x00")
}

func blanks(block string) string {
	return strings.ReplaceAll(strings.TrimSuffix(block, "\x00"), "\x00", " ")
}

// Cgroups is the control groups of a process. Processes of the same groups share it.
type Cgroups struct {
	Paths []Cgroup // as the kernel or /proc/PID/cgroup tells them
	List  []string // SUBSYSTEM=path of the subsystems that Falco shows, in its order
	Text  string   // List with blanks between
}

// Cgroup is the path in one hierarchy.
type Cgroup struct {
	Controllers string // comma-separated, "" for the default (v2) hierarchy
	Path        string
}

// subsystems are those that Falco 0.44 shows, and the name of the controller where it differs.
var subsystems = [...]struct{ name, controller string }{
	{"cpuset", "cpuset"}, {"cpu", "cpu"}, {"cpuacct", "cpuacct"}, {"blkio", "blkio"}, {"memory", "memory"},
}

func newCgroups(paths []Cgroup) *Cgroups {
	c := &Cgroups{Paths: paths}
	unified := ""
	for _, p := range paths {
		if p.Controllers == "" {
			unified = p.Path
		}
	}
	for _, s := range subsystems {
		path := unified
		for _, p := range paths {
			if hasController(p.Controllers, s.controller) {
				path = p.Path
			}
		}
		if path != "" {
			c.List = append(c.List, s.name+"="+path)
		}
	}
	c.Text = strings.Join(c.List, " ")
	return c
}

func hasController(list, name string) bool {
	for list != "" {
		var one string
		if one, list, _ = strings.Cut(list, ","); one == name {
			return true
		}
	}
	return false
}

package simulate

import (
	"encoding/json"
	"maps"
	"slices"
)

// step is programs that start each other, and what the last of them does.
type step struct {
	Chain []link `json:"chain"` // the first is started by the stage, each other by the one before
	Do    []op   `json:"do"`
}

// link is one program: this one under another name.
type link struct {
	As   string   `json:"as"` // its name: base name of the file that is executed, and argv[0]
	Args []string `json:"args,omitempty"`
	UID  uint32   `json:"uid,omitempty"` // and GID
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"` // working directory
	TTY  bool     `json:"tty,omitempty"` // has a terminal, and is the leader of its session
}

// op is something that a program does.
type op struct {
	Name string   `json:"op"`
	Args []string `json:"args,omitempty"`
}

// program is a step of one program with these arguments, which does nothing but to be started.
func program(as string, args ...string) step {
	return step{Chain: []link{{As: as, Args: args}}}
}

func (s step) last() *link { return &s.Chain[len(s.Chain)-1] }

// does adds something that the last program does.
func (s step) does(name string, args ...string) step {
	s.Do = append(slices.Clip(s.Do), op{name, args})
	return s
}

// under puts programs above: the first one is started first.
func (s step) under(names ...string) step {
	var chain []link
	for _, n := range names {
		chain = append(chain, link{As: n})
	}
	s.Chain = append(chain, s.Chain...)
	return s
}

// by makes the last program one of this user's.
func (s step) by(uid uint32) step { s.last().UID = uid; return s }

// with adds to the last program's environment.
func (s step) with(env ...string) step { s.last().Env = env; return s }

// onTTY gives the last program a terminal.
func (s step) onTTY() step { s.last().TTY = true; return s }

// plan is what the processes of one action are told, in planFile of their own root directory.
type plan struct {
	Steps   []step            `json:"steps"`
	Prepare map[string]string `json:"prepare,omitempty"`
	Init    bool              `json:"init,omitempty"`
}

func (a *Action) plan() ([]byte, error) {
	p := plan{Steps: a.steps, Prepare: map[string]string{}, Init: a.init}
	for _, path := range needs {
		p.Prepare[path] = ""
	}
	maps.Copy(p.Prepare, a.prepare)
	return json.Marshal(p)
}

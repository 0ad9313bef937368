package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roleVariable tells a process of an action what it is: roleStage, rolePause, or "STEP.LINK" of the plan.
const (
	roleVariable = "EYRIE_SIMULATE"
	roleStage    = "stage"
	rolePause    = "pause" // does nothing until its standard input ends
)

// Places within an action's own root directory.
const (
	ownDir   = "/run/eyrie-simulate"
	namesDir = ownDir + "/bin"  // this program under every name of the plan
	selfFile = ownDir + "/self" // this program
	planFile = ownDir + "/plan" // is there in no other root directory
)

// timeLimit is how long one action may take.
const timeLimit = 30 * time.Second

// Possible says why no action can be done here, nil if they can.
func Possible() error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, for namespaces and an overlay in which nothing of this host is changed: run it with sudo")
	}
	for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts"} {
		if _, err := os.Stat("/proc/self/ns/" + ns); err != nil {
			return fmt.Errorf("this kernel, or the container that this runs in, has no %s namespaces: %w", ns, err)
		}
	}
	return nil
}

// do performs the action in a process with namespaces of its own and takes everything away again.
func (a *Action) do(ctx context.Context, where Place) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	// The kernel kills the child if the thread that made it ends; goroutines come and go on threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	text, err := a.plan()
	if err != nil {
		return err
	}
	st, err := startStage(ctx)
	if err != nil {
		return err
	}
	defer st.close()
	if where == Container {
		leave, joinErr := joinCgroup(st.cmd.Process.Pid)
		if leave != nil {
			defer func() { err = errors.Join(err, leave()) }()
		}
		if joinErr != nil {
			_ = st.cmd.Process.Kill()
			_ = st.cmd.Wait()
			return joinErr
		}
	}
	if _, err := st.plan.Write(text); err == nil {
		_ = st.plan.Close()
	}
	result, _ := io.ReadAll(io.LimitReader(st.result, 64<<10))
	err = st.cmd.Wait()
	switch {
	case ctx.Err() != nil && err != nil:
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	case len(result) == 0:
		return fmt.Errorf("the action's first process ended early: %w: %s", errors.Join(err), strings.TrimSpace(st.trouble.String()))
	case string(result) != "ok":
		return errors.New(strings.TrimSpace(string(result)))
	}
	return nil
}

// stageProcess is the first process of an action, seen from outside. It waits for the plan.
type stageProcess struct {
	cmd          *exec.Cmd
	plan, result *os.File
	trouble      bytes.Buffer // what it wrote to stderr
}

func (s *stageProcess) close() {
	_ = s.plan.Close()
	_ = s.result.Close()
}

func startStage(ctx context.Context) (*stageProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	planR, planW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer planR.Close()
	resultR, resultW, err := os.Pipe()
	if err != nil {
		_ = planW.Close()
		return nil, err
	}
	defer resultW.Close()
	s := &stageProcess{cmd: exec.CommandContext(ctx, self), plan: planW, result: resultR}
	s.cmd.Env = []string{roleVariable + "=" + roleStage, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "GODEBUG=asyncpreemptoff=1"}
	s.cmd.ExtraFiles = []*os.File{planR, resultW}
	s.cmd.Stderr = &limited{&s.trouble, 4 << 10}
	s.cmd.WaitDelay = time.Second
	s.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL, Setsid: true,
	}
	if err := s.cmd.Start(); err != nil {
		s.close()
		return nil, fmt.Errorf("start a process with namespaces of its own: %w", err)
	}
	return s, nil
}

// limited is a writer that keeps the beginning.
type limited struct {
	w io.Writer
	n int
}

func (l *limited) Write(p []byte) (int, error) {
	k := min(len(p), l.n)
	l.n -= k
	_, err := l.w.Write(p[:k])
	return len(p), err
}

// Child does what a process of an action is started for, and returns its exit status; in any other process it returns
// false. A program that calls Run has to call it before anything else.
func Child() (status int, is bool) {
	role := os.Getenv(roleVariable)
	if role == "" {
		return 0, false
	}
	switch role {
	case roleStage:
		return stage(), true
	case rolePause:
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0, true
	}
	step, link, ok := strings.Cut(role, ".")
	s, err1 := strconv.Atoi(step)
	l, err2 := strconv.Atoi(link)
	p, err := readPlan()
	if !ok || err1 != nil || err2 != nil || err != nil || s < 0 || s >= len(p.Steps) || l < 0 || l >= len(p.Steps[s].Chain) {
		fmt.Fprintf(os.Stderr, "%s is for the processes that eyrie simulate starts: unset it\n", roleVariable)
		return 2, true
	}
	_ = os.Unsetenv(roleVariable)
	if err := p.follow(s, l); err != nil {
		fmt.Fprintf(os.NewFile(3, "trouble"), "%s: %v\n", p.Steps[s].Chain[l].As, err)
		return 1, true
	}
	return 0, true
}

// stage is the first process of an action: it makes the place, starts the programs and tells how it went on descriptor 4.
func stage() int {
	result := os.NewFile(4, "result")
	unix.CloseOnExec(4)
	text, err := io.ReadAll(io.LimitReader(os.NewFile(3, "plan"), 1<<20))
	_ = os.NewFile(3, "plan").Close()
	if err == nil && (os.Getpid() != 1 || len(text) == 0) {
		err = fmt.Errorf("%s is for the processes that eyrie simulate starts: unset it", roleVariable)
	}
	var p plan
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err == nil {
		err = p.makePlace(text)
	}
	if err == nil {
		err = network()
	}
	if err == nil && p.Init {
		_, _ = io.WriteString(result, "ok")
		l := &p.Steps[0].Chain[0]
		err = syscall.Exec(l.path(), append([]string{l.As}, l.Args...), environment(l, 0, 0))
	}
	for i := range p.Steps {
		if err == nil {
			err = p.begin(i)
		}
	}
	if err != nil {
		fmt.Fprintln(result, err)
		return 1
	}
	_, _ = io.WriteString(result, "ok")
	return 0
}

func readPlan() (*plan, error) {
	text, err := os.ReadFile(planFile)
	if err != nil {
		return nil, err
	}
	var p plan
	return &p, json.Unmarshal(text, &p)
}

// begin starts the first program of a step and waits for it.
func (p *plan) begin(step int) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	done, err := p.start(step, 0, w)
	w.Close()
	if err != nil {
		return err
	}
	trouble, _ := io.ReadAll(io.LimitReader(r, 4<<10))
	err = done()
	if len(trouble) > 0 {
		return errors.New(strings.TrimSpace(string(trouble)))
	}
	return err
}

// follow is what a program of a chain does: start the next one, or, as the last one, its operations.
func (p *plan) follow(step, link int) error {
	s := p.Steps[step]
	if link+1 < len(s.Chain) {
		done, err := p.start(step, link+1, os.NewFile(3, "trouble"))
		if err != nil {
			return err
		}
		return done()
	}
	unix.CloseOnExec(3)
	for _, o := range s.Do {
		f := operations[o.Name]
		if f == nil {
			return fmt.Errorf("no operation %q", o.Name)
		}
		if err := f(o.Args); err != nil {
			return fmt.Errorf("%s %s: %w", o.Name, strings.Join(o.Args, " "), err)
		}
	}
	return nil
}

func (l *link) path() string { return namesDir + "/" + l.As }

func environment(l *link, step, number int) []string {
	return append([]string{
		roleVariable + "=" + strconv.Itoa(step) + "." + strconv.Itoa(number),
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "GODEBUG=asyncpreemptoff=1",
	}, l.Env...)
}

// start starts a program of a chain; done waits for it. Only the last one's failure is one of the action.
func (p *plan) start(step, number int, trouble *os.File) (done func() error, err error) {
	l := &p.Steps[step].Chain[number]
	cmd := &exec.Cmd{
		Path: l.path(), Args: append([]string{l.As}, l.Args...), Env: environment(l, step, number), Dir: l.Dir,
		ExtraFiles: []*os.File{trouble}, SysProcAttr: &syscall.SysProcAttr{},
	}
	if l.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: l.UID, Gid: l.UID}
	}
	var master *os.File
	if l.TTY {
		var slave *os.File
		if master, slave, err = terminal(); err != nil {
			return nil, fmt.Errorf("make a terminal: %w", err)
		}
		defer slave.Close()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", l.As, err)
	}
	return func() error {
		err := cmd.Wait()
		if master != nil {
			_ = master.Close()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.As, err)
		}
		return nil
	}, nil
}

// terminal makes a pseudo-terminal of the action's own /dev/pts.
func terminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err == nil {
		var n int
		if n, err = unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN); err == nil {
			slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
		}
	}
	if err != nil {
		_ = master.Close()
	}
	return master, slave, err
}

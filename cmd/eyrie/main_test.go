package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/eyrie-sec/eyrie/simulate"
)

func TestMain(m *testing.M) {
	if status, is := simulate.Child(); is {
		os.Exit(status)
	}
	testscript.Main(m, map[string]func(){
		"eyrie": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/*.txtar: each is a session at a shell, with what it must print on stdout and stderr. Besides
// testscript's own commands there are
//
//	start NAME ARG...   run `eyrie ARG...` in the background; its stdout is NAME.out, its stderr NAME.err, and $NAME_url is
//	                    set to the first http:// address it prints, without path
//	finish NAME STATUS  send it SIGTERM, wait for it, and compare its exit status
//	get STATUS URL      request URL and compare the status of the answer, for up to 10 s; the body is stdout
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("EYRIE_SENSOR", "off") // what happens on this machine is not the scripts' concern
			e.Values[backgroundKey{}] = map[string]*background{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start":  startCommand,
			"finish": finishCommand,
			"get":    getCommand,
		},
	})
}

// background is a process that a script started.
type background struct {
	process *os.Process
	done    chan *os.ProcessState
}

// backgroundKey is the key of a script's map of background processes.
type backgroundKey struct{}

func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME ARG...")
	}
	name := args[0]
	out, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	errOut, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	path := filepath.SplitList(ts.Getenv("PATH"))[0] // where testscript.Main put the command
	p, err := os.StartProcess(filepath.Join(path, "eyrie"), append([]string{"eyrie"}, args[1:]...), &os.ProcAttr{
		Dir:   ts.MkAbs("."),
		Env:   []string{"EYRIE_SENSOR=" + ts.Getenv("EYRIE_SENSOR"), "XDG_STATE_HOME=" + ts.Getenv("XDG_STATE_HOME"), "PATH=" + ts.Getenv("PATH"), "HOME=" + ts.MkAbs(".")},
		Files: []*os.File{nil, out, errOut},
	})
	ts.Check(err)
	b := &background{p, make(chan *os.ProcessState, 1)}
	go func() { state, _ := p.Wait(); b.done <- state }()
	ts.Defer(func() { p.Kill(); out.Close(); errOut.Close() })
	started(ts)[name] = b
	url := ""
	poll(ts, "address of "+name, func() bool {
		url = firstURL(ts.MkAbs(name + ".out"))
		return url != "" || len(b.done) > 0
	})
	ts.Setenv(name+"_url", url)
}

func firstURL(path string) string {
	text, _ := os.ReadFile(path)
	_, rest, ok := strings.Cut(string(text), "http://")
	if !ok || !strings.Contains(rest, "\n") {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return "http://" + strings.TrimSpace(strings.SplitN(host, "\n", 2)[0])
}

func finishCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: finish NAME STATUS")
	}
	b := started(ts)[args[0]]
	if b == nil {
		ts.Fatalf("no process %s was started", args[0])
	}
	// An error means that it has ended by itself, which its status shows.
	_ = b.process.Signal(syscall.SIGTERM)
	select {
	case state := <-b.done:
		if got := fmt.Sprint(state.ExitCode()); got != args[1] {
			ts.Fatalf("%s ended with status %s, want %s; its stderr:\n%s", args[0], got, args[1], ts.ReadFile(args[0]+".err"))
		}
	case <-time.After(time.Minute):
		ts.Fatalf("%s did not end a minute after SIGTERM", args[0])
	}
}

func getCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get STATUS URL")
	}
	var body bytes.Buffer
	poll(ts, args[1]+" answering "+args[0], func() bool {
		res, err := http.Get(args[1])
		if err != nil {
			return false
		}
		defer res.Body.Close()
		body.Reset()
		_, err = bufio.NewReader(res.Body).WriteTo(&body)
		return err == nil && fmt.Sprint(res.StatusCode) == args[0]
	})
	fmt.Fprint(ts.Stdout(), body.String())
}

func poll(ts *testscript.TestScript, what string, done func() bool) {
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("waited in vain for: %s", what)
		}
	}
}

// started holds the processes that a script started, by name.
func started(ts *testscript.TestScript) map[string]*background {
	return ts.Value(backgroundKey{}).(map[string]*background)
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Loads of the sensor benchmark: what a loop of this program does when it is started as `bench loop KIND N`.
const (
	loopOpen = "open+close"
	loopExec = "fork+exec"

	sensorRounds = 3 // of each measurement; the median counts
)

// sensorBench measures what the sensor costs programs that do nothing but open files, or start programs, and what it
// uses itself. It needs root. Loops run three times without and three times with the sensor, in turns.
func sensorBench(s *settings) error {
	if os.Geteuid() != 0 {
		return errors.New("the sensor needs root")
	}
	fmt.Printf("Rules: %s. Median of %d.\n\n", s.rules, sensorRounds)
	fmt.Println("| sensor | alone | under the sensor | ratio | the loop's CPU alone | under the sensor | sensor's CPU | events told by the kernel | drops | RSS |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, c := range []struct {
		kind string
		n    int
	}{{loopOpen, s.opens}, {loopExec, s.execs}} {
		if err := sensorRun(s, c.kind, c.n); err != nil {
			return fmt.Errorf("%s: %w", c.kind, err)
		}
	}
	fmt.Println()
	return nil
}

func sensorRun(s *settings, kind string, n int) error {
	var alone, under, aloneCPU, underCPU, cpu []time.Duration
	var last sensorLog
	for range sensorRounds {
		took, used, err := loop(kind, n)
		if err != nil {
			return err
		}
		alone, aloneCPU = append(alone, took), append(aloneCPU, used)
		w, err := startSensor(s)
		if err != nil {
			return err
		}
		before, err1 := w.cpu()
		took, used, err2 := loop(kind, n)
		after, err3 := w.cpu()
		last, err = w.stop()
		if err := errors.Join(err, err1, err2, err3); err != nil {
			return err
		}
		under, underCPU, cpu = append(under, took), append(underCPU, used), append(cpu, after-before)
	}
	a, u := median(alone), median(under)
	fmt.Printf("| %d × %s | %.2f s | %.2f s | %.3f | %.2f s | %.2f s | %.2f s | %d of %d | %d %s | %d MB |\n", n, kind, a.Seconds(), u.Seconds(), u.Seconds()/a.Seconds(),
		median(aloneCPU).Seconds(), median(underCPU).Seconds(), median(cpu).Seconds(), last.Sent, last.Sent+last.Filtered, last.Drops, last.Dropped, last.RSS)
	return nil
}

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

// loop runs this program as a child that does the work, and says how long that took, and the processor time of it and
// its children: on a busy machine that is the better number.
func loop(kind string, n int) (took, cpu time.Duration, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(self, "loop", kind, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, err
	}
	took, err = time.ParseDuration(strings.TrimSpace(string(out)))
	return took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// runLoop is the child's side of loop: it prints how long it took.
func runLoop(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench loop KIND N")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	began := time.Now()
	switch args[0] {
	case loopOpen:
		err = openLoop(n)
	case loopExec:
		err = execLoop(n)
	default:
		err = fmt.Errorf("no loop %q", args[0])
	}
	fmt.Println(time.Since(began))
	return err
}

// openLoop opens and closes a file that everybody may read. Go's own os.Open would do more than that.
func openLoop(n int) error {
	path, err := syscall.BytePtrFromString("/etc/hostname")
	if err != nil {
		return err
	}
	const cwd = ^uintptr(99) // AT_FDCWD, -100
	for range n {
		fd, _, errno := syscall.RawSyscall6(syscall.SYS_OPENAT, cwd, uintptr(unsafe.Pointer(path)), syscall.O_RDONLY|syscall.O_CLOEXEC, 0, 0, 0)
		if errno != 0 {
			return fmt.Errorf("open /etc/hostname: %w", errno)
		}
		if _, _, errno = syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0); errno != 0 {
			return fmt.Errorf("close: %w", errno)
		}
	}
	return nil
}

// execLoop starts a program that ends at once, one after the other, with as little of Go around it as can be.
func execLoop(n int) error {
	path := "/bin/true"
	attr := &syscall.ProcAttr{Env: []string{"PATH=/usr/bin:/bin"}, Files: []uintptr{0, 1, 2}}
	for range n {
		pid, err := syscall.ForkExec(path, []string{path}, attr)
		if err != nil {
			return fmt.Errorf("start %s: %w", path, err)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			return fmt.Errorf("wait for %s: %w", path, err)
		}
	}
	return nil
}

// watcher is `eyrie sensor` as a child process.
type watcher struct {
	server
	log  bytes.Buffer  // of what it logs; for read until done is closed
	done chan struct{} // read has ended
}

// sensorLog is the last line that `eyrie sensor --log-json` logs.
type sensorLog struct {
	Message  string `json:"msg"`
	Sent     uint64 `json:"sent"`
	Filtered uint64 `json:"filtered"`
	Drops    uint64 `json:"drops"`
	Dropped  string `json:"dropped"`
	RSS      uint64 `json:"rss_mb"`
}

func startSensor(s *settings) (*watcher, error) {
	w := &watcher{done: make(chan struct{})}
	w.server.cmd = exec.Command(s.binary, "--log-json", "sensor", "--rules", s.rules, "--stats")
	alerts, err := os.Create(filepath.Join(s.dir, "sensor-alerts.jsonl"))
	if err != nil {
		return nil, err
	}
	defer alerts.Close()
	ready, log, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer log.Close()
	w.server.cmd.Stdout, w.server.cmd.Stderr = alerts, log
	if err := w.server.cmd.Start(); err != nil {
		return nil, err
	}
	on := make(chan bool, 1)
	go w.read(ready, on)
	if !<-on {
		<-w.done
		return nil, fmt.Errorf("the sensor does not start: %s", w.log.String())
	}
	time.Sleep(time.Second) // it reads /proc
	return w, nil
}

// read keeps what the sensor logs, and says when it is on.
func (w *watcher) read(r *os.File, on chan<- bool) {
	defer close(w.done)
	defer close(on)
	defer r.Close()
	buf := make([]byte, 64<<10)
	said := false
	for {
		n, err := r.Read(buf)
		w.log.Write(buf[:n])
		if !said && bytes.Contains(w.log.Bytes(), []byte("sensor is on")) {
			said = true
			on <- true
		}
		if err != nil {
			return
		}
	}
}

// stop ends the sensor and returns its last counters.
func (w *watcher) stop() (sensorLog, error) {
	var last sensorLog
	err := w.server.stop()
	<-w.done
	if err != nil {
		return last, fmt.Errorf("%w: %s", err, w.log.String())
	}
	for line := range bytes.Lines(w.log.Bytes()) {
		var l sensorLog
		if json.Unmarshal(line, &l) == nil && l.Message == "sensor" {
			last = l
		}
	}
	if last.Message == "" {
		return last, fmt.Errorf("the sensor logged no counters: %s", w.log.String())
	}
	return last, nil
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is `eyrie up` as a child process on a data directory of its own.
type server struct {
	cmd  *exec.Cmd
	data string
	addr string
	key  string
	link string // signs the first person in
}

// start runs binary on data and waits until it can store alerts.
func start(binary, data string) (*server, error) {
	cmd := exec.Command(binary, "up", "--data", data, "--listen", "127.0.0.1:0", "--sensor", "off", "--log-level", "warn")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, data: data}
	lines := bufio.NewScanner(out)
	for s.addr == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "http://"); ok {
			s.addr, _, _ = strings.Cut(rest, "/")
			s.link = "http://" + rest
		}
	}
	go io.Copy(io.Discard, out)
	if s.addr == "" {
		return nil, errors.Join(fmt.Errorf("%s up did not say where it listens", binary), cmd.Wait())
	}
	key, err := os.ReadFile(filepath.Join(data, "ingest.key"))
	if err != nil {
		return nil, err
	}
	s.key = strings.TrimSpace(string(key))
	return s, s.until(time.Minute, func() (bool, error) {
		res, err := http.Get("http://" + s.addr + "/healthz")
		if err != nil {
			return false, nil
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK, nil
	})
}

// stop asks the server to stop and waits for it.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// metric reads the sum of a metric over its labels.
func (s *server) metric(name string) (float64, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+s.addr+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	sum, found := 0.0, false
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, name); ok && rest != "" && (rest[0] == ' ' || rest[0] == '{') {
			v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
			if err != nil {
				return 0, err
			}
			sum, found = sum+v, true
		}
	}
	if !found {
		return 0, fmt.Errorf("no metric %s", name)
	}
	return sum, lines.Err()
}

// drained waits until n alerts are findings in the hub.
func (s *server) drained(n int) error {
	return s.until(10*time.Minute, func() (bool, error) {
		v, err := s.metric("eyrie_alerts_converted_total")
		return v >= float64(n), err
	})
}

func (s *server) until(limit time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s in vain", limit)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// cpu is the processor time that the server has used, user and system.
func (s *server) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The second field is the command in parentheses and may hold anything; utime and stime are fields 14 and 15, in
	// hundredths of a second (proc(5), USER_HZ).
	fields := strings.Fields(string(stat)[strings.LastIndexByte(string(stat), ')')+1:])
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// peakRSS is the most memory that the server has had resident, in bytes.
func (s *server) peakRSS() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	if !ok {
		return 0, errors.New("no VmHWM in /proc/PID/status")
	}
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10, err
}

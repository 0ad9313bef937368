package simulate

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// parent is the control group that Docker keeps its containers in.
const parent = "docker"

// joinCgroup puts a process into a control group that is named as Docker names those of its containers, in every
// hierarchy there is. leave, which may be called once the process has ended, removes what was made.
func joinCgroup(pid int) (leave func() error, err error) {
	var id [32]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	mounts, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	var made []string
	leave = func() error { return removeCgroups(made) }
	for _, m := range mounts {
		dirs := []string{filepath.Join(m, parent), filepath.Join(m, parent, hex.EncodeToString(id[:]))}
		for _, dir := range dirs {
			switch err := os.Mkdir(dir, 0o755); {
			case err == nil:
				made = append(made, dir)
			case !errors.Is(err, os.ErrExist):
				return leave, fmt.Errorf("make a control group: %w", err)
			}
			// A new group of a cpuset hierarchy (v1) takes nobody before it has these.
			for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
				inherit(dir, name)
			}
		}
		if err := os.WriteFile(filepath.Join(dirs[1], "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return leave, fmt.Errorf("put process %d into a control group: %w", pid, err)
		}
	}
	return leave, nil
}

// cgroupMounts lists where control groups are mounted, of /proc/self/mountinfo (proc(5)).
func cgroupMounts() ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var list []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		if f := strings.Fields(before); len(f) > 4 && (strings.HasPrefix(after, "cgroup ") || strings.HasPrefix(after, "cgroup2 ")) {
			list = append(list, f[4])
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no control groups are mounted, so nothing can look like a container: mount cgroup2 on /sys/fs/cgroup, or use --in host")
	}
	return list, nil
}

func inherit(dir, name string) {
	own, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || len(bytes.TrimSpace(own)) > 0 {
		return
	}
	if above, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name)); err == nil {
		_ = os.WriteFile(filepath.Join(dir, name), above, 0)
	}
}

// removeCgroups removes groups, the last made first. A group whose processes have only just ended is busy for a moment;
// a parent that others use by now stays.
func removeCgroups(dirs []string) error {
	var errs []error
	for i := len(dirs) - 1; i >= 0; i-- {
		err := unix.Rmdir(dirs[i])
		for deadline := time.Now().Add(2 * time.Second); errors.Is(err, unix.EBUSY) && filepath.Base(dirs[i]) != parent && time.Now().Before(deadline); {
			time.Sleep(2 * time.Millisecond)
			err = unix.Rmdir(dirs[i])
		}
		if err != nil && filepath.Base(dirs[i]) != parent {
			errs = append(errs, fmt.Errorf("remove control group %s: %w", dirs[i], err))
		}
	}
	return errors.Join(errs...)
}

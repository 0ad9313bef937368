package users

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hostNamespace is the mount namespace of the host's first process, 0 where it cannot be told.
func hostNamespace(c Config) uint32 {
	if ns, err := namespace(filepath.Join(c.ProcRoot, "1")); err == nil {
		return ns
	}
	if ns, err := namespace(filepath.Join(c.ProcRoot, "self")); err == nil && filepath.Clean(c.Root) == "/" {
		return ns
	}
	return 0
}

func namespace(proc string) (uint32, error) {
	link, err := os.Readlink(filepath.Join(proc, "ns", "mnt")) // mnt:[4026531841]
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "mnt:["), "]"), 10, 32)
	return uint32(ns), err
}

// load reads the files of a place, 0 for the host. Where they are those of old nothing is read and changed is false.
func (n *Names) load(pid int32, ns uint32, old *table) (t *table, changed bool, err error) {
	dir := n.cfg.Root
	if ns != 0 {
		dir = filepath.Join(n.cfg.ProcRoot, strconv.Itoa(int(pid)), "root")
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(root)
	if ns != 0 {
		// The number may belong to another process by now.
		if got, err := namespace(filepath.Join(n.cfg.ProcRoot, strconv.Itoa(int(pid)))); err != nil || got != ns {
			return nil, false, fmt.Errorf("process %d is not in mount namespace %d (any more): %w", pid, ns, errors.Join(err))
		}
	}
	var files [2]*os.File
	t = &table{}
	for i, name := range []string{"etc/passwd", "etc/group"} {
		f, v, err := open(root, name)
		if err != nil {
			if i == 0 {
				return nil, false, err
			}
			continue // names of users without those of groups are better than nothing
		}
		defer f.Close()
		files[i], t.versions[i] = f, v
	}
	if t.host = ns != 0 && t.versions[0] == n.hostVersion(); old != nil && old.versions == t.versions {
		return nil, false, nil
	}
	for i, f := range files {
		if f == nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err != nil {
			return nil, false, err
		}
		if len(text) > maxFile {
			return nil, false, fmt.Errorf("file has more than %d bytes", maxFile)
		}
		if i == 0 {
			t.users = parsePasswd(string(text))
		} else {
			t.groups = parseGroup(string(text))
		}
	}
	return t, true, nil
}

// hostVersion is that of the host's /etc/passwd. A container's process that still sees it has not entered its own root
// directory yet.
func (n *Names) hostVersion() version {
	root, err := unix.Open(n.cfg.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return version{}
	}
	defer unix.Close(root)
	f, v, err := open(root, "etc/passwd")
	if err != nil {
		return version{}
	}
	_ = f.Close()
	return v
}

// open opens a regular file below root. Symbolic links are followed as a process whose root directory this is would
// follow them, so that none leads out (openat2, Linux 5.6). It is looked at before it is opened: opening a device has effects.
func open(root int, name string) (*os.File, version, error) {
	fd, err := unix.Openat2(root, name, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, version{}, fmt.Errorf("open %s: %w", name, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, version{}, fmt.Errorf("stat %s: %w", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, version{}, fmt.Errorf("%s is no regular file", name)
	}
	if st.Size > maxFile {
		return nil, version{}, fmt.Errorf("%s has %d bytes, %d is the limit", name, st.Size, maxFile)
	}
	f, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, version{}, err
	}
	return f, version{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}, nil
}

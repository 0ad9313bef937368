package simulate

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// topDirs are directories that may be file systems of their own; each then gets an overlay of its own.
var topDirs = []string{"bin", "boot", "etc", "home", "lib", "lib64", "opt", "root", "sbin", "srv", "usr", "var"}

// makePlace gives this process, the first of its namespaces, a root directory that looks like the host's and is not:
//
//	/                overlay of the host's, changes in memory; likewise each of topDirs that is a file system
//	/proc /dev/pts   of these namespaces
//	/dev             memory: null, zero, full, random, urandom, tty
//	/tmp /run        memory
//	/run/eyrie-simulate  this program, its names, the plan
func (p *plan) makePlace(text []byte) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	base, err := memory()
	if err != nil {
		return err
	}
	root := filepath.Join(base, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	if err := overlay("/", base, "main", root); err != nil {
		return err
	}
	for _, dir := range topDirs {
		if separate("/" + dir) {
			if err := overlay("/"+dir, base, dir, filepath.Join(root, dir)); err != nil {
				return err
			}
		}
	}
	if err := mounts(root); err != nil {
		return err
	}
	if err := p.files(root, text); err != nil {
		return err
	}
	if err := unix.Chdir(root); err != nil {
		return err
	}
	// The old root directory ends up below the new one, at the same place; it is taken away from there (pivot_root(2), NOTES).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root directory: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	// Rules tell who logged in as root from who did not; here nobody did. It may be forbidden, then it stays.
	_ = os.WriteFile("/proc/self/loginuid", []byte("4294967295"), 0)
	return unix.Sethostname([]byte("eyrie-simulate"))
}

// memory mounts a file system that is kept in memory over a directory that the action does not need.
func memory() (string, error) {
	var errs []error
	for _, dir := range []string{"/tmp", "/run", "/mnt"} {
		err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID, "mode=0755,size=64m")
		if err == nil {
			return dir, nil
		}
		errs = append(errs, fmt.Errorf("mount tmpfs on %s: %w", dir, err))
	}
	return "", errors.Join(errs...)
}

func separate(dir string) bool {
	var top, st unix.Stat_t
	return unix.Lstat("/", &top) == nil && unix.Lstat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Dev != top.Dev
}

// overlay mounts lower at target so that changes go to directories of base.
func overlay(lower, base, name, target string) error {
	upper, work := filepath.Join(base, name+".upper"), filepath.Join(base, name+".work")
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("overlay", target, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+work); err != nil {
		return fmt.Errorf("mount an overlay of %s (is the kernel's overlay module there?): %w", lower, err)
	}
	return nil
}

func mounts(root string) error {
	for _, m := range []struct {
		name, fs, data string
		flags          uintptr
	}{
		{"proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"dev", "tmpfs", "mode=0755,size=8m", unix.MS_NOSUID},
		{"dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"dev/shm", "tmpfs", "mode=1777,size=8m", unix.MS_NOSUID},
		{"tmp", "tmpfs", "mode=1777,size=32m", unix.MS_NOSUID},
		{"run", "tmpfs", "mode=0755,size=8m", unix.MS_NOSUID},
	} {
		target := filepath.Join(root, m.name)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.fs, target, m.fs, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s on /%s: %w", m.fs, m.name, err)
		}
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		if err := unix.Mknod(filepath.Join(root, "dev", name), unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			return fmt.Errorf("make /dev/%s: %w", name, err)
		}
	}
	return os.Symlink("pts/ptmx", filepath.Join(root, "dev", "ptmx"))
}

// files puts into the new root directory what the action's programs find there. It is done from outside, where no rule
// watches these paths.
func (p *plan) files(root string, text []byte) error {
	if err := os.MkdirAll(root+namesDir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(root+selfFile, nil, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("/proc/self/exe", root+selfFile, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("show this program to the action: %w", err)
	}
	for _, s := range p.Steps {
		for _, l := range s.Chain {
			if err := os.Symlink(selfFile, root+l.path()); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
	}
	for path, content := range p.Prepare {
		path = root + filepath.Join("/", path)
		if _, err := os.Lstat(path); err == nil {
			continue // the host's own will do
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(root+planFile, text, 0o644)
}

// network brings up the loopback interface, the only one there is, with the addresses that actions speak to, and
// accepts whatever they send there.
func network() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i, address := range []string{"127.0.0.1", addressMetadata, addressOutside} {
		label := "lo"
		if i > 0 {
			label += ":" + strconv.Itoa(i)
		}
		if err := setAddress(fd, label, net.ParseIP(address).To4()); err != nil {
			return fmt.Errorf("give %s to the action's network: %w", address, err)
		}
	}
	for _, at := range []string{addressMetadata + ":80", addressOutside + ":443", addressOutside + ":30080"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52}) // as a Java class file begins
				_ = c.Close()
			}
		}()
	}
	return nil
}

// ifreq is struct ifreq of netdevice(7) with an address, or flags.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

func setAddress(fd int, label string, ip net.IP) error {
	var r ifreq
	copy(r.name[:], label)
	r.data[0] = unix.AF_INET // sockaddr_in: family (host order), port, address
	copy(r.data[4:8], ip)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return errno
	}
	r.data = [24]byte{unix.IFF_UP | unix.IFF_RUNNING}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return errno
	}
	return nil
}

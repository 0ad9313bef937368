package procs

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/eyrie-sec/eyrie/sensor/raw"
	"golang.org/x/sys/unix"
)

// reader reads the files of one process after the other, each relative to the process's directory, so that they are all
// of the same process even when its id is given to another one meanwhile.
type reader struct {
	procfs string
	dir    int // descriptor of /proc/PID
	buf    []byte
}

func newReader(procfs string) *reader {
	return &reader{procfs: procfs, buf: make([]byte, 16<<10)}
}

// open takes up a process; false: there is none. The caller closes what is open.
func (r *reader) open(pid int32) bool {
	var err error
	r.dir, err = retry(func() (int, error) {
		return unix.Open(r.procfs+"/"+strconv.Itoa(int(pid)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	return err == nil
}

func (r *reader) close() { _ = unix.Close(r.dir) }

// file reads at most limit bytes of a file; the bytes are good until the next call.
func (r *reader) file(name string, limit int) []byte {
	fd, err := retry(func() (int, error) {
		return unix.Openat(r.dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	})
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	limit = min(limit, len(r.buf))
	have := 0
	for have < limit {
		n, err := retry(func() (int, error) { return unix.Read(fd, r.buf[have:limit]) })
		if err != nil || n <= 0 {
			break
		}
		have += n
	}
	return r.buf[:have]
}

func (r *reader) link(name string) []byte {
	n, err := unix.Readlinkat(r.dir, name, r.buf)
	if err != nil || n <= 0 {
		return nil
	}
	return r.buf[:n]
}

func retry(do func() (int, error)) (int, error) {
	for {
		if n, err := do(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// start is when a process started, in ns since boot in steps of a tick; false where there is none.
func (r *reader) start(pid int32) (uint64, bool) {
	if !r.open(pid) {
		return 0, false
	}
	defer r.close()
	s, err := parseStat(r.file("stat", 4096))
	return s.start, err == nil
}

// read is everything about one process, nil where it is gone.
func (r *reader) read(pid int32) *record {
	if !r.open(pid) {
		return nil
	}
	defer r.close()
	s, err := parseStat(r.file("stat", 4096))
	if err != nil {
		return nil
	}
	rec := &record{stat: s, pid: pid, name: string(s.comm)}
	rec.comm = nil
	rec.status = parseStatus(r.file("status", 8192))
	rec.pidns, rec.mntns = namespaceID(r.link("ns/pid")), namespaceID(r.link("ns/mnt"))
	rec.cgroups = parseCgroup(r.file("cgroup", 8192))
	rec.cwd = string(bytes.TrimSuffix(r.link("cwd"), []byte(" (deleted)")))
	path := r.link("exe")
	if path == nil {
		return rec // a kernel thread, or one that has ended
	}
	r.executable(rec, path)
	if block := r.block("cmdline"); len(block) > 0 {
		end := bytes.IndexByte(block, 0)
		rec.exe, rec.args = string(block[:end]), share(block[end+1:])
	}
	rec.env = share(r.block("environ"))
	return rec
}

func (r *reader) executable(rec *record, path []byte) {
	path = bytes.TrimSuffix(path, []byte(" (deleted)"))
	if bytes.HasPrefix(path, []byte("/memfd:")) {
		path, rec.file.Memfd = path[1:], true
	}
	rec.exePath = string(path)
	var st unix.Stat_t
	if unix.Fstatat(r.dir, "exe", &st, 0) != nil {
		return
	}
	f := &rec.file
	rec.known = true
	f.Kind = raw.KindRegular
	f.Dev, f.Ino, f.Mode = uint64(st.Dev), st.Ino, uint32(st.Mode)
	f.UID, f.GID = st.Uid, st.Gid
	f.Ctime, f.Mtime = st.Ctim.Nano(), st.Mtim.Nano()
	f.Writable = mayWrite(&rec.task, f)
}

// block reads strings that each end in NUL; what was cut gets its NUL.
func (r *reader) block(name string) []byte {
	b := r.file(name, raw.BlockLen)
	if len(b) == 0 || b[len(b)-1] == 0 {
		return b
	}
	if len(b) == raw.BlockLen {
		b = b[:len(b)-1]
	}
	return append(b, 0)
}

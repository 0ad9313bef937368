package sqlite

import "syscall"

// leastRoom is what SQLite needs at least to go on: a few pages, and those of its shared-memory file.
const leastRoom = 64 << 10 // bytes

// fileSystem says whether the file system of dir has no room left, and whether it is mounted read-only (statfs(2)).
func fileSystem(dir string) (full, readOnly bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return false, false
	}
	const rdonly = 1 // ST_RDONLY
	return s.Bavail*uint64(s.Bsize) < leastRoom, s.Flags&rdonly != 0
}

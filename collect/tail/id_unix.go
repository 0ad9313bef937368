//go:build unix

package tail

import (
	"os"
	"syscall"
)

// nonBlock keeps the opening of a named pipe from waiting for its writer.
const nonBlock = syscall.O_NONBLOCK

// fileID is device and inode. Zero: unknown.
type fileID struct{ dev, ino uint64 }

func idOf(info os.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{uint64(st.Dev), uint64(st.Ino)}
	}
	return fileID{}
}

// deleted reports whether no name leads to the open file any more.
func deleted(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 0
}

//go:build !unix

package tail

import (
	"hash/fnv"
	"os"
)

const nonBlock = 0

// fileID stands for device and inode, which this system does not show: the file's name and creation are taken, so that
// a rename is seen as a new file and only its content tells that it is not.
type fileID struct{ dev, ino uint64 }

func idOf(info os.FileInfo) fileID {
	h := fnv.New64a()
	h.Write([]byte(info.Name()))
	return fileID{1, h.Sum64()}
}

func deleted(*os.File) bool { return false }

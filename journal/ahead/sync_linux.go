package ahead

import (
	"os"
	"syscall"
)

// datasync makes what was written durable; times and such may lag behind.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}

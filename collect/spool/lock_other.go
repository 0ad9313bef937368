//go:build !unix

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lockFile makes the lock file, which must not be there. A process that was killed leaves it behind.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w (or was killed; delete %s then)", ErrLocked, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	return f, nil
}

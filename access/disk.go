package access

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxFileBytes bounds every file this package reads: 1,000 sessions and 1,000 users take 0.4 MB.
const maxFileBytes = 4 << 20

// tempPrefix begins the name of every temporary file written here, so that sweep deletes nothing else.
const tempPrefix = ".eyrie-access-"

// disk replaces files as a whole. A reader, and this package after a crash at any moment, sees the old content or the
// new: the new one is complete and fsynced under another name before rename(2) puts it in place, and the directory is
// fsynced before success is reported. It trusts the file system for an atomic rename and an honest fsync.
type disk struct {
	rename func(from, to string) error
}

func (d disk) write(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, tempPrefix+"*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // after success there is nothing of that name
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = d.rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if runtime.GOOS == "windows" { // has no fsync of a directory
		return nil
	}
	return f.Sync()
}

// sweep removes what a crash between the writing and the renaming of a temporary file left in dir.
func (d disk) sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read data directory: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) && e.Type().IsRegular() {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("remove leftover: %w", err)
			}
		}
	}
	return nil
}

// readSecret returns the content of path and what stat said of that very file. It refuses files that others may read.
func readSecret(path string) ([]byte, os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read secrets: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read secrets: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("read secrets: %s is not a regular file", path)
	}
	if err := checkMode(path, info); err != nil {
		return nil, nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read secrets: %w", err)
	}
	if len(content) > maxFileBytes {
		return nil, nil, fmt.Errorf("read secrets: %s is larger than %d bytes", path, maxFileBytes)
	}
	return content, info, nil
}

// checkMode wants a file that nobody but its owner can read or write. Windows has access lists in place of a mode.
func checkMode(path string, info os.FileInfo) error {
	perm := info.Mode().Perm()
	if perm&0o077 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	return fmt.Errorf("%s has mode %04o: other users of this machine can get at the secrets in it. Run: chmod 600 '%s'",
		path, perm, path)
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

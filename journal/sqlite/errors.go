package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eyrie-sec/eyrie/journal"
)

// classify wraps err with the journal's sentinel for what it says, SQLite's result code
// (https://www.sqlite.org/rescode.html) or the system's error, about the file path.
func classify(path string, err error) error {
	var e *sqlitedriver.Error
	var kind error
	switch {
	case err == nil || known(err):
		return err
	case errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone):
		kind = journal.ErrClosed
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		kind = journal.ErrReadOnly
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		kind = journal.ErrFull
	case errors.As(err, &e):
		kind = kindOf(path, e.Code())
	}
	if kind == nil {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

func kindOf(path string, code int) error {
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return journal.ErrFull
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return journal.ErrReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return journal.ErrCorrupt
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return journal.ErrLocked
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		// SQLite does not pass on why: the file system knows whether it is for want of room.
		full, readOnly := fileSystem(filepath.Dir(path))
		switch {
		case full:
			return journal.ErrFull
		case readOnly || code&0xff == sqlite3.SQLITE_CANTOPEN:
			return journal.ErrReadOnly
		}
	}
	return nil
}

// known reports whether err has its sentinel already.
func known(err error) bool {
	for _, kind := range [...]error{journal.ErrFull, journal.ErrReadOnly, journal.ErrCorrupt, journal.ErrLocked, journal.ErrNewer, journal.ErrMoved, journal.ErrClosed} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// fail says which file and what was done with it, and remembers when the file turned out damaged.
func (s *Store) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("journal %s: %s: %w", s.c.Path, op, classify(s.c.Path, err))
	if errors.Is(err, journal.ErrCorrupt) {
		info, _ := os.Stat(s.c.Path)
		s.damage.Lock()
		if !s.damage.found {
			s.damage.found, s.damage.file = true, info
		}
		s.damage.Unlock()
	}
	return err
}

// Replaced reports whether the file is another, or has other content, than when it turned out damaged.
func (s *Store) Replaced() bool {
	now, _ := os.Stat(s.c.Path)
	s.damage.Lock()
	defer s.damage.Unlock()
	then := s.damage.file
	if now == nil || then == nil || !s.damage.found {
		return true
	}
	return !os.SameFile(now, then) || now.Size() != then.Size() || !now.ModTime().Equal(then.ModTime())
}

// moved returns an error if the file and its log are not those that were opened: what was written is then where nobody
// will look for it.
func (s *Store) moved() error {
	for i, name := range [...]string{s.c.Path, s.c.Path + "-wal"} {
		if info, err := os.Stat(name); err != nil || !os.SameFile(info, s.files[i]) {
			return fmt.Errorf("%w: %s", journal.ErrMoved, filepath.Base(name))
		}
	}
	return nil
}

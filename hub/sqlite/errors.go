package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/eyrie-sec/eyrie/hub"
	sqlitedrv "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// classify wraps err with what was done and, where SQLite's result code tells, with the hub's sentinel for it. SQLite's
// own words are kept.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil {
		return fmt.Errorf("%s: %w: %w", op, kind, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// kindOf maps SQLite's primary result codes (https://www.sqlite.org/rescode.html) to the hub's errors; nil if none fits.
func kindOf(err error) error {
	if errors.Is(err, sql.ErrConnDone) || err.Error() == "sql: database is closed" {
		return hub.ErrClosed
	}
	var e *sqlitedrv.Error
	if !errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return nil
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return hub.ErrFull
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return hub.ErrReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return hub.ErrCorrupt
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return hub.ErrLocked
	}
	return nil
}

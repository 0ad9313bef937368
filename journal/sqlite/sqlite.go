// Package sqlite is the journal's store: one SQLite file.
//
// In comes a journal.Group at a time, out go what journal.Store promises. It decides nothing about alerts. Its errors keep
// SQLite's words, name the file, and answer errors.Is for the journal's sentinels.
//
// Crash safety: a group is one transaction in write-ahead-log mode with synchronous=FULL, which syncs the log before COMMIT
// returns (https://www.sqlite.org/pragma.html#pragma_synchronous). A process that is killed leaves whole transactions;
// so does a power failure, on a disk that keeps what it says is synced.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eyrie-sec/eyrie/journal"
)

// Config says where the file is. Only Path is required.
type Config struct {
	Path     string           // made with mode 0600 if it is missing
	MaxPages int              // of 4 KiB; beyond it writes fail with journal.ErrFull. 0: no bound but the disk's
	Now      func() time.Time // gives a new journal its first Seq; nil means time.Now
}

// Store is a journal.Store in a SQLite file.
type Store struct {
	path string
	db   *sql.DB   // for reading
	conn *sql.Conn // for writing, of wdb
	wdb  *sql.DB

	mu             sync.Mutex           // held during a transaction; guards what follows
	stmts          map[string]*sql.Stmt // on conn
	block, scratch []byte               // reused by Write
	quarantined    int64                // bytes in quarantine
	bytes          int64                // of all blocks
}

var _ journal.Store = (*Store)(nil)

var (
	writerPragmas = []string{
		"page_size(4096)",
		"auto_vacuum(INCREMENTAL)", // room of deleted blocks goes back to the disk; set before the first table
		"journal_mode(WAL)",
		"synchronous(FULL)",            // sync the log at every commit: nothing acknowledged is lost
		"busy_timeout(5000)",           // ms; only a second process, such as a backup, makes us wait
		"cache_size(-16384)",           // 16 MiB
		"wal_autocheckpoint(4000)",     // pages: 16 MiB
		"journal_size_limit(33554432)", // bytes: the log shrinks again after a burst
		"temp_store(MEMORY)",
		"trusted_schema(OFF)",
		"cell_size_check(ON)",
	}
	readerPragmas = []string{"busy_timeout(5000)", "cache_size(-8192)", "query_only(ON)", "temp_store(MEMORY)", "trusted_schema(OFF)", "cell_size_check(ON)"}
)

// Open opens or makes the file and brings its schema up to date.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	s := &Store{path: c.Path, stmts: map[string]*sql.Stmt{}}
	defer func() {
		if err != nil {
			// The error that matters is the first.
			_ = s.Close()
			err = fmt.Errorf("open the journal %s: %w", c.Path, err)
		}
	}()
	f, err := os.OpenFile(c.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, classifyOS(err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	s.wdb, err = connect(ctx, c.Path, 1, "immediate", append(writerPragmas, fmt.Sprintf("max_page_count(%d)", max(c.MaxPages, 0))))
	if err != nil {
		return nil, err
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	// A journal that replaces a lost one must not reuse its numbers: consumers remember how far they came. Microseconds
	// since 1970 are ahead of any journal that took less than a million alerts a second since it was made.
	if err := migrate(ctx, s.wdb, now().UnixMicro()); err != nil {
		return nil, err
	}
	if s.conn, err = s.wdb.Conn(ctx); err != nil {
		return nil, classify("connect", err)
	}
	if s.db, err = connect(ctx, c.Path, 4, "deferred", readerPragmas); err != nil {
		return nil, err
	}
	err = s.db.QueryRowContext(ctx, "SELECT (SELECT coalesce(sum(length(body)), 0) FROM quarantine), (SELECT coalesce(sum(length(body)), 0) FROM block)").
		Scan(&s.quarantined, &s.bytes)
	return s, classify("measure what is stored", err)
}

func connect(ctx context.Context, path string, conns int, lock string, pragmas []string) (*sql.DB, error) {
	q := url.Values{"_pragma": pragmas, "_txlock": {lock}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, classify("connect", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(classify("connect", err), db.Close())
	}
	return db, nil
}

// exec runs a writing statement, prepared the first time.
func (s *Store) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st := s.stmts[query]
	if st == nil {
		var err error
		if st, err = s.conn.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
		s.stmts[query] = st
	}
	return st.ExecContext(ctx, args...)
}

// transaction runs f in a transaction on the writing connection, one at a time.
func (s *Store) transaction(ctx context.Context, op string, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	quarantined, bytes := s.quarantined, s.bytes
	if _, err := s.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return s.fail(op, err)
	}
	err := f()
	if err == nil {
		if _, err = s.exec(ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	s.quarantined, s.bytes = quarantined, bytes
	// SQLite may have rolled back by itself (full disk, I/O error); then this fails, and says nothing new.
	_, _ = s.exec(context.WithoutCancel(ctx), "ROLLBACK")
	return s.fail(op, err)
}

func (s *Store) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("journal %s: %w", s.path, classify(op, err))
}

// Close closes the file.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.wdb != nil {
		errs = append(errs, s.wdb.Close())
	}
	s.stmts = nil
	return errors.Join(errs...)
}

// classify wraps err with what was done and the journal's sentinel for SQLite's result code
// (https://www.sqlite.org/rescode.html).
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *sqlitedriver.Error
	var kind error
	switch {
	case errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "database is closed"):
		kind = journal.ErrClosed
	case errors.As(err, &e):
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			kind = journal.ErrFull
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
			kind = journal.ErrReadOnly
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			kind = journal.ErrCorrupt
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			kind = journal.ErrLocked
		}
	}
	if kind != nil {
		return fmt.Errorf("%s: %w: %w", op, kind, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

func classifyOS(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", journal.ErrReadOnly, err)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", journal.ErrFull, err)
	}
	return err
}

// Package sqlite is the hub's embedded store: one SQLite file.
//
// In come a hub.Batch at a time, out go what hub.Store promises. It decides nothing about findings and keeps nothing in
// memory but SQLite's page cache and prepared statements. Its errors keep SQLite's words and answer errors.Is for
// hub.ErrFull, hub.ErrReadOnly, hub.ErrCorrupt, hub.ErrLocked, hub.ErrNewSchema and hub.ErrClosed.
//
// Crash safety: a Batch is one transaction in write-ahead-log mode with synchronous=FULL, which syncs the log before
// COMMIT returns (https://www.sqlite.org/pragma.html#pragma_synchronous, https://www.sqlite.org/wal.html). A process that
// is killed leaves whole transactions; so does a power failure, on a disk that keeps what it says is synced.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"

	"github.com/eyrie-sec/eyrie/hub"
)

// Config says where the file is. Only Path is required.
type Config struct {
	Path     string // created with mode 0600 if absent
	MaxPages int    // 0 means no bound; SQLite's max_page_count, beyond which commits fail with hub.ErrFull
	Readers  int    // connections that read; 0 means 4
}

// Store is a hub.Store in a SQLite file.
type Store struct {
	read  *sql.DB // Config.Readers connections
	write *sql.DB // one connection, which is conn

	// writing is held for a transaction, and guards written. Statements of the writer are prepared on its connection:
	// a sql.Tx would prepare each again.
	writing sync.Mutex
	conn    *sql.Conn
	written map[string]*sql.Stmt

	mu    sync.Mutex // guards stmts
	stmts map[string]*sql.Stmt
}

var _ hub.Store = (*Store)(nil)

// Open opens or makes the file and brings its schema up to date.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := create(c.Path); err != nil {
		return nil, err
	}
	readers := c.Readers
	if readers <= 0 {
		readers = 4
	}
	// The order matters: the writer makes the file a WAL file before a reader looks at it.
	write, err := connect(ctx, c.Path, 1, append(writerPragmas, fmt.Sprintf("max_page_count(%d)", max(c.MaxPages, 0)))...)
	if err != nil {
		return nil, fmt.Errorf("open the hub's store %s: %w", c.Path, err)
	}
	s := &Store{write: write, written: map[string]*sql.Stmt{}, stmts: map[string]*sql.Stmt{}}
	if err := migrate(ctx, write); err != nil {
		write.Close()
		return nil, fmt.Errorf("open the hub's store %s: %w", c.Path, err)
	}
	if s.conn, err = write.Conn(ctx); err != nil {
		write.Close()
		return nil, classify("open the hub's store "+c.Path, err)
	}
	s.read, err = connect(ctx, c.Path, readers, readerPragmas...)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("open the hub's store %s for reading: %w", c.Path, err)
	}
	return s, nil
}

// create makes the file if there is none, so that it has mode 0600 whatever the umask; SQLite gives its -wal and -shm
// files the mode of the file.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, os.ErrPermission) || isReadOnlyFS(err):
		return fmt.Errorf("open the hub's store: %w: %w", hub.ErrReadOnly, err)
	}
	return fmt.Errorf("open the hub's store: %w", err)
}

// The pragmas of every connection. page_size takes effect on a new file only.
var (
	writerPragmas = []string{
		"page_size(4096)",
		"journal_mode(WAL)",
		"synchronous(FULL)",            // sync the log at every commit: nothing acknowledged is lost
		"busy_timeout(5000)",           // ms; only a second process, such as a backup, makes us wait
		"cache_size(-32768)",           // 32 MiB: the upper levels of every B-tree of a few million findings
		"wal_autocheckpoint(8000)",     // pages: 32 MiB; rarer checkpoints write a page that changes often once
		"journal_size_limit(67108864)", // bytes: the log shrinks again after a burst
		"temp_store(MEMORY)",           // no temporary files beside the data directory
		"trusted_schema(OFF)",          // https://www.sqlite.org/security.html
		"cell_size_check(ON)",          // notice a corrupt page when it is read
	}
	readerPragmas = []string{
		"busy_timeout(5000)", "cache_size(-8192)", "query_only(ON)", "temp_store(MEMORY)", "trusted_schema(OFF)", "cell_size_check(ON)",
	}
)

func connect(ctx context.Context, path string, conns int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, classify("connect", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(0)
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, classify("connect", err)
	}
	return db, nil
}

// stmt returns the prepared reading statement, preparing it the first time.
func (s *Store) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.stmts[query]; st != nil {
		return st, nil
	}
	st, err := s.read.PrepareContext(ctx, query)
	if err == nil {
		s.stmts[query] = st
	}
	return st, err
}

// query runs a reading statement and calls row for each row.
func (s *Store) query(ctx context.Context, op, query string, row func(*sql.Rows) error, args ...any) error {
	st, err := s.stmt(ctx, query)
	if err != nil {
		return classify(op, err)
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return classify(op, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return classify(op, err)
		}
	}
	return classify(op, rows.Err())
}

// Close closes the file. Calls that are under way fail with hub.ErrClosed or finish.
func (s *Store) Close() error {
	s.mu.Lock()
	for _, st := range s.stmts {
		st.Close()
	}
	clear(s.stmts)
	s.mu.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	for _, st := range s.written {
		st.Close()
	}
	clear(s.written)
	// Closing the last connection checkpoints the log; the writer goes last because readers cannot do that.
	err := errors.Join(s.read.Close(), s.conn.Close(), s.write.Close())
	if errors.Is(err, sql.ErrConnDone) { // closed before
		return nil
	}
	return classify("close the hub's store", err)
}

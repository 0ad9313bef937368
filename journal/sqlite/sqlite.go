// Package sqlite is the journal's store: one SQLite file.
//
// In comes a journal.Group at a time, out go what journal.Store promises. It decides nothing about alerts. Its errors keep
// SQLite's words, name the file, and answer errors.Is for the journal's sentinels.
//
// Crash safety: a group is one transaction in write-ahead-log mode with synchronous=FULL, which syncs the log before COMMIT
// returns (https://www.sqlite.org/pragma.html#pragma_synchronous). A process that is killed leaves whole transactions;
// so does a power failure, on a disk that keeps what it says is synced. After each commit the store checks that its file
// is still the one that its name leads to. FORMAT.md describes the file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/journal"
)

// Config says where the file is. Only Path is required.
type Config struct {
	Path     string           // made with mode 0600 if it is missing
	MaxPages int              // of 4 KiB; beyond it writes fail with journal.ErrFull. 0: no bound but the disk's
	Now      func() time.Time // names what is set aside; nil means time.Now
	Logger   *slog.Logger     // told of damage and of what is set aside; nil: nobody is
}

// Store is a journal.Store in a SQLite file.
type Store struct {
	c     Config
	files [2]os.FileInfo // the file and its log, as opened; set once

	life   sync.RWMutex // held for reading during every call, for writing by Close
	closed bool         // guarded by life
	db     *sql.DB      // for reading; set once

	mu             sync.Mutex // held during a transaction; guards what follows
	w              *writer
	block, scratch []byte // reused by Write
	sums           sums

	damage struct {
		sync.Mutex // guards what follows
		found      bool
		file       os.FileInfo     // when the damage was found, nil if it is not there
		blocks     map[int64]int64 // unreadable blocks, by first: how many records each had
	}
}

// sums are counted in memory and stored with the rows that change them.
type sums struct {
	first, last       row   // the oldest and the newest block; all 0 if there is none
	quarantined, cost int64 // records in quarantine, and their bytes
}

// row is one of the table block, without its body.
type row struct{ first, last, arrived, records, bytes, size int64 }

var _ journal.Store = (*Store)(nil)

var (
	// In this order: the page size is fixed once anything is written, which setting auto_vacuum does.
	newFilePragmas = []string{
		"page_size = 4096",
		"auto_vacuum = INCREMENTAL", // room of deleted blocks goes back to the disk
	}
	writerPragmas = []string{
		"journal_mode = WAL",
		"synchronous = FULL",            // sync the log at every commit: nothing acknowledged is lost
		"fullfsync = ON",                // macOS: a sync that reaches the disk
		"cache_size = -16384",           // KiB
		"wal_autocheckpoint = 4000",     // pages: 16 MiB
		"journal_size_limit = 33554432", // bytes: the log shrinks again after a burst
		"temp_store = MEMORY",
		"trusted_schema = OFF",
		"cell_size_check = ON",
	}
	readerPragmas = []string{busyTimeout, "cache_size(-4096)", "query_only(ON)", "temp_store(MEMORY)", "trusted_schema(OFF)", "cell_size_check(ON)"}
)

const (
	readers     = 3                    // connections
	busyTimeout = "busy_timeout(5000)" // ms; only a second process, such as a backup, makes us wait
)

// Open opens or makes the file and brings its schema up to date.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{c: c}
	s.damage.blocks = map[int64]int64{}
	defer func() {
		if err != nil {
			// The error that matters is the first.
			_ = s.Close()
			err = s.fail("open", err)
		}
	}()
	if err := s.makeFile(); err != nil {
		return nil, err
	}
	if err := s.openWriter(ctx); err != nil {
		return nil, err
	}
	if s.db, err = connect(ctx, c.Path, readers, readerPragmas); err != nil {
		return nil, err
	}
	if err := s.measure(ctx); err != nil {
		return nil, err
	}
	for i, name := range [...]string{c.Path, c.Path + "-wal"} {
		if s.files[i], err = os.Stat(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// makeFile makes the file if it is missing. A log without its file is set aside: SQLite would delete it, and with it what
// was committed and is not in the file yet. Whoever has the file puts both back together.
func (s *Store) makeFile() error {
	switch info, err := os.Stat(s.c.Path); {
	case err == nil && info.Size() > 0:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	wal := s.c.Path + "-wal"
	if info, err := os.Stat(wal); err == nil && info.Size() > 0 {
		aside := fmt.Sprintf("%s.without-file-%d", wal, s.c.Now().UnixNano())
		if err := os.Rename(wal, aside); err != nil {
			return err
		}
		s.c.Logger.Error("the journal's file is gone and its log is not: the log is set aside, it may hold alerts that are not in the file", "log", aside)
	}
	f, err := os.OpenFile(s.c.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.c.Path))
}

// openWriter connects for writing and brings the schema up to date. The pragmas are not the driver's to run: it does so in
// the order of the alphabet, and it would change a file before we know that it is ours.
func (s *Store) openWriter(ctx context.Context) error {
	db, err := connect(ctx, s.c.Path, 1, []string{busyTimeout})
	if err != nil {
		return err
	}
	if s.w, err = newWriter(ctx, db); err != nil {
		return errors.Join(err, db.Close())
	}
	version, err := identify(ctx, s.w.conn)
	if err != nil {
		return err
	}
	pragmas := writerPragmas
	if version == 0 {
		pragmas = slices.Concat(newFilePragmas, pragmas)
	}
	for _, p := range pragmas {
		if _, err := s.w.conn.ExecContext(ctx, "PRAGMA "+p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	if s.c.MaxPages > 0 {
		if _, err := s.w.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", s.c.MaxPages)); err != nil {
			return err
		}
	}
	var mode string
	if err := s.w.conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file cannot have a write-ahead log, its mode is %q: is its file system a network one?", mode)
	}
	return migrate(ctx, s.w.conn, version)
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// measure reads the sums.
func (s *Store) measure(ctx context.Context) error {
	const columns = "SELECT first, last, arrived, records_sum, bytes_sum, length(body) FROM block ORDER BY first "
	for _, q := range []struct {
		query string
		to    *row
	}{{columns + "LIMIT 1", &s.sums.first}, {columns + "DESC LIMIT 1", &s.sums.last}} {
		b := q.to
		err := s.db.QueryRowContext(ctx, q.query).Scan(&b.first, &b.last, &b.arrived, &b.records, &b.bytes, &b.size)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("measure the blocks: %w", err)
		}
	}
	err := s.db.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(cost), 0) FROM quarantine").Scan(&s.sums.quarantined, &s.sums.cost)
	if err != nil {
		return fmt.Errorf("measure the quarantine: %w", err)
	}
	return nil
}

// transaction runs f in a transaction on the writing connection, one at a time. f may be run only as a whole: what it
// changes of s.sums is undone if it fails.
func (s *Store) transaction(ctx context.Context, op string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return s.fail(op, journal.ErrClosed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail(op, s.w.do(func() error { return s.attempt(f) }))
}

func (s *Store) attempt(f func() error) error {
	before := s.sums
	if _, err := s.w.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if _, err = s.w.exec("COMMIT"); err == nil {
			return nil
		}
	}
	s.sums = before
	// SQLite may have rolled back by itself (full disk, I/O error); then this fails, and says nothing new.
	_, _ = s.w.exec("ROLLBACK")
	return err
}

// Close waits for the calls that are under way and closes the file.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.w != nil {
		errs = append(errs, s.w.close())
	}
	return errors.Join(errs...)
}

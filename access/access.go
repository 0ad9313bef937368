// Package access decides who may come in. In comes a directory; out go the API access keys that sign Security Hub
// requests, the key that Falco delivers alerts with, and the people of the portal with their passwords and sessions.
//
// It keeps three files in that directory, each of mode 0600 and each replaced as a whole (drawn in FORMAT.md):
//
//	credentials  AWS shared-credentials file; people edit it to rotate a key, so it is read again when it changes
//	ingest.key   one line; read again when it changes
//	users.json   users, sessions and sign-in links; written by this package alone
//
// A file that is missing is made with fresh random secrets, a file that is there is checked and never replaced by a
// generated one, and a file that others on the machine can read is refused with the command that mends it.
// Passwords are kept as argon2id hashes, session cookies and sign-in links as SHA-256 of 256 random bits, so that
// users.json read by a thief opens nothing. Secrets never reach a log or an error.
//
// It fails closed: what cannot be read, parsed or stored lets nobody in and leaves the state of before.
// Everything here is safe for concurrent use by one process; two processes on one directory are the caller's to prevent.
package access

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Errors that a caller tells people about.
var (
	// ErrWrong is the one answer to a wrong name and to a wrong password.
	ErrWrong = errors.New("wrong name or password")
	// ErrLink says that a sign-in link is unknown, was used before, or is too old.
	ErrLink = errors.New("this sign-in link was used before or has expired")
	// ErrNoSession says that a cookie belongs to no session, or no longer.
	ErrNoSession = errors.New("not signed in")
	// ErrNoUser names a user that does not exist.
	ErrNoUser = errors.New("no such user")
	// ErrUserExists says that a user of that name is there already.
	ErrUserExists = errors.New("a user of that name exists")
)

// RateLimited is the answer to a sign-in that came too soon after failed ones; the password was not looked at.
type RateLimited struct {
	RetryAfter time.Duration // at least a second, whole seconds
}

func (e *RateLimited) Error() string {
	return fmt.Sprintf("too many attempts; try again in %s", e.RetryAfter)
}

// Config is what Open needs beside the directory. The zero value is ready for use.
type Config struct {
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: nothing is logged
}

// Access is an opened directory of secrets.
type Access struct {
	keys  *Keys
	dir   string
	disk  disk
	now   func() time.Time
	log   *slog.Logger
	limit *limiter
	hash  *hasher

	mu    sync.Mutex // guards what follows, and is held while users.json is written (a few milliseconds)
	state state
	byKey map[digest]int // session hash -> index in state.Sessions
	saved time.Time      // when users.json was last written
	first string         // the first-person link's token in clear, "" if there is none; never stored
}

// Open reads the files in dir, which must exist, and makes those that are missing.
func Open(dir string, c Config) (*Access, error) {
	return open(dir, c, disk{rename: os.Rename})
}

func open(dir string, c Config, d disk) (*Access, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Access{dir: dir, disk: d, now: c.Now, log: c.Logger, limit: newLimiter(c.Now), hash: newHasher()}
	if err := d.sweep(dir); err != nil {
		return nil, err
	}
	keys, err := openKeys(dir, d, c.Logger)
	if err != nil {
		return nil, err
	}
	a.keys = keys
	if err := a.openUsers(filepath.Join(dir, usersFile)); err != nil {
		return nil, err
	}
	return a, nil
}

// Keys returns the machine keys: API access keys and the ingest key.
func (a *Access) Keys() *Keys { return a.keys }

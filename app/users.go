package app

import (
	"errors"
	"log/slog"

	"github.com/eyrie-sec/eyrie/access"
)

// WithAccess opens the users and keys of a data directory that no running eyrie holds, calls f, and closes it again.
func WithAccess(dir string, log *slog.Logger, f func(*access.Access) error) error {
	release, err := lockData(dir)
	if err != nil {
		return err
	}
	a, err := access.Open(dir, access.Config{Logger: log})
	if err != nil {
		return errors.Join(err, release())
	}
	return errors.Join(f(a), release())
}

//go:build !linux

package simulate

import (
	"context"
	"errors"
)

var errLinux = errors.New("actions are done in Linux namespaces: run eyrie simulate on Linux")

// Possible says why no action can be done here.
func Possible() error { return errLinux }

// Child does what a process of an action is started for; in any other process it returns false.
func Child() (status int, is bool) { return 0, false }

func (a *Action) do(context.Context, Place) error { return errLinux }

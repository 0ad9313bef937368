package match

import (
	"errors"
	"fmt"

	"github.com/eyrie-sec/eyrie/rule/filter"
)

// Error says why a condition or an output cannot be bound to the field table.
type Error struct {
	Pos  filter.Pos // in the condition's text; zero where it is not known
	Msg  string     // in Falco's words where Falco has any
	Hint string     // what may have been meant, "" for nothing
}

func (e *Error) Error() string {
	if e.Hint != "" {
		return e.Msg + ": " + e.Hint
	}
	return e.Msg
}

// Unknown says whether the error is one that skip-if-unknown-filter forgives: an unknown field or event type.
func (e *Error) Unknown() bool { return e.unknown() }

func errorf(format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...)}
}

// at gives err the place pos unless it has one of its own.
func at(err error, pos filter.Pos) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Pos == (filter.Pos{}) {
		e.Pos = pos
	}
	return err
}

// Warning is something odd in a condition that does not keep it from working.
type Warning struct {
	Pos  filter.Pos
	Code WarningCode
	Msg  string
}

// WarningCode is the kind of a warning.
type WarningCode uint8

// The kinds of warnings.
const (
	OddValue   WarningCode = iota // a literal that looks like something else
	Deprecated                    // a field that should not be used any more
	UnsafeNA                      // comparison with <NA>
)

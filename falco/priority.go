package falco

import "strings"

// Priority is how bad Falco's rule calls it. A smaller number is worse; the zero value is Emergency.
type Priority uint8

// The priorities, as syslog numbers them.
const (
	Emergency     Priority = iota
	AlertPriority          // Falco's "Alert"
	Critical
	Error
	Warning
	Notice
	Informational
	Debug
)

var priorityNames = [...]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}

// Priorities is the number of priorities.
const Priorities = len(priorityNames)

// ParsePriority reads a priority's name in any case; "info" is Informational. It reports whether there is one of that
// name.
func ParsePriority(s string) (Priority, bool) {
	for i, name := range priorityNames {
		if len(s) == len(name) && (s == name || strings.EqualFold(s, name)) {
			return Priority(i), true
		}
	}
	if len(s) == len("info") && strings.EqualFold(s, "info") {
		return Informational, true
	}
	return 0, false
}

// String is the name as Falco prints it, "Informational" for one.
func (p Priority) String() string {
	if int(p) < len(priorityNames) {
		return priorityNames[p]
	}
	return "Debug"
}

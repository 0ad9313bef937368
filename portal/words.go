package portal

import (
	"github.com/eyrie-sec/eyrie/portal/text"
)

// The severities and workflow states, the worst and the most pressing first.
var (
	severities = []string{"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL"}
	workflows  = []string{"NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"}
)

// word writes an enumeration's value for people: "CRITICAL" is "Critical".
func word(s string) string {
	switch s {
	case "CRITICAL":
		return "Critical"
	case "HIGH":
		return "High"
	case "MEDIUM":
		return "Medium"
	case "LOW":
		return "Low"
	case "INFORMATIONAL":
		return "Informational"
	case "NEW":
		return "New"
	case "NOTIFIED":
		return "Notified"
	case "RESOLVED":
		return "Resolved"
	case "SUPPRESSED":
		return "Suppressed"
	case "ACTIVE":
		return "Active"
	case "ARCHIVED":
		return "Archived"
	}
	return s
}

// sevClass is the letter that stands for a severity in class names and badges.
func sevClass(label string) string {
	switch label {
	case "CRITICAL":
		return "c"
	case "HIGH":
		return "h"
	case "MEDIUM":
		return "m"
	case "LOW":
		return "l"
	}
	return "i"
}

// count writes "1 day", "3 days", "1,204 findings".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return text.Group(n) + " " + many
}

package asff

// SeverityLabel is the label that Security Hub derives from a normalized severity (documentation of
// Severity.Label): 0 INFORMATIONAL, 1-39 LOW, 40-69 MEDIUM, 70-89 HIGH, 90-100 CRITICAL. Numbers outside
// 0 to 100 count as the nearest end.
func SeverityLabel(normalized int) string {
	switch {
	case normalized >= 90:
		return "CRITICAL"
	case normalized >= 70:
		return "HIGH"
	case normalized >= 40:
		return "MEDIUM"
	case normalized >= 1:
		return "LOW"
	}
	return "INFORMATIONAL"
}

// SeverityNormalized is the number that Security Hub derives from a label (documentation of
// Severity.Normalized): INFORMATIONAL 0, LOW 1, MEDIUM 40, HIGH 70, CRITICAL 90. ok is false for any other text.
func SeverityNormalized(label string) (n int, ok bool) {
	switch label {
	case "INFORMATIONAL":
		return 0, true
	case "LOW":
		return 1, true
	case "MEDIUM":
		return 40, true
	case "HIGH":
		return 70, true
	case "CRITICAL":
		return 90, true
	}
	return 0, false
}

//go:build !linux

package sqlite

// fileSystem is not known here: SQLite's own words have to do.
func fileSystem(string) (full, readOnly bool) { return false, false }

//go:build !linux

package sqlite_test

import "testing"

func smallDisk(t testing.TB, _ int) string {
	t.Skip("no small disk to fill: only on Linux")
	return ""
}

func makeReadOnly(t testing.TB, _ string) func() {
	t.Skip("no read-only disk: only on Linux")
	return nil
}

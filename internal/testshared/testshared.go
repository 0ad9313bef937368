// Package testshared finds recorded test inputs (real Falco alerts, rules, verdicts) that are kept beside the
// repository and not in it. It takes a name, gives a path, and skips a test, saying what is missing and how to supply
// it, where there is none. It never downloads and never writes.
package testshared

import (
	"os"
	"path/filepath"
	"testing"
)

// Path returns the path of the recorded input name ("falco/alerts/host-seed.jsonl"). The inputs are looked for in the
// directory that the environment variable EYRIE_SHARED names, else in a directory `shared` beside the repository.
// Where name does not exist the test is skipped; with EYRIE_REQUIRE_ALL set it fails instead.
func Path(t testing.TB, name string) string {
	t.Helper()
	path, ok := find(name)
	if ok {
		return path
	}
	const hint = "recorded input %q is missing: put the directory `shared` beside the repository or name it in EYRIE_SHARED"
	if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
		t.Fatalf(hint, name)
	}
	t.Skipf(hint, name)
	return ""
}

// Read returns the content of the recorded input name, on the terms of Path.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func find(name string) (string, bool) {
	if dir := os.Getenv("EYRIE_SHARED"); dir != "" {
		path := filepath.Join(dir, name)
		_, err := os.Stat(path)
		return path, err == nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(filepath.Dir(dir), "shared", name)
			_, err := os.Stat(path)
			return path, err == nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/eyrie-sec/eyrie/rule/rulecmd"
)

var update = flag.Bool("update", false, "rewrite the documentation that is made from code")

// TestFieldsDocument: docs/rules-fields.md says what `eyrie rules fields` says.
func TestFieldsDocument(t *testing.T) {
	const path = "../../docs/rules-fields.md"
	var b bytes.Buffer
	b.WriteString("# Fields of the rule language\n\nMade by `go test ./cmd/eyrie -run FieldsDocument -update` from what `eyrie rules fields` prints.\n\n```text\n")
	if err := rulecmd.Fields(rulecmd.Output{W: &b}, ""); err != nil {
		t.Fatal(err)
	}
	b.WriteString("```\n")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s differs from what `eyrie rules fields` prints: run this test with -update", path)
	}
}

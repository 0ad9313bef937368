package convert

import (
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/eyrie-sec/eyrie/etc"
)

// shipped is the remediation that ships with Eyrie.
func shipped(t testing.TB) Remediation {
	t.Helper()
	var r Remediation
	if err := yaml.Unmarshal(etc.Remediation(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

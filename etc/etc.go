// Package etc holds the configuration that ships with Eyrie, embedded in the binary: text that the program loads at its
// start and that people may replace by their own. It only hands out bytes; whoever loads a file checks it, and a test
// here loads each one. It cannot fail.
package etc

import _ "embed"

//go:embed remediation.yaml
var remediation string

//go:embed rules/eyrie_rules.yaml
var rules string

// Remediation is remediation.yaml: for each of Falco's own rules what to do about its findings, in the form of
// convert.Remediation. Each call returns a copy.
func Remediation() []byte { return []byte(remediation) }

// Rules is rules/eyrie_rules.yaml: the rules that the sensor uses where it is given no others. Each call returns a copy.
func Rules() []byte { return []byte(rules) }

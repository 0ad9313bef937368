package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/sensortest"
)

// TestSensorPrints reads a secret under `eyrie sensor`: what it prints is what Falco prints, byte for byte as falco.AppendJSON
// writes it, with every field of the output, and `eyrie convert` makes a finding of it.
func TestSensorPrints(t *testing.T) {
	sensortest.Need(t)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	const text = `
- rule: Shadow is read
  desc: a test
  condition: evt.type = openat and fd.name = /etc/shadow and proc.args contains eyrie-print
  output: "%proc.name %user.name %fd.name %fd.sip %container.id %k8s.pod.name"
  priority: WARNING
  tags: [T1555]
`
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, outW := io.Pipe()
	log, logW := io.Pipe()
	done := make(chan int, 1)
	go func() {
		status := run([]string{"sensor", "--rules", rules, "--for", "60s", "--hostname", "node-7"}, nil, outW, logW)
		outW.Close()
		logW.Close()
		done <- status
	}()
	logs := bufio.NewScanner(log)
	for logs.Scan() && !strings.Contains(logs.Text(), "sensor is on") {
		t.Log(logs.Text())
	}
	go func() {
		for logs.Scan() {
		}
	}()
	read := func() {
		t.Helper()
		if err := exec.Command("/bin/sh", "-c", "cat /etc/shadow eyrie-print >/dev/null 2>&1; true").Run(); err != nil {
			t.Fatal(err)
		}
	}
	read()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("nothing was printed: %v; exit status %d", lines.Err(), <-done)
	}
	line := bytes.Clone(lines.Bytes())
	out.Close() // as head -1 does: the next alert ends the sensor
	read()
	if status := <-done; status != 0 {
		t.Errorf("exit status %d after its reader has gone, want 0", status)
	}
	a, err := falco.Parse(line)
	if err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if got := falco.AppendJSON(nil, a); !bytes.Equal(got, line) {
		t.Errorf("printed\n%s\nwhich is read and printed again as\n%s", line, got)
	}
	for name, want := range map[string]string{"proc.name": `"cat"`, "user.name": `"root"`, "fd.name": `"/etc/shadow"`, "fd.sip": "null", "container.id": `"host"`, "k8s.pod.name": "null"} {
		var fields struct {
			Fields map[string]json.RawMessage `json:"output_fields"`
		}
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatal(err)
		}
		if got := string(fields.Fields[name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if a.Hostname != "node-7" || a.Rule != "Shadow is read" || a.Priority != falco.Warning || a.Source != "syscall" {
		t.Errorf("alert %+v", a)
	}
	var finding bytes.Buffer
	if status := run([]string{"convert"}, bytes.NewReader(line), &finding, os.Stderr); status != 0 || !strings.Contains(finding.String(), `"GeneratorId":"falco/Shadow is read"`) {
		t.Errorf("convert: exit status %d, %s", status, finding.String())
	}
}

package rulecmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/rule"
)

const goodRules = `
- list: shells
  items: [bash, sh]
- macro: opened
  condition: evt.type in (open, openat)
- macro: idle
  condition: proc.name = x
- rule: Shell opens
  desc: A shell opens a file.
  condition: opened and (proc.name in (shells) or proc.pname in (shells)) and not fd.name startswith /tmp
  output: "%proc.name %fd.name"
  priority: WARNING
  tags: [T1059]
- rule: Off
  desc: d
  condition: evt.type = open and evt.type = close
  output: o
  priority: INFO
`

func files(name, text string) []rule.File {
	return []rule.File{{Name: name, Content: []byte(text)}}
}

func want(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("got\n%s\nwant in it\n%s", got, p)
		}
	}
}

func TestCheck(t *testing.T) {
	var b bytes.Buffer
	ok, err := Check(Output{W: &b}, files("r.yaml", goodRules))
	if err != nil || !ok {
		t.Fatal(ok, err, b.String())
	}
	want(t, b.String(), "1 file, 2 rules, 2 macros, 1 list: ok", "LOAD_UNUSED_MACRO", "macro idle", "EYRIE_NEVER_FIRES", "LOAD_NO_EVTTYPE")

	b.Reset()
	bad := "- rule: R\n  desc: d\n  condition: >\n    evt.type = openat and\n    proc.nmae = cat\n  output: o\n  priority: INFO\n"
	ok, err = Check(Output{W: &b}, files("r.yaml", bad))
	if err != nil || ok {
		t.Fatal(ok, err)
	}
	want(t, b.String(), "r.yaml:5:5: rule R, condition: filter_check called with nonexistent field proc.nmae: did you mean proc.name?: error (LOAD_ERR_COMPILE_CONDITION)",
		"        proc.nmae = cat\n        ^", "not usable")

	b.Reset()
	if _, err := Check(Output{W: &b, JSON: true}, files("r.yaml", bad)); err != nil || !json.Valid(b.Bytes()) {
		t.Errorf("%v: %s", err, b.String())
	}
}

func TestCheckPointsIntoMacrosAndLists(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"macro", "- macro: m\n  condition: proc.nam = a\n- rule: R\n  desc: d\n  condition: evt.type = openat and m\n  output: o\n  priority: INFO\n", "r.yaml:2:14: macro m, condition:"},
		{"after a list", "- list: l\n  items: [a, b, c]\n- rule: R\n  desc: d\n  condition: proc.name in (l) and proc.nam = a\n  output: o\n  priority: INFO\n", "r.yaml:5:35: rule R, condition:"},
		{"output", "- rule: R\n  desc: d\n  condition: evt.type = openat\n  output: a %fd.name b %fd.nme\n  priority: INFO\n", "r.yaml:4:25: rule R, output:"},
		{"appended", "- rule: R\n  desc: d\n  condition: evt.type = openat\n  output: o\n  priority: INFO\n- rule: R\n  condition: and fd.nme = x\n  override: {condition: append}\n", "r.yaml:7:18: rule R, condition:"},
		{"quoted", "- rule: R\n  desc: d\n  condition: 'proc.name = \"it''s\" and proc.nam = a'\n  output: o\n  priority: INFO\n", "r.yaml:3:39: rule R, condition:"},
		{"with exceptions", "- rule: R\n  desc: d\n  condition: proc.nam = a\n  output: o\n  priority: INFO\n  exceptions: [{name: e, fields: proc.name, values: [a]}]\n", "r.yaml:3:14: rule R, condition:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			if ok, err := Check(Output{W: &b}, files("r.yaml", tc.text)); err != nil || ok {
				t.Fatal(ok, err)
			}
			want(t, b.String(), tc.want)
		})
	}
}

func TestListExplainFields(t *testing.T) {
	var b bytes.Buffer
	if err := List(Output{W: &b}, files("r.yaml", goodRules)); err != nil {
		t.Fatal(err)
	}
	want(t, b.String(), "Warning       Shell opens", "2 rules")
	b.Reset()
	if err := Explain(Output{W: &b}, files("r.yaml", goodRules), "Shell opens"); err != nil {
		t.Fatal(err)
	}
	want(t, b.String(), "all of", "any of", "proc.name in (bash, sh)", "not fd.name startswith /tmp", "event types: open, openat", "fields: evt.type, fd.name, proc.name, proc.pname", "macros: opened", "cost: 4 checks")
	if err := Explain(Output{W: &b}, files("r.yaml", goodRules), "Shell open"); err == nil || !strings.Contains(err.Error(), `did you mean "Shell opens"?`) {
		t.Errorf("got %v", err)
	}
	b.Reset()
	if err := Fields(Output{W: &b}, "proc"); err != nil {
		t.Fatal(err)
	}
	want(t, b.String(), "proc.aname [N], optional", "proc.cmdline")
	if strings.Contains(b.String(), "fd.name") {
		t.Error("fields of another class")
	}
	if err := Fields(Output{W: &b}, "nope"); err == nil {
		t.Error("an unknown class is accepted")
	}
}

func TestJSON(t *testing.T) {
	f := files("r.yaml", goodRules)
	for name, run := range map[string]func(Output) error{
		"list":    func(o Output) error { return List(o, f) },
		"explain": func(o Output) error { return Explain(o, f, "Off") },
		"fields":  func(o Output) error { return Fields(o, "") },
		"diff":    func(o Output) error { _, err := Diff(o, f, f, nil, nil); return err },
	} {
		var b bytes.Buffer
		if err := run(Output{W: &b, JSON: true}); err != nil || !json.Valid(b.Bytes()) {
			t.Errorf("%s: %v: %s", name, err, b.String())
		}
	}
}

func TestTestAndDiff(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("r.yaml", goodRules)
	write("a.test", "load r.yaml\nevent openat proc.name=bash fd.name=/etc/x\nalert Shell opens\nevent openat proc.name=bash fd.name=/tmp/x\nnone\n")
	var b bytes.Buffer
	told := 0
	ok, err := Test(Output{W: &b}, []string{dir}, func(done, total int) { told = done })
	if err != nil || !ok || told != 1 {
		t.Fatal(ok, err, told, b.String())
	}
	want(t, b.String(), "1 scripts, 2 events, 2 checks, 0 failures; 1 of 2 rules fired, never: Off")
	write("b.test", "load r.yaml\nevent openat proc.name=bash fd.name=/etc/x\nnone\n")
	b.Reset()
	if ok, err := Test(Output{W: &b}, []string{dir}, nil); err != nil || ok {
		t.Error("a failing test passes", err)
	}
	want(t, b.String(), "b.test:2: got alerts")

	b.Reset()
	changed := strings.Replace(goodRules, "startswith /tmp", "startswith /var", 1) + "- rule: New\n  desc: d\n  condition: evt.type = close\n  output: o\n  priority: INFO\n"
	events := "# events\nopenat proc.name=bash fd.name=/tmp/x\nopenat proc.name=bash fd.name=/etc/x\nclose\n"
	same, err := Diff(Output{W: &b}, files("old", goodRules), files("new", changed), strings.NewReader(events), nil)
	if err != nil || same {
		t.Fatal(same, err)
	}
	want(t, b.String(), "+ rule New", "~ rule Shell opens: condition", "event in line 2", "    + Shell opens", "1 rules added, 0 removed, 1 changed; 2 of 3 events fire differently")
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"b.yaml", "a.yml", "c.txt"} {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("[]"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadFiles([]string{dir})
	if err != nil || len(got) != 2 || filepath.Base(got[0].Name) != "a.yml" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := ReadFiles([]string{filepath.Join(dir, "none")}); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestTerminalIsNotObeyed(t *testing.T) {
	if got := safe("a\x1b[2Jb\nc"); got != "a\\x1b[2Jb\nc" {
		t.Errorf("got %q", got)
	}
}

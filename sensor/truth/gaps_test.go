package truth

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// TestGaps runs a program of ours that makes calls which no recorded program makes. What is expected is by Falco's
// conventions, in testdata/tp_gaps.txt: a line an event, with ids and numbers of this run masked.
func TestGaps(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the sensor")
	}
	need(t, os.Geteuid() == 0, "the sensor needs root")
	need(t, have("gcc"), "building the program needs gcc and libc6-dev (Debian packages)")
	dir := t.TempDir()
	program := filepath.Join(dir, "tp_gaps")
	if out, err := exec.Command("gcc", "-O1", "-static", "-w", "-o", program, "testdata/tp_gaps.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, d := range []string{"w", "w/d"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/w/f", []byte("hello world\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := watch(ctx, t, testshared.Path(t, "falco/truth"))
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = dir + "/w"
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range w.stop() {
		if e.Fields["proc.exepath"] == program && !gapSkips[e.Type()] {
			line := e.Type() + " " + e.Fields["evt.args"]
			for _, k := range []string{"fs.path.name", "fs.path.source", "fs.path.target", "evt.abspath"} {
				if v, ok := e.Fields[k]; ok {
					line += " " + k + "=" + v
				}
			}
			got = append(got, gapMask(line, dir))
		}
	}
	const golden = "testdata/tp_gaps.txt"
	text := strings.Join(got, "\n") + "\n"
	if os.Getenv("EYRIE_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n")); diff != "" {
		t.Errorf("events are not as expected (-want +got):\n%s", diff)
	}
}

// gapSkips are event types full of numbers of this run, or whose order is not fixed.
var gapSkips = set("execve", "procexit", "fork", "signaldeliver", "pause", "exit")

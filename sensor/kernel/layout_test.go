package kernel

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/eyrie-sec/eyrie/sensor/bpf"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// TestLayouts compares the Go structs that records are read by with the BTF of the object that writes them.
func TestLayouts(t *testing.T) {
	spec, err := bpf.LoadSensor()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"record": bpf.SensorRecord{}, "taskinfo": bpf.SensorTaskinfo{}, "part": bpf.SensorPart{}, "fileinfo": bpf.SensorFileinfo{},
		"sockinfo": bpf.SensorSockinfo{}, "call": bpf.SensorCall{}, "gate": bpf.SensorGate{}, "kinds": bpf.SensorKinds{}, "counts": bpf.SensorCounts{},
	} {
		var c *btf.Struct
		if err := spec.Types.TypeByName(name, &c); err != nil {
			t.Errorf("struct %s: %v", name, err)
			continue
		}
		g := reflect.TypeOf(value)
		if got, want := g.Size(), uintptr(c.Size); got != want {
			t.Errorf("struct %s has %d bytes in Go and %d in C", name, got, want)
		}
		for _, m := range c.Members {
			goName := strings.ReplaceAll(strings.ToUpper(m.Name[:1])+m.Name[1:], "_", " ")
			words := strings.Fields(goName)
			for i := range words {
				words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
			}
			f, ok := g.FieldByName(strings.Join(words, ""))
			if !ok {
				t.Errorf("struct %s: Go has no member for %s", name, m.Name)
			} else if f.Offset != uintptr(m.Offset.Bytes()) {
				t.Errorf("struct %s: %s is at %d in Go and at %d in C", name, m.Name, f.Offset, m.Offset.Bytes())
			}
		}
	}
}

// enumOf reads the names of an enum out of C.
func enumOf(t *testing.T, file, enum string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "bpf", file))
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?s)enum ` + enum + ` \{(.*?)\}`).FindSubmatch(text)
	if body == nil {
		t.Fatalf("%s has no enum %s", file, enum)
	}
	var out []string
	for line := range strings.Lines(string(body[1])) {
		line, _, _ = strings.Cut(line, "//")
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
			if word != "=" && word != "1" {
				out = append(out, word)
			}
		}
	}
	return out
}

func TestNumbersAgree(t *testing.T) {
	parts := []raw.PartKind{
		raw.Path, raw.Dir, raw.Cwd, raw.File, raw.Socket, raw.Sockaddr, raw.Bytes, raw.Argv, raw.Env, raw.Exe, raw.String,
		raw.Struct, raw.Fd, raw.Cgroup, raw.Root, raw.Control,
	}
	names := enumOf(t, "record.h", "part_kind")
	if len(names) != len(parts) {
		t.Fatalf("C has %d kinds of parts, Go %d", len(names), len(parts))
	}
	for i, p := range parts {
		if int(p) != i+1 {
			t.Errorf("%s is %d in C and %d in Go", names[i], i+1, p)
		}
	}
	ops := enumOf(t, "capture.h", "op")
	words := make([]string, len(ops))
	for word, op := range operations {
		if int(op) >= len(words) {
			t.Fatalf("operation %q is %d; C has %d", word, op, len(ops))
		}
		words[op] = word
	}
	special := map[string]string{"NONE": "-", "STRUCT": "in", "STRUCT_OUT": "out"}
	for i, name := range ops {
		name = strings.TrimPrefix(name, "OP_")
		want, ok := special[name]
		if !ok {
			want = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		}
		if words[i] != want {
			t.Errorf("operation %d is %s in C and %q in Go", i, name, words[i])
		}
	}
}

// sumFile says from which sources the committed objects were made.
const sumFile = "../bpf/sources.sum"

func sourcesSum(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("../bpf/*.[ch]")
	if err != nil || len(names) < 5 {
		t.Fatalf("sources of the programs: %q, %v", names, err)
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range append(names, "../bpf/bpf.go") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(name), len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil)) + "\n"
}

// TestObjectsAreCurrent fails when the C was changed and the objects were not made again (make generate). With -update,
// as make generate runs it, it notes what they were made of.
func TestObjectsAreCurrent(t *testing.T) {
	want := sourcesSum(t)
	if *update {
		if err := os.WriteFile(sumFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(sumFile)
	if err != nil || string(got) != want {
		t.Errorf("the sources in sensor/bpf are not those that the committed objects were made of (%v); run make generate", err)
	}
}

// TestObjectsAreWhatClangMakes compiles the C again and compares the instructions with the committed ones.
func TestObjectsAreWhatClangMakes(t *testing.T) {
	version, err := exec.Command("clang", "--version").Output()
	if err != nil {
		if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
			t.Fatalf("clang: %v", err)
		}
		t.Skip("needs clang (Debian package clang; EYRIE_REQUIRE_ALL=1 makes this a failure)")
	}
	committed, err := bpf.LoadSensor()
	if err != nil {
		t.Fatal(err)
	}
	again := compile(t)
	for name, p := range committed.Programs {
		q := again.Programs[name]
		if q == nil {
			t.Errorf("clang makes no program %s", name)
			continue
		}
		if got, want := plain(q.Instructions), plain(p.Instructions); got != want {
			t.Errorf("%s: clang makes other instructions than the committed ones; run make generate with the clang of Debian 12 (here: %.40s)", name, version)
		}
	}
}

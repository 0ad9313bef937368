package kernel

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

var update = flag.Bool("update", false, "note what the committed objects were made of")

// compile makes the object of this architecture with the flags that bpf.go gives to bpf2go.
func compile(t *testing.T) *ebpf.CollectionSpec {
	t.Helper()
	text, err := os.ReadFile("../bpf/bpf.go")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`-cflags "([^"]*)"`).FindSubmatch(text)
	if flags == nil {
		t.Fatal("bpf.go has no -cflags")
	}
	arch := map[string]string{"amd64": "x86", "arm64": "arm64"}[runtime.GOARCH]
	object := filepath.Join(t.TempDir(), "sensor.o")
	args := append(strings.Fields(string(flags[1])), "-target", "bpfel", "-D__TARGET_ARCH_"+arch, "-c", "../bpf/sensor.c", "-o", object)
	if out, err := exec.Command("clang", args...).CombinedOutput(); err != nil {
		t.Fatalf("clang %q: %v\n%s", args, err, out)
	}
	spec, err := ebpf.LoadCollectionSpec(object)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// plain is a program without what depends on the machine it was compiled on: lines of the source.
func plain(list asm.Instructions) string {
	var b strings.Builder
	for _, in := range list {
		fmt.Fprintln(&b, in.OpCode, in.Dst, in.Src, in.Offset, in.Constant, in.Reference(), in.Symbol())
	}
	return b.String()
}

package raw

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTables compares the tables with the constants of golang.org/x/sys/unix.
func TestTables(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatalf("find the sources of golang.org/x/sys: %v", err)
	}
	line := regexp.MustCompile(`SYS_([A-Z0-9_]+)\s*=\s*(\d+)`)
	for arch, text := range map[string]string{"amd64": amd64Text, "arm64": arm64Text, "386": i386Text} {
		source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "unix", "zsysnum_linux_"+arch+".go"))
		if err != nil {
			t.Fatal(err)
		}
		ours := map[string]int32{}
		eachCall(text, func(nr int32, name string) {
			if arch != "386" || nr <= 500 {
				ours[name] = nr
			}
		})
		found := line.FindAllSubmatch(source, -1)
		if len(found) < 300 || len(found) != len(ours) {
			t.Errorf("%s: %d calls in the table, %d in golang.org/x/sys", arch, len(ours), len(found))
		}
		for _, m := range found {
			name := strings.ToLower(string(m[1]))
			if want, err := strconv.Atoi(string(m[2])); err != nil || int(ours[name]) != want {
				t.Errorf("%s: %s is %d in the table and %s in golang.org/x/sys (%v)", arch, name, ours[name], m[2], err)
			}
		}
	}
}

func TestCompat(t *testing.T) {
	for nr, want := range map[int32]string{
		5: "open", 11: "execve", 102: "socketcall", 195: "stat64", 140: "_llseek", 180: "pread64", 213: "setuid", 240: "futex",
		422: "futex", 503: "connect", 509: "send", 520: "sendmmsg", 192: "mmap2", 90: "mmap", 22: "umount", 52: "umount2", 407: "clock_nanosleep",
	} {
		got := amd64.names[amd64.compat[nr]]
		if got != want {
			t.Errorf("32-bit call %d is %q, want %q", nr, got, want)
		}
	}
	if got := amd64.compat[999]; got != -1 {
		t.Errorf("32-bit call 999 is %d, want -1", got)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"openat", "execve", "clone3", "renameat2"} {
		if nr, ok := Number(name); !ok || Name(nr) != name {
			t.Errorf("number of %s is %d (%v), and its name %q", name, nr, ok, Name(nr))
		}
	}
	for _, nr := range []int32{-1, MaxNr, 1023} {
		if got := Name(nr); got != "" {
			t.Errorf("call %d has the name %q, want none", nr, got)
		}
	}
}

func ExampleEvent_Part() {
	ev := Event{Parts: []Part{{Kind: Path, Arg: 1, Data: []byte("/etc/shadow")}}}
	fmt.Printf("%s\n", ev.Part(Path, 1).Data)
	// Output: /etc/shadow
}

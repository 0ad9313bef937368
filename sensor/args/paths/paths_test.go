package paths

import (
	"path"
	"strings"
	"testing"
)

func TestJoin(t *testing.T) {
	for _, c := range []struct{ base, name, want string }{
		{"/tmp/tp", "f", "/tmp/tp/f"},
		{"/tmp/tp/", "f", "/tmp/tp/f"},
		{"/", "f", "/f"},
		{"/tmp/tp", "nodir/../f", "/tmp/tp/f"},
		{"/tmp/tp", "../../etc/passwd", "/etc/passwd"},
		{"/tmp/tp", "../../../../x", "/x"},
		{"/tmp/tp", ".", "/tmp/tp"},
		{"/tmp/tp", "..", "/tmp"},
		{"/", "..", "/"},
		{"/tmp", "//etc//./passwd", "/etc/passwd"},
		{"/tmp", "/etc/passwd/", "/etc/passwd"},
		{"/tmp", "/", "/"},
		{"/tmp", "", ""},
		{"", "f", "f"},
		{"", "../f", "f"},
		{"/tmp", strings.Repeat("c", 1100), TooLong},
		{"/tmp", "/" + strings.Repeat("c", 1100), "/" + strings.Repeat("c", 1100)},
	} {
		if got := Join(c.base, c.name); got != c.want {
			t.Errorf("Join(%q, %q) = %q, want %q", c.base, c.name, got, c.want)
		}
		if got := string(Append([]byte("x"), c.base, c.name)); got != "x"+c.want {
			t.Errorf("Append(x, %q, %q) = %q, want %q", c.base, c.name, got, "x"+c.want)
		}
	}
}

func TestJoinCleanAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Join("/tmp", "/etc/shadow") }); n != 0 {
		t.Errorf("%v allocations for a name that needs no folding, want 0", n)
	}
}

func FuzzJoin(f *testing.F) {
	f.Add("/tmp/tp", "../x/./y//z")
	f.Add("/", "/a/b/../../..")
	f.Fuzz(func(t *testing.T, base, name string) {
		got := Join(base, name)
		if string(Append(nil, base, name)) != got {
			t.Fatalf("Append and Join differ for %q, %q", base, name)
		}
		if name == "" || !strings.HasPrefix(base, "/") || len(base)+len(name)+1 >= MaxLen {
			return
		}
		want := path.Join(base, name)
		if name[0] == '/' {
			want = path.Clean(name)
		}
		if got != want {
			t.Fatalf("Join(%q, %q) = %q, want %q", base, name, got, want)
		}
	})
}

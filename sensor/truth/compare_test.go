package truth

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// A recording equals itself, with other ids; one wrong field is found.
func TestCompare(t *testing.T) {
	shared := testshared.Path(t, "falco/truth")
	deterministic, err := ReadFields(filepath.Join(shared, "fields.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	c := &Comparer{Deterministic: deterministic, Env: "host"}
	files, err := os.ReadDir(filepath.Join(shared, "out/host"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recordings: %v", len(files), err)
	}
	for _, f := range files {
		rec, err := Read(filepath.Join(shared, "out/host", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if r := c.Compare(rec, rec.Events); r.Matched != r.Total || r.Total == 0 {
			t.Errorf("%s: %d of %d fields equal themselves: %v", rec.Program, r.Matched, r.Total, r.Diffs)
		}
	}
	rec, err := Read(filepath.Join(shared, "out/host/tp_read.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Read(filepath.Join(shared, "out/host/tp_read.jsonl"))
	again.Events[2].Fields["evt.arg.data"] = "other"
	delete(again.Events[3].Fields, "proc.cwd")
	r := c.Compare(rec, again.Events)
	if len(r.Diffs) != 2 || r.Diffs[0].Field != "evt.arg.data" || r.Diffs[1].Ours != Missing || r.Total-r.Matched != 2 {
		t.Errorf("two wrong fields: got %+v", r)
	}
	if r := c.Compare(rec, rec.Events[1:]); len(r.Diffs) != 1 || r.Diffs[0].Field != "the whole event" || r.Matched == r.Total {
		t.Errorf("a missing event: got %+v", r.Diffs)
	}
}

func TestEqual(t *testing.T) {
	p := &pairing{c: &Comparer{}, ids: map[string]map[string]string{}}
	for _, c := range []struct {
		typ, name, a, b string
		want            bool
	}{
		{"open", "fd.name", "/tmp/tp/f", "/tmp/tp/f", true},
		{"open", "fd.name", "/tmp/tp/f", "/tmp/tp/g", false},
		{"connect", "fd.name", "127.0.0.1:56968->127.0.0.1:45109", "127.0.0.1:41234->127.0.0.1:45109", true},
		{"connect", "fd.name", "127.0.0.1:56968->127.0.0.1:45109", "127.0.0.1:41234->127.0.0.1:45110", false},
		{"connect", "fd.name", "ffff888156bc4d80->ffff888156bc5b00 x", "ffff88800abc4d80->ffff888156000000 x", true},
		{"open", "proc.pid", "8072", "4711", true},
		{"open", "proc.pid", "8072", "4712", false},
		{"kill", "evt.args", "res=0 pid=8103(tp_a) sig=9(SIGKILL)", "res=0 pid=911(tp_a) sig=9(SIGKILL)", true},
		{"kill", "evt.args", "res=0 pid=8103(tp_a) sig=9(SIGKILL)", "res=0 pid=911(tp_b) sig=9(SIGKILL)", false},
		{"kill", "evt.args", "res=0 pid=8103(tp_a) sig=9(SIGKILL)", "res=0 pid=911(tp_a) sig=15(SIGTERM)", false},
		{"open", "evt.args", "fd=3(<f>/f) name=f(/f) flags=1(O_RDONLY) mode=0 dev=FE00 ino=9", "fd=3(<f>/f) name=f(/f) flags=1(O_RDONLY) mode=0 dev=28 ino=77", true},
		{"open", "evt.args", "fd=3(<f>/f) name=f(/f) flags=1(O_RDONLY) mode=0 dev=FE00 ino=9", "fd=4(<f>/f) name=f(/f) flags=1(O_RDONLY) mode=0 dev=28 ino=77", false},
	} {
		if got := p.equal(c.typ, c.name, c.a, c.b); got != c.want {
			t.Errorf("%s of %s: %q and %q equal: %v, want %v", c.name, c.typ, c.a, c.b, got, c.want)
		}
	}
}

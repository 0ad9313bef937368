package event

import (
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/rule/field"
)

func TestParseAppend(t *testing.T) {
	text := `openat evt.time=1795226862275986838 evt.num=7 evt.arg.name=/x evt.arg.flags="O_RDONLY|O_CLOEXEC x" evt.rawarg.flags=4097 proc.name="a b" proc.aname=[cat "b c"] proc.pid=-1 proc.is_exe_writable=true fd.name="" fd.sip=10.0.0.1`
	e := &Event{}
	if err := Parse(text, e); err != nil {
		t.Fatal(err)
	}
	out := string(Append(nil, e))
	again := &Event{}
	if err := Parse(out, again); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if twice := string(Append(nil, again)); twice != out {
		t.Errorf("got %s, want %s", twice, out)
	}
	for _, part := range []string{`proc.aname=[cat "b c"]`, "fd.sip=10.0.0.1", `evt.rawarg.flags=4097`, `fd.name=""`} {
		if !strings.Contains(out, part) {
			t.Errorf("%s is missing in %s", part, out)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "unknown event type"},
		{"opena", "did you mean openat?"},
		{"open fd.nam=/x", "did you mean fd.name?"},
		{"open fd.name", "expected NAME=VALUE"},
		{"open proc.pid=x", "proc.pid"},
		{"open evt.arg.nope=1", "no such parameter"},
		{"open proc.aname=[a", "does not end"},
		{"open proc.name=[a]", "takes no list"},
		{`open proc.name="a`, "does not end"},
		{"open fd.ip=1.2.3.4", "set fd.cip"},
	} {
		err := Parse(tc.text, &Event{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", tc.text, err, tc.want)
		}
	}
}

func TestResetForgets(t *testing.T) {
	e := &Event{}
	if err := Parse("openat fd.name=/x proc.aname=[a b] proc.args=x fd.sip=1.2.3.4 evt.arg.name=n proc.pid=3", e); err != nil {
		t.Fatal(err)
	}
	e.Reset(e.Type)
	if got := string(Append(nil, e)); got != "openat" {
		t.Errorf("got %s", got)
	}
	if e.Has(field.FDName) || e.HasList(field.ProcAname) || e.Arg(2).Set {
		t.Error("a value is left")
	}
}

func TestResolveIsAskedOnce(t *testing.T) {
	asked := map[field.ID]int{}
	e := &Event{}
	e.Resolve = func(e *Event, id field.ID) {
		asked[id]++
		if id == field.ProcAname {
			e.SetList(id, []string{"cat", "bash"})
		}
	}
	typ, _ := field.EventByName("openat")
	e.Reset(typ)
	for range 2 {
		if _, ok := e.Text(field.ProcPname); !ok {
			t.Error("proc.pname does not follow from the ancestors")
		}
		if _, ok := e.Text(field.FDName); ok {
			t.Error("fd.name has a value")
		}
	}
	for id, n := range asked {
		if n != 1 {
			t.Errorf("%s asked %d times", id, n)
		}
	}
	e.Reset(typ)
	e.Text(field.FDName)
	if asked[field.FDName] != 2 {
		t.Error("the next event is not asked for")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`openat fd.name="/x y" proc.aname=[a "b" c] proc.pid=3 fd.sip=::1`)
	f.Fuzz(func(t *testing.T, text string) {
		e := &Event{}
		if Parse(text, e) != nil {
			return
		}
		out := string(Append(nil, e))
		if err := Parse(out, &Event{}); err != nil {
			t.Errorf("%q was written as %q: %v", text, out, err)
		}
	})
}

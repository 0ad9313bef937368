package event

import (
	"testing"
	"unsafe"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// TestCopyTo copies an event whose values live in memory that is overwritten afterwards, some of them resolved late.
func TestCopyTo(t *testing.T) {
	mem := []byte("/etc/shadow|cat|bash|O_RDONLY|root")
	s := func(from, to int) string { return unsafe.String(&mem[from], to-from) }
	openat, ok := field.EventByName("openat")
	if !ok {
		t.Fatal("no event type openat")
	}
	asked := map[field.ID]int{}
	var e, c Event
	e.Resolve = func(e *Event, id field.ID) {
		asked[id]++
		switch id {
		case field.ProcAname:
			e.SetList(id, []string{s(12, 15), s(16, 20)})
		case field.UserName:
			e.SetText(id, s(30, 34))
		}
	}
	e.ResolveArg = func(e *Event, i int) {
		if i == 2 {
			e.SetArg(i, s(0, 4))
		}
	}
	e.Reset(openat)
	e.Num, e.Time = 7, 9
	e.SetText(field.FDName, s(0, 11))
	e.SetNum(field.ProcPID, 42)
	e.SetArgNum(0, s(21, 29), 1)
	e.CopyTo(&c)
	for i := range mem {
		mem[i] = 'x'
	}
	e.Reset(openat)
	name, _ := c.Text(field.FDName)
	user, _ := c.Text(field.UserName)
	list, _ := c.List(field.ProcAname)
	pid, _ := c.Number(field.ProcPID)
	if name != "/etc/shadow" || user != "root" || len(list) != 2 || list[0] != "cat" || list[1] != "bash" || pid != 42 || c.Num != 7 || c.Time != 9 || c.Type != openat {
		t.Errorf("copy has %q %q %q %d %d %d %v", name, user, list, pid, c.Num, c.Time, c.Type)
	}
	if a := c.Arg(0); a.Text != "O_RDONLY" || a.Num != 1 || !a.HasNum {
		t.Errorf("argument %+v", a)
	}
	if a := c.Arg(2); a.Text != "/etc" || !a.Set {
		t.Errorf("late argument %+v", a)
	}
	if _, ok := c.Text(field.ProcExe); ok {
		t.Error("the copy has a value that the event never had")
	}
	for id, n := range asked {
		if n != 1 {
			t.Errorf("field %d was resolved %d times", id, n)
		}
	}
}

package procs

import (
	"slices"
	"testing"

	"github.com/eyrie-sec/eyrie/sensor/raw"
	"pgregory.net/rapid"
)

// TestAgainstAModel has machines live at random, with events lost at random, and compares the table with what is true:
// the tasks themselves. Whoever has an event is known with its parent; the whole chain is right where no fork was lost.
func TestAgainstAModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{})
		losses := rapid.Bool().Draw(r, "losses")
		names := map[int32]string{1: "init"}
		alive := []int32{1}
		next := int32(2)
		lost := false
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			pid := rapid.SampledFrom(alive).Draw(r, "pid")
			drop := losses && rapid.IntRange(0, 4).Draw(r, "drop") == 0
			switch what := rapid.IntRange(0, 4).Draw(r, "what"); {
			case what == 0:
				child := next
				next++
				if rapid.IntRange(0, 3).Draw(r, "reuse") == 0 && next > 4 {
					if old := rapid.Int32Range(2, next-1).Draw(r, "old"); !slices.Contains(alive, old) {
						child = old
					}
				}
				lost = lost || drop
				w.forkOrLose(pid, child, drop)
				names[child] = w.tasks[child].Comm
				alive = append(alive, child)
			case what == 1:
				name := string(rune('a' + rapid.IntRange(0, 25).Draw(r, "name")))
				if drop {
					w.tasks[pid].Comm = name
					lost = true
				} else {
					w.exec(pid, name)
				}
				names[pid] = name
			case what == 2 && pid != 1 && len(alive) > 1:
				lost = lost || drop
				w.exitOrLose(pid, drop)
				alive = slices.DeleteFunc(alive, func(a int32) bool { return a == pid })
			default:
				p := w.call(pid)
				if p.PID != pid || p.Start != w.tasks[pid].Start {
					t.Fatalf("an event of %d is given to %d", pid, p.PID)
				}
				check(t, w, p, names, lost)
			}
		}
	})
}

func check(t *testing.T, w *world, p *Proc, names map[int32]string, lost bool) {
	t.Helper()
	if p.PPID != w.tasks[p.PID].PPID {
		t.Fatalf("the parent of %d is %d, want %d", p.PID, p.PPID, w.tasks[p.PID].PPID)
	}
	if lost {
		return
	}
	if p.Name != names[p.PID] {
		t.Fatalf("%d is called %s, want %s", p.PID, p.Name, names[p.PID])
	}
	var want []int32
	for pid := w.tasks[p.PID].PPID; pid != 0; pid = w.tasks[pid].PPID {
		want = append(want, pid)
	}
	var got []int32
	for _, a := range w.table.Ancestors(nil, p, w.now) {
		got = append(got, a.PID)
		if a.Name != names[a.PID] {
			t.Fatalf("ancestor %d of %d is called %s, want %s", a.PID, p.PID, a.Name, names[a.PID])
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the ancestors of %d are %v, want %v", p.PID, got, want)
	}
}

func (w *world) forkOrLose(pid, child int32, lose bool) {
	if !lose {
		w.fork(pid, child)
		return
	}
	table := w.table
	w.table = New(Config{})
	w.fork(pid, child)
	w.table = table
}

func (w *world) exitOrLose(pid int32, lose bool) {
	if !lose {
		w.exit(pid, 0, 1)
		return
	}
	table := w.table
	w.table = New(Config{})
	w.exit(pid, 0, 1)
	w.table = table
}

// TestTreeIsConsistent: whatever happens, links between processes go both ways and nothing is lost or kept twice.
func TestTreeIsConsistent(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{MaxProcesses: rapid.IntRange(2, 8).Draw(r, "room")})
		for range rapid.IntRange(1, 80).Draw(r, "steps") {
			w.now += int64(rapid.IntRange(0, 3).Draw(r, "seconds")) * 1e9
			k := raw.Task{PID: rapid.Int32Range(1, 6).Draw(r, "pid"), PPID: rapid.Int32Range(0, 6).Draw(r, "ppid"),
				Start: uint64(rapid.IntRange(1, 2).Draw(r, "start")), VPID: rapid.Int32Range(1, 2).Draw(r, "vpid"), PIDNS: 3}
			k.TID = k.PID
			e := raw.Event{Kind: rapid.SampledFrom([]raw.Kind{raw.Syscall, raw.Fork, raw.Exec, raw.Exit}).Draw(r, "kind"), Time: w.now, Task: k}
			e.OtherPID = rapid.Int32Range(0, 6).Draw(r, "other")
			e.Regs[1] = uint64(rapid.IntRange(0, 6).Draw(r, "reaper"))
			w.table.Apply(&e)
			consistent(t, w.table)
		}
	})
}

func consistent(t *testing.T, table *Table) {
	t.Helper()
	if len(table.byPID) != len(table.slots) || len(table.slots) > table.cfg.MaxProcesses {
		t.Fatalf("%d processes by id and %d slots of %d", len(table.byPID), len(table.slots), table.cfg.MaxProcesses)
	}
	for n, p := range table.slots {
		if int(p.slot) != n || table.byPID[p.PID] != p {
			t.Fatalf("process %d is not where it should be", p.PID)
		}
		if p.parent != nil && p.parent.slot < 0 {
			t.Fatalf("the parent of %d has been taken out", p.PID)
		}
		seen := map[*Proc]bool{}
		for c := p.child; c != nil; c = c.next {
			if c.parent != p || seen[c] || c.next != nil && c.next.prev != c {
				t.Fatalf("the children of %d are not linked well", p.PID)
			}
			seen[c] = true
		}
	}
}

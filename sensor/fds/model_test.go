package fds

import (
	"fmt"
	"testing"

	"github.com/eyrie-sec/eyrie/sensor/abi"
	"pgregory.net/rapid"

	"github.com/eyrie-sec/eyrie/sensor/raw"
)

// file of the model: a name, and whether exec closes it.
type modelFile struct {
	name    string
	cloexec bool
}

// TestAgainstAModel has processes open, close, duplicate, fork, share and exec at random, and compares what is
// remembered with plain maps.
func TestAgainstAModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{})
		model := map[int32]map[int32]modelFile{7: {}}
		pids := []int32{7}
		w.call("read", 0, []uint64{100})
		for step := range rapid.IntRange(1, 60).Draw(r, "steps") {
			w.pid = rapid.SampledFrom(pids).Draw(r, "pid")
			files := model[w.pid]
			num, to := rapid.Int32Range(0, 5).Draw(r, "num"), rapid.Int32Range(0, 5).Draw(r, "to")
			cloexec := rapid.Bool().Draw(r, "cloexec")
			switch rapid.IntRange(0, 6).Draw(r, "what") {
			case 0, 1:
				name, flags := fmt.Sprint("/f", step), uint64(0)
				if cloexec {
					flags = abi.O_CLOEXEC
				}
				w.call("openat", int64(num), []uint64{neg(100), 0, flags}, pathPart(1, name))
				files[num] = modelFile{name, cloexec}
			case 2:
				w.call("close", 0, []uint64{uint64(num)})
				delete(files, num)
			case 3:
				if f, ok := files[num]; ok && num != to {
					flags := uint64(0)
					if cloexec {
						flags = abi.O_CLOEXEC
					}
					w.call("dup3", int64(to), []uint64{uint64(num), uint64(to), flags})
					files[to] = modelFile{f.name, cloexec}
				}
			case 4:
				w.event(raw.Exec, "", 0, nil)
				kept := map[int32]modelFile{}
				for num, f := range files {
					if !f.cloexec {
						kept[num] = f
					}
				}
				model[w.pid] = kept
			case 5:
				child := int32(len(model)) + 7
				pids = append(pids, child)
				model[child] = w.forkOf(child, files, rapid.Bool().Draw(r, "share"))
			}
			w.call("read", 0, []uint64{100}) // what was to close is closed now
			w.compare(model)
		}
	})
}

func (w *world) forkOf(child int32, files map[int32]modelFile, share bool) map[int32]modelFile {
	parent, flags := w.pid, uint64(0)
	if share {
		flags = abi.CLONE_FILES
	}
	w.pid, w.parent = child, parent
	w.event(raw.Fork, "", 0, []uint64{flags})
	if share {
		return files
	}
	c := map[int32]modelFile{}
	for num, f := range files {
		c[num] = f
	}
	return c
}

func (w *world) compare(model map[int32]map[int32]modelFile) {
	w.t.Helper()
	sets := map[*set]bool{}
	for pid, files := range model {
		p := w.procs.Get(pid, 0)
		if p == nil {
			w.t.Fatalf("process %d is not known", pid)
		}
		n := 0
		if s := own(p); s != nil {
			sets[s], n = true, len(s.m)
		}
		if n != len(files) {
			w.t.Fatalf("%d descriptors of %d are remembered, want %d", n, pid, len(files))
		}
		for num, f := range files {
			if got := get(p, num); got == nil || got.Name != f.name || got.cloexec != f.cloexec {
				w.t.Fatalf("descriptor %d of %d is %+v, want %+v", num, pid, got, f)
			}
		}
	}
	count, bytes := 0, 0
	for s := range sets {
		count += len(s.m)
		for _, f := range s.m {
			bytes += f.size()
		}
	}
	if int(w.table.count.Load()) != count || w.table.bytes != bytes {
		w.t.Fatalf("%d descriptors with %d bytes are counted, there are %d with %d", w.table.count.Load(), w.table.bytes, count, bytes)
	}
}

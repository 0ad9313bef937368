package procs

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/eyrie-sec/eyrie/sensor/raw"
)

func benchWorld(b *testing.B, n int32) *world {
	w := &world{table: New(Config{}), tasks: map[int32]*raw.Task{}}
	w.tasks[1] = &raw.Task{TID: 1, PID: 1, VTID: 1, VPID: 1, Start: 1, Comm: "init", Threads: 1}
	w.table.Apply(w.event(raw.Syscall, 1))
	for pid := int32(2); pid <= n; pid++ {
		w.fork(1, pid)
		w.exec(pid, "prog", "-a", fmt.Sprint(pid))
	}
	return w
}

// BenchmarkApply is a system call of one of several processes in turn.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int32{2, 1000, 100000} {
		b.Run(fmt.Sprint("processes=", n), func(b *testing.B) {
			w := benchWorld(b, n)
			cwd := []raw.Part{{Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte("/home")}}
			events := make([]*raw.Event, min(n, 1000))
			for i := range events {
				events[i] = w.event(raw.Syscall, int32(i)+1)
				events[i].Parts = cwd
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.table.Apply(events[i%len(events)])
			}
		})
	}
}

// BenchmarkLife is fork, exec and exit of a short-lived process.
func BenchmarkLife(b *testing.B) {
	w := benchWorld(b, 100)
	b.ReportAllocs()
	for i := int32(0); b.Loop(); i++ {
		pid := 1000 + i%30000
		w.fork(5, pid)
		w.exec(pid, "true", "-x")
		w.exit(pid, 0, 1)
	}
}

// BenchmarkSeed reads this machine's /proc again and again until there are 100,000 processes.
func BenchmarkSeed(b *testing.B) {
	for b.Loop() {
		table := New(Config{})
		pids, err := table.list()
		if err != nil {
			b.Skip("no procfs: ", err)
		}
		reader := newReader("/proc")
		for n := 0; n < 100000; n++ {
			reader.read(pids[n%len(pids)])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/100000, "µs/process")
}

// BenchmarkTakeOver is what the first event after Seed waits for, where none came meanwhile.
func BenchmarkTakeOver(b *testing.B) {
	const n = 100000
	r := &raw.Event{Kind: raw.Syscall, Task: raw.Task{TID: 1, PID: 1, Start: 1e7}}
	for b.Loop() {
		b.StopTimer()
		table := New(Config{})
		for pid := int32(1); pid <= n; pid++ {
			rec := &record{pid: pid, name: "prog", exe: "prog", exePath: "/bin/prog", cwd: "/", args: fmt.Sprint(pid, "\x00"), env: "A=1\x00"}
			rec.start = uint64(pid) * nsPerTick
			table.inbox = append(table.inbox, rec)
		}
		table.ready.Store(true)
		b.StartTimer()
		table.Apply(r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/process")
}

// BenchmarkMemory says what a process costs.
func BenchmarkMemory(b *testing.B) {
	const n = 100000
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		w := benchWorld(b, n)
		table := w.table
		w.tasks = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/process")
		runtime.KeepAlive(table)
	}
}

// TestNoAllocations: an event of a known process allocates nothing.
func TestNoAllocations(t *testing.T) {
	w := newWorld(t, Config{})
	w.fork(1, 10)
	w.exec(10, "server")
	r := w.event(raw.Syscall, 10)
	r.Parts = []raw.Part{{Kind: raw.Cwd, Arg: raw.NoArg, Data: []byte("/home")}}
	if n := testing.AllocsPerRun(100, func() { w.table.Apply(r) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestSeedIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := New(Config{ProcFS: fakeProc(t, 2, "", "")}).Seed(ctx); err == nil {
		t.Error("Seed went on though its context was done")
	}
}

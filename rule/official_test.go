package rule

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// officialFiles are the rule files that Falco publishes, in the order in which they build on each other.
var officialFiles = []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"}

func official(t testing.TB, names ...string) []File {
	t.Helper()
	if len(names) == 0 {
		names = officialFiles
	}
	var files []File
	for _, n := range names {
		path := testshared.Path(t, filepath.Join("falco/rules", n))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: n, Content: b})
	}
	return files
}

func TestOfficialRulesLoad(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files []string
		rules int
	}{
		{"stable", officialFiles[:1], 25},
		{"incubating", officialFiles[1:2], 31},
		{"sandbox", officialFiles[2:], 37},
		{"together", officialFiles, 93},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set, report := Load(official(t, tc.files...), LoadOptions{})
			if err := report.Err(); err != nil {
				t.Fatal(err)
			}
			if len(set.Rules) != tc.rules {
				t.Errorf("got %d rules, want %d", len(set.Rules), tc.rules)
			}
			for _, w := range report.Warnings() {
				t.Log(w.String(), w.Code)
			}
		})
	}
}

// maxSetBytes is the memory that the 93 rules may take once they are compiled.
const maxSetBytes = 10 << 20

func TestMemoryOfCompiledSet(t *testing.T) {
	files := official(t)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	set, report := Load(files, LoadOptions{})
	enableAll(set)
	g := NewEngine(set, Config{})
	s := g.Session()
	t.Logf("%d bytes as loaded, %d nodes", int64(heap())-int64(before), g.prog.Nodes())
	for _, e := range mixEvents(t) {
		s.Match(e)
	}
	t.Logf("%d bytes after the events of the mix", int64(heap())-int64(before))
	g.Prepare()
	after := heap()
	t.Logf("%d bytes with everything compiled that events could ask for", int64(after)-int64(before))
	if after > before+maxSetBytes {
		t.Errorf("the compiled set takes %d bytes, want at most %d", after-before, maxSetBytes)
	}
	runtime.KeepAlive(set)
	runtime.KeepAlive(report)
	runtime.KeepAlive(s)
}

// enableAll switches the rules on that their authors left off, 12 of the 93.
func enableAll(set *Set) {
	for i := range set.Rules {
		set.Rules[i].Enabled = true
	}
}

// BenchmarkLoad loads rules up to an engine that evaluates events; prepared adds what the first events of every type
// and shape would otherwise compile on their way.
func BenchmarkLoad(b *testing.B) {
	files := official(b)
	for _, prepared := range []bool{false, true} {
		b.Run(fmt.Sprintf("rules=93/prepared=%t", prepared), func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime()
			for b.Loop() {
				set, _ := Load(files, LoadOptions{})
				enableAll(set)
				if g := NewEngine(set, Config{}); prepared {
					g.Prepare()
				}
			}
			b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N)/1e3, "cpu-ms/load")
		})
	}
}

// BenchmarkFirstEvents is what the first hundred events of an engine cost together, compiling included.
func BenchmarkFirstEvents(b *testing.B) {
	set, _ := Load(official(b), LoadOptions{})
	enableAll(set)
	events := mixEvents(b)
	for b.Loop() {
		s := NewEngine(set, Config{}).Session()
		for _, e := range events {
			s.Match(e)
		}
	}
}

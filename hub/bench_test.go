//go:build unix

package hub_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/hubtest"
	"github.com/eyrie-sec/eyrie/hub/sqlite"
)

// benchHub opens a hub on a SQLite file in dir.
func benchHub(b testing.TB, dir string) *hub.Hub {
	b.Helper()
	s, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(dir, "hub.db")})
	if err != nil {
		b.Fatal(err)
	}
	h, err := hub.Open(b.Context(), hub.Config{Account: "111122223333", Region: "us-west-2", SnapshotPath: filepath.Join(dir, "hub.index")}, s)
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// cpuTime is the processor time of this process: on a machine that does other things too it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkObserve measures one alert, committed: of findings that are known (repeats), and of a new finding each.
func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct{ batch, findings int }{{2000, 50}, {500, 50}, {2000, 0}, {500, 0}} {
		name := fmt.Sprintf("repeats/batch=%d/findings=%d", c.batch, c.findings)
		if c.findings == 0 {
			name = fmt.Sprintf("distinct/batch=%d", c.batch)
		}
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			h := benchHub(b, dir)
			defer h.Close()
			seq, cpu := int64(0), time.Duration(0)
			for done := 0; done < b.N; {
				b.StopTimer()
				n := min(c.batch, b.N-done)
				obs := make([]hub.Observation, n)
				for i := range obs {
					seq++
					shape := int(seq)
					if c.findings > 0 {
						shape %= c.findings
					}
					obs[i] = hubtest.Observation(seq, shape, hubtest.Epoch.Add(time.Duration(seq)*time.Millisecond))
				}
				b.StartTimer()
				cpu -= cpuTime()
				if err := h.Observe(b.Context(), "journal", seq, obs); err != nil {
					b.Fatal(err)
				}
				cpu += cpuTime()
				done += n
			}
			b.StopTimer()
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
			if c.findings == 0 {
				info, err := os.Stat(filepath.Join(dir, "hub.db"))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(info.Size())/float64(b.N), "file-B/finding")
				b.ReportMetric(float64(h.Stats().IndexBytes)/float64(b.N), "index-B/finding")
			}
		})
	}
}

// sizes of the benchmarks that need a filled hub. A million takes minutes to make, so it is asked for.
func sizes(b *testing.B) []int {
	if os.Getenv("EYRIE_BENCH_LARGE") == "" {
		b.Log("EYRIE_BENCH_LARGE=1 adds a million findings; EYRIE_BENCH_DIR keeps what was made")
		return []int{20_000}
	}
	return []int{20_000, 1_000_000}
}

func sizeName(n int) string {
	if n >= 1_000_000 {
		return fmt.Sprintf("findings=%dM", n/1_000_000)
	}
	return fmt.Sprintf("findings=%dk", n/1000)
}

// filled returns the directory of a hub with n findings, a tenth of them triaged, that was closed. It is made once.
func filled(b *testing.B, n int) string {
	b.Helper()
	root := os.Getenv("EYRIE_BENCH_DIR")
	if root == "" {
		root = filepath.Join(os.TempDir(), fmt.Sprintf("eyrie-bench-%d", os.Getpid()))
		benchDirs = append(benchDirs, root)
	}
	dir := filepath.Join(root, strconv.Itoa(n))
	if _, err := os.Stat(filepath.Join(dir, "hub.index")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	h := benchHub(b, dir)
	const batch = 5000
	for from := 0; from < n; from += batch {
		obs := make([]hub.Observation, 0, batch)
		for i := from; i < min(from+batch, n); i++ {
			obs = append(obs, hubtest.Observation(int64(i+1), i, hubtest.Epoch.Add(time.Duration(i)*time.Second)))
		}
		if err := h.Observe(b.Context(), "journal", int64(from+len(obs)), obs); err != nil {
			b.Fatal(err)
		}
		for i, status := range []string{"NOTIFIED", "RESOLVED", "SUPPRESSED"} {
			keys := make([]hub.Key, 0, len(obs)/30)
			for j := i; j < len(obs); j += 30 {
				keys = append(keys, hub.Key{ID: obs[j].Finding.ID, ProductArn: obs[j].Finding.ProductArn})
			}
			if _, _, err := h.Update(b.Context(), "bench", keys, hub.Update{Workflow: &status}); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := h.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

var benchDirs []string // made by this process; TestMain removes them

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range benchDirs {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// BenchmarkFind measures one page, documents included, and reports the 95th percentile beside the mean.
func BenchmarkFind(b *testing.B) {
	for _, n := range sizes(b) {
		h := benchHub(b, filled(b, n))
		b.Run(sizeName(n), func(b *testing.B) {
			for _, c := range findCases {
				b.Run("query="+c.name, func(b *testing.B) {
					var took []time.Duration
					for i := 0; b.Loop(); i++ {
						q := c.query(i)
						start := time.Now()
						page, err := h.Find(b.Context(), q)
						if err != nil {
							b.Fatal(err)
						}
						if len(page.Findings) == 0 != c.empty {
							b.Fatalf("%d findings of %d", len(page.Findings), page.Total)
						}
						took = append(took, time.Since(start))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)*95/100])/1e6, "p95-ms")
				})
			}
			b.Run("facets", func(b *testing.B) { benchFacets(b, h) })
		})
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func equals(value string) []asff.Condition {
	return []asff.Condition{{Comparison: asff.Equals, Value: value}}
}

func field(key, value string) []asff.Condition {
	return []asff.Condition{{Comparison: asff.Equals, Key: "eyrie/" + key, Value: value}}
}

var findCases = []struct {
	name  string
	empty bool
	query func(i int) hub.Query
}{
	{"newest", false, func(int) hub.Query { return hub.Query{} }},
	{"three_attributes", false, func(i int) hub.Query {
		return hub.Query{Filters: asff.Filters{asff.AttrSeverityLabel: equals("HIGH"), asff.AttrWorkflowStatus: equals("NEW"),
			asff.AttrProductFields: field("cluster", "cluster-"+strconv.Itoa(i%12))}}
	}},
	{"three_attributes_prefix_date_number", false, func(i int) hub.Query {
		start := hubtest.Epoch.Add(time.Duration(i%10) * time.Hour / 4)
		low := 1.0
		return hub.Query{Filters: asff.Filters{asff.AttrTitle: {{Comparison: asff.Prefix, Value: "Read"}},
			asff.AttrLastObservedAt: {{Start: start}}, asff.AttrSeverityNormalized: {{Gte: &low}}}}
	}},
	{"three_attributes_of_many_values", false, func(i int) hub.Query {
		f := hubtest.Finding(i*37%20000 + 3)
		return hub.Query{Filters: asff.Filters{asff.AttrId: equals(f.ID), asff.AttrResourceId: equals(f.Resources[0].ID), asff.AttrRecordState: equals("ACTIVE")}}
	}},
	{"three_attributes_of_nothing", true, func(i int) hub.Query {
		return hub.Query{Filters: asff.Filters{asff.AttrSeverityLabel: equals("HIGH"), asff.AttrRecordState: equals("ACTIVE"), asff.AttrProcessName: equals("none")}}
	}},
	{"list_of_50_by_time", false, func(i int) hub.Query {
		return hub.Query{Filters: asff.Filters{asff.AttrRecordState: equals("ACTIVE"), asff.AttrWorkflowStatus: append(equals("NEW"), equals("NOTIFIED")...)},
			Sort: []hub.Sort{{Attribute: asff.AttrLastObservedAt, Desc: true}}, Limit: 50, Offset: i % 5 * 50, NoToken: true}
	}},
	{"list_of_50_by_severity_and_time", false, func(i int) hub.Query {
		return hub.Query{Filters: asff.Filters{asff.AttrRecordState: equals("ACTIVE")},
			Sort: []hub.Sort{{Attribute: asff.AttrSeverityLabel, Desc: true}, {Attribute: asff.AttrLastObservedAt, Desc: true}}, Limit: 50, NoToken: true}
	}},
	{"text", false, func(i int) hub.Query { return hub.Query{Text: "payments cur", Limit: 50} }},
	{"text_of_all", false, func(i int) hub.Query { return hub.Query{Text: "shell container", Limit: 50} }},
	{"text_of_all_unfinished", false, func(i int) hub.Query { return hub.Query{Text: "shell conta", Limit: 50} }},
	{"text_of_one", false, func(i int) hub.Query { return hub.Query{Text: fmt.Sprintf("id-%x ", i*97%19_000), Limit: 50} }},
	{"description_contains", false, func(i int) hub.Query {
		return hub.Query{Filters: asff.Filters{asff.AttrDescription: {{Comparison: asff.Contains, Value: "process=bash"}}, asff.AttrRecordState: equals("ACTIVE")}}
	}},
}

// benchFacets measures the counts that a list page shows.
func benchFacets(b *testing.B, h *hub.Hub) {
	q := hub.Query{Filters: asff.Filters{asff.AttrRecordState: equals("ACTIVE")}}
	for b.Loop() {
		for _, a := range []asff.Attribute{asff.AttrTitle, asff.AttrRegion, asff.AttrAwsAccountId} {
			if _, err := h.Facet(b.Context(), q, a, "", 10); err != nil {
				b.Fatal(err)
			}
		}
		for _, key := range []string{"eyrie/cluster", "eyrie/namespace", "eyrie/workload"} {
			if _, err := h.Facet(b.Context(), q, asff.AttrProductFields, key, 10); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := h.Histogram(b.Context(), q, hubtest.Epoch, hubtest.Epoch.Add(24*time.Hour), 60); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen measures a start, from the snapshot and without one, and reports what a finding takes.
func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes(b) {
		dir := filled(b, n)
		for _, from := range []string{"snapshot", "documents"} {
			b.Run(sizeName(n)+"/from="+from, func(b *testing.B) {
				for b.Loop() {
					s, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(dir, "hub.db")})
					if err != nil {
						b.Fatal(err)
					}
					path := filepath.Join(dir, "hub.index")
					if from == "documents" {
						path = ""
					}
					h, err := hub.Open(b.Context(), hub.Config{Account: "111122223333", Region: "us-west-2", SnapshotPath: path}, s)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(h.Stats().IndexBytes)/float64(n), "index-B/finding")
					if err := h.Close(); err != nil {
						b.Fatal(err)
					}
				}
				info, err := os.Stat(filepath.Join(dir, "hub.db"))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(info.Size())/float64(n), "file-B/finding")
			})
		}
	}
}

// Command bench measures Eyrie as its users meet it: the real binary as a process of its own, alerts over TCP, queries
// by the AWS SDK's protocol. It builds the binary, makes its data in a temporary directory, prints a table in Markdown
// with the machine it ran on, and removes the data. It asserts nothing: machines differ. bench/README.md holds results
// and what they are compared with.
//
//	go run ./bench [-only ingest,convert,query] [-alerts 200000] [-findings 1000000]
//	go run ./bench -only sensor [-rules FILE|DIR]     (as root)
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

type settings struct {
	binary   string
	dir      string
	match    string
	alerts   int
	findings int

	rules        string
	opens, execs int
}

func main() {
	only := flag.String("only", "ingest,convert,query", "what to measure")
	var s settings
	if len(os.Args) > 1 && os.Args[1] == "loop" {
		if err := runLoop(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	flag.IntVar(&s.alerts, "alerts", 200_000, "alerts of an ingest run")
	flag.IntVar(&s.findings, "findings", 1_000_000, "findings stored for the queries")
	flag.StringVar(&s.rules, "rules", "etc/rules", "rule file or folder of the sensor")
	flag.IntVar(&s.opens, "opens", 2_000_000, "opens of the sensor's loop")
	flag.IntVar(&s.execs, "execs", 5_000, "programs started by the sensor's loop")
	flag.StringVar(&s.dir, "dir", "", "directory for the data, kept (default: a temporary one, removed)")
	flag.StringVar(&s.binary, "binary", "", "the eyrie to measure (default: built from the sources)")
	flag.StringVar(&s.match, "match", "", "measure only the ingest runs whose name contains this")
	flag.Parse()
	if err := measure(&s, strings.Split(*only, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(s *settings, what []string) error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "eyrie-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.dir = dir
	}
	if s.binary == "" {
		s.binary = filepath.Join(s.dir, "eyrie")
		build := exec.Command("go", "build", "-trimpath", "-o", s.binary, "./cmd/eyrie")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build cmd/eyrie: %w", err)
		}
	}
	fmt.Printf("Machine: %s, %d cores, %s, %s/%s. One alert: %d bytes.\n\n", cpuModel(), runtime.NumCPU(), runtime.Version(),
		runtime.GOOS, runtime.GOARCH, len(appendAlert(nil, 1, 1)))
	for _, step := range []struct {
		name string
		run  func(*settings) error
	}{{"ingest", ingest}, {"convert", convertCommand}, {"query", query}, {"sensor", sensorBench}, {"lambda", lambdaBench}} {
		if !slices.Contains(what, step.name) {
			continue
		}
		if err := step.run(s); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// ingest measures the way from a POST to a finding in the hub. CPU and memory are the server's alone, CPU until the
// last alert is in the hub.
func ingest(s *settings) error {
	fmt.Println("| ingest, 16 connections | accepted and durable /s | answer p50 | p99 | in the hub after | CPU-ms per 1,000 | peak RSS |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, c := range []struct {
		name string
		load load
	}{
		{"1 alert a request, 200 findings", load{alerts: s.alerts, distinct: 200, perRequest: 1}},
		{"1 alert a request, 5,000 findings", load{alerts: s.alerts, distinct: 5_000, perRequest: 1}},
		{"1 alert a request, every alert a finding", load{alerts: s.alerts / 4, distinct: s.alerts, perRequest: 1}},
		{"100 alerts a request, 5,000 findings", load{alerts: s.alerts, distinct: 5_000, perRequest: 100}},
	} {
		if !strings.Contains(c.name, s.match) {
			continue
		}
		if err := ingestRun(s, c.name, c.load); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	fmt.Println()
	return nil
}

func ingestRun(s *settings, name string, l load) error {
	data := filepath.Join(s.dir, "ingest")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	srv, err := start(s.binary, data)
	if err != nil {
		return err
	}
	defer srv.stop()
	l.addr, l.key, l.connections = srv.addr, srv.key, 16
	before, err := srv.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	out, err := l.run()
	if err != nil {
		return err
	}
	if err := srv.drained(out.accepted); err != nil {
		return err
	}
	drained := time.Since(began)
	after, err := srv.cpu()
	if err != nil {
		return err
	}
	rss, err := srv.peakRSS()
	if err != nil {
		return err
	}
	fmt.Printf("| %s | %.0f | %s | %s | %.1f s | %.1f | %d MB |\n", name, float64(out.accepted)/out.took.Seconds(),
		percentile(out.answers, 50), percentile(out.answers, 99), drained.Seconds(),
		float64((after-before).Microseconds())/float64(out.accepted), rss>>20)
	return nil
}

// convertCommand measures `eyrie convert` from file to file, on one core and on all.
func convertCommand(s *settings) error {
	input := filepath.Join(s.dir, "alerts.jsonl")
	var b []byte
	for i := range s.alerts {
		b = append(appendAlert(b, i, i%5000), '\n')
	}
	if err := os.WriteFile(input, b, 0o600); err != nil {
		return err
	}
	fmt.Println("| eyrie convert | alerts/s | CPU-ms per 1,000 |")
	fmt.Println("|---|---|---|")
	for _, procs := range []int{1, runtime.NumCPU()} {
		in, err := os.Open(input)
		if err != nil {
			return err
		}
		out, err := os.Create(filepath.Join(s.dir, "findings.jsonl"))
		if err != nil {
			return err
		}
		cmd := exec.Command(s.binary, "convert")
		cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", procs))
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, os.Stderr
		began := time.Now()
		if err := cmd.Run(); err != nil {
			return err
		}
		took := time.Since(began)
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		fmt.Printf("| GOMAXPROCS=%d | %.0f | %.1f |\n", procs, float64(s.alerts)/took.Seconds(), float64(cpu.Microseconds())/float64(s.alerts))
		in.Close()
		out.Close()
	}
	fmt.Println()
	return nil
}

func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)].Round(10 * time.Microsecond)
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// Command testrun runs the repository's tests with `go test -json` and says in people's words what came out: a line a
// package while it goes on, then every failure with its output, every skipped test with its reason, and a last line
// "N passed, N failed, N skipped". It exits with 1 when anything failed or did not build. It changes nothing.
//
//	go run ./internal/testrun [-race] [-fuzz 20s] [packages]
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
	"time"
)

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action      string
	Package     string
	ImportPath  string // set instead of Package in the output of a failed build
	Test        string
	Output      string
	Elapsed     float64 // seconds
	FailedBuild string
}

// result collects what a run came to.
type result struct {
	passed, failed, skipped int
	failures                []string            // package and test, in the order they ended
	skips                   map[string][]string // reason -> tests
	output                  map[string][]string // package/test -> its printed lines
}

func main() {
	race := flag.Bool("race", false, "run under the race detector")
	fuzz := flag.String("fuzz", "", "instead of the tests run each fuzz target for this long")
	timeout := flag.String("timeout", "18m", "as in go test")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	if *fuzz != "" {
		os.Exit(runFuzz(*fuzz, packages))
	}
	args := []string{"test", "-json", "-count=1", "-timeout", *timeout}
	if *race {
		args = append(args, "-race")
	}
	res, err := run(append(args, packages...), os.Stdout)
	res.print(os.Stdout)
	if err != nil || res.failed > 0 {
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) (*result, error) {
	res := &result{skips: map[string][]string{}, output: map[string][]string{}}
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return res, err
	}
	if err := cmd.Start(); err != nil {
		return res, fmt.Errorf("start go test: %w", err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(w, lines.Text()) // not from test2json: a panic of the tool itself
			continue
		}
		res.add(e, w)
	}
	if err := lines.Err(); err != nil {
		return res, fmt.Errorf("read go test's output: %w", err)
	}
	err = cmd.Wait()
	if err != nil && res.failed == 0 {
		res.failed++
		res.failures = append(res.failures, "go test: "+err.Error())
	}
	return res, err
}

func (r *result) add(e event, w io.Writer) {
	pkg := e.Package
	if pkg == "" {
		pkg = e.ImportPath
	}
	key := pkg + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		r.output[key] = append(r.output[key], e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		r.addPackage(e, pkg, w)
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.failures = append(r.failures, key)
	case "skip":
		r.skipped++
		reason := skipReason(r.output[key])
		r.skips[reason] = append(r.skips[reason], short(pkg)+"."+e.Test)
	}
	if e.Action != "fail" {
		delete(r.output, key)
	}
}

// addPackage prints a package's line and counts a failure that no test of it accounts for: a failed build, a crash, a
// time-out.
func (r *result) addPackage(e event, pkg string, w io.Writer) {
	if e.Action == "skip" {
		return // no test files
	}
	mark := "ok  "
	if e.Action == "fail" {
		mark = "FAIL"
		if !r.hasFailure(pkg) {
			r.failed++
			r.failures = append(r.failures, pkg+" ")
			if e.FailedBuild != "" {
				r.output[pkg+" "] = append(r.output[pkg+" "], r.output[e.FailedBuild+" "]...)
			}
		}
	}
	fmt.Fprintf(w, "%s  %6.1fs  %s\n", mark, e.Elapsed, short(pkg))
}

func (r *result) hasFailure(pkg string) bool {
	for _, f := range r.failures {
		if strings.HasPrefix(f, pkg+" ") {
			return true
		}
	}
	return false
}

func (r *result) print(w io.Writer) {
	for _, f := range r.failures {
		fmt.Fprintf(w, "\n--- failed: %s\n", f)
		lines := r.output[f]
		if len(lines) > 200 {
			lines = append([]string{"(only the last 200 lines)\n"}, lines[len(lines)-200:]...)
		}
		fmt.Fprint(w, strings.Join(lines, ""))
	}
	reasons := make([]string, 0, len(r.skips))
	for reason := range r.skips {
		reasons = append(reasons, reason)
	}
	sort.Strings(reasons)
	if len(reasons) > 0 {
		fmt.Fprintln(w, "\nSkipped:")
	}
	for _, reason := range reasons {
		fmt.Fprintf(w, "  %s\n      %s\n", reason, strings.Join(r.skips[reason], ", "))
	}
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
}

// skipReason is what a test gave to t.Skip: its last line that is not the tool's own.
func skipReason(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		line := strings.TrimSpace(output[i])
		if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") {
			continue
		}
		if file, rest, ok := strings.Cut(line, ": "); ok && strings.Contains(file, ".go:") {
			return rest
		}
		return line
	}
	return "no reason given"
}

func short(pkg string) string {
	return strings.TrimPrefix(strings.TrimPrefix(pkg, "github.com/eyrie-sec/eyrie"), "/")
}

// runFuzz runs every fuzz target of packages, one after the other, each for the given time, and returns the exit status.
func runFuzz(duration string, packages []string) int {
	if _, err := time.ParseDuration(duration); err != nil {
		fmt.Fprintln(os.Stderr, "testrun: -fuzz:", err)
		return 2
	}
	list, err := exec.Command("go", append([]string{"test", "-list", "^Fuzz"}, packages...)...).Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun: list fuzz targets:", err)
		return 1
	}
	var targets []string
	failed, ran := 0, 0
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Fuzz") {
			targets = append(targets, line)
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "ok" {
			continue
		}
		for _, target := range targets {
			ran++
			fmt.Printf("fuzz %s %s for %s\n", short(fields[1]), target, duration)
			cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+target+"$", "-fuzztime", duration, fields[1])
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if cmd.Run() != nil {
				failed++
			}
		}
		targets = nil
	}
	fmt.Printf("%d passed, %d failed\n", ran-failed, failed)
	if failed > 0 {
		return 1
	}
	return 0
}

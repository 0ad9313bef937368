package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

func TestLoopZ(t *testing.T) {
	if os.Getenv("LOOP") == "" {
		t.Skip()
	}
	var files []rule.File
	for _, n := range []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"} {
		b, _ := os.ReadFile("/work/shared/falco/rules/" + n)
		files = append(files, rule.File{Name: n, Content: b})
	}
	set, _ := rule.Load(files, rule.LoadOptions{})
	var rules []*rule.Rule
	for i := range set.Rules {
		set.Rules[i].Enabled = true
		rules = append(rules, &set.Rules[i])
	}
	f := filter.FromRules(rules)
	run := func() (time.Duration, time.Duration) {
		c := exec.Command("/bin/sh", "-c", os.Getenv("LOOP"))
		t0 := time.Now()
		c.Run()
		ru := c.ProcessState.SysUsage().(*syscall.Rusage)
		return time.Since(t0), time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	cpu := func() time.Duration {
		var ru syscall.Rusage
		syscall.Getrusage(0, &ru)
		return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	best := func(name string, f *filter.Filter) {
		if f != nil {
			s, err := Open(Config{Filter: *f})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			go func() {
				var ev raw.Event
				for s.Next(&ev) == nil {
				}
			}()
			defer func() { st, _ := s.Stats(); fmt.Println(st) }()
		}
		c0 := cpu()
		w, c := run()
		for range 7 {
			w1, c1 := run()
			w, c = min(w, w1), min(c, c1)
		}
		fmt.Println(name, w, c, "own", (cpu()-c0)/8)
	}
	_ = cpu
	best("alone", nil)
	best("full", &f)
	best("empty", &filter.Filter{})
}

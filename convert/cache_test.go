package convert

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/eyrie-sec/eyrie/falco"
)

// TestRememberedChangesNothing: a Converter that has seen other alerts, of the same rules and others, of more rules and
// origins than it remembers, makes the same findings as a new one, for many goroutines at once.
func TestRememberedChangesNothing(t *testing.T) {
	cfg := Config{Remediation: shipped(t), EKSClusters: []string{"eks-*"}}
	type job struct {
		alert  *falco.Alert
		origin falco.Origin
		want   []byte
	}
	var jobs []job
	for i := range 2*maxRemembered + 40 {
		rule := fmt.Sprintf("Rule %d", i)
		if i%8 == 0 {
			rule = "Write below etc"
		}
		fields := `"fd.name":"/etc/x","custom.field":"c","container.id":"host"`
		if i%3 == 0 {
			fields = `"custom.field":"d","container.id":"ee5e154fac58","container.name":"api","fd.name":"/etc/y","cluster":"from-alert"`
		}
		a := parse(t, fmt.Sprintf(`{"output":"x","output_fields":{%s},"priority":%q,"rule":%q,"source":"syscall","tags":["mitre_execution","T10%02d"],"time":"2026-11-21T02:25:46.5Z"}`,
			fields, falco.Priority(i%falco.Priorities), rule, i%7))
		o := falco.Origin{Account: "111122223333", Region: "eu-central-1", Cluster: fmt.Sprintf("eks-%d", i)}
		if i%5 == 0 {
			o.Cluster = ""
		}
		jobs = append(jobs, job{a, o, converter(t, cfg).Convert(a, o).AppendJSON(nil)})
	}
	c := converter(t, cfg)
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			for i := range 2 * len(jobs) {
				j := jobs[(i*7+worker*100)%len(jobs)]
				if got := c.Convert(j.alert, j.origin).AppendJSON(nil); !bytes.Equal(got, j.want) {
					t.Errorf("got  %s\nwant %s", got, j.want)
					return
				}
			}
		})
	}
	running.Wait()
	if rules, origins := len(*c.rules.all.Load()), len(*c.origins.all.Load()); rules != maxRemembered || origins != maxRemembered {
		t.Errorf("%d rules and %d origins are remembered, want %d", rules, origins, maxRemembered)
	}
}

// TestFindingsShareNoLists: who changes a finding's lists and maps changes no other finding.
func TestFindingsShareNoLists(t *testing.T) {
	c := converter(t, Config{})
	a := parse(t, sample)
	want := c.Convert(a, origin).AppendJSON(nil)
	f := c.Convert(a, origin)
	*f.Severity.Normalized = 99
	for _, types := range [][]string{f.Types, f.FindingProviderFields.Types} {
		clear(types)
	}
	f.Types = append(f.Types, "x/y")
	if f.FindingProviderFields.Types[0] != "" {
		t.Error("appending to Types wrote into FindingProviderFields.Types")
	}
	clear(f.ProductFields)
	clear(f.Resources)
	if got := c.Convert(a, origin).AppendJSON(nil); !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

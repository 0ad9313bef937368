package app

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"github.com/eyrie-sec/eyrie/internal/sensortest"
)

// shadowRules say that /etc/shadow is read, by a program of a name that no other on this machine has.
const shadowRules = `
- rule: Shadow is read
  desc: a test
  condition: evt.type in (open, openat, openat2) and evt.is_open_read = true and fd.num >= 0 and fd.name = /etc/shadow and proc.cmdline contains eyrie-test
  output: "%proc.cmdline read %fd.name in %container.id as %user.name, pid %proc.vpid"
  priority: WARNING
`

func withRules(t *testing.T, text string) DetectionOptions {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return DetectionOptions{Rules: []string{path}}
}

// TestSensorToFinding reads /etc/shadow on the host and in a container; each becomes a finding in the hub, and the
// portal's health page shows the sensor.
func TestSensorToFinding(t *testing.T) {
	sensortest.Need(t)
	c := sensortest.NewContainer(t, map[string]string{"etc/shadow": "root:*::\n"})
	r := start(t, Options{Sensor: SensorOn, Detection: withRules(t, shadowRules)})
	if !strings.Contains(r.out.String(), "Sensor        on: watches this host and its containers with 1 rules") {
		t.Errorf("the greeting does not say that the sensor is on:\n%s", r.out)
	}
	// cat complains of the file eyrie-test; what counts is that it has read the other.
	const read = "cat /etc/shadow eyrie-test >/dev/null 2>&1; true"
	if err := exec.Command("/bin/sh", "-c", read).Run(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Run(ctx, "/bin/sh", "-c", strings.Replace(read, ">/dev/null ", ">/out ", 1)); err != nil {
		t.Fatal(err)
	}
	client := sdk(t, r.URL(), r.dir)
	var findings []types.AwsSecurityFinding
	waitFor(t, "a finding of the host and one of the container", func() bool {
		findings = allFindings(t, client, nil)
		return len(findings) >= 2
	})
	byContainer := map[string]types.AwsSecurityFinding{}
	for _, f := range findings {
		byContainer[f.ProductFields["falco/container.id"]] = f
	}
	for _, id := range []string{"", c.ID[:12]} {
		f, ok := byContainer[id]
		if !ok {
			t.Errorf("no finding of container.id %q; there are %v", id, keys(byContainer))
			continue
		}
		if aws.ToString(f.Title) != "Shadow is read" || f.ProductFields["falco/user.name"] == "" || f.ProductFields["falco/fd.name"] != "/etc/shadow" {
			t.Errorf("finding of %q: %s, %v", id, aws.ToString(f.Title), f.ProductFields)
		}
	}
	checkSensorHealth(t, r)
}

func keys(m map[string]types.AwsSecurityFinding) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

// checkSensorHealth compares what the portal and Prometheus are told with what happened.
func checkSensorHealth(t *testing.T, r *running) {
	t.Helper()
	h := r.sensorHealth()
	if h.Off != "" || h.Alerts < 2 || h.Events < h.Alerts || h.Rules != 1 || h.Processes < 2 || h.Err != nil {
		t.Errorf("health %+v", h)
	}
	families, err := r.opts.Registerer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()] += m.GetCounter().GetValue()
		}
	}
	if got["eyrie_sensor_alerts_total"] < 2 || got["eyrie_sensor_events_total"] < 2 {
		t.Errorf("metrics: %v alerts, %v events", got["eyrie_sensor_alerts_total"], got["eyrie_sensor_events_total"])
	}
}

// TestSensorModes: off says so, a wrong word and unusable rules are errors, whatever the host can do.
func TestSensorModes(t *testing.T) {
	r := start(t, Options{})
	if !strings.Contains(r.out.String(), "Sensor        off: --sensor off\n") {
		t.Errorf("the greeting does not say that the sensor is off:\n%s", r.out)
	}
	if h := r.sensorHealth(); h.Off != "--sensor off" {
		t.Errorf("health %+v", h)
	}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"wrong word", Options{Sensor: "yes"}, `--sensor "yes": want auto, on or off`},
		{"unusable rules", Options{Sensor: SensorAuto, Detection: withRules(t, "- rule: x\n  desc: d\n  condition: fd.nam = 1\n  output: o\n  priority: NOTICE\n")}, "rules.yaml:3:"},
		{"no rules", Options{Sensor: SensorAuto, Detection: DetectionOptions{Rules: []string{"missing.yaml"}}}, "missing.yaml: no such file"},
		{"priority", Options{Sensor: SensorOn, Detection: DetectionOptions{MinPriority: "loud"}}, `priority "loud"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Data, c.o.Listen = t.TempDir(), "127.0.0.1:0"
			if _, err := New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

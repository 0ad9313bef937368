package portal

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestSensorOnHealth shows the sensor on, with what it dropped, and off with the reason; without one there is no card.
func TestSensorOnHealth(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	ana := w.ana(t)
	if page := ana.page("/health"); strings.Contains(page, "Sensor of this host") {
		t.Error("a hub without a sensor speaks of one")
	}
	w.journal.ingest.Sensor = &Sensor{Watches: "19 rules, 19 event types", Events: 4893, Alerts: 52, Processes: 308, Containers: 2, Lag: 40 * time.Millisecond}
	page := ana.page("/health")
	for _, want := range []string{"Sensor of this host", "19 rules, 19 event types", "4,893", "308", "40 ms", "Nothing was dropped."} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page of a sensor that is well", want)
		}
	}
	w.journal.ingest.Sensor.Lag = 0
	if !strings.Contains(ana.page("/health"), "0 ms") {
		t.Error("a sensor that has seen nothing yet is not 0 ms behind")
	}
	w.journal.ingest.Sensor.Drops = []Count{{"kernel buffer full", 1204}}
	w.journal.ingest.Sensor.Err = errors.New("<disk> is full")
	page = ana.page("/health")
	for _, want := range []string{"kernel buffer full", "1,204", "&lt;disk&gt; is full"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page of a sensor that is not", want)
		}
	}
	if strings.Contains(page, "Nothing was dropped.") {
		t.Error("the page says that nothing was dropped")
	}
	w.journal.ingest.Sensor = &Sensor{Off: "missing CAP_BPF: run as root"}
	if page := ana.page("/health"); !strings.Contains(page, "missing CAP_BPF: run as root") || strings.Contains(page, "Nothing was dropped.") {
		t.Error("the page does not say why the sensor is off, or speaks as if it were on")
	}
}

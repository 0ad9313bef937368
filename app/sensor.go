package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/portal"
	"github.com/eyrie-sec/eyrie/sensor/kernel"
)

// The values of Options.Sensor.
const (
	SensorOff  = "off"
	SensorAuto = "auto" // on where this host and this user can
	SensorOn   = "on"   // an error where they cannot
)

// sensorWay is how the journal names alerts of our own sensor.
const sensorWay = "sensor"

// openSensor opens the sensor if it is wanted. Rules that cannot be used are an error in any case.
func (a *App) openSensor() error {
	switch a.opts.Sensor {
	case SensorOff:
		a.sensorOff = "--sensor off"
		return nil
	case SensorAuto, SensorOn:
	default:
		return fmt.Errorf("--sensor %q: want auto, on or off", a.opts.Sensor)
	}
	a.opts.Detection.Logger = a.log
	d, err := OpenDetection(a.opts.Detection)
	if err == nil {
		a.detection = d
		a.onClose("sensor", d.Close)
		a.opts.Registerer.MustRegister(sensorCollector{d})
		return nil
	}
	if a.opts.Sensor == SensorOn || !errors.Is(err, ErrNoSensor) {
		return fmt.Errorf("--sensor: %w", err)
	}
	a.sensorOff = err.Error()
	if lack := (*kernel.Lack)(nil); errors.As(err, &lack) {
		a.sensorOff = lack.What + ": " + lack.Do // the kernel's own words are in the log
	}
	a.log.Warn("the sensor is off; alerts are received from others", "reason", err)
	return nil
}

// sensorLine says at start what the sensor does.
func (a *App) sensorLine() string {
	if a.detection != nil {
		return "on: watches this host and its containers with " + a.detection.Describe()
	}
	reason, more, _ := strings.Cut(a.sensorOff, "\n")
	if more != "" || a.opts.Sensor == SensorAuto {
		return "off: " + reason + "\n              `eyrie doctor` says what this host has"
	}
	return "off: " + reason
}

// runSensor carries the sensor's alerts to the journal until ctx ends.
func (a *App) runSensor(ctx context.Context) error {
	return a.detection.Run(ctx, func(ctx context.Context, alerts []*falco.Alert) error {
		entries := make([]journal.Entry, 0, len(alerts))
		for _, alert := range alerts {
			body := falco.AppendJSON(nil, alert)
			entry, err := a.entry(body)
			if err != nil {
				// What we print we can read; but an alert that cannot be is better kept in quarantine than lost.
				a.log.Error("an alert of the sensor cannot be read back", "rule", alert.Rule, "error", err)
				if err := a.journal.Reject(ctx, []journal.Rejected{{Way: sensorWay, Origin: a.opts.origin(), Reason: string(falco.NotJSON), Detail: err.Error(), Body: body}}); err != nil {
					return err
				}
				continue
			}
			entries = append(entries, entry)
		}
		if len(entries) == 0 {
			return nil
		}
		_, err := a.journal.Append(ctx, entries)
		return err
	})
}

func (a *App) entry(body []byte) (journal.Entry, error) {
	parsed, err := falco.Parse(body)
	if err != nil {
		return journal.Entry{}, err
	}
	fingerprint, err := falco.Fingerprint(body, a.opts.origin())
	return journal.Entry{Way: sensorWay, Origin: a.opts.origin(), Body: body, Fingerprint: fingerprint, Alert: parsed}, err
}

// sensorHealth describes the sensor to the portal.
func (a *App) sensorHealth() *portal.Sensor {
	if a.detection == nil {
		return &portal.Sensor{Off: a.sensorOff}
	}
	st := a.detection.Stats()
	h := &portal.Sensor{
		Events: int64(st.Detect.Events), Alerts: int64(st.Detect.Alerts), Held: int64(st.Detect.Held), Rules: st.Detect.Rules,
		Processes: st.Sensor.Processes, Containers: st.Sensor.Containers, Lag: st.Sensor.Lag, Watches: a.detection.Describe(),
		Waiting: int64(st.Queue.Waiting), Err: st.Queue.Err,
	}
	for cause, n := range st.Drops() {
		if n > 0 {
			h.Drops = append(h.Drops, portal.Count{Reason: cause, N: int64(n)})
		}
	}
	slices.SortFunc(h.Drops, func(x, y portal.Count) int { return strings.Compare(x.Reason, y.Reason) })
	return h
}

// sensorCollector gives the sensor's counters to Prometheus.
type sensorCollector struct{ d *Detection }

var (
	sensorEvents  = prometheus.NewDesc("eyrie_sensor_events_total", "Events of the kernel that were held against the rules.", nil, nil)
	sensorAlerts  = prometheus.NewDesc("eyrie_sensor_alerts_total", "Alerts of the sensor, by rule.", []string{"rule"}, nil)
	sensorHeld    = prometheus.NewDesc("eyrie_sensor_held_alerts_total", "Alerts that --max-rate held back, by rule.", []string{"rule"}, nil)
	sensorDrops   = prometheus.NewDesc("eyrie_sensor_drops_total", "What the sensor did not see, or could not deliver, by cause.", []string{"cause"}, nil)
	sensorWaiting = prometheus.NewDesc("eyrie_sensor_waiting_alerts", "Alerts of the sensor that wait to be stored.", nil, nil)
	sensorLag     = prometheus.NewDesc("eyrie_sensor_lag_seconds", "Time between an event and its evaluation, of the last event.", nil, nil)
	sensorProcs   = prometheus.NewDesc("eyrie_sensor_processes", "Processes in the sensor's table.", nil, nil)
	sensorReloads = prometheus.NewDesc("eyrie_sensor_rule_loads_total", "Times that rules were read, by result.", []string{"result"}, nil)
)

// Describe implements prometheus.Collector.
func (c sensorCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sensorEvents, sensorAlerts, sensorHeld, sensorDrops, sensorWaiting, sensorLag, sensorProcs, sensorReloads} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c sensorCollector) Collect(ch chan<- prometheus.Metric) {
	st := c.d.Stats()
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	count(sensorEvents, st.Detect.Events)
	for rule, n := range st.Detect.ByRule {
		count(sensorAlerts, n, strings.ToValidUTF8(rule, "\uFFFD"))
	}
	for rule, n := range st.Detect.HeldBy {
		count(sensorHeld, n, strings.ToValidUTF8(rule, "\uFFFD"))
	}
	for cause, n := range st.Drops() {
		count(sensorDrops, n, cause)
	}
	count(sensorReloads, st.Detect.Reloads, "used")
	count(sensorReloads, st.Detect.Failed, "refused")
	gauge(sensorWaiting, float64(st.Queue.Waiting))
	gauge(sensorLag, st.Sensor.Lag.Seconds())
	gauge(sensorProcs, float64(st.Sensor.Processes))
}

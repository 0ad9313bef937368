package agent

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reading is one metric and how to get its value now.
type reading struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string
	value  func() float64
}

// collector reads the counters of the parts when it is asked.
type collector struct {
	all      []reading
	rejected *prometheus.Desc
	a        *agent
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, r := range c.all {
		ch <- r.desc
	}
	ch <- c.rejected
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, r := range c.all {
		ch <- prometheus.MustNewConstMetric(r.desc, r.kind, r.value(), r.labels...)
	}
	for reason, n := range c.a.send.Rejected() {
		ch <- prometheus.MustNewConstMetric(c.rejected, prometheus.CounterValue, float64(n), reason)
	}
}

// metrics names every metric of the agent.
func (a *agent) metrics() *collector {
	c := &collector{a: a, rejected: prometheus.NewDesc("eyrie_agent_rejected_alerts_total",
		"Alerts put into quarantine, by reason.", []string{"reason"}, nil)}
	add := func(kind prometheus.ValueType, name, help, label, labelValue string, value func() int64) {
		var names, values []string
		if label != "" {
			names, values = []string{label}, []string{labelValue}
		}
		c.all = append(c.all, reading{prometheus.NewDesc("eyrie_agent_"+name, help, names, nil), kind, values,
			func() float64 { return float64(value()) }})
	}
	count := func(name, help, label, labelValue string, value func() int64) {
		add(prometheus.CounterValue, name, help, label, labelValue, value)
	}
	gauge := func(name, help string, value func() int64) { add(prometheus.GaugeValue, name, help, "", "", value) }
	f, s := a.reading(), &a.send.Stats
	const lines = "Lines read, partial ones joined: alerts, other text of Falco's log, empty lines."
	count("lines_total", lines, "kind", "alert", f.Alerts.Load)
	count("lines_total", lines, "kind", "text", f.Texts.Load)
	count("lines_total", lines, "kind", "empty", f.Empty.Load)
	count("cut_lines_total", "Alert lines longer than the limit, of which the beginning was shipped.", "", "", f.Cut.Load)
	count("read_bytes_total", "Bytes read from files and standard input.", "", "", f.Bytes.Load)
	count("rotations_total", "Files that were renamed, replaced or deleted.", "", "", f.Rotations.Load)
	count("truncations_total", "Files that were truncated in place.", "", "", f.Truncations.Load)
	count("truncations_lost_total", "Truncations without a copy: what was written after the last look is lost.", "", "", f.Lost.Load)
	count("file_errors_total", "Errors of files that could not be followed.", "", "", f.Errors.Load)
	gauge("open_files", "Log files open now.", f.Open.Load)
	gauge("spool_alerts", "Alerts that wait for delivery.", func() int64 { return int64(a.spool.Stats().Waiting) })
	gauge("spool_bytes", "Size of the spool on disk.", func() int64 { return a.spool.Stats().Bytes })
	gauge("spool_max_bytes", "Size at which reading stops.", func() int64 { return a.spool.Stats().Max })
	count("spool_lost_alerts_total", "Alerts lost to damage of the spool's disk.", "", "", func() int64 { return int64(a.spool.Stats().Lost) })
	count("spool_damaged_bytes_total", "Damaged bytes of the spool that were skipped.", "", "", func() int64 { return a.spool.Stats().Damaged })
	const sent = "Alerts that the destination answered for: stored, known already, put into quarantine."
	count("shipped_alerts_total", sent, "result", "accepted", s.Accepted.Load)
	count("shipped_alerts_total", sent, "result", "duplicate", s.Duplicates.Load)
	count("shipped_alerts_total", sent, "result", "rejected", s.Rejected.Load)
	count("oversize_alerts_total", "Alerts too large for the hub, of which the beginning was shipped.", "", "", s.HeadsOnly.Load)
	count("requests_total", "Requests to the destination.", "", "", s.Requests.Load)
	count("request_failures_total", "Times that the destination did not take what was sent.", "", "", s.Failures.Load)
	count("sent_bytes_total", "Bytes sent: compressed to a hub, text to CloudWatch Logs.", "", "", s.Bytes.Load)
	if a.logs != nil {
		l := &a.logs.Stats
		count("restamped_alerts_total", "Alerts too old or too new for CloudWatch Logs, put there with the time of sending.", "", "", l.Restamped.Load)
		count("shortened_alerts_total", "Alerts too large for CloudWatch Logs, shipped with their longest texts shortened.", "", "", l.Shortened.Load)
		count("kept_alerts_total", "Alerts written to kept.jsonl, because CloudWatch Logs does not take them, or not whole.", "", "", l.Kept.Load)
	}
	return c
}

// toKey is how lines of progress call the state of the destination.
func (a *agent) toKey() string {
	if a.logs != nil {
		return "cloudwatch"
	}
	return "hub"
}

// progress logs a line now and then, if anything changed. The function returned stops it, with a last line.
func (a *agent) progress() (stop func()) {
	type numbers struct {
		read, texts, shipped int64
		waiting              uint64
		hub                  string
	}
	var last numbers
	say := func() {
		now := numbers{a.reading().Alerts.Load(), a.reading().Texts.Load(), a.send.Stats.Sent.Load(), a.spool.Stats().Waiting, a.send.State()}
		if now == last {
			return
		}
		last = now
		a.log.Info("progress", "alerts read", now.read, "other lines", now.texts, "shipped", now.shipped, "waiting", now.waiting, a.toKey(), now.hub)
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(a.opt.ProgressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				say()
			case <-quit:
				say()
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

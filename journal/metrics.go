package journal

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	seconds prometheus.Histogram
	group   prometheus.Histogram
	errors  prometheus.Counter
	expired prometheus.Counter
}

func newMetrics(r prometheus.Registerer, j *Journal) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "eyrie_journal_commit_seconds",
			Help: "How long a commit of the journal took.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)}),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "eyrie_journal_commit_alerts",
			Help: "How many alerts shared a commit.", Buckets: prometheus.ExponentialBuckets(1, 4, 7)}),
		errors:  prometheus.NewCounter(prometheus.CounterOpts{Name: "eyrie_journal_commit_errors_total", Help: "Commits that failed; their alerts were refused."}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{Name: "eyrie_journal_expired_alerts_total", Help: "Alerts deleted for age or size."}),
	}
	r.MustRegister(m.seconds, m.group, m.errors, m.expired, (*counts)(j))
	return m
}

func (m *metrics) committed(began time.Time, records int, err error) {
	m.seconds.Observe(time.Since(began).Seconds())
	if err != nil {
		m.errors.Inc()
		return
	}
	if records > 0 {
		m.group.Observe(float64(records))
	}
}

var (
	alertsDesc   = prometheus.NewDesc("eyrie_journal_alerts_total", "Alerts received, by what became of them.", []string{"result"}, nil)
	rejectedDesc = prometheus.NewDesc("eyrie_journal_rejected_total", "Records that are no alerts, by reason.", []string{"reason"}, nil)
	lastDesc     = prometheus.NewDesc("eyrie_journal_position", "Position of the newest alert.", nil, nil)
	healthyDesc  = prometheus.NewDesc("eyrie_journal_healthy", "1 while alerts can be stored.", nil, nil)
)

// counts shows a journal's counters as metrics.
type counts Journal

func (c *counts) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{alertsDesc, rejectedDesc, lastDesc, healthyDesc} {
		ch <- d
	}
}

func (c *counts) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, n := range c.tally.counters {
		switch reason, rejected := cutPrefix(name); {
		case rejected:
			ch <- prometheus.MustNewConstMetric(rejectedDesc, prometheus.CounterValue, float64(n), reason)
		case name == storedCounter || name == duplicatesCounter:
			ch <- prometheus.MustNewConstMetric(alertsDesc, prometheus.CounterValue, float64(n), name)
		}
	}
	healthy := 1.0
	if c.failure != nil {
		healthy = 0
	}
	ch <- prometheus.MustNewConstMetric(lastDesc, prometheus.GaugeValue, float64(c.lastSeq))
	ch <- prometheus.MustNewConstMetric(healthyDesc, prometheus.GaugeValue, healthy)
}

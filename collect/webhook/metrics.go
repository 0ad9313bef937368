package webhook

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// statuses are all that a Handler answers with.
var statuses = [...]int{
	http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed,
	http.StatusRequestTimeout,
	http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusServiceUnavailable,
}

type metrics struct {
	requests [len(statuses)]prometheus.Counter // as statuses
	bytes    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "eyrie_webhook_requests_total",
		Help: "Requests to /falco, by the HTTP status of the answer."}, []string{"code"})
	m := &metrics{bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "eyrie_webhook_body_bytes_total",
		Help: "Bytes of the bodies that were read, after decompression."})}
	for i, status := range statuses {
		m.requests[i] = requests.WithLabelValues(strconv.Itoa(status))
	}
	r.MustRegister(requests, m.bytes)
	return m
}

func (m *metrics) answered(status int) {
	for i := range statuses {
		if statuses[i] == status {
			m.requests[i].Inc()
			return
		}
	}
}

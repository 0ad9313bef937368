package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/eyrie-sec/eyrie/collect/webhook"
	"github.com/eyrie-sec/eyrie/hub/api"
)

// handler is everything behind the one listener. Alerts and health do not need the findings and are served from the
// first moment; a request that Security Hub would know goes to the API, signed or not, so that an unsigned one gets AWS's
// own error; the rest is the portal's.
func (a *App) handler() http.Handler {
	metrics := a.metrics()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case isAlerts(path):
			a.webhook.ServeHTTP(w, r)
		case path == "/healthz":
			a.health(w, r)
		case path == "/metrics":
			metrics.ServeHTTP(w, r)
		default:
			a.serveLoaded(w, r)
		}
	})
}

// isAlerts reports whether alerts are sent to this path.
func isAlerts(path string) bool { return path == "/falco" || strings.HasPrefix(path, "/falco/") }

func (a *App) serveLoaded(w http.ResponseWriter, r *http.Request) {
	isAPI := api.IsRequest(r)
	l := a.loaded.Load()
	switch {
	case l == nil && isAPI:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-ErrorType", "InternalException")
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"Code":"InternalException","Message":%q}`, a.loading.String())
	case l == nil:
		a.loading.ServeHTTP(w, r)
	case isAPI:
		l.api.ServeHTTP(w, r)
	default:
		l.portal.ServeHTTP(w, r)
	}
}

// health answers 200 only while alerts can be stored.
func (a *App) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	answer := struct {
		Status   string `json:"status"`
		Findings string `json:"findings"`
		Reason   string `json:"reason,omitempty"`
	}{"ok", "ready", ""}
	if a.loaded.Load() == nil {
		answer.Findings = a.loading.String()
	}
	if err := a.journal.Healthy(); err != nil {
		// Who asks may be anybody: the class of the failure is said here, paths and details are in the log and the portal.
		answer.Status, answer.Reason = "alerts cannot be stored", webhook.PublicReason(err)
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// A client that has gone does not want to know.
	_ = json.NewEncoder(w).Encode(answer)
}

// metrics serves Prometheus to who has the ingest key.
func (a *App) metrics() http.Handler {
	scrape := promhttp.HandlerFor(a.opts.Registerer, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !a.access.Keys().CheckIngest(key) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="eyrie"`)
			http.Error(w, "send the ingest key: Authorization: Bearer KEY (it is in the file ingest.key of the data directory)", http.StatusUnauthorized)
			return
		}
		scrape.ServeHTTP(w, r)
	})
}

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	spec "github.com/eyrie-sec/eyrie/internal/lambdaspec"
)

// config is what the environment says.
type config struct {
	cluster         string
	eksClusters     []string
	account         string
	severity        string
	conversion      string
	productARN      string
	endpoint        string
	limit           rate.Limit
	burst           int
	quarantine      string
	deadLetters     string
	enrichEC2       bool
	enrichECS       bool
	enrichTimeout   time.Duration
	enrichTTL       time.Duration
	archiveAfter    time.Duration
	archiveResolved bool
	heartbeat       bool
	namespace       string
	level           slog.Level
}

// readConfig reads the variables of lambdaspec.Variables. The error names every one that is wrong.
func readConfig(getenv func(string) string) (config, error) {
	r := reader{getenv: getenv, defaults: map[string]string{}}
	for _, v := range spec.Variables() {
		r.defaults[v.Name] = v.Default
		if v.Required && getenv(v.Name) == "" {
			r.fail(v.Name, "is not set: "+v.Means)
		}
	}
	c := config{
		cluster: r.text(spec.Cluster), account: r.text(spec.Account), severity: r.text(spec.Severity), conversion: r.text(spec.Conversion),
		productARN: r.text(spec.ProductARN), endpoint: r.url(spec.SecurityHubEndpoint), limit: r.limit(spec.CallsPerSecond),
		burst: int(r.number(spec.CallsBurst, 1, 1000)), quarantine: r.url(spec.QuarantineQueueURL), deadLetters: r.url(spec.DeadLetterQueueURL),
		enrichEC2: r.boolean(spec.EnrichEC2), enrichECS: r.boolean(spec.EnrichECS),
		enrichTimeout: r.duration(spec.EnrichTimeout, time.Minute), enrichTTL: r.duration(spec.EnrichTTL, 24*time.Hour),
		archiveAfter: r.duration(spec.ArchiveAfter, 3650*24*time.Hour), archiveResolved: r.boolean(spec.ArchiveResolved),
		heartbeat: r.boolean(spec.Heartbeat), namespace: r.text(spec.MetricsNamespace),
	}
	for _, pattern := range strings.Split(r.text(spec.EKSClusters), ",") {
		if pattern = strings.TrimSpace(pattern); pattern != "" {
			c.eksClusters = append(c.eksClusters, pattern)
		}
	}
	if c.account != "" && (len(c.account) != 12 || strings.Trim(c.account, "0123456789") != "") {
		r.fail(spec.Account, "is not an account of 12 digits")
	}
	if c.productARN != "" && !strings.HasPrefix(c.productARN, "arn:") {
		r.fail(spec.ProductARN, "is no ARN")
	}
	if c.conversion != "" {
		if _, err := os.Stat(c.conversion); err != nil {
			r.fail(spec.Conversion, err.Error())
		}
	}
	if err := c.level.UnmarshalText([]byte(r.text(spec.LogLevel))); err != nil {
		r.fail(spec.LogLevel, "is none of debug, info, warn and error")
	}
	return c, errors.Join(r.errs...)
}

// reader reads variables and collects what is wrong with them.
type reader struct {
	getenv   func(string) string
	defaults map[string]string
	errs     []error
}

func (r *reader) fail(name, what string) {
	r.errs = append(r.errs, fmt.Errorf("environment variable %s=%q %s", name, r.getenv(name), what))
}

func (r *reader) text(name string) string {
	if value := strings.TrimSpace(r.getenv(name)); value != "" {
		return value
	}
	return r.defaults[name]
}

func (r *reader) url(name string) string {
	value := r.text(name)
	if value == "" {
		return ""
	}
	if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		r.fail(name, "is not an http or https URL")
	}
	return strings.TrimSuffix(value, "/")
}

func (r *reader) boolean(name string) bool {
	value, err := strconv.ParseBool(r.text(name))
	if err != nil {
		r.fail(name, "is neither true nor false")
	}
	return value
}

func (r *reader) number(name string, least, most float64) float64 {
	value, err := strconv.ParseFloat(r.text(name), 64)
	if err != nil || !(value >= least && value <= most) {
		r.fail(name, fmt.Sprintf("is not a number from %v to %v", least, most))
	}
	return value
}

func (r *reader) limit(name string) rate.Limit {
	if value := r.number(name, 0, 10_000); value > 0 {
		return rate.Limit(value)
	}
	return rate.Inf
}

// duration reads "30d", or what time.ParseDuration reads; "0" is 0.
func (r *reader) duration(name string, most time.Duration) time.Duration {
	text := r.text(name)
	var value time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		value = time.Duration(n * 24 * float64(time.Hour))
	} else {
		value, err = time.ParseDuration(text)
	}
	if err != nil || value < 0 || value > most {
		r.fail(name, fmt.Sprintf("is not a duration of at most %s, such as 90s, 15m, 1h or 30d", most))
	}
	return value
}

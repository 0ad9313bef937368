package main

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	spec "github.com/eyrie-sec/eyrie/internal/lambdaspec"
)

// metrics collects the numbers of one invocation and writes them in CloudWatch's embedded metric format: a line of JSON
// for each set of dimension values, from which CloudWatch Logs makes metrics. Not safe for concurrent use.
type metrics struct {
	namespace string
	out       io.Writer
	totals    map[string]float64
	alerts    map[string]map[string]float64 // by dimension and its value
}

func newMetrics(namespace string, out io.Writer) *metrics {
	return &metrics{namespace, out, map[string]float64{}, map[string]map[string]float64{}}
}

func (m *metrics) add(name string, n int) { m.totals[name] += float64(n) }

// alert counts n alerts under a dimension. Values are alerts' own text, so their number is bounded.
func (m *metrics) alert(dimension, value, other string, n int) {
	values := m.alerts[dimension]
	if values == nil {
		values = map[string]float64{}
		m.alerts[dimension] = values
	}
	const longest = 255 // characters of a dimension's value (CloudWatch API Reference, Dimension); bytes here
	if value == "" || len(value) > longest {
		value = other
	}
	if _, known := values[value]; !known && len(values) >= spec.MaxRules {
		value = other
	}
	values[value] += float64(n)
}

// stdout is shared by invocations; lines must not mix.
var stdout sync.Mutex

// write writes all lines at once. What cannot be written is lost: there is nowhere else to say so.
func (m *metrics) write(now time.Time) {
	units := map[string]string{}
	for _, metric := range spec.Metrics() {
		units[metric.Name] = metric.Unit
	}
	var lines []byte
	line := func(dimensions []string, fields map[string]any, values map[string]float64) {
		type definition struct{ Name, Unit string }
		var definitions []definition
		for _, name := range slices.Sorted(maps.Keys(values)) {
			definitions = append(definitions, definition{name, units[name]})
			fields[name] = values[name]
		}
		fields["_aws"] = map[string]any{"Timestamp": now.UnixMilli(), "CloudWatchMetrics": []map[string]any{
			{"Namespace": m.namespace, "Dimensions": [][]string{dimensions}, "Metrics": definitions}}}
		text, err := json.Marshal(fields)
		if err == nil {
			lines = append(append(lines, text...), '\n')
		}
	}
	line([]string{}, map[string]any{}, m.totals)
	for _, dimension := range slices.Sorted(maps.Keys(m.alerts)) {
		for _, value := range slices.Sorted(maps.Keys(m.alerts[dimension])) {
			line([]string{dimension}, map[string]any{dimension: value}, map[string]float64{spec.MetricAlerts: m.alerts[dimension][value]})
		}
	}
	stdout.Lock()
	defer stdout.Unlock()
	_, _ = m.out.Write(lines)
}

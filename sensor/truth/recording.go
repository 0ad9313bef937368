// Package truth compares what the sensor reports with what Falco was recorded to report for the same programs. A
// recording and a list of alerts come in; how many fields are equal, and which are not, goes out. Values that cannot be
// equal from one run to the next (process ids, times, inodes, ports) are compared by what they stand for. Where we
// report otherwise on purpose, the difference stands in a table with its reason. The package runs nothing; its test
// does.
package truth

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/eyrie-sec/eyrie/falco"
)

// Event is one event as a rule reported it. Fields without a value are left out.
type Event struct {
	Rule    string
	Fields  map[string]string
	Changed map[string]bool // values that were different when the program was recorded again
}

// Type is the event's type: the rules are named for it.
func (e *Event) Type() string { return strings.TrimPrefix(e.Rule, "tp ") }

// Recording is what was recorded of one program.
type Recording struct {
	Program   string
	Env       string
	SameOrder bool // the events came in the same order again
	Events    []Event
}

// Read reads a recording. fields says which fields each rule asked for.
func Read(path string) (*Recording, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var head struct {
		Program, Env string
		Same         bool `json:"order_same_in_run2"`
		Common       map[string]json.RawMessage
	}
	r := &Recording{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
				return nil, fmt.Errorf("%s: line 1: %w", path, err)
			}
			r.Program, r.Env, r.SameOrder = head.Program, head.Env, head.Same
			continue
		}
		var line struct {
			Rule    string
			Fields  map[string]json.RawMessage
			Changed []string `json:"changed_in_run2"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		e := Event{Rule: line.Rule, Fields: map[string]string{}, Changed: map[string]bool{}}
		for _, m := range []map[string]json.RawMessage{head.Common, line.Fields} {
			for k, v := range m {
				if s, ok := text(v); ok {
					e.Fields[k] = s
				} else {
					delete(e.Fields, k)
				}
			}
		}
		if _, ok := e.Fields["evt.info"]; !ok {
			if args, ok := e.Fields["evt.args"]; ok {
				e.Fields["evt.info"] = args
			}
		}
		for _, k := range line.Changed {
			e.Changed[k] = true
		}
		r.Events = append(r.Events, e)
	}
	return r, lines.Err()
}

func text(v json.RawMessage) (string, bool) {
	v = bytes.TrimSpace(v)
	if string(v) == "null" {
		return "", false
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s, true
	}
	return string(v), true
}

// FromAlert is an alert as an Event.
func FromAlert(a *falco.Alert) Event {
	e := Event{Rule: a.Rule, Fields: make(map[string]string, len(a.Fields))}
	for _, f := range a.Fields {
		if f.Value.Kind != falco.Null {
			e.Fields[f.Name] = f.Value.Text
		}
	}
	return e
}

// ReadFields reads fields.tsv: what is known of each field's being the same from run to run.
func ReadFields(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(string(b)) {
		cols := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(cols) >= 2 && cols[0] != "field" {
			all[cols[0]] = cols[1]
		}
	}
	return all, nil
}

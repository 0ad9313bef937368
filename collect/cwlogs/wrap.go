package cwlogs

import (
	"bytes"
	"slices"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
)

// members1 is what one object says, as far as it matters to find and place an alert. Values are as they are written.
type members1 struct {
	rule, priority bool
	wrapped        bool // something of a log shipper's stands among the members
	inner          []byte
	innerRank      int

	kubernetes                                                     []byte
	instanceID, zone                                               []byte
	ecsCluster, ecsTask, ecsDefinition, containerID, containerName []byte
	partialID, partialLast                                         []byte
}

// visit takes one member. Of the members that may hold the alert the best known counts: what Fluent Bit has parsed
// already, then its and Docker's "log", then what other shippers and parsers use.
func (o *members1) visit(name, value []byte) {
	rank := 0
	switch string(name) {
	case "rule":
		o.rule = true
	case "priority":
		o.priority = true
	case "log_processed":
		rank = 4
	case "log":
		rank = 3
	case "message":
		rank = 2
	case "msg", "MESSAGE":
		rank = 1
	case "kubernetes":
		o.kubernetes, o.wrapped = value, true
	case "stream", "logtag", "_p", "docker", "source_type", "partial_message", "partial_ordinal":
		o.wrapped = true
	case "ec2_instance_id":
		o.instanceID, o.wrapped = value, true
	case "az":
		o.zone, o.wrapped = value, true
	case "ecs_cluster":
		o.ecsCluster, o.wrapped = value, true
	case "ecs_task_arn":
		o.ecsTask, o.wrapped = value, true
	case "ecs_task_definition":
		o.ecsDefinition, o.wrapped = value, true
	case "container_id":
		o.containerID, o.wrapped = value, true
	case "container_name":
		o.containerName, o.wrapped = value, true
	case "partial_id":
		o.partialID, o.wrapped = value, true
	case "partial_last":
		o.partialLast, o.wrapped = value, true
	}
	if rank > 0 && len(value) > 0 && (value[0] == '"' || value[0] == '{' || value[0] == '[') {
		o.wrapped = true
		if rank > o.innerRank {
			o.inner, o.innerRank = value, rank
		}
	}
}

// shippers are the members that log shippers put beside an alert's own and that say nothing of it, or that meta reads.
var shippers = []string{"log", "log_processed", "kubernetes", "stream", "logtag", "_p", "docker", "partial_message", "partial_id",
	"partial_ordinal", "partial_last", "ec2_instance_id", "az", "ecs_cluster", "ecs_task_arn", "ecs_task_definition", "container_id",
	"container_name"}

// dropWrapping takes out of an alert whose members stand among those of a log shipper what is the shipper's. meta has
// read what is of use.
func dropWrapping(a *falco.Alert) {
	a.Extra = slices.DeleteFunc(a.Extra, func(f falco.Field) bool { return slices.Contains(shippers, f.Name) })
}

// withTime is the record with the time of its log event as its first member.
func withTime(record []byte, milliseconds int64) []byte {
	out := append([]byte(`{"time":"`), time.UnixMilli(milliseconds).UTC().Format("2006-01-02T15:04:05.000Z")...)
	out = append(out, '"')
	if rest := record[skipSpace(record, 1):]; len(rest) > 0 && rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, record[1:]...)
}

// parseCRI takes a line of a CRI log apart: time, stream, tags and text with one space between each. The first tag is
// P for a line that goes on in the next of its stream, else F (Kubernetes, staging/src/k8s.io/cri-client/pkg/logs).
func parseCRI(line []byte) (stream string, part bool, body []byte, ok bool) {
	when, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(when) < len("2026-11-21T02:25:46Z") || len(when) > len("2026-11-21T02:25:46.697293485+01:00") || when[10] != 'T' {
		return "", false, nil, false
	}
	if _, err := time.Parse(time.RFC3339Nano, string(when)); err != nil {
		return "", false, nil, false
	}
	name, rest, _ := bytes.Cut(rest, []byte(" "))
	tags, body, _ := bytes.Cut(rest, []byte(" "))
	if stream = string(name); stream != "stdout" && stream != "stderr" {
		return "", false, nil, false
	}
	tag, _, _ := bytes.Cut(tags, []byte(":"))
	if len(tag) != 1 || tag[0] != 'P' && tag[0] != 'F' {
		return "", false, nil, false
	}
	return stream, tag[0] == 'P', body, true
}

// falcoLogTimes are the forms of time that Falco puts before ": " and its own log text (falco_logger: "%a %b %e %T %Y", and
// "%FT%T%z" with time_format_iso_8601).
var falcoLogTimes = []string{"Mon Jan _2 15:04:05 2006", "2006-01-02T15:04:05-0700"}

// falcoLogBegins are the beginnings of what Falco prints without a time when it ends: its statistics.
var falcoLogBegins = []string{"Events detected: ", "Rule counts by severity:", "Triggered rules by rule name:", "Syscall event drop monitoring:",
	"- event drop detected: ", "- num times actions taken: ", "Driver Events:", "Driver Drops:", "Elapsed time: ", "Capture duration: "}

// isFalcoLog reports whether the line is of Falco's own log. Counts of its statistics are, too:
// "   WARNING: 5", "   Rule name: 5".
func isFalcoLog(line []byte, indented bool) bool {
	for _, layout := range falcoLogTimes {
		const slack = 4 // a time may be written longer than its layout
		if n := bytes.Index(line[:min(len(line), len(layout)+slack)], []byte(": ")); n > 0 {
			if _, err := time.Parse(layout, string(line[:n])); err == nil {
				return true
			}
		}
	}
	for _, begin := range falcoLogBegins {
		if bytes.HasPrefix(line, []byte(begin)) {
			return true
		}
	}
	name, number, ok := bytes.Cut(line, []byte(": "))
	return ok && indented && len(name) > 0 && len(name) < 256 && len(number) > 0 && len(number) < 20 &&
		!bytes.ContainsAny(name, `{}"`) && len(bytes.Trim(number, "0123456789")) == 0
}

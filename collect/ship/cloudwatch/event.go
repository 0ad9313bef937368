package cloudwatch

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eyrie-sec/eyrie/falco"
)

// event is an alert on its way.
type event struct {
	alert     []byte // as Falco wrote it
	message   string // valid UTF-8, at most MaxMessage bytes
	at        int64  // milliseconds since 1970
	restamped bool   // at is the time of sending
	shortened bool   // message says less than alert
}

func (e *event) size() int { return len(e.message) + EventOverhead }

func (e *event) restamp(now time.Time) { e.at, e.restamped = now.UnixMilli(), true }

// member is a member that is added to alerts, with its value as JSON.
type member struct{ name, text string }

func (d *Destination) add(name, value string) {
	if value == "" {
		return
	}
	text, err := json.Marshal(value)
	if err != nil {
		return // a string always has a JSON text
	}
	d.added = append(d.added, member{name, string(text)})
}

// events makes events of alerts, in the order of their timestamps.
func (d *Destination) events(alerts [][]byte) []event {
	now := d.cfg.Now()
	all := make([]event, len(alerts))
	for i, alert := range alerts {
		all[i] = d.event(alert, now)
	}
	slices.SortStableFunc(all, func(a, b event) int { return int(min(max(a.at-b.at, -1), 1)) })
	return all
}

// event makes the event of one alert. What is no alert goes out as it is: whoever reads the log group judges it.
func (d *Destination) event(alert []byte, now time.Time) event {
	e := event{alert: alert}
	a, err := falco.Parse(alert)
	if err != nil {
		e.message = head(strings.ToValidUTF8(string(alert), "\uFFFD"), MaxMessage)
		e.shortened = len(e.message) < len(alert)
		e.restamp(now)
		return e
	}
	if e.at = a.Time.UnixMilli(); now.Sub(a.Time) > MaxAge || a.Time.Sub(now) > MaxFuture {
		e.restamp(now)
	}
	text := bytes.ToValidUTF8(bytes.TrimSpace(bytes.TrimPrefix(alert, []byte("\uFEFF"))), []byte("\uFFFD"))
	if e.message = d.with(text, a); len(e.message) > MaxMessage {
		e.message, e.shortened = d.shorten(a), true
	}
	return e
}

// with returns a's text with the members of d that a does not have.
func (d *Destination) with(text []byte, a *falco.Alert) string {
	var b strings.Builder
	b.Grow(len(text) + 128)
	b.Write(text[:len(text)-1])
	for _, m := range d.added {
		if slices.ContainsFunc(a.Extra, func(f falco.Field) bool { return f.Name == m.name }) {
			continue
		}
		b.WriteString(`,"` + m.name + `":` + m.text)
	}
	b.WriteByte('}')
	return b.String()
}

// shorten cuts the texts of a to ever less, until the message fits.
func (d *Destination) shorten(a *falco.Alert) string {
	short := *a
	for most := MaxMessage / 2; most >= 16; most /= 2 {
		short.Output = head(a.Output, most)
		short.Fields, short.Extra = shortFields(a.Fields, most), shortFields(a.Extra, most)
		if message := d.with(falco.AppendJSON(nil, &short), a); len(message) <= MaxMessage {
			return message
		}
	}
	short.Fields, short.Extra = nil, nil // very many fields
	short.Tags = nil
	short.Rule, short.Hostname, short.Source, short.UUID = head(a.Rule, 1024), head(a.Hostname, 1024), head(a.Source, 1024), head(a.UUID, 1024)
	return d.with(falco.AppendJSON(nil, &short), a)
}

// shortFields cuts the strings among fields, and leaves longer arrays and objects out.
func shortFields(fields []falco.Field, most int) []falco.Field {
	out := make([]falco.Field, 0, len(fields))
	for _, f := range fields {
		if len(f.Value.Text) > most {
			if f.Value.Kind != falco.String {
				continue
			}
			f.Value.Text = head(f.Value.Text, most)
		}
		out = append(out, f)
	}
	return out
}

// head is the beginning of a valid UTF-8 text, cut between characters.
func head(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// fitting is how many of events, which are in order of time, fit into one request: one at least.
func fitting(events []event) int {
	size := 0
	for i := range events {
		size += events[i].size()
		span := time.Duration(events[i].at-events[0].at) * time.Millisecond
		if i > 0 && (i >= MaxEvents || size > MaxBytes || span > MaxSpan) {
			return i
		}
	}
	return len(events)
}

// split tells the events that were accepted from those that were refused for their timestamps.
func split(events []event, info *types.RejectedLogEventsInfo) (taken, refused []event) {
	if info == nil {
		return events, nil
	}
	bound := func(p *int32, otherwise int) int {
		if p == nil {
			return otherwise
		}
		return min(max(int(*p), 0), len(events))
	}
	first := max(bound(info.TooOldLogEventEndIndex, 0), bound(info.ExpiredLogEventEndIndex, 0)) // exclusive
	last := max(first, bound(info.TooNewLogEventStartIndex, len(events)))                       // inclusive
	refused = append(events[:first:first], events[last:]...)
	return events[first:last], refused
}

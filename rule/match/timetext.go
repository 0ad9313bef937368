package match

import (
	"time"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// timeLayouts are the forms in which the time of an event is text.
var timeLayouts = map[field.ID]string{
	field.EvtTime:        "15:04:05.000000000",
	field.EvtTimeS:       "15:04:05",
	field.EvtTimeIso8601: "2006-01-02T15:04:05.000000000-0700",
	field.EvtDatetime:    "2006-01-02 15:04:05.000000000",
	field.EvtDatetimeS:   "2006-01-02 15:04:05",
}

func isTimeText(id field.ID) bool {
	return id >= field.EvtTime && id <= field.EvtDatetimeS
}

// timeText formats the event's time in UTC, so that the same event gives the same text everywhere.
func timeText(id field.ID, e *event.Event, s *Scratch) string {
	start := len(s.buf)
	s.buf = time.Unix(0, e.Time).UTC().AppendFormat(s.buf, timeLayouts[id])
	return s.hold(start)
}

// Package cwlogs reads what an AWS Lambda function is invoked with when Falco's log reaches it: subscription events of
// CloudWatch Logs, and records of Kinesis, Firehose and SQS with the same inside or with log text as it is. It finds
// Falco's alerts in every form in which log shippers wrap them (Fluent Bit, FireLens, CRI, Docker).
//
// In comes the payload of one invocation (Decode); out go its messages, and of those (Read) the alerts, and every piece
// that is none with the reason and where it stood. One bad piece never spoils another: nothing of a payload is passed
// over but empty lines and Falco's own log lines, which are counted.
//
// The package does no input or output, reads no clock and keeps nothing between calls. It never panics: log lines are
// written by attackers too, so nesting, size and decompression are bounded, and the parsers have fuzz targets.
//
// What shippers add to an alert describes who wrote the log line, that is Falco, not what the alert is about; meta.go says
// what is made of it.
package cwlogs

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/gzip"
)

// MaxInflated is the largest size in bytes of what one record's gzip data may unfold to. CloudWatch Logs sends at most 1 MB
// of it, and log text compresses 10 to 30 times; the limit is our own, against data that is made to exhaust memory.
const MaxInflated = 128 << 20

// From is where a message stands in CloudWatch Logs, or in a stream or queue, as far as known.
type From struct {
	Owner     string // account of the log group
	LogGroup  string
	LogStream string // of a Kinesis record: its partition key
	EventID   string // of the log event; else of the record
	Timestamp int64  // milliseconds since 1970, 0 if unknown
}

// Message is one log message. Text is part of the payload or of what it unfolded to, and must not be changed.
type Message struct {
	From
	Text []byte
}

// Bad is a piece that is no alert and no line to be passed over.
type Bad struct {
	From
	Text   []byte
	Reason string // short and stable, safe as the label of a counter
	Detail string // for people
}

// Reasons of our own beside those of falco.Reason.
const (
	ReasonNotAlert   = "not_an_alert" // text that is not JSON and not Falco's own log
	ReasonIncomplete = "incomplete"   // the rest of a line that was split is missing
	ReasonEncoding   = "encoding"     // base64 or gzip that cannot be undone
	ReasonTooDeep    = "too_deep"     // wrapped more than maxWraps times
)

// Shape says what a payload is.
type Shape uint8

// The shapes.
const (
	Subscription Shape = iota // of CloudWatch Logs, directly
	Kinesis
	Firehose
	SQS
)

// Event is a payload taken apart.
type Event struct {
	Shape    Shape
	Messages []Message
	Bad      []Bad
	Control  int      // CONTROL_MESSAGEs in it
	Records  []Record // of Firehose and SQS: what the answer has to name
}

// Record names a record in the answer to Firehose or SQS.
type Record struct {
	ID   string
	Data []byte // of Firehose: base64 as it came
}

// ErrUnknown says that a payload has none of the shapes. Test with errors.Is.
var ErrUnknown = errors.New("not an event of CloudWatch Logs, Kinesis, Firehose or SQS")

// Decode takes a payload apart. Records in it that cannot be read are in Bad. The error is ErrUnknown, with the reason,
// for a payload that is none of the shapes.
func Decode(payload []byte) (*Event, error) {
	var logs, kinesis, firehose []byte
	if err := members(payload, func(name, value []byte) {
		switch string(name) {
		case "awslogs":
			logs = value
		case "Records":
			kinesis = value
		case "records":
			firehose = value
		}
	}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	e := &Event{}
	var err error
	switch {
	case logs != nil:
		var data []byte
		err = members(logs, func(name, value []byte) {
			if string(name) == "data" {
				data = value
			}
		})
		if err == nil && data == nil {
			err = errors.New("awslogs has no data")
		}
		if err == nil {
			e.encoded(data, From{}, false)
		}
	case kinesis != nil:
		e.Shape = Kinesis
		err = elements(kinesis, e.record)
	case firehose != nil:
		e.Shape = Firehose
		err = elements(firehose, e.firehoseRecord)
	default:
		err = errors.New("none of the members awslogs, Records and records")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return e, nil
}

// record reads one of a Kinesis or SQS event's records.
func (e *Event) record(record []byte) error {
	var kinesis, body, id, source []byte
	if err := members(record, func(name, value []byte) {
		switch string(name) {
		case "kinesis":
			kinesis = value
		case "body":
			body = value
		case "eventID", "messageId":
			id = value
		case "eventSource":
			source = value
		}
	}); err != nil {
		return err
	}
	from := From{EventID: text(id)}
	switch {
	case kinesis != nil:
		var data []byte
		err := members(kinesis, func(name, value []byte) {
			switch string(name) {
			case "data":
				data = value
			case "partitionKey":
				from.LogStream = text(value)
			case "approximateArrivalTimestamp": // seconds, with a fraction
				if seconds, err := strconv.ParseFloat(string(value), 64); err == nil && seconds > 0 && seconds < 1e11 {
					from.Timestamp = int64(seconds * 1000)
				}
			}
		})
		if err != nil || data == nil {
			return errors.Join(err, errors.New("a Kinesis record without data"))
		}
		e.encoded(data, from, true)
	case body != nil:
		e.Shape = SQS
		e.Records = append(e.Records, Record{ID: from.EventID})
		e.plain(unquote(body), from)
	default:
		return fmt.Errorf("a record of event source %q with neither kinesis nor body", text(source))
	}
	return nil
}

func (e *Event) firehoseRecord(record []byte) error {
	var id, data []byte
	from := From{}
	if err := members(record, func(name, value []byte) {
		switch string(name) {
		case "recordId":
			id = value
		case "data":
			data = value
		case "approximateArrivalTimestamp": // milliseconds
			from.Timestamp, _ = strconv.ParseInt(string(value), 10, 64)
		}
	}); err != nil {
		return err
	}
	if id == nil || data == nil {
		return errors.New("a Firehose record without recordId or data")
	}
	from.EventID = text(id)
	e.Records = append(e.Records, Record{ID: from.EventID, Data: unquote(data)})
	e.encoded(data, from, true)
	return nil
}

// encoded reads data in base64, perhaps gzip. If plain, it may be text that is no subscription.
func (e *Event) encoded(value []byte, from From, plain bool) {
	encoded := unquote(value)
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Decode(raw, encoded)
	if err != nil {
		e.bad(encoded, from, ReasonEncoding, "base64: "+err.Error())
		return
	}
	raw = raw[:n]
	if len(raw) > 1 && raw[0] == 0x1f && raw[1] == 0x8b {
		inflated, err := inflate(raw, MaxInflated)
		if err != nil {
			e.bad(encoded, from, ReasonEncoding, "gzip: "+err.Error())
			return
		}
		raw = inflated
	}
	if plain {
		e.plain(raw, from)
		return
	}
	if err := e.subscription(raw); err != nil {
		e.bad(raw, from, ReasonEncoding, err.Error())
	}
}

// plain reads text that is one subscription event or several, one after the other, or else log text.
func (e *Event) plain(raw []byte, from From) {
	if !bytes.Contains(raw[:min(len(raw), subscriptionHead)], []byte(`"messageType"`)) || e.subscription(raw) != nil {
		e.Messages = append(e.Messages, Message{from, raw})
	}
}

// subscriptionHead is how far into a subscription event its messageType stands at most. CloudWatch Logs writes it first.
const subscriptionHead = 1024

func (e *Event) bad(raw []byte, from From, reason, detail string) {
	e.Bad = append(e.Bad, Bad{from, raw, reason, detail})
}

// inflate undoes gzip, several members too, of at most limit bytes.
func inflate(raw []byte, limit int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(8 * len(raw)) // log text compresses about that much, or better
	n, err := out.ReadFrom(io.LimitReader(z, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return out.Bytes(), err
}

// subscription reads documents of CloudWatch Logs. If there is an error, none of them is taken.
func (e *Event) subscription(raw []byte) error {
	messages, control := e.Messages, 0
	for i := skipSpace(raw, 0); ; {
		var kind, owner, group, stream, events []byte
		end, err := object(raw, i, func(name, value []byte) {
			switch string(name) {
			case "messageType":
				kind = value
			case "owner":
				owner = value
			case "logGroup":
				group = value
			case "logStream":
				stream = value
			case "logEvents":
				events = value
			}
		})
		if err != nil {
			return err
		}
		switch text(kind) {
		case "CONTROL_MESSAGE":
			control++
		case "DATA_MESSAGE":
			from := From{Owner: text(owner), LogGroup: text(group), LogStream: text(stream)}
			if err := elements(events, func(event []byte) error {
				m, err := logEvent(event, from)
				messages = append(messages, m)
				return err
			}); err != nil {
				return err
			}
		default:
			return fmt.Errorf("messageType %q is neither DATA_MESSAGE nor CONTROL_MESSAGE", text(kind))
		}
		if i = skipSpace(raw, end); i == len(raw) {
			e.Messages, e.Control = messages, e.Control+control
			return nil
		}
	}
}

func logEvent(event []byte, from From) (Message, error) {
	m := Message{From: from}
	err := members(event, func(name, value []byte) {
		switch string(name) {
		case "id":
			m.EventID = text(value)
		case "timestamp":
			m.Timestamp, _ = strconv.ParseInt(string(value), 10, 64)
		case "message":
			if m.Text = unquote(value); m.Text == nil {
				m.Text = value // not a string: the alert itself, perhaps
			}
		}
	})
	return m, err
}

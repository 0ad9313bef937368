package cwlogs

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/eyrie-sec/eyrie/falco"
)

// maxWraps is how many times an alert may be wrapped. Two are met in practice: Docker's form inside Fluent Bit's.
const maxWraps = 6

// Alert is an alert and where it stood.
type Alert struct {
	*falco.Alert
	From From
}

// Result is what messages came to.
type Result struct {
	Alerts  []Alert
	Bad     []Bad
	Skipped int // empty lines, and lines of Falco's own log
}

// Read finds the alerts in messages, on all processors. The order of alerts is that of the messages, except that those
// which were split over several messages come last. The result shares no bytes with the messages but Bad's Text.
func Read(messages []Message) Result {
	const chunk = 64 // messages; less are not worth a goroutine
	workers := min(runtime.GOMAXPROCS(0), (len(messages)+chunk-1)/chunk)
	if workers <= 1 {
		var r reader
		r.all(messages)
		return r.join()
	}
	readers := make([]reader, workers)
	var wg sync.WaitGroup
	for w := range readers {
		readers[w].later = w > 0
		first, last := len(messages)*w/workers, len(messages)*(w+1)/workers
		wg.Go(func() { readers[w].all(messages[first:last]) })
	}
	wg.Wait()
	var all reader
	for i := range readers {
		r := &readers[i]
		all.Alerts = append(all.Alerts, r.Alerts...)
		all.Bad = append(all.Bad, r.Bad...)
		all.fragments = append(all.fragments, r.fragments...)
		all.Skipped += r.Skipped
	}
	return all.join()
}

// reader reads messages, in order, and keeps the pieces of split lines for the end: their rest may be with another one.
type reader struct {
	Result
	fragments []fragment
	open      map[string]bool // by key: the last fragment is not the last of its line
	later     bool            // there are messages before those of this reader, with fragments perhaps
}

// fragment is a piece of a line that was split by Docker or by the kubelet.
type fragment struct {
	From
	key  string // of the line: Docker's partial_id, or the log stream and stdout or stderr
	text []byte
	last bool
	meta meta
}

func (r *reader) all(messages []Message) {
	r.Alerts = make([]Alert, 0, len(messages))
	for _, m := range messages {
		r.read(m.Text, m.From, meta{}, 0)
	}
}

// join puts split lines together and reads them. What they hold may be split again.
func (r *reader) join() Result {
	for wraps := 1; len(r.fragments) > 0; wraps++ {
		fragments := r.fragments
		r.fragments, r.open, r.later = nil, nil, false
		r.joinOnce(fragments, wraps)
	}
	return r.Result
}

func (r *reader) joinOnce(fragments []fragment, wraps int) {
	pending := map[string]*fragment{}
	var order []*fragment
	for _, f := range fragments {
		p := pending[f.key]
		switch {
		case p == nil && f.last: // a whole line after all
			r.read(f.text, f.From, f.meta, wraps)
		case p == nil:
			f.text = bytes.Clone(f.text)
			pending[f.key] = &f
			order = append(order, &f)
		default:
			p.text = append(p.text, f.text...)
			if p.last = f.last; f.last {
				delete(pending, f.key)
				r.read(p.text, p.From, p.meta, wraps)
			}
		}
	}
	for _, p := range order {
		if !p.last {
			r.bad(p.text, p.From, ReasonIncomplete, "the rest of the line is not in the batch")
		}
	}
}

// hold keeps a fragment for join.
func (r *reader) hold(f fragment) {
	r.fragments = append(r.fragments, f)
	if r.open == nil {
		r.open = map[string]bool{}
	}
	r.open[f.key] = !f.last
}

func (r *reader) bad(text []byte, from From, reason, detail string) {
	r.Bad = append(r.Bad, Bad{from, text, reason, detail})
}

// read reads a text: any mixture of JSON objects, arrays of them, and lines.
func (r *reader) read(b []byte, from From, m meta, wraps int) {
	if wraps > maxWraps {
		r.bad(b, from, ReasonTooDeep, fmt.Sprintf("wrapped more than %d times", maxWraps))
		return
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	empty := true
	for i := skipSpace(b, 0); i < len(b); i = skipSpace(b, i) {
		empty = false
		switch b[i] {
		case '{':
			var o members1
			end, err := object(b, i, o.visit)
			if err != nil {
				i = r.broken(b, i, from, m, wraps)
				continue
			}
			r.object(b[i:end], &o, from, m, wraps)
			i = end
		case '[':
			i = r.broken(b, i, from, m, wraps)
		default:
			end := bytes.IndexByte(b[i:], '\n')
			if end < 0 {
				end = len(b) - i
			}
			r.line(b[i:i+end], i > 0 && b[i-1] == ' ', from, m, wraps)
			i += end
		}
	}
	if empty {
		r.Skipped++
	}
}

// broken reads from b[i] on what is an array, or no JSON object although it begins as one, with falco.Split, which
// finds the places where reading can go on. It returns the index at which there is nothing more to read.
func (r *reader) broken(b []byte, i int, from From, m meta, wraps int) int {
	end := len(b)
	if b[i] == '{' { // what is broken ends with its line, if the next line begins an object
		if n := bytes.Index(b[i:], []byte("\n{")); n >= 0 {
			end = i + n
		}
	}
	falco.Split(b[i:end], func(_ int, record []byte, err error) bool {
		var o members1
		if err == nil {
			if _, err = object(record, 0, o.visit); err == nil {
				r.object(record, &o, from, m, wraps)
				return true
			}
		}
		reason := string(falco.NotObject)
		if parse := (*falco.ParseError)(nil); errors.As(err, &parse) {
			reason = string(parse.Reason)
		}
		r.bad(record, from, reason, err.Error())
		return true
	})
	return end
}

// line reads one line that does not begin as JSON. indented says that there was space before it.
func (r *reader) line(line []byte, indented bool, from From, m meta, wraps int) {
	line = bytes.TrimRight(line, " \t\r")
	if stream, part, body, ok := parseCRI(line); ok {
		key := from.LogGroup + "\x00" + from.LogStream + "\x00" + m.podName + stream
		if open, known := r.open[key]; part || open || !known && r.later {
			r.hold(fragment{from, key, body, !part, m})
			return
		}
		r.read(body, from, m, wraps+1)
		return
	}
	if isFalcoLog(line, indented) {
		r.Skipped++
		return
	}
	r.bad(line, from, ReasonNotAlert, "neither JSON nor a line of Falco's log")
}

// object reads an object of which the members are in o: an alert, or what wraps one.
func (r *reader) object(b []byte, o *members1, from From, m meta, wraps int) {
	m.add(o)
	if o.rule && o.priority {
		r.alert(b, o, from, &m)
		return
	}
	inner := o.inner
	if inner == nil {
		r.alert(b, o, from, &m) // says what is missing
		return
	}
	if inner[0] == '"' {
		if inner = unquote(inner); m.partialID != "" {
			r.hold(fragment{from, "partial\x00" + m.partialID, inner, m.partialLast, m})
			return
		}
	}
	alerts, bads := len(r.Alerts), len(r.Bad)
	r.read(inner, from, m, wraps+1)
	if len(r.Alerts) == alerts && len(r.Bad) == bads+1 {
		r.Bad[bads].Text = b // the original, with what stands beside
	}
}

// alert reads an object that is to be an alert.
func (r *reader) alert(b []byte, o *members1, from From, m *meta) {
	a, err := falco.Parse(b)
	if err != nil && errors.Is(err, &falco.ParseError{Reason: falco.MissingTime}) && from.Timestamp > 0 {
		// Fluent Bit's parsers take the time out unless told to keep it; CloudWatch Logs then has it to the millisecond.
		a, err = falco.Parse(withTime(b, from.Timestamp))
	}
	if err != nil {
		reason := string(falco.NotJSON)
		if parse := (*falco.ParseError)(nil); errors.As(err, &parse) {
			reason = string(parse.Reason)
		}
		r.bad(b, from, reason, err.Error())
		return
	}
	if o.wrapped {
		dropWrapping(a)
	}
	m.apply(a)
	r.Alerts = append(r.Alerts, Alert{a, from})
}

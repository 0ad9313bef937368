package tail

import (
	"bytes"
)

// Kind says what a logical line is.
type Kind uint8

// The kinds of lines. Only KindAlert lines become records.
const (
	KindEmpty Kind = iota // nothing but spaces
	KindText              // does not start with '{': Falco's own log text
	KindAlert             // starts with '{': a candidate alert, well-formed or not
)

// Text is one logical line: the text that the program wrote, without what the container runtime put around it.
type Text struct {
	Kind Kind
	// Bytes is the line without its newline and without spaces around it. Valid until the decoder is used again.
	Bytes []byte
	// Cut is the number of bytes missing at the end of Bytes, because the line was longer than the limit.
	Cut int64
}

// Decoder turns the physical lines of one file into logical ones: it tells CRI, Docker and bare lines apart, one by
// one, and joins the partial lines of each stream. It never fails: a line it cannot read as CRI's or Docker's is a
// bare line. Not safe for concurrent use.
type Decoder struct {
	max     int // limit of a logical line in bytes
	pending [2]partial
	scratch []byte // Docker's log text, unescaped
}

// partial is the beginning of a line of which the end has not been seen. active with no text is an empty beginning.
type partial struct {
	text   []byte
	cut    int64
	active bool
}

// The streams a container runtime tells apart.
const (
	stdout = iota
	stderr
)

// NewDecoder returns a Decoder that cuts logical lines at limit bytes.
func NewDecoder(limit int) *Decoder {
	return &Decoder{max: limit}
}

// Line decodes one physical line, without its newline; cut bytes are missing at its end. It calls yield for each
// logical line that it completes: none (a partial line), one, or several (a Docker line with newlines in it).
func (d *Decoder) Line(line []byte, cut int64, yield func(Text)) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if stream, part, text, ok := parseCRI(line); ok {
		d.add(stream, text, cut, !part, yield)
		return
	}
	if cut == 0 {
		if stream, text, ok := d.parseDocker(line); ok {
			for len(text) > 0 {
				head, rest, whole := bytes.Cut(text, []byte{'\n'})
				d.add(stream, head, 0, whole, yield)
				text = rest
			}
			return
		}
	}
	d.yield(line, cut, yield)
}

// Flush completes what is pending: no more lines of this file will come.
func (d *Decoder) Flush(yield func(Text)) {
	for stream := range d.pending {
		if d.pending[stream].active {
			d.add(stream, nil, 0, true, yield)
		}
	}
}

// Pending reports whether a partial line waits for its end.
func (d *Decoder) Pending() bool {
	return d.pending[stdout].active || d.pending[stderr].active
}

// add appends text to what is pending of stream, and yields the whole if end says that the line is complete.
func (d *Decoder) add(stream int, text []byte, cut int64, end bool, yield func(Text)) {
	p := &d.pending[stream]
	if !p.active && end {
		d.yield(text, cut, yield)
		return
	}
	p.active = true
	if p.cut > 0 { // the line was cut before: nothing may follow the gap
		p.cut += int64(len(text)) + cut
	} else {
		room := max(0, d.max-len(p.text))
		kept := min(len(text), room)
		p.text = append(p.text, text[:kept]...)
		p.cut = int64(len(text)-kept) + cut
	}
	if !end {
		return
	}
	d.yield(p.text, p.cut, yield)
	p.text, p.cut, p.active = p.text[:0], 0, false
	if cap(p.text) > 64<<10 { // a rare long line must not hold its memory for good
		p.text = nil
	}
}

// yield judges a logical line and hands it on. NULs around a line are what a writer without O_APPEND leaves in a file
// that was truncated under it.
func (d *Decoder) yield(text []byte, cut int64, yield func(Text)) {
	if len(text) > d.max {
		cut += int64(len(text) - d.max)
		text = text[:d.max]
	}
	text = trim(text)
	switch {
	case len(text) == 0:
		yield(Text{Kind: KindEmpty, Cut: cut})
	case text[0] == '{':
		yield(Text{Kind: KindAlert, Bytes: text, Cut: cut})
	default:
		yield(Text{Kind: KindText, Bytes: text, Cut: cut})
	}
}

func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == 0 }

// parseCRI takes a CRI log line apart: `<RFC 3339 time> <stdout|stderr> <P|F>[:more tags] <text>`, P meaning that the
// line goes on in the next one of its stream.
// (https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/cri-client/pkg/logs/logs.go)
func parseCRI(line []byte) (stream int, part bool, text []byte, ok bool) {
	const shortest = len("2026-11-21T02:25:46Z stdout F")
	if len(line) < shortest || line[4] != '-' || line[7] != '-' || line[10] != 'T' || line[13] != ':' || line[16] != ':' {
		return 0, false, nil, false
	}
	for _, i := range [...]int{0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18} {
		if line[i] < '0' || line[i] > '9' {
			return 0, false, nil, false
		}
	}
	// A time has 20 to 35 bytes: "2026-11-21T02:25:46Z" to "2026-11-21T02:25:46.697293485+01:00".
	const shortestTime, longestTime = 19, 36
	end := bytes.IndexByte(line[shortestTime:min(len(line), longestTime)], ' ')
	if end < 0 {
		return 0, false, nil, false
	}
	rest := line[shortestTime+end+1:]
	switch {
	case bytes.HasPrefix(rest, []byte("stdout ")):
		stream = stdout
	case bytes.HasPrefix(rest, []byte("stderr ")):
		stream = stderr
	default:
		return 0, false, nil, false
	}
	rest = rest[len("stdout "):]
	tags, text, _ := bytes.Cut(rest, []byte{' '})
	tag, _, _ := bytes.Cut(tags, []byte{':'})
	if len(tag) != 1 || tag[0] != 'P' && tag[0] != 'F' {
		return 0, false, nil, false
	}
	return stream, tag[0] == 'P', text, true
}

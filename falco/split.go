package falco

import "bytes"

// Split takes a body apart into records and calls f for each, in order, until f returns false. A body is any mixture,
// with or without space between, of JSON objects one after the other (NDJSON is that, with LF or CRLF) and arrays of
// them; a byte order mark may lead. An empty body has no records.
//
// index counts records from 0, bad ones too. For a good one err is nil and record is one whole JSON value, an object
// unless it is an element of an array; whether it is an alert is for Parse to say. For a bad one err is a *ParseError
// whose Offset is counted from the start of the body, and record is what could not be read. record is a part of body.
//
// After a bad record Split goes on where the next one seems to begin. Outside of arrays that is the next line; if the bad
// record began as an object it is the next line that begins with a brace, so that a broken record of several lines counts
// once. In an array it is the next element if the brackets of the bad one match, else as outside.
func Split(body []byte, f func(index int, record []byte, err error) bool) {
	s := splitter{b: body, emit: f}
	i := skipBOM(body)
	for i = skipSpace(body, i); i < len(body) && !s.stopped; i = skipSpace(body, i) {
		switch body[i] {
		case '[':
			i = s.array(i)
		case '{':
			end, err := skipValue(body, i, 0)
			if err != nil {
				end = nextObjectLine(body, i)
			}
			s.record(i, end, err)
			i = end
		default:
			end := lineEnd(body, i)
			s.record(i, end, fail(NotJSON, i, "no JSON object"))
			i = end
		}
	}
}

type splitter struct {
	b       []byte
	emit    func(int, []byte, error) bool
	index   int
	stopped bool
}

func (s *splitter) record(start, end int, err *ParseError) {
	record := s.b[start:end:end]
	if err != nil {
		s.stopped = !s.emit(s.index, bytes.TrimRight(record, " \t\r\n"), err)
	} else {
		s.stopped = !s.emit(s.index, record, nil)
	}
	s.index++
}

// array reads the array that starts at b[i] and returns the index after it.
func (s *splitter) array(i int) int {
	b := s.b
	if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for !s.stopped {
		if i = skipSpace(b, i); i >= len(b) {
			s.record(len(b), len(b), fail(NotJSON, len(b), "array without an end"))
			return len(b)
		}
		end, err := skipValue(b, i, 1)
		after := skipSpace(b, end)
		if err == nil && (after >= len(b) || b[after] != ',' && b[after] != ']') {
			if after >= len(b) {
				s.record(i, end, nil)
				i = end
				continue
			}
			err = fail(NotJSON, after, "no comma or bracket after an element")
		}
		if err == nil {
			s.record(i, end, nil)
			if i = after + 1; b[after] == ']' {
				return i
			}
			continue
		}
		end, closed := resync(b, i)
		s.record(i, end, err)
		if !closed {
			return end
		}
		if i = end + 1; b[end] == ']' {
			return i
		}
	}
	return i
}

// resync looks for the end of the broken element at b[i]: the comma or bracket after it at its own depth (closed), or
// else the next line that begins with a brace.
func resync(b []byte, i int) (end int, closed bool) {
	depth := 0
	for at := i; at < len(b); at++ {
		switch b[at] {
		case '"':
			// A string that ends with its line or has a bad escape is passed over as far as it goes.
			at, _, _ = scanString(b, at+1)
		case '{', '[':
			if depth++; depth > maxDepth {
				return nextObjectLine(b, i), false
			}
		case '}', ']', ',':
			if depth == 0 && b[at] != '}' {
				return at, true
			}
			if b[at] != ',' {
				depth--
			}
			if depth < 0 {
				return nextObjectLine(b, i), false
			}
		}
	}
	return nextObjectLine(b, i), false
}

// lineEnd returns the index of the next line feed, or len(b).
func lineEnd(b []byte, i int) int {
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(b)
}

// nextObjectLine returns the index of the next brace after b[i] that is the first byte of its line, space aside.
func nextObjectLine(b []byte, i int) int {
	for {
		i = lineEnd(b, i)
		next := skipSpace(b, i)
		if next >= len(b) || b[next] == '{' {
			return next
		}
		i = next
	}
}

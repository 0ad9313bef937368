// Package quarantine keeps what cannot be converted or delivered in an SQS queue, where a person can read it and from
// where it can be processed again.
//
// In come records with the reason and the original, whatever its size and bytes; out go messages (the format is that of
// docs/lambda.md, "Quarantine"), and from messages the records again. Nothing of an original is ever cut: what is large is
// compressed, and what is large even so is divided over several messages.
//
// Put fails if the queue did not take every message; some may be in it then, and are again when Put is repeated. A
// record's id is the same each time.
package quarantine

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
)

// MaxMessage is the largest message in bytes that is sent. SQS takes 1 MiB since August 2025, queues made before it and
// other queue services 256 KiB (Amazon SQS Developer Guide, "Message quotas").
const MaxMessage = 256 << 10

// Kinds of records.
const (
	KindLog     = "log"     // log text that is no alert
	KindFinding = "finding" // a finding that Security Hub refused
	KindEvent   = "event"   // an invocation of the function that it does not understand
)

// Encodings of Message.Original. "" is the text as it is.
const (
	encodingBase64 = "base64"
	encodingGzip   = "gzip+base64"
)

// version of the message format.
const version = 1

// From says where a record stands in CloudWatch Logs, as far as known.
type From struct {
	Owner     string `json:"owner,omitempty"`
	LogGroup  string `json:"logGroup,omitempty"`
	LogStream string `json:"logStream,omitempty"`
	EventID   string `json:"eventId,omitempty"`
	Timestamp int64  `json:"timestamp,omitempty"` // milliseconds since 1970
}

// Record is one record of the quarantine.
type Record struct {
	Kind     string
	Reason   string // short and stable
	Detail   string // for people
	From     From
	Original []byte
}

// Message is a record, or part of one, as it stands in the queue.
type Message struct {
	Version  int    `json:"version"`
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Reason   string `json:"reason"`
	Detail   string `json:"detail,omitempty"`
	From     From   `json:"from"`
	Part     int    `json:"part,omitempty"` // from 1
	Parts    int    `json:"parts,omitempty"`
	Encoding string `json:"encoding,omitempty"`
	Original string `json:"original"`
}

// ID is a hash of what the record is: the same for the same record, today and when its event is processed again.
func (r *Record) ID() string {
	h := sha256.New()
	for _, part := range []string{r.Kind, r.Reason, r.From.Owner, r.From.LogGroup, r.From.LogStream, r.From.EventID, string(r.Original)} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

const (
	maxPlain  = 32 << 10 // bytes of an original that is not compressed
	maxDetail = 1024
	headroom  = 4096 // of a message for all but its original
)

// messages are the messages of a record, each at most limit bytes.
func (r *Record) messages(limit int) ([][]byte, error) {
	detail := r.Detail
	if len(detail) > maxDetail {
		detail = detail[:maxDetail] + "…"
	}
	m := Message{Version: version, ID: r.ID(), Kind: r.Kind, Reason: r.Reason, Detail: detail, From: r.From}
	switch {
	case len(r.Original) > maxPlain:
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(r.Original); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		m.Encoding, m.Original = encodingGzip, base64.StdEncoding.EncodeToString(b.Bytes())
	case !utf8.Valid(r.Original):
		m.Encoding, m.Original = encodingBase64, base64.StdEncoding.EncodeToString(r.Original)
	default:
		m.Original = string(r.Original)
	}
	size := limit - headroom
	if m.Encoding == "" { // escapes may make text up to six times as long
		size = limit
	}
	text := m.Original
	if m.Parts = (len(text) + size - 1) / size; m.Parts <= 1 {
		m.Parts = 0
		body, err := m.marshal()
		return [][]byte{body}, err
	}
	var all [][]byte
	for m.Part = 1; m.Part <= m.Parts; m.Part++ {
		m.Original = text[(m.Part-1)*size : min(len(text), m.Part*size)]
		body, err := m.marshal()
		if err != nil {
			return nil, err
		}
		all = append(all, body)
	}
	return all, nil
}

// marshal writes the message with the characters that SQS lets into a message alone: JSON escapes control characters, and
// U+FFFE and U+FFFF are left (Amazon SQS API Reference, SendMessage).
func (m *Message) marshal() ([]byte, error) {
	body, err := json.Marshal(m)
	body = bytes.ReplaceAll(body, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(body, []byte("\uFFFF"), []byte(`\uffff`)), err
}

// ErrIncomplete says that parts of a record are missing. Test with errors.Is.
var ErrIncomplete = errors.New("not all parts of the record are there")

// maxOriginal bounds what a compressed original may unfold to.
const maxOriginal = 256 << 20

// Parse reads a message. ok is false if the text is none of this package's.
func Parse(text []byte) (m Message, ok bool) {
	err := json.Unmarshal(text, &m)
	return m, err == nil && m.Version == version && m.ID != "" && m.Reason != ""
}

// Join makes a record of all its messages, in any order, some perhaps more than once.
func Join(messages []Message) (Record, error) {
	if len(messages) == 0 {
		return Record{}, ErrIncomplete
	}
	m := messages[0]
	text := m.Original
	if m.Parts > 1 {
		parts := map[int]string{}
		for _, part := range messages {
			parts[part.Part] = part.Original
		}
		text = ""
		for i := 1; i <= m.Parts; i++ {
			part, ok := parts[i]
			if !ok {
				return Record{}, ErrIncomplete
			}
			text += part
		}
	}
	r := Record{Kind: m.Kind, Reason: m.Reason, Detail: m.Detail, From: m.From}
	if m.Encoding == "" {
		r.Original = []byte(text)
		return r, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err == nil && m.Encoding == encodingGzip {
		raw, err = gunzip(raw)
	}
	if err != nil {
		return Record{}, fmt.Errorf("original of record %s, %s: %w", m.ID, m.Encoding, err)
	}
	r.Original = raw
	return r, nil
}

func gunzip(raw []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, maxOriginal+1))
	if err == nil && len(out) > maxOriginal {
		err = fmt.Errorf("more than %d bytes", maxOriginal)
	}
	return out, err
}

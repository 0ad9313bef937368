package portal

import (
	"encoding/json"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// lineEncoder writes records of quarantine as JSON, one a line.
type lineEncoder struct{ enc *json.Encoder }

func newLineEncoder(w io.Writer) lineEncoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return lineEncoder{enc}
}

func (e lineEncoder) line(rec Rejected) error {
	l := quarantineLine{ID: rec.ID, Arrived: rec.Arrived.UTC(), Way: rec.Way, Origin: rec.Origin, Reason: rec.Reason, Detail: rec.Detail}
	if utf8.Valid(rec.Body) {
		l.Body = string(rec.Body)
	} else {
		l.Base64 = rec.Body
	}
	return e.enc.Encode(l)
}

// retryAfter writes a wait for the header of that name: whole seconds, at least one.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(int(max(d, time.Second).Round(time.Second) / time.Second))
}

package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Every answer is JSON. Of a request whose body was read it is
//
//	{"accepted":2,"duplicates":1,"rejected":[{"index":3,"reason":"missing_rule","detail":"…"}],"error":"…"}
//
// accepted are stored by this request, duplicates were stored before. rejected lists the records that are no alerts, at
// most 100 of them (rejected_count says how many there are if it is more), with index counted from 0 in the order of the
// body. The sentence in error counts as people do: index 3 is "record 4". rejected and error are absent where there is
// nothing to say. All other answers have an error alone.
//
//	200  everything is stored, durably
//	400  the good records are stored and the bad ones are in quarantine, durably; or there are none
//	401  the key is missing or wrong
//	404  no such path
//	405  not POST
//	408  the body ended early or came too slowly; nothing of it is stored: send it again
//	413  the body is over the limit; nothing of it is stored
//	415  the body has an encoding other than gzip
//	503  not, or not wholly, stored; Retry-After says when to send the body again
type answer struct {
	Accepted      int       `json:"accepted"`
	Duplicates    int       `json:"duplicates"`
	Rejected      []refusal `json:"rejected,omitempty"`
	RejectedCount int       `json:"rejected_count,omitempty"`
	Error         string    `json:"error,omitempty"`
}

// problem is an answer that is not a success.
type problem struct {
	status int
	text   string // for people; holds nothing of the request
	retry  string // Retry-After, in seconds
	close  bool   // the rest of the body is not read
	accept bool   // say which encodings are
	listed bool   // answer with the counts, as for a body that was read
}

// Retry-After, in seconds: for what passes by itself, and for what somebody has to mend.
const (
	retryShort = "1"
	retryLong  = "5"
)

// Header values that are set without an allocation. Nobody changes them.
var (
	typeJSON = []string{"application/json"}
	noStore  = []string{"no-store"}
	oneMore  = []byte(`{"accepted":1,"duplicates":0}` + "\n")
)

// succeed answers a request whose records are all committed.
func (h *Handler) succeed(w http.ResponseWriter, wk *work) {
	if wk.refused == 0 && wk.accepted == 1 && wk.duplicates == 0 {
		h.write(w, http.StatusOK, oneMore)
		return
	}
	a := answer{Accepted: wk.accepted, Duplicates: wk.duplicates, Rejected: wk.list}
	if wk.refused == 0 {
		h.writeJSON(w, http.StatusOK, a)
		return
	}
	if wk.refused > len(wk.list) {
		a.RejectedCount = wk.refused
	}
	first := wk.list[0]
	a.Error = fmt.Sprintf("refused and put into quarantine: %d of %d; the first is record %d: %s: %s", wk.refused, wk.records, first.Index+1, first.Reason, first.Detail)
	h.writeJSON(w, http.StatusBadRequest, a)
}

// fail answers with p.
func (h *Handler) fail(w http.ResponseWriter, p *problem) {
	header := w.Header()
	if p.retry != "" {
		header.Set("Retry-After", p.retry)
	}
	if p.close {
		header.Set("Connection", "close")
	}
	if p.accept {
		header.Set("Accept-Encoding", "gzip")
	}
	if p.listed {
		h.writeJSON(w, p.status, answer{Error: p.text})
		return
	}
	h.writeJSON(w, p.status, struct {
		Error string `json:"error"`
	}{p.text})
}

func (h *Handler) writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	h.write(w, status, append(text, '\n'))
}

func (h *Handler) write(w http.ResponseWriter, status int, text []byte) {
	h.metrics.answered(status)
	header := w.Header()
	header["Content-Type"] = typeJSON
	header["Cache-Control"] = noStore
	if status != http.StatusOK {
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(status)
	}
	// A sender that has gone sends again, and its alerts are found to be stored.
	_, _ = w.Write(text)
}

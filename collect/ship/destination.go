package ship

import (
	"context"
	"time"
)

// A Destination takes batches of alerts. Hub is one; package cloudwatch has another. One goroutine uses it.
type Destination interface {
	// Deliver sends alerts, in one request or several, and says what became of them. It does not retry and keeps none of
	// the slices.
	Deliver(ctx context.Context, alerts [][]byte) Outcome
	// Limits are how much one Deliver takes: alerts, and bytes of them together. One alert may be larger.
	Limits() (alerts, bytes int)
	// Name is how logs call it in a sentence: "the hub".
	Name() string
	// String is its address without secrets.
	String() string
}

// Kind says what an Outcome means for the batch.
type Kind uint8

// The kinds. Of all but Delivered, what is in Outcome.Left is still to be delivered.
const (
	Delivered  Kind = iota // each alert is stored, was known already, or is kept where a person can read it
	Later                  // trying again can help
	TooLarge               // a smaller batch, or the beginning of a single alert, can help
	Miscounted             // the answer does not account for each alert; smaller batches tell which
	Refused                // only a person can help
)

// Outcome is what became of one Deliver.
type Outcome struct {
	Kind Kind
	// Left are the alerts that are not delivered, in the order of sending; nil unless Kind is Delivered: all of them. Only Later
	// and Refused may leave a part.
	Left [][]byte
	// Accepted, Duplicates and Rejected (by reason) are the alerts that were answered for; Detail explains the first rejection.
	Accepted, Duplicates int64
	Rejected             map[string]int64
	Detail               string
	// After: not before this has passed; 0: unknown. For Later.
	After time.Duration
	// Err says why, without secrets. Not nil unless Kind is Delivered.
	Err error
	// Requests and Bytes were sent; Bytes as they were on the wire.
	Requests, Bytes int64
}

// refused is the number of alerts that are in quarantine now.
func (o *Outcome) refused() (n int64) {
	for _, count := range o.Rejected {
		n += count
	}
	return n
}

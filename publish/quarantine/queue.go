package quarantine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Limits of SQS: messages of one SendMessageBatch, and receives (API reference).
const (
	maxEntries = 10
	receive    = 10
)

// sendAttempts is how often entries that SQS refuses for a reason of its own are sent.
const sendAttempts = 3

// Queue is an SQS queue. It is safe for concurrent use. The SDK retries what can be retried.
type Queue struct {
	api *sqs.Client
	url string
}

// NewQueue returns the queue of that URL.
func NewQueue(c aws.Config, url string) *Queue { return &Queue{sqs.NewFromConfig(c), url} }

// Put puts records into the queue.
func (q *Queue) Put(ctx context.Context, records []Record) error {
	var batch [][]byte
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := q.send(ctx, batch)
		batch, size = nil, 0
		return err
	}
	for i := range records {
		messages, err := records[i].messages(MaxMessage)
		if err != nil {
			return fmt.Errorf("quarantine record %s: %w", records[i].ID(), err)
		}
		for _, m := range messages {
			if len(batch) == maxEntries || size+len(m) > MaxMessage {
				if err := flush(); err != nil {
					return err
				}
			}
			batch, size = append(batch, m), size+len(m)
		}
	}
	return flush()
}

// send sends one batch.
func (q *Queue) send(ctx context.Context, bodies [][]byte) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(bodies))
	for i, body := range bodies {
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(string(body))}
	}
	var last error
	for range sendAttempts {
		out, err := q.api.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil {
			return fmt.Errorf("send %d messages to quarantine %s: %w", len(entries), q.url, err)
		}
		if len(out.Failed) == 0 {
			return nil
		}
		failed := map[string]bool{}
		for _, f := range out.Failed {
			failed[aws.ToString(f.Id)] = true
			last = fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
		}
		left := entries[:0]
		for _, e := range entries {
			if failed[*e.Id] {
				left = append(left, e)
			}
		}
		entries = left
	}
	return fmt.Errorf("quarantine %s did not take %d messages: %w", q.url, len(entries), last)
}

// Received is a message taken from the queue. It comes back when its visibility time-out ends, unless Delete is called.
type Received struct {
	Body   []byte
	handle string
}

// Receive takes up to ten messages from the queue, none if it is empty.
func (q *Queue) Receive(ctx context.Context) ([]Received, error) {
	out, err := q.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.url, MaxNumberOfMessages: receive, WaitTimeSeconds: 1})
	if err != nil {
		return nil, fmt.Errorf("receive from %s: %w", q.url, err)
	}
	all := make([]Received, len(out.Messages))
	for i, m := range out.Messages {
		all[i] = Received{[]byte(aws.ToString(m.Body)), aws.ToString(m.ReceiptHandle)}
	}
	return all, nil
}

// Delete takes messages out of the queue for good.
func (q *Queue) Delete(ctx context.Context, messages []Received) error {
	var errs []error
	for len(messages) > 0 {
		n := min(len(messages), maxEntries)
		entries := make([]types.DeleteMessageBatchRequestEntry, n)
		for i := range entries {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: aws.String(messages[i].handle)}
		}
		messages = messages[n:]
		out, err := q.api.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.url, Entries: entries})
		if err == nil && len(out.Failed) > 0 {
			err = fmt.Errorf("%s: %s", aws.ToString(out.Failed[0].Code), aws.ToString(out.Failed[0].Message))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("delete from %s: %w", q.url, err))
		}
	}
	return errors.Join(errs...)
}

// Key identifies the record that a message is of, or is part of: a message of this package's by its id, and then ok is
// true, any other by its text.
func (r Received) Key() (key string, m Message, ok bool) {
	if m, ok = Parse(r.Body); ok {
		return m.ID, m, true
	}
	sum := sha256.Sum256(r.Body)
	return hex.EncodeToString(sum[:]), m, false
}

package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/hubtest"
	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
)

func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{}, journaltest.NewDisk().Open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	h, err := hub.Open(t.Context(), hub.Config{Account: "123456789012", Region: "eu-central-1"}, hubtest.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	c, err := NewConverter("", "")
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline{journal: j, hub: h, converter: c, log: slog.New(slog.DiscardHandler)}
	p.register(prometheus.NewRegistry())
	return p
}

// TestPipelineStops: who is asked to stop does not carry all that waits first, which may take minutes. The time for that is
// bounded, in drain.
func TestPipelineStops(t *testing.T) {
	p := newPipeline(t)
	entries := make([]journal.Entry, 10)
	for i := range entries {
		entries[i] = journaltest.Entry(t, i)
	}
	appended, err := p.journal.Append(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.follow(ctx, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if reached := p.reached.Load(); reached != 0 {
		t.Errorf("carried up to %d after the end", reached)
	}
	if err := p.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reached := p.reached.Load(); reached != appended.Last {
		t.Errorf("drained up to %d, want %d", reached, appended.Last)
	}
}

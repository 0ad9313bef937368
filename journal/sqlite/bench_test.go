package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/collect/webhook"
	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/journaltest"
	"github.com/eyrie-sec/eyrie/journal/sqlite"
)

// cpu is the processor time that this process has used, in user mode and in the kernel.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAppend has callers that append one alert at a time: what 16 connections of Falco's do. An operation is an
// alert; parsing and fingerprints are made before. cpu-us/alert is what counts.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d/entries=1", callers), func(b *testing.B) { benchAppend(b, callers, 1) })
	}
	b.Run("callers=1/entries=16", func(b *testing.B) { benchAppend(b, 1, 16) })
	b.Run("callers=1/entries=256", func(b *testing.B) { benchAppend(b, 1, 256) })
}

func benchAppend(b *testing.B, callers, each int) {
	j := openJournal(b, filepath.Join(b.TempDir(), "journal.db"), journal.Config{})
	entries := make([]journal.Entry, (b.N+each-1)/each*each)
	for i := range entries {
		entries[i] = journaltest.Entry(b, i)
	}
	var next atomic.Int64
	var group sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	for range callers {
		group.Go(func() {
			for {
				end := int(next.Add(int64(each)))
				if end > len(entries) {
					return
				}
				if _, err := j.Append(context.Background(), entries[end-each:end:end]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	used := cpu(b) - before
	b.StopTimer()
	b.ReportMetric(float64(used.Microseconds())/float64(len(entries)), "cpu-us/alert")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: j.path})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	h, err := s.Head(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(h.Bytes)*1000/float64(len(entries)), "block-B/1000")
	b.ReportMetric(float64(h.FileBytes)*1000/float64(len(entries)), "file-B/1000")
}

// BenchmarkReceive is the whole way of an alert: connections that post one alert after another to the handler, which parses
// it, and wait for the journal's commit. An operation is an alert. What net/http costs is not in it.
func BenchmarkReceive(b *testing.B) {
	for _, c := range []struct{ senders, records int }{{1, 1}, {16, 1}, {256, 1}, {1, 100}} {
		b.Run(fmt.Sprintf("senders=%d/records=%d", c.senders, c.records), func(b *testing.B) { benchReceive(b, c.senders, c.records) })
	}
}

func benchReceive(b *testing.B, senders, records int) {
	j := openJournal(b, filepath.Join(b.TempDir(), "journal.db"), journal.Config{})
	h, err := webhook.New(webhook.Config{Check: func(string) bool { return true }}, j)
	if err != nil {
		b.Fatal(err)
	}
	requests := make([][]byte, (b.N+records-1)/records)
	for i := range requests {
		for k := range records {
			requests[i] = append(append(requests[i], journaltest.Body(i*records+k)...), '\n')
		}
	}
	var next atomic.Int64
	var group sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	for range senders {
		group.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/falco/key", nil)
			w := &quiet{header: http.Header{}}
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return
				}
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(requests[i])), int64(len(requests[i]))
				if h.ServeHTTP(w, r); w.status != 0 {
					b.Errorf("status %d", w.status)
					return
				}
			}
		})
	}
	group.Wait()
	used := cpu(b) - before
	b.StopTimer()
	b.ReportMetric(float64(used.Microseconds())/float64(len(requests)*records), "cpu-us/alert")
	s, err := j.Stats(context.Background())
	if err != nil || s.Stored != int64(len(requests)*records) {
		b.Errorf("stored %d, %v, want %d", s.Stored, err, len(requests)*records)
	}
}

// quiet is a ResponseWriter without memory, for answers of status 200, which webhook does not set.
type quiet struct {
	header http.Header
	status int
}

func (q *quiet) Header() http.Header         { return q.header }
func (q *quiet) WriteHeader(status int)      { q.status = status }
func (q *quiet) Write(p []byte) (int, error) { return len(p), nil }

type openedJournal struct {
	*journal.Journal
	path string
}

func openJournal(t testing.TB, path string, c journal.Config) openedJournal {
	t.Helper()
	j, err := journal.Open(context.Background(), c, func(ctx context.Context) (journal.Store, error) {
		return sqlite.Open(ctx, sqlite.Config{Path: path})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return openedJournal{j, path}
}

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// BenchmarkInvoke is one invocation in process: from the event's bytes to the request that leaves, answered on
// loopback.
func BenchmarkInvoke(b *testing.B) {
	for _, events := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, `{"FailedCount":0,"SuccessCount":1,"FailedFindings":[]}`)
			}))
			defer server.Close()
			b.Setenv("AWS_REGION", testRegion)
			b.Setenv("AWS_ACCESS_KEY_ID", testKey)
			b.Setenv("AWS_SECRET_ACCESS_KEY", testSecret)
			h, err := assemble(context.Background(), func(name string) string {
				return map[string]string{"EYRIE_SECURITYHUB_ENDPOINT": server.URL, "EYRIE_QUARANTINE_QUEUE_URL": server.URL + "/q", "EYRIE_CALLS_PER_SECOND": "0",
					"EYRIE_ENRICH_EC2": "false", "EYRIE_ENRICH_ECS": "false", "EYRIE_ACCOUNT": testAccount, "EYRIE_CLUSTER": "prod"}[name]
			})
			if err != nil {
				b.Fatal(err)
			}
			h.log, h.out = slog.New(slog.DiscardHandler), io.Discard
			messages := make([]string, events)
			for i := range messages {
				messages[i] = eksMessage(alert(i, i%200))
			}
			payload := subscription("s", messages...)
			b.SetBytes(int64(len(strings.Join(messages, ""))))
			b.ReportAllocs()
			began := time.Now()
			for b.Loop() {
				if _, err := h.Invoke(b.Context(), payload); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(events*b.N)/time.Since(began).Seconds(), "events/s")
		})
	}
}

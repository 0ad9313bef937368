package webhook

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/journal"
)

func TestDuplicates(t *testing.T) {
	m := &memory{}
	h := newHandler(t, m)
	post(h, "/falco/"+key, alert(1))
	if a := decode(t, post(h, "/falco/"+key, alert(1)+"\n"+alert(2)+"\n"+alert(2))); a.Accepted != 1 || a.Duplicates != 2 {
		t.Errorf("got %+v, want 1 accepted and 2 duplicates", a)
	}
	if w := post(h, "/falco/"+key, alert(2)); w.Code != 200 || decode(t, w).Duplicates != 1 {
		t.Errorf("only a duplicate: got %d %s, want 200 and 1 duplicate", w.Code, w.Body)
	}
}

func TestJournalFails(t *testing.T) {
	secret := errors.New("open /var/lib/eyrie/journal.db: no space left on device")
	tests := []struct {
		err         error
		says, retry string
	}{
		{journal.ErrFull, "the disk is full", "5"},
		{journal.ErrReadOnly, journal.ErrReadOnly.Error(), "5"},
		{journal.ErrCorrupt, "damaged", "5"},
		{journal.ErrLocked, "another process", "5"},
		{journal.ErrNewer, "newer", "5"},
		{journal.ErrBusy, "too many", "1"},
		{journal.ErrClosed, "closed", "1"},
		{errors.New("something new"), "the journal failed", "5"},
	}
	for _, tt := range tests {
		t.Run(tt.err.Error(), func(t *testing.T) {
			m := &memory{fail: func(int) error { return fmt.Errorf("%w: %w", tt.err, secret) }}
			h := newHandler(t, m)
			w := post(h, "/falco/"+key, alert(1))
			if w.Code != 503 || w.Header().Get("Retry-After") != tt.retry {
				t.Errorf("got %d, Retry-After %q; want 503, %s", w.Code, w.Header().Get("Retry-After"), tt.retry)
			}
			a := decode(t, w)
			if !strings.Contains(a.Error, tt.says) || strings.Contains(a.Error, "/var/lib") {
				t.Errorf("error: got %q, want it to hold %q and no path", a.Error, tt.says)
			}
			m.fail = nil
			if w := post(h, "/falco/"+key, alert(1)); w.Code != 200 || len(m.entries) != 1 {
				t.Errorf("when the cause is gone: got %d %s, want 200", w.Code, w.Body)
			}
		})
	}
}

// TestFailsInTheMiddle lets each of the commits of a large body fail in turn. Sent again, everything is there once.
func TestFailsInTheMiddle(t *testing.T) {
	var body strings.Builder
	const records = 2*chunkRecords + 10
	for i := range records {
		body.WriteString(alert(i) + "\n")
	}
	for n := 1; n <= 3; n++ {
		m := &memory{fail: func(call int) error {
			if call == n {
				return journal.ErrFull
			}
			return nil
		}}
		h := newHandler(t, m, func(c *Config) { c.MaxBody = 4 << 20 })
		if w := post(h, "/falco/"+key, body.String()); w.Code != 503 || m.calls != n {
			t.Errorf("commit %d fails: got %d after %d calls, want 503 after %[1]d", n, w.Code, m.calls)
		}
		if a := decode(t, post(h, "/falco/"+key, body.String())); a.Accepted+a.Duplicates != records || a.Duplicates != (n-1)*chunkRecords {
			t.Errorf("commit %d failed and all is sent again: got %+v", n, a)
		}
		if len(m.entries) != records {
			t.Errorf("commit %d failed: %d records are stored, want %d", n, len(m.entries), records)
		}
	}
}

package portal

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
)

const (
	digestSpan = 24 * time.Hour
	// digestBack is how many entries of the feed the first look goes back, digestKeep how many that matter are kept.
	digestBack = 50_000
	digestKeep = 20_000
)

// digest follows the change feed and remembers what mattered in the last 24 hours: findings that were created, triaged,
// reopened or archived. Repeats are left out. Safe for concurrent use.
type digest struct {
	mu     sync.Mutex // guards what follows
	began  bool
	cursor int64
	from   time.Time // nothing is known of what was before; zero when all of the feed was read
	recent []hub.Change
}

func newDigest() *digest { return &digest{} }

// day is what changed in the last 24 hours.
type day struct {
	From    time.Time // the feed goes back to here only; zero: all 24 hours are known
	Created map[int64]time.Time
	Triaged map[int64]time.Time
	Reopen  map[int64]time.Time
	Archive map[int64]time.Time
	Latest  []hub.Change // the newest first, each finding once
}

// read brings the digest up to date.
func (d *digest) read(ctx context.Context, f Findings, now time.Time) (day, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.began {
		d.cursor = max(0, f.Stats().LastChange-digestBack)
	}
	skipped := !d.began && d.cursor > 0
	for {
		changes, err := f.Changes(ctx, d.cursor, maxChanges)
		if err != nil {
			return day{}, err
		}
		if skipped && len(changes) > 0 {
			d.from, skipped = changes[0].At, false
		}
		d.began = true
		for _, c := range changes {
			d.cursor = c.Seq
			if c.Kind != hub.Updated && c.Kind != hub.Deleted {
				d.recent = append(d.recent, c)
			}
		}
		if len(changes) < maxChanges {
			break
		}
	}
	limit := now.Add(-digestSpan)
	d.recent = slices.DeleteFunc(d.recent, func(c hub.Change) bool { return c.At.Before(limit) })
	if over := len(d.recent) - digestKeep; over > 0 {
		d.recent = slices.Delete(d.recent, 0, over)
		d.from = d.recent[0].At
	}
	if d.from.Before(limit) {
		d.from = time.Time{}
	}
	return d.day(), nil
}

const latestKept = 6

func (d *digest) day() day {
	out := day{From: d.from, Created: map[int64]time.Time{}, Triaged: map[int64]time.Time{}, Reopen: map[int64]time.Time{}, Archive: map[int64]time.Time{}}
	seen := map[int64]bool{}
	for _, c := range slices.Backward(d.recent) {
		kind := map[hub.ChangeKind]map[int64]time.Time{hub.Created: out.Created, hub.Triaged: out.Triaged, hub.Reopened: out.Reopen, hub.Archived: out.Archive}[c.Kind]
		if _, known := kind[c.FindingSeq]; !known && kind != nil {
			kind[c.FindingSeq] = c.At
		}
		if !seen[c.FindingSeq] && len(out.Latest) < latestKept {
			seen[c.FindingSeq] = true
			out.Latest = append(out.Latest, c)
		}
	}
	return out
}

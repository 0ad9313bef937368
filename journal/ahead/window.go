package ahead

import (
	"math"
	"slices"

	"github.com/eyrie-sec/eyrie/journal"
	"github.com/eyrie-sec/eyrie/journal/block"
)

// identity is what two records have in common exactly if they are the same alert.
type identity struct {
	at          int64
	fingerprint [16]byte
}

func identityOf(r *journal.Record) identity { return identity{block.AlertTime(r), r.Fingerprint} }

// window knows every stored record whose alert is of the time since or later, and every one that the store behind may not
// have yet. Nearly all that come in are newer than most that are stored, and for them no index on disk has to be asked.
type window struct {
	since  int64 // nanoseconds since 1970
	behind int64 // Seq up to which the store behind has all
	ids    map[identity]int64
	most   int // how many ids there may be before some are forgotten; 0 means windowSize
}

// windowSize is how many records a window knows, about 60 bytes of memory each. It is more than twice of what the log
// holds at most, of alerts of the usual size.
const windowSize = 1 << 17

// restart forgets all that the store behind has, which has alerts up to the time newest if any.
func (w *window) restart(newest int64, any bool) {
	w.since = math.MinInt64
	if any {
		w.since = newest + min(1, math.MaxInt64-newest)
	}
	for id, seq := range w.ids {
		if seq <= w.behind {
			delete(w.ids, id)
		}
		// What came meanwhile is of any time, and stays known.
	}
}

// has says whether a record is stored, and whether that is for sure: what is known is.
func (w *window) has(r *journal.Record) (known, sure bool) {
	id := identityOf(r)
	_, known = w.ids[id]
	return known, known || id.at >= w.since
}

// add takes in records that were stored.
func (w *window) add(records []journal.Record) {
	for i := range records {
		w.addOne(&records[i])
	}
}

func (w *window) addOne(r *journal.Record) {
	if w.ids == nil {
		w.ids = map[identity]int64{}
	}
	w.ids[identityOf(r)] = r.Seq
	if len(w.ids) > max(w.most, windowSize) {
		w.shrink()
	}
}

// shrink forgets the older half. It never says that it knows all of an earlier time than before: what was forgotten, or
// never seen, stays so.
func (w *window) shrink() {
	times := make([]int64, 0, len(w.ids))
	for id := range w.ids {
		times = append(times, id.at)
	}
	slices.Sort(times)
	middle := times[len(times)/2]
	if times[0] == middle { // many of one time: all of it goes
		middle++
	}
	w.since = max(w.since, middle)
	for id, seq := range w.ids {
		if id.at < w.since && seq <= w.behind {
			delete(w.ids, id)
		}
	}
	// What the store behind may not have stays. Looking for more has to wait until there is as much again, or every
	// record would cost a look at all.
	w.most = 2 * len(w.ids)
}

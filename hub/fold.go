package hub

import (
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// Fold gathers observations by finding, so that thousands of repeats cost one update. Make one with Hub.NewFold, add to
// it, and give it to Hub.ObserveFold. Of each finding it holds the newest observation and at most twice Config.KeepAlerts
// alerts. It is for one goroutine at a time.
type Fold struct {
	h      *Hub
	groups []*group // in the order in which they first occur
	byKey  map[Key]*group
	counts activityCounts
	size   int
	least  int64 // Seq of the observations, 0 if there are none
}

// group is the observations of one finding in one Fold.
type group struct {
	key     Key
	count   int64
	first   time.Time // the least time
	newest  Observation
	opening RawAlert   // the first alert, by its place in the input
	alerts  []RawAlert // the last ones, KeepAlerts and at most as many again
	hours   map[int64]int64
}

// NewFold returns an empty Fold.
func (h *Hub) NewFold() *Fold { return &Fold{h: h, byKey: map[Key]*group{}} }

// Findings is how many findings the observations are of.
func (f *Fold) Findings() int { return len(f.groups) }

// Size is about how many bytes of memory the Fold keeps alive in alerts.
func (f *Fold) Size() int { return f.size }

// Add takes in an observation, counted by time and severity. Those of one finding are added in the order in which they came.
func (f *Fold) Add(o Observation) {
	if o.At.IsZero() {
		o.At = f.h.now()
	}
	if f.least == 0 || o.Seq < f.least {
		f.least = o.Seq
	}
	if o.Finding != nil {
		o.Key, o.Severity = Key{o.Finding.ID, o.Finding.ProductArn}, o.Finding.Severity.Label
	}
	g := f.byKey[o.Key]
	if g == nil {
		g = &group{key: o.Key, first: o.At, newest: o, opening: RawAlert{o.Seq, o.At, o.Alert}, hours: make(map[int64]int64, 1)}
		f.byKey[o.Key] = g
		f.groups = append(f.groups, g)
		f.size += 3 * len(o.Alert) // and what it was parsed to
	}
	f.size += g.add(&o, f.h.c.KeepAlerts)
	f.counts.add(o.At, SeverityIndex(o.Severity), 1)
}

// add returns by how much what is kept alive grew.
func (g *group) add(o *Observation, keep int) int {
	g.count++
	if o.At.Before(g.first) {
		g.first = o.At
	}
	if !o.At.Before(g.newest.At) {
		g.newest = *o
	}
	g.hours[o.At.Unix()/3600]++
	grown := len(o.Alert)
	if len(g.alerts) >= 2*keep {
		for _, a := range g.alerts[:len(g.alerts)-keep] {
			grown -= len(a.Body)
		}
		g.alerts = append(g.alerts[:0], g.alerts[len(g.alerts)-keep:]...)
	}
	g.alerts = append(g.alerts, RawAlert{o.Seq, o.At, o.Alert})
	return grown
}

// finding is the newest observation's.
func (g *group) finding() *asff.Finding {
	if g.newest.Finding == nil {
		g.newest.Finding = g.newest.Make()
	}
	return g.newest.Finding
}

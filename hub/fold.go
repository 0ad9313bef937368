package hub

import "time"

// group is the observations of one finding in one call of Observe.
type group struct {
	key     Key
	count   int64
	first   time.Time // the least time
	newest  *Observation
	opening RawAlert   // the first alert, by its place in the input
	alerts  []RawAlert // the last ones, KeepAlerts and at most as many again
	hours   map[int64]int64
}

// fold groups the observations with a Seq greater than done by finding, in the order in which they first occur, and counts
// them by time and severity.
func (h *Hub) fold(obs []Observation, done int64) ([]*group, []ActivityCount) {
	var groups []*group
	byKey := make(map[Key]*group, min(len(obs), 256))
	var counts activityCounts
	for i := range obs {
		o := &obs[i]
		if done > 0 && o.Seq <= done {
			continue
		}
		if o.At.IsZero() {
			o.At = h.now()
		}
		key := Key{o.Finding.ID, o.Finding.ProductArn}
		g := byKey[key]
		if g == nil {
			g = &group{key: key, first: o.At, newest: o, opening: RawAlert{o.Seq, o.At, o.Alert}, hours: map[int64]int64{}}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.add(o, h.c.KeepAlerts)
		counts.add(o.At, SeverityIndex(o.Finding.Severity.Label), 1)
	}
	return groups, counts.list()
}

func (g *group) add(o *Observation, keep int) {
	g.count++
	if o.At.Before(g.first) {
		g.first = o.At
	}
	if !o.At.Before(g.newest.At) {
		g.newest = o
	}
	g.hours[o.At.Unix()/3600]++
	if len(g.alerts) >= 2*keep {
		g.alerts = append(g.alerts[:0], g.alerts[len(g.alerts)-keep:]...)
	}
	g.alerts = append(g.alerts, RawAlert{o.Seq, o.At, o.Alert})
}

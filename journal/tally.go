package journal

import (
	"maps"
	"strings"
)

// Names of counters in a Store.
const (
	storedCounter     = "stored"
	duplicatesCounter = "duplicates"
	rejectedPrefix    = "rejected:" // and the reason
	evictedCounter    = "evicted"   // kept by the Store itself
)

// tally counts what came in. It is guarded by Journal.mu but for rejecting, which only the committer calls, who alone
// changes counters.
type tally struct {
	counters map[string]int64
	sources  map[sourceKey]*Source
	dirty    map[sourceKey]bool // not kept yet
	changed  bool               // counters are not kept yet
}

type sourceKey struct{ way, host, cluster string }

func newTally() tally {
	return tally{counters: map[string]int64{}, sources: map[sourceKey]*Source{}, dirty: map[sourceKey]bool{}}
}

// load adds what a store knows. What this process has seen stays: a file that was replaced by an empty one knows less.
func (t *tally) load(h Head) {
	for name, n := range h.Counters {
		if _, rejected := cutPrefix(name); rejected || name == storedCounter || name == duplicatesCounter {
			t.counters[name] = max(t.counters[name], n)
		}
	}
	for k := range t.sources {
		t.dirty[k] = true
	}
	t.changed = len(t.sources) > 0
	for _, s := range h.Sources {
		k := sourceKey{s.Way, s.Host, s.Cluster}
		if t.sources[k] == nil {
			t.sources[k] = &s
		}
	}
}

// rejecting returns the counters as they are after rejected is stored.
func (t *tally) rejecting(rejected []Rejected) map[string]int64 {
	if len(rejected) == 0 {
		return nil
	}
	after := map[string]int64{}
	for i := range rejected {
		name := rejectedPrefix + rejected[i].Reason
		if _, ok := after[name]; !ok {
			after[name] = t.counters[name]
		}
		after[name]++
	}
	return after
}

func (t *tally) count(g Group, stored []bool) {
	maps.Copy(t.counters, g.Counters)
	duplicates := int64(0)
	for i := range g.Records {
		r := &g.Records[i]
		host := ""
		if r.Alert != nil {
			host = r.Alert.Hostname
		}
		s := t.source(r.Way, host, r.Origin.Cluster)
		s.LastSeen = r.Arrived
		if stored[i] {
			s.Count++
		} else {
			duplicates++
		}
	}
	if n := int64(len(g.Records)); n > 0 {
		t.changed = true
		t.counters[storedCounter] += n - duplicates
		t.counters[duplicatesCounter] += duplicates
	}
}

// source returns the source of these names, to be changed.
func (t *tally) source(way, host, cluster string) *Source {
	k := sourceKey{way, host, cluster}
	s := t.sources[k]
	if s == nil && len(t.sources) >= maxSources {
		k = sourceKey{way: way, host: "(others)"}
		s = t.sources[k]
	}
	if s == nil {
		// The strings may be parts of a whole alert: copies let that go.
		k = sourceKey{strings.Clone(k.way), strings.Clone(k.host), strings.Clone(k.cluster)}
		s = &Source{Way: k.way, Host: k.host, Cluster: k.cluster}
		t.sources[k] = s
	}
	if !t.dirty[k] {
		t.dirty[sourceKey{s.Way, s.Host, s.Cluster}] = true
	}
	return s
}

// unkept returns what is to be kept and takes it for kept.
func (t *tally) unkept() (map[string]int64, []Source) {
	if !t.changed && len(t.dirty) == 0 {
		return nil, nil
	}
	sources := make([]Source, 0, len(t.dirty))
	for k := range t.dirty {
		sources = append(sources, *t.sources[k])
	}
	clear(t.dirty)
	t.changed = false
	return maps.Clone(t.counters), sources
}

// notKept undoes unkept.
func (t *tally) notKept(sources []Source) {
	t.changed = true
	for _, s := range sources {
		t.dirty[sourceKey{s.Way, s.Host, s.Cluster}] = true
	}
}

func cutPrefix(name string) (reason string, ok bool) { return strings.CutPrefix(name, rejectedPrefix) }

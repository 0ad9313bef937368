package enrich

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// cache remembers answers, and for how long. Safe for concurrent use.
type cache[V any] struct {
	ttl time.Duration // set once

	mu  sync.Mutex // guards all
	all map[string]entry[V]
}

// entry is an answer; known is false for what does not exist and for what could not be learnt.
type entry[V any] struct {
	value V
	known bool
	until time.Time
}

// get returns what is known of an id.
func (c *cache[V]) get(id string, now time.Time) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.all[id]
	return e.value, ok && e.known && now.Before(e.until)
}

// unknown returns those of the ids that have to be asked for, in order.
func (c *cache[V]) unknown(ids map[string]bool, now time.Time) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for id := range ids {
		if e, ok := c.all[id]; !ok || !now.Before(e.until) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// put remembers the answer for ids. What is missing in it does not exist, or if the call failed, is asked for later.
func (c *cache[V]) put(ids []string, answer map[string]V, failed bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]entry[V]{}
	}
	if len(c.all)+len(ids) > maxRemembered {
		maps.DeleteFunc(c.all, func(_ string, e entry[V]) bool { return !now.Before(e.until) })
	}
	if len(c.all)+len(ids) > maxRemembered {
		clear(c.all)
	}
	for _, id := range ids {
		value, known := answer[id]
		ttl := c.ttl
		if failed && !known {
			ttl = min(failureTTL, c.ttl)
		}
		c.all[id] = entry[V]{value, known, now.Add(ttl)}
	}
}

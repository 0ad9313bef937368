package access

import (
	"container/list"
	"sync"
	"time"
)

// After freeAttempts failures the next attempt must wait a second, then two, four, … up to the ceiling. A name's
// ceiling is low, because anybody can lock a name and the address of the attacker waits longer anyway; who has a
// session from the same address is not held up by the name's count at all. A count is forgotten after forget.
const (
	freeAttempts   = 5
	maxNameWait    = time.Minute
	maxAddressWait = 15 * time.Minute
	forget         = time.Hour
	maxCounts      = 10_000 // of names and of addresses each, some 200 bytes apiece; the one unused for longest makes room
)

// limiter counts failed attempts by name and by address.
type limiter struct {
	now func() time.Time

	mu        sync.Mutex // guards what follows
	names     counts
	addresses counts
}

type counts struct {
	byKey map[string]*list.Element // of *count
	order *list.List               // most recently used in front
	most  time.Duration
}

type count struct {
	key      string
	failures int
	until    time.Time // no attempt before this
	last     time.Time
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{
		now:       now,
		names:     counts{byKey: map[string]*list.Element{}, order: list.New(), most: maxNameWait},
		addresses: counts{byKey: map[string]*list.Element{}, order: list.New(), most: maxAddressWait},
	}
}

// attempt is one that was let through and counts as failed from then on, so that parallel guesses do not slip by.
type attempt struct {
	l          *limiter
	name, addr failure
}

// failure is one counted failure: what it set, and what was there before.
type failure struct {
	key           string
	until, before time.Time
}

// begin lets an attempt through or says how long to wait. familiar: the name's count does not hold this one up.
func (l *limiter) begin(name, addr string, familiar bool) (attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	wait := l.addresses.wait(addr, now)
	if !familiar {
		wait = max(wait, l.names.wait(name, now))
	}
	if wait > 0 {
		return attempt{}, &RateLimited{RetryAfter: (wait + time.Second - 1).Truncate(time.Second)}
	}
	return attempt{l, l.names.fail(name, now), l.addresses.fail(addr, now)}, nil
}

// cancel takes the failure back: the password was right, or was never compared. One right password says nothing about
// the guesses before it, so that an attacker with an account of his own wins no further ones.
func (t attempt) cancel() {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	t.l.addresses.takeBack(t.addr)
	t.l.names.takeBack(t.name)
}

func (c *counts) wait(key string, now time.Time) time.Duration {
	e, ok := c.byKey[key]
	if !ok {
		return 0
	}
	return e.Value.(*count).until.Sub(now)
}

func (c *counts) fail(key string, now time.Time) failure {
	e, ok := c.byKey[key]
	if !ok {
		if c.order.Len() >= maxCounts {
			oldest := c.order.Back()
			delete(c.byKey, oldest.Value.(*count).key)
			c.order.Remove(oldest)
		}
		e = c.order.PushFront(&count{key: key})
		c.byKey[key] = e
	}
	c.order.MoveToFront(e)
	n := e.Value.(*count)
	if now.Sub(n.last) >= forget {
		n.failures = 0
	}
	f := failure{key: key, before: n.until}
	n.failures++
	n.last = now
	n.until = now.Add(c.delay(n.failures))
	f.until = n.until
	return f
}

// delay is how long to wait after so many failures.
func (c *counts) delay(failures int) time.Duration {
	over := failures - freeAttempts
	switch {
	case over < 0:
		return 0
	case over > 20:
		return c.most
	}
	return min(time.Second<<over, c.most)
}

func (c *counts) takeBack(f failure) {
	e, ok := c.byKey[f.key]
	if !ok {
		return
	}
	n := e.Value.(*count)
	n.failures--
	if n.until.Equal(f.until) { // no other failure since
		n.until = f.before
	}
	if n.failures <= 0 {
		delete(c.byKey, f.key)
		c.order.Remove(e)
	}
}

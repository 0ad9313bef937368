package hub

import "container/list"

// cache keeps the findings that were changed last, so that a repeat need not be read back. Not safe for concurrent use;
// what it holds must not be changed.
type cache struct {
	max, bytes int64
	order      *list.List // of *Stored, the newest first
	byKey      map[Key]*list.Element
}

func newCache(max int64) *cache {
	return &cache{max: max, order: list.New(), byKey: map[Key]*list.Element{}}
}

// cost estimates what a finding takes.
func cost(f *Stored) int64 {
	return int64(len(f.Doc)+len(f.Customer)+len(f.ID)+len(f.ProductArn)) + 400
}

func (c *cache) get(key Key) *Stored {
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*Stored)
}

func (c *cache) put(f *Stored) {
	if e := c.byKey[f.Key]; e != nil {
		c.bytes += cost(f) - cost(e.Value.(*Stored))
		e.Value = f
		c.order.MoveToFront(e)
	} else {
		c.byKey[f.Key] = c.order.PushFront(f)
		c.bytes += cost(f)
	}
	for c.bytes > c.max && c.order.Len() > 0 {
		c.drop(c.order.Back().Value.(*Stored).Key)
	}
}

func (c *cache) drop(key Key) {
	if e := c.byKey[key]; e != nil {
		c.bytes -= cost(e.Value.(*Stored))
		c.order.Remove(e)
		delete(c.byKey, key)
	}
}

func (c *cache) clear() {
	c.order.Init()
	clear(c.byKey)
	c.bytes = 0
}

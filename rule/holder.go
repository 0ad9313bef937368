package rule

import (
	"sync"
	"sync/atomic"

	"github.com/eyrie-sec/eyrie/falco"
)

// Holder holds the engine in use and swaps it as a whole. Sessions of a holder take up a new engine with their next
// event; an event is always evaluated by one engine.
type Holder struct {
	cfg  Config
	opts LoadOptions

	mu      sync.Mutex // guards Reload against itself
	current atomic.Pointer[Engine]
}

// NewHolder makes a holder without rules.
func NewHolder(cfg Config, opts LoadOptions) *Holder {
	h := &Holder{cfg: cfg, opts: opts}
	h.current.Store(NewEngine(&Set{}, cfg))
	return h
}

// Reload reads rule files and takes them into use. Where any file has an error nothing changes, and the report says why.
func (h *Holder) Reload(files []File) *Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	set, report := Load(files, h.opts)
	if report.OK() {
		h.current.Store(NewEngine(set, h.cfg))
	}
	return report
}

// Engine is the engine in use.
func (h *Holder) Engine() *Engine { return h.current.Load() }

// Session makes a session that follows the holder. It is for one goroutine.
func (h *Holder) Session() *HeldSession {
	return &HeldSession{h: h, s: h.current.Load().Session()}
}

// HeldSession evaluates events with whatever engine its holder holds.
type HeldSession struct {
	h *Holder
	s *Session
}

// Match is Session.Match with the engine in use.
func (s *HeldSession) Match(e *Event) []*Rule {
	if g := s.h.current.Load(); g != s.s.g {
		s.s = g.Session()
	}
	return s.s.Match(e)
}

// Alert is Session.Alert, for a rule that the last call of Match has given.
func (s *HeldSession) Alert(e *Event, r *Rule) *falco.Alert { return s.s.Alert(e, r) }

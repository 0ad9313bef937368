// Package detect holds events against rules. In come events, as a sensor has seen them, and rule files in Falco's
// language; out go alerts, as Falco reports them. A Detector holds the rules and takes up changed files while events
// flow; a Session evaluates the events of one goroutine.
//
// The package never drops an alert unless it was told to (Config.Rate), and counts what it then holds back. It never
// stops over rules that cannot be used: the first load fails with a *RulesError that says what is wrong where, a later
// one is reported and changes nothing. It does not read the kernel, does not write alerts anywhere, and takes time from
// the events alone.
package detect

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
)

// Config says which rules are held against events and how matches are reported. The zero value of everything but Rules
// is Falco's stock configuration.
type Config struct {
	Rules        Rules
	AllMatches   bool            // rule_matching: all; else only the first matching rule of the set counts
	Hostname     string          // of alerts
	MinPriority  *falco.Priority // rules below it are left out; nil leaves out none
	AppendOutput string          // as rule.LoadOptions has it: "" what Falco suggests, "-" nothing

	// Rate is how many alerts a rule gives in a second of event time, in the long run, and Burst how many at once. 0 means
	// that nothing is held back.
	Rate  float64
	Burst int

	// Changed is told of each set of rules that is taken into use, the first one too, before the call returns that brought
	// it. It may be nil.
	Changed func(*rule.Engine)
	Logger  *slog.Logger
}

// Detector holds rules. It is safe for concurrent use.
type Detector struct {
	cfg    Config
	holder *rule.Holder

	events, matched atomic.Uint64
	reloads, failed atomic.Uint64

	mu     sync.Mutex        // guards what follows
	alerts map[string]uint64 // by rule
	held   map[string]uint64 // held back by Rate, by rule
	loaded string            // signature of the files in use
}

// Stats is what a Detector has done since it was made.
type Stats struct {
	Events  uint64 // evaluated
	Matched uint64 // of them, those that any rule matched
	Alerts  uint64
	Held    uint64 // alerts held back by Config.Rate
	Reloads uint64 // times that rules were taken into use, the first one included
	Failed  uint64 // times that changed rules were refused
	Rules   int    // in use
	ByRule  map[string]uint64
	HeldBy  map[string]uint64
}

// New reads and compiles the rules. The error is a *RulesError where the files could be read but not used.
func New(cfg Config) (*Detector, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Burst <= 0 {
		cfg.Burst = 1
	}
	d := &Detector{
		cfg:    cfg,
		alerts: map[string]uint64{},
		held:   map[string]uint64{},
		holder: rule.NewHolder(rule.Config{AllMatches: cfg.AllMatches, Hostname: cfg.Hostname, MinPriority: cfg.MinPriority},
			rule.LoadOptions{AppendOutput: cfg.AppendOutput}),
	}
	return d, d.Reload()
}

// Engine is the set of rules in use, compiled.
func (d *Detector) Engine() *rule.Engine { return d.holder.Engine() }

// Stats returns what was done so far. The maps are the caller's.
func (d *Detector) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Stats{
		Events: d.events.Load(), Matched: d.matched.Load(), Reloads: d.reloads.Load(), Failed: d.failed.Load(),
		Rules: len(d.holder.Engine().Rules()), ByRule: maps.Clone(d.alerts), HeldBy: maps.Clone(d.held),
	}
	for _, n := range s.ByRule {
		s.Alerts += n
	}
	for _, n := range s.HeldBy {
		s.Held += n
	}
	return s
}

// Session evaluates the events of one goroutine.
type Session struct {
	d       *Detector
	rules   *rule.HeldSession
	buckets map[string]*bucket // by rule; nil without a rate
	emit    func(*falco.Alert)
}

// Session makes a session that gives alerts to emit, in the order of events. An alert is emit's to keep.
func (d *Detector) Session(emit func(*falco.Alert)) *Session {
	s := &Session{d: d, rules: d.holder.Session(), emit: emit}
	if d.cfg.Rate > 0 {
		s.buckets = map[string]*bucket{}
	}
	return s
}

// Event evaluates one event and returns how many rules matched. It keeps nothing of e. It allocates only for alerts.
func (s *Session) Event(e *event.Event) int {
	s.d.events.Add(1)
	hits := s.rules.Match(e)
	if len(hits) == 0 {
		return 0
	}
	s.d.matched.Add(1)
	for _, r := range hits {
		if !s.admit(r.Name, e.Time) {
			s.d.count(s.d.held, r.Name)
			continue
		}
		s.d.count(s.d.alerts, r.Name)
		s.emit(s.rules.Alert(e, r))
	}
	return len(hits)
}

func (d *Detector) count(of map[string]uint64, rule string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	of[rule]++
}

// admit says whether the rule may give an alert at the time of its event, in nanoseconds.
func (s *Session) admit(rule string, at int64) bool {
	if s.buckets == nil {
		return true
	}
	b := s.buckets[rule]
	if b == nil {
		b = &bucket{tokens: float64(s.d.cfg.Burst), at: at}
		s.buckets[rule] = b
	}
	return b.take(at, s.d.cfg.Rate, float64(s.d.cfg.Burst))
}

// bucket is a token bucket in the time of events.
type bucket struct {
	tokens float64
	at     int64 // of the last look, ns
}

// take takes a token if there is one, after adding those of the time since; rate is tokens a second. Time that goes
// backwards adds none.
func (b *bucket) take(at int64, rate, burst float64) bool {
	if since := at - b.at; since > 0 {
		b.tokens = min(burst, b.tokens+rate*float64(since)/1e9)
		b.at = at
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

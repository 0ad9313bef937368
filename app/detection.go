package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/detect"
	"github.com/eyrie-sec/eyrie/etc"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/sensor"
)

// DetectionOptions say what the sensor looks at and which rules its events are held against. The zero value uses the
// rules that ship.
type DetectionOptions struct {
	Rules           []string // files and folders; none: the rules that ship
	AllMatches      bool
	MinPriority     string // a priority's name; "": all
	AppendOutput    string // as rule.LoadOptions has it
	Disable, Enable []string
	Rate            float64 // alerts a second by rule; 0: no bound
	Burst           int
	Hostname        string // ""; that of the host

	Sensor sensor.Config // Engine is set by OpenDetection

	Logger *slog.Logger
}

const (
	// watchRulesEvery is how often rule files are looked at.
	watchRulesEvery = time.Second
	// deliverWithin is how long alerts that wait are delivered for after the sensor has stopped.
	deliverWithin = 3 * time.Second
)

// ErrNoSensor: this host or this user cannot run the sensor. What it wraps says what is missing.
var ErrNoSensor = errors.New("the sensor cannot be loaded")

// Detection is a sensor and the rules its events are held against.
type Detection struct {
	detector *detect.Detector
	sensor   *sensor.Sensor
	queue    *detect.Queue
	log      *slog.Logger

	mu sync.Mutex // guards the passing on of engines to the sensor
}

// DetectionStats is how a Detection is doing.
type DetectionStats struct {
	Sensor sensor.Stats
	Detect detect.Stats
	Queue  detect.QueueStats
}

// OpenDetection loads the rules, and then the sensor into the kernel. The error says what is missing and what to do.
func OpenDetection(o DetectionOptions) (*Detection, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	cfg := detect.Config{
		Rules:      detect.Rules{Paths: o.Rules, Disable: o.Disable, Enable: o.Enable},
		AllMatches: o.AllMatches, AppendOutput: o.AppendOutput, Rate: o.Rate, Burst: o.Burst, Hostname: o.Hostname, Logger: o.Logger,
	}
	cfg.Rules.Default = []rule.File{{Name: "eyrie_rules.yaml", Content: etc.Rules()}}
	if cfg.Hostname == "" {
		var err error
		if cfg.Hostname, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("name of this host: %w", err)
		}
	}
	if o.MinPriority != "" {
		p, ok := falco.ParsePriority(o.MinPriority)
		if !ok {
			return nil, fmt.Errorf("priority %q: want emergency, alert, critical, error, warning, notice, informational or debug", o.MinPriority)
		}
		cfg.MinPriority = &p
	}
	d := &Detection{log: o.Logger, queue: detect.NewQueue(detect.QueueConfig{Logger: o.Logger})}
	cfg.Changed = d.use
	var err error
	if d.detector, err = detect.New(cfg); err != nil {
		return nil, err
	}
	o.Sensor.Engine, o.Sensor.Logger = d.detector.Engine(), o.Logger
	s, err := sensor.Open(o.Sensor)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSensor, err)
	}
	d.mu.Lock()
	d.sensor = s
	d.mu.Unlock()
	return d, nil
}

// use makes the sensor watch what a set of rules needs.
func (d *Detection) use(g *rule.Engine) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sensor == nil {
		return // it is opened with these rules
	}
	if err := d.sensor.Use(g); err != nil {
		d.log.Error("the sensor does not see all that the changed rules look at", "error", err)
	}
}

// Reload reads the rule files again. Where they cannot be used the rules stay as they are.
func (d *Detection) Reload() error { return d.detector.Reload() }

// Run watches until ctx ends and gives alerts to deliver, which takes all of a batch or none; what it does not take is
// given again. Alerts that nobody takes for long are dropped and counted (see detect.Queue).
func (d *Detection) Run(ctx context.Context, deliver func(context.Context, []*falco.Alert) error) error {
	var beside sync.WaitGroup
	delivering, stopDelivering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDelivering()
	delivered := make(chan struct{})
	go func() { d.queue.Run(delivering, deliver); close(delivered) }()
	watching, stopWatching := context.WithCancel(ctx)
	beside.Go(func() {
		if err := d.detector.Watch(watching, watchRulesEvery); err != nil {
			d.log.Error("rule files are not watched any more", "error", err)
		}
	})
	session := d.detector.Session(d.queue.Put)
	err := d.sensor.Run(ctx, func(e *event.Event) { session.Event(e) })
	stopWatching()
	beside.Wait()
	d.queue.Close()
	select {
	case <-delivered:
	case <-time.After(deliverWithin):
		stopDelivering()
		<-delivered
	}
	if n := d.queue.Stats().Waiting; n > 0 {
		err = errors.Join(err, fmt.Errorf("%d alerts could not be delivered and are lost: %w", n, d.queue.Stats().Err))
	}
	return err
}

// Describe says in one line what is watched.
func (d *Detection) Describe() string {
	return fmt.Sprintf("%d rules, %s", len(d.detector.Engine().Rules()), d.sensor.Describe())
}

// Stats returns how it is doing.
func (d *Detection) Stats() DetectionStats {
	return DetectionStats{Sensor: d.sensor.Stats(), Detect: d.detector.Stats(), Queue: d.queue.Stats()}
}

// Drops are what was not seen, not evaluated or not delivered, by cause. All zero is good.
func (s *DetectionStats) Drops() map[string]uint64 {
	all := map[string]uint64{"alert queue full": s.Queue.Dropped}
	for cause, n := range s.Sensor.Drops {
		all[cause] = n
	}
	return all
}

// Close takes the sensor out of the kernel.
func (d *Detection) Close() error { return d.sensor.Close() }

package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Limits and defaults.
const (
	// DefaultMaxLine is the default limit of a logical line, 1 MiB: what a hub takes in one body.
	DefaultMaxLine = 1 << 20
	// LargestMaxLine is the largest limit that may be asked for.
	LargestMaxLine = 16 << 20
	// DefaultPoll is how often files are looked at when nothing says that they changed.
	DefaultPoll = 500 * time.Millisecond
	// DefaultLinger is how long a rotated file is kept open after it last grew: a writer goes on in it until it is told
	// to open the new one.
	DefaultLinger = time.Minute

	batchBytes    = 1 << 20
	batchRecords  = 4096
	positionDelay = 5 * time.Second // positions alone (lines skipped) are stored this late at most
	pruneEvery    = 10 * time.Minute
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// errNotRegular: a directory, pipe or device.
var errNotRegular = errors.New("not a regular file (use - for standard input, a glob for the files of a folder)")

// A Sink makes batches durable.
type Sink interface {
	// Append stores records and the changes of state (nil deletes a key) in one atomic durable write. On an error it has
	// stored nothing, and is called again with the same batch, perhaps grown. It keeps none of the slices.
	Append(records [][]byte, state map[string][]byte) error
}

// Config says what to follow. The zero value of each member but From is usable.
type Config struct {
	// From are the paths: files, globs, "-" for Stdin. A path that does not exist is waited for.
	From []string
	// FromStart reads files that are there when their path is followed for the first time; else only what is written
	// to them from then on. Files that appear later are read from their start in any case.
	FromStart bool
	// State is what the Sink stored, all of it. The map is read and not kept.
	State map[string][]byte
	// Input is what "-" reads.
	Input io.Reader
	// MaxLine is the limit of a logical line in bytes; 0: DefaultMaxLine.
	MaxLine int
	// Poll and Linger: 0 means the defaults.
	Poll, Linger time.Duration
	// NoWatch leaves fsnotify out.
	NoWatch bool
	Logger  *slog.Logger
	Now     func() time.Time
}

// Stats counts what a Follower did since it was made. Safe to read at any time.
type Stats struct {
	Alerts, Texts, Empty         atomic.Int64 // logical lines by kind
	Cut                          atomic.Int64 // of Alerts: longer than the limit
	Bytes                        atomic.Int64 // read, as they are in the files
	Rotations, Truncations, Lost atomic.Int64 // Lost: files of which the part not yet read is gone
	Errors                       atomic.Int64 // files that could not be opened or read
	Open                         atomic.Int64 // files open now
}

// Follower follows files. Make it with New; Run may be called once.
type Follower struct {
	// Stats may be read while Run runs.
	Stats Stats

	cfg        Config
	paths      map[string]*watched // every path followed now
	files      []*file             // open, a rotated generation before the one after it
	byID       map[fileID]*file    // the same
	dormant    map[string]Position // known files that are not open, by key
	known      map[string]bool     // patterns that were followed before
	complained map[string]string   // path -> last error logged
	nextKey    int
	input      *input // nil: no standard input, or ended
	inputErr   error  // why it ended, if not with EOF
	watch      *watcher

	buf    []byte
	batch  batch
	turn   int // whose turn it is among files
	pruned time.Time
}

// watched is one path that is followed.
type watched struct {
	path, pattern string
	cur           *file  // nil: could not be opened yet
	broken        *file  // closed, because it was truncated; its successor is not open yet
	around        string // signature of the generations at the last look
	again         bool   // look again: a copy was left alone of a file of which nothing has been read yet
}

// batch is what one Append will make durable.
type batch struct {
	arena   []byte
	records [][]byte
	state   map[string][]byte
	since   time.Time // of the oldest change
}

// New returns a Follower, or an error if cfg makes no sense. It opens nothing.
func New(cfg Config) (*Follower, error) {
	if len(cfg.From) == 0 {
		return nil, errors.New("follow: no path given")
	}
	if cfg.MaxLine == 0 {
		cfg.MaxLine = DefaultMaxLine
	}
	if cfg.MaxLine < 1024 || cfg.MaxLine > LargestMaxLine {
		return nil, fmt.Errorf("follow: a line limit of %d bytes is not between 1 KiB and 16 MiB", cfg.MaxLine)
	}
	if cfg.Poll == 0 {
		cfg.Poll = DefaultPoll
	}
	if cfg.Linger == 0 {
		cfg.Linger = DefaultLinger
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := &Follower{
		cfg: cfg, paths: map[string]*watched{}, byID: map[fileID]*file{}, dormant: map[string]Position{}, known: map[string]bool{},
		complained: map[string]string{}, buf: make([]byte, fingerprintBytes+chunkBytes),
	}
	for _, p := range cfg.From {
		if p == Stdin {
			if f.input != nil {
				return nil, errors.New("follow: standard input is named twice")
			}
			f.input = newInput(cfg.Input, cfg.MaxLine)
		} else if _, err := filepath.Match(p, ""); err != nil || p == "" {
			return nil, fmt.Errorf("follow: %q is neither a path nor a glob", p)
		}
	}
	f.load(cfg.State)
	return f, nil
}

// load takes what was stored. What cannot be read is left alone and reported: the file is then read like an unknown one.
func (f *Follower) load(state map[string][]byte) {
	for key, value := range state {
		if pattern, ok := strings.CutPrefix(key, patternKey); ok {
			f.known[pattern] = true
			continue
		}
		number, ok := strings.CutPrefix(key, fileKey)
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(number); err == nil {
			f.nextKey = max(f.nextKey, n)
		}
		p, err := decodePosition(value)
		if err != nil {
			f.cfg.Logger.Error("stored position is unreadable: the file is read from its start", "key", key, "error", err)
			f.set(key, nil)
			continue
		}
		f.dormant[key] = p
	}
}

// The keys of the state.
const (
	patternKey = "pattern:" // + a path of Config.From: it was followed before
	fileKey    = "file:"    // + a number: a Position
)

func (f *Follower) set(key string, value []byte) {
	if f.batch.state == nil {
		f.batch.state = map[string][]byte{}
	}
	if len(f.batch.state) == 0 {
		f.batch.since = f.cfg.Now()
	}
	f.batch.state[key] = value
}

// Run follows until ctx ends or until standard input, being all there is to follow, has ended and all of it was stored. Its
// only error is that of reading standard input. What was read is stored before it returns, unless ctx ends while the sink
// refuses it.
func (f *Follower) Run(ctx context.Context, sink Sink) error {
	if f.input != nil {
		f.input.start()
	}
	if !f.cfg.NoWatch && !f.onlyInput() {
		f.watch = newWatcher(f.cfg.Logger)
		defer f.watch.close()
	}
	defer f.closeAll()
	f.scan()
	for _, p := range f.cfg.From {
		if p != Stdin && !f.known[p] {
			f.known[p] = true
			f.set(patternKey+p, []byte("1"))
		}
	}
	for scanned := f.cfg.Now(); ; {
		if f.cfg.Now().Sub(scanned) >= f.cfg.Poll || f.watch.takeScan() {
			f.scan()
			scanned = f.cfg.Now()
		}
		busy := f.round()
		ended := f.input == nil && f.onlyInput()
		if f.due(busy, ended || ctx.Err() != nil) && !f.store(ctx, sink) {
			return nil
		}
		if ended && !busy || ctx.Err() != nil {
			return f.inputErr
		}
		if !busy {
			f.wait(ctx)
		}
	}
}

func (f *Follower) onlyInput() bool {
	for _, p := range f.cfg.From {
		if p != Stdin {
			return false
		}
	}
	return true
}

// due reports whether the batch is to be stored now.
func (f *Follower) due(busy, last bool) bool {
	b := &f.batch
	if len(b.records) > 0 {
		return !busy || b.full()
	}
	f.collect()
	return len(b.state) > 0 && (last || f.cfg.Now().Sub(b.since) >= positionDelay || b.since.IsZero() || b.urgent())
}

func (b *batch) full() bool { return len(b.arena) >= batchBytes || len(b.records) >= batchRecords }

// urgent reports whether the state holds more than positions: a path followed for the first time.
func (b *batch) urgent() bool {
	for key := range b.state {
		if strings.HasPrefix(key, patternKey) {
			return true
		}
	}
	return false
}

// collect puts the positions of all files that moved into the batch.
func (f *Follower) collect() {
	for _, t := range f.files {
		if t.dirty {
			p := t.position()
			f.set(t.key, p.encode())
			t.dirty = false
		}
	}
}

// store offers the batch to the sink until it is taken; false: ctx ended first, and nothing was stored. Meanwhile files
// that appear or are rotated are opened, so that they can be read later even if they are deleted.
func (f *Follower) store(ctx context.Context, sink Sink) bool {
	f.collect()
	for pause := f.cfg.Poll; ; {
		err := sink.Append(f.batch.records, f.batch.state)
		if err == nil {
			b := &f.batch
			clear(b.records)
			clear(b.state)
			b.records, b.since = b.records[:0], time.Time{}
			if cap(b.arena) > 4*batchBytes {
				b.arena = nil
			}
			b.arena = b.arena[:0]
			return true
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		f.scan()
		f.collect()
	}
}

// line handles one physical line of a file.
func (f *Follower) line(d *Decoder) func(line []byte, cut int64) {
	return func(line []byte, cut int64) { d.Line(line, cut, f.text) }
}

// text handles one logical line.
func (f *Follower) text(t Text) {
	switch t.Kind {
	case KindEmpty:
		f.Stats.Empty.Add(1)
	case KindText:
		f.Stats.Texts.Add(1)
	case KindAlert:
		f.Stats.Alerts.Add(1)
		if t.Cut > 0 {
			f.Stats.Cut.Add(1)
			f.cfg.Logger.Warn("a line is longer than the limit; its beginning is shipped", "limit", f.cfg.MaxLine, "bytes cut", t.Cut)
		}
		b := &f.batch
		start := len(b.arena)
		b.arena = append(b.arena, t.Bytes...)
		b.records = append(b.records, b.arena[start:len(b.arena):len(b.arena)])
	}
}

// wait returns when something may have happened.
func (f *Follower) wait(ctx context.Context) {
	timer := time.NewTimer(f.cfg.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-f.watch.woken():
	case chunk, ok := <-f.input.chunks():
		f.take(chunk, ok)
	}
}

func (f *Follower) closeAll() {
	for _, t := range f.files {
		t.os.Close()
	}
	f.Stats.Open.Store(0)
}

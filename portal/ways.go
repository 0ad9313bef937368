package portal

import (
	"context"
	"time"

	"github.com/eyrie-sec/eyrie/access"
	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

// Findings is what the portal needs of a hub. *hub.Hub is one.
type Findings interface {
	Find(ctx context.Context, q hub.Query) (hub.Page, error)
	GetSeq(ctx context.Context, seq int64) (hub.Finding, error)
	Facet(ctx context.Context, q hub.Query, attr asff.Attribute, mapKey string, limit int) ([]hub.Bucket, error)
	Histogram(ctx context.Context, q hub.Query, from, to time.Time, bins int) ([]hub.Bin, error)
	Activity(ctx context.Context, from, to time.Time, step time.Duration) ([]hub.Bin, error)
	History(ctx context.Context, key hub.Key, q hub.HistoryQuery) (records []hub.HistoryRecord, next string, err error)
	Alerts(ctx context.Context, key hub.Key) ([]hub.RawAlert, error)
	Timeline(ctx context.Context, key hub.Key) ([]hub.TimelinePoint, error)
	Changes(ctx context.Context, after int64, limit int) ([]hub.Change, error)
	Update(ctx context.Context, by hub.Identity, keys []hub.Key, u hub.Update) (processed []hub.Key, unprocessed []hub.UpdateFailure, err error)
	Watch() (ch <-chan struct{}, stop func())
	Stats() hub.Stats
}

// Access is who may come in. *access.Access is one.
type Access interface {
	Session(cookie string) (access.Session, bool)
	SignIn(name, password, remoteAddr string) (cookie string, s access.Session, err error)
	SignInToken(token, remoteAddr string) (cookie string, s access.Session, err error)
	ChangePassword(cookie, old, password, remoteAddr string) error
	SignOut(cookie string) error
}

// Journal is what the portal needs to know of the way in.
type Journal interface {
	// Ingest returns how the ways in are doing.
	Ingest(ctx context.Context) (Ingest, error)
	// Quarantine returns at most limit records with an ID greater than after, in ascending order of ID.
	Quarantine(ctx context.Context, after int64, limit int) ([]Rejected, error)
	// Discard deletes records from quarantine. An ID that is not there is no error.
	Discard(ctx context.Context, ids []int64) error
}

// Ingest is how the ways in are doing.
type Ingest struct {
	PerSecond  float64       // alerts accepted a second, over the last minute or so
	Lag        int64         // alerts accepted that are not findings yet
	LagAge     time.Duration // age of the oldest of them; 0 without lag
	Accepted   int64         // alerts accepted since the journal was made, without duplicates
	Duplicates int64         // delivered again and recognised
	LastAlert  time.Time     // when the newest alert arrived; zero if none ever did
	Sources    []Source      // in any order
	Rejected   []Count       // records refused since the journal was made, by reason
	Held       int64         // records in quarantine now
	Dropped    []Count       // what was lost, by reason: quarantine evictions, retention by size; empty is good

	Bytes, MaxBytes int64         // the journal on disk; MaxBytes 0 means no bound
	Oldest          time.Time     // arrival of the oldest alert kept; zero if none
	Keep            time.Duration // how long alerts are kept
	KeepFindings    time.Duration // how long findings are kept after their last update
	Err             error         // why alerts cannot be stored now; nil if they can

	Sensor *Sensor // the sensor of this process; nil says nothing about one
}

// Sensor is how the sensor of this host is doing.
type Sensor struct {
	Off                   string // why it is off; "" if it is on
	Watches               string // what it watches, for people
	Events, Alerts, Held  int64  // held against the rules; alerts; alerts held back because a bound was asked for
	Rules                 int
	Processes, Containers int
	Lag                   time.Duration // between the last event and its evaluation
	Waiting               int64         // alerts that are not stored yet
	Drops                 []Count       // what was not seen or not delivered, by cause; empty is good
	Err                   error         // why its alerts cannot be stored now; nil if they can
}

// Source is one sender: a host's Falco by the way it comes in.
type Source struct {
	Way      string // "webhook", "agent"
	Host     string
	Cluster  string
	LastSeen time.Time
	Count    int64
}

// Count is a number by reason.
type Count struct {
	Reason string
	N      int64
}

// Rejected is a record in quarantine.
type Rejected struct {
	ID      int64
	Arrived time.Time
	Way     string
	Origin  string // cluster, Region and account as far as known, for people
	Reason  string // short stable code
	Detail  string
	Body    []byte
}

package hub

import (
	"log/slog"
	"time"
)

// Config is what a Hub needs to know. The zero value of everything but Account and Region has a default.
type Config struct {
	Account string // 12 digits; in the ARNs of the hub and its insights
	Region  string // likewise; also what an imported finding without Region gets

	Retention     time.Duration // findings not updated for so long are deleted; 0 means DefaultRetention, < 0 keeps all
	KeepAlerts    int           // newest raw alerts kept of a finding, beside the first; 0 means DefaultKeepAlerts, at most MaxKeepAlerts
	KeepChanges   int64         // entries of the change feed; 0 means DefaultKeepChanges
	SnapshotPath  string        // file of the index snapshot; "" keeps none and rebuilds the index at every start
	SnapshotEvery time.Duration // 0 means DefaultSnapshotEvery
	CacheBytes    int64         // for recently changed findings; 0 means DefaultCacheBytes

	Now      func() time.Time      // nil means time.Now
	Logger   *slog.Logger          // nil discards
	Progress func(done, total int) // called now and then while Open rebuilds the index; may be nil
}

// Defaults and bounds of Config.
const (
	DefaultRetention     = 90 * 24 * time.Hour // AWS deletes findings 90 days after the last update (User Guide, "Deletion of findings")
	DefaultKeepAlerts    = 20
	MaxKeepAlerts        = 1000
	DefaultKeepChanges   = 1_000_000
	DefaultSnapshotEvery = 10 * time.Minute
	DefaultCacheBytes    = 32 << 20
)

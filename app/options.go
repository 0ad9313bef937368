package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eyrie-sec/eyrie/falco"
)

// Options is everything one process of Eyrie can be told. The zero value of a field means its default, which New fills
// in; what cannot be right is refused by New with an error that names the option.
type Options struct {
	Data    string // directory of the journal, the findings, the keys; made with mode 0700. Default: DefaultData()
	Listen  string // HOST:PORT; port 0 takes a free one. Default 127.0.0.1:8080
	Account string // 12 digits; the account that findings without one of their own belong to. Default 000000000000
	Region  string // the Region of this hub, and of alerts that name none. Default local-1
	Cluster string // the cluster of alerts that name none. Default "": none

	TLSCert, TLSKey string // PEM files; both or neither. With them the listener speaks HTTPS only

	Severity    string // "conservative" (default), "guidance"; or the path of a YAML file; see NewConverter
	Conversion  string // path of a YAML file: severity maps, identity and remediation of single rules. "" = what ships
	MaxBody     int64  // bytes of one request's body to /falco after decompression. Default 16 MiB
	JournalAge  time.Duration
	JournalSize int64         // bytes of alerts on disk. 0 = no bound but the age
	Retention   time.Duration // how long a finding stays after its last update. Default 90 days, Security Hub's number

	Sensor    string           // SensorOff (default), SensorAuto, SensorOn
	Detection DetectionOptions // of the sensor

	Logger     *slog.Logger
	Registerer *prometheus.Registry
	Now        func() time.Time
	Out        io.Writer // where the lines for the person who started it go. Default: nowhere
	Version    string
}

// Defaults of Options.
const (
	DefaultListen    = "127.0.0.1:8080"
	DefaultAccount   = "000000000000"
	DefaultRegion    = "local-1"
	DefaultMaxBody   = 16 << 20
	DefaultRetention = 90 * 24 * time.Hour
)

// DefaultData is $XDG_STATE_HOME/eyrie, else ~/.local/state/eyrie, else /var/lib/eyrie where there is no home.
func DefaultData() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "eyrie")
	}
	if home, err := os.UserHomeDir(); err == nil && home != "" && home != "/" {
		return filepath.Join(home, ".local", "state", "eyrie")
	}
	return "/var/lib/eyrie"
}

var (
	accountShape = regexp.MustCompile(`^[0-9]{12}$`)
	// Region: at most 16 characters (ASFF, Region).
	regionShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$`)
)

func (o *Options) fill() error {
	setDefault(&o.Data, DefaultData())
	setDefault(&o.Listen, DefaultListen)
	setDefault(&o.Account, DefaultAccount)
	setDefault(&o.Region, DefaultRegion)
	setDefault(&o.MaxBody, int64(DefaultMaxBody))
	setDefault(&o.JournalAge, DefaultRetention)
	setDefault(&o.Retention, DefaultRetention)
	setDefault(&o.Version, "unknown")
	setDefault(&o.Sensor, SensorOff)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return errors.Join(CheckOrigin(o.origin()), o.checkListener())
}

// CheckOrigin refuses an origin that no finding can have. Its errors name the flags that set it.
func CheckOrigin(o falco.Origin) error {
	var errs []error
	if !accountShape.MatchString(o.Account) {
		errs = append(errs, fmt.Errorf("--account %q: an AWS account is 12 digits, such as %s", o.Account, DefaultAccount))
	}
	if !regionShape.MatchString(o.Region) {
		errs = append(errs, fmt.Errorf("--region %q: a Region is 1 to 16 lower-case letters, digits and hyphens, such as us-west-2 or %s", o.Region, DefaultRegion))
	}
	if len(o.Cluster) > 256 {
		errs = append(errs, fmt.Errorf("--cluster: the name has %d bytes, 256 is the limit", len(o.Cluster)))
	}
	return errors.Join(errs...)
}

func (o *Options) checkListener() error {
	var errs []error
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		errs = append(errs, fmt.Errorf("--listen %q: want HOST:PORT, such as %s: %w", o.Listen, DefaultListen, err))
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key go together: give both or neither"))
	}
	if o.MaxBody < 1<<10 {
		errs = append(errs, fmt.Errorf("--max-body %d: at least 1024 bytes, or no alert fits", o.MaxBody))
	}
	if o.JournalSize < 0 || o.JournalAge < 0 || o.Retention < 0 {
		errs = append(errs, errors.New("--journal-size, --journal-age and --retention cannot be negative"))
	}
	return errors.Join(errs...)
}

// origin is what an alert that says nothing of its origin gets.
func (o *Options) origin() falco.Origin {
	return falco.Origin{Account: o.Account, Region: o.Region, Cluster: o.Cluster}
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

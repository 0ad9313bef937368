package hub

import (
	"errors"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// Errors of this package. Those of the store wrap the cause, whose words they keep.
var (
	ErrNotFound  = errors.New("hub: not found")                                           // no such finding, insight or resource
	ErrClosed    = errors.New("hub: closed")                                              // the hub was closed
	ErrBadToken  = errors.New("hub: the token is malformed, expired or of another query") // Query.Token, HistoryQuery.Token, InsightQuery.Token
	ErrLimit     = errors.New("hub: limit exceeded")                                      // e.g. more than MaxInsights insights
	ErrDisabled  = errors.New("hub: not enabled")                                         // Describe, Disable while the hub is off
	ErrEnabled   = errors.New("hub: already enabled")                                     // Enable while the hub is on
	ErrFull      = errors.New("hub: no space left in the store")                          // trying again helps once there is space
	ErrReadOnly  = errors.New("hub: the store cannot be written")                         // read-only file or file system
	ErrCorrupt   = errors.New("hub: the store is corrupt")                                // needs a person
	ErrLocked    = errors.New("hub: the store is in use by another process")              // or busy for longer than we wait
	ErrNewSchema = errors.New("hub: the store was written by a newer version")            // never downgraded
)

// InvalidInput is an error of the caller: a sort attribute that cannot be sorted by, a bad insight. Message is for people
// and safe to show.
type InvalidInput struct{ Message string }

func (e *InvalidInput) Error() string { return e.Message }

// Key identifies a finding, as AWS's AwsSecurityFindingIdentifier does.
type Key struct{ ID, ProductArn string }

// Identity says who did something, as the history shows it: an ARN, or a name such as "eyrie". Not empty.
type Identity string

// Finding is one finding as it stands. Times are UTC; a zero time means that the document has none.
type Finding struct {
	Key
	Doc           []byte // the complete ASFF document, JSON; the caller must not change it
	Seq           int64  // number of the finding in this hub, in order of creation, never reused, > 0
	Occurrences   int64  // alerts folded into it, >= 1
	FirstObserved time.Time
	LastObserved  time.Time
	UpdatedAt     time.Time // the document's UpdatedAt: the producer's time of the last update
	ImportedAt    time.Time // the hub's time of the last change by a producer (ASFF ProcessedAt)
	Workflow      string    // NEW, NOTIFIED, RESOLVED or SUPPRESSED
	Severity      string    // the label: INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL
	RecordState   string    // ACTIVE or ARCHIVED
}

// Observation is one alert and the finding it was converted to.
type Observation struct {
	// Finding is owned by the hub from the call of Observe or Fold.Add on; several observations must not share one. Where
	// it is nil, Make makes it, called at most once and only for the newest observation of a finding; Key and Severity, its
	// label, say beforehand what it will have.
	Finding  *asff.Finding
	Make     func() *asff.Finding
	Key      Key
	Severity string

	Seq   int64     // the alert's number in the journal, > 0
	At    time.Time // when it happened: the alert's time
	Alert []byte    // the alert as received; copied where it is kept
}

// ImportResult says what became of the documents of one Import. An update that is not newer than what is stored is a
// success that changes nothing, as with AWS.
type ImportResult struct {
	Imported int             // documents accepted
	Failed   []ImportFailure // in the order of the input
}

// ImportFailure is AWS's ImportFindingsError with the position of the document.
type ImportFailure struct {
	Index   int    // in the docs of Import
	ID      string // the document's Id, "" if it has none that can be read
	Code    string // "InvalidInput", ...
	Message string // for people
}

// Update is what BatchUpdateFindings changes. A nil pointer, nil map or nil slice leaves the member as it is.
type Update struct {
	Note              *NoteUpdate
	Severity          *SeverityUpdate
	Workflow          *string // NEW, NOTIFIED, RESOLVED or SUPPRESSED
	VerificationState *string // UNKNOWN, TRUE_POSITIVE, FALSE_POSITIVE or BENIGN_POSITIVE
	Confidence        *int    // 0 to 100
	Criticality       *int    // 0 to 100
	Types             []string
	UserDefinedFields map[string]string // replaces the whole map; an empty, non-nil map removes it
	RelatedFindings   []Key             // replaces the list; at most 10
}

// NoteUpdate replaces the note of a finding; the hub adds the time.
type NoteUpdate struct{ Text, UpdatedBy string }

// SeverityUpdate sets a finding's severity. Of Label and Normalized one is enough: the hub derives the other.
type SeverityUpdate struct {
	Label      *string
	Normalized *int // 0 to 100
	Product    *float64
}

// UpdateFailure is AWS's BatchUpdateFindingsUnprocessedFinding.
type UpdateFailure struct {
	Key     Key
	Code    string // "FindingNotFound", "InvalidInput", ...
	Message string
}

// Query selects, orders and cuts findings. The zero Query is all findings, the newest first.
type Query struct {
	Filters asff.Filters
	Text    string // words that must all occur in the finding's text; the last one may be the beginning of a word
	Sort    []Sort // empty: by Seq, descending
	Limit   int    // findings a page; 0 means DefaultLimit, at most MaxLimit
	Token   string // Page.Next of the page before, for the same Filters, Text and Sort
	Offset  int    // findings to skip; not together with Token
	NoToken bool   // the caller pages by Offset: Page.Next stays "" and nothing is kept for it
}

// Sort is one criterion. Findings that lack the attribute come last in either direction; of several values the smallest
// counts ascending, the greatest descending. SeverityLabel sorts by severity, not by letter. Ties are broken by Seq,
// descending.
type Sort struct {
	Attribute asff.Attribute
	Key       string // of a map attribute; else ""
	Desc      bool
}

// Limits of Query.
const (
	DefaultLimit = 100  // AWS: GetFindings' MaxResults default
	MaxLimit     = 1000 // AWS allows 100 on the wire; the portal and exports ask for more
)

// Page is one page of findings.
type Page struct {
	Findings []Finding
	Next     string // "" if there are no more
	Total    int    // findings that match, whatever the page
	// AtMost tells that a filter had to be tried on documents (text without an index, such as Description CONTAINS, or
	// words that very many findings have) and that Total is only an upper bound. A page may then have fewer findings than
	// Limit and still have a Next.
	AtMost bool
}

// Bucket is one value of an attribute and how many of the matching findings have it.
type Bucket struct {
	Value      string
	Count      int
	New        int    // of them with workflow NEW and record state ACTIVE
	BySeverity [5]int // indexed by SeverityIndex
}

// SeverityIndex is the place of a severity label in the arrays of Bucket, Bin and Stats: INFORMATIONAL 0 to CRITICAL 4.
// Any other label, and none, is 0.
func SeverityIndex(label string) int {
	switch label {
	case "LOW":
		return 1
	case "MEDIUM":
		return 2
	case "HIGH":
		return 3
	case "CRITICAL":
		return 4
	}
	return 0
}

// Bin is one step of time.
type Bin struct {
	At         time.Time // start of the step, UTC
	BySeverity [5]int    // indexed by SeverityIndex
}

// RawAlert is an alert as it was received.
type RawAlert struct {
	Seq  int64
	At   time.Time
	Body []byte
}

// TimelinePoint is how often a finding occurred in the hour that starts At.
type TimelinePoint struct {
	At    time.Time
	Count int64
}

// ChangeKind says what happened to a finding.
type ChangeKind uint8

// The kinds of change. Their numbers are stored.
const (
	Created  ChangeKind = 1 // a new finding
	Updated  ChangeKind = 2 // a new occurrence or a producer's update
	Triaged  ChangeKind = 3 // a person changed it
	Archived ChangeKind = 4 // a producer set RecordState to ARCHIVED
	Deleted  ChangeKind = 5 // retention took it
	Reopened ChangeKind = 6 // an occurrence or an update set the workflow back to NEW
)

func (k ChangeKind) String() string {
	switch k {
	case Created:
		return "created"
	case Updated:
		return "updated"
	case Triaged:
		return "triaged"
	case Archived:
		return "archived"
	case Deleted:
		return "deleted"
	case Reopened:
		return "reopened"
	}
	return "unknown"
}

// Change is one entry of the change feed.
type Change struct {
	Seq        int64 // of the entry, ascending, never reused, > 0; gaps are normal
	At         time.Time
	Kind       ChangeKind
	Key        Key
	FindingSeq int64
}

// HistoryQuery selects history records, the newest first. Zero times mean no bound.
type HistoryQuery struct {
	Start, End time.Time // both included
	Limit      int       // 0 means 100
	Token      string
}

// Sources of a history record.
const (
	SourceImport = "BATCH_IMPORT_FINDINGS" // a producer: Import and Observe
	SourceUpdate = "BATCH_UPDATE_FINDINGS" // a person: Update
)

// HistoryRecord is one change of a finding: AWS's FindingHistoryRecord.
type HistoryRecord struct {
	At       time.Time
	Created  bool   // the record of the finding's creation
	Source   string // SourceImport or SourceUpdate
	Identity Identity
	Updates  []HistoryUpdate
}

// HistoryUpdate is one top-level member of the document that changed. Old and New are the member's value, strings and
// numbers as text, objects and lists as JSON; "" means absent. Values over MaxHistoryValue bytes are cut and end in "…".
type HistoryUpdate struct{ Field, Old, New string }

// MaxHistoryValue bounds HistoryUpdate.Old and New, in bytes.
const MaxHistoryValue = 4096

// Insight is a named filter and the attribute by which its findings are counted.
type Insight struct {
	Arn              string
	Name             string
	Filters          asff.Filters
	GroupByAttribute string // an attribute's name
}

// MaxInsights is how many insights a hub keeps. AWS: 100 custom insights (Security Hub quotas).
const MaxInsights = 100

// InsightUpdate is what UpdateInsight changes; nil leaves it.
type InsightUpdate struct {
	Name             *string
	Filters          *asff.Filters
	GroupByAttribute *string
}

// InsightResult is AWS's GetInsightResults: at most 100 values, the most frequent first.
type InsightResult struct {
	Arn              string
	GroupByAttribute string
	Values           []Bucket
}

// Description is AWS's DescribeHub.
type Description struct {
	HubArn                  string
	SubscribedAt            time.Time
	AutoEnableControls      bool
	ControlFindingGenerator string // SECURITY_CONTROL or STANDARD_CONTROL
}

// EnableOptions are those of AWS's EnableSecurityHub that the hub keeps.
type EnableOptions struct {
	Tags                    map[string]string
	ControlFindingGenerator string // "" means SECURITY_CONTROL
}

// Stats are the counts that overview pages and metrics show. They come from memory.
type Stats struct {
	Findings      int
	ByWorkflow    map[string]int // NEW, NOTIFIED, RESOLVED, SUPPRESSED; ACTIVE findings only
	BySeverityNew [5]int         // ACTIVE and NEW, indexed by SeverityIndex
	Archived      int
	IndexBytes    int64     // memory of the index, an estimate
	LastChange    int64     // Seq of the newest change
	LastCommit    time.Time // when the store last committed for this process; zero if never
	LastError     error     // of the newest failed commit; nil after a commit that succeeded
}

package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// Observe folds alerts into their findings and stores that source has been consumed up to upTo, in one durable step. An
// observation whose Seq is not greater than what is stored for source already is passed over, so that a caller that does
// not know whether a call succeeded can repeat it: every alert counts exactly once. upTo may be greater than every Seq
// (alerts that make no finding) and obs empty. The source "" has no cursor.
//
// The newest alert of a finding gives its document. FirstObservedAt and CreatedAt stay the oldest. An alert that is newer
// than the finding's LastObservedAt sets the workflow from NOTIFIED or RESOLVED back to NEW; one that comes late does not.
func (h *Hub) Observe(ctx context.Context, source string, upTo int64, obs []Observation) error {
	done, err := h.Observed(ctx, source)
	if err != nil {
		return err
	}
	f := h.NewFold()
	for i := range obs {
		if done == 0 || obs[i].Seq > done {
			f.Add(obs[i])
		}
	}
	return h.observeFold(ctx, source, done, upTo, f)
}

// ObserveFold is Observe of all that was added to f, which must not be used again. It takes all or nothing: an observation
// that is stored for source already is an error.
func (h *Hub) ObserveFold(ctx context.Context, source string, upTo int64, f *Fold) error {
	done, err := h.Observed(ctx, source)
	if err != nil {
		return err
	}
	if source != "" && f.least != 0 && f.least <= done {
		return fmt.Errorf("hub: observation %d of %q is stored already, up to %d", f.least, source, done)
	}
	return h.observeFold(ctx, source, done, upTo, f)
}

func (h *Hub) observeFold(ctx context.Context, source string, done, upTo int64, f *Fold) error {
	keys := make([]Key, len(f.groups))
	for i, g := range f.groups {
		keys[i] = g.key
	}
	ch, err := h.begin(ctx, keys)
	if err != nil {
		return err
	}
	defer ch.end()
	if now, err := h.cursor(ctx, source); err != nil {
		return err
	} else if now != done {
		return fmt.Errorf("hub: two consumers observe as %q", source)
	}
	if source != "" && upTo > done {
		ch.batch.Source, ch.batch.UpTo = source, upTo
	}
	for _, g := range f.groups {
		if err := ch.observe(g); err != nil {
			return err
		}
	}
	ch.batch.Activity = f.counts.list()
	return ch.commit(ctx)
}

// Observed returns up to where source has been consumed, 0 if not at all.
func (h *Hub) Observed(ctx context.Context, source string) (int64, error) {
	h.commit.Lock()
	defer h.commit.Unlock()
	if h.closed {
		return 0, ErrClosed
	}
	return h.cursor(ctx, source)
}

// cursor is Observed with the commit lock held.
func (h *Hub) cursor(ctx context.Context, source string) (int64, error) {
	if source == "" {
		return 0, nil
	}
	if at, ok := h.cursors[source]; ok && !h.unsure {
		return at, nil
	}
	at, err := h.store.Cursor(ctx, source)
	if err != nil {
		return 0, fmt.Errorf("hub: %w", err)
	}
	h.cursors[source] = at
	return at, nil
}

// observe brings one finding up to date.
func (ch *change) observe(g *group) error {
	d := ch.touched[g.key]
	var err error
	if d == nil {
		err = ch.observeNew(g)
	} else {
		err = ch.observeAgain(d, g)
	}
	if err != nil {
		return err
	}
	d = ch.touched[g.key]
	hours := make([]int64, 0, len(g.hours))
	for hour := range g.hours {
		hours = append(hours, hour)
	}
	slices.Sort(hours)
	for _, hour := range hours {
		ch.batch.Timeline = append(ch.batch.Timeline, TimelineAdd{d.Seq, time.Unix(hour*3600, 0).UTC(), g.hours[hour]})
	}
	return nil
}

func (ch *change) observeNew(g *group) error {
	d := ch.create(g.key)
	f := g.finding()
	ch.complete(f, g.count)
	f.FirstObservedAt = oldest(f.FirstObservedAt, "", g.first)
	f.CreatedAt = oldest(f.CreatedAt, "", g.first)
	ch.addAlerts(d, g, true)
	ch.record(d, HistoryRecord{Created: true, Source: SourceImport, Identity: observer})
	d.Occurrences, d.ImportedAt = g.count, ch.now
	d.FirstObserved, d.LastObserved, d.UpdatedAt = timeOf(f.FirstObservedAt), timeOf(f.LastObservedAt), timeOf(f.UpdatedAt)
	d.Workflow, d.Severity, d.RecordState = f.Workflow.Status, f.Severity.Label, f.RecordState
	return ch.put(d, ch.encode(f), Created)
}

// complete fills in what the hub itself writes into a finding, and what AWS fills in when a producer leaves it out.
func (ch *change) complete(f *asff.Finding, occurrences int64) {
	company, product := productOf(f.ProductArn)
	for _, m := range []struct {
		member *string
		value  string
	}{
		{&f.ProductName, product}, {&f.CompanyName, company}, {&f.Region, ch.h.c.Region}, {&f.RecordState, "ACTIVE"}, {&f.Workflow.Status, "NEW"},
	} {
		if *m.member == "" {
			*m.member = m.value
		}
	}
	f.ProcessedAt = asff.FormatTime(ch.now)
	f.SetProductField(occurrencesField, strconv.FormatInt(occurrences, 10))
}

// encode returns a finding's JSON in memory of its own, of exactly its size.
func (ch *change) encode(f *asff.Finding) []byte {
	ch.h.encoded = f.AppendJSON(ch.h.encoded[:0])
	return bytes.Clone(ch.h.encoded)
}

// observer is the identity of Observe in the history.
const observer Identity = "eyrie"

func (ch *change) observeAgain(d *draft, g *group) error {
	old, err := asff.ParseDocument(d.Doc)
	if err != nil {
		return fmt.Errorf("hub: finding %q: %w", d.ID, err)
	}
	ch.addAlerts(d, g, d.Chunks == 0)
	d.Occurrences += g.count
	d.ImportedAt = ch.now
	// A host whose clock was far ahead once must not hide what happens from then on.
	wrong := d.LastObserved.After(ch.now.Add(maxAhead))
	newer := g.newest.At.After(d.LastObserved) || wrong
	late := g.newest.At.Before(d.LastObserved) && !wrong
	reopen := newer && reopens(d.Workflow)
	if !late {
		ch.complete(g.finding(), d.Occurrences)
		if !reopen && plain(d, &old, g.finding()) {
			return ch.observePlain(d, &old, g)
		}
	}
	doc, kind := old.Clone(), Updated
	if late {
		doc.SetText("ProcessedAt", asff.FormatTime(ch.now))
		err = setIn(&doc, "ProductFields", occurrencesField, strconv.FormatInt(d.Occurrences, 10))
	} else if doc, err = asff.ParseDocument(ch.encode(g.finding())); err == nil {
		err = preserve(&doc, &old, d.Customer)
	}
	if err == nil && reopen {
		kind = Reopened
		err = setIn(&doc, "Workflow", "Status", "NEW")
	}
	if err != nil {
		return fmt.Errorf("hub: finding %q: %w", d.ID, err)
	}
	keepOldest(&doc, &old, g.first)
	keepNewest(&doc, &old)
	if updates := diff(&old, &doc, observed); len(updates) > 0 {
		ch.record(d, HistoryRecord{Source: SourceImport, Identity: observer, Updates: updates})
	}
	describe(d.Stored, &doc)
	return ch.put(d, doc.Append(nil), kind)
}

// plain reports whether f may take the place of the old document as it is: nothing in that one is the customer's, and
// nothing that the history tells of differs. That is the usual case of a repeat, and costs half of the others.
func plain(d *draft, old *asff.Document, f *asff.Finding) bool {
	if len(d.Customer) > 0 || f.Note != nil || len(f.UserDefinedFields) > 0 || f.VerificationState != "" || f.Confidence != nil || f.Criticality != nil {
		return false
	}
	for _, name := range []string{"Note", "UserDefinedFields", "VerificationState", "Confidence", "Criticality"} {
		if old.Get(name) != nil {
			return false
		}
	}
	var types []string
	if raw := old.Get("Types"); raw != nil && json.Unmarshal(raw, &types) != nil {
		return false
	}
	var severity asff.Severity
	if raw := old.Get("Severity"); raw != nil && json.Unmarshal(raw, &severity) != nil {
		return false
	}
	return d.RecordState == f.RecordState && old.Text("Title") == f.Title && slices.Equal(types, f.Types) &&
		severity.Label == f.Severity.Label && severity.Original == f.Severity.Original &&
		same(severity.Normalized, f.Severity.Normalized) && same(severity.Product, f.Severity.Product)
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// observePlain is the end of observeAgain for a plain finding.
func (ch *change) observePlain(d *draft, old *asff.Document, g *group) error {
	f := g.finding()
	f.Workflow.Status = d.Workflow
	f.FirstObservedAt = oldest(f.FirstObservedAt, old.Text("FirstObservedAt"), g.first)
	f.CreatedAt = oldest(f.CreatedAt, old.Text("CreatedAt"), g.first)
	f.LastObservedAt = newest(f.LastObservedAt, old.Text("LastObservedAt"))
	f.UpdatedAt = newest(f.UpdatedAt, old.Text("UpdatedAt"))
	d.FirstObserved, d.LastObserved, d.UpdatedAt = timeOf(f.FirstObservedAt), timeOf(f.LastObservedAt), timeOf(f.UpdatedAt)
	return ch.put(d, ch.encode(f), Updated)
}

// maxAhead is how far ahead of ours a clock may be for its times to decide which of two alerts is the newer.
const maxAhead = time.Hour

// reopens reports whether a new occurrence sets this workflow status back to NEW.
func reopens(workflow string) bool { return workflow == "NOTIFIED" || workflow == "RESOLVED" }

// keepOldest gives a document the oldest FirstObservedAt and CreatedAt of it, the old one and a first occurrence.
func keepOldest(doc, old *asff.Document, first time.Time) {
	for _, name := range []string{"FirstObservedAt", "CreatedAt"} {
		if text := oldest(doc.Text(name), old.Text(name), first); text != doc.Text(name) {
			doc.SetText(name, text)
		}
	}
}

// keepNewest gives a document the newest LastObservedAt and UpdatedAt of it and the old one.
func keepNewest(doc, old *asff.Document) {
	for _, name := range []string{"LastObservedAt", "UpdatedAt"} {
		if text := newest(doc.Text(name), old.Text(name)); text != doc.Text(name) {
			doc.SetText(name, text)
		}
	}
}

// oldest is the timestamp that is the earliest of three; those that cannot be read and the zero time do not count.
func oldest(text, old string, first time.Time) string {
	t := timeOf(text)
	if o := timeOf(old); !o.IsZero() && (t.IsZero() || o.Before(t)) {
		text, t = old, o
	}
	if !first.IsZero() && (t.IsZero() || first.Before(t)) {
		text = asff.FormatTime(first)
	}
	return text
}

// newest is the timestamp that is the latest of two.
func newest(text, old string) string {
	if timeOf(old).After(timeOf(text)) {
		return old
	}
	return text
}

package hub

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/asff"
)

// falcoGenerator begins the GeneratorId of findings that were made from Falco's alerts, by us or by a publisher elsewhere.
const falcoGenerator = "falco/"

// Import is AWS's BatchImportFindings: it creates findings and brings known ones up to date. Each document is judged
// alone; one that is refused does not keep the others out. A document of a known finding counts only if its UpdatedAt is
// strictly newer; else it is accepted and changes nothing. Members that belong to the customer stay as they are. docs are
// not kept. The error is one of the store; then nothing was imported.
//
// For findings made from Falco's alerts a newer LastObservedAt is an occurrence (or as many as eyrie/occurrences says)
// and does what it does in Observe. For those of other products RecordState from ARCHIVED to ACTIVE resets NOTIFIED and
// RESOLVED to NEW (AWS: Workflow.Status).
func (h *Hub) Import(ctx context.Context, by Identity, docs [][]byte) (ImportResult, error) {
	var result ImportResult
	items := make([]importItem, 0, len(docs))
	keys := make([]Key, 0, len(docs))
	for i, doc := range docs {
		item, failed := h.examine(doc)
		if failed != nil {
			failed.Index = i
			result.Failed = append(result.Failed, *failed)
			continue
		}
		items = append(items, item)
		keys = append(keys, item.key)
	}
	result.Imported = len(items)
	if len(items) == 0 {
		return result, nil
	}
	ch, err := h.begin(ctx, keys)
	if err != nil {
		return ImportResult{}, err
	}
	defer ch.end()
	var counts activityCounts
	for i := range items {
		if err := ch.importOne(by, &items[i], &counts); err != nil {
			return ImportResult{}, err
		}
	}
	ch.batch.Activity = counts.list()
	if err := ch.commit(ctx); err != nil {
		return ImportResult{}, err
	}
	return result, nil
}

// importItem is a document that passed validation.
type importItem struct {
	key Key
	doc asff.Document
}

// examine validates and completes a document.
func (h *Hub) examine(raw []byte) (importItem, *ImportFailure) {
	// The finding outlives the request: its bytes must be our own.
	raw = append([]byte(nil), raw...)
	doc, err := asff.ParseDocument(raw)
	if err != nil {
		return importItem{}, &ImportFailure{Code: "InvalidInput", Message: "the finding is not a JSON object: " + err.Error()}
	}
	key := Key{doc.Text("Id"), doc.Text("ProductArn")}
	if bad := asff.Validate(raw, asff.MaxFindingBytes); bad != nil {
		return importItem{}, &ImportFailure{ID: key.ID, Code: bad.Code, Message: bad.Message}
	}
	if err = providerFields(&doc); err == nil {
		err = h.defaults(&doc)
	}
	if err != nil {
		return importItem{}, &ImportFailure{ID: key.ID, Code: "InvalidInput", Message: err.Error()}
	}
	return importItem{key, doc}, nil
}

// importOne brings one finding up to date.
func (ch *change) importOne(by Identity, item *importItem, counts *activityCounts) error {
	falco := strings.HasPrefix(item.doc.Text("GeneratorId"), falcoGenerator)
	d := ch.touched[item.key]
	if d == nil {
		d = ch.create(item.key)
		n := int64(1)
		if falco {
			n = occurrences(&item.doc)
			ch.count(d, &item.doc, n, counts)
		}
		ch.record(d, HistoryRecord{Created: true, Source: SourceImport, Identity: by})
		return ch.finish(d, &item.doc, falco, n, Created)
	}
	if !timeIn(&item.doc, "UpdatedAt").After(d.UpdatedAt) {
		return nil
	}
	old, err := asff.ParseDocument(d.Doc)
	if err != nil {
		return err
	}
	doc, kind, n := item.doc, Updated, d.Occurrences
	if err := preserve(&doc, &old, d.Customer); err != nil {
		return err
	}
	returned := d.RecordState == "ARCHIVED" && doc.Text("RecordState") == "ACTIVE"
	if falco {
		if timeIn(&doc, "LastObservedAt").After(d.LastObserved) {
			more := occurrences(&item.doc)
			n += more
			returned = true
			ch.count(d, &doc, more, counts)
		}
		keepOldest(&doc, &old, timeIn(&doc, "FirstObservedAt"))
		keepNewest(&doc, &old)
	}
	switch {
	case returned && reopens(d.Workflow):
		if err := setIn(&doc, "Workflow", "Status", "NEW"); err != nil {
			return err
		}
		kind = Reopened
	case d.RecordState != "ARCHIVED" && doc.Text("RecordState") == "ARCHIVED":
		kind = Archived
	}
	if updates := diff(&old, &doc, func(name string) bool { return !untracked(name) }); len(updates) > 0 {
		ch.record(d, HistoryRecord{Source: SourceImport, Identity: by, Updates: updates})
	}
	return ch.finish(d, &doc, falco, n, kind)
}

// finish puts a draft's new document. Only Falco's findings get eyrie/occurrences.
func (ch *change) finish(d *draft, doc *asff.Document, falco bool, n int64, kind ChangeKind) error {
	d.Occurrences, d.ImportedAt = n, ch.now
	doc.SetText("ProcessedAt", asff.FormatTime(ch.now))
	if falco {
		if err := setIn(doc, "ProductFields", occurrencesField, strconv.FormatInt(n, 10)); err != nil {
			return fmt.Errorf("hub: finding %q: %w", d.ID, err)
		}
	}
	describe(d.Stored, doc)
	return ch.put(d, doc.Append(nil), kind)
}

// occurrences is how many alerts an imported document stands for.
func occurrences(doc *asff.Document) int64 {
	n, err := strconv.ParseInt(textIn(doc, "ProductFields", occurrencesField), 10, 64)
	if err != nil || n < 1 || n > 1<<40 {
		return 1
	}
	return n
}

// count adds n occurrences at the document's LastObservedAt to the timeline and the activity.
func (ch *change) count(d *draft, doc *asff.Document, n int64, counts *activityCounts) {
	at := timeIn(doc, "LastObservedAt")
	if at.IsZero() {
		at = ch.now
	}
	ch.batch.Timeline = append(ch.batch.Timeline, TimelineAdd{d.Seq, at.Truncate(LongStep), n})
	counts.add(at, SeverityIndex(textIn(doc, "Severity", "Label")), n)
}

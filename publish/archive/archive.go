// Package archive takes findings that are done with out of the active ones: those of Eyrie's that were quiet for long, and
// those that a person has resolved.
//
// In comes a Security Hub that can be asked for findings; out go imports of the same findings with RecordState ARCHIVED.
// It touches only findings of its own product made from Falco's alerts, and of them nothing but RecordState and
// UpdatedAt, which becomes a millisecond newer than it was: every new occurrence, also one that is late, is newer still
// and brings the finding back as ACTIVE. Security Hub then makes it NEW if it was RESOLVED or NOTIFIED (API reference,
// Workflow: "RecordState changes from ARCHIVED to ACTIVE").
//
// A run works until ctx ends and keeps no place: what is archived is not found again, so the next run goes on. Archiving
// twice is archiving once.
package archive

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/publish"
)

// GeneratorPrefix begins the GeneratorId of findings made from Falco's alerts.
const GeneratorPrefix = "falco/"

// Finder finds findings: one page, the one that was updated longest ago first. retry says whether asking again can help.
type Finder interface {
	Find(ctx context.Context, filters []byte, token string) (findings [][]byte, next string, retry bool, err error)
}

// Importer imports documents; *publish.Publisher does.
type Importer interface {
	Import(ctx context.Context, docs []publish.Document) (publish.Result, error)
}

// Config says what to archive.
type Config struct {
	Finder     Finder
	Importer   Importer
	ProductArn string
	After      time.Duration // quiet for this long; 0: none for that
	Resolved   bool          // also what is RESOLVED
	MaxPages   int           // of 100 findings in one run; 0 means 100
}

// Result says what a run did.
type Result struct {
	Archived int
	More     bool // there may be more: the run ended for want of time or pages
}

const (
	defaultPages = 100
	attempts     = 5                      // of asking for one page
	pauseFirst   = 350 * time.Millisecond // GetFindings: 3 requests a second, burst 6 (Security Hub quotas)
)

// Run archives what is due at now.
func Run(ctx context.Context, c Config, now time.Time) (Result, error) {
	if c.MaxPages == 0 {
		c.MaxPages = defaultPages
	}
	var total Result
	for _, filters := range c.filters(now) {
		res, err := c.sweep(ctx, filters)
		total.Archived += res.Archived
		total.More = total.More || res.More
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

type stringFilter struct{ Comparison, Value string }

// filters are what to search for, one after the other.
func (c *Config) filters(now time.Time) [][]byte {
	base := func() map[string]any {
		return map[string]any{
			"ProductArn":  []stringFilter{{"EQUALS", c.ProductArn}},
			"GeneratorId": []stringFilter{{"PREFIX", GeneratorPrefix}},
			"RecordState": []stringFilter{{"EQUALS", "ACTIVE"}},
		}
	}
	var all []map[string]any
	if c.Resolved {
		f := base()
		f["WorkflowStatus"] = []stringFilter{{"EQUALS", "RESOLVED"}}
		all = append(all, f)
	}
	if c.After > 0 {
		f := base()
		f["LastObservedAt"] = []map[string]string{{"Start": "1970-01-01T00:00:00Z", "End": asff.FormatTime(now.Add(-c.After).Truncate(time.Millisecond))}}
		all = append(all, f)
	}
	texts := make([][]byte, len(all))
	for i, f := range all {
		texts[i], _ = json.Marshal(f) // strings and maps of them always are JSON
	}
	return texts
}

// sweep archives all that filters find, page after page. What is archived leaves the pages, at once or after some time, so
// that others move to pages that were seen already: it begins again until all pages hold nothing new.
func (c *Config) sweep(ctx context.Context, filters []byte) (Result, error) {
	var res Result
	done := map[string]bool{}
	token, fresh := "", false
	for range c.MaxPages {
		findings, next, err := c.find(ctx, filters, token)
		if err == nil {
			var docs []publish.Document
			for _, raw := range findings {
				if doc, ok := c.archived(raw); ok && !done[doc.ID] {
					done[doc.ID], fresh = true, true
					docs = append(docs, doc)
				}
			}
			if len(docs) > 0 {
				var r publish.Result
				r, err = c.Importer.Import(ctx, docs)
				res.Archived += r.Accepted
			}
		}
		switch {
		case err != nil && ctx.Err() != nil:
			res.More = true
			return res, nil
		case err != nil:
			return res, err
		case next != "":
			token = next
		case fresh:
			token, fresh = "", false
		default:
			return res, nil
		}
	}
	res.More = true
	return res, nil
}

func (c *Config) find(ctx context.Context, filters []byte, token string) ([][]byte, string, error) {
	pause := pauseFirst
	for attempt := 1; ; attempt++ {
		findings, next, retry, err := c.Finder.Find(ctx, filters, token)
		if err == nil || !retry || attempt == attempts {
			return findings, next, err
		}
		t := time.NewTimer(pause + rand.N(pause))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, "", errors.Join(err, ctx.Err())
		case <-t.C:
		}
		pause *= 2
	}
}

// customers are the members that a provider may not write: they stay as the customer left them.
var customers = []string{"Note", "UserDefinedFields", "VerificationState", "Workflow", "WorkflowState", "ProcessedAt", "AwsAccountName"}

// archived is the document that archives a finding. ok is false for what is not to be archived.
func (c *Config) archived(raw []byte) (publish.Document, bool) {
	doc, err := asff.ParseDocument(raw)
	if err != nil || doc.Text("ProductArn") != c.ProductArn || !strings.HasPrefix(doc.Text("GeneratorId"), GeneratorPrefix) ||
		doc.Text("RecordState") != "ACTIVE" {
		return publish.Document{}, false
	}
	updated, err := asff.ParseTime(doc.Text("UpdatedAt"))
	if err != nil {
		return publish.Document{}, false
	}
	for _, name := range customers {
		doc.Delete(name)
	}
	restoreProvider(&doc)
	doc.SetText("RecordState", "ARCHIVED")
	doc.SetText("UpdatedAt", asff.FormatTime(updated.Add(time.Millisecond)))
	return publish.Document{ID: doc.Text("Id"), JSON: doc.Append(nil)}, true
}

// restoreProvider gives back to the top level what the provider said there: a customer may have changed it, and keeps the
// change (Security Hub User Guide, "Using FindingProviderFields").
func restoreProvider(doc *asff.Document) {
	provider, err := asff.ParseDocument(doc.Get("FindingProviderFields"))
	if err != nil {
		return
	}
	for _, name := range []string{"Severity", "Types", "Confidence", "Criticality", "RelatedFindings"} {
		doc.Delete(name)
		if value := provider.Get(name); value != nil {
			doc.Set(name, value)
		}
	}
}

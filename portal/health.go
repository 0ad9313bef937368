package portal

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/portal/chart"
)

// healthBody is what health.html shows.
type healthBody struct {
	Ingest    Ingest
	Stats     hub.Stats
	Rejected  int64
	Dropped   int64
	Recent    template.HTML // alerts of the last hours
	Quiet     map[int]bool  // by index of Ingest.Sources
	Held      []Rejected
	After     int64 // of the next page of quarantine; 0 for none
	First     bool  // this is the first page of quarantine
	Percent   int   // of the journal's bound that is used
	Fill      template.HTML
	Setup     setup
	QuietFrom time.Duration
}

const (
	heldPage  = 50
	healthFor = 6 * time.Hour
)

func (p *Portal) health(w http.ResponseWriter, r *http.Request) {
	pg := p.newPage(r, "Health", "health")
	ingest, err := p.journal.Ingest(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	slices.SortFunc(ingest.Sources, func(x, y Source) int {
		return cmp.Or(y.LastSeen.Compare(x.LastSeen), cmp.Compare(x.Host, y.Host), cmp.Compare(x.Way, y.Way))
	})
	b := &healthBody{Ingest: ingest, Stats: p.findings.Stats(), Quiet: map[int]bool{}, Setup: p.setup(), QuietFrom: quietAfter}
	for _, c := range ingest.Rejected {
		b.Rejected += c.N
	}
	for _, c := range ingest.Dropped {
		b.Dropped += c.N
	}
	for i, s := range ingest.Sources {
		b.Quiet[i] = pg.Now.Sub(s.LastSeen) > quietAfter
	}
	if ingest.MaxBytes > 0 {
		b.Percent = int(100 * ingest.Bytes / ingest.MaxBytes)
		b.Fill = chart.Share(b.Percent, 100)
	}
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	b.First = after <= 0
	if b.Held, err = p.journal.Quarantine(r.Context(), after, heldPage+1); err == nil {
		b.Recent, err = p.recent(r.Context(), pg.Now)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if len(b.Held) > heldPage {
		b.Held = b.Held[:heldPage]
		b.After = b.Held[heldPage-1].ID
	}
	pg.Body = b
	p.render(w, r, http.StatusOK, "health", pg)
}

// recent draws how many alerts came in, five minutes a bar.
func (p *Portal) recent(ctx context.Context, now time.Time) (template.HTML, error) {
	to := now.UTC().Truncate(hub.ShortStep).Add(hub.ShortStep)
	from := to.Add(-healthFor)
	bins, err := p.findings.Activity(ctx, from, to, hub.ShortStep)
	if err != nil {
		return "", err
	}
	bars := make([]chart.Bar, int(healthFor/hub.ShortStep))
	for i := range bars {
		bars[i].At = from.Add(time.Duration(i) * hub.ShortStep)
		bars[i].To = bars[i].At.Add(hub.ShortStep)
	}
	for _, bin := range bins {
		i := int(bin.At.Sub(from) / hub.ShortStep)
		if bin.At.Before(from) || i >= len(bars) {
			continue
		}
		for _, n := range bin.BySeverity {
			bars[i].Values[0] += n
		}
	}
	for i := range bars {
		bars[i].Title = bars[i].At.Format("15:04 UTC: ") + count(bars[i].Values[0], "alert", "alerts")
	}
	return chart.Bars(bars, chart.Options{Height: 72, Axis: true, Single: true}), nil
}

// quarantined shows one refused record: bytes of which nothing is known but that they are no alert.
func (p *Portal) quarantined(w http.ResponseWriter, r *http.Request) {
	rec, err := p.held(r.Context(), r.PathValue("id"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if r.URL.Query().Get("format") == "raw" {
		p.download(w, "quarantine-"+strconv.FormatInt(rec.ID, 10)+".bin", "application/octet-stream", rec.Body)
		return
	}
	pg := p.newPage(r, "Quarantined record "+strconv.FormatInt(rec.ID, 10), "health")
	pg.Body = rec
	p.render(w, r, http.StatusOK, "quarantined", pg)
}

func (p *Portal) held(ctx context.Context, id string) (Rejected, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return Rejected{}, errGone
	}
	found, err := p.journal.Quarantine(ctx, n-1, 1)
	if err != nil {
		return Rejected{}, err
	}
	if len(found) == 0 || found[0].ID != n {
		return Rejected{}, errGone
	}
	return found[0], nil
}

// quarantineLine is one line of the download; body is the record as text where it is UTF-8, else base64.
type quarantineLine struct {
	ID      int64     `json:"id"`
	Arrived time.Time `json:"arrived"`
	Way     string    `json:"way"`
	Origin  string    `json:"origin,omitempty"`
	Reason  string    `json:"reason"`
	Detail  string    `json:"detail,omitempty"`
	Body    string    `json:"body,omitempty"`
	Base64  []byte    `json:"body_base64,omitempty"`
}

// quarantineDownload sends all of quarantine, one JSON object a line.
func (p *Portal) quarantineDownload(w http.ResponseWriter, r *http.Request) {
	after := int64(0)
	started := false
	enc := newLineEncoder(w)
	for {
		found, err := p.journal.Quarantine(r.Context(), after, heldPage)
		if err != nil && !started {
			p.fail(w, r, err)
			return
		}
		if err != nil { // too late for a status: the client sees a broken transfer, not a short list
			p.c.Logger.Error("download quarantine", "error", err)
			panic(http.ErrAbortHandler)
		}
		if !started {
			started = true
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Content-Disposition", `attachment; filename="quarantine.jsonl"`)
		}
		for _, rec := range found {
			if enc.line(rec) != nil {
				return
			}
			after = rec.ID
		}
		if len(found) < heldPage {
			return
		}
	}
}

// discard deletes records from quarantine: those a form names, or all up to the last one it showed.
func (p *Portal) discard(w http.ResponseWriter, r *http.Request) {
	var ids []int64
	for _, s := range r.PostForm["id"] {
		id, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			p.fail(w, r, errBadForm)
			return
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		p.fail(w, r, invalid("Select a record first."))
		return
	}
	if err := p.journal.Discard(r.Context(), ids); err != nil {
		p.fail(w, r, err)
		return
	}
	p.setFlash(w, r, flash{Text: count(len(ids), "record is", "records are") + " discarded."})
	http.Redirect(w, r, "/health#quarantine", http.StatusSeeOther)
}

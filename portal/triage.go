package portal

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
)

const (
	// maxTriage is how many findings one form changes at most, also when it says "all that match".
	maxTriage = 1000
	// updateBatch is how many of them go to the hub in one call; AWS takes 100 in a BatchUpdateFindings.
	updateBatch = 100
	maxNote     = 512 // characters: ASFF, Note.Text
	maxUndo     = 256 // decisions that can be undone, over all people
	undoFor     = 30 * time.Minute
)

// undoRecord is what a decision was before.
type undoRecord struct {
	user   string
	at     time.Time
	set    string           // the workflow that was set
	before map[int64]string // finding -> workflow before
	text   string
}

// undoList keeps the latest decisions. It is memory alone: after a restart a decision is changed by another one.
type undoList struct {
	mu    sync.Mutex // guards what follows
	byID  map[string]undoRecord
	order []string
}

func newUndoList() *undoList { return &undoList{byID: map[string]undoRecord{}} }

func (l *undoList) put(u undoRecord) string {
	id := rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.order) == maxUndo {
		delete(l.byID, l.order[0])
		l.order = l.order[1:]
	}
	l.byID[id] = u
	l.order = append(l.order, id)
	return id
}

// get returns a decision of user's that is not too old.
func (l *undoList) get(id, user string, now time.Time) (undoRecord, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, ok := l.byID[id]
	return u, ok && u.user == user && now.Sub(u.at) < undoFor
}

func (l *undoList) drop(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, id)
	l.order = slices.DeleteFunc(l.order, func(o string) bool { return o == id })
}

// flash is a message that the next page shows, with a way back.
type flash struct {
	Text string
	Undo string // id in the undoList, "" if there is nothing to undo
	Bad  bool
}

// setFlash leaves a message for the next page in a cookie: what can be undone by its id, anything else as text.
func (p *Portal) setFlash(w http.ResponseWriter, r *http.Request, f flash) {
	value := "t." + url.QueryEscape(f.Text)
	if f.Bad {
		value = "b." + url.QueryEscape(f.Text)
	}
	if f.Undo != "" {
		value = "u." + f.Undo
	}
	p.setCookie(w, r, cookieFlash, value, 60)
}

func (p *Portal) takeFlash(w http.ResponseWriter, r *http.Request) *flash {
	c, err := r.Cookie(cookieFlash)
	if err != nil {
		return nil
	}
	p.setCookie(w, r, cookieFlash, "", -1)
	kind, value, _ := strings.Cut(c.Value, ".")
	if kind == "u" {
		s, _ := sessionOf(r)
		u, ok := p.undo.get(value, s.User, p.c.Now())
		if !ok {
			return nil
		}
		return &flash{Text: u.text, Undo: value}
	}
	message, err := url.QueryUnescape(value)
	if err != nil || message == "" || len(message) > 500 {
		return nil
	}
	return &flash{Text: message, Bad: kind == "b"}
}

// triage sets the workflow of the selected findings, with an optional note.
func (p *Portal) triage(w http.ResponseWriter, r *http.Request) {
	s, _ := sessionOf(r)
	form := r.PostForm
	status := form.Get("workflow")
	if !slices.Contains(workflows, status) {
		p.fail(w, r, invalid("Say what to set the workflow to: %s.", strings.Join(workflows, ", ")))
		return
	}
	u := hub.Update{Workflow: &status}
	if err := addNote(&u, form.Get("note"), s.User); err != nil {
		p.fail(w, r, err)
		return
	}
	selected, err := p.selection(r.Context(), form)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	changed, failed, err := p.update(r.Context(), s.User, selected, u)
	if err != nil && len(changed) == 0 {
		p.fail(w, r, err)
		return
	}
	rec := undoRecord{user: s.User, at: p.c.Now(), set: status, before: changed, text: done(changed, failed, status)}
	f := flash{Text: rec.text}
	if len(changed) > 0 {
		f.Undo = p.undo.put(rec)
	}
	rows := map[string]string{}
	for seq := range changed {
		rows[strconv.FormatInt(seq, 10)] = status
	}
	p.answer(w, r, f, rows)
}

// done says what a decision came to: "3 findings are Resolved now."
func done(changed map[int64]string, failed int, status string) string {
	text := count(len(changed), "finding is ", "findings are ") + word(status) + " now."
	if failed > 0 {
		text += " " + count(failed, "was", "were") + " not changed: deleted in the meantime."
	}
	return text
}

func addNote(u *hub.Update, note, user string) error {
	note = strings.TrimSpace(note)
	if note == "" {
		return nil
	}
	if len([]rune(note)) > maxNote {
		return invalid("A note has at most %d characters; this one has %d.", maxNote, len([]rune(note)))
	}
	u.Note = &hub.NoteUpdate{Text: note, UpdatedBy: user}
	return nil
}

// answer ends a decision: the script gets what changed, a form is sent back to the page it came from.
func (p *Portal) answer(w http.ResponseWriter, r *http.Request, f flash, rows map[string]string) {
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, map[string]any{"text": f.Text, "undo": f.Undo, "rows": rows})
		return
	}
	p.setFlash(w, r, f)
	back := local(r.PostForm.Get("back"))
	if back == "/" {
		back = "/findings"
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// selection returns the findings a form is about: those it names, or with all=1 those its view matches.
func (p *Portal) selection(ctx context.Context, form url.Values) ([]hub.Finding, error) {
	if form.Get("all") == "1" {
		return p.matching(ctx, form.Get("view"))
	}
	seqs := form["seq"]
	if len(seqs) == 0 {
		return nil, invalid("Select a finding first.")
	}
	if len(seqs) > maxTriage {
		return nil, invalid("At most %d findings can be changed at once.", maxTriage)
	}
	var all []hub.Finding
	for _, s := range seqs {
		seq, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, errBadForm
		}
		f, err := p.findings.GetSeq(ctx, seq)
		if errors.Is(err, hub.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func (p *Portal) matching(ctx context.Context, rawView string) ([]hub.Finding, error) {
	q, err := url.ParseQuery(rawView)
	if err != nil {
		return nil, errBadForm
	}
	v, err := parseView(q)
	if err != nil {
		return nil, err
	}
	query, err := v.hubQuery(p.c.Now())
	if err != nil {
		return nil, err
	}
	query.Limit, query.NoToken = min(maxTriage, hub.MaxLimit), true
	page, err := p.findings.Find(ctx, query)
	return page.Findings, err
}

// update sets u on the findings and returns what the workflow of each was before. Where a batch fails, those before it
// are changed, and returned with the error.
func (p *Portal) update(ctx context.Context, user string, findings []hub.Finding, u hub.Update) (before map[int64]string, failed int, err error) {
	before = map[int64]string{}
	for batch := range slices.Chunk(findings, updateBatch) {
		byKey := map[hub.Key]hub.Finding{}
		var keys []hub.Key
		for _, f := range batch {
			byKey[f.Key] = f
			keys = append(keys, f.Key)
		}
		processed, unprocessed, err := p.findings.Update(ctx, hub.Identity(user), keys, u)
		if err != nil {
			return before, failed, err
		}
		for _, key := range processed {
			before[byKey[key].Seq] = byKey[key].Workflow
		}
		failed += len(unprocessed)
	}
	return before, failed, nil
}

// undoTriage sets the workflow back to what it was, where nobody has changed it again since.
func (p *Portal) undoTriage(w http.ResponseWriter, r *http.Request) {
	s, _ := sessionOf(r)
	id := r.PostForm.Get("undo")
	rec, ok := p.undo.get(id, s.User, p.c.Now())
	if !ok {
		p.fail(w, r, invalid("That can no longer be undone: it was undone already, or is more than %d minutes old.", int(undoFor/time.Minute)))
		return
	}
	groups := map[string][]hub.Finding{}
	skipped := 0
	for seq, status := range rec.before {
		f, err := p.findings.GetSeq(r.Context(), seq)
		if err != nil || f.Workflow != rec.set {
			skipped++
			continue
		}
		groups[status] = append(groups[status], f)
	}
	rows := map[string]string{}
	for _, status := range slices.Sorted(maps.Keys(groups)) {
		changed, failed, err := p.update(r.Context(), s.User, groups[status], hub.Update{Workflow: &status})
		for seq := range changed {
			rows[strconv.FormatInt(seq, 10)] = status
		}
		skipped += failed
		if err != nil {
			p.fail(w, r, err)
			return
		}
	}
	p.undo.drop(id)
	text := "Undone: " + count(len(rows), "finding is", "findings are") + " as before."
	if skipped > 0 {
		text += " " + count(skipped, "was", "were") + " left alone: changed again in the meantime."
	}
	p.answer(w, r, flash{Text: text}, rows)
}

// note sets the note of one finding.
func (p *Portal) note(w http.ResponseWriter, r *http.Request) {
	s, _ := sessionOf(r)
	var u hub.Update
	err := addNote(&u, r.PostForm.Get("note"), s.User)
	if err == nil && u.Note == nil {
		err = invalid("Write something first.")
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	selected, err := p.selection(r.Context(), url.Values{"seq": r.PostForm["seq"]})
	if err == nil && len(selected) == 0 {
		err = hub.ErrNotFound
	}
	if err == nil {
		_, _, err = p.update(r.Context(), s.User, selected, u)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.answer(w, r, flash{Text: "The note is saved."}, nil)
}

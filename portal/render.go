package portal

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eyrie-sec/eyrie/access"
	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/portal/chart"
	"github.com/eyrie-sec/eyrie/portal/text"
)

// page is what every template gets. Body is the page's own.
type page struct {
	Title   string // plain text
	Nav     string // which entry of the navigation is current
	User    string // "" before sign-in
	NoPass  bool   // the person has no password yet
	CSRF    string
	Theme   string // "", "light" or "dark"
	Zone    string // "" (the viewer's) or "utc"
	Now     time.Time
	Here    string // path and query of this page, for forms to come back to
	Search  string // the free text of the current view
	Flash   *flash
	Version string
	Body    any
}

// pages holds the parsed templates.
type pages struct {
	byName map[string]*template.Template
	bufs   sync.Pool
	zips   sync.Pool
}

// pageNames are all pages; each is a file that defines "main" and is wrapped by layout.html.
var pageNames = []string{"overview", "findings", "finding", "health", "quarantined", "signin", "signin-link", "password", "signout", "error"}

// fragmentNames are templates of parts.html that are also served alone.
var fragmentNames = []string{"values"}

func loadPages(p *Portal) (*pages, error) {
	set := &pages{byName: map[string]*template.Template{}}
	set.bufs.New = func() any { return new(bytes.Buffer) }
	set.zips.New = func() any { return gzip.NewWriter(nil) }
	base, err := template.New("layout.html").Funcs(p.functions()).ParseFS(embedded, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	for _, name := range pageNames {
		clone, err := base.Clone()
		if err != nil {
			return nil, err
		}
		t, err := clone.ParseFS(embedded, "templates/"+name+".html")
		if err != nil {
			return nil, err
		}
		if t.Lookup("main") == nil {
			return nil, fmt.Errorf("templates/%s.html defines no main", name)
		}
		set.byName[name] = t
	}
	for _, name := range fragmentNames {
		if base.Lookup(name) == nil {
			return nil, fmt.Errorf("templates/parts.html defines no %s", name)
		}
		set.byName["#"+name] = base
	}
	return set, nil
}

func (p *Portal) functions() template.FuncMap {
	return template.FuncMap{
		"asset": p.assets.url,
		"show":  text.Show, "mid": text.Mid, "cut": text.Cut, "plain": text.Plain, "json": text.JSON,
		"group": func(n any) (string, error) { return groupAny(n) },
		"ago":   ago, "exact": exact, "until": until,
		"duration": duration, "bytes": byteSize,
		"share": chart.Share,
		"neg":   func(n int) int { return -n },
		"int64": func(n int) int64 { return int64(n) },
		"lower": strings.ToLower, "word": word, "sevclass": sevClass,
		"dict": dict,
	}
}

// dict makes a map of names and values, for templates that take several arguments.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

func groupAny(n any) (string, error) {
	switch n := n.(type) {
	case int:
		return text.Group(n), nil
	case int64:
		return text.Group(int(n)), nil
	}
	return "", fmt.Errorf("group: %T is no whole number", n)
}

// newPage fills what all pages share.
func (p *Portal) newPage(r *http.Request, title, nav string) *page {
	pg := &page{Title: title, Nav: nav, Now: p.c.Now(), Version: p.c.Version, Here: here(r)}
	if s, ok := sessionOf(r); ok {
		pg.User, pg.CSRF, pg.NoPass = s.User, s.CSRF, !s.PasswordSet
	}
	pg.Theme, pg.Zone = preference(r, cookieTheme, "light", "dark"), preference(r, cookieZone, "utc")
	return pg
}

// here is the path and query of a page, without what belongs to one visit alone.
func here(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return r.URL.Path
	}
	return r.URL.Path + "?" + r.URL.RawQuery
}

// render writes a page. Nothing is sent before the template has run to its end.
func (p *Portal) render(w http.ResponseWriter, r *http.Request, status int, name string, pg *page) {
	if pg.Flash == nil && status < 400 && pg.User != "" {
		pg.Flash = p.takeFlash(w, r)
	}
	p.write(w, r, status, name, "layout.html", pg)
}

func (p *Portal) write(w http.ResponseWriter, r *http.Request, status int, name, root string, data any) {
	buf, _ := p.pages.bufs.Get().(*bytes.Buffer)
	buf.Reset()
	defer p.pages.bufs.Put(buf)
	if err := p.pages.byName[name].ExecuteTemplate(buf, root, data); err != nil {
		p.c.Logger.Error("render page", "page", name, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Encoding")
	if buf.Len() < 1024 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Length", strconv.Itoa(buf.Len()))
		w.WriteHeader(status)
		_, _ = w.Write(buf.Bytes()) // the client is gone: nobody to tell
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z, _ := p.pages.zips.Get().(*gzip.Writer)
	defer p.pages.zips.Put(z)
	z.Reset(w)
	_, _ = z.Write(buf.Bytes())
	_ = z.Close()
}

// problem is the body of an error page.
type problem struct {
	Status int
	Head   string
	Text   string
	Back   string
}

// fail answers a request with what went wrong. Only errors that are made for people are shown; of all others the log
// has the whole chain.
func (p *Portal) fail(w http.ResponseWriter, r *http.Request, err error) {
	pr := problem{Status: http.StatusInternalServerError, Head: "Something went wrong", Text: "Internal error. The log says more.", Back: "/"}
	var invalid *hub.InvalidInput
	var password *access.PasswordError
	switch {
	case errors.Is(err, r.Context().Err()) && r.Context().Err() != nil:
		return
	case errors.Is(err, hub.ErrNotFound), errors.Is(err, errGone):
		pr = problem{http.StatusNotFound, "Not here", "There is no such page or finding. It may have been deleted when its time was over.", "/findings"}
	case errors.As(err, &invalid):
		pr.Status, pr.Head, pr.Text = http.StatusBadRequest, "That cannot be done", invalid.Message
	case errors.As(err, &password):
		pr.Status, pr.Head, pr.Text = http.StatusBadRequest, "That cannot be done", password.Reason
	case errors.Is(err, errBadForm):
		pr.Status, pr.Head, pr.Text = http.StatusBadRequest, "That form is not valid", "It is from an older session, or not from here. Go back, reload the page and try again."
	case errors.Is(err, hub.ErrFull), errors.Is(err, hub.ErrReadOnly), errors.Is(err, hub.ErrLocked), errors.Is(err, hub.ErrCorrupt), errors.Is(err, hub.ErrClosed):
		pr.Status, pr.Head, pr.Text = http.StatusServiceUnavailable, "The store cannot take that now", storeWords(err)
		p.c.Logger.Error("portal request", "path", r.URL.Path, "error", err)
	default:
		p.c.Logger.Error("portal request", "path", r.URL.Path, "error", err)
	}
	p.showProblem(w, r, pr)
}

func (p *Portal) showProblem(w http.ResponseWriter, r *http.Request, pr problem) {
	if wantsJSON(r) {
		writeJSON(w, pr.Status, map[string]any{"error": pr.Head + ". " + pr.Text})
		return
	}
	pg := p.newPage(r, pr.Head, "")
	pg.Body = pr
	p.render(w, r, pr.Status, "error", pg)
}

// storeWords names the cause for people without the path of the file.
func storeWords(err error) string {
	for _, known := range []error{hub.ErrFull, hub.ErrReadOnly, hub.ErrLocked, hub.ErrCorrupt, hub.ErrClosed} {
		if errors.Is(err, known) {
			return strings.TrimPrefix(known.Error(), "hub: ") + ". Nothing was changed."
		}
	}
	return ""
}

// Errors of requests.
var (
	errGone    = errors.New("no such page")
	errBadForm = errors.New("bad form")
)

func (p *Portal) notFound(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, errGone)
}

func (p *Portal) crossOrigin(w http.ResponseWriter, r *http.Request) {
	p.showProblem(w, r, problem{http.StatusForbidden, "Refused", "The request came from another site. Open the portal and try again there.", "/"})
}

// Package portal is what people see of Eyrie: pages rendered on the server, a style sheet and one small script.
//
// In come requests of a browser and what the hub, the journal and access know; out go HTML pages, a stream of "something
// changed" events, and, where a person decides something, updates of the hub. Everything works without script: reading is
// links, deciding is forms. The URL of a list is its whole state.
//
// It never answers a person who is not signed in with anything but the sign-in page, never puts text of an alert into a
// page other than through package text, never allows script or style that is not its own file, and never changes
// anything on a GET. It has no other state than what undoing needs: a bounded list in memory.
//
// It fails by a page that says what went wrong and, with 500 and 503, nothing of its insides: those go to the log. A
// template that does not parse or is not there fails New.
package portal

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Config is what the portal needs to know. The zero value of each field has a meaning.
type Config struct {
	// BaseURL is how a Falco and a browser on this machine reach the listener ("http://127.0.0.1:8080"), for the lines
	// that tell a person how to send a first alert. If it begins with https, cookies are Secure on every request.
	BaseURL string
	// IngestKey returns the key that alerts are delivered with; nil shows a placeholder in its stead.
	IngestKey func() string
	Version   string
	Now       func() time.Time // nil: time.Now
	Logger    *slog.Logger     // nil: nothing is logged
}

// Portal is the handler of all pages. Safe for concurrent use.
type Portal struct {
	c        Config
	findings Findings
	journal  Journal
	access   Access
	pages    *pages
	assets   *assets
	undo     *undoList
	digest   *digest
	closed   chan struct{}
	handler  http.Handler
}

// New returns the portal. It reads nothing but its own embedded files.
func New(c Config, f Findings, j Journal, a Access) (*Portal, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	files, err := loadAssets()
	if err != nil {
		return nil, fmt.Errorf("portal assets: %w", err)
	}
	p := &Portal{c: c, findings: f, journal: j, access: a, assets: files, undo: newUndoList(), digest: newDigest(), closed: make(chan struct{})}
	if p.pages, err = loadPages(p); err != nil {
		return nil, fmt.Errorf("portal templates: %w", err)
	}
	mux := http.NewServeMux()
	for _, r := range p.routes() {
		h := http.Handler(http.HandlerFunc(r.handler))
		if !r.public {
			h = p.signedIn(h)
		}
		mux.Handle(r.pattern, h)
	}
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(p.crossOrigin))
	p.handler = cross.Handler(mux)
	return p, nil
}

// route is one entry of the route table. A route that is not public needs a session.
type route struct {
	pattern string
	handler http.HandlerFunc
	public  bool
}

func (p *Portal) routes() []route {
	return []route{
		{"GET /{$}", p.overview, false},
		{"GET /findings", p.list, false},
		{"GET /findings/values", p.values, false},
		{"GET /findings/{seq}", p.finding, false},
		{"GET /health", p.health, false},
		{"GET /quarantine", p.quarantineDownload, false},
		{"GET /quarantine/{id}", p.quarantined, false},
		{"GET /events", p.events, false},
		{"GET /password", p.passwordPage, false},
		{"POST /portal/triage", p.triage, false},
		{"POST /portal/undo", p.undoTriage, false},
		{"POST /portal/note", p.note, false},
		{"POST /portal/discard", p.discard, false},
		{"POST /portal/password", p.setPassword, false},
		{"POST /portal/settings", p.settings, false},
		{"POST /portal/signout", p.signOut, false},
		{"GET /signout", p.signOutPage, false},

		{"GET /signin", p.signInPage, true},
		{"POST /portal/signin", p.signIn, true},
		{"POST /portal/signin-link", p.signInLink, true},
		{"GET /static/{name}", p.static, true},
		{"/", p.notFound, false},
	}
}

// ServeHTTP answers a request.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with that a browser sends "Origin: null" with our own forms (Fetch, "append a request Origin header").
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	p.handler.ServeHTTP(w, r)
}

const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Close ends all event streams, so that a server can shut down. It returns at once; it may be called once.
func (p *Portal) Close() { close(p.closed) }

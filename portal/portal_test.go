package portal

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/hub"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// visitor is a browser without script: it keeps cookies, follows nothing.
type visitor struct {
	t       testing.TB
	portal  http.Handler
	cookies map[string]*http.Cookie
}

func (w *world) visitor(t testing.TB) *visitor {
	return &visitor{t: t, portal: w.portal, cookies: map[string]*http.Cookie{}}
}

// ana is a visitor who is signed in.
func (w *world) ana(t testing.TB) *visitor {
	t.Helper()
	w.mustUser(t, "ana")
	v := w.visitor(t)
	r := v.post("/portal/signin", url.Values{"name": {"ana"}, "password": {testPassword}})
	if r.Code != http.StatusSeeOther || len(v.cookies) == 0 {
		t.Fatalf("sign-in: %d, cookies %v", r.Code, v.cookies)
	}
	return v
}

func (v *visitor) do(r *http.Request) *httptest.ResponseRecorder {
	v.t.Helper()
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	v.portal.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c
		}
	}
	return rec
}

func (v *visitor) get(target string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.do(httptest.NewRequest(http.MethodGet, target, nil))
}

func (v *visitor) post(target string, form url.Values) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(r)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// send posts a form with the token that the page at from has in its forms.
func (v *visitor) send(from, target string, form url.Values) *httptest.ResponseRecorder {
	v.t.Helper()
	m := csrfField.FindStringSubmatch(v.page(from))
	if m == nil {
		v.t.Fatalf("%s has no form", from)
	}
	form.Set("csrf", m[1])
	return v.post(target, form)
}

// page returns the body of a page that is there.
func (v *visitor) page(target string) string {
	v.t.Helper()
	r := v.get(target)
	if r.Code != http.StatusOK {
		v.t.Fatalf("GET %s: %d\n%s", target, r.Code, r.Body)
	}
	return r.Body.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, string(want)); diff != "" {
		t.Errorf("%s (-got +want):\n%s", name, diff)
	}
}

var (
	volatile = regexp.MustCompile(`(name="csrf" value="|data-csrf=")[^"]+`)
	hashed   = regexp.MustCompile(`(/static/[a-z]+)\.[0-9a-f]{12}\.`)
)

// TestPages holds every page with the fake's data; review reads the golden files.
func TestPages(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	for name, target := range map[string]string{
		"overview": "/", "overview-7d": "/?range=7d", "findings": "/findings?sort=severity", "filtered": "/findings?severity=CRITICAL&severity=HIGH&workflow=ALL&rule=Write+below+etc&last=7d&f=ProcessName:PREFIX:to",
		"nothing": "/findings?q=surely-nowhere", "finding": "/findings/7?view=sort%3Dseverity&i=12", "health": "/health", "quarantined": "/quarantine/9", "password": "/password", "signout": "/signout",
	} {
		t.Run(name, func(t *testing.T) {
			body := ana.page(target)
			checkPage(t, target, body)
			golden(t, name+".html", hashed.ReplaceAllString(volatile.ReplaceAllString(body, "${1}CSRF"), "$1.HASH."))
		})
	}
	stranger := w.visitor(t)
	for name, target := range map[string]string{"signin": "/signin?next=/findings", "signin-link": "/signin?token=abc"} {
		t.Run(name, func(t *testing.T) {
			body := stranger.page(target)
			checkPage(t, target, body)
			golden(t, name+".html", hashed.ReplaceAllString(body, "$1.HASH."))
		})
	}
}

// TestEmptyPages: before the first alert the pages say how to send one, with the real address and key.
func TestEmptyPages(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	ana := w.ana(t)
	for _, target := range []string{"/", "/findings", "/health"} {
		body := ana.page(target)
		checkPage(t, target, body)
		for _, want := range []string{"curl -sS http://127.0.0.1:8080/falco/test-key", "url: http://127.0.0.1:8080/falco/test-key", "eyrie agent --from"} {
			if !strings.Contains(body, want) {
				t.Errorf("GET %s: no %q", target, want)
			}
		}
	}
}

// TestTheCommandToTryIsAnAlert: what the empty page tells people to send is taken by Falco's parser.
func TestTheCommandToTryIsAnAlert(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	command := w.portal.setup().Command
	_, body, ok := strings.Cut(command, "-d '")
	if !ok {
		t.Fatalf("no body in %s", command)
	}
	body = strings.TrimSuffix(body, "'")
	body = strings.NewReplacer("'$(date -u +%FT%TZ)'", "2026-11-21T12:00:00Z", "'$(hostname)'", "vm").Replace(body)
	a, err := falco.Parse([]byte(body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if a.Rule != "Terminal shell in container" || a.Get("proc.cmdline") != "sh -i" {
		t.Errorf("got %+v", a)
	}
}

// TestEveryRouteNeedsSignIn walks the route table.
func TestEveryRouteNeedsSignIn(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	stranger := w.visitor(t)
	public := 0
	for _, r := range w.portal.routes() {
		method, path, ok := strings.Cut(r.pattern, " ")
		if !ok {
			method, path = http.MethodGet, r.pattern+"nowhere"
		}
		path = strings.NewReplacer("{$}", "", "{seq}", "1", "{id}", "7", "{name}", "x.css").Replace(path)
		var rec *httptest.ResponseRecorder
		if method == http.MethodPost {
			rec = stranger.post(path, url.Values{"workflow": {"RESOLVED"}, "seq": {"1"}})
		} else {
			rec = stranger.get(path)
		}
		to := rec.Header().Get("Location")
		closed := rec.Code == http.StatusSeeOther && strings.HasPrefix(to, "/signin")
		if r.public {
			public++
			if closed {
				t.Errorf("%s is public, but leads to %s", r.pattern, to)
			}
			continue
		}
		if !closed {
			t.Errorf("%s: got %d to %q, want sign-in", r.pattern, rec.Code, to)
		}
		if strings.Contains(rec.Body.String(), "payments") {
			t.Errorf("%s shows findings to a stranger", r.pattern)
		}
	}
	if public != 4 {
		t.Errorf("%d public routes, want the 4 of sign-in and static files", public)
	}
	if got := w.hub.workflow(1); got != "NEW" {
		t.Errorf("a stranger set a finding to %s", got)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	for _, target := range []string{"/", "/findings", "/findings/1", "/findings/1?format=json", "/nowhere", "/health", "/quarantine", "/signin", "/static/none.css"} {
		h := ana.get(target).Header()
		if got := h.Get("Content-Security-Policy"); got != contentPolicy || strings.Contains(got, "unsafe") {
			t.Errorf("GET %s: policy %q", target, got)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
			if got := h.Get(name); got != want {
				t.Errorf("GET %s: %s is %q, want %q", target, name, got, want)
			}
		}
	}
}

func TestFormsFromElsewhereAreRefused(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	token := csrfField.FindStringSubmatch(ana.page("/"))[1]
	tests := []struct {
		name, csrf string
		header     map[string]string
		want       int
	}{
		{"cross-site", token, map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		{"same site, other host", token, map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		{"another origin", token, map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		{"no token", "", map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusBadRequest},
		{"wrong token", "x" + token, map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form := url.Values{"csrf": {tt.csrf}, "workflow": {"RESOLVED"}, "seq": {"1"}}
			r := httptest.NewRequest(http.MethodPost, "/portal/triage", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			if rec := ana.do(r); rec.Code != tt.want {
				t.Errorf("got %d, want %d", rec.Code, tt.want)
			}
			if got := w.hub.workflow(1); got != "NEW" {
				t.Errorf("the finding is %s", got)
			}
		})
	}
}

func TestSignIn(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	w.mustUser(t, "ana")
	v := w.visitor(t)
	if r := v.post("/portal/signin", url.Values{"name": {"ana"}, "password": {"wrong"}, "next": {"/health"}}); r.Code != http.StatusUnauthorized || !strings.Contains(r.Body.String(), "Wrong name or password.") {
		t.Errorf("wrong password: %d", r.Code)
	}
	for next, want := range map[string]string{"/findings?q=a": "/findings?q=a", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "javascript:alert(1)": "/"} {
		r := v.post("/portal/signin", url.Values{"name": {"ana"}, "password": {testPassword}, "next": {next}})
		if got := r.Header().Get("Location"); r.Code != http.StatusSeeOther || got != want {
			t.Errorf("next=%s: %d to %s, want %s", next, r.Code, got, want)
		}
	}
	c := v.cookies[cookieSession]
	if c == nil || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure {
		t.Errorf("cookie %+v", c)
	}
	if r := v.send("/", "/portal/signout", url.Values{}); r.Code != http.StatusSeeOther {
		t.Errorf("sign-out: %d", r.Code)
	}
	if r := v.get("/"); r.Header().Get("Location") != "/signin" {
		t.Errorf("after sign-out: %d", r.Code)
	}
}

func TestSecureCookiesOnTLS(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.mustUser(t, "ana")
	p, err := New(Config{BaseURL: "https://eyrie.example", Now: w.clock.now}, w.hub, w.journal, w.access)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, portal: p, cookies: map[string]*http.Cookie{}}
	v.post("/portal/signin", url.Values{"name": {"ana"}, "password": {testPassword}})
	if c := v.cookies[cookieSecure]; c == nil || !c.Secure {
		t.Errorf("cookies %v", v.cookies)
	}
}

// TestFirstLink: looking at the link does not use it up, pressing the button does, and a password may wait.
func TestFirstLink(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	token, ok := w.access.FirstLink()
	if !ok {
		t.Fatal("no first link")
	}
	v := w.visitor(t)
	for range 3 {
		body := v.page("/signin?token=" + token)
		if !strings.Contains(body, `action="/portal/signin-link"`) || len(v.cookies) != 0 {
			t.Fatalf("a look at the link: cookies %v", v.cookies)
		}
	}
	r := v.post("/portal/signin-link", url.Values{"token": {token}})
	if r.Header().Get("Location") != "/password" {
		t.Fatalf("got %d to %s", r.Code, r.Header().Get("Location"))
	}
	checkPage(t, "/password", v.page("/password"))
	if !strings.Contains(v.page("/"), "have no password yet") {
		t.Error("skipping the password is not mentioned again")
	}
	if r := v.send("/password", "/portal/password", url.Values{"password": {"one long password"}, "again": {"another one"}}); r.Code != http.StatusBadRequest || !strings.Contains(r.Body.String(), "differ") {
		t.Errorf("two passwords: %d", r.Code)
	}
	if r := v.send("/password", "/portal/password", url.Values{"password": {"short"}, "again": {"short"}}); r.Code != http.StatusBadRequest {
		t.Errorf("a short password: %d", r.Code)
	}
	if r := v.send("/password", "/portal/password", url.Values{"password": {testPassword}, "again": {testPassword}}); r.Code != http.StatusSeeOther {
		t.Errorf("a good password: %d %s", r.Code, r.Body)
	}
	if body := v.page("/"); !strings.Contains(body, "Your password is set.") || strings.Contains(body, "have no password yet") {
		t.Error("the password is not confirmed")
	}
	again := w.visitor(t)
	if r := again.post("/portal/signin-link", url.Values{"token": {token}}); r.Code != http.StatusUnauthorized || len(again.cookies) != 0 {
		t.Errorf("the link works twice: %d", r.Code)
	}
}

func TestStaticFiles(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	v := w.visitor(t)
	for name, target := range w.portal.assets.urls {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		rec := v.do(r)
		z, err := gzip.NewReader(rec.Body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs", name)
		}
		if got := rec.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		r = httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("If-None-Match", rec.Header().Get("ETag"))
		if rec := v.do(r); rec.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", name, rec.Code)
		}
	}
}

func TestSettings(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	ana := w.ana(t)
	ana.send("/", "/portal/settings", url.Values{"theme": {"dark"}, "back": {"/health"}})
	ana.send("/", "/portal/settings", url.Values{"zone": {"utc"}})
	if body := ana.page("/"); !strings.Contains(body, `<html lang="en" data-theme="dark" data-zone="utc">`) {
		t.Errorf("settings are not kept: %.80s", body)
	}
	ana.send("/", "/portal/settings", url.Values{"theme": {""}})
	ana.send("/", "/portal/settings", url.Values{"zone": {`"><script>`}})
	if body := ana.page("/"); !strings.Contains(body, `<html lang="en">`) {
		t.Errorf("settings are not taken back: %.80s", body)
	}
}

func TestErrorsOfTheStore(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	token := csrfField.FindStringSubmatch(ana.page("/"))[1]
	w.hub.err = fmt.Errorf("write /secret/path/findings.db: %w", hub.ErrFull)
	r := ana.post("/portal/triage", url.Values{"csrf": {token}, "workflow": {"RESOLVED"}, "seq": {"1"}})
	if r.Code != http.StatusServiceUnavailable || !strings.Contains(r.Body.String(), "no space left") || strings.Contains(r.Body.String(), "/secret/path") {
		t.Errorf("full disk: %d %s", r.Code, r.Body)
	}
	w.hub.err = fmt.Errorf("something inside: /secret/path")
	r = ana.get("/findings/1")
	if r.Code != http.StatusInternalServerError || strings.Contains(r.Body.String(), "secret") {
		t.Errorf("an unknown error: %d %s", r.Code, r.Body)
	}
	checkPage(t, "error page", r.Body.String())
}

func TestNotFound(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	ana := w.ana(t)
	for _, target := range []string{"/nowhere", "/findings/0", "/findings/999", "/findings/x", "/quarantine/5", "/quarantine/x"} {
		r := ana.get(target)
		if r.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d", target, r.Code)
		}
		checkPage(t, target, r.Body.String())
	}
}

// hostile are things attackers write.
var hostile = map[string]string{
	"markup": `<script>alert(1)</script><img src=x onerror=alert(1)>`, "attribute": `" onmouseover="alert(1)`, "quote": `' autofocus onfocus='alert(1)`,
	"template": `{{.CSRF}} {{template "main"}}`, "ansi": "\x1b[31mred\x1b]0;title\x07", "bidi": "invoice\u202egnp.exe\u2066", "nul": "a\x00b",
	"newline": "one\ntwo\r\nthree", "url": "javascript:alert(1)", "entity": "&lt;b&gt;&#60;", "comment": "--><!--", "mega": strings.Repeat("<A\u202e", 200_000), "invalid": "caf\xe9\xff",
}

// TestHostileText: whatever stands in an alert, every page of it is well formed, shows it as text and keeps its size.
func TestHostileText(t *testing.T) {
	for name, evil := range hostile {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, &clock{t: someday})
			valid := strings.ToValidUTF8(evil, "\uFFFD")
			a := &falco.Alert{Time: someday, Rule: "Rule " + valid, Priority: 1, Source: "syscall", Hostname: valid, Output: valid, Tags: []string{valid}}
			for _, field := range []string{"proc.name", "proc.cmdline", "proc.pname", "proc.aname[2]", "proc.exepath", "fd.name", "user.name", "container.name", "container.image.repository", "container.image.tag", "k8s.ns.name", "k8s.pod.name"} {
				a.Fields = append(a.Fields, falco.Field{Name: field, Value: falco.Value{Kind: falco.String, Text: valid}})
			}
			a.Fields = append(a.Fields, falco.Field{Name: "evt.type", Value: falco.Value{Kind: falco.String, Text: "openat"}})
			body, err := json.Marshal(map[string]any{"rule": evil, "output": evil, "priority": "Critical", "time": someday, "output_fields": map[string]string{"proc.cmdline": evil}})
			if err != nil {
				t.Fatal(err)
			}
			clip := valid[:min(len(valid), 1000)]
			w.hub.add(a, someday, append(body, evil...), falco.Origin{Account: "111122223333", Region: "us-west-2", Cluster: clip}, func(f *asff.Finding) {
				f.Note = &asff.Note{Text: clip, UpdatedBy: clip, UpdatedAt: asff.FormatTime(someday)}
				f.Types = []string{"TTPs/" + clip, clip}
				f.Remediation.Recommendation = asff.Recommendation{Text: clip, Url: clip}
				f.Network = &asff.Network{Direction: clip, Protocol: clip, DestinationDomain: clip}
			})
			w.hub.history[1] = append(w.hub.history[1], hub.HistoryRecord{At: someday, Identity: hub.Identity(clip), Source: hub.SourceUpdate, Updates: []hub.HistoryUpdate{{Field: "Note", Old: clip, New: clip}}})
			w.journal.ingest = Ingest{Sources: []Source{{clip, clip, clip, someday, 1}}, Rejected: []Count{{clip, 1}}, Err: fmt.Errorf("%s", clip)}
			w.journal.held = []Rejected{{1, someday, clip, clip, clip, clip, []byte(evil)}}
			ana := w.ana(t)
			q := url.QueryEscape(clip)
			for _, target := range []string{"/", "/findings", "/findings/1", "/health", "/quarantine/1", "/findings?q=" + q, "/findings?rule=" + q, "/findings?f=Title:PREFIX:" + q, "/findings?f=" + q,
				"/findings?pick=rule", "/findings/1?view=" + q + "&i=0", "/findings/values?pick=rule", "/signin?next=" + q, "/signin?token=" + q} {
				r := ana.get(target)
				page := r.Body.String()
				if r.Code == http.StatusSeeOther {
					continue
				}
				if strings.HasPrefix(target, "/findings/values") {
					page = "<!doctype html><html lang=\"en\"><head><title>x · Eyrie</title></head><body><main><h1>x</h1>" + page + "</main></body></html>"
				}
				checkPage(t, target[:min(len(target), 60)], page)
				if len(page) > 2<<20 {
					t.Errorf("GET %.60s: %d bytes", target, len(page))
				}
				for _, r := range page {
					if r < ' ' && r != '\n' && r != '\t' || r == '\u202e' || r == '\u2066' {
						inValue := strings.Contains(target, "?") // an input repeats what was typed
						if !inValue {
							t.Errorf("GET %.60s: %U stands in the page", target, r)
							break
						}
					}
				}
			}
		})
	}
}

// TestRawDownloads: downloads are exact and never shown by a browser.
func TestRawDownloads(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	r := ana.get("/findings/1?format=json")
	if got, want := r.Body.String(), string(w.hub.findings[0].Doc)+"\n"; got != want || !strings.HasPrefix(r.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("got %.100s, want %.100s (%v)", got, want, r.Header())
	}
	r = ana.get("/quarantine/12?format=raw")
	if got, want := r.Body.String(), string(w.journal.held[2].Body); got != want || r.Header().Get("Content-Type") != "application/octet-stream" {
		t.Errorf("got %q, want %q", got, want)
	}
	var ids []int64
	lines := json.NewDecoder(ana.get("/quarantine").Body)
	for {
		var l quarantineLine
		if err := lines.Decode(&l); err != nil {
			break
		}
		ids = append(ids, l.ID)
		if l.ID == 12 && !bytes.Equal(l.Base64, w.journal.held[2].Body) {
			t.Errorf("record 12 is %q", l.Base64)
		}
		if l.ID == 9 && l.Body != string(w.journal.held[1].Body) {
			t.Errorf("record 9 is %q", l.Body)
		}
	}
	if diff := cmp.Diff(ids, []int64{7, 9, 12}); diff != "" {
		t.Errorf("ids (-got +want):\n%s", diff)
	}
	seq := int64(0)
	for s, alerts := range w.hub.alerts {
		if len(alerts) > 2 {
			seq = s
		}
	}
	kept, err := w.hub.Alerts(context.Background(), w.hub.findings[seq-1].Key)
	if err != nil {
		t.Fatal(err)
	}
	body := ana.get(fmt.Sprintf("/findings/%d?format=alerts", seq)).Body.String()
	if got := strings.Count(body, "\n"); got != len(kept) {
		t.Errorf("%d lines, want %d", got, len(kept))
	}
}

func TestDiscard(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	if r := ana.send("/health", "/portal/discard", url.Values{"id": {"7", "12"}}); r.Code != http.StatusSeeOther {
		t.Fatalf("got %d", r.Code)
	}
	if len(w.journal.held) != 1 || w.journal.held[0].ID != 9 {
		t.Errorf("held %v", w.journal.held)
	}
	if !strings.Contains(ana.page("/health"), "2 records are discarded.") {
		t.Error("no confirmation")
	}
	if r := ana.send("/health", "/portal/discard", url.Values{}); r.Code != http.StatusBadRequest {
		t.Errorf("nothing selected: %d", r.Code)
	}
}

func BenchmarkPages(b *testing.B) {
	w := newWorld(b, &clock{t: someday})
	w.fill(b)
	ana := w.ana(b)
	for _, target := range []string{"/", "/findings", "/findings/7", "/health"} {
		b.Run("page="+target, func(b *testing.B) {
			for b.Loop() {
				ana.page(target)
			}
		})
	}
}

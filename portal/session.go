package portal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/access"
)

// Cookies. On TLS the session's name has the __Host- prefix, which browsers take only if it is Secure and of this host.
const (
	cookieSession = "eyrie"
	cookieSecure  = "__Host-eyrie"
	cookieTheme   = "eyrie_theme"
	cookieZone    = "eyrie_zone"
	cookieFlash   = "eyrie_flash"
)

// maxForm bounds the body of a form: a page of findings to triage is some kilobytes.
const maxForm = 1 << 20

type sessionKey struct{}

type signedInAs struct {
	access.Session
	cookie string
}

func sessionOf(r *http.Request) (signedInAs, bool) {
	s, ok := r.Context().Value(sessionKey{}).(signedInAs)
	return s, ok
}

func (p *Portal) secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(p.c.BaseURL, "https:")
}

func (p *Portal) sessionCookie(r *http.Request) string {
	if p.secure(r) {
		return cookieSecure
	}
	return cookieSession
}

func (p *Portal) setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: p.secure(r)})
}

// signedIn lets a request through that has a session, and a form that has its token. Anything else goes to sign-in.
func (p *Portal) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie(p.sessionCookie(r))
		var s access.Session
		ok := false
		if err == nil {
			s, ok = p.access.Session(cookie.Value)
		}
		if !ok {
			p.toSignIn(w, r)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, signedInAs{s, cookie.Value}))
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if r.ParseForm() != nil || !s.CheckCSRF(r.PostForm.Get("csrf")) {
				p.fail(w, r, errBadForm)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (p *Portal) toSignIn(w http.ResponseWriter, r *http.Request) {
	if wantsJSON(r) || r.Header.Get("Accept") == "text/event-stream" {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "You are signed out. Reload the page."})
		return
	}
	target := "/signin"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		target += "?next=" + url.QueryEscape(here(r))
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// local returns a path of this portal to go to, "/" for anything that leads elsewhere.
func local(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.ContainsAny(target, "\\\r\n\t") {
		return "/"
	}
	return target
}

type signInBody struct {
	Next  string
	Name  string
	Error string
	Token string
}

// signInPage shows the form, or for a link the button that uses it: whoever scans links for malware must not use it up.
func (p *Portal) signInPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	pg := p.newPage(r, "Sign in", "")
	if token := q.Get("token"); token != "" {
		pg.Body = signInBody{Token: token}
		p.render(w, r, http.StatusOK, "signin-link", pg)
		return
	}
	pg.Body = signInBody{Next: local(q.Get("next"))}
	p.render(w, r, http.StatusOK, "signin", pg)
}

func (p *Portal) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		p.fail(w, r, errBadForm)
		return
	}
	name, next := r.PostForm.Get("name"), local(r.PostForm.Get("next"))
	cookie, _, err := p.access.SignIn(name, r.PostForm.Get("password"), r.RemoteAddr)
	if err == nil {
		p.enter(w, r, cookie, next)
		return
	}
	body := signInBody{Next: next, Name: name}
	status := http.StatusUnauthorized
	var limited *access.RateLimited
	switch {
	case errors.As(err, &limited):
		status, body.Error = http.StatusTooManyRequests, "Too many attempts. Try again in "+duration(max(limited.RetryAfter, time.Second))+"."
		w.Header().Set("Retry-After", retryAfter(limited.RetryAfter))
	case errors.Is(err, access.ErrWrong):
		body.Error = "Wrong name or password."
	default:
		p.fail(w, r, err)
		return
	}
	pg := p.newPage(r, "Sign in", "")
	pg.Body = body
	p.render(w, r, status, "signin", pg)
}

func (p *Portal) enter(w http.ResponseWriter, r *http.Request, cookie, next string) {
	p.setCookie(w, r, p.sessionCookie(r), cookie, int(access.AbsoluteLife/time.Second))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// signInLink uses a sign-in link up. Who has no password yet is asked for one, and may skip that.
func (p *Portal) signInLink(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		p.fail(w, r, errBadForm)
		return
	}
	cookie, s, err := p.access.SignInToken(r.PostForm.Get("token"), r.RemoteAddr)
	if err == nil {
		next := "/"
		if !s.PasswordSet {
			next = "/password"
		}
		p.enter(w, r, cookie, next)
		return
	}
	if !errors.Is(err, access.ErrLink) {
		p.fail(w, r, err)
		return
	}
	pg := p.newPage(r, "Sign in", "")
	pg.Body = signInBody{Next: "/", Error: "That link was used before or has expired. Sign in with your password, or restart Eyrie for a new link."}
	p.render(w, r, http.StatusUnauthorized, "signin", pg)
}

func (p *Portal) passwordPage(w http.ResponseWriter, r *http.Request) {
	pg := p.newPage(r, "Password", "")
	pg.Body = signInBody{}
	p.render(w, r, http.StatusOK, "password", pg)
}

func (p *Portal) setPassword(w http.ResponseWriter, r *http.Request) {
	s, _ := sessionOf(r)
	fresh := r.PostForm.Get("password")
	var err error
	if fresh != r.PostForm.Get("again") {
		err = &access.PasswordError{Reason: "The two passwords differ."}
	} else {
		err = p.access.ChangePassword(s.cookie, r.PostForm.Get("old"), fresh, r.RemoteAddr)
	}
	if err == nil {
		p.setFlash(w, r, flash{Text: "Your password is set. Your other sessions were ended."})
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	var bad *access.PasswordError
	var limited *access.RateLimited
	body := signInBody{}
	switch {
	case errors.As(err, &bad):
		body.Error = bad.Reason
	case errors.As(err, &limited):
		body.Error = "Too many attempts. Try again in " + duration(limited.RetryAfter) + "."
	case errors.Is(err, access.ErrWrong):
		body.Error = "That is not your present password."
	default:
		p.fail(w, r, err)
		return
	}
	pg := p.newPage(r, "Password", "")
	pg.Body = body
	p.render(w, r, http.StatusBadRequest, "password", pg)
}

func (p *Portal) signOutPage(w http.ResponseWriter, r *http.Request) {
	p.render(w, r, http.StatusOK, "signout", p.newPage(r, "Sign out", ""))
}

func (p *Portal) signOut(w http.ResponseWriter, r *http.Request) {
	s, _ := sessionOf(r)
	if err := p.access.SignOut(s.cookie); err != nil {
		p.fail(w, r, err)
		return
	}
	p.setCookie(w, r, p.sessionCookie(r), "", -1)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}

// settings remembers what a person prefers to see, in cookies.
func (p *Portal) settings(w http.ResponseWriter, r *http.Request) {
	const year = 365 * 24 * 60 * 60
	for _, s := range []struct {
		field, cookie string
		values        []string
	}{{"theme", cookieTheme, []string{"light", "dark"}}, {"zone", cookieZone, []string{"utc"}}} {
		if !r.PostForm.Has(s.field) {
			continue
		}
		age, value := -1, ""
		for _, v := range s.values {
			if r.PostForm.Get(s.field) == v {
				age, value = year, v
			}
		}
		p.setCookie(w, r, s.cookie, value, age)
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, map[string]any{})
		return
	}
	http.Redirect(w, r, local(r.PostForm.Get("back")), http.StatusSeeOther)
}

// preference returns a cookie's value if it is one of values, else "".
func preference(r *http.Request, name string, values ...string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	for _, v := range values {
		if c.Value == v {
			return v
		}
	}
	return ""
}

func wantsJSON(r *http.Request) bool { return r.Header.Get("Accept") == "application/json" }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
}

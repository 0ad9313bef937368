package access

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

// How long a session lasts; OWASP's session management cheat sheet asks for both.
const (
	IdleLife     = 12 * time.Hour     // without a request
	AbsoluteLife = 7 * 24 * time.Hour // at all

	// seenEvery is how often a use of a session is stored; a crash loses at most this much of its idle time.
	seenEvery = 5 * time.Minute
)

// Session is a person who is signed in. It is a copy: nothing the caller does to it changes the session.
type Session struct {
	ID          string    // names the session to EndSession; not a secret
	User        string    // the user's name
	Created     time.Time // when the person signed in
	Seen        time.Time // last use
	Expires     time.Time // when it ends if it is not used again
	Address     string    // the client's address at sign-in, "unknown" if that was none
	CSRF        string    // what a form must send back; "" from Sessions
	PasswordSet bool      // false: the person came by a link and has yet to choose a password
}

func (s session) expires() time.Time {
	idle, absolute := s.Seen.Add(IdleLife), s.Created.Add(AbsoluteLife)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

// begin adds a session to next and stores it; a.mu is held.
func (a *Access) begin(next state, name, remoteAddr string) (string, Session, error) {
	now := a.now().UTC()
	cookie := base64.RawURLEncoding.EncodeToString(random(32))
	s := session{Hash: digestOf(cookie), User: name, Created: now, Seen: now, Address: clientAddr(remoteAddr)}
	next.Sessions = append(makeRoom(next.Sessions, name, now), s)
	if err := a.store(next); err != nil {
		return "", Session{}, err
	}
	return cookie, a.describe(s, cookie), nil
}

// makeRoom drops sessions that ended, and the least recently used ones above the limits.
func makeRoom(all []session, name string, now time.Time) []session {
	all = slices.DeleteFunc(all, func(x session) bool { return !now.Before(x.expires()) })
	slices.SortStableFunc(all, func(x, y session) int { return x.Seen.Compare(y.Seen) })
	own := 0
	for _, x := range all {
		if x.User == name {
			own++
		}
	}
	if own >= maxPerUser {
		i := slices.IndexFunc(all, func(x session) bool { return x.User == name })
		all = slices.Delete(all, i, i+1)
	}
	if len(all) >= maxSessions {
		all = all[1:]
	}
	return all
}

// Session returns who is signed in with the cookie's value and counts as a use of the session.
func (a *Access) Session(cookie string) (Session, bool) {
	if len(cookie) != 43 {
		return Session{}, false
	}
	hash := digestOf(cookie)
	a.mu.Lock()
	defer a.mu.Unlock()
	i, ok := a.byKey[hash]
	if !ok {
		return Session{}, false
	}
	now := a.now().UTC()
	s := a.state.Sessions[i]
	if !now.Before(s.expires()) {
		return Session{}, false
	}
	if now.After(s.Seen) {
		s.Seen = now
		a.state.Sessions[i] = s // not yet stored, and no other copy of the slice is in force
	}
	if now.Sub(a.saved) >= seenEvery {
		if err := a.store(a.state.clone()); err != nil {
			a.saved = now // try again in a while; the session is good all the same
			a.log.Error("store the last use of a session", "error", err)
		}
	}
	return a.describe(s, cookie), true
}

// describe is s as the outside sees it; a.mu is held. cookie may be "".
func (a *Access) describe(s session, cookie string) Session {
	out := Session{
		ID: base64.RawURLEncoding.EncodeToString(s.Hash[:9]), User: s.User, Created: s.Created, Seen: s.Seen, Expires: s.expires(),
		Address: s.Address, PasswordSet: a.state.Users[s.User].Password != "",
	}
	if cookie != "" {
		mac := hmac.New(sha256.New, []byte(cookie))
		mac.Write([]byte("eyrie csrf token"))
		out.CSRF = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	return out
}

// CheckCSRF reports whether token is s's, in constant time.
func (s Session) CheckCSRF(token string) bool {
	return s.CSRF != "" && hmac.Equal([]byte(s.CSRF), []byte(token))
}

// SignOut ends the session of cookie; one that is not there is no error.
func (a *Access) SignOut(cookie string) error {
	hash := digestOf(cookie)
	return a.end(func(s session) bool { return s.Hash == hash })
}

// EndSession ends the session of user that has the ID id; one that is not there is no error.
func (a *Access) EndSession(user, id string) error {
	return a.end(func(s session) bool {
		return s.User == user && base64.RawURLEncoding.EncodeToString(s.Hash[:9]) == id
	})
}

func (a *Access) end(which func(session) bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.ContainsFunc(a.state.Sessions, which) {
		return nil
	}
	s := a.state.clone()
	s.Sessions = slices.DeleteFunc(s.Sessions, which)
	return a.store(s)
}

// Sessions returns the live sessions of user, the most recently used first, without their CSRF tokens.
func (a *Access) Sessions(user string) []Session {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Session
	now := a.now()
	for _, s := range a.state.Sessions {
		if s.User == user && now.Before(s.expires()) {
			all = append(all, a.describe(s, ""))
		}
	}
	slices.SortFunc(all, func(x, y Session) int { return cmp.Or(y.Seen.Compare(x.Seen), cmp.Compare(x.ID, y.ID)) })
	return all
}

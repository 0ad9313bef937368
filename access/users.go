package access

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// FirstUser is the name of the user that the first person's link signs in.
const FirstUser = "admin"

// linkLife is how long a sign-in link may be used.
const linkLife = 24 * time.Hour

// User is a person who may sign in.
type User struct {
	Name        string
	Created     time.Time
	PasswordSet bool // false: only a link can sign this user in
}

// CheckName reports why name cannot be a user's: 1 to 64 of a-z, 0-9 and . _ - @, beginning with a letter or digit.
// Names are compared in lower case.
func CheckName(name string) error {
	if len(name) < 1 || len(name) > 64 {
		return errors.New("a name has 1 to 64 characters")
	}
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-@", rune(c))) {
			return errors.New("a name is made of a-z, 0-9 and . _ - @ and begins with a letter or digit")
		}
	}
	return nil
}

// Users returns all users by name.
func (a *Access) Users() []User {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []User
	for name, u := range a.state.Users {
		all = append(all, User{Name: name, Created: u.Created, PasswordSet: u.Password != ""})
	}
	slices.SortFunc(all, func(x, y User) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// FirstLink returns the token that signs the first person in, and whether there is one: only while no user has a
// password. It works once, within 24 hours; asked for later it is made anew. Where no token can be stored there is none.
func (a *Access) FirstLink() (token string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.first != "" {
		hash, now := digestOf(a.first), a.now()
		if slices.ContainsFunc(a.state.Links, func(l link) bool { return l.Hash == hash && now.Before(l.Expires) }) {
			return a.first, true
		}
	}
	token, err := a.makeFirstLink()
	if err != nil {
		a.log.Error("make sign-in link", "error", err)
	}
	return token, token != ""
}

// makeFirstLink replaces the first person's link, if one is due; a.mu is held.
func (a *Access) makeFirstLink() (string, error) {
	a.first = ""
	for _, u := range a.state.Users {
		if u.Password != "" {
			return "", nil
		}
	}
	s := a.state.clone()
	s.Links = slices.DeleteFunc(s.Links, func(l link) bool { return l.First })
	token, l := newLink(FirstUser, a.now())
	l.First = true
	s.Links = append(s.Links, l)
	if err := a.store(s); err != nil {
		return "", err
	}
	a.first = token
	return token, nil
}

func newLink(name string, now time.Time) (string, link) {
	token := base64.RawURLEncoding.EncodeToString(random(32))
	return token, link{Hash: digestOf(token), User: name, Expires: now.Add(linkLife).UTC()}
}

// NewLink returns a token that signs the existing user name in once, within 24 hours: for who forgot the password.
func (a *Access) NewLink(name string) (token string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name = strings.ToLower(name)
	if _, ok := a.state.Users[name]; !ok {
		return "", ErrNoUser
	}
	s, now := a.state.clone(), a.now()
	s.Links = slices.DeleteFunc(s.Links, func(l link) bool { return !now.Before(l.Expires) })
	if len(s.Links) >= maxLinks {
		s.Links = s.Links[1:]
	}
	token, l := newLink(name, now)
	s.Links = append(s.Links, l)
	return token, a.store(s)
}

// SignInToken exchanges a sign-in link's token for a session; the link is used up by that. A token of the first
// person's link makes the user admin, without a password yet. The error is ErrLink, or that of the disk.
func (a *Access) SignInToken(token, remoteAddr string) (cookie string, s Session, err error) {
	hash := digestOf(token)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	i := slices.IndexFunc(a.state.Links, func(l link) bool { return l.Hash == hash && now.Before(l.Expires) })
	if i < 0 {
		return "", Session{}, ErrLink
	}
	next, l := a.state.clone(), a.state.Links[i]
	next.Links = slices.Delete(next.Links, i, i+1)
	if _, ok := next.Users[l.User]; !ok {
		next.Users[l.User] = user{Created: now.UTC()}
	}
	return a.begin(next, l.User, remoteAddr)
}

// SignIn exchanges a name and password for a session. remoteAddr is the client's address, with or without a port.
// The error is ErrWrong, a *RateLimited, or that of the disk.
func (a *Access) SignIn(name, password, remoteAddr string) (cookie string, s Session, err error) {
	name = strings.ToLower(strings.TrimSpace(name))
	addr := clientAddr(remoteAddr)
	if err := a.checkGuess(name, password, addr); err != nil {
		return "", Session{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.state.Users[name]; !ok { // removed while the password was compared
		return "", Session{}, ErrWrong
	}
	return a.begin(a.state.clone(), name, addr)
}

// checkGuess compares a password with the user's, under the rate limit. An unknown user costs what a known one does.
func (a *Access) checkGuess(name, password, addr string) error {
	a.mu.Lock()
	u, known := a.state.Users[name]
	familiar := slices.ContainsFunc(a.state.Sessions, func(x session) bool { return x.User == name && x.Address == addr })
	a.mu.Unlock()
	if CheckName(name) != nil {
		name = "" // do not let hostile names fill the limiter; they all count as one
	}
	attempt, err := a.limit.begin(name, limitAddr(addr), familiar)
	if err != nil {
		return err
	}
	against := u.hash
	if u.Password == "" {
		known, against = false, a.hash.dummy
	}
	if len(password) > MaxPasswordBytes {
		password, known = "", false
	}
	ok, err := a.hash.matches(password, against)
	if err != nil {
		attempt.cancel()
		return err
	}
	if !ok || !known {
		return ErrWrong
	}
	attempt.cancel()
	return nil
}

// AddUser makes a user. The error is ErrUserExists, a *PasswordError, one of CheckName's, or that of the disk.
func (a *Access) AddUser(name, password string) error {
	name = strings.ToLower(strings.TrimSpace(name))
	if err := CheckName(name); err != nil {
		return err
	}
	return a.savePassword(name, password, "", func(s state) error {
		if _, ok := s.Users[name]; ok {
			return ErrUserExists
		}
		if len(s.Users) >= maxUsers {
			return fmt.Errorf("there are %d users, which is the most", maxUsers)
		}
		return nil
	})
}

// SetPassword sets the password of the user name and ends all of the user's sessions. It asks for no old password: it
// is for an administrator's command. The error is ErrNoUser, a *PasswordError, or that of the disk.
func (a *Access) SetPassword(name, password string) error {
	name = strings.ToLower(strings.TrimSpace(name))
	return a.savePassword(name, password, "", func(s state) error {
		if _, ok := s.Users[name]; !ok {
			return ErrNoUser
		}
		return nil
	})
}

// ChangePassword sets the password of who is signed in with cookie, and ends that user's other sessions. Where a
// password is set already, old must be it. The error is ErrNoSession, ErrWrong (old), a *RateLimited, a *PasswordError, or
// that of the disk.
func (a *Access) ChangePassword(cookie, old, password, remoteAddr string) error {
	s, ok := a.Session(cookie)
	if !ok {
		return ErrNoSession
	}
	if s.PasswordSet {
		if err := a.checkGuess(s.User, old, clientAddr(remoteAddr)); err != nil {
			return err
		}
	}
	return a.savePassword(s.User, password, cookie, func(st state) error {
		u, ok := st.Users[s.User]
		if _, signedIn := a.byKey[digestOf(cookie)]; !ok || !signedIn {
			return ErrNoSession
		}
		if u.Password != "" && !s.PasswordSet { // somebody else with the link was quicker
			return ErrWrong
		}
		return nil
	})
}

// savePassword hashes and stores a password if check allows it, both when asked and after the hashing. Sessions of the
// user end, but for that of keepCookie; so do links.
func (a *Access) savePassword(name, password, keepCookie string, check func(state) error) error {
	if err := CheckPassword(name, password); err != nil {
		return err
	}
	a.mu.Lock()
	err := check(a.state)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	h, err := a.hash.new(password)
	if err != nil {
		return err
	}
	keep := digestOf(keepCookie)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := check(a.state); err != nil {
		return err
	}
	s := a.state.clone()
	u, ok := s.Users[name]
	if !ok {
		u.Created = a.now().UTC()
	}
	u.Password, u.hash = h.String(), h
	s.Users[name] = u
	s.Sessions = slices.DeleteFunc(s.Sessions, func(x session) bool { return x.User == name && x.Hash != keep })
	s.Links = slices.DeleteFunc(s.Links, func(l link) bool { return l.First || l.User == name })
	return a.store(s)
}

// clientAddr is the address without port and zone; what is no address is shortened, so that it can be kept.
func clientAddr(remote string) string {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	if addr, err := netip.ParseAddr(remote); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	return "unknown"
}

// limitAddr is what attempts are counted by: the address, for IPv6 the /64 that a single household gets.
func limitAddr(addr string) string {
	ip, err := netip.ParseAddr(addr)
	if err != nil || ip.Is4() {
		return addr
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return addr
	}
	return p.String()
}

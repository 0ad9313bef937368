package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	usersFile    = "users.json"
	stateVersion = 1
	maxUsers     = 1000
	maxSessions  = 1000 // of all users; the one unused for longest makes room
	maxPerUser   = 50   // sessions of one user
	maxLinks     = 100
)

// state is the content of users.json; FORMAT.md draws it. Values of it are never changed in place: a change is made on
// a copy, stored, and only then put in force.
type state struct {
	Version  int             `json:"version"`
	Users    map[string]user `json:"users"`
	Sessions []session       `json:"sessions"`
	Links    []link          `json:"links"`
}

type user struct {
	Password string    `json:"password,omitempty"` // PHC string; "" while none was set
	Created  time.Time `json:"created"`

	hash passwordHash // of Password
}

type session struct {
	Hash    digest    `json:"hash"` // SHA-256 of the cookie's value
	User    string    `json:"user"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Address string    `json:"address,omitempty"`
}

type link struct {
	Hash    digest    `json:"hash"` // SHA-256 of the token
	User    string    `json:"user"`
	Expires time.Time `json:"expires"`
	First   bool      `json:"first,omitempty"` // made at start for the first person; void once a password is set
}

// digest is a SHA-256 sum; its JSON is base64url without padding.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func (d digest) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(d[:])), nil
}

func (d *digest) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(d) {
		return errors.New("a hash must be 43 characters of base64url")
	}
	copy(d[:], b)
	return nil
}

func (s state) clone() state {
	s.Users = maps.Clone(s.Users)
	s.Sessions = slices.Clone(s.Sessions)
	s.Links = slices.Clone(s.Links)
	return s
}

func parseState(content []byte) (state, error) {
	var s state
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return state{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return state{}, errors.New("something stands after the closing brace")
	}
	if s.Version != stateVersion {
		return state{}, fmt.Errorf("version is %d, this program knows %d", s.Version, stateVersion)
	}
	if len(s.Users) > maxUsers || len(s.Sessions) > maxSessions || len(s.Links) > maxLinks {
		return state{}, errors.New("more users, sessions or links than this program ever writes")
	}
	if s.Users == nil {
		s.Users = map[string]user{}
	}
	for name, u := range s.Users {
		if err := CheckName(name); err != nil {
			return state{}, fmt.Errorf("user %q: %w", name, err)
		}
		if u.Password == "" {
			continue
		}
		h, err := parsePasswordHash(u.Password)
		if err != nil {
			return state{}, fmt.Errorf("user %q: %w", name, err)
		}
		u.hash = h
		s.Users[name] = u
	}
	for _, x := range s.Sessions {
		if _, ok := s.Users[x.User]; !ok {
			return state{}, fmt.Errorf("a session belongs to the unknown user %q", x.User)
		}
	}
	return s, nil
}

// openUsers reads users.json, drops what has expired, and makes the first person's link if it is needed.
func (a *Access) openUsers(path string) error {
	s := state{Version: stateVersion, Users: map[string]user{}}
	if _, err := os.Lstat(path); !missing(err) {
		content, _, err := readSecret(path)
		if err != nil {
			return err
		}
		if s, err = parseState(content); err != nil {
			return fmt.Errorf("read %s: %w. Restore it from a copy, or move it away to begin without users", path, err)
		}
	}
	now := a.now()
	s.Sessions = slices.DeleteFunc(s.Sessions, func(x session) bool { return !now.Before(x.expires()) })
	s.Links = slices.DeleteFunc(s.Links, func(l link) bool { return l.First || !now.Before(l.Expires) })
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.store(s); err != nil {
		return err
	}
	_, err := a.makeFirstLink()
	return err
}

// store makes s durable and puts it in force; a.mu is held. On an error everything is as before.
func (a *Access) store(s state) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode users: %w", err)
	}
	if err := a.disk.write(filepath.Join(a.dir, usersFile), append(content, '\n')); err != nil {
		return err
	}
	a.state, a.saved = s, a.now()
	a.byKey = make(map[digest]int, len(s.Sessions))
	for i, x := range s.Sessions {
		a.byKey[x.Hash] = i
	}
	return nil
}

package access

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFirstPerson(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	a := mustOpen(t, dir, c)
	token, ok := a.FirstLink()
	if !ok || len(token) != 43 {
		t.Fatalf("first link = %q, %v", token, ok)
	}
	if again, _ := a.FirstLink(); again != token {
		t.Error("asking twice gave two links")
	}
	if _, _, err := a.SignInToken(token[:42]+"x", "192.0.2.1:5"); !errors.Is(err, ErrLink) {
		t.Errorf("a wrong token = %v, want ErrLink", err)
	}
	cookie, s, err := a.SignInToken(token, "192.0.2.1:5")
	if err != nil || s.User != FirstUser || s.PasswordSet {
		t.Fatalf("sign in by link = %+v, %v", s, err)
	}
	if _, _, err := a.SignInToken(token, "192.0.2.1:5"); !errors.Is(err, ErrLink) {
		t.Errorf("the link worked twice: %v", err)
	}
	if _, _, err := a.SignIn(FirstUser, "", "192.0.2.1:5"); !errors.Is(err, ErrWrong) {
		t.Errorf("a user without a password signed in with none: %v", err)
	}
	// Nobody has a password yet, so that a restart offers a way in again.
	a = mustOpen(t, dir, c)
	second, ok := a.FirstLink()
	if !ok {
		t.Fatal("no way in after a restart without a password")
	}
	if err := a.ChangePassword(cookie, "", goodPassword, "192.0.2.1:5"); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.FirstLink(); ok {
		t.Error("there is a first link although a user has a password")
	}
	if _, _, err := a.SignInToken(second, "192.0.2.1:5"); !errors.Is(err, ErrLink) {
		t.Errorf("the first link outlived the password: %v", err)
	}
	if s, ok := a.Session(cookie); !ok || !s.PasswordSet {
		t.Errorf("session after choosing a password = %+v, %v", s, ok)
	}
	a = mustOpen(t, dir, c)
	if _, ok := a.FirstLink(); ok {
		t.Error("a restart made a first link although a user has a password")
	}
	mustSignIn(t, a, " ADMIN ", "192.0.2.1:5")
}

func TestLinksExpire(t *testing.T) {
	c := newClock()
	a := mustOpen(t, t.TempDir(), c)
	first, _ := a.FirstLink()
	c.add(linkLife)
	if _, _, err := a.SignInToken(first, ""); !errors.Is(err, ErrLink) {
		t.Errorf("a link of 24 hours ago = %v, want ErrLink", err)
	}
	fresh, ok := a.FirstLink()
	if !ok || fresh == first {
		t.Errorf("first link after a day = %q, %v; want a new one", fresh, ok)
	}
	mustAdd(t, a, "ada")
	link, err := a.NewLink("Ada")
	if err != nil {
		t.Fatal(err)
	}
	c.add(linkLife - time.Second)
	if _, s, err := a.SignInToken(link, "[2001:db8::1%eth0]:80"); err != nil || s.User != "ada" || s.Address != "2001:db8::1" {
		t.Errorf("link after 23:59:59 = %+v, %v", s, err)
	}
	if _, err := a.NewLink("bob"); !errors.Is(err, ErrNoUser) {
		t.Errorf("link for nobody = %v", err)
	}
}

func TestSessionLife(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	a := mustOpen(t, dir, c)
	mustAdd(t, a, "ada")
	idle := mustSignIn(t, a, "ada", "192.0.2.1:5")
	busy := mustSignIn(t, a, "ada", "192.0.2.2:5")
	s, _ := a.Session(busy)
	if !s.CheckCSRF(s.CSRF) || s.CheckCSRF("") || (Session{}).CheckCSRF("") {
		t.Error("CheckCSRF is wrong")
	}
	if o, _ := a.Session(idle); o.CSRF == s.CSRF {
		t.Error("two sessions share a CSRF token")
	}
	start := c.now()
	for c.now().Before(start.Add(AbsoluteLife - 6*time.Hour)) {
		c.add(6 * time.Hour)
		if _, ok := a.Session(busy); !ok {
			t.Fatalf("the session in use ended after %s", c.now().Sub(start))
		}
		a = mustOpen(t, dir, c) // survives restarts, with its last use
	}
	if _, ok := a.Session(idle); ok {
		t.Error("the idle session lives")
	}
	c.add(6 * time.Hour)
	if _, ok := a.Session(busy); ok {
		t.Error("a session outlived seven days")
	}
	for _, cookie := range []string{"", "x", strings.Repeat("x", 43), busy + "x"} {
		if _, ok := a.Session(cookie); ok {
			t.Errorf("Session(%q) = true", cookie)
		}
	}
}

func TestEndingSessions(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	a := mustOpen(t, dir, c)
	mustAdd(t, a, "ada")
	mustAdd(t, a, "bob")
	var cookie [4]string
	for i := range cookie {
		cookie[i] = mustSignIn(t, a, "ada", fmt.Sprintf("192.0.2.%d:5", i))
		c.add(time.Second)
	}
	other := mustSignIn(t, a, "bob", "192.0.2.9:5")
	list := a.Sessions("ada")
	if len(list) != 4 || list[0].Address != "192.0.2.3" || list[0].CSRF != "" {
		t.Fatalf("sessions = %+v", list)
	}
	if err := a.EndSession("bob", list[0].ID); err != nil { // not bob's to end
		t.Fatal(err)
	}
	if err := a.EndSession("ada", list[3].ID); err != nil {
		t.Fatal(err)
	}
	if err := a.SignOut(cookie[1]); err != nil {
		t.Fatal(err)
	}
	live := func() (n string) {
		for i, v := range append(cookie[:], other) {
			if _, ok := a.Session(v); ok {
				n += fmt.Sprint(i)
			}
		}
		return n
	}
	if got := live(); got != "234" {
		t.Errorf("live sessions = %s, want 234", got)
	}
	if err := a.ChangePassword(cookie[2], "not the old one", "another good one", "192.0.2.2:5"); !errors.Is(err, ErrWrong) {
		t.Errorf("change with a wrong old password = %v", err)
	}
	if err := a.ChangePassword(cookie[2], goodPassword, "another good one", "192.0.2.2:5"); err != nil {
		t.Fatal(err)
	}
	if got := live(); got != "24" {
		t.Errorf("live sessions after a change of password = %s, want 24", got)
	}
	if err := a.SetPassword("ada", "a third good one"); err != nil {
		t.Fatal(err)
	}
	a = mustOpen(t, dir, c)
	if got := live(); got != "4" {
		t.Errorf("live sessions after a reset and a restart = %s, want 4", got)
	}
	if err := a.ChangePassword(cookie[2], "", goodPassword, ""); !errors.Is(err, ErrNoSession) {
		t.Errorf("change without a session = %v", err)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	c := newClock()
	now := c.now()
	var all []session
	for i := range maxSessions {
		all = append(all, session{Hash: digestOf(fmt.Sprint(i)), User: fmt.Sprint(i % 30), Created: now, Seen: now.Add(time.Duration(i) * time.Second)})
	}
	got := makeRoom(all, "new", now)
	if len(got) != maxSessions-1 || got[0].Hash != digestOf("1") {
		t.Errorf("%d sessions, the oldest %v; want the oldest gone", len(got), got[0])
	}
	var own []session
	for i := range maxPerUser {
		own = append(own, session{Hash: digestOf(fmt.Sprint(i)), User: "ada", Created: now, Seen: now.Add(-time.Duration(i) * time.Second)})
	}
	got = makeRoom(own, "ada", now)
	if len(got) != maxPerUser-1 || got[len(got)-1].Hash != digestOf("0") {
		t.Errorf("%d sessions of one user, want %d with the latest kept", len(got), maxPerUser-1)
	}
}

func TestNewPasswordsAndNames(t *testing.T) {
	a := mustOpen(t, t.TempDir(), newClock())
	mustAdd(t, a, "ada")
	var reason *PasswordError
	for _, pw := range []string{"", "short", "ninechars", "aaaaaaaaaaaaaaaa", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6", strings.Repeat("passwort", 129)} {
		if err := a.AddUser("bob", pw); !errors.As(err, &reason) {
			t.Errorf("AddUser with password %.20q = %v, want a reason", pw, err)
		}
	}
	if err := a.AddUser("a.very.long.name", "A.Very.Long.Name"); !errors.As(err, &reason) {
		t.Errorf("the name as the password = %v", err)
	}
	for _, name := range []string{"", ".x", "a b", "a/b", "ü", strings.Repeat("a", 65), "a\x00"} {
		if err := a.AddUser(name, goodPassword); err == nil {
			t.Errorf("AddUser(%q) = nil", name)
		}
	}
	if err := a.AddUser("ADA", goodPassword); !errors.Is(err, ErrUserExists) {
		t.Errorf("AddUser of an existing one = %v", err)
	}
	if err := a.SetPassword("bob", goodPassword); !errors.Is(err, ErrNoUser) {
		t.Errorf("SetPassword of nobody = %v", err)
	}
	if got := len(a.Users()); got != 1 {
		t.Errorf("%d users, want 1", got)
	}
}

func TestSignInIsLimited(t *testing.T) {
	c := newClock()
	a := mustOpen(t, t.TempDir(), c)
	mustAdd(t, a, "ada")
	for i := range freeAttempts {
		if _, _, err := a.SignIn("ada", "a wrong password", fmt.Sprintf("198.51.100.%d:7", i)); !errors.Is(err, ErrWrong) {
			t.Fatalf("attempt %d = %v", i, err)
		}
	}
	var limited *RateLimited
	_, _, err := a.SignIn("ada", goodPassword, "203.0.113.1:7")
	if !errors.As(err, &limited) || limited.RetryAfter != time.Second {
		t.Fatalf("right password of a name under attack = %v, want to wait 1s", err)
	}
	c.add(time.Second)
	if _, _, err := a.SignIn("ada", "a wrong password", "203.0.113.1:7"); !errors.Is(err, ErrWrong) {
		t.Fatalf("after the wait = %v", err)
	}
	if _, _, err := a.SignIn("ada", goodPassword, "203.0.113.1:7"); !errors.As(err, &limited) || limited.RetryAfter != 2*time.Second {
		t.Errorf("after one more failure = %v, want to wait 2s", err)
	}
	c.add(2 * time.Second)
	cookie := mustSignIn(t, a, "ada", "203.0.113.1:7")
	for range 3 { // ada's own address is known; attackers elsewhere cannot lock ada out of it
		c.add(maxNameWait)
		if _, _, err := a.SignIn("ada", "a wrong password", "198.51.100.77:7"); errors.Is(err, ErrWrong) {
			mustSignIn(t, a, "ada", "203.0.113.1:9")
		}
	}
	if _, ok := a.Session(cookie); !ok {
		t.Error("the session of a user under attack ended")
	}
	if _, _, err := a.SignIn("nobody", "a wrong password", "203.0.113.1:7"); !errors.Is(err, ErrWrong) {
		t.Errorf("an unknown name = %v, want ErrWrong", err)
	}
}

func TestLimiterByAddress(t *testing.T) {
	c := newClock()
	l := newLimiter(c.now)
	var waits []time.Duration
	for i := range 40 {
		name := fmt.Sprintf("user%d", i)
		_, err := l.begin(name, limitAddr(fmt.Sprintf("2001:db8::%d", i+1)), false)
		var limited *RateLimited
		if errors.As(err, &limited) {
			waits = append(waits, limited.RetryAfter)
			c.add(limited.RetryAfter)
		}
	}
	if len(waits) < 12 || waits[0] != time.Second || waits[1] != 2*time.Second || waits[len(waits)-1] != maxAddressWait {
		t.Errorf("waits of one /64 = %v, want 1s, 2s, … 15m", waits)
	}
	if _, err := l.begin("x", limitAddr("2001:db8:0:1::1"), false); err != nil {
		t.Errorf("another /64 = %v", err)
	}
	c.add(maxAddressWait)
	if _, err := l.begin("y", limitAddr("2001:db8::1"), false); err != nil {
		t.Errorf("after the longest wait = %v", err)
	}
	c.add(forget)
	for range freeAttempts {
		if _, err := l.begin("z", limitAddr("2001:db8::1"), true); err != nil {
			t.Errorf("after an hour = %v", err)
		}
	}
}

func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(newClock().now)
	for i := range maxCounts + 100 {
		if _, err := l.begin(fmt.Sprint("n", i), fmt.Sprint("a", i), false); err != nil {
			t.Fatal(err)
		}
	}
	if n, m := len(l.names.byKey), len(l.addresses.byKey); n != maxCounts || m != maxCounts || l.names.order.Len() != maxCounts {
		t.Errorf("%d names, %d addresses; want %d", n, m, maxCounts)
	}
	if _, ok := l.names.byKey["n0"]; ok {
		t.Error("the oldest count is still there")
	}
}

func TestRightPasswordsAreNotCounted(t *testing.T) {
	l := newLimiter(newClock().now)
	for range 3 * freeAttempts {
		at, err := l.begin("ada", "192.0.2.1", false)
		if err != nil {
			t.Fatal(err)
		}
		at.cancel()
	}
	if len(l.names.byKey) != 0 || len(l.addresses.byKey) != 0 {
		t.Error("right passwords left counts behind")
	}
	for range freeAttempts - 1 {
		if _, err := l.begin("ada", "192.0.2.1", false); err != nil {
			t.Fatal(err)
		}
	}
	right, err := l.begin("bob", "192.0.2.1", false) // the attacker's own account
	if err != nil {
		t.Fatal(err)
	}
	right.cancel()
	if _, err := l.begin("ada", "192.0.2.1", false); err != nil {
		t.Fatal(err)
	}
	var limited *RateLimited
	if _, err := l.begin("ada", "192.0.2.1", false); !errors.As(err, &limited) {
		t.Errorf("a right password of his own gave an attacker more guesses: %v", err)
	}
}

func TestParallelGuessesAreLimited(t *testing.T) {
	c := newClock()
	a := mustOpen(t, t.TempDir(), c)
	mustAdd(t, a, "ada")
	var mu sync.Mutex
	compared := 0
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, _, err := a.SignIn("ada", "a wrong password", "198.51.100.1:7"); errors.Is(err, ErrWrong) {
				mu.Lock()
				compared++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if compared > freeAttempts {
		t.Errorf("%d of 50 parallel guesses were compared, want at most %d", compared, freeAttempts)
	}
}

func TestHashingIsBounded(t *testing.T) {
	p := newHasher()
	for range cap(p.queue) {
		p.queue <- struct{}{}
	}
	var limited *RateLimited
	if _, err := p.matches("x", p.dummy); !errors.As(err, &limited) {
		t.Errorf("beyond the queue = %v, want RateLimited", err)
	}
	if n := cap(p.slots); n != runtime.GOMAXPROCS(0) {
		t.Errorf("%d hashes at a time, want one a processor", n)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	c := newClock()
	a := mustOpen(t, t.TempDir(), c)
	mustAdd(t, a, "ada")
	cookie := mustSignIn(t, a, "ada", "192.0.2.1:5")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				c.add(time.Minute)
				a.Session(cookie)
				a.Sessions("ada")
				a.Users()
				a.Keys().IngestKey()
				a.Keys().Secret("x")
				link, err := a.NewLink("ada")
				if err != nil {
					t.Error(err)
				}
				other, _, err := a.SignInToken(link, fmt.Sprintf("192.0.2.%d:5", i))
				if err != nil {
					t.Error(err)
				}
				if err := a.SignOut(other); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(a.Sessions("ada")); n != 1 {
		t.Errorf("%d sessions are left, want 1", n)
	}
}

func TestPasswordHashRoundTrip(t *testing.T) {
	h := passwordHash{memory: 64, passes: 1, lanes: 2, salt: []byte("0123456789abcdef"), key: make([]byte, 32)}
	p := newHasher()
	key, err := p.key("secret", h)
	if err != nil {
		t.Fatal(err)
	}
	h.key = key
	got, err := parsePasswordHash(h.String())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.matches("secret", got); !ok || err != nil {
		t.Errorf("right password = %v, %v", ok, err)
	}
	if ok, err := p.matches("Secret", got); ok || err != nil {
		t.Errorf("wrong password = %v, %v", ok, err)
	}
}

func FuzzParseState(f *testing.F) {
	f.Add(`{"version":1,"users":{"ada":{"password":"$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAA"}}}`)
	f.Add(`{"version":1,"links":[{"hash":"AAAA"}]}`)
	f.Fuzz(func(t *testing.T, content string) {
		s, err := parseState([]byte(content))
		if err == nil && (s.Version != stateVersion || s.Users == nil) {
			t.Errorf("took %q", content)
		}
	})
}

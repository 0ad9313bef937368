package access

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func mustOpen(t *testing.T, dir string, c *clock) *Access {
	t.Helper()
	a, err := Open(dir, Config{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const goodPassword = "correct horse battery"

func mustAdd(t *testing.T, a *Access, name string) {
	t.Helper()
	if err := a.AddUser(name, goodPassword); err != nil {
		t.Fatal(err)
	}
}

func mustSignIn(t *testing.T, a *Access, name, addr string) string {
	t.Helper()
	cookie, _, err := a.SignIn(name, goodPassword, addr)
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, newClock())
	for _, name := range []string{credentialsFile, ingestFile, usersFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("mode of %s = %o, want 600", name, got)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 {
		t.Errorf("files in the directory = %v, want the three", entries)
	}
}

func TestOpenRefusesWhatOthersCanRead(t *testing.T) {
	for _, name := range []string{credentialsFile, ingestFile, usersFile} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustOpen(t, dir, newClock())
			path := filepath.Join(dir, name)
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Config{})
			if err == nil || !strings.Contains(err.Error(), "chmod 600 '"+path+"'") {
				t.Errorf("error = %v, want one that says chmod 600", err)
			}
		})
	}
}

func TestOpenKeepsTamperedFilesAndSaysWhatIsWrong(t *testing.T) {
	const user = `{"version":1,"users":{"admin":{"password":"%s","created":"2026-01-01T00:00:00Z"}},"sessions":[],"links":[]}`
	secret := strings.Repeat("s", 40)
	tests := []struct{ name, file, content, want string }{
		{"not json", usersFile, "hello", "users.json"},
		{"truncated", usersFile, `{"version":1,"users":{`, "unexpected EOF"},
		{"newer version", usersFile, `{"version":2}`, "version is 2"},
		{"unknown member", usersFile, `{"version":1,"roles":[]}`, "unknown field"},
		{"two documents", usersFile, `{"version":1}{}`, "after the closing brace"},
		{"weak hash", usersFile, fmt.Sprintf(user, "$2a$10$abc"), "not an argon2id hash"},
		{"greedy hash", usersFile, fmt.Sprintf(user, "$argon2id$v=19$m=4000000,t=2,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAA"), "out of range"},
		{"bad name", usersFile, `{"version":1,"users":{"../x":{"created":"2026-01-01T00:00:00Z"}}}`, `user "../x"`},
		{"stray session", usersFile, `{"version":1,"sessions":[{"hash":"` + strings.Repeat("A", 43) + `","user":"eve"}]}`, "unknown user"},
		{"short digest", usersFile, `{"version":1,"sessions":[{"hash":"AAAA","user":"eve"}]}`, "43 characters"},
		{"empty ingest key", ingestFile, "\n", "20 to 256 characters, have 0"},
		{"two lines", ingestFile, strings.Repeat("a", 30) + "\n" + strings.Repeat("b", 30), "on one line"},
		{"no profile", credentialsFile, "# nothing\n", "no profile"},
		{"half a profile", credentialsFile, "[eyrie]\naws_access_key_id=AKIDEXAMPLE0000000\n", "only one of"},
		{"no header", credentialsFile, "aws_access_key_id=AKIDEXAMPLE0000000\n", "line 1: a setting stands before"},
		{"no equals sign", credentialsFile, "[eyrie]\n" + secret, "line 2: neither"},
		{"open header", credentialsFile, "[eyrie\n", "line 1: a profile header"},
		{"short secret", credentialsFile, "[eyrie]\naws_access_key_id=AKIDEXAMPLE0000000\naws_secret_access_key=x\n", "20 to 256 characters"},
		{"odd id", credentialsFile, "[eyrie]\naws_access_key_id=AKID/XAMPLE0000000\naws_secret_access_key=" + secret, "letters, digits"},
		{"same id twice", credentialsFile, "[a]\naws_access_key_id=AKIDEXAMPLE0000000\naws_secret_access_key=" + secret +
			"\n[b]\naws_access_key_id=AKIDEXAMPLE0000000\naws_secret_access_key=" + secret, "the same aws_access_key_id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, tt.file)
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Config{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error = %v, want %q and the path", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("error repeats the secret: %v", err)
			}
			after, e := os.ReadFile(path)
			if e != nil {
				t.Fatal(e)
			}
			if string(after) != tt.content {
				t.Errorf("file is now %q, want it untouched", after)
			}
		})
	}
}

func TestCrashBeforeRenameLeavesTheOldFile(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	a := mustOpen(t, dir, c)
	mustAdd(t, a, "ada")
	// A crash in the middle of writing: a temporary file with half the content.
	half := filepath.Join(dir, tempPrefix+"123")
	if err := os.WriteFile(half, []byte(`{"version":1,"us`), 0o600); err != nil {
		t.Fatal(err)
	}
	a = mustOpen(t, dir, c)
	if _, err := os.Stat(half); !missing(err) {
		t.Errorf("the leftover is still there: %v", err)
	}
	if got := a.Users(); len(got) != 1 || got[0].Name != "ada" || !got[0].PasswordSet {
		t.Errorf("users = %+v, want ada with a password", got)
	}
}

func TestAFailingDiskChangesNothing(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	full := errors.New("no space left on device")
	var broken bool
	a, err := open(dir, Config{Now: c.now}, disk{rename: func(from, to string) error {
		if broken {
			return full
		}
		return os.Rename(from, to)
	}})
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, a, "ada")
	cookie := mustSignIn(t, a, "ada", "192.0.2.1:1")
	before, err := os.ReadFile(filepath.Join(dir, usersFile))
	if err != nil {
		t.Fatal(err)
	}
	broken = true
	steps := map[string]error{
		"AddUser":        a.AddUser("bob", goodPassword),
		"SetPassword":    a.SetPassword("ada", "another good one"),
		"ChangePassword": a.ChangePassword(cookie, goodPassword, "another good one", "192.0.2.1:1"),
		"SignOut":        a.SignOut(cookie),
	}
	_, _, steps["SignIn"] = a.SignIn("ada", goodPassword, "192.0.2.1:1")
	_, steps["NewLink"] = a.NewLink("ada")
	for name, err := range steps {
		if !errors.Is(err, full) {
			t.Errorf("%s = %v, want %v", name, err, full)
		}
	}
	if _, ok := a.Session(cookie); !ok {
		t.Error("the session ended although that could not be stored")
	}
	c.add(seenEvery) // the use of a session cannot be stored; the person stays signed in
	if _, ok := a.Session(cookie); !ok {
		t.Error("the session ended because its use could not be stored")
	}
	after, err := os.ReadFile(filepath.Join(dir, usersFile))
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("users.json changed to %s", after)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 {
		t.Errorf("files in the directory = %v, want no leftovers", entries)
	}
	broken = false
	if _, _, err := a.SignIn("ada", goodPassword, "192.0.2.1:1"); err != nil {
		t.Errorf("sign in after recovery: %v", err)
	}
}

func TestSecretsAreNotStoredInClear(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	a := mustOpen(t, dir, c)
	token, ok := a.FirstLink()
	if !ok {
		t.Fatal("no first link")
	}
	mustAdd(t, a, "ada")
	cookie := mustSignIn(t, a, "ada", "192.0.2.1:1")
	again, err := a.NewLink("ada")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, usersFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, cookie, again, goodPassword} {
		if strings.Contains(string(content), secret) {
			t.Errorf("users.json holds the secret %q", secret)
		}
	}
	if !strings.Contains(string(content), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("users.json has no argon2id hash of OWASP's parameters: %s", content)
	}
}

package access

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func profile(name, id, secret string) string {
	return "[" + name + "]\naws_access_key_id = " + id + "\naws_secret_access_key = " + secret + "\n"
}

func TestNewCredentials(t *testing.T) {
	content := newCredentials()
	want := regexp.MustCompile(`(?m)^\[eyrie\]\naws_access_key_id = EYRIE[A-Z2-7]{15}\naws_secret_access_key = [\w-]{40}\n\z`)
	if !want.Match(content) {
		t.Errorf("credentials = %s, want %s", content, want)
	}
	if bytes.Equal(content, newCredentials()) {
		t.Error("two keys are the same")
	}
	keys, err := parseCredentials(content)
	if err != nil || len(keys) != 1 {
		t.Errorf("parse = %d keys, %v; want 1", len(keys), err)
	}
}

func TestParseCredentialsOfPeople(t *testing.T) {
	content := "; mine\r\n\r\n[ eyrie ]\r\naws_access_key_id=AKIDEXAMPLE00000001\r\naws_secret_access_key = abc=/+defghijklmnopqrstuvw \r\nregion = local-1\r\n" +
		"s3 =\n  addressing_style = path\n[no-keys]\nrole_arn = x\n[scanner]\naws_secret_access_key = ABCDEFGHIJKLMNOPQRSTUVW\naws_access_key_id = AKIDEXAMPLE00000002\n"
	keys, err := parseCredentials([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]credential{
		"AKIDEXAMPLE00000001": {"abc=/+defghijklmnopqrstuvw", "eyrie"},
		"AKIDEXAMPLE00000002": {"ABCDEFGHIJKLMNOPQRSTUVW", "scanner"},
	}
	if len(keys) != len(want) {
		t.Errorf("keys = %v, want %v", keys, want)
	}
	for id, c := range want {
		if keys[id] != c {
			t.Errorf("%s = %v, want %v", id, keys[id], c)
		}
	}
}

// TestRotation edits the credentials of a running hub in each way people do.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	a, err := Open(dir, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	path, k := filepath.Join(dir, credentialsFile), a.Keys()
	const id1, id2, secret = "AKIDEXAMPLE00000001", "AKIDEXAMPLE00000002", "ABCDEFGHIJKLMNOPQRSTUVW"
	has := func(id string) bool { _, _, ok := k.Secret(id); return ok }

	writeFile(t, path, profile("eyrie", id1, secret))
	if s, who, ok := k.Secret(id1); s != secret || who != "eyrie" || !ok {
		t.Errorf("after replacing the key: %q %q %v", s, who, ok)
	}
	writeFile(t, path, profile("eyrie", id2, secret)) // the same length, within the same tick of the clock
	if has(id1) || !has(id2) {
		t.Errorf("after a quick second save: old %v, new %v; want false, true", has(id1), has(id2))
	}
	writeFile(t, path, "[eyrie]\naws_acc") // saved in the middle of editing
	for range 3 {
		if !has(id2) {
			t.Error("a half-edited file took the key away")
		}
	}
	if n := strings.Count(log.String(), "not valid"); n != 1 {
		t.Errorf("the log speaks of the bad file %d times, want once:\n%s", n, &log)
	}
	writeFile(t, path, profile("eyrie", id1, secret))
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if has(id1) || !has(id2) {
		t.Error("a file that everybody may read was taken")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if !has(id1) || has(id2) {
		t.Error("the file was not read again after its mode was mended")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if has(id1) {
		t.Error("a removed file still lets its key in")
	}
	writeFile(t, path, profile("eyrie", id1, secret))
	if !has(id1) {
		t.Error("a restored file does not let its key in")
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log holds a secret:\n%s", &log)
	}
}

func TestAnOldFileIsNotReadAgain(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ingestFile)
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	a.Keys().IngestKey()
	reads := 0
	a.keys.ingest.parse = func(b []byte) (string, error) { reads++; return parseIngestKey(b) }
	for range 5 {
		a.Keys().IngestKey()
	}
	if reads != 0 {
		t.Errorf("the file was read %d times, want 0", reads)
	}
}

func TestIngestKey(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	k := a.Keys()
	k.trust = 0
	key := k.IngestKey()
	if len(key) != 43 || !k.CheckIngest(key) {
		t.Errorf("key %d characters, accepted %v; want 43, true", len(key), k.CheckIngest(key))
	}
	for _, wrong := range []string{"", key[:42], key + "x", strings.ToUpper(key) + "-", " " + key} {
		if k.CheckIngest(wrong) {
			t.Errorf("CheckIngest(%q) = true", wrong)
		}
	}
	writeFile(t, filepath.Join(dir, ingestFile), "my-own-key-of-the-people-1234\r\n")
	if !k.CheckIngest("my-own-key-of-the-people-1234") || k.CheckIngest(key) {
		t.Error("a changed ingest key is not in force")
	}
	if err := os.Remove(filepath.Join(dir, ingestFile)); err != nil {
		t.Fatal(err)
	}
	if k.CheckIngest("") || k.CheckIngest("my-own-key-of-the-people-1234") {
		t.Error("a removed ingest key lets in")
	}
}

// TestIngestKeyIsTrusted: while a right key is trusted the file is not looked at, but another key is never taken for it.
func TestIngestKeyIsTrusted(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	k := a.Keys()
	k.trust = time.Hour
	key := k.IngestKey()
	const other = "my-own-key-of-the-people-1234"
	if !k.CheckIngest(key) || k.CheckIngest(other) {
		t.Fatal("the key is not told from another")
	}
	writeFile(t, filepath.Join(dir, ingestFile), other+"\n")
	if !k.CheckIngest(key) {
		t.Error("the key is not trusted for the time it should be")
	}
	if !k.CheckIngest(other) || k.CheckIngest(key) {
		t.Error("a new key is not in force as soon as it is used")
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add(string(newCredentials()))
	f.Add("[a]\naws_access_key_id=AKIDEXAMPLE00000001\n")
	f.Add("[\n=\n]")
	f.Fuzz(func(t *testing.T, content string) {
		keys, err := parseCredentials([]byte(content))
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys and error %v", len(keys), err)
		}
		for id, c := range keys {
			if len(id) < minKeyID || len(c.secret) < minSecret || c.profile == "" {
				t.Errorf("took %q %v", id, c)
			}
		}
	})
}

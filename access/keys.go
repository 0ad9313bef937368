package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	credentialsFile = "credentials"
	ingestFile      = "ingest.key"
	// Profile is the name of the profile in the credentials file that is made when there is none.
	Profile = "eyrie"

	minIngestKey = 20  // characters; ours has 43, which is 256 bits
	maxIngestKey = 256 // characters; it stands in a URL
)

// Keys are the secrets of machines: the access keys that sign API requests and the key that alerts are delivered with.
// Both files are looked at (one stat) on use, the ingest key's at most once a second while the key is right, and read
// again when they changed. A changed file that is not valid,
// for instance one that is just being edited, is reported to the log once and the last valid content stays in force;
// a file that was removed revokes what it held.
type Keys struct {
	credentials watched[map[string]credential]
	ingest      watched[string]

	trust    time.Duration          // how long an ingest key that was right is taken to be so still
	accepted atomic.Pointer[accept] // the last one
}

// accept is a key that was right at a time.
type accept struct {
	digest [sha256.Size]byte
	at     time.Time
}

type credential struct {
	secret  string
	profile string
}

func openKeys(dir string, d disk, log *slog.Logger) (*Keys, error) {
	k := &Keys{
		credentials: watched[map[string]credential]{path: filepath.Join(dir, credentialsFile), parse: parseCredentials, log: log},
		ingest:      watched[string]{path: filepath.Join(dir, ingestFile), parse: parseIngestKey, log: log},
		trust:       time.Second,
	}
	if err := k.credentials.open(d, newCredentials); err != nil {
		return nil, err
	}
	if err := k.ingest.open(d, newIngestKey); err != nil {
		return nil, err
	}
	return k, nil
}

// Secret returns the secret access key of accessKeyID and who it belongs to: the name of its profile.
func (k *Keys) Secret(accessKeyID string) (secret, principal string, ok bool) {
	c, ok := k.credentials.get()[accessKeyID]
	return c.secret, c.profile, ok
}

// CredentialsPath returns where the access keys stand; for people to read at start.
func (k *Keys) CredentialsPath() string { return k.credentials.path }

// IngestKeyPath returns where the ingest key stands; for people to read at start.
func (k *Keys) IngestKeyPath() string { return k.ingest.path }

// IngestKey returns the key that alerts are delivered with, "" when its file was removed. It is a secret.
func (k *Keys) IngestKey() string { return k.ingest.get() }

// CheckIngest reports whether candidate is the ingest key, in a time that says nothing of the key. A key that was replaced
// is accepted for at most a second longer.
func (k *Keys) CheckIngest(candidate string) bool {
	digest := sha256.Sum256([]byte(candidate))
	if a := k.accepted.Load(); a != nil && time.Since(a.at) < k.trust && subtle.ConstantTimeCompare(digest[:], a.digest[:]) == 1 {
		return true
	}
	want := k.ingest.get()
	wanted := sha256.Sum256([]byte(want))
	if subtle.ConstantTimeCompare(digest[:], wanted[:]) != 1 || want == "" {
		return false
	}
	k.accepted.Store(&accept{digest, time.Now()})
	return true
}

// newCredentials makes an access key: an id as long as AWS's (20 characters) that no one takes for one of AWS's, and a
// secret of 40 characters, 240 random bits.
func newCredentials() []byte {
	id := "EYRIE" + base32.StdEncoding.EncodeToString(random(10))[:15]
	secret := base64.RawURLEncoding.EncodeToString(random(30))
	return fmt.Appendf(nil, `# Access keys of this Eyrie hub, in the format of AWS's shared credentials file.
# AWS_SHARED_CREDENTIALS_FILE=<this file> aws --profile %[1]s --region <hub's> --endpoint-url <hub's> securityhub get-findings
# To rotate: add or replace a profile and save; the hub reads the file again. Keep its mode at 0600.
[%[1]s]
aws_access_key_id = %[2]s
aws_secret_access_key = %[3]s
`, Profile, id, secret)
}

func newIngestKey() []byte {
	return []byte(base64.RawURLEncoding.EncodeToString(random(32)) + "\n")
}

func parseIngestKey(content []byte) (string, error) {
	n := len(content)
	for n > 0 && (content[n-1] == '\n' || content[n-1] == '\r') {
		n--
	}
	key := string(content[:n])
	if len(key) < minIngestKey || len(key) > maxIngestKey {
		return "", fmt.Errorf("want one line of %d to %d characters, have %d", minIngestKey, maxIngestKey, len(key))
	}
	for _, c := range []byte(key) {
		if !isUnreserved(c) {
			return "", errors.New("the key stands in a URL: only letters, digits and - . _ ~ are allowed, on one line")
		}
	}
	return key, nil
}

// isUnreserved is RFC 3986's set of characters that a URL carries as they are.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// random returns n bytes of the system's randomness. crypto/rand.Read never fails (since Go 1.24 it ends the program).
func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// settled is how old a file must be at reading for its size and time to prove that it did not change afterwards: file
// systems keep times as coarse as two seconds (FAT), so two quick saves of the same length can look alike.
const settled = 2 * time.Second

// watched is a file whose parsed content is kept until the file changes.
type watched[T any] struct {
	path  string
	parse func([]byte) (T, error)
	log   *slog.Logger

	mu      sync.Mutex // guards what follows
	value   T
	seen    os.FileInfo // of the content last read, valid or not; nil after the file was found missing
	recheck bool        // the file was so young when it was read that it must be read again
}

// open reads the file, or makes it of what fresh returns where there is none.
func (w *watched[T]) open(d disk, fresh func() []byte) error {
	if _, err := os.Lstat(w.path); missing(err) {
		if err := d.write(w.path, fresh()); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.read()
}

func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	info, err := os.Stat(w.path)
	if err == nil && w.seen != nil && !w.recheck && sameFile(info, w.seen) {
		return w.value
	}
	known := w.seen != nil
	old := w.seen
	err = w.read()
	switch {
	case missing(err):
		var none T
		w.value, w.seen = none, nil
		if known {
			w.log.Error("secrets file was removed; what it held is revoked", "path", w.path)
		}
	case err != nil && (old == nil || w.seen == nil || !sameFile(old, w.seen)):
		w.log.Error("secrets file changed and is not valid; the content of before stays in force", "path", w.path, "error", err)
	}
	return w.value
}

// read parses the file into value; w.mu is held.
func (w *watched[T]) read() error {
	content, info, err := readSecret(w.path)
	if err != nil {
		if info, e := os.Stat(w.path); e == nil { // unreadable for its mode: do not report it on every use
			w.seen, w.recheck = info, false
		}
		return err
	}
	w.seen, w.recheck = info, time.Since(info.ModTime()) < settled
	value, err := w.parse(content)
	if err != nil {
		return fmt.Errorf("read %s: %w", w.path, err)
	}
	w.value = value
	return nil
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

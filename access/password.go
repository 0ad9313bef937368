package access

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Parameters of new hashes: OWASP's minimum for argon2id (19 MiB, two passes, one lane),
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id.
const (
	argonMemory  = 19 * 1024 // KiB
	argonPasses  = 2
	argonLanes   = 1
	argonSalt    = 16 // bytes, RFC 9106 section 3.1
	argonKeySize = 32 // bytes
)

// Bounds on the parameters of stored hashes, so that a tampered users.json cannot eat the machine.
const (
	maxArgonMemory = 256 * 1024 // KiB
	maxArgonPasses = 16
	maxArgonLanes  = 8
)

const (
	// MinPassword is the fewest characters of a password.
	MinPassword = 10
	// MaxPasswordBytes bounds the work of hashing one.
	MaxPasswordBytes = 1024
)

// passwordHash is one argon2id hash with all that is needed to compute it again.
type passwordHash struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

// String is the PHC string format, as the argon2 reference implementation prints it:
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>, both in base64 without padding.
func (h passwordHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func parsePasswordHash(s string) (passwordHash, error) {
	bad := errors.New("not an argon2id hash ($argon2id$v=19$m=…,t=…,p=…$salt$key)")
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return passwordHash{}, bad
	}
	var h passwordHash
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return passwordHash{}, bad
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(part[4])
	h.key, err2 = base64.RawStdEncoding.DecodeString(part[5])
	if err1 != nil || err2 != nil || len(h.salt) < 8 || len(h.key) < 16 || len(h.key) > 128 {
		return passwordHash{}, bad
	}
	if h.lanes < 1 || h.lanes > maxArgonLanes || h.passes < 1 || h.passes > maxArgonPasses ||
		h.memory < 8*uint32(h.lanes) || h.memory > maxArgonMemory {
		return passwordHash{}, errors.New("argon2id parameters are out of range")
	}
	return h, nil
}

// hasher computes hashes, at most one a processor at a time: each takes 19 MiB and some 20 ms.
type hasher struct {
	slots chan struct{}
	queue chan struct{}
	dummy passwordHash // what a password of an unknown user is compared with, so that names cannot be found by timing
}

// maxQueued is how many sign-ins may wait for a processor before further ones are told to come again.
const maxQueued = 32

func newHasher() *hasher {
	n := runtime.GOMAXPROCS(0)
	return &hasher{
		slots: make(chan struct{}, n),
		queue: make(chan struct{}, n+maxQueued),
		dummy: passwordHash{memory: argonMemory, passes: argonPasses, lanes: argonLanes, salt: random(argonSalt), key: random(argonKeySize)},
	}
}

// key computes h's key for password. It fails with RateLimited when too many wait already.
func (p *hasher) key(password string, h passwordHash) ([]byte, error) {
	select {
	case p.queue <- struct{}{}:
	default:
		return nil, &RateLimited{RetryAfter: time.Second}
	}
	defer func() { <-p.queue }()
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key))), nil
}

func (p *hasher) matches(password string, h passwordHash) (bool, error) {
	key, err := p.key(password, h)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, h.key) == 1, nil
}

func (p *hasher) new(password string) (passwordHash, error) {
	h := passwordHash{memory: argonMemory, passes: argonPasses, lanes: argonLanes, salt: random(argonSalt), key: make([]byte, argonKeySize)}
	key, err := p.key(password, h)
	h.key = key
	return h, err
}

// PasswordError says in its text, made for people, why a new password is not taken.
type PasswordError struct{ Reason string }

func (e *PasswordError) Error() string { return e.Reason }

// CheckPassword reports as a *PasswordError why password will not do for the user name, nil if it will. Length is what
// counts (NIST SP 800-63B section 5.1.1.2): no rules about which characters it must hold.
func CheckPassword(name, password string) error {
	switch {
	case !utf8.ValidString(password):
		return &PasswordError{"The password is not valid text."}
	case utf8.RuneCountInString(password) < MinPassword:
		return &PasswordError{fmt.Sprintf("The password needs at least %d characters.", MinPassword)}
	case len(password) > MaxPasswordBytes:
		return &PasswordError{fmt.Sprintf("The password may have at most %d bytes.", MaxPasswordBytes)}
	case distinct(password) < 4:
		return &PasswordError{"The password needs at least four different characters."}
	case strings.EqualFold(password, name):
		return &PasswordError{"The password must not be the name."}
	}
	return nil
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

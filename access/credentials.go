package access

import (
	"errors"
	"fmt"
	"strings"
)

const (
	minKeyID, maxKeyID = 16, 128 // characters: AWS's AccessKeyId type, https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html
	minSecret          = 20      // characters; AWS's have 40
	maxSecret          = 256     // characters
)

// parseCredentials reads AWS's shared credentials format: [profile] headers, key = value lines, comment lines that
// begin with # or ;. Settings other than the two keys are left alone; every profile with keys is let in.
func parseCredentials(content []byte) (map[string]credential, error) {
	p := credentialsParser{keys: map[string]credential{}}
	for i, line := range strings.Split(string(content), "\n") {
		if err := p.line(strings.TrimRight(line, "\r")); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if err := p.endProfile(); err != nil {
		return nil, err
	}
	if len(p.keys) == 0 {
		return nil, errors.New("no profile has an aws_access_key_id and an aws_secret_access_key")
	}
	return p.keys, nil
}

type credentialsParser struct {
	keys                map[string]credential
	profile, id, secret string
	inProfile           bool
}

// line takes one line. Errors never repeat the line: it may be half a secret.
func (p *credentialsParser) line(s string) error {
	text := strings.TrimSpace(s)
	switch {
	case text == "" || text[0] == '#' || text[0] == ';':
		return nil
	case s[0] == ' ' || s[0] == '\t': // a nested setting, such as those under `s3 =`
		return nil
	case text[0] == '[':
		name, ok := strings.CutSuffix(text[1:], "]")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return errors.New("a profile header is written [name]")
		}
		if err := p.endProfile(); err != nil {
			return err
		}
		p.profile, p.inProfile = name, true
		return nil
	}
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("neither a [profile] header, a comment, nor key = value")
	}
	if !p.inProfile {
		return errors.New("a setting stands before the first [profile] header")
	}
	switch strings.TrimSpace(key) {
	case "aws_access_key_id":
		p.id = strings.TrimSpace(value)
	case "aws_secret_access_key":
		p.secret = strings.TrimSpace(value)
	}
	return nil
}

// endProfile checks and keeps the profile that was being read.
func (p *credentialsParser) endProfile() error {
	id, secret := p.id, p.secret
	p.id, p.secret = "", ""
	switch {
	case id == "" && secret == "":
		return nil
	case id == "" || secret == "":
		return fmt.Errorf("profile %q has only one of aws_access_key_id and aws_secret_access_key", p.profile)
	case len(id) < minKeyID || len(id) > maxKeyID || !isWord(id):
		return fmt.Errorf("profile %q: aws_access_key_id must be %d to %d letters, digits or _", p.profile, minKeyID, maxKeyID)
	case len(secret) < minSecret || len(secret) > maxSecret:
		return fmt.Errorf("profile %q: aws_secret_access_key must have %d to %d characters", p.profile, minSecret, maxSecret)
	}
	if other, ok := p.keys[id]; ok {
		return fmt.Errorf("profiles %q and %q have the same aws_access_key_id", other.profile, p.profile)
	}
	p.keys[id] = credential{secret: secret, profile: p.profile}
	return nil
}

func isWord(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}

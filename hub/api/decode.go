package api

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/asff"
)

// params are the members of a JSON object of a request, by their exact name; the last of several of one name counts, and
// null is absent. Its methods give a parameter's value or an *Error that names it; absent is the zero value.
type params struct {
	of      string // path of the object, "" at the top, else with a final dot
	members map[string][]byte
}

// parseParams reads the body of a request. Operations without parameters may have none.
func parseParams(b []byte) (params, error) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return params{}, nil
	}
	if !json.Valid(b) || b[0] != '{' || !utf8.Valid(b) {
		return params{}, &Error{"SerializationException", http.StatusBadRequest, "The request body is not a JSON object in UTF-8"}
	}
	return objectParams("", b), nil
}

func objectParams(of string, valid []byte) params {
	p := params{of: of, members: map[string][]byte{}}
	eachMember(valid, func(name string, value []byte) bool {
		if string(value) == "null" {
			delete(p.members, name)
		} else {
			p.members[name] = value
		}
		return true
	})
	return p
}

func (p params) has(name string) bool { return p.members[name] != nil }

// require wants the parameters to be there.
func (p params) require(names ...string) error {
	for _, name := range names {
		if !p.has(name) {
			return invalidParameter(p.of+name, "The parameter is required")
		}
	}
	return nil
}

func (p params) wrong(name, want string) error {
	return invalidParameter(p.of+name, "%s should be %s", p.of+name, want)
}

// str is a string; one that is there must not be blank (the model's NonEmptyString).
func (p params) str(name string) (string, error) {
	if !p.has(name) {
		return "", nil
	}
	var s string
	if json.Unmarshal(p.members[name], &s) != nil {
		return "", p.wrong(name, "a string")
	}
	if strings.TrimSpace(s) == "" {
		return "", p.wrong(name, "a string that is not blank")
	}
	return s, nil
}

// limited is a str of at most most characters.
func (p params) limited(name string, most int) (string, error) {
	s, err := p.str(name)
	if err == nil && utf8.RuneCountInString(s) > most {
		return "", invalidParameter(p.of+name, "%s should have at most %d characters, it has %d", p.of+name, most, utf8.RuneCountInString(s))
	}
	return s, err
}

// enum is one of the given strings, nil if absent.
func (p params) enum(name string, of ...string) (*string, error) {
	s, err := p.str(name)
	switch {
	case err != nil || !p.has(name):
		return nil, err
	case !slices.Contains(of, s):
		return nil, p.wrong(name, "one of "+strings.Join(of, ", "))
	}
	return &s, nil
}

// integer is a number from low to high, nil if absent.
func (p params) integer(name string, low, high int) (*int, error) {
	if !p.has(name) {
		return nil, nil
	}
	var n float64 // 5.0 and 5e0 are integers too
	if json.Unmarshal(p.members[name], &n) != nil || n != math.Trunc(n) {
		return nil, p.wrong(name, "an integer")
	}
	if n < float64(low) || n > float64(high) {
		return nil, invalidParameter(p.of+name, "%s should be from %d to %d", p.of+name, low, high)
	}
	i := int(n)
	return &i, nil
}

// maxResults is the page size of a paged operation, from 1 to 100 (the model's MaxResults); 100 if absent.
func (p params) maxResults() (int, error) {
	n, err := p.integer("MaxResults", 1, 100)
	if n == nil {
		return 100, err
	}
	return *n, err
}

func (p params) number(name string) (*float64, error) {
	if !p.has(name) {
		return nil, nil
	}
	var n float64
	if json.Unmarshal(p.members[name], &n) != nil {
		return nil, p.wrong(name, "a number")
	}
	return &n, nil
}

func (p params) boolean(name string) (value bool, err error) {
	if p.has(name) && json.Unmarshal(p.members[name], &value) != nil {
		return false, p.wrong(name, "true or false")
	}
	return value, nil
}

// time is a timestamp as text, the model's iso8601 format.
func (p params) time(name string) (time.Time, error) {
	s, err := p.str(name)
	if s == "" || err != nil {
		return time.Time{}, err
	}
	t, err := asff.ParseTime(s)
	if err != nil {
		return time.Time{}, p.wrong(name, "a timestamp such as 2026-11-21T08:30:00.000Z")
	}
	return t, nil
}

// object is a nested object; ok is false if it is absent.
func (p params) object(name string) (nested params, ok bool, err error) {
	if !p.has(name) {
		return params{}, false, nil
	}
	if p.members[name][0] != '{' {
		return params{}, false, p.wrong(name, "an object")
	}
	return objectParams(p.of+name+".", p.members[name]), true, nil
}

// list calls f for each element of a list of low to high elements; an absent one has none.
func (p params) list(name string, low, high int, f func(element params) error) error {
	if !p.has(name) {
		return nil
	}
	elements, err := p.raw(name, low, high)
	for _, e := range elements {
		if e[0] != '{' {
			return p.wrong(name, "a list of objects")
		}
		if err := f(objectParams(p.of+name+".", e)); err != nil {
			return err
		}
	}
	return err
}

// raw are the elements of a list as they stand in the body.
func (p params) raw(name string, low, high int) ([][]byte, error) {
	if !p.has(name) {
		return nil, nil
	}
	if p.members[name][0] != '[' {
		return nil, p.wrong(name, "a list")
	}
	var all [][]byte
	eachElement(p.members[name], func(value []byte) bool {
		all = append(all, value)
		return len(all) <= high
	})
	if len(all) < low || len(all) > high {
		return nil, invalidParameter(p.of+name, "%s should have from %d to %d elements", p.of+name, low, high)
	}
	return all, nil
}

// strings is a list of strings that are not blank.
func (p params) strings(name string, low, high int) ([]string, error) {
	elements, err := p.raw(name, low, high)
	if err != nil || !p.has(name) {
		return nil, err
	}
	all := make([]string, len(elements)) // not nil: an empty list is not an absent one
	for i, e := range elements {
		if json.Unmarshal(e, &all[i]) != nil || string(e) == "null" || strings.TrimSpace(all[i]) == "" {
			return nil, p.wrong(name, "a list of strings that are not blank")
		}
	}
	return all, nil
}

// mapLimits bound a map of strings; lengths are in characters.
type mapLimits struct {
	entries, key, value int
	emptyValue          bool
}

func (p params) stringMap(name string, limit mapLimits) (map[string]string, error) {
	if !p.has(name) {
		return nil, nil
	}
	var m map[string]*string
	if json.Unmarshal(p.members[name], &m) != nil {
		return nil, p.wrong(name, "a map of strings to strings")
	}
	if len(m) > limit.entries {
		return nil, invalidParameter(p.of+name, "%s should have at most %d entries", p.of+name, limit.entries)
	}
	out := make(map[string]string, len(m))
	for key, value := range m {
		switch {
		case strings.TrimSpace(key) == "" || utf8.RuneCountInString(key) > limit.key:
			return nil, invalidParameter(p.of+name, "A key should have from 1 to %d characters and not be blank", limit.key)
		case value == nil, utf8.RuneCountInString(*value) > limit.value, !limit.emptyValue && strings.TrimSpace(*value) == "":
			return nil, invalidParameter(p.of+name, "The value of '%s' should be a string of at most %d characters", clip(key), limit.value)
		}
		out[key] = *value
	}
	return out, nil
}

package load

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// parse reads all documents of a file into nodes. Nodes keep duplicates, aliases and merge keys as they are written. A
// document that is null ends the file, as it does for Falco's reader.
func (d *document) parse(content []byte) ([]*yaml.Node, error) {
	content = printable(content)
	docs, err := decode(content)
	if err != nil && strings.Contains(err.Error(), "unexpected end of stream") {
		// Falco's reader forgives a quote that the end of the file leaves open.
		for _, quote := range []byte{'"', '\''} {
			if closed, err := decode(append(bytes.TrimRight(content, "\n"), quote, '\n')); err == nil {
				return closed, nil
			}
		}
	}
	if err != nil {
		return nil, d.parseError(err)
	}
	return docs, nil
}

func decode(content []byte) ([]*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var docs []*yaml.Node
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		root := &n
		if n.Kind == yaml.DocumentNode {
			if len(n.Content) == 0 {
				return docs, nil
			}
			root = n.Content[0]
		}
		if isNull(root) {
			return docs, nil
		}
		docs = append(docs, root)
	}
}

// Characters that the YAML reader refuses and Falco's accepts travel through it as private ones: a character as
// private plus itself, a byte that is no UTF-8 as invalidByte plus itself. restore puts them back.
const (
	private     = 0xf0000
	invalidByte = 0x100000
)

var yamlDirective = regexp.MustCompile(`(?m)^%YAML[^\n]*\n`)

// printable makes content readable for the YAML reader. UTF-16 is left alone.
func printable(content []byte) []byte {
	if bytes.HasPrefix(content, []byte{0xff, 0xfe}) || bytes.HasPrefix(content, []byte{0xfe, 0xff}) {
		return content
	}
	content, _, _ = bytes.Cut(content, []byte{0x04}) // the end of the input, for Falco's reader
	content = bytes.TrimPrefix(content, []byte("\uFEFF"))
	if bytes.HasPrefix(content, []byte("%")) {
		content = yamlDirective.ReplaceAll(content, []byte("\n"))
	}
	if !slices.ContainsFunc(content, isOdd) || utf8.Valid(content) && bytes.IndexFunc(content, isRefused) < 0 {
		return content
	}
	out := make([]byte, 0, len(content)+len(content)/8)
	for len(content) > 0 {
		r, size := utf8.DecodeRune(content)
		switch {
		case r == utf8.RuneError && size == 1:
			out = utf8.AppendRune(out, invalidByte+rune(content[0]))
		case isRefused(r):
			out = utf8.AppendRune(out, private+r)
		default:
			out = append(out, content[:size]...)
		}
		content = content[size:]
	}
	return out
}

// isOdd says whether a byte may belong to a character that the YAML reader refuses.
func isOdd(b byte) bool { return b >= 0x7f || b < ' ' && b != '\n' && b != '\t' && b != '\r' }

func isRefused(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return false
	case r < ' ', r >= 0x7f && r < 0xa0, r == 0xfeff, r == 0xfffe, r == 0xffff:
		return true
	}
	return false
}

// restore undoes printable in a scalar.
func restore(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= private }) {
		return s
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r >= invalidByte && r <= invalidByte+0xff:
			out = append(out, byte(r-invalidByte))
		case r >= private && isRefused(r-private):
			out = utf8.AppendRune(out, r-private)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return string(out)
}

var yamlLine = regexp.MustCompile(`line (\d+)(?:, column (\d+))?`)

func (d *document) parseError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	at := place{doc: d, offset: -1}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1])
		col, _ := strconv.Atoi(m[2])
		at.node = &yaml.Node{Line: line, Column: max(col, 1)}
	}
	return fail(ErrYAMLParse, at, "%s", text)
}

// deref follows aliases.
func deref(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < 100; i++ {
		n = n.Alias
	}
	return n
}

// get finds the value of a key, nil where the mapping has none. Of equal keys the first counts.
func get(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := deref(m.Content[i]); k.Kind == yaml.ScalarNode && k.Value == key && !isNull(k) {
			return deref(m.Content[i+1])
		}
	}
	return nil
}

// isNull says whether n is empty or one of the plain words for null.
func isNull(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return false
	}
	if n.Tag != "" && n.Tag != "!!null" && n.Style&yaml.TaggedStyle != 0 {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

func isScalar(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && !isNull(n) }

// scalar reads the value of a key that has to be there and to be text.
func scalar(m *yaml.Node, key string, at place) (string, error) {
	v := get(m, key)
	if v == nil {
		return "", invalid(at, "Item has no mapping for key '%s'", key)
	}
	if isNull(v) {
		return "", invalid(at, "Mapping for key '%s' is empty", key)
	}
	if v.Kind != yaml.ScalarNode {
		return "", invalid(at.on(v), "Value is not a scalar value")
	}
	if v.Value == "" {
		return "", invalid(at.on(v), "Value must be non-empty")
	}
	return restore(v.Value), nil
}

// optional reads the value of a key that may be missing.
func optional(m *yaml.Node, key string, at place, out *string) error {
	if get(m, key) == nil {
		return nil
	}
	s, err := scalar(m, key, at)
	if err == nil {
		*out = s
	}
	return err
}

// boolean reads a truth value as Falco's YAML reader does: y, yes, true, on and their opposites, in lower case, upper
// case or capitalised.
func boolean(m *yaml.Node, key string, at place, out *bool) error {
	if get(m, key) == nil {
		return nil
	}
	s, err := scalar(m, key, at)
	if err != nil {
		return err
	}
	low := strings.ToLower(s)
	if s == low || s == strings.ToUpper(s) || s == low[:1] || s == strings.ToUpper(low[:1])+low[1:] {
		switch low {
		case "y", "yes", "true", "on":
			*out = true
			return nil
		case "n", "no", "false", "off":
			*out = false
			return nil
		}
	}
	return undecodable(m, key, at)
}

func undecodable(m *yaml.Node, key string, at place) error {
	return invalid(at.on(get(m, key)), "Can't decode YAML scalar value")
}

// unsigned reads a number as a C++ stream does: a plus, hexadecimal after 0x, octal after 0.
func unsigned(s string) (uint32, bool) {
	s = strings.TrimRight(s, " \t\n\r")
	s = strings.TrimPrefix(s, "+")
	base := 10
	switch {
	case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	n, err := strconv.ParseUint(s, base, 32)
	return uint32(n), err == nil
}

// sequence reads a list of text; a missing key leaves out alone.
func sequence(m *yaml.Node, key string, at place, required bool, add func(string)) error {
	v := get(m, key)
	if v == nil {
		if required {
			return invalid(at, "Item has no mapping for key '%s'", key)
		}
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		return invalid(at.on(v), "Value is not a sequence")
	}
	for _, c := range v.Content {
		c = deref(c)
		if !isScalar(c) {
			return invalid(at.on(c), "sequence value is not scalar")
		}
		add(restore(c.Value))
	}
	return nil
}

package load

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/eyrie-sec/eyrie/rule/filter"
)

// document is one rule file as it was read.
type document struct {
	name    string
	content []byte
	split   [][]byte // what lines answers, nil before the first question
}

func newDocument(name string, content []byte) *document {
	return &document{name: name, content: content}
}

// lines are the lines of the file without line ends.
func (d *document) lines() [][]byte {
	if d.split == nil {
		content := d.content
		if bytes.IndexByte(content, '\r') >= 0 {
			content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
			content = bytes.ReplaceAll(content, []byte("\r"), []byte("\n"))
		}
		d.split = bytes.Split(content, []byte("\n"))
	}
	return d.split
}

// maxSnippet is the widest excerpt shown, in bytes.
const maxSnippet = 160

// snippet is the line with a caret under the column.
func (d *document) snippet(line, col int) string {
	lines := d.lines()
	if line < 1 || line > len(lines) {
		return ""
	}
	text := lines[line-1]
	col = min(max(col, 1), len(text)+1)
	from := 0
	if col > maxSnippet/2 {
		from = col - maxSnippet/2
		for from < len(text) && !utf8.RuneStart(text[from]) {
			from++
		}
	}
	to := min(len(text), from+maxSnippet)
	shown := strings.ToValidUTF8(strings.ReplaceAll(string(text[from:to]), "\t", " "), "\uFFFD")
	shown = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, shown)
	pad := utf8.RuneCount(text[from:max(from, min(col-1, to))])
	return shown + "\n" + strings.Repeat(" ", pad) + "^"
}

// place is where something stands: a node of a file, and a place within its text.
type place struct {
	doc    *document
	node   *yaml.Node
	item   string // for people: "rule X"
	offset int    // bytes into the node's value, -1 for the node itself
}

func (d *document) at(node *yaml.Node, item string) place {
	return place{doc: d, node: node, item: item, offset: -1}
}

func (p place) within(offset int) place {
	p.offset = offset
	return p
}

func (p place) named(suffix string) place {
	p.item += suffix
	return p
}

func (p place) on(node *yaml.Node) place {
	p.node, p.offset = node, -1
	return p
}

// position is the line and column, from 1.
func (p place) position() (line, col int) {
	if p.node == nil {
		return 0, 0
	}
	if p.offset < 0 || p.node.Kind != yaml.ScalarNode {
		return p.node.Line, p.node.Column
	}
	return p.doc.inScalar(p.node, p.offset)
}

// inScalar finds where the byte at offset of a scalar's value stands in the file. It follows the characters that are not
// blank, which are the same in value and file for every style but double quotes with escapes; where it loses track it
// answers with the start of the scalar.
func (d *document) inScalar(n *yaml.Node, offset int) (line, col int) {
	line, col = n.Line, n.Column
	l, c := n.Line-1, n.Column-1
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		l, c = l+1, 0
	} else if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		c++
	}
	value, lines := n.Value[:min(offset, len(n.Value))], d.lines()
	for i := 0; ; i++ {
		for i < len(value) && isBlank(value[i]) {
			i++
		}
		for l < len(lines) && (c >= len(lines[l]) || isBlank(lines[l][c])) {
			if c++; c >= len(lines[l]) {
				l, c = l+1, 0
			}
		}
		if l >= len(lines) {
			return line, col
		}
		if i >= len(value) {
			return l + 1, c + 1
		}
		if lines[l][c] != value[i] {
			return line, col
		}
		if n.Style&yaml.SingleQuotedStyle != 0 && value[i] == '\'' {
			c++
		}
		c++
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// substitution remembers how a text came about from another by replacing names.
type substitution struct {
	from []int // per byte of the result, the byte of the source it stands for
}

func (s *substitution) origin(p filter.Pos) int {
	if s == nil || len(s.from) == 0 {
		return p.Offset
	}
	if p.Offset < len(s.from) {
		return s.from[p.Offset]
	}
	return s.from[len(s.from)-1] + 1
}

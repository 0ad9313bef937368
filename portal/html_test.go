package portal

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// element is one start tag of a page.
type element struct {
	name  string
	attrs map[string]string
	path  []string // names of the elements it stands in
	text  string   // its text, for buttons, labels and links
}

var (
	tagName  = regexp.MustCompile(`^</?([a-zA-Z][a-zA-Z0-9-]*)`)
	attrForm = regexp.MustCompile(`^\s+([a-zA-Z][a-zA-Z0-9:-]*)(?:="([^"<]*)")?`)
	voids    = map[string]bool{"meta": true, "link": true, "input": true, "br": true, "hr": true, "img": true}
)

// parseHTML is a strict reader of the HTML that our templates write: every tag is closed in order, every attribute value is
// in double quotes, nothing is named twice. What a browser would mend is an error.
func parseHTML(src string) ([]element, error) {
	var all []element
	var open []int // indexes into all
	pos := 0
	for pos < len(src) {
		lt := strings.IndexByte(src[pos:], '<')
		if lt < 0 {
			lt = len(src) - pos
		}
		words := src[pos : pos+lt]
		if strings.ContainsRune(words, '>') {
			return nil, fmt.Errorf("a bare > in text near %q", clipped(words))
		}
		if strings.TrimSpace(words) != "" {
			for _, i := range open {
				if len(all[i].text) < 1000 {
					all[i].text += words
				}
			}
		}
		pos += lt
		if pos == len(src) {
			break
		}
		rest := src[pos:]
		if strings.HasPrefix(rest, "<!doctype html>") {
			pos += len("<!doctype html>")
			continue
		}
		m := tagName.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("no tag at %q", clipped(rest))
		}
		name := m[1]
		pos += len(m[0])
		if rest[1] == '/' {
			if len(open) == 0 || all[open[len(open)-1]].name != name {
				return nil, fmt.Errorf("</%s> closes nothing at %q", name, clipped(rest))
			}
			open = open[:len(open)-1]
			if !strings.HasPrefix(src[pos:], ">") {
				return nil, fmt.Errorf("bad end tag at %q", clipped(rest))
			}
			pos++
			continue
		}
		e := element{name: name, attrs: map[string]string{}}
		for _, i := range open {
			e.path = append(e.path, all[i].name)
		}
		for {
			a := attrForm.FindStringSubmatch(src[pos:])
			if a == nil {
				break
			}
			if _, twice := e.attrs[a[1]]; twice {
				return nil, fmt.Errorf("<%s> has %s twice", name, a[1])
			}
			e.attrs[a[1]] = a[2]
			pos += len(a[0])
		}
		closed := strings.HasPrefix(src[pos:], "/>")
		if closed {
			pos++
		}
		if !strings.HasPrefix(src[pos:], ">") {
			return nil, fmt.Errorf("bad attribute in %q", clipped(rest))
		}
		pos++
		all = append(all, e)
		if !closed && !voids[name] {
			open = append(open, len(all)-1)
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("<%s> is not closed", all[open[len(open)-1]].name)
	}
	return all, nil
}

func clipped(s string) string { return s[:min(len(s), 80)] }

// checkPage asserts what every page must be: well formed, without script and style of its own, usable by a screen reader.
func checkPage(t *testing.T, name, src string) []element {
	t.Helper()
	all, err := parseHTML(src)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	ids := map[string]bool{}
	for _, e := range all {
		if id, ok := e.attrs["id"]; ok {
			if ids[id] {
				t.Errorf("%s: id %q is there twice", name, id)
			}
			ids[id] = true
		}
	}
	for _, e := range all {
		checkSafe(t, name, e)
		checkNamed(t, name, e, all, ids)
	}
	checkLandmarks(t, name, all)
	return all
}

func checkSafe(t *testing.T, name string, e element) {
	t.Helper()
	for attr, value := range e.attrs {
		if attr == "style" || strings.HasPrefix(attr, "on") {
			t.Errorf("%s: <%s> has the attribute %s", name, e.name, attr)
		}
		if (attr == "href" || attr == "src" || attr == "action") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "javascript:") {
			t.Errorf("%s: <%s> leads to %s", name, e.name, value)
		}
	}
	switch e.name {
	case "style", "iframe", "object", "embed", "base":
		t.Errorf("%s: there is a <%s>", name, e.name)
	case "script":
		if !strings.HasPrefix(e.attrs["src"], "/static/") || strings.TrimSpace(e.text) != "" {
			t.Errorf("%s: a script that is not a file of ours: %v %q", name, e.attrs, e.text)
		}
	case "a":
		if e.attrs["target"] == "_blank" && !strings.Contains(e.attrs["rel"], "noopener") {
			t.Errorf("%s: a link to elsewhere without noopener: %s", name, e.attrs["href"])
		}
	}
	// Flow content in a paragraph would be moved out of it by the browser.
	if slices.Contains(e.path, "p") && slices.Contains([]string{"div", "details", "ul", "ol", "p", "form", "pre", "table", "section"}, e.name) {
		t.Errorf("%s: <%s> in a paragraph", name, e.name)
	}
}

// checkNamed asserts that a control has a name for who does not see it.
func checkNamed(t *testing.T, name string, e element, all []element, ids map[string]bool) {
	t.Helper()
	for _, attr := range []string{"aria-labelledby", "aria-describedby", "for", "list"} {
		if id, ok := e.attrs[attr]; ok && !ids[id] {
			t.Errorf("%s: <%s %s=%q>: there is no such id", name, e.name, attr, id)
		}
	}
	switch e.name {
	case "input", "select", "textarea":
		if e.attrs["type"] == "hidden" || e.attrs["aria-label"] != "" || slices.Contains(e.path, "label") {
			return
		}
		for _, l := range all {
			if l.name == "label" && l.attrs["for"] != "" && l.attrs["for"] == e.attrs["id"] {
				return
			}
		}
		t.Errorf("%s: <%s name=%q> has no label", name, e.name, e.attrs["name"])
	case "button", "a", "summary":
		if strings.TrimSpace(e.text) == "" && e.attrs["aria-label"] == "" {
			t.Errorf("%s: <%s %v> has no text", name, e.name, e.attrs)
		}
	case "th":
		if e.attrs["scope"] == "" {
			t.Errorf("%s: a <th> without scope: %q", name, e.text)
		}
	case "section", "nav", "aside":
		if e.attrs["aria-label"] == "" && e.attrs["aria-labelledby"] == "" {
			t.Errorf("%s: a <%s> without a name", name, e.name)
		}
	case "svg":
		if e.attrs["aria-hidden"] != "true" {
			t.Errorf("%s: a picture that is not hidden from screen readers", name)
		}
	}
}

func checkLandmarks(t *testing.T, name string, all []element) {
	t.Helper()
	count := map[string]int{}
	var html, title element
	for _, e := range all {
		count[e.name]++
		switch {
		case e.name == "html":
			html = e
		case e.name == "title" && !slices.Contains(e.path, "svg"):
			title = e
		}
	}
	if count["main"] != 1 || count["h1"] != 1 {
		t.Errorf("%s: %d <main> and %d <h1>, want one of each", name, count["main"], count["h1"])
	}
	if html.attrs["lang"] != "en" || !strings.HasSuffix(title.text, " · Eyrie") {
		t.Errorf("%s: language %q, title %q", name, html.attrs["lang"], title.text)
	}
}

func TestParseHTMLIsStrict(t *testing.T) {
	for _, bad := range []string{"<p>a</div>", "<p>", "<a href=x>a</a>", `<a id="1" id="2">a</a>`, "<p>a > b</p>", "<p>a < b</p>", `<a href="<">x</a>`} {
		if _, err := parseHTML(bad); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	all, err := parseHTML(`<!doctype html><p class="x">a<input type="checkbox" checked>b</p>`)
	if err != nil || len(all) != 2 || all[0].text != "ab" {
		t.Errorf("got %v, %v", all, err)
	}
}

package portal

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	property = regexp.MustCompile(`--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);`)
	used     = regexp.MustCompile(`var\(--([a-z0-9-]+)\)`)
	defined  = regexp.MustCompile(`(?m)^\s+--([a-z0-9-]+):`)
	fontSize = regexp.MustCompile(`(?:font-size: |font: )(\d+)px`)
	anyColor = regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b`)
)

func styles(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"static/portal.css", "static/pages.css"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// luminance is WCAG 2.2's relative luminance of "#rrggbb".
func luminance(hex string) float64 {
	n, err := strconv.ParseUint(hex[1:], 16, 32)
	if err != nil {
		panic(err)
	}
	l := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(n>>(16-8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// TestContrast: text on its ground has at least 4.5:1, shapes 3:1 (WCAG 2.2, 1.4.3 and 1.4.11), in both themes.
func TestContrast(t *testing.T) {
	colors := map[string][2]string{}
	for _, m := range property.FindAllStringSubmatch(styles(t), -1) {
		colors[m[1]] = [2]string{m[2], m[3]}
	}
	check := func(front, back string, least float64) {
		t.Helper()
		f, ok := colors[front]
		b, ok2 := colors[back]
		if !ok || !ok2 {
			t.Errorf("no color --%s or --%s", front, back)
			return
		}
		for i, theme := range []string{"light", "dark"} {
			if got := contrast(f[i], b[i]); got < least {
				t.Errorf("%s: --%s %s on --%s %s: %.2f, want %.1f", theme, front, f[i], back, b[i], got, least)
			}
		}
	}
	for _, ground := range []string{"page", "card", "sunk"} {
		for _, text := range []string{"text", "soft", "faint", "accent", "bad", "good", "warn", "sev-m-text", "sev-l-text", "sev-i-text"} {
			check(text, ground, 4.5)
		}
	}
	for _, pair := range [][2]string{{"text", "accent-bg"}, {"soft", "accent-bg"}, {"faint", "accent-bg"}, {"bad", "bad-bg"}, {"on-ink", "ink"}, {"on-sev-c", "sev-c"}, {"on-sev-h", "sev-h"}} {
		check(pair[0], pair[1], 4.5)
	}
	for _, shape := range []string{"sev-c", "sev-h", "sev-m", "sev-l", "sev-i", "accent"} {
		check(shape, "card", 3)
	}
}

func TestContrastIsWCAGs(t *testing.T) {
	if got := contrast("#ffffff", "#000000"); math.Abs(got-21) > 1e-9 {
		t.Errorf("white on black: got %f, want 21", got)
	}
	if got := contrast("#777777", "#ffffff"); math.Abs(got-4.48) > 0.005 {
		t.Errorf("#777 on white: got %f, want 4.48", got)
	}
}

// TestStyleSheets: one scale of type, every color named in one place, every name that is used is there and used.
func TestStyleSheets(t *testing.T) {
	css := styles(t)
	names := map[string]bool{}
	for _, m := range defined.FindAllStringSubmatch(css, -1) {
		names[m[1]] = true
	}
	uses := map[string]bool{}
	for _, m := range used.FindAllStringSubmatch(css, -1) {
		uses[m[1]] = true
		if !names[m[1]] {
			t.Errorf("var(--%s) is not defined", m[1])
		}
	}
	for name := range names {
		if !uses[name] {
			t.Errorf("--%s is not used", name)
		}
	}
	scale := map[string]bool{"12": true, "13": true, "14": true, "16": true, "20": true, "28": true}
	for _, m := range fontSize.FindAllStringSubmatch(css, -1) {
		if !scale[m[1]] {
			t.Errorf("font size %s px is not in the scale", m[1])
		}
	}
	_, rest, ok := strings.Cut(css, ":root[data-theme")
	if !ok {
		t.Fatal("no end of the list of colors")
	}
	for _, c := range anyColor.FindAllString(rest, -1) {
		if c != "#fff" && c != "#999" { // print
			t.Errorf("the color %s stands outside the list", c)
		}
	}
	for _, forbidden := range []string{"@import", "url(", "expression("} {
		if strings.Contains(css, forbidden) {
			t.Errorf("the style sheet has %s", forbidden)
		}
	}
}

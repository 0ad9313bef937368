package text

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestShow(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "cat /etc/shadow", `<bdi>cat /etc/shadow</bdi>`},
		{"empty", "", `<bdi></bdi>`},
		{"markup", `<script>alert("1")</script>`, `<bdi>&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;</bdi>`},
		{"attribute", `' onload=x & "`, `<bdi>&#39; onload=x &amp; &#34;</bdi>`},
		{"terminal escape", "a\x1b[2Jb", `<bdi>a<span class="ctl" title="U+001B">ESC</span>[2Jb</bdi>`},
		{"nul and delete", "\x00\x7f", `<bdi><span class="ctl" title="U+0000">NUL</span><span class="ctl" title="U+007F">DEL</span></bdi>`},
		{"newline", "a\nb", `<bdi>a<span class="ctl" title="U+000A">LF</span>b</bdi>`},
		{"right-to-left override", "gpj.\u202eexe", `<bdi>gpj.<span class="ctl">U+202E</span>exe</bdi>`},
		{"zero width", "a\u200bb", `<bdi>a<span class="ctl">U+200B</span>b</bdi>`},
		{"line separator", "\u2028", `<bdi><span class="ctl">U+2028</span></bdi>`},
		{"invalid UTF-8", "\xffA", `<bdi><span class="ctl" title="not UTF-8">\xff</span>A</bdi>`},
		{"no-break space", "a\u00a0b", `<bdi>a<span class="ctl">U+00A0</span>b</bdi>`},
		{"hebrew stays", "שלום", `<bdi>שלום</bdi>`},
		{"three marks stay", "e\u0301\u0302\u0303", "<bdi>e\u0301\u0302\u0303</bdi>"},
		{"a fourth is spelled out", "e\u0301\u0302\u0303\u0304", "<bdi>e\u0301\u0302\u0303" + `<span class="ctl">U+0304</span></bdi>`},
		{"a run is counted", strings.Repeat("\x00", 1500), `<bdi><span class="ctl" title="U+0000">NUL</span><span class="gap">×1,500</span></bdi>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Show(tt.in)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestMidAndCut(t *testing.T) {
	if got, want := string(Mid("abcdefghi", 9)), "<bdi>abcdefghi</bdi>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(Mid("abcdefghij", 6)), `<bdi>abcd</bdi><span class="gap" title="4 characters left out">…</span><bdi>ij</bdi>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mega := strings.Repeat("é", 1<<20)
	cut := string(Cut(mega, 100))
	if n := strings.Count(cut, "é"); n != 100+longest {
		t.Errorf("got %d characters of a megabyte, want the cut 100 and %d", n, longest)
	}
	if !strings.HasPrefix(cut, `<details class="cut"><summary>`) {
		t.Errorf("got %.60s, want a <details>", cut)
	}
	if got, want := Plain("a\x1b"+strings.Repeat("x", 90)+"z", 6), "a␛xx … xz"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	got := string(JSON([]byte(`{"a":"<b>\u202e","n":[1]}`), 1000))
	want := "{\n  <span class=\"k\">&#34;a&#34;</span>: <bdi>&#34;&lt;b&gt;\\u202e&#34;</bdi>,\n  <span class=\"k\">&#34;n&#34;</span>: [\n    1\n  ]\n}"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := string(JSON([]byte("{\"a\":\"\u202e\"}"), 1000)), `<span class="ctl">U+202E</span>`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
	if got, want := string(JSON([]byte(`not <json>`), 1000)), "<bdi>not &lt;json&gt;</bdi>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	long, err := json.Marshal(map[string]string{"a": strings.Repeat("x", 5000)})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(JSON(long, 300)); strings.Count(got, "x") > 300 || !strings.Contains(got, "left out") {
		t.Errorf("a long document is not cut: %d bytes", len(got))
	}
}

func TestGroup(t *testing.T) {
	for in, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := Group(in); got != want {
			t.Errorf("Group(%d): got %s, want %s", in, got, want)
		}
	}
}

// ours is the markup that this package writes; what is left of the output after removing it must be inert.
var ours = regexp.MustCompile(`</?bdi>|<span class="(ctl|gap|k)"( title="[A-Za-z0-9+,\- ]*")?>|</span>|</?summary>|<details class="cut">|</details>|<div class="whole">|</div>`)

// FuzzText asserts that whatever comes in, nothing but our own markup and visible characters go out.
func FuzzText(f *testing.F) {
	for _, s := range []string{"a", "<b>", "\x1b]0;x\a", "\u202e\u2066", "\xff\xfe", "e\u0301\u0301\u0301\u0301", `{"a":"\""}`, `{"a":1}x`, "\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{string(Show(s)), string(Mid(s, 7)), string(Cut(s, 7)), string(JSON([]byte(s), 20))} {
			rest := ours.ReplaceAllString(out, "")
			if strings.ContainsAny(rest, "<>") {
				t.Fatalf("markup left in %q", out)
			}
			if !utf8.ValidString(out) {
				t.Fatalf("invalid UTF-8 in %q", out)
			}
			for _, r := range html.UnescapeString(rest) {
				if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
					t.Fatalf("%U left in %q", r, out)
				}
			}
		}
	})
}

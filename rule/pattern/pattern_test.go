package pattern

import "testing"

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		glob, text string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "/a/b", true}, {"a*c", "abbc", true}, {"a*c", "abb", false},
		{"?", "é", true}, {"?", "", false}, {"a?c", "abc", true}, {"[abc]", "b", true}, {"[!abc]", "b", false},
		{"[a-c]x", "bx", true}, {"[]]", "]", true}, {"[[:digit:]]*", "7a", true}, {"[[:alpha:]]", "7", false},
		{"[ab", "[ab", true}, {"[ab", "a", false}, {`\*`, "*", true}, {`\*`, "a", false}, {"*a*b*c", "xxaxxbxxc", true},
		{"**/x", "/a/x", true}, {"*.log", "a.log.1", false}, {"a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	} {
		if got := Glob(tc.glob, tc.text, false); got != tc.want {
			t.Errorf("%q, %q: got %t, want %t", tc.glob, tc.text, got, tc.want)
		}
	}
	if !Glob("/ETC/*", "/etc/x", true) || Glob("/ETC/*", "/etc/x", false) {
		t.Error("case")
	}
}

func TestPaths(t *testing.T) {
	p := NewPaths()
	for _, s := range []string{"/etc/cron.d", "/var/*/log", "srv/data/", "/home/a?/x"} {
		p.Add(s)
	}
	for path, want := range map[string]bool{
		"/etc/cron.d": true, "/etc/cron.d/x": true, "/etc/cron.dx": false, "/etc": false, "/var/a/log/b": true,
		"/var/log": false, "/srv/data/1": true, "srv/data": true, "/home/ab/x": true, "/home/ab/y": false, "": false,
		"//etc//cron.d//x": true,
	} {
		if got := p.Match(path); got != want {
			t.Errorf("%q: got %t, want %t", path, got, want)
		}
	}
	root := NewPaths()
	root.Add("/")
	if !root.Match("/x") || NewPaths().Match("/x") {
		t.Error("the root holds everything, and no path holds nothing")
	}
}

func TestCompileRegex(t *testing.T) {
	re, err := CompileRegex("a|ab+")
	if err != nil || !re.MatchString("abb") || re.MatchString("xabb") || re.MatchString("abbx") {
		t.Errorf("the whole value has to match: %v", err)
	}
	for _, bad := range []string{`\d`, "(?i)a", "(a", "a{1001}", "[a-"} {
		if _, err := CompileRegex(bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*[b-d]?\\x", "abcdx")
	f.Fuzz(func(t *testing.T, glob, text string) {
		if len(glob) < 64 && len(text) < 256 {
			Glob(glob, text, true)
		}
		p := NewPaths()
		p.Add(glob)
		p.Match(text)
	})
}

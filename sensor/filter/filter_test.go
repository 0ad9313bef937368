package filter

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	syntax "github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// official are all rules that Falco publishes, also those that are off by default.
func official(t testing.TB) []*rule.Rule {
	t.Helper()
	var files []rule.File
	for _, name := range []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"} {
		b, err := os.ReadFile(testshared.Path(t, "falco/rules/"+name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, rule.File{Name: name, Content: b})
	}
	set, report := rule.Load(files, rule.LoadOptions{})
	if set == nil {
		t.Fatal(report)
	}
	var out []*rule.Rule
	for i := range set.Rules {
		r := set.Rules[i]
		r.Enabled = true
		out = append(out, &r)
	}
	return out
}

// A made event and what the kernel would know of it.
type made struct {
	typ  field.EventType
	text string
	call Call
}

// makeEvent makes an event of a gated type from draws of numbers below n.
func makeEvent(draw func(n int) int, types []string, paths, names []string) made {
	pick := func(words []string) string { return words[draw(len(words))] }
	name := pick(types)
	typ, _ := field.EventByName(name)
	m := made{typ: typ, call: Call{Failed: draw(3) == 0, Classes: []Class{}, Process: pick(names)}}
	var b strings.Builder
	fmt.Fprintf(&b, "%s evt.failed=%v proc.name=%q proc.pname=%q proc.exe=/x/y proc.exepath=/x/y proc.cmdline=%q proc.tty=%d proc.cwd=/ evt.num=7",
		name, m.call.Failed, m.call.Process, pick(names), m.call.Process+" -x", 34816*draw(2))
	fmt.Fprintf(&b, " container.id=%s user.name=u user.uid=1000", pick([]string{"host", "3ad7b26ded6d"}))
	if m.call.Failed {
		b.WriteString(" evt.rawres=-2 evt.res=ENOENT")
	} else {
		b.WriteString(" evt.rawres=5 evt.res=SUCCESS fd.num=5")
	}
	for i := range PathArguments(typ) {
		p := pick(paths)
		m.call.Paths = append(m.call.Paths, p)
		if i == 0 {
			fmt.Fprintf(&b, " fd.typechar=f fd.type=file fs.path.name=%q fs.path.source=%q", p, p)
			if strings.HasPrefix(name, "open") || name == "creat" {
				fmt.Fprintf(&b, " fd.name=%q fd.nameraw=%q fd.directory=%q fd.filename=%q", p, p, path.Dir(p), path.Base(p))
			}
		}
		fmt.Fprintf(&b, " fs.path.target=%q", p)
		texts := []string{"name", "path", "filename", "oldpath", "pathname", "target"}
		if i == 1 {
			texts = []string{"newpath", "linkpath"}
		}
		for _, param := range texts {
			if typ.Info().Param(param) >= 0 {
				fmt.Fprintf(&b, " evt.arg.%s=%q", param, p)
			}
		}
	}
	if strings.HasPrefix(name, "open") {
		read, write, create := draw(2) == 0, draw(2) == 0, draw(2) == 0
		executable := create && draw(2) == 0
		for class, is := range map[Class]bool{Read: read, Write: write, Create: create, Exec: executable} {
			if is {
				m.call.Classes = append(m.call.Classes, class)
			}
		}
		fmt.Fprintf(&b, " evt.is_open_read=%v evt.is_open_write=%v evt.is_open_create=%v evt.is_open_exec=%v evt.arg.flags=%q",
			read, write, create && !m.call.Failed, executable, "O_CREAT|O_TRUNC")
	}
	if OnSocket(typ) {
		switch draw(3) {
		case 0:
			b.WriteString(` fd.typechar=u fd.type=unix`)
		case 1:
			b.WriteString(` fd.typechar=4 fd.type=ipv4 fd.l4proto=tcp fd.sip=10.0.0.1 fd.sport=4444 fd.cip=10.0.0.2 fd.cport=5`)
			m.call.Classes = append(m.call.Classes, Inet)
		case 2:
			b.WriteString(` fd.typechar=6 fd.type=ipv6 fd.l4proto=udp fd.sport=4444 fd.connected=false fd.name_changed=true fd.sip=2001:db8::1`)
			m.call.Classes = append(m.call.Classes, Inet, Datagram)
		}
	}
	m.text = b.String()
	return m
}

// words collects paths and names of processes around those that a filter asks for.
func words(f *Filter) (paths, names []string) {
	paths = []string{"/", "/x", "/tmp/file", "/etc", "/etc/x", "/root/.x", "/usr/bin/x", "/home/a/.ssh/id"}
	names = []string{"x", "longer-than-15-b", "cat"}
	for _, s := range f.Sets {
		names = append(names, s.Names...)
		if s.Paths == nil {
			continue
		}
		for _, p := range slices.Concat(s.Paths.Exact, s.Paths.Prefixes) {
			paths = append(paths, p, p+"x", p+"/x", strings.TrimSuffix(p, "/"), p[:len(p)-1])
		}
		for _, p := range slices.Concat(s.Paths.Suffixes, s.Paths.Contained) {
			paths = append(paths, "/a"+p, "/a/b"+p+"/c", "/etc"+p)
		}
	}
	paths = slices.DeleteFunc(paths, func(p string) bool { return p == "" || path.Clean(p) != p || p[0] != '/' })
	return paths, names
}

func gatedTypes(f *Filter) (out []string) {
	for t := range f.Gates {
		out = append(out, t.String())
	}
	slices.Sort(out)
	return out
}

// TestOfficialRulesLoseNothing: whatever matches an official rule passes.
func TestOfficialRulesLoseNothing(t *testing.T) {
	rules := official(t)
	f := FromRules(rules)
	paths, names := words(&f)
	types := gatedTypes(&f)
	if len(types) < 10 || len(f.Sets) < 5 {
		t.Fatalf("the filter has %d gates and %d sets; it should have more to filter by", len(types), len(f.Sets))
	}
	random := rand.New(rand.NewPCG(1, 2))
	matched, filtered := map[string]int{}, 0
	var e event.Event
	var s match.Scratch
	for range 60_000 {
		m := makeEvent(random.IntN, types, paths, names)
		if err := event.Parse(m.text, &e); err != nil {
			t.Fatalf("%s: %v", m.text, err)
		}
		passes := f.Passes(m.typ, m.call)
		if !passes {
			filtered++
		}
		for _, r := range rules {
			s.Reset()
			if r.Events.Has(m.typ) && r.Node.Eval(&e, &s) {
				if matched[r.Name]++; !passes {
					t.Fatalf("%q matches, and the kernel would not tell of it: %s", r.Name, m.text)
				}
			}
		}
	}
	t.Logf("%d rules matched at least once, %d of 60000 events filtered", len(matched), filtered)
	if len(matched) < 20 || filtered < 5000 {
		t.Errorf("%d rules matched, %d events were filtered: the events say too little", len(matched), filtered)
	}
}

func TestReadsOfPlainFilesAreFiltered(t *testing.T) {
	f := FromRules(official(t))
	openat, _ := field.EventByName("openat")
	for _, tc := range []struct {
		path    string
		classes []Class
		process string
		want    bool
	}{
		{"/etc/hostname", []Class{Read}, "cat", false},
		{"/etc/shadow", []Class{Read}, "cat", true},
		{"/etc/hostname", []Class{Write}, "cat", true},
		{"/srv/app/today", []Class{Write}, "app", false},
		{"/etc/hostname", []Class{Read}, "tar", true},
		{"/etc/hostname", []Class{Read}, "", true},
	} {
		if got := f.Passes(openat, Call{Paths: []string{tc.path}, Classes: tc.classes, Process: tc.process}); got != tc.want {
			t.Errorf("%s %v by %q: passes %v, want %v", tc.path, tc.classes, tc.process, got, tc.want)
		}
	}
}

// randomCondition draws a condition of the fields that the filter reads, and some that it does not.
func randomCondition(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom([]string{
			"evt.failed=true", "evt.failed=false", "fd.num>=0", "evt.rawres>=0", "evt.is_open_read=true", "evt.is_open_write=true",
			"evt.is_open_write=false", "evt.is_open_create=true", "evt.is_open_exec=true", "evt.type=open", "evt.type in (openat, unlink)",
			"evt.type!=connect", "fd.name=/etc/a", "fd.name in (/a, /etc/b)", "fd.name startswith /etc", "fd.name endswith /b",
			"fd.name contains tc/", "fd.name contains x", "fd.name pmatch (/etc, /usr/lib*)", "fd.name glob /etc/*", "fd.directory=/etc",
			"fd.directory=/", "fd.directory startswith /e", "fd.filename=b", "fd.filename in (a, x)", "fd.filename endswith b",
			"fs.path.name startswith /etc", "fs.path.source=/a", "fs.path.target contains a", "evt.arg.name=/etc/a", "evt.arg.path startswith /a",
			"evt.arg.newpath endswith a", "evt.arg.oldpath contains /", "proc.name=cat", "proc.name in (x, longer-than-15-b)",
			"proc.name startswith c", "container.id=host", "fd.typechar=4", "fd.typechar=f", "fd.type in (ipv4, ipv6)", "fd.l4proto!=tcp",
			"fd.l4proto=udp", "fd.sport=4444", "fd.sip.name exists", "proc.tty=0", "tolower(fd.name) contains B", "fd.name != /a",
			"fd.name exists", "fd.name startswith \"\"", "proc.name exists", "evt.rawres < 0", "fd.name iglob /ETC/*",
			"fd.name regex '.*a'", "fd.name contains oneof (a, b)",
		}).Draw(t, "check")
	}
	op := rapid.SampledFrom([]string{"and", "or"}).Draw(t, "op")
	left, right := randomCondition(t, depth-1), randomCondition(t, depth-1)
	text := fmt.Sprintf("(%s %s %s)", left, op, right)
	if rapid.IntRange(0, 3).Draw(t, "not") == 0 {
		return "not " + text
	}
	return text
}

// TestNothingLost: whatever matches any condition passes the filter made of it.
func TestNothingLost(t *testing.T) {
	types := []string{"open", "openat", "openat2", "creat", "unlink", "unlinkat", "rename", "renameat2", "mkdir", "symlink", "connect", "sendto"}
	paths := []string{"/", "/a", "/b", "/x", "/etc", "/etc/a", "/etc/b", "/etc/x/y", "/usr/lib64/a", "/usr/b", "/var/x"}
	names := []string{"cat", "x", "longer-than-15-b", "cut"}
	rapid.Check(t, func(t *rapid.T) {
		var rules []*rule.Rule
		for range rapid.IntRange(1, 3).Draw(t, "rules") {
			text := randomCondition(t, 4)
			expr, err := syntax.Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			node, _, err := match.Bind(expr)
			if err != nil {
				t.Skipf("%s: %v", text, err)
			}
			events, err := match.EventTypes(expr)
			if err != nil {
				t.Skipf("%s: %v", text, err)
			}
			rules = append(rules, &rule.Rule{Name: text, Expr: expr, Node: node, Events: events, Enabled: true})
		}
		f := FromRules(rules)
		var e event.Event
		var s match.Scratch
		for range 20 {
			m := makeEvent(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "draw") }, types, paths, names)
			if err := event.Parse(m.text, &e); err != nil {
				t.Fatalf("%s: %v", m.text, err)
			}
			for _, r := range rules {
				s.Reset()
				if r.Events.Has(m.typ) && r.Node.Eval(&e, &s) && !f.Passes(m.typ, m.call) {
					t.Fatalf("%s matches, and the kernel would not tell of it: %s", r.Name, m.text)
				}
			}
		}
	})
}

func TestCallType(t *testing.T) {
	for call, want := range map[string]string{"pread64": "pread", "openat": "openat", "_llseek": "llseek", "prlimit64": "prlimit", "umount": "umount", "sendfile": "sendfile"} {
		if got, ok := CallType(call); !ok || got.String() != want {
			t.Errorf("CallType(%q) = %v, %v; want %s", call, got, ok, want)
		}
	}
	if got, ok := CallType("no_such_call"); ok {
		t.Errorf("CallType of a call that does not exist is %v", got)
	}
}
